/* Several handles transmit on one interface at once, each in a thread on a processor of its own. */
#include "space.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/xdp.h"
#include "xdp_pair.h"

#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */
#define SENDERS 2u
#define EACH 100000u
#define BATCH 1000u
#define TAG_AT (ETHERNET_HEADER_LEN + 24)
#define SPOKEN_MAX 10 /* frames that the kernel may send, and lose, of its own accord meanwhile */

/* A receive handle, and those that transmit beside it. */
struct team {
    struct wire *receiver, *senders[SENDERS];
};

static struct wire_config config_of(const char *ifname, struct wire *receiver, unsigned i) {
    struct wire_config c = space_config(ifname);
    c.receive = !receiver;
    c.receiver = receiver;
    c.senders = SENDERS;
    c.sender = i;
    c.processor = i;
    return c;
}

/* The calling thread runs on any of the senders' processors; false when the machine has fewer. */
static bool spread(void) {
    cpu_set_t all, got;
    CPU_ZERO(&all);
    for (unsigned i = 0; i < SENDERS; i++)
        CPU_SET(i, &all);
    return sched_setaffinity(0, sizeof all, &all) == 0 && sched_getaffinity(0, sizeof got, &got) == 0 &&
           CPU_EQUAL(&all, &got);
}

/* Skips where this user may not, or the machine has no two processors. */
static struct team team_open(const char *ifname) {
    if (!spread())
        skip();
    struct wire_config c = config_of(ifname, NULL, 0);
    struct team t = {.receiver = xdp_pair_open(&c)};
    for (unsigned i = 0; i < SENDERS; i++) {
        c = config_of(ifname, t.receiver, i);
        t.senders[i] = xdp_pair_open(&c);
    }
    return t;
}

static void team_close(struct team *t) {
    for (unsigned i = 0; i < SENDERS; i++)
        wire_xdp_ops.close(t->senders[i]);
    wire_xdp_ops.close(t->receiver);
}

/* A thread's work: EACH frames, whose tags are sender << 24 and up. */
struct work {
    struct wire *w;
    unsigned number;
    int error;
    struct wire_stats stats;
};

static void *send_each(void *arg) {
    struct work *work = arg;
    static uint8_t bytes[SENDERS][BATCH][64];
    struct frame frames[BATCH];
    uint64_t end = clock_mono_ns() + LIMIT_NS;
    if (!xdp_pair_pin(work->number))
        work->error = -errno;
    for (uint32_t sent = 0; sent < EACH && work->error == 0; sent += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            space_tcp_frame(bytes[work->number][i], 64, 80, 40000, work->number << 24 | (sent + i));
            frames[i] = (struct frame){.data = bytes[work->number][i], .len = 64};
        }
        for (unsigned done = 0; done < BATCH && work->error == 0;) {
            int n = work->w->ops->send(work->w, frames + done, BATCH - done);
            work->error = n < 0 ? n : clock_mono_ns() > end ? -ETIMEDOUT : 0;
            done += n > 0 ? (unsigned)n : 0;
        }
    }
    work->w->ops->stats(work->w, &work->stats);
    return NULL;
}

struct crew {
    struct work work[SENDERS];
    pthread_t threads[SENDERS];
};

static void crew_start(struct crew *crew, const struct team *t) {
    for (unsigned i = 0; i < SENDERS; i++) {
        crew->work[i] = (struct work){.w = t->senders[i], .number = i};
        assert_int_equal(pthread_create(&crew->threads[i], NULL, send_each, &crew->work[i]), 0);
    }
}

static void crew_end(struct crew *crew) {
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(crew->threads[i], NULL), 0);
        assert_return_code(crew->work[i].error, -crew->work[i].error);
        assert_int_equal(crew->work[i].stats.sent + crew->work[i].stats.send_refused, EACH);
    }
}

/* What came to a queue of the far end. */
struct arrivals {
    uint64_t frames, tags; /* their number, and the sum of their tags */
};

