/* Our source ports, claimed from the kernel: each is bound (TCP: and listens) behind a socket filter that rejects every
 * packet, so the kernel answers nothing sent to them, gives them to nobody else, and all of it ends with the process,
 * whatever kills it. For protocols without ports (-sO, and SCTP, of which this process has no sockets) one raw socket a
 * protocol and family does the same: the kernel then sends no "protocol unreachable". No firewall rule, no sysctl. */
#ifndef NOCTULE_WIRE_CLAIM_H
#define NOCTULE_WIRE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/wire.h"

struct claim_wish {
    unsigned n;      /* consecutive ports; 0: none */
    uint16_t first;  /* host order; 0 = choose: from 1024 up, outside ip_local_port_range where such a run is free */
    uint64_t seed;   /* picks where that search begins */
    bool tcp, udp;   /* what each of the ports is claimed for */
    const struct wire_protocols *protocols; /* raw sockets; NULL: none. What the kernel itself speaks is left out: TCP,
                                               UDP, ICMP on IPv4, ICMPv6 on IPv6; and 0, which no socket can have */
};

struct claim {
    int *fds;
    unsigned n_fds;
    uint16_t first; /* host order; ports first .. first + n - 1 */
    unsigned n;
};

#define CLAIM_INIT ((struct claim){.fds = NULL})

/* Claims what is wished for, in both families (IPv4 alone on a machine without IPv6). Errors, with a line: -EADDRINUSE
 * and -EACCES (naming port and protocol), -EPERM (newer kernels want CAP_NET_ADMIN; raw sockets CAP_NET_RAW), -EMFILE
 * (naming the limit), -EINVAL (ports above 65535). */
int claim_create(const struct claim_wish *wish, struct claim *out, struct error *e);
/* Sets everything free. */
void claim_deinit(struct claim *c);

#endif
