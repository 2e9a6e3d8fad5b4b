#include "scan/rtt.h"

void rtt_init(struct rtt *r, uint64_t first_ns, bool fixed) {
    r->srtt_ns = r->rttvar_ns = 0;
    r->fixed = fixed;
    atomic_store(&r->timeout_ns, first_ns);
}

/* RFC 6298 2.2, 2.3 with alpha 1/8, beta 1/4, K 4; the granularity G is far below the lower clamp. */
void rtt_sample(struct rtt *r, uint64_t rtt_ns) {
    if (r->srtt_ns == 0) {
        r->srtt_ns = rtt_ns > 0 ? rtt_ns : 1;
        r->rttvar_ns = rtt_ns / 2;
    } else {
        uint64_t off = r->srtt_ns > rtt_ns ? r->srtt_ns - rtt_ns : rtt_ns - r->srtt_ns;
        r->rttvar_ns = r->rttvar_ns - r->rttvar_ns / 4 + off / 4;
        r->srtt_ns = r->srtt_ns - r->srtt_ns / 8 + rtt_ns / 8;
    }
    if (r->fixed)
        return;
    uint64_t timeout = r->srtt_ns + 4 * r->rttvar_ns;
    if (timeout < RTT_TIMEOUT_MIN_NS)
        timeout = RTT_TIMEOUT_MIN_NS;
    if (timeout > RTT_TIMEOUT_MAX_NS)
        timeout = RTT_TIMEOUT_MAX_NS;
    atomic_store_explicit(&r->timeout_ns, timeout, memory_order_relaxed);
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
