/* The order: a keyed permutation of 0..N-1 that can be read both ways, so that a reply leads back to its position.
 * A Feistel network over the smallest power of two that holds N, with unbalanced halves where its bit count is odd, and
 * cycle-walking (Black, Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002): fewer than two steps on average. */
#ifndef NOCTULE_PLAN_ORDER_H
#define NOCTULE_PLAN_ORDER_H

#include <stdint.h>

#include "base/vector.h"

#define ORDER_MAX (UINT64_C(1) << 63) /* largest N */
#define ORDER_ROUNDS 6                /* even: each half is rewritten equally often */

/* What a round multiplies by, twice. Odd constants of balanced bits: the fractions of the golden ratio and of the
 * square root of two. */
#define ORDER_FIRST UINT64_C(0x9e3779b97f4a7c15)
#define ORDER_SECOND UINT64_C(0x6a09e667f3bcc909)

struct order {
    uint64_t n;
    uint64_t key[ORDER_ROUNDS];
    unsigned left_bits, right_bits;
    enum vector_way way; /* of order_at_many(), where AVX-512 alone differs; vector_best() unless tests want another */
};

/* n is 1..ORDER_MAX. The same (n, seed) gives the same order on every machine; orders of different n or seed are
 * unrelated. */
void order_init(struct order *o, uint64_t n, uint64_t seed);

uint64_t order_at(const struct order *o, uint64_t position);  /* position < n -> index */
uint64_t order_find(const struct order *o, uint64_t index);   /* index < n -> position */

/* order_at() of n positions at a time, in a fraction of the time: their latencies overlap. indexes may be positions. */
void order_at_many(const struct order *o, const uint64_t *positions, unsigned n, uint64_t *indexes);

/* What one round mixes into a half: a keyed hash of the other half. Here for the test that shows that one round alone
 * is not enough. */
uint64_t order_round(uint64_t half, uint64_t key);

/* A shard: positions first <= p < end. Part i (1..n) of n; the parts are disjoint and their union is 0..total-1. */
struct shard {
    uint64_t first, end;
};
struct shard shard_of(uint64_t total, uint64_t i, uint64_t n);

#endif
