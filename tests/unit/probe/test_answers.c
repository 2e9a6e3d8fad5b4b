/* Every technique, in both families, from the probe that is built to what each kind of answer says of it: the answers
 * are made from the probe's own bytes as another machine reads them, and the states stand here a second time, as
 * semantics has them. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "packets.h"
#include "probe/payload.h"
#include "probe/reply.h"

#define RST 0x04u
#define SYN 0x02u
#define FIN 0x01u
#define ACK 0x10u
#define PING_PORT 8443u

static struct probe_config config = {
    .key = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543211)},
    .first_port =
        {
            [TECHNIQUE_SYN] = 61000, [TECHNIQUE_FIN] = 61010, [TECHNIQUE_NULL] = 61020, [TECHNIQUE_XMAS] = 61030,
            [TECHNIQUE_MAIMON] = 61040, [TECHNIQUE_ACK] = 61050, [TECHNIQUE_WINDOW] = 61060, [TECHNIQUE_UDP] = 61070,
            [TECHNIQUE_SCTP_INIT] = 61080, [TECHNIQUE_SCTP_COOKIE] = 61090, [TECHNIQUE_PROTOCOL] = 61100,
            [TECHNIQUE_PING] = 61110,
        },
    .wandering_port = 61120,
    .tries = 4,
    .ttl = 64,
    .ping = {{PING_ECHO, 0}, {PING_SYN, 443}, {PING_ACK, 80}, {PING_TIMESTAMP, 0}, {PING_UDP, 40125},
             {PING_SCTP, PING_PORT}},
    .n_ping = 6,
};

static addr_t ours(bool v6) {
    return v6 ? (addr_t)0x20010002u << 96 | 2 : addr_from_v4(0xc6120002);
}
static addr_t theirs(bool v6) {
    return v6 ? (addr_t)0x20010002u << 96 | (addr_t)1 << 64 | 0x77 : addr_from_v4(0xc6130001);
}
static addr_t router(bool v6) {
    return v6 ? (addr_t)0x20010002u << 96 | 0xfe : addr_from_v4(0xc61200fe);
}

/* A probe, read as the machine that receives it does. */
struct shot {
    struct endpoint ep;
    unsigned try;
    bool v6;
    uint8_t packet[PROBE_FRAME_MAX]; /* from the IP header on */
    size_t len, header;
    uint8_t proto;
    uint16_t source_port, dest_port;
};

static struct shot shoot_part(const struct probe_config *c, unsigned technique, uint16_t port, bool v6, unsigned try,
                              unsigned part) {
    struct shot s = {.ep = {theirs(v6), {port, (uint8_t)technique}}, .try = try, .v6 = v6, .header = v6 ? 40 : 20};
    struct probe_path path = {.link = LINK_IP, .source = ours(v6)};
    s.len = probe_build(c, &path, &s.ep, try, part, s.packet);
    assert_true(s.len >= s.header && s.len <= probe_packet_max(c, &s.ep.slot));
    s.proto = s.packet[v6 ? 6 : 9];
    if (s.len >= s.header + 4) {
        s.source_port = load_be16(s.packet + s.header);
        s.dest_port = load_be16(s.packet + s.header + 2);
    }
    return s;
}

static struct shot shoot(unsigned technique, uint16_t port, bool v6, unsigned try) {
    return shoot_part(&config, technique, port, v6, try, 0);
}

static enum ignored judge_packet(const struct probe_config *c, const struct any_spec *ip, const uint8_t *payload,
                                 size_t n, struct answer *a) {
    struct packet p = packet_any(LINK_ETHERNET, ip, payload, n);
    struct reply r;
    enum ignored why = reply_parse(LINK_ETHERNET, p.data, p.len, (uint32_t)p.len, 0, &r);
    return why == IGNORED_NOT ? reply_judge(c, &r, a) : why;
}

/* What else than an ICMP error may come back. */
enum event {
    EVENT_SYN_ACK,
    EVENT_ACK,
    EVENT_RESET,
    EVENT_RESET_WINDOW,
    EVENT_UDP,
    EVENT_INIT_ACK,
    EVENT_ABORT,
    EVENT_ECHO,
    EVENT_TIMESTAMP,
    EVENT_PACKET, /* of the probe's protocol, without any sense in it */
    EVENT_COUNT
};

