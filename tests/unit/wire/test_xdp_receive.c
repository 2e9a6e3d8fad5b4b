/* The XDP wire receives: all that the packet wire would, its replies by way of AF_XDP, and nothing else is kept from
 * the kernel. */
#include "space.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "wire/xdp.h"
#include "wire/xdp_hook.h"
#include "xdp_pair.h"

#define TAG_AT (ETHERNET_HEADER_LEN + 24)
#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */

struct bench {
    struct wire *w;
    int far; /* sends at f0 */
};

static int set_up(void **state) {
    static struct bench b;
    xdp_pair_make(1, true);
    struct wire_config c = space_config("n0");
    b = (struct bench){.w = xdp_pair_try(&c), .far = space_socket("f0", false)};
    *state = &b;
    return 0;
}

static int tear_down(void **state) {
    struct bench *b = *state;
    wire_xdp_ops.close(b->w);
    close(b->far);
    return 0;
}

/* A set-up must not skip, so the test does it. */
static struct bench *bench_of(void **state) {
    struct bench *b = *state;
    if (!b->w)
        skip();
    return b;
}

static void inject(const struct bench *b, const uint8_t *frame, size_t len) {
    assert_int_equal(send(b->far, frame, len, 0), len);
}

/* Puts another Ethernet type, and a VLAN tag before it. */
static size_t tag_vlan(uint8_t *frame, size_t len, uint16_t tci) {
    memmove(frame + 16, frame + 12, len - 12);
    store_be16(frame + 12, ETH_P_8021Q);
    store_be16(frame + 14, tci);
    return len + 4;
}

static size_t ipv6_frame(uint8_t *out, uint8_t protocol, uint16_t to_port, uint32_t tag) {
    memset(out, 0, 78);
    out[MAC_LEN] = 2;
    store_be16(out + 12, ETH_P_IPV6);
    out[14] = 0x60;
    store_be16(out + 18, 24);
    out[20] = protocol;
    out[21] = 64;
    store_be32(out + 22, 0x20010002);
    out[37] = 1;
    store_be32(out + 38, 0x20010002);
    out[53] = 2;
    store_be16(out + 56, to_port);
    store_be32(out + 58, tag);
    return 78;
}

/* What becomes of a frame. */
enum way {
    WAY_XDP,    /* ours: the kernel does not see it */
    WAY_PACKET, /* received, and the kernel has it too */
    WAY_KERNEL, /* not received */
};

/* Builds a frame of each kind; false after the last. */
static bool variant(unsigned i, uint8_t *out, size_t *len, enum way *way) {
    uint8_t *ip = out + ETHERNET_HEADER_LEN;
    static const uint16_t ports[] = {40000, 40001, 40003, 39999, 40004, 0, 65535};
    space_tcp_frame(out, 64, 80, i < 7 ? ports[i] : 40002, i);
    *len = 64;
    *way = i < 3 ? WAY_XDP : i < 7 ? WAY_KERNEL : WAY_PACKET;
    switch (i) {
    case 7:
        ip[9] = IPPROTO_UDP;
        *way = WAY_XDP;
        break;
    case 8:
        ip[9] = IPPROTO_SCTP;
        *way = WAY_XDP;
        break;
    case 9: /* options before the ports */
        memmove(ip + 24, ip + 20, 20);
        ip[0] = 0x46;
        store_be32(ip + 20, 0x01010100);
        *way = WAY_XDP;
        break;
    case 10: /* a first fragment */
        store_be16(ip + 6, 0x2000);
        break;
    case 11: /* a later one */
        store_be16(ip + 6, 100);
        *way = WAY_KERNEL;
        break;
    case 12: /* a forwarded packet to another machine's port of our number */
        store_be32(ip + 16, 0xc6120009);
        break;
    case 13:
        ip[9] = IPPROTO_ICMP;
        break;
    case 14:
        store_be16(out + 12, ETH_P_ARP);
        break;
    case 15:
        store_be16(out + 12, 0x88b5); /* a local experiment */
        *way = WAY_KERNEL;
        break;
    case 16:
        *len = tag_vlan(out, 64, 5);
        *way = WAY_KERNEL;
        break;
    case 17: /* only a priority */
        *len = tag_vlan(out, 64, 0xe000);
        break;
    case 18:
        *len = ipv6_frame(out, IPPROTO_TCP, 40001, i);
        *way = WAY_XDP;
        break;
    case 19:
        *len = ipv6_frame(out, IPPROTO_UDP, 40004, i);
        *way = WAY_KERNEL;
        break;
    case 20:
        *len = ipv6_frame(out, IPPROTO_ICMPV6, 40001, i);
        break;
    case 21: /* an extension header first */
        *len = ipv6_frame(out, IPPROTO_DSTOPTS, 40001, i);
        break;
    case 22: /* a header that claims to be shorter than one can be */
        ip[0] = 0x44;
        *way = WAY_KERNEL;
        break;
    case 23: /* too short for ports */
        *len = ETHERNET_HEADER_LEN + 21;
        *way = WAY_KERNEL;
        break;
    case 24:
        *len = WIRE_FRAME_MAX;
        space_tcp_frame(out, *len, 443, 40000, i);
        *way = WAY_XDP;
        break;
    default:
        return i < 7;
    }
    return true;
}

