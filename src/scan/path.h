/* Paths: for every address of a plan, the wire it leaves by and the addresses its frames carry. Routes and resolved
 * neighbours, joined once before the pass, so that the transmitter only looks up. */
#ifndef NOCTULE_SCAN_PATH_H
#define NOCTULE_SCAN_PATH_H

#include "base/array.h"
#include "probe/probe.h"
#include "wire/route.h"

/* What ARP learned, sorted by address once learning is over. */
struct neighbour {
    addr_t addr;
    uint8_t mac[MAC_LEN];
};
struct neighbours {
    struct array list; /* of struct neighbour */
};
#define NEIGHBOURS_INIT ((struct neighbours){.list = ARRAY_INIT(struct neighbour, 1u << 24)})

/* One writer. Returns 0 or -ENOMEM. */
int neighbours_add(struct neighbours *n, addr_t a, const uint8_t mac[static MAC_LEN]);
void neighbours_sort(struct neighbours *n);
const uint8_t *neighbours_find(const struct neighbours *n, addr_t a); /* NULL = did not resolve */
void neighbours_deinit(struct neighbours *n);

enum path_kind {
    PATH_READY,       /* frames can be built with `path` as it stands */
    PATH_NEIGHBOUR,   /* the destination MAC is the target's own: look it up */
    PATH_LOCAL,       /* an address of this machine: the source is the target itself */
    PATH_UNREACHABLE, /* no route, or the gateway does not answer */
};

struct path {
    enum path_kind kind;
    unsigned wire; /* index of the scan's wires */
    struct probe_path probe;
};

struct path_map {
    struct route_range *ranges; /* .hop indexes paths */
    size_t n_ranges;
    struct path *paths;
    size_t n_paths;
};

/* The path of one address; NULL when it is not of the map. */
const struct path *path_find(const struct path_map *m, addr_t a);
void path_map_deinit(struct path_map *m);

#endif