/* Writes the answer that a machine would give, if such a probe can have it. Returns its length, else 0. */
static size_t answer_tcp(const struct shot *s, enum event e, uint8_t *out) {
    const uint8_t *tcp = s->packet + s->header;
    uint32_t seq = load_be32(tcp + 4), ack = load_be32(tcp + 8), next = seq + (tcp[13] / 2 & 1) + (tcp[13] & 1);
    uint16_t from = s->dest_port, to = s->source_port;
    bool reset = e == EVENT_RESET || e == EVENT_RESET_WINDOW;
    if (reset) /* RFC 9293 3.10.7.1 */
        return tcp[13] & ACK ? put_segment(out, from, to, ack, 0, RST, e == EVENT_RESET ? 0 : 512)
                             : put_segment(out, from, to, 0, next, RST | ACK, e == EVENT_RESET ? 0 : 512);
    if (e == EVENT_SYN_ACK)
        return put_segment(out, from, to, 0x1000, next, SYN | ACK, 65535);
    return e == EVENT_ACK ? put_segment(out, from, to, 0x1001, next, ACK, 65535) : 0;
}

static size_t answer_sctp(const struct shot *s, enum event e, uint8_t *out) {
    const uint8_t *sctp = s->packet + s->header;
    bool init = sctp[12] == 1;
    uint32_t tag = load_be32(sctp + (init ? 16 : 4));
    if (e == EVENT_INIT_ACK)
        return put_sctp(out, s->dest_port, s->source_port, tag, 2, 16);
    return e == EVENT_ABORT ? put_sctp(out, s->dest_port, s->source_port, tag, 6, 0) : 0;
}

static size_t answer(const struct shot *s, enum event e, uint8_t *out) {
    const uint8_t *l4 = s->packet + s->header;
    size_t n = s->len - s->header;
    if (s->proto == 6)
        return answer_tcp(s, e, out);
    if (s->proto == 17)
        return e == EVENT_UDP ? put_udp(out, s->dest_port, s->source_port, 20) : 0;
    if (s->proto == 132)
        return answer_sctp(s, e, out);
    if (s->proto == (s->v6 ? 58 : 1)) {
        memcpy(out, l4, n); /* an echo comes back as it was */
        bool timestamp = !s->v6 && l4[0] == 13;
        out[0] = s->v6 ? 129 : timestamp ? 14 : 0;
        return e == (timestamp ? EVENT_TIMESTAMP : EVENT_ECHO) ? n : 0;
    }
    if (e == EVENT_PACKET && s->proto != 0 && s->proto != 43 && s->proto != 44 && s->proto != 51 && s->proto != 60) {
        memset(out, 0x3c, 12);
        return 12;
    }
    return 0;
}

struct want {
    unsigned technique;
    enum event event;
    const char *state, *reason;
};

static const struct want wants[] = {
    {TECHNIQUE_SYN, EVENT_SYN_ACK, "open", "syn-ack"},
    {TECHNIQUE_SYN, EVENT_ACK, "open", "syn"},
    {TECHNIQUE_SYN, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_SYN, EVENT_RESET_WINDOW, "closed", "reset"},
    {TECHNIQUE_FIN, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_FIN, EVENT_RESET_WINDOW, "closed", "reset"},
    {TECHNIQUE_NULL, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_NULL, EVENT_RESET_WINDOW, "closed", "reset"},
    {TECHNIQUE_XMAS, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_XMAS, EVENT_RESET_WINDOW, "closed", "reset"},
    {TECHNIQUE_MAIMON, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_MAIMON, EVENT_RESET_WINDOW, "closed", "reset"},
    {TECHNIQUE_ACK, EVENT_RESET, "unfiltered", "reset"},
    {TECHNIQUE_ACK, EVENT_RESET_WINDOW, "unfiltered", "reset"},
    {TECHNIQUE_WINDOW, EVENT_RESET, "closed", "reset"},
    {TECHNIQUE_WINDOW, EVENT_RESET_WINDOW, "open", "reset"},
    {TECHNIQUE_UDP, EVENT_UDP, "open", "udp-response"},
    {TECHNIQUE_SCTP_INIT, EVENT_INIT_ACK, "open", "init-ack"},
    {TECHNIQUE_SCTP_INIT, EVENT_ABORT, "closed", "abort"},
    {TECHNIQUE_SCTP_COOKIE, EVENT_ABORT, "closed", "abort"},
    {TECHNIQUE_PROTOCOL, EVENT_RESET, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_RESET_WINDOW, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_UDP, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_INIT_ACK, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_ABORT, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_ECHO, "open", "proto-response"},
    {TECHNIQUE_PROTOCOL, EVENT_PACKET, "open", "proto-response"},
    {TECHNIQUE_PING, EVENT_SYN_ACK, "up", "syn-ack"},
    {TECHNIQUE_PING, EVENT_ACK, "up", "syn"},
    {TECHNIQUE_PING, EVENT_RESET, "up", "reset"},
    {TECHNIQUE_PING, EVENT_RESET_WINDOW, "up", "reset"},
    {TECHNIQUE_PING, EVENT_UDP, "up", "udp-response"},
    {TECHNIQUE_PING, EVENT_INIT_ACK, "up", "init-ack"},
    {TECHNIQUE_PING, EVENT_ABORT, "up", "abort"},
    {TECHNIQUE_PING, EVENT_ECHO, "up", "echo-reply"},
    {TECHNIQUE_PING, EVENT_TIMESTAMP, "up", "timestamp-reply"},
};

