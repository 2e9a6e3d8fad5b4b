/* What is settled without an answer: silence, and what a limit on answers hides. Of the transmit thread. */
#ifndef NOCTULE_SCAN_GIVE_UP_H
#define NOCTULE_SCAN_GIVE_UP_H

#include "scan/engine.h"

/* Hands a verdict that no packet brought to the report, if the user wants to see that state. */
void verdict_push(struct pass *p, const struct endpoint *ep, struct verdict v);

/* After LEDGER_RETIRE: closes the oldest chunk of the ledger. */
void give_up_chunk(struct pass *p);

/* A probe that the ledger has just handed out, and that would be in vain, is left to the lot. False: it is not. */
bool give_up_early(struct pass *p, uint64_t position, unsigned tried, const struct endpoint *ep);

/* A verdict for what was parked: silent, or undecided. */
void give_up_parked(struct pass *p, uint64_t index, bool silent);

#endif
