#include "scan/voice.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "probe/technique.h"

#define TABLE_SIZE (2 * VOICE_HOSTS_MAX) /* open addressing, at most half full */
#define FADE_TIMEOUTS 8u /* a limit shows within two timeouts, and a scan's end lacks the later tries of one */
#define LATER_DOUBT 0.5f /* one that was less than an epoch or two ago */
#define DOUBT 3.0        /* one in twenty by chance */
#define STRETCH 16u      /* answers to the first try: fewer than expected show within so many */
#define LATER_MIN 2.0f   /* fewer may be one mishap, as of a router that still looks for the host */

struct host {
    _Atomic uint64_t high, low; /* its address */
    _Atomic bool used;
    struct voice voices[VOICE_KINDS];
};

struct voices {
    struct host *table;
    _Atomic unsigned n_limited, n_doubtful;
    _Atomic uint64_t fade_ns;
    /* the receiver's */
    unsigned n_hosts;
    uint32_t epoch;
    uint64_t epoch_ns;       /* when it began */
    uint64_t first;          /* answers to the first try, of all hosts */
    double weighted, weight; /* of all hosts: shares of later answers by weight, and weights */
};

struct voices *voices_new(void) {
    struct voices *v = calloc(1, sizeof *v);
    if (v == NULL)
        return NULL;
    v->table = calloc(TABLE_SIZE, sizeof *v->table);
    if (v->table == NULL) {
        free(v);
        return NULL;
    }
    voices_timeout(v, NS_PER_SEC);
    v->weight = VOICE_PRIOR;
    v->weighted = VOICE_PRIOR * VOICE_LOSS;
    return v;
}

void voices_free(struct voices *v) {
    if (v == NULL)
        return;
    free(v->table);
    free(v);
}

enum voice_kind voice_kind_of(unsigned technique) {
    return technique_closed_by_error(technique) ? VOICE_ERRORS : VOICE_OTHERS;
}

void voices_timeout(struct voices *v, uint64_t rto_ns) {
    atomic_store_explicit(&v->fade_ns, FADE_TIMEOUTS * rto_ns, memory_order_relaxed);
}

/* ---- the table ---- */

