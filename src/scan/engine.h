/* Inside of the engine: what its threads share. Nothing outside src/scan includes this. */
#ifndef NOCTULE_SCAN_ENGINE_H
#define NOCTULE_SCAN_ENGINE_H

#include <pthread.h>
#include <stdio.h>

#include "plan/order.h"
#include "probe/probe.h"
#include "probe/reply.h"
#include "scan/estimate.h"
#include "scan/ledger.h"
#include "scan/pace.h"
#include "scan/park.h"
#include "scan/path.h"
#include "scan/rtt.h"
#include "scan/scan.h"
#include "scan/seen.h"
#include "wire/claim.h"
#include "wire/pcapfile.h"
#include "wire/wire.h"

#define SCAN_WIRES_MAX 8u
/* Frames of one send call. By XDP each call leaves the kernel a pool of pages to tidy up, whose price rises with the number
 * of those that it still has to: calls are to be few. */
#define SCAN_BATCH_XDP 4096u
#define SCAN_BATCH_USUAL 512u

/* Counters of one pass. Each is written by one thread and read by any, so they are relaxed atomics. */
struct counters {
    _Atomic uint64_t sent_at_try[SUMMARY_TRIES_MAX];
    _Atomic uint64_t settled_closed, settled_down, settled_up, settled_unreachable; /* positions without a probe */
    _Atomic uint64_t silent[STATE_COUNT]; /* given up without an answer, by what that means */
    _Atomic uint64_t undecided;           /* parked, and the time was over */
    _Atomic uint64_t canaries;            /* sent */
    _Atomic uint64_t rate_pps;            /* --rate auto: now */
    _Atomic bool rate_blind;
    _Atomic uint64_t sink_waits_ns, window_waits_ns;
    _Atomic uint64_t batch; /* largest number of frames of one send call */
    /* the receiver's */
    _Atomic uint64_t first_by_state[STATE_COUNT]; /* endpoints by their present state */
    _Atomic uint64_t answered_at_try[SUMMARY_TRIES_MAX];
    _Atomic uint64_t answered_unknown_try, answered_parked;
    _Atomic uint64_t received, duplicates, late, revised, resets;
    _Atomic uint64_t late_found[STATE_COUNT]; /* open or up after its silence was final, by what that silence meant */
    _Atomic uint64_t drops; /* of all wires, as last read ... */
    _Atomic uint64_t ring_dropped; /* ... and those of them that our own rings had no room for */
    _Atomic uint64_t ignored[IGNORED_COUNT];
};

