#include "wire/ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"

#define VLAN_ID_MASK 0x0fffu

int ring_init(struct ring *r, int fd, size_t bytes) {
    size_t blocks = bytes / RING_BLOCK_BYTES + (bytes % RING_BLOCK_BYTES != 0);
    if (blocks < 2)
        blocks = 2;
    if (blocks > UINT32_MAX / RING_BLOCK_BYTES) /* the kernel's own limit: the ring's size is an unsigned int */
        return -EINVAL;

    int version = TPACKET_V3;
    struct tpacket_req3 request = {
        .tp_block_size = RING_BLOCK_BYTES,
        .tp_block_nr = (unsigned)blocks,
        .tp_frame_size = TPACKET_ALIGNMENT << 7, /* without meaning in version 3, but checked */
        .tp_frame_nr = (unsigned)blocks * (RING_BLOCK_BYTES / (TPACKET_ALIGNMENT << 7)),
        .tp_retire_blk_tov = RING_RETIRE_MS,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        return -errno;
    void *map = mmap(NULL, blocks * RING_BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *r = (struct ring){.map = map, .bytes = blocks * RING_BLOCK_BYTES, .n_blocks = (unsigned)blocks};
    return 0;
}

void ring_deinit(struct ring *r) {
    if (r->map)
        munmap(r->map, r->bytes);
    *r = RING_INIT;
}

static struct tpacket_block_desc *block_at(const struct ring *r, unsigned i) {
    return (void *)(r->map + (size_t)i * RING_BLOCK_BYTES);
}

static void leave_block(struct ring *r) {
    r->next = (r->next + 1) % r->n_blocks;
    r->held++;
}

/* Begins the next block if the kernel has handed it over. */
static bool enter_block(struct ring *r) {
    while (r->held < r->n_blocks) {
        const struct tpacket_block_desc *block = block_at(r, r->next);
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
            return false;
        r->left = block->hdr.bh1.num_pkts;
        r->at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
        if (r->left)
            return true;
        leave_block(r);
    }
    return false;
}

static bool is_tagged(const struct tpacket3_hdr *h) {
    return (h->tp_status & TP_STATUS_VLAN_VALID) && (h->hv1.tp_vlan_tci & VLAN_ID_MASK);
}

static struct frame frame_of(const struct tpacket3_hdr *h) {
    uint32_t flags = 0;
    if (h->tp_status & TP_STATUS_CSUMNOTREADY)
        flags |= FRAME_CSUM_UNFILLED;
    if (h->tp_status & TP_STATUS_CSUM_VALID)
        flags |= FRAME_CSUM_VALID;
    return (struct frame){
        .data = (uint8_t *)h + h->tp_mac, /* without a link header, the kernel points tp_mac at the IP header */
        .len = h->tp_snaplen,
        .wire_len = h->tp_len,
        .flags = flags,
        .time_ns = h->tp_sec * NS_PER_SEC + h->tp_nsec,
    };
}

unsigned ring_take(struct ring *r, struct frame *frames, unsigned max) {
    unsigned n = 0;
    while (n < max && (r->left || enter_block(r))) {
        const struct tpacket3_hdr *h = (const void *)r->at;
        if (is_tagged(h))
            r->tagged++;
        else
            frames[n++] = frame_of(h);
        r->taken++;
        r->at += h->tp_next_offset;
        if (--r->left == 0)
            leave_block(r);
    }
    return n;
}

void ring_release(struct ring *r) {
    for (; r->held; r->held--) {
        struct tpacket_block_desc *block = block_at(r, (r->next + r->n_blocks - r->held) % r->n_blocks);
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
}