static const struct want *find_want(unsigned technique, enum event e) {
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (wants[i].technique == technique && wants[i].event == e)
            return &wants[i];
    return NULL;
}

static void assert_about(const struct shot *s, const struct answer *a, const char *state, const char *reason,
                         addr_t reporter, int tried) {
    assert_true(a->endpoint.addr == s->ep.addr && a->reporter == reporter);
    assert_int_equal(a->endpoint.slot.technique, s->ep.slot.technique);
    assert_int_equal(a->endpoint.slot.port, s->ep.slot.port);
    assert_string_equal(state_name(a->verdict.state), state);
    assert_string_equal(reason_name(a->verdict.reason), reason);
    assert_int_equal(a->tried, tried);
}

static void check_events(const struct shot *s, unsigned seen[static EVENT_COUNT]) {
    for (enum event e = 0; e < EVENT_COUNT; e++) {
        uint8_t payload[PROBE_FRAME_MAX];
        size_t n = answer(s, e, payload);
        const struct want *w = find_want(s->ep.slot.technique, e);
        /* An ACK, or a SYN-ACK, acknowledges nothing of a probe that holds neither SYN nor FIN. */
        if (n == 0 || (s->ep.slot.technique == TECHNIQUE_PING && s->dest_port == 80 && e <= EVENT_ACK))
            continue;
        struct any_spec ip = {.source = theirs(s->v6), .dest = ours(s->v6), .proto = s->proto};
        struct answer a;
        enum ignored why = judge_packet(&config, &ip, payload, n, &a);
        if (!w) {
            assert_int_not_equal(why, IGNORED_NOT);
            continue;
        }
        assert_string_equal(ignored_name(why), "none");
        assert_about(s, &a, w->state, w->reason, 0, e == EVENT_PACKET ? -1 : (int)s->try);
        seen[e]++;
    }
}

/* Calls visit() with a probe of each technique, and of each kind that it has, in both families. */
static void each_shot(void (*visit)(const struct shot *s, void *ctx), void *ctx) {
    static const uint16_t protocols[] = {0, 1, 2, 4, 6, 17, 33, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 136, 255};
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned try = 0; try < config.tries; try++) {
            for (unsigned t = 0; t < TECHNIQUE_PROTOCOL; t++) {
                if (t == TECHNIQUE_CONNECT)
                    continue;
                struct shot s = shoot(t, 4000, v6, try);
                visit(&s, ctx);
            }
            for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
                struct shot s = shoot(TECHNIQUE_PROTOCOL, protocols[i], v6, try);
                visit(&s, ctx);
            }
            for (unsigned part = 0; part < config.n_ping; part++) {
                if (v6 && config.ping[part].kind == PING_TIMESTAMP)
                    continue;
                struct shot s = shoot_part(&config, TECHNIQUE_PING, 0, v6, try, part);
                visit(&s, ctx);
            }
        }
    }
}

static void visit_events(const struct shot *s, void *ctx) {
    unsigned(*seen)[EVENT_COUNT] = ctx;
    check_events(s, seen[s->ep.slot.technique]);
}

static void test_every_answer(void **state) {
    (void)state;
    unsigned seen[TECHNIQUE_COUNT][EVENT_COUNT] = {{0}};
    each_shot(visit_events, seen);
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (seen[wants[i].technique][wants[i].event] < 4)
            fail_msg("technique %u, event %d never came", wants[i].technique, wants[i].event);
}

