/* What share of packets is answered at each rate, and what capacity of the path that speaks for. Part of the governor
 * (scan/govern.h); docs/rate.md has the model. */
#ifndef NOCTULE_SCAN_CURVE_H
#define NOCTULE_SCAN_CURVE_H

#define CURVE_STREAMS 2u   /* kinds of answers, each with a share of its own */
#define CURVE_LEVELS 1460u /* of rates, 1 % apart, from 50 to 100 million a second */

struct tally {
    double sent, answered;
};

static inline void tally_add(struct tally *to, const struct tally *count) {
    to->sent += count->sent;
    to->answered += count->answered;
}

/* Answers that the usual shares predict. */
double tally_expected(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS]);

/* Answers beside what the usual shares predict; 1 where they predict nothing. */
double tally_ratio(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS]);

/* ln of how much likelier the counts are if their shares are `ratio` times the usual ones than if they are the same. */
double tally_evidence(const struct tally count[CURVE_STREAMS], const struct tally usual[CURVE_STREAMS], double ratio);

struct curve {
    struct tally at[CURVE_STREAMS][CURVE_LEVELS];
    double fit[CURVE_LEVELS]; /* ln likelihood of the capacity being that of each level; low .. top */
    unsigned low, top;        /* the lowest and the highest level with counts; low > top: there are none */
    unsigned best;            /* the likeliest capacity */
};

void curve_clear(struct curve *c);

/* What was sent at `rate` packets a second, and the answers to it. */
void curve_add(struct curve *c, unsigned stream, double rate, const struct tally *count);

/* Counts of levels from `rate` on weigh `keep` times as much, 0 .. 1. With rate 0, all of that stream. */
void curve_fade(struct curve *c, unsigned stream, double rate, double keep);

/* Adds the other curve's levels below `rate`. */
void curve_join(struct curve *c, const struct curve *other, double rate);

/* What was sent at `rate` or less. */
struct tally curve_sum(const struct curve *c, unsigned stream, double rate);

/* Fits capacities to the counts; noise >= 1 is the variance of answers beside that of independent ones. To be called
 * before those below, after counts have changed. */
void curve_fit(struct curve *c, double noise);

/* ln of how much likelier it is that no rate tried meets a limit than that `rate` is the limit. */
double curve_limitless(const struct curve *c, double rate);

/* The likeliest limit, packets a second; the highest rate tried where none is likelier than none. */
double curve_best(const struct curve *c);

/* Even the lowest rate that was tried was too much, or only one was. */
static inline _Bool curve_is_bottomless(const struct curve *c) {
    return c->best <= c->low;
}

#endif
