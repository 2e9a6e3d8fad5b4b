/* Packets without ports: ICMP questions, and what -sO sends of other protocols. */
#include "probe/build.h"

#define IGMP_QUERY 0x11u
#define IGMP_QUERY_LEN 12u /* version 3 (RFC 3376 4.1): hosts then stay at theirs */
#define ROUTING_EXPERIMENT 253u /* a type of routing header for experiments (RFC 4727 3.4) */
#define OPTION_PAD_N 1u
#define UDP_LITE 136u /* RFC 3828 */

/* Fills in the checksum of an ICMP message, which over IPv6 covers a pseudo-header too, and the headers before it. */
static size_t finish_icmp(const struct draft *d, size_t len, uint8_t *frame) {
    uint8_t proto = addr_is_v4(d->dest) ? PROTO_ICMP : PROTO_ICMPV6;
    uint8_t *icmp = frame + draft_offset(d);
    store_be16(icmp + ICMP_CHECKSUM, 0);
    uint64_t sum = proto == PROTO_ICMP ? 0 : draft_pseudo(d, proto, len);
    store_be16(icmp + ICMP_CHECKSUM, checksum_finish(checksum_add(sum, icmp, len)));
    return draft_finish(d, proto, len, frame);
}

static void write_question(const struct draft *d, uint8_t type, uint16_t seq, uint8_t *icmp) {
    icmp[ICMP_TYPE] = type;
    icmp[ICMP_CODE] = 0;
    store_be16(icmp + ICMP_ID, cookie_icmp_id(d->cookie));
    store_be16(icmp + ICMP_SEQ, seq);
}

size_t build_echo(const struct draft *d, uint16_t seq, uint8_t *frame) {
    uint8_t *icmp = frame + draft_offset(d);
    write_question(d, addr_is_v4(d->dest) ? ICMP_ECHO : ICMPV6_ECHO, seq, icmp);
    store_be64(icmp + ICMP_LEN, d->cookie);
    for (size_t i = ICMP_LEN + ICMP_ECHO_COOKIE_LEN; i < ECHO_LEN; i++)
        icmp[i] = (uint8_t)(i - ICMP_LEN);
    return finish_icmp(d, ECHO_LEN, frame);
}

size_t build_timestamp(const struct draft *d, uint16_t seq, uint8_t *frame) {
    if (!addr_is_v4(d->dest))
        return 0;
    uint8_t *icmp = frame + draft_offset(d);
    write_question(d, ICMP_TIMESTAMP, seq, icmp);
    store_be32(icmp + ICMP_ORIGINATE, cookie_timestamp(d->cookie));
    store_be64(icmp + ICMP_ORIGINATE + 4, 0); /* receive and transmit are the other side's */
    return finish_icmp(d, ICMP_TIMESTAMP_LEN, frame);
}

/* A general query, as RFC 3376 4.1.12 has hosts accept at their own address too. */
static size_t write_igmp(uint8_t *igmp) {
    memset(igmp, 0, IGMP_QUERY_LEN);
    igmp[0] = IGMP_QUERY;
    igmp[1] = 1; /* tenths of a second that answers may take */
    store_be16(igmp + 2, checksum_finish(checksum_add(0, igmp, IGMP_QUERY_LEN)));
    return IGMP_QUERY_LEN;
}

/* An extension header of 8 bytes that asks for nothing, with nothing behind it. */
static size_t write_extension(uint8_t proto, uint8_t *header) {
    memset(header, 0, IPV6_EXTENSION_UNIT);
    header[0] = PROTO_NONE;
    if (proto == PROTO_HOP_BY_HOP || proto == PROTO_DEST_OPTIONS) {
        header[2] = OPTION_PAD_N;
        header[3] = 4;
    } else if (proto == PROTO_ROUTING) {
        header[2] = ROUTING_EXPERIMENT;
    } /* a fragment header of zeros says that this is the whole packet */
    return IPV6_EXTENSION_UNIT;
}

/* UDP's header, of which the length is what the checksum covers: all. Nobody serves the port that it names. */
static size_t write_udp_lite(const struct draft *d, uint8_t *udp) {
    store_be16(udp + UDP_SOURCE_PORT, PROTOCOL_UDP_PORT);
    store_be16(udp + UDP_DEST_PORT, PROTOCOL_UDP_PORT);
    store_be16(udp + UDP_LENGTH, 0);
    store_be16(udp + UDP_CHECKSUM, 0);
    uint16_t sum = checksum_finish(checksum_add(draft_pseudo(d, UDP_LITE, UDP_LEN), udp, UDP_LEN));
    store_be16(udp + UDP_CHECKSUM, sum ? sum : UINT16_MAX); /* RFC 3828 3.1 */
    return UDP_LEN;
}

size_t build_protocol(const struct draft *d, uint8_t proto, uint16_t seq, uint8_t *frame) {
    bool v4 = addr_is_v4(d->dest);
    if (proto == (v4 ? PROTO_ICMP : PROTO_ICMPV6))
        return build_echo(d, seq, frame);
    uint8_t *payload = frame + draft_offset(d);
    size_t len = 0;
    if (proto == PROTO_IGMP && v4)
        len = write_igmp(payload);
    else if (proto == UDP_LITE)
        len = write_udp_lite(d, payload);
    else if (!v4 && (proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
                     proto == PROTO_DEST_OPTIONS))
        len = write_extension(proto, payload);
    return draft_finish(d, proto, len, frame);
}
