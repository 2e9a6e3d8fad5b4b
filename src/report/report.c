#include "report/report.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spsc.h"
#include "report/sink.h"

enum {
    BATCH = 256,           /* findings taken from a queue at a time, so that none is starved */
    IDLE_MS = 5,           /* nap of the thread while all queues are empty: a finding is on the screen soon after */
    FULL_NAP_US = 500,     /* nap of a producer whose queue is full */
};

struct report {
    struct report_config config;
    struct sink *sinks;
    unsigned n_sinks, n_queues;
    struct spsc queues[REPORT_QUEUES_MAX];
    pthread_t thread;
    int wake;                   /* eventfd: ends the nap */
    const struct summary *sum;  /* handed over by `finishing` */
    _Atomic bool finishing, aborted, full;
    _Atomic uint64_t shown;
    _Atomic int failed;         /* error is written before, by the thread, once */
    struct error error;
    struct finding batch[BATCH], revising[BATCH];
};

static void fail(struct report *r, const struct sink *s, int code) {
    if (atomic_load_explicit(&r->failed, memory_order_relaxed))
        return;
    error_set(&r->error, code, "cannot write to %s: %s", sink_label(s), strerror(-code));
    atomic_store_explicit(&r->failed, code, memory_order_release);
}

/* One finding to every sink. A sink that failed takes no more, the others stay whole. */
static void write_finding(struct report *r, const struct finding *f) {
    unsigned shown = 1u << f->state | (f->revises != STATE_UNKNOWN ? 1u << f->revises : 0);
    if (!(shown & r->config.show) || atomic_load_explicit(&r->full, memory_order_relaxed))
        return;
    for (unsigned i = 0; i < r->n_sinks; i++) {
        struct sink *s = &r->sinks[i];
        int code = s->out.error ? 0 : s->ops->finding(s, f);
        if (code < 0)
            fail(r, s, code);
    }
    if (r->config.listener)
        r->config.listener(r->config.listener_ctx, f);
    uint64_t n = atomic_load_explicit(&r->shown, memory_order_relaxed) + 1;
    atomic_store_explicit(&r->shown, n, memory_order_relaxed);
    if (n == r->config.max_results)
        atomic_store_explicit(&r->full, true, memory_order_release);
}

static void write_findings(struct report *r, const struct finding *f, size_t n) {
    for (size_t i = 0; i < n; i++)
        write_finding(r, &f[i]);
}

/* Takes a batch from queue 0 and what waits in the others; returns how many findings there were. Queue 0 may revise what
 * another queue said, so it is taken first and written last: what its findings revise was pushed before them, hence is
 * there to be written before them. */
static size_t drain(struct report *r) {
    size_t revising = spsc_pop(&r->queues[0], r->revising, BATCH), total = revising;
    for (unsigned q = 1; q < r->n_queues; q++) {
        for (size_t left = spsc_count(&r->queues[q]); left > 0;) {
            size_t n = spsc_pop(&r->queues[q], r->batch, left < BATCH ? left : BATCH);
            write_findings(r, r->batch, n);
            left -= n;
            total += n;
        }
    }
    write_findings(r, r->revising, revising);
    return total;
}

static void flush_sinks(struct report *r) {
    for (unsigned i = 0; i < r->n_sinks; i++) {
        struct sink *s = &r->sinks[i];
        int code = s->out.error ? 0 : writer_flush(&s->out);
        if (code < 0)
            fail(r, s, code);
    }
}

static void close_sinks(struct report *r) {
    for (unsigned i = 0; i < r->n_sinks; i++) {
        int code = sink_close(&r->sinks[i], r->sum);
        if (code < 0)
            fail(r, &r->sinks[i], code);
    }
}

static void *report_main(void *arg) {
    struct report *r = arg;
    pthread_setname_np(pthread_self(), "nt-report");
    uint64_t flushed = clock_mono_ns();
    for (;;) {
        /* Read before the queues are: what was pushed before the end was asked for is drained. */
        bool finishing = atomic_load_explicit(&r->finishing, memory_order_acquire);
        size_t n = drain(r);
        if (n == 0 || clock_mono_ns() - flushed >= NS_PER_SEC) {
            flush_sinks(r);
            flushed = clock_mono_ns();
        }
        if (n == 0 && finishing)
            break;
        if (n == 0)
            poll(&(struct pollfd){.fd = r->wake, .events = POLLIN}, 1, IDLE_MS);
    }
    close_sinks(r);
    return NULL;
}

