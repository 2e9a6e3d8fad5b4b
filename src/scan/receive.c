/* The receive thread: owns validation and the verdicts, and answers first SYN-ACKs with the one RST on a second wire
 * handle of its own. */
#include "scan/engine.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "probe/packet.h"
#include "scan/steer.h"

#define WAIT_NS UINT64_C(2000000) /* longest sleep: how stale the watermark may get while nothing arrives */
#define DROPS_EVERY_NS UINT64_C(200000000)
#define SILENCE_NAP_NS UINT64_C(50000)
#define OUTBOX_MAX 128u

/* What this thread sends by itself. */
enum answer_kind {
    ANSWER_RESET,     /* to a SYN-ACK */
    ANSWER_SYN_ACK,   /* to a bare SYN */
    ANSWER_NEIGHBOUR, /* to who asks for a source address that we have borrowed */
};
struct outbox {
    struct frame frames[OUTBOX_MAX];
    uint8_t bytes[OUTBOX_MAX][PROBE_ANSWER_MAX];
    enum answer_kind kinds[OUTBOX_MAX];
    unsigned n;
};

struct receiver {
    struct pass *pass;
    struct outbox boxes[SCAN_WIRES_MAX];
    uint64_t drops_read_ns;
};

/* The box of one wire leaves. Back-pressure is waited out for as long as a sleep lasts: a reset is a courtesy, and the
 * receive ring must not overflow for it; what the kernel refuses for good is counted by the wire. */
static void outbox_send(struct receiver *x, unsigned wire) {
    struct outbox *r = &x->boxes[wire];
    struct scan *s = x->pass->scan;
    struct wire *w = s->wires[wire].receive;
    uint64_t give_up = clock_mono_ns() + WAIT_NS;
    unsigned done = 0;
    while (done < r->n) {
        int n = w->ops->send(w, r->frames + done, r->n - done);
        if (n < 0) {
            pass_fail(x->pass, n);
            break;
        }
        if (n > 0)
            scan_watch(s, s->wires[wire].link, true, r->frames + done, (unsigned)n);
        done += (unsigned)n;
        if (n == 0 && clock_mono_ns() > give_up)
            break;
    }
    for (unsigned i = 0; i < done; i++)
        count(&x->pass->counters.resets, r->kinds[i] == ANSWER_RESET);
    r->n = 0;
}

/* Puts an answer to a received packet into the box of its wire. */
static void outbox_put(struct receiver *x, unsigned wire, const struct reply *reply, enum answer_kind kind) {
    if (x->boxes[wire].n == OUTBOX_MAX)
        outbox_send(x, wire);
    struct outbox *r = &x->boxes[wire];
    const struct scan *s = x->pass->scan;
    enum link_type link = s->wires[wire].link;
    struct frame *f = &r->frames[r->n];
    f->data = r->bytes[r->n];
    size_t len = 0;
    switch (kind) {
    case ANSWER_RESET:
        len = probe_build_reset(&s->probe, link, reply, f->data);
        break;
    case ANSWER_SYN_ACK:
        len = probe_build_syn_ack(&s->probe, link, reply, f->data);
        break;
    case ANSWER_NEIGHBOUR:
        len = probe_build_neighbour_answer(link, reply, s->wires[wire].mac, f->data);
        break;
    }
    f->len = f->wire_len = (uint32_t)len;
    r->kinds[r->n] = kind;
    r->n += len > 0;
}

static void ignore(struct pass *p, enum ignored why) {
    count(&p->counters.ignored[why], 1);
}

/* A timed probe's answer is a sample only within its try's timeout: a target repeats its SYN-ACK after 1 and 3 s. */
static uint64_t rtt_of(struct pass *p, uint64_t position, int tried, bool first, uint64_t arrived_ns) {
    if (tried < 0 && p->kind != PASS_NEIGHBOURS)
        return 0;
    if (tried < 0)
        tried = 0; /* see is_timed() in generate.c */
    uint64_t sent = rtt_table_take(&p->scan->timed, position, (unsigned)tried);
    if (sent == 0 || arrived_ns <= sent)
        return 0;
    uint64_t rtt = arrived_ns - sent;
    uint64_t limit = atomic_load_explicit(&p->scan->rtt.timeout_ns, memory_order_relaxed) << tried;
    if (limit > p->timeout_max_ns)
        limit = p->timeout_max_ns;
    if (rtt <= limit)
        rtt_sample(&p->scan->rtt, rtt);
    else if (first)
        rtt_late(&p->scan->rtt);
    return rtt;
}

