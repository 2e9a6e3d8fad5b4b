/* The transmit thread: owns the order's cursors, the pace and its wire handles. It never waits for output, except where
 * the user asked to have silence listed. */
#include "scan/engine.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "probe/packet.h"
#include "scan/steer.h"

#define NAP_NS UINT64_C(500000)        /* longest sleep while the watermark may still move */
#define SLICE_NS UINT64_C(50000000)    /* longest sleep at all: a signal is heard within 50 ms */
#define BATCHES_PER_SECOND 2000u       /* a batch is half a millisecond's worth of frames, so the wire sees no bursts */
#define BATCHES_PER_SECOND_MIN 100u    /* and never more than 10 ms' worth, however long the thread was held up */
#define PRESSURE_HIGH 128u             /* of 256: sinks are behind, stop sending */
#define REFUSAL_NAP_NS UINT64_C(50000) /* the kernel's queue is full: give it 50 us */

#define PACKET_USUAL 44u               /* a SYN over IPv4 */
#define BOX_FRAMES (SCAN_BATCH_MAX + PROBE_PARTS_MAX)
#define BOX_BYTES 131072u
#define PROBE_BYTES_MAX (PROBE_PARTS_MAX * PROBE_FRAME_MAX) /* what one probe may need at most */

/* Frames of one batch for one wire; their bytes stand one behind the other. */
struct box {
    struct frame frames[BOX_FRAMES];
    uint8_t bytes[BOX_BYTES];
    unsigned n;
    size_t used;
};

#define ESTIMATE_WINDOW 65536u /* first answers: what a path loses is known from so many, and was otherwise before */
#define ESTIMATE_EVERY_NS UINT64_C(20000000)
#define ESTIMATE_FIRST_NS UINT64_C(500000) /* until anything is known: the first chunks need not get tries too many */
#define HOLD_ANSWERS 2000    /* for so many endpoints that answered within two tries do third tries wait, ... */
#define HOLD_NS UINT64_C(2000000000) /* ... at most so long and three timeouts */
#define ANSWERS_AGAIN_NS UINT64_C(1200000000) /* Linux: one ICMP error a second and address */

struct transmitter {
    struct pass *pass;
    struct box boxes[SCAN_WIRES_MAX];
    unsigned built;        /* frames in all boxes */
    bool full;             /* a box may have no room for another probe */
    uint64_t bits;         /* their size on the wire */
    uint64_t cost;         /* units one frame is reckoned with: 1, or the wire bits of a small probe */
    unsigned batch;        /* frames a batch should hold ... */
    unsigned batch_max;    /* ... and may hold at most */
    uint64_t sample_every; /* one probe in so many is timed ... */
    uint64_t until_sample;
    uint64_t all_timed;    /* ... after the first so many, so that a small scan with few answers still learns */
    uint64_t packets;      /* sent so far */
    uint64_t last_sent_ns;
    uint64_t timeout_min_ns; /* however short the round trip is */
    unsigned enough; /* with --retries auto: what estimate_enough() last said ... */
    unsigned reprobes_min, reprobes_max; /* ... and what silence gets at least, and at most */
    struct ledger_tally told;      /* what of the tally has gone into ... */
    struct estimate_counts recent; /* ... the counts of late, which older ones fade from: paths change */
    uint64_t unknown_ns;     /* since when it is not known what the path loses */
    uint64_t estimated_ns;   /* when it was last decided how many re-probes are wanted */
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
    if (t->pass->kind == PASS_NEIGHBOURS || (c->show & 1u << v.state) == 0)
        return;
    struct finding f = {.addr = ep->addr, .time_ns = clock_real_ns(), .port = ep->slot.port,
                        .technique = ep->slot.technique, .state = (uint8_t)v.state, .reason = (uint8_t)v.reason,
                        .tried = -1};
    const uint8_t *mac = v.state == STATE_UP ? neighbours_find(&scan_of(t)->neighbours, ep->addr) : NULL;
    if (mac != NULL) {
        f.flags = FINDING_HAS_MAC;
        memcpy(f.mac, mac, MAC_LEN);
    }
    report_push(c->report, 1, &f);
}

