/* reply_parse(): fields of valid frames, and the one right cause for every way in which a frame can be wrong. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "packets.h"
#include "probe/reply.h"

#define US UINT32_C(0xc6120002)     /* 198.18.0.2 */
#define THEM UINT32_C(0xc6130001)   /* 198.19.0.1 */
#define ROUTER UINT32_C(0xc61200fe) /* 198.18.0.254 */

static const struct tcp_spec syn_ack = {
    .ip = {.source = THEM, .dest = US},
    .source_port = 80,
    .dest_port = 61000,
    .seq = 0x01020304,
    .ack = 0xa0b0c0d0,
    .flags = 0x12,
    .window = 65160,
    .option_words = 5,
};
static const struct tcp_spec our_probe = {
    .ip = {.source = US, .dest = THEM, .ttl = 1, .fragment = 0x4000},
    .source_port = 61000,
    .dest_port = 80,
    .seq = 0xdeadbeef,
    .flags = 0x02,
    .window = 64240,
    .option_words = 1,
};

static struct tcp_spec tcp_with(uint8_t ip_words, uint8_t tcp_words, uint16_t payload) {
    struct tcp_spec s = syn_ack;
    s.ip.option_words = ip_words;
    s.option_words = tcp_words;
    s.payload = payload;
    return s;
}

static struct icmp_spec icmp_with(uint8_t ip_words, uint8_t quote_words, uint16_t quote_len) {
    struct icmp_spec s = {
        .ip = {.source = ROUTER, .dest = US, .option_words = ip_words}, .type = 3, .code = 1, .quote = our_probe};
    s.quote.ip.option_words = quote_words;
    s.quote_len = quote_len;
    return s;
}

static const struct arp_spec arp_reply = {
    .opcode = 2, .sender_mac = {0x02, 0, 0, 0, 0, 0x77}, .sender = THEM, .target = US};

/* Reads an exact copy on the heap, so that a sanitizer sees any byte read beyond it. */
static enum ignored parse_cut(enum link_type link, const struct packet *p, size_t len, size_t wire_len, uint32_t flags,
                              struct reply *r) {
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, p->data, len);
    enum ignored got = reply_parse(link, copy, len, (uint32_t)wire_len, flags, r);
    free(copy);
    return got;
}

static enum ignored parse(enum link_type link, const struct packet *p, struct reply *r) {
    return parse_cut(link, p, p->len, p->len, 0, r);
}

static void assert_cause(enum link_type link, const struct packet *p, enum ignored want) {
    struct reply r;
    assert_string_equal(ignored_name(parse(link, p, &r)), ignored_name(want));
}

/* Valid frames of every kind: what the tests of cutting and flipping start from. */
#define SAMPLES 20
static unsigned samples(struct packet out[static SAMPLES], enum link_type links[static SAMPLES]) {
    unsigned n = 0;
    for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
        static const uint8_t tcp[][3] = {{0, 0, 0}, {0, 5, 0}, {10, 10, 0}, {0, 0, 7}, {2, 1, 100}};
        static const uint8_t icmp[][3] = {{0, 0, 0}, {10, 0, 0}, {0, 10, 0}, {0, 0, 44}};
        for (unsigned i = 0; i < sizeof tcp / sizeof *tcp; i++) {
            struct tcp_spec s = tcp_with(tcp[i][0], tcp[i][1], tcp[i][2]);
            links[n] = (enum link_type)link;
            out[n++] = packet_tcp((enum link_type)link, &s);
        }
        for (unsigned i = 0; i < sizeof icmp / sizeof *icmp; i++) {
            struct icmp_spec s = icmp_with(icmp[i][0], icmp[i][1], icmp[i][2]);
            links[n] = (enum link_type)link;
            out[n++] = packet_icmp((enum link_type)link, &s);
        }
    }
    for (unsigned padding = 0; padding <= 18; padding += 18) {
        links[n] = LINK_ETHERNET;
        out[n] = packet_arp(&arp_reply);
        packet_pad(&out[n++], padding);
    }
    assert_int_equal(n, SAMPLES);
    return n;
}

