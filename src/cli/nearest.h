/* "did you mean ...?": the known word that a mistyped one is nearest to, by edit distance. */
#ifndef NOCTULE_CLI_NEAREST_H
#define NOCTULE_CLI_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

struct nearest {
    const char *word; /* as it was typed, n bytes */
    size_t n;
    unsigned distance; /* at which no further word is near enough */
    const char *found; /* the nearest so far, or NULL while all are too far to be meant; not NUL-terminated, */
    size_t found_n;    /* but so many bytes */
};

struct nearest nearest_to(const char *word, size_t n);

/* Compares with one more known word; true when it is nearer than all before. */
bool nearest_try(struct nearest *near, const char *candidate, size_t n);

#endif
