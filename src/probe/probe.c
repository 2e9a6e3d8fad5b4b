#include "probe/probe.h"

#include "probe/build.h"
#include "probe/payload.h"
#include "probe/reply.h"

static uint64_t cookie_v6(const struct siphash_key *key, addr_t source, addr_t dest, uint16_t source_port,
                          uint16_t dest_port) {
    uint8_t tuple[36];
    store_addr6(tuple, addr_on_wire(source));
    store_addr6(tuple + 16, addr_on_wire(dest));
    store_be16(tuple + 32, source_port);
    store_be16(tuple + 34, dest_port);
    return siphash24(key, tuple, sizeof tuple);
}

uint64_t probe_cookie(const struct siphash_key *key, addr_t source, addr_t dest, uint16_t source_port,
                      uint16_t dest_port) {
    if (!addr_is_v4(source) || !addr_is_v4(dest))
        return cookie_v6(key, source, dest, source_port, dest_port);
    return siphash24_u64x2(key, (uint64_t)addr_v4(source) << 32 | addr_v4(dest),
                           (uint64_t)source_port << 16 | dest_port);
}

uint16_t probe_source_port(const struct probe_config *c, unsigned technique, unsigned try) {
    return (uint16_t)(c->first_port[technique] + (c->port_fixed ? 0 : try));
}

unsigned probe_parts(const struct probe_config *c, const struct endpoint *ep) {
    unsigned n = 1;
    if (ep->slot.technique == TECHNIQUE_UDP)
        n = payload_count(ep->slot.port, c->amplifiers);
    else if (ep->slot.technique == TECHNIQUE_PING)
        n = c->n_ping;
    return n < 1 ? 1 : n > PROBE_PARTS_MAX ? PROBE_PARTS_MAX : n;
}

/* A packet from one of our ports to one of theirs: all that its cookie stands for. */
static struct draft draft_of(const struct probe_config *c, const struct probe_path *path, addr_t dest,
                             unsigned technique, uint16_t source_port, uint16_t dest_port) {
    struct siphash_key key = technique_key(c, technique);
    return (struct draft){
        .link = path->link,
        .source_mac = path->source_mac,
        .dest_mac = path->dest_mac,
        .source = addr_on_wire(path->source),
        .dest = addr_on_wire(dest),
        .cookie = probe_cookie(&key, path->source, dest, source_port, dest_port),
        .ttl = c->ttl,
    };
}

static size_t build_tcp(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint8_t flags,
                        uint8_t *frame) {
    struct segment s = {
        .source_port = source_port,
        .dest_port = dest_port,
        .seq = (uint32_t)d->cookie,
        .ack = flags & TCP_ACK ? (uint32_t)d->cookie : 0,
        .window = PROBE_WINDOW,
        .flags = flags,
    };
    return build_segment(d, &s, frame);
}

static size_t build_udp(const struct probe_config *c, const struct draft *d, uint16_t source_port, uint16_t dest_port,
                        unsigned nth, uint8_t *frame) {
    size_t len = payload_build(dest_port, nth, c->amplifiers, d->cookie, frame + draft_offset(d) + UDP_LEN);
    return build_datagram(d, source_port, dest_port, len, frame);
}

/* The service that answers from another port has our ports to itself, by which its answers are known. */
static uint16_t udp_source_port(const struct probe_config *c, uint16_t dest_port, unsigned try) {
    if (c->wandering_port && !c->port_fixed && payload_wanders(dest_port))
        return (uint16_t)(c->wandering_port + try);
    return probe_source_port(c, TECHNIQUE_UDP, try);
}

static size_t build_ip_protocol(const struct probe_config *c, const struct probe_path *path, const struct endpoint *ep,
                                unsigned try, uint8_t *frame) {
    uint8_t proto = (uint8_t)ep->slot.port;
    uint16_t source_port = probe_source_port(c, TECHNIQUE_PROTOCOL, try);
    uint16_t dest_port = protocol_port(proto, addr_is_v4(ep->addr));
    struct draft d = draft_of(c, path, ep->addr, TECHNIQUE_PROTOCOL, source_port, dest_port);
    switch (proto) {
    case PROTO_TCP:
        return build_tcp(&d, source_port, dest_port, TCP_ACK, frame);
    case PROTO_UDP:
        return build_datagram(&d, source_port, dest_port, 0, frame);
    case PROTO_SCTP:
        return build_sctp_init(&d, source_port, dest_port, frame);
    default:
        return build_protocol(&d, proto, (uint16_t)try, frame);
    }
}

