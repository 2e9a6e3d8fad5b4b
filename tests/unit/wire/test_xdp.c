/* The XDP wire transmits: what it injects arrives whole, what does not arrive it counts as lost, and it stands on an
 * interface only where that works, and only as long as it is open. */
#include "space.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/xdp.h"
#include "wire/xdp_hook.h"
#include "xdp_pair.h"

#define LIMIT_NS (20 * NS_PER_SEC) /* no loop of these tests runs longer */
#define BATCH 100u
#define LENGTH_MAX 256u /* bytes: some blocks */
#define SPOKEN_MAX 10 /* frames that the kernel may send, and lose, of its own accord meanwhile */

static int make_pair(void **state) {
    (void)state;
    xdp_pair_make(1, true);
    return 0;
}

static struct wire_stats stats_of(struct wire *w) {
    struct wire_stats s;
    w->ops->stats(w, &s);
    return s;
}

/* Sends the frames first .. first + n - 1 in calls of a batch, and reads the far end unless it is NULL; returns their
 * bytes. */
static uint64_t send_drawn(struct wire *w, uint32_t first, uint32_t n, struct xdp_far *far) {
    static uint8_t bytes[BATCH][WIRE_FRAME_MAX];
    struct frame frames[BATCH];
    uint64_t total = 0;
    for (uint32_t i = 0; i < n;) {
        unsigned k = 0;
        for (; k < BATCH && i < n; k++, i++) {
            frames[k] = (struct frame){.data = bytes[k], .len = xdp_pair_draw(first + i, bytes[k])};
            total += frames[k].len;
        }
        assert_int_equal(w->ops->send(w, frames, k), k);
        if (far)
            xdp_far_read(far, 0);
    }
    return total;
}

/* Every frame sent either came or is counted as lost; most came. */
static void account(struct wire *w, struct xdp_far *far) {
    uint64_t end = clock_mono_ns() + LIMIT_NS;
    struct wire_stats s = stats_of(w);
    while (far->seen + s.interface_tx_dropped < s.sent && clock_mono_ns() < end)
        xdp_far_read(far, 10 * NS_PER_MS);
    assert_int_equal(far->seen + s.interface_tx_dropped, s.sent);
    assert_true(far->seen > s.sent / 2);
}

static void test_injected_frames_arrive_whole(void **state) {
    (void)state;
    enum { N = 100000 };
    struct wire *w = xdp_pair_sender("n0");
    struct xdp_far far = xdp_far_open("f0");
    uint64_t bytes = send_drawn(w, 0, N, &far);
    account(w, &far);
    struct wire_stats s = stats_of(w);
    assert_int_equal(s.sent, N);
    assert_int_equal(s.sent_bytes, bytes);
    assert_int_equal(s.send_refused, 0);
    assert_int_equal(s.send_calls, N / BATCH);
    w->ops->close(w);
    close(far.fd);
}

