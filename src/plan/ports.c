#include <errno.h>
#include <string.h>
#include <strings.h>

#include "plan/port_table.h"
#include "plan/target.h"

#define PROTOCOL_MAX 255u /* an octet of the IP header */

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

const struct port_set *port_spec_of(const struct port_spec *s, unsigned protocol) {
    switch (protocol) {
    case PORTS_TCP:
        return &s->tcp;
    case PORTS_UDP:
        return &s->udp;
    case PORTS_SCTP:
        return &s->sctp;
    default:
        return &s->ip;
    }
}

static const struct port_list *list_of(unsigned protocol) {
    switch (protocol) {
    case PORTS_TCP:
        return &port_lists[PORT_LIST_TCP];
    case PORTS_UDP:
        return &port_lists[PORT_LIST_UDP];
    case PORTS_SCTP:
        return &port_lists[PORT_LIST_SCTP];
    default:
        return &port_lists[PORT_LIST_IP];
    }
}

unsigned ports_ranked_count(void) {
    return (unsigned)port_lists[PORT_LIST_TCP].n;
}

int ports_top(unsigned protocol, unsigned n, struct port_set *out, struct error *e) {
    const struct port_list *list = list_of(protocol);
    if (n == 0 || n > ports_ranked_count())
        return error_set(e, -ERANGE, "the list of common ports holds 1 to %u of them, not %u", ports_ranked_count(), n);
    if (protocol == PORTS_IP)
        port_set_add(out, 0, PROTOCOL_MAX);
    else
        for (size_t i = 0; i < list->n; i++)
            if (list->entries[i].rank <= n)
                port_set_add(out, list->entries[i].port, list->entries[i].port);
    return 0;
}

const char *port_name(unsigned protocol, unsigned port) {
    const struct port_list *list = list_of(protocol);
    size_t lo = 0, hi = list->n;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (list->entries[middle].port < port)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < list->n && list->entries[lo].port == port ? list->entries[lo].name : NULL;
}

/* Which sets an item is for. */
enum { FOR_T = 1, FOR_U = 2, FOR_S = 4, FOR_P = 8, FOR_ALL = 15 };

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

/* The digits at *at, at most max; moves *at behind them. No digit leaves *out as it is: an open end. */
static int read_port(const struct item *it, size_t *at, unsigned max, unsigned *out) {
    unsigned value = 0;
    size_t start = *at;
    for (; *at < it->n && it->s[*at] >= '0' && it->s[*at] <= '9'; ++*at) {
        value = value * 10 + (unsigned)(it->s[*at] - '0');
        if (value > max)
            return bad(it, max == PROTOCOL_MAX ? "an IP protocol is at most 255" : "a port is at most 65535");
    }
    if (*at > start)
        *out = value;
    return 0;
}

static void add_ports(struct port_spec *out, unsigned whose, unsigned lo, unsigned hi) {
    if (whose & FOR_T)
        port_set_add(&out->tcp, lo, hi);
    if (whose & FOR_U)
        port_set_add(&out->udp, lo, hi);
    if (whose & FOR_S)
        port_set_add(&out->sctp, lo, hi);
    if (whose & FOR_P && lo <= PROTOCOL_MAX)
        port_set_add(&out->ip, lo, hi < PROTOCOL_MAX ? hi : PROTOCOL_MAX);
}

static int add_range(const struct item *it, struct port_spec *out, unsigned whose) {
    bool protocols = whose == FOR_P;
    unsigned lo = protocols ? 0 : 1, hi = PORT_SET_MAX - 1;
    size_t at = 0;
    int code = read_port(it, &at, protocols ? PROTOCOL_MAX : PORT_SET_MAX - 1, &lo);
    bool open_start = at == 0;
    if (code < 0)
        return code;
    if (at == it->n) {
        hi = lo;
    } else if (it->s[at] == '-') {
        at++;
        hi = protocols ? PROTOCOL_MAX : hi;
        code = read_port(it, &at, hi, &hi);
        if (code < 0)
            return code;
    }
    if (at < it->n)
        return bad(it, protocols ? "expected a protocol number, a range or a name"
                                 : "expected a port, a range or a service name");
    if (hi < lo)
        return bad(it, "the range runs backwards");
    add_ports(out, whose, lo, hi);
    if (open_start && whose == FOR_ALL)
        add_ports(out, FOR_P, 0, 0); /* protocols begin at 0 */
    return 0;
}

/* Every port of that service: "http" has one, some have several. */
static bool add_named(const struct item *it, struct port_spec *out, unsigned protocol, unsigned whose) {
    const struct port_list *list = list_of(protocol);
    bool found = false;
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->entries[i].name;
        if (strlen(name) == it->n && strncasecmp(name, it->s, it->n) == 0) {
            add_ports(out, whose, list->entries[i].port, list->entries[i].port);
            found = true;
        }
    }
    return found;
}

static int add_name(const struct item *it, struct port_spec *out, unsigned whose) {
    bool found = (whose & FOR_T) && add_named(it, out, PORTS_TCP, FOR_T);
    found |= (whose & FOR_U) && add_named(it, out, PORTS_UDP, FOR_U);
    found |= (whose & FOR_S) && add_named(it, out, PORTS_SCTP, FOR_S);
    found |= (whose & FOR_P) && add_named(it, out, PORTS_IP, FOR_P);
    if (found)
        return 0;
    switch (whose) {
    case FOR_T:
        return bad(it, "no TCP service of that name is known");
    case FOR_U:
        return bad(it, "no UDP service of that name is known");
    case FOR_S:
        return bad(it, "no SCTP service of that name is known");
    case FOR_P:
        return bad(it, "no IP protocol of that name is known");
    default:
        return bad(it, "no service of that name is known");
    }
}

/* "T:" and the like at the item's start: switches *whose and is taken off. */
static int take_protocol(struct item *it, struct port_spec *out, unsigned *whose) {
    if (it->n < 2 || it->s[1] != ':')
        return 0;
    switch (it->s[0] | 0x20) {
    case 't':
        *whose = FOR_T;
        out->t_named = true;
        break;
    case 'u':
        *whose = FOR_U;
        out->u_named = true;
        break;
    case 's':
        *whose = FOR_S;
        out->s_named = true;
        break;
    case 'p':
        *whose = FOR_P;
        out->p_named = true;
        break;
    default:
        return bad(it, "the protocols are T: (TCP), U: (UDP), S: (SCTP) and P: (IP protocols, -sO)");
    }
    it->s += 2;
    it->n -= 2;
    return 0;
}

int ports_parse(const char *text, struct port_spec *out, struct error *e) {
    unsigned whose = FOR_ALL;
    for (const char *at = text;;) {
        struct item it = {.s = at, .n = strcspn(at, ","), .text = text, .e = e};
        at += it.n;
        int code = take_protocol(&it, out, &whose);
        if (code < 0)
            return code;
        if (it.n == 0)
            return bad(&it, "a port is missing");
        bool number = *it.s == '-' || (*it.s >= '0' && *it.s <= '9');
        code = number ? add_range(&it, out, whose) : add_name(&it, out, whose);
        if (code < 0 || *at == '\0')
            return code;
        at++;
    }
}
