/* Built frames: every byte of them, the cookie they carry, and the ports they leave from. */
#include "cmocka_all.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "packets.h"
#include "probe/probe.h"
#include "probe/reply.h"

#define US UINT32_C(0xc6120002)   /* 198.18.0.2 */
#define THEM UINT32_C(0xc6130001) /* 198.19.0.1 */

/* The key of SipHash's published vectors: bytes 00 to 0f. */
static const struct probe_config config = {
    .key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
    .first_port[TECHNIQUE_SYN] = 61000,
    .tries = 4,
    .ttl = 64,
};

static struct probe_path path_of(enum link_type link) {
    struct probe_path p = {.link = link, .source = addr_from_v4(US)};
    memcpy(p.source_mac, packet_our_mac, MAC_LEN);
    memcpy(p.dest_mac, packet_their_mac, MAC_LEN);
    return p;
}

static struct endpoint endpoint_of(uint32_t ip, uint16_t port) {
    return (struct endpoint){addr_from_v4(ip), {.port = port, .technique = TECHNIQUE_SYN}};
}

/* Computed by another program (a Python SipHash-2-4 that agrees with the published vectors). */
static void test_cookie_known_answers(void **state) {
    (void)state;
    uint64_t v4 = probe_cookie(&config.key, addr_from_v4(US), addr_from_v4(THEM), 61000, 80);
    assert_true(v4 == UINT64_C(0xec09e585708d54c8));
    /* IPv6: the 36 bytes are 00, 01 .. 23, a message of the published vectors' kind. */
    addr_t source = (addr_t)UINT64_C(0x0001020304050607) << 64 | UINT64_C(0x08090a0b0c0d0e0f);
    addr_t dest = (addr_t)UINT64_C(0x1011121314151617) << 64 | UINT64_C(0x18191a1b1c1d1e1f);
    assert_true(probe_cookie(&config.key, source, dest, 0x2021, 0x2223) == UINT64_C(0x314dffbe0815a3b4));
}

/* Every bit of the tuple and of the key counts: a change in one changes the sequence number. */
static void test_cookie_depends_on_all(void **state) {
    (void)state;
    const uint32_t seq = (uint32_t)probe_cookie(&config.key, addr_from_v4(US), addr_from_v4(THEM), 61000, 80);
    for (unsigned bit = 0; bit < 32 + 32 + 16 + 16; bit++) {
        uint32_t source = US ^ (bit < 32 ? 1u << bit : 0);
        uint32_t dest = THEM ^ (bit >= 32 && bit < 64 ? 1u << (bit - 32) : 0);
        uint16_t sport = (uint16_t)(61000 ^ (bit >= 64 && bit < 80 ? 1u << (bit - 64) : 0));
        uint16_t dport = (uint16_t)(80 ^ (bit >= 80 ? 1u << (bit - 80) : 0));
        assert_int_not_equal(
            (uint32_t)probe_cookie(&config.key, addr_from_v4(source), addr_from_v4(dest), sport, dport), seq);
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        struct siphash_key key = config.key;
        *(bit < 64 ? &key.k0 : &key.k1) ^= UINT64_C(1) << bit % 64;
        assert_int_not_equal((uint32_t)probe_cookie(&key, addr_from_v4(US), addr_from_v4(THEM), 61000, 80), seq);
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        addr_t a = (addr_t)0x20010db8 << 96, flipped = a ^ (addr_t)1 << bit;
        assert_true(probe_cookie(&config.key, a, a, 1, 2) != probe_cookie(&config.key, flipped, a, 1, 2));
        assert_true(probe_cookie(&config.key, a, a, 1, 2) != probe_cookie(&config.key, a, flipped, 1, 2));
    }
}

/* The frame of docs/headers.md, byte by byte. Sequence and identification are the known cookie's. */
static void test_syn_frame(void **state) {
    (void)state;
    static const uint8_t want[] = {
        /* Ethernet */
        0x02, 0, 0, 0, 0, 0x99, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
        /* IPv4: 44 bytes, identification, DF, TTL 64, TCP, checksum (filled in below), addresses */
        0x45, 0, 0, 44, 0xe5, 0x85, 0x40, 0, 64, 6, 0, 0, 198, 18, 0, 2, 198, 19, 0, 1,
        /* TCP: ports, sequence, no acknowledgement, 6 words, SYN, window, checksum, urgent, MSS 1460 */
        0xee, 0x48, 0, 80, 0x70, 0x8d, 0x54, 0xc8, 0, 0, 0, 0, 0x60, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 0x05, 0xb4,
    };
    static_assert(sizeof want == 58, "14 + 20 + 24");
    struct probe_path path = path_of(LINK_ETHERNET);
    struct endpoint ep = endpoint_of(THEM, 80);
    uint8_t frame[PROBE_FRAME_MAX];
    size_t len = probe_build(&config, &path, &ep, 0, 0, frame);
    assert_int_equal(len, sizeof want);

    struct packet expected = {.len = sizeof want, .ip = 14, .l4 = 34, .end = sizeof want};
    memcpy(expected.data, want, sizeof want);
    packet_fix(&expected);
    assert_memory_equal(frame, expected.data, sizeof want);

    path.link = LINK_IP; /* the same without the link header */
    uint8_t bare[PROBE_FRAME_MAX];
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, bare), 44);
    assert_memory_equal(bare, frame + 14, 44);
}

