/* The pieces that frames are put together from. What an IP packet carries is written first, at its place in the frame;
 * then the headers before it. Only for src/probe; nothing here checks anything. */
#ifndef NOCTULE_PROBE_BUILD_H
#define NOCTULE_PROBE_BUILD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "probe/checksum.h"
#include "probe/packet.h"
#include "probe/probe.h"

/* What the headers before a payload say. Both addresses are of one family, and without a zone. */
struct draft {
    enum link_type link;
    const uint8_t *source_mac, *dest_mac;
    addr_t source, dest;
    uint64_t cookie; /* its bits 32.. are the identification, or the flow label */
    uint8_t ttl;
};

/* Addresses on the wire have no zone. */
static inline addr_t addr_on_wire(addr_t a) {
    return addr_with_zone(a, 0);
}

static inline void store_addr6(uint8_t *p, addr_t a) {
    store_be64(p, (uint64_t)(a >> 64));
    store_be64(p + 8, (uint64_t)a);
}

/* The key of a technique's cookies. Where all techniques share one port, they must differ in something else. */
static inline struct siphash_key technique_key(const struct probe_config *c, unsigned technique) {
    struct siphash_key key = c->key;
    if (c->port_fixed)
        key.k0 ^= technique;
    return key;
}

/* The keyed identification of an IPv4 header. Never 0: the kernel's raw sockets would put their own there. */
static inline uint16_t cookie_id(uint64_t cookie) {
    uint16_t id = (uint16_t)(cookie >> 32);
    return id ? id : 1;
}

/* The keyed flow label of an IPv6 header. */
static inline uint32_t cookie_flow(uint64_t cookie) {
    return (uint32_t)(cookie >> 32) & IPV6_FLOW_MASK;
}

/* The keyed SCTP tag, initiate or verification. Never 0 (RFC 9260 3.3.2). */
static inline uint32_t cookie_tag(uint64_t cookie) {
    return (uint32_t)cookie ? (uint32_t)cookie : 1;
}

/* The keyed identifier of an ICMP question. */
static inline uint16_t cookie_icmp_id(uint64_t cookie) {
    return (uint16_t)(cookie >> 48);
}

/* A timestamp that is not the time has its highest bit set (RFC 792). */
static inline uint32_t cookie_timestamp(uint64_t cookie) {
    return (uint32_t)cookie | UINT32_C(1) << 31;
}

/* -sO sends the protocols that have ports to these, and expects no service there. TCP: a bare ACK, which any host
 * resets, to the port that firewalls close last; UDP: the first port of traceroute; SCTP: an INIT. */
#define PROTOCOL_TCP_PORT 80u
#define PROTOCOL_UDP_PORT 33434u
#define PROTOCOL_SCTP_PORT 80u

/* The number that stands for the destination port in the cookie of a -sO packet, if ICMP is the family's own. */
static inline uint16_t protocol_port(uint8_t proto, bool v4) {
    switch (proto) {
    case PROTO_TCP:
        return PROTOCOL_TCP_PORT;
    case PROTO_UDP:
        return PROTOCOL_UDP_PORT;
    case PROTO_SCTP:
        return PROTOCOL_SCTP_PORT;
    case PROTO_ICMP:
        return v4 ? ICMP_ECHO : PROTO_ICMP;
    case PROTO_ICMPV6:
        return v4 ? PROTO_ICMPV6 : ICMPV6_ECHO;
    default:
        return proto;
    }
}

static inline size_t link_len(enum link_type link) {
    return link == LINK_ETHERNET ? ETHERNET_HEADER_LEN : 0;
}

/* Where in the frame the payload of the IP packet begins. */
static inline size_t draft_offset(const struct draft *d) {
    return link_len(d->link) + (addr_is_v4(d->dest) ? IPV4_LEN : IPV6_LEN);
}

/* The sum of the pseudo-header for len bytes of a protocol. */
static inline uint64_t draft_pseudo(const struct draft *d, uint8_t proto, size_t len) {
    if (addr_is_v4(d->dest))
        return checksum_pseudo_v4(addr_v4(d->source), addr_v4(d->dest), proto, (uint16_t)len);
    return checksum_addr(d->source) + checksum_addr(d->dest) + proto + len;
}

/* Writes the link header, if the link has one. Returns its length. */
static inline size_t write_link(enum link_type link, const uint8_t *dest, const uint8_t *source, uint16_t type,
                                uint8_t *frame) {
    if (link != LINK_ETHERNET)
        return 0;
    memcpy(frame + ETHERNET_DEST, dest, MAC_LEN);
    memcpy(frame + ETHERNET_SOURCE, source, MAC_LEN);
    store_be16(frame + ETHERNET_TYPE, type);
    return ETHERNET_HEADER_LEN;
}

/* Writes link and IP header before a payload of that many bytes, which stands at draft_offset(). Returns the frame's
 * length. */
size_t draft_finish(const struct draft *d, uint8_t proto, size_t payload_len, uint8_t *frame);

/* What the segments that noctule builds differ in. */
struct segment {
    uint16_t source_port, dest_port;
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags; /* a SYN carries the MSS option */
};
#define PROBE_WINDOW 64240u /* docs/headers.md: what Linux offers on Ethernet, 44 segments of 1460 */

/* Each writes a whole frame, and returns its length. */
size_t build_segment(const struct draft *d, const struct segment *s, uint8_t *frame);
/* The datagram's payload of that many bytes stands at draft_offset() + UDP_LEN. */
size_t build_datagram(const struct draft *d, uint16_t source_port, uint16_t dest_port, size_t payload_len,
                      uint8_t *frame);
size_t build_sctp_init(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint8_t *frame);
size_t build_sctp_cookie(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint8_t *frame);
/* ICMP or, over IPv6, ICMPv6. */
size_t build_echo(const struct draft *d, uint16_t seq, uint8_t *frame);
/* 0 over IPv6, which has none. */
size_t build_timestamp(const struct draft *d, uint16_t seq, uint8_t *frame);
/* A packet of any protocol, without ports of its own: with the header that it has, if it is one of those known here. */
size_t build_protocol(const struct draft *d, uint8_t proto, uint16_t seq, uint8_t *frame);
/* ARP request or neighbour solicitation. 0 where there are no link addresses. */
size_t build_neighbour(const struct probe_path *path, addr_t target, uint8_t *frame);

/* Lengths of what these write behind the IP header. */
#define SEGMENT_SYN_LEN (TCP_LEN + TCP_MSS_LEN)
#define SCTP_INIT_LEN 32u
#define SCTP_COOKIE_LEN 24u
#define ECHO_LEN 40u

#endif
