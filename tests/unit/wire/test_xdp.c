/* The XDP wire over a veth pair of the test's own: what it injects arrives whole, what it counts as lost is what did not
 * arrive, it takes our replies and leaves all else to the kernel, and it refuses where it would lose frames. */
#include "space.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "wire/xdp.h"

#define TAG_AT (ETHERNET_HEADER_LEN + 24)
#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */
#define FRAME_MIN 42u
#define BATCH 128u

/* n0 is ours; f0 is the far end, and receives by NAPI, as injected frames need it. */
static int make_pair(void **state) {
    (void)state;
    space_enter();
    space_run("ip link add n0 type veth peer name f0 &&"
              " ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up &&"
              " ip addr add 198.18.0.2/24 dev n0 && ethtool -K f0 gro off && ethtool -K f0 gro on");
    return 0;
}

static struct wire *open_xdp(const struct wire_config *config) {
    struct error e = ERROR_INIT;
    struct wire *w = NULL;
    if (wire_xdp_ops.open(config, &w, &e) < 0)
        fail_msg("%s", e.text);
    return w;
}

static struct wire *open_sender(void) {
    struct wire_config c = space_config("n0");
    c.receive = false;
    return open_xdp(&c);
}

static struct wire_stats stats_of(struct wire *w) {
    struct wire_stats s;
    w->ops->stats(w, &s);
    return s;
}

/* The n-th frame: of any length, its bytes told by its number, which stands first behind the Ethernet header. */
static unsigned draw(uint32_t number, uint8_t *out) {
    uint64_t seed = number;
    unsigned len = FRAME_MIN + (unsigned)(random_splitmix(&seed) % (WIRE_FRAME_MAX - FRAME_MIN + 1));
    for (unsigned i = 0; i < len; i++)
        out[i] = (uint8_t)(i % 8 ? seed >> i % 8 * 8 : random_splitmix(&seed));
    store_be16(out + 12, 0x88b5); /* a local experiment (IEEE 802) */
    store_be32(out + ETHERNET_HEADER_LEN, number);
    return len;
}

/* Reads what has arrived at the far end until `expected` frames have been accounted for, or nothing came for a second.
 * Each frame must be the one that its number says, and numbers must rise. */
struct far_end {
    int fd;
    uint32_t next; /* lowest number that may come */
    uint64_t seen;
};

static void read_far(struct far_end *far, int flags) {
    uint8_t got[2048], want[WIRE_FRAME_MAX];
    for (;;) {
        ssize_t n = recv(far->fd, got, sizeof got, flags);
        if (n < 0)
            return;
        assert_true(n >= (ssize_t)FRAME_MIN);
        uint32_t number = load_be32(got + ETHERNET_HEADER_LEN);
        assert_true(number >= far->next);
        assert_int_equal(n, draw(number, want));
        assert_memory_equal(got, want, (size_t)n);
        far->next = number + 1;
        far->seen++;
    }
}

static void test_injected_frames_arrive_whole(void **state) {
    (void)state;
    enum { N = 100000 };
    struct wire *w = open_sender();
    struct far_end far = {.fd = space_socket("f0", true)};
    static uint8_t bytes[BATCH][WIRE_FRAME_MAX];
    struct frame frames[BATCH];
    uint64_t bytes_sent = 0;
    for (uint32_t i = 0; i < N;) {
        unsigned n = 0;
        for (; n < BATCH && i < N; n++, i++) {
            frames[n] = (struct frame){.data = bytes[n], .len = draw(i, bytes[n])};
            bytes_sent += frames[n].len;
        }
        assert_int_equal(w->ops->send(w, frames, n), n);
        read_far(&far, MSG_DONTWAIT);
    }
    struct timeval second = {.tv_sec = 1};
    assert_return_code(setsockopt(far.fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second), errno);
    struct wire_stats s = stats_of(w);
    while (far.seen + s.interface_tx_dropped < N)
        read_far(&far, 0);
    assert_int_equal(s.sent, N);
    assert_int_equal(s.sent_bytes, bytes_sent);
    assert_int_equal(far.seen + s.interface_tx_dropped, N);
    assert_true(far.seen > N / 2);
    w->ops->close(w);
    close(far.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_injected_frames_arrive_whole, make_pair),
    };
    return cmocka_run_group_tests_name("wire/xdp", tests, NULL, NULL);
}
