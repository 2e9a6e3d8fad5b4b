/* Loopback, with the kernel's own stack as the other side: what is sent must reach it as a true packet, and its answers
 * must come back. Claimed ports stand in the middle of it. */
#include "space.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/claim.h"

#define CLAIMED 4u
#define OWN_ADDRESS 0xc6120063u /* 198.18.0.99, on an interface of its own */
#define LOCALHOST 0x7f000001u

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct loop {
    struct claim claim;
    struct wire *w;
    int listener;
    uint16_t port; /* the listener's */
};

static int set_up(void **state) {
    static struct loop l;
    struct error e = ERROR_INIT;
    space_enter();
    space_run("ip link add n0 type veth peer name f0 && ip link set f0 up && ip link set n0 up &&"
              " ip addr add 198.18.0.99/24 dev n0");
    assert_int_equal(claim_create(&(struct claim_wish){.n = CLAIMED, .seed = 42, .tcp = true}, &l.claim, &e), 0);
    struct wire_config c = {
        .ifname = "lo",
        .ifindex = space_ifindex("lo"),
        .loopback = true,
        .link = LINK_IP,
        .receive = true,
        .filter = {.port_lo = l.claim.first, .port_hi = (uint16_t)(l.claim.first + CLAIMED - 1)},
        .ring_bytes = 1 << 20,
    };
    l.w = space_open(&c);
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    l.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(l.listener >= 0);
    assert_return_code(bind(l.listener, (const struct sockaddr *)&any, size), errno);
    assert_return_code(listen(l.listener, 64), errno);
    assert_return_code(getsockname(l.listener, (struct sockaddr *)&any, &size), errno);
    l.port = ntohs(any.sin_port);
    *state = &l;
    return 0;
}

static int tear_down(void **state) {
    struct loop *l = *state;
    l->w->ops->close(l->w);
    claim_deinit(&l->claim);
    close(l->listener);
    return 0;
}

/* Sends one segment from 127.0.0.1 or another of our addresses to itself. */
static void send_segment(struct loop *l, uint32_t address, uint16_t from, uint16_t to, uint8_t flags, uint32_t seq) {
    uint8_t frame[FRAME_HEADERS], *ip = frame + ETHERNET_HEADER_LEN;
    space_tcp_frame(frame, sizeof frame, from, to, seq);
    store_be32(ip + 12, address);
    store_be32(ip + 16, address);
    ip[33] = flags;
    space_checksums(frame, sizeof frame);
    struct frame f = {.data = ip, .len = sizeof frame - ETHERNET_HEADER_LEN};
    assert_int_equal(l->w->ops->send(l->w, &f, 1), 1);
}

/* Waits for the next TCP segment; fails after 5 s without one. */
static struct frame next_segment(struct loop *l) {
    struct frame f = {.len = 0};
    uint64_t drained, end = clock_mono_ns() + 5 * NS_PER_SEC;
    for (;;) {
        int n = l->w->ops->recv(l->w, &f, 1, &drained);
        assert_true(n >= 0);
        if (n && f.data[9] == IPPROTO_TCP)
            break;
        if (clock_mono_ns() > end)
            fail_msg("no segment came");
        if (n == 0)
            l->w->ops->wait(l->w, 10 * NS_PER_MS);
    }
    assert_int_equal(f.data[0], 0x45);
    assert_true(f.len >= 40);
    return f;
}

static void expect_answer(struct loop *l, uint32_t address, uint16_t port, uint8_t flags) {
    uint16_t own = (uint16_t)(l->claim.first + 1);
    send_segment(l, address, own, port, SYN, 1000);
    struct frame f = next_segment(l);
    assert_int_equal(load_be32(f.data + 12), address);
    assert_int_equal(load_be16(f.data + 20), port);
    assert_int_equal(load_be16(f.data + 22), own);
    assert_int_equal(f.data[33], flags);
    assert_int_equal(load_be32(f.data + 28), 1001);
    /* The kernel leaves the sum of a socket's segments unfilled on lo, and a reader must be told. RSTs come from no
     * socket, and have it. */
    assert_int_equal(f.flags & FRAME_CSUM_UNFILLED, flags & RST ? 0 : FRAME_CSUM_UNFILLED);
}

