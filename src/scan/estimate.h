/* How many endpoints that would have answered did no try reach, and how often must silence be asked again?
 *
 * Model. A live endpoint's try goes unanswered with probability q, independent of its other tries. The rule is one q
 * for all: then each try finds the same share of what is left, the geometric series of the removal method (Moran 1951,
 * Biometrika 38; Zippin 1958, Journal of Wildlife Management 22). It is fooled by loss that meets the same hosts each
 * time: a mixture leaves more unseen than the geometric of the same early counts (Burnham and Overton 1979, Ecology
 * 60; Chao 1987, Biometrics 43). So q may also differ between endpoints: drawn from a beta distribution of mean mu, so
 * that one is still unseen after k tries with probability
 *     S(k) = product over j < k of (mu + j phi) / (1 + j phi),
 * the shifted beta-geometric distribution (Weinberg and Gladen 1986, Biometrics 42; Fader and Hardie 2007, Journal of
 * Interactive Marketing 21), or with a share of the endpoints behind a worse path (Norris and Pollock 1996, Biometrics
 * 52; Pledger 2000, Biometrics 56). Counts of few tries tell these apart badly, yet what is missed hangs on it (Link
 * 2003, Biometrics 59); so all three are weighed, each by its evidence (loss.h).
 *
 * Inference. Each model's parameters have a posterior, computed by quadrature. With the prior N^(-1/2) for the number
 * of live endpoints, the number missed is negative binomial at each point of it, and the interval is the shortest that
 * holds 95 % of the mixture (capture-recapture by Bayes: Castledine 1981, Biometrika 68). Bursts lose neighbours
 * together, so counts and misses come in clumps: their size is a further unknown, weighed by quasi-likelihood (Nelder
 * and Pregibon 1987, Biometrika 74; Burnham and Anderson 2002, their c-hat).
 *
 * What nobody can see from here: endpoints that answer none of infinitely many tries (q = 1: hosts that were off, or
 * that shun this source). They are not in any figure of this file.
 *
 * Pure: no I/O, no clock, no allocation, no state; the same counts give the same figures. Any counts are accepted. */
#ifndef NOCTULE_SCAN_ESTIMATE_H
#define NOCTULE_SCAN_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#define ESTIMATE_TRIES_MAX 16u
#define ESTIMATE_RETRIES_MAX 10u     /* what estimate_enough() asks for at most */
#define ESTIMATE_RETRIES_UNKNOWN 3u  /* what to do where it cannot tell */
#define ESTIMATE_ANSWERS_MIN 100u    /* answers from which on it can */

/* What a scan, or a part of it, has seen. A chunk's tries end together, answered or not, so `reached` counts whole
 * chunks: all endpoints (live or not, answered before or not) of chunks for which try k was sent and has had its time.
 * reached[0] >= reached[1] >= ...; live endpoints are a random sample of all, so reached[k] / reached[0] is also the
 * share of live ones that had a try k. Where no try was stopped early all are equal. */
struct estimate_counts {
    unsigned tries; /* entries in use, at most ESTIMATE_TRIES_MAX */
    uint64_t reached[ESTIMATE_TRIES_MAX];
    uint64_t answered[ESTIMATE_TRIES_MAX]; /* endpoints first answered by try k */
    uint64_t answered_unknown;             /* endpoints answered, by which try is not known */
};

struct estimate_range {
    uint64_t missed;    /* as likely too high as too low */
    uint64_t low, high; /* 95 %; low <= missed <= high <= endpoints without an answer */
};

struct estimate {
    bool known; /* false: no endpoint was tried twice, so nothing can be said; all figures are 0 */
    struct estimate_range live; /* endpoints that would have answered, in whatever state */
    struct estimate_range open; /* those of them that are open */
    double loss;                /* share of first tries at live endpoints that went unanswered, 0..1 */
};

/* What the scan missed. found = the number of open ones among the answered: loss does not ask for the state, so the
 * same share of the open ones is missing. Some milliseconds: for the summary. */
void estimate_missed(const struct estimate_counts *c, uint64_t found, struct estimate *out);

/* How many re-probes (1 .. ESTIMATE_RETRIES_MAX) silence needs, so that the upper 95 % bound of the share of live
 * endpoints still unseen is below half of miss (0.001 = 0.1 %). 0: too early to tell, for fewer than
 * ESTIMATE_ANSWERS_MIN answers are in or no second try has had its time. previous is what this function last said (0 at
 * first): the answer falls below it only where the bound clears the mark by a margin, so it does not flicker between
 * two values. Never rises with miss. Under 20 microseconds. */
unsigned estimate_enough(const struct estimate_counts *c, double miss, unsigned previous);

/* Halves all counts. Called whenever answered[0] passes some number, it leaves a window of recent loss. */
void estimate_fade(struct estimate_counts *c);

#endif
