/* UDP, and IP protocols of which nothing is known but their number. */
#ifndef NOCTULE_LAB_BPF_UDP_H
#define NOCTULE_LAB_BPF_UDP_H

#include <linux/udp.h>

#include "frame.h"

#define PACKET_BYTES 8 /* of an answer in an unknown protocol, all zero */

/* KIND_UDP, or -1 if the datagram is no probe; then it is counted. */
static __always_inline int udp_read(struct xdp_md *ctx, struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct udphdr *udp = data + segment_at(v6);
    if ((const void *)(udp + 1) > end || probe->length != bpf_ntohs(udp->len) || probe->length < sizeof(*udp) ||
        !(known()->answers & 1u << KIND_UDP)) {
        count(WORLD_udp_other, 1);
        return -1;
    }
    probe->source_port = udp->source;
    probe->target_port = udp->dest;
    probe->port = bpf_ntohs(udp->dest);
    bool sum_given = udp->check != 0; /* without one IPv4 would let it pass, but every probe has one */
    __u64 sum = sum_pseudo(probe, IPPROTO_UDP, (__u16)probe->length, v6);
    if (!sum_given || sum_fold(sum + sum_segment(ctx, segment_at(v6), probe->length))) {
        count(WORLD_bad_sum, 1);
        return -1;
    }
    return KIND_UDP;
}

/* Sends the datagram back, as the echo service does (RFC 862): so it carries whatever its sender may look for. Its
 * checksum holds, whichever of the two is the sender. */
static __always_inline bool write_datagram(struct xdp_md *ctx, const struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct udphdr *udp = data + segment_at(v6);
    if ((void *)(udp + 1) > end)
        return false;
    write_ethernet(data, probe->mac, v6);
    write_ip(data + ETH_HLEN, probe, probe->target, IPPROTO_UDP, (__u16)probe->length, v6);
    udp->source = probe->target_port;
    udp->dest = probe->source_port;
    return true;
}

/* Turns the frame into a packet of the protocol that was asked for. */
static __always_inline bool write_packet(struct xdp_md *ctx, const struct probe *probe, const bool v6) {
    void *body = write_frame(ctx, probe, (__u8)probe->port, PACKET_BYTES, v6);
    if (!body)
        return false;
    __builtin_memset(body, 0, PACKET_BYTES);
    return true;
}

#endif
