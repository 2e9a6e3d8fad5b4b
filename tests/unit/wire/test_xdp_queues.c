/* Several queues, and AF_XDP's own way of sending. */
#include "space.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/xdp.h"
#include "wire/xdp_hook.h"
#include "wire/xdp_socket.h"
#include "xdp_pair.h"

#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */
#define TAG_AT (ETHERNET_HEADER_LEN + 24)

#define EACH 100u

/* Which tags have come. */
struct tags {
    bool seen[2 * EACH];
};

static void note_tag(const struct frame *f, void *arg) {
    struct tags *t = arg;
    uint32_t tag = load_be32(f->data + TAG_AT);
    assert_true(tag < 2 * EACH && !t->seen[tag]);
    t->seen[tag] = true;
}

/* What is injected on a processor comes to the other end's queue of its number. Tags: cpu * EACH and up. */
static void inject_on(struct wire *far, unsigned cpu) {
    uint8_t bytes[EACH][64];
    struct frame frames[EACH];
    if (!xdp_pair_pin(cpu))
        skip(); /* this machine has but one */
    for (uint32_t i = 0; i < EACH; i++) {
        space_tcp_frame(bytes[i], 64, 80, 40000, cpu * EACH + i);
        frames[i] = (struct frame){.data = bytes[i], .len = 64};
    }
    assert_int_equal(far->ops->send(far, frames, EACH), EACH);
}

static void test_frames_of_each_queue_are_received(void **state) {
    (void)state;
    xdp_pair_make(2, true);
    struct wire_config c = space_config("n0");
    struct wire *near = xdp_pair_open(&c), *far = xdp_pair_sender("f0");
    struct tags tags = {.seen = {false}};
    inject_on(far, 0);
    inject_on(far, 1);
    assert_int_equal(space_receive(near, 2 * EACH, note_tag, &tags), 2 * EACH);
    far->ops->close(far);
    near->ops->close(near);
}

static void test_each_queue_has_its_own_socket(void **state) {
    (void)state;
    xdp_pair_make(2, true);
    struct wire_config c = space_config("n0");
    struct wire_xdp_report report;
    struct error e = ERROR_INIT;
    struct xdp_hook *h;
    assert_int_equal(wire_xdp_probe("n0", &report), 0);
    assert_int_equal(report.queues, 2);
    int r = xdp_hook_open(&c, &h, &e);
    if (r == -EPERM)
        skip();
    assert_int_equal(r, 0);
    assert_int_equal(xdp_hook_receive(h, &e), 0);
    struct wire *far = xdp_pair_sender("f0");
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        struct frame got[EACH];
        uint64_t end = clock_mono_ns() + LIMIT_NS;
        inject_on(far, cpu);
        while (h->queues[cpu].taken < EACH && clock_mono_ns() < end)
            xdp_queue_recv(&h->queues[cpu], got, EACH, clock_mono_ns(), 0);
        assert_int_equal(h->queues[cpu].taken, EACH);
        assert_int_equal(h->queues[cpu].passage->redirected, EACH);
    }
    far->ops->close(far);
    xdp_hook_release(h);
}

static void count(const struct frame *f, void *arg) {
    (void)f;
    ++*(uint64_t *)arg;
}

/* Faster than anything can be received: what came, and what was lost on either side, is what was sent. */
static void test_at_full_speed_every_frame_is_accounted_for(void **state) {
    (void)state;
    enum { CALLS = 200, N = 1000 };
    xdp_pair_make(1, true);
    struct wire_config c = space_config("n0");
    struct wire *near = xdp_pair_open(&c), *far = xdp_pair_sender("f0");
    static uint8_t bytes[N][64];
    struct frame frames[N];
    struct wire_stats in, out;
    uint64_t seen = 0, end = clock_mono_ns() + LIMIT_NS;
    for (uint32_t i = 0; i < N; i++) {
        space_tcp_frame(bytes[i], 64, 80, 40000, i);
        frames[i] = (struct frame){.data = bytes[i], .len = 64};
    }
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(far->ops->send(far, frames, N), N);
        space_receive(near, WIRE_BATCH_MAX, count, &seen);
    }
    do {
        space_receive(near, 1, count, &seen);
        near->ops->stats(near, &in);
        far->ops->stats(far, &out);
    } while (seen + in.ring_dropped + out.interface_tx_dropped < out.sent && clock_mono_ns() < end);
    assert_int_equal(out.sent, CALLS * N);
    assert_int_equal(in.received, seen);
    assert_int_equal(seen + in.ring_dropped + out.interface_tx_dropped, out.sent);
    far->ops->close(far);
    near->ops->close(near);
}

/* What a driver with zero-copy transmits by; a veth takes the same path with a copy. */
static void test_a_socket_sends(void **state) {
    (void)state;
    enum { N = 2000 };
    xdp_pair_make(1, true);
    struct xdp_far far = xdp_far_open("f0");
    struct xdp_socket s;
    const struct xdp_socket_config c = {
        .ifname = "n0", .chunk = 2048, .rx_frames = 64, .tx_frames = 64, .bind_flags = XDP_COPY};
    assert_int_equal(xdp_socket_open(&s, &c), 0);
    static uint8_t bytes[N][WIRE_FRAME_MAX];
    static struct frame frames[N];
    for (uint32_t i = 0; i < N; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    unsigned sent = 0, full = 0;
    uint64_t end = clock_mono_ns() + LIMIT_NS;
    while ((sent < N || far.seen < N) && clock_mono_ns() < end) {
        int n = xdp_socket_send(&s, frames + sent, N - sent);
        assert_in_range(n, 0, 64);
        full += n < (int)(N - sent);
        sent += (unsigned)n;
        xdp_far_read(&far, NS_PER_MS);
    }
    assert_int_equal(sent, N);
    assert_int_equal(far.seen, N);
    assert_true(full > 0);
    xdp_socket_close(&s);
    close(far.fd);
}

static void test_an_open_socket_keeps_the_queue(void **state) {
    (void)state;
    xdp_pair_make(1, true);
    struct xdp_socket s, t;
    const struct xdp_socket_config c = {.ifname = "n0", .chunk = 2048, .rx_frames = 64, .bind_flags = XDP_COPY};
    assert_int_equal(xdp_socket_open(&s, &c), 0);
    assert_int_equal(xdp_socket_open(&t, &c), -EBUSY);
    xdp_socket_close(&t); /* safe after a failure */
    xdp_socket_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_of_each_queue_are_received),
        cmocka_unit_test(test_each_queue_has_its_own_socket),
        cmocka_unit_test(test_at_full_speed_every_frame_is_accounted_for),
        cmocka_unit_test(test_a_socket_sends),
        cmocka_unit_test(test_an_open_socket_keeps_the_queue),
    };
    return cmocka_run_group_tests_name("wire/xdp_queues", tests, NULL, NULL);
}
