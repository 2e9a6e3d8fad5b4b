#include "plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan/order.h"
#include "plan/plan_parts.h"

struct plan *plan_new(void) {
    struct plan *p = malloc(sizeof *p);
    if (p)
        *p = (struct plan){
            .ranges = ARRAY_INIT(struct addr_range, PLAN_PARTS_MAX),
            .bases = ARRAY_INIT(uint64_t, PLAN_PARTS_MAX),
            .set_of = ARRAY_INIT(uint32_t, PLAN_PARTS_MAX),
            .sets = ARRAY_INIT(struct slot_set, PLAN_PARTS_MAX),
            .pool = ARRAY_INIT(struct slot, PLAN_POOL_MAX),
        };
    return p;
}

void plan_free(struct plan *p) {
    if (!p)
        return;
    array_deinit(&p->ranges);
    array_deinit(&p->bases);
    array_deinit(&p->set_of);
    array_deinit(&p->sets);
    array_deinit(&p->pool);
    free(p->guide);
    free(p);
}

int plan_no_room(struct error *e, int code) {
    if (code == -E2BIG)
        return error_set(e, code, "the targets and ports are too many different ones for one plan; scan them in parts");
    return error_set(e, code, "out of memory for the plan");
}

int plan_add_part(struct plan *p, struct addr_range range, uint32_t set, struct error *e) {
    const struct slot_set *slots = (const struct slot_set *)p->sets.items + set;
    addr_t last = range.hi - range.lo; /* the count itself may be 2^128 */
    uint64_t room = (ORDER_MAX - p->size) / slots->n;
    if (last >= room)
        return error_set(e, -ERANGE, "the targets make more than 2^63 probes, which no scan can send: name longer "
                         "prefixes, or a list of addresses with -iL FILE");
    uint64_t count = (uint64_t)last + 1, base = p->size;
    p->size += count * slots->n;
    p->addresses += count;

    struct addr_range *before = p->ranges.n > 0 ? (struct addr_range *)p->ranges.items + p->ranges.n - 1 : NULL;
    if (before && before->hi + 1 == range.lo && ((uint32_t *)p->set_of.items)[p->set_of.n - 1] == set) {
        before->hi = range.hi;
        return 0;
    }
    struct addr_range *r = array_add(&p->ranges);
    uint64_t *b = r ? array_add(&p->bases) : NULL;
    uint32_t *s = b ? array_add(&p->set_of) : NULL;
    if (!s)
        return plan_no_room(e, -errno);
    *r = range;
    *b = base;
    *s = set;
    return 0;
}

/* Bits that hold 0 .. n - 1. */
static unsigned bits_of(uint64_t n) {
    return n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;
}

int plan_make_guide(struct plan *p, struct error *e) {
    unsigned size_bits = bits_of(p->size), parts_bits = bits_of(p->bases.n);
    p->guide_shift = size_bits > parts_bits ? size_bits - parts_bits : 0;
    size_t entries = p->size > 0 ? ((p->size - 1) >> p->guide_shift) + 2 : 1;
    p->guide = malloc(entries * sizeof *p->guide);
    if (!p->guide)
        return plan_no_room(e, -ENOMEM);
    const uint64_t *base = p->bases.items;
    uint32_t part = 0;
    for (size_t i = 0; i + 1 < entries; i++) {
        while (part + 1 < p->bases.n && base[part + 1] <= (uint64_t)i << p->guide_shift)
            part++;
        p->guide[i] = part;
    }
    p->guide[entries - 1] = p->bases.n > 0 ? (uint32_t)(p->bases.n - 1) : 0;
    for (size_t i = 0; i + 1 < entries; i++) {
        unsigned steps = bits_of(p->guide[i + 1] - p->guide[i] + UINT64_C(1));
        p->guide_steps = steps > p->guide_steps ? steps : p->guide_steps;
    }
    return 0;
}

uint64_t plan_size(const struct plan *p) {
    return p->size;
}

addr_t plan_addresses(const struct plan *p) {
    return p->addresses;
}

addr_t plan_special_removed(const struct plan *p) {
    return p->special_removed;
}

const struct addr_range *plan_ranges(const struct plan *p, size_t *n) {
    *n = p->ranges.n;
    return p->ranges.items;
}

