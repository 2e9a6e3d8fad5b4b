/* What the kernel knows of a network interface, asked through rtnetlink: unlike /sys, that always speaks of the
 * caller's own network namespace. */
#ifndef NOCTULE_WIRE_IFACE_H
#define NOCTULE_WIRE_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "wire/link.h"

struct nl_sock;

struct iface {
    int index;
    char name[IF_NAMESIZE];
    unsigned arphrd;      /* ARPHRD_*: what its frames begin with */
    bool up;              /* switched on by the administrator */
    bool carrier;         /* the other end of the cable (tunnel, pair) is there */
    unsigned mtu;         /* bytes of IP packet */
    uint8_t mac[MAC_LEN]; /* 0 where it has none */
    uint64_t rx_lost;     /* frames since boot that it received and dropped, or had no room for */
    uint64_t tx_lost;     /* frames since boot that it took for transmission and dropped */
};

/* A connected NETLINK_ROUTE socket, or NULL when the kernel gives none; to be freed with nl_socket_free(). */
struct nl_sock *iface_netlink(void);

/* Asks for one interface, by index, or by name where index is 0. Returns 0, -ENODEV when there is no such interface, or
 * another negative errno. */
int iface_read(struct nl_sock *nl, int index, const char *name, struct iface *out);

/* An address of this machine. */
struct iface_address {
    int ifindex;
    addr_t addr;         /* a link-local one with its zone */
    unsigned prefix_len; /* bits of its own family; all of them where the other end has an address of its own */
    bool tentative;      /* IPv6: not usable (yet), because somebody else may have it */
};

/* Adds to `addresses` (of struct iface_address) all that this machine has, of both families. Negative errno; -E2BIG
 * when the array is full. */
int iface_addresses(struct nl_sock *nl, struct array *addresses);

#endif
