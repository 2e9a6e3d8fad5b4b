/* Every kind of probe but the SYN over IPv4 (test_probe.c): the bytes that docs/headers.md promises, each checksum by
 * the slow sum, and the sizes that MTUs are held against. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "packets.h"
#include "probe/payload.h"
#include "probe/probe.h"
#include "probe/reply.h"

static const struct probe_config config = {
    .key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
    .first_port = {[TECHNIQUE_SYN] = 61000, [TECHNIQUE_FIN] = 61010, [TECHNIQUE_NULL] = 61020,
                   [TECHNIQUE_XMAS] = 61030, [TECHNIQUE_MAIMON] = 61040, [TECHNIQUE_ACK] = 61050,
                   [TECHNIQUE_WINDOW] = 61060, [TECHNIQUE_UDP] = 61070, [TECHNIQUE_SCTP_INIT] = 61080,
                   [TECHNIQUE_SCTP_COOKIE] = 61090, [TECHNIQUE_PROTOCOL] = 61100, [TECHNIQUE_PING] = 61110},
    .tries = 4,
    .ttl = 64,
    .ping = {{PING_ECHO, 0}, {PING_TIMESTAMP, 0}, {PING_SYN, 443}, {PING_ACK, 80}, {PING_UDP, 40125}, {PING_SCTP, 9}},
    .n_ping = 6,
};

#define US4 UINT32_C(0xc6120002)
#define THEM4 UINT32_C(0xc6130001)
#define US6 ((addr_t)0x20010002u << 96 | 2)
#define THEM6 ((addr_t)0x20010002u << 96 | 0xab123456u)

/* One frame, on a link without a header: from the IP header on. */
struct built {
    uint8_t p[PROBE_FRAME_MAX];
    size_t len, header;
    uint64_t cookie;
};

static struct built build(unsigned technique, uint16_t port, bool v6, unsigned try, unsigned part, uint16_t source_port,
                          uint16_t cookie_port) {
    struct built b = {.header = v6 ? 40 : 20};
    struct probe_path path = {.link = LINK_IP, .source = v6 ? US6 : addr_from_v4(US4)};
    struct endpoint ep = {v6 ? THEM6 : addr_from_v4(THEM4), {port, (uint8_t)technique}};
    b.len = probe_build(&config, &path, &ep, try, part, b.p);
    b.cookie = probe_cookie(&config.key, path.source, ep.addr, source_port, cookie_port);
    return b;
}

static uint16_t pseudo(const uint8_t *ip, uint8_t proto, size_t len) {
    uint8_t tail[4] = {0, proto, (uint8_t)(len >> 8), (uint8_t)len};
    uint16_t sum = ip[0] >> 4 == 6 ? slow_sum(0, ip + 8, 32) : slow_sum(0, ip + 12, 8);
    return slow_sum(sum, tail, sizeof tail);
}

/* The header as it must be for that many bytes behind it. */
static void assert_header(const struct built *b, uint8_t proto, uint8_t ttl, size_t payload) {
    const uint8_t *ip = b->p;
    assert_int_equal(b->len, b->header + payload);
    if (b->header == 20) {
        assert_int_equal(load_be16(ip), 0x4500);
        assert_int_equal(load_be16(ip + 2), b->len);
        assert_int_equal(load_be16(ip + 4), (uint16_t)(b->cookie >> 32));
        assert_int_equal(load_be16(ip + 6), 0x4000);
        assert_int_equal(ip[8], ttl);
        assert_int_equal(ip[9], proto);
        assert_int_equal(slow_sum(0, ip, 20), 0xffff);
        assert_int_equal(load_be32(ip + 12), US4);
        assert_int_equal(load_be32(ip + 16), THEM4);
        return;
    }
    assert_int_equal(load_be32(ip), 0x60000000 | ((uint32_t)(b->cookie >> 32) & 0xfffff));
    assert_int_equal(load_be16(ip + 4), payload);
    assert_int_equal(ip[6], proto);
    assert_int_equal(ip[7], ttl);
}

