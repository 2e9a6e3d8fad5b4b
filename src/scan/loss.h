/* How loss may differ between live endpoints, and how well each way of it explains a scan's counts: the models behind
 * estimate.h, which names the sources.
 *     LOSS_EVEN     a try goes unanswered with the same probability q everywhere. Prior of q: Beta(1/2, 1)
 *     LOSS_SPREAD   q is drawn from a beta distribution of mean mu; phi = 1 / (a + b) says how much it differs. Priors:
 *                   Beta(1/2, 1) of mu; exp(-4 phi) / phi, 0.0001 < phi < 1
 *     LOSS_CLASSES  some endpoints are behind a worse path. Priors: Beta(1/2, 1) of the others' q; 1 / share, 0.04 <
 *                   share < 0.5; Beta(2, 2) of how much is lost there of what passes elsewhere
 * Pure, as all of estimate.h. */
#ifndef NOCTULE_SCAN_LOSS_H
#define NOCTULE_SCAN_LOSS_H

#include "scan/estimate.h"

enum loss_model { LOSS_EVEN, LOSS_SPREAD, LOSS_CLASSES, LOSS_MODELS };

struct evidence {
    unsigned tries;                       /* 2 .. ESTIMATE_TRIES_MAX */
    double n;                             /* endpoints answered */
    double answered[ESTIMATE_TRIES_MAX];  /* of these, first at try j */
    double ends[ESTIMATE_TRIES_MAX];      /* share of endpoints for which try j was the last */
};

/* A point of a model's parameters, and its weight. */
struct loss_node {
    double at;     /* LOSS_EVEN: q; LOSS_SPREAD: mu; LOSS_CLASSES: q where it is better */
    double phi;    /* LOSS_SPREAD; else 0 */
    double missed; /* share of live endpoints that no try reached: below 1 */
    double weight;
};

#define LOSS_NODES_MAX 1008u

/* The posterior of a model as nodes whose weights' sum is 1: *n of them. Returns the log of the model's evidence, but
 * for a constant that depends on the counts alone. */
double loss_posterior(enum loss_model model, const struct evidence *v, struct loss_node nodes[LOSS_NODES_MAX],
                      unsigned *n);

#endif
