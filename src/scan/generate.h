/* From positions to frames: order, plan, path, cookie and template, for a run of positions at a time, so that the
 * latencies of each step overlap. Of the transmit thread. */
#ifndef NOCTULE_SCAN_GENERATE_H
#define NOCTULE_SCAN_GENERATE_H

#include "probe/stamp.h"
#include "scan/engine.h"
#include "scan/outlet.h"

#define GENERATE_RUN 64u    /* positions */
#define GENERATE_STAMPS 16u /* templates that are kept, with what waits for them; a power of two */

/* Endpoints whose frames come from one template. */
struct stamping {
    const struct path *path; /* NULL: not in use */
    unsigned technique, tried;
    bool v4, alike;          /* the latter: a template serves */
    struct stamp stamp;
    unsigned n;
    struct endpoint waiting[GENERATE_RUN];
};

struct generator {
    struct pass *pass;
    struct outlet *outlets[SCAN_WIRES_MAX];
    unsigned built;        /* frames in all boxes */
    uint64_t bits;         /* their size on the wire */
    const struct route_range *range; /* of the latest endpoint */
    unsigned parts_max;    /* packets of one probe at most, and ... */
    size_t bytes_max;      /* ... their bytes in a box */
    uint64_t sample_every; /* one probe in so many is timed ... */
    uint64_t until_sample;
    uint64_t all_timed;    /* ... after the first so many, so that a small scan with few answers still learns */
    struct {
        uint64_t position;
        unsigned tried;
    } samples[BOX_FRAMES];
    unsigned n_samples;
    struct stamping stampings[GENERATE_STAMPS];
};

/* Opens the outlets of a pass. Returns 0, or a negative errno; generator_deinit() is due in either case. */
int generator_init(struct generator *g, struct pass *p);
/* Returns when all frames that were sent have left. */
void generator_deinit(struct generator *g);

/* How many positions to go on with, if `frames` more may be built: none of the boxes will be too small. */
unsigned generator_room(const struct generator *g, unsigned frames);

/* Builds the probes to a run of positions that the ledger has just handed out, but for those that are settled without
 * one. There is room for them. */
void generator_run(struct generator *g, const struct ledger_work *work);

/* Builds what is asked beside the order, as the last try: one packet, the probe's first. False: there is none. There is
 * room for it. */
bool generator_again(struct generator *g, uint64_t index);

/* Sends all boxes; nothing happens if they are empty. Probes to be timed are timed just before. */
void generator_send(struct generator *g);

#endif
