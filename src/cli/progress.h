/* The progress line: what scan_progress() says, in the words of a person who waits. Pure. */
#ifndef NOCTULE_CLI_PROGRESS_H
#define NOCTULE_CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "scan/scan.h"

/* What the line before said, for the rate. */
struct progress_past {
    uint64_t sent, elapsed_ns;
    uint64_t pps; /* smoothed */
};

/* Writes one line, without newline, of at most n bytes with the final NUL; updates *past. What matters most comes
 * first, since narrow terminals cut it. */
void progress_format(const struct scan_progress *p, struct progress_past *past, char *buf, size_t n);

/* Per cent of the time that the scan takes, 0..100; by endpoints while the time left is not known. */
unsigned progress_percent(const struct scan_progress *p);

/* "1,234,567" */
#define GROUPED_MAX 27u
char *progress_grouped(uint64_t v, char buf[static GROUPED_MAX]);
/* "9999", "12.3k", "456M", cut and not rounded */
#define SHORT_MAX 48u
char *progress_short(uint64_t v, char buf[static SHORT_MAX]);
/* "12 s", "3 m 05 s", "2 h 07 m" */
#define SPAN_MAX 32u
char *progress_span(uint64_t ns, char buf[static SPAN_MAX]);

#endif
