#include "scan/curve.h"

#include <math.h>
#include <string.h>

#define FIRST_PPS 50.0 /* the rate of level 0 ... */
#define RATIO 1.01     /* ... and that of each level beside the one below */
#define LN_RATIO 0.00995033085316808

double tally_expected(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS]) {
    double sum = 0;
    for (unsigned s = 0; s < CURVE_STREAMS; s++)
        if (usual[s].sent > 0)
            sum += count[s].sent * usual[s].answered / usual[s].sent;
    return sum;
}

double tally_ratio(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS]) {
    double sum = tally_expected(count, usual), answered = 0;
    for (unsigned s = 0; s < CURVE_STREAMS; s++)
        if (usual[s].sent > 0)
            answered += count[s].answered;
    return sum > 0 ? answered / sum : 1;
}

/* Answers are taken as Poisson. The share itself is unknown under both and set to its best value under each, so that a
 * young acquaintance proves little: with a of n answered here and A of N there,
 * L(r) = a ln r - (a + A) ln(N + r n) + const. */
double tally_evidence(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS], double ratio) {
    double sum = 0;
    for (unsigned s = 0; s < CURVE_STREAMS; s++) {
        const struct tally *c = &count[s], *u = &usual[s];
        if (u->sent > 0 && c->sent > 0)
            sum += c->answered * log(ratio) -
                   (c->answered + u->answered) * log((u->sent + ratio * c->sent) / (u->sent + c->sent));
    }
    return sum;
}

static unsigned level_of(double rate) {
    double level = log(fmax(rate, FIRST_PPS) / FIRST_PPS) / LN_RATIO;
    return level < CURVE_LEVELS - 1 ? (unsigned)(level + 0.5) : CURVE_LEVELS - 1;
}

static double rate_of(unsigned level) {
    return FIRST_PPS * pow(RATIO, level);
}

void curve_clear(struct curve *c) {
    memset(c->at, 0, sizeof(c->at));
    c->low = CURVE_LEVELS - 1;
    c->top = c->best = 0;
}

static void level_add(struct curve *c, unsigned stream, unsigned level, const struct tally *count) {
    if (count->sent <= 0)
        return;
    c->at[stream][level].sent += count->sent;
    c->at[stream][level].answered += count->answered;
    c->low = level < c->low ? level : c->low;
    c->top = level > c->top ? level : c->top;
}

void curve_add(struct curve *c, unsigned stream, double rate, const struct tally *count) {
    level_add(c, stream, level_of(rate), count);
}

void curve_fade(struct curve *c, unsigned stream, double rate, double keep) {
    for (unsigned level = level_of(rate); level <= c->top; level++) {
        c->at[stream][level].sent *= keep;
        c->at[stream][level].answered *= keep;
    }
}

void curve_join(struct curve *c, const struct curve *other, double rate) {
    for (unsigned s = 0; s < CURVE_STREAMS; s++)
        for (unsigned level = other->low; level < level_of(rate) && level <= other->top; level++)
            level_add(c, s, level, &other->at[s][level]);
}

struct tally curve_sum(const struct curve *c, unsigned stream, double rate) {
    struct tally sum = {0, 0};
    unsigned to = level_of(rate) < c->top ? level_of(rate) : c->top;
    for (unsigned level = c->low; level <= to; level++) {
        sum.sent += c->at[stream][level].sent;
        sum.answered += c->at[stream][level].answered;
    }
    return sum;
}

/* Up to the capacity C every packet gets through, beyond it as many as it carries: the share answered at rate r is
 * s min(1, C / r). Answers are taken as Poisson, and s is set to its best value for each C, so with n sent and a
 * answered at each rate L(C) = sum a ln w - A ln(sum n w) + const, w = min(1, C / r). One pass from the highest level
 * down has all the sums. */
static void stream_fit(struct curve *c, unsigned stream, double noise) {
    const struct tally *at = c->at[stream];
    struct tally below = curve_sum(c, stream, rate_of(c->top));
    double answered = below.answered, above = 0, above_logs = 0, above_packets = 0;
    double rate = rate_of(c->top), ln_rate = log(rate);
    for (unsigned level = c->top + 1; level-- > c->low && answered > 0;) {
        c->fit[level] += (above * ln_rate - above_logs - answered * log(below.sent + rate * above_packets)) / noise;
        below.sent -= at[level].sent; /* this level is above the next capacity */
        above += at[level].answered;
        above_logs += at[level].answered * ln_rate;
        above_packets += at[level].sent / rate;
        rate /= RATIO;
        ln_rate -= LN_RATIO;
    }
}

void curve_fit(struct curve *c, double noise) {
    c->best = c->top;
    if (c->low >= c->top)
        return;
    memset(c->fit + c->low, 0, (c->top - c->low + 1) * sizeof(c->fit[0]));
    for (unsigned s = 0; s < CURVE_STREAMS; s++)
        stream_fit(c, s, noise);
    for (unsigned level = c->low; level <= c->top; level++)
        if (c->fit[level] > c->fit[c->best])
            c->best = level;
}

double curve_limitless(const struct curve *c, double rate) {
    unsigned level = level_of(rate);
    if (c->low >= c->top)
        return 0;
    level = level > c->top ? c->top : level;
    return c->fit[c->top] - c->fit[level < c->low ? c->low : level];
}

double curve_best(const struct curve *c) {
    return rate_of(c->best);
}
