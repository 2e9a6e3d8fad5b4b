/* reply_parse() on IPv6 with its extension headers, and on UDP, SCTP, ICMPv6 and neighbour discovery; test_parse.c has
 * the rest. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "packets.h"
#include "probe/reply.h"

#define US6 ((addr_t)0x20010002u << 96 | 2)
#define THEM6 ((addr_t)0x20010002u << 96 | 0xab123456u)
#define ROUTER6 ((addr_t)0x20010002u << 96 | 0xfe)
#define US4 addr_from_v4(0xc6120002)
#define THEM4 addr_from_v4(0xc6130001)

/* Reads an exact copy on the heap, so that a sanitizer sees any byte read beyond it. */
static enum ignored parse_cut(const struct packet *p, size_t len, size_t wire_len, uint32_t flags, struct reply *r) {
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, p->data, len);
    enum ignored got = reply_parse(p->ip ? LINK_ETHERNET : LINK_IP, copy, len, (uint32_t)wire_len, flags, r);
    free(copy);
    return got;
}

static enum ignored parse(const struct packet *p, struct reply *r) {
    return parse_cut(p, p->len, p->len, 0, r);
}

static void assert_cause(const struct packet *p, enum ignored want) {
    struct reply r;
    assert_string_equal(ignored_name(parse(p, &r)), ignored_name(want));
}

static struct any_spec spec(bool v6, uint8_t proto) {
    return (struct any_spec){.source = v6 ? THEM6 : THEM4, .dest = v6 ? US6 : US4, .proto = proto};
}

/* One packet of each kind in each family; what the tests of cutting and flipping start from. */
enum { KIND_TCP, KIND_UDP, KIND_SCTP, KIND_ECHO, KIND_ERROR, KIND_NA, KINDS };
static struct packet sample(unsigned kind, bool v6, enum link_type link) {
    uint8_t payload[256], quote[256];
    struct any_spec s = spec(v6, 6);
    size_t n = 0;
    if (kind == KIND_TCP) {
        n = put_segment(payload, 80, 61000, 0x01020304, 0xa0b0c0d0, 0x12, 65160);
    } else if (kind == KIND_UDP) {
        s.proto = 17;
        n = put_udp(payload, 53, 61070, 33);
    } else if (kind == KIND_SCTP) {
        s.proto = 132;
        n = put_sctp(payload, 2905, 61080, 0xdeadbeef, 2, 16);
    } else if (kind == KIND_ECHO) {
        s.proto = v6 ? 58 : 1;
        store_be64(quote, UINT64_C(0x1122334455667788));
        n = put_icmp(payload, v6 ? 129 : 0, 0, 0x12340003, quote, 8);
    } else if (kind == KIND_ERROR) {
        s.proto = 17;
        struct any_spec ours = {.source = s.dest, .dest = s.source, .proto = 17, .id = 0x4321};
        size_t len = put_udp(payload, 61070, 53, 4);
        struct packet q = packet_any(LINK_IP, &ours, payload, len);
        s.proto = v6 ? 58 : 1;
        n = put_icmp(payload, v6 ? 1 : 3, v6 ? 4 : 3, 0, q.data, q.len);
    } else {
        s.proto = 58;
        s.ttl = 255;
        uint8_t body[24] = {[16] = 2, [17] = 1, [18] = 0x02, [23] = 0x77};
        store_be64(body, (uint64_t)(THEM6 >> 64));
        store_be64(body + 8, (uint64_t)THEM6);
        n = put_icmp(payload, 136, 0, 0x60000000, body, 24);
    }
    return packet_any(link, &s, payload, n);
}

static bool has_sample(unsigned kind, bool v6) {
    return kind != KIND_NA || v6;
}

static void test_fields(void **state) {
    (void)state;
    for (unsigned link = LINK_ETHERNET; link <= LINK_IP; link++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            struct reply r;
            struct packet p = sample(KIND_TCP, v6, (enum link_type)link);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_TCP && r.proto == 6 && r.source_port == 80 && r.dest_port == 61000);
            assert_true(r.seq == 0x01020304 && r.ack == 0xa0b0c0d0 && r.tcp_flags == 0x12 && r.window == 65160);
            assert_true(r.source == (v6 ? THEM6 : THEM4) && r.dest == (v6 ? US6 : US4) && r.ttl == 57);
            p = sample(KIND_UDP, v6, (enum link_type)link);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_UDP && r.proto == 17 && r.source_port == 53 && r.dest_port == 61070);
            p = sample(KIND_SCTP, v6, (enum link_type)link);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_SCTP && r.proto == 132 && r.source_port == 2905 && r.dest_port == 61080);
            assert_true(r.tag == 0xdeadbeef && r.chunk == 2);
            p = sample(KIND_ECHO, v6, (enum link_type)link);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_ICMP && r.icmp_id == 0x1234 && r.icmp_seq == 3);
            assert_true(r.icmp_cookie == UINT64_C(0x1122334455667788));
            p = sample(KIND_ERROR, v6, (enum link_type)link);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_ICMP_ERROR && r.quoted_proto == 17 && r.quoted_id == 0x4321);
            assert_true(r.quoted_source == r.dest && r.quoted_dest == r.source);
            assert_true(r.quoted_source_port == 61070 && r.quoted_dest_port == 53);
        }
    }
}

