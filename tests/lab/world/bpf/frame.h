/* The layers below the answer: Ethernet, and IP of either family. `v6` is always a constant. */
#ifndef NOCTULE_LAB_BPF_FRAME_H
#define NOCTULE_LAB_BPF_FRAME_H

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "sums.h"

#define IP_DF 0x4000
#define IP_FRAGMENT 0x3fff /* more-fragments flag and offset */

static __always_inline __u32 ip_length(const bool v6) {
    return v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Where the headers after IP's begin. */
static __always_inline __u32 segment_at(const bool v6) {
    return ETH_HLEN + ip_length(v6);
}

static __always_inline void write_ethernet(struct ethhdr *eth, const __u8 *mac, const bool v6) {
    __builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
    __builtin_memcpy(eth->h_source, world_mac, ETH_ALEN);
    eth->h_proto = bpf_htons(v6 ? ETH_P_IPV6 : ETH_P_IP);
}

/* A packet back to where the probe came from, with so many bytes after its IP header. */
static __always_inline void write_ip(void *at, const struct probe *probe, const __be32 *source, __u8 protocol,
                                     __u16 length, const bool v6) {
    __u64 hash = truth_hash(known(), TRUTH_IS_TTL, place_of(source, v6).who, 0, 0);
    __u8 hops = (__u8)((hash & 1 ? 128 : 64) - (hash >> 8) % 30); /* two kinds of system, 0 to 29 hops away */
    if (v6) {
        struct ipv6hdr *ip = at;
        *(__be32 *)ip = bpf_htonl(6u << 28);
        ip->payload_len = bpf_htons(length);
        ip->nexthdr = protocol;
        ip->hop_limit = hops;
        __builtin_memcpy(&ip->saddr, source, sizeof(ip->saddr));
        __builtin_memcpy(&ip->daddr, probe->source, sizeof(ip->daddr));
        return;
    }
    struct iphdr *ip = at;
    ip->version = 4;
    ip->ihl = sizeof(*ip) / 4;
    ip->tos = 0;
    ip->tot_len = bpf_htons(sizeof(*ip) + length);
    ip->id = bpf_htons(probe->port ^ probe->number);
    ip->frag_off = bpf_htons(IP_DF);
    ip->ttl = hops;
    ip->protocol = protocol;
    ip->check = 0;
    ip->saddr = source[3];
    ip->daddr = probe->source[3];
    ip->check = sum_fold(sum_words(0, ip, sizeof(*ip) / 4));
}

/* Gives the frame its new length, at its head: there is room before a frame, but on veth hardly any behind it. Returns
 * false if the kernel can't. */
static __always_inline bool resize(struct xdp_md *ctx, int length) {
    int now = (int)(ctx->data_end - ctx->data);
    return now == length || bpf_xdp_adjust_head(ctx, now - length) == 0;
}

/* Makes of the frame one with so many bytes after its IP header, `length` being a constant, and writes all up to
 * there. Returns where they begin, NULL if that fails. */
static __always_inline void *write_frame(struct xdp_md *ctx, const struct probe *probe, __u8 protocol,
                                         const __u32 length, const bool v6) {
    if (!resize(ctx, (int)(segment_at(v6) + length)))
        return NULL;
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + segment_at(v6) + length > end)
        return NULL;
    write_ethernet(data, probe->mac, v6);
    write_ip(data + ETH_HLEN, probe, probe->target, protocol, (__u16)length, v6);
    return data + segment_at(v6);
}

#endif
