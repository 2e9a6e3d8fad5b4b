/* siphash24_ends() in vectors: siphash_vector.c, compiled once for each way, with its instructions (meson.build). All
 * lanes are computed, however many are wanted. */
#ifndef NOCTULE_BASE_SIPHASH_VECTOR_H
#define NOCTULE_BASE_SIPHASH_VECTOR_H

#include "base/siphash_ends.h"

typedef void siphash24_all_ends(const struct siphash_state *begun, const struct siphash_ends *ends,
                                uint64_t hash[static SIPHASH_LANES]);
siphash24_all_ends siphash24_ends_avx2, siphash24_ends_avx512;

#endif
