/* The transmit thread: owns the order's cursors, the pace and the outlets. It never waits for output, except where
 * the user asked to have silence listed. */
#include "scan/engine.h"

#include "base/clock.h"
#include "probe/packet.h"
#include "scan/generate.h"
#include "scan/give_up.h"
#include "scan/steer.h"

#define LOOKED_MAX 65536u              /* positions looked at for one batch */
#define NAP_NS UINT64_C(500000)        /* longest sleep while the watermark may still move */
#define SLICE_NS UINT64_C(50000000)    /* longest sleep at all: a signal is heard within 50 ms */
#define BATCHES_PER_SECOND 2000u       /* a batch is half a millisecond's worth of frames, so the wire sees no bursts ... */
#define BATCHES_PER_SECOND_XDP 500u    /* ... but where each costs the more, the more they are */
#define BATCHES_PER_SECOND_MIN 100u    /* and never more than 10 ms' worth, however long the thread was held up */
#define PRESSURE_HIGH 128u             /* of 256: sinks are behind, stop sending */

#define PACKET_USUAL 44u /* a SYN over IPv4 */

#define ESTIMATE_WINDOW 65536u /* first answers: what a path loses is known from so many, and was otherwise before */
#define ESTIMATE_EVERY_NS UINT64_C(20000000)
#define ESTIMATE_FIRST_NS UINT64_C(500000) /* until anything is known: the first chunks need not get tries too many */
#define HOLD_ANSWERS 2000    /* for so many endpoints that answered within two tries do third tries wait, ... */
#define HOLD_NS UINT64_C(2000000000) /* ... at most so long and three timeouts */
#define ANSWERS_AGAIN_NS UINT64_C(1200000000) /* Linux: one ICMP error a second and address */

struct transmitter {
    struct pass *pass;
    struct generator generator;
    uint64_t cost;         /* units one frame is reckoned with: 1, or the wire bits of a small probe */
    unsigned batch;        /* frames a batch should hold ... */
    unsigned batch_max;    /* ... and may hold at most */
    uint64_t packets;      /* sent so far */
    uint64_t last_sent_ns;
    uint64_t timeout_min_ns; /* however short the round trip is */
    unsigned enough; /* with --retries auto: what estimate_enough() last said ... */
    unsigned reprobes_min, reprobes_max; /* ... and what silence gets at least, and at most */
    struct ledger_tally told;      /* what of the tally has gone into ... */
    struct estimate_counts recent; /* ... the counts of late, which older ones fade from: paths change */
    uint64_t unknown_ns;     /* since when it is not known what the path loses */
    uint64_t estimated_ns;   /* when it was last decided how many re-probes are wanted */
};

static struct scan *scan_of(const struct transmitter *t) {
    return t->pass->scan;
}

static void nap_until(uint64_t wake_ns) {
    uint64_t now = clock_mono_ns();
    clock_sleep_until(wake_ns < now + SLICE_NS ? wake_ns : now + SLICE_NS);
}

/* Why nothing more may be sent, or NULL. */
static const char *reason_to_stop(const struct transmitter *t, uint64_t now_ns) {
    const struct scan_config *c = &scan_of(t)->config;
    if (atomic_load_explicit(c->stop, memory_order_relaxed) > 0)
        return "interrupted";
    if (report_failed(c->report) != 0)
        return "output failed";
    if (report_full(c->report))
        return "max-results";
    if (c->max_runtime_ns > 0 && now_ns - scan_of(t)->started_ns >= c->max_runtime_ns)
        return "max-runtime";
    return NULL;
}

static void batch_send(struct transmitter *t) {
    struct generator *g = &t->generator;
    unsigned built = g->built;
    uint64_t units = t->cost == 1 ? built : g->bits;
    if (built > 0) {
        generator_send(g);
        pace_spend(&t->pass->pace, units);
        t->packets += built;
        t->last_sent_ns = clock_mono_ns();
    }
    ledger_stamp(&t->pass->ledger, built > 0 ? t->last_sent_ns : clock_mono_ns());
}

/* A parked endpoint, or a canary of its host. One packet will do, for the question is only whether the host tells it to
 * be closed; every packet of the probe was sent when it was not parked yet. */
