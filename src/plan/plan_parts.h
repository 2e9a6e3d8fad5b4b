/* The inside of a plan, shared by what builds it (build.c) and what reads it (plan.c). */
#ifndef NOCTULE_PLAN_PLAN_PARTS_H
#define NOCTULE_PLAN_PLAN_PARTS_H

#include "base/array.h"
#include "plan/plan.h"

/* Equal slot lists are held once: slots first .. first + n - 1 of the pool, ascending by slot_key(). */
struct slot_set {
    uint32_t first, n;
    uint64_t reciprocal; /* of n, below 2^64 / n */
};

static inline struct slot_set slot_set_of(size_t first, size_t n) { /* n >= 1 */
    return (struct slot_set){.first = (uint32_t)first, .n = (uint32_t)n, .reciprocal = UINT64_MAX / n};
}

/* x / n and x % n of a set's n, without a division. Exact for every x and every n >= 1: the reciprocal m is
 * (2^64 - 1 - e) / n with e < n, so x m / 2^64 falls short of x / n by x (1 + e) / (2^64 n), which is less than 1; its
 * whole part is the quotient, or one less. */
struct quotient {
    uint64_t whole, rest;
};
static inline struct quotient slot_set_divide(const struct slot_set *set, uint64_t x) {
    uint64_t whole = (uint64_t)((addr_t)x * set->reciprocal >> 64), rest = x - whole * set->n, more = rest >= set->n;
    return (struct quotient){whole + more, rest - more * set->n};
}

/* A part is a range of addresses that share one slot set. Its indices start at base: address by address, and slot by
 * slot within an address. Parts are ascending and disjoint, and stand as parallel arrays: a search touches one of them. */
struct plan {
    struct array ranges; /* struct addr_range */
    struct array bases;  /* uint64_t */
    struct array set_of; /* uint32_t: index in sets */
    struct array sets;   /* struct slot_set */
    struct array pool;   /* struct slot */
    uint32_t *guide;     /* the part of every 2^guide_shift-th index, and the last part */
    unsigned guide_shift;
    unsigned guide_steps; /* halvings that lead from any entry of the guide to the part */
    uint64_t size;
    addr_t addresses, special_removed;
};

#define PLAN_PARTS_MAX (64u << 20)
#define PLAN_POOL_MAX (64u << 20) /* slots of all different sets: 256 MB */

static inline uint32_t slot_key(struct slot s) {
    return (uint32_t)s.technique << 16 | s.port;
}

/* Where s stands in the n ascending slots, or n when it does not. */
size_t slots_find(const struct slot *slots, size_t n, struct slot s);

int slots_compare(const void *a, const void *b); /* of slots, for qsort() */

struct plan *plan_new(void); /* empty; NULL = no memory */

/* Appends a range above all others, joining it to the last part where it continues it. -ERANGE when the plan would
 * pass 2^63 indices, -ENOMEM, -E2BIG; with a line. */
int plan_add_part(struct plan *p, struct addr_range range, uint32_t set, struct error *e);

/* Makes the guide, when all parts are there: where the search for an index begins and ends, so that a plan of thousands
 * of parts costs the transmitter few steps. -ENOMEM with a line. */
int plan_make_guide(struct plan *p, struct error *e);

/* The line for array_add()'s errno. */
int plan_no_room(struct error *e, int code);

#endif
