/* Reading ICMP and ICMPv6: answers to our questions, and errors with the packet that they quote. */
#include <assert.h>

#include "probe/checksum.h"
#include "probe/packet.h"
#include "probe/parse.h"

/* What is known of a quoted packet behind its IP headers. RFC 792 promises 8 bytes, or all there were: packets of
 * protocols that have no header of ours may have had none. */
static enum ignored parse_quoted_payload(struct span payload, struct reply *r) {
    uint8_t proto = r->quoted_proto;
    if (proto != PROTO_TCP && proto != PROTO_UDP && proto != PROTO_SCTP &&
        proto != (addr_is_v4(r->quoted_source) ? PROTO_ICMP : PROTO_ICMPV6))
        return IGNORED_NOT;
    if (payload.n < ICMP_QUOTE_LEN)
        return IGNORED_TRUNCATED;
    static_assert(TCP_SOURCE_PORT == UDP_SOURCE_PORT && UDP_SOURCE_PORT == SCTP_SOURCE_PORT, "ports come first");
    static_assert(TCP_DEST_PORT == UDP_DEST_PORT && UDP_DEST_PORT == SCTP_DEST_PORT, "ports come first");
    static_assert(TCP_SEQ == SCTP_TAG && TCP_SEQ == ICMP_ID, "what is keyed comes next");
    r->quoted_source_port = load_be16(payload.p + TCP_SOURCE_PORT);
    r->quoted_dest_port = load_be16(payload.p + TCP_DEST_PORT);
    r->quoted_seq = load_be32(payload.p + TCP_SEQ);
    if (proto == PROTO_SCTP && payload.n >= SCTP_INIT_TAG + 4 && payload.p[SCTP_CHUNK] == SCTP_INIT)
        r->quoted_tag = load_be32(payload.p + SCTP_INIT_TAG);
    return IGNORED_NOT;
}

/* The packet that an ICMP error quotes: its header as it was when the error arose. On the way routers changed the time
 * to live, and some change or forget the header's checksum: it is not looked at. */
static enum ignored parse_quoted_ipv4(struct span quote, struct reply *r) {
    if (quote.n < IPV4_LEN)
        return IGNORED_TRUNCATED;
    if (quote.p[0] >> 4 != 4)
        return IGNORED_NOT_OURS;
    size_t header = (size_t)(quote.p[0] & 0xf) * 4;
    if (header < IPV4_LEN || header > quote.n)
        return IGNORED_TRUNCATED;
    if (load_be16(quote.p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK)
        return IGNORED_FRAGMENT; /* what follows is not the start of its payload */
    r->quoted_source = addr_from_v4(load_be32(quote.p + IPV4_SOURCE));
    r->quoted_dest = addr_from_v4(load_be32(quote.p + IPV4_DEST));
    r->quoted_proto = quote.p[IPV4_PROTO];
    r->quoted_id = load_be16(quote.p + IPV4_ID);
    return parse_quoted_payload((struct span){quote.p + header, quote.n - header}, r);
}

static enum ignored parse_quoted_ipv6(struct span quote, struct reply *r) {
    if (quote.n < IPV6_LEN)
        return IGNORED_TRUNCATED;
    if (quote.p[0] >> 4 != 6)
        return IGNORED_NOT_OURS;
    if (!load_addr6(quote.p + IPV6_SOURCE, &r->quoted_source) || !load_addr6(quote.p + IPV6_DEST, &r->quoted_dest))
        return IGNORED_WRONG_ADDRESS;
    r->quoted_id = load_be32(quote.p) & IPV6_FLOW_MASK;
    struct walk w;
    struct span rest = {quote.p + IPV6_LEN, quote.n - IPV6_LEN};
    enum ignored why = walk_extensions(quote.p[IPV6_NEXT_HEADER], rest, true, &w);
    if (why != IGNORED_NOT)
        return why;
    r->quoted_proto = w.proto;
    return parse_quoted_payload(w.rest, r);
}

static void parse_answer(const uint8_t *icmp, struct reply *r) {
    r->kind = REPLY_ICMP;
    r->icmp_id = load_be16(icmp + ICMP_ID);
    r->icmp_seq = load_be16(icmp + ICMP_SEQ);
}

/* An echo without the payload that all of ours have echoes somebody else's. */
static enum ignored parse_echo_reply(struct span icmp, struct reply *r) {
    parse_answer(icmp.p, r);
    if (icmp.n < ICMP_LEN + ICMP_ECHO_COOKIE_LEN)
        return IGNORED_NOT_OURS;
    r->icmp_cookie = load_be64(icmp.p + ICMP_LEN);
    return IGNORED_NOT;
}

/* Nothing vouches for the checksum of ICMP, so all of the message is there. */
enum ignored parse_icmp(const struct carried *c, struct reply *r) {
    struct span icmp = c->data;
    if (icmp.n < ICMP_LEN)
        return IGNORED_TRUNCATED;
    if (checksum_fold(checksum_add(0, icmp.p, icmp.n)) != 0xffff)
        return IGNORED_BAD_ICMP_CHECKSUM;
    r->icmp_type = icmp.p[ICMP_TYPE];
    r->icmp_code = icmp.p[ICMP_CODE];
    switch (r->icmp_type) {
    case ICMP_ECHO_REPLY:
        return parse_echo_reply(icmp, r);
    case ICMP_TIMESTAMP_REPLY:
        if (icmp.n < ICMP_TIMESTAMP_LEN)
            return IGNORED_TRUNCATED;
        parse_answer(icmp.p, r);
        r->icmp_cookie = load_be32(icmp.p + ICMP_ORIGINATE);
        return IGNORED_NOT;
    case ICMP_UNREACHABLE:
    case ICMP_TIME_EXCEEDED:
        r->kind = REPLY_ICMP_ERROR;
        return parse_quoted_ipv4((struct span){icmp.p + ICMP_LEN, icmp.n - ICMP_LEN}, r);
    default:
        return IGNORED_UNSUPPORTED_ICMP;
    }
}

enum ignored parse_icmpv6(const struct carried *c, struct reply *r) {
    struct span icmp = c->data;
    if (icmp.n < ICMP_LEN)
        return IGNORED_TRUNCATED;
    if (checksum_fold(checksum_add(c->pseudo + PROTO_ICMPV6 + icmp.n, icmp.p, icmp.n)) != 0xffff)
        return IGNORED_BAD_ICMP_CHECKSUM;
    r->icmp_type = icmp.p[ICMP_TYPE];
    r->icmp_code = icmp.p[ICMP_CODE];
    switch (r->icmp_type) {
    case ICMPV6_ECHO_REPLY:
        return parse_echo_reply(icmp, r);
    case ICMPV6_UNREACHABLE:
    case ICMPV6_TIME_EXCEEDED:
    case ICMPV6_PARAMETER:
        r->kind = REPLY_ICMP_ERROR;
        return parse_quoted_ipv6((struct span){icmp.p + ICMP_LEN, icmp.n - ICMP_LEN}, r);
    case ND_SOLICITATION:
    case ND_ADVERTISEMENT:
        return parse_nd(icmp, r);
    default:
        return IGNORED_UNSUPPORTED_ICMP;
    }
}
