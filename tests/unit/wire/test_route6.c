/* The same questions as in test_route.c, of IPv6: what a namespace's interfaces and routes give each address. */
#include "hops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"

/* n0 has 2001:2:0:1::1/64, fe80::a and a default route over a link-local gateway; n1 has 2001:2:0:2::1/64 and
 * fe80::b. */
static int set_up(void **state) {
    (void)state;
    space_enter();
    if (!space_try("test -e /proc/sys/net/ipv6 && echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6"))
        skip();
    space_run("for i in 0 1; do ip link add n$i type veth peer name f$i &&"
              " ip link set n$i addrgenmode none && ip link set f$i addrgenmode none; done &&"
              " ip link set n0 address 02:00:00:00:00:10 && for i in n0 f0 n1 f1; do ip link set $i up; done");
    space_run("ip addr add 2001:2:0:1::1/64 dev n0 nodad && ip addr add fe80::a/64 dev n0 nodad &&"
              " ip addr add 2001:2:0:2::1/64 dev n1 nodad && ip addr add fe80::b/64 dev n1 nodad &&"
              " ip route add default via fe80::99 dev n0");
    return 0;
}

static void test_an_ordinary_machine(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip addr add 198.18.1.1/24 dev n0 && ip route add default via 198.18.1.254");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:0:7::1", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    hops_expect(&m, "2001:2:0:1::2", "n0 on-link from 2001:2:0:1::1");
    hops_expect(&m, "2001:2:0:1:ffff:ffff:ffff:ffff", "n0 on-link from 2001:2:0:1::1");
    hops_expect(&m, "2001:2:0:2::2", "n1 on-link from 2001:2:0:2::1");
    hops_expect(&m, "2001:2:0:3::", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    hops_expect(&m, "2001:2:0:1::1", "lo ip local from itself");
    hops_expect(&m, "2001:2:0:2::1", "lo ip local from itself");
    hops_expect(&m, "::1", "lo ip local from itself");
    hops_expect(&m, "::", "unreachable");
    hops_expect(&m, "::2", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    hops_expect(&m, "::1:0:0:0", "n0 via fe80::99%n0 from 2001:2:0:1::1"); /* the first behind IPv4 */
    hops_expect(&m, "::fffe:ffff:ffff", "n0 via fe80::99%n0 from 2001:2:0:1::1"); /* the last before it */
    hops_expect(&m, "fe80::5", "unreachable");                                     /* on which link? */
    hops_expect(&m, "fec0::1", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    hops_expect(&m, "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    hops_expect(&m, "ff00::", "unreachable");
    hops_expect(&m, "ff02::1", "unreachable");
    hops_expect(&m, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unreachable");
    hops_expect(&m, "8.8.8.8", "n0 via 198.18.1.254 from 198.18.1.1");
    hops_expect(&m, "198.18.1.1", "lo ip local from itself");
    hops_expect(&m, "0.0.0.0", "unreachable");
    assert_true(m.ranges[0].range.lo == 0 && m.ranges[m.n_ranges - 1].range.hi == ~(addr_t)0);
    for (size_t i = 0; i + 1 < m.n_ranges; i++)
        assert_true(m.ranges[i].range.hi + 1 == m.ranges[i + 1].range.lo && m.ranges[i].hop != m.ranges[i + 1].hop);
    static const uint8_t mac[MAC_LEN] = {2, 0, 0, 0, 0, 0x10};
    const struct hop *h = hops_of(&m, space_addr("2001:2:0:1::2"));
    assert_memory_equal(h->mac, mac, MAC_LEN);
    assert_int_equal(h->mtu, 1500);
    route_map_deinit(&m);
}

/* Link-local addresses: the zone decides, also over what is this machine's own; the map keeps it. */
static void test_zones(void **state) {
    (void)state;
    struct addr_range asked[] = {hops_range("2001:2:0:7::", "2001:2:0:7::ff"), {0, 0}, {0, 0}};
    addr_t n0 = space_addr("fe80::%n0"), n1 = space_addr("fe80::%n1");
    bool n0_first = n0 < n1;
    asked[n0_first ? 1 : 2] = (struct addr_range){n0, n0 | 0xff};
    asked[n0_first ? 2 : 1] = (struct addr_range){n1, n1 | UINT64_MAX};
    struct route_map m = hops_resolve(asked, 3, hops_any());
    hops_expect(&m, "fe80::5%n0", "n0 on-link from fe80::a%n0");
    hops_expect(&m, "fe80::5%n1", "n1 on-link from fe80::b%n1");
    hops_expect(&m, "fe80::ffff:ffff:ffff:ffff%n1", "n1 on-link from fe80::b%n1");
    hops_expect(&m, "fe80::a%n0", "lo ip local from itself");
    hops_expect(&m, "fe80::b%n0", "n0 on-link from fe80::a%n0"); /* ours, but on the other link */
    hops_expect(&m, "fe80::b%n1", "lo ip local from itself");
    hops_expect(&m, "fe80::a%n1", "n1 on-link from fe80::b%n1");
    hops_expect(&m, "fe80::100%n0", "nothing");
    hops_expect(&m, "fe80::5", "nothing");
    assert_int_equal(route_local_zone(&m, space_addr("fe80::a")), space_ifindex("n0"));
    assert_int_equal(route_local_zone(&m, space_addr("fe80::b")), space_ifindex("n1"));
    assert_int_equal(route_local_zone(&m, space_addr("fe80::a%lo")), space_ifindex("n0"));
    assert_int_equal(route_local_zone(&m, space_addr("fe80::c")), 0);
    assert_int_equal(route_local_zone(&m, space_addr("febf::a")), 0);
    assert_int_equal(route_local_zone(&m, space_addr("2001:2:0:7::1")), 0);
    route_map_deinit(&m);
    hops_refused("fe80::1", hops_any(), -EINVAL, "fe80::1 needs a zone, such as fe80::1%eth0");
    hops_refused("fe81::1%n0", hops_any(), -ENETUNREACH, "this machine has no route to any of the targets");
    hops_refused("fe80::1%lo", hops_any(), -ENETUNREACH, "this machine has no route to any of the targets");
    hops_refused("fe80::1%n0", (struct route_options){.ifname = "n1"}, -ENETUNREACH,
                 "this machine has no route to any of the targets through interface n1");
    struct error e = ERROR_INIT;
    struct addr_range wide = {space_addr("fe80::%n0"), space_addr("febf::%n1")};
    struct route_options any = hops_any();
    assert_int_equal(route_resolve(&wide, 1, &any, &m, &e), -EINVAL);
    assert_string_equal(e.text, "the link-local addresses from fe80::%n0 on are more than one link can have");
    /* -e is the zone of those that have none */
    struct addr_range plain = hops_range("fe80::1", "fe80::ff");
    m = hops_resolve(&plain, 1, (struct route_options){.ifname = "n1"});
    hops_expect(&m, "fe80::5", "n1 on-link from fe80::b%n1");
    hops_expect(&m, "fe80::b", "lo ip local from itself");
    route_map_deinit(&m);
}

static void test_what_the_tables_forbid(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip route add blackhole 2001:2:1::/48 && ip route add unreachable 2001:2:2::/48 &&"
              " ip route add prohibit 2001:2:3::/48 && ip route add 2001:2:1:7::/64 via 2001:2:0:2::254 &&"
              " ip route add throw 2001:2:4::/48 && ip route add 2001:2:5::/48 dev lo");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:1::", "unreachable");
    hops_expect(&m, "2001:2:1:6:ffff:ffff:ffff:ffff", "unreachable");
    hops_expect(&m, "2001:2:1:7::", "n1 via 2001:2:0:2::254 from 2001:2:0:2::1");
    hops_expect(&m, "2001:2:1:8::", "unreachable");
    hops_expect(&m, "2001:2:2::1", "unreachable");
    hops_expect(&m, "2001:2:3::1", "unreachable");
    hops_expect(&m, "2001:2:4::1", "unreachable");
    hops_expect(&m, "2001:2:5::1", "unreachable");
    hops_expect(&m, "2001:2:6::1", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    route_map_deinit(&m);
    space_run("ip -6 route del default");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:9::1", "unreachable");
    hops_expect(&m, "2001:2:0:1::9", "n0 on-link from 2001:2:0:1::1");
    route_map_deinit(&m);
    hops_refused("2001:2:9::1", hops_any(), -ENETUNREACH, "this machine has no route to any of the targets");
}

static void test_policy_routing(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip addr add 2001:2:0:2::7/64 dev n1 nodad && ip -6 route add default via fe80::98 dev n1 table 77 &&"
              " ip -6 rule add to 2001:2:9::/48 table 77 && ip -6 rule add from 2001:2:0:2::7 table 77 &&"
              " ip -6 rule add to 2001:2:a::/48 prohibit");
    space_run("ip route add 2001:2:8::/48 via fe80::97 dev n0 src 2001:2:0:2::7 &&"
              " ip route add 2001:2:7::/48 via fe80::96 dev n0 metric 50 &&"
              " ip route add 2001:2:7::/48 via fe80::95 dev n1 metric 10");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:8:ffff:ffff:ffff:ffff:ffff", "n0 via fe80::97%n0 from 2001:2:0:2::7");
    const struct hop *ruled = hops_of(&m, space_addr("2001:2:9::"));
    assert_true(ruled->gateway == space_addr("fe80::98%n1"));
    assert_true(ruled == hops_of(&m, space_addr("2001:2:9:ffff:ffff:ffff:ffff:ffff")));
    assert_true(hops_of(&m, space_addr("2001:2:7::1"))->gateway == space_addr("fe80::95%n1"));
    hops_expect(&m, "2001:2:a::", "unreachable");
    hops_expect(&m, "2001:2:a:ffff:ffff:ffff:ffff:ffff", "unreachable");
    hops_expect(&m, "2001:2:b::", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    route_map_deinit(&m);
    struct route_options options = {.source_v6 = space_addr("2001:2:0:2::7")};
    hops_resolve_all(&m, options);
    hops_expect(&m, "2001:2:b::1", "n1 via fe80::98%n1 from 2001:2:0:2::7");
    hops_expect(&m, "::1", "lo ip local from 2001:2:0:2::7");
    route_map_deinit(&m);
}

static void test_only_one_interface(void **state) {
    (void)state;
    struct route_map m;
    struct route_options n1 = {.ifname = "n1"}, lo = {.ifname = "lo"};
    hops_resolve_all(&m, n1);
    hops_expect(&m, "2001:2:0:2::9", "n1 on-link from 2001:2:0:2::1");
    hops_expect(&m, "2001:2:0:2::1", "lo ip local from itself");
    hops_expect(&m, "2001:2:0:1::1", "unreachable");
    hops_expect(&m, "2001:2:7::1", "unreachable");
    hops_expect(&m, "::1", "unreachable");
    route_map_deinit(&m);
    space_run("ip route add default via fe80::98 dev n1 metric 9999 && ip route add blackhole 2001:2:1::/48");
    hops_resolve_all(&m, n1);
    hops_expect(&m, "2001:2:7::1", "n1 via fe80::98%n1 from 2001:2:0:2::1");
    hops_expect(&m, "::1", "unreachable");
    route_map_deinit(&m);
    /* With a source too, though the kernel's lookup then prefers the better metric elsewhere. */
    hops_resolve_all(&m, (struct route_options){.ifname = "n1", .source_v6 = space_addr("2001:2:0:1::1")});
    hops_expect(&m, "2001:2:7::1", "n1 via fe80::98%n1 from 2001:2:0:1::1");
    hops_expect(&m, "2001:2:0:1::9", "n1 via fe80::98%n1 from 2001:2:0:1::1");
    route_map_deinit(&m);
    hops_resolve_all(&m, lo);
    hops_expect(&m, "::1", "lo ip local from itself");
    hops_expect(&m, "2001:2:0:1::1", "lo ip local from itself");
    hops_expect(&m, "2001:2:0:1::2", "unreachable");
    route_map_deinit(&m);
}

static void test_several_paths(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip -6 route replace default nexthop via fe80::97 dev n0 nexthop via fe80::98 dev n1");
    hops_resolve_all(&m, hops_any());
    const struct hop *h = hops_of(&m, space_addr("2001:2:7::1"));
    assert_false(h->unreachable);
    assert_true(h->gateway == space_addr(h->ifindex == space_ifindex("n0") ? "fe80::97%n0" : "fe80::98%n1"));
    route_map_deinit(&m);
    hops_resolve_all(&m, (struct route_options){.ifname = "n1"});
    hops_expect(&m, "2001:2:7::1", "n1 via fe80::98%n1 from 2001:2:0:2::1");
    route_map_deinit(&m);
}

static void test_links_that_cannot_be_used(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip link set f1 down");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:0:2::9", "unreachable");
    hops_expect(&m, "2001:2:7::1", "n0 via fe80::99%n0 from 2001:2:0:1::1");
    route_map_deinit(&m);
    space_run("ip link set f1 up && ip link set n0 down && ip addr flush dev n1 &&"
              " ip addr add fe80::b/64 dev n1 nodad && ip route add 2001:2:3::/48 dev n1 &&"
              " ip route add 2001:2:4::/48 via fe80::1 dev n1");
    /* No router passes a link-local source on, but a neighbour answers it. */
    hops_refused("2001:2:4::1", hops_any(), -ENETUNREACH,
                 "interface \"n1\", which leads to the targets, has only a link-local IPv6 address, which no router "
                 "passes on");
    struct addr_range near = hops_range("2001:2:3::1", "2001:2:4::1");
    m = hops_resolve(&near, 1, hops_any());
    hops_expect(&m, "2001:2:3::1", "n1 on-link from fe80::b%n1");
    hops_expect(&m, "2001:2:4::1", "unreachable");
    route_map_deinit(&m);
    space_run("ip addr flush dev n1");
    hops_refused("2001:2:3::1", hops_any(), -EADDRNOTAVAIL,
                 "interface \"n1\", which leads to 2001:2:3::1, has no IPv6 address");
}

/* An address that is still being checked for duplicates is nothing to send from. */
static void test_a_tentative_address(void **state) {
    (void)state;
    space_run("ip addr flush dev n1 && echo 5 >/proc/sys/net/ipv6/conf/n1/dad_transmits &&"
              " ip addr add 2001:2:0:5::1/64 dev n1 && ip route replace 2001:2:0:5::/64 dev n1");
    if (!space_try("ip addr show dev n1 | grep -q tentative"))
        fail_msg("the address is not tentative");
    struct addr_range one = hops_range("2001:2:0:5::9", "2001:2:0:5::9");
    struct route_map m = hops_resolve(&one, 1, hops_any());
    hops_expect(&m, "2001:2:0:5::9", "n1 on-link from 2001:2:0:1::1");
    route_map_deinit(&m);
}

static void test_a_machine_without_ipv6(void **state) {
    (void)state;
    struct route_map m;
    space_run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && ip addr add 198.18.1.1/24 dev n0");
    hops_resolve_all(&m, hops_any());
    hops_expect(&m, "2001:2:0:1::2", "unreachable");
    hops_expect(&m, "::1", "unreachable");
    hops_expect(&m, "198.18.1.2", "n0 on-link from 198.18.1.1");
    route_map_deinit(&m);
    hops_refused("2001:2:0:1::2", hops_any(), -ENETUNREACH, "this machine has no route to any of the targets");
}

/* A random address of the 32 bits under 2001:2::/48, where the random prefixes of the next test lie. */
static addr_t random_address(uint64_t *seed) {
    uint64_t r = random_splitmix(seed);
    return space_addr("2001:2::") | (addr_t)(uint32_t)r << 48 | (r >> 60 == 0 ? 1 : 0);
}

/* A table of 2,000 random prefixes, from /48 to /128, and the kernel's own word for 500 random addresses of it. */
static void test_many_routes(void **state) {
    (void)state;
    char path[] = "/tmp/noctule-routes6-XXXXXX", line[128], text[ADDR_STRLEN];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    uint64_t seed = 6;
    for (int i = 0; i < 2000; i++) {
        uint64_t r = random_splitmix(&seed);
        unsigned len = 49 + (unsigned)(r % 32);
        if (i % 16 == 0)
            len = 128;
        addr_t a = random_address(&seed) & ~(len < 128 ? ~(addr_t)0 >> len : 0);
        fprintf(f, "route replace %s/%u via fe80::%u dev n%u\n", addr_format(a, text), len,
                1 + (unsigned)(r >> 40 & 15), (unsigned)(r >> 60 & 1));
    }
    assert_int_equal(fclose(f), 0);
    snprintf(line, sizeof line, "ip -6 -force -batch %s", path);
    space_run(line);
    unlink(path);

    struct route_map m;
    uint64_t start = clock_mono_ns();
    hops_resolve_all(&m, hops_any());
    assert_true(clock_mono_ns() - start < 20 * NS_PER_SEC);
    assert_true(m.n_ranges > 1000);
    for (int i = 0; i < 500; i++) {
        addr_t a = i % 2 ? m.ranges[random_splitmix(&seed) % m.n_ranges].range.lo : random_address(&seed);
        struct addr_range both[] = {{1, 1}, {a, a}}; /* ::1 always has a way */
        if (a <= 1)
            continue;
        struct route_map single = hops_resolve(both, 2, hops_any());
        const struct hop *whole = hops_of(&m, a), *alone = hops_of(&single, a);
        assert_int_equal(alone->ifindex, whole->ifindex);
        assert_true(alone->gateway == whole->gateway && alone->unreachable == whole->unreachable);
        assert_true(alone->source == whole->source);
        route_map_deinit(&single);
    }
    route_map_deinit(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_ordinary_machine, set_up),
        cmocka_unit_test_setup(test_zones, set_up),
        cmocka_unit_test_setup(test_what_the_tables_forbid, set_up),
        cmocka_unit_test_setup(test_policy_routing, set_up),
        cmocka_unit_test_setup(test_only_one_interface, set_up),
        cmocka_unit_test_setup(test_several_paths, set_up),
        cmocka_unit_test_setup(test_links_that_cannot_be_used, set_up),
        cmocka_unit_test_setup(test_a_tentative_address, set_up),
        cmocka_unit_test_setup(test_a_machine_without_ipv6, set_up),
        cmocka_unit_test_setup(test_many_routes, set_up),
    };
    return cmocka_run_group_tests_name("wire/route6", tests, NULL, NULL);
}
