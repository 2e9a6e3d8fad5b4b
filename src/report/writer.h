/* A file that lines go to: buffered, handed to the kernel in whole records, so that a process killed at any moment has
 * cut at most its last line. One thread. */
#ifndef NOCTULE_REPORT_WRITER_H
#define NOCTULE_REPORT_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define WRITER_BUFFER 65536u   /* bytes held at most */
#define WRITER_RECORD_MAX 8192u /* bytes of one reservation at most */

struct writer {
    int fd;
    bool owned;   /* closed at the end; stdout is not */
    bool regular; /* a regular file never blocks for long; a pipe, a socket, a terminal may block for ever */
    int error;    /* the first failure; all later calls return it */
    const _Atomic bool *aborted; /* once true, a reader that has stopped is waited for no longer than WRITER_GRACE_MS */
    char *buf;
    size_t n;     /* bytes in buf */
};

#define WRITER_INIT ((struct writer){.fd = -1})
#define WRITER_GRACE_MS 500

/* Opens path for writing, without truncating it yet (writer_truncate() follows once all outputs could be opened), or
 * takes stdout for "-". Returns 0 or a negative errno. */
int writer_open(struct writer *w, const char *path, const _Atomic bool *aborted);
int writer_truncate(struct writer *w);

/* Whether both write to the same regular file, or to the same stdout. */
bool writer_same(const struct writer *a, const struct writer *b);

/* Makes room for n <= WRITER_RECORD_MAX bytes; NULL with w->error set when earlier ones could not be written. The
 * caller writes from there on, and hands back where it ended. */
char *writer_reserve(struct writer *w, size_t n);
void writer_commit(struct writer *w, const char *end);

/* Hands everything to the kernel. Waits for slow readers; a partial write, EINTR or EAGAIN is continued. */
int writer_flush(struct writer *w);

/* Flushes, closes, frees. Returns the first error of the writer's whole life. Safe on WRITER_INIT and twice. */
int writer_close(struct writer *w);

#endif
