/* The closing words of a scan, on stderr, for a person. */
#ifndef NOCTULE_CLI_CLOSING_H
#define NOCTULE_CLI_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/console.h"
#include "report/summary.h"

struct closing {
    bool ports;    /* ports were probed; else hosts only */
    uint16_t show; /* bit 1 << enum state */
    bool verbose;
};

/* What was found and how long it took, what is undecided or was not shown but may be open, and what was lost, if
 * anything was; with verbose, what was ignored, and why. */
void closing_words(struct console *c, const struct summary *sum, const struct closing *how);

#endif
