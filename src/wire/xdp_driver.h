/* What an interface's driver says that it can do with XDP, asked without changing anything: ethtool's ioctls, and the
 * kernel's "netdev" family of generic netlink (Linux 6.3; Documentation/netlink/specs/netdev.yaml). */
#ifndef NOCTULE_WIRE_XDP_DRIVER_H
#define NOCTULE_WIRE_XDP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

enum xdp_feature {
    XDP_FEATURE_BASIC = 1 << 0,    /* native programs */
    XDP_FEATURE_REDIRECT = 1 << 1, /* they may redirect, which AF_XDP needs */
    XDP_FEATURE_TRANSMIT = 1 << 2, /* frames redirected to it go out; many drivers only while they have a program */
    XDP_FEATURE_ZEROCOPY = 1 << 3, /* AF_XDP without a copy */
};

struct xdp_driver {
    char name[32];
    unsigned queues;   /* receive queues in use */
    bool is_veth;
    bool is_virtual;   /* local packets arrive here with unfinished checksums: veth and tap */
    bool known;        /* the kernel tells the features */
    uint64_t features; /* enum xdp_feature, if known */
};

/* Returns 0, -ENODEV, or another negative errno when the kernel cannot be asked at all. */
int xdp_driver_read(int ifindex, const char *ifname, struct xdp_driver *out);

#endif
