/* The guided mode's pure parts: its texts, how it reads answers, packets by their fields, and why they mean a state. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/guided_ask.h"
#include "cli/guided_explain.h"
#include "cli/guided_packet.h"
#include "cli/guided_record.h"
#include "cli/guided_run.h"

enum { TEXT_MAX = 8192 };

/* Runs say() with a stream that writes to text. */
static void write_to(char text[static TEXT_MAX], void (*say)(FILE *f, const void *ctx), const void *ctx) {
    memset(text, 0, TEXT_MAX);
    FILE *f = fmemopen(text, TEXT_MAX, "w");
    assert_non_null(f);
    say(f, ctx);
    assert_int_equal(fclose(f), 0);
}

/* ---- texts ---- */

/* Which {0}, {1} ... a text uses: bit by bit. */
static unsigned places(const char *s) {
    unsigned used = 0;
    for (; (s = strchr(s, '{')); s++) {
        assert_in_range(s[1], '0', '0' + (int)TEXT_ARGS_MAX - 1);
        assert_int_equal(s[2], '}');
        used |= 1u << (s[1] - '0');
    }
    return used;
}

/* Nothing is missing in either language, and what is said of the same values is of the same values. */
static void every_text_in_both_languages(void **state) {
    (void)state;
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        const char *en = guided_text(LANGUAGE_EN, (enum guided_text)i), *zh = guided_text(LANGUAGE_ZH, (enum guided_text)i);
        if (!en || !zh || !*en || !*zh)
            fail_msg("text %u is missing", i);
        assert_int_equal(places(en), places(zh));
        assert_int_equal(en[strlen(en) - 1] == '\n', zh[strlen(zh) - 1] == '\n');
        for (const char *c = en; *c; c++)
            assert_true((*c >= ' ' && *c <= '~') || *c == '\n');
    }
}

static void say_port(FILE *f, const void *ctx) {
    (void)ctx;
    guided_say(f, LANGUAGE_EN, TEXT_PORT, (const char *const[]){"192.0.2.7", "22", guided_state(LANGUAGE_EN, STATE_OPEN)});
}

static void values_stand_in_their_places(void **state) {
    (void)state;
    char text[TEXT_MAX];
    write_to(text, say_port, NULL);
    assert_string_equal(text, "Host: 192.0.2.7 Port: 22 open !\n");
    for (unsigned s = 0; s < STATE_COUNT; s++)
        if (s != STATE_UNKNOWN)
            assert_string_equal(guided_state(LANGUAGE_EN, (enum state)s), state_name((enum state)s));
}

static void languages(void **state) {
    (void)state;
    enum language l = LANGUAGE_EN;
    assert_true(guided_language("zh", &l) && l == LANGUAGE_ZH);
    assert_true(guided_language("en", &l) && l == LANGUAGE_EN);
    assert_false(guided_language("", &l) || guided_language("de", &l) || guided_language("zh_CN", &l));
}

/* ---- answers ---- */

static void hosts(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        enum guided_text wrong;
    } cases[] = {
        {"192.0.2.7", TEXT_COUNT}, {"127.0.0.1", TEXT_COUNT}, {"2001:db8::7", TEXT_COUNT}, {"::1", TEXT_COUNT},
        {"fe80::1%lo", TEXT_COUNT}, {"", TEXT_BAD_HOST}, {"localhost", TEXT_BAD_HOST}, {"192.0.2", TEXT_BAD_HOST},
        {"192.0.2.256", TEXT_BAD_HOST}, {"192.0.2.7/32", TEXT_BAD_HOST}, {"192.0.2.7 ", TEXT_BAD_HOST},
        {"192.0.2.1-9", TEXT_BAD_HOST}, {"2001:db8:::7", TEXT_BAD_HOST}, {"-1", TEXT_BAD_HOST},
        {"0x7f.0.0.1", TEXT_BAD_HOST}, {"fe80::1", TEXT_ZONE_MISSING}, {"fe80::1%nosuch0", TEXT_NO_SUCH_ZONE},
        {"0.0.0.0", TEXT_NOT_ONE_HOST}, {"224.0.0.1", TEXT_NOT_ONE_HOST}, {"255.255.255.255", TEXT_NOT_ONE_HOST},
        {"::", TEXT_NOT_ONE_HOST}, {"ff02::1", TEXT_NOT_ONE_HOST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        addr_t a = 0;
        if (guided_read_host(cases[i].answer, &a) != cases[i].wrong)
            fail_msg("%s", cases[i].answer);
        assert_int_equal(a != 0, cases[i].wrong == TEXT_COUNT);
    }
}

