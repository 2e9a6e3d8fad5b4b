/* The lot against hosts in memory, in simulated time: a token bucket limits their errors, packets get lost, some ports
 * are closed and some silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "probe/technique.h"
#include "scan/park.h"

#define HOST_MAX 4u
#define PORTS_MAX 65536u
#define RTT_NS (2 * NS_PER_MS)
#define RTO_NS (100 * NS_PER_MS)
#define STEP_NS (NS_PER_MS / 2) /* of simulated time */

struct world {
    struct lot *lot;
    struct plan *plan;
    unsigned n_hosts, n_ports, silent_every; /* every so-manieth port never answers */
    double tokens_per_second, burst;
    unsigned loss_percent;
    double tokens[HOST_MAX];
    uint64_t filled_ns[HOST_MAX];
    uint64_t random, now, sent;
    struct {
        uint64_t index, at;
    } under_way[2 * LOT_GROUP_MAX * HOST_MAX];
    unsigned n_under_way;
    uint64_t closed, silent, undecided;
    uint64_t wrong; /* silence said of a closed port, or a port decided twice */
    uint8_t decided[HOST_MAX][PORTS_MAX];
};

static addr_t host_of(unsigned h) {
    return addr_from_v4(0xc6120001u + h);
}

/* A port of the host answers with an error of the limited kind, or as an open one. */
static bool answer(struct world *w, uint64_t index, bool error, int tried) {
    struct endpoint ep = plan_at(w->plan, index);
    struct verdict closed = {STATE_CLOSED, REASON_PORT_UNREACH}, open = {STATE_OPEN, REASON_UDP_RESPONSE};
    return lot_answered(w->lot, &ep, index, error ? closed : open, tried, w->now);
}

static enum lot_fate take(struct world *w, uint64_t index) {
    struct endpoint ep = plan_at(w->plan, index);
    return lot_take(w->lot, &ep, index, w->now);
}

static enum lot_step next(struct world *w, struct lot_work *work) {
    struct lot_now now = {.now_ns = w->now, .watermark_ns = w->now, .rto_ns = RTO_NS, .packets_max = LOT_GROUP_MAX};
    return lot_next(w->lot, &now, work);
}

static bool is_silent(const struct world *w, uint64_t index) {
    return w->silent_every > 0 && index % w->n_ports % w->silent_every == 0;
}

static void world_init(struct world *w) {
    static struct slot slots[PORTS_MAX];
    struct error e;
    for (unsigned i = 0; i < w->n_ports; i++)
        slots[i] = (struct slot){.port = (uint16_t)i, .technique = TECHNIQUE_UDP};
    struct target target = {.range = {host_of(0), host_of(w->n_hosts - 1)}, .port = -1};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = w->n_ports,
                            .keep_special = true};
    assert_int_equal(plan_create(&in, &w->plan, &e), 0);
    w->random = 7;
    w->now = 1000 * NS_PER_SEC;
    for (unsigned h = 0; h < w->n_hosts; h++)
        w->filled_ns[h] = w->now;
}

static bool lost(struct world *w) {
    return random_splitmix(&w->random) % 100 < w->loss_percent;
}

/* A packet reaches its host: its error, if it has one left, is under way. */
static void arrive(struct world *w, uint64_t index) {
    unsigned h = (unsigned)(index / w->n_ports);
    w->sent++;
    if (is_silent(w, index) || lost(w))
        return;
    w->tokens[h] += (double)(w->now - w->filled_ns[h]) / NS_PER_SEC * w->tokens_per_second;
    w->filled_ns[h] = w->now;
    if (w->tokens[h] > w->burst)
        w->tokens[h] = w->burst;
    if (w->tokens[h] < 1)
        return;
    w->tokens[h] -= 1;
    if (lost(w))
        return;
    assert_true(w->n_under_way < sizeof w->under_way / sizeof *w->under_way);
    w->under_way[w->n_under_way].index = index;
    w->under_way[w->n_under_way++].at = w->now + RTT_NS;
}

static void decide(struct world *w, uint64_t index, bool silent) {
    uint8_t *before = &w->decided[index / w->n_ports][index % w->n_ports];
    w->wrong += *before || (silent && !is_silent(w, index));
    *before = 1;
}

static void deliver(struct world *w) {
    unsigned left = 0;
    for (unsigned i = 0; i < w->n_under_way; i++) {
        uint64_t index = w->under_way[i].index;
        if (w->under_way[i].at > w->now) {
            w->under_way[left++] = w->under_way[i];
        } else if (answer(w, index, true, -1)) {
            w->closed++;
            decide(w, index, false);
        }
    }
    w->n_under_way = left;
}

/* Everything that the lot wants done at this moment. Returns what it said last. */
static enum lot_step serve(struct world *w) {
    struct lot_work work;
    for (;;) {
        enum lot_step step = next(w, &work);
        switch (step) {
        case LOT_PROBE:
            arrive(w, work.index);
            if (work.last)
                lot_sent(w->lot, w->now);
            break;
        case LOT_SILENT:
            w->silent++;
            decide(w, work.index, true);
            break;
        case LOT_UNDECIDED:
            w->undecided++;
            decide(w, work.index, false);
            break;
        default:
            return step;
        }
    }
}

