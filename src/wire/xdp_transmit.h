/* Transmission on an interface that carries our XDP program: by zero-copy AF_XDP where its driver can, else by
 * injection. There the kernel runs an XDP program over fresh frames (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES,
 * Linux 5.18; Documentation/bpf/bpf_prog_run.rst), the program fills them with ours, and redirects them to the
 * interface: one system call a batch, and no socket buffer a frame. */
#ifndef NOCTULE_WIRE_XDP_TRANSMIT_H
#define NOCTULE_WIRE_XDP_TRANSMIT_H

#include "wire/wire.h"
#include "wire/xdp_hook.h"

/* As send in wire_ops; counts into counts. One thread. What a driver takes and cannot transmit is told by the hook's
 * fate alone. */
int xdp_transmit(struct xdp_hook *h, const struct frame *frames, unsigned n, struct wire_stats *counts);

#endif
