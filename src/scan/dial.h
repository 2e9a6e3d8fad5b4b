/* One connect(2): a socket with the user's wishes, and what came of it, as a verdict. */
#ifndef NOCTULE_SCAN_DIAL_H
#define NOCTULE_SCAN_DIAL_H

#include <stdbool.h>

#include "plan/plan.h"
#include "probe/verdict.h"
#include "scan/scan.h"

/* Looks whether the user's wishes (-e, -S, -g, --ttl) can be had at all. *scope receives -e's interface index, or 0.
 * Returns 0 or a negative errno with a line. */
int dial_check(const struct scan_config *config, unsigned *scope, struct error *e);

/* Connects to an endpoint. Returns 0 (connected), EINPROGRESS or another positive errno, with *fd open; or a negative
 * errno where there was no socket to be had. */
int dial(const struct scan_config *config, unsigned scope, const struct endpoint *to, int *fd);

/* Did the SYN leave this machine, as far as connect(2)'s result says? */
bool dial_left(int error);

/* What the outcome (SO_ERROR, or connect(2)'s errno) means. STATE_UNKNOWN: it tells nothing about the target. *reporter
 * is set where somebody else than the target answered. */
struct verdict dial_verdict(int fd, int error, addr_t target, addr_t *reporter);

/* The source port of a socket whose source address is `own`, else 0. */
uint16_t dial_port_at(int fd, addr_t own);

#endif
