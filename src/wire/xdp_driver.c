#include "wire/xdp_driver.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/netdev.h, which Debian 12's headers do not have yet. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_VERSION 1
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3

static int ethtool(int fd, const char *ifname, void *command) {
    struct ifreq request = {.ifr_data = command};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static int read_ethtool(const char *ifname, struct xdp_driver *out) {
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && (fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return -errno;
    int r = ethtool(fd, ifname, &info);
    if (r == 0)
        snprintf(out->name, sizeof out->name, "%s", info.driver);
    /* What has no channels to tell of has one queue. */
    out->queues = ethtool(fd, ifname, &channels) == 0 ? channels.combined_count + channels.rx_count : 1;
    if (out->queues == 0)
        out->queues = 1;
    close(fd);
    return r == -EOPNOTSUPP ? 0 : r;
}

static int note_features(struct nl_msg *message, void *arg) {
    struct xdp_driver *out = arg;
    struct nlattr *features = nlmsg_find_attr(nlmsg_hdr(message), GENL_HDRLEN, NETDEV_A_DEV_XDP_FEATURES);
    if (features && nla_len(features) >= (int)sizeof(uint64_t)) {
        out->features = nla_get_u64(features);
        out->known = true;
    }
    return NL_OK;
}

static void ask_features(struct nl_sock *nl, int family, int ifindex) {
    struct nl_msg *request = nlmsg_alloc();
    if (!request)
        return;
    if (genlmsg_put(request, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, NETDEV_CMD_DEV_GET, NETDEV_VERSION) &&
        nla_put_u32(request, NETDEV_A_DEV_IFINDEX, (uint32_t)ifindex) == 0 && nl_send_auto(nl, request) >= 0)
        (void)nl_recvmsgs_default(nl);
    nlmsg_free(request);
}

static int read_features(int ifindex, struct xdp_driver *out) {
    struct nl_sock *nl = nl_socket_alloc();
    if (!nl)
        return -ENOMEM;
    int family = genl_connect(nl) == 0 ? genl_ctrl_resolve(nl, NETDEV_FAMILY) : -NLE_FAILURE;
    if (family >= 0 && nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, note_features, out) == 0)
        ask_features(nl, family, ifindex);
    nl_socket_free(nl);
    return 0; /* a kernel that has no such family leaves them unknown */
}

int xdp_driver_read(int ifindex, const char *ifname, struct xdp_driver *out) {
    *out = (struct xdp_driver){.known = false};
    int r = read_ethtool(ifname, out);
    if (r == 0)
        r = read_features(ifindex, out);
    out->is_veth = strcmp(out->name, "veth") == 0;
    out->is_virtual = out->is_veth || strcmp(out->name, "tun") == 0;
    return r;
}
