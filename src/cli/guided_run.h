/* The guided mode's scans: a ping, then one scan after another of one host, on the engine that every scan runs on. */
#ifndef NOCTULE_CLI_GUIDED_RUN_H
#define NOCTULE_CLI_GUIDED_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/guided_ask.h"
#include "cli/guided_text.h"
#include "cli/guided_watch.h"

/* The scans on offer, in the order of their running. */
struct guided_kind {
    char letter;                  /* -c */
    enum technique_id technique;
    enum guided_text begin;       /* followed by the texts of the thread's exit and of the end */
};
extern const struct guided_kind guided_kinds[];
extern const size_t guided_kind_count;

struct guided {
    enum language language;
    struct guided_answers answers;
    struct guided_watch watch;
    bool chosen[4];  /* of guided_kinds */
    bool explain, ping;
    uint64_t host_timeout_ns; /* for a host that limits its answers; 0 = for ever */
    bool privileged; /* raw packets are permitted */
};

#define GUIDED_HOST_TIMEOUT_NS (300 * UINT64_C(1000000000)) /* five minutes of a learner's time */

/* Is this program permitted to send raw packets? Tried, not guessed: all is opened that a scan needs, and nothing
 * sent. */
bool guided_may_send(void);

/* Says whether the host answers a ping. 0 and *answered, or a negative errno, and why has been said. */
int guided_ping(struct guided *g, bool *answered);

/* Runs one scan and prints every port once. 0, or a negative errno, and why has been said: -EINTR after a signal. */
int guided_scan(struct guided *g, const struct guided_kind *kind);

#endif
