#include "scan/loss.h"

#include <limits.h>
#include <math.h>

/* Quadrature: a box of lines, narrowed to where the posterior is; on each line nodes around its mode. */
#define LINES_MAX 144u
#define LINE_NODES 7u /* one standard deviation apart: three to each side */
#define NEGLIGIBLE 7  /* log posterior below the best: a part in a thousand */
#define ROUNDS 5u     /* of narrowing */

#define LOSS_LOGIT_MIN (-30.0)
#define LOSS_LOGIT_MAX 5.0
#define LOSS_PRIOR_A 0.5 /* Beta(1/2, 1) of the loss, in LOSS_CLASSES of that of the better path */
#define LOSS_PRIOR_B 1.0

#define PHI_SCALE 0.25       /* of the exponential beyond which the prior of phi falls off */
#define PHI_PRIOR_MASS 7.233 /* integral of exp(-phi / PHI_SCALE) / phi over its range */
#define SHARE_MIN 0.04 /* of endpoints behind the worse path: fewer are LOSS_SPREAD's to tell */
#define SHARE_MAX 0.5

#define MISSED_MAX (1 - 1e-12) /* so that what was seen stays above rounding */

struct line;
struct point;

/* A model's shape is given by two parameters: they span a box, whose sides are cut into so many parts. */
struct axis {
    double from, to;
    unsigned parts;
};

struct model {
    struct axis axes[2];
    void (*set)(struct line *line, double a, double b);      /* the line through a point of the box */
    void (*point)(const struct line *line, struct point *p); /* all but missed, from the loss */
};

/* Where the shape is fixed, and only the loss moves. */
struct line {
    const struct model *model;
    const struct evidence *v;
    double log_prior;
    double phi, scale[ESTIMATE_TRIES_MAX]; /* 1 / (1 + j phi) */
    double share, worse; /* endpoints behind the worse path; how much is lost there of what passes elsewhere */
};

/* What a point of a line says of a live endpoint, and the slopes of that in the logit of the loss. */
struct point {
    double at, rest;                        /* the loss, and 1 less that */
    double first[ESTIMATE_TRIES_MAX];       /* it is first answered at try j */
    double first_slope[ESTIMATE_TRIES_MAX];
    double unseen[ESTIMATE_TRIES_MAX];      /* it isn't answered by any up to try j */
    double unseen_slope[ESTIMATE_TRIES_MAX];
    double missed, missed_slope;            /* it isn't answered by any that its chunk had */
};

static void even_set(struct line *line, double a, double b) {
    (void)a, (void)b;
    for (unsigned j = 0; j < line->v->tries; j++)
        line->scale[j] = 1;
}

static void spread_set(struct line *line, double log_phi, double unused) {
    (void)unused;
    line->phi = exp(log_phi);
    line->log_prior = -line->phi / PHI_SCALE - log(PHI_PRIOR_MASS);
    for (unsigned j = 0; j < line->v->tries; j++)
        line->scale[j] = 1 / (1 + j * line->phi);
}

static void spread_point(const struct line *line, struct point *p) {
    double unseen = 1, inverse = 0, moves = p->at * p->rest;
    for (unsigned j = 0; j < line->v->tries; j++) {
        double m = p->at + j * line->phi;
        p->first[j] = unseen * p->rest * line->scale[j];
        p->first_slope[j] = p->first[j] * (inverse * moves - p->at);
        unseen *= m * line->scale[j];
        inverse += 1 / m;
        p->unseen[j] = unseen;
        p->unseen_slope[j] = unseen * inverse * moves;
    }
}

/* Beta(2, 2) of how much worse: two paths that lose the same are none, and one that loses all is none either. */
static void classes_set(struct line *line, double log_share, double worse) {
    line->share = SHARE_MIN * pow(SHARE_MAX / SHARE_MIN, log_share);
    line->worse = worse;
    line->log_prior = log(6 * worse * (1 - worse));
}

static void classes_point(const struct line *line, struct point *p) {
    double rest[2] = {p->rest, p->rest * (1 - line->worse)};
    double loss[2] = {p->at, 1 - rest[1]}, moves[2], unseen[2] = {1 - line->share, line->share};
    for (unsigned i = 0; i < 2; i++)
        moves[i] = p->at * rest[i];
    for (unsigned j = 0; j < line->v->tries; j++) {
        p->first[j] = p->first_slope[j] = p->unseen[j] = p->unseen_slope[j] = 0;
        for (unsigned i = 0; i < 2; i++) {
            p->first[j] += unseen[i] * rest[i];
            p->first_slope[j] += unseen[i] * moves[i] * (j * rest[i] / loss[i] - 1);
            unseen[i] *= loss[i];
            p->unseen[j] += unseen[i];
            p->unseen_slope[j] += unseen[i] * (j + 1) * moves[i] / loss[i];
        }
    }
}