static void test_tcp_fields(void **state) {
    (void)state;
    for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
        for (uint8_t ip_words = 0; ip_words <= 10; ip_words++) {
            struct tcp_spec s = tcp_with(ip_words, (uint8_t)(10 - ip_words), ip_words);
            struct packet p = packet_tcp((enum link_type)link, &s);
            packet_pad(&p, ip_words);
            struct reply r;
            assert_int_equal(parse((enum link_type)link, &p, &r), IGNORED_NOT);
            assert_int_equal(r.kind, REPLY_TCP);
            assert_true(r.source == addr_from_v4(THEM) && r.dest == addr_from_v4(US));
            assert_int_equal(r.ttl, 57);
            assert_int_equal(r.source_port, 80);
            assert_int_equal(r.dest_port, 61000);
            assert_int_equal(r.seq, 0x01020304);
            assert_int_equal(r.ack, 0xa0b0c0d0);
            assert_int_equal(r.tcp_flags, 0x12);
            assert_int_equal(r.window, 65160);
            if (link == LINK_ETHERNET) {
                assert_memory_equal(r.source_mac, packet_their_mac, MAC_LEN);
                assert_memory_equal(r.dest_mac, packet_our_mac, MAC_LEN);
            }
        }
    }
}

static void assert_quote(const struct reply *r) {
    assert_int_equal(r->kind, REPLY_ICMP_ERROR);
    assert_true(r->source == addr_from_v4(ROUTER) && r->dest == addr_from_v4(US));
    assert_true(r->quoted_source == addr_from_v4(US) && r->quoted_dest == addr_from_v4(THEM));
    assert_int_equal(r->quoted_proto, 6);
    assert_int_equal(r->quoted_source_port, 61000);
    assert_int_equal(r->quoted_dest_port, 80);
    assert_int_equal(r->quoted_seq, 0xdeadbeef);
}

/* Options before and in the quote, quotes from the promised 8 bytes to the whole packet, and padding behind it all. */
static void test_icmp_fields(void **state) {
    (void)state;
    for (uint8_t words = 0; words <= 10; words++) {
        for (uint16_t more = 0; more <= 16; more++) {
            struct icmp_spec s = icmp_with((uint8_t)(10 - words), words, (uint16_t)(20 + words * 4 + 8 + more));
            s.type = more % 2 ? 3 : 11;
            s.code = (uint8_t)more;
            struct packet p = packet_icmp(LINK_ETHERNET, &s);
            packet_pad(&p, more);
            struct reply r;
            assert_int_equal(parse(LINK_ETHERNET, &p, &r), IGNORED_NOT);
            assert_int_equal(r.icmp_type, s.type);
            assert_int_equal(r.icmp_code, more);
            assert_quote(&r);
        }
    }
}

/* Routers that changed the TTL without the checksum, or cleared it, are believed all the same. */
static void test_quoted_ip_checksum_is_not_looked_at(void **state) {
    (void)state;
    struct icmp_spec s = icmp_with(0, 0, 0);
    for (unsigned change = 0; change < 3; change++) {
        struct packet p = packet_icmp(LINK_IP, &s);
        uint8_t *quote = p.data + p.l4 + 8;
        if (change == 0)
            quote[8] ^= 0x55;
        else
            store_be16(quote + 10, change == 1 ? 0 : 0xbad);
        packet_fix(&p);
        struct reply r;
        assert_int_equal(parse(LINK_IP, &p, &r), IGNORED_NOT);
        assert_quote(&r);
    }
}

static void test_arp_fields(void **state) {
    (void)state;
    for (size_t padding = 0; padding <= 18; padding++) {
        struct packet p = packet_arp(&arp_reply);
        packet_pad(&p, padding);
        struct reply r;
        assert_int_equal(parse(LINK_ETHERNET, &p, &r), IGNORED_NOT);
        assert_int_equal(r.kind, REPLY_NEIGHBOUR);
        assert_true(r.source == addr_from_v4(THEM) && r.dest == addr_from_v4(US));
        assert_memory_equal(r.source_mac, arp_reply.sender_mac, MAC_LEN);
    }
}

