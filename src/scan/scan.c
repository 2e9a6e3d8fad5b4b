#include "scan/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "scan/engine.h"

#define RING_BYTES (16u << 20) /* receive rings together: half a second of 64-byte replies at 250,000 a second */
#define ARP_TIMEOUT_FIRST_NS UINT64_C(250000000) /* a link's round trip, with a sleeping radio's beacon interval */

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

static int wires_open(struct scan *s, struct error *e) {
    for (unsigned i = 0; i < s->n_wires; i++) {
        struct scan_wire *w = &s->wires[i];
        struct wire_config config = {
            .ifname = w->name,
            .ifindex = w->ifindex,
            .loopback = w->loopback,
            .link = w->link,
            .receive = true,
            .filter = {.port_lo = s->claim.first, .port_hi = (uint16_t)(s->claim.first + s->claim.n - 1)},
            .ring_bytes = RING_BYTES / s->n_wires,
        };
        int err = s->config.wire_ops->open(&config, &w->receive, e);
        if (err < 0)
            return err;
        config.receive = false;
        err = s->config.wire_ops->open(&config, &w->transmit, e);
        if (err < 0)
            return err;
    }
    return 0;
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
    bool loopback = true;
    for (unsigned i = 0; i < s->n_wires; i++)
        loopback = loopback && s->wires[i].loopback;
    if (s->config.rate_default && loopback)
        s->config.rate_milli_pps = 0;
}

static int scan_prepare(struct scan *s, struct error *e) {
    const struct scan_config *c = &s->config;
    int err = random_bytes(&s->probe.key, sizeof s->probe.key);
    if (err < 0)
        return error_set(e, err, "no random key from the kernel");
    size_t n;
    const struct addr_range *ranges = plan_ranges(c->plan, &n);
    struct route_options options = {.ifname = c->ifname, .source_v4 = c->source_v4, .source_v6 = c->source_v6};
    if ((err = route_resolve(ranges, n, &options, &s->routes, e)) < 0 || (err = ways_create_paths(s, e)) < 0 ||
        (err = ways_plan_arp(s, e)) < 0)
        return err;
    unsigned tries = c->retries + 1;
    struct claim_wish wish = {.n = c->source_port != 0 ? 1 : tries, .first = c->source_port, .seed = c->seed,
                              .tcp = true};
    err = claim_create(&wish, &s->claim, e);
    if (err < 0)
        return err;
    s->probe.first_port[TECHNIQUE_SYN] = s->claim.first;
    s->probe.tries = c->source_port != 0 ? 1 : (uint8_t)tries;
    s->probe.port_fixed = c->source_port != 0;
    s->probe.ttl = c->ttl;
    if ((err = wires_open(s, e)) < 0 || (err = pcap_open(s, e)) < 0)
        return err;
    rate_choose(s);
    return 0;
}

int scan_create(const struct scan_config *config, struct scan **out, struct error *e) {
    struct scan *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, -ENOMEM, "no memory for a scan");
    s->config = *config;
    if (s->config.wire_ops == NULL)
        s->config.wire_ops = &wire_packet_ops;
    s->routes = ROUTE_MAP_INIT;
    s->claim = CLAIM_INIT;
    s->neighbours = NEIGHBOURS_INIT;
    seen_init(&s->seen);
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
    for (unsigned i = 0; i < s->n_wires; i++) {
        if (s->wires[i].transmit != NULL)
            s->wires[i].transmit->ops->close(s->wires[i].transmit);
        if (s->wires[i].receive != NULL)
            s->wires[i].receive->ops->close(s->wires[i].receive);
    }
    if (s->pcap != NULL)
        pcapfile_close(s->pcap);
    claim_deinit(&s->claim);
    plan_free(s->arp_plan);
    path_map_deinit(&s->paths);
    path_map_deinit(&s->arp_paths);
    neighbours_deinit(&s->neighbours);
    route_map_deinit(&s->routes);
    seen_deinit(&s->seen);
    pthread_mutex_destroy(&s->progress_lock);
    free(s);
}

/* Learns the link addresses of gateways and on-link targets, with our own frames. Returns 1 when the scan was told to
 * end meanwhile. */
static int neighbours_resolve(struct scan *s, struct summary *sum, struct error *e) {
    if (s->arp_plan == NULL)
        return 0;
    rtt_init(&s->rtt, ARP_TIMEOUT_FIRST_NS, false);
    struct pass *p;
    int err = pass_create(s, TECHNIQUE_NEIGHBOUR, &p, e);
    if (err < 0)
        return err;
    err = pass_run(s, p, e);
    summary_heard(sum, &p->counters);
    sum->ended = atomic_load(&p->ended);
    pass_free(p);
    neighbours_sort(&s->neighbours);
    s->arp_sent = scan_transmitted(s);
    if (err < 0 || sum->ended != NULL)
        return err < 0 ? err : 1;
    err = ways_resolve_gateways(s, e);
    sum->hosts_down = plan_size(s->arp_plan) - s->neighbours.list.n - s->gateways_silent;
    return err;
}

static void timeouts_start(struct scan *s) {
    bool on_link = s->arp_plan != NULL && s->arp_gateways == 0 && s->rtt.srtt_ns > 0;
    if (s->config.timeout_ns > 0)
        rtt_init(&s->rtt, s->config.timeout_ns, true);
    else if (!on_link) /* where every target is a neighbour, ARP has measured the way already */
        rtt_init(&s->rtt, RTT_TIMEOUT_FIRST_NS, false);
}

static int ports_run(struct scan *s, struct summary *sum, struct error *e) {
    struct pass *p;
    int err = pass_create(s, TECHNIQUE_SYN, &p, e);
    if (err < 0)
        return err;
    timeouts_start(s);
    err = pass_run(s, p, e);
    summary_heard(sum, &p->counters);
    summary_counters(sum, &p->counters, p->technique);
    sum->ended = atomic_load(&p->ended);
    pass_free(p);
    return err;
}

int scan_run(struct scan *s, struct report *report, struct summary *sum, struct error *e) {
    s->config.report = report;
    s->started_ns = clock_mono_ns();
    summary_begin(sum, s);
    int err = neighbours_resolve(s, sum, e);
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
