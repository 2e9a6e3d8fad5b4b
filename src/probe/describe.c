/* probe_describe(): one line about any frame. It trusts nothing and verifies nothing but lengths. */
#include <stdarg.h>
#include <stdio.h>

#include "probe/build.h"
#include "probe/parse.h"
#include "probe/verdict.h"

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

/* An IP packet, or what is quoted of one, taken apart. */
struct told {
    const uint8_t *ip;
    struct span payload; /* of a later fragment: not the start of anything */
    uint8_t proto;
    bool v4, first;      /* first: it has the header of what it carries */
    bool ported;         /* and that has ports */
};

static void add_addr(struct line *l, const struct told *t, const uint8_t *p, const uint8_t *port) {
    char text[ADDR_STRLEN];
    addr_t a = t->v4 ? addr_from_v4(load_be32(p)) : addr_on_wire((addr_t)load_be64(p) << 64 | load_be64(p + 8));
    bool brackets = port && !t->v4;
    line_add(l, "%s%s%s", brackets ? "[" : "", addr_format(a, text), brackets ? "]" : "");
    if (port)
        line_add(l, ":%u", load_be16(port));
}

/* "source > dest", with the ports where they are known. */
static void add_way(struct line *l, const struct told *t) {
    add_addr(l, t, t->ip + (t->v4 ? IPV4_SOURCE : IPV6_SOURCE), t->ported ? t->payload.p + TCP_SOURCE_PORT : NULL);
    line_add(l, " > ");
    add_addr(l, t, t->ip + (t->v4 ? IPV4_DEST : IPV6_DEST), t->ported ? t->payload.p + TCP_DEST_PORT : NULL);
}

