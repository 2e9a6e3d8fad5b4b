/* A TPACKET_V3 receive ring (Documentation/networking/packet_mmap.rst): the kernel fills blocks of frames in memory
 * that it shares with us, and each full (or timed-out) block is ours until we give it back. */
#ifndef NOCTULE_WIRE_RING_H
#define NOCTULE_WIRE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

/* Small blocks: at low rates each millisecond's few frames take up one, so the number of blocks is also the number of
 * milliseconds that the ring holds out while nobody reads (16 MB: 4 s). A longer frame than a block is cut. */
#define RING_BLOCK_BYTES (4u << 10) /* some 28 short frames; a whole number of pages */
#define RING_RETIRE_MS 1u           /* a block that is not full is handed over after so long */

struct ring {
    uint8_t *map;
    size_t bytes;
    unsigned n_blocks;
    unsigned next;     /* the block that is being read, or is read next */
    unsigned held;     /* blocks before it whose frames the caller still looks at */
    const uint8_t *at; /* the next frame of that block */
    uint32_t left;     /* frames from `at` to the block's end */
    uint64_t taken;    /* frames taken out since the start */
    uint64_t tagged;   /* of them, those of a VLAN, which were not returned */
};

#define RING_INIT ((struct ring){.map = NULL})

/* Gives the packet socket a ring of at least `bytes` (rounded up to whole blocks, at least two), before it is bound.
 * Negative errno. */
int ring_init(struct ring *r, int fd, size_t bytes);
void ring_deinit(struct ring *r);

/* Points frames at up to max received frames and returns their number; never blocks. The bytes hold until the next
 * ring_release(). Tagged frames of a VLAN belong to the VLAN's own interface: they are taken and counted, but not
 * returned. (With a tag of no VLAN, only a priority, a frame is of this interface: IEEE 802.1Q.) */
unsigned ring_take(struct ring *r, struct frame *frames, unsigned max);

/* Gives the blocks of which every frame has been taken back to the kernel. */
void ring_release(struct ring *r);

#endif
