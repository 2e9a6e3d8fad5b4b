/* The questions: which host, which ports. */
#ifndef NOCTULE_CLI_GUIDED_ASK_H
#define NOCTULE_CLI_GUIDED_ASK_H

#include <stdint.h>

#include "base/addr.h"
#include "cli/guided_text.h"
#include "cli/guided_watch.h"

struct guided_answers {
    addr_t host;
    uint16_t begin, end; /* inclusive */
};

/* Asks on stdout, reads from stdin. 0: all is answered. Else nothing is to be scanned, and why has been said (on
 * stderr): -EINVAL for an answer that is none, -ENODATA where the input ended, -EINTR for a signal. */
int guided_ask(enum language language, struct guided_watch *watch, struct guided_answers *out);

/* What is wrong with an answer: the text to say, or TEXT_COUNT where nothing is, and then *out is written. */
enum guided_text guided_read_host(const char *answer, addr_t *out);
enum guided_text guided_read_port(const char *answer, uint16_t *out);

#endif
