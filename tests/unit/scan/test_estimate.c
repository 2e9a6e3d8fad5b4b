/* The estimate against discrete simulations whose truth is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "scan/estimate.h"

static double uniform(uint64_t *rng) {
    return (double)(random_splitmix(rng) >> 11) * 0x1p-53;
}

static double between(uint64_t *rng, double low, double high) {
    return low + (high - low) * uniform(rng);
}

static double between_log(uint64_t *rng, double low, double high) {
    return exp(between(rng, log(low), log(high)));
}

static double normal(uint64_t *rng) {
    return sqrt(-2 * log(1 - uniform(rng))) * cos(2 * M_PI * uniform(rng));
}

/* Gamma of that shape: Marsaglia and Tsang 2000. */
static double gamma_of(uint64_t *rng, double shape) {
    if (shape < 1)
        return gamma_of(rng, shape + 1) * pow(1 - uniform(rng), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(rng), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(1 - uniform(rng)) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

static double beta_of(uint64_t *rng, double a, double b) {
    double x = gamma_of(rng, a), y = gamma_of(rng, b);
    return x + y > 0 ? x / (x + y) : 0.5;
}

enum path { PATH_EVEN, PATH_HOSTS, PATH_BURSTS, PATH_WORSE };

/* A scan with one truth: what it is made of, what it counted, what it missed. */
struct scan {
    enum path path;
    double loss; /* each way */
    unsigned live, tries, per_host, hosts;
    double spread;             /* of the hosts' loss: a + b of its beta distribution */
    double bad, worse;         /* share of hosts behind a worse path, and what that loses besides */
    double gap, burst, in_bad; /* Gilbert-Elliott: mean frames good, mean frames bad, loss while bad */
    double live_share;
    unsigned early; /* per cent of chunks whose tries ended after half of them */
    struct estimate_counts counts;
    uint64_t found, missed, missed_open;
    double expected; /* missed, given each host's loss */
};

/* Loss in time: two states, left at random; a frame is lost in the bad one. */
struct channel {
    bool bad;
    double to_bad, to_good, in_bad;
};

static bool channel_loses(struct channel *ch, uint64_t *rng) {
    if (uniform(rng) < (ch->bad ? ch->to_good : ch->to_bad))
        ch->bad = !ch->bad;
    return ch->bad && uniform(rng) < ch->in_bad;
}

/* So many frames pass that belong to endpoints that do not live. */
static void channel_skip(struct channel *ch, uint64_t *rng, double frames) {
    double good = ch->to_good / (ch->to_good + ch->to_bad), memory = pow(1 - ch->to_bad - ch->to_good, frames);
    double stays_bad = (1 - good) + memory * (ch->bad ? good : good - 1);
    ch->bad = uniform(rng) < stays_bad;
}

static void scan_draw(struct scan *s, uint64_t *rng, enum path path) {
    *s = (struct scan){.path = path};
    s->loss = between(rng, 0, 0.3);
    s->live = (unsigned)between_log(rng, 100, 100000);
    s->tries = 3 + (unsigned)(random_splitmix(rng) % 8);
    s->per_host = (unsigned)between_log(rng, 1, 20);
    s->hosts = s->live / s->per_host + 1;
    s->spread = between_log(rng, 3, 30);
    s->burst = between_log(rng, 5, 100);
    s->in_bad = between(rng, 0.5, 1);
    s->live_share = between_log(rng, 0.01, 1);
    s->early = random_splitmix(rng) % 3 == 0 ? 50 : 0;
    if (path != PATH_WORSE)
        return;
    s->bad = between(rng, 0.05, 0.3);
    s->worse = between(rng, 0.1, 0.4);
}

static unsigned hash(unsigned value) {
    uint64_t state = value;
    return (unsigned)random_splitmix(&state);
}

/* How many tries the endpoint's chunk was given. */
static unsigned tries_of(const struct scan *s, unsigned endpoint) {
    return hash(endpoint / 256) % 100 < s->early ? (s->tries + 1) / 2 : s->tries;
}

/* The chance that a try at that endpoint goes unanswered. */
static double miss_of(const struct scan *s, const double *host_loss, unsigned endpoint) {
    double passes = 1 - host_loss[hash(endpoint / s->per_host) % s->hosts];
    return 1 - passes * passes;
}

static void scan_try(struct scan *s, uint64_t *rng, unsigned k, const double *host_loss, struct channel way[2],
                     bool *silent) {
    double dead = (1 - s->live_share) / s->live_share; /* endpoints between two that live */
    unsigned reached = 0;
    for (unsigned e = 0; e < s->live; e++) {
        if (k >= tries_of(s, e))
            continue;
        reached++;
        if (!silent[e])
            continue;
        bool lost = false;
        if (s->path == PATH_BURSTS) {
            for (unsigned i = 0; i < 2 && !lost; i++) {
                channel_skip(&way[i], rng, dead);
                lost = channel_loses(&way[i], rng);
            }
        } else {
            lost = uniform(rng) < miss_of(s, host_loss, e);
        }
        if (lost)
            continue;
        silent[e] = false;
        s->counts.answered[k]++;
        s->found += e % 10 == 0;
    }
    s->counts.reached[k] = (uint64_t)((double)reached / s->live_share);
}

static void scan_run(struct scan *s, uint64_t *rng) {
    double *host_loss = malloc(s->hosts * sizeof *host_loss);
    bool *silent = malloc(s->live * sizeof *silent);
    for (unsigned h = 0; h < s->hosts; h++) {
        host_loss[h] = s->loss;
        if (s->path == PATH_HOSTS)
            host_loss[h] = beta_of(rng, s->loss * s->spread, (1 - s->loss) * s->spread);
        if (s->path == PATH_WORSE && uniform(rng) < s->bad)
            host_loss[h] += s->worse;
    }
    for (unsigned e = 0; e < s->live; e++)
        silent[e] = true;
    struct channel way[2];
    double bad = s->loss / s->in_bad;
    for (unsigned i = 0; i < 2; i++)
        way[i] = (struct channel){.bad = uniform(rng) < bad, .in_bad = s->in_bad, .to_good = 1 / s->burst,
                                  .to_bad = bad / (1 - bad) / s->burst};
    s->counts.tries = s->tries;
    for (unsigned k = 0; k < s->tries; k++)
        scan_try(s, rng, k, host_loss, way, silent);
    for (unsigned e = 0; e < s->live; e++) {
        s->missed += silent[e];
        s->missed_open += silent[e] && e % 10 == 0;
        s->expected += pow(miss_of(s, host_loss, e), tries_of(s, e));
    }
    free(silent);
    free(host_loss);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double share(unsigned part, unsigned whole) {
    return whole > 0 ? (double)part / whole : 1;
}

struct tally {
    unsigned scans, held, held_open, many, many_held; /* many: to miss more than 10 */
    double width[600];                                /* of the bar */
};

static void tally_add(struct tally *t, const struct scan *s, const struct estimate *e) {
    bool holds = e->live.low <= s->missed && s->missed <= e->live.high;
    t->held += holds;
    t->held_open += e->open.low <= s->missed_open && s->missed_open <= e->open.high;
    t->many += s->expected > 10;
    t->many_held += s->expected > 10 && holds;
    t->width[t->scans++] = (double)(e->live.high - e->live.low) / (4 * sqrt((double)s->missed) + 4);
}

static double tally_width(struct tally *t) {
    qsort(t->width, t->scans, sizeof *t->width, by_value);
    return (t->width[(t->scans - 1) / 2] + t->width[t->scans / 2]) / 2;
}

static void tally_print(struct tally *t, const char *name) {
    print_message("| %s | %u | %.1f %% | %.1f %% | %.1f %% of %u | %.2f |\n", name, t->scans,
                  100 * share(t->held, t->scans), 100 * share(t->held_open, t->scans),
                  100 * share(t->many_held, t->many), t->many, tally_width(t));
}

/* A random scan, and what the estimate says of it, into a tally or two. */
static void tally_scan(struct tally *of, struct tally *all, uint64_t *rng, enum path path) {
    struct scan s;
    struct estimate e;
    scan_draw(&s, rng, path);
    scan_run(&s, rng);
    estimate_missed(&s.counts, s.found, &e);
    assert_true(e.known);
    tally_add(of, &s, &e);
    if (all != NULL)
        tally_add(all, &s, &e);
}

/* The bars of the project: over random scans the 95 % interval holds the truth in at least 90 %, in at most 99 % of
 * those that are to miss more than 10, and its median width is at most 4 sqrt(missed) + 4. */
static void intervals_hold_the_truth(void **state) {
    (void)state;
    static const char *const names[] = {"even loss", "loss by host", "bursts"};
    struct tally all = {0}, of[3] = {0};
    uint64_t rng = 4;
    for (unsigned i = 0; i < 600; i++)
        tally_scan(&of[i % 3], &all, &rng, (enum path)(i % 3));
    for (unsigned p = 0; p < 3; p++)
        tally_print(&of[p], names[p]);
    tally_print(&all, "all");
    assert_true(share(all.held, all.scans) >= 0.90);
    assert_true(share(all.held_open, all.scans) >= 0.90);
    assert_true(all.many >= 100);
    assert_true(share(all.many_held, all.many) >= 0.90 && share(all.many_held, all.many) <= 0.99);
    assert_true(tally_width(&all) <= 1.0);
    for (unsigned p = 0; p < 3; p++)
        assert_true(share(of[p].held, of[p].scans) >= 0.88);
}

/* A beta distribution has no room for a minority of hosts that lose much more than the rest: by it alone, the truth is
 * above the interval in three scans of ten. */
static void a_worse_path_is_told(void **state) {
    (void)state;
    struct tally worse = {0};
    uint64_t rng = 7;
    for (unsigned i = 0; i < 400; i++)
        tally_scan(&worse, NULL, &rng, PATH_WORSE);
    tally_print(&worse, "worse paths");
    assert_true(share(worse.held, worse.scans) >= 0.88);
    assert_true(share(worse.held_open, worse.scans) >= 0.90);
}

/* -- how many re-probes -- */

/* Counts as expected: so many live, all with the same tries; phi 0 is even loss. */
static struct estimate_counts expected_counts(double live, unsigned tries, double mu, double phi) {
    struct estimate_counts c = {.tries = tries};
    double unseen = 1;
    for (unsigned k = 0; k < tries; k++) {
        double next = unseen * (mu + k * phi) / (1 + k * phi);
        c.reached[k] = (uint64_t)(live * 5);
        c.answered[k] = (uint64_t)llround(live * (unseen - next));
        unseen = next;
    }
    return c;
}

static double unseen_after(unsigned tries, double mu, double phi) {
    double unseen = 1;
    for (unsigned k = 0; k < tries; k++)
        unseen *= (mu + k * phi) / (1 + k * phi);
    return unseen;
}

/* P(more than `limit` of n draws), each with chance p: exact. */
static double binomial_beyond(unsigned n, double p, unsigned limit) {
    double term = exp(n * log1p(-p)), sum = term;
    for (unsigned i = 0; i < limit; i++)
        sum += term *= (double)(n - i) / (i + 1) * p / (1 - p);
    return 1 - sum;
}

/* What the recall bars at 50,000 open endpoints need, once 10,000 are in: 9.75 % of tries lost, or 36 %. */
static void recall_follows_from_what_is_enough(void **state) {
    (void)state;
    static const struct {
        double each_way, miss, recall;
        unsigned at_most; /* re-probes: the least that do, and one more */
    } bars[] = {{0.05, 0.001, 0.9995, 4}, {0.05, 0.0001, 0.9999, 5}, {0.2, 0.001, 0.9993, 9}};
    for (unsigned i = 0; i < sizeof bars / sizeof *bars; i++) {
        double q = 1 - (1 - bars[i].each_way) * (1 - bars[i].each_way);
        for (double live = 10000; live <= 1e6; live *= 10) {
            for (unsigned tries = 4; tries <= 8; tries++) {
                struct estimate_counts c = expected_counts(live, tries, q, 0);
                unsigned n = estimate_enough(&c, bars[i].miss, 0);
                assert_in_range(n, 1, bars[i].at_most);
                unsigned may_miss = (unsigned)(50000 * (1 - bars[i].recall) + 1e-6);
                assert_true(binomial_beyond(50000, pow(q, n + 1), may_miss) < 1e-3);
            }
        }
    }
    assert_true(binomial_beyond(50000, pow(0.36, 10), 5) < 0.02); /* 20 % each way with --retries 9 */
}

static void a_clean_path_needs_one(void **state) {
    (void)state;
    for (double live = 250; live < 1e9; live *= 10) {
        struct estimate_counts c = expected_counts(live, 2, 0, 0);
        assert_int_equal(estimate_enough(&c, 0.001, 0), 1);
    }
    struct estimate_counts few = expected_counts(100, 2, 0, 0);
    assert_in_range(estimate_enough(&few, 0.001, 0), 1, 2);
}

static void it_says_when_it_cannot_tell(void **state) {
    (void)state;
    struct estimate_counts c = expected_counts(99, 3, 0, 0);
    assert_int_equal(estimate_enough(&c, 0.001, 0), 0);
    c = expected_counts(100000, 1, 0.1, 0);
    assert_int_equal(estimate_enough(&c, 0.001, 0), 0);
    c = (struct estimate_counts){.tries = 0};
    assert_int_equal(estimate_enough(&c, 0.001, 0), 0);
}

/* Loss that meets the same hosts again needs more than its mean says, and gets it. */
static void correlated_loss_is_seen(void **state) {
    (void)state;
    for (double mu = 0.02; mu < 0.3; mu *= 2) {
        for (double phi = 0.02; phi < 0.3; phi *= 2) {
            struct estimate_counts even = expected_counts(50000, 4, mu, 0), hosts = expected_counts(50000, 4, mu, phi);
            unsigned n = estimate_enough(&hosts, 0.001, 0);
            assert_true(n >= estimate_enough(&even, 0.001, 0));
            if (n < ESTIMATE_RETRIES_MAX)
                assert_true(unseen_after(n + 1, mu, phi) < 0.001);
            struct estimate e;
            estimate_missed(&hosts, 0, &e);
            double missed = 50000 * unseen_after(4, mu, phi);
            assert_true((double)e.live.low <= missed + 1 && missed - 1 <= (double)e.live.high);
            assert_true((double)e.live.high > 50000 * pow(mu, 4));
        }
    }
}

static void less_to_be_missed_never_needs_fewer(void **state) {
    (void)state;
    uint64_t rng = 5;
    for (unsigned i = 0; i < 1000; i++) {
        unsigned tries = 2 + (unsigned)(random_splitmix(&rng) % 9), previous = (unsigned)(random_splitmix(&rng) % 11);
        struct estimate_counts c = expected_counts(between_log(&rng, 200, 1e6), tries, between(&rng, 0, 0.6),
                                                   between(&rng, 0, 0.3));
        unsigned before = 1;
        for (double miss = 0.5; miss > 1e-7; miss /= 2) {
            unsigned n = estimate_enough(&c, miss, previous);
            assert_true(n >= before && n <= ESTIMATE_RETRIES_MAX);
            assert_true(n >= estimate_enough(&c, miss, 0));
            before = n;
        }
    }
}

struct outcome {
    double recall, tries; /* tries = mean over chunks, so what a silent endpoint was sent */
    unsigned changes;     /* of what was enough, after 5,000 first answers */
};

enum { CHUNKS = 1000, CHUNK_LIVE = 50 };

/* A scan with --retries auto as the engine does it: cursor k trails cursor k-1 by `lag` chunks, and what is enough is
 * asked every few chunks. */
static struct outcome auto_scan(double q, double miss, unsigned lag, uint64_t seed) {
    static unsigned silent[CHUNKS], answered[CHUNKS];
    static bool retired[CHUNKS];
    struct estimate_counts c = {.tries = ESTIMATE_RETRIES_MAX + 1};
    struct outcome o = {0};
    uint64_t rng = seed, missed = 0;
    unsigned enough = 0;
    for (unsigned i = 0; i < CHUNKS; i++) {
        silent[i] = CHUNK_LIVE;
        retired[i] = false;
    }
    for (unsigned step = 0, grown = 0; step < CHUNKS + (ESTIMATE_RETRIES_MAX + 1) * lag; step++) {
        if (grown > 4) {
            unsigned before = enough;
            enough = estimate_enough(&c, miss, enough);
            o.changes += c.answered[0] > 5000 && enough != before;
            grown = 0;
        }
        for (unsigned k = 0; k <= ESTIMATE_RETRIES_MAX + 1 && k * lag <= step; k++) {
            unsigned i = step - k * lag;
            if (i >= CHUNKS || retired[i])
                continue;
            if (k > 0) {
                c.reached[k - 1] += 256;
                c.answered[k - 1] += answered[i];
                grown++;
            }
            unsigned wanted = enough > 0 ? enough : ESTIMATE_RETRIES_UNKNOWN;
            if (k > 1 && k > wanted) {
                retired[i] = true;
                missed += silent[i];
                continue;
            }
            o.tries += 1.0 / CHUNKS;
            answered[i] = 0;
            for (unsigned e = 0; e < silent[i]; e++)
                answered[i] += uniform(&rng) >= q;
            silent[i] -= answered[i];
        }
    }
    o.recall = 1 - (double)missed / (CHUNKS * CHUNK_LIVE);
    return o;
}

static void auto_retries_reach_the_recall(void **state) {
    (void)state;
    static const struct {
        double q, miss, recall, tries;
    } bars[] = {
        {0, 0.001, 1, 2.1}, {0.0975, 0.001, 0.9995, 5}, {0.0975, 0.0001, 0.9999, 6.5}, {0.36, 0.001, 0.9993, 10.5},
    };
    static const unsigned lags[] = {5, 50, 2 * CHUNKS}; /* a long scan, a short one, one whose tries never overlap */
    for (unsigned i = 0; i < sizeof bars / sizeof *bars; i++) {
        for (unsigned j = 0; j < sizeof lags / sizeof *lags; j++) {
            for (uint64_t seed = 1; seed <= 3; seed++) {
                struct outcome o = auto_scan(bars[i].q, bars[i].miss, lags[j], seed);
                if (seed == 1)
                    print_message("q %.4f miss %.4f lag %4u: recall %.5f, %.2f tries, %u changes\n", bars[i].q,
                                  bars[i].miss, lags[j], o.recall, o.tries, o.changes);
                assert_true(o.recall >= bars[i].recall);
                assert_true(o.tries <= bars[i].tries);
                assert_true(o.changes <= 20); /* of a thousand times and more that it was asked */
            }
        }
    }
}

/* -- edges -- */

static void assert_sane(const struct estimate_counts *c, const struct estimate *e) {
    const struct estimate_range *ranges[] = {&e->live, &e->open};
    assert_true(isfinite(e->loss) && e->loss >= 0 && e->loss <= 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(ranges[i]->low <= ranges[i]->missed && ranges[i]->missed <= ranges[i]->high);
        assert_true(ranges[i]->high <= c->reached[0]);
    }
    assert_true(e->open.high <= e->live.high);
    if (!e->known)
        assert_true(e->live.high == 0 && e->open.high == 0 && e->loss == 0);
}

static void any_counts_give_numbers(void **state) {
    (void)state;
    uint64_t rng = 6;
    for (unsigned i = 0; i < 10000; i++) {
        struct estimate_counts c = {.tries = (unsigned)(random_splitmix(&rng) % (ESTIMATE_TRIES_MAX + 3))};
        for (unsigned k = 0; k < ESTIMATE_TRIES_MAX; k++) {
            c.reached[k] = random_splitmix(&rng) >> random_splitmix(&rng) % 64;
            c.answered[k] = random_splitmix(&rng) >> random_splitmix(&rng) % 64;
            if (random_splitmix(&rng) % 4 == 0)
                c.reached[k] = 0;
            if (random_splitmix(&rng) % 3 == 0)
                c.answered[k] = 0;
        }
        c.answered_unknown = random_splitmix(&rng) % 2 ? 0 : random_splitmix(&rng) >> random_splitmix(&rng) % 64;
        double miss = random_splitmix(&rng) % 8 ? between_log(&rng, 1e-9, 1) : (double[]){0, -1, NAN, INFINITY}[i % 4];
        unsigned n = estimate_enough(&c, miss, (unsigned)random_splitmix(&rng));
        assert_in_range(n, 0, ESTIMATE_RETRIES_MAX);
        if (i % 16 != 0)
            continue;
        struct estimate e;
        estimate_missed(&c, random_splitmix(&rng) >> random_splitmix(&rng) % 64, &e);
        assert_sane(&c, &e);
    }
}

static void without_a_second_try_nothing_is_known(void **state) {
    (void)state;
    struct estimate e;
    struct estimate_counts c = expected_counts(1000, 1, 0.1, 0);
    estimate_missed(&c, 10, &e);
    assert_false(e.known);
    c = (struct estimate_counts){.tries = 3};
    estimate_missed(&c, 0, &e);
    assert_false(e.known);
    assert_sane(&c, &e);
}

static void few_answers_give_wide_intervals_from_zero(void **state) {
    (void)state;
    struct estimate none, one, lossy;
    struct estimate_counts c = {.tries = 3, .reached = {1000, 1000, 1000}};
    estimate_missed(&c, 0, &none);
    assert_true(none.known && none.live.low == 0 && none.live.missed == 0 && none.live.high >= 1);
    c.answered[0] = 1;
    estimate_missed(&c, 0, &one);
    assert_true(one.live.low == 0 && one.live.high >= 1 && one.live.high < 50);
    c.answered[0] = 2;
    c.answered[1] = 2;
    c.answered[2] = 1;
    estimate_missed(&c, 5, &lossy);
    assert_true(lossy.live.low == 0 && lossy.live.high >= 3);
}

/* What goes unanswered is said of what was sent, and no prior speaks up where nothing went wrong. */
static void loss_is_what_first_tries_lost(void **state) {
    (void)state;
    struct estimate e;
    struct estimate_counts c = {.tries = 3, .reached = {1000, 1000, 1000}, .answered = {2}};
    estimate_missed(&c, 1, &e);
    assert_true(e.known && e.loss == 0);
    c.answered[1] = 2;
    estimate_missed(&c, 1, &e);
    assert_true(e.loss >= 0.5 && e.loss < 0.8);
}

static void every_endpoint_answered_leaves_none(void **state) {
    (void)state;
    struct estimate e;
    struct estimate_counts c = {.tries = 3, .reached = {1000, 1000, 1000}, .answered = {600, 300, 80}};
    c.answered_unknown = 20;
    estimate_missed(&c, 500, &e);
    assert_true(e.known && e.live.high == 0 && e.open.high == 0);
}

/* 1,000 live at 20 % lost, three tries: 8 missed. Half of the chunks stopped after two: 4 + 20 missed. */
static void chunks_that_stopped_early_miss_more(void **state) {
    (void)state;
    struct estimate all, half;
    struct estimate_counts c = expected_counts(100000, 3, 0.2, 0);
    estimate_missed(&c, 50000, &all);
    c.reached[2] /= 2;
    c.answered[2] /= 2;
    estimate_missed(&c, 50000, &half);
    assert_in_range(all.live.missed, 600, 1200);
    assert_in_range(half.live.missed, 2000, 3000);
    assert_true(all.live.low <= 800 && 800 <= all.live.high);
    assert_true(half.live.low <= 2400 && 2400 <= half.live.high);
    assert_in_range(all.open.missed, all.live.missed / 2 - 15, all.live.missed / 2 + 15);
    assert_true(fabs(all.loss - 0.2) < 0.01);
}

static void fading_keeps_the_shares(void **state) {
    (void)state;
    struct estimate_counts c = expected_counts(1e6, 4, 0.1, 0.05);
    unsigned n = estimate_enough(&c, 0.001, 0);
    uint64_t first = c.answered[0];
    estimate_fade(&c);
    assert_int_equal(c.answered[0], first / 2);
    assert_int_equal(estimate_enough(&c, 0.001, 0), n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(a_worse_path_is_told),
        cmocka_unit_test(recall_follows_from_what_is_enough),
        cmocka_unit_test(a_clean_path_needs_one),
        cmocka_unit_test(it_says_when_it_cannot_tell),
        cmocka_unit_test(correlated_loss_is_seen),
        cmocka_unit_test(less_to_be_missed_never_needs_fewer),
        cmocka_unit_test(auto_retries_reach_the_recall),
        cmocka_unit_test(any_counts_give_numbers),
        cmocka_unit_test(without_a_second_try_nothing_is_known),
        cmocka_unit_test(few_answers_give_wide_intervals_from_zero),
        cmocka_unit_test(loss_is_what_first_tries_lost),
        cmocka_unit_test(every_endpoint_answered_leaves_none),
        cmocka_unit_test(chunks_that_stopped_early_miss_more),
        cmocka_unit_test(fading_keeps_the_shares),
    };
    return cmocka_run_group_tests_name("scan/estimate", tests, NULL, NULL);
}
