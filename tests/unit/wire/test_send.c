#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define TAG_AT (ETHERNET_HEADER_LEN + 24)
#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */

static int make_pair(void **state) {
    (void)state;
    space_enter();
    space_run("ip link add n0 type veth peer name f0 &&"
              " ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up");
    return 0;
}

static struct wire *open_sender(const char *ifname) {
    struct wire_config c = space_config(ifname);
    c.receive = false;
    return space_open(&c);
}

static void fill(struct frame *frames, uint8_t (*bytes)[64], unsigned n, uint32_t first_tag) {
    for (unsigned i = 0; i < n; i++) {
        space_tcp_frame(bytes[i], 64, 40000, 80, first_tag + i);
        frames[i] = (struct frame){.data = bytes[i], .len = 64};
    }
}

/* The tag of the next frame at the far end, or -1 after a second without one. */
static int64_t next_tag(int far) {
    uint8_t got[2048];
    struct timeval second = {.tv_sec = 1};
    assert_return_code(setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second), errno);
    ssize_t n = recv(far, got, sizeof got, 0);
    return n >= 64 ? (int64_t)load_be32(got + TAG_AT) : -1;
}

static void test_all_arrive_once_and_in_order(void **state) {
    (void)state;
    struct wire *w = open_sender("n0");
    int far = space_socket("f0", true);
    static uint8_t bytes[300][64];
    struct frame frames[300];
    unsigned n = 1;
    uint32_t tag = 0;
    struct wire_stats s;
    for (; n <= 300; n += 149) { /* also more than one batch */
        fill(frames, bytes, n, tag);
        assert_int_equal(w->ops->send(w, frames, n), n);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(next_tag(far), tag++);
    }
    w->ops->stats(w, &s);
    assert_int_equal(s.sent, tag);
    assert_int_equal(s.sent_bytes, 64 * (uint64_t)tag);
    assert_int_equal(s.send_refused, 0);
    assert_true(s.send_calls < tag / 50);
    w->ops->close(w);
    close(far);
}

static void test_a_handle_that_only_sends(void **state) {
    (void)state;
    struct wire *w = open_sender("n0");
    struct frame got[4];
    uint64_t drained = 1;
    assert_int_equal(w->ops->recv(w, got, 4, &drained), 0);
    assert_int_equal(drained, 0);
    w->ops->wait(w, 3600 * NS_PER_SEC); /* there is room to send: returns at once */
    w->ops->close(w);
}

static void test_what_never_fits_is_counted_and_skipped(void **state) {
    (void)state;
    struct wire *w = open_sender("n0");
    int far = space_socket("f0", true);
    static uint8_t bytes[5][64], huge[3000];
    struct frame frames[5];
    struct wire_stats s;
    fill(frames, bytes, 5, 0);
    space_tcp_frame(huge, sizeof huge, 40000, 80, 1);
    frames[1] = frames[3] = (struct frame){.data = huge, .len = sizeof huge};
    assert_int_equal(w->ops->send(w, frames, 5), 5);
    w->ops->stats(w, &s);
    assert_int_equal(s.sent, 3);
    assert_int_equal(s.send_refused, 2);
    assert_int_equal(s.last_send_error, EMSGSIZE);
    assert_int_equal(next_tag(far), 0);
    assert_int_equal(next_tag(far), 2);
    assert_int_equal(next_tag(far), 4);
    w->ops->close(w);
    close(far);
}

/* A queue slower than the sender, which offers the rest again: no frame is lost, none comes twice. */
static void test_back_pressure(void **state) {
    (void)state;
    if (!space_try("tc qdisc add dev n0 root tbf rate 2mbit burst 3kb limit 9kb 2>/dev/null"))
        skip();
    struct wire *w = open_sender("n0");
    int far = space_socket("f0", true);
    enum { N = 400 };
    static uint8_t bytes[N][64];
    struct frame frames[N];
    struct wire_stats s;
    fill(frames, bytes, N, 0);
    unsigned done = 0, held_up = 0;
    for (uint64_t end = clock_mono_ns() + LIMIT_NS; done < N && clock_mono_ns() < end;) {
        int r = w->ops->send(w, frames + done, N - done);
        assert_true(r >= 0);
        done += (unsigned)r;
        if (done < N) {
            held_up++;
            clock_sleep_until(clock_mono_ns() + NS_PER_MS);
        }
    }
    w->ops->stats(w, &s);
    assert_int_equal(done, N);
    assert_true(held_up > 0);
    assert_int_equal(s.sent, N);
    assert_int_equal(s.send_refused, 0);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(next_tag(far), i);
    w->ops->close(w);
    close(far);
}

