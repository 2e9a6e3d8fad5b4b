/* What the tests of routes share: a map is asked for, and each of its hops is put in words. */
#ifndef NOCTULE_TESTS_UNIT_WIRE_HOPS_H
#define NOCTULE_TESTS_UNIT_WIRE_HOPS_H

#include "space.h"

#include "wire/route.h"

#define SPOOFED(a)                                                                                                    \
    "source address " a " is neither this machine's own nor a free one of a network on its links: that would be "      \
    "spoofing"
#define NO_HOST(a, link) "source address " a " stands for a network on \"" link "\", not for a host"

struct route_options hops_any(void);
struct addr_range hops_range(const char *lo, const char *hi);

struct route_map hops_resolve(const struct addr_range *ranges, size_t n, struct route_options options);
void hops_resolve_v4(struct route_map *m, struct route_options options);
void hops_resolve_all(struct route_map *m, struct route_options options); /* both families, as one range */

/* The target alone must be refused with that code and line. */
void hops_refused(const char *target, struct route_options options, int code, const char *line);

const struct hop *hops_of(const struct route_map *m, addr_t a);

/* The hop of an address in words, so that a case is one line: "n0 on-link from 198.18.1.1". */
void hops_expect(const struct route_map *m, const char *address, const char *words);

#endif
