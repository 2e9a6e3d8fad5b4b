#include "plan/order_vector.h"

#include <immintrin.h>
#include <string.h>

typedef uint64_t vector __attribute__((vector_size(sizeof(__m512i))));
#define LANES (sizeof(vector) / sizeof(uint64_t))
#define TOGETHER (ORDER_VECTOR_STEP / LANES) /* vectors whose latencies overlap */

__extension__ typedef unsigned __int128 product_t;

#define LOW UINT64_C(0xffffffff)

/* The product of the lower halves. */
static inline vector multiply(vector a, vector b) {
    return (vector)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

static inline vector all(uint64_t x) {
    return x - (vector){0};
}

/* The lower 32 bits of ORDER_ROUND's value, and something above them. There is no product of 64 bits by 64 for vectors:
 * it is made of products of halves. */
static inline vector round_value(vector half, uint64_t key) {
    /* half has 32 bits, so the key's upper half adds a constant to the first product, from its bit 32 on. */
    product_t constant = (product_t)(key >> 32) * ORDER_FIRST;
    vector x = half ^ (key & LOW);
    vector bottom = multiply(x, all(ORDER_FIRST & LOW));
    vector middle = multiply(x, all(ORDER_FIRST >> 32)) + (bottom >> 32);
    vector sum = middle + (uint64_t)constant;
    vector top = (uint64_t)(constant >> 64) - (vector)(sum < middle); /* a lane that carries compares as -1 */
    vector mixed = ((sum ^ top) << 32 | ((bottom ^ sum >> 32) & LOW)) + key;

    vector upper = mixed >> 32;
    bottom = multiply(mixed, all(ORDER_SECOND & LOW));
    middle = multiply(mixed, all(ORDER_SECOND >> 32)) + (bottom >> 32);
    sum = multiply(upper, all(ORDER_SECOND & LOW)) + (middle & LOW);
    return bottom ^ (multiply(upper, all(ORDER_SECOND >> 32)) + (middle >> 32) + (sum >> 32));
}

/* n <= TOGETHER vectors; a constant wherever this is used, so that the loops become straight lines. */
static inline __attribute__((always_inline)) void step(const struct order *o, uint64_t *x, unsigned n) {
    uint64_t left_mask = (UINT64_C(1) << o->left_bits) - 1, right_mask = (UINT64_C(1) << o->right_bits) - 1;
    vector left[TOGETHER], right[TOGETHER], v;
    for (unsigned i = 0; i < n; i++) {
        memcpy(&v, x + i * LANES, sizeof v);
        left[i] = v >> o->right_bits;
        right[i] = v & right_mask;
    }
    for (unsigned r = 0; r < ORDER_ROUNDS; r += 2) {
        for (unsigned i = 0; i < n; i++)
            left[i] ^= round_value(right[i], o->key[r]) & left_mask;
        for (unsigned i = 0; i < n; i++)
            right[i] ^= round_value(left[i], o->key[r + 1]) & right_mask;
    }
    for (unsigned i = 0; i < n; i++) {
        v = left[i] << o->right_bits | right[i];
        memcpy(x + i * LANES, &v, sizeof v);
    }
}

void order_steps_avx512(const struct order *o, uint64_t *x, unsigned n) {
    unsigned i = 0;
    for (; i + 2 * LANES < n; i += TOGETHER * LANES)
        step(o, x + i, TOGETHER);
    if (i + LANES < n)
        step(o, x + i, 2);
    else if (i < n)
        step(o, x + i, 1);
}
