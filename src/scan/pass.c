/* A pass: one walk over one plan, from its ledger to the end of its two threads. */
#include "scan/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ARP_TIMEOUT_MAX_NS UINT64_C(1000000000)
#define ARP_RETRIES 3u
#define LINGER_NS RTT_TIMEOUT_MIN_NS /* an answered chunk still hears what contradicts its answers */
#define FLIGHT_SECONDS 15u  /* timeouts of 1 + 2 + 4 + 5 s, and a quarter more */
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

/* How many probes may be in flight: what the rate sends while the timeouts of one position run. */
static uint64_t flight_of(const struct scan *s) {
    const struct scan_config *c = &s->config;
    uint64_t pps = c->bandwidth_bps > 0 ? c->bandwidth_bps / (PACKET_BITS_MIN) : c->rate_milli_pps / 1000;
    if (c->bandwidth_bps == 0 && c->rate_milli_pps == 0)
        return FLIGHT_UNCAPPED;
    return pps * FLIGHT_SECONDS < FLIGHT_MIN ? FLIGHT_MIN : pps * FLIGHT_SECONDS;
}

int pass_create(struct scan *s, enum technique_id technique, struct pass **out, struct error *e) {
    struct pass *p = calloc(1, sizeof *p);
    if (p == NULL)
        return error_set(e, -ENOMEM, "no memory for a pass");
    bool arp = technique == TECHNIQUE_NEIGHBOUR;
    p->scan = s;
    p->technique = technique;
    p->plan = arp ? s->arp_plan : s->config.plan;
    p->paths = arp ? &s->arp_paths : &s->paths;
    p->learned = &s->neighbours;
    p->timeout_max_ns = arp ? ARP_TIMEOUT_MAX_NS : RTT_TIMEOUT_MAX_NS;
    if (s->config.timeout_ns > p->timeout_max_ns) /* the user knows of a longer way */
        p->timeout_max_ns = s->config.timeout_ns;
    uint64_t total = plan_size(p->plan);
    order_init(&p->order, total, s->config.seed);
    /* Every shard needs the neighbours of all its targets, and those are spread over the whole link. */
    p->shard = arp ? shard_of(total, 1, 1) : shard_of(total, s->config.shard, s->config.shards);
    if (!arp && s->config.sample > 0 && p->shard.end - p->shard.first > s->config.sample)
        p->shard.end = p->shard.first + s->config.sample;
    unsigned retries = arp ? ARP_RETRIES : s->config.retries;
    int err = ledger_init(&p->ledger, p->shard.first, p->shard.end, retries, flight_of(s), arp ? 0 : LINGER_NS, e);
    if (err < 0) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

void pass_free(struct pass *p) {
    ledger_deinit(&p->ledger);
    free(p);
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
    atomic_store(&s->phase, p->technique == TECHNIQUE_NEIGHBOUR ? PHASE_ARP : PHASE_PORTS);
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
