/* The terminal, as far as it is not the findings': notes, traced packets and the progress line share stderr, from
 * several threads, without cutting each other's lines. */
#ifndef NOCTULE_CLI_CONSOLE_H
#define NOCTULE_CLI_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>

#include "wire/wire.h"

#define CONSOLE_LINE_MAX 256u /* bytes of the progress line, with the final NUL */

struct console {
    pthread_mutex_t lock;
    bool quiet;    /* notes are not wanted */
    bool terminal; /* stderr is one, and takes a progress line */
    bool drawn;    /* a progress line stands there */
};

#define CONSOLE_INIT ((struct console){.lock = PTHREAD_MUTEX_INITIALIZER})

/* Both wire the console to where it is given as a ctx; line has no newline. */
void console_note(void *console, const char *line);
void console_trace(void *console, bool sent, enum link_type link, const struct frame *frames, unsigned n);

/* What must be read also by those who like it quiet. */
void console_error(struct console *c, const char *line);

__attribute__((format(printf, 2, 3))) void console_notef(struct console *c, const char *fmt, ...);

/* Rewrites the progress line, cut to the terminal's width. Nothing where there is no terminal. The cursor is left at
 * the line's start: what the terminal gets next writes over it. */
void console_progress(struct console *c, const char *line);
void console_clear(struct console *c);

#endif
