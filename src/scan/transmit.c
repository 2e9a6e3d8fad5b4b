/* The transmit thread: owns the order's cursors, the pace and its wire handles. It never waits for output, except where
 * the user asked to have silence listed. */
#include "scan/engine.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define NAP_NS UINT64_C(500000)        /* longest sleep while the watermark may still move */
#define SLICE_NS UINT64_C(50000000)    /* longest sleep at all: a signal is heard within 50 ms */
#define BATCHES_PER_SECOND 2000u       /* a batch is half a millisecond's worth of frames, so the wire sees no bursts */
#define PRESSURE_HIGH 128u             /* of 256: sinks are behind, stop sending */
#define REFUSAL_NAP_NS UINT64_C(50000) /* the kernel's queue is full: give it 50 us */

/* Frames of one batch for one wire. */
struct outbox {
    struct frame frames[SCAN_BATCH_MAX];
    uint8_t bytes[SCAN_BATCH_MAX][PROBE_FRAME_MAX];
    unsigned n;
};

struct transmitter {
    struct pass *pass;
    struct outbox boxes[SCAN_WIRES_MAX];
    unsigned built;        /* frames in all boxes */
    uint64_t bits;         /* their size on the wire */
    uint64_t cost;         /* units one frame costs: 1, or the wire bits of a probe */
    unsigned batch;        /* frames a batch should hold */
    uint64_t sample_every; /* one probe in so many is timed ... */
    uint64_t until_sample;
    uint64_t all_timed;    /* ... after the first so many, so that a small scan with few answers still learns */
    uint64_t last_sent_ns;
    struct {
        uint64_t position;
        unsigned tried;
    } samples[SCAN_BATCH_MAX];
    unsigned n_samples;
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

static void finding_push(struct transmitter *t, const struct endpoint *ep, struct verdict v) {
    const struct scan_config *c = &scan_of(t)->config;
    if (t->pass->technique == TECHNIQUE_NEIGHBOUR || (c->show & 1u << v.state) == 0)
        return;
    struct finding f = {.addr = ep->addr, .time_ns = clock_real_ns(), .port = ep->slot.port,
                        .technique = ep->slot.technique, .state = (uint8_t)v.state, .reason = (uint8_t)v.reason,
                        .tried = -1};
    report_push(c->report, 1, &f);
}

static bool is_timed(struct transmitter *t, const struct ledger_work *work) {
    if (t->all_timed > 0) {
        t->all_timed--;
        return true;
    }
    /* An ARP answer does not tell its try; a re-probe takes the place of the first try's entry, so that only answers to
     * a first try that was not repeated are samples (Karn's rule). */
    if (t->pass->technique == TECHNIQUE_NEIGHBOUR && work->tried > 0)
        return true;
    if (t->until_sample-- > 0)
        return false;
    t->until_sample = t->sample_every - 1;
    return true;
}

/* A position that needs no probe. */
static void settle(struct transmitter *t, const struct ledger_work *work, _Atomic uint64_t *counter) {
    count(counter, 1);
    ledger_settle(&t->pass->ledger, work->position);
}

/* The addresses that the frames of this probe carry: those of the path, or *own where a part is the target's. NULL: the
 * position is settled without a probe. */
static const struct probe_path *addresses_of(struct transmitter *t, const struct ledger_work *work,
                                             const struct endpoint *ep, const struct path *path,
                                             struct probe_path *own) {
    struct scan *s = scan_of(t);
    struct counters *c = &t->pass->counters;
    const uint8_t *mac;
    *own = path->probe;
    switch (path->kind) {
    case PATH_READY:
        return &path->probe;
    case PATH_NEIGHBOUR:
        mac = neighbours_find(&s->neighbours, ep->addr);
        if (mac == NULL) {
            settle(t, work, &c->settled_down);
            return NULL;
        }
        memcpy(own->dest_mac, mac, MAC_LEN);
        return own;
    case PATH_LOCAL:
        if (ep->slot.port >= s->claim.first && ep->slot.port - s->claim.first < (int)s->claim.n) {
            settle(t, work, &c->settled_closed);
            finding_push(t, ep, (struct verdict){STATE_CLOSED, REASON_OWN_PORT});
            return NULL;
        }
        own->source = ep->addr;
        return own;
    case PATH_UNREACHABLE:
        break;
    }
    settle(t, work, &c->settled_unreachable);
    return NULL;
}

/* Builds one probe into the box of its wire, unless its position is settled without one. */
static void probe_one(struct transmitter *t, const struct ledger_work *work) {
    struct pass *p = t->pass;
    struct endpoint ep = plan_at(p->plan, order_at(&p->order, work->position));
    const struct path *path = path_find(p->paths, ep.addr);
    struct probe_path own;
    const struct probe_path *addresses = addresses_of(t, work, &ep, path, &own);
    if (addresses == NULL)
        return;
    struct outbox *box = &t->boxes[path->wire];
    struct frame *f = &box->frames[box->n];
    f->data = box->bytes[box->n++];
    f->len = f->wire_len = (uint32_t)probe_build(&p->scan->probe, addresses, &ep, work->tried, 0, f->data);
    t->built++;
    t->bits += probe_wire_bits(addresses->link, f->len);
    count(&p->counters.sent_at_try[work->tried], 1);
    if (is_timed(t, work)) {
        t->samples[t->n_samples].position = work->position;
        t->samples[t->n_samples++].tried = work->tried;
    }
}

/* Offers a box to its wire until every frame is taken. A second signal gives up. */
static void box_send(struct transmitter *t, unsigned wire) {
    struct outbox *box = &t->boxes[wire];
    struct scan *s = scan_of(t);
    struct wire *w = s->wires[wire].transmit;
    unsigned done = 0;
    while (done < box->n && atomic_load_explicit(s->config.stop, memory_order_relaxed) < 2) {
        int n = w->ops->send(w, box->frames + done, box->n - done);
        if (n < 0) {
            pass_fail(t->pass, n);
            break;
        }
        if (n == 0)
            clock_sleep_until(clock_mono_ns() + REFUSAL_NAP_NS);
        if (n > 0)
            scan_watch(s, s->wires[wire].link, true, box->frames + done, (unsigned)n);
        done += (unsigned)n;
    }
    if (box->n > counted(&t->pass->counters.batch))
        atomic_store_explicit(&t->pass->counters.batch, box->n, memory_order_relaxed);
    box->n = 0;
}

static void batch_send(struct transmitter *t) {
    struct pass *p = t->pass;
    if (t->built > 0) {
        /* Timed before they leave: a reply cannot come before its entry is there. */
        uint64_t real = clock_real_ns();
        for (unsigned i = 0; i < t->n_samples; i++)
            rtt_table_put(&p->scan->timed, t->samples[i].position, t->samples[i].tried, real);
        for (unsigned w = 0; w < p->scan->n_wires; w++)
            if (t->boxes[w].n > 0)
                box_send(t, w);
        pace_spend(&p->pace, t->cost == 1 ? t->built : t->bits);
        t->last_sent_ns = clock_mono_ns();
    }
    ledger_stamp(&p->ledger, t->built > 0 ? t->last_sent_ns : clock_mono_ns());
    t->built = t->n_samples = 0;
    t->bits = 0;
}

static void retire(struct transmitter *t) {
    struct pass *p = t->pass;
    uint64_t base, silent[CHUNK_WORDS];
    unsigned n = ledger_retire(&p->ledger, clock_mono_ns(), &base, silent);
    count(&p->counters.silent, n);
    if (!pass_lists_silence(p))
        return;
    struct verdict v = techniques[p->technique].on[OUTCOME_SILENCE];
    for (unsigned bit = 0; bit < CHUNK_PROBES; bit++) {
        if ((silent[bit / 64] >> bit % 64 & 1) == 0)
            continue;
        struct endpoint ep = plan_at(p->plan, order_at(&p->order, base + bit));
        finding_push(t, &ep, v);
    }
    atomic_store_explicit(&p->silence_listed, p->ledger.cursors[p->ledger.retries + 1].chunk, memory_order_release);
}

/* Fills and sends one batch of at most `max` frames. Returns false when the pass has nothing more to do. *wake_ns is 0
 * when there was something to do, else the time before which the ledger has nothing. */
static bool batch_run(struct transmitter *t, unsigned max, uint64_t *wake_ns) {
    struct ledger *l = &t->pass->ledger;
    struct ledger_work work;
    unsigned looked = 0;
    enum ledger_step step = LEDGER_PROBE;
    ledger_timeouts(l, atomic_load_explicit(&t->pass->scan->rtt.timeout_ns, memory_order_relaxed),
                    t->pass->timeout_max_ns);
    /* Settled positions cost no frame, so they are bounded by a count of their own. */
    while (looked++ < 64 * SCAN_BATCH_MAX) {
        step = ledger_next(l, t->built < max, &work);
        if (step == LEDGER_RETIRE)
            retire(t);
        else if (step == LEDGER_PROBE)
            probe_one(t, &work);
        else
            break;
    }
    bool idle = t->built == 0 && (step == LEDGER_WAIT || step == LEDGER_FULL);
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

static void transmitter_init(struct transmitter *t, struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    *t = (struct transmitter){.pass = p, .cost = 1, .batch = SCAN_BATCH_MAX};
    uint64_t milli_pps = c->rate_milli_pps;
    if (c->bandwidth_bps > 0) {
        struct probe_path path = {.link = p->scan->wires[0].link, .source = addr_from_v4(0)};
        struct endpoint ep = {.addr = addr_from_v4(0), .slot = {.technique = (uint8_t)p->technique}};
        uint8_t frame[PROBE_FRAME_MAX];
        t->cost = probe_wire_bits(path.link, probe_build(&p->scan->probe, &path, &ep, 0, 0, frame));
        milli_pps = c->bandwidth_bps * 1000 / t->cost;
        pace_init(&p->pace, c->bandwidth_bps * 1000, clock_mono_ns());
    } else {
        pace_init(&p->pace, milli_pps, clock_mono_ns());
    }
    if (milli_pps > 0 && milli_pps / 1000 / BATCHES_PER_SECOND < t->batch)
        t->batch = (unsigned)(milli_pps / 1000 / BATCHES_PER_SECOND);
    if (t->batch == 0)
        t->batch = 1;
    uint64_t pps = milli_pps == 0 ? UINT64_C(1000000) : milli_pps / 1000;
    t->sample_every = pps / RTT_TABLE_SIZE + 1;
    t->all_timed = RTT_TABLE_SIZE;
    t->last_sent_ns = clock_mono_ns();
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
            nap_until(now + NAP_NS);
            count(&p->counters.sink_waits_ns, clock_mono_ns() - now);
            continue;
        }
        unsigned allowed = pace_allow(&p->pace, now, t.cost, SCAN_BATCH_MAX);
        uint64_t paced = 0, wake;
        if (allowed < t.batch && p->pace.period != 0) {
            paced = pace_when(&p->pace, t.cost, t.batch);
            if (paced > now)
                allowed = 0; /* wait for a whole batch */
            else
                paced = 0;
        }
        if (!batch_run(&t, allowed, &wake))
            break;
        if (wake != 0)
            rest(paced, wake);
    }
    if (why != NULL) {
        pass_end(p, why);
        listen_for(&t, atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed));
    } else if (p->technique != TECHNIQUE_NEIGHBOUR && p->scan->config.wait_ns > 0) {
        listen_for(&t, p->scan->config.wait_ns);
    }
    atomic_store_explicit(&p->sent_all, 1, memory_order_release);
    return NULL;
}