static inline void count(_Atomic uint64_t *counter, uint64_t n) {
    /* One writer each, so no locked instruction is needed. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t counted(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* A transmit handle. */
struct scan_sender {
    struct wire *wire;
    int cpu; /* the processor that its thread is bound to; -1: any */
};

struct scan_wire {
    const char *name;
    int ifindex;
    enum link_type link;
    bool loopback;
    uint8_t mac[MAC_LEN];         /* what our frames come from */
    addr_t borrowed[2];           /* sources (v4, v6) that are ours for this scan only: we answer for them; or 0 */
    struct wire *receive;
    struct scan_sender transmit[SCAN_SENDERS_MAX];
    unsigned n_transmit;          /* 1, or one a sender thread */
    const struct wire_ops *ops;   /* of all of them */
};

struct steer; /* steer.h */

enum pass_kind {
    PASS_NEIGHBOURS, /* ARP and neighbour discovery: link addresses of gateways and on-link targets */
    PASS_DISCOVERY,  /* pings: which addresses the ports pass is about */
    PASS_PORTS,      /* what the user asked for; also where that is pings */
};

/* One walk over one plan with one ledger. */
struct pass {
    struct scan *scan;
    enum pass_kind kind;
    const struct plan *plan;
    const struct path_map *paths;
    uint32_t techniques; /* of the plan's slots: bit 1 << technique */
    struct order order;
    struct shard shard;
    struct ledger ledger;
    struct pace pace;
    uint64_t started_ns; /* monotonic */
    struct counters counters;
    uint64_t timeout_max_ns;
    bool errors_limited;        /* closed is told by ICMP errors, of which hosts send few */
    double miss;                /* with --retries auto: what may stay unseen; 0: the number of re-probes is fixed */
    struct array up[2];         /* addr_t: addresses that answered, of the receiver and of the transmitter; discovery */
    struct seen seen;           /* which of its endpoints were found open, or up */
    struct lot *lot;            /* parked hosts; NULL where no technique of the plan can need it */
    struct steer *steer;        /* --rate auto; NULL: the rate is fixed */
    _Atomic uint64_t silence_listed; /* chunks whose silence has been handed to the report */
    /* What is said once to the other thread. */
    _Atomic int sent_all;          /* the transmitter is done and W has passed its last timeout */
    _Atomic int failed;            /* negative errno of the first wire or sink that died */
    const char *_Atomic ended;     /* why it ended, when not complete */
};

/* Addresses to resolve on the links they stand on. */
struct neighbourhood {
    struct plan *plan; /* NULL: nothing */
    struct path_map paths;
    uint64_t gateways; /* of them, beside the targets */
};

struct scan {
    struct scan_config config;
    struct probe_config probe;
    struct route_map routes;
    struct path_map paths;
    struct neighbourhood links, own; /* what has to be resolved first; and borrowed sources, which must be nobody's */
    struct neighbours neighbours;
    struct plan *discovery_plan, *alive_plan; /* --alive: all addresses as pings; what is left of the user's plan */
    uint32_t techniques; /* of all passes but the neighbours': bit 1 << technique */
    struct wire_protocols protocols; /* that -sO asks for */
    struct claim claim;
    struct scan_wire wires[SCAN_WIRES_MAX];
    unsigned n_wires;
    unsigned batch_max;           /* frames of one send call at most */
    struct pcapfile *pcap;
    struct rtt rtt;
    struct rtt_table timed;
    uint64_t gateways_silent;
    uint64_t neighbour_sent, ping_sent; /* frames of those passes */
    bool loopback;                      /* nothing of this scan leaves the machine */
    uint64_t learnt_pps;                /* --rate auto: what the last pass ended with; 0: none has */
    uint64_t started_ns; /* monotonic */
    struct pass *running;          /* under progress_lock */
    _Atomic int phase; /* enum scan_phase */
    pthread_mutex_t progress_lock; /* `running` stays valid while a progress is taken */
};

enum scan_phase { PHASE_NEIGHBOURS, PHASE_DISCOVERY, PHASE_PORTS, PHASE_LISTENING };

/* What silence means for one endpoint. */
static inline struct verdict silence_of(const struct slot *slot) {
    return techniques[slot->technique].on[OUTCOME_SILENCE];
}

/* Does the user want silence listed, endpoint by endpoint? */
static inline bool pass_lists_silence(const struct pass *p) {
    for (uint32_t left = p->techniques; left != 0 && p->kind == PASS_PORTS; left &= left - 1)
        if (p->scan->config.show & 1u << techniques[__builtin_ctz(left)].on[OUTCOME_SILENCE].state)
            return true;
    return false;
}

/* The threads' bodies; arg is a struct pass. */
void *transmit_run(void *arg);
void *receive_run(void *arg);

/* pass.c */
int pass_create(struct scan *s, enum pass_kind kind, const struct plan *plan, const struct path_map *paths,
                struct pass **out, struct error *e);
int pass_run(struct scan *s, struct pass *p, struct error *e); /* both threads, to the end */
void pass_free(struct pass *p);
uint64_t pass_rate(const struct pass *p); /* 1/1000 packets a second: fixed, or the cap; 0: none */
/* What the tries have brought, for estimate.h. The transmitter's, or anybody's when the pass is over. */
void pass_counts(const struct pass *p, struct estimate_counts *out);
/* The first failure or reason to end is the one that is told. */
void pass_fail(struct pass *p, int error);
void pass_end(struct pass *p, const char *why);

/* probes.c */
int probes_prepare(struct scan *s, struct error *e); /* the cookie key, and source ports for each technique, claimed */

/* ways.c */
int ways_create_paths(struct scan *s, struct error *e); /* a path for each route; notes the wires they need */
int ways_plan_neighbours(struct scan *s, struct error *e); /* what must be resolved first: fills s->links and s->own */
/* -ENOTUNIQ with a line where somebody on the link answered for a source address that we wanted to borrow. */
int ways_check_own(const struct scan *s, struct error *e);
/* Gives each gateway's path its MAC. A silent gateway makes its targets unreachable: a note, and -EHOSTUNREACH when no
 * path is left. */
int ways_resolve_gateways(struct scan *s, struct error *e);
/* Probes that no path's MTU holds: -EMSGSIZE with a line. */
int ways_check_mtu(const struct scan *s, struct error *e);

/* account.c */
void summary_begin(struct summary *sum, const struct scan *s);
void summary_heard(struct summary *sum, const struct counters *c); /* what came in: of every pass */
void summary_counters(struct summary *sum, const struct counters *c);
void summary_missed(struct summary *sum, const struct pass *p);
void summary_rate(struct summary *sum, const struct pass *p);
void summary_wires(struct summary *sum, const struct scan *s);
uint64_t scan_transmitted(const struct scan *s); /* frames that the transmit handles have sent so far */
const char *scan_wire_names(const struct scan *s, char *buf, size_t n); /* "eth0,lo" */

void scan_note(const struct scan *s, const char *line);

/* Frames to the capture file and the packet trace, where asked for. */
void scan_watch(struct scan *s, enum link_type link, bool sent, const struct frame *frames, unsigned n);

#endif
