#include "xdp_pair.h"

#include "space.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "wire/xdp.h"

#define FRAME_MIN 42u

void xdp_pair_make(unsigned queues, bool napi) {
    char line[256];
    space_enter();
    snprintf(line, sizeof line,
             "ip link add n0 numrxqueues %u numtxqueues %u type veth peer name f0 numrxqueues %u numtxqueues %u",
             queues, queues, queues, queues);
    space_run(line);
    space_run("ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up &&"
              " ip addr add 198.18.0.2/24 dev n0 && echo 0 >/proc/sys/net/ipv6/conf/n0/disable_ipv6 &&"
              " ip addr add 2001:2::2/64 dev n0 nodad");
    if (napi)
        space_run("ethtool -K f0 gro on");
}

struct wire *xdp_pair_try(const struct wire_config *config) {
    struct error e = ERROR_INIT;
    struct wire *w = NULL;
    int r = wire_xdp_ops.open(config, &w, &e);
    if (r == -EPERM)
        print_message("%s\n", e.text);
    else if (r < 0)
        fail_msg("%s", e.text);
    return w;
}

struct wire *xdp_pair_open(const struct wire_config *config) {
    struct wire *w = xdp_pair_try(config);
    if (!w)
        skip();
    return w;
}

struct wire *xdp_pair_sender(const char *ifname) {
    struct wire_config c = space_config(ifname);
    c.receive = false;
    return xdp_pair_open(&c);
}

uint32_t xdp_pair_program(const char *ifname) {
    uint32_t id = 0;
    assert_return_code(bpf_xdp_query_id(space_ifindex(ifname), 0, &id), errno);
    return id;
}

bool xdp_pair_pin(unsigned cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

unsigned xdp_pair_draw(uint32_t number, uint8_t *out) {
    uint64_t seed = number, word = 0;
    unsigned len = FRAME_MIN + (unsigned)(random_splitmix(&seed) % (WIRE_FRAME_MAX - FRAME_MIN + 1));
    for (unsigned i = 0; i < len; i++) {
        if (i % 8 == 0)
            word = random_splitmix(&seed);
        out[i] = (uint8_t)(word >> i % 8 * 8);
    }
    store_be16(out + 12, XDP_PAIR_TYPE);
    store_be32(out + ETHERNET_HEADER_LEN, number);
    return len;
}

struct xdp_far xdp_far_open(const char *ifname) {
    return (struct xdp_far){.fd = space_socket(ifname, true)};
}

void xdp_far_read(struct xdp_far *far, uint64_t silence_ns) {
    uint8_t got[2048], want[WIRE_FRAME_MAX];
    struct pollfd p = {.fd = far->fd, .events = POLLIN};
    while (poll(&p, 1, (int)(silence_ns / NS_PER_MS)) == 1) {
        ssize_t n = recv(far->fd, got, sizeof got, MSG_DONTWAIT);
        assert_true(n >= (ssize_t)FRAME_MIN);
        if (load_be16(got + 12) != XDP_PAIR_TYPE)
            continue;
        uint32_t number = load_be32(got + ETHERNET_HEADER_LEN);
        assert_true(number >= far->next);
        assert_int_equal(n, xdp_pair_draw(number, want));
        assert_memory_equal(got, want, (size_t)n);
        far->next = number + 1;
        far->seen++;
    }
}
