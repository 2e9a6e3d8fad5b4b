/* Steers the pace of one pass by the governor (scan/govern.h): what the engine sees goes in, a rate comes out. The
 * transmitter's, but for what the receiver does with the canaries. */
#ifndef NOCTULE_SCAN_STEER_H
#define NOCTULE_SCAN_STEER_H

#include "scan/canary.h"
#include "scan/engine.h"

struct steer {
    struct govern govern;
    struct canaries canaries;
    bool natural;             /* the scan's own answers speak of the path; else hosts limit them, and only canaries do */
    uint64_t packets;         /* sent so far */
    uint64_t asked_at;        /* of them when the last canary left */
    struct ledger_tally told; /* what the governor knows of the tally */
    uint64_t lost_here;       /* what it knows of local loss */
    unsigned apart_left;      /* chunks to pass over until one is looked through for hosts that limit their answers */
};

/* The steering of a pass, which starts at start_pps; max_pps 0: no cap. NULL: no memory. */
struct steer *steer_new(struct pass *p, uint64_t max_pps, uint64_t start_pps, uint64_t now_ns);

enum steer_turn {
    STEER_STEADY,
    STEER_CHANGED, /* the rate has */
    STEER_FELL     /* so it has, since more was sent than got through: chunks have been marked rough */
};
/* So many packets have left. Whatever the governor has to know is told. */
enum steer_turn steer_run(struct pass *p, uint64_t packets, uint64_t now_ns);

/* The order had nothing to send. */
void steer_idle(struct pass *p, uint64_t now_ns);

/* Outputs are behind, and nothing may be sent. */
void steer_pressed(struct pass *p, uint64_t now_ns);

/* Is a canary due? Its index, then; it is to leave with this batch. */
bool steer_canary(struct pass *p, uint64_t now_ns, uint64_t *index);

#endif
