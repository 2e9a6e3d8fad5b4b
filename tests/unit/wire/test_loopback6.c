/* Loopback in both families at once, with the kernel's own stack as the other side: ::1, and an address and a
 * link-local address of this machine that stand on another interface. */
#include "space.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/claim.h"

#define CLAIMED 4u
#define OWN "2001:2:0:1::99"
#define OWN_LINK_LOCAL "fe80::a"
#define MAX_SEGMENT 60u

enum { SYN = 2, RST = 4, ACK = 16 };

struct loop {
    struct claim claim;
    struct wire *w;
    int listener;
    uint16_t port; /* the listener's */
};

static struct wire *open_loopback(const struct claim *claim) {
    struct wire_config c = space_config("lo");
    c.loopback = true;
    c.link = LINK_IP;
    c.filter.port_lo = claim->first;
    c.filter.port_hi = (uint16_t)(claim->first + CLAIMED - 1);
    return space_open(&c);
}

static int set_up(void **state) {
    static struct loop l;
    struct error e = ERROR_INIT;
    space_enter();
    if (!space_try("test -e /proc/sys/net/ipv6 && echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6"))
        skip();
    space_run("ip link add n0 type veth peer name f0 && ip link set f0 addrgenmode none up &&"
              " ip link set n0 addrgenmode none up && ip addr add 2001:2:0:1::99/64 dev n0 nodad &&"
              " ip addr add fe80::a/64 dev n0 nodad && ip addr add 198.18.0.99/24 dev n0");
    struct claim_wish wish = {.n = CLAIMED, .seed = 42, .tcp = true, .udp = true};
    assert_int_equal(claim_create(&wish, &l.claim, &e), 0);
    l.w = open_loopback(&l.claim);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t size = sizeof any;
    l.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(l.listener >= 0);
    assert_return_code(bind(l.listener, (const struct sockaddr *)&any, size), errno);
    assert_return_code(listen(l.listener, 64), errno);
    assert_return_code(getsockname(l.listener, (struct sockaddr *)&any, &size), errno);
    l.port = ntohs(any.sin6_port);
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

static void store_addr(uint8_t *p, addr_t a) {
    store_be64(p, (uint64_t)(a >> 64));
    store_be64(p + 8, (uint64_t)a);
}

static uint32_t sum(const uint8_t *p, size_t n) {
    uint32_t total = 0;
    for (size_t i = 0; i < n; i += 2)
        total += load_be16(p + i);
    return total;
}

/* A SYN from an address of this machine to the same address. */
static struct frame draw_syn6(uint8_t packet[static MAX_SEGMENT], const char *address, uint16_t from, uint16_t to) {
    addr_t a = space_addr(address);
    memset(packet, 0, MAX_SEGMENT);
    packet[0] = 0x60;
    store_be16(packet + 4, 20);
    packet[6] = IPPROTO_TCP;
    packet[7] = 64;
    store_addr(packet + 8, a);
    store_addr(packet + 24, a);
    uint8_t *tcp = packet + 40;
    store_be16(tcp, from);
    store_be16(tcp + 2, to);
    store_be32(tcp + 4, 1000);
    tcp[12] = 5 << 4;
    tcp[13] = SYN;
    uint32_t total = sum(packet + 8, 32) + IPPROTO_TCP + 20 + sum(tcp, 20);
    total = (total & 0xffff) + (total >> 16);
    store_be16(tcp + 16, (uint16_t)~(total + (total >> 16)));
    return (struct frame){.data = packet, .len = 60};
}

static struct frame draw_syn4(uint8_t frame[static FRAME_HEADERS], uint16_t from, uint16_t to) {
    space_tcp_frame(frame, FRAME_HEADERS, from, to, 1000);
    store_be32(frame + ETHERNET_HEADER_LEN + 12, 0x7f000001);
    store_be32(frame + ETHERNET_HEADER_LEN + 16, 0x7f000001);
    space_checksums(frame, FRAME_HEADERS);
    return (struct frame){.data = frame + ETHERNET_HEADER_LEN, .len = FRAME_HEADERS - ETHERNET_HEADER_LEN};
}

/* Waits for the next TCP segment to one of our ports; fails after 5 s without one. */
static struct frame next_segment(struct loop *l) {
    struct frame f = {.len = 0};
    uint64_t drained, end = clock_mono_ns() + 5 * NS_PER_SEC;
    for (;;) {
        int n = l->w->ops->recv(l->w, &f, 1, &drained);
        assert_true(n >= 0);
        if (n && f.data[f.data[0] >> 4 == 6 ? 6 : 9] == IPPROTO_TCP)
            return f;
        if (clock_mono_ns() > end)
            fail_msg("no segment came");
        if (n == 0)
            l->w->ops->wait(l->w, 10 * NS_PER_MS);
    }
}

static void expect_answer(struct loop *l, const char *address, uint16_t port, uint8_t flags) {
    uint8_t packet[MAX_SEGMENT], from[16];
    struct frame f = draw_syn6(packet, address, (uint16_t)(l->claim.first + 1), port);
    assert_int_equal(l->w->ops->send(l->w, &f, 1), 1);
    f = next_segment(l);
    store_addr(from, space_addr(address));
    assert_int_equal(f.data[0] >> 4, 6);
    assert_memory_equal(f.data + 8, from, 16);
    assert_int_equal(load_be16(f.data + 40), port);
    assert_int_equal(load_be16(f.data + 42), l->claim.first + 1);
    assert_int_equal(f.data[53], flags);
    assert_int_equal(load_be32(f.data + 48), 1001);
}

static void test_open_and_closed_ports_answer(void **state) {
    struct loop *l = *state;
    static const char *const own[] = {"::1", OWN, OWN_LINK_LOCAL};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        expect_answer(l, own[i], l->port, SYN | ACK);
        expect_answer(l, own[i], 1, RST | ACK);
    }
    struct wire_stats s;
    l->w->ops->stats(l->w, &s);
    assert_int_equal(s.sent, 6);
    assert_int_equal(s.send_refused, 0);
}

