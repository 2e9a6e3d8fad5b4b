/* reply_judge(): whether a parsed reply truly answers a probe of ours, which one, and what it says. */
#include "probe/packet.h"
#include "probe/reply.h"

/* The probe that left from a source port. */
struct origin {
    uint8_t technique;
    int tried; /* -1 unknown */
};

/* The inverse of probe_source_port(). False for a port that no TCP technique sends from. */
static bool find_origin(const struct probe_config *c, uint16_t port, struct origin *out) {
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++) {
        if (c->first_port[t] == 0 || port < c->first_port[t] || port - c->first_port[t] >= c->tries)
            continue;
        *out = (struct origin){(uint8_t)t, c->port_fixed ? -1 : port - c->first_port[t]};
        return true;
    }
    return false;
}

static struct answer answer_of(addr_t addr, uint16_t port, const struct origin *o, struct verdict v) {
    return (struct answer){
        .endpoint = {addr, {.port = port, .technique = o->technique}},
        .verdict = v,
        .tried = o->tried,
    };
}

static enum ignored judge_tcp(const struct probe_config *c, const struct reply *r, struct answer *out) {
    struct origin o;
    if (!find_origin(c, r->dest_port, &o))
        return IGNORED_NOT_OURS;
    const struct technique *t = &techniques[o.technique];
    uint32_t cookie = (uint32_t)probe_cookie(&c->key, r->dest, r->source, r->dest_port, r->source_port);
    bool acked = r->tcp_flags & TCP_ACK && r->ack == (uint32_t)(cookie + 1);
    struct verdict v = {STATE_UNKNOWN, REASON_NONE};
    if (r->tcp_flags & TCP_RST) {
        /* Some firewalls acknowledge what they saw without counting the SYN. */
        if (!acked && !(r->tcp_flags & TCP_ACK && r->ack == cookie))
            return IGNORED_BAD_COOKIE;
        v = t->on[OUTCOME_RESET];
    } else if (r->tcp_flags & TCP_ACK) {
        if (!acked)
            return IGNORED_BAD_COOKIE;
        v = t->on[r->tcp_flags & TCP_SYN ? OUTCOME_SYN_ACK : OUTCOME_ACK];
    } else if ((r->tcp_flags & (TCP_SYN | TCP_FIN)) == TCP_SYN) {
        /* Our own probe that came back to us, because both ends are this machine or because something reflects it:
         * answering it would prove our own words to ourselves. */
        uint32_t own = (uint32_t)probe_cookie(&c->key, r->source, r->dest, r->source_port, r->dest_port);
        if (r->seq == own || r->seq == cookie)
            return IGNORED_NOT_OURS;
        v.reason = REASON_SYN;
    } else {
        return IGNORED_NOT_OURS;
    }
    *out = answer_of(r->source, r->source_port, &o, v);
    return IGNORED_NOT;
}

static enum ignored judge_icmp(const struct probe_config *c, const struct reply *r, struct answer *out) {
    enum reason reason = reason_from_icmp(r->icmp_type, r->icmp_code);
    if (reason == REASON_NONE)
        return IGNORED_UNSUPPORTED_ICMP;
    struct origin o;
    if (r->quoted_proto != PROTO_TCP || !find_origin(c, r->quoted_source_port, &o))
        return IGNORED_NOT_OURS;
    if (r->quoted_source != r->dest)
        return IGNORED_WRONG_ADDRESS;
    uint64_t cookie =
        probe_cookie(&c->key, r->quoted_source, r->quoted_dest, r->quoted_source_port, r->quoted_dest_port);
    if (r->quoted_seq != (uint32_t)cookie)
        return IGNORED_BAD_COOKIE;
    *out = answer_of(r->quoted_dest, r->quoted_dest_port, &o, (struct verdict){STATE_FILTERED, reason});
    if (r->source != r->quoted_dest)
        out->reporter = r->source;
    return IGNORED_NOT;
}

enum ignored reply_judge(const struct probe_config *c, const struct reply *r, struct answer *out) {
    switch (r->kind) {
    case REPLY_TCP:
        return judge_tcp(c, r, out);
    case REPLY_ICMP_ERROR:
        return judge_icmp(c, r, out);
    case REPLY_NEIGHBOUR:
        *out = answer_of(r->source, 0, &(struct origin){TECHNIQUE_NEIGHBOUR, -1},
                         (struct verdict){STATE_UP, REASON_ARP_RESPONSE});
        return IGNORED_NOT;
    default:
        return IGNORED_NOT_OURS;
    }
}