static void parked_probe(struct transmitter *t, uint64_t index) {
    if (generator_again(&t->generator, index))
        count(&t->pass->counters.sent_at_try[t->pass->ledger.retries], 1);
}

/* Sends what the parked hosts are due. Returns when they are due next; UINT64_MAX: nothing is parked. */
static uint64_t lot_run(struct transmitter *t) {
    struct pass *p = t->pass;
    struct lot_work work;
    while (p->lot != NULL) {
        struct lot_now now = {
            .now_ns = clock_mono_ns(),
            .watermark_ns = atomic_load_explicit(&p->ledger.watermark_ns, memory_order_acquire),
            .rto_ns = atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed),
            .order_done = ledger_is_done(&p->ledger),
        };
        now.packets_max = pace_allow(&p->pace, now.now_ns, t->cost, 1) > 0 ? t->batch_max : 0;
        enum lot_step step = lot_next(p->lot, &now, &work);
        if (step == LOT_IDLE)
            break;
        if (step == LOT_WAIT)
            return work.wake_ns;
        if (step == LOT_PROBE)
            parked_probe(t, work.index);
        else
            give_up_parked(p, work.index, step == LOT_SILENT);
        if (generator_room(&t->generator, 1) == 0 || (step == LOT_PROBE && work.last))
            batch_send(t);
        if (step == LOT_PROBE && work.last)
            lot_sent(p->lot, t->last_sent_ns);
    }
    return UINT64_MAX;
}

/* Endpoints that answered in chunks whose second tries have had their time, of late. */
static double answers_known(const struct transmitter *t) {
    const struct estimate_counts *c = &t->recent;
    return c->reached[0] > 0 ? (double)c->answered[0] * (double)c->reached[1] / (double)c->reached[0] : 0;
}

/* Third tries wait where it is too early to tell that they are wanted: until enough is known, nothing more can be, or
 * waiting has become too long. */
static bool hold_on(const struct transmitter *t, uint64_t now_ns) {
    const struct pass *p = t->pass;
    uint64_t timeout = atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed);
    return t->enough != 1 && answers_known(t) < HOLD_ANSWERS && t->reprobes_min == 0 &&
           !ledger_counted_all(&p->ledger) && now_ns - t->unknown_ns < HOLD_NS + 3 * timeout;
}

/* What the path lost of late, it lost for being given too much. Until it is known what it loses at the new rate, few
 * answers are no reason for many tries. */
static void loss_forget(struct transmitter *t, uint64_t now_ns) {
    t->recent = (struct estimate_counts){.tries = 0};
    t->told = t->pass->ledger.tally;
    t->enough = 0;
    t->unknown_ns = now_ns;
    t->reprobes_max = ESTIMATE_RETRIES_UNKNOWN;
}

/* --retries auto: how many re-probes silence is worth, by what the tries have brought so far. */
static void reprobes_choose(struct transmitter *t, uint64_t now_ns) {
    struct pass *p = t->pass;
    if (p->miss <= 0 || now_ns - t->estimated_ns < (t->enough > 0 ? ESTIMATE_EVERY_NS : ESTIMATE_FIRST_NS))
        return;
    struct ledger_tally *now = &p->ledger.tally;
    t->recent.tries = p->ledger.retries + 1;
    for (unsigned k = 0; k <= p->ledger.retries; k++) {
        t->recent.reached[k] += now->reached[k] - t->told.reached[k];
        t->recent.answered[k] += now->answered[k] - t->told.answered[k];
    }
    t->told = *now;
    if (t->recent.answered[0] > ESTIMATE_WINDOW)
        estimate_fade(&t->recent);
    if (answers_known(t) >= HOLD_ANSWERS)
        t->reprobes_max = LEDGER_RETRIES_MAX;
    t->enough = estimate_enough(&t->recent, p->miss, t->enough);
    ledger_hold(&p->ledger, hold_on(t, now_ns));
    unsigned wanted = t->enough > 0 ? t->enough : ESTIMATE_RETRIES_UNKNOWN;
    if (wanted > t->reprobes_max)
        wanted = t->reprobes_max;
    ledger_want(&p->ledger, wanted > t->reprobes_min ? wanted : t->reprobes_min);
    t->estimated_ns = now_ns;
}

