/* The XDP program on an interface, with its AF_XDP sockets: what the handles of a scan share there, since an interface
 * has room for one program. Everything hangs on descriptors of this process, so nothing outlives it. */
#ifndef NOCTULE_WIRE_XDP_HOOK_H
#define NOCTULE_WIRE_XDP_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/wire.h"
#include "wire/xdp_driver.h"
#include "wire/xdp_queue.h"
#include "wire/xdp_shared.h"

struct xdp_bpf; /* bpftool's skeleton of xdp.bpf.c */

struct xdp_hook {
    unsigned users; /* handles; opened and closed by one thread */
    int ifindex;
    struct xdp_bpf *bpf;
    int program;    /* descriptor of the program */
    int link;       /* the attachment; -1 until then */
    struct xdp_driver driver;
    uint32_t frame_max; /* bytes that the interface transmits, WIRE_FRAME_MAX at most */
    unsigned n_queues, n_senders;
    bool is_taken[WIRE_SENDERS_MAX]; /* by a handle */
    bool zerocopy;  /* the sockets are in zero-copy mode, and transmit; else frames are injected */
    struct xdp_batch *batches; /* the program's memory, one a sender: frames to inject, and what became of them */
    struct xdp_queue queues[XDP_QUEUES_MAX];
};

/* Puts the program on config's interface, as yet passing every frame, with one user. Errors, with a line: -EPERM,
 * -EOPNOTSUPP (link, driver or kernel), -EBUSY (another program), and what the kernel says. */
int xdp_hook_open(const struct wire_config *config, struct xdp_hook **out, struct error *e);
/* From now on the replies of config's filter go to the queues. */
int xdp_hook_receive(struct xdp_hook *h, struct error *e);
/* One user less; without any, the interface is as before. NULL does nothing. */
void xdp_hook_release(struct xdp_hook *h);

/* Whether the driver can do what injection needs: else -EOPNOTSUPP, with a line that says what to do. Some drivers
 * offer to transmit only once a program is attached. */
int xdp_hook_check(const struct xdp_driver *driver, const char *ifname, bool attached, struct error *e);
/* -EBUSY, with a line on the program of that id. */
int xdp_hook_refuse_busy(const char *ifname, uint32_t program, struct error *e);

/* From now on what is injected on config's processor comes from the batch of config's sender (with one sender, what is
 * injected on any). -EINVAL, with a line, when there is no such sender or processor; -EBUSY when a handle has it. */
int xdp_hook_take(struct xdp_hook *h, const struct wire_config *config, struct error *e);
/* No more. */
void xdp_hook_give(struct xdp_hook *h, unsigned sender);

/* Runs the program over the first n frames of one of the batches, in n turns and as many to spare as are given for what
 * the driver refuses; `bytes` is the length of the longest, XDP_HALF_BYTES at least. Returns 0 or a negative errno; the
 * batch tells which frames were injected. */
int xdp_hook_run(const struct xdp_hook *h, struct xdp_batch *batch, unsigned n, unsigned spare, unsigned bytes);

#endif
