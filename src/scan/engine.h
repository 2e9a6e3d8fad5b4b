/* Inside of the engine: what its threads share. Nothing outside src/scan includes this. */
#ifndef NOCTULE_SCAN_ENGINE_H
#define NOCTULE_SCAN_ENGINE_H

#include <pthread.h>
#include <stdio.h>

#include "plan/order.h"
#include "probe/probe.h"
#include "probe/reply.h"
#include "scan/ledger.h"
#include "scan/pace.h"
#include "scan/path.h"
#include "scan/rtt.h"
#include "scan/scan.h"
#include "scan/seen.h"
#include "wire/claim.h"
#include "wire/pcapfile.h"
#include "wire/wire.h"

#define SCAN_WIRES_MAX 8u
#define SCAN_BATCH_MAX 128u

/* Counters of one pass. Each is written by one thread and read by any, so they are relaxed atomics. */
struct counters {
    _Atomic uint64_t sent_at_try[SUMMARY_TRIES_MAX];
    _Atomic uint64_t settled_closed, settled_down, settled_unreachable; /* positions that needed no probe */
    _Atomic uint64_t silent;                                            /* retired without an answer */
    _Atomic uint64_t sink_waits_ns, window_waits_ns;
    _Atomic uint64_t batch; /* largest number of frames of one send call */
    /* the receiver's */
    _Atomic uint64_t first_by_state[STATE_COUNT]; /* endpoints by their present state */
    _Atomic uint64_t answered_at_try[SUMMARY_TRIES_MAX];
    _Atomic uint64_t answered_unknown_try;
    _Atomic uint64_t received, duplicates, late, late_open, revised, resets;
    _Atomic uint64_t drops; /* of all wires, as last read */
    _Atomic uint64_t ignored[IGNORED_COUNT];
};

static inline void count(_Atomic uint64_t *counter, uint64_t n) {
    /* One writer each, so no locked instruction is needed. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t counted(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct scan_wire {
    const char *name;
    int ifindex;
    enum link_type link;
    bool loopback;
    struct wire *transmit, *receive;
};

/* One walk over one plan with one ledger. */
struct pass {
    struct scan *scan;
    const struct plan *plan;
    const struct path_map *paths;
    enum technique_id technique;
    struct order order;
    struct shard shard;
    struct ledger ledger;
    struct pace pace;
    uint64_t started_ns; /* monotonic */
    struct counters counters;
    uint64_t timeout_max_ns;
    struct neighbours *learned; /* ARP passes: where the answers go */
    _Atomic uint64_t silence_listed; /* chunks whose silence has been handed to the report */
    /* What is said once to the other thread. */
    _Atomic int sent_all;          /* the transmitter is done and W has passed its last timeout */
    _Atomic int failed;            /* negative errno of the first wire or sink that died */
    const char *_Atomic ended;     /* why it ended, when not complete */
};

struct scan {
    struct scan_config config;
    struct probe_config probe;
    struct route_map routes;
    struct path_map paths, arp_paths;
    struct neighbours neighbours;
    struct plan *arp_plan; /* what has to be resolved first; NULL when nothing has */
    struct claim claim;
    struct scan_wire wires[SCAN_WIRES_MAX];
    unsigned n_wires;
    struct pcapfile *pcap;
    struct rtt rtt;
    struct rtt_table timed;
    struct seen seen;
    uint64_t arp_sent, arp_gateways, gateways_silent;
    uint64_t started_ns; /* monotonic */
    struct pass *running;          /* under progress_lock */
    _Atomic int phase; /* enum scan_phase */
    pthread_mutex_t progress_lock; /* `running` stays valid while a progress is taken */
};

enum scan_phase { PHASE_ARP, PHASE_PORTS, PHASE_LISTENING };

/* Does the user want silence listed, endpoint by endpoint? */
static inline bool pass_lists_silence(const struct pass *p) {
    return p->technique != TECHNIQUE_NEIGHBOUR &&
           (p->scan->config.show & 1u << techniques[p->technique].on[OUTCOME_SILENCE].state) != 0;
}

/* The threads' bodies; arg is a struct pass. */
void *transmit_run(void *arg);
void *receive_run(void *arg);

/* pass.c */
int pass_create(struct scan *s, enum technique_id technique, struct pass **out, struct error *e);
int pass_run(struct scan *s, struct pass *p, struct error *e); /* both threads, to the end */
void pass_free(struct pass *p);
/* The first failure or reason to end is the one that is told. */
void pass_fail(struct pass *p, int error);
void pass_end(struct pass *p, const char *why);

/* ways.c */
int ways_create_paths(struct scan *s, struct error *e); /* a path for each route; notes the wires they need */
int ways_plan_arp(struct scan *s, struct error *e);     /* what must be resolved first: on-link targets and gateways */
/* Gives each gateway's path its MAC. A silent gateway makes its targets unreachable: a note, and -EHOSTUNREACH when no
 * path is left. */
int ways_resolve_gateways(struct scan *s, struct error *e);

/* account.c */
void summary_begin(struct summary *sum, const struct scan *s);
void summary_heard(struct summary *sum, const struct counters *c); /* what came in: of every pass */
void summary_counters(struct summary *sum, const struct counters *c, enum technique_id technique);
void summary_wires(struct summary *sum, const struct scan *s);
uint64_t scan_transmitted(const struct scan *s); /* frames that the transmit handles have sent so far */
const char *scan_wire_names(const struct scan *s, char *buf, size_t n); /* "eth0,lo" */

void scan_note(const struct scan *s, const char *line);

/* Frames to the capture file and the packet trace, where asked for. */
void scan_watch(struct scan *s, enum link_type link, bool sent, const struct frame *frames, unsigned n);

#endif
