/* From the user's words to a plan: reads the lists, resolves the names, applies the exclusions. Nothing is sent but what
 * the system's resolver sends for host names. */
#ifndef NOCTULE_CLI_INPUTS_H
#define NOCTULE_CLI_INPUTS_H

#include "cli/names.h"
#include "cli/settings.h"
#include "plan/plan.h"

/* More addresses than these want an exclude file, or the word of one who means it. */
#define INPUTS_UNCONFIRMED_MAX (UINT64_C(1) << 24)

/* Builds the plan of a scan. Names that were resolved are added to *names, sorted. Negative errno with a line. */
int inputs_plan(const struct settings *s, struct names *names, struct plan **out, struct error *e);

/* Is the plan small enough, or confirmed? -EINVAL with a line. */
int inputs_check_size(const struct settings *s, const struct plan *p, struct error *e);

#endif
