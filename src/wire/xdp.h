/* The XDP wire: it receives replies by AF_XDP behind an XDP program, and transmits by zero-copy AF_XDP where the driver
 * can, else by injection (xdp_transmit.h). Fast, but it changes something on the machine while it is open: our XDP
 * program runs on the interface, for which some cards restart. Wants Ethernet with native XDP, the capabilities
 * CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON, and Linux 5.18.
 *
 * The program takes whole TCP, UDP and SCTP packets to our ports at this machine's addresses. All else goes the way of
 * the packet wire, of which each handle has one within: nothing that that one receives is missed here. A frame taken by
 * the program bears the time at which it was read, and the tag of another VLAN does not show on cards that strip it. */
#ifndef NOCTULE_WIRE_XDP_H
#define NOCTULE_WIRE_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/wire.h"

extern const struct wire_ops wire_xdp_ops;

enum xdp_answer { XDP_ANSWER_NO, XDP_ANSWER_YES, XDP_ANSWER_UNKNOWN };

/* What is to be said of an interface before anything is attached to it. */
struct wire_xdp_report {
    char driver[32];
    unsigned queues;               /* receive queues */
    bool is_virtual;               /* veth or tap: a software link */
    enum xdp_answer native;        /* runs XDP programs natively, and AF_XDP */
    enum xdp_answer zerocopy;      /* of the driver; a queue may refuse it yet */
    enum xdp_answer inject;        /* transmits injected frames; UNKNOWN: only an attached program would show */
    uint32_t other_program;        /* id of the XDP program that is attached now, or 0 */
    struct error refusal;          /* why the wire cannot be opened there, as far as can be told, or "" */
};

/* Changes nothing. Returns 0, -ENODEV, or another negative errno. */
int wire_xdp_probe(const char *ifname, struct wire_xdp_report *out);

#endif
