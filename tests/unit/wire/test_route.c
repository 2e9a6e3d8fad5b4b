/* Each case makes interfaces and routes in a namespace of its own, and says which hop each address must get. */
#include "hops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "wire/route.h"

/* n0 has 198.18.1.1/24 and the default route, n1 has 198.18.2.1/24. */
static int set_up(void **state) {
    (void)state;
    space_enter();
    space_run("ip link add n0 type veth peer name f0 && ip link add n1 type veth peer name f1 &&"
              " ip link set n0 address 02:00:00:00:00:10 &&"
              " for i in n0 f0 n1 f1; do ip link set $i up; done &&"
              " ip addr add 198.18.1.1/24 brd + dev n0 && ip addr add 198.18.2.1/24 brd + dev n1 &&"
              " ip route add default via 198.18.1.254");
    return 0;
}

static void test_an_ordinary_machine(void **state) {
    (void)state;
    struct route_map m;
    hops_resolve_v4(&m, hops_any());
    hops_expect(&m, "8.8.8.8", "n0 via 198.18.1.254 from 198.18.1.1");
    hops_expect(&m, "198.18.1.254", "n0 on-link from 198.18.1.1");
    hops_expect(&m, "198.18.1.2", "n0 on-link from 198.18.1.1");
    hops_expect(&m, "198.18.2.2", "n1 on-link from 198.18.2.1");
    hops_expect(&m, "198.18.3.1", "n0 via 198.18.1.254 from 198.18.1.1");
    hops_expect(&m, "198.18.1.1", "lo ip local from itself");
    hops_expect(&m, "198.18.2.1", "lo ip local from itself");
    hops_expect(&m, "127.0.0.1", "lo ip local from itself");
    hops_expect(&m, "127.255.255.254", "lo ip local from itself");
    hops_expect(&m, "198.18.1.255", "unreachable"); /* broadcast */
    hops_expect(&m, "255.255.255.255", "unreachable");
    hops_expect(&m, "224.0.0.1", "unreachable");
    hops_expect(&m, "239.255.255.255", "unreachable");
    hops_expect(&m, "0.0.0.0", "unreachable");
    hops_expect(&m, "0.0.0.1", "n0 via 198.18.1.254 from 198.18.1.1");
    hops_expect(&m, "223.255.255.255", "n0 via 198.18.1.254 from 198.18.1.1");
    const struct hop *h = hops_of(&m, space_addr("198.18.1.2"));
    static const uint8_t mac[MAC_LEN] = {2, 0, 0, 0, 0, 0x10};
    assert_memory_equal(h->mac, mac, MAC_LEN);
    assert_int_equal(h->mtu, 1500);
    assert_int_equal(m.n_hops, 5); /* unreachable, gateway, lo, two links: each once */
    route_map_deinit(&m);
}

/* The map covers what was asked for and nothing else, in order, with equal neighbours merged. */
static void test_ranges_are_exact(void **state) {
    (void)state;
    struct addr_range asked[] = {hops_range("10.0.0.0", "10.0.0.255"), hops_range("10.0.1.0", "10.0.1.0"),
                                 hops_range("10.0.1.2", "10.0.1.2"), hops_range("198.18.0.255", "198.18.2.7"),
                                 hops_range("198.18.2.9", "198.18.2.9"),
                                 hops_range("255.255.255.254", "255.255.255.255")};
    struct route_map m = hops_resolve(asked, 6, hops_any());
    static const char *const want[][2] = {
        {"10.0.0.0", "10.0.1.0"},          {"10.0.1.2", "10.0.1.2"},     {"198.18.0.255", "198.18.0.255"},
        {"198.18.1.0", "198.18.1.0"},      {"198.18.1.1", "198.18.1.1"}, {"198.18.1.2", "198.18.1.254"},
        {"198.18.1.255", "198.18.1.255"},  {"198.18.2.0", "198.18.2.0"}, {"198.18.2.1", "198.18.2.1"},
        {"198.18.2.2", "198.18.2.7"},      {"198.18.2.9", "198.18.2.9"}, {"255.255.255.254", "255.255.255.254"},
        {"255.255.255.255", "255.255.255.255"}};
    assert_int_equal(m.n_ranges, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < m.n_ranges; i++) {
        assert_true(m.ranges[i].range.lo == space_addr(want[i][0]));
        assert_true(m.ranges[i].range.hi == space_addr(want[i][1]));
        assert_true(m.ranges[i].hop < m.n_hops);
    }
    hops_expect(&m, "10.0.1.1", "nothing");
    hops_expect(&m, "198.18.2.8", "nothing");
    hops_expect(&m, "9.255.255.255", "nothing");
    hops_expect(&m, "2001:db8::1", "nothing");
    route_map_deinit(&m);
}

