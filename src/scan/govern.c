#include "scan/govern.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* Levels of the tests, in nats (Wald 1945: A = ln((1 - miss) / alarm)). */
#define LEVEL_FALL 8.0    /* 1 in 3,000 that chance alone does it */
#define LEVEL_RISE 8.0
#define LEVEL_TRIAL 5.0
#define LEVEL_STEP 5.0    /* a step that was too large: more is lost by waiting than by being wrong */
#define LEVEL_ACCEPT 3.0  /* 1 in 20 that a step is taken for good that is not: it falls the next time */
#define DOUBT 1.0         /* evidence that keeps a step from being taken for good yet */
#define SUSPICION 2.0     /* evidence that keeps a climb without a signal from going on */

#define SAME_RATE 1.02       /* rates closer than this are one */
#define STEP_MAX 1.0      /* doubling, as slow start does */
#define STEP_MIN 0.05
#define STEP_BLIND 0.5
#define GROWTH_BLIND 1.0  /* a second, where nothing is there to go by */
/* A test that takes so many times the answers it needs lacks something to compare with. */
#define UNDECIDED_FIRST 8.0 /* of large steps */
#define UNDECIDED 2.0
#define STEP_PAST 0.1     /* so far above the last ceiling it is no ceiling any more */
#define STEP_GROW 1.5
#define STEP_RETURN 3.0
#define STEP_RESTART 4.0  /* a failed step is followed by one so many times smaller */
#define KEEP 0.97         /* of what arrived is sent after a fall ... */
#define KEEP_TRIAL 0.85   /* ... and while its cause is tried, so that a queue drains and a bucket fills */
#define CUT_MAX 0.25      /* one cut goes no lower than this share of the rate before */
#define GOOD_AGREES 0.85
#define RTT_SHORTER 0.95
#define DRAIN 0.85
#define DRAINS_MAX 4u
#define CUT_LOCAL 0.8
#define DIP 0.75
#define DIP_DEEP 0.5
#define SHUT_RATIO 0.1    /* less than this share of the usual answers is no overload but a shut door */

#define LEARN_ANSWERS 64.0
#define BLIND_ANSWERS 5.0    /* a second: fewer expected tell nothing in time */
#define CANARIES_CLEAN 20.0  /* so many that all answer, or nearly all, lost nothing to the rate ... */
#define CANARY_LOSS 0.03     /* ... since they would answer */
#define CANARY_ANSWERS 500.0 /* a second: more natural ones need no canaries */
#define TEST_SECONDS 3.0    /* steps are large enough to be tested in so long */
#define SENDER_SHORT 0.9

#define SPAN_MIN_NS (100 * NS_PER_MS) /* what a test looks at, at least: a policer's bucket is empty by then */
#define LEARN_MAX_NS (5 * NS_PER_SEC)
#define SPAN_NEAR_NS (500 * NS_PER_MS) /* ... and more of it where a bucket or a queue has hidden a limit before */
#define BLIND_NS NS_PER_SEC
#define PREPARE_NS (5 * NS_PER_SEC)
#define SETTLE_NS NS_PER_SEC
#define HOLD_MIN_NS NS_PER_SEC
#define HOLD_TESTS 4u                 /* a failed test is followed by a pause so many times as long */
#define SPAN_FALL_NS (150 * NS_PER_MS)  /* a burst of loss is no fall */
#define SPAN_PATH_NS (500 * NS_PER_MS)
#define DRAIN_NS (300 * NS_PER_MS)
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
#define FADE 0.1
#define DECAY_NS NS_PER_SEC
#define MEMORY_NS (60 * NS_PER_SEC)   /* half-life of what is known */
#define MEMORY_ANSWERS 1000.0         /* fewer answers than this are not forgotten */
#define NOISE_MAX 64.0
#define NOISE_SECONDS 0.05  /* first tries of half the packets of a tenth of a second */
#define NOISE_ANSWERS 10.0
#define NOISE_GAIN (1.0 / 32)