/* Every field of the ARP header must be as it should be; the sender must be one station. */
static void test_arp_rules(void **state) {
    (void)state;
    static const struct {
        uint8_t at, value;
        enum ignored cause;
    } cases[] = {
        {0, 1, IGNORED_NOT_OURS},      {1, 6, IGNORED_NOT_OURS}, /* hardware type */
        {2, 0x86, IGNORED_NOT_OURS},   {3, 0xdd, IGNORED_NOT_OURS}, /* protocol type */
        {4, 8, IGNORED_NOT_OURS},      {4, 0, IGNORED_NOT_OURS}, /* lengths */
        {5, 16, IGNORED_NOT_OURS},     {5, 0, IGNORED_NOT_OURS},
        {6, 1, IGNORED_NOT_OURS},      {7, 0, IGNORED_NOT_OURS}, /* operation */
        {7, 1, IGNORED_NOT},           {7, 3, IGNORED_NOT_OURS},
        {7, 4, IGNORED_NOT_OURS},      {7, 9, IGNORED_NOT_OURS},
        {8, 0x03, IGNORED_WRONG_ADDRESS}, {8, 0xff, IGNORED_WRONG_ADDRESS}, /* a group as sender */
        {8, 0x04, IGNORED_NOT},        {14, 1, IGNORED_NOT}, /* other addresses are the caller's to know */
        {18, 1, IGNORED_NOT},          {24, 1, IGNORED_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct packet p = packet_arp(&arp_reply);
        p.data[14 + cases[i].at] = cases[i].value;
        assert_cause(LINK_ETHERNET, &p, cases[i].cause);
    }
    struct arp_spec none = arp_reply;
    memset(none.sender_mac, 0, MAC_LEN);
    struct packet p = packet_arp(&none);
    assert_cause(LINK_ETHERNET, &p, IGNORED_WRONG_ADDRESS);
    memset(none.sender_mac, 0xff, MAC_LEN);
    p = packet_arp(&none);
    assert_cause(LINK_ETHERNET, &p, IGNORED_WRONG_ADDRESS);
}

/* Whatever length a frame is cut to, it is truncated, and nothing behind its end is read. */
static void test_every_truncation(void **state) {
    (void)state;
    static struct packet packets[SAMPLES];
    enum link_type links[SAMPLES];
    unsigned n = samples(packets, links);
    for (unsigned i = 0; i < n; i++) {
        const struct packet *p = &packets[i];
        struct reply r;
        for (size_t len = 0; len < p->end; len++) {
            assert_int_equal(parse_cut(links[i], p, len, len, 0, &r), IGNORED_TRUNCATED);    /* by the sender */
            assert_int_equal(parse_cut(links[i], p, len, p->len, 0, &r), IGNORED_TRUNCATED); /* by the capture */
            if (p->data[p->ip + 9] != 6) /* nothing vouches for ICMP and ARP */
                assert_int_equal(parse_cut(links[i], p, len, p->len, FRAME_CSUM_VALID, &r), IGNORED_TRUNCATED);
        }
        for (size_t len = p->end; len <= p->len; len++)
            assert_int_equal(parse_cut(links[i], p, len, p->len, 0, &r), IGNORED_NOT);
    }
}

/* A capture may cut the payload of a segment whose checksum somebody else has verified, but not its header. */
static void test_cut_payload(void **state) {
    (void)state;
    struct tcp_spec s = tcp_with(1, 3, 900);
    struct packet p = packet_tcp(LINK_ETHERNET, &s);
    size_t headers = 14 + 24 + 32;
    struct reply r;
    for (uint32_t flags = FRAME_CSUM_UNFILLED; flags <= FRAME_CSUM_VALID; flags <<= 1) {
        for (size_t len = 0; len <= p.len; len++) {
            enum ignored want = len < headers ? IGNORED_TRUNCATED : IGNORED_NOT;
            assert_int_equal(parse_cut(LINK_ETHERNET, &p, len, p.len, flags, &r), want);
            if (len < p.len) /* here the wire itself had no more */
                assert_int_equal(parse_cut(LINK_ETHERNET, &p, len, len, flags, &r), IGNORED_TRUNCATED);
        }
        assert_int_equal(r.ack, 0xa0b0c0d0);
    }
}

/* No single bit of a packet can change without its checksum telling. */
static void test_every_bit_flip(void **state) {
    (void)state;
    static struct packet packets[SAMPLES];
    enum link_type links[SAMPLES];
    unsigned n = samples(packets, links);
    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &packets[i];
        if (p->ip && load_be16(p->data + 12) != 0x0800)
            continue; /* ARP has no checksum */
        for (size_t bit = p->ip * 8; bit < p->end * 8; bit++) {
            p->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct reply r;
            enum ignored got = parse(links[i], p, &r);
            assert_int_not_equal(got, IGNORED_NOT);
            if (bit / 8 >= p->l4)
                assert_int_equal(got, p->data[p->ip + 9] == 6 ? IGNORED_BAD_TCP_CHECKSUM : IGNORED_BAD_ICMP_CHECKSUM);
            else if (bit / 8 > p->ip) /* but for version and length, which come before the sum */
                assert_int_equal(got, IGNORED_BAD_IP_CHECKSUM);
            p->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_cause(links[i], p, IGNORED_NOT);
    }
}

/* The kernel's word is taken for TCP only. */
static void test_checksum_flags(void **state) {
    (void)state;
    struct icmp_spec icmp = icmp_with(0, 0, 0);
    struct packet tcp = packet_tcp(LINK_ETHERNET, &syn_ack), bad_ip = tcp, error = packet_icmp(LINK_ETHERNET, &icmp);
    tcp.data[tcp.l4 + 16] ^= 1;
    bad_ip.data[bad_ip.ip + 10] ^= 1;
    error.data[error.l4 + 2] ^= 1;
    struct reply r;
    for (uint32_t flags = 0; flags < 4; flags++) {
        assert_int_equal(parse_cut(LINK_ETHERNET, &tcp, tcp.len, tcp.len, flags, &r),
                         flags ? IGNORED_NOT : IGNORED_BAD_TCP_CHECKSUM);
        assert_int_equal(parse_cut(LINK_ETHERNET, &bad_ip, bad_ip.len, bad_ip.len, flags, &r),
                         IGNORED_BAD_IP_CHECKSUM);
        assert_int_equal(parse_cut(LINK_ETHERNET, &error, error.len, error.len, flags, &r),
                         IGNORED_BAD_ICMP_CHECKSUM);
    }
}

/* Single bytes of otherwise right packets; checksums are filled in again after the change. */
static void test_ip_rules(void **state) {
    (void)state;
    struct {
        size_t at; /* in the IP header */
        uint16_t value;
        enum ignored cause;
    } cases[] = {
        {0, 0x4500, IGNORED_NOT},       {0, 0x45ff, IGNORED_NOT}, /* any type of service */
        {0, 0x0500, IGNORED_NOT_OURS},  {0, 0x5500, IGNORED_NOT_OURS}, {0, 0xf500, IGNORED_NOT_OURS},
        {0, 0x4400, IGNORED_TRUNCATED}, {0, 0x4000, IGNORED_TRUNCATED}, {0, 0x4100, IGNORED_TRUNCATED},
        {2, 19, IGNORED_TRUNCATED},     {2, 0, IGNORED_TRUNCATED},     {2, 20, IGNORED_TRUNCATED},
        {2, 39, IGNORED_TRUNCATED},     {2, 61, IGNORED_TRUNCATED},    {2, 0xffff, IGNORED_TRUNCATED},
        {4, 0, IGNORED_NOT},            {4, 0xffff, IGNORED_NOT},
        {6, 0x4000, IGNORED_NOT},       {6, 0x8000, IGNORED_NOT},      {6, 0x2000, IGNORED_FRAGMENT},
        {6, 0x6000, IGNORED_FRAGMENT},  {6, 0x0001, IGNORED_FRAGMENT}, {6, 0x1fff, IGNORED_FRAGMENT},
        {6, 0x3fff, IGNORED_FRAGMENT},  {6, 0x4001, IGNORED_FRAGMENT},
        {8, 0x0006, IGNORED_NOT},       {8, 0xff06, IGNORED_NOT},      {8, 0x4011, IGNORED_TRUNCATED},
        {8, 0x4000, IGNORED_NOT},       {8, 0x4084, IGNORED_BAD_SCTP_CHECKSUM}, {8, 0x403a, IGNORED_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
            struct packet p = packet_tcp((enum link_type)link, &syn_ack);
            uint8_t *ip = p.data + p.ip;
            store_be16(ip + cases[i].at, cases[i].value);
            store_be16(ip + 10, 0); /* the header's own sum, over the 20 bytes that it really has */
            store_be16(ip + 10, (uint16_t)~slow_sum(0, ip, 20));
            assert_cause((enum link_type)link, &p, cases[i].cause);
        }
    }
}

/* Protocols that have no reader of their own are other ones, whatever they hold; no fragment is read. */
static void test_every_protocol(void **state) {
    (void)state;
    for (unsigned proto = 0; proto < 256; proto++) {
        for (unsigned fragment = 0; fragment < 2; fragment++) {
            struct packet p = packet_tcp(LINK_IP, &syn_ack);
            p.data[9] = (uint8_t)proto;
            store_be16(p.data + 6, fragment ? 0x2000 : 0);
            packet_fix(&p);
            enum ignored want = fragment      ? IGNORED_FRAGMENT
                                : proto == 17 ? IGNORED_TRUNCATED /* the sequence number reads as its length */
                                              : IGNORED_NOT;      /* the port 80 reads as an echo reply */
            assert_cause(LINK_IP, &p, want);
            struct reply r;
            if (want != IGNORED_NOT)
                continue;
            assert_int_equal(parse(LINK_IP, &p, &r), IGNORED_NOT);
            assert_int_equal(r.proto, proto);
            assert_int_equal(r.kind, proto == 1     ? REPLY_ICMP
                                     : proto == 6   ? REPLY_TCP
                                     : proto == 132 ? REPLY_SCTP
                                                    : REPLY_OTHER);
        }
    }
}

static void test_tcp_header_length(void **state) {
    (void)state;
    for (uint8_t words = 0; words < 16; words++) {
        struct packet p = packet_tcp(LINK_ETHERNET, &syn_ack); /* 10 words in all */
        p.data[p.l4 + 12] = (uint8_t)(words << 4);
        packet_fix(&p);
        assert_cause(LINK_ETHERNET, &p, words >= 5 && words <= 10 ? IGNORED_NOT : IGNORED_TRUNCATED);
    }
}

static void test_ethertypes(void **state) {
    (void)state;
    for (unsigned type = 0; type < 65536; type++) {
        struct packet p = packet_tcp(LINK_ETHERNET, &syn_ack);
        store_be16(p.data + 12, (uint16_t)type); /* 0x86dd and 0x0806 say of an IPv4 header that it is none of theirs */
        assert_cause(LINK_ETHERNET, &p, type == 0x0800 ? IGNORED_NOT : IGNORED_NOT_OURS);
    }
}

/* Every type and code of ICMP: read are answers to questions, and the two kinds that quote a lost packet. */
static void test_every_icmp_type(void **state) {
    (void)state;
    struct icmp_spec s = icmp_with(0, 0, 0);
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned code = 0; code < 256; code++) {
            s.type = (uint8_t)type;
            s.code = (uint8_t)code;
            struct packet p = packet_icmp(LINK_IP, &s);
            struct reply r;
            bool known = type == 3 || type == 11 || type == 0 || type == 14;
            enum ignored want = known ? IGNORED_NOT : IGNORED_UNSUPPORTED_ICMP;
            if (parse(LINK_IP, &p, &r) != want || (want == IGNORED_NOT && (r.icmp_type != type || r.icmp_code != code)))
                fail_msg("type %u code %u", type, code);
        }
    }
}

