#include "scan/park.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "probe/technique.h"
#include "scan/rtt.h"

#define INTERVAL_FIRST_NS UINT64_C(250000000)
#define INTERVAL_MIN_NS UINT64_C(1000000)
#define INTERVAL_MAX_NS UINT64_C(4000000000) /* slower than any limit that a host is known to have */
#define RTO_MAX_NS UINT64_C(1000000000)
#define LOOKS_PER_RTO 16u   /* how often a group on its way is looked at */
#define SHORT_GROUPS 4u     /* canaries without an answer that are more than bad luck, where they are ... */
#define SHORT_SHARE 4u      /* ... one in so many */
#define VOID_GROUPS_MAX 32u /* groups in a row without any answer: the host is gone */
#define VOID_SHIFT_MAX 3u   /* after so many of them the timeout does not double any more */
#define LOOKS_MIN 2u        /* silence is believed at the second observation, ... */
#define LOOKS_MAX 16u       /* ... at the sixteenth at the latest; the others fit four bits ... */
#define MISS 0.001          /* ... if the path loses so much that more than this would be missed */
#define LOOKS_BITS 4u
#define LOOKS_PER_WORD (64u / LOOKS_BITS)
#define CANARIES 3u         /* as many are sent as may well be lost, but no more */
#define ANSWERS_AT_ONCE 20u  /* what the path loses is taken for nothing until there is more to tell, but ... */
#define ANSWERS_AFTER_ALL 2u /* ... for a tenth where loss may be all that made the host suspected */
#define DOUBT_TIMEOUTS 8u    /* for so long is silence kept where something speaks against it, but not enough yet */
#define DOUBT_LOOKS 4u       /* a timeout */
#define DOUBT_PARKED_MAX (LOT_PARKED_MAX / 2)
#define PACE_NAP_NS UINT64_C(500000)

enum stage { STAGE_DOUBT, STAGE_IDLE, STAGE_BUILDING, STAGE_ON_ITS_WAY, STAGE_SETTLING, STAGE_ENDING };

struct parked {
    const struct voice *voice;
    uint64_t first;      /* index of the host's first slot */
    unsigned n;          /* slots */
    _Atomic uint64_t *pending; /* a bit a slot: to be decided */
    uint64_t *looks;     /* LOOKS_BITS a slot: observations of silence */
    uint64_t at_once, after_all; /* answers of slots without such observations, and of others: what the path loses */
    _Atomic uint64_t canary[CANARIES]; /* indexes of the canaries on their way; UINT64_MAX: none */
    _Atomic uint64_t canary_ns;        /* when the first of their answers was read; 0: not yet */
    enum stage stage;
    bool queued;         /* it is in the heap */
    uint64_t wake_ns;    /* when it is to be looked at: the heap's key */
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint64_t doubt_ns;    /* until then */
    uint64_t sent_ns, interval_ns;
    struct rtt rtt;      /* its own way may be shorter or longer than most */
    bool timed;          /* ... and has been measured */
    unsigned cursor;     /* the next slot of the round */
    unsigned wanted;     /* length of the next group */
    unsigned void_groups;
    unsigned groups, short_groups; /* so far: all, and those whose canary stayed unanswered */
    bool limited;        /* they are many */
    unsigned at, n_group; /* of the group: handed out (the canaries, too), or settled; and all */
    unsigned n_canaries;
    uint32_t group[LOT_GROUP_MAX];
};

struct lot {
    const struct plan *plan;
    uint64_t timeout_ns, rto_ns;
    struct voices *voices;
    struct parked **heap; /* by wake_ns; [0] is first */
    struct parked **all;  /* of the scan, to free them */
    unsigned n_heap, n_all;
    bool ending;
    struct parked *building;    /* the group being handed out */
    _Atomic uint64_t deciding;  /* index + 1 of the verdict that the caller is telling */
    _Atomic uint64_t n_parked, n_limited;
};

bool lot_concerns(unsigned technique) {
    return !techniques[technique].host;
}