/* Fills and sends one batch of at most `max` frames. Returns false when the pass has nothing more to do. *wake_ns is 0
 * when there was something to do, else the time before which the ledger has nothing. */
static bool batch_run(struct transmitter *t, unsigned max, uint64_t *wake_ns) {
    struct ledger *l = &t->pass->ledger;
    struct generator *g = &t->generator;
    struct ledger_work work;
    unsigned looked = 0;
    enum ledger_step step = LEDGER_PROBE;
    uint64_t timeout = atomic_load_explicit(&t->pass->scan->rtt.timeout_ns, memory_order_relaxed);
    ledger_timeouts(l, timeout > t->timeout_min_ns ? timeout : t->timeout_min_ns, t->pass->timeout_max_ns);
    /* Settled positions cost no frame, so they are bounded by a count of their own. */
    while (looked < LOOKED_MAX) {
        step = ledger_next(l, generator_room(g, g->built < max ? max - g->built : 0), &work);
        if (step == LEDGER_RETIRE)
            give_up_chunk(t->pass);
        else if (step == LEDGER_PROBE)
            generator_run(g, &work);
        else
            break;
        looked += step == LEDGER_PROBE ? (unsigned)__builtin_popcountll(work.run) : 1;
    }
    bool idle = g->built == 0 && (step == LEDGER_WAIT || step == LEDGER_FULL);
    batch_send(t);
    *wake_ns = idle ? work.wake_ns : 0;
    if (idle && step == LEDGER_FULL) {
        uint64_t now = clock_mono_ns();
        clock_sleep_until(now + NAP_NS);
        count(&t->pass->counters.window_waits_ns, clock_mono_ns() - now);
    }
    return step != LEDGER_DONE;
}

/* Sleeps until the pace allows a batch (paced_ns; 0 = it does) or the ledger has work. What falls due in the ledger shows
 * only when the watermark has passed it, so that is looked at every NAP_NS. */
static void rest(uint64_t paced_ns, uint64_t wake_ns) {
    uint64_t soon = clock_mono_ns() + NAP_NS;
    if (paced_ns == 0)
        nap_until(soon);
    else
        nap_until(wake_ns > soon ? (wake_ns < paced_ns ? wake_ns : paced_ns) : (soon < paced_ns ? soon : paced_ns));
}

/* Listens until every answer that may still come within `ns` of the last probe has been read. */
static void listen_for(struct transmitter *t, uint64_t ns) {
    struct pass *p = t->pass;
    atomic_store(&p->scan->phase, PHASE_LISTENING);
    uint64_t until = t->last_sent_ns + ns;
    while (atomic_load_explicit(&p->ledger.watermark_ns, memory_order_acquire) < until &&
           atomic_load_explicit(p->scan->config.stop, memory_order_relaxed) < 2 &&
           atomic_load_explicit(&p->failed, memory_order_relaxed) == 0)
        nap_until(clock_mono_ns() + NAP_NS);
}

/* The frames of a batch, at so many batches a second, at most `max`; 0: no cap. */
static unsigned batch_of(uint64_t milli_pps, uint64_t batches, unsigned max) {
    uint64_t frames = milli_pps / 1000 / batches;
    if (milli_pps == 0 || frames > max)
        return max;
    return frames > 0 ? (unsigned)frames : 1;
}

static void rate_set(struct transmitter *t, uint64_t milli_pps) {
    bool xdp = scan_of(t)->batch_max == SCAN_BATCH_XDP;
    t->batch = batch_of(milli_pps, xdp ? BATCHES_PER_SECOND_XDP : BATCHES_PER_SECOND, scan_of(t)->batch_max);
    t->batch_max = batch_of(milli_pps, BATCHES_PER_SECOND_MIN, scan_of(t)->batch_max);
    uint64_t pps = milli_pps == 0 ? UINT64_C(1000000) : milli_pps / 1000;
    t->generator.sample_every = pps / RTT_TABLE_SIZE + 1;
}

