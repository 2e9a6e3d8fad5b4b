/* probe_describe(): the lines of --packet-trace, and its calm before arbitrary bytes. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "packets.h"
#include "probe/probe.h"

#define US UINT32_C(0xc6120002)     /* 198.18.0.2 */
#define THEM UINT32_C(0xc6130001)   /* 198.19.0.1 */
#define ROUTER UINT32_C(0xc61200fe) /* 198.18.0.254 */

static void assert_line(enum link_type link, const struct packet *p, const char *want) {
    char line[256];
    probe_describe(link, p->data, p->len, line, sizeof line);
    assert_string_equal(line, want);
}

static void test_tcp(void **state) {
    (void)state;
    struct tcp_spec s = {.ip = {.source = US, .dest = THEM, .ttl = 64},
                         .source_port = 61001,
                         .dest_port = 80,
                         .seq = 4000000000,
                         .flags = 2,
                         .window = 64240,
                         .option_words = 1};
    for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
        struct packet p = packet_tcp((enum link_type)link, &s);
        assert_line((enum link_type)link, &p,
                    "198.18.0.2:61001 > 198.19.0.1:80 tcp S seq 4000000000 win 64240 ttl 64 id 17185 len 44");
    }
    s.flags = 0x12;
    s.ack = 4294967295;
    struct packet p = packet_tcp(LINK_IP, &s);
    assert_line(LINK_IP, &p,
                "198.18.0.2:61001 > 198.19.0.1:80 tcp SA seq 4000000000 ack 4294967295 win 64240 "
                "ttl 64 id 17185 len 44");
    s.flags = 0;
    p = packet_tcp(LINK_IP, &s);
    assert_line(LINK_IP, &p, "198.18.0.2:61001 > 198.19.0.1:80 tcp - seq 4000000000 win 64240 ttl 64 id 17185 len 44");
    s.ip.option_words = 10;
    s.ip.fragment = 0x2000;
    p = packet_tcp(LINK_IP, &s);
    assert_line(LINK_IP, &p,
                "198.18.0.2:61001 > 198.19.0.1:80 tcp - seq 4000000000 win 64240 frag 0+ ttl 64 id 17185 len 84");
    s.ip.fragment = 0x0002;
    p = packet_tcp(LINK_IP, &s);
    assert_line(LINK_IP, &p, "198.18.0.2 > 198.19.0.1 proto 6 frag 16 ttl 64 id 17185 len 84");
}

static void test_icmp(void **state) {
    (void)state;
    struct tcp_spec probe = {.ip = {.source = US, .dest = THEM}, .source_port = 61001, .dest_port = 80, .seq = 9};
    struct icmp_spec s = {.ip = {.source = ROUTER, .dest = US}, .type = 3, .code = 13, .quote = probe};
    struct packet p = packet_icmp(LINK_ETHERNET, &s);
    assert_line(LINK_ETHERNET, &p,
                "198.18.0.254 > 198.18.0.2 icmp admin-prohibited type 3 code 13 about 198.18.0.2:61001 > 198.19.0.1:80 "
                "tcp seq 9 "
                "ttl 57 id 17185 len 56");
    p.data[p.l4 + 8 + 9] = 47; /* a quote of something without ports */
    assert_line(LINK_ETHERNET, &p,
                "198.18.0.254 > 198.18.0.2 icmp admin-prohibited type 3 code 13 about 198.18.0.2 > 198.19.0.1 proto 47 "
                "ttl 57 id 17185 len 56");
    s.type = 8;
    s.code = 0;
    p = packet_icmp(LINK_IP, &s);
    assert_line(LINK_IP, &p, "198.18.0.254 > 198.18.0.2 icmp echo id 0 seq 0 ttl 57 id 17185 len 56");
    s.type = 3;
    s.quote_len = 27;
    p = packet_icmp(LINK_IP, &s);
    assert_line(LINK_IP, &p, "198.18.0.254 > 198.18.0.2 icmp net-unreach type 3 code 0 ttl 57 id 17185 len 55");
}

#define US6 ((addr_t)0x20010002u << 96 | 2)
#define THEM6 ((addr_t)0x20010002u << 96 | 0x77)

static void assert_any(const struct any_spec *s, const uint8_t *payload, size_t n, const char *want) {
    for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
        struct packet p = packet_any((enum link_type)link, s, payload, n);
        assert_line((enum link_type)link, &p, want);
    }
}

