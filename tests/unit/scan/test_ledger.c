#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "scan/ledger.h"

#define FIRST_NS 1000u
#define MAX_NS 5000u

static struct ledger open_ledger(uint64_t first, uint64_t end, unsigned retries, uint64_t window, uint64_t linger) {
    struct ledger l = LEDGER_INIT;
    struct error e = ERROR_INIT;
    assert_int_equal(ledger_init(&l, first, end, retries, window, linger, &e), 0);
    ledger_timeouts(&l, FIRST_NS, MAX_NS);
    return l;
}

/* Sends whatever is due at `now` as one batch; counts probes a position in tries[] (may be NULL). */
static enum ledger_step send_due(struct ledger *l, uint64_t now, unsigned *sent, uint8_t *tries) {
    struct ledger_work work;
    enum ledger_step step;
    uint64_t base, silent[CHUNK_WORDS];
    for (;;) {
        step = ledger_next(l, 1, &work);
        if (step == LEDGER_PROBE) {
            (*sent)++;
            if (tries != NULL)
                assert_int_equal(tries[work.position]++, work.tried);
        } else if (step == LEDGER_RETIRE) {
            ledger_retire(l, now, &base, silent);
        } else if (step == LEDGER_FLUSH) {
            ledger_stamp(l, now);
        } else {
            break;
        }
    }
    ledger_stamp(l, now);
    return step;
}

static void silent_positions_get_every_try_once(void **state) {
    (void)state;
    enum { N = 1000, R = 3 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    uint8_t tries[N] = {0};
    unsigned sent = 0;
    uint64_t now = 1, timeouts[] = {1000, 2000, 4000, 5000};
    for (unsigned k = 0; k <= R; k++) {
        assert_int_equal(send_due(&l, now, &sent, tries), LEDGER_WAIT);
        assert_int_equal(sent, (k + 1) * N);
        ledger_watermark(&l, now + timeouts[k] - 1);
        assert_int_equal(send_due(&l, now, &sent, tries), LEDGER_WAIT);
        assert_int_equal(sent, (k + 1) * N); /* not one before its time */
        now += timeouts[k];
        ledger_watermark(&l, now);
    }
    assert_int_equal(send_due(&l, now, &sent, tries), LEDGER_DONE);
    assert_int_equal(sent, (R + 1) * N);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(tries[i], R + 1);
    ledger_deinit(&l);
}

static void answered_positions_are_left_alone(void **state) {
    (void)state;
    enum { N = 777 };
    struct ledger l = open_ledger(0, N, 2, N, 0);
    uint8_t tries[N] = {0};
    unsigned sent = 0;
    send_due(&l, 1, &sent, tries);
    for (unsigned i = 0; i < N; i += 3)
        assert_int_equal(ledger_mark(&l, i, false), LEDGER_FIRST);
    for (unsigned i = 0; i < N; i += 3)
        assert_int_equal(ledger_mark(&l, i, false), LEDGER_AGAIN);
    ledger_watermark(&l, 1001);
    send_due(&l, 1001, &sent, tries);
    ledger_watermark(&l, 3001);
    send_due(&l, 3001, &sent, tries);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(tries[i], i % 3 == 0 ? 1 : 3);
    ledger_deinit(&l);
}

/* Timeouts run on the watermark: however late the clock is, what was not yet read cannot be silence. */
static void a_held_up_receiver_is_no_silence(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, 10, 1, 10, 0);
    unsigned sent = 0;
    assert_int_equal(send_due(&l, 1, &sent, NULL), LEDGER_WAIT);
    assert_int_equal(send_due(&l, 1000000000, &sent, NULL), LEDGER_WAIT);
    assert_int_equal(sent, 10);
    for (unsigned i = 0; i < 10; i++)
        ledger_mark(&l, i, false);
    ledger_watermark(&l, 1000000000);
    assert_int_equal(send_due(&l, 1000000000, &sent, NULL), LEDGER_DONE);
    assert_int_equal(sent, 10);
    ledger_deinit(&l);
}