struct lot *lot_new(const struct plan *plan, uint64_t timeout_ns) {
    struct lot *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->plan = plan;
    l->timeout_ns = timeout_ns;
    l->rto_ns = RTO_MAX_NS;
    l->voices = voices_new();
    l->heap = calloc(LOT_PARKED_MAX, sizeof(struct parked *));
    l->all = calloc(LOT_PARKED_MAX, sizeof(struct parked *));
    if (l->voices == NULL || l->heap == NULL || l->all == NULL) {
        lot_free(l);
        return NULL;
    }
    return l;
}

static void parked_free(struct parked *p) {
    if (p == NULL)
        return;
    free((void *)p->pending);
    free(p->looks);
    free(p);
}

void lot_free(struct lot *l) {
    if (l == NULL)
        return;
    for (unsigned i = 0; i < l->n_all; i++)
        parked_free(l->all[i]);
    free(l->all);
    free(l->heap);
    voices_free(l->voices);
    free(l);
}

static struct voice *voice_of(const struct lot *l, const struct endpoint *ep) {
    return voices_find(l->voices, ep->addr, voice_kind_of(ep->slot.technique));
}

static bool is_limited(const struct voice *v) {
    return v != NULL && atomic_load_explicit(&v->limited, memory_order_relaxed);
}

/* ---- receiver ---- */

static bool bit_take(_Atomic uint64_t *bits, unsigned i) {
    uint64_t bit = UINT64_C(1) << i % 64;
    return atomic_fetch_and_explicit(&bits[i / 64], ~bit, memory_order_acq_rel) & bit;
}

static void pending_less(struct lot *l) {
    atomic_fetch_sub_explicit(&l->n_parked, 1, memory_order_relaxed);
}

bool lot_answered(struct lot *l, const struct heard *heard) {
    voices_heard(l->voices, heard);
    struct voice *v = voice_of(l, heard->ep);
    struct parked *p = v == NULL ? NULL : atomic_load_explicit(&v->parked, memory_order_acquire);
    if (p == NULL)
        return false;
    for (unsigned i = 0; i < CANARIES && atomic_load_explicit(&p->canary_ns, memory_order_relaxed) == 0; i++)
        if (atomic_load_explicit(&p->canary[i], memory_order_acquire) == heard->index)
            atomic_store_explicit(&p->canary_ns, heard->now_ns, memory_order_release);
    if (!bit_take(p->pending, (unsigned)(heard->index - p->first)))
        return false;
    pending_less(l);
    return true;
}

bool lot_is_canary(const struct lot *l, const struct endpoint *ep, uint64_t index) {
    const struct voice *v = voice_of(l, ep);
    return v != NULL && atomic_load_explicit(&v->parked, memory_order_relaxed) != NULL && voice_has_canary(v, index);
}

void lot_await(const struct lot *l, uint64_t index) {
    while (atomic_load_explicit(&l->deciding, memory_order_acquire) == index + 1)
        clock_sleep_until(clock_mono_ns() + NS_PER_MS / 20);
}

/* ---- the heap ---- */

static void heap_swap(struct lot *l, unsigned a, unsigned b) {
    struct parked *p = l->heap[a];
    l->heap[a] = l->heap[b];
    l->heap[b] = p;
}

static void heap_sink(struct lot *l) {
    for (unsigned i = 0;;) {
        unsigned least = i, left = 2 * i + 1;
        for (unsigned child = left; child <= left + 1 && child < l->n_heap; child++)
            if (l->heap[child]->wake_ns < l->heap[least]->wake_ns)
                least = child;
        if (least == i)
            return;
        heap_swap(l, i, least);
        i = least;
    }
}

static void heap_push(struct lot *l, struct parked *p) {
    unsigned i = l->n_heap++;
    p->queued = true;
    l->heap[i] = p;
    for (; i > 0 && l->heap[(i - 1) / 2]->wake_ns > l->heap[i]->wake_ns; i = (i - 1) / 2)
        heap_swap(l, i, (i - 1) / 2);
}

