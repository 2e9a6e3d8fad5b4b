/* Config files: what a line may be, where an error is said to stand, and that what is written is read again. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config.h"

static int read_text(const char *text, size_t n, struct settings *s, struct error *e) {
    FILE *f = n ? fmemopen((void *)(uintptr_t)text, n, "r") : fopen("/dev/null", "r");
    assert_non_null(f);
    assert_int_equal(settings_init(s, e), 0);
    int code = config_read(f, "file", s, e);
    fclose(f);
    return code;
}

static void good(const char *text, struct settings *s) {
    struct error e = ERROR_INIT;
    int code = read_text(text, strlen(text), s, &e);
    if (code < 0)
        print_error("%s\n", e.text);
    assert_int_equal(code, 0);
}

/* Refused with a line that begins so. */
static void bad_bytes(const char *text, size_t n, const char *beginning) {
    struct settings s;
    struct error e = ERROR_INIT;
    assert_true(read_text(text, n, &s, &e) < 0);
    if (strncmp(e.text, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", e.text, beginning);
    settings_deinit(&s);
}

static void bad(const char *text, const char *beginning) {
    bad_bytes(text, strlen(text), beginning);
}

static void test_lines(void **state) {
    (void)state;
    struct settings s;
    good("\xef\xbb\xbf# a comment\n\n   \t\n  rate=5 # five\r\nretries\t = \t7\t\npcap = a b#c  #d\n"
         "target = 198.18.0.1\ntarget=198.18.0.2\nquiet = yes\nmax-runtime = \"5s\" # quoted\nverbose = 2", &s);
    assert_int_equal(s.rate_milli_pps, 5000);
    assert_int_equal(s.retries, 7);
    assert_string_equal(s.pcap, "a b#c");
    assert_int_equal(s.targets.targets.n, 2);
    assert_true(s.quiet);
    assert_int_equal(s.max_runtime_ns, UINT64_C(5000000000));
    assert_int_equal(s.verbose, 2);
    settings_deinit(&s);
    good("", &s);
    settings_deinit(&s);
    good("excludefile = x\nmin-rate = 3", &s); /* aliases are keys too */
    assert_int_equal(s.exclude_files.n, 1);
    settings_deinit(&s);
}

static void test_quotes(void **state) {
    (void)state;
    struct settings s;
    good("pcap = \" a # \\\"b\\\" \\\\ \\n\\r \"\n", &s);
    assert_string_equal(s.pcap, " a # \"b\" \\ \n\r ");
    settings_deinit(&s);
    bad("pcap = \"abc\n", "file:1:8: the quoted value has no closing");
    bad("pcap = \"a\\tb\"", "file:1:10: expected \\\"");
    bad("pcap = \"a\\", "file:1:10: expected \\\"");
    bad("pcap = \"a\" b", "file:1:12: expected the end of the line");
}

static void test_places(void **state) {
    (void)state;
    bad("rate", "file:1:5: expected '='");
    bad("rate 5", "file:1:6: expected '='");
    bad("= 5", "file:1:1: expected key = value");
    bad("\"rate\" = 5", "file:1:1: expected key = value");
    bad("\n\n  rate = x", "file:3:10: rate: expected auto, or packets a second");
    bad("rate =", "file:1:7: rate: expected auto, or packets a second");
    bad("\n rat = 5", "file:2:2: unknown key \"rat\"; did you mean rate?");
    bad("qqqqqqqqqqqqq = 5", "file:1:1: unknown key \"qqqqqqqqqqqqq\"; the keys are");
    bad("p = 80", "file:1:1: unknown key \"p\"");
    bad("max-retries = 11", "file:1:15: retries: expected auto, or a whole number from 0 to 10, not \"11\"");
    bad("target = 1.2.3.300", "file:1:10: target: bad target \"1.2.3.300\"");
    bad("banners = yes", "file:1:1: banners: not built yet");
    bad("dry-run = yes", "file:1:1: dry-run belongs on the command line");
    bad("config = other", "file:1:1: config belongs on the command line");
    bad("\xef\xbb\xbfrate = x", "file:1:8: rate: ");
}

static void test_bytes_that_are_no_text(void **state) {
    (void)state;
    static const char nul[] = "rate = 5\nra\0te = 5\n";
    bad_bytes(nul, sizeof nul - 1, "file:2:3: a NUL byte");
    char *longest = malloc(CONFIG_LINE_MAX + 10);
    assert_non_null(longest);
    memset(longest, '#', CONFIG_LINE_MAX + 10);
    bad_bytes(longest, CONFIG_LINE_MAX + 10, "file:1:65537: the line is longer than 65536 bytes");
    struct settings s;
    struct error e = ERROR_INIT;
    longest[CONFIG_LINE_MAX - 1] = '\n';
    longest[CONFIG_LINE_MAX] = '\n';
    assert_int_equal(read_text(longest, CONFIG_LINE_MAX + 10, &s, &e), 0);
    settings_deinit(&s);
    free(longest);
}

static void test_a_directory_is_no_file(void **state) {
    (void)state;
    struct settings s;
    struct error e = ERROR_INIT;
    assert_int_equal(settings_init(&s, &e), 0);
    FILE *f = fopen("/", "r");
    assert_non_null(f);
    assert_true(config_read(f, "file", &s, &e) < 0);
    assert_string_equal(e.text, "file: cannot be read: Is a directory");
    fclose(f);
    settings_deinit(&s);
}

static void test_any_value_is_read_back(void **state) {
    (void)state;
    static const char *const values[] = {"plain", "", " ", " a", "a ", "a#b", "a #b", "#", "\"", "\\", "a\\b", "\"a\"",
                                         "a\nb\r", "\t", "a = b", "\xc3\xa4", "\\n"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[200] = "";
        struct settings s;
        FILE *f = fmemopen(text, sizeof text, "w");
        assert_non_null(f);
        config_write(f, "pcap", values[i]);
        fclose(f);
        if (*values[i]) {
            good(text, &s);
            assert_string_equal(s.pcap, values[i]);
            settings_deinit(&s);
        } else {
            bad(text, "file:1:8: pcap: expected a FILE, not \"\"");
        }
    }
}

/* The text of --echo for these settings. */
static char *echo(const struct settings *s) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(config_echo(s, f), 0);
    fclose(f);
    return text;
}

static void test_echo_is_its_own_echo(void **state) {
    (void)state;
    struct settings first, second;
    good("target = 198.18.0.0/24\nexclude = 198.18.0.7\nports = 80\nports = 443\nrate = 1\nrate = auto\n"
         "max-rate = 2k\nshow = all\npcap = \" odd # name \"\nverbose = 2\nquiet = no\nseed = 5\nsource-mac = 02:00:00:00:00:01\n", &first);
    char *once = echo(&first);
    good(once, &second);
    char *twice = echo(&second);
    assert_string_equal(once, twice);
    assert_non_null(strstr(once, "\nrate = auto\nmax-rate = 2k\n"));
    assert_null(strstr(once, "rate = 1\n"));
    assert_non_null(strstr(once, "\nports = 80\nports = 443\n"));
    assert_non_null(strstr(once, "\n# retries = auto\n"));
    assert_true(second.rate_milli_pps == RATE_AUTO);
    assert_int_equal(second.max_rate_milli_pps, 2000000);
    assert_int_equal(second.source_mac.mac[5], 1);
    free(once);
    free(twice);
    settings_deinit(&first);
    settings_deinit(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_places), cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_a_directory_is_no_file), cmocka_unit_test(test_any_value_is_read_back),
        cmocka_unit_test(test_echo_is_its_own_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
