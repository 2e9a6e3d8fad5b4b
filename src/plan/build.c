/* plan_create(): one sweep over the ends of all ranges. Between two neighbouring ends every address is treated alike. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "plan/plan_parts.h"

/* Where a range begins (+1) or is over (-1), and what it is: a port number of targets with a port, or one of these. */
enum { PLAIN = -1, EXCLUDED = -2, SPECIAL = -3 };
struct edge {
    addr_t at;
    int32_t what;
    int32_t step;
};

#define EDGES_MAX ((size_t)256 << 20)
#define ADDR_LAST (~(addr_t)0)

struct open_port {
    uint16_t port;
    uint32_t ranges; /* that hold this address */
};

/* A slot set of the plan as it is looked for: its slots follow from these alone. */
struct known_set {
    uint64_t hash; /* of the extra slots */
    bool plain;    /* holds the slots of the targets without a port */
    size_t n_extra;
};

struct sweep {
    const struct plan_input *in;
    struct plan *plan;
    struct error *e;
    struct array plain;      /* struct slot: in->slots, ascending and unique */
    struct array edges;      /* struct edge */
    struct array open_ports; /* struct open_port, ascending: what targets with a port hold at this address */
    size_t n_port_excluded;  /* targets whose port is excluded */
    size_t plain_open, excluded_open, special_open;
    struct slot *extra;      /* room for the slots of all ports with all techniques of targets with a port */
    struct array known;      /* struct known_set, beside plan->sets */
    uint32_t *table;         /* hash table of set numbers + 1 */
    size_t table_mask;
};

static int no_room(struct sweep *s, int code) {
    return plan_no_room(s->e, code);
}

static bool port_excluded(const struct sweep *s, unsigned port) {
    return s->in->exclude_ports && port_set_has(s->in->exclude_ports, port);
}

static int read_slots(struct sweep *s) {
    for (size_t i = 0; i < s->in->n_slots; i++) {
        struct slot *slot = array_add(&s->plain);
        if (!slot)
            return no_room(s, -errno);
        *slot = s->in->slots[i];
    }
    struct slot *slots = s->plain.items;
    size_t unique = 0;
    if (s->plain.n > 0)
        qsort(slots, s->plain.n, sizeof *slots, slots_compare);
    for (size_t i = 0; i < s->plain.n; i++)
        if (unique == 0 || slot_key(slots[unique - 1]) != slot_key(slots[i]))
            slots[unique++] = slots[i];
    s->plain.n = unique;
    return 0;
}

static int add_edges(struct sweep *s, struct addr_range range, int32_t what) {
    struct edge *begin = array_add(&s->edges);
    if (!begin)
        return no_room(s, -errno);
    *begin = (struct edge){.at = range.lo, .what = what, .step = 1};
    if (range.hi == ADDR_LAST)
        return 0; /* never over */
    struct edge *over = array_add(&s->edges);
    if (!over)
        return no_room(s, -errno);
    *over = (struct edge){.at = range.hi + 1, .what = what, .step = -1};
    return 0;
}

/* A target, cut by the special-use ranges that it is not itself a part of. */
static int add_target(struct sweep *s, const struct target *t) {
    int32_t what = t->port < 0 ? PLAIN : t->port;
    struct addr_range rest = t->range;
    size_t n_special = 0;
    const struct special_range *special = special_ranges(&n_special);
    if (t->port >= 0 && port_excluded(s, (unsigned)t->port)) {
        s->n_port_excluded++;
        return 0;
    }
    for (size_t i = 0; i < n_special && !s->in->keep_special; i++) {
        struct addr_range cut = special[i].range;
        bool meant = cut.lo <= t->range.lo && t->range.hi <= cut.hi && !t->wide;
        if (meant || cut.hi < rest.lo || cut.lo > rest.hi)
            continue;
        int r = 0;
        if (cut.lo > rest.lo)
            r = add_edges(s, (struct addr_range){rest.lo, cut.lo - 1}, what);
        else
            cut.lo = rest.lo;
        if (cut.hi > rest.hi)
            cut.hi = rest.hi;
        if (r == 0)
            r = add_edges(s, cut, SPECIAL);
        if (r < 0 || cut.hi == rest.hi)
            return r;
        rest.lo = cut.hi + 1;
    }
    return add_edges(s, rest, what);
}

static int compare_edges(const void *a, const void *b) {
    addr_t x = ((const struct edge *)a)->at, y = ((const struct edge *)b)->at;
    return (x > y) - (x < y);
}

