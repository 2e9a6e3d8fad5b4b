/* Where packets to a target leave: interface, source address, next hop; all of it asked from the kernel. */
#ifndef NOCTULE_WIRE_ROUTE_H
#define NOCTULE_WIRE_ROUTE_H

#include <net/if.h>

#include "base/addr.h"
#include "base/error.h"
#include "wire/link.h"

/* One way out. Hops are unique within a map; ranges point to them by index. */
struct hop {
    int ifindex;
    char ifname[IF_NAMESIZE];
    enum link_type link;
    bool loopback;        /* leaves through lo */
    bool local;           /* the destination is an address of this machine */
    bool on_link;         /* no gateway: the destination itself must be resolved (Ethernet only) */
    bool unreachable;     /* the kernel has no route; nothing is sent */
    addr_t source;        /* our address; for local destinations 0: the destination itself is the source */
    addr_t gateway;       /* 0 when on_link, local or link has no addresses */
    uint8_t mac[MAC_LEN]; /* our interface's */
    unsigned mtu;         /* bytes of IP packet */
};

struct route_range {
    struct addr_range range;
    unsigned hop; /* index into hops */
};

struct route_map {
    struct route_range *ranges; /* ascending, disjoint, covering exactly the ranges asked for */
    size_t n_ranges;
    struct hop *hops;
    size_t n_hops;
};

#define ROUTE_MAP_INIT ((struct route_map){.ranges = NULL})
#define ROUTE_SEGMENTS_MAX (1u << 20)

struct route_options {
    const char *ifname; /* -e: only this interface, or NULL */
    addr_t source;      /* -S: one of this machine's own addresses, or 0 */
};

/* Resolves every given range. The FIB dump gives the boundaries, one RTM_GETROUTE a segment gives the answer, so
 * policy rules, metrics and multipath hold as for any local packet. Negative errno with a line on failure (-ENETUNREACH
 * only when no address at all has a way out). */
int route_resolve(const struct addr_range *ranges, size_t n, const struct route_options *options, struct route_map *out,
                  struct error *e);
void route_map_deinit(struct route_map *m);

/* The hop for one address of the map; NULL when the address is not in it. O(log ranges). */
const struct hop *route_find(const struct route_map *m, addr_t a);

#endif