static void test_every_truncation(void **state) {
    (void)state;
    struct reply r;
    for (unsigned i = 0; i < KINDS * 4; i++) {
        bool v6 = i / 2 % 2;
        if (!has_sample(i / 4, v6))
            continue;
        struct packet p = sample(i / 4, v6, i / 4 == KIND_NA || i % 2 ? LINK_ETHERNET : LINK_IP);
        for (size_t len = 0; len < p.end; len++) {
            assert_int_equal(parse_cut(&p, len, len, 0, &r), IGNORED_TRUNCATED);
            assert_int_equal(parse_cut(&p, len, p.len, 0, &r), IGNORED_TRUNCATED);
            if (i / 4 > KIND_SCTP)
                assert_int_equal(parse_cut(&p, len, p.len, FRAME_CSUM_VALID, &r), IGNORED_TRUNCATED);
        }
        assert_int_equal(parse(&p, &r), IGNORED_NOT);
        packet_pad(&p, 7);
        assert_int_equal(parse(&p, &r), IGNORED_NOT);
    }
}

/* Behind the IP header no single bit can change unseen; nor in the addresses of IPv6, which has no sum of its own. */
static void test_every_bit_flip(void **state) {
    (void)state;
    static const enum ignored causes[KINDS] = {IGNORED_BAD_TCP_CHECKSUM,  IGNORED_BAD_UDP_CHECKSUM,
                                               IGNORED_BAD_SCTP_CHECKSUM, IGNORED_BAD_ICMP_CHECKSUM,
                                               IGNORED_BAD_ICMP_CHECKSUM, IGNORED_BAD_ICMP_CHECKSUM};
    for (unsigned i = 0; i < KINDS * 2; i++) {
        bool v6 = i % 2;
        unsigned kind = i / 2;
        if (!has_sample(kind, v6))
            continue;
        struct packet p = sample(kind, v6, LINK_ETHERNET);
        size_t from = v6 && kind != KIND_SCTP ? p.ip + 8 : p.l4; /* SCTP has no pseudo-header */
        for (size_t bit = from * 8; bit < p.end * 8; bit++) {
            p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct reply r;
            enum ignored got = parse(&p, &r);
            bool length = kind == KIND_UDP && (bit / 8 - p.l4) / 2 == 2; /* said to be longer than it is */
            if (got != causes[kind] && !(length && got == IGNORED_TRUNCATED))
                fail_msg("kind %u, v6 %d, byte %zu: %s", kind, v6, bit / 8 - p.ip, ignored_name(got));
            p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* The kernel's word for a checksum, and captures that lack the end, are taken for what has ports. */
static void test_vouched(void **state) {
    (void)state;
    for (unsigned i = 0; i < KINDS * 2; i++) {
        bool v6 = i % 2, ported = i / 2 <= KIND_SCTP;
        if (!has_sample(i / 2, v6))
            continue;
        struct packet p = sample(i / 2, v6, LINK_ETHERNET);
        p.data[p.end - 1] ^= 1;
        struct reply r;
        for (uint32_t flags = FRAME_CSUM_UNFILLED; flags <= FRAME_CSUM_VALID; flags <<= 1)
            assert_int_equal(parse_cut(&p, p.len, p.len, flags, &r) == IGNORED_NOT, ported);
        size_t least = p.l4 + (i / 2 == KIND_TCP ? 20 : i / 2 == KIND_UDP ? 8 : 16);
        for (size_t len = p.l4; ported && len < p.len; len++)
            assert_int_equal(parse_cut(&p, len, p.len, FRAME_CSUM_VALID, &r),
                             len < least ? IGNORED_TRUNCATED : IGNORED_NOT);
    }
}

static void test_udp_rules(void **state) {
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct packet p = sample(KIND_UDP, v6, LINK_IP);
        store_be16(p.data + p.l4 + 6, 0); /* no checksum: only IPv4 may (RFC 8200 8.1) */
        assert_cause(&p, v6 ? IGNORED_BAD_UDP_CHECKSUM : IGNORED_NOT);
        for (uint16_t len = 0; len < 60; len++) { /* the payload has 41 bytes */
            p = sample(KIND_UDP, v6, LINK_IP);
            store_be16(p.data + p.l4 + 4, len);
            struct packet short_one = p; /* what lies behind the datagram is not summed */
            short_one.end = p.l4 + len;
            if (len >= 8 && len <= 41)
                packet_fix(&short_one);
            short_one.end = p.end;
            assert_cause(&short_one, len >= 8 && len <= 41 ? IGNORED_NOT : IGNORED_TRUNCATED);
        }
    }
}

static struct packet extended(const uint8_t *extensions, size_t n, uint8_t first) {
    uint8_t tcp[20];
    struct any_spec s = spec(true, 6);
    s.extensions = extensions;
    s.extensions_len = n;
    s.extension = first;
    put_segment(tcp, 80, 61000, 1, 2, 0x12, 3);
    return packet_any(LINK_IP, &s, tcp, sizeof tcp);
}

/* Each extension header alone, in each length, and all of them in a row. */
static void test_extension_headers(void **state) {
    (void)state;
    static const uint8_t kinds[] = {0, 43, 60, 51};
    struct reply r;
    for (size_t k = 0; k < sizeof kinds; k++) {
        for (unsigned units = 0; units < 20; units++) {
            uint8_t header[256] = {6, (uint8_t)units};
            size_t len = kinds[k] == 51 ? (units + 2) * 4 : (units + 1) * 8;
            struct packet p = extended(header, len, kinds[k]);
            assert_int_equal(parse(&p, &r), IGNORED_NOT);
            assert_true(r.kind == REPLY_TCP && r.proto == 6 && r.source_port == 80 && r.dest_port == 61000);
            header[1] = 255; /* said to be longer than the packet */
            p = extended(header, len, kinds[k]);
            assert_cause(&p, IGNORED_TRUNCATED);
        }
    }
    static const uint8_t row[] = {43, 0, 1, 4, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0, 60, 2, 0, 0, 0, 0, 0, 0,
                                  0,  0, 0, 0, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 6,  0, 0, 0, 9, 9, 9, 9};
    struct packet p = extended(row, sizeof row, 0);
    assert_int_equal(parse(&p, &r), IGNORED_NOT);
    assert_true(r.kind == REPLY_TCP && r.seq == 1 && r.ack == 2);
}

/* A chain that never ends is left. */
static void test_endless_extension_headers(void **state) {
    (void)state;
    struct reply r;
    for (unsigned n = 1; n <= 100; n++) {
        uint8_t headers[800] = {0};
        for (unsigned i = 0; i < n; i++)
            headers[i * 8] = i + 1 < n ? 60 : 6;
        struct packet p = extended(headers, n * 8, 60);
        assert_int_equal(parse(&p, &r), n < 16 ? IGNORED_NOT : IGNORED_NOT_OURS);
    }
}

static void test_fragments(void **state) {
    (void)state;
    struct reply r;
    for (unsigned field = 0; field < 65536; field++) {
        uint8_t header[8] = {6, 0, (uint8_t)(field >> 8), (uint8_t)field, 1, 2, 3, 4};
        struct packet p = extended(header, sizeof header, 44);
        bool whole = (field & 0xfff9) == 0; /* the two bits between are reserved */
        assert_int_equal(parse(&p, &r), whole ? IGNORED_NOT : IGNORED_FRAGMENT);
    }
}

static void test_routing_header(void **state) {
    (void)state;
    uint8_t header[8] = {6, 0, 4, 0};
    struct packet p = extended(header, sizeof header, 43);
    assert_cause(&p, IGNORED_NOT);
    header[3] = 1; /* on its way to somebody else */
    p = extended(header, sizeof header, 43);
    assert_cause(&p, IGNORED_NOT_OURS);
}

/* Every protocol number in either family: those with a reader of their own, and all others. */
static void test_every_protocol(void **state) {
    (void)state;
    uint8_t payload[32] = {0};
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned proto = 0; proto < 256; proto++) {
            struct any_spec s = spec(v6, (uint8_t)proto);
            struct packet p = packet_any(LINK_IP, &s, payload, sizeof payload);
            bool extension = v6 && (proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 60);
            bool read = proto == 6 || proto == 17 || proto == 132 || proto == (v6 ? 58 : 1);
            struct reply r;
            enum ignored got = parse(&p, &r);
            if (extension)
                assert_int_equal(got, IGNORED_TRUNCATED); /* headers of zeros until the end */
            else if (!read)
                assert_true(got == IGNORED_NOT && r.kind == REPLY_OTHER && r.proto == proto);
            else
                assert_true(got != IGNORED_NOT || r.kind != REPLY_OTHER);
        }
    }
}

