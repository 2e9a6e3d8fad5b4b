/* SipHash-2-4: a keyed 64-bit hash that an outsider cannot predict (Aumasson, Bernstein, "SipHash: a fast short-input
 * PRF", 2012). */
#ifndef NOCTULE_BASE_SIPHASH_H
#define NOCTULE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash24(const struct siphash_key *key, const void *data, size_t n);

/* The rounds stand here, inline, so that a loop over several probes lets their latencies overlap. */
struct siphash_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotl(uint64_t x, unsigned by) {
    return x << by | x >> (64 - by);
}

static inline void siphash_round(struct siphash_state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
    s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
    s->v0 = siphash_rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
    s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
    s->v2 = siphash_rotl(s->v2, 32);
}

static inline struct siphash_state siphash_start(const struct siphash_key *key) {
    return (struct siphash_state){
        .v0 = key->k0 ^ UINT64_C(0x736f6d6570736575), /* "somepseudorandomlygeneratedbytes" */
        .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k1 ^ UINT64_C(0x7465646279746573),
    };
}

static inline void siphash_word(struct siphash_state *s, uint64_t m) {
    s->v3 ^= m;
    siphash_round(s);
    siphash_round(s);
    s->v0 ^= m;
}

static inline uint64_t siphash_finish(struct siphash_state *s) {
    s->v2 ^= 0xff;
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The same hash of exactly the 16 bytes that a and b hold in little-endian order. */
static inline uint64_t siphash24_u64x2(const struct siphash_key *key, uint64_t a, uint64_t b) {
    struct siphash_state s = siphash_start(key);
    siphash_word(&s, a);
    siphash_word(&s, b);
    siphash_word(&s, UINT64_C(16) << 56);
    return siphash_finish(&s);
}

#endif
