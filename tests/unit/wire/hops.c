#include "hops.h"

#include <stdio.h>
#include <string.h>

struct route_options hops_any(void) {
    return (struct route_options){.ifname = NULL};
}

struct addr_range hops_range(const char *lo, const char *hi) {
    return (struct addr_range){space_addr(lo), space_addr(hi)};
}

struct route_map hops_resolve(const struct addr_range *ranges, size_t n, struct route_options options) {
    struct error e = ERROR_INIT;
    struct route_map m;
    if (route_resolve(ranges, n, &options, &m, &e) < 0)
        fail_msg("%s", e.text);
    return m;
}

void hops_refused(const char *target, struct route_options options, int code, const char *line) {
    struct error e = ERROR_INIT;
    struct route_map m;
    struct addr_range one = hops_range(target, target);
    assert_int_equal(route_resolve(&one, 1, &options, &m, &e), code);
    assert_string_equal(e.text, line);
    assert_null(m.ranges);
    route_map_deinit(&m);
}

void hops_resolve_v4(struct route_map *m, struct route_options options) {
    struct addr_range all = hops_range("0.0.0.0", "255.255.255.255");
    *m = hops_resolve(&all, 1, options);
}

void hops_resolve_all(struct route_map *m, struct route_options options) {
    struct addr_range all = {0, ~(addr_t)0};
    *m = hops_resolve(&all, 1, options);
}

const struct hop *hops_of(const struct route_map *m, addr_t a) {
    const struct route_range *found = route_find(m->ranges, m->n_ranges, a);
    return found == NULL ? NULL : &m->hops[found->hop];
}

static const char *describe(const struct route_map *m, const char *address) {
    static char words[256];
    char source[ADDR_STRLEN] = "itself", gateway[ADDR_STRLEN];
    const struct hop *h = hops_of(m, space_addr(address));
    if (!h)
        return "nothing";
    if (h->unreachable)
        return "unreachable";
    if (h->source)
        addr_format(h->source, source);
    assert_int_equal(h->ifindex, space_ifindex(h->ifname));
    assert_true(h->local == h->loopback);
    assert_true(!h->source_borrowed || h->source);
    assert_true(h->mtu > 0);
    if (h->gateway)
        snprintf(words, sizeof words, "%s via %s from %s", h->ifname, addr_format(h->gateway, gateway), source);
    else
        snprintf(words, sizeof words, "%s%s%s%s from %s", h->ifname, h->link == LINK_IP ? " ip" : "",
                 h->on_link ? " on-link" : "", h->local ? " local" : "", source);
    return words;
}

void hops_expect(const struct route_map *m, const char *address, const char *words) {
    const char *found = describe(m, address);
    if (strcmp(found, words) != 0)
        fail_msg("%s: found \"%s\", want \"%s\"", address, found, words);
}
