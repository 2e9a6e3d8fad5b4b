/* One receive queue of an interface, as its AF_XDP socket shows it: its frames, and how far it is drained. */
#ifndef NOCTULE_WIRE_XDP_QUEUE_H
#define NOCTULE_WIRE_XDP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/wire.h"
#include "wire/xdp_shared.h"
#include "wire/xdp_socket.h"

/* The watermark. At `asked_ns` the XDP program had redirected `asked_frames` to the socket that were not lost; once as
 * many are taken out, every frame that arrived before asked_ns has been handed on. An empty ring would not do: frames
 * become visible there only when the kernel has gone through all that it found waiting at the card. */
struct xdp_queue {
    struct xdp_socket socket;
    const struct xdp_passage *passage; /* what the program counts for this queue */
    bool is_virtual;                   /* frames of a local stack come with unfinished checksums */
    uint64_t taken;                    /* frames taken out since open */
    uint64_t drained_ns;               /* CLOCK_MONOTONIC */
    bool asked;
    uint64_t asked_ns, asked_frames;
};

/* Takes out up to max frames and returns their number. The bytes hold until the next call. now_ns (CLOCK_MONOTONIC) was
 * read just before. */
unsigned xdp_queue_recv(struct xdp_queue *q, struct frame *frames, unsigned max, uint64_t now_ns, uint64_t real_ns);

/* True when the transport checksum of an Ethernet frame with TCP, UDP or SCTP is the pseudo-header's sum alone (SCTP:
 * 0): what a local sender leaves where it counts on the card, or on the receiver, which the packet never left. */
bool xdp_is_unfilled(const uint8_t *frame, size_t n);

#endif