/* IPv4's addresses, and link-local ones with something in their middle, have no place in an IPv6 header. */
static void test_impossible_addresses(void **state) {
    (void)state;
    addr_t bad[] = {addr_from_v4(0xc6130001), (addr_t)0xfe80u << 112 | (addr_t)1 << 96 | 5,
                    (addr_t)0xfebfu << 112 | (addr_t)0xffff << 96};
    addr_t good[] = {(addr_t)0xfe80u << 112 | 5, (addr_t)0xfe80u << 112 | (addr_t)1 << 95, 1};
    uint8_t tcp[20];
    put_segment(tcp, 80, 61000, 1, 2, 0x12, 3);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned which = 0; which < 2; which++) {
            struct any_spec s = spec(true, 6);
            struct packet p = packet_any(LINK_IP, &s, tcp, sizeof tcp);
            for (unsigned k = 0; k < 2; k++) {
                addr_t a = k ? good[i] : bad[i];
                store_be64(p.data + 8 + which * 16, (uint64_t)(a >> 64));
                store_be64(p.data + 16 + which * 16, (uint64_t)a);
                packet_fix(&p);
                assert_cause(&p, k ? IGNORED_NOT : IGNORED_WRONG_ADDRESS);
            }
        }
    }
}

static void test_zone(void **state) {
    (void)state;
    addr_t local = (addr_t)0xfe80u << 112 | 5;
    struct reply r = {.source = local, .dest = US6, .quoted_source = US4, .quoted_dest = local};
    reply_set_zone(&r, 7);
    assert_true(addr_zone(r.source) == 7 && addr_zone(r.quoted_dest) == 7 && r.dest == US6 && r.quoted_source == US4);
}

