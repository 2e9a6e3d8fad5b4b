/* The technique table: what a probe looks like, and what each kind of answer, or silence, means. */
#ifndef NOCTULE_PROBE_TECHNIQUE_H
#define NOCTULE_PROBE_TECHNIQUE_H

#include <stdint.h>

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
    uint8_t ip_proto;   /* of its probes; 0 for those that are no IP packets */
    uint8_t tcp_flags;
    /* What each outcome means; STATE_UNKNOWN for one that this technique's probes cannot have. */
    struct verdict on_syn_ack;
    struct verdict on_ack; /* with the cookie, but neither SYN nor RST */
    struct verdict on_reset;
    struct verdict on_silence;
};

extern const struct technique techniques[TECHNIQUE_COUNT];

#endif