static void answered_chunks_linger(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, 5, 3, 5, 100);
    unsigned sent = 0;
    send_due(&l, 1, &sent, NULL);
    for (unsigned i = 0; i < 5; i++)
        ledger_mark(&l, i, i == 0);
    ledger_watermark(&l, 100);
    assert_int_equal(send_due(&l, 100, &sent, NULL), LEDGER_WAIT);
    assert_int_equal(ledger_mark(&l, 0, false), LEDGER_REVISES); /* a RST after the firewall's ICMP error */
    assert_int_equal(ledger_mark(&l, 0, false), LEDGER_AGAIN);
    assert_int_equal(ledger_mark(&l, 1, false), LEDGER_AGAIN);
    ledger_watermark(&l, 101);
    assert_int_equal(send_due(&l, 101, &sent, NULL), LEDGER_DONE);
    assert_int_equal(sent, 5);
    assert_int_equal(ledger_mark(&l, 2, false), LEDGER_LATE);
    ledger_deinit(&l);
}

static void unsent_and_foreign_positions_are_refused(void **state) {
    (void)state;
    struct ledger l = open_ledger(1000, 2000, 1, 256, 0);
    struct ledger_work work;
    assert_int_equal(ledger_mark(&l, 1000, false), LEDGER_UNSENT);
    assert_int_equal(ledger_next(&l, 1, &work), LEDGER_PROBE);
    assert_int_equal(work.position, 1000);
    assert_int_equal(ledger_mark(&l, 1000, false), LEDGER_FIRST);
    assert_int_equal(ledger_mark(&l, 1001, false), LEDGER_UNSENT);
    assert_int_equal(ledger_mark(&l, 999, false), LEDGER_UNSENT);
    assert_int_equal(ledger_mark(&l, 2000, false), LEDGER_UNSENT);
    assert_int_equal(ledger_mark(&l, UINT64_MAX - 1, false), LEDGER_UNSENT);
    ledger_deinit(&l);
}

static void weak_answers_yield_once(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, 300, 1, 300, 0);
    unsigned sent = 0;
    send_due(&l, 1, &sent, NULL);
    assert_int_equal(ledger_mark(&l, 299, true), LEDGER_FIRST);
    assert_int_equal(ledger_mark(&l, 299, true), LEDGER_AGAIN);
    assert_int_equal(ledger_mark(&l, 299, false), LEDGER_REVISES);
    assert_int_equal(ledger_mark(&l, 299, true), LEDGER_AGAIN);
    assert_int_equal(ledger_mark(&l, 299, false), LEDGER_AGAIN);
    assert_int_equal(ledger_mark(&l, 298, false), LEDGER_FIRST);
    assert_int_equal(ledger_mark(&l, 298, true), LEDGER_AGAIN);
    assert_int_equal(ledger_mark(&l, 298, false), LEDGER_AGAIN);
    ledger_deinit(&l);
}

/* A place in the ring is taken anew only when the watermark has passed its retirement: until then a receiver may still
 * be about to mark what stood there. */
static void reuse_waits_for_the_watermark(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, 64 * CHUNK_PROBES, 0, 1, 0);
    assert_int_equal(l.capacity, 2);
    unsigned sent = 0;
    assert_int_equal(send_due(&l, 1, &sent, NULL), LEDGER_FULL);
    assert_int_equal(sent, 2 * CHUNK_PROBES);
    ledger_watermark(&l, 1001);
    assert_int_equal(send_due(&l, 1005, &sent, NULL), LEDGER_FULL); /* retired at 1005, the watermark stands at 1001 */
    assert_int_equal(sent, 2 * CHUNK_PROBES);
    ledger_watermark(&l, 1005);
    assert_int_equal(send_due(&l, 1006, &sent, NULL), LEDGER_FULL);
    ledger_watermark(&l, 1006);
    assert_int_equal(send_due(&l, 1007, &sent, NULL), LEDGER_FULL);
    assert_int_equal(sent, 4 * CHUNK_PROBES);
    assert_int_equal(ledger_mark(&l, 5, false), LEDGER_LATE);
    assert_int_equal(ledger_mark(&l, 2 * CHUNK_PROBES + 5, false), LEDGER_FIRST);
    ledger_deinit(&l);
}

