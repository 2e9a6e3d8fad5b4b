#include "space.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/ring.h"

#define TAG_AT (ETHERNET_HEADER_LEN + 24)

struct pair {
    struct wire *w;
    int far;
};

static int make_pair(void **state) {
    static struct pair p; /* one test at a time */
    space_enter();
    space_run("ip link add n0 type veth peer name f0 && ip link set n0 mtu 65535 && ip link set f0 mtu 65535 &&"
              " ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up");
    struct wire_config c = space_config("n0");
    p = (struct pair){space_open(&c), space_socket("f0", false)};
    *state = &p;
    return 0;
}

static int drop_pair(void **state) {
    struct pair *p = *state;
    p->w->ops->close(p->w);
    close(p->far);
    return 0;
}

static void inject(const struct pair *p, const uint8_t *frame, size_t len) {
    assert_int_equal(send(p->far, frame, len, 0), len);
}

/* The tags of what came, in order. */
struct tags {
    uint32_t at[64];
    unsigned n;
};

static void note_tag(const struct frame *f, void *arg) {
    struct tags *t = arg;
    assert_true(t->n < 64);
    assert_true(f->len >= TAG_AT + 4);
    assert_int_equal(f->len, f->wire_len);
    t->at[t->n++] = load_be32(f->data + TAG_AT);
}

/* Builds one frame a tag that the filter may or must not pass. */
static size_t variant(uint32_t tag, uint8_t *out) {
    uint8_t *ip = out + ETHERNET_HEADER_LEN;
    static const uint16_t ports[] = {39999, 40000, 40001, 40003, 40004, 0, 65535};
    space_tcp_frame(out, 64, 80, tag < 7 ? ports[tag] : 40000, tag);
    switch (tag) {
    case 7: /* from our port, not to it */
        store_be16(ip + 20, 40001);
        store_be16(ip + 22, 80);
        break;
    case 8:
        ip[9] = IPPROTO_UDP;
        break;
    case 9:
        ip[9] = IPPROTO_ICMP;
        break;
    case 10:
        store_be16(out + 12, ETH_P_ARP);
        break;
    case 11: /* a later fragment: what stands where ports would be is data */
        store_be16(ip + 6, 100);
        break;
    case 12: /* options before the TCP header */
        memmove(ip + 24, ip + 20, 20);
        ip[0] = 0x46;
        store_be32(ip + 20, 0x01010100);
        break;
    case 13:
        ip[9] = IPPROTO_SCTP;
        break;
    case 14:
        store_be16(out + 12, 0x88b5); /* a local experiment */
        break;
    case 15: /* tagged: of another interface */
        memmove(out + 16, out + 12, 48);
        store_be16(out + 12, ETH_P_8021Q);
        store_be16(out + 14, 5);
        return 68;
    case 16: /* tagged with no VLAN, only a priority: of this one */
        memmove(out + 16, out + 12, 48);
        store_be16(out + 12, ETH_P_8021Q);
        store_be16(out + 14, 0xe000);
        return 68;
    }
    return 64;
}

static void test_only_what_is_asked_for_comes(void **state) {
    struct pair *p = *state;
    uint8_t frame[128];
    for (uint32_t tag = 0; tag < 17; tag++) {
        size_t len = variant(tag, frame);
        inject(p, frame, len);
    }
    space_tcp_frame(frame, 64, 80, 40002, 99);
    inject(p, frame, 64);
    struct tags t = {.n = 0};
    static const uint32_t want[] = {1, 2, 3, 8, 9, 10, 12, 13, 16, 99};
    unsigned n = sizeof want / sizeof want[0];
    assert_int_equal(space_receive(p->w, n, note_tag, &t), n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(t.at[i], want[i] == 12 ? (80u << 16 | 40000) : want[i]); /* 12: the option moved the tag */
    struct wire_stats s;
    p->w->ops->stats(p->w, &s);
    assert_int_equal(s.received, n);
    assert_int_equal(s.ring_dropped, 0);
    assert_int_equal(s.other_vlan, 1);
}

static void same_bytes(const struct frame *f, void *arg) {
    const uint8_t *want = arg;
    uint64_t now = clock_real_ns();
    assert_true(f->time_ns <= now && now - f->time_ns < 60 * NS_PER_SEC);
    /* What no block can hold is cut, and says so. */
    if (f->wire_len < RING_BLOCK_BYTES - 256)
        assert_int_equal(f->len, f->wire_len);
    else
        assert_in_range(f->len, RING_BLOCK_BYTES - 256, f->wire_len - 1);
    assert_memory_equal(f->data, want, f->len);
}

static void test_bytes_are_those_on_the_wire(void **state) {
    struct pair *p = *state;
    static const size_t lengths[] = {54, 60, 61, 1514, 9014, 65000};
    uint8_t *frame = malloc(65536);
    assert_non_null(frame);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        space_tcp_frame(frame, lengths[i], 443, 40000, (uint32_t)i);
        for (size_t j = FRAME_HEADERS; j < lengths[i]; j++)
            frame[j] = (uint8_t)(j * 31 + i);
        inject(p, frame, lengths[i]);
        assert_int_equal(space_receive(p->w, 1, same_bytes, frame), 1);
    }
    free(frame);
}

