/* Where packets to a target leave: interface, source address, next hop; all of it asked from the kernel, for both
 * families. Link-local IPv6 addresses carry their zone (base/addr.h), as do sources and gateways that are such. */
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
    bool source_borrowed; /* -S is no address of this machine: who asks for it must be answered (ARP, ND) */
    bool unreachable;     /* no route, or one on which nothing can arrive; nothing is sent, and all else here is 0 */
    addr_t source;        /* our address; 0 for a local destination (it is its own source) unless -S gave one */
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
    const char *ifname;  /* -e: only this interface, or NULL */
    /* -S, one a family, or 0: an address of this machine; or one inside a prefix that is on link at an Ethernet
     * interface, which is then borrowed (that nobody else has it is for the caller to find out). Anything else is
     * refused as spoofing. With a borrowed source only what leaves by its interface is reachable. */
    addr_t source_v4, source_v6;
};

/* Resolves the given ranges (ascending, disjoint; both families). The FIB dump gives the boundaries, one RTM_GETROUTE a
 * segment gives the answer, so policy rules, metrics and source hints hold as for any local packet; of several paths
 * (multipath) a segment takes that of its first address. Unreachable are: no route, blackhole and the like, broadcast
 * and multicast, 0.0.0.0 and ::, loopback addresses through another interface, what leads to an interface without
 * carrier, and what a link-local or borrowed source does not reach. -e leaves only routes that name the interface; it
 * makes none. A range of link-local addresses lies in one zone, given or that of -e; of a wider range, the link-local
 * part is unreachable. Negative errno with a line on failure: -ENETUNREACH only when no address at all has a way out;
 * -ENODEV, -ENETDOWN for ifname; -EADDRNOTAVAIL for a source that would be spoofing, and for an interface without an
 * address; -EINVAL for a link-local address without zone; -EAFNOSUPPORT for an IPv4 route over an IPv6 gateway;
 * -EPROTONOSUPPORT where a route leads to a kind of link that is neither Ethernet nor plain IP; -E2BIG. */
int route_resolve(const struct addr_range *ranges, size_t n, const struct route_options *options, struct route_map *out,
                  struct error *e);
void route_map_deinit(struct route_map *m);

/* The range of ascending, disjoint ranges that holds an address; NULL when none does. O(log n). */
const struct route_range *route_find(const struct route_range *ranges, size_t n, addr_t a);

/* The zone in which a link-local address (whose own zone does not matter) was asked for and is this machine's own; 0
 * when it is not. Frames on loopback do not tell: they come in by lo, which is no zone of it. O(zones x log n). */
unsigned route_local_zone(const struct route_map *m, addr_t a);

#endif
