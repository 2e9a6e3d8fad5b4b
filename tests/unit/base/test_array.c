#include "../unit.h"

#include <errno.h>

#include "base/array.h"

static void test_grows_to_its_maximum(void **state) {
    (void)state;
    struct array a = ARRAY_INIT(uint32_t, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t *item = array_add(&a);
        assert_non_null(item);
        *item = i * 7;
    }
    errno = 0;
    assert_null(array_add(&a));
    assert_int_equal(errno, E2BIG);
    assert_int_equal(a.n, 1000);
    assert_true(a.cap <= 1000);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(((uint32_t *)a.items)[i], i * 7);
    array_deinit(&a);
    assert_null(a.items);
    array_deinit(&a);
    assert_non_null(array_add(&a)); /* as new */
    array_deinit(&a);
}

static void test_small_maxima(void **state) {
    (void)state;
    for (size_t max = 0; max <= 40; max++) {
        struct array a = ARRAY_INIT(char, max);
        size_t n = 0;
        while (array_add(&a))
            n++;
        assert_int_equal(n, max);
        array_deinit(&a);
    }
}

static void test_too_much_memory(void **state) {
    (void)state;
    struct array a = {.max = SIZE_MAX, .item_size = SIZE_MAX / 4};
    errno = 0;
    assert_null(array_add(&a));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(a.n, 0);
    array_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_to_its_maximum), cmocka_unit_test(test_small_maxima),
        cmocka_unit_test(test_too_much_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