static void test_own_frames_do_not_come_back(void **state) {
    struct pair *p = *state;
    uint8_t frame[64];
    space_tcp_frame(frame, sizeof frame, 80, 40000, 1); /* the filter would pass it */
    struct frame f = {.data = frame, .len = sizeof frame};
    assert_int_equal(p->w->ops->send(p->w, &f, 1), 1);
    space_tcp_frame(frame, sizeof frame, 80, 40000, 2);
    inject(p, frame, sizeof frame);
    struct tags t = {.n = 0};
    assert_int_equal(space_receive(p->w, 1, note_tag, &t), 1);
    assert_int_equal(t.at[0], 2);
}

/* More than the ring holds, taken in small uneven bites: each once, in order, and intact until the next call. */
static void test_the_ring_goes_round(void **state) {
    struct pair *p = *state;
    enum { ROUNDS = 120, BURST = 250 };
    uint8_t frame[600];
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained, last = 0;
    uint32_t sent = 0, seen = 0;
    uint64_t deadline = clock_mono_ns() + 60 * NS_PER_SEC;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BURST; i++) {
            space_tcp_frame(frame, sizeof frame, 80, 40000, sent++);
            inject(p, frame, sizeof frame);
        }
        while (seen < sent && clock_mono_ns() < deadline) {
            int n = p->w->ops->recv(p->w, got, 1 + (unsigned)round % 97, &drained);
            assert_true(n >= 0);
            assert_true(drained >= last);
            last = drained;
            if (n == 0)
                p->w->ops->wait(p->w, 10 * NS_PER_MS);
            for (int i = 0; i < n; i++)
                assert_int_equal(load_be32(got[i].data + TAG_AT), seen++);
        }
    }
    assert_int_equal(seen, sent);
}

/* Frames in the caller's hands are not overwritten, however many come meanwhile. */
static void test_what_was_handed_out_stays(void **state) {
    struct pair *p = *state;
    struct wire_config c = space_config("n0");
    c.ring_bytes = 1; /* two blocks: the next one after the last is the first */
    struct wire *small = space_open(&c);
    uint8_t frame[1000];
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained, deadline = clock_mono_ns() + 5 * NS_PER_SEC;
    for (uint32_t i = 0; i < 3000; i++) {
        space_tcp_frame(frame, sizeof frame, 80, 40000, i);
        inject(p, frame, sizeof frame);
    }
    struct wire_stats s;
    do
        small->ops->stats(small, &s);
    while (s.ring_dropped == 0 && clock_mono_ns() < deadline); /* until the ring is full */
    int n = small->ops->recv(small, got, WIRE_BATCH_MAX, &drained);
    assert_true(n > 0); /* a block holds fewer than a batch, so at least one is read to its end */
    for (uint32_t i = 0; i < 3000; i++)
        inject(p, frame, sizeof frame);
    for (int i = 0; i < n; i++)
        assert_int_equal(load_be32(got[i].data + TAG_AT), i);
    small->ops->close(small);
}

/* A ring that nobody reads overflows: what came and what was dropped add up to what was sent. */
static void test_drops_are_counted(void **state) {
    struct pair *p = *state;
    struct wire_config c = space_config("n0");
    c.ring_bytes = 1;
    struct wire *small = space_open(&c);
    enum { SENT = 3000 };
    uint8_t frame[1000];
    for (uint32_t i = 0; i < SENT; i++) {
        space_tcp_frame(frame, sizeof frame, 80, 40000, i);
        inject(p, frame, sizeof frame);
    }
    struct wire_stats s;
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained = 0, all_sent = clock_mono_ns(), deadline = all_sent + 5 * NS_PER_SEC;
    unsigned seen = 0;
    do {
        int n = small->ops->recv(small, got, WIRE_BATCH_MAX, &drained);
        assert_true(n >= 0);
        seen += (unsigned)n;
        small->ops->stats(small, &s);
    } while (seen + s.ring_dropped < SENT && clock_mono_ns() < deadline);
    assert_int_equal(s.received, seen);
    assert_int_equal(seen + s.ring_dropped, SENT);
    assert_true(seen > 0 && s.ring_dropped > 0);
    while (drained <= all_sent && clock_mono_ns() < deadline) /* drops don't hold the watermark */
        small->ops->recv(small, got, WIRE_BATCH_MAX, &drained);
    assert_true(drained > all_sent);
    small->ops->close(small);
}