static const struct slot_set *part_set(const struct plan *p, size_t part) {
    return (const struct slot_set *)p->sets.items + ((const uint32_t *)p->set_of.items)[part];
}

/* What the set has at an offset from the first of its slots at lo. */
static inline struct endpoint endpoint_of(const struct slot_set *set, const struct slot *pool, addr_t lo,
                                          uint64_t offset) {
    struct quotient q = slot_set_divide(set, offset);
    return (struct endpoint){.addr = lo + q.whole, .slot = pool[set->first + q.rest]};
}

#define TOGETHER 64u /* indexes whose parts are searched at the same time */

/* The part of an index. As many steps for one index as for another, and no branch on what they find: a wrong guess
 * costs more than steps that find nothing any more. */
static inline size_t part_at(const struct plan *p, uint64_t index) {
    const uint64_t *base = p->bases.items;
    const uint32_t *guide = p->guide + (index >> p->guide_shift);
    size_t part = guide[0], n = guide[1] - part + 1;
    for (unsigned steps = p->guide_steps; steps > 0; steps--) {
        size_t half = n / 2;
        part += half * (base[part + half] <= index);
        n -= half;
    }
    return part;
}

static inline struct endpoint endpoint_in(const struct plan *p, size_t part, uint64_t index) {
    return endpoint_of(part_set(p, part), p->pool.items, ((const struct addr_range *)p->ranges.items)[part].lo,
                       index - ((const uint64_t *)p->bases.items)[part]);
}

struct endpoint plan_at(const struct plan *p, uint64_t index) {
    return endpoint_in(p, part_at(p, index), index);
}

/* A plan of one part, as of one network: there is nothing to look up. */
static void look_up_in_one(const struct plan *p, const uint64_t *indexes, unsigned n, struct endpoint *out) {
    const struct slot_set set = *part_set(p, 0);
    const struct slot *pool = p->pool.items;
    addr_t lo = ((const struct addr_range *)p->ranges.items)[0].lo;
    for (unsigned i = 0; i < n; i++)
        out[i] = endpoint_of(&set, pool, lo, indexes[i]);
}

/* First all parts, then all endpoints: more of the searches overlap so. */
static void look_up(const struct plan *p, const uint64_t *indexes, unsigned n, struct endpoint *out) {
    size_t part[TOGETHER];
    for (unsigned i = 0; i < n; i++)
        part[i] = part_at(p, indexes[i]);
    for (unsigned i = 0; i < n; i++)
        out[i] = endpoint_in(p, part[i], indexes[i]);
}

void plan_at_many(const struct plan *p, const uint64_t *indexes, unsigned n, struct endpoint *out) {
    if (p->bases.n == 1) {
        look_up_in_one(p, indexes, n, out);
        return;
    }
    for (unsigned i = 0; i < n; i += TOGETHER)
        look_up(p, indexes + i, n - i < TOGETHER ? n - i : TOGETHER, out + i);
}

/* The part that holds a, or the number of parts. */
static size_t find_part(const struct plan *p, addr_t a) {
    const struct addr_range *ranges = p->ranges.items;
    size_t part = 0;
    for (size_t n = p->ranges.n; n > 1;) {
        size_t half = n / 2;
        part += half * (ranges[part + half].lo <= a);
        n -= half;
    }
    return p->ranges.n > 0 && ranges[part].lo <= a && a <= ranges[part].hi ? part : p->ranges.n;
}

size_t slots_find(const struct slot *slots, size_t n, struct slot s) {
    size_t at = 0;
    for (size_t left = n; left > 1;) {
        size_t half = left / 2;
        at += half * (slot_key(slots[at + half]) <= slot_key(s));
        left -= half;
    }
    return n > 0 && slot_key(slots[at]) == slot_key(s) ? at : n;
}

uint64_t plan_find(const struct plan *p, const struct endpoint *ep) {
    size_t part = find_part(p, ep->addr);
    if (part == p->ranges.n)
        return PLAN_NONE;
    const struct slot_set *set = part_set(p, part);
    size_t slot = slots_find((const struct slot *)p->pool.items + set->first, set->n, ep->slot);
    if (slot == set->n)
        return PLAN_NONE;
    uint64_t nth = (uint64_t)(ep->addr - ((const struct addr_range *)p->ranges.items)[part].lo);
    return ((const uint64_t *)p->bases.items)[part] + nth * set->n + slot;
}

