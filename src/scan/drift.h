/* Did the share of endpoints that answer fall while the scan went on? In random order it is the same all over the scan,
 * so where it has fallen, something began to swallow probes: a full connection-tracking table, a block, a link that went
 * down. Later tries do not show that, when they are swallowed as well; this does.
 *
 * The scan is kept as DRIFT_BLOCKS stretches at most, of so many chunks each that they suffice. */
#ifndef NOCTULE_SCAN_DRIFT_H
#define NOCTULE_SCAN_DRIFT_H

#include <stdint.h>

#define DRIFT_BLOCKS 64u

struct drift {
    uint64_t probed[DRIFT_BLOCKS], answered[DRIFT_BLOCKS];
    uint64_t chunks; /* so far */
    unsigned shift;  /* a block is 2^shift chunks */
};

/* The next chunk's verdicts are final: of so many endpoints that were probed, so many have answered. */
void drift_add(struct drift *d, uint64_t probed, uint64_t answered);

/* Endpoints that would have answered if the best stretch's share had held all over the scan, beyond those that did: the
 * likeliest number, and a 95 % interval. 0, 0, 0 unless chance (one in a million and more) cannot explain the fall. */
struct drift_missing {
    uint64_t likely, low, high;
};
struct drift_missing drift_missing(const struct drift *d);

#endif
