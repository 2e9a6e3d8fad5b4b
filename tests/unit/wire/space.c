#include "space.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

__attribute__((format(printf, 2, 0))) static bool write_file(const char *path, const char *format, unsigned value) {
    FILE *f = fopen(path, "we");
    if (!f)
        return false;
    bool fine = fprintf(f, format, value) > 0;
    return fclose(f) == 0 && fine;
}

/* For a user who is not root: a user namespace in which they are, so that the commands that are run are so too. */
static bool enter_as_user(void) {
    unsigned uid = geteuid(), gid = getegid();
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_file("/proc/self/setgroups", "deny", 0) &&
           write_file("/proc/self/uid_map", "0 %u 1", uid) && write_file("/proc/self/gid_map", "0 %u 1", gid);
}

void space_enter(void) {
    if (unshare(CLONE_NEWNET) < 0 && !enter_as_user()) {
        print_message("no network namespace may be made here: %s\n", strerror(errno));
        skip();
    }
    space_run("ip link set lo up");
    /* Interfaces that speak by themselves (router solicitations) would be noise between the tests' frames. */
    (void)space_try("echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6");
}

bool space_try(const char *command) {
    char line[512];
    int n = snprintf(line, sizeof line, "PATH=$PATH:/usr/sbin:/sbin; %s", command);
    assert_true(n > 0 && (size_t)n < sizeof line);
    return system(line) == 0;
}

/* The kernel makes an IPv6 address usable on a work queue of its own, also where it checks for no duplicate: on a busy
 * machine that may take a while. Until then the address is there, and is not local. */
static void await_ipv6_addresses(void) {
    (void)space_try("for i in $(seq 100); do m=;"
                    " for d in $(ip -o link show up | grep LOWER_UP | cut -d: -f2 | cut -d@ -f1); do"
                    " for a in $(ip -6 -o addr show dev $d | awk '{print $4}'); do"
                    " ip -6 route show table local | grep -q \"^local ${a%/*} \" || m=1; done; done;"
                    " [ \"$m\" ] || exit 0; sleep 0.05; done");
}

void space_run(const char *command) {
    if (!space_try(command))
        fail_msg("failed: %s", command);
    if (strstr(command, "nodad") != NULL)
        await_ipv6_addresses();
}

bool space_drop_capability(unsigned capability) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &head, sets) < 0)
        return false;
    sets[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
    return syscall(SYS_capset, &head, sets) == 0;
}

int space_ifindex(const char *name) {
    int index = (int)if_nametoindex(name);
    assert_true(index > 0);
    return index;
}

addr_t space_addr(const char *text) {
    addr_t a;
    assert_int_equal(addr_parse(text, strlen(text), &a), 0);
    return a;
}

int space_socket(const char *ifname, bool receives) {
    int protocol = receives ? htons(ETH_P_ALL) : 0, on = 1, room = 16 << 20;
    struct sockaddr_ll ll = {
        .sll_family = AF_PACKET, .sll_protocol = (uint16_t)protocol, .sll_ifindex = space_ifindex(ifname)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_return_code(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on), errno);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) /* not in a user namespace */
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), errno);
    assert_return_code(bind(fd, (const struct sockaddr *)&ll, sizeof ll), errno);
    return fd;
}

static uint32_t sum_words(const uint8_t *p, size_t n, uint32_t sum) {
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += load_be16(p + i);
    return n % 2 ? sum + (uint32_t)(p[n - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void space_checksums(uint8_t *frame, size_t len) {
    uint8_t *ip = frame + ETHERNET_HEADER_LEN, *tcp = ip + 20;
    size_t segment = len - ETHERNET_HEADER_LEN - 20;
    store_be16(ip + 10, 0);
    store_be16(ip + 10, fold(sum_words(ip, 20, 0)));
    store_be16(tcp + 16, 0);
    store_be16(tcp + 16, fold(sum_words(tcp, segment, sum_words(ip + 12, 8, IPPROTO_TCP + (uint32_t)segment))));
}

void space_tcp_frame(uint8_t *out, size_t len, uint16_t from_port, uint16_t to_port, uint32_t tag) {
    memset(out, 0, len);
    memset(out, 0xff, MAC_LEN);
    out[MAC_LEN] = 2; /* a locally administered sender */
    store_be16(out + 12, ETH_P_IP);
    uint8_t *ip = out + ETHERNET_HEADER_LEN, *tcp = ip + 20;
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(len - ETHERNET_HEADER_LEN));
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    store_be32(ip + 12, 0xc6120001);
    store_be32(ip + 16, 0xc6120002);
    store_be16(tcp, from_port);
    store_be16(tcp + 2, to_port);
    store_be32(tcp + 4, tag);
    tcp[12] = 5 << 4;
    tcp[13] = 0x02; /* SYN */
    store_be16(tcp + 14, 1024);
    space_checksums(out, len);
}

struct wire_config space_config(const char *ifname) {
    return (struct wire_config){
        .ifname = ifname,
        .ifindex = space_ifindex(ifname),
        .link = LINK_ETHERNET,
        .receive = true,
        .filter = {.port_lo = 40000, .port_hi = 40003},
        .ring_bytes = 4 << 20,
    };
}

struct wire *space_open(const struct wire_config *config) {
    struct error e = ERROR_INIT;
    struct wire *w = NULL;
    if (wire_packet_ops.open(config, &w, &e) < 0)
        fail_msg("%s", e.text);
    return w;
}

unsigned space_receive(struct wire *w, unsigned n, void (*each)(const struct frame *f, void *arg), void *arg) {
    uint64_t deadline = clock_mono_ns() + 5 * NS_PER_SEC, drained;
    struct frame frames[WIRE_BATCH_MAX];
    unsigned seen = 0;
    while (seen < n && clock_mono_ns() < deadline) {
        int got = w->ops->recv(w, frames, WIRE_BATCH_MAX, &drained);
        assert_true(got >= 0);
        for (int i = 0; i < got; i++)
            if (each)
                each(&frames[i], arg);
        seen += (unsigned)got;
        if (got == 0)
            w->ops->wait(w, 10 * NS_PER_MS);
    }
    return seen;
}