/* --rate auto. */
static void steer(struct transmitter *t, uint64_t now_ns) {
    struct pass *p = t->pass;
    uint64_t index;
    if (p->steer == NULL)
        return;
    enum steer_turn turn = steer_run(p, t->packets, now_ns);
    if (turn == STEER_FELL)
        loss_forget(t, now_ns);
    if (turn != STEER_STEADY) {
        uint64_t milli_pps = govern_milli_pps(&p->steer->govern);
        pace_set(&p->pace, milli_pps);
        rate_set(t, milli_pps);
    }
    if (pace_allow(&p->pace, now_ns, t->cost, 1) > 0 && steer_canary(p, now_ns, &index) && generator_again(&t->generator, index))
        count(&p->counters.canaries, 1);
}

static void transmitter_init(struct transmitter *t, struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    *t = (struct transmitter){.pass = p, .cost = 1, .reprobes_max = LEDGER_RETRIES_MAX};
    int err = generator_init(&t->generator, p);
    if (err < 0)
        pass_fail(p, err);
    /* A host that has spent its errors on others has the next one within a second: of the tries, doubled in distance, the
     * last must come after that, or all its closed endpoints look silent. */
    unsigned reprobes = p->miss > 0 ? ESTIMATE_RETRIES_UNKNOWN : p->ledger.retries;
    ledger_want(&p->ledger, reprobes);
    if (p->errors_limited && reprobes > 0) {
        t->timeout_min_ns = ANSWERS_AGAIN_NS / ((UINT64_C(1) << reprobes) - 1);
        t->reprobes_min = reprobes;
    }
    uint64_t milli_pps = p->steer != NULL ? govern_milli_pps(&p->steer->govern) : pass_rate(p);
    if (c->bandwidth_bps > 0) {
        enum link_type link = p->scan->wires[0].link;
        t->cost = probe_wire_bits(link, PACKET_USUAL + (link == LINK_ETHERNET ? ETHERNET_HEADER_LEN : 0));
        milli_pps = c->bandwidth_bps * 1000 / t->cost;
        pace_init(&p->pace, c->bandwidth_bps * 1000, clock_mono_ns());
    } else {
        pace_init(&p->pace, milli_pps, clock_mono_ns());
    }
    rate_set(t, milli_pps);
    t->generator.all_timed = RTT_TABLE_SIZE;
    t->last_sent_ns = t->unknown_ns = clock_mono_ns();
}

void *transmit_run(void *arg) {
    struct pass *p = arg;
    pthread_setname_np(pthread_self(), "nt-transmit");
    struct transmitter t;
    transmitter_init(&t, p);
    const char *why = NULL;
    for (;;) {
        uint64_t now = clock_mono_ns();
        if (atomic_load_explicit(&p->failed, memory_order_relaxed) != 0)
            break;
        why = reason_to_stop(&t, now);
        if (why != NULL)
            break;
        if (report_pressure(p->scan->config.report) > PRESSURE_HIGH) {
            if (p->steer != NULL)
                steer_pressed(p, now);
            nap_until(now + NAP_NS);
            count(&p->counters.sink_waits_ns, clock_mono_ns() - now);
            continue;
        }
        reprobes_choose(&t, now);
        steer(&t, now);
        unsigned allowed = pace_allow(&p->pace, now, t.cost, t.batch_max);
        uint64_t paced = 0, wake;
        if (allowed < t.batch && p->pace.period != 0) {
            paced = pace_when(&p->pace, t.cost, t.batch);
            if (paced > now)
                allowed = 0; /* wait for a whole batch */
            else
                paced = 0;
        }
        uint64_t parked_wake = lot_run(&t);
        bool more = batch_run(&t, allowed, &wake);
        if (p->steer != NULL && paced == 0 && wake != 0)
            steer_idle(p, now);
        if (!more && (p->lot == NULL || lot_parked(p->lot) == 0))
            break;
        if (!more)
            nap_until(parked_wake);
        else if (wake != 0)
            rest(paced, wake < parked_wake ? wake : parked_wake);
    }
    if (why != NULL) {
        pass_end(p, why);
        listen_for(&t, atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed));
    } else if (p->kind == PASS_PORTS && p->scan->config.wait_ns > 0) {
        listen_for(&t, p->scan->config.wait_ns);
    }
    if (p->lot != NULL) {
        lot_end(p->lot);
        (void)lot_run(&t);
    }
    generator_deinit(&t.generator);
    atomic_store_explicit(&p->sent_all, 1, memory_order_release);
    return NULL;
}