/* Quotes that are too short, no IPv4, or do not begin with a TCP header. */
static void test_quote_rules(void **state) {
    (void)state;
    struct reply r;
    for (uint16_t len = 1; len < 28; len++) {
        struct icmp_spec s = icmp_with(0, 0, len);
        struct packet p = packet_icmp(LINK_IP, &s);
        assert_cause(LINK_IP, &p, IGNORED_TRUNCATED);
    }
    struct icmp_spec with_options = icmp_with(0, 10, 67); /* 60 bytes of header, 7 of the promised 8 */
    struct packet p = packet_icmp(LINK_IP, &with_options);
    assert_cause(LINK_IP, &p, IGNORED_TRUNCATED);

    static const struct {
        size_t at;
        uint16_t value;
        enum ignored cause;
    } cases[] = {
        {0, 0x6500, IGNORED_NOT_OURS},  {0, 0x4400, IGNORED_TRUNCATED}, {0, 0x4600, IGNORED_TRUNCATED},
        {0, 0x4f00, IGNORED_TRUNCATED}, {6, 0x0001, IGNORED_FRAGMENT},  {6, 0x5fff, IGNORED_FRAGMENT},
        {6, 0x0000, IGNORED_NOT},       {6, 0x2000, IGNORED_NOT},       {2, 0x0000, IGNORED_NOT},
        {2, 0xffff, IGNORED_NOT}, /* some stacks quote the length in their own byte order */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct icmp_spec s = icmp_with(0, 0, 0);
        p = packet_icmp(LINK_IP, &s);
        store_be16(p.data + p.l4 + 8 + cases[i].at, cases[i].value);
        packet_fix(&p);
        assert_cause(LINK_IP, &p, cases[i].cause);
    }
    struct icmp_spec s = icmp_with(0, 0, 0); /* another program's UDP: read, so that the judge can say whose it is */
    p = packet_icmp(LINK_IP, &s);
    p.data[p.l4 + 8 + 9] = 17;
    packet_fix(&p);
    assert_int_equal(parse(LINK_IP, &p, &r), IGNORED_NOT);
    assert_int_equal(r.quoted_proto, 17);
}

