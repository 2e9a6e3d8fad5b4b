#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "path_sim.h"

#define PATHS 60u /* random paths of each kind */
#define SEEDS 5u

/* The path of issue 4's bar: a policer of 50,000 packets a second with a burst of 2,000, far below --max-rate. */
static struct path_config policer(uint64_t seed) {
    return (struct path_config){.seed = seed, .seconds = 60, .settle_s = 3, .max_pps = 1000000, .limit = LIMIT_POLICER,
                                .room = 2000, .changes = {{1e9, 50000, 0}}, .n_changes = 1, .share = 0.3,
                                .rtt_ms = {1}, .rtt_weight = {1}};
}

static struct path_config free_path(uint64_t seed, uint64_t cap) {
    struct path_config c = policer(seed);
    c.limit = LIMIT_NONE;
    c.max_pps = cap;
    return c;
}

#define assert_at_least(value, bar) assert_holds((value) >= (bar), #value, value, ">=", bar)
#define assert_at_most(value, bar) assert_holds((value) <= (bar), #value, value, "<=", bar)
static void assert_holds(bool holds, const char *name, double value, const char *is, double bar) {
    if (!holds)
        fail_msg("%s = %g, wanted %s %g", name, value, is, bar);
}

static void a_policer_is_met_and_kept(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++) {
        struct path_config c = policer(seed);
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.9);
        assert_at_most(r.lost_by_rate, 0.05);
        assert_at_most(r.lost_all / r.sent_all, 0.05);
        assert_int_equal(r.view.cause, GOVERN_CAUSE_PATH);
        assert_at_least(r.view.path_pps, 40000.0);
        assert_at_most(r.view.path_pps, 60000.0);
    }
}

/* A whole scan, re-probes included, beside one at the policer's own rate. */
static void a_whole_scan_takes_a_quarter_longer_at_most(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.probes = 1000000;
        struct path_result r = path_run(&c, NULL);
        double ideal = ((double)c.probes * (2 - c.share)) / 50000;
        assert_at_most(r.seconds, 1.25 * ideal);
    }
}

static void a_bottleneck_with_a_queue(void **state) {
    (void)state;
    static const double rooms[] = {200, 2000, 10000, 50000}; /* 4 ms to a second */
    for (unsigned i = 0; i < 4; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct path_config c = policer(seed);
            c.limit = LIMIT_QUEUE;
            c.room = rooms[i];
            c.rtt_ms[0] = 40;
            struct path_result r = path_run(&c, NULL);
            assert_at_least(r.of_capacity, 0.85);
            assert_at_most(r.lost_by_rate, 0.05);
        }
}

/* Loss that the rate does not cause does not throttle, however much it is. */
static void random_loss_does_not_throttle(void **state) {
    (void)state;
    static const double losses[] = {0, 0.01, 0.1, 0.19, 0.36, 0.5};
    static const uint64_t caps[] = {10000, 50000, 200000};
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < 3; k++)
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct path_config c = free_path(seed, caps[k]);
                c.changes[0].loss = losses[i];
                c.settle_s = 5;
                struct path_result r = path_run(&c, NULL);
                assert_at_least(r.of_capacity, 0.9);
            }
}

/* Bursts of 50 ms that lose 40 %. */
static void bursts_of_loss_throttle_little(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = free_path(seed, 50000);
        c.burst_loss = 0.4;
        c.burst_ms = 50;
        c.clear_ms = 500;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.75);
    }
}

/* Loss that begins in the middle is found to be the path's own. */
static void loss_that_comes_and_goes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = free_path(seed, 20000);
        c.n_changes = 3;
        c.changes[0] = (struct path_change){20, 1, 0};
        c.changes[1] = (struct path_change){40, 1, 0.3};
        c.changes[2] = (struct path_change){1e9, 1, 0};
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.9);
        assert_true(r.view.path_falls >= 1);
    }
}

static void capacity_that_falls(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.n_changes = 2;
        c.changes[0].until_s = 20;
        c.changes[1] = (struct path_change){1e9, 10000, 0};
        c.settle_s = 30;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.75);
        assert_at_most(r.lost_by_rate, 0.08);
    }
}

static void capacity_that_rises(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.n_changes = 2;
        c.changes[0] = (struct path_change){20, 20000, 0};
        c.changes[1] = (struct path_change){1e9, 80000, 0};
        c.settle_s = 45;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.75);
    }
}

/* 1 in 10,000 endpoints answers. Canaries give the signal, with one packet in a hundred; without them it goes on by
 * time and says so. */
