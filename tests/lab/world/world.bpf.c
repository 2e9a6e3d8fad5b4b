/* A synthetic internet in one XDP program: it stands on the far end of a veth pair and answers ARP and TCP SYNs for
 * every endpoint of its universe as truth.h says. Nothing ever passes on to the kernel's own stack.
 *
 * An answer leaves by redirect to the interface it came in on: veth delivers that whenever the other end runs NAPI,
 * whereas XDP_TX would need an XDP program there. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "truth.h"

#define TCP_WORDS_MAX 30        /* a TCP header is at most 60 bytes long */
#define MSS_OPTION 0x020405b4u  /* kind 2, length 4, 1460 (RFC 9293, 3.7.1) */
#define LAYER1_EXTRA 24u        /* frame check sequence 4, preamble 8, gap 12 */
#define IP_DF 0x4000
#define IP_FRAGMENT 0x3fff      /* more-fragments flag and offset */
#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ICMP_HOST_UNREACHABLE 0x0301 /* type 3, code 1 */

/* Token bucket as a theoretical arrival time (the "virtual scheduling" form of ITU-T I.371's generic cell rate). */
struct bucket {
    struct bpf_spin_lock lock;
    __u64 due_ns;
};

/* The header of an ICMP error (RFC 792). */
struct icmp_error {
    __be16 kind;
    __u16 sum;
    __be32 unused;
};

/* ARP for IPv4 over Ethernet (RFC 826): every field lies on an even offset, so halves serve for the addresses. */
struct arp_body {
    __be16 hardware, protocol;
    __u8 hardware_length, protocol_length;
    __be16 operation;
    __u8 sender_mac[ETH_ALEN];
    __be16 sender[2];
    __u8 target_mac[ETH_ALEN];
    __be16 target[2];
};

/* The fields of a probe that its answer needs, taken before the frame is written over. Network order as on the wire,
 * but for the numbers that truth.h wants. */
struct probe {
    __u8 mac[ETH_ALEN];
    __be32 source, target;
    __be16 source_port, target_port;
    __u32 address, port, number; /* number: this endpoint's n-th probe, from 1 */
    __u32 sequence;
    struct endpoint *endpoint; /* NULL if the universe isn't counted */
};

struct settings settings; /* written by the loader before the program is attached */
__u64 first_ns, last_ns;  /* monotonic time of the first and the latest SYN */

static const __u8 world_mac[ETH_ALEN] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WORLD_COUNTERS_END);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader sets the size of the universe */
    __type(key, __u32);
    __type(value, struct endpoint);
} endpoints SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, WORLD_ARRIVAL_BINS);
    __type(key, __u32);
    __type(value, __u64);
} arrivals SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 65536);
    __type(key, __u32);
    __type(value, __u64);
} source_ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bucket);
} path SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* the loader sets the number of hosts */
    __type(key, __u32);
    __type(value, struct bucket);
} hosts SEC(".maps");

/* Every slot holds the own interface: a broadcast to this map sends as many copies as it has slots. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} copies SEC(".maps");

static __always_inline void count(__u32 what, __u64 n) {
    __u64 *value = bpf_map_lookup_elem(&counters, &what);
    if (value)
        *value += n; /* a CPU's own, and softirqs do not nest */
}

static __always_inline int drop(__u32 why) {
    count(why, 1);
    return XDP_DROP;
}

static __always_inline bool bucket_take(struct bucket *bucket, __u64 now, __u32 pps, __u32 burst) {
    __u64 interval = 1000000000ull / pps;
    bool taken = false;
    bpf_spin_lock(&bucket->lock);
    __u64 due = bucket->due_ns > now ? bucket->due_ns : now;
    if (due - now <= interval * (burst ? burst - 1 : 0)) {
        bucket->due_ns = due + interval;
        taken = true;
    }
    bpf_spin_unlock(&bucket->lock);
    return taken;
}

/* Adds n 16-bit words at p; the caller has shown that they lie within the frame, and n is a constant. */
static __always_inline __u32 sum_words(__u32 sum, const void *p, __u32 n) {
    const __u16 *word = p;
#pragma unroll
    for (__u32 i = 0; i < n; i++)
        sum += word[i];
    return sum;
}

