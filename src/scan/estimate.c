#include "scan/estimate.h"

#include <math.h>

/* Quadrature: phi on a grid that is narrowed to where the posterior is; mu, at each phi, on nodes around its mode. */
#define PHI_NODES 11u
#define MU_NODES 9u
#define NODES (PHI_NODES * MU_NODES)
#define MU_STEP 0.8  /* between nodes, in standard deviations at the mode */
#define NEGLIGIBLE 7 /* log posterior below the best: a part in a thousand */

/* log phi: below the first a beta is not to be told from a point, even at 100,000 endpoints; at the second most hosts
 * lose nearly all or nearly nothing. */
#define PHI_LOG_MIN (-9.2)
#define PHI_LOG_MAX 0.0
#define PHI_SCALE 0.25 /* of the exponential beyond which the prior of phi falls off */
/* logit mu */
#define MU_LOGIT_MIN (-30.0)
#define MU_LOGIT_MAX 5.0
#define MU_PRIOR_A 0.5
#define MU_PRIOR_B 1.0

#define MISSED_MAX (1 - 1e-12) /* so that what was seen stays above rounding */

/* Bursts: endpoints are lost in clumps, so the counts vary more than draws one by one would. How much is a further
 * unknown, with few values and a prior that takes single draws for the rule. */
#define CLUMPS 4u
static const struct {
    double size, prior;
} clumps[CLUMPS] = {{1, 0.95}, {4, 0.03}, {16, 0.015}, {64, 0.005}};
#define CLUMP_COUNT_MIN 5 /* a count below this is too small to show clumps */

#define MISSED_LEVEL 0.95
#define ENOUGH_DOUBT 0.05      /* weight of the posterior beyond the mark that may be left */
#define ENOUGH_DOUBT_FALL 0.02 /* the same, to say less than before */

struct evidence {
    unsigned tries;
    double n;                          /* endpoints answered by a known try */
    double seen;                       /* endpoints answered at all */
    double after[ESTIMATE_TRIES_MAX];  /* answered after try j */
    double from[ESTIMATE_TRIES_MAX];   /* answered at try j or after */
    double ends[ESTIMATE_TRIES_MAX];   /* share of endpoints for which try j was the last */
    double perfect;                    /* log likelihood of a model that fits each count */
    unsigned freedom;                  /* ratios between counts that are large enough to show clumps */
};

struct node {
    double mu, phi, weight;
};

static bool evidence_read(struct evidence *v, const struct estimate_counts *c) {
    *v = (struct evidence){.tries = c->tries < ESTIMATE_TRIES_MAX ? c->tries : ESTIMATE_TRIES_MAX};
    v->seen = (double)c->answered_unknown;
    while (v->tries > 0 && c->reached[v->tries - 1] == 0)
        v->seen += (double)c->answered[--v->tries];
    if (v->tries < 2 || c->reached[0] == 0)
        return false;
    double share[ESTIMATE_TRIES_MAX + 1] = {1};
    for (unsigned k = 1; k < v->tries; k++)
        share[k] = fmin(share[k - 1], (double)c->reached[k] / (double)c->reached[0]);
    for (unsigned k = v->tries; k-- > 0;) {
        v->ends[k] = share[k] - share[k + 1];
        v->after[k] = v->n;
        v->n += (double)c->answered[k];
        v->from[k] = v->n;
    }
    v->seen += v->n;
    unsigned large = 0;
    for (unsigned k = 0; k < v->tries; k++) {
        double n = (double)c->answered[k];
        large += n >= CLUMP_COUNT_MIN;
        v->perfect += n > 0 && share[k] > 0 ? n * log(n / v->n / share[k]) : 0;
    }
    v->freedom = large > 0 ? large - 1 : 0;
    return true;
}