/* What the ledger, the lot and the seen set make of a valid answer. */
struct ruling {
    bool news;          /* a finding */
    enum state revises; /* what an earlier record said */
};

static struct ruling rule(struct pass *p, uint64_t index, enum ledger_mark mark, const struct answer *a, bool canary) {
    static const struct ruling nothing = {.news = false};
    bool found = verdict_rank(a->verdict.state) == verdict_rank(STATE_OPEN);
    int fresh = found ? seen_add(&p->seen, index) : 0;
    if (fresh < 0)
        pass_fail(p, fresh);
    switch (mark) {
    case LEDGER_FIRST:
        return (struct ruling){.news = true};
    case LEDGER_REVISES:
        return (struct ruling){.news = true, .revises = STATE_FILTERED};
    case LEDGER_AGAIN:
        if (fresh > 0)
            return (struct ruling){.news = true, .revises = STATE_CLOSED};
        count(&p->counters.duplicates, !canary);
        return nothing;
    case LEDGER_LATE:
        if (fresh > 0)
            return (struct ruling){.news = true, .revises = silence_of(&a->endpoint.slot).state};
        count(found ? &p->counters.duplicates : &p->counters.late, !canary);
        return nothing;
    case LEDGER_UNSENT:
        break;
    }
    return nothing;
}

/* An answer marks its position; one that waits in the lot, after the ledger has given it up, is answered first by this. */
static enum ledger_mark mark_of(struct pass *p, const struct answer *a, uint64_t index, uint64_t position,
                                bool *parked) {
    enum ledger_mark mark = ledger_mark(&p->ledger, position, a->verdict.state == STATE_FILTERED);
    if (p->lot == NULL || !lot_concerns(a->endpoint.slot.technique))
        return mark;
    struct heard heard = {.ep = &a->endpoint, .index = index, .asked = position - p->ledger.first,
                          .verdict = a->verdict, .tried = mark == LEDGER_FIRST ? a->tried : -1,
                          .now_ns = clock_mono_ns()};
    *parked = lot_answered(p->lot, &heard);
    return *parked ? LEDGER_FIRST : mark;
}

static void finding_push(struct pass *p, const struct answer *a, const struct reply *r, uint64_t arrived_ns,
                         uint64_t rtt, enum state revises) {
    const struct scan_config *c = &p->scan->config;
    bool revises_shown = revises != STATE_UNKNOWN && (c->show & 1u << revises) != 0;
    if ((c->show & 1u << a->verdict.state) == 0 && !revises_shown)
        return;
    struct finding f = {.addr = a->endpoint.addr,
                        .reporter = a->reporter,
                        .time_ns = arrived_ns,
                        .port = a->endpoint.slot.port,
                        .technique = a->endpoint.slot.technique,
                        .state = (uint8_t)a->verdict.state,
                        .reason = (uint8_t)a->verdict.reason,
                        .revises = (uint8_t)revises,
                        .flags = FINDING_HAS_TTL,
                        .ttl = r->ttl,
                        .tried = (int8_t)a->tried};
    if (r->kind == REPLY_TCP) {
        f.flags |= FINDING_HAS_TCP_FLAGS;
        f.tcp_flags = r->tcp_flags;
    }
    if (rtt > 0) {
        f.flags |= FINDING_HAS_RTT;
        f.rtt_us = (uint32_t)(rtt / NS_PER_US);
    }
    const uint8_t *mac = neighbours_find(&p->scan->neighbours, f.addr);
    if (mac != NULL) {
        f.flags |= FINDING_HAS_MAC;
        memcpy(f.mac, mac, MAC_LEN);
    }
    report_push(c->report, 0, &f);
}

/* A late answer revises silence that the transmitter may only be about to tell: that goes first. */
static void silence_wait(struct pass *p, uint64_t index, uint64_t position) {
    uint64_t chunk = (position - p->ledger.first) / CHUNK_PROBES;
    while (atomic_load_explicit(&p->silence_listed, memory_order_acquire) <= chunk &&
           atomic_load_explicit(&p->failed, memory_order_relaxed) == 0 && report_failed(p->scan->config.report) == 0 &&
           atomic_load_explicit(p->scan->config.stop, memory_order_relaxed) < 2)
        clock_sleep_until(clock_mono_ns() + SILENCE_NAP_NS);
    if (p->lot != NULL)
        lot_await(p->lot, index);
}

