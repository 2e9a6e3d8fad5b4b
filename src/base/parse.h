/* Checked numbers from the user's text. Every function takes the whole string or refuses it: no blanks, no sign, nothing
 * behind the number. All return 0, -EINVAL (not such a number) or -ERANGE (one, but out of range or too fine), and write
 * *out only on 0. Arithmetic is exact; no floating point. */
#ifndef NOCTULE_BASE_PARSE_H
#define NOCTULE_BASE_PARSE_H

#include <stdint.h>

/* Decimal digits, lo <= value <= hi. */
int parse_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out);

/* A decimal with an optional suffix k, M or G (either case; powers of 1000), in thousandths of the unit: "0.1" is 100,
 * "10k" is 10,000,000. Finer than a thousandth is -ERANGE. */
int parse_scaled(const char *s, uint64_t *milli_units);

/* A decimal with an optional unit ns, us, ms, s, m, h or d; without one, seconds. Finer than a nanosecond is -ERANGE. */
int parse_duration(const char *s, uint64_t *ns);

#endif
