#include <errno.h>
#include <string.h>
#include <strings.h>

#include "plan/port_table.h"
#include "plan/target.h"

void port_set_add(struct port_set *s, unsigned lo, unsigned hi) {
    for (unsigned p = lo; p <= hi; p++)
        s->bits[p / 64] |= UINT64_C(1) << p % 64;
}

void port_set_remove(struct port_set *s, const struct port_set *what) {
    for (size_t i = 0; i < PORT_SET_MAX / 64; i++)
        s->bits[i] &= ~what->bits[i];
}

bool port_set_has(const struct port_set *s, unsigned port) {
    return s->bits[port / 64] >> port % 64 & 1;
}

unsigned port_set_count(const struct port_set *s) {
    unsigned n = 0;
    for (size_t i = 0; i < PORT_SET_MAX / 64; i++)
        n += (unsigned)__builtin_popcountll(s->bits[i]);
    return n;
}

unsigned ports_ranked_count(void) {
    return (unsigned)port_table_n;
}

int ports_top(unsigned n, struct port_set *out, struct error *e) {
    if (n == 0 || n > port_table_n)
        return error_set(e, -ERANGE, "the list of common ports holds 1 to %u of them, not %u", ports_ranked_count(), n);
    for (size_t i = 0; i < port_table_n; i++)
        if (port_table[i].rank <= n)
            port_set_add(out, port_table[i].port, port_table[i].port);
    return 0;
}

const char *port_name_tcp(unsigned port) {
    size_t lo = 0, hi = port_table_n;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (port_table[middle].port < port)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < port_table_n && port_table[lo].port == port ? port_table[lo].name : NULL;
}

/* One item of the list, s[0..n). */
struct item {
    const char *s;
    size_t n;
    const char *text; /* the whole list, for the error line */
    struct error *e;
};

static int bad(const struct item *it, const char *why) {
    return error_set(it->e, -EINVAL, "bad port \"%.*s\" in \"%.60s%s\": %s", it->n > 40 ? 40 : (int)it->n, it->s,
                     it->text, strlen(it->text) > 60 ? "..." : "", why);
}

/* The digits at *at, as a port; moves *at behind them. No digit leaves *out as it is: an open end. */
static int read_port(const struct item *it, size_t *at, unsigned *out) {
    unsigned value = 0;
    size_t start = *at;
    for (; *at < it->n && it->s[*at] >= '0' && it->s[*at] <= '9'; ++*at) {
        value = value * 10 + (unsigned)(it->s[*at] - '0');
        if (value > PORT_SET_MAX - 1)
            return bad(it, "a port is at most 65535");
    }
    if (*at > start)
        *out = value;
    return 0;
}

static int add_range(const struct item *it, struct port_set *set) {
    unsigned lo = 1, hi = PORT_SET_MAX - 1;
    size_t at = 0;
    int code = read_port(it, &at, &lo);
    if (code < 0)
        return code;
    if (at == it->n) {
        hi = lo;
    } else if (it->s[at] == '-') {
        at++;
        code = read_port(it, &at, &hi);
        if (code < 0)
            return code;
    }
    if (at < it->n)
        return bad(it, "expected a port, a range or a service name");
    if (hi < lo)
        return bad(it, "the range runs backwards");
    port_set_add(set, lo, hi);
    return 0;
}

/* Every TCP port of that service: "http" has one, some have several. */
static int add_name(const struct item *it, struct port_set *set, bool tcp) {
    bool found = false;
    if (!tcp)
        return bad(it, "service names are known for TCP only");
    for (size_t i = 0; i < port_table_n; i++) {
        const char *name = port_table[i].name;
        if (strlen(name) == it->n && strncasecmp(name, it->s, it->n) == 0) {
            port_set_add(set, port_table[i].port, port_table[i].port);
            found = true;
        }
    }
    return found ? 0 : bad(it, "no TCP service of that name is known");
}

/* "T:" and the like at the item's start: switches *set and is taken off. */
static int take_protocol(struct item *it, struct port_spec *out, struct port_set **set) {
    if (it->n < 2 || it->s[1] != ':')
        return 0;
    switch (it->s[0] | 0x20) {
    case 't':
        *set = &out->tcp;
        break;
    case 'u':
        *set = &out->udp;
        break;
    case 's':
        *set = &out->sctp;
        break;
    default:
        return bad(it, "the protocols are T: (TCP), U: (UDP) and S: (SCTP)");
    }
    it->s += 2;
    it->n -= 2;
    return 0;
}

int ports_parse(const char *text, struct port_spec *out, struct error *e) {
    struct port_set *set = &out->tcp;
    for (const char *at = text;;) {
        struct item it = {.s = at, .n = strcspn(at, ","), .text = text, .e = e};
        at += it.n;
        int code = take_protocol(&it, out, &set);
        if (code < 0)
            return code;
        if (it.n == 0)
            return bad(&it, "a port is missing");
        bool number = *it.s == '-' || (*it.s >= '0' && *it.s <= '9');
        code = number ? add_range(&it, set) : add_name(&it, set, set == &out->tcp);
        if (code < 0 || *at == '\0')
            return code;
        at++;
    }
}
