#include "base/siphash_ends.h"

#include "base/siphash_vector.h"

void siphash24_ends(enum vector_way way, const struct siphash_state *begun, const struct siphash_ends *ends, unsigned n,
                    uint64_t hash[static SIPHASH_LANES]) {
#ifdef __x86_64__
    if (way == VECTOR_AVX512) {
        siphash24_ends_avx512(begun, ends, hash);
        return;
    }
    if (way == VECTOR_AVX2) {
        siphash24_ends_avx2(begun, ends, hash);
        return;
    }
#endif
    (void)way;
    for (unsigned i = 0; i < n; i++) {
        struct siphash_state s = *begun;
        for (unsigned j = 0; j < SIPHASH_END_WORDS; j++)
            siphash_word(&s, ends->word[j][i]);
        hash[i] = siphash_finish(&s);
    }
}
