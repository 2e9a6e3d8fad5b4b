/* What each format writes, after no, one and many findings; JSON lines as another reader sees them. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/put.h"

enum { LINES, TEXT, PAIRS, FORMATS };

struct written {
    char *text[FORMATS];
};

static const char *name_of_first(void *ctx, addr_t a) {
    return a == addr_from_v4(0xc6120505) ? ctx : NULL;
}

/* Writes findings to all formats at once and reads the files back. */
static struct written write_all(struct scratch *dir, const struct finding *findings, size_t n, const struct summary *sum,
                                const char *name) {
    const char *files[FORMATS] = {scratch_path(dir, "", "a.jsonl"), scratch_path(dir, "", "a.txt"),
                                  scratch_path(dir, "", "a.hostport")};
    struct report *r;
    struct error e = ERROR_INIT;
    struct report_config config = {.outputs = files, .n_outputs = FORMATS, .show = 0xffff,
                                   .name_of = name ? name_of_first : NULL, .name_ctx = (void *)(uintptr_t)name};
    struct written out;
    assert_int_equal(report_create(&config, 2, &r, &e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(report_push(r, 0, &findings[i]), 0);
    assert_int_equal(report_finish(r, sum, &e), 0);
    for (unsigned i = 0; i < FORMATS; i++)
        out.text[i] = read_whole(files[i], NULL);
    return out;
}

static void outcome_free(struct written *o) {
    for (unsigned i = 0; i < FORMATS; i++)
        free(o->text[i]);
}

static const struct summary nothing = {.version = "0.1.0", .ended = "complete", .retries = 3};

static void no_finding(void **state) {
    struct written o = write_all(*state, NULL, 0, &nothing, NULL);
    json_t *only = json_loads(o.text[LINES], JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(only);
    assert_string_equal(json_string_value(json_object_get(only, "type")), "summary");
    assert_string_equal(o.text[TEXT], "");
    assert_string_equal(o.text[PAIRS], "");
    json_decref(only);
    outcome_free(&o);
}

static void no_scan(void **state) {
    struct written o = write_all(*state, NULL, 0, NULL, NULL);
    for (unsigned i = 0; i < FORMATS; i++)
        assert_string_equal(o.text[i], "");
    outcome_free(&o);
}

/* Exactly the words of the documented format, in their order. */
static void one_finding(void **state) {
    struct finding f = sample_finding(22);
    struct written o = write_all(*state, &f, 1, NULL, NULL);
    assert_string_equal(o.text[LINES],
                        "{\"ip\":\"198.18.5.5\",\"port\":22,\"proto\":\"tcp\",\"technique\":\"syn\",\"state\":\"open\","
                        "\"reason\":\"syn-ack\",\"flags\":\"SA\",\"ttl\":44,\"try\":0,\"rtt_us\":18300,"
                        "\"timestamp\":\"2026-01-01T00:00:00.000001Z\"}\n");
    assert_string_equal(o.text[TEXT], "198.18.5.5:22          tcp  open             ssh         syn-ack ttl 44\n");
    assert_string_equal(o.text[PAIRS], "198.18.5.5:22\n");
    outcome_free(&o);
}

static void everything_a_finding_can_say(void **state) {
    struct finding f = sample_finding(443);
    f.flags |= FINDING_HAS_MAC;
    memcpy(f.mac, "\x02\x00\x5e\x01\x02\x03", MAC_LEN);
    f.reporter = addr_from_v4(0xc6120001);
    f.revises = STATE_CLOSED;
    f.tried = 3;
    struct written o = write_all(*state, &f, 1, NULL, "a\"\x1b.example");
    assert_string_equal(o.text[LINES],
                        "{\"ip\":\"198.18.5.5\",\"port\":443,\"proto\":\"tcp\",\"technique\":\"syn\",\"state\":\"open\","
                        "\"reason\":\"syn-ack\",\"flags\":\"SA\",\"ttl\":44,\"try\":3,\"rtt_us\":18300,"
                        "\"timestamp\":\"2026-01-01T00:00:00.000001Z\",\"name\":\"a\\\"\\u001b.example\","
                        "\"mac\":\"02:00:5e:01:02:03\",\"reporter\":\"198.18.0.1\",\"revises\":\"closed\"}\n");
    assert_string_equal(o.text[TEXT],
                        "198.18.5.5:443         tcp  open             https       syn-ack ttl 44 from 198.18.0.1 "
                        "mac 02:00:5e:01:02:03  a\\\"\\u001b.example  was closed\n");
    outcome_free(&o);
}

static void what_is_unknown_is_left_out(void **state) {
    struct finding f = {.addr = (addr_t)0x20010db8 << 96 | 7, .port = 65535, .technique = TECHNIQUE_SYN,
                        .state = STATE_FILTERED, .reason = REASON_NO_RESPONSE, .tried = -1};
    struct written o = write_all(*state, &f, 1, NULL, "not this one's");
    assert_string_equal(o.text[LINES],
                        "{\"ip\":\"2001:db8::7\",\"port\":65535,\"proto\":\"tcp\",\"technique\":\"syn\",\"state\":\"filtered\","
                        "\"reason\":\"no-response\",\"timestamp\":\"1970-01-01T00:00:00.000000Z\"}\n");
    assert_string_equal(o.text[TEXT], "[2001:db8::7]:65535    tcp  filtered         -           no-response\n");
    assert_string_equal(o.text[PAIRS], "[2001:db8::7]:65535\n");
    outcome_free(&o);
}

static void a_host_has_no_port(void **state) {
    struct finding f = {.addr = addr_from_v4(0xc6120001), .technique = TECHNIQUE_NEIGHBOUR, .state = STATE_UP,
                        .reason = REASON_ARP_RESPONSE, .tried = -1};
    struct written o = write_all(*state, &f, 1, NULL, NULL);
    json_t *read = json_loads(o.text[LINES], 0, NULL);
    assert_non_null(read);
    assert_null(json_object_get(read, "port"));
    assert_string_equal(json_string_value(json_object_get(read, "state")), "up");
    assert_non_null(strstr(o.text[TEXT], "198.18.0.1 "));
    assert_null(strchr(o.text[TEXT], ':'));
    assert_string_equal(o.text[PAIRS], "198.18.0.1\n");
    json_decref(read);
    outcome_free(&o);
}

/* A finding of each kind, as each format has it: what is not of TCP says what it is of. */
static void every_technique_has_its_words(void **state) {
    static const struct finding findings[] = {
        {.technique = TECHNIQUE_UDP, .port = 53, .state = STATE_OPEN, .reason = REASON_UDP_RESPONSE},
        {.technique = TECHNIQUE_FIN, .port = 80, .state = STATE_OPEN_FILTERED, .reason = REASON_NO_RESPONSE},
        {.technique = TECHNIQUE_SCTP_INIT, .port = 36412, .state = STATE_CLOSED, .reason = REASON_ABORT},
        {.technique = TECHNIQUE_PROTOCOL, .port = 1, .state = STATE_OPEN, .reason = REASON_PROTO_RESPONSE},
        {.technique = TECHNIQUE_PING, .state = STATE_UP, .reason = REASON_ECHO_REPLY},
        {.technique = TECHNIQUE_PING, .state = STATE_DOWN, .reason = REASON_NO_RESPONSE},
    };
    static const char *const json[] = {
        "\"port\":53,\"proto\":\"udp\",\"technique\":\"udp\",\"state\":\"open\",\"reason\":\"udp-response\"",
        "\"port\":80,\"proto\":\"tcp\",\"technique\":\"fin\",\"state\":\"open|filtered\",\"reason\":\"no-response\"",
        "\"port\":36412,\"proto\":\"sctp\",\"technique\":\"sctp-init\",\"state\":\"closed\",\"reason\":\"abort\"",
        "\"port\":1,\"proto\":\"ip\",\"technique\":\"protocol\",\"state\":\"open\",\"reason\":\"proto-response\"",
        "\"proto\":\"host\",\"technique\":\"ping\",\"state\":\"up\",\"reason\":\"echo-reply\"",
        "\"proto\":\"host\",\"technique\":\"ping\",\"state\":\"down\",\"reason\":\"no-response\"",
    };
    enum { N = sizeof findings / sizeof findings[0] };
    struct finding all[N];
    char wanted[2048];
    size_t at = 0;
    for (unsigned i = 0; i < N; i++) {
        all[i] = findings[i];
        all[i].addr = addr_from_v4(0xc6120001);
        all[i].tried = -1;
        at += (size_t)snprintf(wanted + at, sizeof wanted - at,
                               "{\"ip\":\"198.18.0.1\",%s,\"timestamp\":\"1970-01-01T00:00:00.000000Z\"}\n", json[i]);
    }
    struct written o = write_all(*state, all, N, NULL, NULL);
    assert_string_equal(o.text[LINES], wanted);
    assert_string_equal(o.text[TEXT],
                        "198.18.0.1:53          udp  open             domain      udp-response\n"
                        "198.18.0.1:80          tcp  open|filtered    http        no-response\n"
                        "198.18.0.1:36412       sctp  closed           s1-control  abort\n"
                        "198.18.0.1:1           ip   open             icmp        proto-response\n"
                        "198.18.0.1             host  up               echo-reply\n"
                        "198.18.0.1             host  down             no-response\n");
    assert_string_equal(o.text[PAIRS], "198.18.0.1:53\n198.18.0.1:80\n198.18.0.1:36412\n198.18.0.1:1\n"
                                       "198.18.0.1\n198.18.0.1\n");
    outcome_free(&o);
}

/* A link-local address is told with its zone, also where no interface has that number. */
static void a_zone_is_told(void **state) {
    struct finding f = {.addr = addr_with_zone((addr_t)0xfe80 << 112 | 1, 1), .port = 80, .state = STATE_OPEN,
                        .reason = REASON_SYN_ACK, .tried = -1};
    struct written o = write_all(*state, &f, 1, NULL, NULL);
    assert_non_null(strstr(o.text[LINES], "{\"ip\":\"fe80::1%lo\",\"port\":80,"));
    assert_string_equal(o.text[PAIRS], "[fe80::1%lo]:80\n");
    outcome_free(&o);
}

/* Every line parses, in order, and says what was pushed. */
static void many_findings(void **state) {
    enum { N = 50000 };
    struct finding *all = calloc(N, sizeof *all);
    assert_non_null(all);
    for (unsigned i = 0; i < N; i++) {
        all[i] = sample_finding((uint16_t)i);
        all[i].addr = addr_from_v4(0xc6120000 + i / 7);
        all[i].time_ns += i * UINT64_C(10000000);
        all[i].state = (uint8_t)(STATE_OPEN + i % 3);
    }
    struct written o = write_all(*state, all, N, &nothing, NULL);
    char *line = o.text[LINES], *last = line + strlen(line);
    char address[ADDR_STRLEN];
    for (unsigned i = 0; i <= N; i++) {
        char *end = memchr(line, '\n', (size_t)(last - line)); /* not strchr(): a sanitizer has it read to the end */
        assert_non_null(end);
        json_t *read = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(read);
        if (i < N) {
            assert_string_equal(json_string_value(json_object_get(read, "ip")), addr_format(all[i].addr, address));
            assert_int_equal(json_integer_value(json_object_get(read, "port")), all[i].port);
            assert_string_equal(json_string_value(json_object_get(read, "state")), state_name(all[i].state));
        } else {
            assert_string_equal(json_string_value(json_object_get(read, "type")), "summary");
        }
        json_decref(read);
        line = end + 1;
    }
    assert_string_equal(line, "");
    assert_int_equal(count_lines(o.text[TEXT]), N);
    assert_int_equal(count_lines(o.text[PAIRS]), N);
    outcome_free(&o);
    free(all);
}

/* A summary in which every number differs. */
static struct summary odd_summary(const char *const *argv, int argc) {
    struct summary s = {.version = "0.1.0", .argc = argc, .argv = argv, .seed = 1, .start_ns = 2, .end_ns = 3,
                        .utc_offset_s = -12600, .duration_ns = 4, .ended = "max-runtime", .planned = 5, .finals = 6, .addresses = 7,
                        .hosts_down = 8, .hosts_up = 30, .hosts_limited = 31, .undecided = 32, .ping_sent = 33,
                        .sent = 9, .answered_unknown_try = 10, .resets_sent = 11, .arp_sent = 12,
                        .received = 13, .duplicates = 14, .late = 15, .late_open = 16, .revised = 17, .own_ports = 18,
                        .unreachable = 19, .send_refused = 20, .ring_dropped = 21, .interface_dropped = 22, .interface_tx_dropped = 23,
                        .last_send_error = ENOBUFS, .sink_waits_ns = 23, .window_waits_ns = 24, .rto_ns = 25,
                        .srtt_ns = 26, .rate_milli_pps = 27500, .bandwidth_bps = 28, .batch = 29, .retries = 2,
                        .wire = "packet", .interface = "eth0"};
    for (unsigned i = 0; i < STATE_COUNT; i++)
        s.states[i] = 100 + i;
    for (unsigned i = 0; i < IGNORED_COUNT; i++)
        s.ignored[i] = 200 + i;
    for (unsigned i = 0; i < SUMMARY_TRIES_MAX; i++) {
        s.sent_at_try[i] = 300 + i;
        s.answered_at_try[i] = 400 + i;
    }
    return s;
}

static void check_number(const json_t *o, const char *key, uint64_t wanted) {
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || (uint64_t)json_integer_value(v) != wanted)
        fail_msg("%s is not %llu", key, (unsigned long long)wanted);
}

/* The record's "rate_auto"; the caller's to free. NULL: there is none. */
static json_t *rate_auto_of(struct scratch *dir, const struct summary *sum) {
    struct written o = write_all(dir, NULL, 0, sum, NULL);
    json_t *read = json_loads(o.text[LINES], JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    json_t *found = json_incref(json_object_get(read, "rate_auto"));
    json_decref(read);
    outcome_free(&o);
    return found;
}

static void the_summary_says_how_the_rate_was_found(void **state) {
    const char *const argv[] = {"noctule"};
    struct summary s = odd_summary(argv, 1);
    assert_null(rate_auto_of(*state, &s)); /* a rate was asked for */
    s.rate_auto = true;
    s.rate_end_milli_pps = 48512500;
    s.path_pps = 50000;
    s.rate_cause = "path";
    s.canaries_sent = 34;
    json_t *found = rate_auto_of(*state, &s);
    assert_true(json_number_value(json_object_get(found, "end")) == 48512.5);
    check_number(found, "path", 50000);
    assert_string_equal(json_string_value(json_object_get(found, "cause")), "path");
    assert_true(json_is_false(json_object_get(found, "blind")));
    check_number(found, "canaries", 34);
    json_decref(found);
    s.path_pps = 0; /* no limit was met */
    s.rate_cause = "cap";
    s.rate_blind = true;
    found = rate_auto_of(*state, &s);
    assert_true(json_is_null(json_object_get(found, "path")));
    assert_true(json_is_true(json_object_get(found, "blind")));
    json_decref(found);
}

static void check_array(const json_t *o, const char *key, uint64_t first, size_t n) {
    json_t *v = json_object_get(o, key);
    assert_int_equal(json_array_size(v), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_array_get(v, i)), first + i);
}

static void the_summary_says_all(void **state) {
    /* Longer than any buffer, with bytes that are not text. */
    char *giant = malloc(300001);
    assert_non_null(giant);
    memset(giant, '"', 300000);
    giant[300000] = '\0';
    const char *const argv[] = {"noctule", "-p1-100", "", "m\xc3\xbcnchen\xff", giant};
    struct summary s = odd_summary(argv, 5);
    struct written o = write_all(*state, NULL, 0, &s, NULL);
    json_t *read = json_loads(o.text[LINES], JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);

    static const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"seed", 1}, {"duration_ns", 4}, {"planned", 5}, {"finals", 6}, {"addresses", 7},
                   {"hosts_down", 8}, {"hosts_up", 30}, {"hosts_limited", 31}, {"undecided", 32},
                   {"ping_sent", 33}, {"sent", 9}, {"answered_unknown_try", 10}, {"resets_sent", 11},
                   {"arp_sent", 12}, {"received", 13}, {"duplicates", 14}, {"late", 15}, {"late_open", 16},
                   {"revised", 17}, {"own_ports", 18}, {"unreachable", 19}, {"sink_waits_ns", 23},
                   {"window_waits_ns", 24}, {"rto_ns", 25}, {"srtt_ns", 26}, {"bandwidth_bps", 28}, {"batch", 29},
                   {"retries", 2}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        check_number(read, numbers[i].key, numbers[i].value);
    const json_t *drops = json_object_get(read, "drops");
    check_number(drops, "send_refused", 20);
    check_number(drops, "ring_dropped", 21);
    check_number(drops, "interface_dropped", 22);
    check_number(drops, "interface_tx_dropped", 23);
    assert_string_equal(json_string_value(json_object_get(read, "last_send_error")), "ENOBUFS");
    assert_true(json_number_value(json_object_get(read, "rate")) == 27.5);
    assert_string_equal(json_string_value(json_object_get(read, "version")), "0.1.0");
    assert_string_equal(json_string_value(json_object_get(read, "ended")), "max-runtime");
    assert_string_equal(json_string_value(json_object_get(read, "start")), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(json_string_value(json_object_get(read, "time_zone")), "-03:30");
    assert_string_equal(json_string_value(json_object_get(read, "wire")), "packet");
    assert_string_equal(json_string_value(json_object_get(read, "interface")), "eth0");
    check_array(read, "sent_at_try", 300, 3); /* two retries: three tries */
    check_array(read, "answered_at_try", 400, 3);
    for (unsigned i = 0; i < STATE_COUNT; i++)
        check_number(json_object_get(read, "states"), state_name((enum state)i), 100 + i);
    for (unsigned i = IGNORED_NOT + 1; i < IGNORED_COUNT; i++)
        check_number(json_object_get(read, "ignored"), ignored_name((enum ignored)i), 200 + i);

    const json_t *words = json_object_get(read, "argv");
    assert_int_equal(json_array_size(words), 5);
    assert_string_equal(json_string_value(json_array_get(words, 1)), "-p1-100");
    assert_string_equal(json_string_value(json_array_get(words, 2)), "");
    assert_string_equal(json_string_value(json_array_get(words, 3)), "m\xc3\xbcnchen\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_array_get(words, 4)), giant);
    json_decref(read);
    outcome_free(&o);
    free(giant);
}

/* Runs a small scan's report with stdout in a file, as a terminal's user would see it. */
static char *listing(struct scratch *dir, const struct finding *findings, size_t n, const struct summary *sum,
                     uint16_t show) {
    const char *path = scratch_path(dir, "", "stdout");
    struct report *r;
    struct error e = ERROR_INIT;
    struct report_config config = {.show = show, .group_by_host = true};
    fflush(stdout);
    int keep = dup(STDOUT_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(keep >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    close(fd);
    int made = report_create(&config, 1, &r, &e), pushed = 0, finished = 0;
    for (size_t i = 0; made == 0 && i < n; i++)
        pushed += report_push(r, 0, &findings[i]);
    if (made == 0)
        finished = report_finish(r, sum, &e);
    dup2(keep, STDOUT_FILENO); /* before anything can fail: the test's own words go there */
    close(keep);
    assert_true(made == 0 && pushed == 0 && finished == 0);
    return read_whole(path, NULL);
}

static void grouped_by_host(void **state) {
    struct finding f[4] = {sample_finding(443), sample_finding(80), sample_finding(22), sample_finding(80)};
    f[2].addr = addr_from_v4(0xc6120504);
    f[1].state = STATE_CLOSED;
    f[1].reason = REASON_RESET;
    f[3].revises = STATE_CLOSED;
    struct summary s = {.states = {[STATE_OPEN] = 3, [STATE_CLOSED] = 990, [STATE_FILTERED] = 5}};
    char *text = listing(*state, f, 4, &s, 1u << STATE_OPEN | 1u << STATE_CLOSED);
    assert_string_equal(text,
                        "198.18.5.5:443         tcp  open    https       syn-ack ttl 44\n"
                        "198.18.5.5:80          tcp  closed  http        reset ttl 44\n"
                        "198.18.5.4:22          tcp  open    ssh         syn-ack ttl 44\n"
                        "198.18.5.5:80          tcp  open    http        syn-ack ttl 44  was closed\n"
                        "\n"
                        "198.18.5.4\n"
                        "  22/tcp     open    ssh         syn-ack ttl 44\n"
                        "\n"
                        "198.18.5.5\n"
                        "  80/tcp     open    http        syn-ack ttl 44  was closed\n"
                        "  443/tcp    open    https       syn-ack ttl 44\n"
                        "\n"
                        "not shown: 990 closed, 5 filtered\n");
    free(text);
}

static void nothing_found_lists_only_what_is_not_shown(void **state) {
    struct summary s = {.states = {[STATE_FILTERED] = 1000}};
    char *text = listing(*state, NULL, 0, &s, 1u << STATE_OPEN);
    assert_string_equal(text, "\nnot shown: 1000 filtered\n");
    free(text);
}

static void too_many_are_not_listed_again(void **state) {
    enum { N = 5000 };
    struct finding *f = calloc(N, sizeof *f);
    assert_non_null(f);
    for (unsigned i = 0; i < N; i++)
        f[i] = sample_finding((uint16_t)i);
    struct summary s = {.states = {[STATE_OPEN] = N}};
    char *text = listing(*state, f, N, &s, 1u << STATE_OPEN);
    assert_int_equal(count_lines(text), N);
    free(text);
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_finding, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(no_scan, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(one_finding, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(everything_a_finding_can_say, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_unknown_is_left_out, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_host_has_no_port, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_technique_has_its_words, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_zone_is_told, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(many_findings, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_summary_says_all, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_summary_says_how_the_rate_was_found, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(grouped_by_host, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(nothing_found_lists_only_what_is_not_shown, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(too_many_are_not_listed_again, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
