/* The report thread: takes findings from bounded queues, one a producing thread, and writes them to every sink. It
 * never drops one: when sinks are slow the queues fill, and the transmitter watches report_pressure(). */
#ifndef NOCTULE_REPORT_REPORT_H
#define NOCTULE_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "report/finding.h"
#include "report/summary.h"

struct report_config {
    const char *const *outputs; /* -o words (see sink.h), alive until report_finish(); none: text on stdout, unless
                                   there is a listener */
    unsigned n_outputs;
    uint16_t show;        /* bit 1 << enum state: which states become findings of the sinks. A record that revises a
                             shown one is always shown */
    bool group_by_host;   /* text on a terminal, few hosts: grouped listing at the end as well */
    uint64_t max_results; /* 0 = no limit; after so many shown findings report_full() is true, and no more are shown */
    /* Is given each shown finding too, by the report thread (guided mode); or NULL */
    void (*listener)(void *ctx, const struct finding *f);
    void *listener_ctx;
    /* "name" of an address where the user gave a host name; NULL when none */
    const char *(*name_of)(void *ctx, addr_t a);
    void *name_ctx;
};

#define REPORT_QUEUES_MAX 16u
#define REPORT_QUEUE_LEN 65536u /* findings a queue holds: 4 MB */

struct report; /* opaque */

/* Opens every sink (nothing is sent before all could be opened) and starts the thread ("nt-report"). */
int report_create(const struct report_config *config, unsigned n_queues, struct report **out, struct error *e);

/* Producer `queue` hands one finding over; each queue has exactly one producer thread. A finding of queue 0 is written
 * after whatever had been pushed to the other queues before it, so that it may revise that. Waits while the queue is full.
 * Returns 0; the sink's errno once one has failed; -EPIPE after report_abort() where it would have to wait. */
int report_push(struct report *r, unsigned queue, const struct finding *f);

/* How full the fullest queue is, in 1/256: the transmitter stops above 128. Any thread. */
unsigned report_pressure(const struct report *r);
bool report_full(const struct report *r);   /* --max-results was reached */
int report_failed(const struct report *r);  /* 0, or the negative errno of a sink that failed; any thread */
uint64_t report_shown(const struct report *r); /* findings written so far */

/* Makes pushes return instead of waiting, and report_finish() wait no longer than half a second for a reader that has
 * stopped (second SIGINT). Any thread. */
void report_abort(struct report *r);

/* Ends: drains the queues, writes the summary (NULL: there was no scan), closes every sink, joins the thread, frees.
 * No producer may be left. Returns 0, or the first sink's error with its line. */
int report_finish(struct report *r, const struct summary *sum, struct error *e);

/* The two halves of report_finish(), for one who must be able to call report_abort() while the outputs are closed. */
int report_close(struct report *r, const struct summary *sum, struct error *e);
void report_free(struct report *r); /* NULL is fine */

#endif
