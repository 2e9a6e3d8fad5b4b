/* The XDP wire beside the kernel's own stacks at both ends of the pair: they keep their traffic while frames are
 * injected, and replies of such a stack come with what it leaves undone told. */
#include "space.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/xdp.h"
#include "wire/xdp_queue.h"
#include "xdp_pair.h"

#define LIMIT_NS (30 * NS_PER_SEC) /* no loop of these tests runs longer */
#define SERVER_PORT 4000
#define TRANSFER_BYTES (8u << 20)

/* Moves f0 into a namespace of its own, in which a child runs `live` and then ends. Returns the child. */
static pid_t far_stack(void (*live)(void)) {
    int there[2], ready[2];
    char byte, line[64];
    struct wire *before = xdp_pair_sender("n0"); /* skips before there is a child */
    before->ops->close(before);
    assert_return_code(pipe(there), errno);
    assert_return_code(pipe(ready), errno);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0 || write(there[1], "", 1) != 1 || read(ready[0], &byte, 1) != 1 ||
            !space_try("ip link set lo up && ip link set f0 addrgenmode none up && ip addr add 198.18.0.1/24 dev f0 &&"
                       " ethtool -K f0 gro on") ||
            write(there[1], "", 1) != 1)
            _exit(2);
        live();
        _exit(0);
    }
    assert_int_equal(read(there[0], &byte, 1), 1);
    snprintf(line, sizeof line, "ip link set f0 netns %d", (int)child);
    space_run(line);
    assert_int_equal(write(ready[1], "", 1), 1);
    assert_int_equal(read(there[0], &byte, 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        close(there[i]);
        close(ready[i]);
    }
    return child;
}

static void end_of(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int socket_at(const char *address, uint16_t port, int type) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &at.sin_addr);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
        return -1;
    return fd;
}

static int connect_to(int fd, const char *address, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    return connect(fd, (const struct sockaddr *)&to, sizeof to);
}

/* The byte at that place of the transfer. */
static uint8_t pattern(uint64_t at) {
    return (uint8_t)(at * 2654435761u >> 13);
}

/* Sends what it gets back; then both directions carry data through the interface. */
static void echo_once(void) {
    static uint8_t buffer[64 << 10];
    int server = socket_at("198.18.0.1", SERVER_PORT, SOCK_STREAM), fd;
    if (server < 0 || listen(server, 1) < 0 || (fd = accept(server, NULL, NULL)) < 0)
        _exit(3);
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        for (ssize_t done = 0, k; done < n; done += k)
            if ((k = write(fd, buffer + done, (size_t)(n - done))) <= 0)
                _exit(4);
}

/* One step of the transfer: writes and reads what goes without waiting. Returns the bytes that came back so far. */
static uint64_t transfer(int fd, uint64_t *written, uint64_t *back) {
    uint8_t buffer[16 << 10];
    size_t room = TRANSFER_BYTES - *written < sizeof buffer ? TRANSFER_BYTES - *written : sizeof buffer;
    for (size_t i = 0; i < room; i++)
        buffer[i] = pattern(*written + i);
    ssize_t n = room ? send(fd, buffer, room, MSG_DONTWAIT) : 0;
    *written += n > 0 ? (uint64_t)n : 0;
    n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(buffer[i], pattern(*back + (uint64_t)i));
    *back += n > 0 ? (uint64_t)n : 0;
    return *back;
}

