/* reply_judge(): only a true answer to a probe of ours passes, and the judge says which probe and try, and what. */
#include "cmocka_all.h"

#include <string.h>

#include "packets.h"
#include "probe/reply.h"

#define US UINT32_C(0xc6120002)     /* 198.18.0.2 */
#define THEM UINT32_C(0xc6130001)   /* 198.19.0.1 */
#define ROUTER UINT32_C(0xc61200fe) /* 198.18.0.254 */
#define FIN 0x01u
#define SYN 0x02u
#define RST 0x04u
#define ACK 0x10u

static const struct probe_config config = {
    .key = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)},
    .first_port[TECHNIQUE_SYN] = 61000,
    .tries = 4,
    .ttl = 64,
};

static uint32_t cookie_of(uint16_t our_port, uint16_t their_port) {
    return (uint32_t)probe_cookie(&config.key, addr_from_v4(US), addr_from_v4(THEM), our_port, their_port);
}

static struct reply tcp_reply(uint8_t flags, uint32_t ack) {
    return (struct reply){
        .kind = REPLY_TCP,
        .proto = 6,
        .source = addr_from_v4(THEM),
        .dest = addr_from_v4(US),
        .ttl = 57,
        .tcp_flags = flags,
        .source_port = 80,
        .dest_port = 61000,
        .seq = 0x11223344,
        .ack = ack,
    };
}

static struct reply icmp_reply(uint8_t type, uint8_t code) {
    return (struct reply){
        .kind = REPLY_ICMP_ERROR,
        .proto = 1,
        .source = addr_from_v4(ROUTER),
        .dest = addr_from_v4(US),
        .icmp_type = type,
        .icmp_code = code,
        .quoted_source = addr_from_v4(US),
        .quoted_dest = addr_from_v4(THEM),
        .quoted_proto = 6,
        .quoted_source_port = 61000,
        .quoted_dest_port = 80,
        .quoted_seq = cookie_of(61000, 80),
    };
}

static void assert_answer(const struct probe_config *c, const struct reply *r, enum state s, enum reason why,
                          int tried, uint32_t reporter) {
    struct answer a;
    memset(&a, 0x5a, sizeof a);
    assert_string_equal(ignored_name(reply_judge(c, r, &a)), "none");
    assert_true(a.endpoint.addr == addr_from_v4(THEM));
    assert_int_equal(a.endpoint.slot.port, 80);
    assert_int_equal(a.endpoint.slot.technique, TECHNIQUE_SYN);
    assert_string_equal(state_name(a.verdict.state), state_name(s));
    assert_string_equal(reason_name(a.verdict.reason), reason_name(why));
    assert_int_equal(a.tried, tried);
    assert_true(a.reporter == (reporter ? addr_from_v4(reporter) : 0));
}

static void assert_ignored(const struct probe_config *c, const struct reply *r, enum ignored want) {
    struct answer a;
    assert_string_equal(ignored_name(reply_judge(c, r, &a)), ignored_name(want));
}

/* The kinds of answer that a scan lives from. */
static void test_true_answers(void **state) {
    (void)state;
    uint32_t cookie = cookie_of(61000, 80);
    struct reply r = tcp_reply(SYN | ACK, cookie + 1);
    assert_answer(&config, &r, STATE_OPEN, REASON_SYN_ACK, 0, 0);
    r = tcp_reply(RST | ACK, cookie + 1);
    assert_answer(&config, &r, STATE_CLOSED, REASON_RESET, 0, 0);
    r = tcp_reply(RST | ACK, cookie);
    assert_answer(&config, &r, STATE_CLOSED, REASON_RESET, 0, 0);
    r = tcp_reply(SYN, 0);
    assert_answer(&config, &r, STATE_UNKNOWN, REASON_SYN, 0, 0);
    r = tcp_reply(ACK, cookie + 1);
    assert_answer(&config, &r, STATE_OPEN, REASON_SYN, 0, 0);
}

/* What every combination of flags and acknowledgement means, said a second time in other words than the code's. */
static enum ignored expected(unsigned flags, uint32_t ack, uint32_t cookie, enum state *s) {
    bool whole = ack == cookie + 1, syn_not_counted = ack == cookie;
    *s = STATE_UNKNOWN;
    switch (flags & (FIN | SYN | RST | ACK)) {
    case RST | ACK:
    case RST | ACK | SYN:
    case RST | ACK | FIN:
    case RST | ACK | SYN | FIN:
        *s = STATE_CLOSED;
        return whole || syn_not_counted ? IGNORED_NOT : IGNORED_BAD_COOKIE;
    case RST:
    case RST | SYN:
    case RST | FIN:
    case RST | SYN | FIN:
        return IGNORED_BAD_COOKIE;
    case ACK:
    case ACK | FIN:
    case ACK | SYN:
    case ACK | SYN | FIN:
        *s = STATE_OPEN;
        return whole ? IGNORED_NOT : IGNORED_BAD_COOKIE;
    case SYN:
        return IGNORED_NOT;
    default: /* none, FIN, SYN and FIN */
        return IGNORED_NOT_OURS;
    }
}

