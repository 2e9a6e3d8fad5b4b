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

/* How many slots the plan's first address has of each technique. */
static void count_slots(struct inputs *in, unsigned counts[static TECHNIQUE_COUNT]) {
    uint64_t first = 0;
    unsigned n = 0;
    const struct slot *slots = plan_slots_of(in->plan, plan_at(in->plan, 0).addr, &first, &n);
    memset(counts, 0, TECHNIQUE_COUNT * sizeof *counts);
    for (unsigned i = 0; i < n; i++)
        counts[slots[i].technique]++;
}

static unsigned top(unsigned protocol, unsigned n) {
    struct port_set *set = test_calloc(1, sizeof *set);
    struct error e = ERROR_INIT;
    assert_int_equal(ports_top(protocol, n, set, &e), 0);
    unsigned count = port_set_count(set);
    test_free(set);
    return count;
}

#define BIT(technique) (UINT32_C(1) << TECHNIQUE_##technique)

/* Techniques, -p, --exclude-ports; and how many slots follow for SYN, FIN, UDP, SCTP INIT, protocols, ping. */
static void test_slots_of_techniques(void **state) {
    struct inputs *in = *state;
    const unsigned udp = top(PORTS_UDP, PORTS_DEFAULT_COUNT), sctp = top(PORTS_SCTP, PORTS_DEFAULT_COUNT);
    const struct {
        uint32_t techniques;
        const char *ports, *exclude;
        unsigned syn, fin, udp, sctp, protocol, ping;
    } cases[] = {
        {0, NULL, NULL, 1000, 0, 0, 0, 0, 0},
        {BIT(SYN) | BIT(FIN), NULL, NULL, 1000, 1000, 0, 0, 0, 0},
        {BIT(UDP), NULL, NULL, 0, 0, udp, 0, 0, 0},
        {BIT(SYN) | BIT(SCTP_INIT), NULL, NULL, 1000, 0, 0, sctp, 0, 0},
        {BIT(PROTOCOL), NULL, NULL, 0, 0, 0, 0, 256, 0},
        {BIT(PING), NULL, NULL, 0, 0, 0, 0, 0, 1},
        {BIT(SYN) | BIT(UDP), "1-3", NULL, 3, 0, 3, 0, 0, 0},
        {BIT(SYN) | BIT(UDP), "T:80,U:53,161", NULL, 1, 0, 2, 0, 0, 0},
        {BIT(SYN) | BIT(UDP), "7,U:53,161", NULL, 1, 0, 3, 0, 0, 0},
        {BIT(SYN) | BIT(UDP), "U:53", NULL, 0, 0, 1, 0, 0, 0},
        {BIT(SYN) | BIT(UDP), "1-9", "5", 8, 0, 8, 0, 0, 0},
        {BIT(SYN) | BIT(UDP), "1-9", "U:5-", 9, 0, 4, 0, 0, 0},
        {BIT(PROTOCOL) | BIT(SYN), "1-300", NULL, 300, 0, 0, 0, 255, 0},
        {BIT(PROTOCOL), "P:tcp,udp,47", NULL, 0, 0, 0, 0, 3, 0},
        {BIT(SYN) | BIT(UDP), "-", NULL, 65535, 0, 65535, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned n[TECHNIQUE_COUNT];
        struct error e = ERROR_INIT;
        static const struct port_spec nothing;
        in->settings.targets.targets.n = 0;
        in->settings.techniques = cases[i].techniques;
        in->settings.ports = in->settings.exclude_ports = nothing;
        set(in, "target", "198.18.0.1");
        if (cases[i].ports)
            assert_int_equal(ports_parse(cases[i].ports, &in->settings.ports, &e), 0);
        if (cases[i].exclude)
            assert_int_equal(ports_parse(cases[i].exclude, &in->settings.exclude_ports, &e), 0);
        if (build(in, &e) < 0)
            fail_msg("case %zu: %s", i, e.text);
        count_slots(in, n);
        assert_int_equal(n[TECHNIQUE_SYN], cases[i].syn);
        assert_int_equal(n[TECHNIQUE_FIN], cases[i].fin);
        assert_int_equal(n[TECHNIQUE_UDP], cases[i].udp);
        assert_int_equal(n[TECHNIQUE_SCTP_INIT], cases[i].sctp);
        assert_int_equal(n[TECHNIQUE_PROTOCOL], cases[i].protocol);
        assert_int_equal(n[TECHNIQUE_PING], cases[i].ping);
        plan_free(in->plan);
        in->plan = NULL;
    }
}

/* Which slot a target with a port becomes. */
static void test_targets_with_ports(void **state) {
    struct inputs *in = *state;
    static const struct {
        uint32_t techniques;
        const char *exclude;
        unsigned n, technique, port;
    } cases[] = {
        {0, NULL, 1, TECHNIQUE_SYN, 4433},
        {BIT(CONNECT), "U:4433", 1, TECHNIQUE_CONNECT, 4433},
        {BIT(SYN) | BIT(FIN) | BIT(UDP), NULL, 2, TECHNIQUE_SYN, 4433},
        {BIT(UDP) | BIT(SCTP_INIT), NULL, 1, TECHNIQUE_UDP, 4433},
        {BIT(SCTP_INIT), "T:4433", 1, TECHNIQUE_SCTP_INIT, 4433},
        {BIT(PING), NULL, 1, TECHNIQUE_PING, 0},
        {BIT(SYN), "4433", 0, 0, 0},
        {BIT(UDP), "U:4433", 0, 0, 0},
    };
    set_file(in, "input-file", "198.18.0.1:4433\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = ERROR_INIT;
        static const struct port_spec nothing;
        in->settings.techniques = cases[i].techniques;
        in->settings.exclude_ports = nothing;
        if (cases[i].exclude)
            assert_int_equal(ports_parse(cases[i].exclude, &in->settings.exclude_ports, &e), 0);
        if (cases[i].n == 0) {
            assert_int_equal(build(in, &e), -EINVAL);
            assert_non_null(strstr(e.text, "every port is excluded"));
            continue;
        }
        assert_int_equal(build(in, &e), 0);
        assert_int_equal(plan_size(in->plan), cases[i].n);
        assert_int_equal(plan_at(in->plan, 0).slot.technique, cases[i].technique);
        assert_int_equal(plan_at(in->plan, 0).slot.port, cases[i].port);
        plan_free(in->plan);
        in->plan = NULL;
    }
}

static void test_names(void **state) {
    struct inputs *in = *state;
    set(in, "target", "localhost:80"); /* of one family or of both */
    set(in, "exclude", "127.0.0.2");
    struct error e = ERROR_INIT;
    assert_int_equal(build(in, &e), 0);
    assert_in_range(plan_size(in->plan), 1, 2);
    struct endpoint ep = plan_at(in->plan, plan_size(in->plan) - 1); /* IPv4 stands above ::1 */
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

/* A letter that nothing scans, as with nmap, is no silent nothing. */
static void test_letters_without_a_technique(void **state) {
    struct inputs *in = *state;
    static const struct {
        uint32_t techniques;
        const char *ports, *says;
    } cases[] = {
        {BIT(SYN), "80,U:53", "UDP ports (U:), but no technique that probes them is asked for: expected -sU"},
        {BIT(UDP), "T:80,U:53", "expected -sS"},
        {BIT(SYN), "S:36412", "expected -sY"},
        {BIT(SYN), "P:1", "expected -sO"},
        {BIT(PROTOCOL), "300", "nothing is left to scan"},
    };
    set(in, "target", "198.18.0.1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = ERROR_INIT;
        static const struct port_spec nothing;
        in->settings.techniques = cases[i].techniques;
        in->settings.ports = nothing;
        assert_int_equal(ports_parse(cases[i].ports, &in->settings.ports, &e), 0);
        assert_refused(in, cases[i].says);
    }
}

/* An exclusion without a zone holds on every link; a target without one takes that of -e, or is refused. */
static void test_zones(void **state) {
    struct inputs *in = *state;
    set(in, "ports", "80");
    set(in, "target", "fe80::/120%lo");
    set(in, "exclude", "fe80::/121");
    assert_size(in, 128);
    addr_t first = plan_at(in->plan, 0).addr;
    assert_int_equal(addr_zone(first), 1); /* lo is the first interface of any machine */
    assert_int_equal((uint8_t)first, 128);
    plan_free(in->plan);
    in->plan = NULL;
    set(in, "target", "fe80::1:1");
    assert_refused(in, "fe80::1:1%eth0, or -e INTERFACE");
    set(in, "interface", "lo");
    assert_size(in, 129);
}

/* Both families in one plan, and what no plan can hold. */
static void test_ipv6(void **state) {
    struct inputs *in = *state;
    set_file(in, "input-file", "2001:db8::/120\n198.18.0.0/24\n[2001:db8:1::1]:8443\n");
    set(in, "ports", "80,443");
    assert_size(in, 2 * 512 + 1);
    plan_free(in->plan);
    in->plan = NULL;
    set(in, "target", "2a00::/64");
    assert_refused(in, "more than 2^63 probes");
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
        TEST(test_slots_of_techniques), TEST(test_targets_with_ports), TEST(test_letters_without_a_technique),
        TEST(test_zones), TEST(test_ipv6),
        TEST(test_lists_and_exclusions), TEST(test_names),               TEST(test_names_that_are_commands),
        TEST(test_bad_exclude_file), TEST(test_missing_files),            TEST(test_empty_list),
        TEST(test_confirmation),     TEST(test_exactly_as_many_need_no_confirmation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