/* A rule that drops one frame must not hold up the rest for ever: the kernel says ENOBUFS to it each time. */
static void test_a_forbidden_frame_is_given_up(void **state) {
    (void)state;
    if (!space_try("nft 'table netdev t { chain c { type filter hook egress device \"n0\" priority 0;"
                   " tcp dport 81 drop; }; }' 2>/dev/null"))
        skip();
    struct wire *w = open_sender("n0");
    int far = space_socket("f0", true);
    static uint8_t bytes[3][64];
    struct frame frames[3];
    struct wire_stats s;
    fill(frames, bytes, 3, 0);
    space_tcp_frame(bytes[1], 64, 40000, 81, 1);
    uint64_t start = clock_mono_ns();
    unsigned done = 0;
    while (done < 3 && clock_mono_ns() < start + LIMIT_NS) {
        int r = w->ops->send(w, frames + done, 3 - done);
        assert_true(r >= 0);
        done += (unsigned)r;
    }
    assert_int_equal(done, 3);
    w->ops->stats(w, &s);
    assert_int_equal(s.sent, 2);
    assert_int_equal(s.send_refused, 1);
    assert_int_equal(s.last_send_error, ENOBUFS);
    assert_int_equal(next_tag(far), 0);
    assert_int_equal(next_tag(far), 2);
    w->ops->close(w);
    close(far);
}

/* Frames that the interface takes and then drops are no refusal: they show in its own count. */
static void test_what_the_interface_drops_shows(void **state) {
    (void)state;
    struct wire *w = open_sender("n0");
    struct wire_stats s;
    static uint8_t bytes[10][64];
    struct frame frames[10];
    space_run("ip link set f0 down");
    fill(frames, bytes, 10, 0);
    int taken = w->ops->send(w, frames, 10);
    w->ops->stats(w, &s);
    assert_in_range(taken, 0, 10);
    assert_int_equal(s.sent, taken); /* as far as the kernel says; some say ENOBUFS at once, and nothing is sent */
    assert_true(s.interface_tx_dropped >= s.sent);
    w->ops->close(w);
}

/* The packet that the other end of the tunnel reads next, without what the driver puts before it. The kernel's own
 * packets, which have other ports, are passed over. */
static size_t read_tun(int tun, struct tun_pi *head, uint8_t *packet, size_t room) {
    uint8_t raw[512];
    for (unsigned i = 0; i < 20; i++) {
        ssize_t n = read(tun, raw, sizeof raw);
        assert_in_range(n, sizeof *head + 44, sizeof *head + room);
        memcpy(head, raw, sizeof *head);
        memcpy(packet, raw + sizeof *head, (size_t)n - sizeof *head);
        if (load_be16(packet + (packet[0] >> 4 == 4 ? 20 : 40)) == 40000)
            return (size_t)n - sizeof *head;
    }
    fail_msg("our packet did not come");
    return 0;
}

static void write_tun(int tun, uint16_t protocol, const uint8_t *packet, size_t n) {
    uint8_t raw[512];
    struct tun_pi head = {.proto = htons(protocol)};
    memcpy(raw, &head, sizeof head);
    memcpy(raw + sizeof head, packet, n);
    assert_int_equal(write(tun, raw, sizeof head + n), sizeof head + n);
}

/* One packet of IPv6 and TCP, of which only the ports matter here. */
static size_t ipv6_packet(uint8_t *out, uint16_t from, uint16_t to) {
    memset(out, 0, 60);
    out[0] = 0x60;
    store_be16(out + 4, 20);
    out[6] = IPPROTO_TCP;
    out[7] = 64;
    store_be32(out + 8, 0x20010002);
    out[23] = 1;
    store_be32(out + 24, 0x20010002);
    out[39] = 2;
    store_be16(out + 40, from);
    store_be16(out + 42, to);
    out[52] = 5 << 4;
    return 60;
}

