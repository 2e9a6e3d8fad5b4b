/* Two questions to the kernel's routing: where may its answer change, and what is it for one destination. */
#ifndef NOCTULE_WIRE_FIB_H
#define NOCTULE_WIRE_FIB_H

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"

struct nl_sock;

/* What a lookup is bound to, as a socket would be. */
struct fib_from {
    int ifindex;   /* 0: any interface */
    addr_t source; /* 0: any source; else of the destination's family */
};

struct fib_answer {
    unsigned type;  /* RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST ... of rtnetlink(7) */
    int ifindex;    /* where it leaves */
    addr_t source;  /* the one that was given, or what the kernel would use; 0 when it has none */
    addr_t gateway; /* 0 when there is none; may be IPv6 for an IPv4 destination (RFC 5549) */
};

/* Adds to `starts` (of addr_t) the first address of each prefix of that family (AF_INET, AF_INET6) in any routing table
 * or rule, and the first address behind it (0 behind the last of all), in no order and without zones. Between two
 * neighbouring ones the kernel's answer is the same. Negative errno with a line; -E2BIG when the array is full. */
int fib_boundaries(struct nl_sock *nl, int family, struct array *starts, struct error *e);

/* Asks how a packet of this machine would reach `to`. Zones of `to` and the source are left aside (bind to the
 * interface instead); link-local addresses of the answer have theirs. Returns 0; 1 when the kernel has no way for it
 * (no route, blackhole, prohibited ...); or a negative errno when it could not be asked. */
int fib_lookup(struct nl_sock *nl, addr_t to, const struct fib_from *from, struct fib_answer *out);

#endif
