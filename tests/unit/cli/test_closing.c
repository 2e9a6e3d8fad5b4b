/* The closing words: what was found, what is undecided and why, what was not shown, what was lost. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/closing.h"

#define TEXT_MAX 4096

static const struct closing usual = {.ports = true, .show = 1u << STATE_OPEN};
static const struct closing hosts = {.show = 1u << STATE_OPEN | 1u << STATE_UP};

/* What closing_words() writes to stderr. */
static const char *words(const struct summary *sum, const struct closing *how) {
    static char text[TEXT_MAX];
    int ends[2], before = dup(STDERR_FILENO);
    struct console console = CONSOLE_INIT;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    closing_words(&console, sum, how);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(ends[1]);
    close(before);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static struct summary complete(void) {
    return (struct summary){.ended = "complete", .planned = 1000, .finals = 1000, .addresses = 1,
                            .duration_ns = 1230 * NS_PER_MS};
}

static void test_ports(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.states[STATE_CLOSED] = 1000;
    assert_string_equal(words(&sum, &usual),
                        "noctule: 1,000 endpoints on 1 address in 1.23 s: 0 open, 1,000 closed\n");
    sum.states[STATE_OPEN] = 3;
    sum.states[STATE_CLOSED] = 997;
    sum.unreachable = 4;
    assert_string_equal(words(&sum, &usual),
                        "noctule: 1,000 endpoints on 1 address in 1.23 s: 3 open, 997 closed, 4 without a way there\n");
}

static void test_hosts(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.planned = sum.addresses = 256;
    sum.states[STATE_DOWN] = 256;
    assert_string_equal(words(&sum, &hosts), "noctule: 256 addresses in 1.23 s: 0 up, 256 down\n");
    sum.states[STATE_UP] = 6;
    sum.states[STATE_DOWN] = 250;
    assert_string_equal(words(&sum, &hosts), "noctule: 256 addresses in 1.23 s: 6 up, 250 down\n");
    sum.hosts_up = 6; /* they are the findings, and told once */
    assert_null(strstr(words(&sum, &hosts), "hosts: "));
}

static void test_discovery(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.states[STATE_OPEN] = 100;
    sum.states[STATE_DOWN] = 900; /* on the own link, by ARP */
    sum.hosts_down = 9;
    assert_string_equal(words(&sum, &usual),
                        "noctule: 1,000 endpoints on 1 address in 1.23 s: 100 open, 900 of hosts that are down\n"
                        "noctule: hosts: 9 down, whose ports were not probed\n");
    sum.hosts_down = 0;
    sum.hosts_up = 2;
    assert_non_null(strstr(words(&sum, &usual), "\nnoctule: hosts: 2 up\n"));
    sum.hosts_down = 1234;
    assert_non_null(strstr(words(&sum, &usual),
                           "\nnoctule: hosts: 2 up, 1,234 down, whose ports were not probed\n"));
}

static void test_undecided(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.states[STATE_OPEN] = 10;
    sum.undecided = 990;
    sum.hosts_limited = 1;
    assert_string_equal(words(&sum, &usual),
                        "noctule: 1,000 endpoints on 1 address in 1.23 s: 10 open, 990 undecided\n"
                        "noctule: 990 undecided: 1 host limits the answers a second; --host-timeout TIME gives them "
                        "longer, 0 as long as it takes\n");
    sum.hosts_limited = 2;
    assert_non_null(strstr(words(&sum, &usual), ": 2 hosts limit the answers"));
}

static void test_hidden(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.states[STATE_OPEN_FILTERED] = 1000;
    assert_non_null(strstr(words(&sum, &usual), "1,000 did not answer, as open ports may do"));
    struct closing all = {.ports = true, .show = UINT16_MAX};
    assert_null(strstr(words(&sum, &all), "did not answer"));
}

static void test_verbose(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.ping_sent = 4;
    sum.own_ports = 5;
    sum.ring_dropped = 6;
    assert_null(strstr(words(&sum, &usual), "packets to find hosts"));
    struct closing verbose = {.ports = true, .show = 1u << STATE_OPEN, .verbose = true};
    const char *text = words(&sum, &verbose);
    assert_non_null(strstr(text, "4 packets to find hosts, 5 ports of noctule itself, which are closed\n"));
    assert_non_null(strstr(text, "lost on this machine: 6 replies by the full receive ring\n"));
}

static void test_rate(void **state) {
    (void)state;
    static const struct {
        const char *cause;
        uint64_t asked_milli, end_milli;
        bool blind;
        const char *want;
    } cases[] = {
        {"path", 100000000, 48512345, false, "48,512 packets a second; the path carries 50,000\n"},
        {"cap", 10000000, 10000000, false, "10,000 packets a second, its cap; --max-rate PPS allows more\n"},
        {"cap", 10000000, 10000000, true,
         "10,000 packets a second, its cap; blind: too few answers to tell what the path carries\n"},
        {"cap", 1000, 1000, false, "1 packet a second, its cap; --max-rate PPS allows more\n"},
        {"start", 50000, 50000, false, "50 packets a second, its cap; --max-rate PPS allows more\n"},
        {"start", 10000000, 4000000, false, "4,000 packets a second at the end, and still rising\n"},
        {"shut", 10000000, 100000, false, "100 packets a second at the end, slowed because answers stopped\n"},
        {"local", 0, 800000000, false,
         "800,000 packets a second at the end, slowed because this machine lost packets\n"},
        {"sender", 10000000000, 900000000, false, "as fast as this machine sends\n"},
        {"cap", 0, 100000000000, false, "as fast as this machine sends\n"},
        {"start", 0, 100000000000, false, "as fast as this machine sends\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct summary sum = complete();
        sum.duration_ns = 60 * NS_PER_SEC;
        sum.rate_milli_pps = cases[i].asked_milli;
        sum.rate_end_milli_pps = cases[i].end_milli;
        sum.rate_cause = cases[i].cause;
        sum.rate_blind = cases[i].blind;
        sum.path_pps = 50000;
        assert_null(strstr(words(&sum, &usual), "rate")); /* a fixed one was asked for, and kept */
        sum.rate_auto = true;
        const char *said = strstr(words(&sum, &usual), "\nnoctule: rate auto: ");
        assert_non_null(said);
        assert_string_equal(said + strlen("\nnoctule: rate auto: "), cases[i].want);
    }
}

/* A short scan is not told why it was no faster, unless something slowed it, or it asks. */
static void test_rate_of_short_scans(void **state) {
    (void)state;
    struct summary sum = complete();
    sum.rate_auto = true;
    sum.rate_milli_pps = sum.rate_end_milli_pps = 10000000;
    sum.rate_cause = "cap";
    assert_null(strstr(words(&sum, &usual), "rate auto"));
    struct closing verbose = {.ports = true, .show = 1u << STATE_OPEN, .verbose = true};
    assert_non_null(strstr(words(&sum, &verbose), "rate auto: 10,000 packets a second, its cap"));
    sum.rate_cause = "local";
    assert_non_null(strstr(words(&sum, &usual), "because this machine lost packets"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),     cmocka_unit_test(test_hosts),  cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_undecided), cmocka_unit_test(test_hidden), cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_rate),      cmocka_unit_test(test_rate_of_short_scans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