/* More than one run holds, both in frames and in bytes, in one call. */
static void test_a_long_batch(void **state) {
    (void)state;
    enum { N = XDP_BATCH_MAX + 100 };
    static uint8_t bytes[N][WIRE_FRAME_MAX];
    static struct frame frames[N];
    struct wire *w = xdp_pair_sender("n0");
    struct xdp_far far = xdp_far_open("f0");
    for (uint32_t i = 0; i < N; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    assert_int_equal(w->ops->send(w, frames, N), N);
    struct wire_stats s = stats_of(w);
    assert_int_equal(s.sent, N);
    assert_true(s.send_calls > 2 && s.send_calls < 10);
    xdp_far_read(&far, 100 * NS_PER_MS);
    assert_int_equal(far.seen + s.interface_tx_dropped, N);
    w->ops->close(w);
    close(far.fd);
}

/* Takes frames of these lengths, in that order, each byte told by place and length. */
static void expect_lengths(int fd, unsigned from, unsigned to) {
    uint8_t got[2 * LENGTH_MAX];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (unsigned len = from; len <= to;) {
        assert_int_equal(poll(&p, 1, 5000), 1);
        ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
        assert_true(n >= ETHERNET_HEADER_LEN);
        if (load_be16(got + 12) != XDP_PAIR_TYPE)
            continue;
        assert_int_equal(n, len);
        for (unsigned i = ETHERNET_HEADER_LEN; i < len; i++)
            assert_int_equal(got[i], (uint8_t)(i * 7 + len));
        len++;
    }
}

/* Alone, when the run's frames are as long, and between longer and shorter ones, when they must be cut. */
static void test_every_length_arrives_as_it_is(void **state) {
    (void)state;
    static uint8_t bytes[LENGTH_MAX + 1][LENGTH_MAX];
    struct frame frames[LENGTH_MAX + 1];
    struct wire *w = xdp_pair_sender("n0");
    int far = space_socket("f0", true);
    for (unsigned len = ETHERNET_HEADER_LEN; len <= LENGTH_MAX; len++) {
        for (unsigned i = ETHERNET_HEADER_LEN; i < len; i++)
            bytes[len][i] = (uint8_t)(i * 7 + len);
        store_be16(bytes[len] + 12, XDP_PAIR_TYPE);
        frames[len] = (struct frame){.data = bytes[len], .len = len};
        assert_int_equal(w->ops->send(w, &frames[len], 1), 1);
        expect_lengths(far, len, len);
    }
    for (unsigned to = 32; to <= LENGTH_MAX; to *= 2) {
        unsigned n = to - ETHERNET_HEADER_LEN + 1;
        assert_int_equal(w->ops->send(w, frames + ETHERNET_HEADER_LEN, n), n);
        expect_lengths(far, ETHERNET_HEADER_LEN, to);
    }
    assert_int_equal(w->ops->send(w, frames + 33, 64 - 33 + 1), 64 - 33 + 1);
    expect_lengths(far, 33, 64);
    w->ops->close(w);
    close(far);
}

static void ignore(int signal) {
    (void)signal;
}

/* A signal cuts a run short; the rest goes out afterwards, and nothing twice. */
static void test_signals_lose_nothing(void **state) {
    (void)state;
    struct wire *w = xdp_pair_sender("n0");
    struct xdp_far far = xdp_far_open("f0");
    const struct sigaction act = {.sa_handler = ignore};
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    assert_return_code(sigaction(SIGALRM, &act, NULL), errno);
    assert_return_code(setitimer(ITIMER_REAL, &often, NULL), errno);
    send_drawn(w, 0, 20000, &far);
    assert_return_code(setitimer(ITIMER_REAL, &never, NULL), errno);
    assert_int_equal(stats_of(w).sent, 20000);
    account(w, &far);
    w->ops->close(w);
    close(far.fd);
}

static void test_what_never_fits_is_counted_and_skipped(void **state) {
    (void)state;
    struct wire *w = xdp_pair_sender("n0");
    struct xdp_far far = xdp_far_open("f0");
    static uint8_t bytes[5][2000];
    struct frame frames[5];
    for (uint32_t i = 0; i < 5; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    frames[1].len = WIRE_FRAME_MAX + 1;
    frames[4].len = 13;
    assert_int_equal(w->ops->send(w, frames, 5), 5);
    struct wire_stats s = stats_of(w);
    assert_int_equal(s.sent, 3);
    assert_int_equal(s.send_refused, 2);
    assert_int_equal(s.last_send_error, EMSGSIZE);
    account(w, &far);
    assert_int_equal(far.next, 4);
    w->ops->close(w);
    close(far.fd);
}

static void test_a_handle_that_only_sends(void **state) {
    (void)state;
    struct wire *w = xdp_pair_sender("n0");
    struct frame got[4];
    uint64_t drained = 1;
    assert_int_equal(w->ops->recv(w, got, 4, &drained), 0);
    assert_int_equal(drained, 0);
    w->ops->wait(w, 3600 * NS_PER_SEC); /* there is room to send: returns at once */
    w->ops->close(w);
}

/* The kernel says nothing about frames that the driver has to drop; the wire must. */
static void test_local_loss_is_counted(void **state) {
    (void)state;
    struct wire *w = xdp_pair_sender("n0");
    struct xdp_far far = xdp_far_open("f0");
    send_drawn(w, 0, 1000, &far);
    account(w, &far);
    uint64_t before = stats_of(w).interface_tx_dropped;
    space_run("ip link set f0 down");
    send_drawn(w, 1000, 1000, NULL);
    struct wire_stats s = stats_of(w);
    assert_int_equal(s.sent, 2000);
    assert_in_range(s.interface_tx_dropped - before, 1000, 1000 + SPOKEN_MAX);
    w->ops->close(w);
    close(far.fd);
}

/* A far end whose NAPI has a thread of its own (found by a name that no other test has), on processor 0; and while this
 * one is urgent there, that one does not run. */
static struct xdp_far far_with_thread(void) {
    char line[512], name[16];
    snprintf(name, sizeof name, "h%d", (int)getpid());
    snprintf(line, sizeof line,
             "ip link set f0 down && ip link set f0 name %s && ip link set %s up &&"
             " unshare -m sh -c 'mount -t sysfs s /sys && echo 1 >/sys/class/net/%s/threaded' &&"
             " taskset -p 1 $(grep -l ^napi/%s- /proc/[0-9]*/comm | tr -dc 0-9) >/dev/null",
             name, name, name, name);
    if (!space_try(line))
        skip();
    return xdp_far_open(name);
}

static bool be_urgent(bool urgent) {
    struct sched_param priority = {.sched_priority = urgent};
    return xdp_pair_pin(0) && sched_setscheduler(0, urgent ? SCHED_FIFO : SCHED_OTHER, &priority) == 0;
}

/* A driver without room is back-pressure: the caller offers the rest again, and nothing is lost or comes twice. */
static void test_a_full_driver_is_offered_the_rest_again(void **state) {
    (void)state;
    enum { N = 3000 };
    static uint8_t bytes[N][WIRE_FRAME_MAX];
    static struct frame frames[N];
    struct xdp_far far = far_with_thread();
    struct wire *w = xdp_pair_sender("n0");
    unsigned done = 0, held_up = 0;
    for (uint32_t i = 0; i < N; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    if (!be_urgent(true))
        skip();
    for (uint64_t end = clock_mono_ns() + LIMIT_NS; done < N && clock_mono_ns() < end;) {
        int n = w->ops->send(w, frames + done, N - done);
        assert_true(n >= 0);
        done += (unsigned)n;
        held_up += done < N;
        xdp_far_read(&far, 2 * NS_PER_MS); /* sleeps: the far end's turn */
    }
    assert_true(be_urgent(false));
    struct wire_stats s = stats_of(w);
    for (uint64_t end = clock_mono_ns() + LIMIT_NS; far.seen < s.sent && clock_mono_ns() < end;)
        xdp_far_read(&far, 10 * NS_PER_MS);
    assert_int_equal(far.seen, s.sent);
    assert_int_equal(s.sent + s.send_refused, N); /* given up only if that thread got no turn in 50 ms */
    assert_in_range(s.interface_tx_dropped, 0, SPOKEN_MAX);
    assert_true(held_up > 0);
    w->ops->close(w);
    close(far.fd);
}

/* One that never has room again is not waited for for ever. */
static void test_a_stuck_driver_is_given_up(void **state) {
    (void)state;
    enum { N = 600 };
    static uint8_t bytes[N][WIRE_FRAME_MAX];
    static struct frame frames[N];
    struct xdp_far far = far_with_thread();
    struct wire *w = xdp_pair_sender("n0");
    struct wire_stats s = {.sent = 0};
    uint64_t taken = 0;
    for (uint32_t i = 0; i < N; i++)
        frames[i] = (struct frame){.data = bytes[i], .len = xdp_pair_draw(i, bytes[i])};
    if (!be_urgent(true))
        skip();
    uint64_t start = clock_mono_ns();
    for (; s.send_refused == 0 && clock_mono_ns() < start + LIMIT_NS; w->ops->stats(w, &s)) {
        int n = w->ops->send(w, frames, N);
        assert_true(n >= 0);
        taken += (unsigned)n;
    }
    assert_true(be_urgent(false));
    uint64_t passed = clock_mono_ns() - start;
    assert_true(passed >= 50 * NS_PER_MS);
    assert_true(s.send_calls <= passed / (50 * NS_PER_US) + 2); /* it is not pestered */
    assert_int_equal(s.send_refused, 1);
    assert_int_equal(s.last_send_error, ENOBUFS);
    assert_int_equal(s.sent + s.send_refused, taken);
    w->ops->close(w);
    close(far.fd);
}

static int send_one(struct wire *w) {
    uint8_t bytes[WIRE_FRAME_MAX];
    struct frame f = {.data = bytes, .len = xdp_pair_draw(0, bytes)};
    return w->ops->send(w, &f, 1);
}

static void test_a_dead_interface_is_noticed(void **state) {
    (void)state;
    struct wire *w = xdp_pair_sender("n0");
    assert_int_equal(send_one(w), 1);
    space_run("ip link set n0 down");
    assert_int_equal(send_one(w), -ENETDOWN);
    w->ops->close(w);
    space_run("ip link set n0 up");
    w = xdp_pair_sender("n0");
    assert_int_equal(send_one(w), 1);
    space_run("ip link del n0");
    assert_int_equal(send_one(w), -ENODEV);
    w->ops->close(w);
}

/* Opened, and closed in either order, again and again: nothing stays. */
static void test_close_leaves_nothing(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct wire_config c = space_config("n0");
        struct wire *first = xdp_pair_open(&c);
        uint32_t program = xdp_pair_program("n0");
        assert_true(program != 0);
        c.receive = false;
        c.receiver = first;
        struct wire *second = xdp_pair_open(&c);
        assert_int_equal(xdp_pair_program("n0"), program); /* one serves both */
        assert_int_equal(send_one(second), 1);
        wire_xdp_ops.close(i % 2 ? first : second);
        assert_int_equal(xdp_pair_program("n0"), program);
        wire_xdp_ops.close(i % 2 ? second : first);
        assert_int_equal(xdp_pair_program("n0"), 0);
    }
}

static void test_nothing_outlives_a_kill(void **state) {
    (void)state;
    int ready[2];
    char byte;
    struct wire *before = xdp_pair_sender("n0"); /* skips, rather than the child */
    before->ops->close(before);
    assert_return_code(pipe(ready), errno);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct wire_config c = space_config("n0");
        struct wire *receiver = xdp_pair_open(&c);
        c.receive = false;
        c.receiver = receiver;
        struct wire *w = xdp_pair_open(&c);
        for (;; (void)!write(ready[1], "", 1)) /* until the pipe is full */
            send_drawn(w, 0, 10000, NULL);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(xdp_pair_program("n0") != 0);
    assert_return_code(kill(child, SIGKILL), errno);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(xdp_pair_program("n0"), 0);
    struct wire *again = xdp_pair_sender("n0");
    again->ops->close(again);
    close(ready[0]);
    close(ready[1]);
}

static void expect_refusal(const struct wire_config *config, int code, const char *words) {
    struct error e = ERROR_INIT;
    struct wire *w;
    int r = wire_xdp_ops.open(config, &w, &e);
    if (r != code || !strstr(e.text, words))
        fail_msg("%d, \"%s\"", r, e.text);
}

static void test_a_far_end_that_would_lose_all_is_refused(void **state) {
    (void)state;
    struct wire_xdp_report report;
    xdp_pair_make(1, false);
    struct wire_config c = space_config("n0");
    expect_refusal(&c, -EOPNOTSUPP, "ethtool -K");
    assert_int_equal(xdp_pair_program("n0"), 0);
    assert_int_equal(wire_xdp_probe("n0", &report), 0);
    assert_int_equal(report.native, XDP_ANSWER_YES);
    assert_int_equal(report.inject, XDP_ANSWER_NO);
    assert_non_null(strstr(report.refusal.text, "ethtool -K"));
    space_run("ethtool -K f0 gro on");
    struct wire *w = xdp_pair_open(&c);
    w->ops->close(w);
}

/* r0 = XDP_PASS; exit */
static int attach_another(const char *ifname) {
    const struct bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
                                    {.code = BPF_JMP | BPF_EXIT}};
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
    int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "another", "Apache-2.0", pass, sizeof pass / sizeof *pass, NULL);
    if (program == -EPERM)
        skip();
    assert_return_code(program, errno);
    int link = bpf_link_create(program, space_ifindex(ifname), BPF_XDP, &options);
    assert_return_code(link, errno);
    close(program);
    return link;
}

