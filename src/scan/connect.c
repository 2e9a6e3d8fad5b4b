/* The scan that needs no privilege: connect(2), non-blocking, a bounded number at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/connect.h"
#include "wire/route.h"

enum {
    SOCKETS_DEFAULT = 512,
    DESCRIPTORS_SPARE = 3, /* left for others in this process: name lookups, an output's end */
};
#define HOSTS_MAX ((size_t)1 << 28) /* that answer, held at most: 4 GB */

/* Sockets at a time: what was asked for, and what the process may have. */
static unsigned sockets_most(unsigned wanted) {
    struct rlimit limit;
    rlim_t most = wanted ? wanted : SOCKETS_DEFAULT;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        rlim_t room = limit.rlim_cur > DESCRIPTORS_SPARE ? limit.rlim_cur - DESCRIPTORS_SPARE : 1;
        most = most < room ? most : room;
    }
    return (unsigned)most;
}

/* Does no packet leave this machine? The kernel's own routes tell; a range it has no answer for is not ours. */
static bool stays_here(const struct scan_config *config) {
    struct route_options options = {.ifname = config->ifname};
    struct route_map map = ROUTE_MAP_INIT;
    struct error e = ERROR_INIT;
    size_t n;
    const struct addr_range *ranges = plan_ranges(config->plan, &n);
    bool here = route_resolve(ranges, n, &options, &map, &e) == 0;
    for (size_t i = 0; i < map.n_ranges && here; i++) {
        const struct hop *hop = &map.hops[map.ranges[i].hop];
        here = !hop->unreachable && (hop->local || hop->loopback);
    }
    route_map_deinit(&map);
    return here;
}

/* Of a ping's packets connect(2) can send those that are TCP. */
static void choose_ping(struct connect_scan *c) {
    const struct scan_config *config = &c->config;
    for (unsigned i = 0; i < config->n_ping; i++) {
        bool tcp = config->ping[i].kind == PING_SYN || config->ping[i].kind == PING_ACK, known = false;
        for (unsigned j = 0; j < c->n_ping; j++)
            known |= c->ping_ports[j] == config->ping[i].port;
        if (tcp && !known)
            c->ping_ports[c->n_ping++] = config->ping[i].port;
    }
    if (c->n_ping > 0)
        return;
    c->ping_ports[c->n_ping++] = 80;
    c->ping_ports[c->n_ping++] = 443;
}

static int prepare(struct connect_scan *c, unsigned max_sockets, struct error *e) {
    const struct scan_config *config = &c->config;
    int r = dial_check(config, &c->scope, e);
    if (r < 0)
        return r;
    choose_ping(c);
    c->n_attempts = sockets_most(max_sockets);
    c->attempts = calloc(c->n_attempts, sizeof *c->attempts);
    if (!c->attempts)
        return error_set(e, -ENOMEM, "no memory for %u connections", c->n_attempts);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    return c->epoll < 0 ? error_set(e, -errno, "cannot watch connections: %s", strerror(errno)) : 0;
}

int connect_create(const struct scan_config *config, unsigned max_sockets, struct connect_scan **out, struct error *e) {
    struct connect_scan *c = malloc(sizeof *c);
    if (!c)
        return error_set(e, -ENOMEM, "no memory for a scan");
    *c = (struct connect_scan){
        .config = *config,
        .epoll = -1,
        .up = ARRAY_INIT(addr_t, HOSTS_MAX),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .shown = {.phase = "starting"},
    };
    int r = prepare(c, max_sockets, e);
    if (r < 0) {
        connect_free(c);
        return r;
    }
    *out = c;
    return 0;
}

