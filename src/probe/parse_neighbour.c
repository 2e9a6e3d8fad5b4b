/* Reading what neighbours say: ARP (RFC 826), neighbour discovery (RFC 4861). */
#include <string.h>

#include "probe/packet.h"
#include "probe/parse.h"

/* Is it the address of one station, so that frames can be sent to it? */
static bool is_station(const uint8_t mac[static MAC_LEN]) {
    static const uint8_t none[MAC_LEN];
    return !(mac[0] & ETHERNET_GROUP_BIT) && memcmp(mac, none, MAC_LEN) != 0;
}

enum ignored parse_arp(struct span arp, struct reply *r) {
    if (arp.n < ARP_LEN)
        return IGNORED_TRUNCATED;
    uint16_t opcode = load_be16(arp.p + ARP_OPCODE);
    if (load_be16(arp.p + ARP_HARDWARE) != ARP_HARDWARE_ETHERNET ||
        load_be16(arp.p + ARP_PROTO) != ETHERNET_TYPE_IPV4 || arp.p[ARP_HARDWARE_LEN] != MAC_LEN ||
        arp.p[ARP_PROTO_LEN] != 4 || (opcode != ARP_REPLY && opcode != ARP_REQUEST))
        return IGNORED_NOT_OURS;
    if (!is_station(arp.p + ARP_SENDER_MAC))
        return IGNORED_WRONG_ADDRESS;
    r->kind = opcode == ARP_REPLY ? REPLY_NEIGHBOUR : REPLY_ASKED;
    memcpy(r->source_mac, arp.p + ARP_SENDER_MAC, MAC_LEN);
    r->source = addr_from_v4(load_be32(arp.p + ARP_SENDER_IP));
    r->dest = addr_from_v4(load_be32(arp.p + ARP_TARGET_IP));
    return IGNORED_NOT;
}

/* Looks for the option that names a link address; *mac stays where there is none. */
static enum ignored find_link_option(struct span options, uint8_t type, uint8_t mac[static MAC_LEN]) {
    while (options.n > 0) {
        size_t len = options.n < 2 ? 0 : (size_t)options.p[1] * ND_OPTION_UNIT;
        if (len == 0 || len > options.n)
            return IGNORED_TRUNCATED; /* RFC 4861 4.6: the whole message is dropped */
        if (options.p[0] == type)
            memcpy(mac, options.p + 2, MAC_LEN);
        options = (struct span){options.p + len, options.n - len};
    }
    return IGNORED_NOT;
}

/* What RFC 4861 7.1 wants of a message before it is believed. r->source_mac is the Ethernet source still: which is the
 * neighbour, where the message names no other. */
enum ignored parse_nd(struct span nd, struct reply *r) {
    bool asks = r->icmp_type == ND_SOLICITATION;
    if (r->ttl != ND_HOP_LIMIT || r->icmp_code != 0)
        return IGNORED_NOT_OURS;
    if (nd.n < ND_LEN)
        return IGNORED_TRUNCATED;
    addr_t target;
    if (!load_addr6(nd.p + ND_TARGET, &target) || target >> 120 == 0xff)
        return IGNORED_WRONG_ADDRESS;
    struct span options = {nd.p + ND_LEN, nd.n - ND_LEN};
    enum ignored why = find_link_option(options, asks ? ND_SOURCE_LINK : ND_TARGET_LINK, r->source_mac);
    if (why != IGNORED_NOT)
        return why;
    if (!is_station(r->source_mac))
        return IGNORED_WRONG_ADDRESS;
    r->kind = asks ? REPLY_ASKED : REPLY_NEIGHBOUR;
    if (asks)
        r->dest = target;
    else
        r->source = target;
    return IGNORED_NOT;
}
