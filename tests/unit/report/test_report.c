/* The thread and its queues: order, limits, what happens when a sink is slow, stops or dies. */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

struct producer {
    struct report *report;
    unsigned queue, n;
    int result; /* of the first push that failed */
    _Atomic unsigned pushed;
    _Atomic bool done;
};

static void *produce(void *arg) {
    struct producer *p = arg;
    for (unsigned i = 0; i < p->n && p->result == 0; i++) {
        struct finding f = sample_finding((uint16_t)i);
        f.addr = addr_from_v4((uint32_t)(0xc6120000 + (p->queue << 16 | i >> 16)));
        p->result = report_push(p->report, p->queue, &f);
        if (p->result == 0)
            atomic_store(&p->pushed, i + 1);
    }
    atomic_store(&p->done, true);
    return NULL;
}

static pthread_t start(struct producer *p) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, p), 0);
    return thread;
}

/* Waits until the producer stands still; how many findings it has handed over. */
static unsigned stuck_at(struct producer *p) {
    unsigned before = UINT32_MAX, now;
    while ((now = atomic_load(&p->pushed)) != before || now < REPORT_QUEUE_LEN) {
        assert_false(atomic_load(&p->done));
        before = now;
        clock_sleep_until(clock_mono_ns() + 200 * NS_PER_MS);
    }
    return now;
}

/* A FIFO in the test's directory, as a word, with its reading end open. */
static int fifo_open(struct scratch *dir, const char **word) {
    *word = scratch_path(dir, "hostport:", "fifo");
    const char *path = strchr(*word, ':') + 1;
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return fd;
}

static void each_queue_keeps_its_order(void **state) {
    enum { QUEUES = 3, N = 100000 };
    const char *path = scratch_path(*state, "", "a.hostport");
    struct producer p[QUEUES];
    pthread_t threads[QUEUES];
    struct error e = ERROR_INIT;
    struct report *r = report_of(&path, 1, QUEUES);
    for (unsigned i = 0; i < QUEUES; i++) {
        p[i] = (struct producer){.report = r, .queue = i, .n = N};
        threads[i] = start(&p[i]);
    }
    for (unsigned i = 0; i < QUEUES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(p[i].result, 0);
    }
    assert_int_equal(report_finish(r, NULL, &e), 0);
    char *text = read_whole(path, NULL);
    unsigned next[QUEUES] = {0};
    for (char *at = text; *at;) {
        unsigned long part[5]; /* four octets, the port */
        for (unsigned i = 0; i < 5; i++)
            part[i] = strtoul(at, &at, 10), at++; /* and what ends it */
        unsigned long queue = part[1] - 18;
        assert_in_range(queue, 0, QUEUES - 1);
        assert_int_equal(part[3] << 16 | part[4], next[queue]);
        next[queue]++;
    }
    for (unsigned i = 0; i < QUEUES; i++)
        assert_int_equal(next[i], N);
    free(text);
}

/* What queue 0 revises was pushed to another queue before, and stands before it in the file. */
static void a_revision_follows_what_it_revises(void **state) {
    enum { N = 60000 };
    const char *path = scratch_path(*state, "", "a.hostport");
    struct error e = ERROR_INIT;
    struct report *r = report_of(&path, 1, 2);
    for (unsigned i = 0; i < N; i++) {
        struct finding f = sample_finding((uint16_t)i);
        f.addr = addr_from_v4(0xc6120001);
        assert_int_equal(report_push(r, 1, &f), 0);
        f.addr = addr_from_v4(0xc6120002);
        assert_int_equal(report_push(r, 0, &f), 0);
    }
    assert_int_equal(report_finish(r, NULL, &e), 0);
    char *text = read_whole(path, NULL);
    uint8_t *first = calloc(N, 1);
    assert_non_null(first);
    unsigned n = 0;
    for (char *at = text; *at; n++) {
        unsigned long part[5]; /* four octets, the port */
        for (unsigned i = 0; i < 5; i++)
            part[i] = strtoul(at, &at, 10), at++;
        if (part[3] == 1)
            first[part[4]] = 1;
        else
            assert_int_equal(first[part[4]], 1);
    }
    assert_int_equal(n, 2 * N);
    free(first);
    free(text);
}