void connect_free(struct connect_scan *c) {
    if (!c)
        return;
    free(c->attempts);
    if (c->epoll >= 0)
        close(c->epoll);
    array_deinit(&c->up);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void connect_progress(struct connect_scan *c, struct scan_progress *out) {
    pthread_mutex_lock(&c->lock);
    *out = c->shown;
    uint64_t started = c->shown_started_ns;
    pthread_mutex_unlock(&c->lock);
    if (started == 0)
        return;
    __extension__ typedef unsigned __int128 wide;
    uint64_t done = out->answered + out->given_up;
    out->elapsed_ns = clock_mono_ns() - started;
    out->eta_ns = done > 0 ? (uint64_t)((wide)out->elapsed_ns * (out->planned - done) / done) : 0;
}

static void summary_begin(const struct connect_scan *c, struct summary *sum) {
    const struct scan_config *config = &c->config;
    addr_t addresses = plan_addresses(config->plan);
    struct shard shard = connect_shard(config, config->plan);
    sum->seed = config->seed;
    sum->start_ns = clock_real_ns();
    sum->utc_offset_s = clock_zone_s(sum->start_ns);
    sum->planned = shard.end - shard.first;
    sum->addresses = addresses > UINT64_MAX ? UINT64_MAX : (uint64_t)addresses;
    sum->rate_milli_pps = config->rate_milli_pps;
    sum->bandwidth_bps = config->bandwidth_bps;
    sum->retries = config->retries;
    sum->batch = 1;
    memcpy(sum->wire, "connect", sizeof "connect");
}

static int compare_addresses(const void *a, const void *b) {
    addr_t x = *(const addr_t *)a, y = *(const addr_t *)b;
    return (x > y) - (x < y);
}

/* A plan of one ping for each address of the scan's. */
static int host_plan(const struct plan *plan, struct plan **out, struct error *e) {
    static const struct slot ping = {.technique = TECHNIQUE_PING};
    size_t n;
    const struct addr_range *ranges = plan_ranges(plan, &n);
    struct target *targets = calloc(n, sizeof *targets);
    if (!targets)
        return error_set(e, -ENOMEM, "no memory for the discovery of hosts");
    for (size_t i = 0; i < n; i++)
        targets[i] = (struct target){.range = ranges[i], .port = -1};
    struct plan_input in = {.targets = targets, .n_targets = n, .slots = &ping, .n_slots = 1, .keep_special = true};
    int r = plan_create(&in, out, e);
    free(targets);
    return r;
}

/* --alive: looks for hosts first. *live receives the scan's plan without those that are down. */
static int discover(struct connect_scan *c, struct plan **live, struct summary *sum, struct error *e) {
    struct plan *hosts = NULL;
    struct summary found = {.seed = 0};
    int r = host_plan(c->config.plan, &hosts, e);
    if (r < 0)
        return r;
    connect_pass(c, hosts, true, &found);
    plan_free(hosts);
    sum->ping_sent = found.sent;
    sum->hosts_up = found.states[STATE_UP];
    sum->hosts_down = found.states[STATE_DOWN] + found.states[STATE_UNKNOWN];
    sum->resets_sent = found.resets_sent;
    sum->send_refused = found.send_refused;
    sum->last_send_error = found.last_send_error;
    sum->sink_waits_ns = found.sink_waits_ns;
    sum->ended = strcmp(found.ended ? found.ended : "failed", "complete") == 0 ? NULL : found.ended;
    if (c->up.n > 0)
        qsort(c->up.items, c->up.n, sizeof(addr_t), compare_addresses);
    return plan_restrict(c->config.plan, c->up.items, c->up.n, live, e);
}

static int run_passes(struct connect_scan *c, struct summary *sum, struct error *e) {
    struct plan *live = NULL;
    bool hosts_only = plan_techniques(c->config.plan) == UINT32_C(1) << TECHNIQUE_PING;
    bool discovers = c->config.discover && !hosts_only;
    int r = discovers ? discover(c, &live, sum, e) : 0;
    if (r == 0 && !sum->ended && !c->failed)
        connect_pass(c, discovers ? live : c->config.plan, false, sum);
    if (!discovers) {
        sum->hosts_up = sum->states[STATE_UP];
        sum->hosts_down = sum->states[STATE_DOWN];
    }
    plan_free(live);
    return r;
}

int connect_run(struct connect_scan *c, struct report *report, struct summary *sum, struct error *e) {
    struct scan_config *config = &c->config;
    uint64_t rate = config->rate_milli_pps;
    config->report = report;
    summary_begin(c, sum);
    if ((config->pcap_path || config->frames) && config->note)
        config->note(config->ctx, "a connect scan sees no packets: there is nothing to capture or to trace");
    if (config->bandwidth_bps)
        rate = config->bandwidth_bps * 1000;
    else if (config->rate_default && stays_here(config))
        rate = 0;
    c->started_ns = clock_mono_ns();
    pace_init(&c->pace, rate, c->started_ns);
    rtt_init(&c->rtt, config->timeout_ns ? config->timeout_ns : RTT_TIMEOUT_FIRST_NS, config->timeout_ns != 0);
    int r = run_passes(c, sum, e);
    sum->end_ns = clock_real_ns();
    sum->duration_ns = clock_mono_ns() - c->started_ns;
    sum->srtt_ns = c->rtt.srtt_ns;
    sum->rto_ns = atomic_load_explicit(&c->rtt.timeout_ns, memory_order_relaxed);
    if (r == 0 && c->failed && !report_failed(report))
        r = error_set(e, c->failed, "no socket to connect with: %s", strerror(-c->failed));
    if (r < 0 || !sum->ended)
        sum->ended = "failed";
    return r;
}
