#include "scan/scan.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/engine.h"
#include "wire/xdp.h"

/* Receive rings, all together. The packet wire's hold a fifth of a second of replies to all that may be sent, in slots of
 * 160 bytes. XDP's have 2 KB for each, so theirs hold a thirtieth. */
#define RING_BYTES_PACKET (160u / 5u) /* for each packet a second */
#define RING_BYTES_XDP (2048u / 30u)
#define RING_BYTES_MIN (UINT64_C(16) << 20) /* blocks for four seconds, however few frames each holds */
#define RING_BYTES_MAX (UINT64_C(64) << 20)
#define NEIGHBOUR_TIMEOUT_FIRST_NS UINT64_C(250000000) /* a sleeping radio wakes within its beacon interval */

void scan_watch(struct scan *s, enum link_type link, bool sent, const struct frame *frames, unsigned n) {
    if (s->pcap != NULL)
        pcapfile_write(s->pcap, frames, n);
    if (s->config.frames != NULL)
        s->config.frames(s->config.ctx, sent, link, frames, n);
}

void scan_note(const struct scan *s, const char *line) {
    if (s->config.note != NULL)
        s->config.note(s->config.ctx, line);
}

static size_t ring_bytes(const struct scan *s, unsigned for_each) {
    const struct scan_config *c = &s->config;
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / (8 * 64) : c->rate_milli_pps / 1000;
    bool uncapped = c->bandwidth_bps == 0 && c->rate_milli_pps == 0 && !s->loopback;
    uint64_t bytes = uncapped || pps > RING_BYTES_MAX / for_each ? RING_BYTES_MAX : pps * for_each;
    return (bytes < RING_BYTES_MIN ? RING_BYTES_MIN : bytes) / s->n_wires;
}

static void wire_close(struct scan_wire *w) {
    for (; w->n_transmit > 0; w->n_transmit--)
        w->ops->close(w->transmit[w->n_transmit - 1].wire);
    if (w->receive != NULL)
        w->ops->close(w->receive);
    w->receive = NULL;
}

/* The receive handle, and a transmit handle for each thread that sends. */
static int wire_open(struct scan_wire *w, struct wire_config config, const unsigned *processors,
                     const struct wire_ops *ops, struct error *e) {
    config.receive = true;
    int err = ops->open(&config, &w->receive, e);
    if (err < 0)
        return err;
    w->ops = ops;
    config.receive = false;
    config.receiver = w->receive;
    for (unsigned i = 0; i < (config.senders > 0 ? config.senders : 1); i++) {
        struct scan_sender *sender = &w->transmit[i];
        config.sender = i;
        config.processor = processors[i];
        sender->cpu = config.senders > 1 ? (int)processors[i] : -1;
        err = ops->open(&config, &sender->wire, e);
        if (err < 0) {
            wire_close(w);
            return err;
        }
        w->n_transmit++;
    }
    return 0;
}

/* Those that this process may use, for the threads that send. */
static int processors_choose(const struct scan_config *c, unsigned processors[SCAN_SENDERS_MAX], struct error *e) {
    cpu_set_t allowed;
    unsigned n = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return error_set(e, -errno, "cannot tell which processors may be used: %s", strerror(errno));
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && n < SCAN_SENDERS_MAX; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            processors[n++] = cpu;
    if (n < c->senders)
        return error_set(e, -EINVAL, "--sender-threads %u: each needs a processor of its own, and there are %u",
                         c->senders, n);
    return 0;
}

/* May more be sent than the packet wire is the best choice for? */
static bool is_fast(const struct scan_config *c) {
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / (8 * 64) : c->rate_milli_pps / 1000;
    return pps > SCAN_XDP_PPS || (c->bandwidth_bps == 0 && c->rate_milli_pps == 0);
}

