#include "scan/govern.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* Levels of the tests, in nats (Wald 1945: A = ln((1 - miss) / alarm)). */
#define LEVEL_FALL 8.0    /* 1 in 3,000 that chance alone does it */
#define LEVEL_RISE 8.0
#define LEVEL_ACCEPT 3.0  /* 1 in 20 that a step is taken for good that is not: it falls the next time */
#define LEVEL_DIP 5.0
#define SUSPICION 2.0     /* evidence that keeps a climb without a signal from going on */

#define STEP_MAX 1.0      /* doubling, as slow start does */
#define STEP_MIN 0.05
#define STEP_BLIND 0.5
#define STEP_PAST 0.1     /* so far above the last ceiling it is no ceiling any more */
#define STEP_RESTART 4.0  /* a failed step is followed by one so many times smaller */
#define KEEP 0.97         /* of what arrived is sent after a fall ... */
#define KEEP_TRIAL 0.85   /* ... and while its cause is tried, so that a queue drains and a bucket fills */
#define CUT_MAX 0.25      /* one cut goes no lower than this share of the rate before */
#define CUT_LOCAL 0.8
#define DIP 0.75
#define SHUT_RATIO 0.1    /* less than this share of the baseline is no overload but a shut door */

#define LEARN_ANSWERS 64.0
#define MATURE 8.0    /* a baseline of so many times the answers that a test needs is not to blame ... */
#define GROW 2.0      /* ... and a younger one has to grow so many times before the test is repeated */
#define UNDECIDED 5.0 /* a test that takes so many times the answers it needs is given up */
#define BLIND_ANSWERS 5.0    /* a second: fewer expected tell nothing in time */
#define CANARY_ANSWERS 500.0 /* a second: more natural ones need no canaries */
#define TEST_SECONDS 3.0    /* steps are large enough to be tested in so long */
#define RATE_UNCAPPED 1e8    /* no cap: no wire has more */

#define SPAN_MIN_NS (100 * NS_PER_MS) /* what a test looks at, at least: a policer's bucket is empty by then */
#define SPAN_NEAR_NS (500 * NS_PER_MS) /* ... and more of it where a bucket or a queue has hidden a limit before */
#define BLIND_NS NS_PER_SEC
#define HOLD_MIN_NS NS_PER_SEC
#define HOLD_TESTS 4u                 /* a failed test is followed by a pause so many times as long */
#define TRIAL_MIN_NS (200 * NS_PER_MS)
#define TRIAL_MAX_NS (10 * NS_PER_SEC)
#define SHUT_MAX_NS (30 * NS_PER_SEC)
#define CEILING_NS (30 * NS_PER_SEC)
#define CEILING_MAX_NS (480 * NS_PER_SEC)
#define DIP_FIRST_NS (5 * NS_PER_SEC)
#define DIP_LONGEST_NS (4 * NS_PER_SEC)
#define DIP_MAX_NS (80 * NS_PER_SEC)
#define DIP_TEST_SECONDS 2.0
#define DIP_LOSS 0.02                 /* less loss than this is not worth a dip */
#define LOCAL_PAUSE_NS (200 * NS_PER_MS)
#define MEMORY_NS (60 * NS_PER_SEC)   /* half-life of the baseline */
#define MEMORY_ANSWERS 1000.0         /* fewer answers than this are not forgotten */
#define FEED_NS (500 * NS_PER_MS)
#define FEED_HEAVIER 4.0
#define NOISE_MAX 16.0
#define NOISE_ANSWERS 10.0            /* a bin says something about noise when it should hold so many */
#define NOISE_GAIN (1.0 / 64)

/* The falls that are watched for: the share that is left. */
static const double fall_ratios[GOVERN_WATCHES] = {0.1, 0.5, 0.85, 0.95};
#define FINEST (GOVERN_WATCHES - 1)
#define RISE_RATIO 1.1

static void counts_add(struct govern_count to[GOVERN_STREAMS], const struct govern_count from[GOVERN_STREAMS]) {
    for (unsigned s = 0; s < GOVERN_STREAMS; s++) {
        to[s].sent += from[s].sent;
        to[s].answered += from[s].answered;
    }
}

static double answers_of(const struct govern_count c[GOVERN_STREAMS]) {
    return c[GOVERN_NATURAL].answered + c[GOVERN_CANARY].answered;
}

