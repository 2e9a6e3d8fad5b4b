#include "wire/route.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "wire/fib.h"
#include "wire/iface.h"
#include "wire/source.h"

#define HOPS_MAX 4096u
#define IFACES_MAX 4096u

#define STARTS_MAX (4 * (size_t)ROUTE_SEGMENTS_MAX) /* two a prefix, of both families */

/* Where the kernel changes its mind without a word in its tables: this host (0.0.0.0, and on older kernels 0/8),
 * loopback, multicast, the reserved block, broadcast. */
static const uint32_t builtin_v4[] = {0x00000000, 0x00000001, 0x01000000, 0x7f000000,
                                      0x80000000, 0xe0000000, 0xf0000000, 0xffffffff};

/* The same of IPv6, by the highest 64 bits: link-local unicast and what follows it, multicast. The unspecified address,
 * loopback, and IPv4 with its end are added by hand. */
static const uint64_t builtin_v6[] = {0xfe80000000000000, 0xfec0000000000000, 0xff00000000000000};

struct resolver {
    struct nl_sock *nl;
    const struct route_options *options;
    int ifindex;              /* -e; 0: any, and for -e lo */
    struct source sources[2]; /* -S, of IPv4 and of IPv6 */
    bool loopback_only;       /* -e lo */
    bool reachable;           /* some address has a way out */
    int unusable;             /* an interface that leads to some, but is down or without carrier; 0: none */
    int confined;             /* an interface that leads to some, but with only a link-local source; 0: none */
    struct array starts;      /* addr_t: where the kernel's answer may change; ascending, the first is 0 */
    struct array ifaces;      /* struct iface, each asked once */
    struct array hops;        /* struct hop */
    struct array ranges;      /* struct route_range */
    struct error *e;
};

static int no_memory(struct error *e) {
    return error_set(e, -ENOMEM, "out of memory for routes");
}

static int ascending(const void *a, const void *b) {
    const addr_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int add_start(struct resolver *r, addr_t a) {
    addr_t *slot = array_add(&r->starts);
    if (!slot)
        return errno == E2BIG ? error_set(r->e, -E2BIG, "the kernel's routing table is too large") : no_memory(r->e);
    *slot = a;
    return 0;
}

/* Does a range hold an address of that family? Ranges may cross from one to the other. */
static bool has_family(const struct addr_range *ranges, size_t n, bool v4) {
    for (size_t i = 0; i < n; i++) {
        bool all_v4 = addr_is_v4(ranges[i].lo) && addr_is_v4(ranges[i].hi);
        bool some_v4 = ranges[i].lo <= addr_from_v4(UINT32_MAX) && ranges[i].hi >= addr_from_v4(0);
        if (v4 ? some_v4 : !all_v4)
            return true;
    }
    return false;
}

static bool is_one_zone(const struct addr_range *range) {
    return addr_is_link_local(range->lo) && range->lo >> 96 == range->hi >> 96;
}

/* The kernel's tables know link-local addresses without their zone. Each zone that is asked for gets its copy of their
 * boundaries, and has two of its own. */
static int add_zones(struct resolver *r, const struct addr_range *ranges, size_t n) {
    size_t plain = r->starts.n;
    addr_t before = 0;
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        addr_t zone = ranges[i].lo >> 96;
        if (!is_one_zone(&ranges[i]) || zone == before) /* ascending: the same zone comes in a row */
            continue;
        before = zone;
        code = add_start(r, zone << 96);
        if (code == 0)
            code = add_start(r, (zone + 1) << 96);
        for (size_t k = 0; k < plain && code == 0; k++) {
            addr_t start = ((addr_t *)r->starts.items)[k];
            if (addr_is_link_local(start) && addr_zone(start) == 0 && start >> 112 == zone >> 16)
                code = add_start(r, addr_with_zone(start, (unsigned)zone & ADDR_ZONE_MAX));
        }
    }
    return code;
}

