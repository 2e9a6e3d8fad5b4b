/* Which source addresses may be used (-S): this machine's own, free ones of a network on an Ethernet link, no
 * others. */
#include "hops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* n0: 198.18.1.1/24, 2001:2:0:1::1/64, fe80::a and both default routes; n1: 198.18.2.1/24, a network of two
 * (198.18.4.0/31, 2001:2:0:4::/127), 2001:2:0:2::1/64, fe80::b. */
static int set_up(void **state) {
    (void)state;
    space_enter();
    if (!space_try("test -e /proc/sys/net/ipv6 && echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6"))
        skip();
    space_run("for i in 0 1; do ip link add n$i type veth peer name f$i &&"
              " ip link set n$i addrgenmode none && ip link set f$i addrgenmode none &&"
              " ip link set n$i up && ip link set f$i up; done");
    space_run("ip addr add 198.18.1.1/24 dev n0 && ip addr add 198.18.2.1/24 dev n1 &&"
              " ip addr add 198.18.4.0/31 dev n1 && ip route add default via 198.18.1.254 &&"
              " ip addr add 2001:2:0:1::1/64 dev n0 nodad && ip addr add 2001:2:0:2::1/64 dev n1 nodad &&"
              " ip addr add 2001:2:0:4::/127 dev n1 nodad");
    space_run("ip addr add fe80::a/64 dev n0 nodad && ip addr add fe80::b/64 dev n1 nodad &&"
              " ip route add default via fe80::99 dev n0");
    return 0;
}

static struct route_options from(const char *source) {
    addr_t a = space_addr(source);
    return addr_is_v4(a) ? (struct route_options){.source_v4 = a} : (struct route_options){.source_v6 = a};
}

static void expect_borrowed(const struct route_map *m, const char *to, const char *words) {
    hops_expect(m, to, words);
    assert_true(hops_of(m, space_addr(to))->source_borrowed);
}

static void test_a_free_ipv4_address(void **state) {
    (void)state;
    struct route_map m;
    hops_resolve_all(&m, from("198.18.1.77"));
    expect_borrowed(&m, "198.18.1.2", "n0 on-link from 198.18.1.77");
    expect_borrowed(&m, "8.8.8.8", "n0 via 198.18.1.254 from 198.18.1.77");
    hops_expect(&m, "198.18.2.2", "unreachable"); /* by another interface than its own */
    hops_expect(&m, "198.18.1.1", "unreachable"); /* this machine would answer itself */
    hops_expect(&m, "127.0.0.1", "unreachable");
    hops_expect(&m, "2001:2:0:2::9", "n1 on-link from 2001:2:0:2::1"); /* the other family is as ever */
    assert_false(hops_of(&m, space_addr("2001:2:0:2::9"))->source_borrowed);
    route_map_deinit(&m);
    hops_resolve_all(&m, from("198.18.4.1")); /* a network of two: both are hosts */
    expect_borrowed(&m, "198.18.2.2", "n1 on-link from 198.18.4.1");
    route_map_deinit(&m);
}

static void test_a_free_ipv6_address(void **state) {
    (void)state;
    struct route_map m;
    hops_resolve_all(&m, from("2001:2:0:1::77"));
    expect_borrowed(&m, "2001:2:0:1::2", "n0 on-link from 2001:2:0:1::77");
    expect_borrowed(&m, "2001:2:9::1", "n0 via fe80::99%n0 from 2001:2:0:1::77");
    hops_expect(&m, "2001:2:0:2::2", "unreachable");
    hops_expect(&m, "2001:2:0:1::1", "unreachable");
    hops_expect(&m, "::1", "unreachable");
    hops_expect(&m, "198.18.2.2", "n1 on-link from 198.18.2.1");
    route_map_deinit(&m);
    hops_resolve_all(&m, from("2001:2:0:4::1"));
    expect_borrowed(&m, "2001:2:0:2::2", "n1 on-link from 2001:2:0:4::1");
    route_map_deinit(&m);
    struct addr_range near = hops_range("fe80::1%n1", "fe80::8%n1");
    m = hops_resolve(&near, 1, from("fe80::77%n1"));
    expect_borrowed(&m, "fe80::5%n1", "n1 on-link from fe80::77%n1");
    route_map_deinit(&m);
    hops_refused("fe80::5%n0", from("fe80::77%n1"), -ENETUNREACH,
                 "this machine has no route to any of the targets from fe80::77%n1");
}

static void test_one_of_each_family(void **state) {
    (void)state;
    struct route_map m;
    hops_resolve_all(&m, (struct route_options){.source_v4 = space_addr("198.18.2.77"),
                                                .source_v6 = space_addr("2001:2:0:2::1")});
    expect_borrowed(&m, "198.18.2.2", "n1 on-link from 198.18.2.77");
    hops_expect(&m, "8.8.8.8", "unreachable"); /* leaves by n0 */
    hops_expect(&m, "2001:2:0:2::2", "n1 on-link from 2001:2:0:2::1");
    hops_expect(&m, "2001:2:0:9::2", "n0 via fe80::99%n0 from 2001:2:0:2::1");
    assert_false(hops_of(&m, space_addr("2001:2:0:2::2"))->source_borrowed);
    route_map_deinit(&m);
}