/* By the user's choice, or by what the interface can do. */
static int wire_choose(const struct scan *s, struct scan_wire *w, const struct wire_config *config,
                       const unsigned *processors, struct error *e) {
    const struct scan_config *c = &s->config;
    struct wire_config by_xdp = *config;
    by_xdp.ring_bytes = ring_bytes(s, RING_BYTES_XDP);
    if (c->wire_ops != NULL)
        return wire_open(w, *config, processors, c->wire_ops, e);
    if (w->loopback && !s->loopback) /* own addresses among the targets */
        return wire_open(w, *config, processors, &wire_packet_ops, e);
    if (c->wire == SCAN_WIRE_XDP)
        return wire_open(w, by_xdp, processors, &wire_xdp_ops, e);
    if (c->wire == SCAN_WIRE_AUTO && !w->loopback && is_fast(c)) {
        struct error why = ERROR_INIT;
        if (wire_open(w, by_xdp, processors, &wire_xdp_ops, &why) == 0)
            return 0;
        char line[sizeof why.text + 64];
        snprintf(line, sizeof line, "--wire packet, since xdp cannot be had: %s", why.text);
        if (c->details)
            scan_note(s, line);
    }
    return wire_open(w, *config, processors, &wire_packet_ops, e);
}

static int wires_open(struct scan *s, struct error *e) {
    unsigned processors[SCAN_SENDERS_MAX];
    int err = processors_choose(&s->config, processors, e);
    s->batch_max = SCAN_BATCH_USUAL;
    for (unsigned i = 0; i < s->n_wires && err == 0; i++) {
        struct scan_wire *w = &s->wires[i];
        struct wire_config config = {
            .ifname = w->name,
            .ifindex = w->ifindex,
            .loopback = w->loopback,
            .link = w->link,
            .filter = {.port_lo = s->claim.first, .port_hi = (uint16_t)(s->claim.first + s->claim.n - 1),
                       .protocols = &s->protocols},
            .answers_for = w->borrowed[1],
            .ring_bytes = ring_bytes(s, RING_BYTES_PACKET),
            .senders = s->config.senders,
        };
        err = wire_choose(s, w, &config, processors, e);
        if (err < 0)
            return err;
        if (w->ops == &wire_xdp_ops)
            s->batch_max = SCAN_BATCH_XDP;
    }
    return err;
}

static int pcap_open(struct scan *s, struct error *e) {
    if (s->config.pcap_path == NULL)
        return 0;
    for (unsigned i = 1; i < s->n_wires; i++)
        if (s->wires[i].link != s->wires[0].link)
            return error_set(e, -EINVAL, "--pcap: %s and %s have different link types, which one file cannot hold",
                             s->wires[0].name, s->wires[i].name);
    return pcapfile_create(s->config.pcap_path, s->wires[0].link, &s->pcap, e);
}

/* The default rate protects networks; what never leaves the machine needs no protection. */
static void rate_choose(struct scan *s) {
    s->loopback = true;
    for (unsigned i = 0; i < s->n_wires; i++)
        s->loopback = s->loopback && s->wires[i].loopback;
    if (s->config.rate_default && s->loopback)
        s->config.rate_milli_pps = 0;
}

/* --alive: every address of the plan, as a ping. */
static int discovery_plan(struct scan *s, struct error *e) {
    size_t n;
    const struct addr_range *ranges = plan_ranges(s->config.plan, &n);
    struct target *targets = calloc(n, sizeof *targets);
    if (targets == NULL)
        return error_set(e, -ENOMEM, "no memory for %zu targets", n);
    for (size_t i = 0; i < n; i++)
        targets[i] = (struct target){.range = ranges[i], .port = -1};
    struct slot slot = {.technique = TECHNIQUE_PING};
    struct plan_input in = {.targets = targets, .n_targets = n, .slots = &slot, .n_slots = 1, .keep_special = true};
    int err = plan_create(&in, &s->discovery_plan, e);
    free(targets);
    return err;
}

