/* The models of loss, on counts as each of them expects. */
#include "../unit.h"

#include <math.h>

#include "scan/loss.h"

enum { TRIES = 6 };

/* So many live endpoints, a share of them behind a path that loses `bad` of tries, the rest behind one of mean mu; phi
 * as in LOSS_SPREAD. Returns the share that no try reached. */
static double expect(struct evidence *v, double live, double mu, double phi, double share, double bad) {
    double unseen = 1 - share, unseen_bad = share;
    *v = (struct evidence){.tries = TRIES, .ends = {[TRIES - 1] = 1}};
    for (unsigned k = 0; k < TRIES; k++) {
        double before = unseen + unseen_bad;
        unseen *= (mu + k * phi) / (1 + k * phi);
        unseen_bad *= bad;
        v->answered[k] = live * (before - unseen - unseen_bad);
        v->n += v->answered[k];
    }
    return unseen + unseen_bad;
}

static void each_model_knows_its_own(void **state) {
    (void)state;
    static const double truths[LOSS_MODELS][4] = {
        [LOSS_EVEN] = {0.2, 0, 0, 0}, [LOSS_SPREAD] = {0.2, 0.1, 0, 0}, [LOSS_CLASSES] = {0.2, 0, 0.1, 0.7}};
    for (unsigned truth = 0; truth < LOSS_MODELS; truth++) {
        const double *t = truths[truth];
        struct evidence v;
        double missed = expect(&v, 200000, t[0], t[1], t[2], t[3]), evidence[LOSS_MODELS];
        for (unsigned m = 0; m < LOSS_MODELS; m++) {
            struct loss_node nodes[LOSS_NODES_MAX];
            unsigned n;
            double weight = 0, mean = 0;
            evidence[m] = loss_posterior((enum loss_model)m, &v, nodes, &n);
            assert_in_range(n, 1, LOSS_NODES_MAX);
            for (unsigned i = 0; i < n; i++) {
                weight += nodes[i].weight;
                mean += nodes[i].weight * nodes[i].missed;
            }
            assert_true(fabs(weight - 1) < 1e-9);
            if (m == truth)
                assert_true(fabs(mean / missed - 1) < 0.1);
        }
        for (unsigned m = 0; m < LOSS_MODELS; m++)
            assert_true(m == truth || evidence[truth] > evidence[m]);
    }
}

/* A hundred ways to explain the counts nearly as well, of which none is left out for falling between two lines. */
static void doubt_is_spread_over_all_that_fits(void **state) {
    (void)state;
    for (double share = 0.05; share < 0.3; share += 0.01) {
        struct loss_node nodes[LOSS_NODES_MAX];
        struct evidence v;
        unsigned n;
        double missed = expect(&v, 25000, 0.19, 0, share, 0.69), below = 0, above = 0;
        loss_posterior(LOSS_CLASSES, &v, nodes, &n);
        for (unsigned i = 0; i < n; i++)
            *(nodes[i].missed < missed ? &below : &above) += nodes[i].weight;
        assert_true(below > 0.05 && above > 0.05);
    }
}

/* Without an answer, or with one count that is out of all proportion, the figures stay numbers. */
static void odd_counts_give_numbers(void **state) {
    (void)state;
    static const double counts[][3] = {{0, 0, 0}, {1, 0, 0}, {0, 0, 1}, {1, 1e15, 1}, {1e18, 1e18, 1e18}, {0, 1e9, 0}};
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct evidence v = {.tries = 3, .ends = {0, 0, 1}};
        for (unsigned k = 0; k < 3; k++)
            v.n += v.answered[k] = counts[i][k];
        for (unsigned m = 0; m < LOSS_MODELS; m++) {
            struct loss_node nodes[LOSS_NODES_MAX];
            unsigned n;
            assert_true(isfinite(loss_posterior((enum loss_model)m, &v, nodes, &n)));
            for (unsigned j = 0; j < n; j++)
                assert_true(nodes[j].weight >= 0 && nodes[j].missed >= 0 && nodes[j].missed < 1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_model_knows_its_own),
                                       cmocka_unit_test(doubt_is_spread_over_all_that_fits),
                                       cmocka_unit_test(odd_counts_give_numbers)};
    return cmocka_run_group_tests_name("scan/loss", tests, NULL, NULL);
}