/* Answers that the baseline predicts. */
static double expected(const struct govern *g, const struct govern_count c[GOVERN_STREAMS]) {
    double sum = 0;
    for (unsigned s = 0; s < GOVERN_STREAMS; s++)
        if (g->baseline[s].sent > 0)
            sum += c[s].sent * g->baseline[s].answered / g->baseline[s].sent;
    return sum;
}

/* Answers beside what the baseline predicts. 1 where it predicts nothing. */
static double ratio_of(const struct govern *g, const struct govern_count c[GOVERN_STREAMS]) {
    double sum = expected(g, c), answered = 0;
    for (unsigned s = 0; s < GOVERN_STREAMS; s++)
        if (g->baseline[s].sent > 0)
            answered += c[s].answered;
    return sum > 0 ? answered / sum : 1;
}

/* ln of how much likelier c is if its share is `ratio` times the baseline's than if it is the same. Answers are taken as
 * Poisson; the share itself is unknown under both and set to its best value under each, so that a young baseline proves
 * little: with a of n answered here and A of N there, L(r) = a ln r - (a + A) ln(N + r n) + const. */
static double evidence(const struct govern *g, const struct govern_count c[GOVERN_STREAMS], double ratio) {
    double sum = 0;
    for (unsigned s = 0; s < GOVERN_STREAMS; s++) {
        const struct govern_count *b = &g->baseline[s];
        if (b->sent > 0 && c[s].sent > 0)
            sum += c[s].answered * log(ratio) -
                   (c[s].answered + b->answered) * log((b->sent + ratio * c[s].sent) / (b->sent + c[s].sent));
    }
    return sum / g->noise;
}

static bool epoch_is_long(const struct govern *g) {
    return g->last_ns - g->first_ns >= SPAN_MIN_NS;
}

/* Answers a second that tell something, at the present rate. */
static double answer_rate(const struct govern *g) {
    const struct govern_count *n = &g->baseline[GOVERN_NATURAL], *c = &g->baseline[GOVERN_CANARY];
    double rate = n->sent > 0 ? g->rate * n->answered / n->sent : 0;
    if (g->canaries > 0)
        rate += g->rate / GOVERN_CANARY_EVERY * (c->sent > 0 ? c->answered / c->sent : 1);
    return rate;
}

/* The smallest step that a test can judge in time: 2 x LEVEL_ACCEPT / step^2 answers are needed. */
static double step_min(const struct govern *g) {
    double rate = answer_rate(g);
    double step = rate > 0 ? sqrt(2 * LEVEL_ACCEPT * g->noise / (rate * TEST_SECONDS)) : STEP_BLIND;
    return fmin(fmax(step, STEP_MIN), STEP_BLIND);
}

static void watches_reset(struct govern *g) {
    memset(g->falls, 0, sizeof(g->falls));
    memset(&g->rise, 0, sizeof(g->rise));
    memset(g->bin, 0, sizeof(g->bin));
}

static void epoch_reset(struct govern *g) {
    memset(g->epoch, 0, sizeof(g->epoch));
    g->first_ns = g->last_ns = 0;
}

static void rate_set(struct govern *g, double rate, uint64_t now_ns) {
    rate = fmin(fmax(rate, g->floor), g->cap);
    g->rate = rate;
    unsigned i = g->n_epochs++ % GOVERN_EPOCHS;
    g->epochs[i].start_ns = now_ns;
    g->epochs[i].rate = g->epochs[i].actual = rate;
    g->epoch_packets = g->packets;
    epoch_reset(g);
}

/* The rate that packets were sent at at t_ns. */
static double rate_at(const struct govern *g, uint64_t t_ns) {
    unsigned oldest = g->n_epochs > GOVERN_EPOCHS ? g->n_epochs - GOVERN_EPOCHS : 0;
    for (unsigned i = g->n_epochs; i-- > oldest;)
        if (g->epochs[i % GOVERN_EPOCHS].start_ns <= t_ns)
            return g->epochs[i % GOVERN_EPOCHS].actual;
    return g->epochs[oldest % GOVERN_EPOCHS].actual;
}

static uint64_t epoch_start(const struct govern *g) {
    return g->epochs[(g->n_epochs - 1) % GOVERN_EPOCHS].start_ns;
}

