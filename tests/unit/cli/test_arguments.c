/* Every way in which an option may stand on the command line. */
#include "unit.h"

#include <string.h>

#include "cli/arguments.h"
#include "probe/technique.h"

#define WORDS_MAX 16

/* Reads one command line, words between blanks. */
static int read_line(const char *line, struct settings *s, struct error *e) {
    static char copy[512];
    char *argv[WORDS_MAX];
    int argc = 0;
    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    for (char *at = copy; *at; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    assert_int_equal(settings_init(s, e), 0);
    return arguments_read(argc, argv, s, e);
}

static void good(const char *line, struct settings *s) {
    struct error e = ERROR_INIT;
    int code = read_line(line, s, &e);
    if (code < 0)
        print_error("%s: %s\n", line, e.text);
    assert_int_equal(code, 0);
}

/* The line is refused, with exactly these words. */
static void bad(const char *line, const char *words) {
    struct settings s;
    struct error e = ERROR_INIT;
    assert_true(read_line(line, &s, &e) < 0);
    assert_string_equal(e.text, words);
    settings_deinit(&s);
}

static void test_options_anywhere(void **state) {
    (void)state;
    static const char *const lines[] = {
        "--rate 5 198.18.0.1 -p80 --seed=7 -v 198.18.0.2",
        "198.18.0.1 198.18.0.2 -v -p 80 --seed 7 --rate=5",
        "-vp80 --seed 7 --max-rate 5 -- 198.18.0.1 198.18.0.2",
        "--verbose --ports=80 --target 198.18.0.1 198.18.0.2 --seed 7 --rate 5",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct settings s;
        good(lines[i], &s);
        assert_int_equal(s.targets.targets.n, 2);
        assert_int_equal(s.rate_milli_pps, 5000);
        assert_int_equal(s.seed, 7);
        assert_int_equal(s.verbose, 1);
        assert_int_equal(port_set_count(&s.ports.tcp), 1);
        settings_deinit(&s);
    }
}

static void test_words_behind_one_dash(void **state) {
    (void)state;
    struct settings s;
    good("-sS -Pn -n -iL - -vvq -e lo -oa.txt -p - -g 5 -B 1M", &s);
    assert_int_equal(s.techniques, 1u << TECHNIQUE_SYN);
    assert_true(s.no_discovery && s.numeric && s.quiet);
    assert_int_equal(s.verbose, 2);
    assert_string_equal(s.interface, "lo");
    assert_string_equal(((const char **)s.input_files.items)[0], "-");
    assert_string_equal(((const char **)s.outputs.items)[0], "a.txt");
    assert_int_equal(port_set_count(&s.ports.tcp), 65535);
    assert_int_equal(s.source_port, 5);
    settings_deinit(&s);
    good("-sSU", &s);
    assert_int_equal(s.techniques, 1u << TECHNIQUE_SYN | 1u << TECHNIQUE_UDP);
    settings_deinit(&s);
    good("-iL=list --open=no --quiet=yes", &s);
    assert_string_equal(((const char **)s.input_files.items)[0], "list");
    assert_true(s.quiet && !s.open);
    settings_deinit(&s);
}

static void test_values_may_look_like_options(void **state) {
    (void)state;
    struct settings s;
    good("-p -100 -o -v.txt --pcap -", &s);
    assert_int_equal(port_set_count(&s.ports.tcp), 100);
    assert_string_equal(((const char **)s.outputs.items)[0], "-v.txt");
    assert_string_equal(s.pcap, "-");
    assert_int_equal(s.verbose, 0);
    settings_deinit(&s);
}

static void test_the_last_one_counts(void **state) {
    (void)state;
    struct settings s;
    good("--retries 1 --retries 2 --show all --show closed --open --open=no", &s);
    assert_int_equal(s.retries, 2);
    assert_int_equal(s.show, 1 << STATE_CLOSED);
    assert_false(s.open);
    settings_deinit(&s);
}

static void test_help_wins(void **state) {
    (void)state;
    struct settings s;
    good("--rate nonsense 1.2.3.300 --help", &s);
    assert_true(s.help);
    settings_deinit(&s);
    good("-vV -c /nowhere", &s);
    assert_true(s.version);
    settings_deinit(&s);
}

static void test_refusals(void **state) {
    (void)state;
    bad("--rat 5", "unknown option --rat; did you mean --rate?");
    bad("--rat=5", "unknown option --rat; did you mean --rate?");
    bad("-rate 5", "unknown option -rate; did you mean --rate?");
    bad("-Z", "unknown option -Z; --help lists the options");
    bad("-vZ", "unknown option -vZ; --help lists the options");
    bad("-sQ", "unknown option -sQ; --help lists the options");
    bad("-sSQ", "unknown option -sQ; --help lists the options");
}

static void test_missing_values(void **state) {
    (void)state;
    bad("--rate", "--rate: expected a value, PPS, but nothing follows");
    bad("-iL", "-iL: expected a value, FILE, but nothing follows");
    bad("-p", "-p: expected a value, PORTS, but nothing follows");
    bad("--exclude-file --rate 5", "--exclude-file: expected a value, FILE, but next comes --rate");
    bad("--rate= x", "--rate: expected packets a second, 0.001 to 1000M (such as 0.1, 500, 10k), not \"\"");
}

static void test_errors_say_what_was_written(void **state) {
    (void)state;
    bad("--max-retries 11", "--max-retries: expected a whole number from 0 to 10, not \"11\"");
    bad("--retries=11", "--retries: expected a whole number from 0 to 10, not \"11\"");
    bad("-g70000", "-g: expected a whole number from 1 to 65535, not \"70000\"");
    bad("198.18.0.256", "bad target \"198.18.0.256\": an octet is at most 255");
    bad("--exclude 198.18.0.1:5", "--exclude: bad target \"198.18.0.1:5\": a port does not belong here; ports are given "
                                  "with -p");
    bad("-c /nowhere/x", "--config: /nowhere/x: No such file or directory");
}

static void test_planned(void **state) {
    (void)state;
    bad("-sSV", "-sV is not built yet");
    bad("-oX out.xml", "-oX is not built yet");
    bad("--banners", "--banners is not built yet");
    bad("--resume=file", "--resume is not built yet");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_anywhere),     cmocka_unit_test(test_words_behind_one_dash),
        cmocka_unit_test(test_values_may_look_like_options), cmocka_unit_test(test_the_last_one_counts),
        cmocka_unit_test(test_help_wins),            cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_missing_values),       cmocka_unit_test(test_errors_say_what_was_written),
        cmocka_unit_test(test_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
