#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scan/canary.h"

#define TIMEOUT_NS 1000u

struct aviary {
    struct canaries pool;
    struct govern govern;
    uint64_t now;
};

static struct aviary *aviary_new(uint64_t n) {
    struct aviary *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->now = NS_PER_SEC;
    govern_init(&a->govern, 10000, GOVERN_START_PPS, a->now);
    for (uint64_t i = 0; i < n; i++)
        canaries_offer(&a->pool, i);
    return a;
}

/* What the governor has been told of canaries. */
static struct tally told(const struct aviary *a) {
    return a->govern.epoch[GOVERN_CANARY];
}

static void each_is_asked_once_at_a_time(void **state) {
    (void)state;
    struct aviary *a = aviary_new(10);
    bool asked[10] = {false};
    uint64_t index;
    for (unsigned i = 0; i < atomic_load(&a->pool.known); i++) {
        assert_true(canaries_ask(&a->pool, a->now, &index));
        assert_in_range(index, 0, 9);
        assert_false(asked[index]);
        asked[index] = true;
    }
    assert_false(canaries_ask(&a->pool, a->now, &index));
    free(a);
}

static void answers_and_timeouts_reach_the_governor(void **state) {
    (void)state;
    struct aviary *a = aviary_new(1000);
    uint64_t known = atomic_load(&a->pool.known), index;
    assert_true(known > 200 && known <= CANARIES_MAX);
    assert_false(canaries_answered(&a->pool, 7)); /* nobody has asked */
    for (unsigned i = 0; i < known; i++) {
        assert_true(canaries_ask(&a->pool, a->now, &index));
        if (i % 4 != 0)
            assert_true(canaries_answered(&a->pool, index));
        assert_false(i % 4 != 0 && canaries_answered(&a->pool, index)); /* a copy of that answer */
    }
    canaries_settle(&a->pool, a->now + TIMEOUT_NS - 1, TIMEOUT_NS, &a->govern);
    assert_int_equal((uint64_t)told(a).sent, known - (known + 3) / 4);
    canaries_settle(&a->pool, a->now + TIMEOUT_NS, TIMEOUT_NS, &a->govern);
    assert_int_equal((uint64_t)told(a).sent, known);
    assert_int_equal((uint64_t)told(a).answered, known - (known + 3) / 4);
    assert_int_equal(a->pool.asked, 0);
    free(a);
}

/* An endpoint that has gone makes place; where all are silent the path has gone, and they stay. */
static void the_gone_are_told_from_a_path_that_is_shut(void **state) {
    (void)state;
    for (int shut = 0; shut < 2; shut++) {
        struct aviary *a = aviary_new(50);
        unsigned known = atomic_load(&a->pool.known);
        uint64_t index, gone = UINT64_MAX;
        for (unsigned round = 0; round < 20; round++, a->now += TIMEOUT_NS) {
            while (canaries_ask(&a->pool, a->now, &index)) {
                if (gone == UINT64_MAX)
                    gone = index;
                if (!shut && index != gone)
                    assert_true(canaries_answered(&a->pool, index));
            }
            canaries_settle(&a->pool, a->now + TIMEOUT_NS, TIMEOUT_NS, &a->govern);
        }
        assert_int_equal(atomic_load(&a->pool.known), shut ? known : known - 1);
        canaries_offer(&a->pool, gone);
        assert_int_equal(atomic_load(&a->pool.known), known);
        free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_asked_once_at_a_time),
        cmocka_unit_test(answers_and_timeouts_reach_the_governor),
        cmocka_unit_test(the_gone_are_told_from_a_path_that_is_shut),
    };
    return cmocka_run_group_tests_name("scan/canary", tests, NULL, NULL);
}
