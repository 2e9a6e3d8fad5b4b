/* What the XDP program knows and counts: its settings, its maps, and the probe that it has in hand. */
#ifndef NOCTULE_LAB_BPF_MAPS_H
#define NOCTULE_LAB_BPF_MAPS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../truth.h"

/* Token bucket as a theoretical arrival time (the "virtual scheduling" form of ITU-T I.371's generic cell rate). */
struct bucket {
    struct bpf_spin_lock lock;
    __u64 due_ns;
};

/* The fields of a probe that its answer needs, taken before the frame is written over. Network order as on the wire,
 * but for the numbers that truth.h wants. */
struct probe {
    __u8 mac[ETH_ALEN];
    __be32 source[4], target[4]; /* an IPv4 address stands in the last word, after zeros */
    __be16 source_port, target_port;
    struct place place;
    __u32 port, number; /* number: this endpoint's n-th probe of that kind, from 1 */
    __u32 sequence;     /* TCP sequence number; SCTP: the verification tag of the answer */
    __u32 acknowledged; /* TCP acknowledgement number, where `has_ack` */
    __u32 length;       /* of what follows the IP header, in bytes */
    __u32 index;        /* of its tally, if the universe is counted */
    __u8 counts;        /* how much of TCP's sequence space the probe takes: SYN and FIN, one each (RFC 9293 3.4) */
    bool has_ack;
    enum truth_answer pong; /* KIND_PING: what the request asks for */
    struct endpoint *endpoint; /* NULL if the universe isn't counted, or tallies are kept by events */
};

/* Written by the loader before the program is loaded, so that the verifier knows the values and leaves out what they
 * switch off. */
const volatile struct settings given;
const volatile __u32 tables[KIND_COUNT]; /* where each kind's tallies begin, if the universe is counted */
const volatile bool counted; /* truth_counted() */
const volatile bool serial;  /* the interface has one receive queue: no two frames are looked at at the same time */
const volatile __u32 events_max; /* tallies are kept by events, and there is room for so many; 0: they are not */

__u64 first_ns, last_ns; /* monotonic time of the first and the latest probe */
__u32 n_events;

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
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader gives it room for events_max */
    __type(key, __u32);
    __type(value, __u32[EVENTS_BLOCK]);
} events SEC(".maps");

/* The addresses of a listed universe, each with its host number. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1); /* the loader sets the length of the list */
    __type(key, struct address6);
    __type(value, __u32);
} listed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bucket);
} path SEC(".maps");

/* A bucket for each host's answers, and one for its ICMP errors. */
struct host_buckets {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* the loader sets the number of hosts, where there is a limit */
    __type(key, __u32);
    __type(value, struct bucket);
} answers_of SEC(".maps"), errors_of SEC(".maps");

/* Every slot holds the own interface: a broadcast to this map sends as many copies as it has slots. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} copies SEC(".maps");

/* Answers that leave later. The loader looks here by itself, many times a millisecond. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096); /* the loader gives it room, where there is a delay */
} held SEC(".maps");

/* The settings. The compiler must not know where they stand, or it would take them for the zeros they are to it. */
static __always_inline const struct settings *known(void) {
    const struct settings *s = (const struct settings *)&given;
    asm volatile("" : "+r"(s));
    return s;
}

/* What *p was before n was added. */
static __always_inline __u64 add(uint64_t *p, __u64 n) {
    if (!serial)
        return __sync_fetch_and_add(p, n);
    __u64 before = *p;
    *p = before + n;
    return before;
}

static __always_inline void count(__u32 what, __u64 n) {
    __u64 *value = bpf_map_lookup_elem(&counters, &what);
    if (value)
        *value += n; /* a CPU's own, and softirqs do not nest */
}

/* Only in a serial world. */
static __always_inline void event_note(__u32 index, __u32 field) {
    __u32 i = n_events, which = i / EVENTS_BLOCK;
    __u32 *block = i < events_max ? bpf_map_lookup_elem(&events, &which) : NULL;
    if (!block) {
        count(WORLD_failed, 1);
        return;
    }
    block[i % EVENTS_BLOCK] = event(index, field);
    n_events = i + 1;
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

static __always_inline struct address6 address6_of(const __be32 *word) {
    struct address6 address = {
        .high = (__u64)bpf_ntohl(word[0]) << 32 | bpf_ntohl(word[1]),
        .low = (__u64)bpf_ntohl(word[2]) << 32 | bpf_ntohl(word[3]),
    };
    return address;
}

static __always_inline struct place place_of(const __be32 *word, const bool v6) {
    if (!v6)
        return truth_place4(known(), bpf_ntohl(word[3]));
    struct address6 address = address6_of(word);
    struct place place = truth_place6(known(), address.high, address.low);
    if (known()->listed) {
        __u32 *host = bpf_map_lookup_elem(&listed, &address);
        if (host)
            place.host = known()->hosts4 + *host;
    }
    return place;
}

#endif
