/* A scan's account of itself: the closing summary, and the figures of a progress line. */
#include "scan/engine.h"

#include "base/clock.h"
#include "scan/steer.h"

const char *scan_wire_names(const struct scan *s, char *buf, size_t n) {
    size_t used = 0;
    buf[0] = '\0';
    for (unsigned i = 0; i < s->n_wires && used < n; i++)
        used += (size_t)snprintf(buf + used, n - used, "%s%s", i > 0 ? "," : "", s->wires[i].name);
    return buf;
}

uint64_t scan_transmitted(const struct scan *s) {
    uint64_t sent = 0;
    for (unsigned i = 0; i < s->n_wires; i++)
        for (unsigned k = 0; k < s->wires[i].n_transmit; k++) {
            struct wire *w = s->wires[i].transmit[k].wire;
            struct wire_stats st;
            w->ops->stats(w, &st);
            sent += st.sent;
        }
    return sent;
}

void summary_heard(struct summary *sum, const struct counters *c) {
    for (unsigned i = 0; i < IGNORED_COUNT; i++)
        sum->ignored[i] += counted(&c->ignored[i]);
    sum->received += counted(&c->received);
    sum->duplicates += counted(&c->duplicates);
    sum->late += counted(&c->late);
}

void summary_counters(struct summary *sum, const struct counters *c) {
    for (unsigned i = 0; i < SUMMARY_TRIES_MAX; i++) {
        sum->sent_at_try[i] = counted(&c->sent_at_try[i]);
        sum->answered_at_try[i] = counted(&c->answered_at_try[i]);
        sum->finals += sum->answered_at_try[i];
    }
    for (unsigned i = 0; i < STATE_COUNT; i++) {
        uint64_t silent = counted(&c->silent[i]), late = counted(&c->late_found[i]);
        sum->states[i] = counted(&c->first_by_state[i]) + silent - late;
        sum->finals += silent;
        sum->late_open += late;
    }
    sum->answered_unknown_try = counted(&c->answered_unknown_try);
    sum->resets_sent += counted(&c->resets);
    sum->revised = counted(&c->revised);
    sum->own_ports = counted(&c->settled_closed);
    sum->unreachable = counted(&c->settled_unreachable);
    sum->sink_waits_ns = counted(&c->sink_waits_ns);
    sum->window_waits_ns = counted(&c->window_waits_ns);
    sum->batch = (unsigned)counted(&c->batch);
    sum->undecided = counted(&c->undecided);
    uint64_t down = counted(&c->settled_down), up = counted(&c->settled_up);
    sum->finals += sum->answered_unknown_try + counted(&c->answered_parked) + sum->own_ports + sum->unreachable + down +
                   up;
    sum->states[STATE_CLOSED] += sum->own_ports;
    sum->states[STATE_DOWN] += down;
    sum->states[STATE_UP] += up;
    sum->states[STATE_UNKNOWN] += sum->unreachable + sum->undecided;
}

/* The share that answers fell while the scan went on. Then the tries' counts, which take loss to be the same all the time,
 * are no guide, and the best stretch of the scan is one. Parked endpoints are no silence. */
static void missed_by_drift(struct summary *sum, const struct pass *p, uint64_t answered) {
    struct drift_missing m = drift_missing(&p->ledger.drift);
    uint64_t apart = counted(&p->counters.answered_parked) + sum->undecided;
    if (answered == 0 || m.low <= apart)
        return;
    double open = (double)(sum->states[STATE_OPEN] + sum->states[STATE_UP]) / (double)answered;
    sum->missed_known = sum->answers_fell = true;
    sum->missed = (uint64_t)(open * (double)(m.likely - apart) + 0.5);
    sum->missed_low = (uint64_t)(open * (double)(m.low - apart));
    sum->missed_high = (uint64_t)(open * (double)(m.high - apart) + 1);
}

/* How much was missed, by what the tries have brought. */
void summary_missed(struct summary *sum, const struct pass *p) {
    struct estimate_counts counts;
    struct estimate estimate;
    uint64_t found = sum->states[STATE_OPEN] + sum->states[STATE_UP];
    uint64_t apart = p->ledger.rough.answered[0] + counted(&p->counters.answered_parked), answered = apart;
    pass_counts(p, &counts);
    for (unsigned k = 0; k < counts.tries; k++)
        answered += counts.answered[k];
    /* Of what was found, the share that the counts speak of. */
    if (answered > 0)
        found -= (uint64_t)((double)found * (double)apart / (double)answered);
    estimate_missed(&counts, found, &estimate);
    sum->retries = atomic_load_explicit(&p->ledger.wanted, memory_order_relaxed);
    sum->missed_known = estimate.known;
    sum->missed = estimate.open.missed;
    sum->missed_low = estimate.open.low;
    sum->missed_high = estimate.open.high;
    sum->loss = estimate.loss;
    missed_by_drift(sum, p, answered);
}

void summary_rate(struct summary *sum, const struct pass *p) {
    static const char *const causes[] = {
        [GOVERN_CAUSE_START] = "start", [GOVERN_CAUSE_CAP] = "cap",     [GOVERN_CAUSE_PATH] = "path",
        [GOVERN_CAUSE_SHUT] = "shut",   [GOVERN_CAUSE_LOCAL] = "local", [GOVERN_CAUSE_SENDER] = "sender"};
    struct govern_view v;
    if (p->steer == NULL)
        return;
    govern_look(&p->steer->govern, &v);
    sum->rate_auto = true;
    sum->rate_end_milli_pps = govern_milli_pps(&p->steer->govern);
    sum->path_pps = (uint64_t)v.path_pps;
    sum->rate_cause = causes[v.cause];
    sum->rate_blind = v.blind;
    sum->canaries_sent = counted(&p->counters.canaries);
}

