/* The whole engine over a wire that is one more ops table: a small internet in memory, whose truth is a hash. Targets are
 * loopback addresses, so that routes and claimed ports are the machine's own, but no frame leaves this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "plan/plan.h"
#include "probe/checksum.h"
#include "scan/scan.h"

#define QUEUE_MAX (1u << 18)
#define PORTS 50u
#define NET 0x7f010000u /* 127.1.0.0 */

/* What the internet in memory is told to be. */
static struct fake {
    unsigned open_percent, closed_percent, loss_percent, copies, refuse_every;
    bool die;
    uint64_t hold_ns; /* the receiver reads nothing for so long after the first reply */
    pthread_mutex_t lock;
    struct {
        uint8_t bytes[44];
        uint64_t time_ns;
    } *queue;
    size_t head, tail;
    uint64_t held_since, syns, resets, sends;
    unsigned probes[1u << 16][PORTS];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct fake_wire {
    struct wire base;
    uint8_t batch[WIRE_BATCH_MAX][44];
    uint64_t sent, received, drained;
};

enum fate { OPEN, CLOSED, SILENT };

static unsigned percent_of(uint64_t a, uint64_t b) {
    uint64_t state = a << 20 ^ b;
    return (unsigned)(random_splitmix(&state) % 100);
}

static enum fate fate_of(uint32_t ip, uint16_t port) {
    unsigned p = percent_of(ip, port);
    return p < fake.open_percent ? OPEN : p < fake.open_percent + fake.closed_percent ? CLOSED : SILENT;
}

static void answer(const uint8_t *syn, uint8_t flags, uint64_t now) {
    if ((fake.tail + 1) % QUEUE_MAX == fake.head)
        return;
    uint8_t *out = fake.queue[fake.tail].bytes;
    fake.queue[fake.tail].time_ns = now;
    fake.tail = (fake.tail + 1) % QUEUE_MAX;
    memset(out, 0, 44);
    out[0] = 0x45;
    store_be16(out + 2, 40);
    out[8] = 57;
    out[9] = 6;
    memcpy(out + 12, syn + 16, 4);
    memcpy(out + 16, syn + 12, 4);
    store_be16(out + 10, checksum_finish(checksum_add(0, out, 20)));
    memcpy(out + 20, syn + 22, 2);
    memcpy(out + 22, syn + 20, 2);
    store_be32(out + 24, 12345);
    store_be32(out + 28, load_be32(syn + 24) + 1);
    out[32] = 5 << 4;
    out[33] = flags;
    uint64_t sum = checksum_pseudo_v4(load_be32(out + 12), load_be32(out + 16), 6, 20);
    store_be16(out + 36, checksum_finish(checksum_add(sum, out + 20, 20)));
}

static void frame_seen(const uint8_t *p) {
    uint32_t dest = load_be32(p + 16);
    uint16_t source_port = load_be16(p + 20), port = load_be16(p + 22);
    if (p[33] & 0x04) {
        fake.resets++;
        return;
    }
    fake.syns++;
    fake.probes[dest & 0xffff][port % PORTS]++;
    enum fate fate = fate_of(dest, port);
    if (fate == SILENT || percent_of((uint64_t)dest << 16 | port, source_port) < fake.loss_percent)
        return;
    for (unsigned i = 0; i <= fake.copies; i++)
        answer(p, fate == OPEN ? 0x12 : 0x14, clock_real_ns());
}

static int fake_open(const struct wire_config *config, struct wire **out, struct error *e);

static int fake_send(struct wire *wire, const struct frame *frames, unsigned n) {
    struct fake_wire *w = (struct fake_wire *)wire;
    pthread_mutex_lock(&fake.lock);
    fake.sends++;
    if (fake.die && fake.sends > 10) {
        pthread_mutex_unlock(&fake.lock);
        return -ENETDOWN;
    }
    if (fake.refuse_every > 0 && fake.sends % fake.refuse_every == 0)
        n /= 2; /* back-pressure: only half is taken */
    for (unsigned i = 0; i < n; i++)
        frame_seen(frames[i].data);
    w->sent += n;
    pthread_mutex_unlock(&fake.lock);
    return (int)n;
}

static int fake_recv(struct wire *wire, struct frame *frames, unsigned max, uint64_t *drained_ns) {
    struct fake_wire *w = (struct fake_wire *)wire;
    unsigned n = 0;
    pthread_mutex_lock(&fake.lock);
    uint64_t now = clock_mono_ns();
    if (fake.head != fake.tail && fake.held_since == 0)
        fake.held_since = now;
    if (fake.held_since == 0 || now - fake.held_since >= fake.hold_ns) {
        while (n < max && fake.head != fake.tail) {
            memcpy(w->batch[n], fake.queue[fake.head].bytes, 44);
            frames[n] = (struct frame){.data = w->batch[n], .len = 40, .wire_len = 40,
                                       .time_ns = fake.queue[fake.head].time_ns};
            fake.head = (fake.head + 1) % QUEUE_MAX;
            n++;
        }
        if (fake.head == fake.tail)
            w->drained = now;
    }
    pthread_mutex_unlock(&fake.lock);
    w->received += n;
    *drained_ns = w->drained;
    return (int)n;
}

static void fake_wait(struct wire *wire, uint64_t timeout_ns) {
    (void)wire;
    clock_sleep_until(clock_mono_ns() + (timeout_ns < NS_PER_MS ? timeout_ns : NS_PER_MS));
}

static void fake_stats(struct wire *wire, struct wire_stats *out) {
    struct fake_wire *w = (struct fake_wire *)wire;
    *out = (struct wire_stats){.sent = w->sent, .received = w->received};
}

static void fake_close(struct wire *wire) {
    free(wire);
}

static const struct wire_ops fake_ops = {
    .name = "fake", .open = fake_open, .send = fake_send, .recv = fake_recv, .wait = fake_wait,
    .stats = fake_stats, .close = fake_close,
};

static int fake_open(const struct wire_config *config, struct wire **out, struct error *e) {
    (void)config, (void)e;
    struct fake_wire *w = calloc(1, sizeof *w);
    w->base.ops = &fake_ops;
    *out = &w->base;
    return 0;
}

/* One scan of 127.1.0.0 + hosts x PORTS. */
struct run {
    struct summary sum;
    struct error error;
    char path[64];
    int result;
    uint64_t expected_open, expected_closed, total;
};

static _Atomic int stop_never;

static struct run run_scan(unsigned hosts, struct scan_config config) {
    struct run r = {.total = (uint64_t)hosts * PORTS};
    fake.head = fake.tail = 0;
    fake.held_since = fake.syns = fake.resets = fake.sends = 0;
    memset(fake.probes, 0, sizeof fake.probes);
    free(fake.queue);
    fake.queue = calloc(QUEUE_MAX, sizeof *fake.queue);
    for (uint32_t h = 0; h < hosts; h++)
        for (uint16_t p = 1; p <= PORTS; p++) {
            enum fate fate = fate_of(NET + h, p);
            r.expected_open += fate == OPEN;
            r.expected_closed += fate == CLOSED;
        }
    struct target target = {.range = {addr_from_v4(NET), addr_from_v4(NET + hosts - 1)}, .port = -1};
    struct slot slots[PORTS];
    for (uint16_t p = 1; p <= PORTS; p++)
        slots[p - 1] = (struct slot){.port = p, .technique = TECHNIQUE_SYN};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = PORTS};
    struct plan *plan;
    assert_int_equal(plan_create(&in, &plan, &r.error), 0);