static struct frame receive_one(struct wire *w) {
    uint64_t drained, end = clock_mono_ns() + LIMIT_NS;
    struct frame f = {.len = 0};
    while (clock_mono_ns() < end) {
        int n = w->ops->recv(w, &f, 1, &drained);
        assert_true(n >= 0);
        if (n == 1)
            return f;
        w->ops->wait(w, NS_PER_MS);
    }
    fail_msg("nothing came");
    return f;
}

/* A tunnel's end in user space: frames begin with the IP header, both ways, in both families; and the protocol that the
 * kernel tells the tunnel's driver is that of the packet (the four bytes before it). */
static void test_a_tunnel(void **state) {
    (void)state;
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN};
    memcpy(request.ifr_name, "t0", 3);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
        skip();
    space_run("ip link set t0 addrgenmode none up");
    struct wire_config c = space_config("t0");
    c.link = LINK_IP;
    struct wire *w = space_open(&c);
    uint8_t v4[64], v6[64], in[64], got[256];
    space_tcp_frame(v4, sizeof v4, 40000, 80, 1);
    size_t v4_len = sizeof v4 - ETHERNET_HEADER_LEN, v6_len = ipv6_packet(v6, 40000, 80);
    const struct frame out[] = {{.data = v4 + ETHERNET_HEADER_LEN, .len = (uint32_t)v4_len},
                                {.data = v6, .len = (uint32_t)v6_len},
                                {.data = v4 + ETHERNET_HEADER_LEN, .len = (uint32_t)v4_len}};
    assert_int_equal(w->ops->send(w, out, 3), 3);
    for (unsigned i = 0; i < 3; i++) {
        struct tun_pi head;
        size_t n = read_tun(tun, &head, got, sizeof got);
        assert_int_equal(ntohs(head.proto), i == 1 ? ETH_P_IPV6 : ETH_P_IP);
        assert_int_equal(n, out[i].len);
        assert_memory_equal(got, out[i].data, n);
    }
    space_tcp_frame(in, sizeof in, 80, 40003, 2);
    write_tun(tun, ETH_P_IP, in + ETHERNET_HEADER_LEN, v4_len);
    struct frame f = receive_one(w);
    assert_int_equal(f.len, v4_len);
    assert_memory_equal(f.data, in + ETHERNET_HEADER_LEN, v4_len);
    v6_len = ipv6_packet(in, 80, 40003);
    write_tun(tun, ETH_P_IPV6, in, v6_len);
    f = receive_one(w);
    assert_int_equal(f.len, v6_len);
    assert_memory_equal(f.data, in, v6_len);
    struct wire_stats stats;
    w->ops->stats(w, &stats);
    assert_int_equal(stats.sent, 3);
    assert_int_equal(stats.sent_bytes, 2 * v4_len + v6_len);
    w->ops->close(w);
    close(tun);
}

static void expect_capability_line(bool receive) {
    struct wire_config c = space_config("n0");
    struct error e = ERROR_INIT;
    struct wire *w;
    c.receive = receive;
    int r = wire_packet_ops.open(&c, &w, &e);
    if (r != -EPERM || !strstr(e.text, "CAP_NET_RAW"))
        _exit(1);
}

static void test_without_privilege_it_says_so(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!space_drop_capability(CAP_NET_RAW))
            _exit(2);
        expect_capability_line(true);
        expect_capability_line(false);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_arrive_once_and_in_order, make_pair),
        cmocka_unit_test_setup(test_a_handle_that_only_sends, make_pair),
        cmocka_unit_test_setup(test_what_never_fits_is_counted_and_skipped, make_pair),
        cmocka_unit_test_setup(test_back_pressure, make_pair),
        cmocka_unit_test_setup(test_a_forbidden_frame_is_given_up, make_pair),
        cmocka_unit_test_setup(test_what_the_interface_drops_shows, make_pair),
        cmocka_unit_test_setup(test_a_tunnel, make_pair),
        cmocka_unit_test_setup(test_without_privilege_it_says_so, make_pair),
    };
    return cmocka_run_group_tests_name("wire/send", tests, NULL, NULL);
}
