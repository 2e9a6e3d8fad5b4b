#include "naive.h"

#include "base/random.h"

struct slot naive_slot(unsigned i) {
    return (struct slot){
        .technique = (uint8_t)(i / NAIVE_PORTS),
        .port = (uint16_t)(i % NAIVE_PORTS + 1),
    };
}

static unsigned below(uint64_t *random, unsigned n) {
    return (unsigned)(random_splitmix(random) % n);
}

static struct addr_range random_range(const struct naive_input *n, uint64_t *random) {
    unsigned lo = below(random, n->width), length = below(random, 4) ? below(random, 12) : below(random, n->width);
    unsigned hi = lo + length < n->width ? lo + length : n->width - 1;
    return (struct addr_range){n->base + lo, n->base + hi};
}

void naive_random(struct naive_input *n, addr_t base, unsigned width, uint64_t *random) {
    *n = (struct naive_input){.base = base, .width = width};
    n->in = (struct plan_input){
        .targets = n->targets,
        .n_targets = below(random, 24) + 1,
        .slots = n->slots,
        .n_slots = below(random, 17),
        .port_techniques = below(random, 3) + 1,
        .exclude = n->exclude,
        .n_exclude = below(random, 13),
        .exclude_ports = below(random, 2) ? &n->exclude_ports : NULL,
        .keep_special = below(random, 4) == 0,
    };
    for (size_t i = 0; i < n->in.n_targets; i++) {
        bool with_port = below(random, 2);
        n->targets[i] = (struct target){
            .range = random_range(n, random),
            .port = with_port ? (int32_t)below(random, NAIVE_PORTS) + 1 : -1,
            .wide = below(random, 5) == 0,
        };
    }
    for (size_t i = 0; i < n->in.n_slots; i++)
        n->slots[i] = naive_slot(below(random, NAIVE_SLOTS));
    for (size_t i = 0; i < n->in.n_exclude; i++)
        n->exclude[i] = random_range(n, random);
    unsigned port = below(random, NAIVE_PORTS) + 1;
    port_set_add(&n->exclude_ports, port, port + below(random, 3));
}

static bool holds(struct addr_range r, addr_t a) {
    return r.lo <= a && a <= r.hi;
}

/* Is a special-use address that this target did not name by itself? */
static bool is_special_for(const struct target *t, addr_t a) {
    size_t n = 0;
    const struct special_range *special = special_ranges(&n);
    for (size_t i = 0; i < n; i++) {
        struct addr_range s = special[i].range;
        bool inside = holds(s, t->range.lo) && holds(s, t->range.hi);
        if (holds(s, a) && (t->wide || !inside))
            return true;
    }
    return false;
}

static bool is_slot_of(const struct plan_input *in, const struct target *t, struct slot s) {
    if (t->port >= 0 && in->exclude_ports && port_set_has(in->exclude_ports, (unsigned)t->port))
        return false;
    if (t->port >= 0)
        return s.port == t->port && (in->port_techniques >> s.technique & 1);
    for (size_t i = 0; i < in->n_slots; i++)
        if (in->slots[i].port == s.port && in->slots[i].technique == s.technique)
            return true;
    return false;
}

/* One address: its slots, and whether it is not there only for being special. */
static void plan_address(const struct plan_input *in, addr_t a, bool has[static NAIVE_SLOTS], bool *special) {
    *special = false;
    for (size_t i = 0; i < in->n_exclude; i++)
        if (holds(in->exclude[i], a))
            return;
    for (size_t i = 0; i < in->n_targets; i++) {
        const struct target *t = &in->targets[i];
        if (!holds(t->range, a))
            continue;
        if (!in->keep_special && is_special_for(t, a)) {
            bool port_stays = t->port < 0 || !in->exclude_ports || !port_set_has(in->exclude_ports, (unsigned)t->port);
            *special = *special || port_stays;
            continue;
        }
        for (unsigned s = 0; s < NAIVE_SLOTS; s++)
            has[s] = has[s] || is_slot_of(in, t, naive_slot(s));
    }
}

void naive_plan(const struct naive_input *n, struct naive *out) {
    *out = (struct naive){.size = 0};
    for (unsigned i = 0; i < n->width; i++) {
        bool special = false;
        unsigned slots = 0;
        plan_address(&n->in, n->base + i, out->has[i], &special);
        for (unsigned s = 0; s < NAIVE_SLOTS; s++)
            slots += out->has[i][s];
        out->size += slots;
        out->addresses += slots > 0;
        out->special_removed += slots == 0 && special;
    }
}