void govern_init(struct govern *g, uint64_t max_pps, uint64_t now_ns) {
    *g = (struct govern){.cap = max_pps > 0 ? (double)max_pps : RATE_UNCAPPED, .noise = 1, .step = STEP_MAX,
                         .timeout_ns = NS_PER_SEC, .dip_wait_ns = DIP_FIRST_NS, .ceiling_for_ns = CEILING_NS};
    g->floor = fmin(GOVERN_FLOOR_PPS, g->cap);
    g->since_ns = g->climb_ns = g->decay_ns = now_ns;
    g->next_ns = now_ns + GOVERN_TICK_NS;
    rate_set(g, GOVERN_START_PPS, now_ns);
}

static void watch_add(struct govern_watch *w, enum govern_stream stream, const struct govern_count *c, double rate) {
    w->count[stream].sent += c->sent;
    w->count[stream].answered += c->answered;
    w->packets += c->sent;
    w->load += c->sent * rate;
}

void govern_sample(struct govern *g, enum govern_stream stream, uint64_t begin_ns, uint64_t end_ns, uint64_t sent,
                   uint64_t answered) {
    if (begin_ns < g->since_ns || sent == 0)
        return;
    const struct govern_count c = {(double)sent, (double)answered};
    double rate = rate_at(g, begin_ns + (end_ns - begin_ns) / 2);
    for (unsigned i = 0; i < GOVERN_WATCHES; i++)
        watch_add(&g->falls[i], stream, &c, rate);
    watch_add(&g->rise, stream, &c, rate);
    g->bin[stream].sent += c.sent;
    g->bin[stream].answered += c.answered;
    if (begin_ns < epoch_start(g))
        return;
    g->epoch[stream].sent += c.sent;
    g->epoch[stream].answered += c.answered;
    if (g->phase == GOVERN_HOLD) {
        g->fresh[stream].sent += c.sent;
        g->fresh[stream].answered += c.answered;
    }
    if (g->first_ns == 0 || begin_ns < g->first_ns)
        g->first_ns = begin_ns;
    if (end_ns > g->last_ns)
        g->last_ns = end_ns;
}

void govern_confirm(struct govern *g, uint64_t by_first, uint64_t by_later) {
    g->confirmed_sent += (double)(by_first + by_later);
    g->confirmed_lost += (double)by_later;
}

void govern_timeout(struct govern *g, uint64_t timeout_ns) {
    g->timeout_ns = timeout_ns;
}

void govern_canaries(struct govern *g, unsigned known) {
    g->canaries = known;
}

/* Waits at the present rate before the next step up. */
static void hold(struct govern *g, uint64_t now_ns, uint64_t ns) {
    g->phase = GOVERN_HOLD;
    g->hold_until_ns = now_ns + (ns > HOLD_MIN_NS ? ns : HOLD_MIN_NS);
}

void govern_local_loss(struct govern *g, uint64_t now_ns) {
    /* What was sent before the last cut may still be being lost. */
    if (g->local_ns != 0 && now_ns - g->local_ns < LOCAL_PAUSE_NS)
        return;
    g->local_ns = now_ns;
    g->local_cuts++;
    g->cause = GOVERN_CAUSE_LOCAL;
    rate_set(g, fmin(g->rate, rate_at(g, now_ns)) * CUT_LOCAL, now_ns);
    g->since_ns = now_ns; /* what was lost here says nothing about the path */
    watches_reset(g);
    g->step = fmax(g->step / STEP_RESTART, STEP_MIN);
    hold(g, now_ns, HOLD_TESTS * HOLD_MIN_NS);
}

/* Only the present matters after a cut or a new baseline. */
static void start_anew(struct govern *g, uint64_t now_ns) {
    g->since_ns = now_ns;
    watches_reset(g);
    epoch_reset(g);
    memset(g->fresh, 0, sizeof(g->fresh));
    memset(g->ripe, 0, sizeof(g->ripe));
}

/* The share fell to `ratio` of the baseline at rate `from`: less than what arrived is sent, to see what that does. */
static void cut(struct govern *g, double from, double ratio, uint64_t now_ns) {
    g->before = from;
    g->ratio = fmax(fmin(ratio, 1), 0);
    g->phase = GOVERN_TRIAL;
    rate_set(g, fmin(g->rate, from * fmax(g->ratio * KEEP_TRIAL, CUT_MAX)), now_ns);
    start_anew(g, now_ns);
}

