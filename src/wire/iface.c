#include "wire/iface.h"

#include <errno.h>
#include <linux/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

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