/* Counts IPv4 by queue, and drops all. Returns the map's descriptor; the link is of this process. */
static int count_at(const char *ifname) {
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arrivals", sizeof(uint32_t), sizeof(struct arrivals), SENDERS, NULL);
    assert_return_code(map, errno);
    const struct bpf_insn program[] = {
        {BPF_LDX | BPF_MEM | BPF_W, 6, 1, offsetof(struct xdp_md, data), 0},
        {BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, data_end), 0},
        {BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct xdp_md, rx_queue_index), 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 4, 6, 0, 0}, /* r4 = r6 + what is read */
        {BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, TAG_AT + 4},
        {BPF_JMP | BPF_JGT | BPF_X, 4, 2, 14, 0}, /* too short */
        {BPF_LDX | BPF_MEM | BPF_H, 5, 6, offsetof(struct ethhdr, h_proto), 0},
        {BPF_JMP | BPF_JNE | BPF_K, 5, 0, 12, htons(ETH_P_IP)}, /* the kernel's own */
        {BPF_LDX | BPF_MEM | BPF_W, 6, 6, TAG_AT, 0},
        {BPF_ALU | BPF_END | BPF_TO_BE, 6, 0, 0, 32},
        {BPF_STX | BPF_MEM | BPF_W, 10, 3, -4, 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0},
        {BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4},
        {BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map},
        {0, 0, 0, 0, 0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0}, /* no such queue */
        {BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1},
        {BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, offsetof(struct arrivals, frames), BPF_ADD},
        {BPF_STX | BPF_ATOMIC | BPF_DW, 0, 6, offsetof(struct arrivals, tags), BPF_ADD},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "count", "Apache-2.0", program, sizeof program / sizeof *program, NULL);
    assert_return_code(fd, errno);
    assert_return_code(bpf_link_create(fd, space_ifindex(ifname), BPF_XDP, &options), errno);
    close(fd);
    return map;
}

static struct arrivals arrivals_of(int map, uint32_t queue, uint64_t wanted) {
    struct arrivals a = {.frames = 0};
    for (uint64_t end = clock_mono_ns() + LIMIT_NS; a.frames < wanted && clock_mono_ns() < end;)
        assert_return_code(bpf_map_lookup_elem(map, &queue, &a), errno);
    return a;
}

/* Each sender's frames, and no others, come to the far queue of its processor, each once. */
static void test_each_sender_has_its_own_way(void **state) {
    (void)state;
    xdp_pair_make(SENDERS, true);
    struct team t = team_open("n0");
    struct crew crew;
    int map = count_at("f0");
    crew_start(&crew, &t);
    crew_end(&crew);
    for (uint32_t i = 0; i < SENDERS; i++) {
        const struct wire_stats *s = &crew.work[i].stats;
        struct arrivals a = arrivals_of(map, i, s->sent);
        assert_int_equal(a.frames, s->sent);
        if (s->send_refused == 0)
            assert_int_equal(a.tags, (uint64_t)EACH * (i << 24) + (uint64_t)EACH * (EACH - 1) / 2);
        assert_in_range(s->interface_tx_dropped, 0, SPOKEN_MAX);
        assert_true(a.frames > EACH - EACH / 10);
    }
    team_close(&t);
    close(map);
}

/* Which tags have come. */
struct tags {
    bool seen[SENDERS][EACH];
    uint64_t n;
};

static void note_tag(const struct frame *f, void *arg) {
    struct tags *tags = arg;
    uint32_t tag = load_be32(f->data + TAG_AT), i = tag >> 24, k = tag & 0xffffff;
    assert_true(i < SENDERS && k < EACH && !tags->seen[i][k]);
    tags->seen[i][k] = true;
    tags->n++;
}

static uint64_t count_tags(const struct tags *tags, unsigned sender) {
    uint64_t n = 0;
    for (unsigned i = 0; i < EACH; i++)
        n += tags->seen[sender][i];
    return n;
}

