#include "probe/stamp.h"

#include <endian.h>
#include <string.h>

#include "base/siphash_ends.h"
#include "probe/build.h"

/* What is copied of the template: whole vectors, however short the frame. */
#define COPY_V4 64u
#define COPY_V6 80u
_Static_assert(ETHERNET_HEADER_LEN + IPV4_LEN + SEGMENT_SYN_LEN <= COPY_V4, "the longest frame over IPv4");
_Static_assert(ETHERNET_HEADER_LEN + IPV6_LEN + SEGMENT_SYN_LEN <= COPY_V6, "the longest frame over IPv6");
_Static_assert(COPY_V6 <= STAMP_FRAME_MAX, "the room of a frame");

/* The bytes of an IPv6 tuple as SipHash reads it (probe_cookie()): words of big-endian fields, read little-endian. */
#define TUPLE_V4_LEN 16u
#define TUPLE_V6_LEN 36u
static inline uint64_t tuple_word(uint64_t fields) {
    return __builtin_bswap64(fields);
}

static inline uint32_t tuple_ports(uint32_t ports) {
    return __builtin_bswap32(ports);
}

static void begin_cookies(struct stamp *s, const struct siphash_key *key, addr_t source) {
    s->cookie = siphash_start(key);
    if (s->v4)
        return;
    siphash_word(&s->cookie, tuple_word((uint64_t)(source >> 64)));
    siphash_word(&s->cookie, tuple_word((uint64_t)source));
}

/* Takes out of the template what belongs to one target, and sums up what is left. */
static void begin_frame(struct stamp *s) {
    uint8_t *ip = s->frame + s->ip, *tcp = ip + (s->v4 ? IPV4_LEN : IPV6_LEN);
    size_t addresses = s->v4 ? IPV4_SOURCE : IPV6_SOURCE, tcp_len = s->len - (size_t)(tcp - s->frame);
    if (s->v4) {
        store_be16(ip + IPV4_ID, 0);
        store_be16(ip + IPV4_CHECKSUM, 0);
        store_be32(ip + IPV4_DEST, 0);
    } else {
        store_be32(ip, load_be32(ip) & ~IPV6_FLOW_MASK);
        store_addr6(ip + IPV6_DEST, 0);
    }
    store_be16(tcp + TCP_DEST_PORT, 0);
    store_be32(tcp + TCP_SEQ, 0);
    store_be32(tcp + TCP_ACK_NUMBER, 0);
    store_be16(tcp + TCP_CHECKSUM, 0);
    s->ports = load_be32(tcp + TCP_SOURCE_PORT);
    s->offset_to_window = load_be32(tcp + TCP_OFFSET);
    s->ip_keyed = load_be64(ip + (s->v4 ? IPV4_ID : 0));
    s->ip_sum = checksum_add(0, ip, IPV4_LEN);
    s->tcp_sum = checksum_add(PROTO_TCP + tcp_len, ip + addresses, s->len - s->ip - addresses);
}

bool stamp_init(struct stamp *s, const struct probe_config *c, const struct probe_path *path, unsigned technique,
                unsigned try, bool v4) {
    const struct technique *t = &techniques[technique];
    if (t->ip_proto != PROTO_TCP || addr_is_v4(path->source) != v4)
        return false;
    uint8_t frame[PROBE_FRAME_MAX], flags = c->flags_given ? c->flags : t->tcp_flags;
    struct endpoint anyone = {v4 ? addr_from_v4(0) : 0, {.technique = (uint8_t)technique}};
    struct siphash_key key = technique_key(c, technique);
    addr_t source = addr_on_wire(path->source);
    *s = (struct stamp){
        .len = probe_build(c, path, &anyone, try, 0, frame),
        .ip = link_len(path->link),
        .v4 = v4,
        .source = v4 ? addr_v4(source) : 0,
        .ack_mask = flags & TCP_ACK ? UINT32_MAX : 0,
        .way = vector_best(),
    };
    memcpy(s->frame, frame, s->len);
    begin_cookies(s, &key, source);
    begin_frame(s);
    return true;
}