static const struct model models[LOSS_MODELS] = {
    [LOSS_EVEN] = {{{0, 1, 1}, {0, 1, 1}}, even_set, spread_point},
    /* log phi: below the first a beta is not to be told from a point, even at 100,000 endpoints; at the second most
     * hosts lose nearly all or nearly nothing. */
    [LOSS_SPREAD] = {{{-9.2, 0, 11}, {0, 1, 1}}, spread_set, spread_point},
    /* log share, scaled to its range; worse. */
    [LOSS_CLASSES] = {{{0, 1, 12}, {0, 1, 12}}, classes_set, classes_point},
};

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

static double within(double logit) {
    return fmax(fmin(logit, LOSS_LOGIT_MAX), LOSS_LOGIT_MIN);
}

static void point_at(const struct line *line, double x, struct point *p) {
    const struct evidence *v = line->v;
    p->at = logistic(x);
    p->rest = logistic(-x);
    p->missed = p->missed_slope = 0;
    line->model->point(line, p);
    for (unsigned j = 0; j < v->tries; j++) {
        p->missed += v->ends[j] * p->unseen[j];
        p->missed_slope += v->ends[j] * p->unseen_slope[j];
    }
    p->missed = fmin(p->missed, MISSED_MAX);
}

/* Slope of the log posterior in the logit of the loss. */
static double line_slope(const struct line *line, double x) {
    const struct evidence *v = line->v;
    struct point p;
    point_at(line, x, &p);
    double slope = (v->n + 0.5) * p.missed_slope / (1 - p.missed) + LOSS_PRIOR_A * p.rest - LOSS_PRIOR_B * p.at;
    for (unsigned j = 0; j < v->tries; j++)
        slope += v->answered[j] > 0 ? v->answered[j] * p.first_slope[j] / p.first[j] : 0;
    return slope;
}

static double point_log_posterior(const struct line *line, const struct point *p) {
    const struct evidence *v = line->v;
    double sum = line->log_prior + LOSS_PRIOR_A * log(p->at) + LOSS_PRIOR_B * log(p->rest);
    for (unsigned j = 0; j < v->tries; j++)
        sum += v->answered[j] > 0 ? v->answered[j] * log(p->first[j]) : 0;
    return sum - (v->n + 0.5) * log1p(-p->missed);
}

/* Where the slope is 0, to a tenth of the standard deviation: Newton's method from a guess of both, and where that does
 * not arrive, a bracket and Illinois' false position. */
static double line_mode(const struct line *line, double guess, double sd) {
    double close = 0.01 * (1 + line->v->n - line->v->answered[0]);
    for (int i = 0; i < 4; i++) {
        double at = line_slope(line, guess);
        if (at * at < close)
            return guess;
        guess = within(guess + fmax(fmin(at * sd * sd, 1), -1));
    }
    double width = 0.1, lo = guess, hi = guess, f_lo, f_hi;
    f_lo = f_hi = line_slope(line, guess);
    while (f_lo <= 0 && lo > LOSS_LOGIT_MIN) {
        hi = lo, f_hi = f_lo;
        lo = fmax(lo - width, LOSS_LOGIT_MIN), width *= 3;
        f_lo = line_slope(line, lo);
    }
    while (f_hi > 0 && hi < LOSS_LOGIT_MAX) {
        lo = hi, f_lo = f_hi;
        hi = fmin(hi + width, LOSS_LOGIT_MAX), width *= 3;
        f_hi = line_slope(line, hi);
    }
    if (f_lo <= 0)
        return lo;
    if (f_hi > 0)
        return hi;
    double x = guess;
    for (int i = 0, side = 0; i < 40 && hi - lo > 1e-5; i++) {
        x = (lo * f_hi - hi * f_lo) / (f_hi - f_lo);
        double f = line_slope(line, x);
        if (f * f < close)
            return x;
        if (f > 0) {
            lo = x, f_lo = f;
            f_hi *= side > 0 ? 0.5 : 1;
            side = 1;
        } else {
            hi = x, f_hi = f;
            f_lo *= side < 0 ? 0.5 : 1;
            side = -1;
        }
    }
    return x;
}

/* A model's box, cut into lines: the best point of each, how wide the posterior is there, and what the line holds by
 * Laplace's approximation. */
struct box {
    struct axis axes[2];
    unsigned n;
    struct line lines[LINES_MAX];
    double mode[LINES_MAX], sd[LINES_MAX], log_mass[LINES_MAX];
    double best; /* of log_mass */
};

static double axis_part(const struct axis *axis) {
    return (axis->to - axis->from) / axis->parts;
}