static void ports(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "0", "65536", "-1", "1.5", "http", "1-5", " 1", "0x50", "99999999999999999999"};
    uint16_t port = 0;
    assert_int_equal(guided_read_port("1", &port), TEXT_COUNT);
    assert_int_equal(port, 1);
    assert_int_equal(guided_read_port("65535", &port), TEXT_COUNT);
    assert_int_equal(port, 65535);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(guided_read_port(wrong[i], &port), TEXT_BAD_PORT);
}

/* ---- packets ---- */

struct packet {
    uint8_t bytes[256];
    size_t n;
};

static void add(struct packet *p, const void *bytes, size_t n) {
    assert_true(p->n + n <= sizeof p->bytes);
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

/* An IPv4 header for so many bytes behind it: 198.18.0.1 to 198.18.0.2. */
static void add_ipv4(struct packet *p, uint8_t proto, uint16_t payload) {
    uint8_t ip[20] = {0x45, 0, 0, 0, 0xab, 0xcd, 0x40, 0, 64, proto, 0x12, 0x34, 198, 18, 0, 1, 198, 18, 0, 2};
    store_be16(ip + 2, (uint16_t)(sizeof ip + payload));
    add(p, ip, sizeof ip);
}

static void add_ipv6(struct packet *p, uint8_t next, uint16_t payload) {
    uint8_t ip[40] = {0x60, 0x01, 0x23, 0x45, 0, 0, next, 63, 0x20, 0x01, 0x0d, 0xb8, [23] = 1, [24] = 0x20, 0x01, 0x0d,
                      0xb8, [39] = 2};
    store_be16(ip + 4, payload);
    add(p, ip, sizeof ip);
}

static const uint8_t syn_ack[24] = {0, 22, 0xee, 0x49, 0, 0, 1, 0, 0, 0, 2, 1, 0x60, 0x12, 0xfa, 0xf0, 0xbe, 0xef, 0, 0, 2,
                                    4, 0x05, 0xb4};
static const uint8_t udp[11] = {0xee, 0x49, 0, 53, 0, 11, 0xca, 0xfe, 'a', 'b', 'c'};

static void print(FILE *f, const void *ctx) {
    const struct packet *p = ctx;
    packet_print(f, LANGUAGE_EN, "  ", p->bytes, p->n);
}

static void expect(const struct packet *p, const char *wanted) {
    char text[TEXT_MAX];
    write_to(text, print, p);
    assert_string_equal(text, wanted);
}

static void tcp_by_its_fields(void **state) {
    (void)state;
    struct packet p = {.n = 0};
    struct packet_ends ends;
    add_ipv4(&p, 6, sizeof syn_ack);
    add(&p, syn_ack, sizeof syn_ack);
    expect(&p, "  IP: Version 4, Header Length 20, DSCP 0, ECN 0, Total Length 44, Identification 0xabcd, Flags DF, "
               "Fragment Offset 0, Time to Live 64, Protocol 6 (TCP), Header Checksum 0x1234, "
               "Source Address 198.18.0.1, Destination Address 198.18.0.2\n"
               "  TCP: Source Port 22, Destination Port 61001, Sequence Number 256, Acknowledgment Number 513, "
               "Data Offset 24, Control Bits SYN+ACK, Window 64240, Checksum 0xbeef, Urgent Pointer 0, "
               "Maximum Segment Size 1460\n");
    assert_true(packet_ends(p.bytes, p.n, &ends));
    assert_true(ends.source == addr_from_v4(0xc6120001) && ends.dest == addr_from_v4(0xc6120002));
    assert_true(ends.source_port == 22 && ends.dest_port == 61001 && ends.proto == 6 && ends.tcp_flags == 0x12);
    assert_false(ends.quoted);
}

static void udp_over_ipv6_with_an_extension(void **state) {
    (void)state;
    struct packet p = {.n = 0};
    struct packet_ends ends;
    static const uint8_t options[8] = {17, 0, 1, 4};
    add_ipv6(&p, 60, sizeof options + sizeof udp);
    add(&p, options, sizeof options);
    add(&p, udp, sizeof udp);
    expect(&p, "  IPv6: Version 6, Traffic Class 0, Flow Label 0x12345, Payload Length 19, "
               "Next Header 60 (Destination Options), Hop Limit 63, Source Address 2001:db8::1, "
               "Destination Address 2001:db8::2\n"
               "  IPv6: Options 60 (Destination Options), Next Header 17 (UDP), Length 8\n"
               "  UDP: Source Port 61001, Destination Port 53, Length 11, Checksum 0xcafe, Data 3: 61 62 63\n");
    assert_true(packet_ends(p.bytes, p.n, &ends));
    assert_true(ends.source_port == 61001 && ends.dest_port == 53 && ends.proto == 17);
}

/* An ICMP error of either family is about what it quotes. */
static void icmp_quotes(void **state) {
    (void)state;
    struct packet p = {.n = 0};
    struct packet_ends ends;
    static const uint8_t unreachable[8] = {3, 3, 0x11, 0x22};
    add_ipv4(&p, 1, 8 + 20 + sizeof udp);
    add(&p, unreachable, sizeof unreachable);
    add_ipv4(&p, 17, sizeof udp);
    add(&p, udp, sizeof udp);
    assert_true(packet_ends(p.bytes, p.n, &ends));
    assert_true(ends.quoted && ends.dest == addr_from_v4(0xc6120002) && ends.dest_port == 53 && ends.proto == 17);
    char text[TEXT_MAX];
    write_to(text, print, &p);
    assert_non_null(strstr(text, "  ICMP: Type 3 (Destination Unreachable), Code 3 (Port Unreachable), Checksum 0x1122\n"
                                 "  which quotes:\n    IP: Version 4"));

    struct packet p6 = {.n = 0};
    static const uint8_t prohibited[8] = {1, 1};
    add_ipv6(&p6, 58, 8 + 40 + 8);
    add(&p6, prohibited, sizeof prohibited);
    add_ipv6(&p6, 6, sizeof syn_ack);
    add(&p6, syn_ack, 8);
    assert_true(packet_ends(p6.bytes, p6.n, &ends));
    assert_true(ends.quoted && ends.source_port == 22 && ends.tcp_flags == 0);
    write_to(text, print, &p6);
    assert_non_null(strstr(text, "  ICMPv6: Type 1 (Destination Unreachable), Code 1 (Administratively Prohibited)"));
    assert_non_null(strstr(text, "Sequence Number 256 (cut off after 8 bytes)\n"));
}

static void what_is_about_no_port(void **state) {
    (void)state;
    struct packet_ends ends;
    struct packet echo = {.n = 0}, fragment = {.n = 0}, empty = {.n = 0};
    static const uint8_t request[8] = {8, 0};
    add_ipv4(&echo, 1, sizeof request);
    add(&echo, request, sizeof request);
    assert_false(packet_ends(echo.bytes, echo.n, &ends));
    add_ipv4(&fragment, 6, sizeof syn_ack);
    add(&fragment, syn_ack, sizeof syn_ack);
    fragment.bytes[7] = 5;
    assert_false(packet_ends(fragment.bytes, fragment.n, &ends));
    assert_false(packet_ends(empty.bytes, 0, &ends));
    expect(&empty, "  IP: (cut off after 0 bytes)\n");
}

/* ---- the record ---- */

static void print_port(FILE *f, const void *ctx) {
    assert_int_equal(record_print(ctx, f, LANGUAGE_EN, 22), 2);
    assert_int_equal(record_print(ctx, f, LANGUAGE_EN, 23), 0);
}

/* The probe stands first, also where its answer was noted before it; what is about other ports is not kept. */
static void a_port_and_its_packets(void **state) {
    (void)state;
    struct packet answer = {.n = 0}, probe = {.n = 0}, other = {.n = 0};
    uint8_t syn[24];
    memcpy(syn, syn_ack, sizeof syn);
    store_be16(syn, 61001);
    store_be16(syn + 2, 22);
    syn[13] = 2;
    add_ipv4(&answer, 6, sizeof syn_ack); /* from the host, 198.18.0.1 */
    add(&answer, syn_ack, sizeof syn_ack);
    add_ipv4(&probe, 6, sizeof syn);
    add(&probe, syn, sizeof syn);
    memcpy(probe.bytes + 12, answer.bytes + 16, 4);
    memcpy(probe.bytes + 16, answer.bytes + 12, 4);
    other = answer;
    store_be16(other.bytes + 20, 80);

    for (unsigned watched = 0; watched < 2; watched++) { /* the engine says who sent; a packet socket does not */
        struct record *r = malloc(sizeof *r);
        assert_non_null(r);
        record_init(r, addr_from_v4(0xc6120001), 20, 25);
        if (watched) {
            record_packet(r, DIRECTION_UNKNOWN, answer.bytes, answer.n); /* of nobody's question: not kept */
            record_packet(r, DIRECTION_UNKNOWN, probe.bytes, probe.n);
            record_packet(r, DIRECTION_UNKNOWN, answer.bytes, answer.n);
            record_packet(r, DIRECTION_UNKNOWN, other.bytes, other.n);
        } else {
            record_packet(r, DIRECTION_RECEIVED, answer.bytes, answer.n);
            record_packet(r, DIRECTION_SENT, probe.bytes, probe.n);
            record_packet(r, DIRECTION_RECEIVED, other.bytes, other.n);
        }
        record_sort(r);
        char text[TEXT_MAX];
        write_to(text, print_port, r);
        assert_non_null(strstr(text, "Control Bits SYN,"));
        assert_non_null(strstr(strstr(text, "Control Bits SYN,"), "Control Bits SYN+ACK,"));
        assert_true(strncmp(text, "  sent:\n", 8) == 0 && strstr(text, "  received:\n"));
        record_deinit(r);
        free(r);
    }
}

/* ---- why ---- */

/* Each row of the technique table leads back to an outcome that gives that state. */
static void the_outcome_is_of_the_row(void **state) {
    (void)state;
    for (size_t k = 0; k < guided_kind_count; k++) {
        const struct technique *t = &techniques[guided_kinds[k].technique];
        for (unsigned o = 0; o < OUTCOME_COUNT; o++) {
            struct verdict v = t->on[o];
            if (v.state == STATE_UNKNOWN)
                continue;
            if (v.reason == REASON_NONE)
                v.reason = o == OUTCOME_PROTO_UNREACH  ? REASON_PROTO_UNREACH
                           : o == OUTCOME_PORT_UNREACH ? REASON_PORT_UNREACH
                                                       : REASON_ADMIN_PROHIBITED;
            enum outcome back = explain_outcome(guided_kinds[k].technique, v, o == OUTCOME_ICMP_ERROR);
            assert_int_equal(t->on[back].state, v.state);
            bool resets = o == OUTCOME_RESET || o == OUTCOME_RESET_WINDOW;
            if (!resets && back != o)
                fail_msg("%s: outcome %u is told as %u", t->name, o, back);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_in_both_languages),
        cmocka_unit_test(values_stand_in_their_places),
        cmocka_unit_test(languages),
        cmocka_unit_test(hosts),
        cmocka_unit_test(ports),
        cmocka_unit_test(tcp_by_its_fields),
        cmocka_unit_test(udp_over_ipv6_with_an_extension),
        cmocka_unit_test(icmp_quotes),
        cmocka_unit_test(what_is_about_no_port),
        cmocka_unit_test(a_port_and_its_packets),
        cmocka_unit_test(the_outcome_is_of_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
