#include "wire/xdp_transmit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define RUN_MIN 64u /* frames: fewer hardly cost less */
#define STUCK_NS (50 * NS_PER_MS)

/* Lays frames out for one run, at most n of them (XDP_BATCH_MAX); returns how many, and the blocks of the longest. */
static unsigned fill(struct xdp_batch *batch, const struct frame *frames, unsigned n, unsigned *longest) {
    unsigned i, used = 0;
    *longest = 1;
    for (i = 0; i < n; i++) {
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
    int error = (int)__atomic_load_n(&fate->error, __ATOMIC_RELAXED);
    if (error == -ENETDOWN || error == -EOPNOTSUPP)
        return -ENETDOWN;
    if (error == -EINVAL) /* there is no interface of that number */
        return -ENODEV;
    return error == -ENXIO && __atomic_load_n(&fate->lost, __ATOMIC_RELAXED) == sent ? -ENXIO : 0;
}

/* The kernel makes and throws away every frame of a run behind the one that the driver refused. So the next run is as
 * long as this one came, and grows again with success. */
static unsigned next_limit(unsigned limit, unsigned done, bool full) {
    if (full)
        return done > RUN_MIN ? done : RUN_MIN;
    if (done < limit)
        return limit;
    return limit < XDP_BATCH_MAX / 2 ? limit * 2 : XDP_BATCH_MAX;
}

/* Returns how many frames were taken, or a negative errno. Fewer than n: see *full. */
static int inject(struct xdp_hook *h, const struct frame *frames, unsigned n, uint64_t sent, bool *full) {
    uint64_t refused = __atomic_load_n(&h->fate->refused, __ATOMIC_RELAXED);
    unsigned longest, filled = fill(h->batch, frames, n < h->run_limit ? n : h->run_limit, &longest);
    int r = xdp_hook_run(h, filled, longest * XDP_BLOCK_BYTES);
    unsigned done = __atomic_load_n(&h->batch->next, __ATOMIC_ACQUIRE); /* also if a signal cut it short */
    *full = r == -ENOMEM || __atomic_load_n(&h->fate->refused, __ATOMIC_RELAXED) != refused;
    h->run_limit = next_limit(h->run_limit, done, *full);
    int death = read_death(h->fate, sent + done);
    if (death < 0)
        return death;
    return done > 0 || r == 0 || r == -EINTR || r == -ENOMEM ? (int)done : r;
}

/* The same through the sockets: as many as one queue has room for, and the next time the next one is asked first. */
static int queue(struct xdp_hook *h, const struct frame *frames, unsigned n, bool *full) {
    int r = 0;
    for (unsigned i = 0; i < h->n_queues && r == 0; i++)
        r = xdp_socket_send(&h->queues[h->next_queue++ % h->n_queues].socket, frames, n);
    *full = r == 0;
    return r;
}

/* As the packet wire does, a frame is given up that is refused for so long. */
static bool is_stuck(struct xdp_hook *h) {
    uint64_t now = clock_mono_ns();
    if (!h->stuck_since)
        h->stuck_since = now;
    if (now - h->stuck_since < STUCK_NS)
        return false;
    h->stuck_since = 0;
    return true;
}

static void count_sent(const struct frame *frames, unsigned n, struct wire_stats *counts) {
    counts->sent += n;
    for (unsigned i = 0; i < n; i++)
        counts->sent_bytes += frames[i].len;
}

int xdp_transmit(struct xdp_hook *h, const struct frame *frames, unsigned n, struct wire_stats *counts) {
    unsigned done = 0;
    bool full = false;
    while (done < n && !full) {
        unsigned fit = count_fit(h, frames + done, n - done);
        int r = 0, refusal = fit ? 0 : EMSGSIZE;
        if (fit) {
            r = h->zerocopy ? queue(h, frames + done, fit, &full) : inject(h, frames + done, fit, counts->sent, &full);
            counts->send_calls++;
        }
        if (r < 0) {
            counts->last_send_error = -r;
            return r;
        }
        if (r > 0) {
            count_sent(frames + done, (unsigned)r, counts);
            h->stuck_since = 0;
            done += (unsigned)r;
        } else if (full && is_stuck(h)) {
            refusal = ENOBUFS;
        }
        if (refusal) {
            counts->last_send_error = refusal;
            counts->send_refused++;
            done++;
        }
    }
    return (int)done;
}
