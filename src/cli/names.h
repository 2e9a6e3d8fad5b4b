/* Host names: every address a name has, of both families, is scanned, and findings say the name again. */
#ifndef NOCTULE_CLI_NAMES_H
#define NOCTULE_CLI_NAMES_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"
#include "cli/console.h"

#define NAMES_MAX (1u << 20) /* names, and addresses that have one */

struct names {
    struct array texts;   /* char *, owned */
    struct array entries; /* struct named: address and name */
    struct console *console;
    bool only_v6;         /* IPv4 addresses of names are left out (-6) */
};

#define NAMES_INIT(on) ((struct names){.texts = ARRAY_INIT(char *, NAMES_MAX), \
                                       .entries = ARRAY_INIT(struct named, NAMES_MAX), .console = (on)})

struct named {
    addr_t addr;
    const char *name;
};

/* A target_resolve_fn with a struct names as ctx: asks the system's resolver, appends a struct target for each address,
 * and notes where there are several. -ENOENT with a line when the name has none, or with only_v6 only IPv4 ones. */
int names_resolve(void *names, const char *name, struct array *targets, struct error *e);

/* Once after the last resolution; names_of() may then be called from any thread. */
void names_sort(struct names *n);
const char *names_of(void *names, addr_t a); /* or NULL */
void names_deinit(struct names *n);

#endif
