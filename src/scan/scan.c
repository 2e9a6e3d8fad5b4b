#include "scan/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "scan/engine.h"

#define RING_BYTES (16u << 20) /* receive rings together: half a second of 64-byte replies at 250,000 a second */
#define ARP_TIMEOUT_FIRST_NS UINT64_C(250000000) /* a link's round trip, with a sleeping radio's beacon interval */
#define ARP_TIMEOUT_MAX_NS UINT64_C(1000000000)
#define ARP_RETRIES 3u
#define LINGER_NS RTT_TIMEOUT_MIN_NS /* an answered chunk still hears what contradicts its answers */
#define FLIGHT_SECONDS 15u  /* timeouts of 1 + 2 + 4 + 5 s, and a quarter more */
#define FLIGHT_MIN (1u << 16)
#define FLIGHT_UNCAPPED (1u << 24)
#define PACKET_MIN 44u /* a SYN with its MSS option, without link header */

void pass_fail(struct pass *p, int error) {
    int none = 0;
    atomic_compare_exchange_strong(&p->failed, &none, error);
}

void pass_end(struct pass *p, const char *why) {
    const char *none = NULL;
    atomic_compare_exchange_strong(&p->ended, &none, why);
}

void scan_watch(struct scan *s, enum link_type link, bool sent, const struct frame *frames, unsigned n) {
    if (s->pcap != NULL)
        pcapfile_write(s->pcap, frames, n);
    if (s->config.trace == NULL)
        return;
    for (unsigned i = 0; i < n; i++) {
        char line[256];
        probe_describe(link, frames[i].data, frames[i].len, line, sizeof line);
        s->config.trace(s->config.ctx, sent, line);
    }
}

