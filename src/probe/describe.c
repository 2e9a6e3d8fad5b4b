/* probe_describe(): one line about any frame. It trusts nothing and verifies nothing but lengths. */
#include "probe/probe.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "probe/packet.h"
#include "probe/reply.h"

/* A text that is cut where its room ends. */
struct line {
    char *buf;
    size_t n, at;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *fmt, ...) {
    if (l->at + 1 >= l->n)
        return;
    va_list ap;
    va_start(ap, fmt);
    int wrote = vsnprintf(l->buf + l->at, l->n - l->at, fmt, ap);
    va_end(ap);
    if (wrote > 0)
        l->at = (size_t)wrote < l->n - l->at ? l->at + (size_t)wrote : l->n - 1;
}

static void add_v4(struct line *l, const uint8_t *p) {
    line_add(l, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static void add_mac(struct line *l, const uint8_t *p) {
    line_add(l, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
}

/* "source > dest", with the ports where they are known. */
static void add_way(struct line *l, const uint8_t *ip, const uint8_t *ports) {
    add_v4(l, ip + IPV4_SOURCE);
    if (ports)
        line_add(l, ":%u", load_be16(ports + TCP_SOURCE_PORT));
    line_add(l, " > ");
    add_v4(l, ip + IPV4_DEST);
    if (ports)
        line_add(l, ":%u", load_be16(ports + TCP_DEST_PORT));
}

static void add_tcp(struct line *l, const uint8_t *tcp) {
    char flags[TCP_FLAGS_STRLEN];
    tcp_flags_format(tcp[TCP_FLAGS], flags);
    line_add(l, " tcp %s seq %u", flags[0] ? flags : "-", load_be32(tcp + TCP_SEQ));
    if (tcp[TCP_FLAGS] & TCP_ACK)
        line_add(l, " ack %u", load_be32(tcp + TCP_ACK_NUMBER));
    line_add(l, " win %u", load_be16(tcp + TCP_WINDOW));
}

/* Bytes of the IPv4 header at p with its options, or 0 when n bytes do not hold one. */
static size_t ipv4_header(const uint8_t *p, size_t n) {
    if (n < IPV4_LEN || p[0] >> 4 != 4)
        return 0;
    size_t header = (size_t)(p[0] & 0xf) * 4;
    return header >= IPV4_LEN && header <= n ? header : 0;
}

static void add_icmp(struct line *l, const uint8_t *icmp, size_t n) {
    uint8_t type = icmp[ICMP_TYPE];
    line_add(l, " icmp type %u code %u", type, icmp[ICMP_CODE]);
    if (type != ICMP_UNREACHABLE && type != ICMP_TIME_EXCEEDED)
        return;
    const uint8_t *quote = icmp + ICMP_LEN;
    size_t header = ipv4_header(quote, n - ICMP_LEN);
    if (!header || n - ICMP_LEN - header < ICMP_QUOTE_LEN)
        return;
    bool tcp = quote[IPV4_PROTO] == PROTO_TCP && !(load_be16(quote + IPV4_FRAGMENT) & IPV4_OFFSET_MASK);
    line_add(l, " about ");
    add_way(l, quote, tcp ? quote + header : NULL);
    if (tcp)
        line_add(l, " tcp seq %u", load_be32(quote + header + TCP_SEQ));
    else
        line_add(l, " proto %u", quote[IPV4_PROTO]);
}

static bool add_ipv4(struct line *l, const uint8_t *ip, size_t n) {
    size_t header = ipv4_header(ip, n);
    if (!header)
        return false;
    const uint8_t *payload = ip + header;
    size_t rest = n - header;
    uint16_t fragment = load_be16(ip + IPV4_FRAGMENT);
    bool first = !(fragment & IPV4_OFFSET_MASK);
    bool tcp = first && ip[IPV4_PROTO] == PROTO_TCP && rest >= TCP_LEN;
    add_way(l, ip, tcp ? payload : NULL);
    if (tcp)
        add_tcp(l, payload);
    else if (first && ip[IPV4_PROTO] == PROTO_ICMP && rest >= ICMP_LEN)
        add_icmp(l, payload, rest);
    else
        line_add(l, " proto %u", ip[IPV4_PROTO]);
    if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
        line_add(l, " frag %u%s", (fragment & IPV4_OFFSET_MASK) * 8, fragment & IPV4_MORE_FRAGMENTS ? "+" : "");
    line_add(l, " ttl %u id %u len %u", ip[IPV4_TTL], load_be16(ip + IPV4_ID), load_be16(ip + IPV4_TOTAL_LEN));
    return true;
}

static bool add_arp(struct line *l, const uint8_t *arp, size_t n) {
    if (n < ARP_LEN || load_be16(arp + ARP_HARDWARE) != ARP_HARDWARE_ETHERNET ||
        load_be16(arp + ARP_PROTO) != ETHERNET_TYPE_IPV4)
        return false;
    uint16_t opcode = load_be16(arp + ARP_OPCODE);
    if (opcode == ARP_REQUEST) {
        line_add(l, "arp who-has ");
        add_v4(l, arp + ARP_TARGET_IP);
        line_add(l, " tell ");
        add_v4(l, arp + ARP_SENDER_IP);
    } else if (opcode == ARP_REPLY) {
        line_add(l, "arp ");
        add_v4(l, arp + ARP_SENDER_IP);
        line_add(l, " is-at ");
        add_mac(l, arp + ARP_SENDER_MAC);
    } else {
        line_add(l, "arp opcode %u", opcode);
    }
    return true;
}

void probe_describe(enum link_type link, const uint8_t *frame, size_t len, char *buf, size_t n) {
    struct line l = {buf, n, 0};
    if (n)
        buf[0] = '\0';
    bool known = false;
    if (link != LINK_ETHERNET) {
        known = add_ipv4(&l, frame, len);
    } else if (len >= ETHERNET_HEADER_LEN) {
        const uint8_t *rest = frame + ETHERNET_HEADER_LEN;
        uint16_t type = load_be16(frame + ETHERNET_TYPE);
        if (type == ETHERNET_TYPE_IPV4)
            known = add_ipv4(&l, rest, len - ETHERNET_HEADER_LEN);
        else if (type == ETHERNET_TYPE_ARP)
            known = add_arp(&l, rest, len - ETHERNET_HEADER_LEN);
    }
    if (!known)
        line_add(&l, "? len %zu", len);
}