static void test_another_program_is_left_alone(void **state) {
    (void)state;
    struct wire_xdp_report report;
    struct wire_config c = space_config("n0");
    int link = attach_another("n0");
    uint32_t program = xdp_pair_program("n0");
    expect_refusal(&c, -EBUSY, "another XDP program");
    assert_int_equal(xdp_pair_program("n0"), program);
    assert_int_equal(wire_xdp_probe("n0", &report), 0);
    assert_int_equal(report.other_program, program);
    assert_non_null(strstr(report.refusal.text, "another XDP program"));
    close(link);
}

static void test_other_links_are_refused(void **state) {
    (void)state;
    struct wire_xdp_report report;
    struct wire_config c = space_config("lo");
    c.loopback = true;
    c.link = LINK_IP;
    expect_refusal(&c, -EOPNOTSUPP, "Ethernet");
    c = space_config("n0");
    c.ifname = "nothere";
    c.ifindex = 9999;
    expect_refusal(&c, -ENODEV, "nothere");
    assert_int_equal(wire_xdp_probe("nothere", &report), -ENODEV);
    assert_int_equal(wire_xdp_probe("n0", &report), 0);
    assert_string_equal(report.driver, "veth");
    assert_string_equal(report.refusal.text, "");
    assert_int_equal(report.queues, 1);
    assert_true(report.is_virtual);
    assert_int_equal(report.zerocopy, XDP_ANSWER_NO);
    assert_int_equal(report.inject, XDP_ANSWER_YES);
}

