/* What each kind of value takes, what it refuses, and what only the whole can show. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/settings.h"
#include "probe/technique.h"
#include "scan/scan.h"

static int setup(void **state) {
    static struct settings settings;
    struct error e = ERROR_INIT;
    *state = &settings;
    return settings_init(&settings, &e);
}

static int teardown(void **state) {
    settings_deinit(*state);
    return 0;
}

static int set(struct settings *s, const char *name, const char *text) {
    struct error e = ERROR_INIT;
    const struct option *o = option_by_name(name, strlen(name));
    assert_non_null(o);
    int code = settings_set(s, o, text, &e);
    if (code < 0) { /* every refusal has its one line, and it names what was refused or what was expected */
        assert_true(strlen(e.text) > 10);
        assert_null(strchr(e.text, '\n'));
    }
    return code;
}

static void taken(struct settings *s, const char *name, const char *text) {
    assert_int_equal(set(s, name, text), 0);
}

static void refused(struct settings *s, const char *name, const char *const *texts) {
    for (; *texts; texts++)
        assert_true(set(s, name, *texts) < 0);
}

#define REFUSED(s, name, ...) refused(s, name, (const char *const[]){__VA_ARGS__, NULL})

static void test_fallbacks(void **state) {
    const struct settings *s = *state;
    assert_true(s->rate_milli_pps == RATE_AUTO);
    assert_int_equal(s->max_rate_milli_pps, 10000 * 1000);
    assert_true(s->retries == RETRIES_AUTO);
    assert_int_equal(s->ttl, 64);
    assert_int_equal(s->wire, SCAN_WIRE_AUTO);
    assert_int_equal(s->senders, 0);
    assert_int_equal(s->show, 0);
    assert_int_equal(s->host_timeout_ns, 60 * NS_PER_SEC);
    assert_int_equal(s->shard.i, 1);
    assert_int_equal(s->shard.n, 1);
    assert_int_equal(s->given.n, 0);
    assert_false(settings_given(s, "rate"));
}

static void test_flags_and_counts(void **state) {
    struct settings *s = *state;
    taken(s, "quiet", "yes");
    assert_true(s->quiet);
    taken(s, "quiet", "no");
    assert_false(s->quiet);
    taken(s, "quiet", "true");
    taken(s, "verbose", "1");
    taken(s, "verbose", "2");
    assert_int_equal(s->verbose, 3);
    REFUSED(s, "quiet", "", "1", "YES", "yes ", "maybe");
    REFUSED(s, "verbose", "", "-1", "10", "yes");
}

static void test_numbers(void **state) {
    struct settings *s = *state;
    taken(s, "retries", "auto");
    assert_true(s->retries == RETRIES_AUTO);
    taken(s, "miss", "0.1%");
    assert_int_equal(s->miss_ppb, 1000000);
    taken(s, "miss", "0.001");
    assert_int_equal(s->miss_ppb, 1000000);
    taken(s, "miss", "0.0000001%");
    assert_int_equal(s->miss_ppb, 1);
    taken(s, "miss", "50%");
    assert_int_equal(s->miss_ppb, PPB / 2);
    REFUSED(s, "miss", "", "%", "0", "0%", "51%", "0.6", "-1%", "1%%", "0.1 %", "nan", "inf", "1e-3", "0x1p-4", ".", "1.2.3");
    taken(s, "retries", "0");
    assert_int_equal(s->retries, 0);
    taken(s, "retries", "10");
    taken(s, "seed", "18446744073709551615");
    assert_int_equal(s->seed, UINT64_MAX);
    taken(s, "ttl", "255");
    taken(s, "sender-threads", "0");
    taken(s, "senders", "16");
    assert_int_equal(s->senders, SCAN_SENDERS_MAX);
    REFUSED(s, "sender-threads", "", "17", "-1", "auto", "1.5", "4x");
    REFUSED(s, "retries", "", "11", "-1", "1.5", "1k", " 1", "1 ", "0x1", "+1");
    REFUSED(s, "seed", "18446744073709551616", "a");
    REFUSED(s, "ttl", "0", "256");
    REFUSED(s, "source-port", "0", "65536");
    REFUSED(s, "max-results", "0", "9223372036854775808");
    assert_int_equal(s->retries, 10); /* what is refused changes nothing */
}

