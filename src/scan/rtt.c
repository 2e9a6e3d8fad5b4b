#include "scan/rtt.h"

#include <string.h>

#define BUCKET_FIRST_BITS 10u     /* 2^10 ns: everything below is in bucket 0 */
#define BUCKETS_PER_OCTAVE 4u
#define SAMPLES_FEW 64u           /* before so many, no quantile near 1 means anything */
#define SAMPLES_MAX 4096u         /* then all counts are halved */
#define QUANTILE_PART 100u        /* the timeout follows what all but one in so many samples stay below ... */
#define MARGIN_NUM 3u             /* ... and half as much again: a path that fills up is slower than it was */
#define MARGIN_DEN 2u
#define LATE_PART 8u              /* one late reply in so many: the timeout is too short */

void rtt_init(struct rtt *r, uint64_t first_ns, bool fixed) {
    *r = (struct rtt){.fixed = fixed};
    atomic_store(&r->timeout_ns, first_ns);
}

static unsigned bucket_of(uint64_t ns) {
    if (ns < UINT64_C(1) << BUCKET_FIRST_BITS)
        return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
    unsigned quarter = (unsigned)(ns >> (octave - 2)) & (BUCKETS_PER_OCTAVE - 1);
    unsigned bucket = (octave - BUCKET_FIRST_BITS) * BUCKETS_PER_OCTAVE + quarter;
    return bucket < RTT_BUCKETS ? bucket : RTT_BUCKETS - 1;
}

/* Where a bucket ends, in ns. */
static uint64_t bucket_end(unsigned bucket) {
    unsigned octave = bucket / BUCKETS_PER_OCTAVE + BUCKET_FIRST_BITS;
    return (uint64_t)(BUCKETS_PER_OCTAVE + bucket % BUCKETS_PER_OCTAVE + 1) << (octave - 2);
}

static void histogram_add(struct rtt *r, uint64_t ns) {
    r->buckets[bucket_of(ns)]++;
    if (++r->samples < SAMPLES_MAX)
        return;
    r->samples = 0;
    for (unsigned i = 0; i < RTT_BUCKETS; i++)
        r->samples += r->buckets[i] /= 2;
}

static uint64_t quantile(const struct rtt *r) {
    uint32_t above = 0;
    unsigned i = RTT_BUCKETS - 1;
    while (i > 0 && (above += r->buckets[i]) <= r->samples / QUANTILE_PART)
        i--;
    return bucket_end(i);
}

static void timeout_set(struct rtt *r, uint64_t timeout) {
    if (timeout < RTT_TIMEOUT_MIN_NS)
        timeout = RTT_TIMEOUT_MIN_NS;
    if (timeout > RTT_TIMEOUT_MAX_NS)
        timeout = RTT_TIMEOUT_MAX_NS;
    if (!r->fixed)
        atomic_store_explicit(&r->timeout_ns, timeout, memory_order_relaxed);
}

/* RFC 6298 2.2, 2.3 with alpha 1/8, beta 1/4; the granularity G is far below the lower clamp. */
static void mean_add(struct rtt *r, uint64_t rtt_ns) {
    uint64_t srtt = atomic_load_explicit(&r->srtt_ns, memory_order_relaxed);
    uint64_t off = srtt > rtt_ns ? srtt - rtt_ns : rtt_ns - srtt;
    r->rttvar_ns = srtt == 0 ? rtt_ns / 2 : r->rttvar_ns - r->rttvar_ns / 4 + off / 4;
    srtt = srtt == 0 ? rtt_ns + (rtt_ns == 0) : srtt - srtt / 8 + rtt_ns / 8;
    atomic_store_explicit(&r->srtt_ns, srtt, memory_order_relaxed);
}

static void window_add(struct rtt *r, bool late) {
    r->early += !late;
    r->late += late;
    if (r->early + r->late < RTT_WINDOW)
        return;
    if (r->late > RTT_WINDOW / LATE_PART) {
        atomic_store_explicit(&r->srtt_ns, 0, memory_order_relaxed);
        r->rttvar_ns = r->samples = 0;
        memset(r->buckets, 0, sizeof r->buckets);
        timeout_set(r, 2 * atomic_load_explicit(&r->timeout_ns, memory_order_relaxed));
    }
    r->early = r->late = 0;
}

void rtt_sample(struct rtt *r, uint64_t rtt_ns) {
    mean_add(r, rtt_ns);
    histogram_add(r, rtt_ns);
    uint64_t timeout = quantile(r) * MARGIN_NUM / MARGIN_DEN;
    uint64_t few = atomic_load_explicit(&r->srtt_ns, memory_order_relaxed) + 4 * r->rttvar_ns;
    timeout_set(r, r->samples < SAMPLES_FEW && few > timeout ? few : timeout);
    window_add(r, false);
}

void rtt_late(struct rtt *r) {
    window_add(r, true);
}

static unsigned slot_of(uint64_t position) {
    return (unsigned)((position * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - RTT_TABLE_BITS)); /* Fibonacci hashing */
}

static uint64_t tag_of(uint64_t position, unsigned tried) {
    return (position << 4 | tried) + 1; /* the top bits of a position beyond 2^59 fall off: too far apart to clash */
}

void rtt_table_put(struct rtt_table *t, uint64_t position, unsigned tried, uint64_t sent_ns) {
    unsigned i = slot_of(position);
    atomic_store_explicit(&t->entries[i].tag, 0, memory_order_release);
    atomic_store_explicit(&t->entries[i].sent_ns, sent_ns, memory_order_release);
    atomic_store_explicit(&t->entries[i].tag, tag_of(position, tried), memory_order_release);
}

uint64_t rtt_table_take(struct rtt_table *t, uint64_t position, unsigned tried) {
    unsigned i = slot_of(position);
    uint64_t tag = tag_of(position, tried);
    if (atomic_load_explicit(&t->entries[i].tag, memory_order_acquire) != tag)
        return 0;
    uint64_t sent = atomic_load_explicit(&t->entries[i].sent_ns, memory_order_acquire);
    /* Only if the transmitter has not put another probe there meanwhile. */
    return atomic_compare_exchange_strong(&t->entries[i].tag, &tag, 0) ? sent : 0;
}
