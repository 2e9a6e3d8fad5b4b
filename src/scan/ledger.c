#include "scan/ledger.h"

#include <errno.h>
#include <sys/mman.h>

#define NOT_LEFT (UINT64_MAX / 2) /* a chunk's try is built, but its last probe has not left yet: never due */

/* Anonymous memory that costs nothing until it is touched; zero when it is. */
static void *map_zero(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct chunk *chunk_of(const struct ledger *l, uint64_t number) {
    return &l->chunks[number & (l->capacity - 1)];
}

void ledger_want(struct ledger *l, unsigned reprobes) {
    atomic_store_explicit(&l->wanted, reprobes < l->retries ? reprobes : l->retries, memory_order_relaxed);
}

void ledger_hold(struct ledger *l, bool held) {
    if (held && !l->held && l->counted < l->cursors[2].chunk)
        l->counted = l->cursors[2].chunk; /* what has gone on before has been counted on its way */
    l->moved |= l->held != held;
    l->held = held;
}

void ledger_rough(struct ledger *l) {
    const struct ledger_cursor *latest = &l->cursors[0];
    for (uint64_t i = l->cursors[l->retries + 1].chunk; i < latest->chunk + (latest->offset > 0); i++)
        chunk_of(l, i)->rough = true;
}

void ledger_tell_firsts(struct ledger *l, ledger_firsts_fn *fn, void *ctx, uint64_t now_ns) {
    l->firsts = fn;
    l->firsts_ctx = ctx;
    l->firsts_ns = now_ns;
}

int ledger_init(struct ledger *l, uint64_t first, uint64_t end, unsigned retries, uint64_t window, uint64_t linger_ns,
                struct error *e) {
    *l = LEDGER_INIT;
    l->first = first;
    l->end = end;
    l->retries = retries;
    ledger_want(l, retries);
    l->linger_ns = linger_ns;
    l->moved = true;
    l->n_chunks = (end - first) / CHUNK_PROBES + ((end - first) % CHUNK_PROBES != 0);

    uint64_t wanted = window / CHUNK_PROBES + 2;
    if (wanted > l->n_chunks)
        wanted = l->n_chunks;
    l->capacity = 1;
    while (l->capacity < wanted && l->capacity < LEDGER_CHUNKS_MAX)
        l->capacity *= 2;

    l->chunks_bytes = l->capacity * sizeof *l->chunks;
    l->weak_bytes = l->capacity * CHUNK_WORDS * sizeof *l->weak;
    l->chunks = map_zero(l->chunks_bytes);
    l->weak = map_zero(l->weak_bytes);
    if (l->chunks == NULL || l->weak == NULL) {
        ledger_deinit(l);
        return error_set(e, -ENOMEM, "no memory for the ledger (%zu bytes)", l->chunks_bytes);
    }
    return 0;
}

void ledger_deinit(struct ledger *l) {
    if (l->chunks != NULL)
        munmap(l->chunks, l->chunks_bytes);
    if (l->weak != NULL)
        munmap(l->weak, l->weak_bytes);
    *l = LEDGER_INIT;
}

static _Atomic uint64_t *weak_of(const struct ledger *l, uint64_t number) {
    return &l->weak[(number & (l->capacity - 1)) * CHUNK_WORDS];
}

void ledger_timeouts(struct ledger *l, uint64_t first_ns, uint64_t max_ns) {
    uint64_t t = first_ns;
    for (unsigned k = 0; k <= l->retries; k++) {
        l->deadline_ns[k] = t < max_ns ? t : max_ns;
        t = t < max_ns ? t * 2 : max_ns;
    }
}

static bool chunk_answered(const struct chunk *c) {
    uint64_t all = UINT64_MAX;
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        all &= atomic_load_explicit(&c->bits[w], memory_order_relaxed);
    return all == UINT64_MAX;
}

/* Opens the chunk that cursor 0 enters, if its place in the ring is free: retired, and no receiver can still be about
 * to mark what stood there before. */
static bool chunk_open(struct ledger *l, uint64_t number) {
    struct chunk *c = chunk_of(l, number);
    if (number >= l->capacity) {
        uint64_t previous = number - l->capacity;
        if (previous >= atomic_load_explicit(&l->retired, memory_order_relaxed))
            return false;
        if (atomic_load_explicit(&l->watermark_ns, memory_order_acquire) <= c->sent_ns)
            return false;
    }
    uint64_t positions = l->end - l->first - number * CHUNK_PROBES;
    if (positions > CHUNK_PROBES)
        positions = CHUNK_PROBES;
    c->without = c->told = (uint16_t)(CHUNK_PROBES - positions);
    c->tried = c->counted = 0;
    c->ended = c->rough = false;
    for (unsigned w = 0; w < CHUNK_WORDS; w++) {
        uint64_t used = positions > w * UINT64_C(64) ? positions - w * UINT64_C(64) : 0;
        uint64_t beyond = used >= 64 ? 0 : UINT64_MAX << used;
        atomic_store_explicit(&c->bits[w], beyond, memory_order_relaxed);
        if (atomic_load_explicit(&weak_of(l, number)[w], memory_order_relaxed) != 0)
            atomic_store_explicit(&weak_of(l, number)[w], 0, memory_order_relaxed);
    }
    l->settled = 0;
    return true;
}

/* Has the watermark got to that time? If not, *wake_ns falls to it. */
static bool watermark_passed(const struct ledger *l, uint64_t due, uint64_t *wake_ns) {
    if (atomic_load_explicit(&l->watermark_ns, memory_order_acquire) >= due)
        return true;
    if (due < *wake_ns)
        *wake_ns = due;
    return false;
}

/* Is the chunk at cursor k (k >= 1; R + 1 retires) due? If not, *wake_ns falls to the time at which it may be. */
static bool cursor_due(const struct ledger *l, unsigned k, uint64_t *wake_ns) {
    const struct ledger_cursor *cur = &l->cursors[k];
    if (cur->offset > 0)
        return true;
    if (cur->chunk >= l->cursors[k - 1].chunk)
        return false;
    const struct chunk *c = chunk_of(l, cur->chunk);
    uint64_t due = c->sent_ns + l->deadline_ns[c->tried];
    if (c->ended)
        return true;
    if (chunk_answered(c)) {
        if (k <= l->retries)
            return true;
        uint64_t lingered = c->sent_ns + l->linger_ns;
        due = lingered < due ? lingered : due;
    }
    return watermark_passed(l, due, wake_ns);
}

/* The try of this cursor over its chunk is at an end; the chunk is stamped when the batch has left. */
static void cursor_leave(struct ledger *l, struct ledger_cursor *cur) {
    if (cur->probed) {
        l->stamps[l->n_stamps++] = cur->chunk;
        chunk_of(l, cur->chunk)->sent_ns = NOT_LEFT;
    }
    *cur = (struct ledger_cursor){.chunk = cur->chunk + 1};
}

/* Try k-1 has had its time in a chunk, in which these bits are set now: what it brought goes into the tally, and first
 * tries are told of. */
static void chunk_tally(struct ledger *l, uint64_t number, unsigned k, const uint64_t bits[CHUNK_WORDS]) {
    struct chunk *c = chunk_of(l, number);
    unsigned set = 0;
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        set += (unsigned)__builtin_popcountll(bits[w]);
    struct ledger_firsts f = {.position = l->first + number * CHUNK_PROBES, .begin_ns = l->firsts_ns,
                              .end_ns = c->sent_ns, .sent = CHUNK_PROBES - c->without, .answered = set - c->told};
    struct ledger_tally *tally = c->rough ? &l->rough : &l->tally;
    tally->reached[k - 1] += f.sent;
    tally->answered[k - 1] += f.answered;
    c->told = (uint16_t)set;
    c->counted = (uint8_t)k;
    if (k > 1 || l->firsts == NULL || f.sent == 0)
        return;
    l->firsts_ns = f.end_ns;
    l->firsts(l->firsts_ctx, &f);
}

/* The same for a chunk that goes on, once. */
static void chunk_count(struct ledger *l, uint64_t number, unsigned k) {
    const struct chunk *c = chunk_of(l, number);
    uint64_t bits[CHUNK_WORDS];
    if (c->ended || c->counted >= k)
        return;
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        bits[w] = atomic_load_explicit(&c->bits[w], memory_order_relaxed);
    chunk_tally(l, number, k, bits);
}

/* What second tries have brought, where nothing may follow them yet. */
static void held_count(struct ledger *l, uint64_t *wake_ns) {
    while (l->counted < l->cursors[1].chunk) {
        const struct chunk *c = chunk_of(l, l->counted);
        if (!chunk_answered(c) && !watermark_passed(l, c->sent_ns + l->deadline_ns[c->tried], wake_ns))
            return;
        chunk_count(l, l->counted++, 2);
    }
}

/* Whether another try is wanted in the chunk that cursor k enters is decided. */
static void cursor_enter(struct ledger *l, unsigned k) {
    struct ledger_cursor *cur = &l->cursors[k];
    struct chunk *c = chunk_of(l, cur->chunk);
    cur->entered = true;
    chunk_count(l, cur->chunk, k);
    c->ended |= k > atomic_load_explicit(&l->wanted, memory_order_relaxed) + c->rough;
}

/* The lowest bits of a run, at most `max` of them (1 at least). */
static uint64_t lowest(uint64_t run, unsigned max) {
    uint64_t rest = run;
    if ((unsigned)__builtin_popcountll(run) <= max)
        return run;
    for (unsigned i = 0; i < max; i++)
        rest &= rest - 1;
    return run ^ rest;
}

/* Walks cursor k >= 1 through its chunk to the next unanswered positions: those of one word of bits. */
static bool cursor_reprobe(struct ledger *l, unsigned k, unsigned max, struct ledger_work *work) {
    struct ledger_cursor *cur = &l->cursors[k];
    struct chunk *c = chunk_of(l, cur->chunk);
    if (!cur->entered)
        cursor_enter(l, k);
    while (cur->offset < CHUNK_PROBES && !c->ended) {
        unsigned w = cur->offset / 64, b = cur->offset % 64;
        uint64_t open = ~atomic_load_explicit(&c->bits[w], memory_order_relaxed) >> b;
        if (open == 0) {
            cur->offset = (w + 1) * 64;
            continue;
        }
        unsigned skipped = (unsigned)__builtin_ctzll(open);
        work->position = l->first + cur->chunk * CHUNK_PROBES + cur->offset + skipped;
        work->run = lowest(open >> skipped, max);
        work->tried = k;
        cur->offset += skipped + 64 - (unsigned)__builtin_clzll(work->run);
        cur->probed = true;
        c->tried = (uint8_t)k;
        return true;
    }
    cursor_leave(l, cur);
    return false;
}

/* Cursor 0 hands out the next positions never probed. The caller has made sure that there are some and that their chunk
 * is open. */
static void cursor_first(struct ledger *l, unsigned max, struct ledger_work *work) {
    struct ledger_cursor *cur = &l->cursors[0];
    uint64_t offered = cur->chunk * CHUNK_PROBES + cur->offset;
    uint64_t left = l->end - l->first - offered;
    unsigned n = CHUNK_PROBES - cur->offset;
    n = n < max ? n : max;
    n = n < 64 ? n : 64;
    n = n < left ? n : (unsigned)left;
    work->position = l->first + offered;
    work->run = UINT64_MAX >> (64 - n);
    work->tried = 0;
    cur->offset += n;
    cur->probed = true;
    atomic_store_explicit(&l->offered, offered + n, memory_order_release);
    if (cur->offset == CHUNK_PROBES || n == left)
        cursor_leave(l, cur);
}

/* What the trailing cursors have to do; LEDGER_WAIT: nothing, and *wake_ns says until when at least. */
static enum ledger_step trailing_next(struct ledger *l, unsigned max, struct ledger_work *work) {
    bool held = false; /* something is due that may not be probed now */
    work->wake_ns = UINT64_MAX;
    if (l->held)
        held_count(l, &work->wake_ns);
    for (unsigned k = l->held ? 1 : l->retries + 1; k >= 1; k--) {
        if (l->n_stamps == LEDGER_STAMPS_MAX)
            return LEDGER_FLUSH;
        if (!cursor_due(l, k, &work->wake_ns))
            continue;
        if (k == l->retries + 1)
            return LEDGER_RETIRE;
        const struct chunk *c = chunk_of(l, l->cursors[k].chunk);
        if (max == 0 && !c->ended && !chunk_answered(c)) {
            held = true;
            continue;
        }
        if (cursor_reprobe(l, k, max, work))
            return LEDGER_PROBE;
        k = l->held ? 2 : l->retries + 2; /* it passed a chunk, so the cursors behind it may have work */
    }
    l->moved = held;
    l->quiet_ns = work->wake_ns;
    return LEDGER_WAIT;
}

enum ledger_step ledger_next(struct ledger *l, unsigned max, struct ledger_work *work) {
    work->wake_ns = l->quiet_ns;
    if (l->moved || atomic_load_explicit(&l->watermark_ns, memory_order_acquire) >= l->quiet_ns) {
        enum ledger_step step = trailing_next(l, max, work);
        if (step != LEDGER_WAIT)
            return step;
    }
    if (l->cursors[0].chunk == l->n_chunks)
        return l->cursors[l->retries + 1].chunk == l->n_chunks ? LEDGER_DONE : LEDGER_WAIT;
    if (max == 0)
        return LEDGER_WAIT;
    if (l->n_stamps == LEDGER_STAMPS_MAX)
        return LEDGER_FLUSH;
    if (l->cursors[0].offset == 0 && !chunk_open(l, l->cursors[0].chunk))
        return LEDGER_FULL;
    cursor_first(l, max, work);
    return LEDGER_PROBE;
}

void ledger_stamp(struct ledger *l, uint64_t now_ns) {
    for (unsigned i = 0; i < l->n_stamps; i++)
        chunk_of(l, l->stamps[i])->sent_ns = now_ns;
    l->n_stamps = 0;
    l->moved = true;
}

void ledger_settle(struct ledger *l, uint64_t position) {
    uint64_t offset = position - l->first;
    struct chunk *c = chunk_of(l, offset / CHUNK_PROBES);
    unsigned bit = (unsigned)(offset % CHUNK_PROBES);
    atomic_fetch_or_explicit(&c->bits[bit / 64], UINT64_C(1) << bit % 64, memory_order_relaxed);
    l->settled++;
    c->without++;
    c->told++;
    if (position + 1 != l->end && bit + 1 != CHUNK_PROBES)
        return;
    /* Nothing of this chunk went out, so there is nothing to listen for. */
    if (l->settled == bit + 1 && l->n_stamps > 0) {
        l->n_stamps--;
        l->moved = true;
        c->sent_ns = 0;
    }
}

bool ledger_withdraw(struct ledger *l, uint64_t position) {
    uint64_t offset = position - l->first, bit = UINT64_C(1) << offset % 64;
    struct chunk *c = chunk_of(l, offset / CHUNK_PROBES);
    if (atomic_fetch_or_explicit(&c->bits[offset % CHUNK_PROBES / 64], bit, memory_order_acq_rel) & bit)
        return false;
    c->without++;
    c->told++;
    return true;
}

unsigned ledger_retire(struct ledger *l, uint64_t now_ns, uint64_t *base, uint64_t silent[CHUNK_WORDS]) {
    struct ledger_cursor *cur = &l->cursors[l->retries + 1];
    struct chunk *c = chunk_of(l, cur->chunk);
    unsigned n = 0;
    uint64_t number = cur->chunk++, bits[CHUNK_WORDS];
    *base = l->first + number * CHUNK_PROBES;
    /* Said first, then set: a receiver that finds its bit set by this loop is sure to read that the chunk is retired, so
     * an answer is either counted before this moment or late, never both. */
    atomic_store_explicit(&l->retired, cur->chunk, memory_order_seq_cst);
    for (unsigned w = 0; w < CHUNK_WORDS; w++) {
        bits[w] = atomic_fetch_or_explicit(&c->bits[w], UINT64_MAX, memory_order_acq_rel);
        silent[w] = ~bits[w];
        n += (unsigned)__builtin_popcountll(silent[w]);
    }
    drift_add(&l->drift, CHUNK_PROBES - c->without, CHUNK_PROBES - c->without - n);
    if (!c->ended && c->counted <= l->retries)
        chunk_tally(l, number, l->retries + 1, bits);
    c->sent_ns = now_ns;
    return n;
}

bool ledger_was_offered(const struct ledger *l, uint64_t position) {
    return position >= l->first && position - l->first < atomic_load_explicit(&l->offered, memory_order_acquire);
}

enum ledger_mark ledger_mark(struct ledger *l, uint64_t position, bool weak) {
    if (!ledger_was_offered(l, position))
        return LEDGER_UNSENT;
    uint64_t offset = position - l->first, number = offset / CHUNK_PROBES;
    if (number < atomic_load_explicit(&l->retired, memory_order_acquire))
        return LEDGER_LATE;
    unsigned w = (unsigned)(offset % CHUNK_PROBES / 64);
    uint64_t bit = UINT64_C(1) << offset % 64;
    _Atomic uint64_t *second = &weak_of(l, number)[w];
    /* The second bit goes first, so that nobody can see a weak answer as a final one. */
    if (weak && (atomic_load_explicit(&chunk_of(l, number)->bits[w], memory_order_relaxed) & bit) == 0)
        atomic_fetch_or_explicit(second, bit, memory_order_relaxed);
    uint64_t before = atomic_fetch_or_explicit(&chunk_of(l, number)->bits[w], bit, memory_order_acq_rel);
    if ((before & bit) == 0)
        return LEDGER_FIRST;
    if (number < atomic_load_explicit(&l->retired, memory_order_seq_cst))
        return LEDGER_LATE;
    if (!weak && (atomic_load_explicit(second, memory_order_relaxed) & bit) != 0 &&
        (atomic_fetch_and_explicit(second, ~bit, memory_order_relaxed) & bit) != 0)
        return LEDGER_REVISES;
    return LEDGER_AGAIN;
}

void ledger_watermark(struct ledger *l, uint64_t w_ns) {
    if (w_ns > atomic_load_explicit(&l->watermark_ns, memory_order_relaxed))
        atomic_store_explicit(&l->watermark_ns, w_ns, memory_order_release);
}