static bool is_timed(struct transmitter *t, const struct ledger_work *work) {
    if (t->all_timed > 0) {
        t->all_timed--;
        return true;
    }
    /* An ARP answer does not tell its try; a re-probe takes the place of the first try's entry, so that only answers to
     * a first try that was not repeated are samples (Karn's rule). */
    if (t->pass->kind == PASS_NEIGHBOURS && work->tried > 0)
        return true;
    if (t->until_sample-- > 0)
        return false;
    t->until_sample = t->sample_every - 1;
    return true;
}

/* An address of a discovery pass, or of -sn, is known to be up without a probe. */
static void address_up(struct transmitter *t, const struct endpoint *ep, enum reason reason) {
    struct pass *p = t->pass;
    addr_t *up = p->kind == PASS_DISCOVERY ? array_add(&p->up[1]) : NULL;
    if (up != NULL)
        *up = ep->addr;
    else if (p->kind == PASS_DISCOVERY)
        pass_fail(p, -ENOMEM);
    finding_push(t, ep, (struct verdict){STATE_UP, reason});
}

/* Is it one of the ports that this process has claimed, on this machine? */
static bool is_own_port(const struct scan *s, const struct slot *slot) {
    uint8_t proto = techniques[slot->technique].ip_proto;
    return (proto == PROTO_TCP || proto == PROTO_UDP) && slot->port >= s->claim.first &&
           slot->port - s->claim.first < (int)s->claim.n;
}

/* The addresses that the frames of a probe carry: those of the path, or *own where a part is the target's. NULL: no probe
 * is needed, and *settled says why: the counter of such positions. */
static const struct probe_path *addresses_of(struct transmitter *t, const struct endpoint *ep, const struct path *path,
                                             struct probe_path *own, _Atomic uint64_t **settled) {
    struct scan *s = scan_of(t);
    struct counters *c = &t->pass->counters;
    bool ping = ep->slot.technique == TECHNIQUE_PING;
    const uint8_t *mac;
    *own = path->probe;
    switch (path->kind) {
    case PATH_READY:
        return &path->probe;
    case PATH_NEIGHBOUR:
        mac = neighbours_find(&s->neighbours, ep->addr);
        *settled = mac == NULL ? &c->settled_down : &c->settled_up;
        if (mac != NULL && ping)
            address_up(t, ep, addr_is_v4(ep->addr) ? REASON_ARP_RESPONSE : REASON_ND_RESPONSE);
        else if (ping)
            finding_push(t, ep, (struct verdict){STATE_DOWN, REASON_NO_RESPONSE});
        if (mac == NULL || ping)
            return NULL;
        memcpy(own->dest_mac, mac, MAC_LEN);
        return own;
    case PATH_LOCAL:
        if (ping) {
            *settled = &c->settled_up;
            address_up(t, ep, REASON_LOCALHOST);
            return NULL;
        }
        if (is_own_port(s, &ep->slot)) {
            *settled = &c->settled_closed;
            finding_push(t, ep, (struct verdict){STATE_CLOSED, REASON_OWN_PORT});
            return NULL;
        }
        if (own->source == 0)
            own->source = ep->addr;
        return own;
    case PATH_UNREACHABLE:
        break;
    }
    *settled = &c->settled_unreachable;
    return NULL;
}

/* Builds one packet of a probe into the box of its wire. False: there is no such packet on this path. */
static bool packet_build(struct transmitter *t, unsigned wire, const struct probe_path *addresses,
                         const struct endpoint *ep, unsigned tried, unsigned part) {
    struct box *box = &t->boxes[wire];
    struct frame *f = &box->frames[box->n];
    f->data = box->bytes + box->used;
    f->len = f->wire_len = (uint32_t)probe_build(&t->pass->scan->probe, addresses, ep, tried, part, f->data);
    if (f->len == 0)
        return false;
    box->n++;
    box->used += f->len;
    t->built++;
    t->bits += probe_wire_bits(addresses->link, f->len);
    t->full |= box->n >= SCAN_BATCH_MAX || BOX_BYTES - box->used < PROBE_BYTES_MAX;
    return true;
}

