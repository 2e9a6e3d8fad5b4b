/* What "did you mean" proposes. */
#include "unit.h"

#include <string.h>

#include "cli/nearest.h"

static const char *nearest_of(const char *word, const char *const *known) {
    static char found[64];
    struct nearest near = nearest_to(word, strlen(word));
    for (; *known; known++)
        nearest_try(&near, *known, strlen(*known));
    if (!near.found)
        return NULL;
    assert_true(near.found_n < sizeof found);
    memcpy(found, near.found, near.found_n);
    found[near.found_n] = '\0';
    return found;
}

static const char *const interfaces[] = {"lo", "eth0", "eth1", "wlan0", "docker0", NULL};

static void test_the_nearest_is_proposed(void **state) {
    (void)state;
    assert_string_equal(nearest_of("eht0", interfaces), "eth0");
    assert_string_equal(nearest_of("eth2", interfaces), "eth0"); /* of equals the first */
    assert_string_equal(nearest_of("eth11", interfaces), "eth1");
    assert_string_equal(nearest_of("wlan", interfaces), "wlan0");
    assert_string_equal(nearest_of("dokcer0", interfaces), "docker0");
}

static void test_what_is_too_far_is_not_proposed(void **state) {
    (void)state;
    char longest[60];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(nearest_of("enp3s0f1", interfaces));
    assert_null(nearest_of("l0", interfaces)); /* "lo" is near to everything */
    assert_null(nearest_of("", interfaces));
    assert_null(nearest_of(longest, interfaces));
    assert_null(nearest_of("eth0", (const char *const[]){longest, NULL}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nearest_is_proposed),
        cmocka_unit_test(test_what_is_too_far_is_not_proposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
