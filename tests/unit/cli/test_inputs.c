/* From words to a plan: lists, exclusions, names, ports, and the size that wants confirmation. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/inputs.h"

struct inputs {
    struct settings settings;
    struct console console;
    struct names names;
    struct plan *plan;
    char path[64];
};

static int setup(void **state) {
    struct inputs *in = calloc(1, sizeof *in);
    struct error e = ERROR_INIT;
    if (!in)
        return -1;
    in->console = CONSOLE_INIT;
    in->console.quiet = true;
    in->names = NAMES_INIT(&in->console);
    *state = in;
    return settings_init(&in->settings, &e);
}

static int teardown(void **state) {
    struct inputs *in = *state;
    plan_free(in->plan);
    names_deinit(&in->names);
    settings_deinit(&in->settings);
    if (in->path[0])
        unlink(in->path);
    free(in);
    return 0;
}

static void set(struct inputs *in, const char *name, const char *text) {
    struct error e = ERROR_INIT;
    assert_int_equal(settings_set(&in->settings, option_by_name(name, strlen(name)), text, &e), 0);
}

/* A temporary file with that text, for this option. */
static void set_file(struct inputs *in, const char *name, const char *text) {
    snprintf(in->path, sizeof in->path, "/tmp/noctule-test-inputs-XXXXXX");
    int fd = mkstemp(in->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    set(in, name, in->path);
}

static int build(struct inputs *in, struct error *e) {
    *e = ERROR_INIT;
    return inputs_plan(&in->settings, &in->names, &in->plan, e);
}

static void assert_size(struct inputs *in, uint64_t n) {
    struct error e;
    int code = build(in, &e);
    if (code < 0)
        print_error("%s\n", e.text);
    assert_int_equal(code, 0);
    assert_int_equal(plan_size(in->plan), n);
}

static void test_default_ports(void **state) {
    set(*state, "target", "198.18.0.0/30");
    assert_size(*state, 4 * PORTS_DEFAULT_COUNT);
}

static void test_ports_and_top_ports_add_up(void **state) {
    set(*state, "target", "198.18.0.1");
    set(*state, "ports", "65530-65534");
    set(*state, "top-ports", "10");
    assert_size(*state, 15);
}

static void test_excluded_ports(void **state) {
    set(*state, "target", "198.18.0.1");
    set(*state, "ports", "1-10");
    set(*state, "exclude-ports", "5-");
    assert_size(*state, 4);
}

static void test_lists_and_exclusions(void **state) {
    set_file(*state, "input-file", "198.18.0.0/24 # net\n198.18.1.1:22\n");
    set(*state, "ports", "80,443");
    set(*state, "exclude", "198.18.0.128/25");
    assert_size(*state, 2 * 128 + 1);
}

static void test_names(void **state) {
    struct inputs *in = *state;
    set(in, "target", "localhost:80");
    set(in, "exclude", "127.0.0.2");
    assert_size(in, 1);
    struct endpoint ep = plan_at(in->plan, 0);
    assert_int_equal(addr_v4(ep.addr), 0x7f000001);
    assert_int_equal(ep.slot.port, 80);
    assert_string_equal(names_of(&in->names, ep.addr), "localhost");
    assert_null(names_of(&in->names, addr_from_v4(0x7f000002)));
}

static void assert_refused(struct inputs *in, const char *part) {
    struct error e;
    assert_true(build(in, &e) < 0);
    if (!strstr(e.text, part))
        fail_msg("\"%s\" does not hold \"%s\"", e.text, part);
}

static void test_names_that_are_commands(void **state) {
    set(*state, "target", "ping");
    assert_refused(*state, "ping is a subcommand and comes first");
}

static void test_bad_exclude_file(void **state) {
    set(*state, "target", "198.18.0.1");
    set_file(*state, "exclude-file", "198.18.0.2\n 198.18.0.300\n");
    assert_refused(*state, ":2:");
}

static void test_missing_files(void **state) {
    set(*state, "target", "198.18.0.1");
    set(*state, "exclude-file", "/nowhere/x");
    assert_refused(*state, "--exclude-file: /nowhere/x: No such file");
}

static void test_empty_list(void **state) {
    set_file(*state, "input-file", "# nothing\n");
    assert_refused(*state, "the list is empty");
}

static void test_confirmation(void **state) {
    struct inputs *in = *state;
    struct error e = ERROR_INIT;
    set(in, "target", "198.0.0.0/7");
    set(in, "ports", "1");
    assert_int_equal(build(in, &e), 0);
    assert_int_equal(inputs_check_size(&in->settings, in->plan, &e), -EINVAL);
    assert_non_null(strstr(e.text, "--exclude-file"));
    set(in, "yes-to-all-of-it", "yes");
    assert_int_equal(inputs_check_size(&in->settings, in->plan, &e), 0);
}

static void test_exactly_as_many_need_no_confirmation(void **state) {
    struct inputs *in = *state;
    struct error e = ERROR_INIT;
    set(in, "target", "11.0.0.0/8");
    set(in, "ports", "1");
    assert_size(in, INPUTS_UNCONFIRMED_MAX);
    assert_int_equal(inputs_check_size(&in->settings, in->plan, &e), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_default_ports),    TEST(test_ports_and_top_ports_add_up), TEST(test_excluded_ports),
        TEST(test_lists_and_exclusions), TEST(test_names),               TEST(test_names_that_are_commands),
        TEST(test_bad_exclude_file), TEST(test_missing_files),            TEST(test_empty_list),
        TEST(test_confirmation),     TEST(test_exactly_as_many_need_no_confirmation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