    snprintf(r.path, sizeof r.path, "/tmp/noctule-engine-%d.hostport", getpid());
    char word[80];
    snprintf(word, sizeof word, "hostport:%s", r.path);
    const char *outputs[] = {word};
    struct report_config report = {.outputs = outputs, .n_outputs = 1, .show = config.show,
                                   .max_results = 0};
    assert_int_equal(report_create(&report, SCAN_QUEUES, &config.report, &r.error), 0);
    config.plan = plan;
    config.seed = 99;
    config.shard = config.shards = 1;
    config.ttl = 64;
    config.stop = config.stop != NULL ? config.stop : &stop_never;
    config.wire_ops = &fake_ops;
    config.rate_milli_pps = config.rate_milli_pps != 0 ? config.rate_milli_pps : UINT64_C(200000) * 1000;
    struct scan *scan;
    assert_int_equal(scan_create(&config, &scan, &r.error), 0);
    r.result = scan_run(scan, config.report, &r.sum, &r.error);
    scan_free(scan);
    assert_int_equal(report_finish(config.report, &r.sum, &r.error), 0);
    plan_free(plan);
    return r;
}

/* Every line of the hostport file once, each truly open. */
static uint64_t findings_checked(const struct run *r, bool all_must_be_open) {
    static uint8_t found[1u << 16][PORTS];
    memset(found, 0, sizeof found);
    FILE *f = fopen(r->path, "r");
    assert_non_null(f);
    unsigned a, b, c, d, port;
    uint64_t n = 0;
    while (fscanf(f, "%u.%u.%u.%u:%u", &a, &b, &c, &d, &port) == 5) {
        uint32_t ip = a << 24 | b << 16 | c << 8 | d;
        if (all_must_be_open)
            assert_int_equal(fate_of(ip, (uint16_t)port), OPEN);
        assert_int_equal(found[ip & 0xffff][port % PORTS]++, 0);
        n++;
    }
    fclose(f);
    unlink(r->path);
    return n;
}

