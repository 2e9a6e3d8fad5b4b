/* What is true in the synthetic internet. The XDP program, its loader and the judge all ask here, so that an answer on
 * the wire and the verdict over a finding come from the same few lines.
 *
 * Everything that happens to an endpoint is a keyed hash of (address, port, how many probes it has had): the same key
 * gives the same world, whatever the scanner, its speed, its order and its source ports. Addresses and ports are in
 * host order throughout. */
#ifndef NOCTULE_LAB_TRUTH_H
#define NOCTULE_LAB_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#define TRUTH_PPM 1000000u /* shares are given in parts per million */

/* The largest universe of which every endpoint is counted (16 bytes each); a larger one can lose no frames, because
 * their fate hangs on that count. */
#define TRUTH_COUNTED_MAX (UINT64_C(1) << 24)

#define WORLD_ARRIVAL_NS 1000000u       /* the width of one bin of the arrival histogram */
#define WORLD_ARRIVAL_BINS (1u << 20)   /* about 17 minutes */
#define WORLD_COPIES_MAX 64u

struct settings {
    uint64_t key;
    uint32_t net, hosts; /* the universe: this many addresses from net on (a power of two) ... */
    uint32_t ports;      /* ... with ports 1..ports each */
    uint32_t arp_net, arp_hosts; /* addresses whose ARP requests are answered */
    uint32_t router;     /* who reports unreachable hosts */
    uint32_t absent_ppm; /* addresses at which nobody is: no ARP answer, no other answer */
    uint32_t open_ppm, closed_ppm, unreachable_ppm; /* endpoints; the rest is silent */
    uint32_t loss_out_ppm, loss_in_ppm; /* probes that never arrive; answers that never leave */
    uint32_t duplicate_ppm, copies;     /* answers sent several times, and how often */
    uint32_t police_pps, police_burst;  /* frames that the path lets through; 0 = all */
    uint32_t answer_pps, answer_burst;  /* answers that one host gives; 0 = all */
};

/* The counters of the XDP program, in the order in which the loader prints them. */
#define WORLD_COUNTERS(X)                                                                                              \
    X(frames)        /* everything that came in */                                                                     \
    X(arp_requests)  X(arp_answers)                                                                                    \
    X(syn)           /* SYN frames with true checksums; all the following but layer1_bytes are shares of them */       \
    X(layer1_bytes)  /* of these, with padding, frame check sequence, preamble and gap */                              \
    X(syn_outside)   /* to no endpoint of the universe */                                                              \
    X(syn_policed)   X(syn_lost)  X(answer_limited)  X(answer_lost)                                                    \
    X(syn_ack)       X(syn_ack_first) /* the endpoint's first */                                                       \
    X(rst_ack)       X(unreachable)  X(duplicated)                                                                     \
    X(bad_sum)       /* IPv4 or TCP checksum wrong: dropped */                                                         \
    X(rst_ours)      /* a RST whose sequence number is the one that our SYN-ACK acknowledged */                        \
    X(rst_kernel)    /* a RST with identification 0, as the Linux stack sends them */                                  \
    X(rst_other)                                                                                                       \
    X(tcp_other)     X(ip_other)  X(other)                                                                             \
    X(failed)        /* answers that the kernel had no room for: none, ever */

enum world_counter {
#define X(name) WORLD_##name,
    WORLD_COUNTERS(X)
#undef X
    WORLD_COUNTERS_END
};

/* What one endpoint has seen. The tally is four 16-bit fields in one word, so that an atomic add serves each. */
struct endpoint {
    uint64_t tally;
    uint32_t ack; /* of the latest SYN-ACK */
    uint32_t unused;
};

#define TALLY_PROBES 0u  /* SYNs on the wire, also those that are then lost */
#define TALLY_ANSWERS 16u /* answers that left, a duplicated one counted once */
#define TALLY_FIRST 32u  /* the number, from 1, of the probe that was answered first; 0 = none */
#define TALLY_RESETS 48u /* RSTs of any kind */

static inline uint32_t tally_field(uint64_t tally, uint32_t field) {
    return (uint32_t)(tally >> field) & 0xffff;
}

enum truth_state { TRUTH_SILENT, TRUTH_OPEN, TRUTH_CLOSED, TRUTH_UNREACHABLE };

/* What a hash decides; each of them is independent of the others. */
enum truth_question {
    TRUTH_IS_ABSENT,
    TRUTH_IS_STATE,
    TRUTH_IS_LOST_OUT,
    TRUTH_IS_LOST_IN,
    TRUTH_IS_DUPLICATED,
    TRUTH_IS_TTL,
    TRUTH_IS_SEQUENCE,
};

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static inline uint64_t truth_mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t truth_hash(const struct settings *s, enum truth_question what, uint32_t address, uint32_t port,
                                  uint32_t probe) {
    uint64_t subject = (uint64_t)address << 32 | (uint64_t)(port & 0xffff) << 16 | (probe & 0xffff);
    return truth_mix(truth_mix(subject ^ s->key) + ((uint64_t)what + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* The hash as a number below one million. */
static inline uint32_t truth_share(uint64_t hash) {
    return (uint32_t)((hash >> 32) * TRUTH_PPM >> 32);
}

static inline uint64_t truth_endpoints(const struct settings *s) {
    return (uint64_t)s->hosts * s->ports;
}

static inline bool truth_counted(const struct settings *s) {
    return truth_endpoints(s) <= TRUTH_COUNTED_MAX;
}

/* Whether (address, port) belongs to the universe. */
static inline bool truth_has(const struct settings *s, uint32_t address, uint32_t port) {
    return address - s->net < s->hosts && port - 1 < s->ports;
}

/* The number of an endpoint of the universe, from 0. */
static inline uint64_t truth_index(const struct settings *s, uint32_t address, uint32_t port) {
    return (uint64_t)(address - s->net) * s->ports + (port - 1);
}

static inline bool truth_absent(const struct settings *s, uint32_t address) {
    return address - s->net < s->hosts &&
           truth_share(truth_hash(s, TRUTH_IS_ABSENT, address, 0, 0)) < s->absent_ppm;
}

static inline enum truth_state truth_state(const struct settings *s, uint32_t address, uint32_t port) {
    if (truth_absent(s, address))
        return TRUTH_SILENT;
    uint32_t share = truth_share(truth_hash(s, TRUTH_IS_STATE, address, port, 0));
    if (share < s->open_ppm)
        return TRUTH_OPEN;
    if (share < s->open_ppm + s->closed_ppm)
        return TRUTH_CLOSED;
    if (share < s->open_ppm + s->closed_ppm + s->unreachable_ppm)
        return TRUTH_UNREACHABLE;
    return TRUTH_SILENT;
}

/* Whether the endpoint's probe-th probe (from 1) is lost on its way there. */
static inline bool truth_lost_out(const struct settings *s, uint32_t address, uint32_t port, uint32_t probe) {
    return truth_share(truth_hash(s, TRUTH_IS_LOST_OUT, address, port, probe)) < s->loss_out_ppm;
}

/* Whether the answer to the endpoint's probe-th probe is lost on its way back. */
static inline bool truth_lost_in(const struct settings *s, uint32_t address, uint32_t port, uint32_t probe) {
    return truth_share(truth_hash(s, TRUTH_IS_LOST_IN, address, port, probe)) < s->loss_in_ppm;
}

#endif