static void test_what_the_tables_forbid(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip route add blackhole 10.1.0.0/16 && ip route add unreachable 10.2.0.0/16 &&"
              " ip route add prohibit 10.3.0.0/16 && ip route add 10.1.7.0/24 via 198.18.2.254 &&"
              " ip route add throw 10.4.0.0/16 && ip route add 10.5.0.0/16 dev lo");
    hops_resolve_v4(&m, hops_any());
    hops_expect(&m, "10.1.0.0", "unreachable");
    hops_expect(&m, "10.1.7.0", "n1 via 198.18.2.254 from 198.18.2.1");
    hops_expect(&m, "10.1.7.255", "n1 via 198.18.2.254 from 198.18.2.1");
    hops_expect(&m, "10.1.8.0", "unreachable");
    hops_expect(&m, "10.2.255.255", "unreachable");
    hops_expect(&m, "10.3.0.9", "unreachable");
    hops_expect(&m, "10.4.0.9", "unreachable");
    hops_expect(&m, "10.5.0.9", "unreachable");
    hops_expect(&m, "10.6.0.0", "n0 via 198.18.1.254 from 198.18.1.1");
    route_map_deinit(&m);
    space_run("ip route del default");
    hops_resolve_v4(&m, hops_any());
    hops_expect(&m, "8.8.8.8", "unreachable");
    hops_expect(&m, "198.18.1.9", "n0 on-link from 198.18.1.1");
    route_map_deinit(&m);
    hops_refused("8.8.8.8", hops_any(), -ENETUNREACH, "this machine has no route to any of the targets");
}

/* Rules by destination and by source lead to tables of their own, metrics decide between routes, a route names its
 * source: all the kernel's business, and the answer must be the kernel's. */
static void test_policy_routing(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip addr add 198.18.2.7/24 dev n1 && ip route add default via 198.18.2.254 table 77 &&"
              " ip rule add to 10.9.0.0/16 table 77 && ip rule add from 198.18.2.7 table 77 &&"
              " ip rule add to 10.10.0.0/16 prohibit &&"
              " ip route add 10.8.0.0/16 via 198.18.1.254 src 198.18.2.7 &&"
              " ip route add 10.7.0.0/16 via 198.18.1.253 metric 50 &&"
              " ip route add 10.7.0.0/16 via 198.18.2.253 metric 10");
    hops_resolve_v4(&m, hops_any());
    hops_expect(&m, "10.9.0.0", "n1 via 198.18.2.254 from 198.18.2.1");
    hops_expect(&m, "10.9.255.255", "n1 via 198.18.2.254 from 198.18.2.1");
    hops_expect(&m, "10.8.255.255", "n0 via 198.18.1.254 from 198.18.2.7");
    hops_expect(&m, "10.11.0.0", "n0 via 198.18.1.254 from 198.18.1.1");
    hops_expect(&m, "10.10.0.0", "unreachable");
    hops_expect(&m, "10.7.0.1", "n1 via 198.18.2.253 from 198.18.2.1");
    route_map_deinit(&m);
    struct route_options options = {.source_v4 = space_addr("198.18.2.7")};
    hops_resolve_v4(&m, options);
    hops_expect(&m, "8.8.8.8", "n1 via 198.18.2.254 from 198.18.2.7");
    hops_expect(&m, "127.0.0.1", "lo ip local from 198.18.2.7");
    route_map_deinit(&m);
}

