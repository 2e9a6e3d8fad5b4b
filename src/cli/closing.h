/* The closing words of a scan, on stderr, for a person. */
#ifndef NOCTULE_CLI_CLOSING_H
#define NOCTULE_CLI_CLOSING_H

#include "cli/console.h"
#include "report/summary.h"

/* What was found and how long it took, what is undecided or was not shown (by the states of show, bit 1 << enum state) but
 * may be open, and what was lost, if anything was; with verbose, what was ignored, and why. */
void closing_words(struct console *c, const struct summary *sum, uint16_t show, bool verbose);

#endif