/* The rate did it. */
static void settle(struct govern *g, double delivered, uint64_t now_ns) {
    delivered = fmax(delivered, g->good);
    g->good = 0;
    g->dip_ns = now_ns + g->dip_wait_ns > g->dip_ns ? now_ns + g->dip_wait_ns : g->dip_ns;
    g->falls_total++;
    g->cause = GOVERN_CAUSE_PATH;
    if (g->ceiling > 0 && now_ns - g->ceiling_ns < 2 * g->ceiling_for_ns && g->ceiling_for_ns < CEILING_MAX_NS)
        g->ceiling_for_ns *= 2;
    g->ceiling = delivered;
    g->ceiling_ns = now_ns;
    g->step = fmax(g->step / STEP_RESTART, step_min(g));
    g->shut_ns = 0;
    rate_set(g, delivered * KEEP, now_ns);
    /* A rate that had been good for long may be so again: what ended it may have passed. */
    if (g->climb_ns == 0)
        g->step = fmin(fmax(g->step, (g->before_fall / g->rate - 1) / 2), STEP_MAX);
    hold(g, now_ns, g->climb_ns != 0 ? HOLD_TESTS * (now_ns - g->climb_ns) : 0);
    g->climb_ns = 0;
}

/* The path did it: this is the baseline now. */
static void rebase(struct govern *g, double rate, uint64_t now_ns) {
    g->good = 0;
    g->path_falls++;
    memcpy(g->baseline, g->epoch, sizeof(g->baseline));
    g->dip_wait_ns = DIP_FIRST_NS;
    g->dip_ns = now_ns + DIP_FIRST_NS;
    g->shut_ns = 0;
    g->climb_ns = 0;
    g->step = fmax(g->step / STEP_RESTART, step_min(g));
    rate_set(g, rate, now_ns);
    start_anew(g, now_ns);
    hold(g, now_ns, 0);
}

/* Looks for a fall below the baseline. */
static bool fallen(struct govern *g, uint64_t now_ns) {
    for (unsigned i = 0; i < GOVERN_WATCHES; i++) {
        struct govern_watch *w = &g->falls[i];
        double e = evidence(g, w->count, fall_ratios[i]);
        if (w->packets > 0 && e > LEVEL_FALL) {
            if (g->phase != GOVERN_CLIMB)
                g->good = 0;
            g->before_fall = g->rate;
            cut(g, w->load / w->packets, ratio_of(g, w->count), now_ns);
            return true;
        }
        if (e <= 0)
            memset(w, 0, sizeof(*w));
    }
    return false;
}

/* What was answered while the rate rested goes into the baseline, some time later and whatever it was (to choose would
 * bend it), unless a fall is suspected. A young baseline that is off by chance yields to what is heavier. */
static void baseline_feed(struct govern *g, uint64_t now_ns) {
    if (now_ns - g->fed_ns < FEED_NS)
        return;
    g->fed_ns = now_ns;
    double heavier = answers_of(g->ripe) / fmax(answers_of(g->baseline), 1);
    if (evidence(g, g->falls[FINEST].count, fall_ratios[FINEST]) < LEVEL_FALL / 2 || heavier > FEED_HEAVIER) {
        counts_add(g->baseline, g->ripe);
        memset(g->ripe, 0, sizeof(g->ripe));
    }
    counts_add(g->ripe, g->fresh);
    memset(g->fresh, 0, sizeof(g->fresh));
}

/* The share may also be better than the baseline: the path has recovered, or the baseline was taken under loss. */
static void risen(struct govern *g) {
    double e = evidence(g, g->rise.count, RISE_RATIO);
    if (e > LEVEL_RISE) {
        memcpy(g->baseline, g->rise.count, sizeof(g->baseline));
        watches_reset(g);
    } else if (e <= 0) {
        memset(&g->rise, 0, sizeof(g->rise));
    }
}