static int add_builtin(struct resolver *r) {
    const addr_t by_hand[] = {0, 1, 2, addr_from_v4(UINT32_MAX) + 1};
    int code = 0;
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0] && code == 0; i++)
        code = add_start(r, by_hand[i]);
    for (size_t i = 0; i < sizeof builtin_v4 / sizeof builtin_v4[0] && code == 0; i++)
        code = add_start(r, addr_from_v4(builtin_v4[i]));
    for (size_t i = 0; i < sizeof builtin_v6 / sizeof builtin_v6[0] && code == 0; i++)
        code = add_start(r, (addr_t)builtin_v6[i] << 64);
    return code;
}

static int find_boundaries(struct resolver *r, const struct addr_range *ranges, size_t n) {
    int code = 0;
    if (has_family(ranges, n, true))
        code = fib_boundaries(r->nl, AF_INET, &r->starts, r->e);
    if (code == 0 && has_family(ranges, n, false))
        code = fib_boundaries(r->nl, AF_INET6, &r->starts, r->e);
    if (code == 0)
        code = add_zones(r, ranges, n);
    if (code == 0)
        code = add_builtin(r);
    if (code == 0)
        qsort(r->starts.items, r->starts.n, sizeof(addr_t), ascending);
    return code;
}

/* The interface of that index, from memory if it was asked before. NULL with the error set. */
static const struct iface *iface_of(struct resolver *r, int index, int *code) {
    const struct iface *known = r->ifaces.items;
    for (size_t i = 0; i < r->ifaces.n; i++)
        if (known[i].index == index)
            return &known[i];
    struct iface *f = array_add(&r->ifaces);
    if (!f) {
        *code = no_memory(r->e);
        return NULL;
    }
    *code = iface_read(r->nl, index, NULL, f);
    if (*code < 0) {
        r->ifaces.n--;
        error_set(r->e, *code, "cannot ask for interface number %d: %s", index, strerror(-*code));
        return NULL;
    }
    return f;
}

static int link_of(const struct iface *f, enum link_type *link, struct error *e) {
    switch (f->arphrd) {
    case ARPHRD_ETHER:
        *link = LINK_ETHERNET;
        return 0;
    case ARPHRD_LOOPBACK:
    case ARPHRD_NONE: /* tun, WireGuard */
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL: /* IP in IPv4 */
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_RAWIP: /* mobile broadband */
        *link = LINK_IP;
        return 0;
    default:
        return error_set(e, -EPROTONOSUPPORT, "interface \"%s\" is neither Ethernet nor plain IP (kind %u of if_arp.h)",
                         f->name, f->arphrd);
    }
}

static bool same_hop(const struct hop *a, const struct hop *b) {
    return a->ifindex == b->ifindex && a->local == b->local && a->unreachable == b->unreachable &&
           a->source == b->source && a->source_borrowed == b->source_borrowed && a->gateway == b->gateway;
}

/* The index of that hop, which is added if it is new. */
static int intern_hop(struct resolver *r, const struct hop *hop, unsigned *index) {
    const struct hop *known = r->hops.items;
    for (size_t i = 0; i < r->hops.n; i++) {
        if (same_hop(&known[i], hop)) {
            *index = (unsigned)i;
            return 0;
        }
    }
    struct hop *fresh = array_add(&r->hops);
    if (!fresh && errno == E2BIG)
        return error_set(r->e, -E2BIG, "the targets lie behind more than %u different gateways", HOPS_MAX);
    if (!fresh)
        return no_memory(r->e);
    *fresh = *hop;
    *index = (unsigned)(r->hops.n - 1);
    return 0;
}

static void loopback_hop(const struct source *source, const struct iface *f, struct hop *out) {
    *out = (struct hop){.ifindex = f->index, .link = LINK_IP, .loopback = true, .local = true, .mtu = f->mtu};
    out->source = source->addr;
}