static void test_every_flag_combination(void **state) {
    (void)state;
    uint32_t cookie = cookie_of(61000, 80);
    uint32_t acks[] = {cookie + 1, cookie, cookie + 2, cookie - 1, 0, 1, ~cookie, cookie ^ 0x80000000};
    for (unsigned flags = 0; flags < 256; flags++) {
        for (size_t i = 0; i < sizeof acks / sizeof *acks; i++) {
            struct reply r = tcp_reply((uint8_t)flags, acks[i]);
            struct answer a;
            enum state want;
            enum ignored got = reply_judge(&config, &r, &a);
            if (got != expected(flags, acks[i], cookie, &want) || (got == IGNORED_NOT && a.verdict.state != want))
                fail_msg("flags %02x, acknowledgement %zu: %s", flags, i, ignored_name(got));
        }
    }
}

/* A right acknowledgement from or to anywhere else is worth nothing. */
static void test_tuple_must_fit(void **state) {
    (void)state;
    static const uint8_t flags[] = {SYN | ACK, RST | ACK, ACK};
    for (size_t i = 0; i < sizeof flags; i++) {
        const struct reply good = tcp_reply(flags[i], cookie_of(61000, 80) + 1);
        struct reply r;
        for (unsigned bit = 0; bit < 128; bit++) {
            r = good;
            r.source ^= (addr_t)1 << bit;
            assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
            r = good;
            r.dest ^= (addr_t)1 << bit;
            assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        }
        for (unsigned bit = 0; bit < 16; bit++) {
            r = good;
            r.source_port ^= (uint16_t)(1u << bit);
            assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        }
        for (unsigned bit = 0; bit < 32; bit++) {
            r = good;
            r.ack ^= 1u << bit;
            if (r.ack != cookie_of(61000, 80) || !(flags[i] & RST))
                assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        }
        r = good;
        r.dest_port++; /* the next try's port has another cookie */
        assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        struct probe_config other = config;
        other.key.k1 ^= 1; /* the key of another scan */
        assert_ignored(&other, &good, IGNORED_BAD_COOKIE);
    }
}

/* All 65,536 destination ports: the claimed ones are told by technique and try, all others are not ours. */
static void test_every_port(void **state) {
    (void)state;
    static const struct {
        uint16_t base;
        uint8_t tries;
    } ranges[] = {{61000, 4}, {1, 1}, {0, 11}, {65535, 1}, {65532, 4}, {65530, 11}, {32768, 255}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct probe_config c = config;
        c.first_port[TECHNIQUE_SYN] = ranges[i].base;
        c.tries = ranges[i].tries;
        for (unsigned port = 0; port < 65536; port++) {
            struct reply tcp = tcp_reply(SYN | ACK, cookie_of((uint16_t)port, 80) + 1), icmp = icmp_reply(3, 13);
            tcp.dest_port = (uint16_t)port;
            icmp.quoted_source_port = (uint16_t)port;
            icmp.quoted_seq = cookie_of((uint16_t)port, 80);
            unsigned first = c.first_port[TECHNIQUE_SYN]; /* 0: not in the scan */
            bool claimed = first && port >= first && port < first + c.tries;
            enum ignored want = claimed ? IGNORED_NOT : IGNORED_NOT_OURS;
            struct answer a, b;
            if (reply_judge(&c, &tcp, &a) != want || reply_judge(&c, &icmp, &b) != want)
                fail_msg("base %u tries %u port %u", c.first_port[TECHNIQUE_SYN], c.tries, port);
            if (!claimed)
                continue;
            int try = (int)(port - c.first_port[TECHNIQUE_SYN]);
            if (a.tried != try || b.tried != try || probe_source_port(&c, TECHNIQUE_SYN, (unsigned)try) != port ||
                a.endpoint.slot.technique != TECHNIQUE_SYN || b.endpoint.slot.technique != TECHNIQUE_SYN)
                fail_msg("base %u tries %u port %u: try %d", c.first_port[TECHNIQUE_SYN], c.tries, port, a.tried);
        }
    }
}

