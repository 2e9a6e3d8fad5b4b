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
 * a number, below 32. Sorted and unique within an address by (technique, port). Several UDP payloads of a port, and the
 * packets of a ping, are one slot: they are one question, sent together, and any answer to any of them settles it. */
struct slot {
    uint16_t port;     /* -sO: the protocol number; host techniques: 0 */
    uint8_t technique;
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
    uint32_t port_techniques;     /* of targets that carry a port, all of them: bit 1 << technique */
    const struct addr_range *exclude; /* always wins */
    size_t n_exclude;
    const struct port_set *exclude_ports; /* may be NULL; taken out of targets that carry a port (the slots come
                                             without what is excluded) */
    bool keep_special;            /* do not take special-use ranges out of wider targets (neighbours, pings, tests) */
};

struct plan; /* opaque */

/* Builds a plan. Special-use ranges are taken out of any target that is wider than the range. Errors: -EINVAL when
 * nothing is left, -ERANGE when N would exceed 2^63, -ENOMEM. */
int plan_create(const struct plan_input *in, struct plan **out, struct error *e);
void plan_free(struct plan *p); /* NULL is fine */

uint64_t plan_size(const struct plan *p);      /* N */
addr_t plan_addresses(const struct plan *p);   /* distinct addresses */
addr_t plan_special_removed(const struct plan *p); /* addresses taken out as special-use */
uint32_t plan_techniques(const struct plan *p); /* those its slots have: bit 1 << technique */
unsigned plan_slots_max(const struct plan *p);  /* slots of the address that has most */

/* The slots of one address of the plan, ascending; *n is 0 when it is not of the plan. *first receives the index of its
 * first slot: the others follow it. For parked hosts, which keep a bit a slot. */
const struct slot *plan_slots_of(const struct plan *p, addr_t a, uint64_t *first, unsigned *n);

/* All different slots of the plan, in no order, each given to visit() at least once: to hold their packets against
 * MTUs, to find their protocols. Stops when visit() returns non-zero, and returns that. */
int plan_each_slot(const struct plan *p, int (*visit)(void *ctx, const struct slot *s), void *ctx);

/* The same plan, of these addresses only (ascending, unique, all of p; n may be 0: its plan is empty). -ENOMEM, -E2BIG
 * with a line. */
int plan_restrict(const struct plan *p, const addr_t *addresses, size_t n, struct plan **out, struct error *e);

/* Turns the slots of technique `from` into slots of `to`, of which the plan must have none: the same scan in another
 * way, where raw packets are not permitted. Only before anybody reads the plan. */
void plan_retell(struct plan *p, unsigned from, unsigned to);

/* index -> endpoint; index < plan_size(). */
struct endpoint plan_at(const struct plan *p, uint64_t index);
void plan_at_many(const struct plan *p, const uint64_t *indexes, unsigned n, struct endpoint *out);

/* endpoint -> index, or PLAN_NONE when it is not in the plan. */
#define PLAN_NONE UINT64_MAX
uint64_t plan_find(const struct plan *p, const struct endpoint *ep);

/* The plan's address ranges, ascending and disjoint, for routing. *n receives their number. */
const struct addr_range *plan_ranges(const struct plan *p, size_t *n);

#endif
