/* SipHash-2-4 of many messages at a time that begin alike: what their latencies cost alone, they cost together. */
#ifndef NOCTULE_BASE_SIPHASH_ENDS_H
#define NOCTULE_BASE_SIPHASH_ENDS_H

#include "base/siphash.h"
#include "base/vector.h"

#define SIPHASH_LANES 16u
#define SIPHASH_END_WORDS 3u

/* The last words of the messages: word j of message i is word[j][i], little-endian. The last one holds the length of
 * the whole message as SipHash wants it: modulo 256, above what is left of the data (siphash_last()). */
struct siphash_ends {
    uint64_t word[SIPHASH_END_WORDS][SIPHASH_LANES];
};

/* The last word of a message of len bytes, of which len % 8 are left. */
static inline uint64_t siphash_last(uint64_t left, unsigned len) {
    return (uint64_t)len << 56 | left;
}

/* Hashes n <= SIPHASH_LANES messages, of which `begun` has taken what stands before the ends. All of hash[] may be
 * written. The way must be one that vector_has(). */
void siphash24_ends(enum vector_way way, const struct siphash_state *begun, const struct siphash_ends *ends, unsigned n,
                    uint64_t hash[static SIPHASH_LANES]);

#endif