static double axis_middle(const struct axis *axis, unsigned part) {
    return axis->from + (part + 0.5) * axis_part(axis);
}

/* The mode that the neighbours' modes lead to. */
static double box_guess(const struct box *b, unsigned i, double guess) {
    unsigned row = b->axes[1].parts, step = i % row > 0 ? 1 : row, before = i % row > 0 ? i % row : i / row;
    if (before < 2)
        return before == 0 ? guess : b->mode[i - step];
    return within(2 * b->mode[i - step] - b->mode[i - 2 * step]);
}

static void box_climb(struct box *b, const struct model *model, const struct evidence *v, double guess) {
    unsigned row = b->axes[1].parts;
    double again = v->n - v->answered[0], sd = 1 / sqrt(1 + again), h = 0.02 / sqrt(1 + again / 100);
    b->best = -INFINITY;
    b->n = b->axes[0].parts * row;
    for (unsigned i = 0; i < b->n; i++) {
        struct line *line = &b->lines[i];
        *line = (struct line){.model = model, .v = v};
        model->set(line, axis_middle(&b->axes[0], i / row), axis_middle(&b->axes[1], i % row));
        double mode = b->mode[i] = line_mode(line, box_guess(b, i, guess), sd);
        double curve = (line_slope(line, mode - h) - line_slope(line, mode + h)) / (2 * h);
        b->sd[i] = sd = curve > 0.1 ? 1 / sqrt(curve) : sqrt(10);
        struct point p;
        point_at(line, mode, &p);
        b->log_mass[i] = point_log_posterior(line, &p) + log(sd);
        b->best = fmax(b->best, b->log_mass[i]);
    }
}

static bool axis_narrow(struct axis *axis, unsigned first, unsigned last) {
    first -= first > 0;
    last += last + 1 < axis->parts;
    if (2 * (last - first + 1) > axis->parts)
        return false;
    double from = axis->from, part = axis_part(axis);
    axis->from = from + first * part;
    axis->to = from + (last + 1) * part;
    return true;
}

/* Leaves those parts of the axes in which something is. False: that is nearly all of them. */
static bool box_narrow(struct box *b) {
    unsigned first[2] = {UINT_MAX, UINT_MAX}, last[2] = {0, 0};
    for (unsigned i = 0; i < b->n; i++) {
        unsigned part[2] = {i / b->axes[1].parts, i % b->axes[1].parts};
        for (unsigned k = 0; k < 2 && b->log_mass[i] >= b->best - NEGLIGIBLE; k++) {
            first[k] = part[k] < first[k] ? part[k] : first[k];
            last[k] = part[k] > last[k] ? part[k] : last[k];
        }
    }
    bool narrowed = axis_narrow(&b->axes[0], first[0], last[0]);
    return axis_narrow(&b->axes[1], first[1], last[1]) || narrowed;
}

/* The nodes of one line, with log weights; returns the best of these. */
static double line_nodes(const struct line *line, double mode, double sd, struct loss_node nodes[LINE_NODES]) {
    double best = -INFINITY;
    for (unsigned i = 0; i < LINE_NODES; i++) {
        struct point p;
        point_at(line, within(mode + ((double)i - LINE_NODES / 2) * sd), &p);
        nodes[i] = (struct loss_node){.at = p.at, .phi = line->phi, .missed = p.missed,
                                      .weight = point_log_posterior(line, &p) + log(sd)};
        best = fmax(best, nodes[i].weight);
    }
    return best;
}

double loss_posterior(enum loss_model model, const struct evidence *v, struct loss_node nodes[LOSS_NODES_MAX],
                      unsigned *n) {
    struct box b;
    for (unsigned k = 0; k < 2; k++)
        b.axes[k] = models[model].axes[k];
    double guess = within(log((v->n - v->answered[0] + 0.5) / (v->answered[0] + 1)));
    box_climb(&b, &models[model], v, guess);
    for (unsigned round = 1; round < ROUNDS && box_narrow(&b); round++)
        box_climb(&b, &models[model], v, b.mode[0]);

    double best = -INFINITY, sum = 0;
    *n = 0;
    for (unsigned i = 0; i < b.n; i++) {
        if (b.log_mass[i] < b.best - NEGLIGIBLE - 2)
            continue;
        best = fmax(best, line_nodes(&b.lines[i], b.mode[i], b.sd[i], &nodes[*n]));
        *n += LINE_NODES;
    }
    for (unsigned i = 0; i < *n; i++)
        sum += nodes[i].weight = exp(nodes[i].weight - best);
    for (unsigned i = 0; i < *n; i++)
        nodes[i].weight /= sum;
    return best + log(sum * axis_part(&b.axes[0]) * axis_part(&b.axes[1]));
}
