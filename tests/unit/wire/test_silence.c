/* What the kernel says to packets for claimed ports and protocols: nothing. They come from the far end of a cable,
 * which hears every answer; the same packets without the claim show that it would hear one. */
#include "space.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/claim.h"

#define PORTS 4u
#define FIRST 5000u
#define MARKER 9u /* a port that nobody claims: its answer says that all before it have been dealt with */
#define PAYLOAD 20u

static const uint8_t own_mac[MAC_LEN] = {2, 0, 0, 0, 0, 0x10}, far_mac[MAC_LEN] = {2, 0, 0, 0, 0, 0x20};
static const uint8_t protocols[] = {33, 47, 89, 132, 253, 255};
#define N_PROTOCOLS (sizeof protocols)

static int set_up(void **state) {
    static int far;
    space_enter();
    if (!space_try("test -e /proc/sys/net/ipv6 && echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6"))
        skip();
    space_run("ip link add n0 type veth peer name f0 && ip link set n0 address 02:00:00:00:00:10 addrgenmode none up &&"
              " ip link set f0 addrgenmode none up && ip addr add 198.18.1.1/24 dev n0 &&"
              " ip addr add 2001:2:0:1::1/64 dev n0 nodad");
    space_run("ip neigh add 198.18.1.2 lladdr 02:00:00:00:00:20 dev n0 &&"
              " ip neigh add 2001:2:0:1::2 lladdr 02:00:00:00:00:20 dev n0 &&"
              " echo 0 >/proc/sys/net/ipv4/icmp_ratelimit && echo 0 >/proc/sys/net/ipv6/icmp/ratelimit");
    /* Nor must the limit of the whole machine count them: no type, or none that occurs. */
    space_run("echo 0 >/proc/sys/net/ipv4/icmp_ratemask");
    (void)space_try("echo 100 2>/dev/null >/proc/sys/net/ipv6/icmp/ratemask");
    far = space_socket("f0", true);
    /* One processor: then the kernel takes the packets in the order in which they are sent. */
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_return_code(sched_setaffinity(0, sizeof one, &one), errno);
    *state = &far;
    return 0;
}

static int tear_down(void **state) {
    close(*(int *)*state);
    return 0;
}

