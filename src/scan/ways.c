/* The ways out of a scan: routes become paths, and what has to be learned of the links before frames can leave becomes a
 * plan. */
#include "scan/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The wire of a hop's interface, made if it is new. Negative: there are too many. */
static int wire_index(struct scan *s, const struct hop *h, struct error *e) {
    for (unsigned i = 0; i < s->n_wires; i++)
        if (s->wires[i].ifindex == h->ifindex)
            return (int)i;
    if (s->n_wires == SCAN_WIRES_MAX)
        return error_set(e, -E2BIG, "the targets leave through more than %u interfaces: scan them in parts (-e)",
                         SCAN_WIRES_MAX);
    s->wires[s->n_wires] =
        (struct scan_wire){.ifindex = h->ifindex, .link = h->loopback ? LINK_IP : h->link, .name = h->ifname,
                           .loopback = h->loopback};
    memcpy(s->wires[s->n_wires].mac, s->config.source_mac_given ? s->config.source_mac : h->mac, MAC_LEN);
    return (int)s->n_wires++;
}

static int path_from_hop(struct scan *s, const struct hop *h, struct path *out, struct error *e) {
    *out = (struct path){.kind = PATH_UNREACHABLE};
    if (h->unreachable)
        return 0;
    int wire = wire_index(s, h, e);
    if (wire < 0)
        return wire;
    out->wire = (unsigned)wire;
    out->probe.link = s->wires[wire].link;
    out->probe.source = h->source;
    memcpy(out->probe.source_mac, s->wires[wire].mac, MAC_LEN);
    if (h->source_borrowed)
        s->wires[wire].borrowed[!addr_is_v4(h->source)] = h->source;
    if (h->local)
        out->kind = PATH_LOCAL;
    else if (out->probe.link == LINK_ETHERNET && h->gateway == 0)
        out->kind = PATH_NEIGHBOUR;
    else
        out->kind = PATH_READY;
    if (out->kind == PATH_READY && s->config.gateway_mac_given)
        memcpy(out->probe.dest_mac, s->config.gateway_mac, MAC_LEN);
    return 0;
}