/* The entry of an address, or the free one where it belongs. */
static struct host *host_at(const struct voices *v, addr_t a) {
    uint64_t high = (uint64_t)(a >> 64), low = (uint64_t)a;
    uint64_t hash = (high ^ low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    for (size_t i = hash >> 32 & (TABLE_SIZE - 1);; i = (i + 1) & (TABLE_SIZE - 1)) {
        struct host *h = &v->table[i];
        if (!atomic_load_explicit(&h->used, memory_order_acquire))
            return h;
        if (atomic_load_explicit(&h->low, memory_order_relaxed) == low &&
            atomic_load_explicit(&h->high, memory_order_relaxed) == high)
            return h;
    }
}

/* The entry of an address, made if need be; NULL: the table is full. */
static struct host *host_make(struct voices *v, addr_t a) {
    struct host *h = host_at(v, a);
    if (atomic_load_explicit(&h->used, memory_order_relaxed))
        return h;
    if (v->n_hosts == VOICE_HOSTS_MAX)
        return NULL;
    v->n_hosts++;
    atomic_store_explicit(&h->high, (uint64_t)(a >> 64), memory_order_relaxed);
    atomic_store_explicit(&h->low, (uint64_t)a, memory_order_relaxed);
    atomic_store_explicit(&h->used, true, memory_order_release);
    return h;
}

struct voice *voices_find(const struct voices *v, addr_t host, enum voice_kind kind) {
    struct host *h = host_at(v, host);
    if (!atomic_load_explicit(&h->used, memory_order_acquire))
        return NULL;
    struct voice *voice = &h->voices[kind];
    return atomic_load_explicit(&voice->n_canaries, memory_order_acquire) > 0 ? voice : NULL;
}

unsigned voices_limited(const struct voices *v) {
    return atomic_load_explicit(&v->n_limited, memory_order_relaxed);
}

unsigned voices_noted(const struct voices *v) {
    return voices_limited(v) + atomic_load_explicit(&v->n_doubtful, memory_order_relaxed);
}

bool voices_is_limited(const struct voices *v, addr_t host) {
    const struct host *h = host_at(v, host);
    return atomic_load_explicit(&h->used, memory_order_acquire) &&
           (atomic_load_explicit(&h->voices[VOICE_ERRORS].limited, memory_order_relaxed) ||
            atomic_load_explicit(&h->voices[VOICE_OTHERS].limited, memory_order_relaxed));
}

/* ---- canaries ---- */

/* Ports that reset are preferred to open ones, for nothing is left of the question there. */
static void canary_note(struct voice *voice, uint64_t index, bool leaves_open) {
    uint32_t n = atomic_load_explicit(&voice->n_canaries, memory_order_relaxed);
    if (n > 0 && leaves_open && !voice->leaves_open)
        return;
    if (voice->leaves_open && !leaves_open)
        n = 0;
    voice->leaves_open = leaves_open;
    atomic_store_explicit(&voice->canary[n % VOICE_CANARIES], (uint32_t)index, memory_order_relaxed);
    if (n != UINT32_MAX)
        atomic_store_explicit(&voice->n_canaries, n + 1, memory_order_release);
}

static uint32_t canaries_of(const struct voice *voice) {
    uint32_t n = atomic_load_explicit(&voice->n_canaries, memory_order_acquire);
    return n < VOICE_CANARIES ? n : VOICE_CANARIES;
}

uint32_t voice_canary(const struct voice *voice, unsigned nth) {
    return atomic_load_explicit(&voice->canary[nth % canaries_of(voice)], memory_order_relaxed);
}

bool voice_has_canary(const struct voice *voice, uint64_t index) {
    for (uint32_t i = 0; i < canaries_of(voice); i++)
        if (atomic_load_explicit(&voice->canary[i], memory_order_relaxed) == (uint32_t)index)
            return true;
    return false;
}

/* ---- suspicion ---- */

static void voice_limited(struct voices *v, struct voice *voice) {
    if (atomic_exchange_explicit(&voice->limited, true, memory_order_relaxed))
        return;
    atomic_fetch_add_explicit(&v->n_limited, 1, memory_order_relaxed);
}

/* Minus the logarithm of how probable it is at most that of n answers k or more come late, at a share of q. */
static double surprise(double n, double k, double q) {
    double share = k / n;
    if (share <= q)
        return 0;
    double rest = share < 1 ? (1 - share) * log((1 - share) / (1 - q)) : 0;
    return n * (share * log(share / q) + rest);
}

/* What chance does in one of VOICE_ALARMS scans. */
static double alarm(const struct voices *v, const struct voice *voice) {
    return log(VOICE_ALARMS * (double)v->n_hosts * (1 + (voice->before + voice->lately) / STRETCH));
}

/* Do more of its answers than of the others' come late? */
static bool voice_is_late(const struct voices *v, const struct voice *voice) {
    double others = (v->weighted - (double)voice->told) / (v->weight - (double)voice->weight);
    return voice->later >= LATER_MIN && surprise((double)(voice->first + voice->later), (double)voice->later, others) >
                                            alarm(v, voice);
}

/* How much speaks for it that it has answered fewer first tries lately, by that clock of the two which says less. */
static double voice_faintness(const struct voices *v, const struct voice *voice, uint64_t asked) {
    double n = voice->before + voice->lately, others = (double)v->first - n;
    double by_others = others > 0 ? (double)voice->others_before / others : 1;
    double by_asked = asked > 0 ? (double)voice->asked_before / (double)asked : 1;
    double before = by_others > by_asked ? by_others : by_asked, above = voice->before - n * before;
    /* Pearson's chi-squared is never below twice the surprise, and takes no logarithm. */
    if (voice->before < STRETCH || above <= 0 || above * above < DOUBT * n * before * (1 - before))
        return 0;
    return surprise(n, voice->before, before) * others / (others + n);
}

static void voice_doubt(struct voices *v, struct voice *voice, bool doubtful) {
    if (atomic_load_explicit(&voice->doubtful, memory_order_relaxed) == doubtful)
        return;
    atomic_store_explicit(&voice->doubtful, doubtful, memory_order_relaxed);
    atomic_fetch_add_explicit(&v->n_doubtful, doubtful ? 1u : UINT_MAX, memory_order_relaxed);
}

/* Counts fade only while first tries are answered: at a scan's end nothing but later ones is left, which must not look
 * as if they were all. */
static void voice_fade(struct voices *v, struct voice *voice, uint64_t now_ns) {
    if (now_ns - v->epoch_ns >= atomic_load_explicit(&v->fade_ns, memory_order_relaxed)) {
        v->epoch++;
        v->epoch_ns = now_ns;
    }
    int epochs = (int)(v->epoch - voice->epoch);
    voice->epoch = v->epoch;
    if (epochs > 0) {
        voice->first = ldexpf(voice->first, -epochs);
        voice->later = ldexpf(voice->later, -epochs);
    }
}

/* An answer to the first try. */
static void voice_first(struct voices *v, struct voice *voice, uint64_t asked) {
    v->first++;
    voice->lately++;
    double faintness = voice_faintness(v, voice, asked);
    voice_doubt(v, voice, voice->later >= LATER_DOUBT || faintness > DOUBT);
    if (faintness > DOUBT && faintness > alarm(v, voice))
        voice_limited(v, voice);
    if (voice->lately < STRETCH)
        return;
    voice->before += voice->lately;
    voice->lately = 0;
    voice->others_before = v->first - voice->before;
    voice->asked_before = asked;
}

static void voice_count(struct voices *v, struct voice *voice, const struct heard *heard) {
    if (heard->tried == 0) {
        voice_fade(v, voice, heard->now_ns);
        voice_first(v, voice, heard->asked);
    }
    voice->first += heard->tried == 0;
    voice->later += heard->tried > 0;
    float n = voice->first + voice->later, weight = n < VOICE_WEIGHT ? n : VOICE_WEIGHT;
    float told = weight * voice->later / n;
    v->weighted += (double)(told - voice->told);
    v->weight += (double)(weight - voice->weight);
    voice->told = told;
    voice->weight = weight;
    if (heard->tried == 0)
        return;
    voice_doubt(v, voice, true);
    if (voice_is_late(v, voice))
        voice_limited(v, voice);
}

void voices_heard(struct voices *v, const struct heard *heard) {
    const struct endpoint *ep = heard->ep;
    struct verdict verdict = heard->verdict;
    enum voice_kind kind = voice_kind_of(ep->slot.technique);
    bool error = verdict.reason == REASON_PORT_UNREACH || verdict.reason == REASON_PROTO_UNREACH ||
                 verdict.reason == REASON_HEADER_FIELD;
    bool told = verdict_rank(verdict.state) > verdict_rank(STATE_FILTERED);
    if (!told || error != (kind == VOICE_ERRORS) || techniques[ep->slot.technique].host)
        return;
    struct host *h = host_make(v, ep->addr);
    if (h == NULL)
        return;
    struct voice *voice = &h->voices[kind];
    canary_note(voice, heard->index, verdict.state == STATE_OPEN && verdict.reason != REASON_RESET);
    if (kind == VOICE_ERRORS)
        voice_limited(v, voice);
    else if (heard->tried >= 0)
        voice_count(v, voice, heard);
}
