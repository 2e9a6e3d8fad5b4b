#include "plan/order_vector.h"

#include <immintrin.h>

typedef uint64_t vector __attribute__((vector_size(VECTOR_BYTES)));
#define LANES (VECTOR_BYTES / sizeof(uint64_t))

static inline vector multiply32(vector a, vector b) {
#if VECTOR_BYTES == 64
    return (vector)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#else
    return (vector)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#endif
}
static inline vector all(uint64_t x) { return x - (vector){0}; }
#define C1 UINT64_C(0x9e3779b97f4a7c15)
#define C2 UINT64_C(0x6a09e667f3bcc909)
#define M32 UINT64_C(0xffffffff)

static inline vector round_value(vector half, uint64_t key) {
    __extension__ typedef unsigned __int128 u128;
    u128 k = (u128)(key >> 32) * C1;
    uint64_t k1 = (uint64_t)k, k2 = (uint64_t)(k >> 64);
    vector x = half ^ (key & M32);
    vector t0 = multiply32(x, all(C1 & M32)), t1 = multiply32(x, all(C1 >> 32));
    vector u = t1 + (t0 >> 32);
#ifdef CARRY_CMP
    vector w = u + k1;
    vector high = all(k2) - (vector)(w < u);
    vector mixed = ((w ^ high) << 32) | ((t0 ^ (w >> 32)) & M32);
#else
    vector wl = (u & M32) + (k1 & M32), wh = (u >> 32) + (k1 >> 32) + (wl >> 32);
    vector high = (wh >> 32) + k2;
    vector mixed = ((wl ^ high) << 32) | ((t0 ^ wh) & M32);
#endif
    vector b = mixed + key, bh = b >> 32;
    vector s0 = multiply32(b, all(C2 & M32)), s1 = multiply32(b, all(C2 >> 32));
    vector s2 = multiply32(bh, all(C2 & M32)), s3 = multiply32(bh, all(C2 >> 32));
    vector m1 = s1 + (s0 >> 32), m2 = (m1 & M32) + s2;
    return s0 ^ (s3 + (m1 >> 32) + (m2 >> 32));
}

#ifndef ATONCE
#define ATONCE 4
#endif
static inline __attribute__((always_inline)) void step_some(const struct order *o, uint64_t *x, int n) {
    uint64_t left_mask = (UINT64_C(1) << o->left_bits) - 1, right_mask = (UINT64_C(1) << o->right_bits) - 1;
        vector left[ATONCE], right[ATONCE];
#pragma GCC unroll 8
        for(int k=0;k<n;k++){
        vector v;
        __builtin_memcpy(&v, x +k*LANES, sizeof v);
        left[k] = v >> o->right_bits; right[k] = v & right_mask;}
#ifdef UNR
#pragma GCC unroll 6
#endif
        for (unsigned r = 0; r < ORDER_ROUNDS; r += 2) {
#pragma GCC unroll 8
        for(int k=0;k<n;k++)
            left[k] ^= round_value(right[k], o->key[r]) & left_mask;
#pragma GCC unroll 8
        for(int k=0;k<n;k++)
            right[k] ^= round_value(left[k], o->key[r + 1]) & right_mask;
        }
#pragma GCC unroll 8
        for(int k=0;k<n;k++){
        vector v = left[k] << o->right_bits | right[k];
        __builtin_memcpy(x +k*LANES, &v, sizeof v);}
}

void ORDER_STEPS(const struct order *o, uint64_t *x, unsigned n) {
    unsigned i = 0;
    for (; i + 2 * LANES < n; i += 4 * LANES) step_some(o, x + i, 4);
    if (i + LANES < n) step_some(o, x + i, 2);
    else if (i < n) step_some(o, x + i, 1);
}
