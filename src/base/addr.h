/* An address is a number, so ranges, ranks and exclusions are plain arithmetic. IPv6 in host order; IPv4 stands at
 * ::ffff:0:0/96 (RFC 4291 2.5.5.2), so one type and one sorted order serve both families. */
#ifndef NOCTULE_BASE_ADDR_H
#define NOCTULE_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 addr_t;

struct addr_range {
    addr_t lo, hi; /* both inclusive */
};

#define ADDR_STRLEN 64 /* enough for any formatted address, prefix or a-b range of IPv4, with the final NUL */

static inline addr_t addr_from_v4(uint32_t ip) {
    return (addr_t)0xffff00000000u | ip;
}

static inline bool addr_is_v4(addr_t a) {
    return a >> 32 == 0xffff; /* in 128 bits: 2001:db8::ffff:1.2.3.4 is not IPv4 */
}

/* The IPv4 address in host order; only for an address for which addr_is_v4() holds. */
static inline uint32_t addr_v4(addr_t a) {
    return (uint32_t)a;
}

/* Writes the usual text form ("192.0.2.1", "2001:db8::1") with a final NUL into buf. Returns buf. */
char *addr_format(addr_t a, char buf[static ADDR_STRLEN]);

/* Reads exactly one address (strict dotted quad or RFC 4291 text, no zone) from the n bytes at s.
 * Returns 0, or -EINVAL. */
int addr_parse(const char *s, size_t n, addr_t *out);

#endif