int ways_create_paths(struct scan *s, struct error *e) {
    const struct route_map *r = &s->routes;
    s->paths.ranges = calloc(r->n_ranges, sizeof *s->paths.ranges);
    s->paths.paths = calloc(r->n_hops, sizeof *s->paths.paths);
    if (s->paths.ranges == NULL || s->paths.paths == NULL)
        return error_set(e, -ENOMEM, "no memory for %zu routes", r->n_ranges);
    memcpy(s->paths.ranges, r->ranges, r->n_ranges * sizeof *r->ranges);
    s->paths.n_ranges = r->n_ranges;
    s->paths.n_paths = r->n_hops;
    for (size_t i = 0; i < r->n_hops; i++) {
        int err = path_from_hop(s, &r->hops[i], &s->paths.paths[i], e);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Does a hop's gateway have to be resolved? */
static bool gateway_wanted(const struct scan *s, size_t hop) {
    return s->paths.paths[hop].kind == PATH_READY && s->paths.paths[hop].probe.link == LINK_ETHERNET &&
           !s->config.gateway_mac_given;
}

static int range_compare(const void *a, const void *b) {
    const struct route_range *x = a, *y = b;
    return (x->range.lo > y->range.lo) - (x->range.lo < y->range.lo);
}

/* The plan of a neighbourhood whose paths stand: its ranges, one question an address. */
static int neighbourhood_plan(struct neighbourhood *n, struct error *e) {
    struct path_map *m = &n->paths;
    struct target *targets = calloc(m->n_ranges + 1, sizeof *targets);
    if (targets == NULL)
        return error_set(e, -ENOMEM, "no memory for neighbours");
    qsort(m->ranges, m->n_ranges, sizeof *m->ranges, range_compare);
    for (size_t i = 0; i < m->n_ranges; i++)
        targets[i] = (struct target){.range = m->ranges[i].range, .port = -1};
    struct slot slot = {.technique = TECHNIQUE_NEIGHBOUR};
    struct plan_input in = {.targets = targets, .n_targets = m->n_ranges, .slots = &slot, .n_slots = 1,
                            .keep_special = true};
    int err = m->n_ranges > 0 ? plan_create(&in, &n->plan, e) : 0;
    free(targets);
    return err;
}

/* Room for a path for each hop, as they stand now, and for so many ranges. */
static int neighbourhood_init(const struct scan *s, struct neighbourhood *n, size_t ranges, struct error *e) {
    n->paths.ranges = calloc(ranges + 1, sizeof *n->paths.ranges);
    n->paths.paths = calloc(s->paths.n_paths + 1, sizeof *n->paths.paths);
    if (n->paths.ranges == NULL || n->paths.paths == NULL)
        return error_set(e, -ENOMEM, "no memory for neighbours");
    memcpy(n->paths.paths, s->paths.paths, s->paths.n_paths * sizeof *n->paths.paths);
    n->paths.n_paths = s->paths.n_paths;
    return 0;
}

static bool is_planned(const struct path_map *m, addr_t a) {
    bool found = false;
    for (size_t i = 0; i < m->n_ranges && !found; i++)
        found = m->ranges[i].range.lo <= a && a <= m->ranges[i].range.hi;
    return found;
}

/* On-link targets and gateways, through the interfaces they stand on. */
static int plan_links(struct scan *s, struct error *e) {
    const struct route_map *r = &s->routes;
    struct path_map *m = &s->links.paths;
    int err = neighbourhood_init(s, &s->links, r->n_ranges + r->n_hops, e);
    if (err < 0)
        return err;
    for (size_t i = 0; i < r->n_ranges; i++)
        if (s->paths.paths[r->ranges[i].hop].kind == PATH_NEIGHBOUR)
            m->ranges[m->n_ranges++] = r->ranges[i];
    size_t on_link = m->n_ranges;
    for (size_t h = 0; h < r->n_hops; h++) {
        addr_t gateway = r->hops[h].gateway;
        if (gateway_wanted(s, h) && !is_planned(m, gateway))
            m->ranges[m->n_ranges++] = (struct route_range){{gateway, gateway}, (unsigned)h};
    }
    s->links.gateways = m->n_ranges - on_link;
    for (size_t h = 0; h < m->n_paths; h++)
        if (m->paths[h].kind == PATH_NEIGHBOUR || gateway_wanted(s, h))
            m->paths[h].kind = PATH_READY;
    return neighbourhood_plan(&s->links, e);
}

/* Borrowed source addresses, asked for from no address at all (RFC 5227 2.1.1, RFC 4862 5.4.2): who has one would
 * otherwise see us use it, and others would believe us. */
static int plan_own(struct scan *s, struct error *e) {
    const struct route_map *r = &s->routes;
    struct path_map *m = &s->own.paths;
    int err = neighbourhood_init(s, &s->own, r->n_hops, e);
    if (err < 0)
        return err;
    for (size_t h = 0; h < r->n_hops; h++) {
        addr_t source = r->hops[h].source;
        if (!r->hops[h].source_borrowed || s->paths.paths[h].kind == PATH_UNREACHABLE || is_planned(m, source))
            continue;
        m->paths[h].kind = PATH_READY;
        m->paths[h].probe.source = addr_is_v4(source) ? addr_from_v4(0) : 0;
        m->ranges[m->n_ranges++] = (struct route_range){{source, source}, (unsigned)h};
    }
    return neighbourhood_plan(&s->own, e);
}

int ways_plan_neighbours(struct scan *s, struct error *e) {
    int err = plan_own(s, e);
    return err < 0 ? err : plan_links(s, e);
}

int ways_check_own(const struct scan *s, struct error *e) {
    for (size_t i = 0; i < s->own.paths.n_ranges; i++) {
        addr_t source = s->own.paths.ranges[i].range.lo;
        const uint8_t *mac = neighbours_find(&s->neighbours, source);
        char text[ADDR_STRLEN];
        if (mac != NULL)
            return error_set(e, -ENOTUNIQ, "source address %s belongs to the host %02x:%02x:%02x:%02x:%02x:%02x on the link",
                             addr_format(source, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    }
    return 0;
}

struct longest {
    const struct probe_config *probe;
    size_t bytes;
    struct slot slot;
};

static int longest_take(void *ctx, const struct slot *slot) {
    struct longest *l = ctx;
    size_t n = techniques[slot->technique].built ? probe_packet_max(l->probe, slot) : 0;
    if (n > l->bytes)
        *l = (struct longest){l->probe, n, *slot};
    return 0;
}

int ways_check_mtu(const struct scan *s, struct error *e) {
    struct longest l = {.probe = &s->probe};
    (void)plan_each_slot(s->config.plan, longest_take, &l);
    if (s->discovery_plan != NULL)
        (void)plan_each_slot(s->discovery_plan, longest_take, &l);
    for (size_t h = 0; h < s->routes.n_hops; h++) {
        const struct hop *hop = &s->routes.hops[h];
        if (!hop->unreachable && hop->mtu < l.bytes)
            return error_set(e, -EMSGSIZE, "%s: its MTU of %u is smaller than a probe (%zu bytes, %s %u)", hop->ifname,
                             hop->mtu, l.bytes, techniques[l.slot.technique].name, l.slot.port);
    }
    return 0;
}

/* The path of a gateway hop gets its MAC. false: the gateway did not answer, its targets are unreachable. */
static bool gateway_resolve(struct scan *s, size_t hop) {
    const uint8_t *mac = neighbours_find(&s->neighbours, s->routes.hops[hop].gateway);
    if (mac != NULL)
        memcpy(s->paths.paths[hop].probe.dest_mac, mac, MAC_LEN);
    else
        s->paths.paths[hop].kind = PATH_UNREACHABLE;
    return mac != NULL;
}

int ways_resolve_gateways(struct scan *s, struct error *e) {
    size_t usable = 0;
    for (size_t h = 0; h < s->paths.n_paths; h++) {
        const struct hop *hop = &s->routes.hops[h];
        if (gateway_wanted(s, h) && !gateway_resolve(s, h)) {
            char text[ADDR_STRLEN];
            struct error silent;
            error_set(&silent, 0, "the gateway %s on %s does not answer %s", addr_format(hop->gateway, text),
                      hop->ifname, addr_is_v4(hop->gateway) ? "ARP" : "neighbour solicitations");
            if (s->gateways_silent++ == 0)
                *e = silent;
            else
                scan_note(s, silent.text);
        }
        usable += s->paths.paths[h].kind != PATH_UNREACHABLE;
    }
    if (usable == 0)
        return -EHOSTUNREACH; /* with the first silent gateway as its line */
    if (s->gateways_silent > 0)
        scan_note(s, e->text);
    return 0;
}