static void same_bytes(const struct frame *f, void *arg) {
    const struct frame *want = arg;
    uint64_t now = clock_real_ns();
    assert_true(f->time_ns <= now && now - f->time_ns < 60 * NS_PER_SEC);
    assert_int_equal(f->len, want->len);
    assert_int_equal(f->wire_len, want->len);
    assert_memory_equal(f->data, want->data, f->len);
}

/* Whether the kernel hands that frame to others on n0, within a second if it must. */
static bool kernel_has(int tap, const uint8_t *frame, size_t len, bool must) {
    uint8_t got[2048];
    struct pollfd p = {.fd = tap, .events = POLLIN};
    while (poll(&p, 1, must ? 1000 : 0) == 1) {
        ssize_t n = recv(tap, got, sizeof got, MSG_DONTWAIT);
        /* A tag is taken off, and stands beside the frame. */
        if (n == (ssize_t)len && memcmp(got, frame, len) == 0)
            return true;
        if (n == (ssize_t)len - 4 && memcmp(got, frame, 12) == 0 && memcmp(got + 12, frame + 16, len - 16) == 0)
            return true;
    }
    return false;
}

/* Each frame alone, followed by one of ours, so that what must not come is known not to have come. */
static void test_only_replies_are_taken(void **state) {
    struct bench *b = bench_of(state);
    uint8_t bytes[1600], last[64];
    struct frame f = {.data = bytes}, end = {.data = last, .len = sizeof last};
    int tap = space_socket("n0", true);
    enum way way;
    size_t len;
    uint64_t taken = 0;
    space_tcp_frame(last, sizeof last, 80, 40002, 99);
    for (unsigned i = 0; variant(i, bytes, &len, &way); i++) {
        f.len = (uint32_t)len;
        inject(b, bytes, len);
        if (way != WAY_KERNEL && i != 17)
            assert_int_equal(space_receive(b->w, 1, same_bytes, &f), 1);
        if (i == 17)
            assert_int_equal(space_receive(b->w, 1, NULL, NULL), 1); /* the kernel took off the tag */
        inject(b, last, sizeof last);
        assert_int_equal(space_receive(b->w, 1, same_bytes, &end), 1);
        taken += way != WAY_KERNEL ? 2 : 1;
        if (kernel_has(tap, bytes, len, way != WAY_XDP) != (way != WAY_XDP))
            fail_msg("variant %u", i);
    }
    struct wire_stats s;
    b->w->ops->stats(b->w, &s);
    assert_int_equal(s.received, taken);
    assert_int_equal(s.ring_dropped, 0);
    assert_int_equal(s.other_vlan, 1);
    close(tap);
}

