/* The transmitting half of the packet wire: frames to sendmmsg(2), and what the kernel says to them. */
#ifndef NOCTULE_WIRE_SENDER_H
#define NOCTULE_WIRE_SENDER_H

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "wire/wire.h"

struct sender {
    int fd;               /* loopback: of IPv4 */
    int fd6;              /* loopback: of IPv6; -1 on a machine without it, and for a packet socket */
    bool loopback;        /* raw IP sockets; else a packet socket */
    enum link_type link;
    uint64_t stuck_since; /* CLOCK_MONOTONIC of the first ENOBUFS since a frame went out; 0: none */
    struct sockaddr_ll to_link[2];            /* LINK_IP: the same interface, as IPv4 and as IPv6 */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to_ip[WIRE_BATCH_MAX]; /* loopback: each frame's own destination */
    struct iovec parts[WIRE_BATCH_MAX];
    struct mmsghdr messages[WIRE_BATCH_MAX];
};

#define SENDER_INIT ((struct sender){.fd = -1, .fd6 = -1})

/* Opens the socket for config's interface. Negative errno with a line. The sender must not move afterwards: its
 * messages point into it. */
int sender_init(struct sender *s, const struct wire_config *config, struct error *e);
void sender_deinit(struct sender *s);

/* As send in wire_ops. Counts into counts. */
int sender_send(struct sender *s, const struct frame *frames, unsigned n, struct wire_stats *counts);

#endif
