#include "wire/xdp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "wire/packet.h"
#include "wire/xdp_hook.h"
#include "wire/xdp_transmit.h"

/* While the queues are busy, the packet wire waits so long for its turn: a look at it is two system calls. */
#define PACKET_EVERY_NS (200 * NS_PER_US)

/* A frame wakes whoever polls for it, which costs more than all else about it. So after so many without a pause the
 * receiver sleeps by the clock instead, and finds the more of them. */
#define PACKET_RING_PART 8u /* of the receive ring's bytes is the packet wire's, beside the XDP sockets' */
#define BUSY_FRAMES 32u
#define BUSY_NAP_NS (50 * NS_PER_US)

struct xdp_wire {
    struct wire base;
    struct xdp_hook *hook;
    struct xdp_sender sender; /* of a handle that only sends */
    struct wire *packet;     /* on the same interface: what XDP passes on, what a receiver sends, and the counters */
    bool receives;
    unsigned turn;           /* the queue to begin with */
    unsigned taken;          /* frames since the latest wait */
    uint64_t packet_next_ns; /* CLOCK_MONOTONIC of the packet wire's turn, and ... */
    uint64_t packet_drained_ns; /* ... its watermark */
    struct wire_stats counts;
};

static void xdp_close(struct wire *base) {
    struct xdp_wire *w = (struct xdp_wire *)base;
    if (!w)
        return;
    xdp_sender_close(&w->sender);
    xdp_hook_release(w->hook);
    if (w->packet)
        w->packet->ops->close(w->packet);
    free(w);
}

/* The packet wire opens first: frames that pass before the program is there are its own. Later there are few. */
static int open_all(struct xdp_wire *w, const struct wire_config *config, struct error *e) {
    struct wire_config packet = *config;
    packet.ring_bytes /= PACKET_RING_PART;
    int r = wire_packet_ops.open(&packet, &w->packet, e);
    if (r < 0)
        return r;
    if (config->receiver && config->receiver->ops == &wire_xdp_ops) {
        w->hook = ((struct xdp_wire *)config->receiver)->hook;
        w->hook->users++;
    } else if ((r = xdp_hook_open(config, &w->hook, e)) < 0) {
        return r;
    }
    return config->receive ? xdp_hook_receive(w->hook, e) : xdp_sender_open(&w->sender, w->hook, config, e);
}