/* checksum_finish() of a sum below 2^48, without a branch. */
static inline uint16_t finish(uint64_t sum) {
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* Neighbouring fields are stored together, as one number: gcc moves what store_be64() stores byte by byte. */
static inline void store_fields(uint8_t *p, uint64_t fields) {
    fields = htobe64(fields);
    memcpy(p, &fields, sizeof fields);
}

/* What differs in a segment; `addresses` is the sum of those that do. */
static inline void write_segment(const struct stamp *s, uint16_t dest_port, uint64_t cookie, uint64_t addresses,
                                 uint8_t *tcp) {
    uint32_t ports = s->ports | dest_port, seq = (uint32_t)cookie, ack = seq & s->ack_mask;
    store_fields(tcp + TCP_SOURCE_PORT, (uint64_t)ports << 32 | seq);
    store_fields(tcp + TCP_ACK_NUMBER, (uint64_t)ack << 32 | s->offset_to_window);
    store_be16(tcp + TCP_CHECKSUM, finish(s->tcp_sum + addresses + dest_port + seq + ack));
}

static void stamp_v4(const struct stamp *s, const struct endpoint *ep, unsigned n, uint8_t *frames, size_t stride) {
    struct siphash_ends ends;
    uint64_t cookie[SIPHASH_LANES];
    for (unsigned i = 0; i < n; i++) {
        ends.word[0][i] = (uint64_t)s->source << 32 | addr_v4(ep[i].addr);
        ends.word[1][i] = s->ports | ep[i].slot.port;
        ends.word[2][i] = siphash_last(0, TUPLE_V4_LEN);
    }
    siphash24_ends(s->way, &s->cookie, &ends, n, cookie);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *frame = frames + i * stride, *ip = frame + s->ip;
        uint32_t dest = addr_v4(ep[i].addr);
        uint16_t id = cookie_id(cookie[i]);
        memcpy(frame, s->frame, COPY_V4);
        store_fields(ip + IPV4_ID, s->ip_keyed | (uint64_t)id << 48 | finish(s->ip_sum + id + dest));
        store_fields(ip + IPV4_DEST, (uint64_t)dest << 32); /* and the segment's ports, which follow */
        write_segment(s, ep[i].slot.port, cookie[i], dest, ip + IPV4_LEN);
    }
}

static void stamp_v6(const struct stamp *s, const struct endpoint *ep, unsigned n, uint8_t *frames, size_t stride) {
    struct siphash_ends ends;
    uint64_t cookie[SIPHASH_LANES];
    for (unsigned i = 0; i < n; i++) {
        addr_t dest = addr_on_wire(ep[i].addr);
        ends.word[0][i] = tuple_word((uint64_t)(dest >> 64));
        ends.word[1][i] = tuple_word((uint64_t)dest);
        ends.word[2][i] = siphash_last(tuple_ports(s->ports | ep[i].slot.port), TUPLE_V6_LEN);
    }
    siphash24_ends(s->way, &s->cookie, &ends, n, cookie);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *frame = frames + i * stride, *ip = frame + s->ip;
        addr_t dest = addr_on_wire(ep[i].addr);
        memcpy(frame, s->frame, COPY_V6);
        store_fields(ip, s->ip_keyed | (uint64_t)cookie_flow(cookie[i]) << 32);
        store_fields(ip + IPV6_DEST, (uint64_t)(dest >> 64));
        store_fields(ip + IPV6_DEST + 8, (uint64_t)dest);
        write_segment(s, ep[i].slot.port, cookie[i], checksum_addr(dest), ip + IPV6_LEN);
    }
}

void stamp_many(const struct stamp *s, const struct endpoint *ep, unsigned n, uint8_t *frames, size_t stride) {
    for (unsigned at = 0; at < n; at += SIPHASH_LANES) {
        unsigned some = n - at < SIPHASH_LANES ? n - at : SIPHASH_LANES;
        if (s->v4)
            stamp_v4(s, ep + at, some, frames + at * stride, stride);
        else
            stamp_v6(s, ep + at, some, frames + at * stride, stride);
    }
}
