/* ICMP (RFC 792) and ICMPv6 (RFC 4443): echo, timestamp, and errors. */
#ifndef NOCTULE_LAB_BPF_ICMP_H
#define NOCTULE_LAB_BPF_ICMP_H

#include "frame.h"

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMP_STAMP 13
#define ICMP_STAMP_REPLY 14
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

/* Errors: type in the high byte, code in the low one. */
#define ICMP_HOST_UNREACHABLE 0x0301
#define ICMP_PROTOCOL_UNREACHABLE 0x0302
#define ICMP_PORT_UNREACHABLE 0x0303
#define ICMPV6_ADDRESS_UNREACHABLE 0x0103
#define ICMPV6_PORT_UNREACHABLE 0x0104
#define ICMPV6_UNKNOWN_HEADER 0x0401 /* parameter problem: next header not recognised */
#define NEXT_HEADER_AT 6u            /* the byte of the quoted packet that such an error points to */

#define ROUTER_QUOTE 8u    /* bytes after the IPv4 header that routers quote at least (RFC 792) */
#define HOST_QUOTE_MAX 528u /* an IPv4 error has at most 576 bytes (RFC 1812 4.3.2.3) */
#define QUOTE_MAX 1192u    /* and one of IPv6 at most 1,280 (RFC 4443 2.4 c), less three headers */
#define ORIGINAL_MAX 1480u

struct icmp_message {
    __u8 type, code;
    __u16 sum;
    __be16 id, sequence;
};

struct icmp_stamp {
    struct icmp_message message;
    __be32 originate, receive, transmit; /* milliseconds since midnight UTC */
};

struct icmp_error {
    __be16 kind;
    __u16 sum;
    __be32 pointer;
};

/* KIND_PING, or -1 if the message is no question; then it is counted. */
static __always_inline int icmp_read(struct xdp_md *ctx, struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct icmp_message *message = data + segment_at(v6);
    if ((const void *)(message + 1) > end || probe->length < sizeof(*message) || message->code ||
        !(known()->answers & 1u << KIND_PING)) {
        count(WORLD_icmp_other, 1);
        return -1;
    }
    if (message->type == (v6 ? ICMPV6_ECHO : ICMP_ECHO)) {
        probe->pong = ANSWER_echo;
    } else if (!v6 && message->type == ICMP_STAMP && probe->length == sizeof(struct icmp_stamp)) {
        probe->pong = ANSWER_stamp;
    } else {
        count(WORLD_icmp_other, 1);
        return -1;
    }
    __u64 sum = v6 ? sum_pseudo(probe, IPPROTO_ICMPV6, (__u16)probe->length, v6) : 0;
    if (sum_fold(sum + sum_segment(ctx, segment_at(v6), probe->length))) {
        count(WORLD_bad_sum, 1);
        return -1;
    }
    probe->port = known()->first_port;
    return KIND_PING;
}

/* Fills in the checksum of the message that stands in the frame, its field being zero. */
static __always_inline bool fill_icmp_sum(struct xdp_md *ctx, const struct probe *probe, const __be32 *source,
                                          __u32 length, const bool v6) {
    __u64 sum = sum_segment(ctx, segment_at(v6), length);
    if (v6)
        sum += sum_words(sum_words(0, source, 4), probe->source, 4) + bpf_htons(IPPROTO_ICMPV6) +
               bpf_htons((__u16)length);
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct icmp_message *message = data + segment_at(v6);
    if ((void *)(message + 1) > end)
        return false;
    message->sum = sum_fold(sum);
    return true;
}

/* Turns a request into its answer, in place. */
static __always_inline bool write_pong(struct xdp_md *ctx, const struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct icmp_message *message = data + segment_at(v6);
    struct icmp_stamp *stamp = (void *)message;
    if ((void *)(message + 1) > end)
        return false;
    write_ethernet(data, probe->mac, v6);
    write_ip(data + ETH_HLEN, probe, probe->target, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, (__u16)probe->length, v6);
    message->type = v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY;
    message->sum = 0;
    if (!v6 && probe->pong == ANSWER_stamp) {
        if ((void *)(stamp + 1) > end)
            return false;
        message->type = ICMP_STAMP_REPLY;
        stamp->receive = stamp->transmit = bpf_htonl((__u32)(last_ns / 1000000 % 86400000));
    }
    return fill_icmp_sum(ctx, probe, probe->target, probe->length, v6);
}

static __always_inline __u16 error_kind(bool router, bool protocol, const bool v6) {
    if (router)
        return v6 ? ICMPV6_ADDRESS_UNREACHABLE : ICMP_HOST_UNREACHABLE;
    if (protocol)
        return v6 ? ICMPV6_UNKNOWN_HEADER : ICMP_PROTOCOL_UNREACHABLE;
    return v6 ? ICMPV6_PORT_UNREACHABLE : ICMP_PORT_UNREACHABLE;
}

/* Puts an error around the packet: from the router, that there is no such host; from the host, that it has no such
 * port or protocol. It quotes as much as the sender would: a router of IPv4 8 bytes, everybody else all that fits. */
static __always_inline bool write_error(struct xdp_md *ctx, const struct probe *probe, bool router, bool protocol,
                                        const bool v6) {
    __u32 most = v6 ? QUOTE_MAX : router ? ROUTER_QUOTE : HOST_QUOTE_MAX;
    __u32 quoted = probe->length < most ? probe->length : most;
    if (quoted > ORIGINAL_MAX)
        return false;
    int excess = (int)bpf_xdp_get_buff_len(ctx) - (int)(segment_at(v6) + quoted);
    if (excess > 0 && bpf_xdp_adjust_tail(ctx, -excess))
        return false;
    const __u32 added = ip_length(v6) + sizeof(struct icmp_error);
    if (bpf_xdp_adjust_head(ctx, -(int)added))
        return false;
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct icmp_error *error = data + segment_at(v6);
    if ((void *)(error + 1) > end)
        return false;
    __u32 length = sizeof(*error) + ip_length(v6) + quoted;
    __be32 source[4] = {probe->target[0], probe->target[1], probe->target[2], probe->target[3]};
    if (router) {
        source[0] = v6 ? bpf_htonl((__u32)(known()->router6.high >> 32)) : 0;
        source[1] = v6 ? bpf_htonl((__u32)known()->router6.high) : 0;
        source[2] = v6 ? bpf_htonl((__u32)(known()->router6.low >> 32)) : 0;
        source[3] = bpf_htonl(v6 ? (__u32)known()->router6.low : known()->router);
    }
    write_ethernet(data, probe->mac, v6);
    write_ip(data + ETH_HLEN, probe, source, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, (__u16)length, v6);
    error->kind = bpf_htons(error_kind(router, protocol, v6));
    error->sum = 0;
    error->pointer = v6 && protocol && !router ? bpf_htonl(NEXT_HEADER_AT) : 0;
    return fill_icmp_sum(ctx, probe, source, length, v6);
}

#endif