static void answered(struct pass *p, const struct answer *a, enum ledger_mark mark, bool parked, enum state revises) {
    struct counters *c = &p->counters;
    count(&c->first_by_state[a->verdict.state], 1);
    if (mark == LEDGER_FIRST) {
        if (parked)
            count(&c->answered_parked, 1);
        else if (a->tried < 0)
            count(&c->answered_unknown_try, 1);
        else
            count(&c->answered_at_try[a->tried], 1);
        return;
    }
    count(&c->revised, 1);
    if (mark == LEDGER_LATE)
        count(&c->late_found[revises], 1);
    else
        count(&c->first_by_state[revises], UINT64_MAX); /* one less */
}

static void neighbour_learn(struct pass *p, const struct reply *r, const struct answer *a) {
    int err = neighbours_add(&p->scan->neighbours, a->endpoint.addr, r->source_mac);
    if (err < 0)
        pass_fail(p, err);
}

/* A true answer to a probe that was sent: which, and where it stands in the order. Else the cause for ignoring it. */
static enum ignored answer_find(const struct pass *p, const struct reply *r, struct answer *a, uint64_t *index,
                                uint64_t *position) {
    enum ignored why = reply_judge(&p->scan->probe, r, a);
    if (why != IGNORED_NOT)
        return why;
    *index = plan_find(p->plan, &a->endpoint);
    if (*index == PLAN_NONE)
        return IGNORED_OUT_OF_PLAN;
    *position = order_find(&p->order, *index);
    if (!ledger_was_offered(&p->ledger, *position))
        return IGNORED_UNSENT;
    if (p->kind == PASS_NEIGHBOURS) {
        addr_t asked_from = path_find(p->paths, r->source)->probe.source;
        if (!addr_is_unspecified(asked_from) && asked_from != r->dest)
            return IGNORED_WRONG_ADDRESS; /* an announcement, not an answer to us */
    }
    return IGNORED_NOT;
}

/* Somebody on the link asks for an address: ours, where we have borrowed one. */
static bool is_for_borrowed(const struct scan_wire *w, const struct reply *r) {
    return r->kind == REPLY_ASKED && r->dest != 0 && (r->dest == w->borrowed[0] || r->dest == w->borrowed[1]) &&
           r->source != r->dest;
}

/* Does this answer leave a connection half open at the target? A ping asks twice, by SYN and otherwise: its SYN-ACK may
 * come when the host has answered already. */
static bool wants_reset(const struct pass *p, const struct reply *r, const struct answer *a, bool news) {
    bool half_open = r->kind == REPLY_TCP && (r->tcp_flags & (TCP_SYN | TCP_RST)) == TCP_SYN;
    bool closing = a->verdict.reason == REASON_SYN;
    return (half_open || closing) && (news || a->endpoint.slot.technique == TECHNIQUE_PING) &&
           !p->scan->config.no_reset;
}

static void host_learn(struct pass *p, const struct answer *a) {
    addr_t *up = a->verdict.state == STATE_UP ? array_add(&p->up[0]) : NULL;
    if (up != NULL)
        *up = a->endpoint.addr;
    else if (a->verdict.state == STATE_UP)
        pass_fail(p, -ENOMEM);
}

/* An endpoint that has answered once may serve as a canary, unless its host limits such answers. */
static void canary_offer(struct pass *p, const struct answer *a, uint64_t index) {
    bool error = a->verdict.state == STATE_CLOSED && technique_closed_by_error(a->endpoint.slot.technique);
    bool limited = p->lot != NULL && lot_suspects(p->lot) > 0 && lot_is_limited(p->lot, a->endpoint.addr);
    if (a->verdict.state != STATE_FILTERED && !error && !limited)
        canaries_offer(&p->steer->canaries, index);
}

/* Was this endpoint asked although it had answered before? Each time is a connection of its own then. */
static bool is_canary(struct pass *p, const struct answer *a, uint64_t index) {
    bool steered = p->steer != NULL && canaries_answered(&p->steer->canaries, index);
    return steered || (p->lot != NULL && lot_suspects(p->lot) > 0 && lot_is_canary(p->lot, &a->endpoint, index));
}

static void answer_take(struct receiver *x, unsigned wire, const struct frame *f, const struct reply *r,
                        const struct answer *a, uint64_t index, uint64_t position) {
    struct pass *p = x->pass;
    bool parked = false;
    enum ledger_mark mark = mark_of(p, a, index, position, &parked);
    bool again = mark == LEDGER_AGAIN || mark == LEDGER_LATE;
    bool canary = again && is_canary(p, a, index);
    struct ruling ruling = rule(p, index, mark, a, canary);
    if (wants_reset(p, r, a, ruling.news || canary))
        outbox_put(x, wire, r, ANSWER_RESET);
    if (!again && p->steer != NULL)
        canary_offer(p, a, index);
    if (!ruling.news)
        return;
    uint64_t rtt = rtt_of(p, position, a->tried, mark == LEDGER_FIRST, f->time_ns);
    answered(p, a, mark, parked, ruling.revises);
    if (p->kind == PASS_NEIGHBOURS) {
        neighbour_learn(p, r, a);
        return;
    }
    if (p->kind == PASS_DISCOVERY)
        host_learn(p, a);
    if (mark == LEDGER_LATE && pass_lists_silence(p))
        silence_wait(p, index, position);
    finding_push(p, a, r, f->time_ns, rtt, ruling.revises);
}

