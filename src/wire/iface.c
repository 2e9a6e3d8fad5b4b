#include "wire/iface.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

struct nl_sock *iface_netlink(void) {
    struct nl_sock *nl = nl_socket_alloc();
    if (nl && nl_connect(nl, NETLINK_ROUTE) < 0) {
        nl_socket_free(nl);
        return NULL;
    }
    return nl;
}

int iface_read(struct nl_sock *nl, int index, const char *name, struct iface *out) {
    if (index <= 0 && (!name || !*name || strlen(name) >= sizeof out->name))
        return -ENODEV;
    struct rtnl_link *link = NULL;
    int r = rtnl_link_get_kernel(nl, index, index > 0 ? NULL : name, &link);
    if (r < 0)
        return r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND ? -ENODEV : -EIO;

    unsigned flags = rtnl_link_get_flags(link);
    *out = (struct iface){
        .index = rtnl_link_get_ifindex(link),
        .arphrd = rtnl_link_get_arptype(link),
        .up = flags & IFF_UP,
        .carrier = flags & IFF_LOWER_UP,
        .mtu = rtnl_link_get_mtu(link),
        .rx_lost = rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED) + rtnl_link_get_stat(link, RTNL_LINK_RX_MISSED_ERR),
        .tx_lost = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED),
    };
    const char *found = rtnl_link_get_name(link);
    snprintf(out->name, sizeof out->name, "%s", found ? found : "");
    struct nl_addr *mac = rtnl_link_get_addr(link);
    if (mac && nl_addr_get_len(mac) == MAC_LEN)
        memcpy(out->mac, nl_addr_get_binary_addr(mac), MAC_LEN);
    rtnl_link_put(link);
    return 0;
}

static bool read_address(struct rtnl_addr *a, struct iface_address *out) {
    struct nl_addr *local = rtnl_addr_get_local(a);
    if (!local)
        return false;
    const uint8_t *raw = nl_addr_get_binary_addr(local);
    unsigned bytes = nl_addr_get_len(local);
    if (bytes != 4 && bytes != 16)
        return false;
    int index = rtnl_addr_get_ifindex(a);
    *out = (struct iface_address){
        .ifindex = index,
        .addr = bytes == 4 ? addr_from_v4(load_be32(raw)) : (addr_t)load_be64(raw) << 64 | load_be64(raw + 8),
        .prefix_len = rtnl_addr_get_peer(a) ? bytes * 8 : (unsigned)rtnl_addr_get_prefixlen(a),
        .tentative = rtnl_addr_get_flags(a) & (IFA_F_TENTATIVE | IFA_F_DADFAILED),
    };
    if (index > 0 && (unsigned)index <= ADDR_ZONE_MAX)
        out->addr = addr_with_zone(out->addr, (unsigned)index);
    return out->prefix_len <= bytes * 8;
}

int iface_addresses(struct nl_sock *nl, struct array *addresses) {
    struct nl_cache *all = NULL;
    if (rtnl_addr_alloc_cache(nl, &all) < 0)
        return -EIO;
    int r = 0;
    for (struct nl_object *o = nl_cache_get_first(all); o && r == 0; o = nl_cache_get_next(o)) {
        struct iface_address found, *slot = NULL;
        if (!read_address((struct rtnl_addr *)o, &found))
            continue;
        slot = array_add(addresses);
        if (slot)
            *slot = found;
        else
            r = -errno;
    }
    nl_cache_free(all);
    return r;
}
