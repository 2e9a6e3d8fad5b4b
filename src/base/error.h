/* One clear line for the user. Functions that can fail on the user's input fill it and return a negative errno, which
 * callers hand on untouched; main prints it once. */
#ifndef NOCTULE_BASE_ERROR_H
#define NOCTULE_BASE_ERROR_H

struct error {
    char text[512];
};

#define ERROR_INIT ((struct error){.text = ""})

/* Formats the line (no final newline; control bytes of the input are shown as \xNN). Returns code (a negative errno),
 * so that `return error_set(e, -EINVAL, ...)` reads as one step. */
int error_set(struct error *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