static void test_rates_and_bits(void **state) {
    struct settings *s = *state;
    taken(s, "rate", "0.1");
    assert_int_equal(s->rate_milli_pps, 100);
    taken(s, "min-rate", "2M");
    assert_int_equal(s->rate_milli_pps, UINT64_C(2000000000));
    taken(s, "rate", "auto");
    assert_true(s->rate_milli_pps == RATE_AUTO);
    taken(s, "max-rate", "1.5");
    assert_int_equal(s->max_rate_milli_pps, 1500);
    assert_true(s->rate_milli_pps == RATE_AUTO);
    taken(s, "bandwidth", "1.5k");
    assert_int_equal(s->bandwidth_bps, 1500);
    REFUSED(s, "rate", "0", "0.0001", "-1", "1001M", "1T", "10 k", "fast", "", "99999999999999999999");
    REFUSED(s, "rate", "Auto", "auto ", "automatic");
    REFUSED(s, "max-rate", "auto", "0", "0.0001", "1001M", "none", "");
    REFUSED(s, "bandwidth", "0", "0.5", "1001G", "1.0005k", "x");
}

static void test_durations(void **state) {
    struct settings *s = *state;
    taken(s, "timeout", "250ms");
    assert_int_equal(s->timeout_ns, 250 * NS_PER_MS);
    taken(s, "timeout", "2s");
    assert_int_equal(s->timeout_ns, 2 * NS_PER_SEC);
    taken(s, "host-timeout", "0");
    assert_int_equal(s->host_timeout_ns, 0);
    taken(s, "host-timeout", "90");
    assert_int_equal(s->host_timeout_ns, 90 * NS_PER_SEC);
    taken(s, "wait", "0");
    taken(s, "max-runtime", "2h");
    assert_int_equal(s->max_runtime_ns, 7200 * NS_PER_SEC);
    REFUSED(s, "timeout", "0", "2", "1000", "0.5", "999us", "11m", "1x", "-1", "", "1 s");
    REFUSED(s, "wait", "61m", "soon");
    REFUSED(s, "max-runtime", "0", "99999999999999d");
}

static void test_shards(void **state) {
    struct settings *s = *state;
    taken(s, "shard", "3/7");
    assert_int_equal(s->shard.i, 3);
    assert_int_equal(s->shard.n, 7);
    REFUSED(s, "shard", "", "1", "0/1", "2/1", "1/0", "/", "1/", "/1", "1/2/3", "-1/2", "1/4294967296", "a/b",
            "11111111111111111111111111111111111/2");
}

static void test_addresses(void **state) {
    struct settings *s = *state;
    taken(s, "source-ip", "198.18.0.1");
    taken(s, "source-ip", "2001:2::1");
    assert_int_equal(addr_v4(s->source_ip.v4), 0xc6120001);
    assert_true(s->source_ip.v6 == ((addr_t)0x20010002 << 96 | 1)); /* one of each family */
    taken(s, "adapter-ip", "198.18.0.2");
    assert_int_equal(addr_v4(s->source_ip.v4), 0xc6120002);
    REFUSED(s, "source-ip", "", "198.18.0", "198.18.0.256", "198.18.0.1/32", "0.0.0.0", "::", "eth0",
            "fe80::1%nosuch0");
}

