/* reply_judge(): whether a parsed reply truly answers a probe of ours, which one, and what it says. */
#include "probe/build.h"
#include "probe/packet.h"
#include "probe/payload.h"
#include "probe/reply.h"

/* A probe that may be the one that was answered: its ports fit. */
struct origin {
    struct slot slot;
    int tried; /* -1 unknown */
};

/* Did `port` send one of the tries that begin at `first`? */
static bool sends_from(const struct probe_config *c, uint16_t first, uint16_t port, int *tried) {
    unsigned try = (unsigned)port - first;
    if (first == 0 || try >= c->tries)
        return false;
    *tried = c->port_fixed ? -1 : (int)try;
    return true;
}

/* Is a packet of that protocol, to that port, among those of a ping? */
static bool ping_asks(const struct probe_config *c, uint8_t proto, uint16_t port) {
    for (unsigned i = 0; i < c->n_ping; i++) {
        enum ping_kind kind = c->ping[i].kind;
        uint8_t its = kind == PING_SYN || kind == PING_ACK ? PROTO_TCP
                      : kind == PING_UDP                   ? PROTO_UDP
                      : kind == PING_SCTP                  ? PROTO_SCTP
                                                           : 0;
        if (its == proto && c->ping[i].port == port)
            return true;
    }
    return false;
}

/* Finds the first probe, of technique *next or a later one, that was a packet of `proto` from our port to theirs, and
 * moves *next behind it. The inverse of the ports that probe_build() chooses. Only with a fixed port is there ever more
 * than one: the caller's cookie then decides. */
static bool next_origin(const struct probe_config *c, uint8_t proto, uint16_t ours, uint16_t theirs, unsigned *next,
                        struct origin *o) {
    for (unsigned t = *next; t < TECHNIQUE_COUNT; t++) {
        o->slot = (struct slot){theirs, (uint8_t)t};
        *next = t + 1;
        if (t == TECHNIQUE_UDP && proto == PROTO_UDP && !c->port_fixed &&
            sends_from(c, c->wandering_port, ours, &o->tried)) {
            o->slot.port = payload_wandering_port();
            return true;
        }
        if (!sends_from(c, c->first_port[t], ours, &o->tried))
            continue;
        if (techniques[t].ip_proto == proto)
            return true;
        if (t == TECHNIQUE_PROTOCOL && theirs == protocol_port(proto, true)) {
            o->slot.port = proto;
            return true;
        }
        if (t == TECHNIQUE_PING && ping_asks(c, proto, theirs)) {
            o->slot.port = 0;
            return true;
        }
    }
    return false;
}

/* The cookie that the probe carried, whose ports these are. */
static uint64_t cookie_of(const struct probe_config *c, const struct origin *o, addr_t us, addr_t them, uint16_t ours,
                          uint16_t theirs) {
    struct siphash_key key = technique_key(c, o->slot.technique);
    return probe_cookie(&key, us, them, ours, theirs);
}

/* What `what` says of the probe. `error` is the reason of an ICMP error. */
static enum ignored conclude(const struct origin *o, addr_t them, enum outcome what, enum reason error,
                             struct answer *out) {
    if (o->slot.technique == TECHNIQUE_PROTOCOL && what < OUTCOME_PORT_UNREACH)
        what = OUTCOME_PROTOCOL;
    struct verdict v = techniques[o->slot.technique].on[what];
    if (v.state == STATE_UNKNOWN)
        return error == REASON_NONE ? IGNORED_NOT_OURS : IGNORED_UNSUPPORTED_ICMP;
    if (v.reason == REASON_NONE)
        v.reason = error;
    *out = (struct answer){.endpoint = {them, o->slot}, .verdict = v, .tried = o->tried};
    return IGNORED_NOT;
}

/* The flags that a probe may have had. */
static uint8_t flags_sent(const struct probe_config *c, unsigned technique) {
    if (technique == TECHNIQUE_PING)
        return TCP_SYN | TCP_ACK; /* one of them: a packet each */
    if (technique == TECHNIQUE_PROTOCOL)
        return TCP_ACK;
    return c->flags_given ? c->flags : techniques[technique].tcp_flags;
}

