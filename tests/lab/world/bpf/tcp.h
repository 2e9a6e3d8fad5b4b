/* TCP: what a probe is, and the answer of a port. */
#ifndef NOCTULE_LAB_BPF_TCP_H
#define NOCTULE_LAB_BPF_TCP_H

#include <linux/tcp.h>

#include "frame.h"

#define TCP_WORDS_MIN 5     /* of a TCP header, 32 bits each: 20 bytes at least ... */
#define TCP_WORDS_MAX 15    /* ... and 60 at most */
#define TCP_FLAGS 0x3f      /* all but those of congestion notification */
#define TCP_FLAGS_AT 13     /* byte of the header */
#define MSS_IPV4 0x020405b4u /* the option: kind 2, length 4, 1460 (RFC 9293 3.7.1) */
#define MSS_IPV6 0x020405a0u /* 1440: the header is 20 bytes longer */
#define WINDOW 64240

/* Adds a TCP header of that length, as long as it lies before end; the caller has shown that its least part does. */
static __always_inline __u64 sum_header(__u64 sum, const void *p, const void *end, __u32 length) {
    const __u32 *word = p;
    __u32 n = length / 4;
    sum = sum_words(sum, p, TCP_WORDS_MIN);
    for (__u32 i = TCP_WORDS_MIN; i < TCP_WORDS_MAX && i < n; i++) {
        if ((const void *)(word + i + 1) > end)
            break;
        sum += word[i];
    }
    return sum;
}

static __always_inline int tcp_kind(__u8 flags) {
    switch (flags & TCP_FLAGS) {
    case 0x00:
        return KIND_NULL;
    case 0x01:
        return KIND_FIN;
    case 0x29:
        return KIND_XMAS;
    case 0x11:
        return KIND_MAIMON;
    case 0x10:
        return KIND_ACK;
    }
    return (flags & 0x12) == 0x02 ? KIND_SYN : -1; /* SYN and no ACK */
}

static __always_inline int tcp_reset(const struct probe *probe, bool kernel) {
    __u32 index = tables[KIND_SYN] + (__u32)truth_index(known(), probe->place.host, probe->port);
    struct endpoint *endpoint = NULL;
    if (counted && known()->answers & 1u << KIND_SYN && probe->place.host != PLACE_NONE &&
        truth_has_port(known(), probe->port))
        endpoint = bpf_map_lookup_elem(&endpoints, &index);
    if (endpoint && events_max)
        event_note(index, TALLY_RESETS);
    else if (endpoint)
        add(&endpoint->tally, 1ull << TALLY_RESETS);
    if (kernel)
        count(WORLD_rst_kernel, 1);
    else
        count(endpoint && endpoint->ack == probe->sequence ? WORLD_rst_ours : WORLD_rst_other, 1);
    return -1;
}

/* Which kind of probe the segment is; -1 if it is none, then it is counted. */
static __always_inline int tcp_read(struct xdp_md *ctx, struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct tcphdr *tcp = data + segment_at(v6);
    if ((const void *)(tcp + 1) > end || probe->length != (__u32)tcp->doff * 4 || probe->length < sizeof(*tcp)) {
        count(WORLD_tcp_other, 1); /* payload included: no probe and no RST carries one */
        return -1;
    }
    if (sum_fold(sum_header(sum_pseudo(probe, IPPROTO_TCP, (__u16)probe->length, v6), tcp, end, probe->length))) {
        count(WORLD_bad_sum, 1);
        return -1;
    }
    probe->source_port = tcp->source;
    probe->target_port = tcp->dest;
    probe->port = bpf_ntohs(tcp->dest);
    probe->sequence = bpf_ntohl(tcp->seq);
    probe->acknowledged = bpf_ntohl(tcp->ack_seq);
    probe->has_ack = tcp->ack;
    probe->counts = tcp->syn + tcp->fin;
    if (tcp->rst)
        return tcp_reset(probe, !v6 && !((const struct iphdr *)(data + ETH_HLEN))->id);
    int kind = tcp_kind(((const __u8 *)tcp)[TCP_FLAGS_AT]);
    if (kind < 0 || !(known()->answers & 1u << kind)) {
        count(WORLD_tcp_other, 1);
        return -1;
    }
    return kind;
}

/* Turns the frame into a SYN-ACK with MSS. Returns false if that fails. */
static __always_inline bool write_syn_ack(struct xdp_md *ctx, const struct probe *probe, const bool v6) {
    const __u32 length = sizeof(struct tcphdr) + 4;
    struct tcphdr *tcp = write_frame(ctx, probe, IPPROTO_TCP, length, v6);
    if (!tcp)
        return false;
    __builtin_memset(tcp, 0, sizeof(*tcp));
    tcp->source = probe->target_port;
    tcp->dest = probe->source_port;
    tcp->seq = (__be32)truth_hash(known(), TRUTH_IS_SEQUENCE, probe->place.who, probe->port, 0);
    tcp->ack_seq = bpf_htonl(probe->sequence + 1);
    tcp->doff = length / 4;
    tcp->syn = tcp->ack = 1;
    tcp->window = bpf_htons(WINDOW);
    *(__be32 *)(tcp + 1) = bpf_htonl(v6 ? MSS_IPV6 : MSS_IPV4);
    tcp->check = sum_fold(sum_words(sum_pseudo(probe, IPPROTO_TCP, (__u16)length, v6), tcp, length / 4));
    return true;
}

/* Turns the frame into the RST that RFC 9293 3.10.7.1 has for it. */
static __always_inline bool write_reset(struct xdp_md *ctx, const struct probe *probe, bool window, const bool v6) {
    struct tcphdr *tcp = write_frame(ctx, probe, IPPROTO_TCP, sizeof(*tcp), v6);
    if (!tcp)
        return false;
    __builtin_memset(tcp, 0, sizeof(*tcp));
    tcp->source = probe->target_port;
    tcp->dest = probe->source_port;
    tcp->doff = sizeof(*tcp) / 4;
    tcp->rst = 1;
    if (probe->has_ack) {
        tcp->seq = bpf_htonl(probe->acknowledged);
    } else {
        tcp->ack = 1;
        tcp->ack_seq = bpf_htonl(probe->sequence + probe->counts);
    }
    tcp->window = window ? bpf_htons(WINDOW) : 0;
    tcp->check = sum_fold(sum_words(sum_pseudo(probe, IPPROTO_TCP, sizeof(*tcp), v6), tcp, sizeof(*tcp) / 4));
    return true;
}

#endif
