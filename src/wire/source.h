/* The source address that the user asked for (-S), checked: one of this machine's own, or one that stands free in a
 * network on an Ethernet link of this machine. Everything else would be spoofing. */
#ifndef NOCTULE_WIRE_SOURCE_H
#define NOCTULE_WIRE_SOURCE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/error.h"

struct nl_sock;

struct source {
    addr_t addr;  /* 0: the kernel's choice for each target */
    int borrowed; /* the interface on whose network it is free; 0: it is this machine's own */
};

/* Checks `wanted` (a link-local one with its zone), bound to an interface where ifindex is not 0. Whether a free
 * address is really free only the network knows. The first and last address of a network are no host's (RFC 1122
 * 3.2.1.3, RFC 4291 2.6.1; but RFC 3021, RFC 6164). Errors, with a line: -EADDRNOTAVAIL; other negative errno when the
 * kernel could not be asked. */
int source_check(struct nl_sock *nl, addr_t wanted, int ifindex, struct source *out, struct error *e);

/* Is that the address of a loopback interface, by its number (127.0.0.0/8, ::1)? */
bool source_is_loopback(addr_t a);

#endif
