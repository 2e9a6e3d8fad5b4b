/* The ledger: one bit a probe, and only for probes in flight. Positions are grouped in chunks of 256; chunks live in a
 * ring between the retire cursor and cursor 0. Cursor 0 sends first tries; cursor k trails it over the same positions
 * and re-probes those whose bit is still 0 once their timeout for try k-1 has passed.
 *
 * Timeouts are compared with the watermark, never with the clock: a reply that waits in our own buffers must not look
 * like silence. Two kinds of thread use a ledger: the one that transmits (ledger_next, ledger_stamp, ledger_settle,
 * ledger_retire) and those that receive (ledger_mark, ledger_watermark). No lock; every shared word is atomic. */
#ifndef NOCTULE_SCAN_LEDGER_H
#define NOCTULE_SCAN_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "scan/drift.h"

#define CHUNK_PROBES 256u
#define CHUNK_WORDS (CHUNK_PROBES / 64)
#define LEDGER_RETRIES_MAX 10u
#define LEDGER_CHUNKS_MAX (1u << 19) /* 32 MB of chunks: 134 M probes in flight, 13 s at 10 Mpps */
#define LEDGER_STAMPS_MAX 512u       /* chunks whose try may end within one batch */

/* One cache line. */
struct chunk {
    _Alignas(64) _Atomic uint64_t bits[CHUNK_WORDS]; /* 1 = answered, settled, or past the end of the shard */
    uint64_t sent_ns; /* when the last probe of its latest try left; once retired: when that was. Monotonic clock */
    uint16_t without; /* bits that no probe stands for: settled, or past the end */
    uint16_t told;    /* bits set when its answers were last counted into the tally */
    uint8_t tried;    /* its latest try */
    uint8_t counted;  /* tries whose time is over and whose answers are in the tally */
    bool ended;       /* no further try is wanted */
    bool rough;       /* a try of it was lost by more than the path's usual loss */
};

/* What each try has brought: the counts that say how much silence is loss. Whole chunks, each counted once try k has had
 * its time, so that late chunks do not look like loss. */
struct ledger_tally {
    uint64_t reached[LEDGER_RETRIES_MAX + 1];  /* probed positions of chunks that try k has reached, where needed */
    uint64_t answered[LEDGER_RETRIES_MAX + 1]; /* of those, first answered while try k was the latest */
};

/* First tries whose time is over: those of one chunk. */
struct ledger_firsts {
    uint64_t position;           /* of bit 0 */
    uint64_t begin_ns, end_ns;   /* they left between these (monotonic) */
    unsigned sent, answered;
};
typedef void ledger_firsts_fn(void *ctx, const struct ledger_firsts *firsts);

struct ledger_cursor {
    uint64_t chunk;  /* the chunk it stands in, counted from the shard's start */
    unsigned offset; /* the next position within it */
    bool entered;    /* it has looked at this chunk, and knows whether a try is wanted */
    bool probed;     /* it has sent something in this chunk */
};

struct ledger {
    uint64_t first, end; /* positions of the shard: first <= p < end */
    uint64_t n_chunks;
    unsigned retries;    /* R: cursors behind cursor 0 */
    _Atomic unsigned wanted; /* re-probes that silence gets, 0..R */
    struct ledger_tally tally;
    struct ledger_tally rough; /* of rough chunks, which say nothing of what the path usually loses */
    struct drift drift; /* what share of each stretch of the scan has answered in the end */
    ledger_firsts_fn *firsts; /* is told of each chunk's first tries; or NULL */
    void *firsts_ctx;
    uint64_t firsts_ns;  /* when those of the chunk before had left */
    bool held;           /* no third try yet, and no chunk retires ... */
    uint64_t counted;    /* ... while chunks before this one have their second try in the tally */
    uint64_t linger_ns;  /* a chunk that is answered whole still listens so long after its last probe */
    struct chunk *chunks;
    _Atomic uint64_t *weak; /* a second bit, in memory touched only where an answer came that may still be revised */
    uint64_t capacity;   /* chunks in the ring, a power of two */
    size_t chunks_bytes, weak_bytes;

    struct ledger_cursor cursors[LEDGER_RETRIES_MAX + 2]; /* transmitter's; [R + 1].chunk is the retire cursor */
    uint64_t quiet_ns;   /* nothing of the trailing cursors is due before the watermark gets there ... */
    bool moved;          /* ... unless chunks have moved on since they were looked at */
    uint64_t stamps[LEDGER_STAMPS_MAX]; /* chunks whose try ended within the batch being built */
    unsigned n_stamps;
    unsigned settled;    /* positions of cursor 0's chunk that needed no probe */
    uint64_t deadline_ns[LEDGER_RETRIES_MAX + 1]; /* timeout after try k, as the last ledger_timeouts() said */

