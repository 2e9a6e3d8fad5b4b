/* --dry-run: the probes of a scan in their order, one a line, "198.18.0.5:443 tcp syn", "198.18.0.5 host ping". */
#ifndef NOCTULE_CLI_DRY_RUN_H
#define NOCTULE_CLI_DRY_RUN_H

#include "scan/scan.h"

/* Writes to the file descriptor until all is written; a reader who has had enough is no error to talk about, but still
 * -EPIPE. Other negative errno come with a line. */
int dry_run(const struct scan_config *config, int fd, struct error *e);

#endif