static void a_clean_scan_finds_exactly_what_is_open(void **state) {
    (void)state;
    fake.open_percent = 2, fake.closed_percent = 50, fake.loss_percent = 0, fake.copies = 0;
    struct run r = run_scan(400, (struct scan_config){.retries = 2, .show = 1u << STATE_OPEN, .timeout_ns = 200 * NS_PER_MS});
    assert_int_equal(r.result, 0);
    assert_string_equal(r.sum.ended, "complete");
    assert_int_equal(r.sum.states[STATE_OPEN], r.expected_open);
    assert_int_equal(r.sum.states[STATE_CLOSED], r.expected_closed);
    assert_int_equal(r.sum.states[STATE_FILTERED], r.total - r.expected_open - r.expected_closed);
    assert_int_equal(r.sum.finals, r.total);
    assert_int_equal(findings_checked(&r, true), r.expected_open);
    assert_int_equal(fake.resets, r.expected_open);
    assert_int_equal(r.sum.resets_sent, r.expected_open);
    assert_int_equal(r.sum.sent, fake.syns);
    assert_int_equal(fake.syns, r.expected_open + r.expected_closed + 3 * r.sum.states[STATE_FILTERED]);
}

static void loss_is_mended_and_repeats_are_counted(void **state) {
    (void)state;
    fake.open_percent = 20, fake.closed_percent = 20, fake.loss_percent = 5, fake.copies = 3;
    struct run r = run_scan(400, (struct scan_config){.retries = 5, .show = 1u << STATE_OPEN, .timeout_ns = 100 * NS_PER_MS});
    assert_int_equal(r.sum.states[STATE_OPEN], r.expected_open);
    assert_int_equal(r.sum.states[STATE_CLOSED], r.expected_closed);
    assert_int_equal(findings_checked(&r, true), r.expected_open);
    assert_int_equal(r.sum.duplicates + r.sum.late, 3 * (r.expected_open + r.expected_closed));
    assert_int_equal(fake.resets, r.expected_open);
    fake.copies = 0;
}

