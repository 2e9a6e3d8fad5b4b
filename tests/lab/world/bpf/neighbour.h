/* Who has that address? ARP (RFC 826) and neighbour discovery (RFC 4861). Everybody has the world's one MAC address. */
#ifndef NOCTULE_LAB_BPF_NEIGHBOUR_H
#define NOCTULE_LAB_BPF_NEIGHBOUR_H

#include "icmp.h"

#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_SOLICITED_OVERRIDE 0x60000000u
#define ND_TARGET_LINK 2 /* the option with the target's link-layer address */
#define ND_HOP_LIMIT 255 /* nobody off the link can have sent it */

/* ARP for IPv4 over Ethernet: every field lies on an even offset, so halves serve for the addresses. */
struct arp_body {
    __be16 hardware, protocol;
    __u8 hardware_length, protocol_length;
    __be16 operation;
    __u8 sender_mac[ETH_ALEN];
    __be16 sender[2];
    __u8 target_mac[ETH_ALEN];
    __be16 target[2];
};

struct nd_message {
    __u8 type, code;
    __u16 sum;
    __be32 flags;
    __be32 target[4];
};

struct nd_advertisement {
    struct nd_message message;
    __u8 option, option_length; /* in units of 8 bytes */
    __u8 mac[ETH_ALEN];
};

static __always_inline __u32 arp_address(const __be16 *half) {
    return (__u32)bpf_ntohs(half[0]) << 16 | bpf_ntohs(half[1]);
}

static __always_inline int arp(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct arp_body *body = data + ETH_HLEN;
    if ((void *)(body + 1) > end || body->operation != bpf_htons(ARP_REQUEST) ||
        body->protocol != bpf_htons(ETH_P_IP) || body->hardware != bpf_htons(ARP_ETHERNET))
        return drop(WORLD_other);
    count(WORLD_arp_requests, 1);
    __u32 target = arp_address(body->target);
    if (target - known()->arp_net >= known()->arp_hosts || target == arp_address(body->sender) ||
        truth_absent(known(), truth_place4(known(), target)))
        return XDP_DROP;

    struct arp_body question = *body;
    __builtin_memcpy(eth->h_dest, question.sender_mac, ETH_ALEN);
    __builtin_memcpy(eth->h_source, world_mac, ETH_ALEN);
    body->operation = bpf_htons(ARP_REPLY);
    __builtin_memcpy(body->sender_mac, world_mac, ETH_ALEN);
    __builtin_memcpy(body->sender, question.target, sizeof(body->sender));
    __builtin_memcpy(body->target_mac, question.sender_mac, ETH_ALEN);
    __builtin_memcpy(body->target, question.sender, sizeof(body->target));
    count(WORLD_arp_answers, 1);
    return (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

static __always_inline bool has_neighbour(const __be32 *target) {
    __u32 bits = known()->nd_length;
    struct address6 address = address6_of(target);
    return bits && bits <= 64 && (address.high ^ known()->nd_net.high) >> (64 - bits) == 0 &&
           !truth_absent(known(), place_of(target, true));
}

static __always_inline bool is_multicast(const __be32 *address) {
    return bpf_ntohl(address[0]) >> 24 == 0xff;
}

static __always_inline bool is_unspecified(const __be32 *address) {
    return !(address[0] | address[1] | address[2] | address[3]);
}

/* Whether the frame, whose addresses and length the probe holds, is a neighbour solicitation. */
static __always_inline bool is_solicitation(struct xdp_md *ctx, const struct probe *probe) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct nd_message *message = data + segment_at(true);
    return (const void *)(message + 1) <= end && probe->length >= sizeof(*message) &&
           message->type == ND_SOLICITATION;
}

static __always_inline int solicitation(struct xdp_md *ctx, struct probe *probe) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct ipv6hdr *ip = data + ETH_HLEN;
    const struct nd_message *message = (const void *)(ip + 1);
    if ((const void *)(message + 1) > end || ip->hop_limit != ND_HOP_LIMIT || message->code)
        return drop(WORLD_icmp_other);
    __be32 target[4];
    __builtin_memcpy(target, message->target, sizeof(target));
    if (sum_fold(sum_pseudo(probe, IPPROTO_ICMPV6, (__u16)probe->length, true) +
                 sum_segment(ctx, segment_at(true), probe->length)))
        return drop(WORLD_bad_sum);
    count(WORLD_solicitations, 1);
    if (is_unspecified(probe->source) || !has_neighbour(target)) /* the former asks for a double of itself (RFC 4862) */
        return XDP_DROP;

    __builtin_memcpy(probe->target, target, sizeof(target));
    struct nd_advertisement *answer = write_frame(ctx, probe, IPPROTO_ICMPV6, sizeof(*answer), true);
    if (!answer)
        return drop(WORLD_failed);
    struct ipv6hdr *outer = (void *)answer - sizeof(*outer);
    outer->hop_limit = ND_HOP_LIMIT;
    answer->message.type = ND_ADVERTISEMENT;
    answer->message.code = 0;
    answer->message.sum = 0;
    answer->message.flags = bpf_htonl(ND_SOLICITED_OVERRIDE);
    __builtin_memcpy(answer->message.target, target, sizeof(target));
    answer->option = ND_TARGET_LINK;
    answer->option_length = 1;
    __builtin_memcpy(answer->mac, world_mac, ETH_ALEN);
    if (!fill_icmp_sum(ctx, probe, target, sizeof(*answer), true))
        return drop(WORLD_failed);
    count(WORLD_advertisements, 1);
    return (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

#endif
