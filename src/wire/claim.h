/* Our source ports, claimed from the kernel: each is bound and listens behind a socket filter that rejects every
 * segment, so the kernel sends no RST for them, gives them to nobody else, and all of it ends with the process,
 * whatever kills it. No firewall rule, no sysctl. */
#ifndef NOCTULE_WIRE_CLAIM_H
#define NOCTULE_WIRE_CLAIM_H

#include <stdint.h>

#include "base/error.h"

struct claim {
    int *fds;
    uint16_t first; /* host order; ports first .. first + n - 1 */
    unsigned n;
};

#define CLAIM_INIT ((struct claim){.fds = NULL})

/* Claims n consecutive TCP ports, from 1024 up and outside ip_local_port_range where any such run is free; `wanted`
 * fixes the first port (0 = choose; then `seed` picks where the search begins). Errors, with a line: -EADDRINUSE and
 * -EACCES (naming the port), -EPERM (newer kernels want CAP_NET_ADMIN), -EMFILE (naming the limit), -EINVAL (ports
 * above 65535). */
int claim_ports(unsigned n, uint16_t wanted, uint64_t seed, struct claim *out, struct error *e);
/* Sets the ports free. */
void claim_deinit(struct claim *c);

#endif