static void test_own_ipv6_addresses(void **state) {
    (void)state;
    struct route_map m;
    hops_resolve_all(&m, from("2001:2:0:2::1"));
    hops_expect(&m, "2001:2:9::1", "n0 via fe80::99%n0 from 2001:2:0:2::1");
    hops_expect(&m, "2001:2:0:1::1", "lo ip local from 2001:2:0:2::1");
    route_map_deinit(&m);
    hops_resolve_all(&m, from("::1")); /* never in a real network */
    hops_expect(&m, "2001:2:0:1::2", "unreachable");
    hops_expect(&m, "2001:2:0:1::1", "lo ip local from ::1");
    route_map_deinit(&m);
    hops_resolve_all(&m, from("fe80::a%n0")); /* on its link alone */
    hops_expect(&m, "2001:2:0:1::2", "n0 on-link from fe80::a%n0");
    hops_expect(&m, "2001:2:0:2::2", "unreachable");
    hops_expect(&m, "2001:2:9::1", "unreachable");
    route_map_deinit(&m);
    hops_refused("2001:2:0:1::2", from("fe80::a"), -EINVAL, "fe80::a needs a zone, such as fe80::a%eth0");
    struct addr_range near = hops_range("2001:2:0:1::2", "2001:2:0:1::2");
    m = hops_resolve(&near, 1, (struct route_options){.ifname = "n0", .source_v6 = space_addr("fe80::a")});
    hops_expect(&m, "2001:2:0:1::2", "n0 on-link from fe80::a%n0");
    route_map_deinit(&m);
}

static void test_all_else_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *source, *line;
    } bad[] = {
        {"2001:2:0:9::1", SPOOFED("2001:2:0:9::1")},
        {"2001:2:0:1::", NO_HOST("2001:2:0:1::", "n0")}, /* subnet-router anycast */
        {"ff02::1", SPOOFED("ff02::1")},
        {"2001:db8::1", SPOOFED("2001:db8::1")},
        {"fe81::5%n0", SPOOFED("fe81::5%n0")},
        {"fe80::5%lo", SPOOFED("fe80::5%lo")},
        {"::2", SPOOFED("::2")},
        {"8.8.8.8", SPOOFED("8.8.8.8")},
        {"198.18.3.1", SPOOFED("198.18.3.1")},
        {"198.18.1.0", NO_HOST("198.18.1.0", "n0")},
        {"198.18.2.255", NO_HOST("198.18.2.255", "n1")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        hops_refused("198.18.1.2", from(bad[i].source), -EADDRNOTAVAIL, bad[i].line);
    hops_refused("198.18.1.2", (struct route_options){.source_v6 = space_addr("198.18.1.1")}, -EAFNOSUPPORT,
                 "source address 198.18.1.1 is not an IPv6 address");
    /* bound to an interface, another's networks are not on link */
    hops_refused("198.18.2.2", (struct route_options){.ifname = "n1", .source_v4 = space_addr("198.18.1.77")},
                 -EADDRNOTAVAIL, SPOOFED("198.18.1.77"));
}

/* A route that calls the whole Internet on-link makes none of it ours. */
static void test_an_on_link_route_is_no_network(void **state) {
    (void)state;
    space_run("ip route add 198.19.0.0/16 dev n1 && ip -6 route add 2001:2:5::/48 dev n1 &&"
              " ip route replace default dev n0");
    hops_refused("198.18.1.2", from("198.19.0.5"), -EADDRNOTAVAIL, SPOOFED("198.19.0.5"));
    hops_refused("198.18.1.2", from("2001:2:5::5"), -EADDRNOTAVAIL, SPOOFED("2001:2:5::5"));
    hops_refused("198.18.1.2", from("9.9.9.9"), -EADDRNOTAVAIL, SPOOFED("9.9.9.9"));
    /* and a network that the tables give to a router is not on link */
    space_run("ip route add 198.18.1.64/26 via 198.18.2.254 && ip route add 2001:2:0:1:8::/80 via fe80::1 dev n0");
    hops_refused("198.18.1.2", from("198.18.1.77"), -EADDRNOTAVAIL, SPOOFED("198.18.1.77"));
    hops_refused("198.18.1.2", from("2001:2:0:1:8::1"), -EADDRNOTAVAIL, SPOOFED("2001:2:0:1:8::1"));
}

/* Nobody can be answered on a link without addresses of its own. */
static void test_no_borrowing_in_a_tunnel(void **state) {
    (void)state;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    memcpy(request.ifr_name, "t0", 3);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        skip();
    space_run("ip link set t0 up && ip addr add 198.18.9.1/24 dev t0 && ip addr add 2001:2:0:9::1/64 dev t0 nodad");
    hops_refused("198.18.1.2", from("198.18.9.5"), -EADDRNOTAVAIL, SPOOFED("198.18.9.5"));
    hops_refused("198.18.1.2", from("2001:2:0:9::5"), -EADDRNOTAVAIL, SPOOFED("2001:2:0:9::5"));
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_free_ipv4_address, set_up),
        cmocka_unit_test_setup(test_a_free_ipv6_address, set_up),
        cmocka_unit_test_setup(test_one_of_each_family, set_up),
        cmocka_unit_test_setup(test_own_ipv6_addresses, set_up),
        cmocka_unit_test_setup(test_all_else_is_refused, set_up),
        cmocka_unit_test_setup(test_an_on_link_route_is_no_network, set_up),
        cmocka_unit_test_setup(test_no_borrowing_in_a_tunnel, set_up),
    };
    return cmocka_run_group_tests_name("wire/source", tests, NULL, NULL);
}
