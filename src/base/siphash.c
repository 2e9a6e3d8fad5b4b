#include "base/siphash.h"

#include "base/bytes.h"

uint64_t siphash24(const struct siphash_key *key, const void *data, size_t n) {
    const uint8_t *p = data;
    struct siphash_state s = siphash_start(key);
    for (size_t words = n / 8; words > 0; words--, p += 8)
        siphash_word(&s, load_le64(p));
    uint64_t last = (uint64_t)n << 56; /* the length modulo 256, above what is left of the data */
    for (size_t i = 0; i < n % 8; i++)
        last |= (uint64_t)p[i] << (8 * i);
    siphash_word(&s, last);
    return siphash_finish(&s);
}