/* The first of the heap is to be looked at again at that time. */
static void heap_delay(struct lot *l, uint64_t wake_ns) {
    l->heap[0]->wake_ns = wake_ns;
    heap_sink(l);
}

static void heap_pop(struct lot *l) {
    l->heap[0]->queued = false;
    l->heap[0] = l->heap[--l->n_heap];
    heap_sink(l);
}

/* ---- transmitter ---- */

static void canaries_clear(struct parked *p) {
    for (unsigned i = 0; i < CANARIES; i++)
        atomic_store_explicit(&p->canary[i], UINT64_MAX, memory_order_relaxed);
}

static struct parked *parked_new(struct lot *l, const struct endpoint *ep, struct voice *v) {
    uint64_t first;
    unsigned n;
    if (l->n_all == LOT_PARKED_MAX || plan_slots_of(l->plan, ep->addr, &first, &n) == NULL)
        return NULL;
    struct parked *p = calloc(1, sizeof *p);
    size_t words = (n + 63) / 64;
    uint64_t *pending = calloc(words, sizeof *pending), *looks = calloc(LOOKS_BITS * words, sizeof *looks);
    if (p == NULL || pending == NULL || looks == NULL) {
        free(pending);
        free(looks);
        free(p);
        return NULL;
    }
    *p = (struct parked){.voice = v, .first = first, .n = n, .pending = (_Atomic uint64_t *)pending, .looks = looks,
                         .deadline_ns = UINT64_MAX, .interval_ns = INTERVAL_FIRST_NS,
                         .wanted = 1, .at_once = ANSWERS_AT_ONCE};
    if (voice_kind_of(ep->slot.technique) == VOICE_OTHERS)
        p->after_all = ANSWERS_AFTER_ALL;
    canaries_clear(p);
    l->all[l->n_all++] = p;
    atomic_store_explicit(&v->parked, p, memory_order_release);
    return p;
}

/* From now on its endpoints are asked, and not kept in doubt: the host's time begins. */
static void parked_ask(const struct lot *l, struct parked *p, uint64_t now_ns) {
    p->stage = STAGE_IDLE;
    p->wake_ns = now_ns;
    if (l->timeout_ns > 0 && p->deadline_ns == UINT64_MAX)
        p->deadline_ns = now_ns + l->timeout_ns;
}

static void parked_begin(struct lot *l, struct parked *p, bool limited, uint64_t now_ns) {
    if (limited) {
        parked_ask(l, p, now_ns);
    } else {
        p->stage = STAGE_DOUBT;
        p->wake_ns = now_ns + l->rto_ns / DOUBT_LOOKS;
        p->doubt_ns = now_ns + DOUBT_TIMEOUTS * l->rto_ns;
    }
    heap_push(l, p);
}

enum lot_fate lot_take(struct lot *l, const struct endpoint *ep, uint64_t index, uint64_t now_ns) {
    struct voice *v = voice_of(l, ep);
    bool limited = is_limited(v);
    enum lot_fate refused = limited ? LOT_FATE_UNDECIDED : LOT_FATE_SILENT;
    if (v == NULL || !(limited || atomic_load_explicit(&v->doubtful, memory_order_relaxed)))
        return LOT_FATE_SILENT;
    struct parked *p = atomic_load_explicit(&v->parked, memory_order_relaxed);
    if (l->ending || (p == NULL && !limited && l->n_all >= DOUBT_PARKED_MAX) ||
        (p == NULL && (p = parked_new(l, ep, v)) == NULL))
        return refused;
    if (p->stage == STAGE_ENDING) /* its time is over */
        return LOT_FATE_UNDECIDED;
    unsigned slot = (unsigned)(index - p->first);
    if (!p->queued)
        parked_begin(l, p, limited, now_ns);
    atomic_fetch_add_explicit(&l->n_parked, 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&p->pending[slot / 64], UINT64_C(1) << slot % 64, memory_order_release);
    return LOT_FATE_PARKED;
}

