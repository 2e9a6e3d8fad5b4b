/* reply_parse(): what a received frame is. Here are the link's and IP's headers. */
#include "probe/parse.h"

#include <string.h>

#include "probe/checksum.h"
#include "probe/packet.h"

#define EXTENSIONS_MAX 16u /* a packet with more of them is nobody's answer */

const char *ignored_name(enum ignored i) {
    static const char *const names[IGNORED_COUNT] = {
        [IGNORED_NOT] = "none",
        [IGNORED_BAD_IP_CHECKSUM] = "bad_ip_checksum",
        [IGNORED_BAD_TCP_CHECKSUM] = "bad_tcp_checksum",
        [IGNORED_BAD_UDP_CHECKSUM] = "bad_udp_checksum",
        [IGNORED_BAD_SCTP_CHECKSUM] = "bad_sctp_checksum",
        [IGNORED_BAD_ICMP_CHECKSUM] = "bad_icmp_checksum",
        [IGNORED_TRUNCATED] = "truncated",
        [IGNORED_FRAGMENT] = "fragment",
        [IGNORED_NOT_OURS] = "not_ours",
        [IGNORED_WRONG_ADDRESS] = "wrong_address",
        [IGNORED_BAD_COOKIE] = "bad_cookie",
        [IGNORED_UNSUPPORTED_ICMP] = "unsupported_icmp",
        [IGNORED_OUT_OF_PLAN] = "out_of_plan",
        [IGNORED_OTHER_VLAN] = "other_vlan",
        [IGNORED_UNSENT] = "unsent",
    };
    return names[i];
}

char *tcp_flags_format(uint8_t flags, char buf[static TCP_FLAGS_STRLEN]) {
    static const char letters[] = "FSRPAUEC";
    char *at = buf;
    for (unsigned bit = 0; bit < 8; bit++)
        if (flags >> bit & 1)
            *at++ = letters[bit];
    *at = '\0';
    return buf;
}

/* Reads what the IP packet carries. */
static enum ignored parse_carried(uint8_t proto, const struct carried *c, struct reply *r) {
    r->proto = proto;
    bool ported = proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
    if (c->data.n < c->len && !(ported && c->vouched))
        return IGNORED_TRUNCATED;
    switch (proto) {
    case PROTO_TCP:
        return parse_tcp(c, r);
    case PROTO_UDP:
        return parse_udp(c, r);
    case PROTO_SCTP:
        return parse_sctp(c, r);
    case PROTO_ICMP:
        if (c->v4)
            return parse_icmp(c, r);
        break;
    case PROTO_ICMPV6:
        if (!c->v4)
            return parse_icmpv6(c, r);
        break;
    default:
        break;
    }
    r->kind = REPLY_OTHER;
    return IGNORED_NOT;
}

