/* The technique table: what a probe looks like, and what each kind of answer, or silence, means. */
#ifndef NOCTULE_PROBE_TECHNIQUE_H
#define NOCTULE_PROBE_TECHNIQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/verdict.h"

/* The order is that of slots within an address (struct slot), and so part of what a seed stands for. */
enum technique_id {
    TECHNIQUE_SYN,
    TECHNIQUE_CONNECT, /* connect(2): the kernel builds its probes */
    TECHNIQUE_FIN,
    TECHNIQUE_NULL,
    TECHNIQUE_XMAS,
    TECHNIQUE_MAIMON,
    TECHNIQUE_ACK,
    TECHNIQUE_WINDOW,
    TECHNIQUE_UDP,
    TECHNIQUE_SCTP_INIT,
    TECHNIQUE_SCTP_COOKIE,
    TECHNIQUE_PROTOCOL,  /* the slot's port is an IP protocol number, 0..255 */
    TECHNIQUE_PING,      /* host discovery; one slot an address, port 0; its probe is several packets */
    TECHNIQUE_NEIGHBOUR, /* ARP or neighbour discovery; one slot an address, port 0 */
    TECHNIQUE_COUNT
};

/* What may come of a probe. */
enum outcome {
    OUTCOME_SILENCE,
    OUTCOME_SYN_ACK,        /* TCP with the cookie: SYN and ACK */
    OUTCOME_ACK,            /* neither SYN nor RST: the end of a simultaneous open (RFC 9293 3.5) */
    OUTCOME_RESET,          /* RST, window 0 */
    OUTCOME_RESET_WINDOW,   /* RST, window above 0 */
    OUTCOME_UDP,            /* a UDP packet from the probed port */
    OUTCOME_INIT_ACK,       /* SCTP */
    OUTCOME_ABORT,
    OUTCOME_PROTOCOL,       /* a packet of the probed IP protocol */
    OUTCOME_ECHO,           /* ICMP echo reply */
    OUTCOME_TIMESTAMP,      /* ICMP timestamp reply */
    OUTCOME_NEIGHBOUR,      /* ARP reply, neighbour advertisement */
    OUTCOME_PORT_UNREACH,   /* ICMP errors, from the target itself: port unreachable */
    OUTCOME_PROTO_UNREACH,  /* protocol unreachable; ICMPv6: next header not recognised */
    OUTCOME_HEADER_FIELD,   /* ICMPv6 parameter problem, code 0: the protocol's own header was read */
    OUTCOME_TARGET_ERROR,   /* any other error that says why a probe did not arrive, from the target itself ... */
    OUTCOME_ICMP_ERROR,     /* ... and from somebody on the way; the reason is the error's own */
    OUTCOME_COUNT
};

struct technique {
    const char *option;  /* "-sS"; NULL where no option names it */
    const char *name;    /* "syn" */
    const char *proto;   /* "tcp"; as findings say it */
    uint8_t ip_proto;    /* of its probes; 0 where they are of several, or no IP packets */
    uint8_t tcp_flags;   /* of a TCP technique's probe */
    bool built;          /* probe_build() makes its frames */
    bool host;           /* its verdicts are about an address, not a port */
    /* STATE_UNKNOWN: this technique's probes cannot have that outcome. REASON_NONE: the ICMP error's own reason. */
    struct verdict on[OUTCOME_COUNT];
};

extern const struct technique techniques[TECHNIQUE_COUNT];

/* Is a closed endpoint told by an ICMP error? Hosts send few of those a second (RFC 1812 4.3.2.8). */
static inline bool technique_closed_by_error(unsigned id) {
    const struct verdict *on = techniques[id].on;
    return on[OUTCOME_PORT_UNREACH].state == STATE_CLOSED || on[OUTCOME_PROTO_UNREACH].state == STATE_CLOSED;
}

#endif
