/* What the readers of IPv4 targets (target.c) and of IPv6 targets (target_v6.c) share. */
#ifndef NOCTULE_PLAN_TARGET_PARTS_H
#define NOCTULE_PLAN_TARGET_PARTS_H

#include "plan/target.h"

/* A place in the text, and where to say what is wrong with it. */
struct reader {
    const char *s;
    size_t n, at;
    size_t whole; /* n, and the :port or the brackets that were split off */
    unsigned *column;
    struct error *e;
};

/* -EINVAL, with the line and the column for byte `at`. */
int reader_bad(struct reader *r, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A decimal of at most max. Leading zeros are refused: half the world's parsers take them for octal. */
int reader_number(struct reader *r, unsigned max, const char *what, unsigned *out);

/* Appends a struct target; -E2BIG or -ENOMEM with a line. */
int reader_append(struct reader *r, struct array *list, struct addr_range range, int32_t port, bool wide);

/* Reads s[at..n): address, prefix or a-b range of IPv6, link-local ones with a zone (RFC 4007 11: fe80::1%eth0;
 * fe80::/64%eth0, fe80::%eth0/64). */
int target_read_v6(struct reader *r, int32_t port, struct array *list);

#endif
