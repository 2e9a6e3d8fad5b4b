/* The closing words of a scan, on stderr, for a person. */
#ifndef NOCTULE_CLI_CLOSING_H
#define NOCTULE_CLI_CLOSING_H

#include "cli/console.h"
#include "report/summary.h"

/* What was found and how long it took; what was lost, if anything was; with verbose, what was ignored, and why. */
void closing_words(struct console *c, const struct summary *sum, bool verbose);

#endif
