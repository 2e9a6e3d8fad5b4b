#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "scan/seen.h"

static void every_index_is_new_once(void **state) {
    (void)state;
    struct seen s;
    seen_init(&s);
    /* Both ends of every boundary the structure has: stripes, containers, high words, and the far end. */
    const uint64_t edges[] = {0, 1, 65535, 65536, UINT64_C(1) << 20, UINT32_MAX, UINT64_C(1) << 32,
                              (UINT64_C(1) << 32) + 65536, UINT64_C(1) << 48, (UINT64_C(1) << 63) - 1};
    for (unsigned i = 0; i < sizeof edges / sizeof *edges; i++) {
        assert_int_equal(seen_add(&s, edges[i]), 1);
        assert_int_equal(seen_add(&s, edges[i]), 0);
        assert_int_equal(seen_count(&s), i + 1);
    }
    seen_deinit(&s);
}

static void random_indexes_are_counted_exactly(void **state) {
    (void)state;
    struct seen s;
    seen_init(&s);
    uint64_t seed = 3, fresh = 0;
    for (unsigned i = 0; i < 200000; i++)
        fresh += (uint64_t)seen_add(&s, random_splitmix(&seed) >> 24);
    assert_int_equal(seen_count(&s), fresh);
    seed = 3;
    for (unsigned i = 0; i < 200000; i++)
        assert_int_equal(seen_add(&s, random_splitmix(&seed) >> 24), 0);
    seen_deinit(&s);
}

static void *add_all(void *arg) {
    uint64_t *fresh = arg;
    struct seen *s = (struct seen *)(uintptr_t)fresh[1];
    for (uint64_t i = 0; i < 100000; i++)
        fresh[0] += (uint64_t)seen_add(s, i * 977);
    return NULL;
}

static void threads_agree_on_who_was_first(void **state) {
    (void)state;
    struct seen s;
    seen_init(&s);
    uint64_t args[2][2] = {{0, (uintptr_t)&s}, {0, (uintptr_t)&s}};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, args[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(args[0][0] + args[1][0], 100000);
    seen_deinit(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_new_once),
        cmocka_unit_test(random_indexes_are_counted_exactly),
        cmocka_unit_test(threads_agree_on_who_was_first),
    };
    return cmocka_run_group_tests_name("scan/seen", tests, NULL, NULL);
}
