#include "plan/order.h"

#include <string.h>

#include "base/siphash.h"
#include "plan/order_vector.h"

__extension__ typedef unsigned __int128 product_t;

/* Both halves of the 128-bit product: every bit of a reaches low and high bits of the result. */
static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
    product_t p = (product_t)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t round_value(uint64_t half, uint64_t key) {
    uint64_t mixed = multiply_fold(half ^ key, ORDER_FIRST);
    return multiply_fold(mixed + key, ORDER_SECOND);
}

uint64_t order_round(uint64_t half, uint64_t key) {
    return round_value(half, key);
}

static inline uint64_t low_bits(unsigned n) {
    return (UINT64_C(1) << n) - 1; /* n <= 32 */
}

void order_init(struct order *o, uint64_t n, uint64_t seed) {
    unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;
    *o = (struct order){.n = n, .left_bits = bits / 2, .right_bits = bits - bits / 2, .way = vector_best()};
    struct siphash_key schedule = {.k0 = seed, .k1 = UINT64_C(0x6e6f6374756c6521)}; /* "noctule!": this use only */
    for (unsigned r = 0; r < ORDER_ROUNDS; r++)
        o->key[r] = siphash24_u64x2(&schedule, n, r);
}

/* The network once: it permutes the numbers below the power of two. */
static inline uint64_t step(const struct order *o, uint64_t x) {
    uint64_t left_mask = low_bits(o->left_bits), right_mask = low_bits(o->right_bits);
    uint64_t left = x >> o->right_bits, right = x & right_mask;
    for (unsigned r = 0; r < ORDER_ROUNDS; r += 2) {
        left ^= round_value(right, o->key[r]) & left_mask;
        right ^= round_value(left, o->key[r + 1]) & right_mask;
    }
    return left << o->right_bits | right;
}

uint64_t order_at(const struct order *o, uint64_t position) {
    uint64_t x = position;
    do /* the cycle leads back below n: position itself lies on it */
        x = step(o, x);
    while (x >= o->n);
    return x;
}

#define TOGETHER 256u /* positions whose cycles are walked at the same time: enough that the last ones cost little */
#define FEW 3u        /* are walked to their end one by one: waiting for each other would cost more */
_Static_assert(TOGETHER % ORDER_VECTOR_STEP == 0, "the vectors' room");

/* x has room for TOGETHER. */
static void step_all(const struct order *o, uint64_t *x, unsigned n) {
#ifdef __x86_64__
    if (o->way == VECTOR_AVX512) {
        order_steps_avx512(o, x, n);
        return;
    }
#endif
    for (unsigned i = 0; i < n; i++)
        x[i] = step(o, x[i]);
}

/* No branch depends on one number: whether it is below n cannot be predicted, and a wrong guess costs as much as a
 * step. So all take one step, and then those that are outside another one, until few are. */
static void walk_together(const struct order *o, const uint64_t *positions, unsigned n, uint64_t *indexes) {
    uint64_t x[TOGETHER];
    uint16_t place[TOGETHER]; /* x[i] is on the cycle of positions[place[i]] */
    memcpy(x, positions, n * sizeof *x);
    for (unsigned i = 0; i < n; i++)
        place[i] = (uint16_t)i;
    while (n > FEW) {
        unsigned outside = 0;
        step_all(o, x, n);
        for (unsigned i = 0; i < n; i++) {
            uint64_t reached = x[i];
            uint16_t at = place[i];
            indexes[at] = x[outside] = reached;
            place[outside] = at;
            outside += reached >= o->n;
        }
        n = outside;
    }
    for (unsigned i = 0; i < n; i++)
        indexes[place[i]] = order_at(o, x[i]);
}

void order_at_many(const struct order *o, const uint64_t *positions, unsigned n, uint64_t *indexes) {
    for (unsigned at = 0; at < n; at += TOGETHER)
        walk_together(o, positions + at, n - at < TOGETHER ? n - at : TOGETHER, indexes + at);
}

uint64_t order_find(const struct order *o, uint64_t index) {
    uint64_t left_mask = low_bits(o->left_bits), right_mask = low_bits(o->right_bits);
    uint64_t x = index;
    do {
        uint64_t left = x >> o->right_bits, right = x & right_mask;
        for (unsigned r = ORDER_ROUNDS; r > 0; r -= 2) {
            right ^= round_value(left, o->key[r - 1]) & right_mask;
            left ^= round_value(right, o->key[r - 2]) & left_mask;
        }
        x = left << o->right_bits | right;
    } while (x >= o->n);
    return x;
}

struct shard shard_of(uint64_t total, uint64_t i, uint64_t n) {
    return (struct shard){
        .first = (uint64_t)((product_t)total * (i - 1) / n),
        .end = (uint64_t)((product_t)total * i / n),
    };
}