/* Far more than there are chunks, in uneven bites: each once, in order, and intact until the next call. */
static void test_the_ring_goes_round(void **state) {
    struct bench *b = bench_of(state);
    enum { ROUNDS = 120, BURST = 200 };
    uint8_t frame[600];
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained, last = 0;
    uint32_t sent = 0, seen = 0;
    uint64_t deadline = clock_mono_ns() + LIMIT_NS;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BURST; i++) {
            space_tcp_frame(frame, sizeof frame, 80, 40000, sent++);
            inject(b, frame, sizeof frame);
        }
        while (seen < sent && clock_mono_ns() < deadline) {
            int n = b->w->ops->recv(b->w, got, 1 + (unsigned)round % 97, &drained);
            assert_true(n >= 0);
            assert_true(drained >= last);
            last = drained;
            if (n == 0)
                b->w->ops->wait(b->w, 10 * NS_PER_MS);
            for (int i = 0; i < n; i++)
                assert_int_equal(load_be32(got[i].data + TAG_AT), seen++);
        }
    }
    assert_int_equal(seen, sent);
}

/* Frames that nobody reads overflow the ring: what came and what was dropped add up, and drops don't hold the
 * watermark. */
static void test_drops_are_counted(void **state) {
    struct bench *b = bench_of(state);
    enum { SENT = 3000 };
    b->w->ops->close(b->w);
    struct wire_config c = space_config("n0");
    c.ring_bytes = 1;
    b->w = xdp_pair_open(&c);
    uint8_t frame[1000];
    for (uint32_t i = 0; i < SENT; i++) {
        space_tcp_frame(frame, sizeof frame, 80, 40000, i);
        inject(b, frame, sizeof frame);
    }
    struct wire_stats s;
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained = 0, all_sent = clock_mono_ns(), deadline = all_sent + LIMIT_NS;
    unsigned seen = 0;
    do {
        int n = b->w->ops->recv(b->w, got, WIRE_BATCH_MAX, &drained);
        assert_true(n >= 0);
        seen += (unsigned)n;
        b->w->ops->stats(b->w, &s);
    } while ((seen + s.ring_dropped < SENT || drained <= all_sent) && clock_mono_ns() < deadline);
    assert_int_equal(s.received, seen);
    assert_int_equal(seen + s.ring_dropped, SENT);
    assert_true(seen > 0 && s.ring_dropped > 0);
    assert_int_equal(s.interface_dropped, 0); /* each is counted once */
    assert_true(drained > all_sent);
}

/* The watermark's promise, as in test_watermark.c: all on one processor, a frame has arrived when send() returns. One
 * in a hundred is let off, which the kernel may leave to its softirq thread. */
static void test_waiting_frames_hold_the_watermark(void **state) {
    struct bench *b = bench_of(state);
    assert_true(xdp_pair_pin((unsigned)sched_getcpu()));
    uint8_t frame[64];
    struct frame got[8];
    uint64_t drained = 0, seed = 1, early = 0, sent = 0, deadline = clock_mono_ns() + LIMIT_NS;
    space_tcp_frame(frame, sizeof frame, 80, 40000, 0);
    for (unsigned round = 0; round < 1000; round++) {
        unsigned waiting = 1 + (unsigned)(random_splitmix(&seed) % 5);
        uint64_t before = clock_mono_ns();
        for (unsigned i = 0; i < waiting; i++, sent++)
            inject(b, frame, sizeof frame);
        uint64_t arrived = clock_mono_ns();
        while (waiting && clock_mono_ns() < deadline) {
            int n = b->w->ops->recv(b->w, got, 1 + (unsigned)(random_splitmix(&seed) % 3), &drained);
            assert_true(n >= 0);
            waiting -= (unsigned)n;
            early += waiting > 0 && drained > arrived ? 1 : 0;
        }
        assert_int_equal(waiting, 0);
        while (drained <= before && clock_mono_ns() < deadline)
            assert_return_code(b->w->ops->recv(b->w, got, 8, &drained), 0);
        assert_true(drained > before);
    }
    assert_true(early <= sent / 100);
}

