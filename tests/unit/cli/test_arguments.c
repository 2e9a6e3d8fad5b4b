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
        "-vp80 --seed 7 --min-rate 5 -- 198.18.0.1 198.18.0.2",
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
    assert_true(s.no_discovery && s.quiet);
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
    bad("-ratte 5", "unknown option -ratte; did you mean --rate?");
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
    bad("--rate= x", "--rate: expected auto, or packets a second, 0.001 to 1000M (such as 0.1, 500, 10k), not \"\"");
}

static void test_errors_say_what_was_written(void **state) {
    (void)state;
    bad("--max-retries 11", "--max-retries: expected auto, or a whole number from 0 to 10, not \"11\"");
    bad("--retries=11", "--retries: expected auto, or a whole number from 0 to 10, not \"11\"");
    bad("-g70000", "-g: expected a whole number from 1 to 65535, not \"70000\" (RustScan's -g is -o hostport:-)");
    bad("198.18.0.256", "bad target \"198.18.0.256\": an octet is at most 255");
    bad("--exclude 198.18.0.1:5", "--exclude: bad target \"198.18.0.1:5\": a port does not belong here; ports are given "
                                  "with -p");
    bad("-c /nowhere/x", "--config: /nowhere/x: No such file or directory (ZMap's -c TIME is --wait TIME, naabu's -c N "
                          "is not needed)");
}

/* What other tools say and noctule does not do: one line that names our way, also from within run-together letters. */
static void begins(const char *line, const char *words) {
    struct settings s;
    struct error e = ERROR_INIT;
    assert_true(read_line(line, &s, &e) < 0);
    e.text[strlen(words)] = '\0';
    assert_string_equal(e.text, words);
    settings_deinit(&s);
}

static void test_foreign_words(void **state) {
    (void)state;
    begins("-sSV", "-sV: noctule finds hosts and ports");
    begins("-oX out.xml", "-oX: results go to -o FILE.txt");
    begins("-oXout.xml", "-oX: results go to");
    begins("-PO1,2", "-PO: a ping is made of");
    begins("-vA", "-A: only ports are scanned");
    begins("-D 198.18.0.3", "-D: hiding is not a feature");
    begins("--banners", "--banners: not built yet");
    begins("--resume=file", "--resume: not built yet");
    begins("-script vuln", "-script: noctule finds");
    begins("-r 5", "-r: the order is always random");
    begins("-- -sV", "-sV: behind -- stand targets only");
}

static void test_long_names_behind_one_dash(void **state) {
    (void)state;
    struct settings s;
    good("-rate 5 -top-ports 100 -exclude-ports=22 -host 198.18.0.1 -silent -retries 2 -v", &s);
    assert_int_equal(s.rate_milli_pps, 5000);
    assert_int_equal(s.top_ports, 100);
    assert_int_equal(s.targets.targets.n, 1);
    assert_int_equal(s.retries, 2);
    assert_int_equal(s.verbose, 1);
    assert_true(s.quiet && port_set_has(&s.exclude_ports.tcp, 22));
    settings_deinit(&s);
}

static void test_ports_behind_their_word(void **state) {
    (void)state;
    struct settings s;
    good("-PS22,80 -PA -PU=53 --ping-sctp=36412 -PE 198.18.0.1", &s);
    assert_int_equal(s.ping.n, 6);
    assert_int_equal(s.ping.parts[2].port, 80);
    assert_int_equal(s.ping.parts[2].kind, PING_ACK);
    assert_int_equal(s.ping.parts[4].port, 36412);
    assert_int_equal(s.targets.targets.n, 1);
    settings_deinit(&s);
}

static void test_presets_count_less(void **state) {
    (void)state;
    struct settings s;
    good("--rate 5 -T5 -F", &s);
    assert_int_equal(s.rate_milli_pps, 5000);
    assert_int_equal(s.retries, 2);
    assert_int_equal(s.top_ports, 100);
    settings_deinit(&s);
    good("-T polite", &s);
    assert_int_equal(s.rate_milli_pps, 2500);
    settings_deinit(&s);
    good("-T4", &s);
    assert_true(s.rate_milli_pps == RATE_AUTO);
    assert_int_equal(s.max_rate_milli_pps, 30000000);
    settings_deinit(&s);
    good("--rate auto -T4", &s);
    assert_int_equal(s.max_rate_milli_pps, 30000000);
    settings_deinit(&s);
    bad("-T6", "-T: expected one of 0, paranoid, 1, sneaky, 2, polite, 3, normal, 4, aggressive, 5, insane, not \"6\" "
               "(ZMap's -T N is --sender-threads N)");
}

/* A rate and a cap answer the same question: what the command line says of one replaces the preset's other. */
static void test_a_rate_beside_a_cap(void **state) {
    (void)state;
    struct settings s;
    good("-T4 --rate 50k", &s);
    assert_int_equal(s.rate_milli_pps, 50000000);
    assert_false(settings_given(&s, "max-rate"));
    settings_deinit(&s);
    good("--max-rate 100 -T2", &s);
    assert_true(s.rate_milli_pps == RATE_AUTO);
    assert_int_equal(s.max_rate_milli_pps, 100000);
    settings_deinit(&s);
    good("--min-rate 100 --max-rate 500", &s); /* both were said here: both stay */
    assert_int_equal(s.rate_milli_pps, 100000);
    assert_int_equal(s.max_rate_milli_pps, 500000);
    settings_deinit(&s);
}

/* A number where none belongs was meant for another tool's option of the same letter. */
static void test_clashes(void **state) {
    (void)state;
    struct settings s;
    bad("-n 1000 198.18.0.1", "-n: expected no value, but next comes 1000 (ZMap's -n N is --sample N)");
    bad("-v 5 198.18.0.1", "-v: expected no value, but next comes 5 (ZMap's -v N is -v or -vv)");
    bad("-g", "-g: expected a value, PORT, but nothing follows (RustScan's -g is -o hostport:-)");
    bad("-top-ports full", "-top-ports: expected a whole number from 1 to 65535, not \"full\" (naabu's full is -p-)");
    bad("-iface eth0 --range 1-1000", "--range: bad target \"1-1000\": an octet is at most 255 (several targets stand "
                                      "with blanks between; RustScan's --range of ports is -p)");
    bad("-PS 22,80 198.18.0.1", "-PS: its ports stand right behind it, -PS22,80");
    bad("--ping-syn 22 198.18.0.1", "--ping-syn: its ports stand right behind it, --ping-syn=22");
    good("-n 198.18.0.1", &s);
    settings_deinit(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_anywhere),     cmocka_unit_test(test_words_behind_one_dash),
        cmocka_unit_test(test_values_may_look_like_options), cmocka_unit_test(test_the_last_one_counts),
        cmocka_unit_test(test_help_wins),            cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_missing_values),       cmocka_unit_test(test_errors_say_what_was_written),
        cmocka_unit_test(test_foreign_words),
        cmocka_unit_test(test_long_names_behind_one_dash), cmocka_unit_test(test_ports_behind_their_word),
        cmocka_unit_test(test_presets_count_less),   cmocka_unit_test(test_a_rate_beside_a_cap),
        cmocka_unit_test(test_clashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