bool lot_wants(const struct lot *l, const struct endpoint *ep) {
    const struct voice *v = voice_kind_of(ep->slot.technique) == VOICE_OTHERS ? voice_of(l, ep) : NULL;
    return is_limited(v) &&
           (l->n_all < LOT_PARKED_MAX || atomic_load_explicit(&v->parked, memory_order_relaxed) != NULL);
}

/* The next parked slot from `from` on, round the end; the number of slots when there is none. */
static unsigned next_pending(const struct parked *p, unsigned from) {
    for (unsigned seen = 0; seen < p->n;) {
        unsigned i = from % p->n, b = i % 64;
        uint64_t rest = atomic_load_explicit(&p->pending[i / 64], memory_order_relaxed) >> b;
        if (rest != 0)
            return i + (unsigned)__builtin_ctzll(rest);
        unsigned step = 64 - b < p->n - i ? 64 - b : p->n - i;
        from = i + step;
        seen += step;
    }
    return p->n;
}

/* How often silence must be observed to be believed. */
static unsigned looks_wanted(const struct parked *p) {
    double loss = (double)p->after_all / (double)(p->at_once + p->after_all), missed = loss * loss;
    unsigned n = LOOKS_MIN;
    for (; n < LOOKS_MAX && missed > MISS; n++)
        missed *= loss;
    return n;
}

/* A verdict for one slot, unless an answer was quicker. */
static bool decide(struct lot *l, struct parked *p, unsigned slot, struct lot_work *work) {
    work->index = p->first + slot;
    atomic_store_explicit(&l->deciding, work->index + 1, memory_order_seq_cst);
    if (!bit_take(p->pending, slot)) {
        atomic_store_explicit(&l->deciding, 0, memory_order_release);
        return false;
    }
    pending_less(l);
    return true;
}

/* Chooses the endpoints of a group, in the order of their slots, round and round. All its packets leave at once, at
 * most so many: else the host could have an answer for the last that it had not for the first. False: nothing is
 * parked. */
static bool group_choose(struct parked *p, unsigned packets_max) {
    p->n_group = p->at = 0;
    unsigned looks = looks_wanted(p);
    p->n_canaries = looks - 1 < CANARIES ? looks - 1 : CANARIES;
    while (p->n_group < p->wanted && (p->n_group == 0 || p->n_group + p->n_canaries < packets_max)) {
        unsigned slot = next_pending(p, p->cursor);
        if (slot == p->n || (p->n_group > 0 && slot == p->group[0]))
            break;
        p->group[p->n_group++] = slot;
        p->cursor = slot + 1;
    }
    return p->n_group > 0;
}

static bool is_pending(const struct parked *p, unsigned slot) {
    return atomic_load_explicit(&p->pending[slot / 64], memory_order_relaxed) >> slot % 64 & 1;
}

/* Hands the group out, one by one, and the canaries behind it. */
static void group_next(struct lot *l, struct parked *p, struct lot_work *work) {
    unsigned at = p->at++, nth = at - p->n_group;
    work->last = false;
    if (at < p->n_group) {
        work->index = p->first + p->group[at];
        return;
    }
    work->index = p->first + (uint32_t)(voice_canary(p->voice, p->cursor + nth) - (uint32_t)p->first);
    work->last = nth + 1 == p->n_canaries;
    if (nth == 0)
        atomic_store_explicit(&p->canary_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&p->canary[nth], work->index, memory_order_release);
    if (work->last)
        l->building = p;
}

void lot_sent(struct lot *l, uint64_t now_ns) {
    struct parked *p = l->building;
    p->stage = STAGE_ON_ITS_WAY;
    p->sent_ns = now_ns;
    l->building = NULL;
}

/* How long an answer of this host may take: by its own canaries once one has been heard, and longer where nothing comes. */
static uint64_t timeout_of(const struct parked *p, uint64_t usual_ns) {
    uint64_t own = p->timed ? atomic_load_explicit(&p->rtt.timeout_ns, memory_order_relaxed) : usual_ns;
    own <<= p->void_groups < VOID_SHIFT_MAX ? p->void_groups : VOID_SHIFT_MAX;
    return own < RTO_MAX_NS ? own : RTO_MAX_NS;
}