/* The falls that are watched for: the share that is left. */
static const double fall_ratios[GOVERN_WATCHES] = {0.1, 0.5, 0.85, 0.95};
#define RISE_RATIO 1.1

static double answers_of(const struct tally c[GOVERN_STREAMS]) {
    return c[GOVERN_NATURAL].answered + c[GOVERN_CANARY].answered;
}

static double expected(const struct govern *g, const struct tally c[GOVERN_STREAMS]) {
    return tally_expected(c, g->usual);
}

static double ratio_of(const struct govern *g, const struct tally c[GOVERN_STREAMS]) {
    return tally_ratio(c, g->usual);
}

static double evidence(const struct govern *g, const struct tally c[GOVERN_STREAMS], double ratio) {
    return tally_evidence(c, g->usual, ratio) / g->noise;
}

/* ln of how much likelier it is that no rate tried meets a limit than that this one does. */
static double limitless(const struct govern *g, double rate) {
    return curve_limitless(&g->curve, rate);
}

/* The likeliest capacity. Where even the lowest rate tried was too much, it is somewhere below. */
static double capacity(const struct govern *g) {
    double best = curve_best(&g->curve);
    return curve_is_bottomless(&g->curve) ? best / 2 : best;
}

/* All that was sent no faster than now. */
static void known_set(struct govern *g) {
    for (unsigned s = 0; s < GOVERN_STREAMS; s++)
        g->known[s] = curve_sum(&g->curve, s, g->rate);
}

/* What a watch compares with: all that is known, but what the watch itself holds. NULL: all. */
static void usual_set(struct govern *g, const struct govern_watch *w) {
    for (unsigned s = 0; s < GOVERN_STREAMS; s++) {
        g->usual[s].sent = fmax(g->known[s].sent - (w != NULL ? w->count[s].sent : 0), 0);
        g->usual[s].answered = fmax(g->known[s].answered - (w != NULL ? w->count[s].answered : 0), 0);
    }
}

static bool epoch_is_long(const struct govern *g) {
    return g->last_ns - g->first_ns >= SPAN_MIN_NS;
}

/* Answers a second that tell something, at the present rate. */
static double answer_rate(const struct govern *g) {
    const struct tally *n = &g->usual[GOVERN_NATURAL], *c = &g->usual[GOVERN_CANARY];
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
}

static void epoch_reset(struct govern *g) {
    memset(g->epoch, 0, sizeof(g->epoch));
    memset(g->bins, 0, sizeof(g->bins));
    g->first_ns = g->last_ns = 0;
}

/* Why it is no faster at the cap: somebody said so, or no wire is faster than this machine. */
static enum govern_cause cap_cause(const struct govern *g) {
    return g->cap < (double)RATE_UNCAPPED ? GOVERN_CAUSE_CAP : GOVERN_CAUSE_SENDER;
}