/* Adds the 16-bit words of a TCP header of that length, as long as they lie before end. */
static __always_inline __u32 sum_header(__u32 sum, const void *p, const void *end, __u32 length) {
    const __u16 *word = p;
    __u32 n = length / 2;
    for (__u32 i = 0; i < TCP_WORDS_MAX && i < n; i++) {
        if ((const void *)(word + i + 1) > end)
            break;
        sum += word[i];
    }
    return sum;
}

static __always_inline __u16 sum_fold(__u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

static __always_inline __u32 sum_pseudo(__be32 a, __be32 b, __u8 protocol, __u16 length) {
    return (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16) + bpf_htons(protocol) + bpf_htons(length);
}

static __always_inline void write_ethernet(struct ethhdr *eth, const __u8 *mac, __be16 protocol) {
    __builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
    __builtin_memcpy(eth->h_source, world_mac, ETH_ALEN);
    eth->h_proto = protocol;
}

static __always_inline void write_ip(struct iphdr *ip, const struct probe *probe, __be32 source, __u8 protocol,
                                     __u16 length) {
    __u64 hash = truth_hash(&settings, TRUTH_IS_TTL, bpf_ntohl(source), 0, 0);
    ip->version = 4;
    ip->ihl = sizeof(*ip) / 4;
    ip->tos = 0;
    ip->tot_len = bpf_htons(sizeof(*ip) + length);
    ip->id = bpf_htons(probe->port ^ probe->number);
    ip->frag_off = bpf_htons(IP_DF);
    ip->ttl = (__u8)((hash & 1 ? 128 : 64) - (hash >> 8) % 30); /* two kinds of system, 0 to 29 hops away */
    ip->protocol = protocol;
    ip->check = 0;
    ip->saddr = source;
    ip->daddr = probe->source;
    ip->check = sum_fold(sum_words(0, ip, sizeof(*ip) / 2));
}

/* Gives the frame its new length, at its head: there is room before a frame, but on veth hardly any behind it. Returns
 * false if the kernel can't. */
static __always_inline bool resize(struct xdp_md *ctx, int length) {
    int now = (int)(ctx->data_end - ctx->data);
    return now == length || bpf_xdp_adjust_head(ctx, now - length) == 0;
}

/* Turns the frame into a SYN-ACK with MSS, or a RST-ACK. Returns false if that fails. */
static __always_inline bool write_tcp_answer(struct xdp_md *ctx, const struct probe *probe, bool open) {
    const __u16 length = open ? sizeof(struct tcphdr) + 4 : sizeof(struct tcphdr);
    if (!resize(ctx, (int)(ETH_HLEN + sizeof(struct iphdr) + length)))
        return false;
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct iphdr *ip = data + ETH_HLEN;
    struct tcphdr *tcp = (void *)(ip + 1);
    __be32 *option = (void *)(tcp + 1);
    if ((void *)option + (open ? 4 : 0) > end)
        return false;

    write_ethernet(data, probe->mac, bpf_htons(ETH_P_IP));
    write_ip(ip, probe, probe->target, IPPROTO_TCP, length);
    __builtin_memset(tcp, 0, sizeof(*tcp));
    tcp->source = probe->target_port;
    tcp->dest = probe->source_port;
    tcp->ack_seq = bpf_htonl(probe->sequence + 1);
    tcp->doff = length / 4;
    tcp->ack = 1;
    if (open) {
        tcp->syn = 1;
        tcp->seq = (__be32)truth_hash(&settings, TRUTH_IS_SEQUENCE, probe->address, probe->port, 0);
        tcp->window = bpf_htons(64240);
        *option = bpf_htonl(MSS_OPTION);
    } else {
        tcp->rst = 1;
    }
    __u32 sum = sum_words(sum_pseudo(probe->target, probe->source, IPPROTO_TCP, length), tcp, sizeof(*tcp) / 2);
    tcp->check = sum_fold(open ? sum_words(sum, option, 2) : sum);
    return true;
}

/* Turns the frame into a host-unreachable message of the router that quotes the header and 8 bytes (RFC 792). */
static __always_inline bool write_unreachable(struct xdp_md *ctx, const struct probe *probe) {
    struct quote {
        __u32 words[(sizeof(struct iphdr) + 8) / 4];
    } quote;
    const __u16 length = sizeof(struct icmp_error) + sizeof(quote);
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + ETH_HLEN + sizeof(quote) > end)
        return false;
    __builtin_memcpy(&quote, data + ETH_HLEN, sizeof(quote));
    if (!resize(ctx, (int)(ETH_HLEN + sizeof(struct iphdr) + length)))
        return false;
    data = (void *)(long)ctx->data;
    end = (void *)(long)ctx->data_end;
    struct iphdr *ip = data + ETH_HLEN;
    struct icmp_error *icmp = (void *)(ip + 1);
    if ((void *)icmp + length > end)
        return false;

    write_ethernet(data, probe->mac, bpf_htons(ETH_P_IP));
    write_ip(ip, probe, bpf_htonl(settings.router), IPPROTO_ICMP, length);
    icmp->kind = bpf_htons(ICMP_HOST_UNREACHABLE);
    icmp->sum = 0;
    icmp->unused = 0;
    __builtin_memcpy(icmp + 1, &quote, sizeof(quote));
    icmp->sum = sum_fold(sum_words(0, icmp, length / 2));
    return true;
}