static void test_open_and_closed_ports_answer(void **state) {
    struct loop *l = *state;
    expect_answer(l, LOCALHOST, l->port, SYN | ACK);
    expect_answer(l, LOCALHOST, 1, RST | ACK);
    expect_answer(l, OWN_ADDRESS, 1, RST | ACK);
    struct wire_stats s;
    l->w->ops->stats(l->w, &s);
    assert_int_equal(s.sent, 3);
    assert_int_equal(s.send_refused, 0);
}

/* The claim: a SYN-ACK must not make this kernel reset the connection. The other side would then be gone; but it is
 * still in SYN-RECV and repeats its SYN-ACK after a second. */
static void test_the_kernel_does_not_reset(void **state) {
    struct loop *l = *state;
    expect_answer(l, LOCALHOST, l->port, SYN | ACK);
    struct frame f = next_segment(l);
    assert_int_equal(load_be16(f.data + 20), l->port);
    assert_int_equal(f.data[33], SYN | ACK);
}

/* Nothing that comes to a claimed port is answered. The segment sent last goes to a closed port and is answered, so
 * when that answer comes, an answer to any other would have come. */
static void test_claimed_ports_are_silent(void **state) {
    struct loop *l = *state;
    static const uint8_t kinds[] = {SYN, SYN | ACK, ACK, RST, FIN | ACK, 0};
    for (unsigned i = 0; i < CLAIMED; i++)
        for (size_t j = 0; j < sizeof kinds; j++)
            send_segment(l, LOCALHOST, l->claim.first, (uint16_t)(l->claim.first + i), kinds[j], 5000);
    send_segment(l, LOCALHOST, l->claim.first, 1, SYN, 7000);
    struct frame f;
    unsigned ours = 0;
    while (load_be16((f = next_segment(l)).data + 20) == l->claim.first) {
        assert_int_equal(load_be32(f.data + 24), 5000); /* what was sent itself, on its way in */
        ours++;
    }
    assert_int_equal(ours, CLAIMED * sizeof kinds);
    assert_int_equal(load_be16(f.data + 20), 1);
    assert_int_equal(load_be32(f.data + 28), 7001);
}

static void test_bad_frames_are_refused(void **state) {
    struct loop *l = *state;
    static uint8_t zero[40], v6[60] = {0x60}, short_one[10] = {0x45};
    const struct frame frames[] = {{.data = zero, .len = 40}, {.data = v6, .len = 60}, {.data = short_one, .len = 10},
                                   {.data = zero, .len = 0}};
    struct wire_stats s;
    assert_int_equal(l->w->ops->send(l->w, frames, 4), 4);
    l->w->ops->stats(l->w, &s);
    assert_int_equal(s.sent, 0);
    assert_int_equal(s.send_refused, 4);
    expect_answer(l, LOCALHOST, 1, RST | ACK);
}

/* A loopback wire sends nothing out of the machine, whatever stands in the frame. */
static void test_nothing_leaves(void **state) {
    struct loop *l = *state;
    space_run("ip route add default via 198.18.0.1");
    space_run("ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 dev n0");
    int far = space_socket("f0", true);
    uint8_t frame[FRAME_HEADERS], got[2048], *ip = frame + ETHERNET_HEADER_LEN;
    space_tcp_frame(frame, sizeof frame, l->claim.first, 80, 1);
    store_be32(ip + 12, OWN_ADDRESS);
    store_be32(ip + 16, 0xc6130001); /* 198.19.0.1: behind the gateway */
    space_checksums(frame, sizeof frame);
    struct frame f = {.data = ip, .len = sizeof frame - ETHERNET_HEADER_LEN};
    assert_int_equal(l->w->ops->send(l->w, &f, 1), 1);
    expect_answer(l, LOCALHOST, 1, RST | ACK);
    ssize_t n;
    while ((n = recv(far, got, sizeof got, MSG_DONTWAIT)) > 0)
        assert_true(n < (ssize_t)sizeof frame || got[23] != IPPROTO_TCP);
    close(far);
    struct wire_stats s;
    l->w->ops->stats(l->w, &s);
    assert_int_equal(s.send_refused, 1);
    assert_int_equal(s.last_send_error, ENETUNREACH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_and_closed_ports_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_kernel_does_not_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claimed_ports_are_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_frames_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_leaves, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("wire/loopback", tests, NULL, NULL);
}