/* The state that semantics gives an error; NULL: it says nothing. */
static const char *error_state(unsigned technique, bool v6, bool from_target, uint8_t type, uint8_t code,
                               const char **reason) {
    static const char *const v4[] = {
        [0] = "net-unreach",     [1] = "host-unreach",     [2] = "proto-unreach",     [3] = "port-unreach",
        [9] = "net-prohibited", [10] = "host-prohibited", [13] = "admin-prohibited",
    };
    static const char *const of_v6[] = {"net-unreach",  "admin-prohibited", "net-unreach",     "host-unreach",
                                        "port-unreach", "admin-prohibited", "admin-prohibited"};
    *reason = NULL;
    if (!v6 && type == 3 && code < 14)
        *reason = v4[code];
    else if (v6 && type == 1 && code < 7)
        *reason = of_v6[code];
    else if (v6 && type == 4 && code < 2)
        *reason = code == 0 ? "header-field" : "proto-unreach";
    else if (type == (v6 ? 3 : 11) && code < 2)
        *reason = "time-exceeded";
    if (!*reason)
        return NULL;
    if (technique == TECHNIQUE_PING)
        return from_target ? "up" : NULL;
    if (from_target && !strcmp(*reason, "port-unreach") && technique == TECHNIQUE_UDP)
        return "closed";
    if (from_target && technique == TECHNIQUE_PROTOCOL) {
        if (!strcmp(*reason, "port-unreach") || !strcmp(*reason, "header-field"))
            return "open";
        if (!strcmp(*reason, "proto-unreach"))
            return "closed";
    }
    if (from_target && !strcmp(*reason, "header-field"))
        return NULL; /* the host read the header, and means something else than the port */
    return "filtered";
}

static enum ignored judge_error(const struct probe_config *c, const struct shot *s, bool from_target, uint8_t type,
                                uint8_t code, size_t quoted, struct answer *a) {
    uint8_t icmp[8 + PROBE_FRAME_MAX];
    size_t n = put_icmp(icmp, type, code, 0, s->packet, quoted);
    struct any_spec ip = {.source = from_target ? theirs(s->v6) : router(s->v6),
                          .dest = ours(s->v6),
                          .proto = s->v6 ? 58 : 1};
    return judge_packet(c, &ip, icmp, n, a);
}

static void visit_errors(const struct shot *s, void *ctx) {
    unsigned *n = ctx;
    size_t least = s->header + 8 < s->len ? s->header + 8 : s->len;
    for (unsigned type = 0; type < 16; type++) {
        for (unsigned code = 0; code < 16; code++) {
            for (unsigned from_target = 0; from_target < 2; from_target++) {
                for (size_t quoted = least; quoted <= s->len; quoted += s->len > least ? s->len - least : 1) {
                    const char *reason;
                    const char *want = error_state(s->ep.slot.technique, s->v6, from_target, (uint8_t)type,
                                                   (uint8_t)code, &reason);
                    struct answer a;
                    enum ignored why = judge_error(&config, s, from_target, (uint8_t)type, (uint8_t)code, quoted, &a);
                    ++*n;
                    if (!want) {
                        assert_true(why != IGNORED_NOT);
                        continue;
                    }
                    if (why != IGNORED_NOT)
                        fail_msg("technique %u, port %u, v6 %d, type %u code %u, %zu bytes quoted: %s",
                                 s->ep.slot.technique, s->ep.slot.port, s->v6, type, code, quoted, ignored_name(why));
                    assert_about(s, &a, want, reason, from_target ? 0 : router(s->v6), (int)s->try);
                }
            }
        }
    }
}

/* Every type and code, from the target and from a router, quoting as little as is allowed and all. */
static void test_every_error(void **state) {
    (void)state;
    unsigned n = 0;
    each_shot(visit_errors, &n);
    assert_true(n > 100000);
}

/* What is keyed in each kind of probe: one bit of it changed, and the quote is nobody's. */
static void visit_quote(const struct shot *s, void *ctx) {
    (void)ctx;
    bool ported = s->proto == 6 || s->proto == 132, icmp = s->proto == (s->v6 ? 58 : 1);
    bool cookie_echo = s->ep.slot.technique == TECHNIQUE_SCTP_COOKIE;
    size_t at = s->v6 ? 2 : 4, n = 2; /* identification, or 16 bits of the flow label */
    if (s->proto == 17)
        return; /* its ports are all there is */
    if (ported || icmp)
        at = s->header + (s->proto == 132 && !cookie_echo ? 16 : 4), n = icmp ? 2 : 4;
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct shot changed = *s;
        changed.packet[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct answer a;
        assert_int_equal(judge_error(&config, &changed, true, s->v6 ? 1 : 3, 1, changed.len, &a), IGNORED_BAD_COOKIE);
    }
    struct probe_config other = config;
    other.key.k1 ^= 1;
    struct answer a;
    assert_int_equal(judge_error(&other, s, true, s->v6 ? 1 : 3, 1, s->len, &a), IGNORED_BAD_COOKIE);
}