int plan_each_slot(const struct plan *p, int (*visit)(void *ctx, const struct slot *s), void *ctx) {
    const struct slot *slots = p->pool.items;
    int r = 0;
    for (size_t i = 0; i < p->pool.n && r == 0; i++)
        r = visit(ctx, &slots[i]);
    return r;
}

static int technique_add(void *ctx, const struct slot *s) {
    *(uint32_t *)ctx |= UINT32_C(1) << s->technique;
    return 0;
}

uint32_t plan_techniques(const struct plan *p) {
    uint32_t techniques = 0;
    (void)plan_each_slot(p, technique_add, &techniques);
    return techniques;
}

unsigned plan_slots_max(const struct plan *p) {
    const struct slot_set *sets = p->sets.items;
    unsigned most = 0;
    for (size_t i = 0; i < p->sets.n; i++)
        most = sets[i].n > most ? sets[i].n : most;
    return most;
}

const struct slot *plan_slots_of(const struct plan *p, addr_t a, uint64_t *first, unsigned *n) {
    size_t part = find_part(p, a);
    *n = 0;
    if (part == p->ranges.n)
        return NULL;
    const struct slot_set *set = part_set(p, part);
    uint64_t nth = (uint64_t)(a - ((const struct addr_range *)p->ranges.items)[part].lo);
    *first = ((const uint64_t *)p->bases.items)[part] + nth * set->n;
    *n = set->n;
    return (const struct slot *)p->pool.items + set->first;
}

/* A set of p in q, made there when it is wanted first. known[set] is its number in q + 1, or 0. */
static int copy_set(const struct plan *p, size_t set, struct plan *q, uint32_t *known, struct error *e) {
    if (known[set])
        return 0;
    struct slot_set *copy = array_add(&q->sets);
    if (!copy)
        return plan_no_room(e, -errno);
    const struct slot_set *from = (const struct slot_set *)p->sets.items + set;
    *copy = slot_set_of(q->pool.n, from->n);
    for (uint32_t i = 0; i < from->n; i++) {
        struct slot *slot = array_add(&q->pool);
        if (!slot)
            return plan_no_room(e, -errno);
        *slot = ((const struct slot *)p->pool.items)[from->first + i];
    }
    known[set] = (uint32_t)q->sets.n;
    return 0;
}

int plan_restrict(const struct plan *p, const addr_t *addresses, size_t n, struct plan **out, struct error *e) {
    struct plan *q = plan_new();
    uint32_t *known = calloc(p->sets.n ? p->sets.n : 1, sizeof *known);
    int r = q && known ? 0 : plan_no_room(e, -ENOMEM);
    for (size_t i = 0; i < n && r == 0; i++) {
        size_t part = find_part(p, addresses[i]);
        if (part == p->ranges.n)
            continue;
        size_t set = ((const uint32_t *)p->set_of.items)[part];
        r = copy_set(p, set, q, known, e);
        if (r == 0)
            r = plan_add_part(q, (struct addr_range){addresses[i], addresses[i]}, known[set] - 1, e);
    }
    if (r == 0)
        r = plan_make_guide(q, e);
    free(known);
    if (r < 0) {
        plan_free(q);
        return r;
    }
    *out = q;
    return 0;
}

int slots_compare(const void *a, const void *b) {
    uint32_t x = slot_key(*(const struct slot *)a), y = slot_key(*(const struct slot *)b);
    return (x > y) - (x < y);
}

void plan_retell(struct plan *p, unsigned from, unsigned to) {
    const struct slot_set *sets = p->sets.items;
    struct slot *slots = p->pool.items;
    for (size_t i = 0; i < p->pool.n; i++)
        slots[i].technique = slots[i].technique == from ? (uint8_t)to : slots[i].technique;
    for (size_t i = 0; i < p->sets.n; i++)
        qsort(slots + sets[i].first, sets[i].n, sizeof *slots, slots_compare);
}