static void test_tcp(void **state) {
    (void)state;
    static const struct {
        unsigned technique;
        uint8_t flags;
        uint16_t port;
    } cases[] = {{TECHNIQUE_SYN, 0x02, 61000},    {TECHNIQUE_FIN, 0x01, 61010},  {TECHNIQUE_NULL, 0, 61020},
                 {TECHNIQUE_XMAS, 0x29, 61030},   {TECHNIQUE_MAIMON, 0x11, 61040}, {TECHNIQUE_ACK, 0x10, 61050},
                 {TECHNIQUE_WINDOW, 0x10, 61060}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            struct built b = build(cases[i].technique, 443, v6, 2, 0, (uint16_t)(cases[i].port + 2), 443);
            const uint8_t *tcp = b.p + b.header;
            bool syn = cases[i].flags & 2, ack = cases[i].flags & 16;
            assert_header(&b, 6, 64, syn ? 24 : 20);
            assert_int_equal(load_be16(tcp), cases[i].port + 2);
            assert_int_equal(load_be16(tcp + 2), 443);
            assert_int_equal(load_be32(tcp + 4), (uint32_t)b.cookie);
            assert_int_equal(load_be32(tcp + 8), ack ? (uint32_t)b.cookie : 0);
            assert_int_equal(tcp[12], syn ? 0x60 : 0x50);
            assert_int_equal(tcp[13], cases[i].flags);
            assert_int_equal(load_be16(tcp + 14), 64240);
            assert_int_equal(load_be16(tcp + 18), 0);
            if (syn)
                assert_int_equal(load_be32(tcp + 20), v6 ? 0x020405a0 : 0x020405b4);
            size_t len = b.len - b.header;
            assert_int_equal(slow_sum(pseudo(b.p, 6, len), tcp, len), 0xffff);
        }
    }
}

/* Each payload of a port that has several, and none where there is none. */
static void test_udp(void **state) {
    (void)state;
    static const uint16_t ports[] = {53, 123, 161, 443, 3478, 4000, 65535};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        struct endpoint ep = {addr_from_v4(THEM4), {ports[i], TECHNIQUE_UDP}};
        assert_int_equal(probe_parts(&config, &ep), payload_count(ports[i], false));
        for (unsigned part = 0; part < probe_parts(&config, &ep); part++) {
            for (unsigned v6 = 0; v6 < 2; v6++) {
                struct built b = build(TECHNIQUE_UDP, ports[i], v6, 1, part, 61071, ports[i]);
                uint8_t payload[PAYLOAD_MAX];
                size_t n = payload_build(ports[i], part, false, b.cookie, payload);
                const uint8_t *udp = b.p + b.header;
                assert_header(&b, 17, 64, 8 + n);
                assert_int_equal(load_be16(udp), 61071);
                assert_int_equal(load_be16(udp + 2), ports[i]);
                assert_int_equal(load_be16(udp + 4), 8 + n);
                assert_memory_equal(udp + 8, payload, n);
                assert_true(load_be16(udp + 6) != 0);
                assert_int_equal(slow_sum(pseudo(b.p, 17, 8 + n), udp, 8 + n), 0xffff);
                assert_true(b.len <= probe_packet_max(&config, &ep.slot));
            }
        }
    }
}

/* A checksum that comes out as zero is sent as its other form (RFC 768). */
static void test_udp_checksum_is_never_zero(void **state) {
    (void)state;
    unsigned zero = 0;
    for (uint32_t ip = 0; ip < 300000; ip++) {
        struct probe_path path = {.link = LINK_IP, .source = addr_from_v4(US4)};
        struct endpoint ep = {addr_from_v4(THEM4 + ip), {4000, TECHNIQUE_UDP}};
        uint8_t p[PROBE_FRAME_MAX];
        size_t len = probe_build(&config, &path, &ep, 0, 0, p);
        assert_int_equal(len, 28);
        uint16_t sum = load_be16(p + 26);
        assert_int_not_equal(sum, 0);
        zero += sum == 0xffff;
    }
    assert_true(zero > 0);
}