static void test_macs(void **state) {
    struct settings *s = *state;
    static const uint8_t want[] = {0x02, 0, 0x5e, 0x10, 0xab, 0xff};
    taken(s, "source-mac", "02:00:5e:10:Ab:fF");
    assert_true(s->source_mac.given);
    assert_memory_equal(s->source_mac.mac, want, 6);
    taken(s, "router-mac", "02-00-5e-10-ab-ff");
    assert_memory_equal(s->gateway_mac.mac, want, 6);
    REFUSED(s, "source-mac", "", "02", "02:00:5e:10:ab", "02:00:5e:10:ab:ff:00", "02005e10abff", "02:00:5e:10:ab:fg",
            "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "2:0:5e:10:ab:ff", "02:00:5e:10:ab:f");
}

static void test_states(void **state) {
    struct settings *s = *state;
    taken(s, "show", "closed,filtered");
    assert_int_equal(s->show, 1 << STATE_CLOSED | 1 << STATE_FILTERED);
    taken(s, "show", "all");
    assert_int_equal(s->show, UINT16_MAX);
    taken(s, "show", "open,open");
    assert_int_equal(s->show, 1 << STATE_OPEN);
    taken(s, "show", "open|filtered,unfiltered,up,down,unknown");
    assert_int_equal(s->show, 1 << STATE_OPEN_FILTERED | 1 << STATE_UNFILTERED | 1 << STATE_UP | 1 << STATE_DOWN |
                                  1 << STATE_UNKNOWN);
    taken(s, "show", "open-filtered,closed-filtered"); /* for those who forget the quotes once */
    assert_int_equal(s->show, 1 << STATE_OPEN_FILTERED | 1 << STATE_CLOSED_FILTERED);
    REFUSED(s, "show", "", "opne", "open,", ",open", "all,open", "open closed", "Open", "open|", "|filtered", "-");
}

static void test_ports_add_up(void **state) {
    struct settings *s = *state;
    taken(s, "ports", "22");
    taken(s, "ports", "80-90,https");
    assert_int_equal(port_set_count(&s->ports.tcp), 13);
    REFUSED(s, "ports", "", "65536", "9-1", "1,,2", "nosuchservice", "X:1", "1-2-3");
}

static void test_targets(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "target", "198.18.0.0/24:80");
    taken(s, "target", "host.example:443");
    assert_int_equal(s->targets.targets.n, 2);
    assert_int_equal(s->targets.names.n, 1);
    taken(s, "exclude", "198.18.0.7");
    REFUSED(s, "target", "", "198.18.0.256", "198.18.0.0/33", "1.2.3.4:0", "a b", "-", "1000", "1-1000", "1000:80");
    REFUSED(s, "exclude", "198.18.0.7:80", "host.example:443", "1.2.3.4/");
}

static void test_words(void **state) {
    struct settings *s = *state;
    taken(s, "output", "a.txt");
    taken(s, "output", "b.jsonl");
    assert_int_equal(s->outputs.n, 2);
    assert_string_equal(((const char **)s->outputs.items)[1], "b.jsonl");
    REFUSED(s, "output", "");
    REFUSED(s, "pcap", "");
    taken(s, "pcap", "x.pcap");
    assert_string_equal(s->pcap, "x.pcap");
}

static void assert_check(struct settings *s, const char *part) {
    struct error e = ERROR_INIT;
    int code = settings_check(s, &e);
    if (!part) {
        assert_int_equal(code, 0);
        return;
    }
    assert_int_equal(code, -EINVAL);
    assert_non_null(strstr(e.text, part));
}

static void test_check_wants_a_target(void **state) {
    struct settings *s = *state;
    assert_check(s, "no target");
    taken(s, "input-file", "list");
    assert_check(s, NULL);
}

static void test_check_exclusive(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "connect", "yes");
    assert_check(s, NULL);
    taken(s, "pcap", "x");
    assert_check(s, "--pcap");
    taken(s, "syn", "yes");
    assert_check(s, "-sT goes alone");
    taken(s, "connect", "no");
    assert_check(s, NULL);
}

static void test_check_rates(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "max-rate", "10");
    assert_check(s, NULL);
    taken(s, "rate", "5");
    assert_check(s, NULL); /* it stays below the cap */
    taken(s, "rate", "10");
    assert_check(s, NULL);
    taken(s, "rate", "10.001");
    assert_check(s, "--rate is more than --max-rate");
    taken(s, "rate", "auto");
    assert_check(s, NULL);
    taken(s, "bandwidth", "5k");
    assert_check(s, "--max-rate (or -T) and --bandwidth");
}

