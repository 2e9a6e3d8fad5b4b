/* A pass: one walk over one plan, from its ledger to the end of its two threads. */
#include "scan/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/estimate.h"
#include "scan/steer.h"

#define NEIGHBOUR_TIMEOUT_MAX_NS UINT64_C(1000000000)
/* A host that is there may miss a request (a sleeping radio), but on a large link nearly every address is empty, and each
 * retry costs the time of a whole walk over them. */
#define NEIGHBOUR_RETRIES 3u
#define NEIGHBOUR_RETRIES_LARGE 1u
#define NEIGHBOURS_LARGE 4096u
#define STEERED_MILLI_PPS 10000u /* slower than this the path is not what decides */
#define NEIGHBOUR_MILLI_PPS UINT64_C(10000000)
#define MISS_USUAL 0.001
#define MISS_LARGE 0.01
#define MISS_LARGE_PLAN (UINT64_C(1) << 24)
#define LINGER_NS RTT_TIMEOUT_MIN_NS /* an answered chunk still hears what contradicts its answers */
#define FLIGHT_SECONDS 15u  /* timeouts of 1 + 2 + 4 + 5 s, and a quarter more */
#define HOSTS_UP_MAX (1u << 28) /* 4 GB of them */
#define FLIGHT_SECONDS_AUTO 50u /* eleven tries: 1 + 2 + 4 + 8 x 5 s */
#define FLIGHT_MIN (1u << 16)
#define FLIGHT_UNCAPPED (1u << 24)
#define PACKET_BITS_MIN (40u * 8) /* the smallest probe on any wire: -B with raw IP */

void pass_fail(struct pass *p, int error) {
    int none = 0;
    atomic_compare_exchange_strong(&p->failed, &none, error);
}

void pass_end(struct pass *p, const char *why) {
    const char *none = NULL;
    atomic_compare_exchange_strong(&p->ended, &none, why);
}

/* An own link carries broadcasts to everybody on it, so no cap of the user's own is wide enough for them. */
uint64_t pass_rate(const struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    bool gently = c->rate_auto && p->kind == PASS_NEIGHBOURS;
    return gently && c->rate_milli_pps - 1 >= NEIGHBOUR_MILLI_PPS ? NEIGHBOUR_MILLI_PPS : c->rate_milli_pps;
}

/* How many probes may be in flight: what the rate sends while the timeouts of one position run. */
static uint64_t flight_of(const struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    uint64_t seconds = c->retries_auto ? FLIGHT_SECONDS_AUTO : FLIGHT_SECONDS;
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / (PACKET_BITS_MIN) : c->rate_milli_pps / 1000;
    if (c->bandwidth_bps == 0 && c->rate_milli_pps == 0)
        return FLIGHT_UNCAPPED;
    return pps * seconds < FLIGHT_MIN ? FLIGHT_MIN : pps * seconds;
}

/* Cursors behind the first. */
static unsigned retries_of(const struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    if (p->kind == PASS_NEIGHBOURS)
        return plan_size(p->plan) > NEIGHBOURS_LARGE ? NEIGHBOUR_RETRIES_LARGE : NEIGHBOUR_RETRIES;
    return c->retries_auto ? ESTIMATE_RETRIES_MAX : c->retries;
}

/* Can hosts be asked so densely that a limit on their answers hides endpoints, at four tries and one answer a second? */
static bool lot_wanted(const struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    bool concerned = false;
    for (uint32_t left = p->techniques; left != 0; left &= left - 1)
        concerned |= lot_concerns((unsigned)__builtin_ctz(left));
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / PACKET_BITS_MIN : c->rate_milli_pps / 1000;
    return concerned && (pps == 0 || plan_addresses(p->plan) < (addr_t)pps * 4);
}

/* --rate auto begins at what the pass before has learnt; where no packet leaves the machine there is no path to learn
 * about, only what this machine can do. */
static int rate_steer(struct pass *p, struct error *e) {
    const struct scan *s = p->scan;
    uint64_t cap = s->config.rate_milli_pps;
    if (!s->config.rate_auto || s->config.bandwidth_bps > 0 || (cap > 0 && cap < STEERED_MILLI_PPS))
        return 0;
    uint64_t start = s->loopback ? RATE_UNCAPPED : s->learnt_pps > 0 ? s->learnt_pps : GOVERN_START_PPS;
    p->steer = steer_new(p, cap / 1000, start, clock_mono_ns());
    return p->steer == NULL ? error_set(e, -ENOMEM, "no memory to steer the rate") : 0;
}