static void test_only_one_interface(void **state) {
    (void)state;
    struct route_map m;
    struct route_options n1 = {.ifname = "n1"};
    hops_resolve_v4(&m, n1);
    hops_expect(&m, "198.18.2.9", "n1 on-link from 198.18.2.1");
    hops_expect(&m, "198.18.2.1", "lo ip local from itself");
    hops_expect(&m, "8.8.8.8", "unreachable"); /* the kernel would take it for on-link, were it asked naively */
    hops_expect(&m, "198.18.1.9", "unreachable");
    hops_expect(&m, "127.0.0.1", "unreachable");
    route_map_deinit(&m);
    space_run("ip route add default via 198.18.2.254 metric 99 && ip route add blackhole 10.1.0.0/16");
    hops_resolve_v4(&m, n1);
    hops_expect(&m, "8.8.8.8", "n1 via 198.18.2.254 from 198.18.2.1");
    hops_expect(&m, "127.0.0.1", "unreachable"); /* never out of a real interface */
    route_map_deinit(&m);
    struct route_options lo = {.ifname = "lo"};
    hops_resolve_v4(&m, lo);
    hops_expect(&m, "127.0.0.1", "lo ip local from itself");
    hops_expect(&m, "198.18.1.1", "lo ip local from itself");
    hops_expect(&m, "198.18.1.2", "unreachable");
    route_map_deinit(&m);
    hops_refused("198.18.1.9", lo, -ENETUNREACH,
                 "this machine has no route to any of the targets through interface lo");
    hops_refused("8.8.8.8", (struct route_options){.ifname = "nowhere0"}, -ENODEV,
                 "there is no interface \"nowhere0\"");
    hops_refused("8.8.8.8", (struct route_options){.ifname = ""}, -ENODEV, "there is no interface \"\"");
    hops_refused("8.8.8.8", (struct route_options){.ifname = "a-name-that-is-too-long"}, -ENODEV,
            "there is no interface \"a-name-that-is-too-long\"");
    space_run("ip link set n1 down");
    hops_refused("8.8.8.8", n1, -ENETDOWN, "interface \"n1\" is down");
}

