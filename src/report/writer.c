#include "report/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int writer_open(struct writer *w, const char *path, const _Atomic bool *aborted) {
    struct stat st;
    *w = WRITER_INIT;
    w->aborted = aborted;
    w->owned = strcmp(path, "-") != 0;
    w->fd = w->owned ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666) : STDOUT_FILENO;
    if (w->fd < 0)
        return -errno;
    w->buf = malloc(WRITER_BUFFER);
    int r = !w->buf ? -ENOMEM : fstat(w->fd, &st) < 0 ? -errno : 0;
    if (r < 0) {
        w->error = r;
        writer_close(w);
        return r;
    }
    w->regular = S_ISREG(st.st_mode);
    return 0;
}

int writer_truncate(struct writer *w) {
    return w->owned && w->regular && ftruncate(w->fd, 0) < 0 ? -errno : 0;
}

bool writer_same(const struct writer *a, const struct writer *b) {
    struct stat x, y;
    if (a->fd == b->fd)
        return true;
    return a->regular && b->regular && fstat(a->fd, &x) == 0 && fstat(b->fd, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

char *writer_reserve(struct writer *w, size_t n) {
    if (w->error || (WRITER_BUFFER - w->n < n && writer_flush(w) < 0))
        return NULL;
    return w->buf + w->n;
}

void writer_commit(struct writer *w, const char *end) {
    w->n = (size_t)(end - w->buf);
}

/* Waits until the kernel takes at least PIPE_BUF bytes without blocking. The reader may rest as long as it likes,
 * unless the user wants out. */
static int wait_writable(const struct writer *w) {
    enum { STEP_MS = 50 };
    struct pollfd p = {.fd = w->fd, .events = POLLOUT};
    for (int grace = WRITER_GRACE_MS; grace > 0;) {
        int r = poll(&p, 1, STEP_MS);
        if (r > 0)
            return 0; /* also for POLLERR: write(2) knows the errno */
        if (r < 0 && errno != EINTR)
            return -errno;
        if (atomic_load_explicit(w->aborted, memory_order_relaxed))
            grace -= STEP_MS;
    }
    return -ETIMEDOUT;
}

/* Writes some of the n bytes; returns how many, or a negative errno. */
static ssize_t write_some(const struct writer *w, const char *p, size_t n) {
    if (!w->regular) {
        int r = wait_writable(w);
        if (r < 0)
            return r;
        /* More could block in write(2), where nobody sees *aborted; O_NONBLOCK is not ours to set: others share it. */
        n = n < PIPE_BUF ? n : PIPE_BUF;
    }
    ssize_t k = write(w->fd, p, n);
    if (k >= 0)
        return k;
    if (errno == EAGAIN) /* somebody else was faster to fill what poll(2) saw free */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return errno == EINTR || errno == EAGAIN ? 0 : -errno;
}

int writer_flush(struct writer *w) {
    for (size_t done = 0; !w->error && done < w->n;) {
        ssize_t k = write_some(w, w->buf + done, w->n - done);
        if (k < 0)
            w->error = (int)k;
        else
            done += (size_t)k;
    }
    w->n = 0;
    return w->error;
}

int writer_close(struct writer *w) {
    if (w->buf)
        writer_flush(w);
    free(w->buf);
    w->buf = NULL;
    if (w->owned && w->fd >= 0 && close(w->fd) < 0 && errno != EINTR && !w->error)
        w->error = -errno; /* where quotas and network file systems report what write(2) took too lightly */
    w->fd = -1;
    return w->error;
}