/* A SYN without ACK: a simultaneous open, which is no proof yet (reply.h). */
static enum ignored judge_bare_syn(const struct probe_config *c, const struct reply *r, const struct origin *o,
                                   uint32_t cookie, uint8_t sent, struct answer *out) {
    if (!(sent & TCP_SYN) || techniques[o->slot.technique].on[OUTCOME_ACK].state == STATE_UNKNOWN)
        return IGNORED_NOT_OURS;
    /* Our own probe that came back to us, because both ends are this machine or because something reflects it:
     * answering it would prove our own words to ourselves. */
    uint32_t own = (uint32_t)cookie_of(c, o, r->source, r->dest, r->source_port, r->dest_port);
    if (r->seq == own || r->seq == cookie)
        return IGNORED_NOT_OURS;
    *out = (struct answer){
        .endpoint = {r->source, o->slot}, .verdict = {STATE_UNKNOWN, REASON_SYN}, .tried = o->tried};
    return IGNORED_NOT;
}

static enum ignored judge_segment(const struct probe_config *c, const struct reply *r, const struct origin *o,
                                  struct answer *out) {
    uint32_t cookie = (uint32_t)cookie_of(c, o, r->dest, r->source, r->dest_port, r->source_port);
    uint8_t sent = flags_sent(c, o->slot.technique);
    bool has_ack = r->tcp_flags & TCP_ACK;
    uint32_t counted = r->ack - cookie; /* of what the probe takes up in the sequence: its SYN, its FIN */
    uint32_t length = (sent & TCP_SYN ? 1 : 0) + (sent & TCP_FIN ? 1 : 0);
    if (r->tcp_flags & TCP_RST) {
        /* RFC 9293 3.10.7.1: an acknowledged probe is reset at the number that it acknowledged; any other is itself
         * acknowledged, which some firewalls do without counting its SYN. */
        if (!(sent & TCP_ACK && r->seq == cookie) && !(has_ack && counted <= length))
            return IGNORED_BAD_COOKIE;
        return conclude(o, r->source, r->window ? OUTCOME_RESET_WINDOW : OUTCOME_RESET, REASON_NONE, out);
    }
    if (has_ack) {
        if (counted < 1 || counted > length)
            return IGNORED_BAD_COOKIE;
        return conclude(o, r->source, r->tcp_flags & TCP_SYN ? OUTCOME_SYN_ACK : OUTCOME_ACK, REASON_NONE, out);
    }
    if ((r->tcp_flags & (TCP_SYN | TCP_FIN)) == TCP_SYN)
        return judge_bare_syn(c, r, o, cookie, sent, out);
    return IGNORED_NOT_OURS;
}

static enum ignored judge_association(const struct probe_config *c, const struct reply *r, const struct origin *o,
                                      struct answer *out) {
    /* Both are the same number: the tag that our INIT asked for, and the tag of our COOKIE-ECHO come back (T bit). */
    if (r->tag != cookie_tag(cookie_of(c, o, r->dest, r->source, r->dest_port, r->source_port)))
        return IGNORED_BAD_COOKIE;
    if (r->chunk != SCTP_INIT_ACK && r->chunk != SCTP_ABORT)
        return IGNORED_NOT_OURS;
    return conclude(o, r->source, r->chunk == SCTP_ABORT ? OUTCOME_ABORT : OUTCOME_INIT_ACK, REASON_NONE, out);
}

/* Answers of the protocols that have ports. UDP has nothing but its ports: the caller's plan has to know them. */
static enum ignored judge_ported(const struct probe_config *c, const struct reply *r, uint8_t proto,
                                 struct answer *out) {
    enum ignored why = IGNORED_NOT_OURS;
    struct origin o;
    for (unsigned next = 0; next_origin(c, proto, r->dest_port, r->source_port, &next, &o);) {
        why = proto == PROTO_TCP   ? judge_segment(c, r, &o, out)
              : proto == PROTO_UDP ? conclude(&o, r->source, OUTCOME_UDP, REASON_NONE, out)
                                   : judge_association(c, r, &o, out);
        if (why == IGNORED_NOT)
            break;
    }
    return why;
}

/* The two techniques that ask questions of ICMP, which have their try in the sequence number. Calls it a true one by
 * its identifier and, where there is one, its cookie. */