/* Enters the answer in the endpoint's tally. Returns whether it is the endpoint's first. */
static __always_inline bool tally_answer(const struct probe *probe) {
    struct endpoint *endpoint = probe->endpoint;
    if (!endpoint)
        return true;
    endpoint->ack = probe->sequence + 1;
    __u64 before = __sync_fetch_and_add(&endpoint->tally, 1ull << TALLY_ANSWERS);
    if (tally_field(before, TALLY_ANSWERS))
        return false;
    __sync_fetch_and_add(&endpoint->tally, (__u64)(probe->number & 0xffff) << TALLY_FIRST);
    return true;
}

static __always_inline int answer(struct xdp_md *ctx, const struct probe *probe, enum truth_state state, __u64 now) {
    if (settings.answer_pps) {
        __u32 host = probe->address - settings.net;
        struct bucket *bucket = bpf_map_lookup_elem(&hosts, &host);
        if (!bucket || !bucket_take(bucket, now, settings.answer_pps, settings.answer_burst))
            return drop(WORLD_answer_limited);
    }
    if (truth_lost_in(&settings, probe->address, probe->port, probe->number))
        return drop(WORLD_answer_lost);
    bool written = state == TRUTH_UNREACHABLE ? write_unreachable(ctx, probe)
                                              : write_tcp_answer(ctx, probe, state == TRUTH_OPEN);
    if (!written)
        return drop(WORLD_failed);
    bool first = tally_answer(probe);
    count(state == TRUTH_OPEN ? WORLD_syn_ack : state == TRUTH_CLOSED ? WORLD_rst_ack : WORLD_unreachable, 1);
    if (state == TRUTH_OPEN && first)
        count(WORLD_syn_ack_first, 1);
    if (truth_share(truth_hash(&settings, TRUTH_IS_DUPLICATED, probe->address, probe->port, probe->number)) <
        settings.duplicate_ppm) {
        count(WORLD_duplicated, 1);
        return (int)bpf_redirect_map(&copies, 0, BPF_F_BROADCAST);
    }
    return (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

static __always_inline void note_arrival(__u64 now, __u32 source_port, __u64 length) {
    __sync_val_compare_and_swap(&first_ns, 0, now);
    last_ns = now;
    __u32 bin = (__u32)((now - first_ns) / WORLD_ARRIVAL_NS);
    __u64 *value = bpf_map_lookup_elem(&arrivals, &bin);
    if (value)
        __sync_fetch_and_add(value, 1);
    value = bpf_map_lookup_elem(&source_ports, &source_port);
    if (value)
        __sync_fetch_and_add(value, 1);
    count(WORLD_syn, 1);
    count(WORLD_layer1_bytes, (length < ETH_ZLEN ? ETH_ZLEN : length) + LAYER1_EXTRA);
}

static __always_inline int syn(struct xdp_md *ctx, struct probe *probe) {
    __u64 now = bpf_ktime_get_ns();
    note_arrival(now, bpf_ntohs(probe->source_port), ctx->data_end - ctx->data);
    if (!truth_has(&settings, probe->address, probe->port))
        return drop(WORLD_syn_outside);
    if (probe->endpoint) {
        /* The field can't run over into the next one: at its end the count stays. */
        if (tally_field(probe->endpoint->tally, TALLY_PROBES) < 0xfff0)
            probe->number =
                tally_field(__sync_fetch_and_add(&probe->endpoint->tally, 1ull << TALLY_PROBES), TALLY_PROBES) + 1;
    }
    if (settings.police_pps) {
        __u32 zero = 0;
        struct bucket *bucket = bpf_map_lookup_elem(&path, &zero);
        if (!bucket || !bucket_take(bucket, now, settings.police_pps, settings.police_burst))
            return drop(WORLD_syn_policed);
    }
    if (truth_lost_out(&settings, probe->address, probe->port, probe->number))
        return drop(WORLD_syn_lost);
    enum truth_state state = truth_state(&settings, probe->address, probe->port);
    if (state == TRUTH_SILENT)
        return XDP_DROP;
    return answer(ctx, probe, state, now);
}

static __always_inline int reset(const struct probe *probe, const struct iphdr *ip) {
    if (probe->endpoint)
        __sync_fetch_and_add(&probe->endpoint->tally, 1ull << TALLY_RESETS);
    if (!ip->id)
        return drop(WORLD_rst_kernel);
    return drop(probe->endpoint && probe->endpoint->ack == probe->sequence ? WORLD_rst_ours : WORLD_rst_other);
}

static __always_inline int ipv4(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + ETH_HLEN;
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != sizeof(*ip) / 4 || ip->protocol != IPPROTO_TCP ||
        ip->frag_off & bpf_htons(IP_FRAGMENT))
        return drop(WORLD_ip_other);
    __u32 length = bpf_ntohs(ip->tot_len) - (__u32)sizeof(*ip);
    if ((void *)(tcp + 1) > end || length != (__u32)tcp->doff * 4 || length < sizeof(*tcp) ||
        end - data < (long)(ETH_HLEN + sizeof(*ip) + length))
        return drop(WORLD_tcp_other); /* payload included: no probe and no RST carries one */
    if (sum_fold(sum_words(0, ip, sizeof(*ip) / 2)) ||
        sum_fold(sum_header(sum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, (__u16)length), tcp, end, length)))
        return drop(WORLD_bad_sum);

    struct probe probe = {
        .source = ip->saddr,
        .target = ip->daddr,
        .source_port = tcp->source,
        .target_port = tcp->dest,
        .address = bpf_ntohl(ip->daddr),
        .port = bpf_ntohs(tcp->dest),
        .sequence = bpf_ntohl(tcp->seq),
    };
    __builtin_memcpy(probe.mac, eth->h_source, ETH_ALEN);
    if (truth_counted(&settings) && truth_has(&settings, probe.address, probe.port)) {
        __u32 index = (__u32)truth_index(&settings, probe.address, probe.port);
        probe.endpoint = bpf_map_lookup_elem(&endpoints, &index);
    }
    if (tcp->rst)
        return reset(&probe, ip);
    if (tcp->syn && !tcp->ack)
        return syn(ctx, &probe);
    return drop(WORLD_tcp_other);
}