/* Is all in that this group can tell? */
static bool group_done(const struct parked *p, uint64_t watermark_ns, uint64_t rto_ns) {
    uint64_t heard = atomic_load_explicit(&p->canary_ns, memory_order_acquire);
    if (heard > 0) /* what was sent before it has been answered before it, or nearly so */
        return watermark_ns >= heard + rto_ns / LOOKS_PER_RTO;
    bool open = false;
    for (unsigned i = 0; i < p->n_group && !open; i++)
        open = is_pending(p, p->group[i]);
    return !open || watermark_ns >= p->sent_ns + rto_ns;
}

static unsigned looks_of(const struct parked *p, unsigned slot) {
    return p->looks[slot / LOOKS_PER_WORD] >> slot % LOOKS_PER_WORD * LOOKS_BITS & (LOOKS_MAX - 1);
}

/* What the answers of the group tell: of the limit by their number, of the path by those that were silent before. */
static unsigned answers_count(struct parked *p) {
    unsigned answered = 0;
    for (unsigned i = 0; i < p->n_group; i++) {
        if (is_pending(p, p->group[i]))
            continue;
        answered++;
        *(looks_of(p, p->group[i]) == 0 ? &p->at_once : &p->after_all) += 1;
    }
    return answered;
}

/* Does the host limit its answers, rather than the path lose some? */
static bool keeps_short(const struct parked *p) {
    return p->short_groups >= SHORT_GROUPS && p->short_groups * SHORT_SHARE >= p->groups;
}

/* What the group has shown of the host's limit: how long the next one is, and when. */
static void group_learn(struct lot *l, struct parked *p) {
    unsigned answered = answers_count(p), half = p->wanted > 1 ? p->wanted / 2 : 1;
    uint64_t heard = atomic_load_explicit(&p->canary_ns, memory_order_relaxed);
    bool canary = heard > 0;
    if (heard > p->sent_ns) {
        rtt_sample(&p->rtt, heard - p->sent_ns);
        p->timed = true;
    }
    canaries_clear(p);
    p->void_groups = canary || answered > 0 ? 0 : p->void_groups + 1;
    p->groups++;
    p->short_groups += !canary;
    if (!p->limited && keeps_short(p)) {
        p->limited = true;
        atomic_fetch_add_explicit(&l->n_limited, 1, memory_order_relaxed);
    }
    if (canary) {
        p->wanted = p->wanted * 2 < LOT_GROUP_MAX ? p->wanted * 2 : LOT_GROUP_MAX;
        p->interval_ns -= p->interval_ns / 8;
    } else if (answered > 0) {
        p->wanted = answered > half ? answered : half;
        p->interval_ns -= p->interval_ns / 16;
    } else {
        p->wanted = half;
        p->interval_ns += p->interval_ns / 4;
    }
    if (p->interval_ns < INTERVAL_MIN_NS)
        p->interval_ns = INTERVAL_MIN_NS;
    if (p->interval_ns > INTERVAL_MAX_NS)
        p->interval_ns = INTERVAL_MAX_NS;
    p->at = canary ? 0 : p->n_group; /* without the canary's answer, silence says nothing */
}

/* The slots of a group that stayed silent before an answered canary: after a few such observations, it is believed. */
static bool group_settle(struct lot *l, struct parked *p, struct lot_work *work) {
    unsigned wanted = looks_wanted(p);
    while (p->at < p->n_group) {
        unsigned slot = p->group[p->at++];
        if (!is_pending(p, slot))
            continue;
        if (looks_of(p, slot) + 1 < wanted)
            p->looks[slot / LOOKS_PER_WORD] += UINT64_C(1) << slot % LOOKS_PER_WORD * LOOKS_BITS;
        else if (decide(l, p, slot, work))
            return true;
    }
    return false;
}

/* One slot after the other gets the same verdict: the host's time is over, or the doubt. */
static bool give_up(struct lot *l, struct parked *p, struct lot_work *work) {
    for (unsigned slot; (slot = next_pending(p, 0)) < p->n;)
        if (decide(l, p, slot, work))
            return true;
    return false;
}

