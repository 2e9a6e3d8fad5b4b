/* Pacing: a virtual schedule in fixed point, so that the count of units sent never drifts from rate x time, from 0.1
 * units a second to the wire's limit (generic cell rate algorithm, ITU-T I.371). A unit is a packet, or a bit with -B. */
#ifndef NOCTULE_SCAN_PACE_H
#define NOCTULE_SCAN_PACE_H

#include <stdint.h>

#define PACE_CREDIT_NS UINT64_C(5000000) /* what a thread that was held up may catch up with: 5 ms, or one frame */

__extension__ typedef unsigned __int128 pace_time; /* ns x 2^32, so that 10 ns periods keep 10 digits */

struct pace {
    pace_time period; /* of one unit; 0 = no cap */
    pace_time next;   /* when the next unit may leave */
};

/* milli_rate: 1/1000 units a second; 0 = no cap. */
void pace_init(struct pace *p, uint64_t milli_rate, uint64_t now_ns);

/* From now on so many units a second; the schedule goes on from where it stands. */
void pace_set(struct pace *p, uint64_t milli_rate);

/* How many frames of `cost` units each may leave now, at most max. */
unsigned pace_allow(struct pace *p, uint64_t now_ns, uint64_t cost, unsigned max);

/* So many units have left. */
void pace_spend(struct pace *p, uint64_t units);

/* When n frames of `cost` units may leave at once (monotonic ns); 0 with no cap. n frames must be worth less than the
 * credit, or pace_allow() would never allow them together. */
uint64_t pace_when(const struct pace *p, uint64_t cost, unsigned n);

#endif