/* At one packet in ten seconds the end must not wait for the pace. */
static void chunks_retire_without_leave_to_probe(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, CHUNK_PROBES + 1, 1, CHUNK_PROBES + 1, 0);
    struct ledger_work work;
    uint64_t base, silent[CHUNK_WORDS];
    unsigned sent = 0;
    assert_int_equal(ledger_next(&l, 0, &work), LEDGER_WAIT);
    send_due(&l, 1, &sent, NULL);
    ledger_watermark(&l, 1001);
    assert_int_equal(ledger_next(&l, 0, &work), LEDGER_WAIT);
    for (uint64_t i = 0; i < CHUNK_PROBES; i++)
        ledger_mark(&l, i, false);
    assert_int_equal(ledger_next(&l, 0, &work), LEDGER_RETIRE);
    assert_int_equal(ledger_retire(&l, 1001, &base, silent), 0);
    assert_int_equal(ledger_next(&l, 0, &work), LEDGER_WAIT);
    assert_int_equal(ledger_next(&l, 1, &work), LEDGER_PROBE);
    assert_int_equal(work.position, CHUNK_PROBES);
    ledger_deinit(&l);
}

static void settled_chunks_cost_no_time(void **state) {
    (void)state;
    struct ledger l = open_ledger(0, 3 * CHUNK_PROBES - 7, 3, 3 * CHUNK_PROBES, 100);
    struct ledger_work work;
    uint64_t base, silent[CHUNK_WORDS];
    enum ledger_step step;
    ledger_watermark(&l, 100);
    unsigned settled = 0;
    while ((step = ledger_next(&l, 1, &work)) != LEDGER_DONE) {
        if (step == LEDGER_PROBE) {
            ledger_settle(&l, work.position);
            settled++;
        } else {
            assert_int_equal(step, LEDGER_RETIRE);
            assert_int_equal(ledger_retire(&l, 100, &base, silent), 0);
        }
    }
    assert_int_equal(settled, 3 * CHUNK_PROBES - 7);
    ledger_deinit(&l);
}

/* A re-probe that is taken back: no try of it, no silence, and no share in the tally from then on. */
static void a_position_taken_back_is_nobody_s(void **state) {
    (void)state;
    enum { N = 300 };
    struct ledger l = open_ledger(0, N, 2, N, 0);
    struct ledger_work work;
    uint64_t base, silent[CHUNK_WORDS];
    unsigned sent = 0, taken = 0, lost = 0;
    enum ledger_step step;
    send_due(&l, 1, &sent, NULL);
    ledger_watermark(&l, 1001);
    while ((step = ledger_next(&l, 1, &work)) == LEDGER_PROBE) {
        assert_int_equal(work.tried, 1);
        if (work.position % 3 == 0)
            continue;
        if (work.position % 3 == 1)
            ledger_mark(&l, work.position, false); /* the answer comes at this very moment */
        bool withdrawn = ledger_withdraw(&l, work.position);
        assert_int_equal(withdrawn, work.position % 3 == 2);
        taken += withdrawn;
        assert_int_equal(ledger_mark(&l, work.position, false), LEDGER_AGAIN);
    }
    assert_int_equal(taken, N / 3);
    for (uint64_t now = 1001; step != LEDGER_DONE; now += 1000) {
        ledger_stamp(&l, now);
        ledger_watermark(&l, now);
        while ((step = ledger_next(&l, 1, &work)) == LEDGER_PROBE || step == LEDGER_RETIRE)
            if (step == LEDGER_RETIRE)
                lost += ledger_retire(&l, now, &base, silent);
            else
                assert_int_equal(work.position % 3, 0);
    }
    assert_int_equal(lost, N / 3);
    assert_int_equal(l.tally.reached[0], N);
    assert_int_equal(l.tally.reached[1], N - N / 3);
    assert_int_equal(l.tally.answered[0] + l.tally.answered[1], N / 3);
    ledger_deinit(&l);
}

/* Random answers, random batches, random time: every position ends in exactly one way, and the silent ones are exactly
 * those nobody answered. */
