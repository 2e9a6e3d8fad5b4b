#include "plan/target_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX 60          /* bytes of a bad target that the error line quotes */
#define HOST_NAME_MAX_LEN 253 /* RFC 1035 2.3.4, as text without the final dot */
#define LABEL_MAX_LEN 63

/* One octet of an octet range: which values it takes, as ascending disjoint runs. */
struct octet {
    struct {
        uint8_t lo, hi;
    } runs[128]; /* 128 separate runs fill an octet */
    unsigned n;
};

int reader_bad(struct reader *r, size_t at, const char *fmt, ...) {
    char why[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (r->column)
        *r->column = (unsigned)at + 1;
    bool cut = r->whole > SHOWN_MAX;
    return error_set(r->e, -EINVAL, "bad target \"%.*s%s\": %s", (int)(cut ? SHOWN_MAX : r->whole), r->s,
                     cut ? "..." : "", why);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char peek(const struct reader *r) {
    return r->at < r->n ? r->s[r->at] : '\0';
}

static bool take(struct reader *r, char c) {
    if (r->at == r->n || r->s[r->at] != c)
        return false;
    r->at++;
    return true;
}

int reader_number(struct reader *r, unsigned max, const char *what, unsigned *out) {
    size_t start = r->at;
    unsigned value = 0;
    while (is_digit(peek(r))) {
        value = value * 10 + (unsigned)(r->s[r->at++] - '0');
        if (value > max)
            return reader_bad(r, start, "%s is at most %u", what, max);
    }
    if (r->at == start)
        return reader_bad(r, start, "%s is missing", what);
    if (r->at - start > 1 && r->s[start] == '0')
        return reader_bad(r, start, "%s has a leading zero, which some read as octal", what);
    *out = value;
    return 0;
}

static int read_quad(struct reader *r, uint32_t *ip) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned octet = 0;
        size_t at = r->at;
        if (i > 0 && !take(r, '.'))
            return reader_bad(r, at, "an IPv4 address has four octets");
        int code = reader_number(r, 255, "an octet", &octet);
        if (code < 0)
            return code;
        value = value << 8 | octet;
    }
    *ip = value;
    return 0;
}

int reader_append(struct reader *r, struct array *list, struct addr_range range, int32_t port, bool wide) {
    struct target *t = array_add(list);
    if (!t) {
        int code = -errno;
        return code == -E2BIG ? error_set(r->e, code, "more than %zu target ranges", list->max)
                              : error_set(r->e, code, "out of memory for the targets");
    }
    *t = (struct target){.range = range, .port = port, .wide = wide};
    return 0;
}

static int append(struct reader *r, struct array *list, uint32_t lo, uint32_t hi, int32_t port, bool wide) {
    return reader_append(r, list, (struct addr_range){addr_from_v4(lo), addr_from_v4(hi)}, port, wide);
}

/* octet = item (',' item)*, item = '*' | number | number '-' number. Runs come out merged and ascending. */
static int read_octet(struct reader *r, struct octet *out) {
    bool has[257] = {false}; /* the last one ends the last run */
    do {
        unsigned lo = 0, hi = 255;
        size_t start = r->at;
        if (!take(r, '*')) {
            int code = reader_number(r, 255, "an octet", &lo);
            hi = lo;
            if (code == 0 && take(r, '-'))
                code = reader_number(r, 255, "an octet", &hi);
            if (code < 0)
                return code;
            if (hi < lo)
                return reader_bad(r, start, "the range %u-%u runs backwards", lo, hi);
        }
        memset(has + lo, true, hi - lo + 1);
    } while (take(r, ','));
    out->n = 0;
    for (unsigned v = 0; v < 256; v++) {
        if (!has[v])
            continue;
        unsigned lo = v;
        while (has[v + 1])
            v++;
        out->runs[out->n].lo = (uint8_t)lo;
        out->runs[out->n++].hi = (uint8_t)v;
    }
    return 0;
}

static bool octet_is_full(const struct octet *o) {
    return o->n == 1 && o->runs[0].lo == 0 && o->runs[0].hi == 255;
}

/* Does one special-use range hold everything from lo to hi? */
static bool in_special(uint32_t lo, uint32_t hi) {
    size_t n = 0;
    const struct special_range *special = special_ranges(&n);
    for (size_t i = 0; i < n; i++)
        if (special[i].range.lo <= addr_from_v4(lo) && addr_from_v4(hi) <= special[i].range.hi)
            return true;
    return false;
}

