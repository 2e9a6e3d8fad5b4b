/* Which endpoints were found open, over the whole scan: exact, whatever answers repeat and however late. The only memory
 * that grows with findings. Compressed bitmaps of the plan's indexes (open ones cluster), a table of 32-bit bitmaps
 * under the indexes' high words; striped, one lock a stripe, taken for open answers only. */
#ifndef NOCTULE_SCAN_SEEN_H
#define NOCTULE_SCAN_SEEN_H

#include <pthread.h>
#include <roaring/roaring.h>
#include <stdint.h>

#define SEEN_STRIPES 16u

struct seen_stripe {
    pthread_mutex_t lock;
    struct seen_high {
        uint32_t high;
        roaring_bitmap_t *low;
    } *highs; /* ascending */
    size_t n, cap;
};

struct seen {
    struct seen_stripe stripes[SEEN_STRIPES];
};

void seen_init(struct seen *s);
void seen_deinit(struct seen *s);

/* Adds an index. 1 = it is new, 0 = it was there, -ENOMEM. Any thread. */
int seen_add(struct seen *s, uint64_t index);
uint64_t seen_count(struct seen *s);

#endif