static void test_other_transports(void **state) {
    (void)state;
    uint8_t l4[64];
    struct any_spec s = {.source = US6, .dest = THEM6, .proto = 6, .ttl = 64, .id = 0xabcde};
    size_t n = put_segment(l4, 61000, 443, 7, 8, 0x10, 9);
    assert_any(&s, l4, n, "[2001:2::2]:61000 > [2001:2::77]:443 tcp A seq 7 ack 8 win 9 hop 64 flow 703710 len 60");
    s.proto = 17;
    assert_any(&s, l4, put_udp(l4, 61000, 53, 12),
               "[2001:2::2]:61000 > [2001:2::77]:53 udp len 20 hop 64 flow 703710 len 60");
    s.proto = 132;
    n = put_sctp(l4, 61000, 9, 0, 1, 16);
    store_be32(l4 + 16, 4000000000);
    assert_any(&s, l4, n,
               "[2001:2::2]:61000 > [2001:2::77]:9 sctp init tag 0 init-tag 4000000000 hop 64 flow 703710 len 72");
    s.source = addr_from_v4(US);
    s.dest = addr_from_v4(THEM);
    s.id = 5;
    assert_any(&s, l4, put_sctp(l4, 61000, 9, 77, 10, 8),
               "198.18.0.2:61000 > 198.19.0.1:9 sctp cookie-echo tag 77 ttl 64 id 5 len 44");
    assert_any(&s, l4, put_sctp(l4, 9, 61000, 77, 6, 0),
               "198.18.0.2:9 > 198.19.0.1:61000 sctp abort tag 77 ttl 64 id 5 len 36");
    assert_any(&s, l4, put_sctp(l4, 9, 61000, 77, 9, 0),
               "198.18.0.2:9 > 198.19.0.1:61000 sctp chunk 9 tag 77 ttl 64 id 5 len 36");
    s.proto = 17;
    assert_any(&s, l4, put_udp(l4, 1, 2, 0), "198.18.0.2:1 > 198.19.0.1:2 udp len 8 ttl 64 id 5 len 28");
    s.proto = 47;
    assert_any(&s, l4, 0, "198.18.0.2 > 198.19.0.1 proto 47 ttl 64 id 5 len 20");
}

static void test_questions_and_errors(void **state) {
    (void)state;
    uint8_t l4[128], udp[16];
    struct any_spec s = {.source = addr_from_v4(US), .dest = addr_from_v4(THEM), .proto = 1, .ttl = 64, .id = 5};
    assert_any(&s, l4, put_icmp(l4, 8, 0, 0x00070003, NULL, 0),
               "198.18.0.2 > 198.19.0.1 icmp echo id 7 seq 3 ttl 64 id 5 len 28");
    assert_any(&s, l4, put_icmp(l4, 14, 0, 0x00070003, NULL, 0),
               "198.18.0.2 > 198.19.0.1 icmp timestamp-reply id 7 seq 3 ttl 64 id 5 len 28");
    struct any_spec six = {.source = US6, .dest = THEM6, .proto = 58, .ttl = 64, .id = 5};
    assert_any(&six, l4, put_icmp(l4, 129, 0, 0x00070003, NULL, 0),
               "2001:2::2 > 2001:2::77 icmp6 echo-reply id 7 seq 3 hop 64 flow 5 len 48");
    struct any_spec ours = {.source = THEM6, .dest = US6, .proto = 17};
    struct packet quote = packet_any(LINK_IP, &ours, udp, put_udp(udp, 61000, 53, 8));
    assert_any(&six, l4, put_icmp(l4, 1, 4, 0, quote.data, quote.len),
               "2001:2::2 > 2001:2::77 icmp6 port-unreach type 1 code 4 about [2001:2::77]:61000 > [2001:2::2]:53 udp "
               "hop 64 flow 5 len 104");
    assert_any(&six, l4, put_icmp(l4, 2, 0, 1280, quote.data, quote.len),
               "2001:2::2 > 2001:2::77 icmp6 type 2 code 0 about [2001:2::77]:61000 > [2001:2::2]:53 udp "
               "hop 64 flow 5 len 104");
}

static void test_neighbour_discovery(void **state) {
    (void)state;
    uint8_t l4[64], body[24] = {[16] = 2, [17] = 1, [18] = 2, [23] = 0x77};
    struct any_spec s = {.source = US6, .dest = THEM6, .proto = 58, .ttl = 255};
    store_be64(body, (uint64_t)(THEM6 >> 64));
    store_be64(body + 8, (uint64_t)THEM6);
    assert_any(&s, l4, put_icmp(l4, 135, 0, 0, body, 24), "nd who-has 2001:2::77 tell 2001:2::2");
    assert_any(&s, l4, put_icmp(l4, 136, 0, 0, body, 24), "nd 2001:2::77 is-at 02:00:00:00:00:77");
    assert_any(&s, l4, put_icmp(l4, 136, 0, 0, body, 16), "nd 2001:2::77 is-at its sender");
}

static void test_extension_headers(void **state) {
    (void)state;
    uint8_t l4[64], header[8] = {17};
    struct any_spec s = {.source = US6, .dest = THEM6, .proto = 17, .ttl = 64, .extensions = header,
                         .extensions_len = 8, .extension = 60};
    size_t n = put_udp(l4, 1, 2, 0);
    assert_any(&s, l4, n, "[2001:2::2]:1 > [2001:2::77]:2 udp len 8 hop 64 flow 0 len 56");
    s.extension = 44;
    header[3] = 8;
    assert_any(&s, l4, n, "2001:2::2 > 2001:2::77 proto 44 frag hop 64 flow 0 len 56");
}

