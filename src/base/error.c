#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Bytes that a terminal could take as a command: C0 controls, DEL, and the first byte of a C1 control in UTF-8. */
static bool is_control(unsigned char c, unsigned char next) {
    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

/* Copies in to out (room for size bytes), escaped, cut where it no longer fits. */
static void escape(char *out, size_t size, const char *in) {
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    unsigned escape_next = 0;
    for (; *in; in++) {
        unsigned char c = (unsigned char)*in;
        bool control = is_control(c, (unsigned char)in[1]);
        if (control || escape_next) {
            if (at + 4 >= size)
                break;
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        } else {
            if (at + 1 >= size)
                break;
            out[at++] = *in;
        }
        escape_next = control && c == 0xc2; /* a C1 control is two bytes; the second alone is one to some terminals */
    }
    out[at] = '\0';
}

int error_set(struct error *e, int code, const char *fmt, ...) {
    char raw[sizeof e->text];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(raw, sizeof raw, fmt, ap) < 0)
        raw[0] = '\0';
    va_end(ap);
    escape(e->text, sizeof e->text, raw);
    return code;
}