/* A fixed port says nothing of the try. */
static void test_fixed_port(void **state) {
    (void)state;
    struct probe_config c = config;
    c.first_port[TECHNIQUE_SYN] = 53;
    c.tries = 1;
    c.port_fixed = true;
    struct reply r = tcp_reply(SYN | ACK, cookie_of(53, 80) + 1);
    r.dest_port = 53;
    assert_answer(&c, &r, STATE_OPEN, REASON_SYN_ACK, -1, 0);
    r.dest_port = 54;
    r.ack = cookie_of(54, 80) + 1;
    assert_ignored(&c, &r, IGNORED_NOT_OURS);
    r = icmp_reply(3, 1);
    r.quoted_source_port = 53;
    r.quoted_seq = cookie_of(53, 80);
    assert_answer(&c, &r, STATE_FILTERED, REASON_HOST_UNREACH, -1, ROUTER);
}

/* Our own probe, come back from a mirror or because we scan our own ports, must not be answered: the mirror, or we
 * ourselves, would then acknowledge with the right cookie. */
static void test_own_syn_is_not_answered(void **state) {
    (void)state;
    struct reply mirror = tcp_reply(SYN, 0); /* addresses and ports turned round, sequence number kept */
    mirror.seq = cookie_of(61000, 80);
    assert_ignored(&config, &mirror, IGNORED_NOT_OURS);

    struct reply self = {.kind = REPLY_TCP,
                         .source = addr_from_v4(US),
                         .dest = addr_from_v4(US),
                         .tcp_flags = SYN,
                         .source_port = 61000,
                         .dest_port = 61001};
    self.seq = (uint32_t)probe_cookie(&config.key, self.source, self.dest, 61000, 61001);
    assert_ignored(&config, &self, IGNORED_NOT_OURS);
    self.seq++; /* a stranger's */
    struct answer a;
    assert_int_equal(reply_judge(&config, &self, &a), IGNORED_NOT);
    assert_int_equal(a.verdict.state, STATE_UNKNOWN);
}

/* A simultaneous open from its first SYN to the proof, through the frames themselves. */
static void test_simultaneous_open(void **state) {
    (void)state;
    struct tcp_spec syn = {
        .ip = {.source = THEM, .dest = US}, .source_port = 80, .dest_port = 61001, .seq = 77, .flags = 2};
    struct packet p = packet_tcp(LINK_ETHERNET, &syn);
    struct reply r, ours;
    struct answer a;
    assert_int_equal(reply_parse(LINK_ETHERNET, p.data, p.len, (uint32_t)p.len, 0, &r), IGNORED_NOT);
    assert_int_equal(reply_judge(&config, &r, &a), IGNORED_NOT);
    assert_int_equal(a.verdict.state, STATE_UNKNOWN);

    uint8_t frame[PROBE_FRAME_MAX];
    size_t len = probe_build_syn_ack(&config, LINK_ETHERNET, &r, frame);
    assert_int_equal(reply_parse(LINK_ETHERNET, frame, len, (uint32_t)len, 0, &ours), IGNORED_NOT);
    assert_int_equal(ours.ack, 78);

    struct tcp_spec ack = {.ip = {.source = THEM, .dest = US},
                           .source_port = 80,
                           .dest_port = 61001,
                           .seq = 78,
                           .ack = ours.seq + 1,
                           .flags = 0x10};
    p = packet_tcp(LINK_ETHERNET, &ack);
    assert_int_equal(reply_parse(LINK_ETHERNET, p.data, p.len, (uint32_t)p.len, 0, &r), IGNORED_NOT);
    assert_answer(&config, &r, STATE_OPEN, REASON_SYN, 1, 0);
}

/* Every type and code: exactly those of semantics pass, each with its reason. */
static void test_every_icmp_code(void **state) {
    (void)state;
    enum reason want[256][256];
    memset(want, 0, sizeof want);
    want[3][0] = REASON_NET_UNREACH;
    want[3][1] = REASON_HOST_UNREACH;
    want[3][2] = REASON_PROTO_UNREACH;
    want[3][3] = REASON_PORT_UNREACH;
    want[3][9] = REASON_NET_PROHIBITED;
    want[3][10] = REASON_HOST_PROHIBITED;
    want[3][13] = REASON_ADMIN_PROHIBITED;
    want[11][0] = want[11][1] = REASON_TIME_EXCEEDED;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned code = 0; code < 256; code++) {
            struct reply r = icmp_reply((uint8_t)type, (uint8_t)code);
            if (want[type][code])
                assert_answer(&config, &r, STATE_FILTERED, want[type][code], 0, ROUTER);
            else
                assert_ignored(&config, &r, IGNORED_UNSUPPORTED_ICMP);
        }
    }
}