static void test_arp_frame(void **state) {
    (void)state;
    static const uint8_t want[60] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x06,
        0, 1, 0x08, 0, 6, 4, 0, 1, /* request */
        0x02, 0, 0, 0, 0, 0x01, 198, 18, 0, 2,
        0, 0, 0, 0, 0, 0, 198, 19, 0, 1, /* the rest is padding */
    };
    struct probe_path path = path_of(LINK_ETHERNET);
    struct endpoint ep = {addr_from_v4(THEM), {.technique = TECHNIQUE_NEIGHBOUR}};
    uint8_t frame[PROBE_FRAME_MAX];
    memset(frame, 0xee, sizeof frame);
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), sizeof want);
    assert_memory_equal(frame, want, sizeof want);
    path.link = LINK_IP;
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0); /* there is no ARP without Ethernet */
}

static void test_ipv6_is_refused(void **state) {
    (void)state;
    struct probe_path path = path_of(LINK_ETHERNET);
    struct endpoint ep = {(addr_t)0x20010db8 << 96 | 1, {.port = 80, .technique = TECHNIQUE_SYN}};
    uint8_t frame[PROBE_FRAME_MAX];
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0);
    ep = endpoint_of(THEM, 80);
    path.source = (addr_t)0x20010db8 << 96 | 2;
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0);
}

/* Never 0, which raw sockets would replace. */
static uint16_t id_of(uint64_t cookie) {
    uint16_t id = (uint16_t)(cookie >> 32);
    return id ? id : 1;
}

/* What a SYN probe holds, whatever the endpoint, try and TTL: our own reader and the slow sum agree on it. */
static void test_random_probes_parse_back(void **state) {
    (void)state;
    uint64_t r = 1;
    for (unsigned i = 0; i < 200000; i++) {
        r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct probe_config c = config;
        c.key.k0 ^= r;
        c.ttl = (uint8_t)(r >> 40);
        struct probe_path path = path_of(i % 2 ? LINK_ETHERNET : LINK_IP);
        path.source = addr_from_v4((uint32_t)(r >> 7));
        struct endpoint ep = endpoint_of((uint32_t)(r >> 29), (uint16_t)(r >> 11));
        uint8_t frame[PROBE_FRAME_MAX];
        size_t len = probe_build(&c, &path, &ep, i % 4, 0, frame);
        struct reply p;
        if (reply_parse(path.link, frame, len, (uint32_t)len, 0, &p) != IGNORED_NOT)
            fail_msg("probe %u does not parse", i);
        uint64_t cookie = probe_cookie(&c.key, path.source, ep.addr, (uint16_t)(61000 + i % 4), ep.slot.port);
        const uint8_t *ip = frame + (i % 2 ? 14 : 0);
        if (p.source != path.source || p.dest != ep.addr || p.source_port != 61000 + i % 4 ||
            p.dest_port != ep.slot.port || p.seq != (uint32_t)cookie || p.ack || p.ttl != c.ttl || p.window != 64240 ||
            p.tcp_flags != 2 || load_be16(ip + 4) != id_of(cookie) || slow_sum(0, ip, 20) != 0xffff)
            fail_msg("probe %u has a wrong field", i);
    }
}

static struct reply reply_of(enum link_type link, const struct tcp_spec *s) {
    struct packet p = packet_tcp(link, s);
    struct reply r;
    assert_int_equal(reply_parse(link, p.data, p.len, (uint32_t)p.len, 0, &r), IGNORED_NOT);
    return r;
}