/* What RFC 4861 7.1.1 and 7.1.2 want of solicitations and advertisements. */
static struct packet nd(uint8_t type, uint8_t code, uint8_t hops, addr_t target, const uint8_t *options, size_t n) {
    uint8_t body[128], payload[160];
    struct any_spec s = spec(true, 58);
    s.ttl = hops;
    store_be64(body, (uint64_t)(target >> 64));
    store_be64(body + 8, (uint64_t)target);
    if (n)
        memcpy(body + 16, options, n);
    return packet_any(LINK_ETHERNET, &s, payload, put_icmp(payload, type, code, 0x60000000, body, 16 + n));
}

static void test_neighbour_discovery(void **state) {
    (void)state;
    static const uint8_t link[] = {2, 1, 0x02, 0, 0, 0, 0, 0x77}, nonce[] = {14, 1, 1, 2, 3, 4, 5, 6};
    static const uint8_t group[] = {2, 1, 0x33, 0x33, 0, 0, 0, 1}, zero[] = {2, 0, 2, 2, 2, 2, 2, 2};
    uint8_t both[16], source[8];
    memcpy(both, nonce, 8);
    memcpy(both + 8, link, 8);
    memcpy(source, link, 8);
    source[0] = 1;
    struct reply r;
    struct packet p = nd(136, 0, 255, THEM6, both, 16);
    assert_int_equal(parse(&p, &r), IGNORED_NOT);
    assert_true(r.kind == REPLY_NEIGHBOUR && r.source == THEM6 && r.dest == US6);
    assert_memory_equal(r.source_mac, link + 2, MAC_LEN);
    p = nd(136, 0, 255, THEM6, source, 8); /* the other kind of link address says nothing here */
    assert_int_equal(parse(&p, &r), IGNORED_NOT);
    assert_memory_equal(r.source_mac, packet_their_mac, MAC_LEN);
    p = nd(136, 0, 255, THEM6, NULL, 0);
    assert_int_equal(parse(&p, &r), IGNORED_NOT);
    assert_memory_equal(r.source_mac, packet_their_mac, MAC_LEN);
    p = nd(135, 0, 255, ROUTER6, source, 8);
    assert_int_equal(parse(&p, &r), IGNORED_NOT);
    assert_true(r.kind == REPLY_ASKED && r.source == THEM6 && r.dest == ROUTER6);
    assert_memory_equal(r.source_mac, link + 2, MAC_LEN);

    for (uint8_t type = 135; type <= 136; type++) {
        for (unsigned hops = 1; hops < 255; hops++) {
            p = nd(type, 0, (uint8_t)hops, THEM6, NULL, 0);
            assert_cause(&p, IGNORED_NOT_OURS);
        }
        p = nd(type, 1, 255, THEM6, NULL, 0);
        assert_cause(&p, IGNORED_NOT_OURS);
        p = nd(type, 0, 255, (addr_t)0xff02u << 112 | 1, NULL, 0);
        assert_cause(&p, IGNORED_WRONG_ADDRESS);
        p = nd(type, 0, 255, THEM6, zero, 8);
        assert_cause(&p, IGNORED_TRUNCATED);
        p = nd(type, 0, 255, THEM6, link, 7);
        assert_cause(&p, IGNORED_TRUNCATED);
        p = nd(type, 0, 255, THEM6, link, 1);
        assert_cause(&p, IGNORED_TRUNCATED);
    }
    p = nd(136, 0, 255, THEM6, group, 8);
    assert_cause(&p, IGNORED_WRONG_ADDRESS);
}

