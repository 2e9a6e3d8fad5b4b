/* The thread that watches over a scan: it takes the signals, and draws the progress line. */
#ifndef NOCTULE_CLI_WATCH_H
#define NOCTULE_CLI_WATCH_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "report/report.h"
#include "scan/scan.h"

struct watch {
    _Atomic int stop;    /* for scan_config: 0, 1 after the first signal, 2 after the second */
    _Atomic int signal;  /* the first one's number, or 0 */
    struct console *console;
    struct progress_past past; /* the thread's */
    pthread_mutex_t lock;      /* of the next three: what is set is alive */
    void (*progress)(void *ctx, struct scan_progress *out); /* or NULL */
    void *progress_ctx;
    struct report *report;
    pthread_t thread;
    bool started;
    int signal_fd, end_fd;
    sigset_t before; /* the signals that were blocked before */
};

#define WATCH_INIT ((struct watch){.lock = PTHREAD_MUTEX_INITIALIZER, .signal_fd = -1, .end_fd = -1})

/* Blocks SIGINT, SIGTERM and (unless it was ignored, as by nohup) SIGHUP in the calling thread and those it makes, and
 * starts the thread. Negative errno with a line. */
int watch_start(struct watch *w, struct console *console, struct error *e);

/* What there is to draw, and to abort on a second signal; NULL = nothing (any longer). */
void watch_progress(struct watch *w, void (*progress)(void *ctx, struct scan_progress *out), void *ctx);
void watch_report(struct watch *w, struct report *report);

/* Ends the thread. Safe after any failure and twice. */
void watch_stop(struct watch *w);

#endif