static void rate_set(struct govern *g, double rate, uint64_t now_ns) {
    rate = fmin(fmax(rate, g->floor), g->cap);
    g->rate = rate;
    unsigned i = g->n_epochs++ % GOVERN_EPOCHS;
    g->epochs[i].start_ns = now_ns;
    g->epochs[i].rate = g->epochs[i].actual = rate;
    govern_idle(g, now_ns, g->packets);
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

void govern_init(struct govern *g, uint64_t max_pps, uint64_t start_pps, uint64_t now_ns) {
    *g = (struct govern){.cap = (double)(max_pps > 0 ? max_pps : RATE_UNCAPPED), .noise = 1, .step = STEP_MAX,
                         .timeout_ns = NS_PER_SEC, .dip_wait_ns = DIP_FIRST_NS, .ceiling_for_ns = CEILING_NS};
    curve_clear(&g->curve);
    g->floor = fmin(GOVERN_FLOOR_PPS, g->cap);
    g->since_ns = g->climb_ns = g->decay_ns = now_ns;
    g->next_ns = now_ns + GOVERN_TICK_NS;
    rate_set(g, (double)start_pps, now_ns);
    if (g->rate >= g->cap)
        g->cause = cap_cause(g);
}

static void watch_add(struct govern_watch *w, enum govern_stream stream, const struct tally *c, double rate,
                      uint64_t begin_ns, uint64_t end_ns) {
    tally_add(&w->count[stream], c);
    w->packets += c->sent;
    w->load += c->sent * rate;
    if (w->first_ns == 0 || begin_ns < w->first_ns)
        w->first_ns = begin_ns;
    if (end_ns > w->last_ns)
        w->last_ns = end_ns;
}

void govern_sample(struct govern *g, enum govern_stream stream, uint64_t begin_ns, uint64_t end_ns, uint64_t sent,
                   uint64_t answered) {
    if (begin_ns < g->since_ns || sent == 0)
        return;
    const struct tally c = {(double)sent, (double)answered};
    double rate = rate_at(g, begin_ns + (end_ns - begin_ns) / 2);
    for (unsigned i = 0; i < GOVERN_WATCHES && rate <= g->rate * SAME_RATE; i++)
        watch_add(&g->falls[i], stream, &c, rate, begin_ns, end_ns);
    watch_add(&g->rise, stream, &c, rate, begin_ns, end_ns);
    curve_add(&g->curve, stream, rate, &c);
    if (begin_ns < epoch_start(g))
        return;
    tally_add(&g->epoch[stream], &c);
    if (stream == GOVERN_NATURAL)
        tally_add(&g->bins[1], &c);
    if (g->first_ns == 0 || begin_ns < g->first_ns)
        g->first_ns = begin_ns;
    if (end_ns > g->last_ns)
        g->last_ns = end_ns;
}

void govern_confirm(struct govern *g, uint64_t by_first, uint64_t by_later) {
    g->confirmed_sent += (double)(by_first + by_later);
    g->confirmed_lost += (double)by_later;
}

void govern_times(struct govern *g, uint64_t rtt_ns, uint64_t timeout_ns) {
    g->rtt_ns = rtt_ns;
    g->timeout_ns = timeout_ns;
}

void govern_canaries(struct govern *g, unsigned known) {
    g->canaries = known;
}

/* Answers that a test of this step needs: what drifts by step^2 / 2 each has to reach LEVEL_ACCEPT. */
static double answers_for(const struct govern *g, double step) {
    return 2 * LEVEL_ACCEPT * g->noise / (step * step);
}

/* Waits at the present rate before the next step up. */
static void hold(struct govern *g, uint64_t now_ns, uint64_t ns) {
    g->phase = GOVERN_HOLD;
    g->hold_until_ns = now_ns + (ns > HOLD_MIN_NS ? ns : HOLD_MIN_NS);
}

/* What was sent before is not asked about any more. */
static void start_anew(struct govern *g, uint64_t now_ns) {
    g->since_ns = now_ns;
    watches_reset(g);
    epoch_reset(g);
}

void govern_local_loss(struct govern *g, uint64_t now_ns) {
    /* What was sent before the last cut may still be being lost. */
    if (g->local_ns != 0 && now_ns - g->local_ns < LOCAL_PAUSE_NS)
        return;
    g->local_ns = now_ns;
    g->local_cuts++;
    g->cause = GOVERN_CAUSE_LOCAL;
    rate_set(g, fmin(g->rate, rate_at(g, now_ns)) * CUT_LOCAL, now_ns);
    start_anew(g, now_ns); /* what was lost here says nothing about the path */
    g->step = fmax(g->step / STEP_RESTART, step_min(g));
    hold(g, now_ns, HOLD_TESTS * HOLD_MIN_NS);
}

/* The path carries so much: a little less is sent, and for a while no more is tried. */
static void settle(struct govern *g, double delivered, uint64_t now_ns) {
    uint64_t lasted = g->phase == GOVERN_CLIMB ? now_ns - epoch_start(g) : 0;
    bool again = g->ceiling > 0 && now_ns - g->ceiling_ns < SETTLE_NS + g->timeout_ns; /* the same fall, known better */
    g->falls_total += !again;
    g->cause = GOVERN_CAUSE_PATH;
    bool soon = g->ceiling > 0 && now_ns - g->ceiling_ns < 2 * g->ceiling_for_ns;
    if (soon && !again && g->ceiling_for_ns < CEILING_MAX_NS)
        g->ceiling_for_ns *= 2;
    g->ceiling = delivered;
    g->ceiling_ns = now_ns;
    g->shut_ns = 0;
    g->dip_ns = now_ns + g->dip_wait_ns > g->dip_ns ? now_ns + g->dip_wait_ns : g->dip_ns;
    /* Where even the lowest rate tried was too much, lower ones are looked at first. */
    g->bottomless = g->phase != GOVERN_TRIAL && curve_is_bottomless(&g->curve);
    if (g->bottomless)
        g->dip_ns = now_ns;
    /* Little is known of lower rates yet: there is more to learn a little further down. */
    bool young = answers_of(g->usual) < answers_for(g, step_min(g)) && answer_rate(g) >= BLIND_ANSWERS;
    rate_set(g, delivered * (young ? KEEP_TRIAL : KEEP), now_ns);
    watches_reset(g);
    g->step = fmax(again ? g->step : g->step / STEP_RESTART, step_min(g));
    /* A rate that had been good for long may be so again: what ended it may have passed. */
    if (g->phase == GOVERN_TRIAL)
        g->step = fmin(fmax(g->step, g->before_fall / g->rate - 1), STEP_RETURN);
    g->climb_ns = 0;
    hold(g, now_ns, HOLD_TESTS * lasted);
}

/* The share fell to `ratio` of the usual one at rate `from`, where it had been good. Less than what arrived is sent, to
 * see what that does; what was known before the fall is put aside. */
static void cut(struct govern *g, double from, double ratio, uint64_t now_ns) {
    g->before = from;
    g->ratio = fmax(fmin(ratio, 1), 0);
    g->phase = GOVERN_TRIAL;
    rate_set(g, fmin(g->rate, from * fmax(g->ratio * KEEP_TRIAL, CUT_MAX)), now_ns);
    start_anew(g, now_ns);
}

static void fall(struct govern *g, const struct govern_watch *w, uint64_t now_ns) {
    double from = w->load / w->packets, ratio = ratio_of(g, w->count);
    struct tally seen[GOVERN_STREAMS] = {w->count[GOVERN_NATURAL], w->count[GOVERN_CANARY]};
    g->before_fall = g->rate;
    g->climb_ns = 0;
    g->old = g->curve;
    curve_clear(&g->curve);
    for (unsigned s = 0; s < GOVERN_STREAMS; s++)
        curve_add(&g->curve, s, from, &seen[s]);
    cut(g, from, ratio, now_ns);
}

/* Looks for a fall below the usual share, where nothing new is being tried. */
static bool fallen(struct govern *g, uint64_t now_ns) {
    for (unsigned i = 0; i < GOVERN_WATCHES; i++) {
        struct govern_watch *w = &g->falls[i];
        usual_set(g, w);
        double e = evidence(g, w->count, fall_ratios[i]);
        if (e > LEVEL_FALL && w->last_ns - w->first_ns >= SPAN_FALL_NS) {
            fall(g, w, now_ns);
            return true;
        }
        if (e <= 0)
            memset(w, 0, sizeof(*w));
    }
    return false;
}

/* The share may also be better than it was: then what is known is old. */
static void risen(struct govern *g) {
    usual_set(g, &g->rise);
    double e = evidence(g, g->rise.count, RISE_RATIO);
    if (e > LEVEL_RISE) {
        curve_clear(&g->curve);
        for (unsigned s = 0; s < GOVERN_STREAMS; s++)
            curve_add(&g->curve, s, g->rise.load / g->rise.packets, &g->rise.count[s]);
        watches_reset(g);
    } else if (e <= 0) {
        memset(&g->rise, 0, sizeof(g->rise));
    }
}

/* The noise of the answers: bursts of loss make counts vary more than independent losses would, and prove less. Each
 * tenth of a second is compared with the one before, at the same rate. */
static void noise_update(struct govern *g) {
    const struct tally *was = &g->bins[0], *is = &g->bins[1];
    double scale = was->sent > 0 ? is->sent / was->sent : 0;
    double share = (was->answered + is->answered) / fmax(was->sent + is->sent, 1);
    if (is->answered < NOISE_ANSWERS || is->sent < g->rate * NOISE_SECONDS)
        return;
    if (was->sent > 0) {
        double off = is->answered - was->answered * scale, variance = share * is->sent * (1 + scale);
        g->noise = fmax(1, g->noise + (fmin(off * off / variance, NOISE_MAX) - g->noise) * NOISE_GAIN);
    }
    g->bins[0] = *is;
    g->bins[1] = (struct tally){0, 0};
}

static void forget(struct govern *g, uint64_t now_ns) {
    if (now_ns - g->decay_ns < DECAY_NS)
        return;
    double keep = exp2(-(double)(now_ns - g->decay_ns) / (double)MEMORY_NS);
    g->decay_ns = now_ns;
    for (unsigned s = 0; s < GOVERN_STREAMS; s++) {
        struct tally all = curve_sum(&g->curve, s, RATE_UNCAPPED);
        if (all.answered > MEMORY_ANSWERS)
            curve_fade(&g->curve, s, 0, keep);
    }
    g->confirmed_sent *= keep;
    g->confirmed_lost *= keep;
}

void govern_idle(struct govern *g, uint64_t now_ns, uint64_t packets) {
    g->span_ns = now_ns;
    g->span_packets = packets;
}

/* How fast packets really leave, a tenth of a second at a time: no rate that this machine cannot send is tried, but one
 * that it was held up at once is. */
static void sender_update(struct govern *g, uint64_t now_ns, uint64_t packets) {
    unsigned i = (g->n_epochs - 1) % GOVERN_EPOCHS;
    g->packets = packets;
    if (now_ns - g->span_ns < SPAN_MIN_NS)
        return;
    double actual = (double)(packets - g->span_packets) * 1e9 / (double)(now_ns - g->span_ns);
    g->epochs[i].actual = actual < SENDER_SHORT * g->rate ? fmax(actual, 1) : g->rate;
    govern_idle(g, now_ns, packets);
}

static bool sender_is_the_limit(const struct govern *g) {
    return g->epochs[(g->n_epochs - 1) % GOVERN_EPOCHS].actual < SENDER_SHORT * g->rate;
}

/* Drains a queue: less is sent until round trips become shorter. If they do not, the path has become longer. */
static bool drained(struct govern *g, uint64_t now_ns) {
    if (!delay_has_grown(&g->delay)) {
        g->drains = 0;
        return false;
    }
    if (now_ns - g->drain_ns < DRAIN_NS + 2 * (uint64_t)g->delay.now)
        return true;
    bool shorter = g->drains > 0 && g->delay.now < RTT_SHORTER * g->rtt_at_drain;
    g->drain_ns = now_ns;
    g->rtt_at_drain = g->delay.now;
    if (shorter)
        return true;
    if (g->drains == DRAINS_MAX) {
        g->delay.usual = g->delay.now;
        g->drains = 0;
        rate_set(g, g->drain_before, now_ns);
        hold(g, now_ns, 0);
        return true;
    }
    if (g->drains++ == 0)
        g->drain_before = g->phase == GOVERN_CLIMB ? fmax(g->good, 1) : g->rate;
    g->cause = GOVERN_CAUSE_PATH;
    g->ceiling = g->drain_before;
    g->ceiling_ns = now_ns;
    g->climb_ns = 0;
    rate_set(g, (g->phase == GOVERN_CLIMB ? g->good : g->rate) * DRAIN, now_ns);
    g->step = fmax(1 / sqrt(DRAIN) - 1, step_min(g)); /* once the queue is gone */
    hold(g, now_ns, 0);
    return true;
}

static void climb(struct govern *g, double step, uint64_t now_ns) {
    if (g->rate >= g->cap || sender_is_the_limit(g)) {
        g->cause = g->rate >= g->cap ? cap_cause(g) : GOVERN_CAUSE_SENDER;
        hold(g, now_ns, 0);
        g->climb_ns = 0;
        return;
    }
    if (g->phase != GOVERN_CLIMB) {
        /* What is known of higher rates is old news: it counts little beside what is seen now. */
        for (unsigned s = 0; s < GOVERN_STREAMS; s++)
            curve_fade(&g->curve, s, g->rate * SAME_RATE * (g->undecided ? 1 + step : 1), FADE);
        g->undecided = false;
        g->climb_ns = now_ns;
    }
    g->phase = GOVERN_CLIMB;
    g->step = step;
    g->good = g->rate;
    rate_set(g, g->rate * (1 + step), now_ns);
}

/* Nothing to go by: climbs by time, but not to where the share fell not long ago. */
static void climb_blind(struct govern *g, uint64_t now_ns) {
    double to = fmin(g->rate * (1 + GROWTH_BLIND), g->cap);
    g->blind = true;
    if (g->ceiling > 0 && to > g->ceiling && now_ns - g->ceiling_ns < g->ceiling_for_ns)
        hold(g, now_ns, 0);
    else
        climb(g, GROWTH_BLIND, now_ns);
}

/* By the clock, and not by what was sent: later tries, which tell nothing of the rate, may be most of it. */
static bool blind_time(const struct govern *g, uint64_t now_ns) {
    return now_ns - epoch_start(g) >= BLIND_NS && answer_rate(g) < BLIND_ANSWERS;
}

static void learn(struct govern *g, uint64_t now_ns) {
    bool late = now_ns - epoch_start(g) >= LEARN_MAX_NS;
    bool blind = blind_time(g, now_ns) && now_ns - epoch_start(g) >= BLIND_NS + g->timeout_ns;
    if ((answers_of(g->epoch) < LEARN_ANSWERS || !epoch_is_long(g)) && !late && !blind)
        return;
    g->dip_ns = now_ns + g->dip_wait_ns;
    if (answer_rate(g) < BLIND_ANSWERS)
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

/* Where a bucket or a queue has hidden a limit before, a step has to last longer. */
static bool climb_is_long(const struct govern *g) {
    bool near = g->rate > g->ceiling * KEEP && g->rate < g->ceiling * (1 + 2 * STEP_PAST);
    return g->last_ns - g->first_ns >= (near ? SPAN_NEAR_NS : SPAN_MIN_NS);
}

/* More is lost than up to a limit that is lower than the rate. */
static bool over_capacity(const struct govern *g, double level) {
    return curve_best(&g->curve) < g->rate && limitless(g, curve_best(&g->curve)) < -level;
}

/* Other shares have to be compared with those at lower rates; that of canaries is known beforehand. */
static bool canaries_are_clean(const struct govern *g) {
    const struct tally *c = &g->epoch[GOVERN_CANARY];
    return c->sent >= CANARIES_CLEAN && c->answered >= (1 - CANARY_LOSS) * c->sent;
}

static void climb_judge(struct govern *g, uint64_t now_ns) {
    double half = g->step > STEP_BLIND ? g->step / 2 : g->step;
    if (!climb_is_long(g) && !blind_time(g, now_ns))
        return;
    double enough = (g->step > STEP_BLIND ? UNDECIDED_FIRST : UNDECIDED) * answers_for(g, half);
    bool undecided = answer_rate(g) >= BLIND_ANSWERS && expected(g, g->epoch) > enough;
    double level = g->ceiling <= 0 ? LEVEL_FALL : undecided && g->step <= STEP_BLIND ? SUSPICION : LEVEL_STEP;
    if (over_capacity(g, level)) {
        double delivered = capacity(g);
        /* What the last good rate says is worth more than a count over a short time, where the two agree. */
        settle(g, delivered > GOOD_AGREES * g->good ? fmax(delivered, g->good) : delivered, now_ns);
    } else if ((limitless(g, g->rate / (1 + half)) >= LEVEL_ACCEPT || canaries_are_clean(g)) &&
               (g->ceiling <= 0 || limitless(g, curve_best(&g->curve)) > -DOUBT)) {
        g->blind = false;
        climb(g, step_after(g), now_ns);
    } else if (undecided) {
        /* Too little is known of lower rates to tell. Both are looked at in turn then. */
        g->undecided = true;
        g->step = fmin(g->step * STEP_GROW, fmax(g->step, STEP_BLIND / 2)); /* a larger one is sooner judged */
        rate_set(g, g->good, now_ns);
        watches_reset(g);
        hold(g, now_ns, now_ns - epoch_start(g));
        g->climb_ns = 0;
    } else if (blind_time(g, now_ns) && limitless(g, curve_best(&g->curve)) > -SUSPICION) {
        climb_blind(g, now_ns);
    }
}

/* Is less lost with less? Only asked where later tries say that something is lost, or where nobody says, and where the
 * answer comes soon. */
static bool dip_is_due(const struct govern *g, uint64_t now_ns) {
    const struct tally *canary = &g->usual[GOVERN_CANARY];
    bool clean = (g->confirmed_sent > 100 && g->confirmed_lost < DIP_LOSS * g->confirmed_sent) ||
                 (canary->sent > 100 && canary->answered > (1 - DIP_LOSS) * canary->sent);
    bool quick = answers_for(g, (1 - DIP) / 2) < answer_rate(g) * DIP_TEST_SECONDS;
    return now_ns >= g->dip_ns && g->rate > g->floor && (g->bottomless ? epoch_is_long(g) : !clean && quick);
}

static void hold_on(struct govern *g, uint64_t now_ns) {
    if (over_capacity(g, LEVEL_FALL)) {
        g->before_fall = g->rate;
        settle(g, capacity(g), now_ns);
    } else if (dip_is_due(g, now_ns)) {
        g->dips++;
        g->before = g->rate;
        g->phase = GOVERN_DIP;
        rate_set(g, g->rate * (g->bottomless ? DIP_DEEP : DIP), now_ns);
    } else if (now_ns >= g->hold_until_ns && g->rate < g->cap && g->last_ns != 0) {
        double step = fmax(g->step, step_min(g));
        bool prepared = answers_of(g->usual) >= answers_for(g, step) || now_ns - g->hold_until_ns > PREPARE_NS;
        if (answer_rate(g) < BLIND_ANSWERS)
            climb_blind(g, now_ns);
        else if (prepared)
            climb(g, step, now_ns);
    }
}

static void dip_judge(struct govern *g, uint64_t now_ns) {
    double low = (g->before + g->rate) / 2;
    bool over = now_ns - epoch_start(g) > (g->bottomless ? TRIAL_MAX_NS : DIP_LONGEST_NS) + g->timeout_ns;
    if (!epoch_is_long(g) && !over)
        return;
    if (curve_best(&g->curve) <= low && limitless(g, curve_best(&g->curve)) < -LEVEL_TRIAL) {
        g->dip_wait_ns = HOLD_MIN_NS;
        g->dip_ns = now_ns;
        g->before_fall = g->before;
        settle(g, capacity(g), now_ns);
        g->step = step_min(g);
    } else if (over && g->bottomless) {
        g->bottomless = false;
        settle(g, g->rate / KEEP, now_ns);
    } else if (over || limitless(g, low) > LEVEL_ACCEPT) {
        g->dip_wait_ns = g->dip_wait_ns < DIP_MAX_NS ? 2 * g->dip_wait_ns : DIP_MAX_NS;
        g->dip_ns = now_ns + g->dip_wait_ns;
        g->bottomless = false;
        rate_set(g, g->before, now_ns);
        hold(g, now_ns, 0);
    }
}

/* The path did it: what it was before is no guide any more. */
static void path_changed(struct govern *g, double rate, uint64_t now_ns) {
    g->path_falls++;
    g->dip_wait_ns = DIP_FIRST_NS;
    g->dip_ns = now_ns + DIP_FIRST_NS;
    g->shut_ns = 0;
    rate_set(g, rate, now_ns);
    watches_reset(g);
    hold(g, now_ns, 0);
}

/* Answers have (nearly) stopped. Nothing says how many packets would get through, so it creeps until they come back; if
 * they do not, nobody is helped by creeping on. */
static void shut(struct govern *g, double ratio, uint64_t now_ns) {
    g->cause = GOVERN_CAUSE_SHUT;
    if (g->shut_ns == 0)
        g->shut_ns = now_ns;
    if (now_ns - g->shut_ns > SHUT_MAX_NS)
        path_changed(g, g->rate, now_ns);
    else if (g->rate > g->floor)
        cut(g, g->rate, ratio, now_ns);
    else
        start_anew(g, now_ns);
}

/* The share since the fall, at the rate before and at the lower one, says which of the two did it: the share of a path
 * that has become worse stays; that of a path that carries no more rises as the rate falls. */
static void trial_judge(struct govern *g, uint64_t now_ns) {
    double ratio = ratio_of(g, g->epoch);
    if (g->last_ns - g->first_ns < TRIAL_MIN_NS)
        return;
    bool too_few = ratio < 1 && evidence(g, g->epoch, fmax(ratio, 0.02)) > LEVEL_FALL;
    bool recovered = evidence(g, g->epoch, fmin(fmax(g->ratio, 0.02), 0.95)) <= -LEVEL_ACCEPT;
    double carried = g->rate / KEEP_TRIAL;
    if (too_few && ratio < SHUT_RATIO) {
        shut(g, ratio, now_ns);
    } else if (recovered) {
        curve_join(&g->curve, &g->old, carried); /* the rate did it: what is known of lower ones holds */
        settle(g, carried, now_ns);
    } else if (too_few && over_capacity(g, LEVEL_ACCEPT) && g->rate > g->floor) {
        cut(g, g->rate, ratio, now_ns);
    } else if (too_few && g->last_ns - g->first_ns >= SPAN_PATH_NS && limitless(g, carried) > LEVEL_TRIAL) {
        path_changed(g, g->before_fall, now_ns);
    } else if (now_ns - epoch_start(g) > TRIAL_MAX_NS + g->timeout_ns) {
        settle(g, carried, now_ns);
    }
}

bool govern_step(struct govern *g, uint64_t now_ns, uint64_t packets) {
    if (now_ns < g->next_ns)
        return false;
    g->next_ns = now_ns + GOVERN_TICK_NS;
    double rate = g->rate;
    sender_update(g, now_ns, packets);
    forget(g, now_ns);
    delay_follow(&g->delay, g->rtt_ns);
    curve_fit(&g->curve, g->noise);
    known_set(g);
    if (g->phase == GOVERN_TRIAL) {
        trial_judge(g, now_ns);
    } else if (g->phase == GOVERN_LEARN) {
        usual_set(g, NULL);
        learn(g, now_ns);
    } else if (g->phase == GOVERN_CLIMB || !fallen(g, now_ns)) { /* a fall after a step is the step's first */
        risen(g);
        usual_set(g, NULL);
        if (g->phase == GOVERN_HOLD)
            noise_update(g);
        if (g->phase == GOVERN_DIP)
            dip_judge(g, now_ns);
        else if (drained(g, now_ns))
            watches_reset(g);
        else if (g->phase == GOVERN_CLIMB)
            climb_judge(g, now_ns);
        else
            hold_on(g, now_ns);
    }
    return g->rate != rate;
}

uint64_t govern_milli_pps(const struct govern *g) {
    return (uint64_t)(g->rate * 1000);
}

unsigned govern_canary_every(const struct govern *g) {
    const struct tally *b = &g->usual[GOVERN_NATURAL];
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
}
