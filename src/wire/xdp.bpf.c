/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* The XDP wire's programs. One stands on the scanning interface and serves both directions: a frame that came in there
 * is taken for the process if it is one of its replies, and left to the kernel if not; a run on any other interface is
 * the process injecting (BPF_PROG_TEST_RUN on lo), and transmits a frame of the batch. The same program must do both: a
 * program that is attached nowhere costs an RCU grace period a run.
 *
 * Two more count at tracepoints what became of the frames afterwards, of which nothing else tells. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp_shared.h"

#define IP_FRAGMENT 0x3fff /* MF and the offset (RFC 791 3.1) */
#define LOOPBACK_IFINDEX 1 /* of lo in every network namespace */

/* Set before the programs are loaded. */
const volatile __u32 our_ifindex;
const volatile __u64 our_netns;  /* the cookie of its network namespace: there are other interfaces of that number */
const volatile __u32 frame_room; /* longest frame that a socket's buffers hold */
const volatile __u16 port_lo, port_hi; /* our source ports, inclusive, host order */

__u8 senders[XDP_PROCESSORS_MAX]; /* whose frames are injected on that processor */
struct xdp_passage passages[XDP_QUEUES_MAX];

/* One a sender. A run never leaves its processor between taking a frame and hearing what became of it, and each sender
 * has a processor of its own, unless there is only one: so all is found by the processor, and none waits for others. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader sets it */
    __type(key, __u32);
    __type(value, struct xdp_batch);
} batches SEC(".maps");

/* This machine's addresses, network order, IPv4 as ::ffff:a.b.c.d. A port of ours at another machine's address, in a
 * packet that this one forwards, is not ours. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1); /* the loader sets it */
    __type(key, __be32[4]);
    __type(value, __u8);
} addresses SEC(".maps");

/* One a queue, once the process receives. */
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, XDP_QUEUES_MAX);
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

static __always_inline bool has_ports(__u8 protocol) {
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* Finds the ports and the destination of an unfragmented packet of such a protocol; NULL for all others, and where an
 * IPv6 extension header or a VLAN tag comes first. */
static __always_inline const __be16 *find_ports(struct xdp_md *ctx, __be32 *destination) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct ethhdr *eth = data;
    const __be16 *ports = NULL;
    if ((void *)(eth + 1) > end)
        return NULL;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        const struct iphdr *ip = (void *)(eth + 1);
        if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < sizeof(*ip) / 4 ||
            ip->frag_off & bpf_htons(IP_FRAGMENT) || !has_ports(ip->protocol))
            return NULL;
        ports = (void *)ip + ip->ihl * 4;
        destination[2] = bpf_htonl(0xffff);
        destination[3] = ip->daddr;
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        const struct ipv6hdr *ip = (void *)(eth + 1);
        if ((void *)(ip + 1) > end || ip->version != 6 || !has_ports(ip->nexthdr))
            return NULL;
        ports = (void *)(ip + 1);
        __builtin_memcpy(destination, &ip->daddr, sizeof(ip->daddr));
    } else {
        return NULL;
    }
    return (void *)(ports + 2) > end ? NULL : ports;
}

static __always_inline int receive(struct xdp_md *ctx) {
    __be32 destination[4] = {0};
    const __be16 *ports = find_ports(ctx, destination);
    __u32 queue = ctx->rx_queue_index;
    if (!ports || queue >= XDP_QUEUES_MAX || ctx->data_end - ctx->data > frame_room)
        return XDP_PASS;
    __u16 port = bpf_ntohs(ports[1]);
    if (port < port_lo || port > port_hi || !bpf_map_lookup_elem(&addresses, destination))
        return XDP_PASS;
    int verdict = (int)bpf_redirect_map(&sockets, queue, XDP_PASS);
    if (verdict == XDP_REDIRECT)
        passages[queue].redirected++;
    return verdict;
}

static __always_inline struct xdp_batch *find_batch(void) {
    __u32 sender = senders[bpf_get_smp_processor_id() % XDP_PROCESSORS_MAX];
    return bpf_map_lookup_elem(&batches, &sender);
}

static __always_inline void copy(__u64 *to, const __u64 *from, int bytes) {
    for (int k = 0; k < bytes / (int)sizeof(*to); k++)
        to[k] = from[k];
}

/* Most frames are of one block. Two halves of it that overlap make one as long as it is, where a whole one would be too
 * long and have to be cut: a call a frame. What is shorter than a half is cut all the same. */
static __always_inline bool copy_short(struct xdp_md *ctx, const void *from, __u32 len) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 rest = len > XDP_HALF_BYTES ? len - XDP_HALF_BYTES : 0;
    barrier_var(rest); /* the verifier must see each bound, where the compiler knows better */
    if (rest > XDP_HALF_BYTES || data + XDP_HALF_BYTES > end || data + rest + XDP_HALF_BYTES > end)
        return false;
    copy(data, from, XDP_HALF_BYTES);
    copy(data + rest, from + rest, XDP_HALF_BYTES);
    return true;
}

