#include "scan/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void seen_init(struct seen *s) {
    for (unsigned i = 0; i < SEEN_STRIPES; i++) {
        s->stripes[i] = (struct seen_stripe){.highs = NULL};
        pthread_mutex_init(&s->stripes[i].lock, NULL);
    }
}

void seen_deinit(struct seen *s) {
    for (unsigned i = 0; i < SEEN_STRIPES; i++) {
        struct seen_stripe *st = &s->stripes[i];
        for (size_t k = 0; k < st->n; k++)
            roaring_bitmap_free(st->highs[k].low);
        free(st->highs);
        pthread_mutex_destroy(&st->lock);
    }
}

/* A bitmap container spans 2^16 indexes, so stripes are cut along that line. */
static struct seen_stripe *stripe_of(struct seen *s, uint64_t index) {
    return &s->stripes[(index >> 16) % SEEN_STRIPES];
}

static roaring_bitmap_t *bitmap_of(struct seen_stripe *st, uint32_t high) {
    size_t lo = 0, hi = st->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (st->highs[mid].high < high)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < st->n && st->highs[lo].high == high)
        return st->highs[lo].low;
    if (st->n == st->cap) {
        size_t cap = st->cap ? st->cap * 2 : 4;
        void *grown = realloc(st->highs, cap * sizeof *st->highs);
        if (grown == NULL)
            return NULL;
        st->highs = grown;
        st->cap = cap;
    }
    roaring_bitmap_t *low = roaring_bitmap_create();
    if (low == NULL)
        return NULL;
    memmove(&st->highs[lo + 1], &st->highs[lo], (st->n - lo) * sizeof *st->highs);
    st->highs[lo] = (struct seen_high){.high = high, .low = low};
    st->n++;
    return low;
}

int seen_add(struct seen *s, uint64_t index) {
    struct seen_stripe *st = stripe_of(s, index);
    pthread_mutex_lock(&st->lock);
    roaring_bitmap_t *low = bitmap_of(st, (uint32_t)(index >> 32));
    int added = low == NULL ? -ENOMEM : roaring_bitmap_add_checked(low, (uint32_t)index);
    pthread_mutex_unlock(&st->lock);
    return added;
}

uint64_t seen_count(struct seen *s) {
    uint64_t n = 0;
    for (unsigned i = 0; i < SEEN_STRIPES; i++) {
        struct seen_stripe *st = &s->stripes[i];
        pthread_mutex_lock(&st->lock);
        for (size_t k = 0; k < st->n; k++)
            n += roaring_bitmap_get_cardinality(st->highs[k].low);
        pthread_mutex_unlock(&st->lock);
    }
    return n;
}
