/* The report thread: takes findings from bounded queues, one a producing thread, and writes them to every sink. It
 * never drops one: when sinks are slow the queues fill, and the transmitter watches report_pressure(). */
#ifndef NOCTULE_REPORT_REPORT_H
#define NOCTULE_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "report/finding.h"
#include "report/summary.h"

/* One place results go to. `spec` is the user's -o word: "FILE" (the ending says the format), "FORMAT:FILE", "-" file
 * is stdout. */
struct sink; /* opaque instance */
struct sink_ops {
    const char *format;   /* "text" */
    const char *endings;  /* ".txt", blank-separated when there are several */
    /* Each returns 0 or a negative errno; the first failure of a sink stops the scan with a clear line. */
    int (*open)(struct sink *s);
    int (*finding)(struct sink *s, const struct finding *f);
    int (*flush)(struct sink *s); /* make what was written visible; called when the queues run empty, and at least once a second */
    int (*close)(struct sink *s, const struct summary *sum); /* writes the end; the file is valid afterwards */
};

struct report_config {
    const char *const *outputs; /* -o words; none: text on stdout */
    unsigned n_outputs;
    uint16_t show;        /* bit 1 << enum state: which states become findings of the sinks */
    bool group_by_host;   /* text on a terminal, few hosts: grouped listing at the end as well */
    uint64_t max_results; /* 0 = no limit; after so many shown findings report_full() is true and the rest is counted only */
    /* "name" of an address where the user gave a host name; NULL when none */
    const char *(*name_of)(void *ctx, addr_t a);
    void *name_ctx;
};

#define REPORT_QUEUES_MAX 16

struct report; /* opaque */

/* Opens every sink (nothing is sent before all could be opened) and starts the thread ("nt-report"). */
int report_create(const struct report_config *config, unsigned n_queues, struct report **out, struct error *e);

/* Producer `queue` hands one finding over; each queue has exactly one producer thread. Waits while the queue is full,
 * and returns -EPIPE / the sink's errno once a sink has failed or report_abort() was called. */
int report_push(struct report *r, unsigned queue, const struct finding *f);

/* How full the fullest queue is, in 1/256: the transmitter stops above 128. Any thread. */
unsigned report_pressure(const struct report *r);
bool report_full(const struct report *r);   /* --max-results was reached */
int report_failed(const struct report *r);  /* 0, or the negative errno of a sink that failed; any thread */
uint64_t report_shown(const struct report *r); /* findings written so far */

/* Makes pushes return instead of waiting (second SIGINT). */
void report_abort(struct report *r);

/* Ends: drains the queues, writes the summary, closes every sink, joins the thread, frees. Returns 0, or the first
 * sink's error with its line. */
int report_finish(struct report *r, const struct summary *sum, struct error *e);

#endif