void summary_wires(struct summary *sum, const struct scan *s) {
    sum->sent = scan_transmitted(s) - s->neighbour_sent - s->ping_sent;
    sum->arp_sent = s->neighbour_sent;
    sum->ping_sent = s->ping_sent;
    for (unsigned i = 0; i < s->n_wires; i++) {
        const struct scan_wire *w = &s->wires[i];
        for (unsigned k = 0; k <= w->n_transmit; k++) {
            struct wire *handle = k < w->n_transmit ? w->transmit[k].wire : w->receive;
            struct wire_stats st;
            handle->ops->stats(handle, &st);
            sum->send_refused += st.send_refused;
            sum->ring_dropped += st.ring_dropped;
            if (st.last_send_error != 0)
                sum->last_send_error = st.last_send_error;
            sum->ignored[IGNORED_OTHER_VLAN] += st.other_vlan;
            if (handle == w->receive) { /* all handles read the same interface's counters */
                sum->interface_dropped += st.interface_dropped;
                sum->interface_tx_dropped += st.interface_tx_dropped;
            }
        }
    }
}

void summary_begin(struct summary *sum, const struct scan *s) {
    const struct scan_config *c = &s->config;
    struct shard shard = shard_of(plan_size(c->plan), c->shard, c->shards);
    sum->seed = c->seed;
    sum->start_ns = clock_real_ns();
    sum->utc_offset_s = clock_zone_s(sum->start_ns);
    sum->planned = shard.end - shard.first;
    if (c->sample > 0 && sum->planned > c->sample)
        sum->planned = c->sample;
    addr_t addresses = plan_addresses(c->plan);
    sum->addresses = addresses > UINT64_MAX ? UINT64_MAX : (uint64_t)addresses;
    sum->rate_milli_pps = c->rate_milli_pps;
    sum->bandwidth_bps = c->bandwidth_bps;
    sum->retries = c->retries;
    sum->retries_auto = c->retries_auto;
    snprintf(sum->wire, sizeof sum->wire, "%s", s->wires[0].ops->name);
    scan_wire_names(s, sum->interface, sizeof sum->interface);
}

static uint64_t time_left(const struct scan *s, const struct pass *p, const struct scan_progress *out) {
    uint64_t offered = out->planned - out->unsent;
    if (offered == 0)
        return 0;
    unsigned wanted = atomic_load_explicit(&p->ledger.wanted, memory_order_relaxed);
    uint64_t timeout = 0, t = atomic_load_explicit(&s->rtt.timeout_ns, memory_order_relaxed);
    for (unsigned k = 0; k <= wanted; k++, t = t * 2 < p->timeout_max_ns ? t * 2 : p->timeout_max_ns)
        timeout += t;
    /* By time: what one position has cost so far, its re-probes included, times the positions left. */
    __extension__ unsigned __int128 sending = clock_mono_ns() - p->started_ns;
    sending = sending * out->unsent / offered;
    return (uint64_t)sending + timeout;
}

void scan_progress(struct scan *s, struct scan_progress *out) {
    *out = (struct scan_progress){.phase = "starting"};
    pthread_mutex_lock(&s->progress_lock);
    struct pass *p = s->running;
    if (p != NULL) {
        static const char *const phases[] = {
            [PHASE_NEIGHBOURS] = "neighbours", [PHASE_DISCOVERY] = "ping",
                                             [PHASE_PORTS] = "scan", [PHASE_LISTENING] = "listening"};
        struct counters *c = &p->counters;
        out->phase = phases[atomic_load(&s->phase)];
        out->planned = p->shard.end - p->shard.first;
        uint64_t offered = atomic_load_explicit(&p->ledger.offered, memory_order_relaxed);
        out->unsent = out->planned - offered;
        out->answered = counted(&c->answered_unknown_try) + counted(&c->answered_parked) +
                        counted(&c->settled_closed) + counted(&c->settled_up);
        for (unsigned i = 0; i < SUMMARY_TRIES_MAX; i++) {
            out->answered += counted(&c->answered_at_try[i]);
            out->sent += counted(&c->sent_at_try[i]);
        }
        out->sent += counted(&c->canaries);
        out->given_up = counted(&c->undecided) + counted(&c->settled_down) + counted(&c->settled_unreachable);
        for (unsigned i = 0; i < STATE_COUNT; i++)
            out->given_up += counted(&c->silent[i]);
        uint64_t done = out->answered + out->given_up;
        out->in_flight = offered > done ? offered - done : 0;
        out->received = counted(&c->received);
        out->pings = p->techniques == 1u << TECHNIQUE_PING;
        out->found = out->pings ? counted(&c->first_by_state[STATE_UP]) + counted(&c->settled_up)
                                : counted(&c->first_by_state[STATE_OPEN]);
        out->drops = counted(&c->drops);
        out->rate_auto = p->steer != NULL;
        out->rate_pps = counted(&c->rate_pps);
        out->rate_blind = atomic_load_explicit(&c->rate_blind, memory_order_relaxed);
        out->elapsed_ns = clock_mono_ns() - s->started_ns;
        out->eta_ns = time_left(s, p, out);
    }
    pthread_mutex_unlock(&s->progress_lock);
}