static size_t build_ping(const struct probe_config *c, const struct probe_path *path, addr_t dest, unsigned try,
                         const struct ping_part *part, uint8_t *frame) {
    uint16_t source_port = probe_source_port(c, TECHNIQUE_PING, try), dest_port = part->port;
    if (part->kind == PING_ECHO)
        dest_port = addr_is_v4(dest) ? ICMP_ECHO : ICMPV6_ECHO;
    else if (part->kind == PING_TIMESTAMP)
        dest_port = ICMP_TIMESTAMP;
    struct draft d = draft_of(c, path, dest, TECHNIQUE_PING, source_port, dest_port);
    switch (part->kind) {
    case PING_ECHO:
        return build_echo(&d, (uint16_t)try, frame);
    case PING_TIMESTAMP:
        return build_timestamp(&d, (uint16_t)try, frame);
    case PING_SYN:
        return build_tcp(&d, source_port, dest_port, TCP_SYN, frame);
    case PING_ACK:
        return build_tcp(&d, source_port, dest_port, TCP_ACK, frame);
    case PING_UDP:
        return build_udp(c, &d, source_port, dest_port, 0, frame);
    default:
        return build_sctp_init(&d, source_port, dest_port, frame);
    }
}

size_t probe_build(const struct probe_config *c, const struct probe_path *path, const struct endpoint *ep, unsigned try,
                   unsigned part, uint8_t frame[static PROBE_FRAME_MAX]) {
    const struct technique *t = &techniques[ep->slot.technique];
    if (addr_is_v4(ep->addr) != addr_is_v4(path->source))
        return 0;
    uint16_t dest_port = ep->slot.port;
    if (t->ip_proto == PROTO_TCP) { /* first: most probes are */
        uint16_t source_port = probe_source_port(c, ep->slot.technique, try);
        struct draft d = draft_of(c, path, ep->addr, ep->slot.technique, source_port, dest_port);
        return build_tcp(&d, source_port, dest_port, c->flags_given ? c->flags : t->tcp_flags, frame);
    }
    if (t->ip_proto) {
        bool udp = t->ip_proto == PROTO_UDP;
        uint16_t source_port =
            udp ? udp_source_port(c, dest_port, try) : probe_source_port(c, ep->slot.technique, try);
        struct draft d = draft_of(c, path, ep->addr, ep->slot.technique, source_port, dest_port);
        if (udp)
            return build_udp(c, &d, source_port, dest_port, part, frame);
        return ep->slot.technique == TECHNIQUE_SCTP_INIT ? build_sctp_init(&d, source_port, dest_port, frame)
                                                         : build_sctp_cookie(&d, source_port, dest_port, frame);
    }
    if (ep->slot.technique == TECHNIQUE_NEIGHBOUR)
        return build_neighbour(path, ep->addr, frame);
    if (ep->slot.technique == TECHNIQUE_PING)
        return part < c->n_ping ? build_ping(c, path, ep->addr, try, &c->ping[part], frame) : 0;
    return build_ip_protocol(c, path, ep, try, frame);
}

/* The longest payload of an IP packet that a probe is, in bytes. */
static size_t payload_max(const struct probe_config *c, const struct slot *slot) {
    const struct technique *t = &techniques[slot->technique];
    switch (t->ip_proto) {
    case PROTO_TCP:
        return (c->flags_given ? c->flags : t->tcp_flags) & TCP_SYN ? SEGMENT_SYN_LEN : TCP_LEN;
    case PROTO_UDP:
        return UDP_LEN + payload_longest(slot->port, c->amplifiers);
    case PROTO_SCTP:
        return slot->technique == TECHNIQUE_SCTP_INIT ? SCTP_INIT_LEN : SCTP_COOKIE_LEN;
    default:
        break;
    }
    size_t longest = ECHO_LEN; /* of all that -sO sends, and of neighbour discovery */
    if (slot->technique == TECHNIQUE_PING)
        for (unsigned i = 0; i < c->n_ping; i++)
            if (c->ping[i].kind == PING_UDP && UDP_LEN + payload_longest(c->ping[i].port, c->amplifiers) > longest)
                longest = UDP_LEN + payload_longest(c->ping[i].port, c->amplifiers);
    return longest;
}

size_t probe_packet_max(const struct probe_config *c, const struct slot *slot) {
    return IPV6_LEN + payload_max(c, slot);
}

unsigned probe_wire_bits(enum link_type link, size_t frame_len) {
    if (link != LINK_ETHERNET)
        return (unsigned)frame_len * 8;
    size_t len = frame_len < ETHERNET_MIN_LEN ? ETHERNET_MIN_LEN : frame_len;
    return (unsigned)(len + ETHERNET_OVERHEAD) * 8;
}