static void assert_init(const struct built *b, uint16_t source_port, uint16_t dest_port) {
    const uint8_t *sctp = b->p + b->header;
    assert_header(b, 132, 64, 32);
    assert_int_equal(load_be16(sctp), source_port);
    assert_int_equal(load_be16(sctp + 2), dest_port);
    assert_int_equal(load_be32(sctp + 4), 0);
    assert_int_equal(load_be32(sctp + 12), 0x01000014); /* INIT, 20 bytes */
    assert_int_equal(load_be32(sctp + 16), (uint32_t)b->cookie);
    assert_true(load_be32(sctp + 20) >= 1500);
    assert_true(load_be16(sctp + 24) > 0 && load_be16(sctp + 26) > 0);
    uint8_t copy[32];
    memcpy(copy, sctp, sizeof copy);
    memset(copy + 8, 0, 4);
    uint32_t crc = slow_crc(copy, sizeof copy);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sctp[8 + i], (uint8_t)(crc >> 8 * i));
}

static void test_sctp(void **state) {
    (void)state;
    assert_int_equal(slow_crc((const uint8_t *)"123456789", 9), 0xe3069283); /* as published */
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct built b = build(TECHNIQUE_SCTP_INIT, 2905, v6, 3, 0, 61083, 2905);
        assert_init(&b, 61083, 2905);
        b = build(TECHNIQUE_SCTP_COOKIE, 2905, v6, 0, 0, 61090, 2905);
        const uint8_t *sctp = b.p + b.header;
        assert_header(&b, 132, 64, 24);
        assert_int_equal(load_be32(sctp + 4), (uint32_t)b.cookie);
        assert_int_equal(load_be32(sctp + 12), 0x0a00000c); /* COOKIE-ECHO, 12 bytes */
    }
}

static void assert_echo(const struct built *b, bool v6, unsigned try) {
    const uint8_t *icmp = b->p + b->header;
    assert_header(b, v6 ? 58 : 1, 64, 40);
    assert_int_equal(load_be16(icmp), v6 ? 0x8000 : 0x0800);
    assert_int_equal(load_be16(icmp + 4), b->cookie >> 48);
    assert_int_equal(load_be16(icmp + 6), try);
    assert_true(load_be64(icmp + 8) == b->cookie);
    for (unsigned i = 8; i < 32; i++)
        assert_int_equal(icmp[8 + i], i);
    assert_int_equal(slow_sum(v6 ? pseudo(b->p, 58, 40) : 0, icmp, 40), 0xffff);
}

static void test_pings(void **state) {
    (void)state;
    struct endpoint ep = {addr_from_v4(THEM4), {0, TECHNIQUE_PING}};
    assert_int_equal(probe_parts(&config, &ep), 6);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct built b = build(TECHNIQUE_PING, 0, v6, 3, 0, 61113, v6 ? 128 : 8);
        assert_echo(&b, v6, 3);
        b = build(TECHNIQUE_PING, 0, v6, 3, 1, 61113, 13);
        if (v6) {
            assert_int_equal(b.len, 0);
        } else {
            const uint8_t *icmp = b.p + 20;
            assert_header(&b, 1, 64, 20);
            assert_int_equal(load_be16(icmp), 0x0d00);
            assert_int_equal(load_be16(icmp + 4), b.cookie >> 48);
            assert_int_equal(load_be16(icmp + 6), 3);
            assert_int_equal(load_be32(icmp + 8), (uint32_t)b.cookie | 0x80000000); /* not the time of day */
            assert_true(load_be64(icmp + 12) == 0);
            assert_int_equal(slow_sum(0, icmp, 20), 0xffff);
        }
        b = build(TECHNIQUE_PING, 0, v6, 0, 2, 61110, 443);
        assert_header(&b, 6, 64, 24);
        assert_int_equal(b.p[b.header + 13], 0x02);
        b = build(TECHNIQUE_PING, 0, v6, 0, 3, 61110, 80);
        assert_header(&b, 6, 64, 20);
        assert_int_equal(b.p[b.header + 13], 0x10);
        assert_int_equal(load_be32(b.p + b.header + 8), (uint32_t)b.cookie);
        b = build(TECHNIQUE_PING, 0, v6, 0, 4, 61110, 40125);
        assert_header(&b, 17, 64, 8 + payload_longest(40125, false));
        b = build(TECHNIQUE_PING, 0, v6, 0, 5, 61110, 9);
        assert_init(&b, 61110, 9);
        b = build(TECHNIQUE_PING, 0, v6, 0, 6, 61110, 9);
        assert_int_equal(b.len, 0); /* there is no such part */
    }
}