/* The noise of the answers: bursts of loss make counts vary more than independent losses would, and prove less. */
static void noise_update(struct govern *g, uint64_t now_ns) {
    double e = expected(g, g->bin), answered = answers_of(g->bin);
    if (e < NOISE_ANSWERS || now_ns - g->bin_ns < SPAN_MIN_NS)
        return;
    double square = fmin((answered - e) * (answered - e) / e, NOISE_MAX);
    g->noise = fmax(1, g->noise + (square - g->noise) * NOISE_GAIN);
    memset(g->bin, 0, sizeof(g->bin));
    g->bin_ns = now_ns;
}

static void forget(struct govern *g, uint64_t now_ns) {
    double keep = exp2(-(double)(now_ns - g->decay_ns) / (double)MEMORY_NS);
    g->decay_ns = now_ns;
    for (unsigned s = 0; s < GOVERN_STREAMS; s++)
        if (g->baseline[s].answered > MEMORY_ANSWERS) {
            g->baseline[s].sent *= keep;
            g->baseline[s].answered *= keep;
        }
    g->confirmed_sent *= keep;
    g->confirmed_lost *= keep;
}

/* How fast packets really leave: no rate that this machine cannot send is tried. */
static void sender_update(struct govern *g, uint64_t now_ns, uint64_t packets) {
    unsigned i = (g->n_epochs - 1) % GOVERN_EPOCHS;
    uint64_t ns = now_ns - g->epochs[i].start_ns;
    g->packets = packets;
    if (ns >= SPAN_MIN_NS) {
        double actual = (double)(packets - g->epoch_packets) * 1e9 / (double)ns;
        g->epochs[i].actual = fmin(fmax(actual, 1), g->epochs[i].rate);
    }
}

static bool sender_is_the_limit(const struct govern *g) {
    return g->epochs[(g->n_epochs - 1) % GOVERN_EPOCHS].actual < 0.8 * g->rate;
}

/* Answers that a test of this step needs: what drifts by step^2 / 2 each has to reach LEVEL_ACCEPT. */
static double answers_for(const struct govern *g, double step) {
    return 2 * LEVEL_ACCEPT * g->noise / (step * step);
}

/* A large step that is half too large must not pass for a good one. */
static double judged(double step) {
    return step > STEP_BLIND ? fmax(STEP_BLIND, 0.7 * step) : step;
}

static void climb(struct govern *g, double step, uint64_t now_ns) {
    if (g->rate >= g->cap) {
        g->cause = GOVERN_CAUSE_CAP;
        hold(g, now_ns, 0);
        g->climb_ns = 0;
    } else if (sender_is_the_limit(g)) {
        g->cause = GOVERN_CAUSE_SENDER;
        hold(g, now_ns, 0);
        g->climb_ns = 0;
    } else {
        g->climb_ns = now_ns;
        g->phase = GOVERN_CLIMB;
        g->step = step;
        g->good = g->rate;
        rate_set(g, g->rate * (1 + step), now_ns);
    }
}

/* Nothing to go by: climbs by time, but not to where the share fell not long ago. */
static void climb_blind(struct govern *g, uint64_t now_ns) {
    double to = fmin(g->rate * (1 + STEP_BLIND), g->cap);
    g->blind = true;
    if (g->ceiling > 0 && to > g->ceiling && now_ns - g->ceiling_ns < g->ceiling_for_ns)
        hold(g, now_ns, 0);
    else
        climb(g, STEP_BLIND, now_ns);
}

static bool blind_time(const struct govern *g) {
    return g->last_ns - g->first_ns >= BLIND_NS && answer_rate(g) < BLIND_ANSWERS;
}

static void learn(struct govern *g, uint64_t now_ns) {
    double answered = answers_of(g->epoch);
    if ((answered < LEARN_ANSWERS || !epoch_is_long(g)) && g->last_ns - g->first_ns < BLIND_NS)
        return;
    memcpy(g->baseline, g->epoch, sizeof(g->baseline));
    watches_reset(g);
    g->dip_ns = now_ns + g->dip_wait_ns;
    if (answered < LEARN_ANSWERS && answer_rate(g) < BLIND_ANSWERS)
        climb_blind(g, now_ns);
    else
        climb(g, STEP_MAX, now_ns);
}

/* After a step that was as good: twice as large, but small ones past where the share fell not long ago. */
static double step_after(const struct govern *g) {
    double step = fmin(2 * g->step, STEP_MAX), near = g->ceiling / g->rate;
    if (near * (1 + STEP_PAST) > 1 && near < 1 + step)
        step = fmax(fmin(step, near * KEEP - 1), step_min(g));
    return step;
}

