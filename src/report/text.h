/* What a line of text says about a finding; shared by the running output and the listing by host. */
#ifndef NOCTULE_REPORT_TEXT_H
#define NOCTULE_REPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "report/finding.h"

#define TEXT_LINE_MAX 2048u /* bytes of one line at most: a name of 255 escaped bytes, and 500 for all the rest */

/* The widest name of the states that are shown. */
size_t text_state_width(uint16_t show);

/* Everything behind the endpoint: "open    ssh     syn-ack ttl 44". name may be NULL. Returns the end. */
char *text_put_verdict(char *p, const struct finding *f, size_t state_width, const char *name);

#endif
