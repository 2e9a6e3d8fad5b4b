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

/* Link-local IPv6 addresses (fe80::/10, RFC 4291 2.5.6) mean nothing without the link they are on. Its interface index
 * is kept in the bits 96..111, which are zero in every address of that prefix (as KAME did it), so that such an address
 * is one number like any other; on the wire it has no zone. */
static inline bool addr_is_link_local(addr_t a) {
    return a >> 118 == 0xfe80u >> 6;
}

#define ADDR_ZONE_MAX 0xffffu

static inline unsigned addr_zone(addr_t a) {
    return addr_is_link_local(a) ? (unsigned)(a >> 96) & ADDR_ZONE_MAX : 0;
}

/* a with that zone (0: none), or a itself when it is not link-local. 0 <= ifindex <= ADDR_ZONE_MAX. */
static inline addr_t addr_with_zone(addr_t a, unsigned ifindex) {
    return addr_is_link_local(a) ? (a & ~((addr_t)ADDR_ZONE_MAX << 96)) | (addr_t)ifindex << 96 : a;
}

/* 0.0.0.0 or :: */
static inline bool addr_is_unspecified(addr_t a) {
    return a == 0 || a == addr_from_v4(0);
}

/* Writes the usual text form ("192.0.2.1", "2001:db8::1", "fe80::1%eth0") with a final NUL into buf; a zone by its
 * interface's name, or its number where the machine has no such interface. Returns buf. */
char *addr_format(addr_t a, char buf[static ADDR_STRLEN]);

/* Reads exactly one address (strict dotted quad or RFC 4291 text; RFC 4007 zone, name or number, where it is
 * link-local) from the n bytes at s. Returns 0, -EINVAL, or -ENODEV when the zone names no interface of this machine. */
int addr_parse(const char *s, size_t n, addr_t *out);

#endif
