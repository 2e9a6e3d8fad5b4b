/* Round-trip times: which probes are timed, and the timeout that follows from them. */
#ifndef NOCTULE_SCAN_RTT_H
#define NOCTULE_SCAN_RTT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RTT_TIMEOUT_FIRST_NS UINT64_C(1000000000) /* RFC 6298 2.1 */
#define RTT_TIMEOUT_MIN_NS UINT64_C(100000000)
#define RTT_TIMEOUT_MAX_NS UINT64_C(5000000000)

/* RFC 6298's estimator over all hosts. One thread samples; any may read the timeout. */
struct rtt {
    uint64_t srtt_ns, rttvar_ns; /* 0 before the first sample */
    _Atomic uint64_t timeout_ns; /* after try 0 */
    bool fixed;
};

/* first_ns: the timeout before any sample; with fixed it stays. */
void rtt_init(struct rtt *r, uint64_t first_ns, bool fixed);
void rtt_sample(struct rtt *r, uint64_t rtt_ns);

/* The timed probes: a direct-mapped table by position, written by the transmitter and read by the receiver. A newer
 * probe takes the place of an older one. */
#define RTT_TABLE_BITS 14u
#define RTT_TABLE_SIZE (1u << RTT_TABLE_BITS)

struct rtt_table {
    struct {
        _Atomic uint64_t tag;     /* position x 16 + try + 1; 0 = empty */
        _Atomic uint64_t sent_ns; /* CLOCK_REALTIME, the kind frames are stamped with */
    } entries[RTT_TABLE_SIZE];
};

void rtt_table_put(struct rtt_table *t, uint64_t position, unsigned tried, uint64_t sent_ns);
/* When that probe left, or 0 when it was not timed; taken out, so that a repeated answer is no second sample. */
uint64_t rtt_table_take(struct rtt_table *t, uint64_t position, unsigned tried);

#endif