static void test_forgotten(void **state) {
    struct settings *s = *state;
    struct error e = ERROR_INIT;
    taken(s, "target", "198.18.0.1");
    taken(s, "rate", "20k");
    taken(s, "retries", "7");
    taken(s, "rate", "30k");
    assert_int_equal(settings_forget(s, option_by_name("rate", 4), &e), 0);
    assert_true(s->rate_milli_pps == RATE_AUTO);
    assert_false(settings_given(s, "rate"));
    assert_true(settings_given(s, "retries"));
    assert_int_equal(s->given.n, 2);
    taken(s, "bandwidth", "5k");
    assert_check(s, NULL);
    taken(s, "rate", "5");
    assert_check(s, "--rate (or -T) and --bandwidth");
}

static void test_check_open_and_show(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "open", "yes");
    assert_check(s, NULL);
    taken(s, "show", "closed");
    assert_check(s, "--show");
    taken(s, "show", "open");
    assert_check(s, NULL);
}

static void test_techniques(void **state) {
    struct settings *s = *state;
    taken(s, "udp", "yes");
    taken(s, "syn", "yes");
    assert_int_equal(s->techniques, 1u << TECHNIQUE_SYN | 1u << TECHNIQUE_UDP);
    taken(s, "syn", "no");
    assert_int_equal(s->techniques, 1u << TECHNIQUE_UDP);
    REFUSED(s, "syn", "", "1", "maybe");
}

static void test_tcp_flags(void **state) {
    struct settings *s = *state;
    static const struct {
        const char *text;
        uint8_t flags;
    } cases[] = {
        {"SYN", 0x02}, {"SYNFIN", 0x03}, {"finsyn", 0x03}, {"URGACKPSHRSTSYNFIN", 0x3f}, {"ECECWR", 0xc0},
        {"0", 0},      {"2", 0x02},      {"255", 0xff},    {"0x12", 0x12},               {"0XFf", 0xff},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        taken(s, "scanflags", cases[i].text);
        assert_true(s->scanflags.given);
        assert_int_equal(s->scanflags.flags, cases[i].flags);
    }
    REFUSED(s, "scanflags", "", "S", "SY", "SYNX", "SYN,FIN", "SYN FIN", "256", "-1", "0x", "0x123", "0xg", "2x");
}

static void test_pings(void **state) {
    struct settings *s = *state;
    taken(s, "ping-echo", "yes");
    taken(s, "ping-echo", "yes"); /* once is enough */
    taken(s, "ping-timestamp", "no");
    taken(s, "ping-syn", "22,443");
    taken(s, "ping-udp", "");
    static const struct ping_part want[] = {{PING_ECHO, 0}, {PING_SYN, 22}, {PING_SYN, 443}, {PING_UDP, 40125}};
    assert_int_equal(s->ping.n, sizeof want / sizeof *want);
    for (unsigned i = 0; i < s->ping.n; i++) {
        assert_int_equal(s->ping.parts[i].kind, want[i].kind);
        assert_int_equal(s->ping.parts[i].port, want[i].port);
    }
    REFUSED(s, "ping-ack", "1-17", "65536", "U:53", "x y");
    REFUSED(s, "ping-echo", "22", "");
}

static void test_presets(void **state) {
    struct settings *s = *state;
    taken(s, "timing", "5");
    assert_true(s->rate_milli_pps == RATE_AUTO);
    assert_int_equal(s->max_rate_milli_pps, UINT64_C(100000) * 1000);
    assert_int_equal(s->retries, 2);
    assert_true(settings_given(s, "max-rate"));
    taken(s, "timing", "paranoid");
    assert_int_equal(s->rate_milli_pps, 3); /* 0.003: one in five minutes */
    taken(s, "timing", "normal");
    assert_int_equal(s->rate_milli_pps, 3);
    taken(s, "fast", "no");
    assert_int_equal(s->top_ports, 0);
    taken(s, "fast", "true");
    assert_int_equal(s->top_ports, 100);
    REFUSED(s, "timing", "", "6", "fast", "yes");
    REFUSED(s, "fast", "", "1");
    REFUSED(s, "probe-module", "dns", "");
}

static void assert_shows(struct settings *s, unsigned want) {
    assert_int_equal(settings_show(s), want);
}

