/* Where the frames of a pass leave: one outlet a wire. Either the thread that generates them sends them itself, or it
 * hands them to threads that do nothing else (--sender-threads), each with a transmit handle and, where they are several,
 * a processor of its own: a card chooses its transmit queue by the processor. */
#ifndef NOCTULE_SCAN_OUTLET_H
#define NOCTULE_SCAN_OUTLET_H

#include "scan/engine.h"

#define BOX_FRAMES (SCAN_BATCH_XDP + PROBE_PARTS_MAX)
#define BOX_STEP 64u      /* frames begin at multiples of it: a cache line */
#define BOX_BYTES 589824u /* what is to be sent: that many SYNs over IPv6, with their steps; ... */
#define BOX_SLACK 1536u    /* ... and what building the last frame may need beside it */

/* The frames of one batch for one wire. Frame i + 1 stands behind frame i, at the next BOX_STEP. */
struct box {
    struct frame frames[BOX_FRAMES];
    unsigned n;
    size_t used;
    _Alignas(BOX_STEP) uint8_t bytes[BOX_BYTES + BOX_SLACK];
};

struct outlet; /* opaque */

/* The outlet of a pass on one of its scan's wires. NULL, with errno: no memory, or no threads. */
struct outlet *outlet_open(struct pass *p, unsigned wire);

/* The box to be filled next, which is empty. */
struct box *outlet_box(struct outlet *o);

/* Sends what has been filled in, or hands it on: then it leaves within the time that the boxes before it take, of which
 * there are never more than two a thread; this waits while there are. A frame is offered until its wire takes it; a
 * second signal gives up. A wire that has died ends the pass. */
void outlet_send(struct outlet *o);

/* Returns when everything has left, and closes it. NULL does nothing. */
void outlet_close(struct outlet *o);

#endif