static void test_quotes_are_keyed(void **state) {
    (void)state;
    each_shot(visit_quote, NULL);
}

/* So are the answers. */
static void visit_answer(const struct shot *s, void *ctx) {
    (void)ctx;
    for (enum event e = 0; e < EVENT_PACKET; e++) {
        uint8_t payload[PROBE_FRAME_MAX];
        size_t n = answer(s, e, payload);
        if (n == 0 || e == EVENT_UDP || !find_want(s->ep.slot.technique, e))
            continue;
        struct any_spec ip = {.source = theirs(s->v6), .dest = ours(s->v6), .proto = s->proto};
        struct probe_config other = config;
        other.key.k0 ^= UINT64_C(1) << 63;
        struct answer a;
        assert_int_equal(judge_packet(&other, &ip, payload, n, &a), IGNORED_BAD_COOKIE);
        ip.source ^= 2; /* another host */
        assert_int_equal(judge_packet(&config, &ip, payload, n, &a), IGNORED_BAD_COOKIE);
    }
}

static void test_answers_are_keyed(void **state) {
    (void)state;
    each_shot(visit_answer, NULL);
}

/* A service that answers from a port of its own choice is known by the port that it answers to. */
static void test_wandering_answer(void **state) {
    (void)state;
    uint16_t port = payload_wandering_port();
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned try = 0; try < config.tries; try++) {
            struct shot s = shoot(TECHNIQUE_UDP, port, v6, try);
            assert_int_equal(s.source_port, 61120 + try);
            assert_int_equal(s.dest_port, port);
            for (unsigned from = 1; from < 65536; from += 997) {
                uint8_t udp[64];
                size_t n = put_udp(udp, (uint16_t)from, s.source_port, 4);
                struct any_spec ip = {.source = theirs(v6), .dest = ours(v6), .proto = 17};
                struct answer a;
                assert_int_equal(judge_packet(&config, &ip, udp, n, &a), IGNORED_NOT);
                assert_about(&s, &a, "open", "udp-response", 0, (int)try);
            }
            struct answer a;
            assert_int_equal(judge_error(&config, &s, true, v6 ? 1 : 3, v6 ? 4 : 3, s.len, &a), IGNORED_NOT);
            assert_about(&s, &a, "closed", "port-unreach", 0, (int)try);
        }
    }
}

/* A packet to a port that a technique has, but that none of its probes went to or came from. */
static void test_ports_of_pings_and_protocols(void **state) {
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct any_spec ip = {.source = theirs(v6), .dest = ours(v6), .proto = 17};
        uint8_t udp[64];
        struct answer a;
        for (unsigned port = 0; port < 65536; port++) {
            size_t n = put_udp(udp, (uint16_t)port, 61110, 4);
            enum ignored why = judge_packet(&config, &ip, udp, n, &a);
            assert_int_equal(why, port == 40125 ? IGNORED_NOT : IGNORED_NOT_OURS);
            n = put_udp(udp, (uint16_t)port, 61100, 4);
            why = judge_packet(&config, &ip, udp, n, &a);
            assert_int_equal(why, port == 33434 ? IGNORED_NOT : IGNORED_NOT_OURS);
        }
    }
}

