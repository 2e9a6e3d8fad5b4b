/* The watermark's promise: what is returned after W was published has arrived at W or later. The frames' own times are
 * the judge. All runs on one processor, so that the kernel's receiving is never half done while this thread runs: then
 * the promise holds to the nanosecond, but for the two clocks' drift. One exception can come from outside: while any
 * program on the machine has early time stamps on, a frame is stamped before the kernel queues it for a busy softirq
 * thread. So one frame in a hundred is let off; with a wrong watermark it is nearly every one. */
#include "space.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

#define DRIFT_NS (20 * NS_PER_US)

struct bench {
    struct wire *w;
    int far;
    uint64_t watermark;
    uint64_t parked; /* calls that returned nothing while a frame waited in a block that was not handed over */
    uint64_t sent, seen;
    uint64_t early; /* frames older than a watermark that was published without them */
};

static int set_up(void **state) {
    static struct bench b;
    space_enter();
    space_run("ip link add n0 type veth peer name f0 &&"
              " ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up");
    cpu_set_t one;
    CPU_ZERO(&one);
    int cpu = sched_getcpu();
    assert_true(cpu >= 0);
    CPU_SET((unsigned)cpu, &one);
    assert_return_code(sched_setaffinity(0, sizeof one, &one), errno);
    struct wire_config c = space_config("n0");
    b = (struct bench){.w = space_open(&c), .far = space_socket("f0", false)};
    *state = &b;
    return 0;
}

static int tear_down(void **state) {
    struct bench *b = *state;
    b->w->ops->close(b->w);
    close(b->far);
    return 0;
}

/* What the real-time clock reads when the monotonic one reads 0. */
static uint64_t clock_gap(void) {
    uint64_t before, gap, took, best = UINT64_MAX, best_gap = 0;
    for (int i = 0; i < 20; i++) {
        before = clock_mono_ns();
        gap = clock_real_ns() - before;
        took = clock_mono_ns() - before;
        if (took < best) {
            best = took;
            best_gap = gap;
        }
    }
    return best_gap;
}

static void inject(struct bench *b, unsigned n) {
    uint8_t frame[64];
    space_tcp_frame(frame, sizeof frame, 80, 40000, 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(send(b->far, frame, sizeof frame, 0), sizeof frame);
    b->sent += n;
}

/* One recv, held against the watermark published before it. */
static int receive(struct bench *b, unsigned max) {
    struct frame got[WIRE_BATCH_MAX];
    uint64_t published = b->watermark, gap = clock_gap();
    int n = b->w->ops->recv(b->w, got, max, &b->watermark);
    assert_true(n >= 0);
    assert_true(b->watermark >= published);
    assert_true(b->watermark <= clock_mono_ns());
    for (int i = 0; i < n; i++)
        b->early += got[i].time_ns + DRIFT_NS < published + gap;
    b->seen += (unsigned)n;
    b->parked += n == 0 && b->seen < b->sent;
    return n;
}

static void test_parked_frames_hold_the_watermark(void **state) {
    struct bench *b = *state;
    uint64_t deadline = clock_mono_ns() + 30 * NS_PER_SEC, seed = 1;
    for (int round = 0; round < 400; round++) {
        uint64_t before = clock_mono_ns();
        inject(b, 1 + (unsigned)(random_splitmix(&seed) % 5));
        while (b->seen < b->sent && clock_mono_ns() < deadline)
            receive(b, 1 + (unsigned)(random_splitmix(&seed) % 3));
        assert_int_equal(b->seen, b->sent);
        /* An empty ring lets it pass at once, or a scan would wait for nothing. */
        while (b->watermark <= before && clock_mono_ns() < deadline)
            receive(b, WIRE_BATCH_MAX);
        assert_true(b->watermark > before);
    }
    assert_true(b->early <= b->seen / 100);
    assert_true(b->parked > 0); /* else this saw nothing of what it is about */
}

/* Frames all the time: the ring is never found empty, and the watermark must rise nevertheless. */
static void test_a_stream_does_not_stop_it(void **state) {
    struct bench *b = *state;
    uint64_t start = clock_mono_ns(), deadline = start + 30 * NS_PER_SEC;
    inject(b, 2000);
    while (b->watermark < start + 20 * NS_PER_MS && clock_mono_ns() < deadline) {
        inject(b, 8);
        receive(b, 8);
    }
    assert_true(b->watermark >= start + 20 * NS_PER_MS);
    while (b->seen < b->sent && clock_mono_ns() < deadline)
        receive(b, WIRE_BATCH_MAX);
    assert_int_equal(b->seen, b->sent);
    assert_true(b->early <= b->seen / 100);
}

/* Nobody reads for a while: W stays where it was until all that waits has been taken out. */
static void test_a_sleeping_reader_holds_it(void **state) {
    struct bench *b = *state;
    struct frame got[WIRE_BATCH_MAX];
    uint64_t drained, deadline;
    inject(b, 1000);
    uint64_t woke = clock_mono_ns() + 100 * NS_PER_MS;
    clock_sleep_until(woke);
    deadline = clock_mono_ns() + 10 * NS_PER_SEC;
    do {
        int n = b->w->ops->recv(b->w, got, 16, &drained);
        assert_true(n >= 0);
        b->seen += (unsigned)n;
        if (b->seen < b->sent)
            assert_true(drained < woke);
    } while (b->seen < b->sent && clock_mono_ns() < deadline);
    assert_int_equal(b->seen, b->sent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parked_frames_hold_the_watermark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stream_does_not_stop_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_sleeping_reader_holds_it, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("wire/watermark", tests, NULL, NULL);
}
