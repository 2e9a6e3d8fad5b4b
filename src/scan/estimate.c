#include "scan/estimate.h"

#include <math.h>

#include "scan/loss.h"

/* What is taken for likely before anything is seen: that loss is even, as on most paths. */
static const double model_prior[LOSS_MODELS] = {[LOSS_EVEN] = 0.75, [LOSS_SPREAD] = 0.1, [LOSS_CLASSES] = 0.15};

/* Bursts: endpoints are lost in clumps, so the counts vary more than draws one by one would. How much is a further
 * unknown, with few values and a prior that takes single draws for the rule. */
#define CLUMPS 4u
static const struct {
    double size, prior;
} clumps[CLUMPS] = {{1, 0.98}, {4, 0.012}, {16, 0.005}, {64, 0.003}};
#define CLUMP_COUNT_MIN 5 /* a count below this is too small to show clumps */

#define NEGLIGIBLE 1e-4 /* weight of a node that a forecast leaves out */
#define MISSED_LEVEL 0.95
#define ENOUGH_DOUBT 0.05      /* weight of the posterior beyond the mark that may be left */
#define ENOUGH_DOUBT_FALL 0.02 /* the same, to say less than before */

/* One model with one size of clumps: its share of the posterior, and its nodes. */
#define PARTS (CLUMPS * LOSS_MODELS)
struct part {
    double odds, clump;
    unsigned n;
    struct loss_node nodes[LOSS_NODES_MAX];
};

/* What the counts say, and what of it no model can alter. */
struct record {
    struct evidence v;
    double seen;      /* endpoints answered at all, by a known try or not */
    double perfect;   /* log likelihood of a model that fits each count */
    unsigned freedom; /* ratios between counts that are large enough to show clumps */
};

static bool record_read(struct record *r, const struct estimate_counts *c) {
    struct evidence *v = &r->v;
    *r = (struct record){.v.tries = c->tries < ESTIMATE_TRIES_MAX ? c->tries : ESTIMATE_TRIES_MAX};
    r->seen = (double)c->answered_unknown;
    while (v->tries > 0 && c->reached[v->tries - 1] == 0)
        r->seen += (double)c->answered[--v->tries];
    if (v->tries < 2 || c->reached[0] == 0)
        return false;
    double share[ESTIMATE_TRIES_MAX + 1] = {1};
    for (unsigned k = 1; k < v->tries; k++)
        share[k] = fmin(share[k - 1], (double)c->reached[k] / (double)c->reached[0]);
    unsigned large = 0;
    for (unsigned k = 0; k < v->tries; k++) {
        v->ends[k] = share[k] - share[k + 1];
        v->answered[k] = (double)c->answered[k];
        v->n += v->answered[k];
        large += v->answered[k] >= CLUMP_COUNT_MIN;
    }
    for (unsigned k = 0; k < v->tries; k++) {
        if (v->answered[k] > 0 && share[k] > 0)
            r->perfect += v->answered[k] * log(v->answered[k] / v->n / share[k]);
    }
    r->freedom = large > 0 ? large - 1 : 0;
    r->seen += v->n;
    return true;
}

/* The same evidence where endpoints come in clumps of that size, each clump a single draw. */
static void evidence_clump(struct evidence *v, const struct evidence *single, double size) {
    *v = *single;
    v->n /= size;
    for (unsigned k = 0; k < v->tries; k++)
        v->answered[k] /= size;
}

/* P(X <= k) of the negative binomial: endpoints missed when r were seen and a share of `missed` is not. */
static double missed_cdf(double k, double r, double missed) {
    if (k < 0)
        return 0;
    double seen = 1 - missed, mean = r * missed / seen;
    if (mean < 8 && k < 64) {
        double p = exp(r * log1p(-missed)), sum = p;
        for (double i = 0; i + 1 <= k; i++)
            sum += p *= (r + i) / (i + 1) * missed;
        return sum;
    }
    /* The beta integral I(seen; r, k + 1): Abramowitz and Stegun 26.5.21. */
    double a = r, b = k + 1, w1 = cbrt(b * seen), w2 = cbrt(a * missed);
    double y = 3 * (w1 * (1 - 1 / (9 * b)) - w2 * (1 - 1 / (9 * a))) / sqrt(w1 * w1 / b + w2 * w2 / a);
    return 0.5 * erfc(-y * M_SQRT1_2);
}

/* Posterior of the share missed, and of a number missed that is to be predicted from it. */
#define FORECAST_MAX (PARTS * LOSS_NODES_MAX)
struct forecast {
    unsigned n;
    double sum; /* of weights */
    double share[FORECAST_MAX], weight[FORECAST_MAX], clump[FORECAST_MAX];
    double seen; /* endpoints answered, of the kind that is asked for */
    double cap;  /* silent endpoints */
};

static double forecast_cdf(const struct forecast *f, double k) {
    double sum = 0;
    for (unsigned i = 0; i < f->n; i++)
        sum += f->weight[i] * missed_cdf(k / f->clump[i], f->seen / f->clump[i], f->share[i]);
    return sum / f->sum;
}

