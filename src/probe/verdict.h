/* What an answer, or silence, means. */
#ifndef NOCTULE_PROBE_VERDICT_H
#define NOCTULE_PROBE_VERDICT_H

#include <stdint.h>

enum state {
    STATE_UNKNOWN,
    STATE_OPEN,
    STATE_CLOSED,
    STATE_FILTERED,
    STATE_UNFILTERED,
    STATE_OPEN_FILTERED,
    STATE_CLOSED_FILTERED,
    STATE_UP,   /* hosts: an address that answered ARP or discovery */
    STATE_DOWN,
    STATE_COUNT
};

enum reason {
    REASON_NONE,
    REASON_SYN_ACK,
    REASON_SYN,          /* simultaneous open, proven by the ACK of our SYN-ACK */
    REASON_RESET,
    REASON_NO_RESPONSE,
    REASON_NET_UNREACH,
    REASON_HOST_UNREACH,
    REASON_PROTO_UNREACH,
    REASON_PORT_UNREACH,
    REASON_NET_PROHIBITED,
    REASON_HOST_PROHIBITED,
    REASON_ADMIN_PROHIBITED,
    REASON_TIME_EXCEEDED,
    REASON_HEADER_FIELD,   /* ICMPv6 parameter problem, code 0 */
    REASON_ARP_RESPONSE,
    REASON_ND_RESPONSE,    /* neighbour advertisement (RFC 4861) */
    REASON_ECHO_REPLY,
    REASON_TIMESTAMP_REPLY,
    REASON_UDP_RESPONSE,
    REASON_PROTO_RESPONSE, /* a packet of the probed IP protocol */
    REASON_INIT_ACK,
    REASON_ABORT,
    REASON_LOCALHOST,      /* an address of this machine itself */
    REASON_RATE_LIMITED,   /* the host limits its answers, and the time for it was over: no verdict */
    REASON_OWN_PORT,     /* a port that this process claimed on its own machine: bind proved that nobody listens */
    REASON_CONN_ACCEPT,  /* connect(2) succeeded */
    REASON_CONN_REFUSED,
    REASON_COUNT
};

struct verdict {
    enum state state;
    enum reason reason;
};

/* nmap's words: "open", "open|filtered"; "syn-ack", "no-response". */
const char *state_name(enum state s);
const char *reason_name(enum reason r);
/* The state for a name, or STATE_UNKNOWN. */
enum state state_from_name(const char *name);

/* Why a probe did not arrive, by the ICMP error's type and code (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; ICMPv6:
 * RFC 4443 3.1, 3.3, 3.4). REASON_NONE: that error says nothing of it. */
enum reason reason_from_icmp(uint8_t type, uint8_t code);
enum reason reason_from_icmpv6(uint8_t type, uint8_t code);

/* How strong a verdict is: filtered 1, closed and unfiltered 2, open and up 3; 0 for what silence alone leaves open
 * (open|filtered, down). A verdict only ever yields to a stronger one. */
unsigned verdict_rank(enum state s);

#endif