static void test_a_source_address(void **state) {
    (void)state;
    struct route_map m;
    struct route_options options = {.source_v4 = space_addr("198.18.2.1")};
    hops_resolve_v4(&m, options);
    hops_expect(&m, "8.8.8.8", "n0 via 198.18.1.254 from 198.18.2.1");
    hops_expect(&m, "198.18.1.1", "lo ip local from 198.18.2.1");
    route_map_deinit(&m);
    static const struct {
        const char *source, *line;
        int code;
    } bad[] = {
        {"198.18.1.255", NO_HOST("198.18.1.255", "n0"), -EADDRNOTAVAIL},
        {"198.18.2.0", NO_HOST("198.18.2.0", "n1"), -EADDRNOTAVAIL},
        {"8.8.8.8", SPOOFED("8.8.8.8"), -EADDRNOTAVAIL},
        {"0.0.0.0", SPOOFED("0.0.0.0"), -EADDRNOTAVAIL},
        {"224.0.0.1", SPOOFED("224.0.0.1"), -EADDRNOTAVAIL},
        {"255.255.255.255", SPOOFED("255.255.255.255"), -EADDRNOTAVAIL},
        {"2001:db8::1", "source address 2001:db8::1 is not an IPv4 address", -EAFNOSUPPORT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        hops_refused("8.8.8.8", (struct route_options){.source_v4 = space_addr(bad[i].source)}, bad[i].code,
                     bad[i].line);
    hops_refused("8.8.8.8", (struct route_options){.source_v4 = space_addr("127.0.0.1")}, -ENETUNREACH,
            "this machine has no route to any of the targets from 127.0.0.1");
}

static void test_links_that_cannot_be_used(void **state) {
    (void)state;
    struct route_map m;
    space_run("ip link set f1 down");
    hops_resolve_v4(&m, hops_any());
    hops_expect(&m, "198.18.2.9", "unreachable");
    hops_expect(&m, "8.8.8.8", "n0 via 198.18.1.254 from 198.18.1.1");
    route_map_deinit(&m);
    hops_refused("198.18.2.9", hops_any(), -ENETUNREACH,
                 "interface \"n1\", which leads to the targets, has no carrier");
    space_run("ip link set f1 up && ip addr flush dev n0 && ip addr flush dev n1 && ip route add 10.0.0.0/8 dev n1");
    hops_refused("10.1.1.1", hops_any(), -EADDRNOTAVAIL,
                 "interface \"n1\", which leads to 10.1.1.1, has no IPv4 address");
    space_run("ip link set lo down");
    hops_refused("127.0.0.1", hops_any(), -ENETUNREACH, "interface \"lo\", which leads to the targets, is down");
}

static void test_an_ipv6_gateway_is_named(void **state) {
    (void)state;
    if (!space_try("echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/n0/disable_ipv6 &&"
                   " ip route add 10.0.0.0/8 via inet6 fe80::1 dev n0"))
        skip();
    hops_refused("10.1.1.1", hops_any(), -EAFNOSUPPORT,
                 "the route to 10.1.1.1 has an IPv6 gateway, which is not supported");
}

/* A tunnel whose end in user space claims to be of that kind. */
static int make_tunnel(int kind) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    memcpy(request.ifr_name, "t0", 3);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        skip();
    assert_return_code(ioctl(fd, TUNSETLINK, kind), errno);
    space_run("ip link set t0 up && ip addr add 198.19.0.1 peer 198.19.0.2 dev t0 && ip route add 10.0.0.0/8 dev t0");
    return fd;
}

static void test_kinds_of_link(void **state) {
    (void)state;
    static const int plain[] = {ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_RAWIP};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct route_map m;
        int fd = make_tunnel(plain[i]);
        hops_resolve_v4(&m, hops_any());
        hops_expect(&m, "198.19.0.2", "t0 ip from 198.19.0.1");
        hops_expect(&m, "10.255.255.255", "t0 ip from 198.19.0.1");
        hops_expect(&m, "198.19.0.1", "lo ip local from itself");
        route_map_deinit(&m);
        close(fd); /* the interface goes with it */
    }
    int fd = make_tunnel(ARPHRD_IEEE80211);
    hops_refused("10.1.1.1", hops_any(), -EPROTONOSUPPORT,
            "interface \"t0\" is neither Ethernet nor plain IP (kind 801 of if_arp.h)");
    struct addr_range elsewhere = hops_range("198.18.1.7", "198.18.1.7");
    struct route_map m = hops_resolve(&elsewhere, 1, hops_any());
    hops_expect(&m, "198.18.1.7", "n0 on-link from 198.18.1.1");
    route_map_deinit(&m);
    close(fd);
}

