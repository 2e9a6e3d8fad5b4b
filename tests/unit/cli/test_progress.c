/* The progress line in words: grouped numbers, spans of time, the share by time, a rate that is smoothed. */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "cli/progress.h"

static void assert_grouped(uint64_t v, const char *want) {
    char buf[GROUPED_MAX];
    assert_string_equal(progress_grouped(v, buf), want);
}

static void test_grouped(void **state) {
    (void)state;
    assert_grouped(0, "0");
    assert_grouped(999, "999");
    assert_grouped(1000, "1,000");
    assert_grouped(1234567, "1,234,567");
    assert_grouped(UINT64_MAX, "18,446,744,073,709,551,615");
}

static void assert_short(uint64_t v, const char *want) {
    char buf[SHORT_MAX];
    assert_string_equal(progress_short(v, buf), want);
}

static void test_short(void **state) {
    (void)state;
    assert_short(0, "0");
    assert_short(9999, "9999");
    assert_short(10000, "10.0k");
    assert_short(12399, "12.3k");
    assert_short(999999, "999k");
    assert_short(1000000, "1.0M");
    assert_short(UINT64_C(4294967296), "4.2G");
    assert_short(UINT64_MAX, "18.4E");
}

static void assert_span(uint64_t ns, const char *want) {
    char buf[SPAN_MAX];
    assert_string_equal(progress_span(ns, buf), want);
}

static void test_span(void **state) {
    (void)state;
    assert_span(0, "0 s");
    assert_span(1500 * NS_PER_MS, "2 s");
    assert_span(59499 * NS_PER_MS, "59 s");
    assert_span(59500 * NS_PER_MS, "1 m 00 s");
    assert_span(185 * NS_PER_SEC, "3 m 05 s");
    assert_span(7620 * NS_PER_SEC, "2 h 07 m");
    assert_span(UINT64_MAX, "5124095 h 34 m"); /* no overflow */
}

static void test_percent(void **state) {
    (void)state;
    struct scan_progress p = {.planned = 200, .answered = 20, .given_up = 30};
    assert_int_equal(progress_percent(&p), 25);
    p.elapsed_ns = 90 * NS_PER_SEC;
    p.eta_ns = 10 * NS_PER_SEC;
    assert_int_equal(progress_percent(&p), 90);
    p.elapsed_ns = p.eta_ns = UINT64_MAX;
    assert_int_equal(progress_percent(&p), 50);
    assert_int_equal(progress_percent(&(struct scan_progress){.planned = 0}), 0);
}

static void test_line(void **state) {
    (void)state;
    char line[300];
    struct progress_past past = {.sent = 0};
    struct scan_progress p = {.phase = "scan", .planned = 10000, .unsent = 5000, .in_flight = 1000, .answered = 3000,
                              .given_up = 1000, .sent = 6000, .found = 12, .drops = 3, .elapsed_ns = 2 * NS_PER_SEC,
                              .eta_ns = 6 * NS_PER_SEC};
    progress_format(&p, &past, line, sizeof line);
    assert_string_equal(line, "scan 25%, 6 s left, 3000/s, 12 open, 3 drops; 5000 unsent, 1000 in flight, "
                              "3000 answered, 1000 given up");
    p.sent += 7000;
    p.elapsed_ns += NS_PER_SEC;
    progress_format(&p, &past, line, sizeof line);
    assert_non_null(strstr(line, " 4000/s"));
    p.sent = 10; /* the next pass */
    p.eta_ns = 0;
    progress_format(&p, &past, line, sizeof line);
    assert_non_null(strstr(line, ", ? left"));
    assert_non_null(strstr(line, " 0/s"));
    p.rate_auto = p.rate_blind = true;
    progress_format(&p, &past, line, sizeof line);
    assert_non_null(strstr(line, "/s (blind), 12 open"));
    progress_format(&p, &past, line, 10);
    assert_int_equal(strlen(line), 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_span),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