static __always_inline __u32 arp_address(const __be16 *half) {
    return (__u32)bpf_ntohs(half[0]) << 16 | bpf_ntohs(half[1]);
}

static __always_inline int arp(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct arp_body *body = data + ETH_HLEN;
    if ((void *)(body + 1) > end || body->operation != bpf_htons(ARP_REQUEST) ||
        body->protocol != bpf_htons(ETH_P_IP) || body->hardware != bpf_htons(ARP_ETHERNET))
        return drop(WORLD_other);
    count(WORLD_arp_requests, 1);
    __u32 target = arp_address(body->target);
    if (target - settings.arp_net >= settings.arp_hosts || target == arp_address(body->sender) ||
        truth_absent(&settings, target))
        return XDP_DROP;

    struct arp_body question = *body;
    write_ethernet(data, question.sender_mac, bpf_htons(ETH_P_ARP));
    body->operation = bpf_htons(ARP_REPLY);
    __builtin_memcpy(body->sender_mac, world_mac, ETH_ALEN);
    __builtin_memcpy(body->sender, question.target, sizeof(body->sender));
    __builtin_memcpy(body->target_mac, question.sender_mac, ETH_ALEN);
    __builtin_memcpy(body->target, question.sender, sizeof(body->target));
    count(WORLD_arp_answers, 1);
    return (int)bpf_redirect(ctx->ingress_ifindex, 0);
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
    if (eth->h_proto == bpf_htons(ETH_P_ARP))
        return arp(ctx);
    return drop(WORLD_other);
}

char LICENSE[] SEC("license") = "Apache-2.0";