static void test_tcp_goes_on_while_injecting(void **state) {
    (void)state;
    xdp_pair_make(1, true);
    pid_t child = far_stack(echo_once);
    struct wire_config c = space_config("n0");
    struct wire *receiver = xdp_pair_open(&c);
    c.receive = false;
    c.receiver = receiver;
    struct wire *w = xdp_pair_open(&c);
    int fd = socket_at("198.18.0.2", 0, SOCK_STREAM);
    uint64_t written = 0, back = 0, end = clock_mono_ns() + LIMIT_NS, sent = 0;
    while (connect_to(fd, "198.18.0.1", SERVER_PORT) < 0 && clock_mono_ns() < end) /* until it listens */
        clock_sleep_until(clock_mono_ns() + NS_PER_MS);
    static uint8_t bytes[32][WIRE_FRAME_MAX];
    struct frame frames[32];
    for (uint32_t i = 0; i < 32; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    while (transfer(fd, &written, &back) < TRANSFER_BYTES && clock_mono_ns() < end) {
        assert_int_equal(w->ops->send(w, frames, 32), 32);
        sent += 32;
    }
    assert_int_equal(back, TRANSFER_BYTES);
    assert_true(sent > 1000);
    close(fd);
    end_of(child);
    w->ops->close(w);
    receiver->ops->close(receiver);
}

/* SYNs and datagrams to our ports, by a stack that leaves their checksums to a card; until killed. */
static void knock(void) {
    for (;;) {
        int tcp = socket_at("198.18.0.1", 0, SOCK_STREAM), udp = socket_at("198.18.0.1", 0, SOCK_DGRAM);
        if (tcp < 0 || fcntl(tcp, F_SETFL, O_NONBLOCK) < 0 || udp < 0 || connect_to(udp, "198.18.0.2", 40001) < 0)
            _exit(3);
        (void)connect_to(tcp, "198.18.0.2", 40000);
        (void)!send(udp, "hello, scanner", 14, 0);
        clock_sleep_until(clock_mono_ns() + 10 * NS_PER_MS);
        close(tcp);
        close(udp);
    }
}

/* Frames of either protocol that came to our ports, and how many of them were flagged. */
struct knocks {
    unsigned n[2], unfilled[2];
};

static void note(const struct frame *f, void *arg) {
    struct knocks *k = arg;
    if (load_be16(f->data + 12) != ETH_P_IP || (f->data[23] != IPPROTO_TCP && f->data[23] != IPPROTO_UDP))
        return;
    unsigned which = f->data[23] == IPPROTO_UDP;
    k->n[which]++;
    k->unfilled[which] += f->flags == FRAME_CSUM_UNFILLED;
}

static void test_unfinished_checksums_are_told(void **state) {
    (void)state;
    xdp_pair_make(1, true);
    struct wire_config c = space_config("n0");
    pid_t child = far_stack(knock);
    struct wire *w = xdp_pair_open(&c);
    struct knocks k = {.n = {0}};
    uint64_t end = clock_mono_ns() + LIMIT_NS;
    while ((k.n[0] < 3 || k.n[1] < 3) && clock_mono_ns() < end)
        space_receive(w, 1, note, &k);
    assert_true(k.n[0] >= 3 && k.n[1] >= 3);
    assert_int_equal(k.unfilled[0], k.n[0]);
    assert_int_equal(k.unfilled[1], k.n[1]);
    assert_return_code(kill(child, SIGKILL), errno);
    waitpid(child, NULL, 0);
    w->ops->close(w);
}

/* The sums are of the pseudo-headers (RFC 9293 3.1, RFC 8200 8.1), worked out by hand. */
static void test_what_is_unfinished(void **state) {
    (void)state;
    uint8_t tcp[64], udp6[78] = {[12] = 0x86, 0xdd, 0x60}, sctp[64];
    space_tcp_frame(tcp, sizeof tcp, 80, 40000, 7);
    assert_false(xdp_is_unfilled(tcp, sizeof tcp)); /* right */
    store_be16(tcp + 50, load_be16(tcp + 50) ^ 1);
    assert_false(xdp_is_unfilled(tcp, sizeof tcp)); /* wrong */
    store_be16(tcp + 50, 0x8c4c); /* c612 + 0001 + c612 + 0002 + protocol 6 + 30 bytes, the carry added */
    assert_true(xdp_is_unfilled(tcp, sizeof tcp));
    for (size_t n = 0; n < 52; n++)
        assert_false(xdp_is_unfilled(tcp, n));

    store_be16(udp6 + 18, 24);
    udp6[20] = IPPROTO_UDP;
    store_be32(udp6 + 22, 0x20010002);
    store_be32(udp6 + 38, 0x20010002);
    udp6[37] = 1;
    udp6[53] = 2;
    store_be16(udp6 + 60, 2 * (0x2001 + 2) + 1 + 2 + IPPROTO_UDP + 24);
    assert_true(xdp_is_unfilled(udp6, sizeof udp6));
    udp6[53] = 3;
    assert_false(xdp_is_unfilled(udp6, sizeof udp6));

    space_tcp_frame(sctp, sizeof sctp, 80, 40000, 0); /* the tag stands where SCTP's checksum is */
    sctp[23] = IPPROTO_SCTP;
    store_be32(sctp + 42, 0);
    assert_true(xdp_is_unfilled(sctp, sizeof sctp));
    store_be32(sctp + 42, 1);
    assert_false(xdp_is_unfilled(sctp, sizeof sctp));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_goes_on_while_injecting),
        cmocka_unit_test(test_unfinished_checksums_are_told),
        cmocka_unit_test(test_what_is_unfinished),
    };
    return cmocka_run_group_tests_name("wire/xdp_live", tests, NULL, NULL);
}
