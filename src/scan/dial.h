/* One connect(2): a socket with the user's wishes, and what came of it, as an outcome of the technique table. */
#ifndef NOCTULE_SCAN_DIAL_H
#define NOCTULE_SCAN_DIAL_H

#include <stdbool.h>

#include "probe/technique.h"
#include "scan/scan.h"

/* Looks whether the user's wishes (-e, -S, -g, --ttl) can be had at all for the families that the plan has. *scope
 * receives -e's interface index, or 0. Returns 0 or a negative errno with a line. */
int dial_check(const struct scan_config *config, unsigned *scope, struct error *e);

/* Connects to a port of an address; a link-local one without a zone is sought on `scope`. Returns 0 (connected),
 * EINPROGRESS or another positive errno, with *fd open; or a negative errno where there was no socket to be had. */
int dial(const struct scan_config *config, unsigned scope, addr_t to, uint16_t port, int *fd);

/* Did the SYN leave this machine, as far as connect(2)'s result says? */
bool dial_left(int error);

/* What came of it (SO_ERROR, or connect(2)'s errno); reason and reporter are set where it was an error on the way. */
struct dialled {
    enum outcome outcome;
    enum reason reason;
    addr_t reporter; /* who sent the ICMP error, when not the target; else 0 */
};
/* False: it tells nothing about the target. */
bool dial_outcome(int fd, int error, addr_t target, struct dialled *out);

/* The source port of a socket whose source address is `own`, else 0. */
uint16_t dial_port_at(int fd, addr_t own);

#endif