/* The same evidence where endpoints come in clumps of that size, each clump a single draw. */
static void evidence_clump(struct evidence *v, const struct evidence *single, double size) {
    *v = *single;
    v->n /= size;
    v->perfect /= size;
    for (unsigned k = 0; k < v->tries; k++) {
        v->after[k] /= size;
        v->from[k] /= size;
    }
}

/* A column of constant phi: what does not depend on mu. */
struct column {
    double phi, log_phi;
    double scale[ESTIMATE_TRIES_MAX]; /* 1 / (1 + j phi) */
    double constant;                  /* part of the log posterior */
};

static void column_set(struct column *col, const struct evidence *v, double log_phi) {
    col->log_phi = log_phi;
    col->phi = exp(log_phi);
    col->constant = -col->phi / PHI_SCALE;
    for (unsigned j = 0; j < v->tries; j++) {
        double s = 1 + j * col->phi;
        col->scale[j] = 1 / s;
        if (v->from[j] > 0)
            col->constant -= v->from[j] * log(s);
    }
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* Slope of the log posterior in logit mu. */
static double column_slope(const struct column *col, const struct evidence *v, double x) {
    double mu = logistic(x), rest = 1 / (1 + exp(x));
    double unseen = 1, inverse = 0, missed = 0, d_missed = 0, slope = 0;
    for (unsigned j = 0; j < v->tries; j++) {
        double m = mu + j * col->phi, i = 1 / m;
        slope += v->after[j] * i;
        inverse += i;
        unseen *= m * col->scale[j];
        missed += v->ends[j] * unseen;
        d_missed += v->ends[j] * unseen * inverse;
    }
    slope += (v->n + 0.5) * d_missed / (1 - fmin(missed, MISSED_MAX));
    return mu * rest * slope - v->n * mu + MU_PRIOR_A * rest - MU_PRIOR_B * mu;
}

/* Share of live endpoints that no try reached. */
static double column_missed(const struct column *col, const struct evidence *v, double mu) {
    double unseen = 1, missed = 0;
    for (unsigned j = 0; j < v->tries; j++) {
        unseen *= (mu + j * col->phi) * col->scale[j];
        missed += v->ends[j] * unseen;
    }
    return missed;
}

static double column_log_posterior(const struct column *col, const struct evidence *v, double x) {
    double mu = logistic(x), log_rest = -log1p(exp(x)), log_mu = x + log_rest;
    double sum = col->constant + (v->n + MU_PRIOR_B) * log_rest + (v->after[0] + MU_PRIOR_A) * log_mu;
    for (unsigned j = 1; j < v->tries && v->after[j] > 0; j++)
        sum += v->after[j] * log(mu + j * col->phi);
    return sum - (v->n + 0.5) * log1p(-fmin(column_missed(col, v, mu), MISSED_MAX));
}

/* Where the slope in logit mu is 0, to a tenth of the standard deviation: Newton's method from a guess of both, and
 * where that does not arrive, a bracket and Illinois' false position. */
static double column_mode(const struct column *col, const struct evidence *v, double guess, double sd) {
    double close = 0.01 * (1 + v->after[0]);
    for (int i = 0; i < 4; i++) {
        double at = column_slope(col, v, guess);
        if (at * at < close)
            return guess;
        guess = fmax(fmin(guess + fmax(fmin(at * sd * sd, 1), -1), MU_LOGIT_MAX), MU_LOGIT_MIN);
    }
    double width = 0.1, lo = guess, hi = guess, f_lo, f_hi;
    f_lo = f_hi = column_slope(col, v, guess);
    while (f_lo <= 0 && lo > MU_LOGIT_MIN) {
        hi = lo, f_hi = f_lo;
        lo = fmax(lo - width, MU_LOGIT_MIN), width *= 3;
        f_lo = column_slope(col, v, lo);
    }
    while (f_hi > 0 && hi < MU_LOGIT_MAX) {
        lo = hi, f_lo = f_hi;
        hi = fmin(hi + width, MU_LOGIT_MAX), width *= 3;
        f_hi = column_slope(col, v, hi);
    }
    if (f_lo <= 0)
        return lo;
    if (f_hi > 0)
        return hi;
    double x = guess;
    for (int i = 0, side = 0; i < 40 && hi - lo > 1e-5; i++) {
        x = (lo * f_hi - hi * f_lo) / (f_hi - f_lo);
        double f = column_slope(col, v, x);
        if (f * f < close)
            break;
        if (f > 0) {
            lo = x, f_lo = f;
            f_hi = side > 0 ? f_hi / 2 : f_hi, side = 1;
        } else {
            hi = x, f_hi = f;
            f_lo = side < 0 ? f_lo / 2 : f_lo, side = -1;
        }
    }
    return x;
}

/* Each phi's best mu, how wide the posterior is there, and what it holds by Laplace's approximation. */
struct ridge {
    struct column columns[PHI_NODES];
    double mode[PHI_NODES], sd[PHI_NODES], log_sd[PHI_NODES], log_mass[PHI_NODES];
    double best; /* of log_mass */
};

static void ridge_climb(struct ridge *r, const struct evidence *v, double from, double to, double guess) {
    double sd = 1 / sqrt(1 + v->after[0]);
    r->best = -INFINITY;
    for (unsigned i = 0; i < PHI_NODES; i++) {
        struct column *col = &r->columns[i];
        column_set(col, v, from + (to - from) * i / (PHI_NODES - 1));
        if (i > 1)
            guess = 2 * r->mode[i - 1] - r->mode[i - 2];
        guess = r->mode[i] = column_mode(col, v, guess, sd);
        double h = 0.02 / sqrt(1 + v->after[0] / 100);
        double curve = (column_slope(col, v, guess - h) - column_slope(col, v, guess + h)) / (2 * h);
        r->sd[i] = sd = curve > 0.1 ? 1 / sqrt(curve) : sqrt(10);
        r->log_sd[i] = log(sd);
        r->log_mass[i] = column_log_posterior(col, v, guess) + r->log_sd[i];
        r->best = fmax(r->best, r->log_mass[i]);
    }
}

/* The posterior of (mu, phi) as weighted nodes whose weights' sum is 1. Returns the log evidence for the model, but for
 * a constant that depends on the counts alone. */
static double posterior(const struct evidence *v, struct node nodes[NODES]) {
    struct ridge r;
    double from = PHI_LOG_MIN, to = PHI_LOG_MAX;
    double guess = fmin(log((v->after[0] + 0.5) / (v->n - v->after[0] + 1)), MU_LOGIT_MAX);
    for (unsigned round = 0;; round++) {
        ridge_climb(&r, v, from, to, guess);
        unsigned first = 0, last = PHI_NODES - 1;
        while (first < last && r.log_mass[first] < r.best - NEGLIGIBLE)
            first++;
        while (last > first && r.log_mass[last] < r.best - NEGLIGIBLE)
            last--;
        first -= first > 0;
        last += last < PHI_NODES - 1;
        if (round == 2 || last - first > PHI_NODES / 2)
            break;
        guess = r.mode[first];
        from = r.columns[first].log_phi;
        to = r.columns[last].log_phi;
    }
    double best = -INFINITY, sum = 0;
    for (unsigned i = 0; i < NODES; i++) {
        unsigned p = i / MU_NODES;
        double x = r.mode[p] + ((double)(i % MU_NODES) - MU_NODES / 2) * MU_STEP * r.sd[p];
        x = fmax(fmin(x, MU_LOGIT_MAX), MU_LOGIT_MIN);
        double log_weight = -INFINITY;
        if (r.log_mass[p] >= r.best - NEGLIGIBLE - 2)
            log_weight = column_log_posterior(&r.columns[p], v, x) + r.log_sd[p];
        nodes[i] = (struct node){.mu = logistic(x), .phi = r.columns[p].phi, .weight = log_weight};
        best = fmax(best, log_weight);
    }
    for (unsigned i = 0; i < NODES; i++)
        sum += nodes[i].weight = exp(nodes[i].weight - best);
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].weight /= sum;
    return best + log(sum * (to - from)) - v->perfect;
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
struct forecast {
    unsigned n;
    double share[CLUMPS * NODES], weight[CLUMPS * NODES], clump[CLUMPS * NODES];
    double seen; /* endpoints answered, of the kind that is asked for */
    double cap;  /* silent endpoints */
};

/* Nodes of one clump size, which has that share of the posterior. */
static void forecast_add(struct forecast *f, const struct evidence *v, const struct node nodes[NODES], double clump,
                         double share) {
    for (const struct node *node = nodes; node < nodes + NODES; node++) {
        if (node->weight * share < 1e-5)
            continue;
        struct column col = {.phi = node->phi};
        for (unsigned j = 0; j < v->tries; j++)
            col.scale[j] = 1 / (1 + j * col.phi);
        f->weight[f->n] = node->weight * share;
        f->clump[f->n] = clump;
        f->share[f->n++] = fmin(column_missed(&col, v, node->mu), MISSED_MAX);
    }
}

static double forecast_cdf(const struct forecast *f, double k) {
    double sum = 0;
    for (unsigned i = 0; i < f->n; i++)
        sum += f->weight[i] * missed_cdf(k / f->clump[i], f->seen / f->clump[i], f->share[i]);
    return sum;
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

void estimate_missed(const struct estimate_counts *c, uint64_t found, struct estimate *out) {
    struct evidence v;
    *out = (struct estimate){.known = false};
    if (!evidence_read(&v, c))
        return;
    struct node nodes[CLUMPS][NODES];
    double odds[CLUMPS], best = -INFINITY, sum = 0;
    for (unsigned i = 0; i < CLUMPS; i++) {
        struct evidence clumped;
        evidence_clump(&clumped, &v, clumps[i].size);
        odds[i] = posterior(&clumped, nodes[i]) - 0.5 * v.freedom * log(clumps[i].size) + log(clumps[i].prior);
        best = fmax(best, odds[i]);
    }
    for (unsigned i = 0; i < CLUMPS; i++)
        sum += odds[i] = exp(odds[i] - best);

    struct forecast f = {.seen = v.seen + 0.5, .cap = fmin(fmax((double)c->reached[0] - v.seen, 0), 0x1p63)};
    for (unsigned i = 0; i < CLUMPS; i++) {
        for (unsigned j = 0; j < NODES; j++)
            out->loss += odds[i] / sum * nodes[i][j].weight * nodes[i][j].mu;
        forecast_add(&f, &v, nodes[i], clumps[i].size, odds[i] / sum);
    }
    out->known = true;
    out->live = forecast_range(&f);
    /* The open ones' share of the half an endpoint that the prior sees; all of it where nothing was seen. */
    f.seen = (double)found + (v.seen > 0 ? 0.5 * fmin((double)found / v.seen, 1) : 0.5);
    f.cap = (double)out->live.high;
    if (f.seen > 0)
        out->open = forecast_range(&f);
}

unsigned estimate_enough(const struct estimate_counts *c, double miss, unsigned previous) {
    struct evidence v;
    if (!evidence_read(&v, c) || v.from[0] < ESTIMATE_ANSWERS_MIN)
        return 0;
    struct node nodes[NODES];
    posterior(&v, nodes);
    double doubt[ESTIMATE_RETRIES_MAX] = {0}; /* weight where more than half of miss is unseen after k re-probes */
    for (unsigned i = 0; i < NODES; i++) {
        double unseen = nodes[i].mu;
        for (unsigned k = 1; k < ESTIMATE_RETRIES_MAX; k++) {
            unseen *= (nodes[i].mu + k * nodes[i].phi) / (1 + k * nodes[i].phi);
            if (unseen < miss / 2)
                break;
            doubt[k] += nodes[i].weight;
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
