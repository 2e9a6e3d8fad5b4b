/* --explain: what was exchanged with each port, and why it means the port's state. */
#ifndef NOCTULE_CLI_GUIDED_EXPLAIN_H
#define NOCTULE_CLI_GUIDED_EXPLAIN_H

#include <stdio.h>

#include "cli/guided_record.h"
#include "cli/guided_text.h"

struct explanation {
    uint16_t port;
    enum technique_id technique;
    struct verdict verdict;
    addr_t reporter; /* who sent an ICMP error when it was not the host, else 0 */
    bool unseen;     /* the packets could not be watched */
};

/* One port: its packets from the record, and the row of the technique table that gives the state. */
void explain_port(FILE *f, enum language language, const struct record *record, const struct explanation *of);

/* The row's outcome that a verdict of this technique is of. */
enum outcome explain_outcome(enum technique_id technique, struct verdict v, bool reported);

/* At the end: what the states mean, and what the target could have logged of scans by these techniques (bit 1 << id). */
void explain_end(FILE *f, enum language language, uint32_t techniques);

#endif
