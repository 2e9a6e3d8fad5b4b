#include "wire/xdp_transmit.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"

#define SPARE_MAX (2 * XDP_BATCH_MAX) /* turns: a run is not to last for ever where the driver takes nothing */
#define STUCK_NS (50 * NS_PER_MS)

/* Most frames are within a block, and two copies whose length the compiler knows cost less than one of any length. */
static void copy(void *block, const struct frame *f) {
    uint8_t *to = block;
    if (f->len < XDP_HALF_BYTES || f->len > XDP_BLOCK_BYTES) {
        memcpy(to, f->data, f->len);
        return;
    }
    uint32_t rest = f->len - XDP_HALF_BYTES;
    memcpy(to, f->data, XDP_HALF_BYTES);
    memcpy(to + rest, f->data + rest, XDP_HALF_BYTES);
}

unsigned xdp_batch_fill(struct xdp_batch *batch, const struct frame *frames, unsigned n, uint64_t ahead,
                        unsigned *bytes) {
    unsigned laid = 0, used = 0;
    *bytes = XDP_HALF_BYTES;
    for (unsigned i = 0; i < n; i++, ahead >>= 1) {
        unsigned blocks = (frames[i].len + XDP_BLOCK_BYTES - 1) / XDP_BLOCK_BYTES;
        if (ahead & 1)
            continue;
        if (used + blocks > XDP_BATCH_BLOCKS)
            break;
        batch->slots[laid].block = used;
        batch->slots[laid].len = frames[i].len;
        copy(batch->blocks[used], &frames[i]);
        used += blocks;
        if (frames[i].len > *bytes)
            *bytes = frames[i].len;
        laid++;
    }
    return laid;
}

/* Where the frame stands, among those offered, that has number `laid` among those laid out. */
static unsigned place_of(uint64_t ahead, unsigned laid) {
    unsigned at = 0;
    for (; ahead != 0; ahead >>= 1, at++) {
        if (ahead & 1)
            continue;
        if (laid == 0)
            return at;
        laid--;
    }
    return at + laid;
}

/* Does it still wait for another turn? */
static bool is_refused(const struct xdp_batch *batch, unsigned number) {
    for (uint32_t i = batch->again_out; i != batch->again_in; i++)
        if (batch->again[i % XDP_PENDING_MAX] == number)
            return true;
    return false;
}

