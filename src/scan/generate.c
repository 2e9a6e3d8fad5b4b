#include "scan/generate.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "probe/packet.h"
#include "scan/give_up.h"

#define STAMPED_STEP_MAX (2 * BOX_STEP) /* a frame from a template has up to STAMP_FRAME_MAX bytes */
#define FRAME_STEP_MAX ((PROBE_FRAME_MAX / BOX_STEP + 1) * BOX_STEP)

static size_t step_of(size_t len) {
    return (len + BOX_STEP - 1) & ~(size_t)(BOX_STEP - 1);
}

int generator_init(struct generator *g, struct pass *p) {
    *g = (struct generator){.pass = p, .parts_max = 1, .bytes_max = STAMPED_STEP_MAX};
    for (uint32_t left = p->techniques; left != 0; left &= left - 1)
        if (techniques[__builtin_ctz(left)].ip_proto != PROTO_TCP) {
            g->parts_max = PROBE_PARTS_MAX;
            g->bytes_max = PROBE_PARTS_MAX * FRAME_STEP_MAX;
        }
    for (unsigned w = 0; w < p->scan->n_wires; w++)
        if ((g->outlets[w] = outlet_open(p, w)) == NULL)
            return -errno;
    return 0;
}

void generator_deinit(struct generator *g) {
    for (unsigned w = 0; w < g->pass->scan->n_wires; w++)
        outlet_close(g->outlets[w]);
}

unsigned generator_room(const struct generator *g, unsigned frames_max) {
    unsigned max = (frames_max + g->parts_max - 1) / g->parts_max;
    for (unsigned w = 0; w < g->pass->scan->n_wires; w++) {
        const struct box *box = outlet_box(g->outlets[w]);
        size_t frames = (BOX_FRAMES - box->n) / g->parts_max;
        size_t bytes = (BOX_BYTES - box->used) / g->bytes_max;
        size_t room = frames < bytes ? frames : bytes;
        max = room < max ? (unsigned)room : max;
    }
    return max;
}

static bool is_timed(struct generator *g, unsigned tried) {
    if (g->all_timed > 0) {
        g->all_timed--;
        return true;
    }
    /* An ARP answer does not tell its try; a re-probe takes the place of the first try's entry, so that only answers to
     * a first try that was not repeated are samples (Karn's rule). */
    if (g->pass->kind == PASS_NEIGHBOURS && tried > 0)
        return true;
    if (g->until_sample-- > 0)
        return false;
    g->until_sample = g->sample_every - 1;
    return true;
}

static void sample(struct generator *g, uint64_t position, unsigned tried) {
    if (!is_timed(g, tried))
        return;
    g->samples[g->n_samples].position = position;
    g->samples[g->n_samples++].tried = tried;
}

/* An address of a discovery pass, or of -sn, is known to be up without a probe. */
static void address_up(struct pass *p, const struct endpoint *ep, enum reason reason) {
    addr_t *up = p->kind == PASS_DISCOVERY ? array_add(&p->up[1]) : NULL;
    if (up != NULL)
        *up = ep->addr;
    else if (p->kind == PASS_DISCOVERY)
        pass_fail(p, -ENOMEM);
    verdict_push(p, ep, (struct verdict){STATE_UP, reason});
}

/* Is it one of the ports that this process has claimed, on this machine? */
static bool is_own_port(const struct scan *s, const struct slot *slot) {
    uint8_t proto = techniques[slot->technique].ip_proto;
    return (proto == PROTO_TCP || proto == PROTO_UDP) && slot->port >= s->claim.first &&
           slot->port - s->claim.first < (int)s->claim.n;
}

/* The addresses that the frames of a probe carry: those of the path, or *own where a part is the target's. NULL: no probe
 * is needed, and *settled says why: the counter of such positions. */
