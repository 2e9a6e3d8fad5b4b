/* The plan: all (address, slot) pairs of a pass, minus exclusions, numbered 0..N-1. Immutable once built; every lookup
 * is pure, takes O(log parts) and may be called from any thread. */
#ifndef NOCTULE_PLAN_PLAN_H
#define NOCTULE_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "plan/target.h"

/* One way to probe an address. `technique` is an index of the technique table (src/probe/technique.h); here it is only
 * a number. Sorted and unique within an address by (technique, port, payload). */
struct slot {
    uint16_t port;
    uint8_t technique;
    uint8_t payload; /* 0 where the technique has one payload */
};

struct endpoint {
    addr_t addr;
    struct slot slot;
};

struct plan_input {
    const struct target *targets; /* any order, may overlap */
    size_t n_targets;
    const struct slot *slots;     /* for targets without a port of their own */
    size_t n_slots;
    uint8_t port_technique;       /* slot technique of targets that carry a port */
    const struct addr_range *exclude; /* always wins */
    size_t n_exclude;
    const struct port_set *exclude_ports; /* may be NULL; taken out of both kinds of targets */
    bool keep_special;            /* do not take special-use ranges out of wider targets (ARP passes, tests) */
};

struct plan; /* opaque */

/* Builds a plan. Special-use ranges are taken out of any target that is wider than the range. Errors: -EINVAL when
 * nothing is left, -ERANGE when N would exceed 2^63, -ENOMEM. */
int plan_create(const struct plan_input *in, struct plan **out, struct error *e);
void plan_free(struct plan *p); /* NULL is fine */

uint64_t plan_size(const struct plan *p);      /* N */
addr_t plan_addresses(const struct plan *p);   /* distinct addresses */
addr_t plan_special_removed(const struct plan *p); /* addresses taken out as special-use */

/* index -> endpoint; index < plan_size(). */
struct endpoint plan_at(const struct plan *p, uint64_t index);

/* endpoint -> index, or PLAN_NONE when it is not in the plan. */
#define PLAN_NONE UINT64_MAX
uint64_t plan_find(const struct plan *p, const struct endpoint *ep);

/* The plan's address ranges, ascending and disjoint, for routing. *n receives their number. */
const struct addr_range *plan_ranges(const struct plan *p, size_t *n);

#endif