static void random_walks_account_for_every_position(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t n = 1 + random_splitmix(&seed) % 3000, first = random_splitmix(&seed) >> 8;
        unsigned retries = (unsigned)(random_splitmix(&seed) % (LEDGER_RETRIES_MAX + 1));
        struct ledger l = open_ledger(first, first + n, retries, 1 + random_splitmix(&seed) % 2000, 50);
        uint8_t *probes = calloc(n, 1), *answers = calloc(n, 1), *quiet = calloc(n, 1);
        uint64_t now = 1;
        unsigned steps = 0;
        enum ledger_step step;
        do {
            struct ledger_work work;
            unsigned batch = 1 + (unsigned)(random_splitmix(&seed) % 128);
            for (step = LEDGER_PROBE; batch > 0;) {
                unsigned max = 1 + (unsigned)(random_splitmix(&seed) % 80);
                step = ledger_next(&l, max < batch ? max : batch, &work);
                if (step == LEDGER_RETIRE) {
                    uint64_t base, silent[CHUNK_WORDS];
                    ledger_retire(&l, now, &base, silent);
                    for (unsigned b = 0; b < CHUNK_PROBES; b++)
                        if (silent[b / 64] >> b % 64 & 1)
                            quiet[base - first + b]++;
                    batch--;
                } else if (step == LEDGER_PROBE) {
                    unsigned probed = (unsigned)__builtin_popcountll(work.run);
                    assert_in_range(probed, 1, max < batch ? max : batch);
                    assert_true(work.run & 1);
                    batch -= probed;
                    for (uint64_t i = work.position - first; work.run != 0; i++, work.run >>= 1) {
                        if ((work.run & 1) == 0)
                            continue;
                        assert_int_equal(answers[i], 0); /* what answered is never probed again */
                        assert_int_equal(probes[i]++, work.tried);
                        if (random_splitmix(&seed) % 3 == 0)
                            answers[i] = ledger_mark(&l, first + i, false) == LEDGER_FIRST;
                    }
                } else {
                    break;
                }
            }
            ledger_stamp(&l, now);
            now += random_splitmix(&seed) % 700;
            ledger_watermark(&l, now - (now > 40 ? random_splitmix(&seed) % 40 : 0));
            assert_true(steps++ < 1000000);
        } while (step != LEDGER_DONE);
        for (uint64_t i = 0; i < n; i++) {
            assert_int_equal(answers[i] + quiet[i], 1);
            assert_true(quiet[i] == 0 || probes[i] == retries + 1);
        }
        free(probes);
        free(answers);
        free(quiet);
        ledger_deinit(&l);
    }
}

/* Fewer re-probes are wanted than there are cursors: a chunk ends when its latest try is over, not before, and the tally
 * counts it once. */