static bool climb_is_long(const struct govern *g) {
    uint64_t ns = g->last_ns - g->first_ns;
    return ns >= (g->rate > g->ceiling * KEEP && g->rate < g->ceiling * (1 + 2 * STEP_PAST) ? SPAN_NEAR_NS : SPAN_MIN_NS);
}

/* The counts of a step that was taken join the baseline, unless they look like a small fall. */
static void climb_accept(struct govern *g) {
    if (evidence(g, g->epoch, fall_ratios[FINEST]) < LEVEL_FALL / 2)
        counts_add(g->baseline, g->epoch);
}

/* Neither as good nor as bad as it might be. A young baseline is to blame, and has to grow; else the step. */
static void climb_retreat(struct govern *g, uint64_t now_ns) {
    double known = answers_of(g->baseline), needed = answers_for(g, judged(g->step));
    if (known > MATURE * needed)
        g->step = fmax(g->step / 2, step_min(g));
    g->prepared = GROW * known;
    rate_set(g, g->good, now_ns);
    epoch_reset(g);
    watches_reset(g);
    hold(g, now_ns, 0);
    g->climb_ns = 0;
}

static void climb_judge(struct govern *g, uint64_t now_ns) {
    double e = evidence(g, g->epoch, 1 / (1 + judged(g->step)));
    bool tested = climb_is_long(g);
    if (tested && e <= -LEVEL_ACCEPT) {
        g->blind = false;
        climb_accept(g);
        climb(g, step_after(g), now_ns);
    } else if (tested && answer_rate(g) >= BLIND_ANSWERS &&
               expected(g, g->epoch) > UNDECIDED * answers_for(g, judged(g->step))) {
        climb_retreat(g, now_ns);
    } else if (blind_time(g) && e < SUSPICION) {
        climb_accept(g);
        climb_blind(g, now_ns);
    }
}

/* Is less lost with less? Only asked where later tries say that something is lost, or where nobody says. */
static bool dip_is_due(const struct govern *g, uint64_t now_ns) {
    bool clean = g->confirmed_sent > 100 && g->confirmed_lost < DIP_LOSS * g->confirmed_sent;
    bool quick = answers_for(g, (1 - DIP) / 2) < answer_rate(g) * DIP_TEST_SECONDS;
    return now_ns >= g->dip_ns && !clean && quick && g->rate * DIP > g->floor;
}

/* More answers than a few seconds bring are not waited for. */
static double prepared_most(const struct govern *g) {
    return answer_rate(g) * 2 * TEST_SECONDS;
}

static void hold_on(struct govern *g, uint64_t now_ns) {
    if (dip_is_due(g, now_ns)) {
        g->dips++;
        g->before = g->rate;
        g->phase = GOVERN_DIP;
        rate_set(g, g->rate * DIP, now_ns);
        start_anew(g, now_ns);
    } else if (now_ns >= g->hold_until_ns && g->rate < g->cap && g->last_ns != 0) {
        double step = fmax(g->step, step_min(g));
        if (answer_rate(g) < BLIND_ANSWERS)
            climb_blind(g, now_ns);
        else if (answers_of(g->baseline) >= fmin(fmax(answers_for(g, judged(step)), g->prepared), prepared_most(g)))
            climb(g, step, now_ns);
    }
}

static void dip_judge(struct govern *g, uint64_t now_ns) {
    double e = evidence(g, g->epoch, 1 / (1 - (1 - DIP) / 2));
    bool over = now_ns - epoch_start(g) > DIP_LONGEST_NS + g->timeout_ns;
    if (epoch_is_long(g) && e >= LEVEL_DIP) {
        double delivered = fmin(g->before / ratio_of(g, g->epoch), g->rate / KEEP);
        memcpy(g->baseline, g->epoch, sizeof(g->baseline));
        g->dip_wait_ns = HOLD_MIN_NS;
        g->dip_ns = now_ns + g->dip_wait_ns;
        start_anew(g, now_ns);
        settle(g, delivered, now_ns);
    } else if (over || (epoch_is_long(g) && e <= -LEVEL_ACCEPT)) {
        g->dip_wait_ns = g->dip_wait_ns < DIP_MAX_NS ? 2 * g->dip_wait_ns : DIP_MAX_NS;
        g->dip_ns = now_ns + g->dip_wait_ns;
        rate_set(g, g->before, now_ns);
        hold(g, now_ns, 0);
    }
}