static int pass_init(struct pass *p, struct error *e) {
    const struct scan_config *c = &p->scan->config;
    bool ports = p->kind == PASS_PORTS, links = p->kind == PASS_NEIGHBOURS;
    p->techniques = plan_techniques(p->plan);
    p->timeout_max_ns = links ? NEIGHBOUR_TIMEOUT_MAX_NS : RTT_TIMEOUT_MAX_NS;
    if (c->timeout_ns > p->timeout_max_ns) /* the user knows of a longer way */
        p->timeout_max_ns = c->timeout_ns;
    for (unsigned i = 0; i < 2; i++)
        p->up[i] = ARRAY_INIT(addr_t, HOSTS_UP_MAX);
    uint64_t total = plan_size(p->plan);
    order_init(&p->order, total, c->seed);
    /* Every shard needs the neighbours of all its targets, and those are spread over the whole link. What discovery has
     * found is of this shard alone. */
    bool whole = links || (ports && c->discover);
    p->shard = whole ? shard_of(total, 1, 1) : shard_of(total, c->shard, c->shards);
    if (ports && c->sample > 0 && p->shard.end - p->shard.first > c->sample)
        p->shard.end = p->shard.first + c->sample;
    if (ports && lot_wanted(p) && (p->lot = lot_new(p->plan, c->host_timeout_ns)) == NULL)
        return error_set(e, -ENOMEM, "no memory for hosts that limit their answers");
    for (uint32_t left = p->techniques; left != 0; left &= left - 1)
        p->errors_limited |= technique_closed_by_error((unsigned)__builtin_ctz(left)) && p->lot != NULL;
    if (c->retries_auto && !links)
        p->miss = c->miss > 0 ? c->miss : total > MISS_LARGE_PLAN ? MISS_LARGE : MISS_USUAL;
    int err = ledger_init(&p->ledger, p->shard.first, p->shard.end, retries_of(p), flight_of(p), links ? 0 : LINGER_NS, e);
    return err < 0 || links ? err : rate_steer(p, e);
}

int pass_create(struct scan *s, enum pass_kind kind, const struct plan *plan, const struct path_map *paths,
                struct pass **out, struct error *e) {
    struct pass *p = calloc(1, sizeof *p);
    if (p == NULL)
        return error_set(e, -ENOMEM, "no memory for a pass");
    p->scan = s;
    p->kind = kind;
    p->plan = plan;
    p->paths = paths;
    p->ledger = LEDGER_INIT;
    seen_init(&p->seen);
    int err = pass_init(p, e);
    if (err < 0) {
        pass_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void pass_free(struct pass *p) {
    ledger_deinit(&p->ledger);
    lot_free(p->lot);
    free(p->steer);
    seen_deinit(&p->seen);
    for (unsigned i = 0; i < 2; i++)
        array_deinit(&p->up[i]);
    free(p);
}

void pass_counts(const struct pass *p, struct estimate_counts *out) {
    const struct ledger_tally *usual = &p->ledger.tally, *rough = &p->ledger.rough;
    *out = (struct estimate_counts){.tries = p->ledger.retries + 1};
    /* What a rough chunk's first tries left unanswered is as good as untried: the others lose what the path usually does. */
    for (unsigned k = 0; k < out->tries; k++) {
        out->reached[k] = usual->reached[k] + (k + 1 < out->tries ? rough->reached[k + 1] : 0);
        out->answered[k] = usual->answered[k] + (k + 1 < out->tries ? rough->answered[k + 1] : 0);
    }
}

/* Which pass a progress line may look at. */
static void running_set(struct scan *s, struct pass *p) {
    pthread_mutex_lock(&s->progress_lock);
    s->running = p;
    pthread_mutex_unlock(&s->progress_lock);
}

static int threads_run(struct pass *p, struct error *e) {
    pthread_t transmit, receive;
    int err = pthread_create(&receive, NULL, receive_run, p);
    if (err != 0)
        return error_set(e, -err, "cannot start the receive thread: %s", strerror(err));
    err = pthread_create(&transmit, NULL, transmit_run, p);
    if (err == 0)
        pthread_join(transmit, NULL);
    else
        atomic_store(&p->sent_all, 1);
    pthread_join(receive, NULL);
    return err == 0 ? 0 : error_set(e, -err, "cannot start the transmit thread: %s", strerror(err));
}

int pass_run(struct scan *s, struct pass *p, struct error *e) {
    static const enum scan_phase phases[] = {
        [PASS_NEIGHBOURS] = PHASE_NEIGHBOURS, [PASS_DISCOVERY] = PHASE_DISCOVERY, [PASS_PORTS] = PHASE_PORTS};
    atomic_store(&s->phase, phases[p->kind]);
    p->started_ns = clock_mono_ns();
    running_set(s, p);
    int err = threads_run(p, e);
    running_set(s, NULL);
    int failed = atomic_load(&p->failed);
    char names[64];
    if (err == 0 && failed < 0)
        err = error_set(e, failed, "the scan stopped: %s: %s", scan_wire_names(s, names, sizeof names),
                        strerror(-failed));
    return err;
}
