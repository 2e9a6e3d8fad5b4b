/* The governor: decides the sending rate of --rate auto. docs/rate.md has the law, its sources and why it is stable.
 *
 * In random order the share of first tries that are answered is the same all over the scan, so a share that falls when
 * the rate rises was lost by the rate. The governor keeps what was answered at each rate (scan/curve.h), raises the
 * rate step by step, and takes a step for good, or back, only when a sequential test says so. After a fall that it did
 * not cause by a step it sends less than what arrived; if the share comes back, the rate did it; if not, the path did,
 * and the rate returns to what it was.
 *
 * Pure: no clock, no I/O, no memory but its own. Times are monotonic ns. One thread uses it: the transmitter. */
#ifndef NOCTULE_SCAN_GOVERN_H
#define NOCTULE_SCAN_GOVERN_H

#include <stdbool.h>
#include <stdint.h>

#include "scan/curve.h"
#include "scan/delay.h"

#define GOVERN_START_PPS 2000u     /* the first rate: about 1 Mbit/s of SYNs */
#define GOVERN_FLOOR_PPS 100u      /* never slower than this, unless the cap is */
#define GOVERN_CANARY_EVERY 100u   /* at most one packet in so many is a canary */
#define RATE_UNCAPPED UINT64_C(100000000) /* packets a second that no wire has */
#define GOVERN_TICK_NS UINT64_C(25000000) /* between two decisions */

/* Where answers come from. Each kind has a share of its own. */
enum govern_stream {
    GOVERN_NATURAL, /* first tries of the scan itself */
    GOVERN_CANARY,  /* probes to endpoints known to answer */
    GOVERN_STREAMS
};
_Static_assert(GOVERN_STREAMS == CURVE_STREAMS, "a curve holds each stream");

enum govern_phase {
    GOVERN_LEARN, /* first answers, at the first rate */
    GOVERN_CLIMB, /* testing whether a higher rate is as good */
    GOVERN_HOLD,  /* at the rate believed to be the best, or at the cap */
    GOVERN_TRIAL, /* after a fall: was it the rate, or the path? */
    GOVERN_DIP    /* a short time slower: would fewer packets be lost? */
};

/* Why the rate is what it is; the latest cause. */
enum govern_cause {
    GOVERN_CAUSE_START,   /* still climbing from the first rate */
    GOVERN_CAUSE_CAP,     /* --max-rate */
    GOVERN_CAUSE_PATH,    /* more than this is lost on the way */
    GOVERN_CAUSE_SHUT,    /* answers (nearly) stopped: a full connection-tracking table, an outage, or a block */
    GOVERN_CAUSE_LOCAL,   /* this machine lost packets: a full ring, refused sends, outputs that are behind */
    GOVERN_CAUSE_SENDER   /* this machine cannot send faster */
};

/* A sequential test (Page's CUSUM): what was sent since the evidence was last against a change. */
struct govern_watch {
    struct tally count[GOVERN_STREAMS];
    double packets, load; /* of both streams: how many, and the sum of the rates they were sent at */
    uint64_t first_ns, last_ns; /* when the first and the last of them left */
};

#define GOVERN_WATCHES 4u  /* falls by 90, 50, 15 and 5 % are watched for */
#define GOVERN_EPOCHS 64u

struct govern {
    double rate, cap, floor; /* packets a second */
    enum govern_phase phase;
    enum govern_cause cause;
    uint64_t next_ns;  /* of the next decision */
    uint64_t since_ns; /* what was sent before is of no interest any more */

    struct curve curve; /* what is known of the path as it is ... */
    struct curve old;   /* TRIAL: ... and as it was before the fall */
    struct tally known[GOVERN_STREAMS]; /* sent no faster than now */
    struct tally usual[GOVERN_STREAMS]; /* what the watches compare with */
    struct tally epoch[GOVERN_STREAMS];    /* sent at the present rate */
    uint64_t first_ns, last_ns;                   /* what `epoch` covers; 0, 0: nothing */
    struct tally bins[2];                  /* the last and the present stretch of first tries, for the noise */
    struct govern_watch falls[GOVERN_WATCHES], rise;
    double noise; /* variance of the answers beside that of independent ones, >= 1 */

    struct {
        uint64_t start_ns;
        double rate;   /* as ordered ... */
        double actual; /* ... and as sent, where that is known to be less */
    } epochs[GOVERN_EPOCHS];
    unsigned n_epochs; /* the latest is [(n_epochs - 1) % GOVERN_EPOCHS] */
    uint64_t span_ns, span_packets; /* when it was last looked how fast packets really leave, and how many had left */

