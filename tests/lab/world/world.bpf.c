/* A synthetic internet in one XDP program: it stands on the far end of a veth pair and answers ARP, neighbour
 * solicitations and every kind of probe, of both families, for every endpoint of its universe as truth.h says. Nothing
 * ever passes on to the kernel's own stack.
 *
 * An answer leaves by redirect to the interface it came in on: veth delivers that whenever the other end runs NAPI,
 * whereas XDP_TX would need an XDP program there. */
#include "bpf/fate.h"
#include "bpf/neighbour.h"

/* A whole packet, its addresses and length in the probe; `protocol` is that of what follows the IP header. */
static __always_inline int packet(struct xdp_md *ctx, struct probe *probe, __u8 protocol, const bool v6) {
    int kind = -1;
    probe->place = place_of(probe->target, v6);
    if (protocol == IPPROTO_TCP) {
        kind = tcp_read(ctx, probe, v6);
    } else if (protocol == IPPROTO_UDP) {
        kind = udp_read(ctx, probe, v6);
    } else if (protocol == IPPROTO_SCTP) {
        kind = sctp_read(ctx, probe, v6);
    } else if (protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
        kind = icmp_read(ctx, probe, v6);
    } else if (known()->answers & 1u << KIND_PROTOCOL) {
        kind = KIND_PROTOCOL;
        probe->port = protocol;
    } else {
        return drop(v6 ? WORLD_ip6_other : WORLD_ip_other);
    }
    return kind < 0 ? XDP_DROP : probed(ctx, probe, (enum truth_kind)kind, v6);
}

static __always_inline int ipv4(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != sizeof(*ip) / 4 ||
        ip->frag_off & bpf_htons(IP_FRAGMENT))
        return drop(WORLD_ip_other);
    __u32 total = bpf_ntohs(ip->tot_len);
    if (total < sizeof(*ip) || end - data < (long)(ETH_HLEN + total))
        return drop(WORLD_ip_other);
    if (sum_fold(sum_words(0, ip, sizeof(*ip) / 4)))
        return drop(WORLD_bad_sum);
    struct probe probe = {.source = {0, 0, 0, ip->saddr}, .target = {0, 0, 0, ip->daddr},
                          .length = total - (__u32)sizeof(*ip)};
    __builtin_memcpy(probe.mac, eth->h_source, ETH_ALEN);
    return packet(ctx, &probe, ip->protocol, false);
}

static __always_inline int ipv6(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct ipv6hdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end || ip->version != 6)
        return drop(WORLD_ip6_other);
    struct probe probe = {.length = bpf_ntohs(ip->payload_len)};
    if (end - data < (long)(segment_at(true) + probe.length))
        return drop(WORLD_ip6_other);
    __builtin_memcpy(probe.source, &ip->saddr, sizeof(probe.source));
    __builtin_memcpy(probe.target, &ip->daddr, sizeof(probe.target));
    __builtin_memcpy(probe.mac, eth->h_source, ETH_ALEN);
    __u8 protocol = ip->nexthdr;
    if (protocol == IPPROTO_ICMPV6 && is_solicitation(ctx, &probe))
        return solicitation(ctx, &probe);
    if (is_multicast(probe.target)) /* the scanner's kernel joins its groups (RFC 3810) */
        return drop(WORLD_ip6_other);
    return packet(ctx, &probe, protocol, true);
}

SEC("xdp")
int world(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    count(WORLD_frames, 1);
    if ((void *)(eth + 1) > end)
        return drop(WORLD_other);
    if (eth->h_proto == bpf_htons(ETH_P_IP))
        return ipv4(ctx);
    if (eth->h_proto == bpf_htons(ETH_P_IPV6))
        return ipv6(ctx);
    if (eth->h_proto == bpf_htons(ETH_P_ARP))
        return arp(ctx);
    return drop(WORLD_other);
}

char LICENSE[] SEC("license") = "Apache-2.0";