    _Alignas(64) _Atomic uint64_t offered; /* positions cursor 0 has handed out, counted from `first` */
    _Atomic uint64_t retired;              /* chunks whose verdicts are final */
    _Alignas(64) _Atomic uint64_t watermark_ns;
};

#define LEDGER_INIT ((struct ledger){.chunks = NULL})

/* A ledger for positions first..end-1 with room for `window` probes in flight (rounded up, at most LEDGER_CHUNKS_MAX
 * chunks). Returns 0 or -ENOMEM with a line. */
int ledger_init(struct ledger *l, uint64_t first, uint64_t end, unsigned retries, uint64_t window, uint64_t linger_ns,
                struct error *e);
void ledger_deinit(struct ledger *l);

/* -- transmitter -- */

/* Timeouts in force from now on: first_ns after try 0, doubled every try, at most max_ns. */
void ledger_timeouts(struct ledger *l, uint64_t first_ns, uint64_t max_ns);

/* From now on silence is re-probed so often, at most R times (the default). Each chunk keeps to what holds when its
 * latest try is over. */
void ledger_want(struct ledger *l, unsigned reprobes);

/* While held, silence gets no third try and stays in the window: for as long as it is not known how much the path loses.
 * Second tries go into the tally meanwhile. */
void ledger_hold(struct ledger *l, bool held);

/* The path was given too much, or this machine has lost answers: all chunks in flight are tallied apart from now on, and
 * get one try more. */
void ledger_rough(struct ledger *l);

/* Every chunk has its second try in the tally, so holding on would teach nothing. */
static inline bool ledger_counted_all(const struct ledger *l) {
    return l->counted == l->n_chunks;
}

/* Every chunk is retired. */
static inline bool ledger_is_done(const struct ledger *l) {
    return l->cursors[l->retries + 1].chunk == l->n_chunks;
}

/* Has `fn` told of the first tries of each chunk, from now_ns (monotonic) on; called from within ledger_next() and
 * ledger_retire(), in the order of the chunks. */
void ledger_tell_firsts(struct ledger *l, ledger_firsts_fn *fn, void *ctx, uint64_t now_ns);

enum ledger_step {
    LEDGER_PROBE,  /* the positions of a run are to be probed */
    LEDGER_RETIRE, /* chunk final: call ledger_retire() before the next step */
    LEDGER_WAIT,   /* nothing is due before *wake_ns; UINT64_MAX when only the watermark's progress can tell */
    LEDGER_FULL,   /* the window is full: as LEDGER_WAIT, and cursor 0 would have had work */
    LEDGER_FLUSH,  /* send and stamp what was built first */
    LEDGER_DONE    /* every chunk is retired */
};
struct ledger_work {
    uint64_t position; /* the first of the run ... */
    uint64_t run;      /* ... whose bit i is position + i: bit 0 at least. All are of one chunk, so that one try of it ... */
    unsigned tried;    /* ... is theirs */
    uint64_t wake_ns;
};
/* What is to be done next. Later cursors go first: what is oldest leaves the window first. A run has at most `max`
 * positions; with 0 (the pace allows nothing now) chunks still pass and retire, but LEDGER_PROBE is not returned. */
enum ledger_step ledger_next(struct ledger *l, unsigned max, struct ledger_work *work);

/* The probes handed out since the last call left at now_ns (monotonic). */
void ledger_stamp(struct ledger *l, uint64_t now_ns);

/* Settles a position of the run that ledger_next just handed out, without a probe (own port, no route, host down); those
 * of one run in ascending order. */
void ledger_settle(struct ledger *l, uint64_t position);

/* Takes back a re-probe (try >= 1) that ledger_next just handed out: the position is given up at once, and is in no
 * tally from now on. False: it has been answered in the meantime. */
bool ledger_withdraw(struct ledger *l, uint64_t position);

/* After LEDGER_RETIRE: closes the oldest chunk. silent[] receives the bits that nobody answered, *base the position of
 * its bit 0. Returns the number of silent positions. */
unsigned ledger_retire(struct ledger *l, uint64_t now_ns, uint64_t *base, uint64_t silent[CHUNK_WORDS]);

/* -- receivers -- */

enum ledger_mark {
    LEDGER_FIRST,   /* the first answer to this position */
    LEDGER_REVISES, /* stronger than the weak answer that came before */
    LEDGER_AGAIN,   /* answered before */
    LEDGER_LATE,    /* its chunk is retired */
    LEDGER_UNSENT   /* not in this shard, or never probed: cannot be true */
};
/* A valid answer to a position; `weak` when a later, stronger one may revise it. */
enum ledger_mark ledger_mark(struct ledger *l, uint64_t position, bool weak);

/* Was this position handed out to be probed? */
bool ledger_was_offered(const struct ledger *l, uint64_t position);

/* Every frame that arrived before w_ns (monotonic) has been marked. */
void ledger_watermark(struct ledger *l, uint64_t w_ns);

#endif
