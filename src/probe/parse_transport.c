/* Reading what has ports: TCP, UDP, SCTP. */
#include "probe/checksum.h"
#include "probe/crc32c.h"
#include "probe/packet.h"
#include "probe/parse.h"

static bool sum_is_right(const struct carried *c, uint8_t proto, size_t len) {
    return checksum_fold(checksum_add(c->pseudo + proto + len, c->data.p, len)) == 0xffff;
}

enum ignored parse_tcp(const struct carried *c, struct reply *r) {
    const uint8_t *tcp = c->data.p;
    if (c->data.n < TCP_LEN)
        return IGNORED_TRUNCATED;
    if (!c->vouched && !sum_is_right(c, PROTO_TCP, c->data.n))
        return IGNORED_BAD_TCP_CHECKSUM;
    size_t header = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_LEN || header > c->data.n)
        return IGNORED_TRUNCATED;
    r->kind = REPLY_TCP;
    r->source_port = load_be16(tcp + TCP_SOURCE_PORT);
    r->dest_port = load_be16(tcp + TCP_DEST_PORT);
    r->seq = load_be32(tcp + TCP_SEQ);
    r->ack = load_be32(tcp + TCP_ACK_NUMBER);
    r->tcp_flags = tcp[TCP_FLAGS];
    r->window = load_be16(tcp + TCP_WINDOW);
    return IGNORED_NOT;
}

enum ignored parse_udp(const struct carried *c, struct reply *r) {
    const uint8_t *udp = c->data.p;
    if (c->data.n < UDP_LEN)
        return IGNORED_TRUNCATED;
    size_t len = load_be16(udp + UDP_LENGTH); /* may be less than IP carries */
    if (len < UDP_LEN || len > c->len)
        return IGNORED_TRUNCATED;
    bool none = load_be16(udp + UDP_CHECKSUM) == 0;
    if (none && !c->v4 && !c->vouched) /* RFC 8200 8.1 */
        return IGNORED_BAD_UDP_CHECKSUM;
    if (!none && !c->vouched && !sum_is_right(c, PROTO_UDP, len))
        return IGNORED_BAD_UDP_CHECKSUM;
    r->kind = REPLY_UDP;
    r->source_port = load_be16(udp + UDP_SOURCE_PORT);
    r->dest_port = load_be16(udp + UDP_DEST_PORT);
    return IGNORED_NOT;
}

enum ignored parse_sctp(const struct carried *c, struct reply *r) {
    const uint8_t *sctp = c->data.p;
    if (c->data.n < SCTP_CHUNK + SCTP_CHUNK_LEN)
        return IGNORED_TRUNCATED;
    if (!c->vouched && crc32c_load(sctp + SCTP_CHECKSUM) != crc32c_sctp(sctp, c->data.n))
        return IGNORED_BAD_SCTP_CHECKSUM;
    r->kind = REPLY_SCTP;
    r->source_port = load_be16(sctp + SCTP_SOURCE_PORT);
    r->dest_port = load_be16(sctp + SCTP_DEST_PORT);
    r->tag = load_be32(sctp + SCTP_TAG);
    r->chunk = sctp[SCTP_CHUNK];
    return IGNORED_NOT;
}