    double step;           /* the next rise of the rate, relative */
    uint64_t hold_until_ns;
    double good;           /* CLIMB, TRIAL: the rate that the last step began at; 0: not known to be good */
    double before_fall;    /* the rate when the share last fell */
    double before, ratio;  /* TRIAL, DIP: the rate before, and the share then beside the usual one */
    double ceiling;        /* what arrived when the share last fell; 0: no fall yet */
    uint64_t ceiling_ns, ceiling_for_ns; /* when that was, and how long it binds climbing without a signal */
    uint64_t climb_ns;     /* when the first step of this climb began */
    uint64_t dip_ns, dip_wait_ns;
    uint64_t shut_ns;      /* when answers stopped; 0: they have not */

    uint64_t local_ns;     /* of the last cut by local loss; 0: none */
    uint64_t rtt_ns, timeout_ns; /* as last told */
    struct delay delay;
    double rtt_at_drain, drain_before; /* when a queue was last drained: the round trips, and the rate before */
    uint64_t drain_ns;
    unsigned drains;
    unsigned canaries;     /* known endpoints */
    double confirmed_sent, confirmed_lost; /* endpoints seen at some try; those that the first missed */
    uint64_t packets;      /* sent, as last told */
    uint64_t decay_ns;
    uint64_t falls_total, path_falls, local_cuts, dips;
    bool bottomless; /* the lowest rate tried was too much */
    bool undecided; /* the last step was given up without a verdict */
    bool blind;
};

/* max_pps: --max-rate; 0: no cap. start_pps: the first rate, GOVERN_START_PPS unless more is known; at most the cap. */
void govern_init(struct govern *g, uint64_t max_pps, uint64_t start_pps, uint64_t now_ns);

/* -- what the engine tells -- */

/* `sent` probes of that stream left between begin_ns and end_ns, and `answered` of them were answered before their
 * timeout. Told once for every probe, when its timeout has passed by the watermark; in any order, in any portions; a
 * chunk is a good one. Probes to hosts that limit their answers are better left out. */
void govern_sample(struct govern *g, enum govern_stream stream, uint64_t begin_ns, uint64_t end_ns, uint64_t sent,
                   uint64_t answered);
/* Endpoints answered by their first try, and by a later one after the first was lost. For dips and for the view. */
void govern_confirm(struct govern *g, uint64_t by_first, uint64_t by_later);
/* This machine itself lost packets (ring overrun, refused sends) or its outputs are behind. Slows down at once. */
void govern_local_loss(struct govern *g, uint64_t now_ns);
/* There was nothing to send for a while, until now_ns; packets: as for govern_step(). */
void govern_idle(struct govern *g, uint64_t now_ns, uint64_t packets);
/* The smoothed round-trip time (0: none measured yet) and the timeout in force after a first try. */
void govern_times(struct govern *g, uint64_t rtt_ns, uint64_t timeout_ns);
/* How many endpoints could be canaries. */
void govern_canaries(struct govern *g, unsigned known);

/* -- what it decides -- */

/* Decides, at most every GOVERN_TICK_NS; cheap before. packets: all that have left so far, of any kind. True: the rate
 * has changed. */
bool govern_step(struct govern *g, uint64_t now_ns, uint64_t packets);

/* When govern_step() has something to do next. */
static inline uint64_t govern_next_ns(const struct govern *g) {
    return g->next_ns;
}

/* The rate in 1/1000 packets a second; 0 with no cap is never returned: there is always a rate. */
uint64_t govern_milli_pps(const struct govern *g);

/* One packet in so many should be a canary now; 0: none is needed, or none is known. */
unsigned govern_canary_every(const struct govern *g);

/* For the progress line and the summary. */
struct govern_view {
    enum govern_phase phase;
    enum govern_cause cause;
    double rate_pps;
    double path_pps;  /* what the path carries, as measured when the share last fell; 0: never met a limit */
    double loss;      /* share of first tries that the path lost, by later tries; negative: not known yet */
    bool blind;       /* too few answers to tell anything, and no canaries: it climbs by time */
    uint64_t falls;       /* how often the rate was too much */
    uint64_t path_falls;  /* how often the path became worse by itself */
    uint64_t local_cuts;  /* how often this machine could not keep up */
};
void govern_look(const struct govern *g, struct govern_view *v);

#endif