static void only_what_is_wanted_is_sent(void **state) {
    (void)state;
    enum { N = 600, R = 10 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    uint8_t tries[N] = {0};
    unsigned sent = 0;
    ledger_want(&l, 2);
    send_due(&l, 1, &sent, tries);
    for (unsigned i = 0; i < N; i += 2)
        ledger_mark(&l, i, false);
    ledger_watermark(&l, 1001);
    send_due(&l, 1001, &sent, tries);
    assert_int_equal(l.tally.reached[0], N);
    assert_int_equal(l.tally.answered[0], N / 2);
    for (unsigned i = 1; i < N; i += 4)
        ledger_mark(&l, i, false);
    ledger_want(&l, 1); /* what was found meanwhile says that one is enough */
    ledger_watermark(&l, 3000);
    assert_int_equal(send_due(&l, 3000, &sent, tries), LEDGER_WAIT); /* try 1 still has time */
    ledger_watermark(&l, 3001);
    assert_int_equal(send_due(&l, 3001, &sent, tries), LEDGER_DONE);
    assert_int_equal(sent, N + N / 2);
    assert_int_equal(l.tally.reached[1], N);
    assert_int_equal(l.tally.answered[1], N / 4);
    assert_int_equal(l.tally.reached[2], 0);
    ledger_deinit(&l);
}

/* Answered, settled, silent and past the end: the tally holds answers only, each under the try that brought it. */
static void the_tally_counts_answers_only(void **state) {
    (void)state;
    enum { N = 300, R = 2 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    struct ledger_work work;
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(ledger_next(&l, 1, &work), LEDGER_PROBE);
        if (work.position % 10 == 0)
            ledger_settle(&l, work.position);
    }
    ledger_stamp(&l, 1);
    unsigned sent = 0;
    uint64_t now = 1, timeouts[] = {1000, 2000, 4000};
    for (unsigned k = 0; k <= R; k++) {
        for (unsigned i = 0; i < N; i++)
            if (i % 10 == k + 1)
                ledger_mark(&l, i, false);
        now += timeouts[k];
        ledger_watermark(&l, now);
        send_due(&l, now, &sent, NULL);
    }
    for (unsigned k = 0; k <= R; k++) {
        assert_int_equal(l.tally.reached[k], N - N / 10);
        assert_int_equal(l.tally.answered[k], N / 10);
    }
    ledger_deinit(&l);
}

/* However many chunks a caller fills before it stamps them: none is forgotten. */
static void a_long_batch_is_stamped_in_time(void **state) {
    (void)state;
    const uint64_t n = (LEDGER_STAMPS_MAX + 7) * CHUNK_PROBES;
    struct ledger l = open_ledger(0, n, 0, n, 0);
    struct ledger_work work;
    unsigned flushes = 0;
    uint64_t sent = 0;
    for (enum ledger_step step; (step = ledger_next(&l, 1, &work)) != LEDGER_WAIT;) {
        assert_true(step == LEDGER_PROBE || step == LEDGER_FLUSH);
        sent += step == LEDGER_PROBE;
        flushes += step == LEDGER_FLUSH;
        if (step == LEDGER_FLUSH)
            ledger_stamp(&l, 1);
    }
    assert_int_equal(sent, n);
    assert_int_equal(flushes, 1);
    ledger_deinit(&l);
}

/* While held, no third try is sent and nothing retires; what the second brought is known all the same, and known once. */
static void held_silence_waits_for_its_third_try(void **state) {
    (void)state;
    enum { N = 1000, R = 5 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    uint8_t tries[N] = {0};
    unsigned sent = 0;
    ledger_hold(&l, true);
    send_due(&l, 1, &sent, tries);
    for (unsigned i = 0; i < N; i += 2)
        ledger_mark(&l, i, false);
    ledger_watermark(&l, 1001);
    assert_int_equal(send_due(&l, 1001, &sent, tries), LEDGER_WAIT);
    assert_int_equal(sent, N + N / 2);
    for (unsigned i = 1; i < N; i += 4)
        ledger_mark(&l, i, false);
    assert_false(ledger_counted_all(&l));
    ledger_watermark(&l, 3001);
    assert_int_equal(send_due(&l, 3001, &sent, tries), LEDGER_WAIT);
    assert_int_equal(sent, N + N / 2);
    assert_true(ledger_counted_all(&l));
    assert_int_equal(l.tally.reached[1], N);
    assert_int_equal(l.tally.answered[0], N / 2);
    assert_int_equal(l.tally.answered[1], N / 4);
    ledger_want(&l, 1);
    ledger_hold(&l, false);
    assert_int_equal(send_due(&l, 3001, &sent, tries), LEDGER_DONE); /* no third try is wanted */
    assert_int_equal(sent, N + N / 2);
    assert_int_equal(l.tally.reached[1], N);
    assert_int_equal(l.tally.reached[2], 0);
    ledger_deinit(&l);
}

static void held_tries_follow_when_let_go(void **state) {
    (void)state;
    enum { N = 300, R = 3 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    uint8_t tries[N] = {0};
    unsigned sent = 0;
    ledger_hold(&l, true);
    for (uint64_t now = 1; now < 10000; now += 1000) {
        ledger_watermark(&l, now);
        assert_int_equal(send_due(&l, now, &sent, tries), LEDGER_WAIT);
    }
    assert_int_equal(sent, 2 * N);
    ledger_hold(&l, false);
    for (uint64_t now = 10001; now < 30000; now += 1000) {
        ledger_watermark(&l, now);
        send_due(&l, now, &sent, tries);
    }
    assert_int_equal(sent, 4 * N);
    for (unsigned k = 0; k <= R; k++)
        assert_int_equal(l.tally.reached[k], N);
    ledger_deinit(&l);
}

/* Chunks sent too fast are tallied apart and get one try more than is wanted; those sent after that do not. */
static void rough_chunks_get_one_try_more(void **state) {
    (void)state;
    enum { N = 4 * CHUNK_PROBES, R = 3 };
    struct ledger l = open_ledger(0, N, R, N, 0);
    uint8_t tries[N] = {0};
    struct ledger_work work;
    unsigned sent = 0;
    ledger_want(&l, 1);
    for (unsigned i = 0; i < 2 * CHUNK_PROBES + 10; i++) {
        assert_int_equal(ledger_next(&l, 1, &work), LEDGER_PROBE);
        tries[work.position]++;
    }
    ledger_stamp(&l, 1);
    ledger_rough(&l);
    for (uint64_t now = 2; now < 30000; now += 500) {
        ledger_watermark(&l, now);
        send_due(&l, now, &sent, tries);
    }
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(tries[i], i / CHUNK_PROBES < 3 ? 3 : 2);
    assert_int_equal(l.tally.reached[1], CHUNK_PROBES);
    assert_int_equal(l.tally.reached[2], 0);
    assert_int_equal(l.rough.reached[2], 3 * CHUNK_PROBES);
    ledger_deinit(&l);
}

/* Held again in the midst of a scan: what has retired since is not looked at. */
static void holding_again_counts_each_chunk_once(void **state) {
    (void)state;
    enum { N = 64 * CHUNK_PROBES, R = 3 };
    struct ledger l = open_ledger(0, N, R, 4 * CHUNK_PROBES, 0);
    unsigned sent = 0;
    for (uint64_t now = 1; now < 200000; now += 500) {
        ledger_hold(&l, now / 5000 % 2 == 0);
        ledger_watermark(&l, now);
        send_due(&l, now, &sent, NULL);
    }
    ledger_hold(&l, false);
    for (uint64_t now = 200000; send_due(&l, now, &sent, NULL) != LEDGER_DONE; now += 500)
        ledger_watermark(&l, now);
    assert_int_equal(sent, 4 * N);
    for (unsigned k = 0; k <= R; k++)
        assert_int_equal(l.tally.reached[k], N);
    ledger_deinit(&l);
}

struct told {
    uint64_t sent, answered, chunks, end_ns, next;
};

static void add_firsts(void *ctx, const struct ledger_firsts *f) {
    struct told *t = ctx;
    assert_int_equal(f->position, t->next);
    assert_int_equal(f->begin_ns, t->end_ns);
    assert_true(f->end_ns > f->begin_ns);
    t->sent += f->sent;
    t->answered += f->answered;
    t->chunks++;
    t->end_ns = f->end_ns;
    t->next += CHUNK_PROBES;
}

/* Of each chunk once, when its first timeout is over: with what had answered by then, whatever later tries bring. */
static void first_tries_are_told_of(void **state) {
    (void)state;
    enum { N = 1000 };
    for (unsigned retries = 0; retries < 3; retries++) {
        struct ledger l = open_ledger(0, N, retries, N, 0);
        struct told told = {.end_ns = 5};
        struct ledger_work work;
        unsigned sent = 0;
        ledger_tell_firsts(&l, add_firsts, &told, 5);
        for (uint64_t now = 10; l.cursors[0].chunk < l.n_chunks; now += 10) {
            for (unsigned i = 0; i < 100 && ledger_next(&l, 1, &work) == LEDGER_PROBE; i++)
                sent++;
            ledger_stamp(&l, now);
        }
        assert_int_equal(sent, N);
        for (unsigned i = 0; i < N; i += 2)
            ledger_mark(&l, i, false);
        assert_int_equal(told.chunks, 0);
        for (uint64_t now = 1500; now < 30000; now += 500) {
            ledger_watermark(&l, now);
            send_due(&l, now, &sent, NULL);
            for (unsigned i = 1; i < N; i += 2)
                ledger_mark(&l, i, false);
        }
        assert_int_equal(told.chunks, 4);
        assert_int_equal(told.sent, N);
        assert_int_equal(told.answered, N / 2);
        ledger_deinit(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_batch_is_stamped_in_time),
        cmocka_unit_test(only_what_is_wanted_is_sent),
        cmocka_unit_test(held_silence_waits_for_its_third_try),
        cmocka_unit_test(held_tries_follow_when_let_go),
        cmocka_unit_test(holding_again_counts_each_chunk_once),
        cmocka_unit_test(first_tries_are_told_of),
        cmocka_unit_test(rough_chunks_get_one_try_more),
        cmocka_unit_test(the_tally_counts_answers_only),
        cmocka_unit_test(silent_positions_get_every_try_once),
        cmocka_unit_test(answered_positions_are_left_alone),
        cmocka_unit_test(a_held_up_receiver_is_no_silence),
        cmocka_unit_test(answered_chunks_linger),
        cmocka_unit_test(unsent_and_foreign_positions_are_refused),
        cmocka_unit_test(weak_answers_yield_once),
        cmocka_unit_test(reuse_waits_for_the_watermark),
        cmocka_unit_test(chunks_retire_without_leave_to_probe),
        cmocka_unit_test(settled_chunks_cost_no_time),
        cmocka_unit_test(a_position_taken_back_is_nobody_s),
        cmocka_unit_test(random_walks_account_for_every_position),
    };
    return cmocka_run_group_tests_name("scan/ledger", tests, NULL, NULL);
}
