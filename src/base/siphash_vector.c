#include "base/siphash_vector.h"

#include <string.h>

/* A vector of all lanes is longer than any register: the compiler makes several of it, whose latencies overlap. */
typedef uint64_t lanes __attribute__((vector_size(SIPHASH_LANES * sizeof(uint64_t))));

struct state {
    lanes v0, v1, v2, v3;
};

/* siphash_round() of siphash.h */
static inline void round_all(struct state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = (s->v1 << 13 | s->v1 >> 51) ^ s->v0;
    s->v3 = (s->v3 << 16 | s->v3 >> 48) ^ s->v2;
    s->v0 = s->v0 << 32 | s->v0 >> 32;
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = (s->v1 << 17 | s->v1 >> 47) ^ s->v2;
    s->v3 = (s->v3 << 21 | s->v3 >> 43) ^ s->v0;
    s->v2 = s->v2 << 32 | s->v2 >> 32;
}

void SIPHASH24_ENDS(const struct siphash_state *begun, const struct siphash_ends *ends,
                    uint64_t hash[static SIPHASH_LANES]) {
    const lanes zero = {0};
    struct state s = {zero + begun->v0, zero + begun->v1, zero + begun->v2, zero + begun->v3};
    for (unsigned j = 0; j < SIPHASH_END_WORDS; j++) {
        lanes m;
        memcpy(&m, ends->word[j], sizeof m);
        s.v3 ^= m;
        round_all(&s);
        round_all(&s);
        s.v0 ^= m;
    }
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        round_all(&s);
    lanes all = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    memcpy(hash, &all, sizeof all);
}