/* Appends the runs of octet `split`, all octets right of it being full, below every choice of the octets left of it. */
static int append_octets(struct reader *r, const struct octet o[static 4], int split, int32_t port, struct array *list) {
    uint32_t first = 0, last = 0;
    for (int i = 0; i < 4; i++) {
        first = first << 8 | o[i].runs[0].lo;
        last = last << 8 | o[i].runs[o[i].n - 1].hi;
    }
    bool wide = !in_special(first, last);
    unsigned shift = 24 - 8 * (unsigned)split;
    uint32_t below = (UINT32_C(1) << shift) - 1;
    unsigned run[4] = {0}, value[4];
    for (int i = 0; i < split; i++)
        value[i] = o[i].runs[0].lo;
    for (;;) {
        uint32_t prefix = 0;
        for (int i = 0; i < split; i++)
            prefix = prefix << 8 | value[i];
        for (unsigned k = 0; k < o[split].n; k++) {
            uint32_t lo = (prefix << 8 | o[split].runs[k].lo) << shift;
            uint32_t hi = (prefix << 8 | o[split].runs[k].hi) << shift | below;
            int code = append(r, list, lo, hi, port, wide);
            if (code < 0)
                return code;
        }
        int i = split - 1; /* the next choice, like an odometer */
        for (; i >= 0; i--) {
            if (value[i] < o[i].runs[run[i]].hi) {
                value[i]++;
                break;
            }
            run[i] = run[i] + 1 < o[i].n ? run[i] + 1 : 0;
            value[i] = o[i].runs[run[i]].lo;
            if (run[i] > 0)
                break;
        }
        if (i < 0)
            return 0;
    }
}

static int read_octets(struct reader *r, int32_t port, struct array *list) {
    struct octet o[4];
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !take(r, '.'))
            return reader_bad(r, r->at, "an IPv4 address has four octets");
        int code = read_octet(r, &o[i]);
        if (code < 0)
            return code;
    }
    if (peek(r) == '/')
        return reader_bad(r, r->at, "a prefix length goes with one address, not with octet ranges");
    if (r->at < r->n)
        return reader_bad(r, r->at, "expected the end of the target here");
    int split = 3;
    while (split > 0 && octet_is_full(&o[split]))
        split--;
    return append_octets(r, o, split, port, list);
}

/* address | address '/' length | address '-' address */
static int read_range(struct reader *r, int32_t port, struct array *list) {
    uint32_t lo = 0, hi = 0;
    int code = read_quad(r, &lo);
    if (code < 0)
        return code;
    hi = lo;
    if (take(r, '/')) {
        unsigned length = 0;
        code = reader_number(r, 32, "an IPv4 prefix length", &length);
        uint32_t hosts = length == 0 ? UINT32_MAX : (UINT32_C(1) << (32 - length)) - 1;
        lo &= ~hosts;
        hi = lo | hosts;
    } else if (take(r, '-')) {
        size_t at = r->at;
        code = read_quad(r, &hi);
        if (code == 0 && hi < lo)
            return reader_bad(r, at, "the range runs backwards");
    }
    if (code < 0)
        return code;
    if (r->at < r->n)
        return reader_bad(r, r->at, "expected the end of the target here");
    return append(r, list, lo, hi, port, false);
}

/* Is [from, to) of the text spelled like the host names of RFC 1123, with '_' as the DNS allows? */
static bool is_host_name(const char *s, size_t n) {
    if (n > 0 && s[n - 1] == '.')
        n--;
    if (n == 0 || n > HOST_NAME_MAX_LEN)
        return false;
    size_t label = 0; /* where the present label starts */
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '.') {
            if (!is_letter(s[i]) && !is_digit(s[i]) && s[i] != '-' && s[i] != '_')
                return false;
            continue;
        }
        if (i == label || i - label > LABEL_MAX_LEN || s[label] == '-' || s[i - 1] == '-')
            return false;
        label = i + 1;
    }
    return true;
}