/* The answers to an answer, read back: everything turned round. */
static void test_reset_and_syn_ack(void **state) {
    (void)state;
    static const struct tcp_spec received = {
        .ip = {.source = THEM, .dest = US, .option_words = 3},
        .source_port = 80,
        .dest_port = 61002,
        .seq = 0xffffffff,
        .ack = 0x80000001,
        .flags = 0x12,
        .option_words = 5,
        .window = 1000,
    };
    uint64_t cookie = probe_cookie(&config.key, addr_from_v4(US), addr_from_v4(THEM), 61002, 80);
    for (int link = LINK_ETHERNET; link <= LINK_IP; link++) {
        struct reply r = reply_of((enum link_type)link, &received), back;
        uint8_t frame[PROBE_FRAME_MAX];
        size_t header = link == LINK_ETHERNET ? 14 : 0;

        size_t len = probe_build_reset(&config, (enum link_type)link, &r, frame);
        assert_int_equal(len, header + 40);
        assert_int_equal(reply_parse((enum link_type)link, frame, len, (uint32_t)len, 0, &back), IGNORED_NOT);
        assert_true(back.source == addr_from_v4(US) && back.dest == addr_from_v4(THEM));
        assert_int_equal(back.source_port, 61002);
        assert_int_equal(back.dest_port, 80);
        assert_int_equal(back.seq, 0x80000001); /* the received ack */
        assert_int_equal(back.ack, 0);
        assert_int_equal(back.tcp_flags, 0x04);
        assert_int_equal(back.window, 0);
        assert_int_equal(back.ttl, 64);
        if (header) {
            assert_memory_equal(frame, packet_their_mac, MAC_LEN);
            assert_memory_equal(frame + 6, packet_our_mac, MAC_LEN);
        }

        len = probe_build_syn_ack(&config, (enum link_type)link, &r, frame);
        assert_int_equal(len, header + 44);
        assert_int_equal(reply_parse((enum link_type)link, frame, len, (uint32_t)len, 0, &back), IGNORED_NOT);
        assert_int_equal(back.seq, (uint32_t)cookie);
        assert_int_equal(back.ack, 0); /* 0xffffffff + 1 */
        assert_int_equal(back.tcp_flags, 0x12);
        assert_int_equal(back.source_port, 61002);
        assert_int_equal(back.dest_port, 80);
        assert_int_equal(back.window, 64240);
        assert_int_equal(load_be32(frame + header + 40), 0x020405b4); /* MSS 1460 */
        assert_int_equal(load_be16(frame + header + 4), (uint16_t)(cookie >> 32));
    }
}

static void test_only_tcp_is_answered(void **state) {
    (void)state;
    uint8_t frame[PROBE_FRAME_MAX];
    struct reply r = {.kind = REPLY_NEIGHBOUR, .source = addr_from_v4(THEM), .dest = addr_from_v4(US)};
    assert_int_equal(probe_build_reset(&config, LINK_IP, &r, frame), 0);
    assert_int_equal(probe_build_syn_ack(&config, LINK_IP, &r, frame), 0);
    r.kind = REPLY_TCP;
    assert_int_equal(probe_build_reset(&config, LINK_IP, &r, frame), 40);
    r.source = (addr_t)0x20010db8 << 96;
    assert_int_equal(probe_build_reset(&config, LINK_IP, &r, frame), 0);
    assert_int_equal(probe_build_syn_ack(&config, LINK_IP, &r, frame), 0);
}

/* Each technique counts its tries from its own first port, and a fixed port stays fixed. */
static void test_source_ports(void **state) {
    (void)state;
    for (uint8_t tries = 1; tries <= 11; tries++) {
        struct probe_config c = {
            .first_port = {[TECHNIQUE_SYN] = 40000, [TECHNIQUE_UDP] = 30000}, .tries = tries};
        for (unsigned try = 0; try < tries; try++) {
            assert_int_equal(probe_source_port(&c, TECHNIQUE_SYN, try), 40000u + try);
            assert_int_equal(probe_source_port(&c, TECHNIQUE_UDP, try), 30000u + try);
        }
    }
    struct probe_config fixed = {.first_port[TECHNIQUE_SYN] = 53, .tries = 1, .port_fixed = true};
    for (unsigned try = 0; try < 11; try++)
        assert_int_equal(probe_source_port(&fixed, TECHNIQUE_SYN, try), 53);
}

static void test_wire_bits(void **state) {
    (void)state;
    static const struct {
        enum link_type link;
        size_t len;
        unsigned bits;
    } cases[] = {
        {LINK_ETHERNET, 58, 672},      {LINK_ETHERNET, 0, 672},      {LINK_ETHERNET, 60, 672},
        {LINK_ETHERNET, 61, 85 * 8},   {LINK_ETHERNET, 1514, 12304}, {LINK_IP, 44, 352},
        {LINK_IP, 0, 0},               {LINK_IP, 1500, 12000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(probe_wire_bits(cases[i].link, cases[i].len), cases[i].bits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cookie_known_answers),
        cmocka_unit_test(test_cookie_depends_on_all),
        cmocka_unit_test(test_syn_frame),
        cmocka_unit_test(test_arp_frame),
        cmocka_unit_test(test_ipv6_is_refused),
        cmocka_unit_test(test_random_probes_parse_back),
        cmocka_unit_test(test_reset_and_syn_ack),
        cmocka_unit_test(test_only_tcp_is_answered),
        cmocka_unit_test(test_source_ports),
        cmocka_unit_test(test_wire_bits),
    };
    return cmocka_run_group_tests_name("probe/probe", tests, NULL, NULL);
}
