/* The ways out of a scan: routes become paths, and what ARP has to learn before frames can leave becomes a plan. */
#include "scan/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MIN 44u /* a SYN with its MSS option, without link header */

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
    return (int)s->n_wires++;
}

static int path_from_hop(struct scan *s, const struct hop *h, struct path *out, struct error *e) {
    *out = (struct path){.kind = PATH_UNREACHABLE};
    if (h->unreachable)
        return 0;
    if (h->mtu < PACKET_MIN)
        return error_set(e, -EMSGSIZE, "%s: its MTU of %u is smaller than a probe (%u bytes)", h->ifname, h->mtu,
                         PACKET_MIN);
    int wire = wire_index(s, h, e);
    if (wire < 0)
        return wire;
    out->wire = (unsigned)wire;
    out->probe.link = s->wires[wire].link;
    out->probe.source = h->source;
    memcpy(out->probe.source_mac, s->config.source_mac_given ? s->config.source_mac : h->mac, MAC_LEN);
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

/* Everything that must be resolved before the ports pass: on-link targets and gateways. Its paths are those of the
 * interfaces they stand on. */
int ways_plan_arp(struct scan *s, struct error *e) {
    const struct route_map *r = &s->routes;
    struct path_map *m = &s->arp_paths;
    size_t most = r->n_ranges + r->n_hops;
    m->ranges = calloc(most, sizeof *m->ranges);
    m->paths = calloc(r->n_hops, sizeof *m->paths);
    struct target *targets = calloc(most, sizeof *targets);
    int err = m->ranges == NULL || m->paths == NULL || targets == NULL ? -ENOMEM : 0;
    if (err < 0)
        goto out;
    memcpy(m->paths, s->paths.paths, r->n_hops * sizeof *m->paths);
    m->n_paths = r->n_hops;
    for (size_t i = 0; i < r->n_ranges; i++)
        if (s->paths.paths[r->ranges[i].hop].kind == PATH_NEIGHBOUR)
            m->ranges[m->n_ranges++] = r->ranges[i];
    size_t on_link = m->n_ranges;
    for (size_t h = 0; h < r->n_hops; h++) {
        addr_t gateway = r->hops[h].gateway;
        bool known = !gateway_wanted(s, h);
        for (size_t i = 0; i < m->n_ranges && !known; i++)
            known = m->ranges[i].range.lo <= gateway && gateway <= m->ranges[i].range.hi;
        if (!known)
            m->ranges[m->n_ranges++] = (struct route_range){{gateway, gateway}, (unsigned)h};
    }
    s->arp_gateways = m->n_ranges - on_link;
    for (size_t h = 0; h < m->n_paths; h++)
        if (m->paths[h].kind == PATH_NEIGHBOUR || gateway_wanted(s, h))
            m->paths[h].kind = PATH_READY;
    qsort(m->ranges, m->n_ranges, sizeof *m->ranges, range_compare);
    for (size_t i = 0; i < m->n_ranges; i++)
        targets[i] = (struct target){.range = m->ranges[i].range, .port = -1};
    if (m->n_ranges > 0) {
        struct slot slot = {.technique = TECHNIQUE_NEIGHBOUR};
        struct plan_input in = {.targets = targets, .n_targets = m->n_ranges, .slots = &slot, .n_slots = 1,
                                .keep_special = true};
        err = plan_create(&in, &s->arp_plan, e);
    }
out:
    free(targets);
    return err == -ENOMEM ? error_set(e, err, "no memory for neighbours") : err;
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
            error_set(&silent, 0, "the gateway %s on %s does not answer ARP", addr_format(hop->gateway, text),
                      hop->ifname);
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
