#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "report/put.h"
#include "report/writer.h"

static _Atomic bool never;

/* One record "number\n". Returns false when the writer has failed. */
static bool write_number(struct writer *w, uint64_t v) {
    char *p = writer_reserve(w, PUT_U64_MAX + 1);
    if (!p)
        return false;
    p = put_u64(p, v);
    *p++ = '\n';
    writer_commit(w, p);
    return true;
}

/* A writer that owns the given end of a pipe. */
static struct writer writer_on(int fd, const _Atomic bool *aborted) {
    struct writer w = WRITER_INIT;
    w.fd = fd;
    w.owned = true;
    w.aborted = aborted;
    w.buf = malloc(WRITER_BUFFER);
    assert_non_null(w.buf);
    return w;
}

static void whole_records_only(void **state) {
    struct scratch *dir = *state;
    const char *path = scratch_path(dir, "", "a");
    struct writer w;
    assert_int_equal(writer_open(&w, path, &never), 0);
    size_t before = 0;
    for (uint64_t i = 0; i < 50000; i++) {
        assert_true(write_number(&w, i));
        if (i % 1000)
            continue;
        size_t n;
        char *text = read_whole(path, &n); /* as a kill at this moment would leave it */
        assert_true(n == 0 || text[n - 1] == '\n');
        assert_true(n >= before);
        before = n;
        free(text);
    }
    assert_true(before > 0);
    assert_int_equal(writer_close(&w), 0);
    assert_int_equal(writer_close(&w), 0);
    char *text = read_whole(path, NULL);
    assert_int_equal(count_lines(text), 50000);
    free(text);
}

static void a_full_disk(void **state) {
    (void)state;
    struct writer w;
    assert_int_equal(writer_open(&w, "/dev/full", &never), 0);
    assert_true(write_number(&w, 1));
    assert_int_equal(writer_flush(&w), -ENOSPC);
    assert_false(write_number(&w, 2));
    assert_int_equal(writer_flush(&w), -ENOSPC);
    assert_int_equal(writer_close(&w), -ENOSPC);
}

static void a_closed_pipe(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &pipe_only, &before), 0); /* as the report thread does */
    struct writer w = writer_on(ends[1], &never);
    assert_true(write_number(&w, 1));
    assert_int_equal(writer_close(&w), -EPIPE);
    assert_int_equal(sigtimedwait(&pipe_only, NULL, &(struct timespec){.tv_sec = 0}), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct reader {
    int fd;
    uint64_t lines, sum_of_bytes;
};

/* Reads little at a time, with rests. */
static void *read_slowly(void *arg) {
    struct reader *r = arg;
    char buf[3000];
    ssize_t n;
    for (unsigned i = 0; (n = read(r->fd, buf, sizeof buf)) > 0; i++) {
        for (ssize_t j = 0; j < n; j++)
            r->lines += buf[j] == '\n';
        r->sum_of_bytes += (uint64_t)n;
        if (i % 16 == 0)
            clock_sleep_until(clock_mono_ns() + NS_PER_MS);
    }
    return NULL;
}

/* A pipe that is full most of the time, blocking or not, loses nothing: partial writes and EAGAIN are continued. */
static void slow_readers(void **state) {
    (void)state;
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        int ends[2];
        pthread_t thread;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
        assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
        struct reader r = {.fd = ends[0]};
        assert_int_equal(pthread_create(&thread, NULL, read_slowly, &r), 0);
        struct writer w = writer_on(ends[1], &never);
        uint64_t bytes = 0;
        for (uint64_t i = 0; i < 100000; i++) {
            assert_true(write_number(&w, i));
            bytes += (uint64_t)snprintf(NULL, 0, "%llu\n", (unsigned long long)i);
        }
        assert_int_equal(writer_close(&w), 0);
        pthread_join(thread, NULL);
        close(ends[0]);
        assert_int_equal(r.lines, 100000);
        assert_int_equal(r.sum_of_bytes, bytes);
    }
}

/* With a reader that has stopped, a writer ends half a second after it was told to, not before and not never. */
static void aborted(void **state) {
    (void)state;
    _Atomic bool now = true;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct writer w = writer_on(ends[1], &now);
    uint64_t start = clock_mono_ns();
    for (uint64_t i = 0; i < 100000 && write_number(&w, i); i++)
        ;
    assert_int_equal(writer_close(&w), -ETIMEDOUT);
    uint64_t took = clock_mono_ns() - start;
    assert_true(took >= WRITER_GRACE_MS * NS_PER_MS && took < 20 * NS_PER_SEC);
    close(ends[0]);
}

static void same_place(void **state) {
    struct scratch *dir = *state;
    const char *path = scratch_path(dir, "", "a"), *other = scratch_path(dir, "", "b");
    struct writer a, b, c, null[2];
    assert_int_equal(writer_open(&a, path, &never), 0);
    assert_int_equal(writer_open(&b, path, &never), 0);
    assert_int_equal(writer_open(&c, other, &never), 0);
    assert_int_equal(writer_open(&null[0], "/dev/null", &never), 0);
    assert_int_equal(writer_open(&null[1], "/dev/null", &never), 0);
    assert_true(writer_same(&a, &b));
    assert_false(writer_same(&a, &c));
    assert_false(writer_same(&null[0], &null[1]));
    writer_close(&a);
    writer_close(&b);
    writer_close(&c);
    writer_close(&null[0]);
    writer_close(&null[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_records_only, scratch_setup, scratch_teardown),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_closed_pipe),
        cmocka_unit_test(slow_readers),
        cmocka_unit_test(aborted),
        cmocka_unit_test_setup_teardown(same_place, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
