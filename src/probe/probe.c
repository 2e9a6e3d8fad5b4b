#include "probe/probe.h"

#include <string.h>

#include "base/bytes.h"
#include "probe/checksum.h"
#include "probe/packet.h"
#include "probe/reply.h"

#define PROBE_WINDOW 64240u /* docs/headers.md: what Linux offers on Ethernet, 44 segments of 1460 */
#define PROBE_MSS_V4 1460u
#define TCP_OPTION_MSS 2u

uint64_t probe_cookie(const struct siphash_key *key, addr_t source, addr_t dest, uint16_t source_port,
                      uint16_t dest_port) {
    if (addr_is_v4(source) && addr_is_v4(dest))
        return siphash24_u64x2(key, (uint64_t)addr_v4(source) << 32 | addr_v4(dest),
                               (uint64_t)source_port << 16 | dest_port);
    uint8_t tuple[36];
    store_be64(tuple, (uint64_t)(source >> 64));
    store_be64(tuple + 8, (uint64_t)source);
    store_be64(tuple + 16, (uint64_t)(dest >> 64));
    store_be64(tuple + 24, (uint64_t)dest);
    store_be16(tuple + 32, source_port);
    store_be16(tuple + 34, dest_port);
    return siphash24(key, tuple, sizeof tuple);
}

uint16_t probe_source_port(const struct probe_config *c, unsigned technique, unsigned try) {
    return (uint16_t)(c->first_port[technique] + (c->port_fixed ? 0 : try));
}

/* What the three kinds of segment that noctule builds differ in. */
struct segment {
    uint32_t source, dest;
    uint16_t source_port, dest_port;
    uint32_t seq, ack;
    uint16_t id; /* of the IP header */
    uint16_t window;
    uint8_t ttl;
    uint8_t flags;
};

/* Writes the link header, if the link has one. Returns its length. */
static size_t write_link(enum link_type link, const uint8_t *dest, const uint8_t *source, uint16_t type,
                         uint8_t *frame) {
    if (link != LINK_ETHERNET)
        return 0;
    memcpy(frame + ETHERNET_DEST, dest, MAC_LEN);
    memcpy(frame + ETHERNET_SOURCE, source, MAC_LEN);
    store_be16(frame + ETHERNET_TYPE, type);
    return ETHERNET_HEADER_LEN;
}

/* Writes an IPv4 packet with the segment; a SYN carries the MSS option. Returns the packet's length. */
static size_t write_segment(const struct segment *s, uint8_t *ip) {
    size_t tcp_len = TCP_LEN + (s->flags & TCP_SYN ? TCP_MSS_LEN : 0);
    size_t total = IPV4_LEN + tcp_len;
    store_be32(ip, UINT32_C(0x45000000) | (uint32_t)total); /* version 4, 5 words, type of service 0 */
    store_be16(ip + IPV4_ID, s->id);
    store_be16(ip + IPV4_FRAGMENT, IPV4_DONT_FRAGMENT);
    ip[IPV4_TTL] = s->ttl;
    ip[IPV4_PROTO] = PROTO_TCP;
    store_be16(ip + IPV4_CHECKSUM, 0);
    store_be32(ip + IPV4_SOURCE, s->source);
    store_be32(ip + IPV4_DEST, s->dest);
    store_be16(ip + IPV4_CHECKSUM, checksum_finish(checksum_add(0, ip, IPV4_LEN)));

    uint8_t *tcp = ip + IPV4_LEN;
    store_be16(tcp + TCP_SOURCE_PORT, s->source_port);
    store_be16(tcp + TCP_DEST_PORT, s->dest_port);
    store_be32(tcp + TCP_SEQ, s->seq);
    store_be32(tcp + TCP_ACK_NUMBER, s->ack);
    tcp[TCP_OFFSET] = (uint8_t)(tcp_len / 4 << 4);
    tcp[TCP_FLAGS] = s->flags;
    store_be16(tcp + TCP_WINDOW, s->window);
    store_be32(tcp + TCP_CHECKSUM, 0); /* and the urgent pointer */
    if (s->flags & TCP_SYN)
        store_be32(tcp + TCP_OPTIONS, TCP_OPTION_MSS << 24 | TCP_MSS_LEN << 16 | PROBE_MSS_V4);
    uint64_t sum = checksum_pseudo_v4(s->source, s->dest, PROTO_TCP, (uint16_t)tcp_len);
    store_be16(tcp + TCP_CHECKSUM, checksum_finish(checksum_add(sum, tcp, tcp_len)));
    return total;
}