/* One step of the first host of the heap, which is due. False: look at the heap again. */
static bool host_step(struct lot *l, const struct lot_now *now, struct lot_work *work, enum lot_step *step) {
    struct parked *p = l->heap[0];
    uint64_t timeout = timeout_of(p, now->rto_ns);
    bool over = (now->now_ns >= p->deadline_ns && keeps_short(p)) || p->void_groups >= VOID_GROUPS_MAX;
    if (p->stage == STAGE_DOUBT && is_limited(p->voice))
        parked_ask(l, p, now->now_ns);
    if (p->stage != STAGE_DOUBT && p->stage != STAGE_BUILDING && (l->ending || over))
        p->stage = STAGE_ENDING;
    switch (p->stage) {
    case STAGE_DOUBT:
        if (now->now_ns < p->doubt_ns && !now->order_done && !l->ending) {
            heap_delay(l, now->now_ns + now->rto_ns / DOUBT_LOOKS);
            return false;
        }
        *step = LOT_SILENT;
        if (give_up(l, p, work))
            return true;
        p->stage = STAGE_IDLE;
        heap_pop(l);
        return false;
    case STAGE_IDLE:
        if (now->packets_max == 0) {
            work->wake_ns = now->now_ns + PACE_NAP_NS;
            *step = LOT_WAIT;
            return true;
        }
        if (!group_choose(p, now->packets_max)) {
            heap_pop(l);
            return false;
        }
        p->stage = STAGE_BUILDING; /* fall through */
    case STAGE_BUILDING:
        group_next(l, p, work);
        *step = LOT_PROBE;
        return true;
    case STAGE_ON_ITS_WAY:
        if (!group_done(p, now->watermark_ns, timeout)) {
            heap_delay(l, now->now_ns + timeout / LOOKS_PER_RTO);
            return false;
        }
        group_learn(l, p);
        p->stage = STAGE_SETTLING; /* fall through */
    case STAGE_SETTLING:
        *step = LOT_SILENT;
        if (group_settle(l, p, work))
            return true;
        p->stage = STAGE_IDLE;
        heap_delay(l, p->sent_ns + p->interval_ns);
        return false;
    case STAGE_ENDING:
        *step = LOT_UNDECIDED;
        if (give_up(l, p, work))
            return true;
        heap_pop(l);
        return false;
    }
    return false;
}

enum lot_step lot_next(struct lot *l, const struct lot_now *given, struct lot_work *work) {
    struct lot_now now = *given;
    enum lot_step step;
    atomic_store_explicit(&l->deciding, 0, memory_order_release);
    voices_timeout(l->voices, now.rto_ns);
    l->rto_ns = now.rto_ns;
    if (now.rto_ns > RTO_MAX_NS)
        now.rto_ns = RTO_MAX_NS;
    while (l->n_heap > 0) {
        work->wake_ns = l->heap[0]->wake_ns;
        if (!l->ending && work->wake_ns > now.now_ns)
            return LOT_WAIT;
        if (host_step(l, &now, work, &step))
            return step;
    }
    return LOT_IDLE;
}

void lot_end(struct lot *l) {
    l->ending = true;
    for (unsigned i = 0; i < l->n_heap; i++)
        if (l->heap[i]->stage == STAGE_BUILDING) /* nothing more is sent of it */
            l->heap[i]->stage = STAGE_IDLE;
}

bool lot_takes(const struct lot *l) {
    return voices_noted(l->voices) > 0;
}

unsigned lot_suspects(const struct lot *l) {
    return voices_limited(l->voices);
}

bool lot_is_limited(const struct lot *l, addr_t host) {
    return voices_is_limited(l->voices, host);
}

uint64_t lot_parked(const struct lot *l) {
    return atomic_load_explicit(&l->n_parked, memory_order_relaxed);
}

uint64_t lot_limited(const struct lot *l) {
    return atomic_load_explicit(&l->n_limited, memory_order_relaxed);
}