/* Whole blocks, of which the last two overlap. */
static __always_inline bool copy_long(struct xdp_md *ctx, const void *blocks, __u32 block, __u32 len) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 first = block % XDP_BATCH_BLOCKS * XDP_BLOCK_BYTES;
    for (__u32 i = 0; i < XDP_FRAME_BLOCKS; i++) {
        __u32 at = (i + 1) * XDP_BLOCK_BYTES < len ? i * XDP_BLOCK_BYTES : len - XDP_BLOCK_BYTES;
        barrier_var(at);
        if (at > XDP_FRAME_BLOCKS * XDP_BLOCK_BYTES || first + at > (XDP_BATCH_BLOCKS - 1) * XDP_BLOCK_BYTES ||
            data + at + XDP_BLOCK_BYTES > end)
            return false;
        copy(data + at, blocks + first + at, XDP_BLOCK_BYTES);
        if (at + XDP_BLOCK_BYTES == len)
            return true;
    }
    return false;
}

/* The number of the frame whose turn it is: a refused one first, once it had its pause. XDP_BATCH_MAX: none. */
static __always_inline __u32 turn(struct xdp_batch *batch) {
    __u32 i = batch->next;
    if (batch->pause) {
        batch->pause--;
        batch->spent++;
        return XDP_BATCH_MAX;
    }
    if (batch->again_out != batch->again_in) {
        batch->spent++;
        return batch->again[batch->again_out++ % XDP_PENDING_MAX];
    }
    if (i >= batch->n)
        return XDP_BATCH_MAX;
    batch->next = i + 1;
    return i;
}

/* The frame comes as long as the longest of the batch; its content is whatever its memory held. */
static __always_inline int inject(struct xdp_md *ctx) {
    struct xdp_batch *batch = find_batch();
    if (!batch)
        return XDP_DROP;
    __u32 i = turn(batch);
    if (i >= XDP_BATCH_MAX)
        return XDP_DROP;
    __u32 len = batch->slots[i].len, block = batch->slots[i].block;
    bool is_copied = len <= XDP_BLOCK_BYTES ? copy_short(ctx, batch->blocks[block % XDP_BATCH_BLOCKS], len)
                                            : copy_long(ctx, batch->blocks, block, len);
    if (!is_copied)
        return XDP_DROP;
    long room = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
    if (room != len && bpf_xdp_adjust_tail(ctx, (int)(len - room)))
        return XDP_DROP;
    batch->numbers[batch->made++ % XDP_PENDING_MAX] = i;
    return (int)bpf_redirect(our_ifindex, 0);
}

SEC("xdp")
int wire(struct xdp_md *ctx) {
    return ctx->ingress_ifindex == our_ifindex ? receive(ctx) : inject(ctx);
}

/* What is read of the kernel's own structures; where their fields stand, the loader finds out (CO-RE). */
struct net {
    __u64 net_cookie;
} __attribute__((preserve_access_index));

typedef struct {
    struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
    int ifindex;
    possible_net_t nd_net;
} __attribute__((preserve_access_index));

static __always_inline bool is(const struct net_device *dev, __u32 ifindex) {
    return (__u32)dev->ifindex == ifindex && dev->nd_net.net->net_cookie == our_netns;
}

/* After each attempt to hand redirected frames to a driver, in the order in which they were made: (from, to, sent, drops,
 * err). Those that it has no room for are the last of them. They get another turn within the run: a run that ended here
 * would leave the kernel a pool of pages for every few frames. */
SEC("tp_btf/xdp_devmap_xmit")
int transmitted(__u64 *args) {
    const struct net_device *from = (void *)args[0], *to = (void *)args[1];
    __u32 sent = (__u32)args[2], drops = (__u32)args[3];
    int error = (int)args[4];
    struct xdp_batch *batch;
    if (!is(to, our_ifindex) || !is(from, LOOPBACK_IFINDEX) || !(batch = find_batch()))
        return 0;
    __u32 refused = batch->offered + sent;
    batch->offered = refused + drops;
    if (!drops)
        return 0;
    if (error || drops > XDP_PENDING_MAX) {
        batch->fate.lost += drops;
        batch->fate.error = error;
        return 0;
    }
    for (__u32 k = 0; k < XDP_PENDING_MAX && k < drops; k++)
        batch->again[batch->again_in++ % XDP_PENDING_MAX] = batch->numbers[(refused + k) % XDP_PENDING_MAX];
    batch->fate.refused += drops;
    batch->pause = XDP_PAUSE;
    return 0;
}

/* When a redirected frame could not be handed over at all: (from, program, to, err, map type, map, index). The index is
 * the place in the map, here a receive queue; or the interface, where there is no map. */
SEC("tp_btf/xdp_redirect_err")
int not_redirected(__u64 *args) {
    const struct net_device *from = (void *)args[0];
    struct xdp_batch *batch;
    __u32 index = (__u32)args[6];
    if (args[4] == BPF_MAP_TYPE_XSKMAP) {
        if (index < XDP_QUEUES_MAX && is(from, our_ifindex))
            passages[index].lost++;
    } else if (index == our_ifindex && is(from, LOOPBACK_IFINDEX) && (batch = find_batch())) {
        batch->made--;
        batch->fate.lost++;
        batch->fate.error = (int)args[3];
    }
    return 0;
}

/* The kernel lets only programs that are (also) under the GPL read its structures, so this file is under either. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