/* The receive thread reads nothing for 1.5 s while replies wait: no re-probe of what they answer, no false silence. */
static void a_held_up_receiver_costs_no_truth(void **state) {
    (void)state;
    fake.open_percent = 30, fake.closed_percent = 60, fake.loss_percent = 0;
    fake.hold_ns = 1500 * NS_PER_MS;
    struct run r = run_scan(200, (struct scan_config){.retries = 3, .show = 1u << STATE_OPEN, .timeout_ns = 100 * NS_PER_MS});
    fake.hold_ns = 0;
    assert_int_equal(r.sum.states[STATE_OPEN], r.expected_open);
    assert_int_equal(r.sum.states[STATE_CLOSED], r.expected_closed);
    for (uint32_t h = 0; h < 200; h++)
        for (uint16_t p = 1; p <= PORTS; p++)
            assert_int_equal(fake.probes[h][p % PORTS], fate_of(NET + h, p) == SILENT ? 4 : 1);
    assert_int_equal(findings_checked(&r, true), r.expected_open);
}

static void back_pressure_loses_nothing(void **state) {
    (void)state;
    fake.open_percent = 10, fake.closed_percent = 80, fake.refuse_every = 2;
    struct run r = run_scan(300, (struct scan_config){.retries = 1, .show = 1u << STATE_OPEN, .timeout_ns = 100 * NS_PER_MS});
    fake.refuse_every = 0;
    assert_int_equal(r.sum.states[STATE_OPEN], r.expected_open);
    assert_int_equal(r.sum.sent, fake.syns);
    assert_int_equal(findings_checked(&r, true), r.expected_open);
}

static void silence_is_listed_where_asked(void **state) {
    (void)state;
    fake.open_percent = 10, fake.closed_percent = 30;
    struct run r = run_scan(100, (struct scan_config){.retries = 0, .show = 1u << STATE_OPEN | 1u << STATE_CLOSED | 1u << STATE_FILTERED,
                                                      .timeout_ns = 100 * NS_PER_MS});
    assert_int_equal(findings_checked(&r, false), r.total);
    assert_int_equal(r.sum.states[STATE_OPEN] + r.sum.states[STATE_CLOSED] + r.sum.states[STATE_FILTERED], r.total);
}

static void a_dead_wire_ends_the_scan_with_a_line(void **state) {
    (void)state;
    fake.die = true;
    struct run r = run_scan(400, (struct scan_config){.retries = 3, .show = 1u << STATE_OPEN});
    fake.die = false;
    assert_int_equal(r.result, -ENETDOWN);
    assert_non_null(strstr(r.error.text, "etwork is down"));
    unlink(r.path);
}

static _Atomic int stop_soon;

static void *stop_later(void *arg) {
    (void)arg;
    clock_sleep_until(clock_mono_ns() + 300 * NS_PER_MS);
    atomic_store(&stop_soon, 1);
    return NULL;
}

static void a_stop_is_heard_and_told(void **state) {
    (void)state;
    pthread_t thread;
    fake.open_percent = 10, fake.closed_percent = 30;
    pthread_create(&thread, NULL, stop_later, NULL);
    struct run r = run_scan(1000, (struct scan_config){.retries = 3, .show = 1u << STATE_OPEN, .stop = &stop_soon,
                                                       .rate_milli_pps = 20000 * 1000, .timeout_ns = 100 * NS_PER_MS});
    pthread_join(thread, NULL);
    assert_int_equal(r.result, 0);
    assert_string_equal(r.sum.ended, "interrupted");
    assert_true(r.sum.finals < r.total);
    assert_true(r.sum.sent < 15000);
    findings_checked(&r, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_scan_finds_exactly_what_is_open),
        cmocka_unit_test(loss_is_mended_and_repeats_are_counted),
        cmocka_unit_test(a_held_up_receiver_costs_no_truth),
        cmocka_unit_test(back_pressure_loses_nothing),
        cmocka_unit_test(silence_is_listed_where_asked),
        cmocka_unit_test(a_dead_wire_ends_the_scan_with_a_line),
        cmocka_unit_test(a_stop_is_heard_and_told),
    };
    return cmocka_run_group_tests_name("scan/engine", tests, NULL, NULL);
}