/* Each protocol has its own header where it has one, and nothing where it has none. */
static void test_protocols(void **state) {
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (uint16_t proto = 0; proto < 256; proto++) {
            bool echo = proto == (v6 ? 58 : 1), extension = v6 && (!proto || proto == 43 || proto == 44 || proto == 60);
            uint16_t port = proto == 6     ? 80
                            : proto == 17  ? 33434
                            : proto == 132 ? 80
                            : echo         ? (v6 ? 128 : 8)
                                           : proto;
            struct built b = build(TECHNIQUE_PROTOCOL, proto, v6, 1, 0, 61101, port);
            const uint8_t *l4 = b.p + b.header;
            size_t want = proto == 6                  ? 20
                          : proto == 17               ? 8
                          : proto == 132              ? 32
                          : echo                      ? 40
                          : proto == 2 && !v6         ? 12
                          : proto == 136 || extension ? 8
                                                      : 0;
            assert_header(&b, (uint8_t)proto, 64, want);
            struct slot slot = {proto, TECHNIQUE_PROTOCOL};
            assert_true(b.len <= probe_packet_max(&config, &slot));
            if (echo)
                assert_echo(&b, v6, 1);
            else if (proto == 6)
                assert_int_equal(l4[13], 0x10);
            else if (proto == 132)
                assert_init(&b, 61101, 80);
            else if (proto == 2 && !v6) /* a query, of IGMP version 3 */
                assert_true(l4[0] == 0x11 && slow_sum(0, l4, 12) == 0xffff);
            else if (proto == 17 || proto == 136)
                assert_int_equal(slow_sum(pseudo(b.p, (uint8_t)proto, 8), l4, 8), 0xffff);
            else if (extension)
                assert_true(l4[0] == 59 && l4[1] == 0);
        }
    }
}

static void test_neighbour_solicitation(void **state) {
    (void)state;
    static const uint8_t want[86] = {
        0x33, 0x33, 0xff, 0x12, 0x34, 0x56, 0x02, 0, 0, 0, 0, 0x01, 0x86, 0xdd,
        0x60, 0, 0, 0, 0, 32, 58, 255,
        0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56,
        135, 0, 0, 0, 0, 0, 0, 0, /* the checksum is filled in below */
        0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0x12, 0x34, 0x56,
        1, 1, 0x02, 0, 0, 0, 0, 0x01,
    };
    struct packet expected = {.len = sizeof want, .ip = 14, .l4 = 54, .end = sizeof want, .proto = 58};
    memcpy(expected.data, want, sizeof want);
    packet_fix(&expected);
    struct probe_path path = {.link = LINK_ETHERNET, .source = US6};
    memcpy(path.source_mac, packet_our_mac, MAC_LEN);
    memcpy(path.dest_mac, packet_their_mac, MAC_LEN);
    struct endpoint ep = {THEM6, {.technique = TECHNIQUE_NEIGHBOUR}};
    uint8_t frame[PROBE_FRAME_MAX];
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), sizeof want);
    assert_memory_equal(frame, expected.data, sizeof want);
    assert_true(probe_packet_max(&config, &ep.slot) >= 72);
    path.link = LINK_IP;
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0);
    path.link = LINK_ETHERNET; /* a link-local target: its zone is not on the wire */
    path.source = addr_with_zone((addr_t)0xfe80u << 112 | 5, 7);
    ep.addr = addr_with_zone((addr_t)0xfe80u << 112 | 9, 7);
    assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), sizeof want);
    assert_true(load_be64(frame + 22) == UINT64_C(0xfe80000000000000));
    assert_true(load_be64(frame + 62) == UINT64_C(0xfe80000000000000));
}