/* An endpoint that the ledger has given up: parked, or silent. */
static void give_up(struct transmitter *t, uint64_t position, uint64_t now_ns) {
    struct pass *p = t->pass;
    uint64_t index = order_at(&p->order, position);
    struct endpoint ep = plan_at(p->plan, index);
    enum lot_fate fate = LOT_FATE_SILENT;
    if (p->lot != NULL && lot_concerns(ep.slot.technique))
        fate = lot_take(p->lot, &ep, index, now_ns);
    if (fate == LOT_FATE_SILENT) {
        struct verdict v = silence_of(&ep.slot);
        count(&p->counters.silent[v.state], 1);
        finding_push(t, &ep, v);
    } else if (fate == LOT_FATE_UNDECIDED) {
        count(&p->counters.undecided, 1);
        finding_push(t, &ep, (struct verdict){STATE_UNKNOWN, REASON_RATE_LIMITED});
    }
}

/* A probe that would be in vain is left to the lot. */
static bool leave_to_lot(struct transmitter *t, const struct ledger_work *work, const struct endpoint *ep) {
    struct pass *p = t->pass;
    if (p->lot == NULL || lot_suspects(p->lot) == 0 || !lot_wants(p->lot, ep))
        return false;
    if (work->tried == 0)
        ledger_settle(&p->ledger, work->position);
    else if (!ledger_withdraw(&p->ledger, work->position))
        return true;
    give_up(t, work->position, clock_mono_ns());
    return true;
}

/* Builds the probe to one position, unless that is settled without one. */
static void probe_one(struct transmitter *t, const struct ledger_work *work) {
    struct pass *p = t->pass;
    struct endpoint ep = plan_at(p->plan, order_at(&p->order, work->position));
    const struct path *path = path_find(p->paths, ep.addr);
    struct probe_path own;
    _Atomic uint64_t *settled = &p->counters.settled_unreachable; /* where no packet of it can go that way */
    const struct probe_path *addresses = addresses_of(t, &ep, path, &own, &settled);
    if (addresses != NULL && leave_to_lot(t, work, &ep))
        return;
    unsigned built = 0, parts = addresses == NULL ? 0 : probe_parts(&p->scan->probe, &ep);
    for (unsigned part = 0; part < parts; part++)
        built += packet_build(t, path->wire, addresses, &ep, work->tried, part);
    if (built == 0) {
        count(settled, 1);
        ledger_settle(&p->ledger, work->position);
        return;
    }
    count(&p->counters.sent_at_try[work->tried], built);
    if (is_timed(t, work)) {
        t->samples[t->n_samples].position = work->position;
        t->samples[t->n_samples++].tried = work->tried;
    }
}

/* What is asked beside the order, as the last try: one packet, the probe's first. False: there is none. */
static bool ask_again(struct transmitter *t, uint64_t index) {
    struct pass *p = t->pass;
    struct endpoint ep = plan_at(p->plan, index);
    const struct path *path = path_find(p->paths, ep.addr);
    struct probe_path own;
    _Atomic uint64_t *settled;
    const struct probe_path *addresses = addresses_of(t, &ep, path, &own, &settled);
    return addresses != NULL && packet_build(t, path->wire, addresses, &ep, p->ledger.retries, 0);
}

/* A parked endpoint, or a canary of its host. One packet will do, for the question is only whether the host tells it to
 * be closed; every packet of the probe was sent when it was not parked yet. */
static void parked_probe(struct transmitter *t, uint64_t index) {
    if (ask_again(t, index))
        count(&t->pass->counters.sent_at_try[t->pass->ledger.retries], 1);
}

