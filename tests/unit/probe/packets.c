#include "packets.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

const uint8_t packet_our_mac[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x01};
const uint8_t packet_their_mac[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x99};

uint16_t slow_sum(uint16_t sum, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i += 2) {
        uint32_t word = (uint32_t)p[i] * 256 + (i + 1 < n ? p[i + 1] : 0);
        uint32_t both = sum + word;
        sum = (uint16_t)(both > 65535 ? both - 65535 : both);
    }
    return sum;
}

static void fix_at(uint8_t *field, uint16_t start, const uint8_t *p, size_t n) {
    store_be16(field, 0);
    store_be16(field, (uint16_t)(65535 - slow_sum(start, p, n)));
}

uint32_t slow_crc(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t bit = 0; bit < n * 8; bit++) {
        bool one = ((crc ^ p[bit / 8] >> bit % 8) & 1) != 0;
        crc = crc >> 1 ^ (one ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* The sum of the pseudo-header of the packet at ip. */
static uint16_t pseudo(const uint8_t *ip, uint8_t proto, size_t len) {
    uint8_t tail[4] = {0, proto, (uint8_t)(len / 256), (uint8_t)len};
    bool v6 = ip[0] / 16 == 6;
    uint16_t addresses = v6 ? slow_sum(0, ip + 8, 32) : slow_sum(0, ip + 12, 8);
    return slow_sum(addresses, tail, sizeof tail);
}

static void fix_l4(const uint8_t *ip, uint8_t proto, uint8_t *l4, size_t n) {
    bool v6 = ip[0] / 16 == 6;
    if (proto == 6 && n >= 18) {
        fix_at(l4 + 16, pseudo(ip, proto, n), l4, n);
    } else if ((proto == 17 || proto == 136) && n >= 8) {
        fix_at(l4 + 6, pseudo(ip, proto, n), l4, n);
        if (l4[6] == 0 && l4[7] == 0)
            store_be16(l4 + 6, 0xffff);
    } else if (proto == 132 && n >= 12) {
        memset(l4 + 8, 0, 4);
        uint32_t crc = slow_crc(l4, n);
        for (unsigned i = 0; i < 4; i++)
            l4[8 + i] = (uint8_t)(crc >> 8 * i);
    } else if (proto == 1 && !v6 && n >= 4) {
        fix_at(l4 + 2, 0, l4, n);
    } else if (proto == 58 && v6 && n >= 4) {
        fix_at(l4 + 2, pseudo(ip, proto, n), l4, n);
    }
}

static void fix_ip(uint8_t *ip, size_t l4_len) {
    fix_at(ip + 10, 0, ip, (size_t)(ip[0] & 15) * 4);
    fix_l4(ip, ip[9], ip + (ip[0] & 15) * 4, l4_len);
}

void packet_fix(struct packet *p) {
    if (p->proto)
        fix_l4(p->data + p->ip, p->proto, p->data + p->l4, p->end - p->l4);
    else
        fix_ip(p->data + p->ip, p->end - p->l4);
}

void packet_pad(struct packet *p, size_t n) {
    assert(p->len + n <= PACKET_MAX);
    memset(p->data + p->len, 0xa5, n);
    p->len += n;
}

static struct packet start(enum link_type link, uint16_t type) {
    struct packet p = {.len = 0};
    if (link == LINK_ETHERNET) {
        memcpy(p.data, packet_our_mac, MAC_LEN);
        memcpy(p.data + 6, packet_their_mac, MAC_LEN);
        store_be16(p.data + 12, type);
        p.len = 14;
    }
    p.ip = p.len;
    return p;
}

static size_t put_ip(uint8_t *ip, const struct ip_spec *s, uint8_t proto, size_t payload) {
    size_t header = 20 + (size_t)s->option_words * 4;
    ip[0] = (uint8_t)(0x40 + header / 4);
    ip[1] = 0;
    store_be16(ip + 2, (uint16_t)(header + payload));
    store_be16(ip + 4, 0x4321);
    store_be16(ip + 6, s->fragment);
    ip[8] = s->ttl ? s->ttl : 57;
    ip[9] = proto;
    store_be32(ip + 12, s->source);
    store_be32(ip + 16, s->dest);
    memset(ip + 20, 1, header - 20); /* option 1: no operation */
    return header;
}

static size_t put_tcp(uint8_t *tcp, const struct tcp_spec *s) {
    size_t header = 20 + (size_t)s->option_words * 4;
    store_be16(tcp, s->source_port);
    store_be16(tcp + 2, s->dest_port);
    store_be32(tcp + 4, s->seq);
    store_be32(tcp + 8, s->ack);
    tcp[12] = (uint8_t)(header / 4 * 16);
    tcp[13] = s->flags;
    store_be16(tcp + 14, s->window);
    store_be32(tcp + 16, 0);
    memset(tcp + 20, 1, header - 20);
    for (size_t i = 0; i < s->payload; i++)
        tcp[header + i] = (uint8_t)(i * 7 + 3);
    return header + s->payload;
}

static size_t tcp_len(const struct tcp_spec *s) {
    return 20 + (size_t)s->option_words * 4 + s->payload;
}

struct packet packet_tcp(enum link_type link, const struct tcp_spec *s) {
    struct packet p = start(link, 0x0800);
    p.l4 = p.ip + put_ip(p.data + p.ip, &s->ip, 6, tcp_len(s));
    p.len = p.end = p.l4 + put_tcp(p.data + p.l4, s);
    packet_fix(&p);
    return p;
}

struct packet packet_icmp(enum link_type link, const struct icmp_spec *s) {
    uint8_t quote[PACKET_MAX] = {0};
    size_t header = put_ip(quote, &s->quote.ip, 6, tcp_len(&s->quote));
    put_tcp(quote + header, &s->quote);
    fix_ip(quote, tcp_len(&s->quote));
    size_t quoted = s->quote_len ? s->quote_len : header + 8;

    struct packet p = start(link, 0x0800);
    p.l4 = p.ip + put_ip(p.data + p.ip, &s->ip, 1, 8 + quoted);
    uint8_t *icmp = p.data + p.l4;
    icmp[0] = s->type;
    icmp[1] = s->code;
    memset(icmp + 2, 0, 6);
    memcpy(icmp + 8, quote, quoted);
    p.len = p.end = p.l4 + 8 + quoted;
    packet_fix(&p);
    return p;
}

struct packet packet_arp(const struct arp_spec *s) {
    struct packet p = start(LINK_ETHERNET, 0x0806);
    uint8_t *arp = p.data + p.len;
    store_be16(arp, 1);
    store_be16(arp + 2, 0x0800);
    arp[4] = 6;
    arp[5] = 4;
    store_be16(arp + 6, s->opcode);
    memcpy(arp + 8, s->sender_mac, MAC_LEN);
    store_be32(arp + 14, s->sender);
    memcpy(arp + 18, packet_our_mac, MAC_LEN);
    store_be32(arp + 24, s->target);
    p.len = p.end = p.len + 28;
    return p;
}

static size_t put_ip6(uint8_t *ip, const struct any_spec *s, size_t payload) {
    store_be32(ip, 0x60000000 | s->id);
    store_be16(ip + 4, (uint16_t)(s->extensions_len + payload));
    ip[6] = s->extensions_len ? s->extension : s->proto;
    ip[7] = s->ttl ? s->ttl : 57;
    store_be64(ip + 8, (uint64_t)(s->source >> 64));
    store_be64(ip + 16, (uint64_t)s->source);
    store_be64(ip + 24, (uint64_t)(s->dest >> 64));
    store_be64(ip + 32, (uint64_t)s->dest);
    if (s->extensions_len)
        memcpy(ip + 40, s->extensions, s->extensions_len);
    return 40 + s->extensions_len;
}

struct packet packet_any(enum link_type link, const struct any_spec *s, const uint8_t *payload, size_t n) {
    bool v4 = addr_is_v4(s->dest);
    struct packet p = start(link, v4 ? 0x0800 : 0x86dd);
    if (v4) {
        struct ip_spec ip = {.source = addr_v4(s->source), .dest = addr_v4(s->dest), .ttl = s->ttl};
        p.l4 = p.ip + put_ip(p.data + p.ip, &ip, s->proto, n);
        if (s->id)
            store_be16(p.data + p.ip + 4, (uint16_t)s->id);
    } else {
        p.l4 = p.ip + put_ip6(p.data + p.ip, s, n);
        p.proto = s->proto;
    }
    assert(p.l4 + n <= PACKET_MAX);
    if (n)
        memcpy(p.data + p.l4, payload, n);
    p.len = p.end = p.l4 + n;
    if (v4 || s->proto)
        packet_fix(&p);
    return p;
}

static void put_data(uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(i * 11 + 5);
}

size_t put_ports(uint8_t *out, uint16_t source, uint16_t dest) {
    store_be16(out, source);
    store_be16(out + 2, dest);
    return 4;
}

size_t put_udp(uint8_t *out, uint16_t source, uint16_t dest, size_t data) {
    size_t at = put_ports(out, source, dest);
    store_be16(out + at, (uint16_t)(8 + data));
    store_be16(out + at + 2, 0);
    put_data(out + 8, data);
    return 8 + data;
}

size_t put_sctp(uint8_t *out, uint16_t source, uint16_t dest, uint32_t tag, uint8_t chunk, size_t data) {
    size_t at = put_ports(out, source, dest);
    store_be32(out + at, tag);
    store_be32(out + at + 4, 0);
    out[12] = chunk;
    out[13] = 0;
    store_be16(out + 14, (uint16_t)(4 + data));
    put_data(out + 16, data);
    return 16 + data;
}

size_t put_segment(uint8_t *out, uint16_t source, uint16_t dest, uint32_t seq, uint32_t ack, uint8_t flags,
                   uint16_t window) {
    struct tcp_spec s = {.source_port = source, .dest_port = dest, .seq = seq, .ack = ack, .flags = flags,
                         .window = window};
    return put_tcp(out, &s);
}

size_t put_icmp(uint8_t *out, uint8_t type, uint8_t code, uint32_t word, const uint8_t *data, size_t n) {
    out[0] = type;
    out[1] = code;
    store_be16(out + 2, 0);
    store_be32(out + 4, word);
    if (n)
        memcpy(out + 8, data, n);
    return 8 + n;
}
