#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scan/rtt.h"

static uint64_t timeout_of(const struct rtt *r) {
    return atomic_load(&r->timeout_ns);
}

/* The worked figures of RFC 6298 2.2 and 2.3. */
static void the_estimator_is_rfc_6298(void **state) {
    (void)state;
    struct rtt r;
    rtt_init(&r, RTT_TIMEOUT_FIRST_NS, false);
    assert_int_equal(timeout_of(&r), NS_PER_SEC);
    rtt_sample(&r, 400 * NS_PER_MS);
    assert_int_equal(r.srtt_ns, 400 * NS_PER_MS);
    assert_int_equal(r.rttvar_ns, 200 * NS_PER_MS);
    assert_int_equal(timeout_of(&r), 1200 * NS_PER_MS);
    rtt_sample(&r, 480 * NS_PER_MS);
    assert_int_equal(r.rttvar_ns, 170 * NS_PER_MS);
    assert_int_equal(r.srtt_ns, 410 * NS_PER_MS);
    assert_int_equal(timeout_of(&r), 1090 * NS_PER_MS);
}

static void timeouts_are_clamped(void **state) {
    (void)state;
    struct rtt r;
    rtt_init(&r, RTT_TIMEOUT_FIRST_NS, false);
    rtt_sample(&r, 10 * NS_PER_US);
    assert_int_equal(timeout_of(&r), RTT_TIMEOUT_MIN_NS);
    for (unsigned i = 0; i < 100; i++)
        rtt_sample(&r, 30 * NS_PER_SEC);
    assert_int_equal(timeout_of(&r), RTT_TIMEOUT_MAX_NS);
    for (unsigned i = 0; i < 30000; i++) /* and it comes down again: what was learned is forgotten */
        rtt_sample(&r, NS_PER_MS);
    assert_int_equal(timeout_of(&r), RTT_TIMEOUT_MIN_NS);
}

/* Of a thousand hosts ten are behind a satellite: their replies must not be late. */
static void the_timeout_covers_the_slow_few(void **state) {
    (void)state;
    struct rtt r;
    rtt_init(&r, RTT_TIMEOUT_FIRST_NS, false);
    for (unsigned i = 0; i < 20000; i++)
        rtt_sample(&r, i % 50 == 0 ? 800 * NS_PER_MS : i % 2 ? NS_PER_MS : 100 * NS_PER_MS);
    assert_in_range(timeout_of(&r), 1200 * NS_PER_MS, 1600 * NS_PER_MS);
    for (unsigned i = 0; i < 60000; i++) /* one in ten thousand is not waited for by all others */
        rtt_sample(&r, i % 10000 == 0 ? 4 * NS_PER_SEC : 100 * NS_PER_MS);
    assert_in_range(timeout_of(&r), 150 * NS_PER_MS, 200 * NS_PER_MS);
}

/* The way becomes longer than the timeout: every reply is late, and no sample could say so. */
static void late_replies_lengthen_it(void **state) {
    (void)state;
    struct rtt r;
    rtt_init(&r, RTT_TIMEOUT_FIRST_NS, false);
    for (unsigned i = 0; i < 1000; i++)
        rtt_sample(&r, 20 * NS_PER_MS);
    assert_int_equal(timeout_of(&r), RTT_TIMEOUT_MIN_NS);
    uint64_t way = 700 * NS_PER_MS;
    for (unsigned i = 0; i < 2000; i++) {
        if (way <= timeout_of(&r))
            rtt_sample(&r, way);
        else
            rtt_late(&r);
    }
    assert_in_range(timeout_of(&r), way, 2 * way);
    for (unsigned i = 0; i < 1000; i++) /* a few that were repeated by their sender change nothing */
        if (i % 20 == 0)
            rtt_late(&r);
        else
            rtt_sample(&r, way);
    assert_in_range(timeout_of(&r), way, 2 * way);
}

static void buckets_hold_every_time(void **state) {
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(40000000000); ns += ns / 7 + 1) {
        struct rtt r;
        rtt_init(&r, RTT_TIMEOUT_FIRST_NS, false);
        for (unsigned i = 0; i < 200; i++)
            rtt_sample(&r, ns);
        uint64_t least = ns * 3 / 2 < RTT_TIMEOUT_MIN_NS ? RTT_TIMEOUT_MIN_NS : ns * 3 / 2;
        uint64_t most = ns * 15 / 8 < RTT_TIMEOUT_MIN_NS ? RTT_TIMEOUT_MIN_NS : ns * 15 / 8;
        least = least > RTT_TIMEOUT_MAX_NS ? RTT_TIMEOUT_MAX_NS : least;
        most = most > RTT_TIMEOUT_MAX_NS ? RTT_TIMEOUT_MAX_NS : most;
        assert_in_range(timeout_of(&r), least, most);
    }
}

static void a_fixed_timeout_stays(void **state) {
    (void)state;
    struct rtt r;
    rtt_init(&r, 3 * NS_PER_SEC, true);
    rtt_sample(&r, NS_PER_MS);
    assert_int_equal(timeout_of(&r), 3 * NS_PER_SEC);
    assert_int_equal(r.srtt_ns, NS_PER_MS);
}

static void a_timed_probe_is_taken_once_and_only_by_its_try(void **state) {
    (void)state;
    struct rtt_table *t = calloc(1, sizeof *t);
    rtt_table_put(t, 77, 1, 123);
    assert_int_equal(rtt_table_take(t, 77, 0), 0);
    assert_int_equal(rtt_table_take(t, 78, 1), 0);
    assert_int_equal(rtt_table_take(t, 77, 1), 123);
    assert_int_equal(rtt_table_take(t, 77, 1), 0);
    rtt_table_put(t, 0, 0, 9);
    assert_int_equal(rtt_table_take(t, 0, 0), 9);
    unsigned kept = 0;
    for (uint64_t i = 0; i < 2 * RTT_TABLE_SIZE; i++)
        rtt_table_put(t, i, 0, i + 1);
    for (uint64_t i = 0; i < 2 * RTT_TABLE_SIZE; i++) {
        uint64_t sent = rtt_table_take(t, i, 0);
        assert_true(sent == 0 || sent == i + 1);
        kept += sent != 0;
    }
    assert_in_range(kept, RTT_TABLE_SIZE / 2, RTT_TABLE_SIZE);
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_estimator_is_rfc_6298),
        cmocka_unit_test(timeouts_are_clamped),
        cmocka_unit_test(the_timeout_covers_the_slow_few),
        cmocka_unit_test(late_replies_lengthen_it),
        cmocka_unit_test(buckets_hold_every_time),
        cmocka_unit_test(a_fixed_timeout_stays),
        cmocka_unit_test(a_timed_probe_is_taken_once_and_only_by_its_try),
    };
    return cmocka_run_group_tests_name("scan/rtt", tests, NULL, NULL);
}
