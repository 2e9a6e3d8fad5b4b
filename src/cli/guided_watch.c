#include "cli/guided_watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/command.h"

int guided_watch_open(struct guided_watch *w, struct error *e) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal(SIGINT, SIG_DFL); /* one that is ignored and blocked the kernel may throw away */
    signal(SIGTERM, SIG_DFL);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->signal_fd < 0 || w->end_fd < 0)
        return error_set(e, -errno, "cannot watch for signals: %s", strerror(errno));
    pthread_sigmask(SIG_BLOCK, &set, &w->before);
    w->open = true;
    return 0;
}

void guided_watch_close(struct guided_watch *w) {
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    if (w->end_fd >= 0)
        close(w->end_fd);
    if (w->open)
        pthread_sigmask(SIG_SETMASK, &w->before, NULL);
    *w = GUIDED_WATCH_INIT;
}

void guided_watch_take(struct guided_watch *w) {
    struct signalfd_siginfo info;
    if (read(w->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (atomic_load(&w->signal))
        _exit(EXIT_SIGNALLED + (int)info.ssi_signo); /* nothing is open that would be left half-written */
    atomic_store(&w->signal, (int)info.ssi_signo);
    atomic_store(&w->stop, 1);
}

static void *watch_main(void *arg) {
    struct guided_watch *w = arg;
    pthread_setname_np(pthread_self(), "nt-guided");
    for (;;) {
        struct pollfd fds[] = {{.fd = w->signal_fd, .events = POLLIN}, {.fd = w->end_fd, .events = POLLIN}};
        int n = poll(fds, 2, w->tick ? GUIDED_TICK_MS : -1);
        if (n == 0)
            w->tick(w->ctx);
        if (n > 0 && fds[0].revents & POLLIN)
            guided_watch_take(w);
        if (n > 0 && fds[1].revents & POLLIN)
            return NULL;
    }
}

int guided_watch_begin(struct guided_watch *w, void (*tick)(void *ctx), void *ctx, struct error *e) {
    w->tick = tick;
    w->ctx = ctx;
    atomic_store(&w->stop, atomic_load(&w->signal) ? 1 : 0);
    int code = pthread_create(&w->thread, NULL, watch_main, w);
    if (code)
        return error_set(e, -code, "cannot start a thread: %s", strerror(code));
    w->running = true;
    return 0;
}

void guided_watch_end(struct guided_watch *w) {
    eventfd_t ended;
    if (!w->running)
        return;
    eventfd_write(w->end_fd, 1);
    pthread_join(w->thread, NULL);
    eventfd_read(w->end_fd, &ended); /* for the next one */
    w->running = false;
}