static void sparse_answers(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.share = 0.0001;
        c.seconds = 120;
        c.settle_s = 20;
        c.canaries = 5;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.85);
        assert_at_most(r.lost_by_rate, 0.15);
        assert_at_most(r.canary_share, 0.0101);
        assert_at_least(r.canary_share, 0.005);

        c = free_path(seed, 10000);
        c.share = 0.0001;
        r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.85);
        assert_true(r.view.blind);
        assert_true(r.canary_share == 0);
        c.share = 0;
        r = path_run(&c, NULL);
        assert_at_most(r.first_s, 15.0);
        assert_true(r.first_s > 0);
    }
}

/* A table that holds 20,000 entries for ten seconds: answers fall off a cliff. The rate comes down to the order of what
 * the table turns over, whatever was sent into it before. */
static void a_table_that_fills(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.limit = LIMIT_TABLE;
        c.room = 20000;
        c.changes[0].capacity = 2000;
        c.seconds = 120;
        c.settle_s = 30;
        struct path_result r = path_run(&c, NULL);
        assert_at_most(r.sent / 90, 4000.0); /* twice what passes in the long run; the climb had reached 64,000 */
        assert_true(r.view.falls >= 1);
    }
}

static void this_machine_is_the_limit(void **state) {
    (void)state;
    struct path_config c = free_path(1, 0);
    c.sender_pps = 800000;
    struct path_result r = path_run(&c, NULL);
    assert_at_least(r.mean_pps, 700000.0);
    assert_at_most(r.rate_max, 2000000.0);
    assert_int_equal(r.view.cause, GOVERN_CAUSE_SENDER);

    c = free_path(1, 0);
    c.ring_pps = 5000;
    r = path_run(&c, NULL);
    assert_true(r.view.local_cuts >= 1);
    assert_at_most(r.mean_pps * c.share / 2, 12000.0);
}

/* A process that is held up, or has nothing to send, is no slow machine. */
static void a_pause_is_no_limit(void **state) {
    (void)state;
    struct path_config c = free_path(1, 100000);
    c.stall_s = 0.4;
    struct path_result r = path_run(&c, NULL);
    assert_true(r.view.cause == GOVERN_CAUSE_CAP);
    assert_at_least(r.of_capacity, 0.9);

    struct govern *g = calloc(1, sizeof(*g));
    uint64_t now = NS_PER_SEC;
    govern_init(g, 10000, GOVERN_START_PPS, now);
    for (unsigned i = 0; i < 400; i++, now += GOVERN_TICK_NS) {
        govern_idle(g, now, 0);
        govern_step(g, now, 0);
    }
    struct govern_view v;
    govern_look(g, &v);
    assert_true(v.cause != GOVERN_CAUSE_SENDER);
    free(g);
}

static void local_loss_slows_at_once(void **state) {
    (void)state;
    struct govern *g = calloc(1, sizeof(*g));
    govern_init(g, 10000, GOVERN_START_PPS, NS_PER_SEC);
    uint64_t before = govern_milli_pps(g);
    govern_local_loss(g, 2 * NS_PER_SEC);
    assert_true(govern_milli_pps(g) < before);
    before = govern_milli_pps(g);
    govern_local_loss(g, 2 * NS_PER_SEC + NS_PER_MS); /* the same loss, still coming in */
    assert_true(govern_milli_pps(g) == before);
    for (unsigned i = 1; i < 100; i++)
        govern_local_loss(g, (2 + i) * NS_PER_SEC);
    assert_true(govern_milli_pps(g) == GOVERN_FLOOR_PPS * UINT64_C(1000));
    free(g);
}

static void the_cap_and_the_floor_hold(void **state) {
    (void)state;
    struct govern *g = calloc(1, sizeof(*g));
    govern_init(g, 50, GOVERN_START_PPS, NS_PER_SEC); /* a cap below the floor */
    assert_true(govern_milli_pps(g) == 50000);
    govern_local_loss(g, 2 * NS_PER_SEC);
    assert_true(govern_milli_pps(g) == 50000);
    assert_int_equal(govern_canary_every(g), 0);
    govern_canaries(g, 3);
    assert_int_equal(govern_canary_every(g), GOVERN_CANARY_EVERY);
    assert_false(govern_step(g, NS_PER_SEC + 1, 0)); /* not yet */
    free(g);
    struct path_config c = free_path(1, 3000);
    assert_at_most(path_run(&c, NULL).rate_max, 3000.0);
}

/* -- random paths -- */

static double uniform(uint64_t *state) {
    return (double)(random_splitmix(state) >> 11) * 0x1p-53;
}

/* Between a and b, each decade alike. */
static double spread(uint64_t *state, double a, double b) {
    return a * exp(uniform(state) * log(b / a));
}