static int xdp_open(const struct wire_config *config, struct wire **out, struct error *e) {
    struct xdp_wire *w = malloc(sizeof *w);
    if (!w)
        return error_set(e, -ENOMEM, "out of memory for a wire");
    *w = (struct xdp_wire){.base.ops = &wire_xdp_ops, .receives = config->receive};
    int r = open_all(w, config, e);
    if (r < 0) {
        xdp_close(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}

static int xdp_send(struct wire *base, const struct frame *frames, unsigned n) {
    struct xdp_wire *w = (struct xdp_wire *)base;
    /* The transmitting thread fills the injector's batch, so a receiver's few frames go another way. */
    if (w->receives)
        return w->packet->ops->send(w->packet, frames, n);
    return xdp_transmit(&w->sender, frames, n, &w->counts);
}

/* The packet wire goes first when it is its turn, so that busy queues leave it room; and last when they are idle. */
static int packet_turn(struct xdp_wire *w, struct frame *frames, unsigned max, uint64_t now_ns) {
    w->packet_next_ns = now_ns + PACKET_EVERY_NS;
    return w->packet->ops->recv(w->packet, frames, max, &w->packet_drained_ns);
}

/* Every queue once, each time beginning with the next one. */
static int xdp_recv(struct wire *base, struct frame *frames, unsigned max, uint64_t *drained_ns) {
    struct xdp_wire *w = (struct xdp_wire *)base;
    struct xdp_hook *h = w->hook;
    uint64_t now = clock_mono_ns(), real = clock_real_ns();
    unsigned n = 0;
    int r = 0;
    *drained_ns = 0;
    if (!w->receives)
        return 0;
    bool is_turn = now >= w->packet_next_ns;
    if (is_turn && (r = packet_turn(w, frames, max, now)) > 0)
        n = (unsigned)r;
    uint64_t drained = UINT64_MAX;
    for (unsigned i = 0; i < h->n_queues; i++) {
        struct xdp_queue *q = &h->queues[(w->turn + i) % h->n_queues];
        n += xdp_queue_recv(q, frames + n, max - n, now, real);
        if (q->drained_ns < drained)
            drained = q->drained_ns;
    }
    w->turn++;
    if (n == 0 && !is_turn)
        r = packet_turn(w, frames, max, now);
    *drained_ns = w->packet_drained_ns < drained ? w->packet_drained_ns : drained;
    w->taken += n;
    return n > 0 ? (int)n : r;
}

static void nap(uint64_t ns, uint64_t timeout_ns) {
    clock_sleep_until(clock_mono_ns() + (ns < timeout_ns ? ns : timeout_ns));
}

static void xdp_wait(struct wire *base, uint64_t timeout_ns) {
    struct xdp_wire *w = (struct xdp_wire *)base;
    const struct xdp_hook *h = w->hook;
    bool is_busy = w->taken >= BUSY_FRAMES;
    struct timespec t = {.tv_sec = (time_t)(timeout_ns / NS_PER_SEC), .tv_nsec = (long)(timeout_ns % NS_PER_SEC)};
    struct pollfd p[XDP_QUEUES_MAX + 1];
    w->taken = 0;
    if (!w->receives && !h->zerocopy) { /* nobody says when a driver that refused a frame has room again */
        uint64_t rest = w->sender.rest_until_ns, now = clock_mono_ns();
        if (rest > now)
            nap(rest - now, timeout_ns);
        return;
    }
    if (is_busy) {
        nap(BUSY_NAP_NS, timeout_ns);
        return;
    }
    unsigned n = 0, step = w->receives ? 1 : h->n_senders;
    for (unsigned i = w->sender.number; i < h->n_queues; i += step)
        p[n++] = (struct pollfd){.fd = xsk_socket__fd(h->queues[i].socket.xsk),
                                 .events = w->receives ? POLLIN : POLLOUT};
    if (w->receives)
        p[n++] = (struct pollfd){.fd = packet_wire_fd(w->packet), .events = POLLIN};
    (void)ppoll(p, n, &t, NULL); /* a signal or an error ends the wait as well; recv tells which it was */
}

/* Adds what the queues' sockets received, and had no room for: that counts once, though veth counts it as dropped. */
static void add_queues(const struct xdp_hook *h, struct wire_stats *out) {
    uint64_t lost = 0;
    for (unsigned i = 0; i < h->n_queues; i++) {
        out->received += h->queues[i].taken;
        lost += __atomic_load_n(&h->queues[i].passage->lost, __ATOMIC_RELAXED);
    }
    out->ring_dropped += lost;
    if (h->driver.is_veth)
        out->interface_dropped -= lost < out->interface_dropped ? lost : out->interface_dropped;
}

/* Some drivers count frames that they refuse as dropped. Those were offered again. What was lost in earnest is counted
 * here, whether the driver counts it or not. As the interface's counters, of all its senders. */
static uint64_t tx_dropped(const struct xdp_hook *h, uint64_t interface_counts) {
    uint64_t refused = 0, lost = 0;
    for (unsigned i = 0; i < h->n_senders; i++) {
        refused += __atomic_load_n(&h->batches[i].fate.refused, __ATOMIC_RELAXED);
        lost += __atomic_load_n(&h->batches[i].fate.lost, __ATOMIC_RELAXED);
    }
    uint64_t dropped = interface_counts >= refused ? interface_counts - refused : interface_counts;
    return dropped < lost ? lost : dropped;
}

static void xdp_stats(struct wire *base, struct wire_stats *out) {
    struct xdp_wire *w = (struct xdp_wire *)base;
    w->packet->ops->stats(w->packet, out);
    out->interface_tx_dropped = tx_dropped(w->hook, out->interface_tx_dropped);
    if (w->receives) {
        add_queues(w->hook, out);
        return;
    }
    out->sent = w->counts.sent;
    out->sent_bytes = w->counts.sent_bytes;
    out->send_refused = w->counts.send_refused;
    out->send_calls = w->counts.send_calls;
    out->last_send_error = w->counts.last_send_error;
}

const struct wire_ops wire_xdp_ops = {
    .name = "xdp",
    .open = xdp_open,
    .send = xdp_send,
    .recv = xdp_recv,
    .wait = xdp_wait,
    .stats = xdp_stats,
    .close = xdp_close,
};
