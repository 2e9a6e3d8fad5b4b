/* The technique table: what a probe looks like, and what each kind of answer, or silence, means. */
#ifndef NOCTULE_PROBE_TECHNIQUE_H
#define NOCTULE_PROBE_TECHNIQUE_H

#include <stdbool.h>

#include "probe/verdict.h"

enum technique_id {
    TECHNIQUE_SYN,
    TECHNIQUE_ARP, /* one slot an address, port 0 */
    TECHNIQUE_COUNT
};

struct technique {
    const char *option; /* "-sS"; NULL for passes no option names */
    const char *name;   /* "syn" */
    const char *proto;  /* "tcp"; as findings say it */
    uint8_t tcp_flags;
    struct verdict on_silence;
};

extern const struct technique techniques[TECHNIQUE_COUNT];

#endif
