#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "scan/drift.h"

#define CHUNK 256u

/* Of a chunk's endpoints, those that answer with this probability. */
static uint64_t draw(uint64_t *state, double p) {
    uint64_t n = 0;
    for (unsigned i = 0; i < CHUNK; i++)
        n += (double)(random_splitmix(state) >> 11) * 0x1p-53 < p;
    return n;
}

static void a_steady_share_misses_nothing(void **state) {
    (void)state;
    uint64_t random = 1;
    static const double shares[] = {0, 0.0001, 0.01, 0.2, 0.99, 1};
    for (unsigned s = 0; s < sizeof shares / sizeof *shares; s++)
        for (unsigned chunks = 1; chunks < 3000; chunks = chunks * 3 + 1) {
            struct drift d = {.chunks = 0};
            for (unsigned i = 0; i < chunks; i++)
                drift_add(&d, CHUNK, draw(&random, shares[s]));
            struct drift_missing m = drift_missing(&d);
            assert_int_equal(m.likely + m.low + m.high, 0);
        }
}

/* After a part of the scan only a part of the answers gets through: what is missing is known within its interval. */
static void what_a_fall_swallows_is_estimated(void **state) {
    (void)state;
    uint64_t random = 2;
    unsigned covered = 0, runs = 0;
    for (unsigned run = 0; run < 200; run++) {
        struct drift d = {.chunks = 0};
        unsigned chunks = 100 + run * 7, fall = chunks * (5 + run % 80) / 100;
        double p = 0.05 + 0.004 * (run % 100), left = 0.2 * (run % 4);
        uint64_t missing = 0, before = 0;
        for (unsigned i = 0; i < chunks; i++) {
            uint64_t n = draw(&random, p), through = 0;
            for (uint64_t k = 0; k < n; k++)
                through += i < fall || (double)(random_splitmix(&random) >> 11) * 0x1p-53 < left;
            drift_add(&d, CHUNK, through);
            missing += n - through;
            before += i < fall ? n : 0;
        }
        struct drift_missing m = drift_missing(&d);
        assert_true(m.low <= m.likely && m.likely <= m.high);
        if (m.high == 0) { /* too little to tell it from chance */
            assert_true(before < 1000 || missing < before / 10);
            continue;
        }
        runs++;
        covered += missing >= m.low && missing <= m.high;
    }
    assert_in_range(runs, 120, 200);
    assert_in_range(covered, runs * 85 / 100, runs);
}

/* Endpoints settled without a probe, an empty scan, a scan of less than a block: no division by nothing. */
static void little_is_no_trouble(void **state) {
    (void)state;
    struct drift d = {.chunks = 0};
    struct drift_missing m = drift_missing(&d);
    assert_int_equal(m.high, 0);
    for (unsigned i = 0; i < 1000; i++)
        drift_add(&d, 0, 0);
    m = drift_missing(&d);
    assert_int_equal(m.high, 0);
    drift_add(&d, 1, 1);
    m = drift_missing(&d);
    assert_int_equal(m.high, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_share_misses_nothing),
        cmocka_unit_test(what_a_fall_swallows_is_estimated),
        cmocka_unit_test(little_is_no_trouble),
    };
    return cmocka_run_group_tests_name("scan/drift", tests, NULL, NULL);
}