static int outward_hop(struct resolver *r, addr_t to, const struct fib_answer *answer, const struct iface *f,
                       struct hop *out) {
    char text[ADDR_STRLEN];
    enum link_type link = LINK_IP;
    int code = link_of(f, &link, r->e);
    if (code < 0)
        return code;
    if (addr_is_v4(to) && answer->gateway && !addr_is_v4(answer->gateway))
        return error_set(r->e, -EAFNOSUPPORT, "the route to %s has an IPv6 gateway, which is not supported",
                         addr_format(to, text));
    const struct source *source = &r->sources[!addr_is_v4(to)];
    addr_t from = source->addr ? source->addr : answer->source;
    if (!from)
        return error_set(r->e, -EADDRNOTAVAIL, "interface \"%s\", which leads to %s, has no IPv%d address", f->name,
                         addr_format(to, text), addr_is_v4(to) ? 4 : 6);
    bool ethernet = link == LINK_ETHERNET;
    *out = (struct hop){
        .ifindex = f->index,
        .link = link,
        .on_link = ethernet && !answer->gateway,
        .source_borrowed = source->borrowed != 0,
        .source = from,
        .gateway = ethernet ? answer->gateway : 0,
        .mtu = f->mtu,
    };
    memcpy(out->mac, f->mac, MAC_LEN);
    return 0;
}

/* Can an answer come back to that source? Loopback addresses are none in a real network (RFC 1122 3.2.1.3 g, RFC 4291
 * 2.5.3), a link-local source is known on its link alone and passed on by no router (RFC 4291 2.5.6), and a borrowed
 * one belongs to its link. */
static bool source_fits(struct resolver *r, addr_t to, const struct fib_answer *answer, bool loopback) {
    const struct source *source = &r->sources[!addr_is_v4(to)];
    addr_t from = source->addr ? source->addr : answer->source;
    if (loopback)
        return !source->borrowed;
    if (source_is_loopback(from) || (source->borrowed && source->borrowed != answer->ifindex))
        return false;
    if (!addr_is_link_local(from))
        return true;
    if (answer->gateway)
        r->confined = answer->ifindex;
    return !answer->gateway && addr_zone(from) == (unsigned)answer->ifindex;
}

/* What the kernel would do with a packet to that address. Returns 0, 1 (nothing: unreachable) or a negative errno. */
static int look_up(struct resolver *r, addr_t to, struct fib_answer *answer) {
    const struct source *source = &r->sources[!addr_is_v4(to)];
    struct fib_from from = {.ifindex = r->ifindex, .source = source->borrowed ? 0 : source->addr};
    if (to == 0 || to == addr_from_v4(0) || to >> 120 == 0xff)
        return 1;
    if (addr_is_link_local(to)) {
        int zone = addr_zone(to) ? (int)addr_zone(to) : r->ifindex;
        if (!zone || (r->ifindex && r->ifindex != zone))
            return 1;
        from.ifindex = zone;
    }
    int code = fib_lookup(r->nl, to, &from, answer);
    if (code == 0 && !source->addr && answer->type == RTN_UNICAST && source_is_loopback(answer->source))
        answer->source = 0; /* IPv6 offers ::1 where it has nothing else */
    return code;
}

/* Turns the kernel's answer into a hop. What nothing can be sent to stays unreachable: no route, a broadcast or
 * multicast address (no TCP there), loopback addresses through a real interface, routes into lo for addresses that are
 * not ours, a source to which nothing comes back, a link without carrier (its queue would swallow all in silence). */
static int hop_for(struct resolver *r, addr_t to, struct hop *out) {
    struct fib_answer answer;
    *out = (struct hop){.unreachable = true};
    int code = look_up(r, to, &answer);
    if (code < 0)
        return error_set(r->e, code, "cannot ask the kernel for a route: %s", strerror(-code));
    if (code > 0 || (answer.type != RTN_UNICAST && answer.type != RTN_LOCAL))
        return 0;
    if (addr_is_link_local(to) && answer.gateway) /* no router takes it anywhere (RFC 4291 2.5.6) */
        return 0;
    const struct iface *f = iface_of(r, answer.ifindex, &code);
    if (!f)
        return code;
    bool local = answer.type == RTN_LOCAL, loopback = f->arphrd == ARPHRD_LOOPBACK;
    if (local != loopback || (r->loopback_only && !loopback) || (source_is_loopback(to) && !loopback))
        return 0;
    if (!f->up || !f->carrier) {
        r->unusable = f->index;
        return 0;
    }
    if (!source_fits(r, to, &answer, loopback))
        return 0;
    if (loopback)
        loopback_hop(&r->sources[!addr_is_v4(to)], f, out);
    else
        code = outward_hop(r, to, &answer, f, out);
    memcpy(out->ifname, f->name, sizeof out->ifname);
    r->reachable |= code == 0;
    return code;
}