/* The frames of one call may change between the families at will: none is lost, and all are counted. */
static void test_families_mixed(void **state) {
    struct loop *l = *state;
    enum { N = 300 }; /* more than a batch */
    static uint8_t bytes[N][MAX_SEGMENT];
    static const unsigned runs[] = {1, 1, 2, 3, 1, 7, 130, 1, 100, 54};
    struct frame frames[N];
    unsigned n = 0, want[2] = {0, 0}, got[2] = {0, 0};
    for (size_t r = 0; r < sizeof runs / sizeof runs[0]; r++) {
        for (unsigned i = 0; i < runs[r]; i++, n++) {
            assert_true(n < N);
            frames[n] = r % 2 ? draw_syn6(bytes[n], "::1", l->claim.first, 1) : draw_syn4(bytes[n], l->claim.first, 1);
            want[r % 2]++;
        }
    }
    assert_int_equal(n, N);
    unsigned done = 0;
    for (uint64_t end = clock_mono_ns() + 10 * NS_PER_SEC; done < N && clock_mono_ns() < end;) {
        int r = l->w->ops->send(l->w, frames + done, N - done);
        assert_true(r >= 0);
        done += (unsigned)r;
    }
    assert_int_equal(done, N);
    for (unsigned i = 0; i < N; i++) {
        struct frame f = next_segment(l);
        bool v6 = f.data[0] >> 4 == 6;
        assert_int_equal(f.data[v6 ? 53 : 33], RST | ACK);
        got[v6]++;
    }
    assert_int_equal(got[0], want[0]);
    assert_int_equal(got[1], want[1]);
    struct wire_stats s;
    l->w->ops->stats(l->w, &s);
    assert_int_equal(s.sent, N);
    assert_int_equal(s.send_refused, 0);
}

/* Makes socket(AF_INET6, ...) fail as on a machine that was booted without IPv6. */
static bool forget_ipv6(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           socket(AF_INET6, SOCK_STREAM, 0) < 0;
}

/* IPv4 goes on without IPv6; a frame of the latter is refused and counted. */
static void test_a_machine_without_ipv6(void **state) {
    struct loop *l = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t bytes[2][MAX_SEGMENT];
        if (!forget_ipv6())
            _exit(1);
        struct wire *w = open_loopback(&l->claim);
        struct frame frames[] = {draw_syn6(bytes[0], "::1", l->claim.first, 1), draw_syn4(bytes[1], l->claim.first, 1)};
        struct wire_stats s;
        if (w->ops->send(w, frames, 2) != 2)
            _exit(2);
        w->ops->stats(w, &s);
        _exit(s.sent == 1 && s.send_refused == 1 && s.last_send_error == EAFNOSUPPORT ? 0 : 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_and_closed_ports_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_families_mixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_machine_without_ipv6, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("wire/loopback6", tests, NULL, NULL);
}