/* A zone is no part of what is sent, nor of the cookie. */
static void test_zones_stay_here(void **state) {
    (void)state;
    addr_t us = (addr_t)0xfe80u << 112 | 5, them = (addr_t)0xfe80u << 112 | 9;
    uint8_t with[PROBE_FRAME_MAX], without[PROBE_FRAME_MAX];
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++) {
        if (t == TECHNIQUE_CONNECT)
            continue;
        struct probe_path path = {.link = LINK_ETHERNET, .source = us};
        struct endpoint ep = {them, {58, (uint8_t)t}};
        size_t n = probe_build(&config, &path, &ep, 0, 0, without);
        path.source = addr_with_zone(us, 3);
        ep.addr = addr_with_zone(them, 3);
        assert_int_equal(probe_build(&config, &path, &ep, 0, 0, with), n);
        assert_memory_equal(with, without, n);
    }
}

static struct reply parsed(const struct packet *p) {
    struct reply r;
    assert_int_equal(reply_parse(LINK_ETHERNET, p->data, p->len, (uint32_t)p->len, 0, &r), IGNORED_NOT);
    return r;
}

/* Whoever asks for an address that is borrowed gets ours, in a frame that our own reader takes for an answer. */
static void test_neighbour_answers(void **state) {
    (void)state;
    static const uint8_t mac[MAC_LEN] = {0x02, 1, 2, 3, 4, 5};
    uint8_t frame[PROBE_ANSWER_MAX];
    struct arp_spec ask = {.opcode = 1, .sender = THEM4, .target = US4};
    memcpy(ask.sender_mac, packet_their_mac, MAC_LEN);
    struct packet p = packet_arp(&ask);
    struct reply r = parsed(&p), back;
    size_t n = probe_build_neighbour_answer(LINK_ETHERNET, &r, mac, frame);
    assert_int_equal(n, 60);
    assert_memory_equal(frame, packet_their_mac, MAC_LEN);
    assert_int_equal(reply_parse(LINK_ETHERNET, frame, n, (uint32_t)n, 0, &back), IGNORED_NOT);
    assert_true(back.kind == REPLY_NEIGHBOUR && back.source == addr_from_v4(US4) && back.dest == addr_from_v4(THEM4));
    assert_memory_equal(back.source_mac, mac, MAC_LEN);

    uint8_t nd[32], body[28] = {0};
    store_be64(body + 0, (uint64_t)(US6 >> 64));
    store_be64(body + 8, (uint64_t)US6);
    body[16] = 1;
    body[17] = 1;
    memcpy(body + 18, packet_their_mac, MAC_LEN);
    for (unsigned anonymous = 0; anonymous < 2; anonymous++) { /* looking for a duplicate: no source, no option */
        size_t len = put_icmp(nd, 135, 0, 0, body, anonymous ? 16 : 24);
        struct any_spec ip = {.source = anonymous ? 0 : THEM6, .dest = US6, .proto = 58, .ttl = 255};
        p = packet_any(LINK_ETHERNET, &ip, nd, len);
        r = parsed(&p);
        assert_true(r.kind == REPLY_ASKED && r.dest == US6 && r.source == ip.source);
        n = probe_build_neighbour_answer(LINK_ETHERNET, &r, mac, frame);
        assert_int_equal(n, 86);
        static const uint8_t all[MAC_LEN] = {0x33, 0x33, 0, 0, 0, 1};
        assert_memory_equal(frame, anonymous ? all : packet_their_mac, MAC_LEN);
        assert_int_equal(reply_parse(LINK_ETHERNET, frame, n, (uint32_t)n, 0, &back), IGNORED_NOT);
        assert_true(back.kind == REPLY_NEIGHBOUR && back.source == US6);
        assert_true(back.dest == (anonymous ? (addr_t)0xff02u << 112 | 1 : THEM6));
        assert_memory_equal(back.source_mac, mac, MAC_LEN);
        assert_int_equal(load_be32(frame + 58), anonymous ? 0x20000000 : 0x60000000);
    }
    assert_int_equal(probe_build_neighbour_answer(LINK_IP, &r, mac, frame), 0);
    r.kind = REPLY_NEIGHBOUR;
    assert_int_equal(probe_build_neighbour_answer(LINK_ETHERNET, &r, mac, frame), 0);
}