/* Adds lo..hi, to the range before it where that goes on with the same hop. */
static int add_range(struct resolver *r, addr_t lo, addr_t hi, unsigned hop) {
    struct route_range *last = r->ranges.n ? (struct route_range *)r->ranges.items + r->ranges.n - 1 : NULL;
    if (last && last->hop == hop && last->range.hi + 1 == lo) {
        last->range.hi = hi;
        return 0;
    }
    struct route_range *fresh = array_add(&r->ranges);
    if (!fresh)
        return no_memory(r->e);
    *fresh = (struct route_range){.range = {lo, hi}, .hop = hop};
    return 0;
}

/* Walks ranges and boundaries side by side; asks once for each stretch between two boundaries that a range meets. */
static int resolve_all(struct resolver *r, const struct addr_range *ranges, size_t n) {
    const addr_t *starts = r->starts.items;
    size_t at = 0, asked = SIZE_MAX;
    unsigned hop = 0;
    for (size_t i = 0; i < n; i++) {
        for (addr_t lo = ranges[i].lo;;) {
            while (at + 1 < r->starts.n && starts[at + 1] <= lo)
                at++;
            addr_t hi = at + 1 < r->starts.n ? starts[at + 1] - 1 : ~(addr_t)0;
            if (hi > ranges[i].hi)
                hi = ranges[i].hi;
            struct hop found;
            int code = asked == at ? 0 : hop_for(r, lo, &found);
            if (code == 0 && asked != at)
                code = intern_hop(r, &found, &hop);
            if (code == 0)
                code = add_range(r, lo, hi, hop);
            if (code < 0)
                return code;
            asked = at;
            if (hi == ranges[i].hi)
                break;
            lo = hi + 1;
        }
    }
    return 0;
}

static int bind_to_interface(struct resolver *r) {
    const char *name = r->options->ifname;
    struct iface f;
    int code = iface_read(r->nl, 0, name, &f);
    if (code == -ENODEV)
        return error_set(r->e, code, "there is no interface \"%s\"", name);
    if (code < 0)
        return error_set(r->e, code, "cannot ask for interface \"%s\": %s", name, strerror(-code));
    if (!f.up)
        return error_set(r->e, -ENETDOWN, "interface \"%s\" is down", name);
    /* The machine's own addresses leave through lo, but their routes name the interface that has them. */
    r->loopback_only = f.arphrd == ARPHRD_LOOPBACK;
    r->ifindex = r->loopback_only ? 0 : f.index;
    return 0;
}

static int needs_zone(addr_t a, struct error *e) {
    char text[ADDR_STRLEN];
    addr_format(a, text);
    return error_set(e, -EINVAL, "%s needs a zone, such as %s%%eth0", text, text);
}

static int bind_to_source(struct resolver *r, addr_t wanted, int family) {
    char text[ADDR_STRLEN];
    bool v4 = family == AF_INET;
    if (!wanted)
        return 0;
    if (addr_is_v4(wanted) != v4)
        return error_set(r->e, -EAFNOSUPPORT, "source address %s is not an IPv%d address", addr_format(wanted, text),
                         v4 ? 4 : 6);
    if (addr_is_link_local(wanted) && !addr_zone(wanted)) {
        if (!r->ifindex)
            return needs_zone(wanted, r->e);
        wanted = addr_with_zone(wanted, (unsigned)r->ifindex);
    }
    return source_check(r->nl, wanted, r->ifindex, &r->sources[!v4], r->e);
}

/* A target that is link-local must say on which link. (What is wider has more than one zone, and none of them is
 * meant: its link-local part is unreachable.) */
static int check_zones(const struct resolver *r, const struct addr_range *ranges, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char text[ADDR_STRLEN];
        if (!addr_is_link_local(ranges[i].lo) || !addr_is_link_local(ranges[i].hi))
            continue;
        if (!addr_zone(ranges[i].lo) && !r->ifindex)
            return needs_zone(ranges[i].lo, r->e);
        if (!is_one_zone(&ranges[i]))
            return error_set(r->e, -EINVAL, "the link-local addresses from %s on are more than one link can have",
                             addr_format(ranges[i].lo, text));
    }
    return 0;
}

