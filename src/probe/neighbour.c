/* Finding neighbours, and answering those who look for an address of ours: ARP (RFC 826), neighbour discovery
 * (RFC 4861). */
#include "probe/build.h"
#include "probe/reply.h"

#define ND_LINK_OPTION_LEN 8u
#define ND_MESSAGE_LEN (ND_LEN + ND_LINK_OPTION_LEN)

/* ff02::1:ff00:0/104, which the last 24 bits of an address complete (RFC 4291 2.7.1). */
#define SOLICITED_NODE ((addr_t)0xff02u << 112 | (addr_t)0x1ff000000u)
#define ALL_NODES ((addr_t)0xff02u << 112 | 1)

/* Writes what Ethernet and IPv4 have in ARP; padded to the shortest frame. */
static size_t write_arp(uint16_t opcode, const uint8_t *dest_mac, const uint8_t *sender_mac, uint32_t sender,
                        const uint8_t *target_mac, uint32_t target, uint8_t *frame) {
    memset(frame, 0, ETHERNET_MIN_LEN);
    uint8_t *arp = frame + write_link(LINK_ETHERNET, dest_mac, sender_mac, ETHERNET_TYPE_ARP, frame);
    store_be16(arp + ARP_HARDWARE, ARP_HARDWARE_ETHERNET);
    store_be16(arp + ARP_PROTO, ETHERNET_TYPE_IPV4);
    arp[ARP_HARDWARE_LEN] = MAC_LEN;
    arp[ARP_PROTO_LEN] = 4;
    store_be16(arp + ARP_OPCODE, opcode);
    memcpy(arp + ARP_SENDER_MAC, sender_mac, MAC_LEN);
    store_be32(arp + ARP_SENDER_IP, sender);
    memcpy(arp + ARP_TARGET_MAC, target_mac, MAC_LEN);
    store_be32(arp + ARP_TARGET_IP, target);
    return ETHERNET_MIN_LEN;
}

/* Ethernet's address of an IPv6 multicast group (RFC 2464 7). */
static void multicast_mac(addr_t group, uint8_t mac[static MAC_LEN]) {
    mac[0] = mac[1] = 0x33;
    store_be32(mac + 2, (uint32_t)group);
}

/* Writes a solicitation or advertisement with one option that names our own link address; but a solicitation from no
 * address at all carries none, or it would be dropped (RFC 4861 4.3, 7.1.1). */
static size_t write_nd(const struct draft *d, uint8_t type, uint32_t flags, addr_t target, uint8_t option,
                       uint8_t *frame) {
    uint8_t *nd = frame + draft_offset(d);
    size_t len = d->source == 0 ? ND_LEN : ND_MESSAGE_LEN;
    memset(nd, 0, ND_MESSAGE_LEN);
    nd[ICMP_TYPE] = type;
    store_be32(nd + ND_FLAGS, flags);
    store_addr6(nd + ND_TARGET, target);
    nd[ND_LEN] = option;
    nd[ND_LEN + 1] = ND_LINK_OPTION_LEN / ND_OPTION_UNIT;
    memcpy(nd + ND_LEN + 2, d->source_mac, MAC_LEN);
    uint64_t sum = draft_pseudo(d, PROTO_ICMPV6, len);
    store_be16(nd + ICMP_CHECKSUM, checksum_finish(checksum_add(sum, nd, len)));
    return draft_finish(d, PROTO_ICMPV6, len, frame);
}

size_t build_neighbour(const struct probe_path *path, addr_t target, uint8_t *frame) {
    static const uint8_t broadcast[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, unknown[MAC_LEN];
    if (path->link != LINK_ETHERNET)
        return 0;
    if (addr_is_v4(target))
        return write_arp(ARP_REQUEST, broadcast, path->source_mac, addr_v4(path->source), unknown, addr_v4(target),
                         frame);
    addr_t group = SOLICITED_NODE | (target & 0xffffff);
    uint8_t mac[MAC_LEN];
    multicast_mac(group, mac);
    struct draft d = {.link = path->link,
                      .source_mac = path->source_mac,
                      .dest_mac = mac,
                      .source = addr_on_wire(path->source),
                      .dest = group,
                      .ttl = ND_HOP_LIMIT};
    return write_nd(&d, ND_SOLICITATION, 0, addr_on_wire(target), ND_SOURCE_LINK, frame);
}

size_t probe_build_neighbour_answer(enum link_type link, const struct reply *r, const uint8_t mac[static MAC_LEN],
                                    uint8_t frame[static PROBE_ANSWER_MAX]) {
    if (link != LINK_ETHERNET || r->kind != REPLY_ASKED)
        return 0;
    if (addr_is_v4(r->dest))
        return write_arp(ARP_REPLY, r->source_mac, mac, addr_v4(r->dest), r->source_mac, addr_v4(r->source), frame);
    /* Who asks from no address looks whether this one is free, and hears the answer as all do (RFC 4861 7.2.4). */
    bool anonymous = r->source == 0;
    uint8_t all[MAC_LEN];
    multicast_mac(ALL_NODES, all);
    struct draft d = {.link = link,
                      .source_mac = mac,
                      .dest_mac = anonymous ? all : r->source_mac,
                      .source = addr_on_wire(r->dest),
                      .dest = anonymous ? ALL_NODES : addr_on_wire(r->source),
                      .ttl = ND_HOP_LIMIT};
    return write_nd(&d, ND_ADVERTISEMENT, ND_OVERRIDE | (anonymous ? 0 : ND_SOLICITED), addr_on_wire(r->dest),
                    ND_TARGET_LINK, frame);
}