static enum ignored parse_ipv4(struct span ip, size_t wire_n, bool vouched, struct reply *r) {
    if (ip.n < IPV4_LEN)
        return IGNORED_TRUNCATED;
    if (ip.p[0] >> 4 != 4)
        return IGNORED_NOT_OURS;
    size_t header = (size_t)(ip.p[0] & 0xf) * 4;
    if (header < IPV4_LEN || header > ip.n)
        return IGNORED_TRUNCATED;
    if (checksum_fold(checksum_add(0, ip.p, header)) != 0xffff)
        return IGNORED_BAD_IP_CHECKSUM;
    size_t total = load_be16(ip.p + IPV4_TOTAL_LEN);
    if (total < header || total > wire_n)
        return IGNORED_TRUNCATED;
    if (load_be16(ip.p + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
        return IGNORED_FRAGMENT;
    uint32_t source = load_be32(ip.p + IPV4_SOURCE), dest = load_be32(ip.p + IPV4_DEST);
    r->source = addr_from_v4(source);
    r->dest = addr_from_v4(dest);
    r->ttl = ip.p[IPV4_TTL];
    struct carried c = {
        .data = {ip.p + header, (total < ip.n ? total : ip.n) - header},
        .len = total - header,
        .pseudo = (uint64_t)source + dest,
        .v4 = true,
        .vouched = vouched,
    };
    return parse_carried(ip.p[IPV4_PROTO], &c, r);
}

bool load_addr6(const uint8_t *p, addr_t *out) {
    *out = (addr_t)load_be64(p) << 64 | load_be64(p + 8);
    return !addr_is_v4(*out) && addr_zone(*out) == 0;
}

static bool is_extension(uint8_t proto) {
    return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT || proto == PROTO_AH ||
           proto == PROTO_DEST_OPTIONS;
}

/* Bytes of the extension header at p, of which at least 8 are there. */
static size_t extension_len(uint8_t proto, const uint8_t *p) {
    if (proto == PROTO_FRAGMENT)
        return IPV6_EXTENSION_UNIT;
    return proto == PROTO_AH ? (p[1] + 2u) * 4 : (p[1] + 1u) * IPV6_EXTENSION_UNIT;
}

enum ignored walk_extensions(uint8_t proto, struct span rest, bool quoted, struct walk *out) {
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        *out = (struct walk){proto, rest};
        if (!is_extension(proto) || rest.n < IPV6_EXTENSION_UNIT)
            return IGNORED_NOT;
        size_t len = extension_len(proto, rest.p);
        if (len > rest.n)
            return IGNORED_NOT;
        if (proto == PROTO_ROUTING && !quoted && rest.p[IPV6_ROUTING_LEFT] != 0)
            return IGNORED_NOT_OURS;
        if (proto == PROTO_FRAGMENT &&
            load_be16(rest.p + IPV6_FRAGMENT_OFFSET) & (quoted ? IPV6_OFFSET_MASK : IPV6_FRAGMENT_MASK))
            return IGNORED_FRAGMENT;
        proto = rest.p[0];
        rest = (struct span){rest.p + len, rest.n - len};
    }
    return IGNORED_NOT_OURS;
}

static enum ignored parse_ipv6(struct span ip, size_t wire_n, bool vouched, struct reply *r) {
    if (ip.n < IPV6_LEN)
        return IGNORED_TRUNCATED;
    if (ip.p[0] >> 4 != 6)
        return IGNORED_NOT_OURS;
    size_t len = load_be16(ip.p + IPV6_PAYLOAD_LEN);
    if (len > wire_n - IPV6_LEN)
        return IGNORED_TRUNCATED;
    if (!load_addr6(ip.p + IPV6_SOURCE, &r->source) || !load_addr6(ip.p + IPV6_DEST, &r->dest))
        return IGNORED_WRONG_ADDRESS;
    r->ttl = ip.p[IPV6_HOP_LIMIT];
    size_t captured = ip.n - IPV6_LEN < len ? ip.n - IPV6_LEN : len;
    struct walk w;
    enum ignored why = walk_extensions(ip.p[IPV6_NEXT_HEADER], (struct span){ip.p + IPV6_LEN, captured}, false, &w);
    if (why != IGNORED_NOT)
        return why;
    if (is_extension(w.proto))
        return IGNORED_TRUNCATED;
    struct carried c = {
        .data = w.rest,
        .len = len - (captured - w.rest.n),
        .pseudo = checksum_addr(r->source) + checksum_addr(r->dest),
        .vouched = vouched,
    };
    return parse_carried(w.proto, &c, r);
}

void reply_set_zone(struct reply *r, unsigned ifindex) {
    r->source = addr_with_zone(r->source, ifindex);
    r->dest = addr_with_zone(r->dest, ifindex);
    r->quoted_source = addr_with_zone(r->quoted_source, ifindex);
    r->quoted_dest = addr_with_zone(r->quoted_dest, ifindex);
}

enum ignored reply_parse(enum link_type link, const uint8_t *frame, size_t len, uint32_t wire_len, uint32_t flags,
                         struct reply *r) {
    memset(r, 0, sizeof *r);
    size_t on_wire = wire_len > len ? wire_len : len;
    bool vouched = flags & (FRAME_CSUM_UNFILLED | FRAME_CSUM_VALID);
    if (link != LINK_ETHERNET) {
        bool v6 = len > 0 && frame[0] >> 4 == 6;
        return (v6 ? parse_ipv6 : parse_ipv4)((struct span){frame, len}, on_wire, vouched, r);
    }
    if (len < ETHERNET_HEADER_LEN)
        return IGNORED_TRUNCATED;
    memcpy(r->dest_mac, frame + ETHERNET_DEST, MAC_LEN);
    memcpy(r->source_mac, frame + ETHERNET_SOURCE, MAC_LEN);
    struct span rest = {frame + ETHERNET_HEADER_LEN, len - ETHERNET_HEADER_LEN};
    switch (load_be16(frame + ETHERNET_TYPE)) {
    case ETHERNET_TYPE_IPV4:
        return parse_ipv4(rest, on_wire - ETHERNET_HEADER_LEN, vouched, r);
    case ETHERNET_TYPE_IPV6:
        return parse_ipv6(rest, on_wire - ETHERNET_HEADER_LEN, vouched, r);
    case ETHERNET_TYPE_ARP:
        return parse_arp(rest, r);
    default:
        return IGNORED_NOT_OURS;
    }
}