static size_t build_arp(const struct probe_path *path, addr_t target, uint8_t *frame) {
    static const uint8_t broadcast[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (path->link != LINK_ETHERNET)
        return 0;
    memset(frame, 0, ETHERNET_MIN_LEN);
    uint8_t *arp = frame + write_link(path->link, broadcast, path->source_mac, ETHERNET_TYPE_ARP, frame);
    store_be16(arp + ARP_HARDWARE, ARP_HARDWARE_ETHERNET);
    store_be16(arp + ARP_PROTO, ETHERNET_TYPE_IPV4);
    arp[ARP_HARDWARE_LEN] = MAC_LEN;
    arp[ARP_PROTO_LEN] = 4;
    store_be16(arp + ARP_OPCODE, ARP_REQUEST);
    memcpy(arp + ARP_SENDER_MAC, path->source_mac, MAC_LEN);
    store_be32(arp + ARP_SENDER_IP, addr_v4(path->source));
    store_be32(arp + ARP_TARGET_IP, addr_v4(target));
    return ETHERNET_MIN_LEN;
}

unsigned probe_parts(const struct probe_config *c, const struct endpoint *ep) {
    (void)c;
    (void)ep;
    return 1;
}

size_t probe_packet_max(const struct probe_config *c, const struct slot *slot) {
    (void)c;
    (void)slot;
    return 44;
}

size_t probe_build(const struct probe_config *c, const struct probe_path *path, const struct endpoint *ep, unsigned try,
                   unsigned part, uint8_t frame[static PROBE_FRAME_MAX]) {
    (void)part;
    if (!addr_is_v4(ep->addr) || !addr_is_v4(path->source))
        return 0;
    if (ep->slot.technique == TECHNIQUE_NEIGHBOUR)
        return build_arp(path, ep->addr, frame);
    uint16_t source_port = probe_source_port(c, ep->slot.technique, try);
    uint64_t cookie = probe_cookie(&c->key, path->source, ep->addr, source_port, ep->slot.port);
    struct segment s = {
        .source = addr_v4(path->source),
        .dest = addr_v4(ep->addr),
        .source_port = source_port,
        .dest_port = ep->slot.port,
        .seq = (uint32_t)cookie,
        .id = (uint16_t)(cookie >> 32),
        .window = PROBE_WINDOW,
        .ttl = c->ttl,
        .flags = techniques[ep->slot.technique].tcp_flags,
    };
    size_t at = write_link(path->link, path->dest_mac, path->source_mac, ETHERNET_TYPE_IPV4, frame);
    return at + write_segment(&s, frame + at);
}

/* Writes a segment that answers r: addresses and ports turned round, identification as our probe had it. */
static size_t build_answer(const struct probe_config *c, enum link_type link, const struct reply *r, struct segment s,
                           uint64_t cookie, uint8_t *frame) {
    s.source = addr_v4(r->dest);
    s.dest = addr_v4(r->source);
    s.source_port = r->dest_port;
    s.dest_port = r->source_port;
    s.id = (uint16_t)(cookie >> 32);
    s.ttl = c->ttl;
    size_t at = write_link(link, r->source_mac, r->dest_mac, ETHERNET_TYPE_IPV4, frame);
    return at + write_segment(&s, frame + at);
}

static bool is_answerable(const struct reply *r) {
    return r->kind == REPLY_TCP && addr_is_v4(r->source) && addr_is_v4(r->dest);
}

size_t probe_build_reset(const struct probe_config *c, enum link_type link, const struct reply *r,
                         uint8_t frame[static PROBE_FRAME_MAX]) {
    if (!is_answerable(r))
        return 0;
    uint64_t cookie = probe_cookie(&c->key, r->dest, r->source, r->dest_port, r->source_port);
    return build_answer(c, link, r, (struct segment){.seq = r->ack, .flags = TCP_RST}, cookie, frame);
}

size_t probe_build_syn_ack(const struct probe_config *c, enum link_type link, const struct reply *r,
                           uint8_t frame[static PROBE_FRAME_MAX]) {
    if (!is_answerable(r))
        return 0;
    uint64_t cookie = probe_cookie(&c->key, r->dest, r->source, r->dest_port, r->source_port);
    struct segment s = {.seq = (uint32_t)cookie, .ack = r->seq + 1, .window = PROBE_WINDOW, .flags = TCP_SYN | TCP_ACK};
    return build_answer(c, link, r, s, cookie, frame);
}

unsigned probe_wire_bits(enum link_type link, size_t frame_len) {
    if (link != LINK_ETHERNET)
        return (unsigned)frame_len * 8;
    size_t len = frame_len < ETHERNET_MIN_LEN ? ETHERNET_MIN_LEN : frame_len;
    return (unsigned)(len + ETHERNET_OVERHEAD) * 8;
}