static bool find_question(const struct probe_config *c, addr_t us, addr_t them, uint8_t type, uint16_t id, uint16_t seq,
                          const uint64_t *carried, struct origin *o) {
    static const uint8_t askers[] = {TECHNIQUE_PING, TECHNIQUE_PROTOCOL};
    for (unsigned i = 0; i < sizeof askers; i++) {
        uint8_t t = askers[i];
        if (c->first_port[t] == 0 || (seq >= c->tries && !c->port_fixed))
            continue;
        uint16_t port = t == TECHNIQUE_PING ? 0 : addr_is_v4(them) ? PROTO_ICMP : PROTO_ICMPV6;
        *o = (struct origin){{port, t}, c->port_fixed ? -1 : seq};
        uint64_t cookie = cookie_of(c, o, us, them, probe_source_port(c, t, seq), type);
        if (id == cookie_icmp_id(cookie) &&
            (!carried || *carried == (type == ICMP_TIMESTAMP ? cookie_timestamp(cookie) : cookie)))
            return true;
    }
    return false;
}

static enum ignored judge_icmp(const struct probe_config *c, const struct reply *r, struct answer *out) {
    bool timestamp = r->proto == PROTO_ICMP && r->icmp_type == ICMP_TIMESTAMP_REPLY;
    uint8_t asked = timestamp ? ICMP_TIMESTAMP : r->proto == PROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO;
    struct origin o;
    if (c->first_port[TECHNIQUE_PING] == 0 && c->first_port[TECHNIQUE_PROTOCOL] == 0)
        return IGNORED_NOT_OURS;
    if (!find_question(c, r->dest, r->source, asked, r->icmp_id, r->icmp_seq, &r->icmp_cookie, &o))
        return IGNORED_BAD_COOKIE;
    return conclude(&o, r->source, timestamp ? OUTCOME_TIMESTAMP : OUTCOME_ECHO, REASON_NONE, out);
}

/* Whether the quoted IP header has the identification or flow label of a probe. */
static bool id_fits(const struct reply *r, uint64_t cookie) {
    return r->quoted_id == (addr_is_v4(r->quoted_dest) ? cookie_id(cookie) : cookie_flow(cookie));
}

/* Whether a quoted packet with ports is that probe. */
static bool quote_fits(const struct probe_config *c, const struct reply *r, const struct origin *o) {
    uint64_t cookie = cookie_of(c, o, r->quoted_source, r->quoted_dest, r->quoted_source_port, r->quoted_dest_port);
    if (r->quoted_proto == PROTO_TCP)
        return r->quoted_seq == (uint32_t)cookie;
    if (r->quoted_proto == PROTO_UDP)
        return true;
    if (o->slot.technique == TECHNIQUE_SCTP_COOKIE)
        return r->quoted_seq == cookie_tag(cookie);
    /* An INIT has its tag behind the 8 bytes that all quote. */
    return r->quoted_seq == 0 && (r->quoted_tag ? r->quoted_tag == cookie_tag(cookie) : id_fits(r, cookie));
}

static enum ignored find_quoted_ported(const struct probe_config *c, const struct reply *r, struct origin *o) {
    enum ignored why = IGNORED_NOT_OURS;
    unsigned next = 0;
    while (next_origin(c, r->quoted_proto, r->quoted_source_port, r->quoted_dest_port, &next, o)) {
        if (r->quoted_source != r->dest)
            return IGNORED_WRONG_ADDRESS;
        if (quote_fits(c, r, o))
            return IGNORED_NOT;
        why = IGNORED_BAD_COOKIE;
    }
    return why;
}

/* -sO: whether the quoted packet is the probe of that protocol, by its keyed identification or flow label; those of two
 * tries may be alike. */
static bool find_quoted_protocol(const struct probe_config *c, const struct reply *r, uint8_t proto,
                                 struct origin *o) {
    uint16_t port = protocol_port(proto, addr_is_v4(r->quoted_dest));
    unsigned fitting = 0;
    *o = (struct origin){{proto, TECHNIQUE_PROTOCOL}, -1};
    for (unsigned try = 0; try < c->tries; try++) {
        uint16_t source_port = probe_source_port(c, TECHNIQUE_PROTOCOL, try);
        if (!id_fits(r, cookie_of(c, o, r->quoted_source, r->quoted_dest, source_port, port)))
            continue;
        fitting++;
        o->tried = fitting == 1 && !c->port_fixed ? (int)try : -1;
    }
    return fitting > 0;
}