static struct path_config random_path(uint64_t *state, enum path_kind_of_limit limit, double rtt_max_ms) {
    struct path_config c = {.seconds = 40, .settle_s = 10, .max_pps = 1000000, .n_changes = 1, .rtt_weight = {1},
                            .limit = limit, .canaries = 10};
    double capacity = spread(state, 1000, 300000), room = spread(state, 0.005, 0.2), loss = uniform(state) * 0.2;
    c.seed = random_splitmix(state);
    c.rtt_ms[0] = spread(state, 1, rtt_max_ms);
    c.share = spread(state, 0.02, 0.9);
    c.jitter = uniform(state) * 0.3;
    c.room = fmax(200, capacity * room);
    c.changes[0] = (struct path_change){1e9, capacity, uniform(state) < 0.5 ? 0 : loss};
    if (limit == LIMIT_NONE)
        c.max_pps = (uint64_t)spread(state, 5000, 200000);
    if (c.rtt_ms[0] > 200) {
        c.seconds = 60;
        c.settle_s = 20;
    }
    return c;
}

/* Natural answers a second at the capacity; half of the packets are re-probes. */
static double information(const struct path_config *c) {
    return c->changes[0].capacity / 2 * c->share * (1 - c->changes[0].loss);
}

/* Where enough is answered to know, nearly all paths are used well and none is flooded; where not, no rate is right to
 * a few percent, and the bars are wider. */
static void random_paths(uint64_t seed, enum path_kind_of_limit limit, double rtt_max_ms) {
    unsigned rich = 0, slow = 0, lossy = 0;
    double used = 0, lost = 0;
    for (unsigned i = 0; i < PATHS; i++) {
        struct path_config c = random_path(&seed, limit, rtt_max_ms);
        struct path_result r = path_run(&c, NULL);
        used += r.of_capacity / PATHS;
        lost += r.lost_by_rate / PATHS;
        assert_at_least(r.of_capacity, 0.3);
        assert_at_most(r.lost_by_rate, 0.5);
        if (information(&c) < 500)
            continue;
        rich++;
        slow += r.of_capacity < 0.85;
        lossy += r.lost_by_rate > 0.06;
        assert_at_least(r.of_capacity, 0.5);
        assert_at_most(r.lost_by_rate, 0.2);
    }
    assert_true(rich >= PATHS / 3);
    assert_true(slow <= rich / 20 + 1);
    assert_true(lossy <= rich / 20 + 1);
    assert_at_least(used, 0.88);
    assert_at_most(lost, 0.05);
}

static void random_policers(void **state) {
    (void)state;
    random_paths(4, LIMIT_POLICER, 200);
    random_paths(44, LIMIT_POLICER, 800);
}

static void random_queues(void **state) {
    (void)state;
    random_paths(5, LIMIT_QUEUE, 200);
}

static void random_lossy_paths(void **state) {
    (void)state;
    uint64_t seed = 6;
    for (unsigned i = 0; i < PATHS; i++) {
        struct path_config c = random_path(&seed, LIMIT_NONE, 200);
        if (information(&c) < 100)
            continue;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.9);
    }
}

static void hosts_at_many_distances(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct path_config c = policer(seed);
        c.rtt_ms[0] = 1;
        c.rtt_ms[1] = 100;
        c.rtt_ms[2] = 800;
        c.rtt_weight[0] = c.rtt_weight[1] = 0.4;
        c.rtt_weight[2] = 0.2;
        c.settle_s = 10;
        struct path_result r = path_run(&c, NULL);
        assert_at_least(r.of_capacity, 0.85);
        assert_at_most(r.lost_by_rate, 0.06);
    }
}

static void the_same_seed_gives_the_same_run(void **state) {
    (void)state;
    struct path_config c = policer(9);
    c.seconds = 10;
    struct path_result a = path_run(&c, NULL), b = path_run(&c, NULL);
    assert_true(a.sent == b.sent && a.carried == b.carried && a.rate_max == b.rate_max);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policer_is_met_and_kept),
        cmocka_unit_test(a_whole_scan_takes_a_quarter_longer_at_most),
        cmocka_unit_test(a_bottleneck_with_a_queue),
        cmocka_unit_test(random_loss_does_not_throttle),
        cmocka_unit_test(bursts_of_loss_throttle_little),
        cmocka_unit_test(loss_that_comes_and_goes),
        cmocka_unit_test(capacity_that_falls),
        cmocka_unit_test(capacity_that_rises),
        cmocka_unit_test(sparse_answers),
        cmocka_unit_test(a_table_that_fills),
        cmocka_unit_test(this_machine_is_the_limit),
        cmocka_unit_test(a_pause_is_no_limit),
        cmocka_unit_test(local_loss_slows_at_once),
        cmocka_unit_test(the_cap_and_the_floor_hold),
        cmocka_unit_test(random_policers),
        cmocka_unit_test(random_queues),
        cmocka_unit_test(random_lossy_paths),
        cmocka_unit_test(hosts_at_many_distances),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests_name("scan/govern", tests, NULL, NULL);
}