/* Answers have (nearly) stopped. Nothing says how many packets would get through, so it creeps until they come back; if
 * they do not, nobody is helped by creeping on. */
static void shut(struct govern *g, uint64_t now_ns) {
    g->cause = GOVERN_CAUSE_SHUT;
    if (g->shut_ns == 0)
        g->shut_ns = now_ns;
    if (now_ns - g->shut_ns > SHUT_MAX_NS)
        rebase(g, g->rate, now_ns);
    else if (g->rate > g->floor)
        cut(g, g->rate, ratio_of(g, g->epoch), now_ns);
    else
        start_anew(g, now_ns);
}

static void trial_judge(struct govern *g, uint64_t now_ns) {
    double ratio = ratio_of(g, g->epoch), was = fmin(fmax(g->ratio, 0.02), 0.95);
    if (g->last_ns - g->first_ns < TRIAL_MIN_NS)
        return;
    if (evidence(g, g->epoch, was) <= -LEVEL_ACCEPT) {
        settle(g, g->rate / KEEP_TRIAL, now_ns);
    } else if (ratio < 1 && evidence(g, g->epoch, fmax(ratio, 0.02)) > LEVEL_FALL) {
        /* Still too few. If the rate did it, the share rose as the rate fell; if the path did, it stayed. */
        if (ratio < SHUT_RATIO)
            shut(g, now_ns);
        else if (ratio > g->ratio * sqrt(g->before / g->rate) && g->rate > g->floor) {
            g->good = 0;
            cut(g, g->rate, ratio, now_ns);
        }
        else
            rebase(g, g->before, now_ns);
    } else if (now_ns - epoch_start(g) > TRIAL_MAX_NS + g->timeout_ns) {
        settle(g, g->rate / KEEP_TRIAL, now_ns);
    }
}

bool govern_step(struct govern *g, uint64_t now_ns, uint64_t packets) {
    if (now_ns < g->next_ns)
        return false;
    g->next_ns = now_ns + GOVERN_TICK_NS;
    double rate = g->rate;
    sender_update(g, now_ns, packets);
    forget(g, now_ns);
    if (g->phase == GOVERN_LEARN) {
        learn(g, now_ns);
    } else if (g->phase == GOVERN_TRIAL) {
        trial_judge(g, now_ns);
    } else if (!fallen(g, now_ns)) {
        noise_update(g, now_ns);
        if (g->phase != GOVERN_DIP)
            risen(g);
        if (g->phase == GOVERN_DIP) {
            dip_judge(g, now_ns);
        } else if (g->phase == GOVERN_CLIMB) {
            climb_judge(g, now_ns);
        } else {
            baseline_feed(g, now_ns);
            hold_on(g, now_ns);
        }
    }
    return g->rate != rate;
}

uint64_t govern_milli_pps(const struct govern *g) {
    return (uint64_t)(g->rate * 1000);
}

unsigned govern_canary_every(const struct govern *g) {
    const struct govern_count *b = &g->baseline[GOVERN_NATURAL];
    double natural = b->sent > 0 ? g->rate * b->answered / b->sent : 0;
    if (g->canaries == 0 || natural >= CANARY_ANSWERS)
        return 0;
    double every = g->rate / (CANARY_ANSWERS - natural);
    return every > GOVERN_CANARY_EVERY ? (unsigned)fmin(every, 1e6) : GOVERN_CANARY_EVERY;
}

void govern_look(const struct govern *g, struct govern_view *v) {
    *v = (struct govern_view){.phase = g->phase, .cause = g->cause, .rate_pps = g->rate, .path_pps = g->ceiling,
                              .loss = -1, .blind = g->blind, .falls = g->falls_total, .path_falls = g->path_falls,
                              .local_cuts = g->local_cuts};
    if (g->confirmed_sent > 0)
        v->loss = g->confirmed_lost / g->confirmed_sent;
    v->lost_now = fmax(0, 1 - ratio_of(g, g->falls[FINEST].count));
}
