/* What the XDP programs and the process share: mapped memory. Host byte order. What is `beside` keeps
 * counters of different processors in cache lines of their own. */
#ifndef NOCTULE_WIRE_XDP_SHARED_H
#define NOCTULE_WIRE_XDP_SHARED_H

#include <linux/types.h>

#define XDP_PROCESSORS_MAX 8192u /* a power of two, as many as Linux has at most */
#define XDP_NO_SENDER 0xffu   /* on that processor none sends */
#define XDP_QUEUES_MAX 64u    /* receive queues whose frames are taken; those of further ones pass on to the kernel */
#define XDP_BATCH_MAX 4096u   /* frames that one run injects at most */
#define XDP_FLUSH 64u         /* frames after which the driver is told to send what it has been handed */
#define XDP_PENDING_MAX 64u   /* a power of two, more than the kernel keeps before it offers them (16) and one refusal (17) */
#define XDP_PAUSE 64u         /* turns after a refusal */
#define XDP_BLOCK_BYTES 64u   /* frames are copied in pieces of a cache line */
#define XDP_HALF_BYTES (XDP_BLOCK_BYTES / 2)
#define XDP_BATCH_BLOCKS 16384u /* a power of two */
#define XDP_FRAME_BLOCKS 24u  /* of the longest frame: 1514 bytes */

/* What became of injected frames behind the program. */
struct xdp_fate {
    __u64 refused; /* the driver had no room for them: these are offered again */
    __u64 lost;    /* the driver could not transmit them, or was not even offered them */
    __s64 error;   /* negative errno of the latest lost one, or 0 */
    __u64 beside[5];
};

/* The frames of one run, which its program takes one after the other. One thread fills and runs it. It has its pages to
 * itself. */
struct xdp_batch {
    __u32 n;       /* frames to inject */
    __u32 next;    /* the first of them that was not tried yet */
    __u32 made;    /* frames made, those that were refused counted anew, and ... */
    __u32 offered; /* ... how many of these the driver has been offered since */
    __u32 again_in, again_out; /* refused frames that came to, and were taken from, `again` */
    __u32 pause;   /* turns that are to pass until the driver is offered the next frame */
    __u32 spent;   /* turns that brought no new frame: pauses, and repetitions */
    __u32 numbers[XDP_PENDING_MAX]; /* of the frames made last */
    __u32 again[XDP_PENDING_MAX];
    struct xdp_fate fate; /* of all runs */
    struct {
        __u32 block; /* the frame's first */
        __u32 len;   /* bytes, 14 at least */
    } slots[XDP_BATCH_MAX];
    __u64 blocks[XDP_BATCH_BLOCKS][XDP_BLOCK_BYTES / sizeof(__u64)];
} __attribute__((aligned(4096)));

/* A receive queue's frames. Each is written by the one processor that serves the queue. */
struct xdp_passage {
    __u64 redirected; /* to the queue's socket */
    __u64 lost;       /* of them, those that the socket had no room for */
    __u64 beside[6];
};

#endif
