#include "base/spsc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int spsc_init(struct spsc *q, size_t item_size, size_t capacity) {
    q->items = calloc(capacity, item_size);
    if (!q->items)
        return -ENOMEM;
    q->item_size = item_size;
    q->mask = capacity - 1;
    atomic_init(&q->head, 0);
    atomic_init(&q->tail, 0);
    return 0;
}

void spsc_deinit(struct spsc *q) {
    free(q->items);
    q->items = NULL;
}

/* head and tail count items for ever and wrap with size_t; their difference is what waits. */
bool spsc_push(struct spsc *q, const void *item) {
    size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    if (tail - head > q->mask)
        return false;
    memcpy(q->items + (tail & q->mask) * q->item_size, item, q->item_size);
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return true;
}

size_t spsc_pop(struct spsc *q, void *items, size_t max) {
    size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    size_t waiting = atomic_load_explicit(&q->tail, memory_order_acquire) - head;
    size_t n = waiting < max ? waiting : max;
    uint8_t *out = items;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * q->item_size, q->items + ((head + i) & q->mask) * q->item_size, q->item_size);
    atomic_store_explicit(&q->head, head + n, memory_order_release);
    return n;
}

size_t spsc_count(const struct spsc *q) {
    size_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
    return tail - head;
}