static struct report *limited(const char *const *word, uint16_t show, uint64_t max_results) {
    struct report_config config = {.outputs = word, .n_outputs = 1, .show = show, .max_results = max_results};
    struct error e = ERROR_INIT;
    struct report *r = NULL;
    assert_int_equal(report_create(&config, 1, &r, &e), 0);
    return r;
}

static void exactly_so_many_results(void **state) {
    const char *path = scratch_path(*state, "", "a.hostport");
    struct error e = ERROR_INIT;
    for (uint64_t most = 1; most <= 600; most += 599) {
        struct report *r = limited(&path, 1u << STATE_OPEN, most);
        for (unsigned i = 0; i < 2000; i++) {
            struct finding f = sample_finding((uint16_t)i);
            if (i % 2)
                f.state = STATE_CLOSED; /* not shown, so it does not count */
            assert_int_equal(report_push(r, 0, &f), 0);
        }
        while (!report_full(r))
            clock_sleep_until(clock_mono_ns() + NS_PER_MS);
        assert_int_equal(report_shown(r), most);
        assert_int_equal(report_finish(r, NULL, &e), 0);
        char *text = read_whole(path, NULL);
        assert_int_equal(count_lines(text), most);
        free(text);
    }
}

static void shown_states(void **state) {
    const char *path = scratch_path(*state, "", "a.txt");
    struct error e = ERROR_INIT;
    struct report *r = limited(&path, 1u << STATE_CLOSED, 0);
    struct finding open = sample_finding(1), closed = sample_finding(2), revised = sample_finding(3);
    struct finding filtered_before = sample_finding(4);
    closed.state = STATE_CLOSED;
    revised.revises = STATE_CLOSED; /* who saw "closed" must see this */
    filtered_before.revises = STATE_FILTERED;
    assert_int_equal(report_push(r, 0, &open), 0);
    assert_int_equal(report_push(r, 0, &closed), 0);
    assert_int_equal(report_push(r, 0, &revised), 0);
    assert_int_equal(report_push(r, 0, &filtered_before), 0);
    assert_int_equal(report_finish(r, NULL, &e), 0);
    char *text = read_whole(path, NULL);
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, "198.18.5.5:2 "));
    assert_non_null(strstr(text, "198.18.5.5:3 "));
    assert_non_null(strstr(text, "was closed\n"));
    free(text);
}

/* A reader that stops fills the queue, the producer waits, the pressure tells; then nothing is missing. */
static void a_pipe_that_stops_reading(void **state) {
    enum { N = 300000 };
    const char *word;
    int fd = fifo_open(*state, &word);
    struct report *r = report_of(&word, 1, 1);
    struct error e = ERROR_INIT;
    assert_int_equal(report_pressure(r), 0);
    struct producer p = {.report = r, .n = N};
    pthread_t thread = start(&p);
    unsigned at = stuck_at(&p);
    assert_in_range(at, REPORT_QUEUE_LEN, N - 1);
    assert_in_range(report_pressure(r), 250, 256);
    assert_int_equal(report_failed(r), 0);

    size_t lines = 0;
    char buf[65536];
    while (lines < N) { /* all but what is flushed at the end comes without the end */
        ssize_t n = read(fd, buf, sizeof buf);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            lines += buf[i] == '\n';
    }
    pthread_join(thread, NULL);
    assert_int_equal(p.result, 0);
    assert_int_equal(report_finish(r, NULL, &e), 0);
    assert_int_equal(read(fd, buf, sizeof buf), 0);
    assert_int_equal(lines, N);
    close(fd);
}