static void add_mac(struct line *l, const uint8_t *p) {
    line_add(l, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
}

static bool take_ipv4(const uint8_t *p, size_t n, struct told *t) {
    size_t header = (size_t)(p[0] & 0xf) * 4;
    if (n < IPV4_LEN || header < IPV4_LEN || header > n)
        return false;
    *t = (struct told){.ip = p,
                       .payload = {p + header, n - header},
                       .proto = p[IPV4_PROTO],
                       .v4 = true,
                       .first = !(load_be16(p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK)};
    return true;
}

static bool take_ipv6(const uint8_t *p, size_t n, struct told *t) {
    if (n < IPV6_LEN)
        return false;
    struct walk w;
    struct span rest = {p + IPV6_LEN, n - IPV6_LEN};
    bool first = walk_extensions(p[IPV6_NEXT_HEADER], rest, true, &w) == IGNORED_NOT;
    *t = (struct told){.ip = p, .payload = w.rest, .proto = w.proto, .first = first};
    return true;
}

/* Takes a packet apart of which n bytes are there; what TCP, UDP and SCTP need is its first 8 bytes. */
static bool take_packet(const uint8_t *p, size_t n, struct told *t) {
    if (n == 0 || !(p[0] >> 4 == 4 ? take_ipv4(p, n, t) : p[0] >> 4 == 6 && take_ipv6(p, n, t)))
        return false;
    t->ported = t->first && t->payload.n >= ICMP_QUOTE_LEN &&
                (t->proto == PROTO_TCP || t->proto == PROTO_UDP || t->proto == PROTO_SCTP);
    return true;
}

static void add_tcp(struct line *l, const uint8_t *tcp) {
    char flags[TCP_FLAGS_STRLEN];
    tcp_flags_format(tcp[TCP_FLAGS], flags);
    line_add(l, " tcp %s seq %u", flags[0] ? flags : "-", load_be32(tcp + TCP_SEQ));
    if (tcp[TCP_FLAGS] & TCP_ACK)
        line_add(l, " ack %u", load_be32(tcp + TCP_ACK_NUMBER));
    line_add(l, " win %u", load_be16(tcp + TCP_WINDOW));
}

static void add_sctp(struct line *l, struct span sctp) {
    static const char *const chunks[] = {[SCTP_INIT] = "init",
                                         [SCTP_INIT_ACK] = "init-ack",
                                         [SCTP_ABORT] = "abort",
                                         [SCTP_COOKIE_ECHO] = "cookie-echo"};
    uint8_t chunk = sctp.p[SCTP_CHUNK];
    if (chunk < sizeof chunks / sizeof *chunks && chunks[chunk])
        line_add(l, " sctp %s", chunks[chunk]);
    else
        line_add(l, " sctp chunk %u", chunk);
    line_add(l, " tag %u", load_be32(sctp.p + SCTP_TAG));
    if ((chunk == SCTP_INIT || chunk == SCTP_INIT_ACK) && sctp.n >= SCTP_INIT_TAG + 4)
        line_add(l, " init-tag %u", load_be32(sctp.p + SCTP_INIT_TAG));
}

/* The packet that an error is about. */
static void add_quote(struct line *l, const uint8_t *p, size_t n) {
    struct told q;
    if (!take_packet(p, n, &q) || (q.first && q.payload.n < ICMP_QUOTE_LEN && q.proto == PROTO_TCP))
        return;
    line_add(l, " about ");
    add_way(l, &q);
    if (q.ported && q.proto == PROTO_TCP)
        line_add(l, " tcp seq %u", load_be32(q.payload.p + TCP_SEQ));
    else if (q.ported)
        line_add(l, q.proto == PROTO_UDP ? " udp" : " sctp");
    else
        line_add(l, " proto %u", q.proto);
}

/* Neighbour discovery, whose addresses say more than those of its IP header. */
static bool add_nd(struct line *l, const struct told *t) {
    const uint8_t *nd = t->payload.p;
    uint8_t type = nd[ICMP_TYPE];
    if (t->v4 || (type != ND_SOLICITATION && type != ND_ADVERTISEMENT) || t->payload.n < ND_LEN)
        return false;
    if (type == ND_SOLICITATION) {
        line_add(l, "nd who-has ");
        add_addr(l, t, nd + ND_TARGET, NULL);
        line_add(l, " tell ");
        add_addr(l, t, t->ip + IPV6_SOURCE, NULL);
        return true;
    }
    line_add(l, "nd ");
    add_addr(l, t, nd + ND_TARGET, NULL);
    line_add(l, " is-at ");
    if (t->payload.n >= ND_LEN + ND_OPTION_UNIT && nd[ND_LEN] == ND_TARGET_LINK)
        add_mac(l, nd + ND_LEN + 2);
    else
        line_add(l, "its sender");
    return true;
}

static const char *question_name(bool v4, uint8_t type) {
    static const char *const names[] = {[ICMP_ECHO_REPLY] = "echo-reply",
                                        [ICMP_ECHO] = "echo",
                                        [ICMP_TIMESTAMP] = "timestamp",
                                        [ICMP_TIMESTAMP_REPLY] = "timestamp-reply"};
    if (v4)
        return type < sizeof names / sizeof *names ? names[type] : NULL;
    return type == ICMPV6_ECHO ? names[ICMP_ECHO] : type == ICMPV6_ECHO_REPLY ? names[ICMP_ECHO_REPLY] : NULL;
}

static void add_icmp(struct line *l, const struct told *t) {
    const uint8_t *icmp = t->payload.p;
    uint8_t type = icmp[ICMP_TYPE], code = icmp[ICMP_CODE];
    const char *question = question_name(t->v4, type);
    enum reason why = t->v4 ? reason_from_icmp(type, code) : reason_from_icmpv6(type, code);
    line_add(l, t->v4 ? " icmp" : " icmp6");
    if (question) {
        line_add(l, " %s id %u seq %u", question, load_be16(icmp + ICMP_ID), load_be16(icmp + ICMP_SEQ));
        return;
    }
    if (why != REASON_NONE)
        line_add(l, " %s", reason_name(why));
    line_add(l, " type %u code %u", type, code);
    bool error = t->v4 ? type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED
                       : type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER;
    if (error)
        add_quote(l, icmp + ICMP_LEN, t->payload.n - ICMP_LEN);
}

static void add_payload(struct line *l, const struct told *t) {
    size_t n = t->first ? t->payload.n : 0;
    if (t->proto == PROTO_TCP && n >= TCP_LEN)
        add_tcp(l, t->payload.p);
    else if (t->proto == PROTO_UDP && n >= UDP_LEN)
        line_add(l, " udp len %u", load_be16(t->payload.p + UDP_LENGTH));
    else if (t->proto == PROTO_SCTP && n >= SCTP_CHUNK + SCTP_CHUNK_LEN)
        add_sctp(l, t->payload);
    else if (t->proto == (t->v4 ? PROTO_ICMP : PROTO_ICMPV6) && n >= ICMP_LEN)
        add_icmp(l, t);
    else
        line_add(l, " proto %u", t->proto);
}

static void add_header(struct line *l, const struct told *t) {
    const uint8_t *ip = t->ip;
    if (!t->v4) {
        if (!t->first)
            line_add(l, " frag");
        line_add(l, " hop %u flow %u len %u", ip[IPV6_HOP_LIMIT], load_be32(ip) & IPV6_FLOW_MASK,
                 load_be16(ip + IPV6_PAYLOAD_LEN) + IPV6_LEN);
        return;
    }
    uint16_t fragment = load_be16(ip + IPV4_FRAGMENT);
    if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
        line_add(l, " frag %u%s", (fragment & IPV4_OFFSET_MASK) * 8, fragment & IPV4_MORE_FRAGMENTS ? "+" : "");
    line_add(l, " ttl %u id %u len %u", ip[IPV4_TTL], load_be16(ip + IPV4_ID), load_be16(ip + IPV4_TOTAL_LEN));
}

/* A packet with less of TCP, UDP or SCTP than its line tells has no ports there either. */
static bool add_ip(struct line *l, const uint8_t *p, size_t n) {
    struct told t;
    if (!take_packet(p, n, &t))
        return false;
    if (t.proto == PROTO_ICMPV6 && t.first && t.payload.n >= ICMP_LEN && add_nd(l, &t))
        return true;
    if (t.payload.n < (t.proto == PROTO_TCP ? TCP_LEN : t.proto == PROTO_SCTP ? SCTP_CHUNK + SCTP_CHUNK_LEN : UDP_LEN))
        t.ported = false;
    add_way(l, &t);
    add_payload(l, &t);
    add_header(l, &t);
    return true;
}

static bool add_arp(struct line *l, const uint8_t *arp, size_t n) {
    static const struct told v4 = {.v4 = true};
    if (n < ARP_LEN || load_be16(arp + ARP_HARDWARE) != ARP_HARDWARE_ETHERNET ||
        load_be16(arp + ARP_PROTO) != ETHERNET_TYPE_IPV4)
        return false;
    uint16_t opcode = load_be16(arp + ARP_OPCODE);
    if (opcode == ARP_REQUEST) {
        line_add(l, "arp who-has ");
        add_addr(l, &v4, arp + ARP_TARGET_IP, NULL);
        line_add(l, " tell ");
        add_addr(l, &v4, arp + ARP_SENDER_IP, NULL);
    } else if (opcode == ARP_REPLY) {
        line_add(l, "arp ");
        add_addr(l, &v4, arp + ARP_SENDER_IP, NULL);
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
        known = add_ip(&l, frame, len);
    } else if (len >= ETHERNET_HEADER_LEN) {
        const uint8_t *rest = frame + ETHERNET_HEADER_LEN;
        uint16_t type = load_be16(frame + ETHERNET_TYPE);
        if (type == ETHERNET_TYPE_IPV4 || type == ETHERNET_TYPE_IPV6)
            known = add_ip(&l, rest, len - ETHERNET_HEADER_LEN);
        else if (type == ETHERNET_TYPE_ARP)
            known = add_arp(&l, rest, len - ETHERNET_HEADER_LEN);
    }
    if (!known)
        line_add(&l, "? len %zu", len);
}