/* A table of 4,000 random routes, and the kernel's own word for 500 random addresses of it. */
static void test_many_routes(void **state) {
    (void)state;
    char path[] = "/tmp/noctule-routes-XXXXXX", line[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    uint64_t seed = 5;
    for (int i = 0; i < 4000; i++) {
        uint64_t r = random_splitmix(&seed);
        unsigned len = 9 + (unsigned)(r % 24), bits = (unsigned)(r >> 32) & ~(len < 32 ? ~0u >> len : 0);
        fprintf(f, "route replace %u.%u.%u.%u/%u via 198.18.%u.%u\n", 11 + (bits >> 24) % 100, bits >> 16 & 255,
                bits >> 8 & 255, bits & 255, len, 1 + (unsigned)(r >> 60 & 1), 200 + (unsigned)(r >> 56 & 15));
    }
    assert_int_equal(fclose(f), 0);
    snprintf(line, sizeof line, "ip -force -batch %s", path);
    space_run(line);
    unlink(path);

    struct route_map m;
    uint64_t start = clock_mono_ns();
    hops_resolve_v4(&m, hops_any());
    assert_true(clock_mono_ns() - start < 20 * NS_PER_SEC);
    assert_true(m.n_ranges > 2000);
    for (size_t i = 0; i + 1 < m.n_ranges; i++) {
        assert_true(m.ranges[i].range.hi + 1 == m.ranges[i + 1].range.lo);
        assert_true(m.ranges[i].hop != m.ranges[i + 1].hop);
    }
    /* Each address asked for alone: no boundaries involved, the kernel's lookup only. */
    for (int i = 0; i < 500; i++) {
        uint64_t r = random_splitmix(&seed);
        addr_t a = i % 2 ? m.ranges[r % m.n_ranges].range.lo : addr_from_v4((uint32_t)r);
        const struct hop *whole = hops_of(&m, a), *alone;
        struct addr_range one = {a, a}, with_lo[] = {one, hops_range("127.0.0.1", "127.0.0.1")};
        struct error e = ERROR_INIT;
        struct route_options options = hops_any();
        struct route_map single;
        if (a >= with_lo[1].lo) { /* keeps the ranges ascending */
            with_lo[0] = with_lo[1];
            with_lo[1] = one;
        }
        assert_int_equal(route_resolve(with_lo, 2, &options, &single, &e), 0);
        alone = hops_of(&single, a);
        assert_non_null(whole);
        assert_non_null(alone);
        assert_int_equal(alone->ifindex, whole->ifindex);
        assert_true(alone->gateway == whole->gateway && alone->unreachable == whole->unreachable);
        route_map_deinit(&single);
    }
    route_map_deinit(&m);
}

/* A list of many single addresses costs a lookup for each stretch of the table, not for each address. */
static void test_many_ranges(void **state) {
    (void)state;
    enum { N = 500000 };
    struct addr_range *ranges = malloc(N * sizeof *ranges);
    assert_non_null(ranges);
    for (uint32_t i = 0; i < N; i++)
        ranges[i].lo = ranges[i].hi = addr_from_v4(0x0a000000 + 2 * i);
    uint64_t start = clock_mono_ns();
    struct route_map m = hops_resolve(ranges, N, hops_any());
    assert_true(clock_mono_ns() - start < 5 * NS_PER_SEC);
    assert_int_equal(m.n_ranges, N);
    assert_int_equal(m.n_hops, 1);
    route_map_deinit(&m);
    free(ranges);
    m = hops_resolve(NULL, 0, hops_any());
    assert_int_equal(m.n_ranges, 0);
    route_map_deinit(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_ordinary_machine, set_up),
        cmocka_unit_test_setup(test_ranges_are_exact, set_up),
        cmocka_unit_test_setup(test_what_the_tables_forbid, set_up),
        cmocka_unit_test_setup(test_policy_routing, set_up),
        cmocka_unit_test_setup(test_only_one_interface, set_up),
        cmocka_unit_test_setup(test_a_source_address, set_up),
        cmocka_unit_test_setup(test_links_that_cannot_be_used, set_up),
        cmocka_unit_test_setup(test_an_ipv6_gateway_is_named, set_up),
        cmocka_unit_test_setup(test_kinds_of_link, set_up),
        cmocka_unit_test_setup(test_many_routes, set_up),
        cmocka_unit_test_setup(test_many_ranges, set_up),
    };
    return cmocka_run_group_tests_name("wire/route", tests, NULL, NULL);
}
