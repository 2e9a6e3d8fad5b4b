#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "scan/pace.h"

/* Sends whatever is allowed at times `step` apart; returns the units sent in `ns`. */
static uint64_t run(uint64_t milli_rate, uint64_t cost, uint64_t ns, uint64_t step, unsigned max) {
    struct pace p;
    uint64_t start = UINT64_C(1) << 55, sent = 0;
    pace_init(&p, milli_rate, start);
    for (uint64_t t = 0; t <= ns; t += step) {
        unsigned n = pace_allow(&p, start + t, cost, max);
        pace_spend(&p, n * cost);
        sent += n * cost;
    }
    return sent;
}

static void rates_are_exact(void **state) {
    (void)state;
    /* |sent - rate x t| is at most one frame, from one packet in ten seconds to ten million a second. */
    assert_in_range(run(100, 1, 100 * NS_PER_SEC, NS_PER_MS, 1), 10, 11);
    assert_in_range(run(10000, 1, 10 * NS_PER_SEC, NS_PER_MS, 4), 100, 101);
    assert_in_range(run(333333, 1, 30 * NS_PER_SEC, 100 * NS_PER_US, 4), 9999, 10001);
    assert_in_range(run(UINT64_C(100000) * 1000, 1, NS_PER_SEC, 50 * NS_PER_US, 128), 100000, 100001);
    assert_in_range(run(UINT64_C(10000000) * 1000, 1, NS_PER_SEC / 10, 5 * NS_PER_US, 128), 1000000, 1000001);
    /* Bits: 10 Mbit/s in frames of 672 bits. */
    assert_in_range(run(UINT64_C(10000000) * 1000, 672, 10 * NS_PER_SEC, 50 * NS_PER_US, 128), 100000000 - 672,
                    100000000 + 672);
}

static void a_pause_gives_little_credit(void **state) {
    (void)state;
    struct pace p;
    pace_init(&p, UINT64_C(100000) * 1000, NS_PER_SEC);
    pace_spend(&p, pace_allow(&p, NS_PER_SEC, 1, 1000));
    unsigned burst = pace_allow(&p, 10 * NS_PER_SEC, 1, 1000000);
    assert_in_range(burst, 500, 501); /* 5 ms at 100,000 pps */
    pace_spend(&p, burst);
    assert_int_equal(pace_allow(&p, 10 * NS_PER_SEC, 1, 1000), 0);
}

/* A thread that wakes 20 ms late each time still keeps ten packets a second. */
static void late_frames_do_not_add_up(void **state) {
    (void)state;
    struct pace p;
    uint64_t now = NS_PER_SEC, sent = 0;
    pace_init(&p, 10000, now);
    for (unsigned i = 0; i < 100; i++) {
        now = (pace_when(&p, 1, 1) > now ? pace_when(&p, 1, 1) : now) + 20 * NS_PER_MS;
        unsigned n = pace_allow(&p, now, 1, 1);
        pace_spend(&p, n);
        sent += n;
    }
    assert_int_equal(sent, 100);
    assert_in_range(now - NS_PER_SEC, 9900 * NS_PER_MS, 9940 * NS_PER_MS);
}

static void when_and_allow_agree(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (unsigned i = 0; i < 1000; i++) {
        struct pace p;
        uint64_t rate = 1000 + random_splitmix(&seed) % 100000000, now = random_splitmix(&seed) >> 4;
        unsigned n = 1 + (unsigned)(random_splitmix(&seed) % 100);
        pace_init(&p, rate, now);
        pace_spend(&p, random_splitmix(&seed) % 1000);
        if ((n - 1) * UINT64_C(1000000000000) / rate >= PACE_CREDIT_NS)
            continue;
        uint64_t when = pace_when(&p, 1, n);
        assert_true(pace_allow(&p, when, 1, 1000) >= n);
    }
}

static void no_cap_allows_all(void **state) {
    (void)state;
    struct pace p;
    pace_init(&p, 0, 5);
    pace_spend(&p, 1000000);
    assert_int_equal(pace_allow(&p, 5, 1, 128), 128);
    assert_int_equal(pace_when(&p, 1, 128), 0);
}

/* A new rate holds from there on: what was owed or saved at the old one is neither lost nor made up for. */
static void a_new_rate_goes_on_from_there(void **state) {
    (void)state;
    struct pace p;
    uint64_t now = 1000000000, sent = 0;
    pace_init(&p, 1000 * 1000, now);
    for (unsigned second = 0; second < 4; second++) {
        uint64_t rate = second % 2 == 0 ? 1000 : 50000;
        pace_set(&p, rate * 1000);
        sent = 0;
        for (unsigned ms = 0; ms < 1000; ms++, now += 1000000) {
            unsigned n = pace_allow(&p, now, 1, 1000);
            pace_spend(&p, n);
            sent += n;
        }
        assert_in_range(sent, rate - rate / 1000 - 1, rate + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_exact),
        cmocka_unit_test(a_pause_gives_little_credit),
        cmocka_unit_test(late_frames_do_not_add_up),
        cmocka_unit_test(when_and_allow_agree),
        cmocka_unit_test(no_cap_allows_all),
        cmocka_unit_test(a_new_rate_goes_on_from_there),
    };
    return cmocka_run_group_tests_name("scan/pace", tests, NULL, NULL);
}
