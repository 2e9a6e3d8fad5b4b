#include "wire/xdp_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int open_memory(struct xdp_socket *s, const struct xdp_socket_config *config) {
    const struct xsk_umem_config c = {
        .fill_size = config->rx_frames,
        .comp_size = config->tx_frames ? config->tx_frames : 1, /* the kernel wants one */
        .frame_size = config->chunk,
    };
    s->chunk = config->chunk;
    s->bytes = ((size_t)config->rx_frames + config->tx_frames) * s->chunk;
    void *area = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        return -errno;
    s->area = area;
    return xsk_umem__create(&s->umem, s->area, s->bytes, &s->fill, &s->completed, &c);
}

/* The kernel gets every chunk to receive into; those to send from are ours until we fill one. */
static int share_out(struct xdp_socket *s, const struct xdp_socket_config *config) {
    uint32_t at;
    if (xsk_ring_prod__reserve(&s->fill, config->rx_frames, &at) != config->rx_frames)
        return -ENOBUFS;
    for (uint32_t i = 0; i < config->rx_frames; i++)
        *xsk_ring_prod__fill_addr(&s->fill, at + i) = (uint64_t)i * s->chunk;
    xsk_ring_prod__submit(&s->fill, config->rx_frames);
    if (!config->tx_frames)
        return 0;
    s->spare = malloc(config->tx_frames * sizeof *s->spare);
    if (!s->spare)
        return -ENOMEM;
    for (; s->n_spare < config->tx_frames; s->n_spare++)
        s->spare[s->n_spare] = ((uint64_t)config->rx_frames + s->n_spare) * s->chunk;
    return 0;
}

int xdp_socket_open(struct xdp_socket *s, const struct xdp_socket_config *config) {
    /* The program that redirects to it is ours: libxdp's own would outlive this process. */
    const struct xsk_socket_config c = {
        .rx_size = config->rx_frames,
        .tx_size = config->tx_frames,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = config->bind_flags | XDP_USE_NEED_WAKEUP,
    };
    *s = XDP_SOCKET_INIT;
    int r = open_memory(s, config);
    if (r == 0)
        r = xsk_socket__create(&s->xsk, config->ifname, config->queue, s->umem, &s->rx,
                               config->tx_frames ? &s->tx : NULL, &c);
    if (r == 0)
        r = share_out(s, config);
    if (r < 0)
        xdp_socket_close(s);
    return r;
}

void xdp_socket_close(struct xdp_socket *s) {
    if (s->xsk)
        xsk_socket__delete(s->xsk);
    if (s->umem)
        xsk_umem__delete(s->umem);
    if (s->area)
        munmap(s->area, s->bytes);
    free(s->spare);
    *s = XDP_SOCKET_INIT;
}

unsigned xdp_socket_take(struct xdp_socket *s, struct frame *frames, unsigned max) {
    uint32_t at, n = xsk_ring_cons__peek(&s->rx, max, &at);
    for (uint32_t i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&s->rx, at + i);
        frames[i] = (struct frame){.data = s->area + d->addr, .len = d->len, .wire_len = d->len};
    }
    s->held += n;
    return n;
}

/* The fill ring has a place for each chunk, so there is always room for those that come back. */
void xdp_socket_release(struct xdp_socket *s) {
    uint32_t to, from = s->rx.cached_cons - s->held;
    if (!s->held || !xsk_ring_prod__reserve(&s->fill, s->held, &to))
        return;
    for (uint32_t i = 0; i < s->held; i++)
        *xsk_ring_prod__fill_addr(&s->fill, to + i) = xsk_ring_cons__rx_desc(&s->rx, from + i)->addr;
    xsk_ring_prod__submit(&s->fill, s->held);
    xsk_ring_cons__release(&s->rx, s->held);
    s->held = 0;
    if (xsk_ring_prod__needs_wakeup(&s->fill)) /* the driver ran out of chunks */
        (void)recvfrom(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void collect(struct xdp_socket *s) {
    uint32_t at, n = xsk_ring_cons__peek(&s->completed, s->completed.size, &at);
    for (uint32_t i = 0; i < n; i++)
        s->spare[s->n_spare++] = *xsk_ring_cons__comp_addr(&s->completed, at + i);
    if (n)
        xsk_ring_cons__release(&s->completed, n);
}

int xdp_socket_send(struct xdp_socket *s, const struct frame *frames, unsigned n) {
    uint32_t at;
    collect(s);
    if (n > s->n_spare)
        n = s->n_spare;
    n = xsk_ring_prod__reserve(&s->tx, n, &at); /* as many places as chunks: all of them */
    for (uint32_t i = 0; i < n; i++) {
        struct xdp_desc *d = xsk_ring_prod__tx_desc(&s->tx, at + i);
        *d = (struct xdp_desc){.addr = s->spare[--s->n_spare], .len = frames[i].len};
        memcpy(s->area + d->addr, frames[i].data, frames[i].len);
    }
    xsk_ring_prod__submit(&s->tx, n);
    /* Other refusals (EAGAIN, EBUSY ...) mean that the rest is sent at the next call. */
    if (xsk_ring_prod__needs_wakeup(&s->tx) && sendto(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
        (errno == ENETDOWN || errno == ENXIO || errno == ENODEV))
        return -errno;
    return (int)n;
}