/* What each technique is asked for is what it shows. */
static void test_what_is_shown(void **state) {
    struct settings *s = *state;
    const unsigned usual = 1u << STATE_OPEN;
    assert_shows(s, usual);
    taken(s, "udp", "yes");
    assert_shows(s, usual);
    taken(s, "fin", "yes");
    assert_shows(s, usual | 1u << STATE_OPEN_FILTERED);
    taken(s, "ack", "yes");
    assert_shows(s, usual | 1u << STATE_OPEN_FILTERED | 1u << STATE_UNFILTERED);
    taken(s, "ping", "yes");
    assert_shows(s, usual | 1u << STATE_OPEN_FILTERED | 1u << STATE_UNFILTERED | 1u << STATE_UP);
    taken(s, "open", "yes");
    assert_shows(s, 1u << STATE_OPEN);
    taken(s, "open", "no");
    taken(s, "show", "closed");
    assert_shows(s, 1u << STATE_CLOSED);
}

static void test_check_techniques(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "connect", "yes");
    taken(s, "udp", "yes");
    assert_check(s, "-sT goes alone");
    taken(s, "connect", "no");
    taken(s, "scanflags", "SYN");
    assert_check(s, "--scanflags wants one technique of TCP");
    taken(s, "fin", "yes");
    assert_check(s, NULL);
    taken(s, "xmas", "yes");
    assert_check(s, "--scanflags wants one technique of TCP");
    taken(s, "xmas", "no");
    taken(s, "source-port", "53");
    assert_check(s, NULL); /* UDP and TCP */
    taken(s, "ack", "yes");
    taken(s, "scanflags", "0");
    assert_check(s, "--scanflags");
}

static void test_check_one_port(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "source-port", "53");
    taken(s, "syn", "yes");
    taken(s, "udp", "yes");
    taken(s, "sctp-init", "yes");
    assert_check(s, NULL);
    taken(s, "sctp-cookie", "yes");
    assert_check(s, "answers to -sY and -sZ look alike");
}

static void test_check_pings(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "ping-syn", "22");
    assert_true(settings_discovers(s));
    assert_check(s, NULL);
    taken(s, "no-discovery", "yes");
    assert_check(s, "-Pn and the options of a ping");
    taken(s, "ping", "yes");
    assert_false(settings_discovers(s));
    assert_check(s, "-Pn and -sn");
    taken(s, "no-discovery", "no");
    assert_check(s, NULL);
    taken(s, "alive", "yes");
    assert_check(s, "--alive");
    taken(s, "alive", "no");
    taken(s, "open", "yes");
    assert_check(s, "--open shows nothing");
    taken(s, "open", "no");
    taken(s, "ports", "22");
    assert_check(s, "-sn probes no port");
    taken(s, "fin", "yes");
    assert_check(s, "-sn probes no port");
}

static void test_check_privilege(void **state) {
    struct settings *s = *state;
    taken(s, "target", "198.18.0.1");
    taken(s, "unprivileged", "yes");
    taken(s, "ping", "yes");
    assert_check(s, NULL);
    taken(s, "ping-echo", "yes");
    assert_check(s, "--ping-echo goes with raw packets");
    taken(s, "privileged", "yes");
    taken(s, "unprivileged", "no");
    assert_check(s, NULL);
}

static void test_check_limits(void **state) {
    struct settings *s = *state;
    taken(s, "input-file", "-");
    assert_check(s, NULL);
    taken(s, "top-ports", "65535");
    assert_check(s, "--top-ports");
    taken(s, "exclude-file", "-");
    assert_check(s, "stdin");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fallbacks),       TEST(test_flags_and_counts),    TEST(test_numbers),
        TEST(test_rates_and_bits),  TEST(test_durations),           TEST(test_shards),
        TEST(test_addresses),       TEST(test_macs),                TEST(test_states),
        TEST(test_ports_add_up),    TEST(test_targets),             TEST(test_words),
        TEST(test_check_wants_a_target), TEST(test_check_exclusive), TEST(test_check_open_and_show),
        TEST(test_check_limits),     TEST(test_techniques),          TEST(test_tcp_flags),
        TEST(test_pings),           TEST(test_presets),             TEST(test_what_is_shown),
        TEST(test_check_techniques), TEST(test_check_one_port),     TEST(test_check_pings),
        TEST(test_check_privilege), TEST(test_check_rates),         TEST(test_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
