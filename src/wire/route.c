#include "wire/route.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "wire/fib.h"
#include "wire/iface.h"

#define HOPS_MAX 4096u
#define IFACES_MAX 4096u

/* Where the kernel changes its mind without a word in its tables: this host (0.0.0.0, and on older kernels 0/8),
 * loopback, multicast, the reserved block, broadcast. */
static const uint32_t builtin_boundaries[] = {0x00000000, 0x00000001, 0x01000000, 0x7f000000,
                                              0x80000000, 0xe0000000, 0xf0000000, 0xffffffff};

struct resolver {
    struct nl_sock *nl;
    const struct route_options *options;
    struct fib_from from;
    bool loopback_only; /* -e lo */
    bool reachable;     /* some address has a way out */
    int unusable;       /* an interface that leads to some, but is down or without carrier; 0: none */
    struct array starts; /* addr_t: where the kernel's answer may change; ascending, the first is 0 */
    struct array ifaces; /* struct iface, each asked once */
    struct array hops;   /* struct hop */
    struct array ranges; /* struct route_range */
    struct error *e;
};

static int no_memory(struct error *e) {
    return error_set(e, -ENOMEM, "out of memory for routes");
}

static int ascending(const void *a, const void *b) {
    const addr_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int find_boundaries(struct resolver *r) {
    int code = fib_boundaries(r->nl, &r->starts, r->e);
    if (code < 0)
        return code;
    size_t n_builtin = sizeof builtin_boundaries / sizeof builtin_boundaries[0];
    for (size_t i = 0; i < n_builtin + 2; i++) {
        addr_t *a = array_add(&r->starts);
        if (!a)
            return no_memory(r->e);
        /* And where IPv4 begins (the first of the table) and ends among all addresses. */
        *a = i < n_builtin ? addr_from_v4(builtin_boundaries[i]) : i == n_builtin ? addr_from_v4(UINT32_MAX) + 1 : 0;
    }
    qsort(r->starts.items, r->starts.n, sizeof(addr_t), ascending);
    return 0;
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
    case ARPHRD_TUNNEL:
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
           a->source == b->source && a->gateway == b->gateway;
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

static int loopback_hop(const struct resolver *r, const struct iface *f, struct hop *out) {
    *out = (struct hop){.ifindex = f->index, .link = LINK_IP, .loopback = true, .local = true, .mtu = f->mtu};
    out->source = r->options->source_v4;
    return 0;
}

static int outward_hop(struct resolver *r, addr_t to, const struct fib_answer *answer, const struct iface *f,
                       struct hop *out) {
    char text[ADDR_STRLEN];
    enum link_type link = LINK_IP;
    int code = link_of(f, &link, r->e);
    if (code < 0)
        return code;
    if (answer->gateway && !addr_is_v4(answer->gateway))
        return error_set(r->e, -EAFNOSUPPORT, "the route to %s has an IPv6 gateway, which is not supported",
                         addr_format(to, text));
    if (!answer->source)
        return error_set(r->e, -EADDRNOTAVAIL, "interface \"%s\", which leads to %s, has no IPv4 address", f->name,
                         addr_format(to, text));
    bool ethernet = link == LINK_ETHERNET;
    *out = (struct hop){
        .ifindex = f->index,
        .link = link,
        .on_link = ethernet && !answer->gateway,
        .source = answer->source,
        .gateway = ethernet ? answer->gateway : 0,
        .mtu = f->mtu,
    };
    memcpy(out->mac, f->mac, MAC_LEN);
    return 0;
}

/* Turns the kernel's answer into a hop. What nothing can be sent to stays unreachable: no route, a broadcast or
 * multicast address (no TCP there), loopback addresses through a real interface (RFC 1122 3.2.1.3 g), routes into lo
 * for addresses that are not ours, a link without carrier (its queue would swallow all in silence). */
static int hop_for(struct resolver *r, addr_t to, struct hop *out) {
    struct fib_answer answer;
    *out = (struct hop){.unreachable = true};
    if (!addr_is_v4(to) || addr_v4(to) == 0)
        return 0;
    int code = fib_lookup(r->nl, to, &r->from, &answer);
    if (code < 0)
        return error_set(r->e, code, "cannot ask the kernel for a route: %s", strerror(-code));
    if (code > 0 || (answer.type != RTN_UNICAST && answer.type != RTN_LOCAL))
        return 0;
    const struct iface *f = iface_of(r, answer.ifindex, &code);
    if (!f)
        return code;
    bool local = answer.type == RTN_LOCAL, loopback = f->arphrd == ARPHRD_LOOPBACK;
    if (local != loopback || (r->loopback_only && !loopback) || (addr_v4(to) >> 24 == 127 && !loopback))
        return 0;
    if (!f->up || !f->carrier) {
        r->unusable = f->index;
        return 0;
    }
    code = loopback ? loopback_hop(r, f, out) : outward_hop(r, to, &answer, f, out);
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
    r->from.ifindex = r->loopback_only ? 0 : f.index;
    return 0;
}

static int bind_to_source(struct resolver *r) {
    addr_t source = r->options->source_v4;
    struct fib_answer answer;
    char text[ADDR_STRLEN];
    addr_format(source, text);
    if (!addr_is_v4(source))
        return error_set(r->e, -EAFNOSUPPORT, "source address %s is not an IPv4 address", text);
    int code = fib_lookup(r->nl, source, &(struct fib_from){0}, &answer);
    if (code < 0)
        return error_set(r->e, code, "cannot ask the kernel for a route: %s", strerror(-code));
    if (code > 0 || answer.type != RTN_LOCAL || addr_v4(source) == 0)
        return error_set(r->e, -EADDRNOTAVAIL, "source address %s is not one of this machine's own", text);
    r->from.source = source;
    return 0;
}

static int nothing_reachable(struct resolver *r) {
    char text[ADDR_STRLEN];
    int ignored;
    const struct iface *f = r->unusable ? iface_of(r, r->unusable, &ignored) : NULL;
    if (f)
        return error_set(r->e, -ENETUNREACH, "interface \"%s\", which leads to the targets, %s", f->name,
                         f->up ? "has no carrier" : "is down");
    const char *through = r->options->ifname;
    addr_t source = r->options->source_v4;
    return error_set(r->e, -ENETUNREACH, "this machine has no route to any of the targets%s%s%s%s",
                     through ? " through interface " : "", through ? through : "", source ? " from " : "",
                     source ? addr_format(source, text) : "");
}

static int resolve(struct resolver *r, const struct addr_range *ranges, size_t n) {
    r->nl = iface_netlink();
    if (!r->nl)
        return error_set(r->e, -EIO, "cannot ask the kernel for routes (netlink)");
    int code = r->options->ifname ? bind_to_interface(r) : 0;
    if (code == 0 && r->options->source_v4)
        code = bind_to_source(r);
    if (code == 0)
        code = find_boundaries(r);
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
        .starts = ARRAY_INIT(addr_t, 2 * (size_t)ROUTE_SEGMENTS_MAX),
        .ifaces = ARRAY_INIT(struct iface, IFACES_MAX),
        .hops = ARRAY_INIT(struct hop, HOPS_MAX),
        .ranges = ARRAY_INIT(struct route_range, n + 2 * (size_t)ROUTE_SEGMENTS_MAX),
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

const struct route_range *route_find(const struct route_range *ranges, size_t n, addr_t a) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ranges[mid].range.hi < a)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && ranges[lo].range.lo <= a ? &ranges[lo] : NULL;
}