static int read_ranges(struct sweep *s) {
    int r = 0;
    for (size_t i = 0; i < s->in->n_targets && r == 0; i++)
        r = add_target(s, &s->in->targets[i]);
    for (size_t i = 0; i < s->in->n_exclude && r == 0; i++)
        r = add_edges(s, s->in->exclude[i], EXCLUDED);
    if (r == 0 && s->edges.n > 0)
        qsort(s->edges.items, s->edges.n, sizeof(struct edge), compare_edges);
    return r;
}

/* Opens (+1) or closes (-1) one range of a port. */
static int step_port(struct sweep *s, uint16_t port, int32_t step) {
    struct open_port *open = s->open_ports.items;
    size_t at = 0, n = s->open_ports.n;
    while (at < n) { /* lower bound */
        size_t middle = at + (n - at) / 2;
        if (open[middle].port < port)
            at = middle + 1;
        else
            n = middle;
    }
    if (at < s->open_ports.n && open[at].port == port) {
        open[at].ranges += (uint32_t)step;
        if (open[at].ranges == 0)
            memmove(open + at, open + at + 1, (--s->open_ports.n - at) * sizeof *open);
        return 0;
    }
    if (!array_add(&s->open_ports))
        return no_room(s, -errno);
    open = s->open_ports.items;
    memmove(open + at + 1, open + at, (s->open_ports.n - 1 - at) * sizeof *open);
    open[at] = (struct open_port){.port = port, .ranges = (uint32_t)step};
    return 0;
}

static int step(struct sweep *s, const struct edge *edge) {
    switch (edge->what) {
    case PLAIN:
        s->plain_open += (size_t)edge->step;
        return 0;
    case EXCLUDED:
        s->excluded_open += (size_t)edge->step;
        return 0;
    case SPECIAL:
        s->special_open += (size_t)edge->step;
        return 0;
    default:
        return step_port(s, (uint16_t)edge->what, edge->step);
    }
}

static int grow_table(struct sweep *s) {
    size_t size = s->table ? (s->table_mask + 1) * 2 : 64;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return no_room(s, -ENOMEM);
    const struct known_set *known = s->known.items;
    for (size_t i = 0; i < s->known.n; i++) {
        size_t at = known[i].hash & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = (uint32_t)i + 1;
    }
    free(s->table);
    s->table = table;
    s->table_mask = size - 1;
    return 0;
}

/* Is set number i the plain slots (or none) and exactly these extra ones? */
static bool set_is(const struct sweep *s, size_t i, const struct known_set *wanted) {
    const struct known_set *known = (const struct known_set *)s->known.items + i;
    if (known->hash != wanted->hash || known->plain != wanted->plain || known->n_extra != wanted->n_extra)
        return false;
    const struct slot_set *set = (const struct slot_set *)s->plan->sets.items + i;
    const struct slot *slots = (const struct slot *)s->plan->pool.items + set->first;
    for (size_t j = 0; j < wanted->n_extra; j++)
        if (slots_find(slots, set->n, s->extra[j]) == set->n)
            return false;
    return true;
}

static int append_slot(struct sweep *s, struct slot slot) {
    struct slot *to = array_add(&s->plan->pool);
    if (!to)
        return no_room(s, -errno);
    *to = slot;
    return 0;
}

/* Makes the set of the plain slots (if plain) and the extra ones; they have none in common. */
static int make_set(struct sweep *s, const struct known_set *wanted) {
    struct slot_set *set = array_add(&s->plan->sets);
    struct known_set *known = set ? array_add(&s->known) : NULL;
    if (!known)
        return no_room(s, -errno);
    const struct slot *plain = s->plain.items;
    size_t n_plain = wanted->plain ? s->plain.n : 0;
    *known = *wanted;
    *set = slot_set_of(s->plan->pool.n, n_plain + wanted->n_extra);
    int r = 0;
    for (size_t i = 0, j = 0; r == 0 && (i < n_plain || j < wanted->n_extra);) {
        bool from_plain = j == wanted->n_extra || (i < n_plain && slot_key(plain[i]) < slot_key(s->extra[j]));
        r = append_slot(s, from_plain ? plain[i++] : s->extra[j++]);
    }
    return r;
}