static void note(struct scan *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct scan *s, const char *fmt, ...) {
    if (s->config.note == NULL)
        return;
    char line[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->config.note(s->config.ctx, line);
}

/* ---- creation: ways out, claimed ports, wires ---- */

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

static int paths_create(struct scan *s, struct error *e) {
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
static int arp_plan_create(struct scan *s, struct error *e) {
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
        struct slot slot = {.technique = TECHNIQUE_ARP};
        struct plan_input in = {.targets = targets, .n_targets = m->n_ranges, .slots = &slot, .n_slots = 1,
                                .keep_special = true};
        err = plan_create(&in, &s->arp_plan, e);
    }
out:
    free(targets);
    return err == -ENOMEM ? error_set(e, err, "no memory for neighbours") : err;
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
    struct route_options options = {.ifname = c->ifname, .source = c->source};
    if ((err = route_resolve(ranges, n, &options, &s->routes, e)) < 0 || (err = paths_create(s, e)) < 0 ||
        (err = arp_plan_create(s, e)) < 0)
        return err;
    unsigned tries = c->retries + 1;
    err = claim_ports(c->source_port != 0 ? 1 : tries, c->source_port, c->seed, &s->claim, e);
    if (err < 0)
        return err;
    s->probe.port_base = s->claim.first;
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

/* ---- passes ---- */

/* How many probes may be in flight: what the rate sends while the timeouts of one position run. */
static uint64_t flight_of(const struct scan *s) {
    const struct scan_config *c = &s->config;
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / (PACKET_MIN * 8) : c->rate_milli_pps / 1000;
    if (c->bandwidth_bps == 0 && c->rate_milli_pps == 0)
        return FLIGHT_UNCAPPED;
    return pps * FLIGHT_SECONDS < FLIGHT_MIN ? FLIGHT_MIN : pps * FLIGHT_SECONDS;
}

static int pass_create(struct scan *s, enum technique_id technique, struct pass **out, struct error *e) {
    struct pass *p = calloc(1, sizeof *p);
    if (p == NULL)
        return error_set(e, -ENOMEM, "no memory for a pass");
    bool arp = technique == TECHNIQUE_ARP;
    p->scan = s;
    p->technique = technique;
    p->plan = arp ? s->arp_plan : s->config.plan;
    p->paths = arp ? &s->arp_paths : &s->paths;
    p->learned = &s->neighbours;
    p->timeout_max_ns = arp ? ARP_TIMEOUT_MAX_NS : RTT_TIMEOUT_MAX_NS;
    uint64_t total = plan_size(p->plan);
    order_init(&p->order, total, s->config.seed);
    /* Every shard needs the neighbours of all its targets, and those are spread over the whole link. */
    p->shard = arp ? shard_of(total, 1, 1) : shard_of(total, s->config.shard, s->config.shards);
    if (!arp && s->config.sample > 0 && p->shard.end - p->shard.first > s->config.sample)
        p->shard.end = p->shard.first + s->config.sample;
    unsigned retries = arp && s->config.retries > ARP_RETRIES ? ARP_RETRIES : s->config.retries;
    int err = ledger_init(&p->ledger, p->shard.first, p->shard.end, retries, flight_of(s), arp ? 0 : LINGER_NS, e);
    if (err < 0) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

static void pass_free(struct pass *p) {
    ledger_deinit(&p->ledger);
    free(p);
}

static const char *wire_names(const struct scan *s, char *buf, size_t n) {
    size_t used = 0;
    buf[0] = '\0';
    for (unsigned i = 0; i < s->n_wires && used < n; i++)
        used += (size_t)snprintf(buf + used, n - used, "%s%s", i > 0 ? "," : "", s->wires[i].name);
    return buf;
}

static int pass_run(struct scan *s, struct pass *p, struct error *e) {
    pthread_t transmit, receive;
    pthread_mutex_lock(&s->progress_lock);
    s->running = p;
    pthread_mutex_unlock(&s->progress_lock);
    atomic_store(&s->phase, p->technique == TECHNIQUE_ARP ? PHASE_ARP : PHASE_PORTS);
    int err = pthread_create(&receive, NULL, receive_run, p);
    if (err != 0)
        return error_set(e, -err, "cannot start the receive thread: %s", strerror(err));
    err = pthread_create(&transmit, NULL, transmit_run, p);
    if (err != 0)
        atomic_store(&p->sent_all, 1);
    else
        pthread_join(transmit, NULL);
    pthread_join(receive, NULL);
    if (err != 0)
        return error_set(e, -err, "cannot start the transmit thread: %s", strerror(err));
    err = atomic_load(&p->failed);
    char names[64];
    if (err < 0)
        return error_set(e, err, "the scan stopped: %s: %s", wire_names(s, names, sizeof names), strerror(-err));
    return 0;
}

/* Gives each gateway's path its MAC. A silent gateway makes its targets unreachable. */
static int gateways_resolve(struct scan *s, struct error *e) {
    unsigned usable = 0;
    for (size_t h = 0; h < s->paths.n_paths; h++) {
        struct path *path = &s->paths.paths[h];
        if (gateway_wanted(s, h)) {
            const uint8_t *mac = neighbours_find(&s->neighbours, s->routes.hops[h].gateway);
            if (mac != NULL) {
                memcpy(path->probe.dest_mac, mac, MAC_LEN);
            } else {
                char text[ADDR_STRLEN];
                addr_format(s->routes.hops[h].gateway, text);
                error_set(e, -EHOSTUNREACH, "the gateway %s on %s does not answer ARP", text, s->routes.hops[h].ifname);
                note(s, "%s", e->text);
                path->kind = PATH_UNREACHABLE;
                s->gateways_silent++;
            }
        }
        usable += path->kind != PATH_UNREACHABLE;
    }
    return usable == 0 ? -EHOSTUNREACH : 0;
}

static uint64_t transmitted(const struct scan *s) {
    uint64_t sent = 0;
    for (unsigned i = 0; i < s->n_wires; i++) {
        struct wire_stats st;
        s->wires[i].transmit->ops->stats(s->wires[i].transmit, &st);
        sent += st.sent;
    }
    return sent;
}

/* Learns the link addresses of gateways and on-link targets, with our own frames. Returns 1 when the scan was told to
 * end meanwhile. */
static int neighbours_resolve(struct scan *s, struct summary *sum, struct error *e) {
    if (s->arp_plan == NULL)
        return 0;
    rtt_init(&s->rtt, ARP_TIMEOUT_FIRST_NS, false);
    struct pass *p;
    int err = pass_create(s, TECHNIQUE_ARP, &p, e);
    if (err < 0)
        return err;
    err = pass_run(s, p, e);
    sum->ended = atomic_load(&p->ended);
    pthread_mutex_lock(&s->progress_lock);
    s->running = NULL;
    pthread_mutex_unlock(&s->progress_lock);
    pass_free(p);
    neighbours_sort(&s->neighbours);
    s->arp_sent = transmitted(s);
    if (err < 0 || sum->ended != NULL)
        return err < 0 ? err : 1;
    err = gateways_resolve(s, e);
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

static void summary_counters(struct summary *sum, const struct counters *c, enum technique_id technique) {
    for (unsigned i = 0; i < SUMMARY_TRIES_MAX; i++) {
        sum->sent_at_try[i] = counted(&c->sent_at_try[i]);
        sum->answered_at_try[i] = counted(&c->answered_at_try[i]);
        sum->finals += sum->answered_at_try[i];
    }
    for (unsigned i = 0; i < IGNORED_COUNT; i++)
        sum->ignored[i] = counted(&c->ignored[i]);
    for (unsigned i = 0; i < STATE_COUNT; i++)
        sum->states[i] = counted(&c->first_by_state[i]);
    sum->answered_unknown_try = counted(&c->answered_unknown_try);
    sum->resets_sent = counted(&c->resets);
    sum->received = counted(&c->received);
    sum->duplicates = counted(&c->duplicates);
    sum->late = counted(&c->late);
    sum->late_open = counted(&c->late_open);
    sum->revised = counted(&c->revised);
    sum->own_ports = counted(&c->settled_closed);
    sum->unreachable = counted(&c->settled_unreachable);
    sum->sink_waits_ns = counted(&c->sink_waits_ns);
    sum->window_waits_ns = counted(&c->window_waits_ns);
    sum->batch = (unsigned)counted(&c->batch);
    uint64_t silent = counted(&c->silent), down = counted(&c->settled_down);
    sum->finals += sum->answered_unknown_try + silent + sum->own_ports + sum->unreachable + down;
    sum->states[STATE_CLOSED] += sum->own_ports;
    sum->states[STATE_DOWN] += down;
    sum->states[STATE_UNKNOWN] += sum->unreachable;
    sum->states[techniques[technique].on_silence.state] += silent - sum->late_open;
}

static void summary_wires(struct summary *sum, const struct scan *s) {
    sum->sent = transmitted(s) - s->arp_sent;
    sum->arp_sent = s->arp_sent;
    for (unsigned i = 0; i < s->n_wires; i++) {
        struct wire *both[2] = {s->wires[i].transmit, s->wires[i].receive};
        for (unsigned k = 0; k < 2; k++) {
            struct wire_stats st;
            both[k]->ops->stats(both[k], &st);
            sum->send_refused += st.send_refused;
            sum->ring_dropped += st.ring_dropped;
            if (st.last_send_error != 0)
                sum->last_send_error = st.last_send_error;
            if (k == 1) /* both handles read the same interface's counter */
                sum->interface_dropped += st.interface_dropped;
        }
    }
}

static void summary_begin(struct summary *sum, const struct scan *s) {
    const struct scan_config *c = &s->config;
    struct shard shard = shard_of(plan_size(c->plan), c->shard, c->shards);
    sum->seed = c->seed;
    sum->start_ns = clock_real_ns();
    sum->planned = shard.end - shard.first;
    if (c->sample > 0 && sum->planned > c->sample)
        sum->planned = c->sample;
    sum->addresses = (uint64_t)plan_addresses(c->plan);
    sum->rate_milli_pps = c->rate_milli_pps;
    sum->bandwidth_bps = c->bandwidth_bps;
    sum->retries = c->retries;
    snprintf(sum->wire, sizeof sum->wire, "%s", s->config.wire_ops->name);
    wire_names(s, sum->interface, sizeof sum->interface);
}

static int ports_run(struct scan *s, struct summary *sum, struct error *e) {
    struct pass *p;
    int err = pass_create(s, TECHNIQUE_SYN, &p, e);
    if (err < 0)
        return err;
    timeouts_start(s);
    err = pass_run(s, p, e);
    pthread_mutex_lock(&s->progress_lock);
    s->running = NULL;
    pthread_mutex_unlock(&s->progress_lock);
    summary_counters(sum, &p->counters, p->technique);
    sum->ended = atomic_load(&p->ended);
    pass_free(p);
    return err;
}

int scan_run(struct scan *s, struct summary *sum, struct error *e) {
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

/* ---- progress ---- */

static uint64_t time_left(const struct scan *s, const struct pass *p, const struct scan_progress *out) {
    uint64_t first = counted(&p->counters.sent_at_try[0]);
    if (first == 0 || out->elapsed_ns == 0)
        return 0;
    uint64_t timeout = 0, t = atomic_load_explicit(&s->rtt.timeout_ns, memory_order_relaxed);
    for (unsigned k = 0; k <= p->ledger.retries; k++, t = t * 2 < p->timeout_max_ns ? t * 2 : p->timeout_max_ns)
        timeout += t;
    /* By time: what one position has cost so far, its re-probes included, times the positions left. */
    __extension__ unsigned __int128 sending = (unsigned __int128)out->elapsed_ns * out->unsent / first;
    return (uint64_t)sending + timeout;
}

void scan_progress(struct scan *s, struct scan_progress *out) {
    *out = (struct scan_progress){.phase = "starting"};
    pthread_mutex_lock(&s->progress_lock);
    struct pass *p = s->running;
    if (p != NULL) {
        static const char *const phases[] = {[PHASE_ARP] = "arp", [PHASE_PORTS] = "scan", [PHASE_LISTENING] = "listening"};
        struct counters *c = &p->counters;
        out->phase = phases[atomic_load(&s->phase)];
        out->planned = p->shard.end - p->shard.first;
        uint64_t offered = atomic_load_explicit(&p->ledger.offered, memory_order_relaxed);
        out->unsent = out->planned - offered;
        out->answered = counted(&c->answered_unknown_try) + counted(&c->settled_closed);
        for (unsigned i = 0; i < SUMMARY_TRIES_MAX; i++) {
            out->answered += counted(&c->answered_at_try[i]);
            out->sent += counted(&c->sent_at_try[i]);
        }
        out->given_up = counted(&c->silent) + counted(&c->settled_down) + counted(&c->settled_unreachable);
        uint64_t done = out->answered + out->given_up;
        out->in_flight = offered > done ? offered - done : 0;
        out->received = counted(&c->received);
        out->open = counted(&c->first_by_state[STATE_OPEN]);
        out->drops = counted(&c->drops);
        out->elapsed_ns = clock_mono_ns() - s->started_ns;
        out->eta_ns = time_left(s, p, out);
    }
    pthread_mutex_unlock(&s->progress_lock);
}
