/* reply_parse(): what a received frame is. */
#include "probe/reply.h"

#include <string.h>

#include "base/bytes.h"
#include "probe/checksum.h"
#include "probe/packet.h"

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

/* A piece of the frame that is being read. */
struct span {
    const uint8_t *p;
    size_t n; /* bytes captured */
};

/* Of a segment that somebody vouches for, the capture may hold only the first part. */
static enum ignored parse_tcp(struct span tcp, uint64_t pseudo, bool vouched, struct reply *r) {
    if (tcp.n < TCP_LEN)
        return IGNORED_TRUNCATED;
    if (!vouched && checksum_fold(checksum_add(pseudo, tcp.p, tcp.n)) != 0xffff)
        return IGNORED_BAD_TCP_CHECKSUM;
    size_t header = (size_t)(tcp.p[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_LEN || header > tcp.n)
        return IGNORED_TRUNCATED;
    r->kind = REPLY_TCP;
    r->source_port = load_be16(tcp.p + TCP_SOURCE_PORT);
    r->dest_port = load_be16(tcp.p + TCP_DEST_PORT);
    r->seq = load_be32(tcp.p + TCP_SEQ);
    r->ack = load_be32(tcp.p + TCP_ACK_NUMBER);
    r->tcp_flags = tcp.p[TCP_FLAGS];
    r->window = load_be16(tcp.p + TCP_WINDOW);
    return IGNORED_NOT;
}

/* The packet that an ICMP error quotes: its header as it was when the error arose, and at least 8 bytes behind it. On
 * the way routers changed the time to live, and some change or forget the header's checksum: it is not looked at. */
static enum ignored parse_quote(struct span quote, struct reply *r) {
    if (quote.n < IPV4_LEN)
        return IGNORED_TRUNCATED;
    if (quote.p[0] >> 4 != 4)
        return IGNORED_NOT_OURS;
    size_t header = (size_t)(quote.p[0] & 0xf) * 4;
    if (header < IPV4_LEN || quote.n < header + ICMP_QUOTE_LEN)
        return IGNORED_TRUNCATED;
    if (load_be16(quote.p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK)
        return IGNORED_FRAGMENT; /* what follows is not the start of a TCP header */
    const uint8_t *tcp = quote.p + header;
    r->quoted_source = addr_from_v4(load_be32(quote.p + IPV4_SOURCE));
    r->quoted_dest = addr_from_v4(load_be32(quote.p + IPV4_DEST));
    r->quoted_proto = quote.p[IPV4_PROTO];
    r->quoted_source_port = load_be16(tcp + TCP_SOURCE_PORT);
    r->quoted_dest_port = load_be16(tcp + TCP_DEST_PORT);
    r->quoted_seq = load_be32(tcp + TCP_SEQ);
    return IGNORED_NOT;
}

/* icmp holds the whole message: nothing vouches for the checksum of ICMP, so all of it must be there. */
static enum ignored parse_icmp(struct span icmp, struct reply *r) {
    if (icmp.n < ICMP_LEN)
        return IGNORED_TRUNCATED;
    if (checksum_fold(checksum_add(0, icmp.p, icmp.n)) != 0xffff)
        return IGNORED_BAD_ICMP_CHECKSUM;
    r->kind = REPLY_ICMP_ERROR;
    r->icmp_type = icmp.p[ICMP_TYPE];
    r->icmp_code = icmp.p[ICMP_CODE];
    if (r->icmp_type != ICMP_UNREACHABLE && r->icmp_type != ICMP_TIME_EXCEEDED)
        return IGNORED_UNSUPPORTED_ICMP;
    return parse_quote((struct span){icmp.p + ICMP_LEN, icmp.n - ICMP_LEN}, r);
}

static enum ignored parse_ipv4(struct span ip, size_t wire_n, uint32_t flags, struct reply *r) {
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
    uint8_t proto = ip.p[IPV4_PROTO];
    if (proto != PROTO_TCP && proto != PROTO_ICMP)
        return IGNORED_NOT_OURS;
    if (load_be16(ip.p + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
        return IGNORED_FRAGMENT;
    bool cut = total > ip.n;
    bool vouched = flags & (FRAME_CSUM_UNFILLED | FRAME_CSUM_VALID);
    if (cut && (proto != PROTO_TCP || !vouched))
        return IGNORED_TRUNCATED;
    uint32_t source = load_be32(ip.p + IPV4_SOURCE), dest = load_be32(ip.p + IPV4_DEST);
    r->source = addr_from_v4(source);
    r->dest = addr_from_v4(dest);
    r->ttl = ip.p[IPV4_TTL];
    struct span payload = {ip.p + header, (cut ? ip.n : total) - header};
    if (proto == PROTO_ICMP)
        return parse_icmp(payload, r);
    return parse_tcp(payload, checksum_pseudo_v4(source, dest, proto, (uint16_t)(total - header)), vouched, r);
}

/* Is it the address of one station, so that frames can be sent to it? */
static bool is_station(const uint8_t mac[static MAC_LEN]) {
    static const uint8_t none[MAC_LEN];
    return !(mac[0] & ETHERNET_GROUP_BIT) && memcmp(mac, none, MAC_LEN) != 0;
}

static enum ignored parse_arp(struct span arp, struct reply *r) {
    if (arp.n < ARP_LEN)
        return IGNORED_TRUNCATED;
    if (load_be16(arp.p + ARP_HARDWARE) != ARP_HARDWARE_ETHERNET ||
        load_be16(arp.p + ARP_PROTO) != ETHERNET_TYPE_IPV4 || arp.p[ARP_HARDWARE_LEN] != MAC_LEN ||
        arp.p[ARP_PROTO_LEN] != 4 || load_be16(arp.p + ARP_OPCODE) != ARP_REPLY)
        return IGNORED_NOT_OURS;
    if (!is_station(arp.p + ARP_SENDER_MAC))
        return IGNORED_WRONG_ADDRESS;
    r->kind = REPLY_NEIGHBOUR;
    memcpy(r->source_mac, arp.p + ARP_SENDER_MAC, MAC_LEN);
    r->source = addr_from_v4(load_be32(arp.p + ARP_SENDER_IP));
    r->dest = addr_from_v4(load_be32(arp.p + ARP_TARGET_IP));
    return IGNORED_NOT;
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
    if (link != LINK_ETHERNET)
        return parse_ipv4((struct span){frame, len}, on_wire, flags, r);
    if (len < ETHERNET_HEADER_LEN)
        return IGNORED_TRUNCATED;
    memcpy(r->dest_mac, frame + ETHERNET_DEST, MAC_LEN);
    memcpy(r->source_mac, frame + ETHERNET_SOURCE, MAC_LEN);
    struct span rest = {frame + ETHERNET_HEADER_LEN, len - ETHERNET_HEADER_LEN};
    switch (load_be16(frame + ETHERNET_TYPE)) {
    case ETHERNET_TYPE_IPV4:
        return parse_ipv4(rest, on_wire - ETHERNET_HEADER_LEN, flags, r);
    case ETHERNET_TYPE_ARP:
        return parse_arp(rest, r);
    default:
        return IGNORED_NOT_OURS;
    }
}