static int nothing_reachable(struct resolver *r) {
    char text[ADDR_STRLEN];
    int ignored, culprit = r->unusable ? r->unusable : r->confined;
    const struct iface *f = culprit ? iface_of(r, culprit, &ignored) : NULL;
    if (f)
        return error_set(r->e, -ENETUNREACH, "interface \"%s\", which leads to the targets, %s", f->name,
                         !r->unusable ? "has only a link-local IPv6 address, which no router passes on"
                         : f->up      ? "has no carrier"
                                      : "is down");
    const char *through = r->options->ifname;
    addr_t source = r->options->source_v4 ? r->options->source_v4 : r->options->source_v6;
    return error_set(r->e, -ENETUNREACH, "this machine has no route to any of the targets%s%s%s%s",
                     through ? " through interface " : "", through ? through : "", source ? " from " : "",
                     source ? addr_format(source, text) : "");
}

static int resolve(struct resolver *r, const struct addr_range *ranges, size_t n) {
    r->nl = iface_netlink();
    if (!r->nl)
        return error_set(r->e, -EIO, "cannot ask the kernel for routes (netlink)");
    int code = r->options->ifname ? bind_to_interface(r) : 0;
    if (code == 0)
        code = bind_to_source(r, r->options->source_v4, AF_INET);
    if (code == 0)
        code = bind_to_source(r, r->options->source_v6, AF_INET6);
    if (code == 0)
        code = check_zones(r, ranges, n);
    if (code == 0)
        code = find_boundaries(r, ranges, n);
    if (code == 0)
        code = resolve_all(r, ranges, n);
    if (code == 0 && n > 0 && !r->reachable)
        code = nothing_reachable(r);
    return code;
}

int route_resolve(const struct addr_range *ranges, size_t n, const struct route_options *options, struct route_map *out,
                  struct error *e) {
    struct resolver r = {
        .options = options,
        .starts = ARRAY_INIT(addr_t, STARTS_MAX),
        .ifaces = ARRAY_INIT(struct iface, IFACES_MAX),
        .hops = ARRAY_INIT(struct hop, HOPS_MAX),
        .ranges = ARRAY_INIT(struct route_range, n + STARTS_MAX),
        .e = e,
    };
    *out = ROUTE_MAP_INIT;
    int code = resolve(&r, ranges, n);
    if (code == 0) {
        *out = (struct route_map){r.ranges.items, r.ranges.n, r.hops.items, r.hops.n};
    } else {
        array_deinit(&r.ranges);
        array_deinit(&r.hops);
    }
    array_deinit(&r.starts);
    array_deinit(&r.ifaces);
    nl_socket_free(r.nl);
    return code;
}

void route_map_deinit(struct route_map *m) {
    free(m->ranges);
    free(m->hops);
    *m = ROUTE_MAP_INIT;
}

/* The index of the first range that does not end before that address. */
static size_t first_from(const struct route_range *ranges, size_t n, addr_t a) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ranges[mid].range.hi < a)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct route_range *route_find(const struct route_range *ranges, size_t n, addr_t a) {
    size_t i = first_from(ranges, n, a);
    return i < n && ranges[i].range.lo <= a ? &ranges[i] : NULL;
}

unsigned route_local_zone(const struct route_map *m, addr_t a) {
    if (!addr_is_link_local(a))
        return 0;
    addr_t zone = a >> 112 << 16; /* the highest 32 bits, with the zone's number below */
    for (;;) {
        size_t i = first_from(m->ranges, m->n_ranges, zone << 96);
        if (i < m->n_ranges && m->ranges[i].range.lo >> 96 > zone)
            zone = m->ranges[i].range.lo >> 96;
        if (i == m->n_ranges || zone >> 16 != a >> 112)
            return 0;
        addr_t zoned = addr_with_zone(a, (unsigned)zone & ADDR_ZONE_MAX);
        const struct route_range *r = route_find(m->ranges, m->n_ranges, zoned);
        if (r && m->hops[r->hop].local)
            return addr_zone(zoned);
        zone++;
    }
}
