/* Random numbers: from the kernel for keys, or expanded from a user's seed so that a run can be repeated. */
#ifndef NOCTULE_BASE_RANDOM_H
#define NOCTULE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills p with n bytes from getrandom(2). Returns 0 or a negative errno. */
int random_bytes(void *p, size_t n);

/* SplitMix64 (Steele, Lea, Flood 2014): advances *state and returns the next of 2^64 equidistributed values. For key
 * schedules and tests, never for secrets. */
uint64_t random_splitmix(uint64_t *state);

#endif