/* Types of ICMPv6: two kinds of answers to questions, and the errors; "packet too big" is none that says anything. */
static void test_every_icmpv6_type(void **state) {
    (void)state;
    struct packet error = sample(KIND_ERROR, true, LINK_IP);
    for (unsigned type = 0; type < 256; type++) {
        if (type == 135 || type == 136)
            continue;
        error.data[error.l4] = (uint8_t)type;
        packet_fix(&error);
        bool read = type == 1 || type == 3 || type == 4 || type == 129;
        assert_cause(&error, read ? IGNORED_NOT : IGNORED_UNSUPPORTED_ICMP);
    }
}

/* Quotes of IPv6: behind extension headers, cut at each byte, the first fragment of a packet, and others. */
static void test_quotes(void **state) {
    (void)state;
    static const uint8_t extensions[] = {60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 132, 0, 0, 1, 0, 0, 0, 0};
    uint8_t sctp[64], icmp[256];
    struct any_spec ours = {.source = US6, .dest = THEM6, .proto = 132, .id = 0xabcde, .extensions = extensions,
                            .extensions_len = sizeof extensions, .extension = 0};
    size_t n = put_sctp(sctp, 61080, 2905, 0, 1, 16);
    struct packet quote = packet_any(LINK_IP, &ours, sctp, n);
    store_be32(quote.data + quote.l4 + 16, 0x12345678);
    struct any_spec s = {.source = ROUTER6, .dest = US6, .proto = 58};
    struct reply r;
    for (size_t len = 0; len <= quote.len; len++) {
        struct packet p = packet_any(LINK_IP, &s, icmp, put_icmp(icmp, 1, 1, 0, quote.data, len));
        enum ignored got = parse(&p, &r);
        size_t headers = 40 + sizeof extensions;
        if (len < 40 || (len >= headers && len < headers + 8)) {
            assert_int_equal(got, IGNORED_TRUNCATED);
            continue;
        }
        assert_int_equal(got, IGNORED_NOT);
        assert_true(r.quoted_source == US6 && r.quoted_dest == THEM6 && r.quoted_id == 0xabcde);
        if (len < headers) {
            assert_true(r.quoted_proto == 0 || r.quoted_proto == 60 || r.quoted_proto == 44);
            continue;
        }
        assert_true(r.quoted_proto == 132 && r.quoted_source_port == 61080 && r.quoted_dest_port == 2905);
        assert_true(r.quoted_seq == 0 && r.quoted_tag == (len >= headers + 20 ? 0x12345678 : 0));
    }
    quote.data[40 + 16 + 3] = 9; /* a later fragment */
    struct packet p = packet_any(LINK_IP, &s, icmp, put_icmp(icmp, 1, 1, 0, quote.data, quote.len));
    assert_cause(&p, IGNORED_FRAGMENT);
    quote.data[0] = 0x45;
    p = packet_any(LINK_IP, &s, icmp, put_icmp(icmp, 1, 1, 0, quote.data, quote.len));
    assert_cause(&p, IGNORED_NOT_OURS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_bit_flip),
        cmocka_unit_test(test_vouched),
        cmocka_unit_test(test_udp_rules),
        cmocka_unit_test(test_extension_headers),
        cmocka_unit_test(test_endless_extension_headers),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_routing_header),
        cmocka_unit_test(test_every_protocol),
        cmocka_unit_test(test_impossible_addresses),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_neighbour_discovery),
        cmocka_unit_test(test_every_icmpv6_type),
        cmocka_unit_test(test_quotes),
    };
    return cmocka_run_group_tests_name("probe/headers", tests, NULL, NULL);
}
