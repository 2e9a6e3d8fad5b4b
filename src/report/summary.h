/* What the scan as a whole has to say: the closing record, the text trailer, and the figures of the progress line. */
#ifndef NOCTULE_REPORT_SUMMARY_H
#define NOCTULE_REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/reply.h"
#include "probe/verdict.h"

#define SUMMARY_TRIES_MAX 16

struct summary {
    const char *version;
    int argc;
    const char *const *argv;
    uint64_t seed;
    uint64_t start_ns, end_ns;   /* CLOCK_REALTIME */
    int utc_offset_s;            /* local time less UTC at the start: it tells the hour of the day */
    uint64_t duration_ns;        /* of sending and listening, monotonic */
    const char *ended;           /* "complete", "interrupted", "max-runtime", "max-results", "sink failed" ... */
    uint64_t planned;            /* endpoints of this shard */
    uint64_t finals;             /* endpoints whose verdict is final */
    uint64_t addresses;          /* distinct */
    uint64_t hosts_down;         /* addresses that did not answer: on link ARP or ND, with discovery a ping */
    uint64_t hosts_up;           /* with discovery: those that did */
    uint64_t hosts_limited;      /* that limit their answers and were paced down */
    uint64_t undecided;          /* endpoints of theirs for which the time was over: no verdict */
    uint64_t ping_sent;          /* packets of the discovery pass */
    uint64_t states[STATE_COUNT];/* endpoints by final state */
    uint64_t sent;               /* probes the kernel took, re-probes included */
    uint64_t sent_at_try[SUMMARY_TRIES_MAX];
    uint64_t answered_at_try[SUMMARY_TRIES_MAX]; /* endpoints first answered at that try */
    uint64_t answered_unknown_try;
    uint64_t resets_sent;
    uint64_t arp_sent;
    uint64_t received;           /* frames */
    uint64_t duplicates;         /* repeated answers */
    uint64_t late;               /* answers after retirement that no longer count */
    uint64_t late_open;          /* open answers after retirement: they count */
    uint64_t revised;            /* records that revise an earlier one */
    uint64_t own_ports;          /* endpoints settled because they are our own claimed ports */
    uint64_t unreachable;        /* endpoints without a route */
    uint64_t ignored[IGNORED_COUNT];
    uint64_t send_refused, ring_dropped; /* local loss */
    uint64_t interface_dropped, interface_tx_dropped; /* of the scan's interfaces, by whomever caused */
    int last_send_error;
    uint64_t sink_waits_ns;      /* time the transmitter stood still for slow sinks */
    uint64_t window_waits_ns;    /* time it stood still because the ledger's window was full */
    uint64_t rto_ns, srtt_ns;    /* timeouts at the end */
    uint64_t rate_milli_pps;     /* asked for, 1/1000 packets a second: the rate, or the cap of --rate auto; 0 = no cap */
    bool rate_auto;              /* the path decided. Then: */
    uint64_t rate_end_milli_pps; /* what it was at the end */
    uint64_t path_pps;           /* what the path was found to carry; 0: no limit was met */
    const char *rate_cause;      /* why it was no higher at the end: "start", "cap", "path", "shut", "local", "sender" */
    bool rate_blind;             /* too few answers to tell what the path carries */
    uint64_t canaries_sent;      /* probes to endpoints known to answer, for the rate's sake; they are part of `sent` */
    uint64_t bandwidth_bps;      /* asked for, 0 = none */
    unsigned batch;              /* largest number of frames of one send call */
    unsigned retries;            /* re-probes that silence got, or was getting at the end */
    bool retries_auto;           /* that number was chosen by the measured loss */
    /* What no try reached, of the open endpoints (of a ping scan: hosts that are up) that would have answered; 95 %
     * interval. Not known: nothing was tried twice, or nothing answered. */
    bool missed_known;
    uint64_t missed, missed_low, missed_high;
    bool answers_fell;           /* something began to swallow probes while the scan went on; it is in those figures */
    double loss;                 /* share of tries at live endpoints that went unanswered */
    char wire[32], interface[64];
};

struct writer;
/* Writes the closing record of JSON lines: one object, {"type":"summary",...}, every field above under its own name.
 * Returns 0 or the writer's errno. */
int summary_write_json(const struct summary *sum, struct writer *w);

#endif