/* Signals are the main thread's; and with SIGPIPE blocked here, write(2) says EPIPE and nobody dies of it. */
static int start_thread(struct report *r) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&r->thread, NULL, report_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

void report_free(struct report *r) {
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_queues && i < REPORT_QUEUES_MAX; i++)
        spsc_deinit(&r->queues[i]);
    if (r->wake >= 0)
        close(r->wake);
    free(r->sinks);
    free(r);
}

/* The -o words as sinks, not yet open. */
static int parse_outputs(struct report *r, struct error *e) {
    static const char *const standard[] = {"-"};
    const char *const *words = r->config.n_outputs ? r->config.outputs : standard;
    unsigned n = r->config.n_outputs ? r->config.n_outputs : 1;
    if (!r->config.n_outputs && r->config.listener)
        return 0;
    r->sinks = calloc(n, sizeof *r->sinks);
    if (!r->sinks)
        return error_set(e, -ENOMEM, "no memory for %u outputs", n);
    for (unsigned i = 0; i < n; i++) {
        int code = sink_parse(words[i], &r->sinks[i], e);
        if (code < 0)
            return code;
    }
    r->n_sinks = n;
    return sinks_open(r->sinks, n, &r->config, &r->aborted, e);
}

/* Everything but the outputs. */
static int prepare(struct report *r, struct error *e) {
    if (r->n_queues > REPORT_QUEUES_MAX)
        return error_set(e, -EINVAL, "%u queues of findings, at most %u", r->n_queues, REPORT_QUEUES_MAX);
    for (unsigned i = 0; i < r->n_queues; i++) {
        if (spsc_init(&r->queues[i], sizeof(struct finding), REPORT_QUEUE_LEN) < 0)
            return error_set(e, -ENOMEM, "no memory for the queues of findings");
    }
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return r->wake < 0 ? error_set(e, -errno, "cannot make an eventfd: %s", strerror(errno)) : 0;
}

int report_create(const struct report_config *config, unsigned n_queues, struct report **out, struct error *e) {
    struct report *r = aligned_alloc(_Alignof(struct report), sizeof *r); /* the queues keep to cache lines */
    if (!r)
        return error_set(e, -ENOMEM, "no memory for the report");
    memset(r, 0, sizeof *r);
    r->config = *config;
    r->n_queues = n_queues;
    r->wake = -1;
    int code = prepare(r, e);
    if (code == 0)
        code = parse_outputs(r, e);
    if (code == 0) {
        code = start_thread(r);
        if (code < 0) {
            error_set(e, code, "cannot start the report thread: %s", strerror(-code));
            close_sinks(r);
        }
    }
    if (code < 0)
        report_free(r);
    else
        *out = r;
    return code;
}

int report_push(struct report *r, unsigned queue, const struct finding *f) {
    for (;;) {
        int failed = report_failed(r);
        if (failed)
            return failed;
        if (spsc_push(&r->queues[queue], f))
            return 0;
        if (atomic_load_explicit(&r->aborted, memory_order_relaxed))
            return -EPIPE;
        clock_sleep_until(clock_mono_ns() + FULL_NAP_US * NS_PER_US);
    }
}

unsigned report_pressure(const struct report *r) {
    size_t most = 0;
    for (unsigned i = 0; i < r->n_queues; i++) {
        size_t n = spsc_count(&r->queues[i]);
        most = n > most ? n : most;
    }
    return (unsigned)(most * 256 / REPORT_QUEUE_LEN);
}

bool report_full(const struct report *r) {
    return atomic_load_explicit(&r->full, memory_order_acquire);
}

int report_failed(const struct report *r) {
    return atomic_load_explicit(&r->failed, memory_order_acquire);
}

uint64_t report_shown(const struct report *r) {
    return atomic_load_explicit(&r->shown, memory_order_relaxed);
}

void report_abort(struct report *r) {
    atomic_store_explicit(&r->aborted, true, memory_order_relaxed);
}

int report_close(struct report *r, const struct summary *sum, struct error *e) {
    r->sum = sum;
    atomic_store_explicit(&r->finishing, true, memory_order_release);
    eventfd_write(r->wake, 1);
    pthread_join(r->thread, NULL);
    int code = report_failed(r);
    if (code)
        *e = r->error;
    return code;
}

int report_finish(struct report *r, const struct summary *sum, struct error *e) {
    int code = report_close(r, sum, e);
    report_free(r);
    return code;
}
