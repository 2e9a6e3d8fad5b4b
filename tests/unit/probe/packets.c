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

static void fix_ip(uint8_t *ip, size_t l4_len) {
    uint8_t *l4 = ip + (ip[0] & 15) * 4;
    fix_at(ip + 10, 0, ip, (size_t)(ip[0] & 15) * 4);
    if (ip[9] == 6 && l4_len >= 18) {
        uint8_t pseudo[12] = {0};
        memcpy(pseudo, ip + 12, 8);
        pseudo[9] = 6;
        store_be16(pseudo + 10, (uint16_t)l4_len);
        fix_at(l4 + 16, slow_sum(0, pseudo, sizeof pseudo), l4, l4_len);
    } else if (ip[9] == 1 && l4_len >= 4) {
        fix_at(l4 + 2, 0, l4, l4_len);
    }
}

void packet_fix(struct packet *p) {
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