static void test_flags_text(void **state) {
    (void)state;
    static const struct {
        uint8_t flags;
        const char *text;
    } cases[] = {{0, ""}, {0x02, "S"}, {0x12, "SA"}, {0x14, "RA"}, {0x29, "FPU"}, {0xff, "FSRPAUEC"}, {0xc2, "SEC"}};
    char text[TCP_FLAGS_STRLEN];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(tcp_flags_format(cases[i].flags, text), cases[i].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_fields),
        cmocka_unit_test(test_icmp_fields),
        cmocka_unit_test(test_quoted_ip_checksum_is_not_looked_at),
        cmocka_unit_test(test_arp_fields),
        cmocka_unit_test(test_arp_rules),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_cut_payload),
        cmocka_unit_test(test_every_bit_flip),
        cmocka_unit_test(test_checksum_flags),
        cmocka_unit_test(test_ip_rules),
        cmocka_unit_test(test_every_protocol),
        cmocka_unit_test(test_tcp_header_length),
        cmocka_unit_test(test_ethertypes),
        cmocka_unit_test(test_every_icmp_type),
        cmocka_unit_test(test_quote_rules),
        cmocka_unit_test(test_flags_text),
    };
    return cmocka_run_group_tests_name("probe/parse", tests, NULL, NULL);
}