/* The number of the set for the present address; equal sets are made once. */
static int find_set(struct sweep *s, bool plain, size_t n_extra, uint32_t *number) {
    static const struct siphash_key key = {0, 0}; /* the plan's own user chooses the input: no secret is needed */
    struct known_set wanted = {.plain = plain, .n_extra = n_extra};
    wanted.hash = siphash24(&key, s->extra, n_extra * sizeof *s->extra) + plain;
    if (s->known.n * 2 >= s->table_mask) {
        int r = grow_table(s);
        if (r < 0)
            return r;
    }
    size_t at = wanted.hash & s->table_mask;
    for (; s->table[at]; at = (at + 1) & s->table_mask)
        if (set_is(s, s->table[at] - 1, &wanted)) {
            *number = s->table[at] - 1;
            return 0;
        }
    *number = (uint32_t)s->known.n;
    s->table[at] = *number + 1;
    return make_set(s, &wanted);
}

/* The open ports' slots that the plain ones do not hold anyway, ascending, into s->extra. */
static size_t collect_extra(struct sweep *s, bool plain) {
    const struct open_port *open = s->open_ports.items;
    size_t n = 0;
    for (uint32_t left = s->in->port_techniques; left && s->open_ports.n > 0; left &= left - 1)
        for (size_t i = 0; i < s->open_ports.n; i++) {
            struct slot slot = {.port = open[i].port, .technique = (uint8_t)__builtin_ctz(left)};
            if (!plain || slots_find(s->plain.items, s->plain.n, slot) == s->plain.n)
                s->extra[n++] = slot;
        }
    return n;
}

/* The addresses lo..hi, between two ends. */
static int add_stretch(struct sweep *s, addr_t lo, addr_t hi) {
    if (s->excluded_open > 0)
        return 0;
    bool plain = s->plain_open > 0 && s->plain.n > 0;
    size_t n_extra = collect_extra(s, plain);
    if (!plain && n_extra == 0) {
        if (s->special_open > 0)
            s->plan->special_removed += hi - lo + 1;
        return 0;
    }
    uint32_t set = 0;
    int r = find_set(s, plain, n_extra, &set);
    return r < 0 ? r : plan_add_part(s->plan, (struct addr_range){lo, hi}, set, s->e);
}

static int run(struct sweep *s) {
    const struct edge *edges = s->edges.items;
    int r = 0;
    for (size_t i = 0; i < s->edges.n && r == 0;) {
        addr_t at = edges[i].at;
        while (i < s->edges.n && edges[i].at == at && r == 0)
            r = step(s, &edges[i++]);
        if (r == 0)
            r = add_stretch(s, at, i < s->edges.n ? edges[i].at - 1 : ADDR_LAST);
    }
    return r;
}

static int nothing_left(const struct sweep *s) {
    const char *why = "every target is excluded";
    if (s->in->n_targets == 0)
        why = "no target is given";
    else if (s->n_port_excluded > 0 || s->in->n_slots == 0)
        why = "every port is excluded";
    else if (s->plan->special_removed > 0)
        why = "what is not excluded is for special use, and was not named by itself";
    return error_set(s->e, -EINVAL, "nothing is left to scan: %s", why);
}

int plan_create(const struct plan_input *in, struct plan **out, struct error *e) {
    size_t techniques = in->port_techniques ? (size_t)__builtin_popcount(in->port_techniques) : 1;
    struct sweep s = {
        .in = in,
        .e = e,
        .plan = plan_new(),
        .plain = ARRAY_INIT(struct slot, PLAN_POOL_MAX),
        .edges = ARRAY_INIT(struct edge, EDGES_MAX),
        .open_ports = ARRAY_INIT(struct open_port, PORT_SET_MAX),
        .extra = malloc((size_t)PORT_SET_MAX * techniques * sizeof *s.extra),
        .known = ARRAY_INIT(struct known_set, PLAN_PARTS_MAX),
    };
    int r = s.plan && s.extra ? 0 : no_room(&s, -ENOMEM);
    if (r == 0)
        r = read_slots(&s);
    if (r == 0)
        r = read_ranges(&s);
    if (r == 0)
        r = run(&s);
    if (r == 0 && s.plan->size == 0)
        r = nothing_left(&s);
    if (r == 0)
        r = plan_make_guide(s.plan, e);
    array_deinit(&s.plain);
    array_deinit(&s.edges);
    array_deinit(&s.open_ports);
    array_deinit(&s.known);
    free(s.extra);
    free(s.table);
    if (r < 0) {
        plan_free(s.plan);
        return r;
    }
    *out = s.plan;
    return 0;
}