/* Over IPv6 the two answers to answers are as over IPv4. */
static void test_segments_answered(void **state) {
    (void)state;
    uint8_t tcp[20], frame[PROBE_ANSWER_MAX];
    size_t n = put_segment(tcp, 80, 61001, 77, 0x80000001, 0x12, 1000);
    struct any_spec ip = {.source = THEM6, .dest = US6, .proto = 6};
    struct packet p = packet_any(LINK_ETHERNET, &ip, tcp, n);
    struct reply r = parsed(&p), back;
    uint64_t cookie = probe_cookie(&config.key, US6, THEM6, 61001, 80);
    for (unsigned reset = 0; reset < 2; reset++) {
        size_t len = (reset ? probe_build_reset : probe_build_syn_ack)(&config, LINK_ETHERNET, &r, frame);
        assert_int_equal(len, 14 + 40 + (reset ? 20 : 24));
        assert_int_equal(reply_parse(LINK_ETHERNET, frame, len, (uint32_t)len, 0, &back), IGNORED_NOT);
        assert_true(back.source == US6 && back.dest == THEM6);
        assert_int_equal(back.source_port, 61001);
        assert_int_equal(back.dest_port, 80);
        assert_int_equal(back.tcp_flags, reset ? 4 : 0x12);
        assert_int_equal(back.seq, reset ? 0x80000001 : (uint32_t)cookie);
        assert_int_equal(back.ack, reset ? 0 : 78);
        assert_memory_equal(frame, packet_their_mac, MAC_LEN);
        assert_memory_equal(frame + 6, packet_our_mac, MAC_LEN);
    }
}

static void test_families_do_not_mix(void **state) {
    (void)state;
    uint8_t frame[PROBE_FRAME_MAX];
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++) {
        struct probe_path path = {.link = LINK_ETHERNET, .source = US6};
        struct endpoint ep = {addr_from_v4(THEM4), {1, (uint8_t)t}};
        assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0);
        path.source = addr_from_v4(US4);
        ep.addr = THEM6;
        assert_int_equal(probe_build(&config, &path, &ep, 0, 0, frame), 0);
    }
}

/* No probe to any UDP port is longer than what is said of it, nor than a frame; in exact room, for a sanitizer. */
static void test_sizes(void **state) {
    (void)state;
    struct probe_config c = config;
    c.amplifiers = true;
    for (unsigned port = 0; port < 65536; port++) {
        struct endpoint ep = {THEM6, {(uint16_t)port, TECHNIQUE_UDP}};
        struct probe_path path = {.link = LINK_ETHERNET, .source = US6};
        size_t most = probe_packet_max(&c, &ep.slot);
        assert_true(most >= 48 && most + 14 <= PROBE_FRAME_MAX);
        if (payload_longest((uint16_t)port, true) == 0)
            continue;
        for (unsigned part = 0; part < probe_parts(&c, &ep); part++) {
            uint8_t *frame = malloc(PROBE_FRAME_MAX);
            assert_non_null(frame);
            size_t len = probe_build(&c, &path, &ep, 0, part, frame);
            assert_true(len >= 62 && len - 14 <= most);
            free(frame);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp_checksum_is_never_zero),
        cmocka_unit_test(test_sctp),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_neighbour_solicitation),
        cmocka_unit_test(test_zones_stay_here),
        cmocka_unit_test(test_neighbour_answers),
        cmocka_unit_test(test_segments_answered),
        cmocka_unit_test(test_families_do_not_mix),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests_name("probe/build", tests, NULL, NULL);
}