static void test_icmp_rules(void **state) {
    (void)state;
    struct reply r = icmp_reply(3, 3);
    r.source = addr_from_v4(THEM); /* from the target itself: no reporter */
    assert_answer(&config, &r, STATE_FILTERED, REASON_PORT_UNREACH, 0, 0);

    for (unsigned proto = 0; proto < 256; proto++) {
        r = icmp_reply(3, 1);
        r.quoted_proto = (uint8_t)proto;
        if (proto != 6)
            assert_ignored(&config, &r, IGNORED_NOT_OURS);
    }
    r = icmp_reply(3, 1);
    r.dest = addr_from_v4(US + 1); /* came to another address than the quoted packet left from */
    assert_ignored(&config, &r, IGNORED_WRONG_ADDRESS);
    r = icmp_reply(3, 1);
    r.quoted_source = addr_from_v4(US + 1);
    assert_ignored(&config, &r, IGNORED_WRONG_ADDRESS);
    r.dest = addr_from_v4(US + 1); /* consistent, but the cookie is another's */
    assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
    for (unsigned bit = 0; bit < 32; bit++) {
        r = icmp_reply(3, 1);
        r.quoted_seq ^= 1u << bit;
        assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        r = icmp_reply(3, 1);
        r.quoted_dest ^= (addr_t)1 << bit;
        assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
        r = icmp_reply(3, 1);
        r.quoted_dest_port ^= (uint16_t)(1u << bit % 16);
        assert_ignored(&config, &r, IGNORED_BAD_COOKIE);
    }
    r = icmp_reply(3, 1);
    r.quoted_source_port = 61004;
    assert_ignored(&config, &r, IGNORED_NOT_OURS);
}

/* A probe of ours, quoted in an error, comes back as that probe, whatever the routers made of its header. */
static void test_quoted_probe(void **state) {
    (void)state;
    struct probe_path path = {.link = LINK_IP, .source = addr_from_v4(US)};
    struct endpoint ep = {addr_from_v4(THEM), {.port = 80, .technique = TECHNIQUE_SYN}};
    for (unsigned try = 0; try < config.tries; try++) {
        uint8_t probe[PROBE_FRAME_MAX];
        size_t len = probe_build(&config, &path, &ep, try, 0, probe);
        probe[8] = 0; /* TTL, and a checksum that no longer fits */
        for (size_t quoted = 28; quoted <= len; quoted++) {
            struct icmp_spec s = {.ip = {.source = ROUTER, .dest = US}, .type = 11, .quote_len = (uint16_t)quoted};
            struct packet p = packet_icmp(LINK_ETHERNET, &s);
            memcpy(p.data + p.l4 + 8, probe, quoted);
            packet_fix(&p);
            struct reply r;
            assert_int_equal(reply_parse(LINK_ETHERNET, p.data, p.len, (uint32_t)p.len, 0, &r), IGNORED_NOT);
            assert_answer(&config, &r, STATE_FILTERED, REASON_TIME_EXCEEDED, (int)try, ROUTER);
        }
    }
}

static void test_arp(void **state) {
    (void)state;
    struct reply r = {.kind = REPLY_NEIGHBOUR, .source = addr_from_v4(THEM), .dest = addr_from_v4(US)};
    struct answer a;
    assert_int_equal(reply_judge(&config, &r, &a), IGNORED_NOT);
    assert_true(a.endpoint.addr == addr_from_v4(THEM));
    assert_int_equal(a.endpoint.slot.technique, TECHNIQUE_NEIGHBOUR);
    assert_int_equal(a.endpoint.slot.port, 0);
    assert_int_equal(a.verdict.state, STATE_UP);
    assert_int_equal(a.verdict.reason, REASON_ARP_RESPONSE);
    assert_int_equal(a.tried, -1);
    assert_true(a.reporter == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true_answers),
        cmocka_unit_test(test_every_flag_combination),
        cmocka_unit_test(test_tuple_must_fit),
        cmocka_unit_test(test_every_port),
        cmocka_unit_test(test_fixed_port),
        cmocka_unit_test(test_own_syn_is_not_answered),
        cmocka_unit_test(test_simultaneous_open),
        cmocka_unit_test(test_every_icmp_code),
        cmocka_unit_test(test_icmp_rules),
        cmocka_unit_test(test_quoted_probe),
        cmocka_unit_test(test_arp),
    };
    return cmocka_run_group_tests_name("probe/judge", tests, NULL, NULL);
}
