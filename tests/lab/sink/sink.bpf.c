/* The far end of a link that swallows everything: each IPv4 frame is counted for its receive queue and dropped. ARP is
 * left to the kernel. A sample is taken of the frames of one endpoint in so many: whichever endpoint is in it has all
 * its frames in it, so that none comes twice unseen. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sample.h"

const volatile __u32 sample_every; /* endpoints of which one is sampled; 0: none are */
const volatile __u32 sample_max;

__u64 first_ns; /* CLOCK_MONOTONIC of the first IPv4 frame, and 0 until then */
__u32 taken;    /* samples that there was room for, or would have been */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SINK_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader makes it sample_max */
    __type(key, __u32);
    __type(value, struct sample);
} samples SEC(".maps");

static __always_inline void count(__u32 what) {
    __u64 *value = bpf_map_lookup_elem(&counters, &what);
    if (value)
        ++*value; /* a processor's own, and softirqs do not nest */
}

/* Splitmix64's finaliser (Steele, Lea, Flood, 2014). */
static __always_inline __u64 mix(__u64 x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* Whether the frame belongs to a sampled endpoint. One whose endpoint can't be told is always taken. */
static __always_inline bool is_chosen(const struct iphdr *ip, const void *end) {
    const __be16 *ports = (const void *)(ip + 1);
    if ((const void *)(ports + 2) > end || ip->version != 4 || ip->ihl != sizeof(*ip) / 4 ||
        ip->protocol != IPPROTO_TCP)
        return true;
    return (mix((__u64)ip->daddr << 16 | ports[1]) >> 32) * sample_every >> 32 == 0;
}

static __always_inline void take(struct xdp_md *ctx) {
    __u32 slot = __sync_fetch_and_add(&taken, 1);
    struct sample *sample = slot < sample_max ? bpf_map_lookup_elem(&samples, &slot) : NULL;
    if (!sample)
        return;
    __u64 length = bpf_xdp_get_buff_len(ctx), kept = length < SAMPLE_FRAME_MAX ? length : SAMPLE_FRAME_MAX;
    sample->length = (__u32)length;
    if (kept)
        bpf_xdp_load_bytes(ctx, 0, sample->frame, (__u32)kept);
}

SEC("xdp")
int sink(struct xdp_md *ctx) {
    const void *data = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
    const struct ethhdr *eth = data;
    const struct iphdr *ip = data + ETH_HLEN;
    __u32 queue = ctx->rx_queue_index;
    if ((const void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) {
        bool arp = data + ETH_HLEN <= end && eth->h_proto == bpf_htons(ETH_P_ARP);
        count(arp ? SINK_ARP : SINK_OTHER);
        return arp ? XDP_PASS : XDP_DROP;
    }
    if (!first_ns)
        first_ns = bpf_ktime_get_ns();
    count(queue < SINK_QUEUES_MAX ? queue : SINK_QUEUES_MAX - 1);
    if (sample_every && is_chosen(ip, end))
        take(ctx);
    return XDP_DROP;
}

char LICENSE[] SEC("license") = "Apache-2.0";
