/* What the probes of a scan need of the machine, and what all their frames share. */
#include "scan/engine.h"

#include <string.h>

#include "base/random.h"
#include "probe/packet.h"
#include "probe/payload.h"
#include "scan/estimate.h"

static bool protocols_any(const struct wire_protocols *set) {
    return (set->bits[0] | set->bits[1] | set->bits[2] | set->bits[3]) != 0;
}

static void protocols_add(struct wire_protocols *set, unsigned proto) {
    set->bits[proto / 64] |= UINT64_C(1) << proto % 64;
}

static int protocol_note(void *ctx, const struct slot *slot) {
    if (slot->technique == TECHNIQUE_PROTOCOL)
        protocols_add(ctx, slot->port);
    return 0;
}

static bool uses(const struct scan *s, enum technique_id t) {
    return s->techniques >> t & 1;
}

static bool pings_with(const struct scan *s, enum ping_kind kind) {
    for (unsigned i = 0; i < s->config.n_ping && uses(s, TECHNIQUE_PING); i++)
        if (s->config.ping[i].kind == kind)
            return true;
    return false;
}

/* Which protocols' packets may come to our ports. */
static bool ports_carry(const struct scan *s, uint8_t proto) {
    static const struct { uint8_t proto; enum ping_kind kinds[2]; } pings[] = {
        {PROTO_TCP, {PING_SYN, PING_ACK}}, {PROTO_UDP, {PING_UDP, PING_UDP}}, {PROTO_SCTP, {PING_SCTP, PING_SCTP}}};
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++)
        if (uses(s, (enum technique_id)t) && techniques[t].ip_proto == proto)
            return true;
    for (unsigned i = 0; i < sizeof pings / sizeof *pings; i++)
        if (pings[i].proto == proto && (pings_with(s, pings[i].kinds[0]) || pings_with(s, pings[i].kinds[1])))
            return true;
    return uses(s, TECHNIQUE_PROTOCOL);
}

/* Does anything leave this machine? If not, what comes in are our own probes, and a raw socket of ours would keep the
 * kernel from answering them. */
static bool leaves(const struct scan *s) {
    for (size_t i = 0; i < s->paths.n_paths; i++)
        if (s->paths.paths[i].kind == PATH_READY || s->paths.paths[i].kind == PATH_NEIGHBOUR)
            return true;
    return false;
}

static int slot_is_wandering(void *ctx, const struct slot *slot) {
    (void)ctx;
    return slot->technique == TECHNIQUE_UDP && payload_wanders(slot->port);
}

static unsigned tries_of(const struct scan_config *c) {
    return 1 + (c->retries_auto ? ESTIMATE_RETRIES_MAX : c->retries);
}

/* Gives every technique its source ports, and claims them. */
static int ports_claim(struct scan *s, struct error *e) {
    const struct scan_config *c = &s->config;
    unsigned tries = s->probe.port_fixed ? 1 : tries_of(c), runs = 0;
    bool wanders = plan_each_slot(c->plan, slot_is_wandering, NULL) != 0;
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++)
        runs += uses(s, (enum technique_id)t);
    struct wire_protocols claimed = {.bits = {0}};
    (void)plan_each_slot(c->plan, protocol_note, &s->protocols);
    claimed = s->protocols;
    if (ports_carry(s, PROTO_SCTP)) /* this process has no SCTP sockets that would hold a port */
        protocols_add(&claimed, PROTO_SCTP);
    struct claim_wish wish = {
        .n = s->probe.port_fixed ? 1 : (runs + wanders) * tries,
        .first = c->source_port,
        .seed = c->seed,
        .tcp = ports_carry(s, PROTO_TCP),
        .udp = ports_carry(s, PROTO_UDP),
        .protocols = protocols_any(&claimed) && leaves(s) ? &claimed : NULL,
    };
    int err = claim_create(&wish, &s->claim, e);
    if (err < 0)
        return err;
    unsigned next = s->claim.first, step = s->probe.port_fixed ? 0 : tries;
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++)
        if (uses(s, (enum technique_id)t)) {
            s->probe.first_port[t] = (uint16_t)next;
            next += step;
        }
    if (wanders && !s->probe.port_fixed) /* from a port that all share, such an answer would name any service */
        s->probe.wandering_port = (uint16_t)next;
    return 0;
}

int probes_prepare(struct scan *s, struct error *e) {
    const struct scan_config *c = &s->config;
    int err = random_bytes(&s->probe.key, sizeof s->probe.key);
    if (err < 0)
        return error_set(e, err, "no random key from the kernel");
    s->probe.port_fixed = c->source_port != 0;
    s->probe.tries = s->probe.port_fixed ? 1 : (uint8_t)tries_of(c);
    s->probe.ttl = c->ttl;
    s->probe.flags_given = c->flags_given;
    s->probe.flags = c->flags;
    s->probe.amplifiers = c->amplifiers;
    memcpy(s->probe.ping, c->ping, sizeof s->probe.ping);
    s->probe.n_ping = c->n_ping;
    return ports_claim(s, e);
}