static const struct probe_path *addresses_of(struct pass *p, const struct endpoint *ep, const struct path *path,
                                             struct probe_path *own, _Atomic uint64_t **settled) {
    struct scan *s = p->scan;
    struct counters *c = &p->counters;
    bool ping = ep->slot.technique == TECHNIQUE_PING;
    const uint8_t *mac;
    *own = path->probe;
    switch (path->kind) {
    case PATH_READY:
        return &path->probe;
    case PATH_NEIGHBOUR:
        mac = neighbours_find(&s->neighbours, ep->addr);
        *settled = mac == NULL ? &c->settled_down : &c->settled_up;
        if (mac != NULL && ping)
            address_up(p, ep, addr_is_v4(ep->addr) ? REASON_ARP_RESPONSE : REASON_ND_RESPONSE);
        else if (ping)
            verdict_push(p, ep, (struct verdict){STATE_DOWN, REASON_NO_RESPONSE});
        if (mac == NULL || ping)
            return NULL;
        memcpy(own->dest_mac, mac, MAC_LEN);
        return own;
    case PATH_LOCAL:
        if (ping) {
            *settled = &c->settled_up;
            address_up(p, ep, REASON_LOCALHOST);
            return NULL;
        }
        if (is_own_port(s, &ep->slot)) {
            *settled = &c->settled_closed;
            verdict_push(p, ep, (struct verdict){STATE_CLOSED, REASON_OWN_PORT});
            return NULL;
        }
        if (own->source == 0)
            own->source = ep->addr;
        return own;
    case PATH_UNREACHABLE:
        break;
    }
    *settled = &c->settled_unreachable;
    return NULL;
}

/* Takes a frame that stands at the end of a box into it. */
static void box_take(struct generator *g, struct box *box, enum link_type link, size_t len) {
    struct frame *f = &box->frames[box->n++];
    f->data = box->bytes + box->used;
    f->len = f->wire_len = (uint32_t)len;
    box->used += step_of(len);
    g->built++;
    g->bits += probe_wire_bits(link, len);
}

/* Builds one packet of a probe into the box of its wire. False: there is no such packet on this path. */
static bool packet_build(struct generator *g, unsigned wire, const struct probe_path *addresses,
                         const struct endpoint *ep, unsigned tried, unsigned part) {
    struct box *box = outlet_box(g->outlets[wire]);
    size_t len = probe_build(&g->pass->scan->probe, addresses, ep, tried, part, box->bytes + box->used);
    if (len > 0)
        box_take(g, box, addresses->link, len);
    return len > 0;
}

/* Builds the probe to one position, unless that is settled without one. */
static void probe_one(struct generator *g, uint64_t position, unsigned tried, const struct endpoint *ep,
                      const struct path *path) {
    struct pass *p = g->pass;
    struct probe_path own;
    _Atomic uint64_t *settled = &p->counters.settled_unreachable; /* where no packet of it can go that way */
    const struct probe_path *addresses = addresses_of(p, ep, path, &own, &settled);
    bool suspects = p->lot != NULL && lot_suspects(p->lot) > 0;
    if (addresses != NULL && suspects && give_up_early(p, position, tried, ep))
        return;
    unsigned built = 0, parts = addresses == NULL ? 0 : probe_parts(&p->scan->probe, ep);
    for (unsigned part = 0; part < parts; part++)
        built += packet_build(g, path->wire, addresses, ep, tried, part);
    if (built == 0) {
        count(settled, 1);
        ledger_settle(&p->ledger, position);
        return;
    }
    count(&p->counters.sent_at_try[tried], built);
    sample(g, position, tried);
}

bool generator_again(struct generator *g, uint64_t index) {
    struct pass *p = g->pass;
    struct endpoint ep = plan_at(p->plan, index);
    const struct path *path = path_find(p->paths, ep.addr);
    struct probe_path own;
    _Atomic uint64_t *settled;
    const struct probe_path *addresses = addresses_of(p, &ep, path, &own, &settled);
    return addresses != NULL && packet_build(g, path->wire, addresses, &ep, p->ledger.retries, 0);
}

