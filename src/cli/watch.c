#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAW_EVERY_MS 250

static void take_signal(struct watch *w) {
    struct signalfd_siginfo info;
    if (read(w->signal_fd, &info, sizeof info) != sizeof info)
        return;
    int stop = atomic_load(&w->stop) + 1;
    if (stop > 2)
        return;
    if (stop == 1)
        atomic_store(&w->signal, (int)info.ssi_signo);
    atomic_store(&w->stop, stop);
    if (stop == 1) {
        console_note(w->console, "stopping: no more is sent, the last answers are awaited; once more ends at once");
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (w->report)
        report_abort(w->report);
    pthread_mutex_unlock(&w->lock);
}

static void draw(struct watch *w) {
    struct scan_progress progress;
    char line[CONSOLE_LINE_MAX];
    pthread_mutex_lock(&w->lock);
    bool scanning = w->progress != NULL;
    if (scanning)
        w->progress(w->progress_ctx, &progress);
    pthread_mutex_unlock(&w->lock);
    if (!scanning || progress.planned == 0)
        return;
    progress_format(&progress, &w->past, line, sizeof line);
    console_progress(w->console, line);
}

static void *watch_main(void *arg) {
    struct watch *w = arg;
    pthread_setname_np(pthread_self(), "nt-watch");
    for (;;) {
        struct pollfd fds[] = {{.fd = w->signal_fd, .events = POLLIN}, {.fd = w->end_fd, .events = POLLIN}};
        int n = poll(fds, 2, w->console->terminal ? DRAW_EVERY_MS : -1);
        if (n == 0)
            draw(w);
        if (n > 0 && fds[0].revents & POLLIN)
            take_signal(w);
        if (n > 0 && fds[1].revents & POLLIN)
            return NULL;
    }
}

/* A signal that is ignored and blocked may be thrown away by the kernel: none of those that are waited for is ignored. */
static void signals_wanted(sigset_t *set) {
    struct sigaction old;
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

int watch_start(struct watch *w, struct console *console, struct error *e) {
    sigset_t set;
    w->console = console;
    signals_wanted(&set);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->end_fd = eventfd(0, EFD_CLOEXEC);
    if (w->signal_fd < 0 || w->end_fd < 0)
        return error_set(e, -errno, "cannot watch for signals: %s", strerror(errno));
    pthread_sigmask(SIG_BLOCK, &set, &w->before);
    int code = pthread_create(&w->thread, NULL, watch_main, w);
    if (code) {
        pthread_sigmask(SIG_SETMASK, &w->before, NULL);
        return error_set(e, -code, "cannot start a thread: %s", strerror(code));
    }
    w->started = true;
    return 0;
}

void watch_progress(struct watch *w, void (*progress)(void *ctx, struct scan_progress *out), void *ctx) {
    pthread_mutex_lock(&w->lock);
    w->progress = progress;
    w->progress_ctx = ctx;
    pthread_mutex_unlock(&w->lock);
}

void watch_report(struct watch *w, struct report *report) {
    pthread_mutex_lock(&w->lock);
    w->report = report;
    pthread_mutex_unlock(&w->lock);
}

void watch_stop(struct watch *w) {
    if (w->started) {
        eventfd_write(w->end_fd, 1);
        pthread_join(w->thread, NULL);
        pthread_sigmask(SIG_SETMASK, &w->before, NULL);
    }
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    if (w->end_fd >= 0)
        close(w->end_fd);
    w->started = false;
    w->signal_fd = w->end_fd = -1;
}
