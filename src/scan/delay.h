/* How long round trips take, and whether they have become longer than their usual wavering explains: where a queue fills
 * on the way, that shows before it overflows. Part of the governor (scan/govern.h). Times in ns. */
#ifndef NOCTULE_SCAN_DELAY_H
#define NOCTULE_SCAN_DELAY_H

#include <stdbool.h>
#include <stdint.h>

struct delay {
    double now, usual; /* smoothed over the last moments, and over the last while without a queue; 0: not known yet */
    double wavers;     /* the mean difference of the two */
};

/* A decision later, the round-trip time is this; 0: none has been measured yet. */
void delay_follow(struct delay *d, uint64_t rtt_ns);

bool delay_has_grown(const struct delay *d);

#endif