/* Where all techniques share a port the cookie tells them apart, and the try is unknown. */
static void test_one_port_for_all(void **state) {
    (void)state;
    struct probe_config fixed = config;
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++)
        fixed.first_port[t] = fixed.first_port[t] ? 53 : 0;
    fixed.wandering_port = 53;
    fixed.tries = 1;
    fixed.port_fixed = true;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned t = 0; t <= TECHNIQUE_PROTOCOL; t++) {
            if (t == TECHNIQUE_CONNECT)
                continue;
            struct shot s = shoot_part(&fixed, t, t == TECHNIQUE_PROTOCOL ? 6 : 80, v6, 3, 0);
            assert_int_equal(s.source_port, 53);
            struct answer a;
            assert_int_equal(judge_error(&fixed, &s, false, v6 ? 1 : 3, 1, s.len, &a), IGNORED_NOT);
            assert_about(&s, &a, "filtered", v6 ? "admin-prohibited" : "host-unreach", router(v6), -1);
            for (enum event e = 0; e < EVENT_COUNT; e++) {
                uint8_t payload[PROBE_FRAME_MAX];
                size_t n = answer(&s, e, payload);
                const struct want *w = find_want(t, e);
                struct any_spec ip = {.source = theirs(v6), .dest = ours(v6), .proto = s.proto};
                if (n == 0 || !w)
                    continue;
                assert_int_equal(judge_packet(&fixed, &ip, payload, n, &a), IGNORED_NOT);
                assert_about(&s, &a, w->state, w->reason, 0, -1);
            }
        }
        for (unsigned part = 0; part < config.n_ping; part++) {
            struct shot s = {0};
            if (config.ping[part].kind != PING_ECHO)
                continue;
            s = shoot_part(&fixed, TECHNIQUE_PING, 0, v6, 3, part);
            uint8_t payload[PROBE_FRAME_MAX];
            size_t n = answer(&s, EVENT_ECHO, payload);
            struct any_spec ip = {.source = theirs(v6), .dest = ours(v6), .proto = s.proto};
            struct answer a;
            assert_int_equal(judge_packet(&fixed, &ip, payload, n, &a), IGNORED_NOT);
            assert_about(&s, &a, "up", "echo-reply", 0, -1);
        }
    }
}

/* --scanflags: whatever the flags, the host's reset is that probe's, and the base technique says what it means. */
static void test_any_flags(void **state) {
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        for (unsigned t = 0; t < TECHNIQUE_UDP; t++) {
            if (t == TECHNIQUE_CONNECT)
                continue;
            struct probe_config c = config;
            c.flags_given = true;
            c.flags = (uint8_t)flags;
            struct shot s = shoot_part(&c, t, 80, flags % 2, 1, 0);
            assert_int_equal(s.packet[s.header + 13], flags);
            uint8_t payload[PROBE_FRAME_MAX];
            size_t n = answer(&s, EVENT_RESET, payload);
            struct any_spec ip = {.source = theirs(s.v6), .dest = ours(s.v6), .proto = 6};
            struct answer a;
            assert_int_equal(judge_packet(&c, &ip, payload, n, &a), IGNORED_NOT);
            assert_about(&s, &a, find_want(t, EVENT_RESET)->state, "reset", 0, 1);
        }
    }
}

/* Sixteen keyed bits may be the same in two tries (here 1 and 3, under a key that was met by chance): then nobody knows
 * which of them an error is about. */
static void test_tries_that_look_alike(void **state) {
    (void)state;
    struct probe_config c = config;
    c.key.k1 = UINT64_C(0xfedcba9876543210);
    for (unsigned try = 0; try < 4; try++) {
        struct shot s = shoot_part(&c, TECHNIQUE_PROTOCOL, 43, false, try, 0);
        struct answer a;
        assert_int_equal(judge_error(&c, &s, true, 3, 2, s.len, &a), IGNORED_NOT);
        assert_about(&s, &a, "closed", "proto-unreach", 0, try % 2 ? -1 : (int)try);
    }
}

/* Without -sO in the scan, other protocols' packets are nobody's answer. */
static void test_other_protocols_need_their_technique(void **state) {
    (void)state;
    struct probe_config c = config;
    c.first_port[TECHNIQUE_PROTOCOL] = 0;
    uint8_t payload[12] = {0};
    struct answer a;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct any_spec ip = {.source = theirs(v6), .dest = ours(v6), .proto = 47};
        assert_int_equal(judge_packet(&c, &ip, payload, sizeof payload, &a), IGNORED_NOT_OURS);
        assert_int_equal(judge_packet(&config, &ip, payload, sizeof payload, &a), IGNORED_NOT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer),
        cmocka_unit_test(test_every_error),
        cmocka_unit_test(test_quotes_are_keyed),
        cmocka_unit_test(test_answers_are_keyed),
        cmocka_unit_test(test_wandering_answer),
        cmocka_unit_test(test_ports_of_pings_and_protocols),
        cmocka_unit_test(test_one_port_for_all),
        cmocka_unit_test(test_any_flags),
        cmocka_unit_test(test_tries_that_look_alike),
        cmocka_unit_test(test_other_protocols_need_their_technique),
    };
    return cmocka_run_group_tests_name("probe/answers", tests, NULL, NULL);
}
