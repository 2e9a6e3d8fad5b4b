#include "cli/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "probe/probe.h"

#define COLUMNS_FALLBACK 80

/* ECMA-48: erase from the cursor to the end of the line. */
static const char erase[] = "\x1b[K";

/* One write(2) for each line, so that lines of several processes stay whole too. A terminal that is gone is no reason
 * to fail: the findings go elsewhere. */
static void emit(struct console *c, const char *prefix, const char *line) {
    char buf[sizeof ((struct error *)0)->text + 64];
    pthread_mutex_lock(&c->lock);
    int n = snprintf(buf, sizeof buf, "%s%s%s\n", c->drawn ? erase : "", prefix, line);
    c->drawn = false;
    if (n >= (int)sizeof buf) {
        n = sizeof buf - 1;
        buf[n - 1] = '\n';
    }
    if (write(STDERR_FILENO, buf, (size_t)n) < 0)
        c->terminal = false;
    pthread_mutex_unlock(&c->lock);
}

void console_note(void *console, const char *line) {
    struct console *c = console;
    if (!c->quiet)
        emit(c, "noctule: ", line);
}

void console_trace(void *console, bool sent, enum link_type link, const struct frame *frames, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        char line[256];
        probe_describe(link, frames[i].data, frames[i].len, line, sizeof line);
        emit(console, sent ? "sent " : "received ", line);
    }
}

void console_error(struct console *c, const char *line) {
    emit(c, "noctule: ", line);
}

void console_notef(struct console *c, const char *fmt, ...) {
    char line[sizeof ((struct error *)0)->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    console_note(c, line);
}

static unsigned columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return COLUMNS_FALLBACK;
    return size.ws_col;
}

void console_progress(struct console *c, const char *line) {
    char buf[CONSOLE_LINE_MAX + sizeof erase + 2];
    pthread_mutex_lock(&c->lock);
    unsigned width = columns() - 1; /* the last column would make some terminals wrap */
    if (c->terminal) {
        int n = snprintf(buf, sizeof buf, "\r%.*s%s\r", width > CONSOLE_LINE_MAX ? (int)CONSOLE_LINE_MAX : (int)width,
                         line, erase);
        c->drawn = write(STDERR_FILENO, buf, (size_t)n) == n;
    }
    pthread_mutex_unlock(&c->lock);
}

void console_clear(struct console *c) {
    pthread_mutex_lock(&c->lock);
    if (c->drawn && write(STDERR_FILENO, erase, sizeof erase - 1) < 0)
        c->terminal = false;
    c->drawn = false;
    pthread_mutex_unlock(&c->lock);
}
