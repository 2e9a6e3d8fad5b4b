/* An AF_XDP socket (Documentation/networking/af_xdp.rst): the frames that the XDP program redirects from one receive
 * queue, and, where the driver takes frames from our memory without a copy, a way to transmit on the queue beside it.
 * One thread may receive while another one sends. */
#ifndef NOCTULE_WIRE_XDP_SOCKET_H
#define NOCTULE_WIRE_XDP_SOCKET_H

#include <stdint.h>

#include <xdp/xsk.h>

#include "wire/wire.h"

struct xdp_socket {
    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    struct xsk_ring_prod fill, tx;      /* to the kernel: empty chunks, frames to send */
    struct xsk_ring_cons rx, completed; /* from it: received frames, chunks that were sent */
    uint8_t *area;                      /* chunks to receive into, then those to send from */
    size_t bytes;
    uint32_t chunk;                     /* bytes of each, a power of two */
    uint32_t held;                      /* frames in the caller's hands: the latest ones taken from rx */
    uint64_t *spare;                    /* a stack of the chunks from which something can be sent */
    uint32_t n_spare;
};

#define XDP_SOCKET_INIT ((struct xdp_socket){.area = NULL})

struct xdp_socket_config {
    const char *ifname;
    unsigned queue;
    uint32_t chunk;      /* bytes; 2048 or a page. A received frame has 256 less */
    uint32_t rx_frames;  /* room for so many, a power of two */
    uint32_t tx_frames;  /* the same; 0: does not send */
    uint16_t bind_flags; /* XDP_COPY or XDP_ZEROCOPY */
};

/* Negative errno; -EOPNOTSUPP or -EINVAL where the driver has no zero-copy mode, -ENOBUFS when the memory may not be
 * locked. The socket must not move afterwards. */
int xdp_socket_open(struct xdp_socket *s, const struct xdp_socket_config *config);
void xdp_socket_close(struct xdp_socket *s);

/* Points frames at up to max received frames, without flags and time, and returns their number. The bytes hold until
 * the next xdp_socket_release(). */
unsigned xdp_socket_take(struct xdp_socket *s, struct frame *frames, unsigned max);
void xdp_socket_release(struct xdp_socket *s);

/* Queues frames (each of at most a chunk) for transmission, in order; returns how many there was room for, or a
 * negative errno when the interface is down or gone. */
int xdp_socket_send(struct xdp_socket *s, const struct frame *frames, unsigned n);

#endif