static uint16_t checksum(const uint8_t *p, size_t n, uint32_t sum) {
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += load_be16(p + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Fills in addresses and header, with PAYLOAD bytes behind it; returns where these begin. */
static uint8_t *start_packet(uint8_t *frame, int version, uint8_t protocol, uint32_t *pseudo) {
    memcpy(frame, own_mac, MAC_LEN);
    memcpy(frame + MAC_LEN, far_mac, MAC_LEN);
    uint8_t *ip = frame + ETHERNET_HEADER_LEN;
    *pseudo = protocol + PAYLOAD;
    if (version == 4) {
        store_be16(frame + 12, ETH_P_IP);
        ip[0] = 0x45;
        store_be16(ip + 2, 20 + PAYLOAD);
        ip[8] = 64;
        ip[9] = protocol;
        store_be32(ip + 12, 0xc6120102);
        store_be32(ip + 16, 0xc6120101);
        store_be16(ip + 10, checksum(ip, 20, 0));
        *pseudo += (uint16_t)~checksum(ip + 12, 8, 0);
        return ip + 20;
    }
    store_be16(frame + 12, ETH_P_IPV6);
    ip[0] = 0x60;
    store_be16(ip + 4, PAYLOAD);
    ip[6] = protocol;
    ip[7] = 64;
    addr_t from = space_addr("2001:2:0:1::2"), to = space_addr("2001:2:0:1::1");
    store_be64(ip + 8, (uint64_t)(from >> 64));
    store_be64(ip + 16, (uint64_t)from);
    store_be64(ip + 24, (uint64_t)(to >> 64));
    store_be64(ip + 32, (uint64_t)to);
    *pseudo += (uint16_t)~checksum(ip + 8, 32, 0);
    return ip + 40;
}

static void send_packet(int far, int version, uint8_t protocol, uint16_t port) {
    uint8_t frame[ETHERNET_HEADER_LEN + 40 + PAYLOAD] = {0};
    uint32_t pseudo;
    uint8_t *p = start_packet(frame, version, protocol, &pseudo);
    size_t len = (size_t)(p - frame) + PAYLOAD;
    store_be16(p, 1234);
    store_be16(p + 2, port);
    if (protocol == IPPROTO_UDP) {
        store_be16(p + 4, PAYLOAD);
        store_be16(p + 6, checksum(p, PAYLOAD, pseudo));
    } else if (protocol == IPPROTO_TCP) {
        p[12] = 5 << 4;
        p[13] = 0x02; /* SYN */
        store_be16(p + 16, checksum(p, PAYLOAD, pseudo));
    }
    assert_int_equal(send(far, frame, len, 0), len);
}

/* Is that frame an answer to one of the packets, and to the marker? */
static bool is_answer(const uint8_t *frame, size_t n, bool *marker) {
    const uint8_t *ip = frame + ETHERNET_HEADER_LEN, *quoted = NULL;
    *marker = false;
    if (n < ETHERNET_HEADER_LEN + 60)
        return n >= ETHERNET_HEADER_LEN + 40 && load_be16(frame + 12) == ETH_P_IP && ip[9] == IPPROTO_TCP;
    if (load_be16(frame + 12) == ETH_P_IP) {
        if (ip[9] == IPPROTO_ICMP && ip[20] == ICMP_DEST_UNREACH)
            quoted = ip + 28;
        else
            return ip[9] == IPPROTO_TCP;
        *marker = quoted[9] == IPPROTO_UDP && load_be16(quoted + 22) == MARKER;
        return true;
    }
    if (load_be16(frame + 12) != ETH_P_IPV6 || ip[6] != IPPROTO_ICMPV6)
        return load_be16(frame + 12) == ETH_P_IPV6 && ip[6] == IPPROTO_TCP;
    quoted = ip + 48;
    *marker = ip[40] == ICMP6_DST_UNREACH && quoted[6] == IPPROTO_UDP && n >= ETHERNET_HEADER_LEN + 48 + 44 &&
              load_be16(quoted + 42) == MARKER;
    return ip[40] == ICMP6_DST_UNREACH || ip[40] == ICMP6_PARAM_PROB;
}

/* Sends one of each kind, then a marker in each family, and counts what is answered until both are: the families do not
 * wait for each other. */
static unsigned answers(int far) {
    static const uint8_t transports[] = {IPPROTO_TCP, IPPROTO_UDP};
    for (int version = 4; version <= 6; version += 2) {
        for (unsigned i = 0; i < PORTS; i++)
            for (unsigned t = 0; t < 2; t++)
                send_packet(far, version, transports[t], (uint16_t)(FIRST + i));
        for (unsigned i = 0; i < N_PROTOCOLS; i++)
            send_packet(far, version, protocols[i], FIRST);
    }
    send_packet(far, 4, IPPROTO_UDP, MARKER);
    send_packet(far, 6, IPPROTO_UDP, MARKER);
    unsigned n = 0, markers = 0;
    uint8_t frame[2048];
    struct timeval second = {.tv_sec = 1};
    assert_return_code(setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second), errno);
    for (uint64_t end = clock_mono_ns() + 10 * NS_PER_SEC; clock_mono_ns() < end;) {
        bool marker = false;
        ssize_t got = recv(far, frame, sizeof frame, 0);
        if (got > 0 && is_answer(frame, (size_t)got, &marker) && !marker)
            n++;
        markers += marker;
        if (markers == 2)
            return n;
    }
    fail_msg("the unclaimed port did not answer");
    return 0;
}

#define EACH (2 * PORTS)
#define EVERYTHING (2 * (EACH + N_PROTOCOLS))

static struct wire_protocols all_protocols(void) {
    struct wire_protocols set = {{0}};
    for (unsigned i = 0; i < N_PROTOCOLS; i++)
        set.bits[protocols[i] / 64] |= UINT64_C(1) << protocols[i] % 64;
    return set;
}

static struct claim claim(bool tcp, bool udp, const struct wire_protocols *set) {
    struct error e = ERROR_INIT;
    struct claim c;
    struct claim_wish wish = {.n = tcp || udp ? PORTS : 0, .first = FIRST, .tcp = tcp, .udp = udp, .protocols = set};
    if (claim_create(&wish, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static void test_claimed_it_is_silent(void **state) {
    int far = *(int *)*state;
    struct wire_protocols set = all_protocols();
    assert_int_equal(answers(far), EVERYTHING);
    struct claim c = claim(true, true, &set);
    assert_int_equal(c.n, PORTS);
    assert_int_equal(c.first, FIRST);
    assert_int_equal(c.n_fds, EACH + 2 * N_PROTOCOLS);
    assert_int_equal(answers(far), 0);
    claim_deinit(&c);
    assert_int_equal(answers(far), EVERYTHING);
}

static void test_each_claim_alone(void **state) {
    int far = *(int *)*state;
    struct wire_protocols set = all_protocols();
    struct claim c = claim(true, false, NULL);
    assert_int_equal(answers(far), EVERYTHING - EACH);
    claim_deinit(&c);
    c = claim(false, true, NULL);
    assert_int_equal(answers(far), EVERYTHING - EACH);
    claim_deinit(&c);
    c = claim(false, false, &set);
    assert_int_equal(c.n, 0);
    assert_int_equal(answers(far), 2 * EACH);
    claim_deinit(&c);
    c = claim(false, false, NULL);
    assert_int_equal(c.n_fds, 0);
    claim_deinit(&c);
}

/* The whole set of -sO: what the kernel speaks itself is left out, and answers as ever. */
static void test_all_protocols(void **state) {
    int far = *(int *)*state;
    static const struct wire_protocols all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct claim c = claim(false, false, &all);
    assert_int_equal(c.n_fds, 2 * (256 - 4)); /* 0, TCP, UDP and ICMP or ICMPv6 */
    assert_int_equal(answers(far), 2 * EACH);
    claim_deinit(&c);
}

static void test_nothing_is_left_after_a_kill(void **state) {
    int far = *(int *)*state, ends[2], status;
    assert_return_code(pipe(ends), errno);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct wire_protocols set = all_protocols();
        struct claim_wish wish = {.n = PORTS, .first = FIRST, .tcp = true, .udp = true, .protocols = &set};
        struct error e;
        struct claim c;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || claim_create(&wish, &c, &e) < 0 || write(ends[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    char ready;
    ssize_t n = read(ends[0], &ready, 1);
    close(ends[0]);
    unsigned while_alive = n == 1 ? answers(far) : 1;
    assert_return_code(kill(child, SIGKILL), errno);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(while_alive, 0);
    assert_int_equal(answers(far), EVERYTHING);
}

/* What one protocol's ports are taken for, the other's are free. */
static void test_who_is_in_the_way_is_named(void **state) {
    (void)state;
    struct claim udp = claim(false, true, NULL), tcp = claim(true, false, NULL), c;
    struct error e = ERROR_INIT;
    struct claim_wish wish = {.n = PORTS, .first = FIRST - 2, .udp = true};
    assert_int_equal(claim_create(&wish, &c, &e), -EADDRINUSE);
    assert_string_equal(e.text, "UDP source port 5000 is in use by another program");
    claim_deinit(&tcp);
    wish.tcp = true;
    assert_int_equal(claim_create(&wish, &c, &e), -EADDRINUSE);
    assert_string_equal(e.text, "UDP source port 5000 is in use by another program");
    claim_deinit(&udp);
    assert_int_equal(claim_create(&wish, &c, &e), 0);
    assert_int_equal(c.n_fds, 2 * PORTS);
    claim_deinit(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_claimed_it_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_claim_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_protocols, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_after_a_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_in_the_way_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("wire/silence", tests, NULL, NULL);
}
