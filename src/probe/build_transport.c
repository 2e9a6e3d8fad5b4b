/* Packets of the protocols that have ports: TCP, UDP, SCTP. */
#include "probe/build.h"
#include "probe/crc32c.h"

#define TCP_OPTION_MSS 2u
#define PROBE_MSS_V4 1460u /* of Ethernet: 1500 less 20 of IPv4 and 20 of TCP */
#define PROBE_MSS_V6 1440u

#define SCTP_WINDOW 65536u  /* what an INIT offers to receive; RFC 9260 3.3.2 wants 1500 at least */
#define SCTP_STREAMS_OUT 10u
#define SCTP_STREAMS_IN 65535u

/* Summed word by word as it is written (draft.c says why). */
size_t build_segment(const struct draft *d, const struct segment *s, uint8_t *frame) {
    bool syn = s->flags & TCP_SYN;
    uint32_t len = syn ? SEGMENT_SYN_LEN : TCP_LEN;
    uint32_t ports = (uint32_t)s->source_port << 16 | s->dest_port;
    uint32_t rest = len / 4 << 28 | (uint32_t)s->flags << 16 | s->window;
    uint32_t mss = addr_is_v4(d->dest) ? PROBE_MSS_V4 : PROBE_MSS_V6;
    uint32_t option = syn ? TCP_OPTION_MSS << 24 | TCP_MSS_LEN << 16 | mss : 0;
    uint64_t sum = draft_pseudo(d, PROTO_TCP, len) + ports + s->seq + s->ack + rest + option;
    uint8_t *tcp = frame + draft_offset(d);
    store_be32(tcp + TCP_SOURCE_PORT, ports);
    store_be32(tcp + TCP_SEQ, s->seq);
    store_be32(tcp + TCP_ACK_NUMBER, s->ack);
    store_be32(tcp + TCP_OFFSET, rest);
    store_be32(tcp + TCP_CHECKSUM, (uint32_t)checksum_finish(sum) << 16); /* and no urgent pointer */
    if (syn)
        store_be32(tcp + TCP_OPTIONS, option);
    return draft_finish(d, PROTO_TCP, len, frame);
}

size_t build_datagram(const struct draft *d, uint16_t source_port, uint16_t dest_port, size_t payload_len,
                      uint8_t *frame) {
    uint8_t *udp = frame + draft_offset(d);
    size_t len = UDP_LEN + payload_len;
    store_be16(udp + UDP_SOURCE_PORT, source_port);
    store_be16(udp + UDP_DEST_PORT, dest_port);
    store_be16(udp + UDP_LENGTH, (uint16_t)len);
    store_be16(udp + UDP_CHECKSUM, 0);
    uint16_t sum = checksum_finish(checksum_add(draft_pseudo(d, PROTO_UDP, len), udp, len));
    store_be16(udp + UDP_CHECKSUM, sum ? sum : UINT16_MAX); /* 0 would say that there is no checksum (RFC 768) */
    return draft_finish(d, PROTO_UDP, len, frame);
}

/* Writes the common header before the chunk that stands behind it. */
static size_t finish_sctp(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint32_t tag, size_t len,
                          uint8_t *frame) {
    uint8_t *sctp = frame + draft_offset(d);
    store_be16(sctp + SCTP_SOURCE_PORT, source_port);
    store_be16(sctp + SCTP_DEST_PORT, dest_port);
    store_be32(sctp + SCTP_TAG, tag);
    crc32c_store(sctp + SCTP_CHECKSUM, crc32c_sctp(sctp, len));
    return draft_finish(d, PROTO_SCTP, len, frame);
}

size_t build_sctp_init(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint8_t *frame) {
    uint8_t *chunk = frame + draft_offset(d) + SCTP_CHUNK;
    store_be32(chunk, SCTP_INIT << 24 | (SCTP_INIT_LEN - SCTP_LEN)); /* no flags */
    store_be32(chunk + 4, cookie_tag(d->cookie));
    store_be32(chunk + 8, SCTP_WINDOW);
    store_be32(chunk + 12, SCTP_STREAMS_OUT << 16 | SCTP_STREAMS_IN);
    store_be32(chunk + 16, cookie_tag(d->cookie)); /* initial TSN */
    return finish_sctp(d, source_port, dest_port, 0, SCTP_INIT_LEN, frame);
}

size_t build_sctp_cookie(const struct draft *d, uint16_t source_port, uint16_t dest_port, uint8_t *frame) {
    uint8_t *chunk = frame + draft_offset(d) + SCTP_CHUNK;
    store_be32(chunk, SCTP_COOKIE_ECHO << 24 | (SCTP_COOKIE_LEN - SCTP_LEN));
    store_be64(chunk + 4, d->cookie); /* nobody gave us this cookie: a listener drops it */
    return finish_sctp(d, source_port, dest_port, cookie_tag(d->cookie), SCTP_COOKIE_LEN, frame);
}
