/* Transmission on an interface that carries our XDP program: by zero-copy AF_XDP where its driver can, else by
 * injection. There the kernel runs an XDP program over fresh frames (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES,
 * Linux 5.18; Documentation/bpf/bpf_prog_run.rst), the program fills them with ours, and redirects them to the
 * interface: one system call a batch, and no socket buffer a frame. */
#ifndef NOCTULE_WIRE_XDP_TRANSMIT_H
#define NOCTULE_WIRE_XDP_TRANSMIT_H

#include "base/clock.h"
#include "wire/wire.h"
#include "wire/xdp_hook.h"

/* A driver that refused a frame is left alone for so long: its ring drains meanwhile. To try again at once would cost
 * more than a run: the kernel makes a pool of pages for each, which lives for a second more if frames are on their way
 * when it ends; and for each pool that goes it walks over all that there are, on the whole machine, under one lock. */
#define XDP_REST_NS (50 * NS_PER_US)
#define XDP_REST_LONG_NS (10 * NS_PER_MS) /* no memory for a pool, or no number (the machine has 65,534 for them) */

/* One of those that transmit there; it has one thread. */
struct xdp_sender {
    struct xdp_hook *hook;
    struct xdp_batch *batch; /* its own; what a driver takes and cannot transmit is told by the batch's fate alone */
    unsigned number;         /* it sends on the queues number, number + hook->n_senders ... */
    unsigned processor;      /* with several senders: of its thread */
    unsigned next_queue;
    unsigned spare;          /* turns of the next run for what is refused */
    uint64_t ahead;          /* bit i: of what will be offered next, frame i has left already, past a refused one */
    uint64_t rest_until_ns;  /* CLOCK_MONOTONIC; until then nothing is offered to a driver that refused; 0: none did */
    uint64_t stuck_since;    /* CLOCK_MONOTONIC of the first refusal since a frame was taken; 0: none */
};

/* Errors as of xdp_hook_take. */
int xdp_sender_open(struct xdp_sender *s, struct xdp_hook *h, const struct wire_config *config, struct error *e);
/* A sender that was never opened may be closed when it is all zero. */
void xdp_sender_close(struct xdp_sender *s);

/* The two halves of a run, without the kernel. Of n frames that are offered (XDP_BATCH_MAX at most), those that have left
 * ahead of a refused one are told by bits of `ahead`, bit i for frame i. */

/* Lays out the others; returns how many, and the bytes that the run asks for. */
unsigned xdp_batch_fill(struct xdp_batch *batch, const struct frame *frames, unsigned n, uint64_t ahead,
                        unsigned *bytes);
/* What the run has brought: returns how many of the frames that were offered have left, up to the first that was refused.
 * *ahead: before, as for the filling; then, those behind it that have left, counted from that one. They are few, since
 * refused frames have their turn before new ones. */
unsigned xdp_batch_account(const struct xdp_batch *batch, uint64_t *ahead);

/* As send in wire_ops; counts into counts. */
int xdp_transmit(struct xdp_sender *s, const struct frame *frames, unsigned n, struct wire_stats *counts);

#endif
