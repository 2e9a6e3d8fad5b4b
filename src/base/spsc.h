/* A bounded queue from one thread to one other: no lock, nothing is ever dropped; a full queue is the caller's case. */
#ifndef NOCTULE_BASE_SPSC_H
#define NOCTULE_BASE_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc {
    uint8_t *items;
    size_t item_size;
    size_t mask; /* capacity - 1 */
    _Alignas(64) _Atomic size_t head; /* next to pop; written by the consumer only */
    _Alignas(64) _Atomic size_t tail; /* next to push; written by the producer only */
};

#define SPSC_INIT ((struct spsc){.items = NULL})

/* capacity is a power of two, in items. Returns 0 or -ENOMEM. */
int spsc_init(struct spsc *q, size_t item_size, size_t capacity);
void spsc_deinit(struct spsc *q);

/* Producer: copies one item in. false = full. */
bool spsc_push(struct spsc *q, const void *item);

/* Consumer: copies up to max of the oldest items out, returns how many. */
size_t spsc_pop(struct spsc *q, void *items, size_t max);

/* Either side: how many items wait (exact for the caller's own side at that moment). */
size_t spsc_count(const struct spsc *q);

static inline size_t spsc_capacity(const struct spsc *q) {
    return q->mask + 1;
}

#endif
