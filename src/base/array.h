/* A growable array with a hard maximum: whatever a file or a network feeds it, memory stays bounded. */
#ifndef NOCTULE_BASE_ARRAY_H
#define NOCTULE_BASE_ARRAY_H

#include <stddef.h>

struct array {
    void *items;
    size_t n;         /* items in use */
    size_t cap;       /* items there is room for */
    size_t max;       /* items there may ever be */
    size_t item_size; /* bytes */
};

#define ARRAY_INIT(type, maximum) ((struct array){.max = (maximum), .item_size = sizeof(type)})

/* Adds room for one item (uninitialised) and returns it; NULL with errno ENOMEM, or E2BIG when max is reached. The
 * pointer holds until the next call. */
void *array_add(struct array *a);
void array_deinit(struct array *a);

#endif