/* Frames that the program has redirected, and that the ring does not show yet. */
static void test_frames_on_their_way_hold_the_watermark(void **state) {
    (void)state;
    xdp_pair_make(1, true);
    struct wire_config c = space_config("n0");
    struct error e = ERROR_INIT;
    struct xdp_hook *h;
    struct frame got[8];
    struct xdp_passage passage = {.redirected = 0};
    int r = xdp_hook_open(&c, &h, &e);
    if (r == -EPERM)
        skip();
    assert_int_equal(r, 0);
    struct xdp_queue *q = &h->queues[0];
    q->passage = &passage;
    assert_int_equal(xdp_queue_recv(q, got, 8, 1000, 1), 0);
    assert_int_equal(q->drained_ns, 1000);
    passage.redirected = 2;
    assert_int_equal(xdp_queue_recv(q, got, 8, 2000, 1), 0);
    assert_int_equal(q->drained_ns, 1000);
    passage.lost = 1;
    assert_int_equal(xdp_queue_recv(q, got, 8, 3000, 1), 0);
    assert_int_equal(q->drained_ns, 1000);
    passage.lost = 2;
    assert_int_equal(xdp_queue_recv(q, got, 8, 4000, 1), 0);
    assert_int_equal(q->drained_ns, 4000);
    xdp_hook_release(h);
}

/* A queue that is never empty keeps neither the kernel's frames nor the watermark waiting for ever. */
static void test_busy_queues_leave_others_their_turn(void **state) {
    struct bench *b = bench_of(state);
    enum { WAITING = 50 };
    uint8_t frame[64], arp[64];
    struct frame got;
    bool is_seen = false;
    space_tcp_frame(frame, sizeof frame, 80, 40000, 0);
    space_tcp_frame(arp, sizeof arp, 80, 40000, 0);
    store_be16(arp + 12, ETH_P_ARP);
    for (unsigned i = 0; i < WAITING; i++)
        inject(b, frame, sizeof frame);
    inject(b, arp, sizeof arp);
    uint64_t drained = 0, sent = clock_mono_ns(), end = sent + LIMIT_NS;
    while ((!is_seen || drained <= sent) && clock_mono_ns() < end) {
        inject(b, frame, sizeof frame);
        int n = b->w->ops->recv(b->w, &got, 1, &drained);
        assert_in_range(n, 0, 1);
        is_seen = is_seen || (n == 1 && load_be16(got.data + 12) == ETH_P_ARP);
    }
    assert_true(is_seen && drained > sent);
}

static void test_a_dead_interface_is_noticed(void **state) {
    struct bench *b = bench_of(state);
    struct frame got[4];
    uint64_t drained, end = clock_mono_ns() + LIMIT_NS;
    int r = 0;
    space_run("ip link set n0 down");
    while (r == 0 && clock_mono_ns() < end)
        r = b->w->ops->recv(b->w, got, 4, &drained);
    assert_int_equal(r, -ENETDOWN);
}

/* A receiver's own frames go out beside the transmitter's. */
static void test_a_receiver_sends_too(void **state) {
    struct bench *b = bench_of(state);
    struct xdp_far far = xdp_far_open("f0");
    struct wire_stats s;
    uint8_t bytes[WIRE_FRAME_MAX];
    struct frame f = {.data = bytes, .len = xdp_pair_draw(7, bytes)};
    assert_int_equal(b->w->ops->send(b->w, &f, 1), 1);
    xdp_far_read(&far, 1000 * NS_PER_MS);
    assert_int_equal(far.seen, 1);
    b->w->ops->stats(b->w, &s);
    assert_int_equal(s.sent, 1);
    close(far.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_replies_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_ring_goes_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drops_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting_frames_hold_the_watermark, set_up, tear_down),
        cmocka_unit_test(test_frames_on_their_way_hold_the_watermark),
        cmocka_unit_test_setup_teardown(test_busy_queues_leave_others_their_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dead_interface_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_receiver_sends_too, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("wire/xdp_receive", tests, NULL, NULL);
}