static void test_without_privilege_it_says_so(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct wire_config c = space_config("n0");
        struct error e = ERROR_INIT;
        struct wire *w;
        if (!space_drop_capability(CAP_BPF) || !space_drop_capability(CAP_SYS_ADMIN))
            _exit(2);
        int r = wire_xdp_ops.open(&c, &w, &e);
        _exit(r == -EPERM && strstr(e.text, "CAP_BPF") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_injected_frames_arrive_whole, make_pair),
        cmocka_unit_test_setup(test_a_long_batch, make_pair),
        cmocka_unit_test_setup(test_every_length_arrives_as_it_is, make_pair),
        cmocka_unit_test_setup(test_signals_lose_nothing, make_pair),
        cmocka_unit_test_setup(test_what_never_fits_is_counted_and_skipped, make_pair),
        cmocka_unit_test_setup(test_a_handle_that_only_sends, make_pair),
        cmocka_unit_test_setup(test_local_loss_is_counted, make_pair),
        cmocka_unit_test_setup(test_a_full_driver_is_offered_the_rest_again, make_pair),
        cmocka_unit_test_setup(test_a_stuck_driver_is_given_up, make_pair),
        cmocka_unit_test_setup(test_a_dead_interface_is_noticed, make_pair),
        cmocka_unit_test_setup(test_close_leaves_nothing, make_pair),
        cmocka_unit_test_setup(test_nothing_outlives_a_kill, make_pair),
        cmocka_unit_test(test_a_far_end_that_would_lose_all_is_refused),
        cmocka_unit_test_setup(test_another_program_is_left_alone, make_pair),
        cmocka_unit_test_setup(test_other_links_are_refused, make_pair),
        cmocka_unit_test_setup(test_without_privilege_it_says_so, make_pair),
    };
    return cmocka_run_group_tests_name("wire/xdp", tests, NULL, NULL);
}