/* The least k <= cap with P(X <= k) >= p. */
static double forecast_quantile(const struct forecast *f, double p) {
    double lo = -1, hi = fmin(1, f->cap);
    while (hi < f->cap && forecast_cdf(f, hi) < p)
        lo = hi, hi = fmin(hi * 4, f->cap);
    for (double mid; mid = floor((lo + hi) / 2), mid > lo && mid < hi;) {
        if (forecast_cdf(f, mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

/* The shortest of the intervals that hold the level, by the share of what is left out that lies below. */
static struct estimate_range forecast_range(const struct forecast *f) {
    double missed = forecast_quantile(f, 0.5), low = 0, high = forecast_quantile(f, MISSED_LEVEL);
    for (unsigned i = 1; i <= 5; i++) {
        double below = (1 - MISSED_LEVEL) * i / 10;
        double l = forecast_quantile(f, below), h = forecast_quantile(f, below + MISSED_LEVEL);
        if (h - l < high - low)
            low = l, high = h;
    }
    return (struct estimate_range){.missed = (uint64_t)missed, .low = (uint64_t)low, .high = (uint64_t)high};
}

static void part_weigh(struct part *p, const struct record *r, enum loss_model model, unsigned clump) {
    struct evidence v;
    p->clump = clumps[clump].size;
    evidence_clump(&v, &r->v, p->clump);
    p->odds = loss_posterior(model, &v, p->nodes, &p->n) - r->perfect / p->clump - 0.5 * r->freedom * log(p->clump) +
              log(clumps[clump].prior * model_prior[model]);
}

/* All models with all sizes of clumps. */
static void parts_weigh(struct part parts[PARTS], const struct record *r) {
    double best = -INFINITY, sum = 0;
    for (unsigned i = 0; i < PARTS; i++) {
        part_weigh(&parts[i], r, (enum loss_model)(i % LOSS_MODELS), i / LOSS_MODELS);
        best = fmax(best, parts[i].odds);
    }
    for (unsigned i = 0; i < PARTS; i++)
        sum += parts[i].odds = exp(parts[i].odds - best);
    for (unsigned i = 0; i < PARTS; i++)
        parts[i].odds /= sum;
}

static void forecast_add(struct forecast *f, const struct part *p) {
    for (unsigned i = 0; i < p->n; i++) {
        double weight = p->odds * p->nodes[i].weight;
        if (weight < NEGLIGIBLE)
            continue;
        f->sum += f->weight[f->n] = weight;
        f->clump[f->n] = p->clump;
        f->share[f->n++] = p->nodes[i].missed;
    }
}

void estimate_missed(const struct estimate_counts *c, uint64_t found, struct estimate *out) {
    struct record r;
    *out = (struct estimate){.known = false};
    if (!record_read(&r, c))
        return;
    struct part parts[PARTS];
    parts_weigh(parts, &r);
    struct forecast f = {.seen = r.seen + 0.5, .cap = fmin(fmax((double)c->reached[0] - r.seen, 0), 0x1p63)};
    for (unsigned i = 0; i < PARTS; i++)
        forecast_add(&f, &parts[i]);
    out->known = true;
    out->live = forecast_range(&f);
    if (r.v.n > 0)
        out->loss = 1 - r.v.answered[0] / r.v.n * r.seen / (r.seen + (double)out->live.missed);
    /* The open ones' share of the half an endpoint that the prior sees; all of it where nothing was seen. */
    f.seen = (double)found + (r.seen > 0 ? 0.5 * fmin((double)found / r.seen, 1) : 0.5);
    f.cap = (double)out->live.high;
    if (f.seen > 0)
        out->open = forecast_range(&f);
}

unsigned estimate_enough(const struct estimate_counts *c, double miss, unsigned previous) {
    struct record r;
    if (!record_read(&r, c) || r.v.n < ESTIMATE_ANSWERS_MIN)
        return 0;
    struct loss_node nodes[LOSS_NODES_MAX];
    unsigned n;
    loss_posterior(LOSS_SPREAD, &r.v, nodes, &n);
    double doubt[ESTIMATE_RETRIES_MAX] = {0}; /* weight where more than half of miss is unseen after k re-probes */
    for (const struct loss_node *node = nodes; node < nodes + n; node++) {
        double unseen = node->at;
        for (unsigned k = 1; k < ESTIMATE_RETRIES_MAX; k++) {
            unseen *= (node->at + k * node->phi) / (1 + k * node->phi);
            if (unseen < miss / 2)
                break;
            doubt[k] += node->weight;
        }
    }
    unsigned enough = 1;
    while (enough < ESTIMATE_RETRIES_MAX && doubt[enough] > (enough < previous ? ENOUGH_DOUBT_FALL : ENOUGH_DOUBT))
        enough++;
    return enough;
}

void estimate_fade(struct estimate_counts *c) {
    for (unsigned k = 0; k < ESTIMATE_TRIES_MAX; k++) {
        c->reached[k] /= 2;
        c->answered[k] /= 2;
    }
    c->answered_unknown /= 2;
}
