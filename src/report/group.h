/* The listing by host that a person at a terminal gets at the end of a small scan. */
#ifndef NOCTULE_REPORT_GROUP_H
#define NOCTULE_REPORT_GROUP_H

#include "report/finding.h"
#include "report/sink.h"
#include "report/summary.h"

#define GROUP_MAX 4096u /* findings; beyond, a listing would help nobody, and there is none */

struct group; /* opaque */

struct group *group_new(void); /* NULL: no memory */
void group_free(struct group *g);

/* Notes one finding. */
void group_add(struct group *g, const struct finding *f);

/* Writes the listing, and what was not shown: "not shown: 990 closed, 5 filtered". Returns 0 or the sink's errno. */
int group_write(struct group *g, struct sink *s, const struct summary *sum);

#endif