static void test_arp(void **state) {
    (void)state;
    struct arp_spec s = {.opcode = 2, .sender_mac = {2, 0, 0, 0, 0xab, 0xcd}, .sender = THEM, .target = US};
    struct packet p = packet_arp(&s);
    assert_line(LINK_ETHERNET, &p, "arp 198.19.0.1 is-at 02:00:00:00:ab:cd");
    s.opcode = 1;
    p = packet_arp(&s);
    assert_line(LINK_ETHERNET, &p, "arp who-has 198.18.0.2 tell 198.19.0.1");
    s.opcode = 9;
    p = packet_arp(&s);
    assert_line(LINK_ETHERNET, &p, "arp opcode 9");
}

static void test_unreadable(void **state) {
    (void)state;
    struct packet p = {.len = 0};
    assert_line(LINK_ETHERNET, &p, "? len 0");
    assert_line(LINK_IP, &p, "? len 0");
    p.len = 60; /* zeros */
    assert_line(LINK_ETHERNET, &p, "? len 60");
    assert_line(LINK_IP, &p, "? len 60");
    p.data[0] = 0x50; /* no version of IP */
    assert_line(LINK_IP, &p, "? len 60");
    p.len = 39;
    p.data[0] = 0x60; /* IPv6, a byte short */
    assert_line(LINK_IP, &p, "? len 39");
    p.len = 60;
    p.data[0] = 0x44; /* a header of 16 bytes */
    assert_line(LINK_IP, &p, "? len 60");
}

/* Any room from none up: never a byte beyond it, always a final NUL, always a beginning of the whole line. */
static void test_any_room(void **state) {
    (void)state;
    struct tcp_spec probe = {.ip = {.source = US, .dest = THEM}};
    struct icmp_spec s = {.ip = {.source = ROUTER, .dest = US}, .type = 3, .quote = probe};
    struct packet p = packet_icmp(LINK_ETHERNET, &s);
    char whole[256];
    probe_describe(LINK_ETHERNET, p.data, p.len, whole, sizeof whole);
    for (size_t n = 0; n <= strlen(whole) + 2; n++) {
        char *buf = malloc(n + 1);
        assert_non_null(buf);
        memset(buf, '#', n + 1);
        probe_describe(LINK_ETHERNET, p.data, p.len, buf, n);
        assert_int_equal(buf[n], '#');
        if (n) {
            size_t want = n - 1 < strlen(whole) ? n - 1 : strlen(whole);
            assert_int_equal(strlen(buf), want);
            assert_memory_equal(buf, whole, want);
        }
        free(buf);
    }
}

/* Random bytes at every length, in exact copies that a sanitizer watches; each gives a line of plain text. */
static void test_arbitrary_bytes(void **state) {
    (void)state;
    uint64_t seed = 6;
    for (unsigned i = 0; i < 200000; i++) {
        size_t len = i % 130;
        uint8_t *frame = malloc(len ? len : 1);
        assert_non_null(frame);
        for (size_t at = 0; at < len; at++)
            frame[at] = (uint8_t)random_splitmix(&seed);
        enum link_type link = i / 130 % 2 ? LINK_IP : LINK_ETHERNET;
        size_t ip = link == LINK_IP ? 0 : 14;
        static const uint8_t protos[] = {6, 1, 17, 132, 58, 44, 60, 0};
        bool v6 = i / 520 % 2;
        if (ip && len >= 14)
            store_be16(frame + 12, i / 260 % 3 == 0 ? 0x0806 : v6 ? 0x86dd : 0x0800);
        if (len > ip + 9 && i / 1040 % 4) { /* mostly IP with something that is read */
            frame[ip] = (uint8_t)((v6 ? 0x60 : 0x40) | (frame[ip] & 15));
            frame[ip + (v6 ? 6 : 9)] = protos[i / 4160 % sizeof protos];
        }
        char line[512];
        probe_describe(link, frame, len, line, sizeof line);
        assert_true(line[0] != '\0' && strlen(line) < 256);
        for (const char *c = line; *c; c++)
            if (*c < ' ' || *c > '~')
                fail_msg("byte %02x in the line of frame %u", (unsigned char)*c, i);
        free(frame);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),        cmocka_unit_test(test_icmp),     cmocka_unit_test(test_arp),
        cmocka_unit_test(test_other_transports), cmocka_unit_test(test_questions_and_errors),
        cmocka_unit_test(test_neighbour_discovery), cmocka_unit_test(test_extension_headers),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_any_room), cmocka_unit_test(test_arbitrary_bytes),
    };
    return cmocka_run_group_tests_name("probe/describe", tests, NULL, NULL);
}