static int scan_prepare(struct scan *s, struct error *e) {
    const struct scan_config *c = &s->config;
    size_t n;
    const struct addr_range *ranges = plan_ranges(c->plan, &n);
    struct route_options options = {.ifname = c->ifname, .source_v4 = c->source_v4, .source_v6 = c->source_v6};
    s->techniques = plan_techniques(c->plan) | (c->discover ? 1u << TECHNIQUE_PING : 0);
    int err = c->discover ? discovery_plan(s, e) : 0;
    if (err < 0 || (err = route_resolve(ranges, n, &options, &s->routes, e)) < 0 ||
        (err = ways_create_paths(s, e)) < 0 || (err = ways_plan_neighbours(s, e)) < 0 ||
        (err = probes_prepare(s, e)) < 0 || (err = ways_check_mtu(s, e)) < 0)
        return err;
    rate_choose(s);
    err = wires_open(s, e);
    return err < 0 ? err : pcap_open(s, e);
}

int scan_create(const struct scan_config *config, struct scan **out, struct error *e) {
    struct scan *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, -ENOMEM, "no memory for a scan");
    s->config = *config;
    s->routes = ROUTE_MAP_INIT;
    s->claim = CLAIM_INIT;
    s->neighbours = NEIGHBOURS_INIT;
    pthread_mutex_init(&s->progress_lock, NULL);
    int err = scan_prepare(s, e);
    if (err < 0) {
        scan_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void scan_free(struct scan *s) {
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_wires; i++)
        wire_close(&s->wires[i]);
    if (s->pcap != NULL)
        pcapfile_close(s->pcap);
    claim_deinit(&s->claim);
    plan_free(s->links.plan);
    plan_free(s->own.plan);
    plan_free(s->discovery_plan);
    plan_free(s->alive_plan);
    path_map_deinit(&s->paths);
    path_map_deinit(&s->links.paths);
    path_map_deinit(&s->own.paths);
    neighbours_deinit(&s->neighbours);
    route_map_deinit(&s->routes);
    pthread_mutex_destroy(&s->progress_lock);
    free(s);
}

/* ---- the passes ---- */

/* Runs a pass whose answers serve the next one. Returns 1 when the scan was told to end meanwhile. */
static int pass_prepare(struct scan *s, struct pass *p, struct summary *sum, struct error *e) {
    int err = pass_run(s, p, e);
    summary_heard(sum, &p->counters);
    sum->resets_sent += counted(&p->counters.resets);
    sum->ended = atomic_load(&p->ended);
    return err == 0 && sum->ended != NULL ? 1 : err;
}

/* Learns the link addresses of a neighbourhood, with our own frames. */
static int neighbours_learn(struct scan *s, struct neighbourhood *n, struct summary *sum, struct error *e) {
    if (n->plan == NULL)
        return 0;
    rtt_init(&s->rtt, NEIGHBOUR_TIMEOUT_FIRST_NS, false);
    struct pass *p;
    int err = pass_create(s, PASS_NEIGHBOURS, n->plan, &n->paths, &p, e);
    if (err < 0)
        return err;
    err = pass_prepare(s, p, sum, e);
    pass_free(p);
    neighbours_sort(&s->neighbours);
    s->neighbour_sent = scan_transmitted(s);
    return err;
}

static int neighbours_resolve(struct scan *s, struct summary *sum, struct error *e) {
    int err = neighbours_learn(s, &s->own, sum, e);
    if (err == 0)
        err = ways_check_own(s, e);
    if (err == 0)
        err = neighbours_learn(s, &s->links, sum, e);
    if (err != 0 || s->links.plan == NULL)
        return err;
    err = ways_resolve_gateways(s, e);
    sum->hosts_down = plan_size(s->links.plan) - s->neighbours.list.n - s->gateways_silent;
    return err;
}

static void timeouts_start(struct scan *s) {
    bool on_link = s->links.plan != NULL && s->links.gateways == 0 && s->rtt.srtt_ns > 0;
    if (s->config.timeout_ns > 0)
        rtt_init(&s->rtt, s->config.timeout_ns, true);
    else if (!on_link) /* where every target is a neighbour, ARP has measured the way already */
        rtt_init(&s->rtt, RTT_TIMEOUT_FIRST_NS, false);
}