/* Offers a box to its wire until every frame is taken. A second signal gives up. */
static void box_send(struct transmitter *t, unsigned wire) {
    struct box *box = &t->boxes[wire];
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
    box->used = 0;
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
        t->packets += t->built;
        t->last_sent_ns = clock_mono_ns();
    }
    ledger_stamp(&p->ledger, t->built > 0 ? t->last_sent_ns : clock_mono_ns());
    t->built = t->n_samples = 0;
    t->bits = 0;
    t->full = false;
}

static void retire(struct transmitter *t) {
    struct pass *p = t->pass;
    uint64_t base, silent[CHUNK_WORDS], now = clock_mono_ns();
    unsigned n = ledger_retire(&p->ledger, now, &base, silent);
    bool listed = pass_lists_silence(p), parks = p->lot != NULL && lot_takes(p->lot);
    if (!parks && !listed && (p->techniques & (p->techniques - 1)) == 0) {
        count(&p->counters.silent[techniques[__builtin_ctz(p->techniques)].on[OUTCOME_SILENCE].state], n);
        return;
    }
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        for (; silent[w] != 0; silent[w] &= silent[w] - 1)
            give_up(t, base + w * 64 + (unsigned)__builtin_ctzll(silent[w]), now);
    atomic_store_explicit(&p->silence_listed, p->ledger.cursors[p->ledger.retries + 1].chunk, memory_order_release);
}

/* A verdict for what was parked. */
static void parked_decided(struct transmitter *t, uint64_t index, bool silent) {
    struct endpoint ep = plan_at(t->pass->plan, index);
    struct verdict v = silent ? silence_of(&ep.slot) : (struct verdict){STATE_UNKNOWN, REASON_RATE_LIMITED};
    count(silent ? &t->pass->counters.silent[v.state] : &t->pass->counters.undecided, 1);
    finding_push(t, &ep, v);
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
            parked_decided(t, work.index, step == LOT_SILENT);
        if (t->full || (step == LOT_PROBE && work.last))
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
    struct ledger_work work;
    unsigned looked = 0;
    enum ledger_step step = LEDGER_PROBE;
    uint64_t timeout = atomic_load_explicit(&t->pass->scan->rtt.timeout_ns, memory_order_relaxed);
    ledger_timeouts(l, timeout > t->timeout_min_ns ? timeout : t->timeout_min_ns, t->pass->timeout_max_ns);
    /* Settled positions cost no frame, so they are bounded by a count of their own. */
    while (looked++ < 64 * SCAN_BATCH_MAX) {
        step = ledger_next(l, t->built < max && !t->full, &work);
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

/* The frames of a batch, at so many batches a second, at most `max`; 0: no cap. */
static unsigned batch_of(uint64_t milli_pps, uint64_t batches, unsigned max) {
    uint64_t frames = milli_pps / 1000 / batches;
    if (milli_pps == 0 || frames > max)
        return max;
    return frames > 0 ? (unsigned)frames : 1;
}

static void rate_set(struct transmitter *t, uint64_t milli_pps) {
    t->batch = batch_of(milli_pps, BATCHES_PER_SECOND, scan_of(t)->batch_max);
    t->batch_max = batch_of(milli_pps, BATCHES_PER_SECOND_MIN, scan_of(t)->batch_max);
    uint64_t pps = milli_pps == 0 ? UINT64_C(1000000) : milli_pps / 1000;
    t->sample_every = pps / RTT_TABLE_SIZE + 1;
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
    if (pace_allow(&p->pace, now_ns, t->cost, 1) > 0 && steer_canary(p, now_ns, &index) && ask_again(t, index))
        count(&p->counters.canaries, 1);
}

static void transmitter_init(struct transmitter *t, struct pass *p) {
    const struct scan_config *c = &p->scan->config;
    *t = (struct transmitter){.pass = p, .cost = 1, .reprobes_max = LEDGER_RETRIES_MAX};
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
    t->all_timed = RTT_TABLE_SIZE;
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
    atomic_store_explicit(&p->sent_all, 1, memory_order_release);
    return NULL;
}
