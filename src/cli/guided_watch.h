/* The guided mode's ear for signals: while questions are asked, and, in a thread of its own, while a scan runs. */
#ifndef NOCTULE_CLI_GUIDED_WATCH_H
#define NOCTULE_CLI_GUIDED_WATCH_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

struct guided_watch {
    _Atomic int stop;   /* for scan_config: 0 run, 1 stop and listen one timeout, 2 end at once */
    _Atomic int signal; /* the first one that came, or 0 */
    int signal_fd, end_fd;
    sigset_t before;
    bool open, running;
    pthread_t thread;
    void (*tick)(void *ctx);
    void *ctx;
};

#define GUIDED_WATCH_INIT ((struct guided_watch){.signal_fd = -1, .end_fd = -1})
#define GUIDED_TICK_MS 100

/* From here on SIGINT and SIGTERM come by signal_fd only. Negative errno with a line. */
int guided_watch_open(struct guided_watch *w, struct error *e);
void guided_watch_close(struct guided_watch *w);

/* Takes the signal that makes signal_fd readable. The second one ends the process, by its own status. */
void guided_watch_take(struct guided_watch *w);

/* Starts and ends the thread, which takes signals, and calls tick (may be NULL) every GUIDED_TICK_MS. `stop` begins as
 * the signals have it. */
int guided_watch_begin(struct guided_watch *w, void (*tick)(void *ctx), void *ctx, struct error *e);
void guided_watch_end(struct guided_watch *w);

#endif
