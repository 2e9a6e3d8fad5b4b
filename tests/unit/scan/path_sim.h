/* A network path, simulated in steps of a millisecond, with a governor that sends over it: for the tests of the control
 * law and for the plots of docs/rate.md. */
#ifndef NOCTULE_TESTS_PATH_SIM_H
#define NOCTULE_TESTS_PATH_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scan/govern.h"

#define PATH_CHANGES_MAX 4u
#define PATH_RTTS_MAX 3u

enum path_kind_of_limit {
    LIMIT_NONE,
    LIMIT_POLICER, /* token bucket of `room` packets, filled at the capacity; without a token a packet is lost */
    LIMIT_QUEUE,   /* drained at the capacity; a packet that finds `room` packets waiting is lost */
    LIMIT_TABLE    /* connection tracking: `room` entries, a packet takes one for room / capacity s, or is lost */
};

/* Until until_s the path has this capacity and this loss. */
struct path_change {
    double until_s;
    double capacity; /* packets a second */
    double loss;     /* random, of a probe or its answer */
};

struct path_config {
    uint64_t seed;
    double seconds;   /* how long to run at most */
    double settle_s;  /* the measures start then */
    uint64_t probes;  /* the scan ends with them; 0: it does not */
    uint64_t max_pps; /* --max-rate; 0: none */
    enum path_kind_of_limit limit;
    double room;
    struct path_change changes[PATH_CHANGES_MAX];
    unsigned n_changes;
    double share;     /* of endpoints that answer */
    double rtt_ms[PATH_RTTS_MAX], rtt_weight[PATH_RTTS_MAX]; /* hosts of several distances; the weights sum to 1 */
    double jitter;    /* the delay is up to so much longer, relative */
    double burst_loss, burst_ms, clear_ms; /* Gilbert-Elliott: loss within a burst; mean lengths of bursts and pauses */
    unsigned canaries;  /* endpoints known to answer */
    double sender_pps;  /* the machine cannot send faster; 0: it can */
    double stall_s;     /* between the first second and so long after it, the machine sends nothing */
    double ring_pps;    /* the machine cannot receive more answers a second; 0: it can */
};

struct path_result {
    double seconds;       /* how long it ran */
    double sent, carried; /* packets, from settle_s on: all, and those that the limit let pass */
    double lost_by_rate;  /* share of `sent` that the limit dropped */
    double mean_pps;      /* carried a second */
    double of_capacity;   /* carried beside what the path and the cap allow */
    double sent_all, lost_all; /* from the start: packets, and those that the limit dropped */
    double first_s;       /* when it first sent at 90 % of what the path and the cap allow; < 0: never */
    double canary_share;  /* canaries beside packets */
    double rate_max;
    struct govern_view view; /* at the end */
};

/* Runs it. trace: NULL, or where to write "second,rate,capacity,carried" ten times a second. */
struct path_result path_run(const struct path_config *c, FILE *trace);

#endif
