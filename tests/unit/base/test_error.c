#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void test_formats_and_returns_the_code(void **state) {
    (void)state;
    struct error e = ERROR_INIT;
    assert_string_equal(e.text, "");
    assert_int_equal(error_set(&e, -EINVAL, "%s:%d: bad", "file", 3), -EINVAL);
    assert_string_equal(e.text, "file:3: bad");
}

static void test_control_bytes_are_shown(void **state) {
    (void)state;
    struct error e = ERROR_INIT;
    error_set(&e, -EINVAL, "a\033[31m\n\t\x7f%s", "\xc2\x9b" "31m");
    assert_string_equal(e.text, "a\\x1b[31m\\x0a\\x09\\x7f\\xc2\\x9b31m");
    error_set(&e, -EINVAL, "caf\xc3\xa9 \xc3\x9b"); /* text in UTF-8 stays */
    assert_string_equal(e.text, "caf\xc3\xa9 \xc3\x9b");
}

static void test_a_long_line_is_cut(void **state) {
    (void)state;
    struct error e = ERROR_INIT;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&e, -EINVAL, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    memset(text, '\n', sizeof text - 1);
    error_set(&e, -EINVAL, "%s", text);
    assert_int_equal(strlen(e.text) % 4, 0); /* whole escapes only */
    assert_true(strlen(e.text) > sizeof e.text - 8 && strlen(e.text) < sizeof e.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_and_returns_the_code), cmocka_unit_test(test_control_bytes_are_shown),
        cmocka_unit_test(test_a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
