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
    for (unsigned i = 0; i < 300; i++) /* and it comes down again */
        rtt_sample(&r, NS_PER_MS);
    assert_int_equal(timeout_of(&r), RTT_TIMEOUT_MIN_NS);
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
        cmocka_unit_test(a_fixed_timeout_stays),
        cmocka_unit_test(a_timed_probe_is_taken_once_and_only_by_its_try),
    };
    return cmocka_run_group_tests_name("scan/rtt", tests, NULL, NULL);
}