static int address_compare(const void *a, const void *b) {
    const addr_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The addresses that both threads found up, ascending and unique, in up[0]. Returns 0 or -ENOMEM. */
static int hosts_join(struct pass *p) {
    struct array *up = &p->up[0];
    for (size_t i = 0; i < p->up[1].n; i++) {
        addr_t *a = array_add(up);
        if (a == NULL)
            return -ENOMEM;
        *a = ((const addr_t *)p->up[1].items)[i];
    }
    addr_t *list = up->items;
    size_t n = 0;
    if (up->n > 0)
        qsort(list, up->n, sizeof *list, address_compare);
    for (size_t i = 0; i < up->n; i++)
        if (n == 0 || list[n - 1] != list[i])
            list[n++] = list[i];
    up->n = n;
    return 0;
}

/* --alive: finds the hosts that answer; the ports pass is about those alone. Returns 1 when there is none, or when the
 * scan was told to end. */
static int hosts_discover(struct scan *s, struct summary *sum, struct error *e) {
    struct pass *p;
    int err = pass_create(s, PASS_DISCOVERY, s->discovery_plan, &s->paths, &p, e);
    if (err < 0)
        return err;
    timeouts_start(s);
    err = pass_prepare(s, p, sum, e);
    s->ping_sent = scan_transmitted(s) - s->neighbour_sent;
    s->learnt_pps = counted(&p->counters.rate_pps);
    if (err == 0 && (err = hosts_join(p)) < 0)
        error_set(e, err, "no memory for the hosts that are up");
    sum->hosts_up = p->up[0].n;
    sum->hosts_down = p->shard.end - p->shard.first - sum->hosts_up;
    if (err == 0 && sum->hosts_up == 0)
        err = 1;
    if (err == 0)
        err = plan_restrict(s->config.plan, p->up[0].items, p->up[0].n, &s->alive_plan, e);
    pass_free(p);
    return err;
}

static int ports_run(struct scan *s, struct summary *sum, struct error *e) {
    struct pass *p;
    const struct plan *plan = s->alive_plan != NULL ? s->alive_plan : s->config.plan;
    int err = pass_create(s, PASS_PORTS, plan, &s->paths, &p, e);
    if (err < 0)
        return err;
    if (s->alive_plan == NULL)
        timeouts_start(s);
    sum->planned = p->shard.end - p->shard.first;
    err = pass_run(s, p, e);
    summary_heard(sum, &p->counters);
    summary_counters(sum, &p->counters);
    summary_missed(sum, p);
    summary_rate(sum, p);
    if (plan_techniques(plan) == UINT32_C(1) << TECHNIQUE_PING) {
        sum->hosts_up = sum->states[STATE_UP];
        sum->hosts_down = sum->states[STATE_DOWN];
    }
    sum->hosts_limited = p->lot == NULL ? 0 : lot_limited(p->lot);
    sum->ended = atomic_load(&p->ended);
    pass_free(p);
    return err;
}

int scan_run(struct scan *s, struct report *report, struct summary *sum, struct error *e) {
    s->config.report = report;
    s->started_ns = clock_mono_ns();
    summary_begin(sum, s);
    int err = neighbours_resolve(s, sum, e);
    if (err == 0 && s->config.discover)
        err = hosts_discover(s, sum, e);
    if (err == 0)
        err = ports_run(s, sum, e);
    summary_wires(sum, s);
    sum->end_ns = clock_real_ns();
    sum->duration_ns = clock_mono_ns() - s->started_ns;
    sum->srtt_ns = s->rtt.srtt_ns;
    sum->rto_ns = atomic_load(&s->rtt.timeout_ns);
    if (s->pcap != NULL) {
        int closed = pcapfile_close(s->pcap);
        s->pcap = NULL;
        if (closed < 0 && err >= 0)
            err = error_set(e, closed, "%s: %s", s->config.pcap_path, strerror(-closed));
    }
    if (sum->ended == NULL)
        sum->ended = err < 0 ? "failed" : "complete";
    return err < 0 ? err : 0;
}
