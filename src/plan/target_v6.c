/* IPv6 targets. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "plan/target_parts.h"

#define MAPPED_FIRST addr_from_v4(0) /* ::ffff:0:0/96, where IPv4 itself stands */
#define MAPPED_LAST addr_from_v4(UINT32_MAX)
#define ZONED_PREFIX_MIN 32u /* the zone takes bits 16 to 31 from the left (base/addr.h) */

/* A piece of the text. */
struct piece {
    size_t from, to;
};

static size_t piece_find(const struct reader *r, struct piece p, char c) {
    const char *found = p.to > p.from ? memchr(r->s + p.from, c, p.to - p.from) : NULL;
    return found ? (size_t)(found - r->s) : p.to;
}

/* Something is wrong with an address: where, if one byte can be blamed. */
static int bad_address(struct reader *r, struct piece p) {
    static const char digits[] = "0123456789abcdefABCDEF:.";
    for (size_t i = p.from; i < p.to; i++)
        if (!r->s[i] || !strchr(digits, r->s[i]))
            return reader_bad(r, i, "this does not belong into an IPv6 address");
    return reader_bad(r, p.from, "expected an IPv6 address; with a port it is written [ADDRESS]:PORT");
}

/* The address in p, without its zone. */
static int read_plain(struct reader *r, struct piece p, addr_t *out) {
    if (p.from == p.to)
        return reader_bad(r, p.from, "the address is missing");
    bool colon = piece_find(r, p, ':') < p.to;
    return colon && addr_parse(r->s + p.from, p.to - p.from, out) == 0 ? 0 : bad_address(r, p);
}

/* The zone in p, which goes with the address in `of`. */
static int read_zone(struct reader *r, struct piece of, struct piece p, addr_t *out) {
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    size_t n = of.to - of.from, zone = p.to - p.from;
    if (zone == 0)
        return reader_bad(r, p.from, "expected an interface behind the %%");
    if (!addr_is_link_local(*out))
        return reader_bad(r, p.from, "a zone goes with link-local addresses (fe80::/10) only");
    if (zone >= IF_NAMESIZE)
        return reader_bad(r, p.from, "no interface has a name as long as this");
    memcpy(text, r->s + of.from, n); /* it was read as an address, so it is no longer than one */
    text[n] = '%';
    memcpy(text + n + 1, r->s + p.from, zone);
    if (addr_parse(text, n + 1 + zone, out) < 0)
        return reader_bad(r, p.from, "this machine has no interface \"%.*s\"", (int)zone, r->s + p.from);
    return 0;
}

/* address ['%' zone] */
static int read_address(struct reader *r, struct piece p, addr_t *out) {
    size_t mark = piece_find(r, p, '%');
    struct piece plain = {p.from, mark};
    int code = read_plain(r, plain, out);
    return code == 0 && mark < p.to ? read_zone(r, plain, (struct piece){mark + 1, p.to}, out) : code;
}

/* address ['%' zone] '/' length ['%' zone] */
static int read_prefix(struct reader *r, struct piece p, size_t slash, struct addr_range *out) {
    struct piece address = {p.from, slash};
    unsigned length = 0;
    addr_t a = 0;
    int code = read_address(r, address, &a);
    r->at = slash + 1;
    if (code == 0)
        code = reader_number(r, 128, "an IPv6 prefix length", &length);
    if (code == 0 && r->at < p.to) {
        struct piece zone = {r->at + 1, p.to};
        if (r->s[r->at] != '%')
            return reader_bad(r, r->at, "expected the end of the target here");
        if (piece_find(r, address, '%') < slash)
            return reader_bad(r, r->at, "the zone is named twice");
        code = read_zone(r, address, zone, &a);
    }
    if (code < 0)
        return code;
    if (addr_zone(a) && length < ZONED_PREFIX_MIN)
        return reader_bad(r, slash + 1, "with a zone a prefix length is at least %u", ZONED_PREFIX_MIN);
    addr_t hosts = length == 0 ? ~(addr_t)0 : ((addr_t)1 << (128 - length)) - 1;
    *out = (struct addr_range){a & ~hosts, a | hosts};
    return 0;
}

/* Where the dash of an a-b range stands, or p.to. Names of interfaces may hold dashes, but rarely colons. */
static size_t find_dash(const struct reader *r, struct piece p) {
    bool colon = false;
    for (size_t i = p.to; i-- > p.from;) {
        colon = colon || r->s[i] == ':';
        if (r->s[i] == '-' && colon)
            return i;
    }
    return p.to;
}

/* address '-' address; a zone that only one of them names holds for both. */
static int read_a_to_b(struct reader *r, struct piece p, size_t dash, struct addr_range *out) {
    addr_t a = 0, b = 0;
    size_t slash = piece_find(r, p, '/');
    if (slash < p.to)
        return reader_bad(r, slash, "a prefix length goes with one address, not with a range");
    int code = read_address(r, (struct piece){p.from, dash}, &a);
    if (code == 0)
        code = read_address(r, (struct piece){dash + 1, p.to}, &b);
    if (code < 0)
        return code;
    if (!addr_zone(a))
        a = addr_with_zone(a, addr_zone(b));
    if (!addr_zone(b))
        b = addr_with_zone(b, addr_zone(a));
    if (addr_zone(a) != addr_zone(b) || addr_is_v4(a) != addr_is_v4(b))
        return reader_bad(r, dash + 1, "the range runs from one %s to another",
                          addr_is_v4(a) != addr_is_v4(b) ? "family" : "link");
    if (b < a)
        return reader_bad(r, dash + 1, "the range runs backwards");
    *out = (struct addr_range){a, b};
    return 0;
}

/* A range around the place of IPv4 does not mean it. */
static int append_around(struct reader *r, struct addr_range range, int32_t port, struct array *list) {
    bool around = range.lo < MAPPED_FIRST && range.hi >= MAPPED_LAST;
    if (!around)
        return reader_append(r, list, range, port, false);
    int code = reader_append(r, list, (struct addr_range){range.lo, MAPPED_FIRST - 1}, port, true);
    if (code == 0 && range.hi > MAPPED_LAST)
        code = reader_append(r, list, (struct addr_range){MAPPED_LAST + 1, range.hi}, port, true);
    return code;
}

int target_read_v6(struct reader *r, int32_t port, struct array *list) {
    struct piece p = {r->at, r->n};
    size_t dash = find_dash(r, p), slash = piece_find(r, p, '/');
    struct addr_range range = {0, 0};
    int code = 0;
    if (dash < p.to) {
        code = read_a_to_b(r, p, dash, &range);
    } else if (slash < p.to) {
        code = read_prefix(r, p, slash, &range);
    } else {
        code = read_address(r, p, &range.lo);
        range.hi = range.lo;
    }
    return code < 0 ? code : append_around(r, range, port, list);
}