/* Builds what waits for a template. */
static void stamping_flush(struct generator *g, struct stamping *st) {
    struct box *box = outlet_box(g->outlets[st->path->wire]);
    stamp_many(&st->stamp, st->waiting, st->n, box->bytes + box->used, step_of(st->stamp.len));
    for (unsigned i = 0; i < st->n; i++)
        box_take(g, box, st->path->probe.link, st->stamp.len);
    count(&g->pass->counters.sent_at_try[st->tried], st->n);
    st->n = 0;
}

/* The template of an endpoint on a path that is ready. */
static struct stamping *stamping_of(struct generator *g, const struct path *path, const struct endpoint *ep,
                                    unsigned tried) {
    bool v4 = addr_is_v4(ep->addr);
    unsigned technique = ep->slot.technique;
    size_t hash = (size_t)(path - g->pass->paths->paths) * 5 + technique * 2 + tried * 3 + v4;
    struct stamping *st = &g->stampings[hash % GENERATE_STAMPS];
    if (st->path == path && st->technique == technique && st->tried == tried && st->v4 == v4)
        return st;
    if (st->n > 0)
        stamping_flush(g, st);
    st->path = path;
    st->technique = technique;
    st->tried = tried;
    st->v4 = v4;
    st->alike = stamp_init(&st->stamp, &g->pass->scan->probe, &path->probe, technique, tried, v4);
    return st;
}

/* The path of an address, which is most often that of the one before. */
static const struct path *path_of(struct generator *g, addr_t a) {
    const struct path_map *m = g->pass->paths;
    if (g->range == NULL || a < g->range->range.lo || a > g->range->range.hi)
        g->range = route_find(m->ranges, m->n_ranges, a);
    return &m->paths[g->range->hop];
}

/* The positions of a run; returns their number. */
static unsigned positions_of(const struct ledger_work *work, uint64_t positions[GENERATE_RUN]) {
    unsigned n = 0;
    uint64_t left = work->run;
    do
        positions[n++] = work->position + (unsigned)__builtin_ctzll(left);
    while ((left &= left - 1) != 0);
    return n;
}

void generator_run(struct generator *g, const struct ledger_work *work) {
    struct pass *p = g->pass;
    uint64_t positions[GENERATE_RUN], indexes[GENERATE_RUN];
    struct endpoint eps[GENERATE_RUN];
    uint32_t used = 0; /* stampings: bit 1 << number */
    unsigned n = positions_of(work, positions);
    order_at_many(&p->order, positions, n, indexes);
    plan_at_many(p->plan, indexes, n, eps);
    bool suspects = p->lot != NULL && lot_suspects(p->lot) > 0;
    for (unsigned i = 0; i < n; i++) {
        const struct path *path = path_of(g, eps[i].addr);
        struct stamping *st = path->kind == PATH_READY && !suspects ? stamping_of(g, path, &eps[i], work->tried) : NULL;
        if (st == NULL || !st->alike) {
            probe_one(g, positions[i], work->tried, &eps[i], path);
            continue;
        }
        st->waiting[st->n++] = eps[i];
        used |= UINT32_C(1) << (st - g->stampings);
        sample(g, positions[i], work->tried);
    }
    for (; used != 0; used &= used - 1)
        stamping_flush(g, &g->stampings[__builtin_ctz(used)]);
}

void generator_send(struct generator *g) {
    struct pass *p = g->pass;
    uint64_t real = clock_real_ns(); /* before they leave: a reply cannot come before its entry is there */
    for (unsigned i = 0; i < g->n_samples; i++)
        rtt_table_put(&p->scan->timed, g->samples[i].position, g->samples[i].tried, real);
    for (unsigned w = 0; w < p->scan->n_wires; w++) {
        unsigned n = outlet_box(g->outlets[w])->n;
        if (n > counted(&p->counters.batch))
            atomic_store_explicit(&p->counters.batch, n, memory_order_relaxed);
        if (n > 0)
            outlet_send(g->outlets[w]);
    }
    g->built = g->n_samples = 0;
    g->bits = 0;
}