/* Does the last label spell a number ("1.2.3.400", "127.0x1")? Resolvers take such names for addresses. */
static bool ends_in_number(const char *s, size_t n) {
    n -= s[n - 1] == '.';
    size_t label = n;
    while (label > 0 && s[label - 1] != '.')
        label--;
    bool hex = n - label > 1 && s[label] == '0' && (s[label + 1] == 'x' || s[label + 1] == 'X');
    for (size_t i = hex ? label + 2 : label; i < n; i++) {
        char low = (char)(s[i] | 0x20);
        if (!is_digit(s[i]) && !(hex && low >= 'a' && low <= 'f'))
            return false;
    }
    return true;
}

/* The port in s[at..n), of which `at` - 1 is the colon. */
static int read_target_port(struct reader *r, size_t at, bool allow_port, int32_t *port) {
    unsigned number = 0;
    if (!allow_port)
        return reader_bad(r, at - 1, "a port does not belong here; ports are given with -p");
    r->at = at;
    int code = reader_number(r, 65535, "a port", &number);
    if (code < 0)
        return code;
    if (r->at < r->n)
        return reader_bad(r, r->at, "expected the end of the port here");
    if (number == 0)
        return reader_bad(r, at, "a port is at least 1");
    *port = (int32_t)number;
    return 0;
}

/* Takes ":port" off the text's end. *port is -1 where there is none. */
static int split_port(struct reader *r, bool allow_port, int32_t *port) {
    const char *colon = memchr(r->s, ':', r->n);
    *port = -1;
    if (!colon)
        return 0;
    size_t at = (size_t)(colon - r->s);
    int code = read_target_port(r, at + 1, allow_port, port);
    r->at = 0;
    r->n = at;
    return code;
}

/* '[' IPv6 target ']' [':' port] */
static int read_bracketed(struct reader *r, bool allow_port, struct array *list) {
    const char *close = memchr(r->s, ']', r->n);
    size_t at = close ? (size_t)(close - r->s) : r->n;
    int32_t port = -1;
    if (!close)
        return reader_bad(r, at, "the bracket is not closed");
    if (at + 1 < r->n && r->s[at + 1] != ':')
        return reader_bad(r, at + 1, "behind a bracket only :PORT may stand");
    int code = at + 1 < r->n ? read_target_port(r, at + 2, allow_port, &port) : 0;
    if (code < 0)
        return code;
    r->at = 1;
    r->n = at;
    return target_read_v6(r, port, list);
}

static bool has_two_colons(const char *s, size_t n) {
    const char *colon = memchr(s, ':', n);
    return colon && memchr(colon + 1, ':', n - (size_t)(colon + 1 - s));
}

static bool is_numeric(char c) {
    return is_digit(c) || c == '.' || c == '-' || c == ',' || c == '*' || c == '/';
}

/* "a-b" between two whole addresses, as against octets with ranges in them. */
static bool has_two_addresses(const char *s, size_t n) {
    const char *dash = memchr(s, '-', n);
    unsigned before = 0, after = 0;
    for (size_t i = 0; dash && i < n; i++) {
        before += s[i] == '.' && s + i < dash;
        after += s[i] == '.' && s + i > dash;
    }
    return before == 3 && after > 0;
}

int target_parse(const char *text, size_t n, bool allow_port, struct array *list, unsigned *column, struct error *e) {
    struct reader r = {.s = text, .n = n, .whole = n, .column = column, .e = e};
    int32_t port = -1;
    if (n == 0)
        return reader_bad(&r, 0, "it is empty");
    if (text[0] == '[')
        return read_bracketed(&r, allow_port, list);
    if (has_two_colons(text, n))
        return target_read_v6(&r, -1, list);
    int code = split_port(&r, allow_port, &port);
    if (code < 0)
        return code;
    if (r.n == 0)
        return reader_bad(&r, 0, "the address is missing");
    size_t numeric = 0;
    while (numeric < r.n && is_numeric(text[numeric]))
        numeric++;
    if (numeric == r.n) {
        bool octets = memchr(text, ',', r.n) || memchr(text, '*', r.n) || memchr(text, '-', r.n);
        return octets && !has_two_addresses(text, r.n) ? read_octets(&r, port, list) : read_range(&r, port, list);
    }
    if (is_host_name(text, r.n))
        return ends_in_number(text, r.n) ? reader_bad(&r, 0, "an IPv4 address is four decimal octets") : TARGET_NAME;
    if (memchr(text, '/', r.n))
        return reader_bad(&r, numeric, "a prefix length goes with an address, not with a name");
    return reader_bad(&r, numeric, "neither an address nor a host name");
}
