#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16

static int grow(struct array *a) {
    size_t cap = a->cap ? a->cap : FIRST_CAPACITY / 2;
    cap = cap > a->max / 2 ? a->max : cap * 2;
    if (cap > SIZE_MAX / a->item_size)
        return -ENOMEM;
    void *items = realloc(a->items, cap * a->item_size);
    if (!items)
        return -ENOMEM;
    a->items = items;
    a->cap = cap;
    return 0;
}

void *array_add(struct array *a) {
    if (a->n == a->max) {
        errno = E2BIG;
        return NULL;
    }
    if (a->n == a->cap && grow(a) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    return (char *)a->items + a->n++ * a->item_size;
}

void array_deinit(struct array *a) {
    free(a->items);
    a->items = NULL;
    a->n = a->cap = 0;
}
