#include "wire/xdp_transmit.h"

#include <errno.h>
#include <string.h>

/* Lays frames out for one run, at most n; returns how many, and the blocks of the longest. */
static unsigned fill(struct xdp_batch *batch, const struct frame *frames, unsigned n, unsigned *longest) {
    unsigned i, used = 0;
    *longest = 1;
    for (i = 0; i < n && i < XDP_BATCH_MAX; i++) {
        unsigned blocks = (frames[i].len + XDP_BLOCK_BYTES - 1) / XDP_BLOCK_BYTES;
        if (used + blocks > XDP_BATCH_BLOCKS)
            break;
        batch->slots[i].block = used;
        batch->slots[i].len = frames[i].len;
        memcpy(batch->blocks[used], frames[i].data, frames[i].len);
        used += blocks;
        if (blocks > *longest)
            *longest = blocks;
    }
    return i;
}

/* The first frames that can be sent, up to one that never can. */
static unsigned count_fit(const struct xdp_hook *h, const struct frame *frames, unsigned n) {
    unsigned i = 0;
    while (i < n && frames[i].len >= ETHERNET_HEADER_LEN && frames[i].len <= h->frame_max)
        i++;
    return i;
}

/* The kernel injects into an interface that is down or gone as if all were well; only what becomes of the frames tells.
 * So it is, too, where the driver has nothing to transmit with: then it never took a single one. */
static int read_death(const struct xdp_fate *fate, uint64_t sent) {
    int error = __atomic_load_n(&fate->error, __ATOMIC_RELAXED);
    if (error == -ENETDOWN || error == -EOPNOTSUPP)
        return -ENETDOWN;
    if (error == -EINVAL) /* there is no interface of that number */
        return -ENODEV;
    return error == -ENXIO && __atomic_load_n(&fate->dropped, __ATOMIC_RELAXED) == sent ? -ENXIO : 0;
}

/* Returns how many frames were sent, or a negative errno; -EAGAIN when the kernel has no memory just now. */
static int inject(struct xdp_hook *h, const struct frame *frames, unsigned n, struct wire_stats *counts) {
    unsigned longest, filled = fill(h->batch, frames, n, &longest);
    int r = xdp_hook_run(h, filled, longest * XDP_BLOCK_BYTES);
    unsigned done = __atomic_load_n(&h->batch->next, __ATOMIC_ACQUIRE); /* also if a signal cut it short */
    int death = read_death(h->fate, counts->sent + done);
    if (death < 0 || done > 0 || r == 0 || r == -EINTR)
        return death < 0 ? death : (int)done;
    return r == -ENOMEM ? -EAGAIN : r;
}

/* The same through the sockets, one queue after the other; -EAGAIN when all of them are full. */
static int queue(struct xdp_hook *h, const struct frame *frames, unsigned n) {
    for (unsigned i = 0; i < h->n_queues; i++) {
        int r = xdp_socket_send(&h->queues[h->next_queue++ % h->n_queues].socket, frames, n);
        if (r != 0)
            return r;
    }
    return -EAGAIN;
}

int xdp_transmit(struct xdp_hook *h, const struct frame *frames, unsigned n, struct wire_stats *counts) {
    unsigned done = 0;
    while (done < n) {
        unsigned fit = count_fit(h, frames + done, n - done);
        int r = !fit ? -EMSGSIZE : h->zerocopy ? queue(h, frames + done, fit) : inject(h, frames + done, fit, counts);
        counts->send_calls += fit > 0;
        if (r >= 0) {
            for (unsigned i = done; i < done + (unsigned)r; i++)
                counts->sent_bytes += frames[i].len;
            counts->sent += (unsigned)r;
            done += (unsigned)r;
            continue;
        }
        if (r == -EAGAIN)
            return (int)done;
        counts->last_send_error = -r;
        if (r != -EMSGSIZE)
            return r;
        counts->send_refused++;
        done++;
    }
    return (int)done;
}
