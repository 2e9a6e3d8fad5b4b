#include "scan/steer.h"

#include <stdlib.h>

#include "base/clock.h"

#define APART_PPS 100000u /* above this rate not every chunk is looked through for hosts that limit their answers */

/* Hosts that limit their answers say nothing about the path. Once one is suspected the lot has its endpoints, and they
 * count as settled; does a chunk from before still hold probes to one? */
static bool tells_of_limits(const struct pass *p, const struct ledger_firsts *f) {
    unsigned n = CHUNK_PROBES, limited = 0;
    if (p->shard.end - f->position < n)
        n = (unsigned)(p->shard.end - f->position);
    unsigned settled = n - f->sent;
    for (unsigned i = 0; i < n && limited <= settled; i++)
        limited += lot_is_limited(p->lot, plan_at(p->plan, order_at(&p->order, f->position + i)).addr);
    return limited > settled;
}

static void firsts_told(void *ctx, const struct ledger_firsts *f) {
    struct pass *p = ctx;
    struct steer *s = p->steer;
    if (p->lot != NULL && lot_suspects(p->lot) > 0) {
        if (s->apart_left > 0) {
            s->apart_left--;
            return;
        }
        s->apart_left = (unsigned)(govern_milli_pps(&s->govern) / 1000 / APART_PPS);
        if (tells_of_limits(p, f))
            return;
    }
    govern_sample(&s->govern, GOVERN_NATURAL, f->begin_ns, f->end_ns, f->sent, f->answered);
}

struct steer *steer_new(struct pass *p, uint64_t max_pps, uint64_t start_pps, uint64_t now_ns) {
    struct steer *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    govern_init(&s->govern, max_pps, start_pps, now_ns);
    s->natural = true;
    for (uint32_t left = p->techniques; left != 0; left &= left - 1)
        s->natural = s->natural && !technique_closed_by_error((unsigned)__builtin_ctz(left));
    if (s->natural)
        ledger_tell_firsts(&p->ledger, firsts_told, p, now_ns);
    return s;
}

/* What later tries have brought says how much the path loses. */
static void tries_tell(struct pass *p) {
    struct steer *s = p->steer;
    const struct ledger_tally *now = &p->ledger.tally;
    uint64_t first = now->answered[0] - s->told.answered[0], later = 0;
    for (unsigned k = 1; k <= p->ledger.retries; k++)
        later += now->answered[k] - s->told.answered[k];
    if (first + later == 0 || !s->natural)
        return;
    govern_confirm(&s->govern, first, later);
    s->told = *now;
}

/* For the progress line. */
static void show(struct pass *p) {
    struct govern_view v;
    govern_look(&p->steer->govern, &v);
    atomic_store_explicit(&p->counters.rate_pps, (uint64_t)v.rate_pps, memory_order_relaxed);
    atomic_store_explicit(&p->counters.rate_blind, v.blind, memory_order_relaxed);
}

/* What was sent too fast, or lost here, is no measure of the path's own loss. */
static enum steer_turn turn(struct pass *p, double before) {
    const struct govern *g = &p->steer->govern;
    if (g->rate < before && g->phase != GOVERN_DIP) {
        ledger_rough(&p->ledger);
        return STEER_FELL;
    }
    return g->rate < before || g->rate > before ? STEER_CHANGED : STEER_STEADY;
}

enum steer_turn steer_run(struct pass *p, uint64_t packets, uint64_t now_ns) {
    struct steer *s = p->steer;
    s->packets = packets;
    if (now_ns < govern_next_ns(&s->govern))
        return STEER_STEADY;
    uint64_t timeout = atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed);
    uint64_t lost = counted(&p->counters.ring_dropped);
    double rate = s->govern.rate;
    if (lost > s->lost_here)
        govern_local_loss(&s->govern, now_ns);
    s->lost_here = lost;
    tries_tell(p);
    canaries_settle(&s->canaries, atomic_load_explicit(&p->ledger.watermark_ns, memory_order_acquire), timeout,
                    &s->govern);
    govern_canaries(&s->govern, atomic_load_explicit(&s->canaries.known, memory_order_relaxed));
    govern_times(&s->govern, atomic_load_explicit(&p->scan->rtt.srtt_ns, memory_order_relaxed), timeout);
    (void)govern_step(&s->govern, now_ns, packets);
    show(p);
    return turn(p, rate);
}

void steer_idle(struct pass *p, uint64_t now_ns) {
    govern_idle(&p->steer->govern, now_ns, p->steer->packets);
}

void steer_pressed(struct pass *p, uint64_t now_ns) {
    govern_local_loss(&p->steer->govern, now_ns);
}

bool steer_canary(struct pass *p, uint64_t now_ns, uint64_t *index) {
    struct steer *s = p->steer;
    unsigned every = govern_canary_every(&s->govern);
    if (every == 0 || s->packets - s->asked_at < every || !canaries_ask(&s->canaries, now_ns, index))
        return false;
    s->asked_at = s->packets;
    return true;
}
