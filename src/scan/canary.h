/* Canaries: endpoints known to answer, asked again now and then. What share of them still answers says how much of what
 * is sent gets through, where natural answers are too few to tell (scan/govern.h).
 *
 * A pool of at most CANARIES_MAX, each in the place that its index hashes to, so that both threads find it at once. One
 * that the receiver offers is asked by the transmitter, once at a time: KNOWN -> ASKED -> (ANSWERED) -> KNOWN. One that
 * stays silent again and again, while others answer, has gone, and its place is free. */
#ifndef NOCTULE_SCAN_CANARY_H
#define NOCTULE_SCAN_CANARY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "scan/govern.h"

#define CANARIES_BITS 8u
#define CANARIES_MAX (1u << CANARIES_BITS)

enum canary_stage { CANARY_FREE, CANARY_KNOWN, CANARY_ASKED, CANARY_ANSWERED };

struct canary {
    _Atomic int stage;
    _Atomic uint64_t index;
    uint64_t asked_ns; /* transmitter's */
    unsigned silent;   /* transmitter's: times in a row ... */
    uint64_t heard;    /* ... since so many of all canaries had answered */
};

struct canaries {
    struct canary at[CANARIES_MAX];
    _Atomic unsigned known; /* places that are not free */
    unsigned next;          /* transmitter's: where it looks first */
    unsigned asked;         /* transmitter's: on their way */
    uint64_t heard;         /* transmitter's: answers so far */
};

/* -- receiver -- */

/* An endpoint has answered, and would do so again. */
void canaries_offer(struct canaries *c, uint64_t index);
/* A further answer of an endpoint: was it asked as a canary? */
bool canaries_answered(struct canaries *c, uint64_t index);

/* -- transmitter -- */

/* The next canary to ask; its probe leaves about now_ns. False: none is free to be asked. */
bool canaries_ask(struct canaries *c, uint64_t now_ns, uint64_t *index);
/* Tells the governor of those whose answer is in, or whose timeout has passed by the watermark. */
void canaries_settle(struct canaries *c, uint64_t watermark_ns, uint64_t timeout_ns, struct govern *g);

#endif