static void frame_read(struct receiver *x, unsigned wire, const struct frame *f) {
    struct pass *p = x->pass;
    const struct scan_wire *w = &p->scan->wires[wire];
    struct reply r;
    struct answer a;
    uint64_t index, position;
    enum ignored why = reply_parse(w->link, f->data, f->len, f->wire_len, f->flags, &r);
    if (why == IGNORED_NOT) {
        reply_set_zone(&r, w->loopback ? route_local_zone(&p->scan->routes, r.source) : (unsigned)w->ifindex);
        if (is_for_borrowed(w, &r)) {
            outbox_put(x, wire, &r, ANSWER_NEIGHBOUR);
            return;
        }
        why = answer_find(p, &r, &a, &index, &position);
    }
    if (why != IGNORED_NOT)
        ignore(p, why);
    else if (a.verdict.state == STATE_UNKNOWN) /* a bare SYN: only the ACK of our SYN-ACK can prove it */
        outbox_put(x, wire, &r, ANSWER_SYN_ACK);
    else
        answer_take(x, wire, f, &r, &a, index, position);
}

/* One round over all wires. Returns how many frames it read; *drained_ns receives the watermark of this round. */
static unsigned receive_round(struct receiver *x, uint64_t *drained_ns) {
    struct pass *p = x->pass;
    struct scan *s = p->scan;
    struct frame frames[WIRE_BATCH_MAX];
    unsigned total = 0;
    *drained_ns = UINT64_MAX;
    for (unsigned w = 0; w < s->n_wires; w++) {
        uint64_t drained = 0;
        int n = s->wires[w].receive->ops->recv(s->wires[w].receive, frames, WIRE_BATCH_MAX, &drained);
        if (n < 0) {
            pass_fail(p, n);
            return 0;
        }
        scan_watch(s, s->wires[w].link, false, frames, (unsigned)n);
        for (int i = 0; i < n; i++)
            frame_read(x, w, &frames[i]);
        outbox_send(x, w);
        total += (unsigned)n;
        if (drained < *drained_ns)
            *drained_ns = drained;
    }
    count(&p->counters.received, total);
    return total;
}

/* Only this thread may ask its wires; others read what it found. */
static void drops_read(struct receiver *x, uint64_t now_ns) {
    struct scan *s = x->pass->scan;
    if (now_ns - x->drops_read_ns < DROPS_EVERY_NS)
        return;
    uint64_t drops = 0, ring_dropped = 0;
    for (unsigned w = 0; w < s->n_wires; w++) {
        struct wire_stats st;
        s->wires[w].receive->ops->stats(s->wires[w].receive, &st);
        drops += st.ring_dropped + st.interface_dropped + st.interface_tx_dropped;
        ring_dropped += st.ring_dropped;
    }
    atomic_store_explicit(&x->pass->counters.ring_dropped, ring_dropped, memory_order_relaxed);
    atomic_store_explicit(&x->pass->counters.drops, drops, memory_order_relaxed);
    x->drops_read_ns = now_ns;
}

void *receive_run(void *arg) {
    struct pass *p = arg;
    struct scan *s = p->scan;
    pthread_setname_np(pthread_self(), "nt-receive");
    struct receiver x = {.pass = p}; /* 170 KB: threads here have the usual 8 MB */
    while (atomic_load_explicit(&p->sent_all, memory_order_acquire) == 0) {
        uint64_t drained;
        unsigned n = receive_round(&x, &drained);
        if (atomic_load_explicit(&p->failed, memory_order_relaxed) != 0) {
            clock_sleep_until(clock_mono_ns() + WAIT_NS); /* until the transmitter has heard of it */
            continue;
        }
        ledger_watermark(&p->ledger, drained);
        drops_read(&x, clock_mono_ns());
        if (n == 0)
            for (unsigned w = 0; w < s->n_wires; w++)
                s->wires[w].receive->ops->wait(s->wires[w].receive, WAIT_NS / s->n_wires);
    }
    return NULL;
}
