/* The headers before a payload: link and IP. */
#include "probe/build.h"

/* The words are summed as they are written: reading back what has just been stored in other pieces would wait. */
static size_t write_ipv4(const struct draft *d, uint8_t proto, size_t payload_len, uint8_t *ip) {
    size_t total = IPV4_LEN + payload_len;
    uint32_t source = addr_v4(d->source), dest = addr_v4(d->dest);
    uint32_t first = UINT32_C(0x45000000) | (uint32_t)total; /* version 4, 5 words, type of service 0 */
    uint32_t second = (uint32_t)cookie_id(d->cookie) << 16 | IPV4_DONT_FRAGMENT;
    uint32_t third = (uint32_t)d->ttl << 24 | (uint32_t)proto << 16;
    third |= checksum_finish((uint64_t)first + second + third + source + dest);
    store_be32(ip, first);
    store_be32(ip + IPV4_ID, second);
    store_be32(ip + IPV4_TTL, third);
    store_be32(ip + IPV4_SOURCE, source);
    store_be32(ip + IPV4_DEST, dest);
    return total;
}

static size_t write_ipv6(const struct draft *d, uint8_t proto, size_t payload_len, uint8_t *ip) {
    store_be32(ip, UINT32_C(0x60000000) | cookie_flow(d->cookie)); /* version 6, traffic class 0 */
    store_be16(ip + IPV6_PAYLOAD_LEN, (uint16_t)payload_len);
    ip[IPV6_NEXT_HEADER] = proto;
    ip[IPV6_HOP_LIMIT] = d->ttl;
    store_addr6(ip + IPV6_SOURCE, d->source);
    store_addr6(ip + IPV6_DEST, d->dest);
    return IPV6_LEN + payload_len;
}

size_t draft_finish(const struct draft *d, uint8_t proto, size_t payload_len, uint8_t *frame) {
    bool v4 = addr_is_v4(d->dest);
    size_t at =
        write_link(d->link, d->dest_mac, d->source_mac, v4 ? ETHERNET_TYPE_IPV4 : ETHERNET_TYPE_IPV6, frame);
    return at + (v4 ? write_ipv4(d, proto, payload_len, frame + at) : write_ipv6(d, proto, payload_len, frame + at));
}