static void abort_ends_every_wait(void **state) {
    const char *word;
    int fd = fifo_open(*state, &word);
    struct report *r = report_of(&word, 1, 1);
    struct error e = ERROR_INIT;
    struct producer p = {.report = r, .n = 10000000};
    pthread_t thread = start(&p);
    stuck_at(&p);
    report_abort(r);
    pthread_join(thread, NULL);
    assert_true(p.result == -EPIPE || p.result == -ETIMEDOUT);
    uint64_t before = clock_mono_ns();
    assert_int_equal(report_finish(r, NULL, &e), -ETIMEDOUT);
    assert_true(clock_mono_ns() - before < 20 * NS_PER_SEC);
    assert_non_null(strstr(e.text, "/fifo: "));
    close(fd);
}

static void a_reader_that_leaves(void **state) {
    const char *word;
    int fd = fifo_open(*state, &word);
    struct report *r = report_of(&word, 1, 1);
    struct error e = ERROR_INIT;
    close(fd);
    struct producer p = {.report = r, .n = 10000000};
    pthread_t thread = start(&p);
    pthread_join(thread, NULL);
    assert_int_equal(p.result, -EPIPE);
    assert_int_equal(report_failed(r), -EPIPE);
    assert_int_equal(report_finish(r, NULL, &e), -EPIPE);
    assert_non_null(strstr(e.text, "Broken pipe"));
}

/* One sink dies of a full disk: the scan is told, and the other sink is whole. */
static void a_full_disk(void **state) {
    const char *words[] = {"jsonl:/dev/full", scratch_path(*state, "", "a.jsonl")};
    struct report *r = report_of(words, 2, 1);
    struct error e = ERROR_INIT;
    struct summary sum = {.version = "0.1.0", .ended = "output failed"};
    struct finding f = sample_finding(1);
    assert_int_equal(report_push(r, 0, &f), 0);
    while (report_failed(r) == 0)
        clock_sleep_until(clock_mono_ns() + NS_PER_MS);
    assert_int_equal(report_push(r, 0, &f), -ENOSPC);
    assert_int_equal(report_finish(r, &sum, &e), -ENOSPC);
    assert_string_equal(e.text, "cannot write to /dev/full: No space left on device");
    char *text = read_whole(words[1], NULL);
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, "\"ended\":\"output failed\""));
    free(text);
}

/* The summary alone does not fit. */
static void a_disk_that_is_full_at_the_end(void **state) {
    (void)state;
    const char *word = "jsonl:/dev/full";
    struct report *r = report_of(&word, 1, 1);
    struct error e = ERROR_INIT;
    struct summary sum = {.version = "0.1.0"};
    assert_int_equal(report_finish(r, &sum, &e), -ENOSPC);
}

/* Findings are seen while the scan still runs. The bound is wide for slow machines; 50 ms is the aim. */
static void findings_are_visible_soon(void **state) {
    const char *word;
    int fd = fifo_open(*state, &word);
    struct report *r = report_of(&word, 1, 1);
    struct error e = ERROR_INIT;
    char line[64];
    uint64_t best = UINT64_MAX;
    for (uint16_t i = 0; i < 20; i++) {
        struct finding f = sample_finding(i);
        uint64_t before = clock_mono_ns();
        assert_int_equal(report_push(r, 0, &f), 0);
        assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000), 1);
        uint64_t took = clock_mono_ns() - before;
        best = took < best ? took : best;
        assert_true(read(fd, line, sizeof line) > 0);
    }
    assert_true(best <= 50 * NS_PER_MS);
    assert_int_equal(report_finish(r, NULL, &e), 0);
    close(fd);
}

/* An idle report does not spin. */
static void idle_costs_nothing(void **state) {
    const char *path = scratch_path(*state, "", "a.txt");
    struct report *r = report_of(&path, 1, 2);
    struct error e = ERROR_INIT;
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    clock_sleep_until(clock_mono_ns() + 500 * NS_PER_MS);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used = (after.tv_sec - before.tv_sec) * (int64_t)NS_PER_SEC + after.tv_nsec - before.tv_nsec;
    assert_true(used < (int64_t)(100 * NS_PER_MS));
    assert_int_equal(report_finish(r, NULL, &e), 0);
}

