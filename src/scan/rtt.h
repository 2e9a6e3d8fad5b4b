/* Round-trip times: which probes are timed, and the timeout that follows from them. */
#ifndef NOCTULE_SCAN_RTT_H
#define NOCTULE_SCAN_RTT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RTT_TIMEOUT_FIRST_NS UINT64_C(1000000000) /* RFC 6298 2.1 */
#define RTT_TIMEOUT_MIN_NS UINT64_C(100000000)
#define RTT_TIMEOUT_MAX_NS UINT64_C(5000000000)

/* How long a reply may take, over all hosts. A mean does not do where one scan meets a rack and a satellite: the timeout
 * follows an upper quantile of the samples, kept in a histogram of quarter octaves that forgets by halving; while
 * samples are few, RFC 6298's mean and deviation.
 *
 * A reply after its try's timeout is no sample, since a target that repeats its SYN-ACK after 1 and 3 s would teach
 * round trips that never were. But where many first replies are late the way itself has become longer than the timeout,
 * and no sample could ever say so: then the timeout doubles and learning begins anew. One thread samples; any may read
 * the timeout. */
#define RTT_BUCKETS 96u      /* quarter octaves from 1 us to 17 s */
#define RTT_WINDOW 64u       /* timed replies, early and late, between two looks at the share of late ones */

struct rtt {
    _Atomic uint64_t srtt_ns;    /* RFC 6298 2; 0 before the first sample; any thread may read it */
    uint64_t rttvar_ns;
    uint32_t buckets[RTT_BUCKETS], samples; /* the histogram, and the sum of it */
    unsigned early, late;        /* replies of this window */
    _Atomic uint64_t timeout_ns; /* after try 0 */
    bool fixed;
};

/* first_ns: the timeout before any sample; with fixed it stays. */
void rtt_init(struct rtt *r, uint64_t first_ns, bool fixed);
/* A reply within its try's timeout, after rtt_ns. */
void rtt_sample(struct rtt *r, uint64_t rtt_ns);
/* An endpoint's first reply, after its try's timeout. */
void rtt_late(struct rtt *r);

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