/* One answered port a host, then everything parked, until nothing is. Returns the simulated seconds. */
static double run(struct world *w, uint64_t timeout_ns, double seconds_max) {
    uint64_t start = w->now, total = (uint64_t)w->n_hosts * w->n_ports;
    w->lot = lot_new(w->plan, timeout_ns);
    assert_non_null(w->lot);
    for (unsigned h = 0; h < w->n_hosts; h++) {
        uint64_t canary = (uint64_t)h * w->n_ports + 1;
        assert_false(answer(w, canary, true, 0));
        decide(w, canary, false);
        for (uint64_t i = 0; i < w->n_ports; i++)
            if (i != 1)
                assert_int_equal(take(w, (uint64_t)h * w->n_ports + i), LOT_FATE_PARKED);
    }
    while (serve(w) != LOT_IDLE && (double)(w->now - start) < seconds_max * 1e9) {
        w->now += STEP_NS;
        deliver(w);
    }
    assert_int_equal(lot_parked(w->lot), 0);
    assert_int_equal(w->closed + w->silent + w->undecided + w->n_hosts, total);
    assert_int_equal(w->wrong, 0);
    lot_free(w->lot);
    plan_free(w->plan);
    return (double)(w->now - start) / 1e9;
}

/* Linux: one error a second after a burst of six. 300 ports, of which 10 never answer. */
static void test_linux(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 300, .silent_every = 30, .tokens_per_second = 1, .burst = 6};
    world_init(&w);
    double seconds = run(&w, 0, 2000);
    print_message("300 ports at one error a second: %.0f s, %.2f packets an answer\n", seconds, (double)w.sent / 300);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 10);
    assert_true(seconds < 1.1 * 300);
}

static void test_linux_with_loss(void **state) {
    (void)state;
    struct world w = {.n_hosts = 2, .n_ports = 200, .silent_every = 20, .tokens_per_second = 1, .burst = 6,
                      .loss_percent = 3};
    world_init(&w);
    run(&w, 0, 2000);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 20);
}

/* A host that limits nothing but drops most: it must not be slowed for being quiet. */
static void test_unlimited(void **state) {
    (void)state;
    static struct world w;
    w = (struct world){.n_hosts = 1, .n_ports = 65536, .silent_every = 1, .tokens_per_second = 1e9, .burst = 1e9};
    world_init(&w);
    w.silent_every = 2; /* ports 0, 2, 4 ... */
    double seconds = run(&w, 0, 2000);
    print_message("65,536 ports without a limit: %.1f s\n", seconds);
    assert_int_equal(w.silent, 32768);
    assert_true(seconds < 30);
}

static void test_hundred_a_second(void **state) {
    (void)state;
    struct world w = {.n_hosts = 4, .n_ports = 1000, .silent_every = 10, .tokens_per_second = 100, .burst = 20};
    world_init(&w);
    double seconds = run(&w, 0, 2000);
    print_message("1,000 ports at 100 errors a second: %.0f s\n", seconds);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 400);
    assert_true(seconds < 60);
}

/* The host's time is over: what is not decided is said to be so, each port once. */
static void test_timeout(void **state) {
    (void)state;
    struct world w = {.n_hosts = 2, .n_ports = 500, .tokens_per_second = 1, .burst = 6};
    world_init(&w);
    double seconds = run(&w, 60 * NS_PER_SEC, 2000);
    assert_true(seconds >= 59 && seconds < 66);
    assert_true(w.closed > 2 * 50 && w.undecided > 2 * 400);
    assert_int_equal(w.silent, 0);
}

/* A host that goes away: it is given up although its time is not limited. */
static void test_gone(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 100, .tokens_per_second = 0, .burst = 0};
    world_init(&w);
    run(&w, 0, 500);
    assert_int_equal(w.undecided, 99);
}

static void test_strangers(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 10, .tokens_per_second = 1, .burst = 1};
    world_init(&w);
    w.lot = lot_new(w.plan, 0);
    struct lot_work work;
    assert_int_equal(take(&w, 3), LOT_FATE_SILENT); /* it never sent an error */
    assert_false(answer(&w, 4, false, 0));           /* nor is a UDP answer one */
    assert_int_equal(take(&w, 3), LOT_FATE_SILENT);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    assert_false(answer(&w, 4, true, 0));
    assert_int_equal(take(&w, 3), LOT_FATE_PARKED);
    assert_true(answer(&w, 3, false, 0)); /* open, in the meantime */
    assert_int_equal(lot_parked(w.lot), 0);
    assert_int_equal(take(&w, 5), LOT_FATE_PARKED);
    lot_end(w.lot);
    assert_int_equal(next(&w, &work), LOT_UNDECIDED);
    assert_int_equal(work.index, 5);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    lot_free(w.lot);
    plan_free(w.plan);
}

static void test_which_techniques(void **state) {
    (void)state;
    assert_true(lot_concerns(TECHNIQUE_UDP));
    assert_true(lot_concerns(TECHNIQUE_PROTOCOL));
    assert_true(lot_concerns(TECHNIQUE_SYN));
    assert_false(lot_concerns(TECHNIQUE_PING));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux),          cmocka_unit_test(test_linux_with_loss), cmocka_unit_test(test_unlimited),
        cmocka_unit_test(test_hundred_a_second), cmocka_unit_test(test_timeout),       cmocka_unit_test(test_gone),
        cmocka_unit_test(test_strangers),      cmocka_unit_test(test_which_techniques),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