unsigned xdp_batch_account(const struct xdp_batch *batch, uint64_t *ahead) {
    unsigned next = __atomic_load_n(&batch->next, __ATOMIC_ACQUIRE), whole = next;
    for (uint32_t i = batch->again_out; i != batch->again_in; i++)
        if (batch->again[i % XDP_PENDING_MAX] < whole)
            whole = batch->again[i % XDP_PENDING_MAX];
    unsigned taken = place_of(*ahead, whole);
    uint64_t left = taken < 64 ? *ahead >> taken : 0;
    for (unsigned i = whole; i < next; i++) {
        unsigned behind = place_of(*ahead, i) - taken;
        left |= behind < 64 && !is_refused(batch, i) ? UINT64_C(1) << behind : 0;
    }
    *ahead = left;
    return taken;
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

/* Turns to spare for the next run: what this one needed and a quarter more, so that the last ones come through as well;
 * none, where nothing is refused. */
static unsigned next_spare(unsigned spare, unsigned spent, bool full) {
    unsigned needed = spent + spent / 4;
    if (full)
        return spare * 2 + 4 * XDP_PAUSE < SPARE_MAX ? spare * 2 + 4 * XDP_PAUSE : SPARE_MAX;
    return needed > spare / 2 ? needed : spare / 2;
}

/* Returns how many frames were taken, or a negative errno. Fewer than n: see *full. */
static int inject(struct xdp_sender *s, const struct frame *frames, unsigned n, uint64_t sent, bool *full) {
    struct xdp_batch *batch = s->batch;
    unsigned bytes, filled = xdp_batch_fill(batch, frames, n < XDP_BATCH_MAX ? n : XDP_BATCH_MAX, s->ahead, &bytes);
    int r = xdp_hook_run(s->hook, batch, filled, s->spare, bytes);
    unsigned done = xdp_batch_account(batch, &s->ahead); /* also if a signal cut it short */
    bool no_pool = r == -ENOMEM || r == -ENOSPC; /* until the kernel has tidied up behind earlier runs */
    *full = no_pool || batch->again_in != batch->again_out || (r == 0 && batch->next < filled);
    s->rest_until_ns = *full ? clock_mono_ns() + (no_pool ? XDP_REST_LONG_NS : XDP_REST_NS) : 0;
    s->spare = next_spare(s->spare, batch->spent, *full);
    int death = read_death(&batch->fate, sent + done);
    if (death < 0)
        return death;
    if (r == 0 && filled && batch->next == 0)
        return -EXDEV; /* the thread was moved, and the program took another batch for ours */
    return done > 0 || r == 0 || r == -EINTR || no_pool ? (int)done : r;
}

/* The same through the sockets: as many as one queue has room for, and the next time the next one is asked first. */
static int queue(struct xdp_sender *s, const struct frame *frames, unsigned n, bool *full) {
    struct xdp_hook *h = s->hook;
    int r = 0;
    for (unsigned i = s->number; i < h->n_queues && r == 0; i += h->n_senders) {
        r = xdp_socket_send(&h->queues[s->next_queue].socket, frames, n);
        s->next_queue += h->n_senders;
        if (s->next_queue >= h->n_queues)
            s->next_queue = s->number;
    }
    *full = r == 0;
    return r;
}

/* As the packet wire does, a frame is given up that is refused for so long. */
static bool is_stuck(struct xdp_sender *s) {
    uint64_t now = clock_mono_ns();
    if (!s->stuck_since)
        s->stuck_since = now;
    if (now - s->stuck_since < STUCK_NS)
        return false;
    s->stuck_since = 0;
    return true;
}

static void count_sent(const struct frame *frames, unsigned n, struct wire_stats *counts) {
    counts->sent += n;
    for (unsigned i = 0; i < n; i++)
        counts->sent_bytes += frames[i].len;
}

int xdp_sender_open(struct xdp_sender *s, struct xdp_hook *h, const struct wire_config *config, struct error *e) {
    int r = xdp_hook_take(h, config, e);
    if (r < 0)
        return r;
    *s = (struct xdp_sender){
        .hook = h,
        .batch = &h->batches[config->sender],
        .number = config->sender,
        .processor = config->processor,
        .next_queue = config->sender,
    };
    return 0;
}

void xdp_sender_close(struct xdp_sender *s) {
    if (s->hook)
        xdp_hook_give(s->hook, s->number);
    s->hook = NULL;
}

int xdp_transmit(struct xdp_sender *s, const struct frame *frames, unsigned n, struct wire_stats *counts) {
    const struct xdp_hook *h = s->hook;
    unsigned done = 0;
    bool full = false;
    /* Elsewhere the program would take another sender's frames. */
    if (h->n_senders > 1 && sched_getcpu() != (int)s->processor)
        return -(counts->last_send_error = EXDEV);
    if (s->rest_until_ns && clock_mono_ns() < s->rest_until_ns)
        return 0;
    while (done < n && !full) {
        unsigned fit = count_fit(h, frames + done, n - done);
        int r = 0, refusal = fit ? 0 : EMSGSIZE;
        if (fit) {
            r = h->zerocopy ? queue(s, frames + done, fit, &full) : inject(s, frames + done, fit, counts->sent, &full);
            counts->send_calls++;
        }
        if (r < 0) {
            counts->last_send_error = -r;
            return r;
        }
        if (r > 0) {
            count_sent(frames + done, (unsigned)r, counts);
            s->stuck_since = 0;
            done += (unsigned)r;
        } else if (full && is_stuck(s)) {
            refusal = ENOBUFS;
        }
        if (refusal) {
            counts->last_send_error = refusal;
            counts->send_refused++;
            s->ahead >>= 1;
            done++;
        }
    }
    return (int)done;
}