static void test_an_interface_that_goes_away(void **state) {
    struct pair *p = *state;
    uint8_t frame[64];
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained, deadline = clock_mono_ns() + 5 * NS_PER_SEC;
    space_tcp_frame(frame, sizeof frame, 80, 40000, 7);
    inject(p, frame, sizeof frame);
    p->w->ops->wait(p->w, 5 * NS_PER_SEC);
    space_run("ip link set n0 down");
    unsigned seen = 0;
    int r;
    while ((r = p->w->ops->recv(p->w, got, WIRE_BATCH_MAX, &drained)) >= 0 && clock_mono_ns() < deadline) {
        seen += (unsigned)r;
        p->w->ops->wait(p->w, NS_PER_MS);
    }
    assert_int_equal(seen, 1); /* what had arrived is not lost with the wire */
    assert_int_equal(r, -ENETDOWN);
    assert_int_equal(p->w->ops->recv(p->w, got, WIRE_BATCH_MAX, &drained), -ENETDOWN);
    struct frame f = {.data = frame, .len = sizeof frame};
    assert_int_equal(p->w->ops->send(p->w, &f, 1), -ENETDOWN);
    space_run("ip link del n0");
    assert_int_equal(p->w->ops->send(p->w, &f, 1), -ENXIO);
    struct wire_stats s;
    p->w->ops->stats(p->w, &s);
    assert_int_equal(s.sent, 0);
}

static void expect_error(struct wire_config c, int code, const char *line) {
    struct error e = ERROR_INIT;
    struct wire *w = NULL;
    assert_int_equal(wire_packet_ops.open(&c, &w, &e), code);
    assert_string_equal(e.text, line);
}

static void test_what_cannot_be_opened(void **state) {
    (void)state;
    struct wire_config c = space_config("n0");
    c.ifindex = 4711;
    c.ifname = "nowhere0";
    expect_error(c, -ENODEV, "there is no interface \"nowhere0\"");
    space_run("ip link set n0 down");
    expect_error(space_config("n0"), -ENETDOWN, "interface \"n0\" is down");
}

/* A card keeps out what goes to groups that nobody joined. */
static void test_questions_for_a_borrowed_address_arrive(void **state) {
    (void)state;
    struct wire_config c = space_config("n0");
    c.answers_for = space_addr("2001:2::12:3456:789a");
    assert_false(space_try("ip maddr show dev n0 | grep -q 33:33:ff:56:78:9a"));
    struct wire *w = space_open(&c);
    space_run("ip maddr show dev n0 | grep -q 33:33:ff:56:78:9a");
    w->ops->close(w);
    assert_false(space_try("ip maddr show dev n0 | grep -q 33:33:ff:56:78:9a"));
}

/* Every second protocol: the longest filter there is must fit the kernel. */
static void test_the_longest_filter_is_taken(void **state) {
    (void)state;
    static const struct wire_protocols even = {{0x5555555555555555, 0x5555555555555555, 0x5555555555555555,
                                                0x5555555555555555}};
    struct wire_config c = space_config("n0");
    c.filter.protocols = &even;
    struct wire *w = space_open(&c);
    w->ops->close(w);
}

static void test_waiting_ends(void **state) {
    struct pair *p = *state;
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained;
    assert_int_equal(p->w->ops->recv(p->w, got, WIRE_BATCH_MAX, &drained), 0);
    uint64_t start = clock_mono_ns();
    p->w->ops->wait(p->w, 20 * NS_PER_MS);
    assert_true(clock_mono_ns() - start >= 20 * NS_PER_MS);
    uint8_t frame[64];
    space_tcp_frame(frame, sizeof frame, 80, 40000, 7);
    inject(p, frame, sizeof frame);
    p->w->ops->wait(p->w, 3600 * NS_PER_SEC); /* the test's time limit is shorter */
    assert_int_equal(space_receive(p->w, 1, NULL, NULL), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_what_is_asked_for_comes, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_bytes_are_those_on_the_wire, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_own_frames_do_not_come_back, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_the_ring_goes_round, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_what_was_handed_out_stays, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_drops_are_counted, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_an_interface_that_goes_away, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_opened, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_questions_for_a_borrowed_address_arrive, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_the_longest_filter_is_taken, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(test_waiting_ends, make_pair, drop_pair),
    };
    return cmocka_run_group_tests_name("wire/receive", tests, NULL, NULL);
}