/* Is there a thread of this name in the process? */
static bool has_thread(const char *name) {
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    bool found = false;
    for (struct dirent *d; !found && (d = readdir(tasks));) {
        char path[320], text[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *f = fopen(path, "r");
        if (f) {
            found = fgets(text, sizeof text, f) && strncmp(text, name, strlen(name)) == 0;
            fclose(f);
        }
    }
    closedir(tasks);
    return found;
}

struct heard {
    unsigned n, ports[4];
    bool in_thread;
};

static void listen_to(void *ctx, const struct finding *f) {
    struct heard *h = ctx;
    char name[16];
    if (h->n < 4)
        h->ports[h->n] = f->port;
    h->n++;
    h->in_thread = pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "nt-report") == 0;
}

/* Pushes four findings, of which one is of a state that is not shown. */
static struct heard hear(const struct report_config *config) {
    struct heard heard = {.n = 0};
    struct report_config with = *config;
    struct report *r;
    struct error e = ERROR_INIT;
    with.show = 1u << STATE_OPEN | 1u << STATE_FILTERED;
    with.listener = listen_to;
    with.listener_ctx = &heard;
    assert_int_equal(report_create(&with, 1, &r, &e), 0);
    for (uint16_t port = 1; port <= 4; port++) {
        struct finding f = sample_finding(port);
        f.state = port == 2 ? STATE_CLOSED : STATE_OPEN;
        assert_int_equal(report_push(r, 0, &f), 0);
    }
    assert_int_equal(report_finish(r, NULL, &e), 0);
    return heard;
}

/* Whoever listens hears what is shown, from the report's thread; and stdout is then only written to when asked for. */
static void a_listener_hears_what_is_shown(void **state) {
    const char *path = scratch_path(*state, "", "a.hostport"), *empty = scratch_path(*state, "", "stdout");
    struct heard beside = hear(&(struct report_config){.outputs = &path, .n_outputs = 1});
    fflush(stdout);
    int keep = dup(STDOUT_FILENO), fd = open(empty, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(keep >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    close(fd);
    struct heard alone = hear(&(struct report_config){.n_outputs = 0});
    dup2(keep, STDOUT_FILENO);
    close(keep);
    char *text = read_whole(path, NULL), *nothing = read_whole(empty, NULL);
    assert_string_equal(text, "198.18.5.5:1\n198.18.5.5:3\n198.18.5.5:4\n");
    assert_string_equal(nothing, "");
    for (unsigned i = 0; i < 2; i++) {
        const struct heard *h = i ? &alone : &beside;
        assert_int_equal(h->n, 3);
        assert_true(h->ports[0] == 1 && h->ports[1] == 3 && h->ports[2] == 4);
        assert_true(h->in_thread);
    }
    free(text);
    free(nothing);
}

static void the_thread_has_a_name(void **state) {
    const char *path = scratch_path(*state, "", "a.txt");
    struct report *r = report_of(&path, 1, 1);
    struct error e = ERROR_INIT;
    uint64_t end = clock_mono_ns() + 10 * NS_PER_SEC;
    while (!has_thread("nt-report") && clock_mono_ns() < end)
        clock_sleep_until(clock_mono_ns() + NS_PER_MS);
    assert_true(has_thread("nt-report"));
    assert_int_equal(report_finish(r, NULL, &e), 0);
    assert_false(has_thread("nt-report"));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(each_queue_keeps_its_order),
        IN_SCRATCH(a_revision_follows_what_it_revises),
        IN_SCRATCH(exactly_so_many_results),
        IN_SCRATCH(shown_states),
        IN_SCRATCH(a_pipe_that_stops_reading),
        IN_SCRATCH(abort_ends_every_wait),
        IN_SCRATCH(a_reader_that_leaves),
        IN_SCRATCH(a_full_disk),
        IN_SCRATCH(a_disk_that_is_full_at_the_end),
        IN_SCRATCH(findings_are_visible_soon),
        IN_SCRATCH(idle_costs_nothing),
        IN_SCRATCH(a_listener_hears_what_is_shown),
        IN_SCRATCH(the_thread_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
