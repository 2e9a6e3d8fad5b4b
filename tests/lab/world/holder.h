/* Answers that leave later: the XDP program writes them, this sends each when it is due.
 *
 * A packet socket sends them, so the scanner's end gets them as it gets any frame. Good for some 100,000 a second. */
#ifndef NOCTULE_LAB_HOLDER_H
#define NOCTULE_LAB_HOLDER_H

#include <stdint.h>

/* Takes the answers from the ring buffer with this descriptor and will send them on the interface of this index.
 * Returns NULL with errno set if it can't. */
struct holder *holder_new(int ring_fd, int interface);

/* Takes what is in the ring, and sends what is due. Returns 0, or -ENOMEM when an answer is lost for want of memory.
 * An answer that the interface refuses is lost, as its counters tell. */
int holder_turn(struct holder *holder);

void holder_free(struct holder *holder); /* NULL is none; what isn't due yet is never sent */

#endif