/* Frames that come to both queues at once are received from both, each once, or counted as lost. */
static void test_a_receiver_takes_from_every_queue(void **state) {
    (void)state;
    static struct tags tags;
    xdp_pair_make(SENDERS, true);
    space_run("ethtool -K n0 gro on"); /* f0 injects before n0 has a program */
    struct team t = team_open("f0");
    struct wire_config c = space_config("n0");
    struct wire *near = xdp_pair_open(&c);
    struct crew crew;
    struct wire_stats in = {.received = 0};
    crew_start(&crew, &t);
    for (uint64_t end = clock_mono_ns() + LIMIT_NS, sent = EACH * SENDERS;
         tags.n + in.ring_dropped < sent && clock_mono_ns() < end;) {
        space_receive(near, 1, note_tag, &tags);
        near->ops->stats(near, &in);
    }
    crew_end(&crew);
    uint64_t refused = crew.work[0].stats.send_refused + crew.work[1].stats.send_refused;
    assert_int_equal(in.received, tags.n);
    assert_int_equal(tags.n + in.ring_dropped + refused, SENDERS * EACH);
    for (unsigned i = 0; i < SENDERS; i++)
        assert_true(count_tags(&tags, i) > 0);
    near->ops->close(near);
    team_close(&t);
}

static void test_a_thread_elsewhere_is_refused(void **state) {
    (void)state;
    uint8_t bytes[64];
    struct frame f = {.data = bytes, .len = sizeof bytes};
    struct wire_stats s;
    xdp_pair_make(SENDERS, true);
    struct team t = team_open("n0");
    space_tcp_frame(bytes, sizeof bytes, 80, 40000, 0);
    assert_true(xdp_pair_pin(0));
    assert_int_equal(t.senders[0]->ops->send(t.senders[0], &f, 1), 1);
    assert_int_equal(t.senders[1]->ops->send(t.senders[1], &f, 1), -EXDEV);
    t.senders[1]->ops->stats(t.senders[1], &s);
    assert_int_equal(s.sent, 0);
    assert_int_equal(s.last_send_error, EXDEV);
    assert_true(xdp_pair_pin(1));
    assert_int_equal(t.senders[1]->ops->send(t.senders[1], &f, 1), 1);
    team_close(&t);
}

static void expect_refusal(struct wire_config c, int code) {
    struct error e = ERROR_INIT;
    struct wire *w;
    int r = wire_xdp_ops.open(&c, &w, &e);
    if (r != code || *e.text == '\0')
        fail_msg("%d, \"%s\"", r, e.text);
}

static void test_each_sender_is_one_handle(void **state) {
    (void)state;
    xdp_pair_make(SENDERS, true);
    struct team t = team_open("n0");
    struct wire_config c = config_of("n0", t.receiver, 0);
    expect_refusal(c, -EBUSY);
    c.sender = SENDERS;
    expect_refusal(c, -EINVAL);
    c.senders = 1;
    c.sender = 0;
    expect_refusal(c, -EINVAL);
    wire_xdp_ops.close(t.senders[1]);
    c = config_of("n0", t.receiver, 1);
    c.processor = 0; /* the other one's */
    expect_refusal(c, -EBUSY);
    c.processor = 1u << 20;
    expect_refusal(c, -EINVAL);
    c.processor = 1;
    t.senders[1] = xdp_pair_open(&c);
    team_close(&t);
    c = config_of("n0", NULL, 0);
    c.senders = WIRE_SENDERS_MAX + 1;
    expect_refusal(c, -EINVAL);
    assert_int_equal(xdp_pair_program("n0"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_sender_has_its_own_way),
        cmocka_unit_test(test_a_receiver_takes_from_every_queue),
        cmocka_unit_test(test_a_thread_elsewhere_is_refused),
        cmocka_unit_test(test_each_sender_is_one_handle),
    };
    return cmocka_run_group_tests_name("wire/xdp_senders", tests, NULL, NULL);
}