/* Of IPv6, the walk along the quoted headers does not stop at those that -sO asks for. */
static enum ignored find_quoted_other(const struct probe_config *c, const struct reply *r, struct origin *o) {
    static const uint8_t extensions[] = {PROTO_HOP_BY_HOP, PROTO_ROUTING, PROTO_FRAGMENT, PROTO_DEST_OPTIONS};
    if (c->first_port[TECHNIQUE_PROTOCOL] == 0)
        return IGNORED_NOT_OURS;
    if (r->quoted_source != r->dest)
        return IGNORED_WRONG_ADDRESS;
    bool found = find_quoted_protocol(c, r, r->quoted_proto, o);
    if (r->quoted_proto == PROTO_NONE && !addr_is_v4(r->quoted_dest))
        for (unsigned i = 0; i < sizeof extensions && !found; i++)
            found = find_quoted_protocol(c, r, extensions[i], o);
    return found ? IGNORED_NOT : IGNORED_BAD_COOKIE;
}

static enum ignored find_quoted_question(const struct probe_config *c, const struct reply *r, struct origin *o) {
    uint8_t type = (uint8_t)(r->quoted_source_port >> 8);
    if (c->first_port[TECHNIQUE_PING] == 0 && c->first_port[TECHNIQUE_PROTOCOL] == 0)
        return IGNORED_NOT_OURS;
    if (r->quoted_source != r->dest)
        return IGNORED_WRONG_ADDRESS;
    bool found = find_question(c, r->quoted_source, r->quoted_dest, type, (uint16_t)(r->quoted_seq >> 16),
                               (uint16_t)r->quoted_seq, NULL, o);
    return found ? IGNORED_NOT : IGNORED_BAD_COOKIE;
}

/* The outcome that an error stands for, which has its reason. */
static enum outcome error_outcome(const struct reply *r, enum reason reason) {
    if (r->source != r->quoted_dest)
        return OUTCOME_ICMP_ERROR;
    switch (reason) {
    case REASON_PORT_UNREACH:
        return OUTCOME_PORT_UNREACH;
    case REASON_PROTO_UNREACH:
        return OUTCOME_PROTO_UNREACH;
    case REASON_HEADER_FIELD:
        return OUTCOME_HEADER_FIELD;
    default:
        return OUTCOME_TARGET_ERROR;
    }
}

static enum ignored judge_error(const struct probe_config *c, const struct reply *r, struct answer *out) {
    bool v4 = r->proto == PROTO_ICMP;
    enum reason reason = v4 ? reason_from_icmp(r->icmp_type, r->icmp_code)
                            : reason_from_icmpv6(r->icmp_type, r->icmp_code);
    if (reason == REASON_NONE)
        return IGNORED_UNSUPPORTED_ICMP;
    struct origin o;
    enum ignored why;
    uint8_t proto = r->quoted_proto;
    if (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP)
        why = find_quoted_ported(c, r, &o);
    else if (proto == (v4 ? PROTO_ICMP : PROTO_ICMPV6))
        why = find_quoted_question(c, r, &o);
    else
        why = find_quoted_other(c, r, &o);
    if (why == IGNORED_NOT)
        why = conclude(&o, r->quoted_dest, error_outcome(r, reason), reason, out);
    if (why == IGNORED_NOT && r->source != r->quoted_dest)
        out->reporter = r->source;
    return why;
}

static enum ignored judge_neighbour(const struct reply *r, struct answer *out) {
    const struct origin o = {{0, TECHNIQUE_NEIGHBOUR}, -1};
    enum ignored why = conclude(&o, r->source, OUTCOME_NEIGHBOUR, REASON_NONE, out);
    if (!addr_is_v4(r->source))
        out->verdict.reason = REASON_ND_RESPONSE;
    return why;
}

enum ignored reply_judge(const struct probe_config *c, const struct reply *r, struct answer *out) {
    switch (r->kind) {
    case REPLY_TCP:
        return judge_ported(c, r, PROTO_TCP, out);
    case REPLY_UDP:
        return judge_ported(c, r, PROTO_UDP, out);
    case REPLY_SCTP:
        return judge_ported(c, r, PROTO_SCTP, out);
    case REPLY_ICMP:
        return judge_icmp(c, r, out);
    case REPLY_ICMP_ERROR:
        return judge_error(c, r, out);
    case REPLY_NEIGHBOUR:
        return judge_neighbour(r, out);
    case REPLY_OTHER:
        /* From ourselves to ourselves it is our own probe that came round. */
        if (c->first_port[TECHNIQUE_PROTOCOL] == 0 || r->source == r->dest)
            return IGNORED_NOT_OURS;
        return conclude(&(struct origin){{r->proto, TECHNIQUE_PROTOCOL}, -1}, r->source, OUTCOME_PROTOCOL, REASON_NONE,
                        out);
    default:
        return IGNORED_NOT_OURS;
    }
}
