/* The packet wire: AF_PACKET to receive, AF_PACKET or on loopback a raw IP socket to send. It changes nothing on the
 * machine, and works in user namespaces. */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/filter.h"
#include "wire/iface.h"
#include "wire/packet.h"
#include "wire/ring.h"
#include "wire/sender.h"
#include "wire/wire.h"

#define ASK_INTERVAL_NS NS_PER_MS /* how often the kernel is asked for its count while frames stream in */

/* The watermark. At `asked_ns` the kernel had put `asked_frames` into the ring; once as many are taken out, every frame
 * that arrived before asked_ns has been handed on. Frames in a block that is not retired yet are counted by the kernel
 * and invisible to us, so nothing less than its count would do. */
struct watermark {
    uint64_t ns;
    bool asked; /* the two below wait to be reached */
    uint64_t asked_ns;
    uint64_t asked_frames;
    uint64_t last_ask_ns;
};

struct packet_wire {
    struct wire base;
    int ifindex;
    int rx;            /* -1 on a handle that only sends */
    int dead;          /* negative errno once the interface went away */
    struct ring ring;
    uint64_t stored;   /* frames that the kernel has put into the ring since open */
    struct watermark mark;
    struct wire_stats counts;
    struct nl_sock *nl;
    struct iface at_open; /* the interface's counters then */
    struct sender sender;
};

/* Adds the kernel's counts since the last call: reading resets them. tp_packets includes the drops. */
static void read_counts(struct packet_wire *w) {
    struct tpacket_stats_v3 s;
    socklen_t size = sizeof s;
    if (getsockopt(w->rx, SOL_PACKET, PACKET_STATISTICS, &s, &size) < 0)
        return;
    w->stored += s.tp_packets - s.tp_drops;
    w->counts.ring_dropped += s.tp_drops;
}

/* Neighbour solicitations go to the group of the address's last 24 bits (RFC 4291 2.7.1), at 33:33 and the group's last
 * 32 bits on Ethernet (RFC 2464 7). A card takes in only groups that somebody joined; this one is left when the socket
 * is closed. */
static int join_solicited(int fd, int ifindex, addr_t a) {
    struct packet_mreq group = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_MULTICAST, .mr_alen = MAC_LEN};
    store_be16(group.mr_address, 0x3333);
    store_be32(group.mr_address + 2, 0xff000000u | ((uint32_t)a & 0xffffffu));
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof group) < 0 ? -errno : 0;
}

static int open_receiver(struct packet_wire *w, const struct wire_config *config, struct error *e) {
    int on = 1;
    /* Protocol 0: nothing is received before bind, so the filter holds from the first frame on. On loopback SOCK_DGRAM
     * has the kernel strip the dummy Ethernet header. */
    w->rx = socket(AF_PACKET, (config->loopback ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->rx < 0 && (errno == EPERM || errno == EACCES))
        return error_set(e, -errno, "receiving raw packets needs the capability CAP_NET_RAW");
    if (w->rx < 0)
        return error_set(e, -errno, "cannot open a packet socket: %s", strerror(errno));
    if (setsockopt(w->rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
        return error_set(e, -errno, "this kernel cannot leave out outgoing packets (Linux 4.20 or later is needed)");
    int r = filter_attach(w->rx, &config->filter, config->link, e);
    if (r < 0)
        return r;
    r = ring_init(&w->ring, w->rx, config->ring_bytes);
    if (r < 0)
        return error_set(e, r, "cannot get a receive ring of %zu bytes: %s", config->ring_bytes, strerror(-r));
    struct sockaddr_ll ll = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = config->ifindex};
    if (bind(w->rx, (const struct sockaddr *)&ll, sizeof ll) < 0)
        return error_set(e, -errno, "cannot receive on interface \"%s\": %s", config->ifname, strerror(errno));
    if (config->answers_for && (r = join_solicited(w->rx, config->ifindex, config->answers_for)) < 0)
        return error_set(e, r, "cannot listen for neighbours on interface \"%s\": %s", config->ifname, strerror(-r));
    return 0;
}

static void packet_close(struct wire *base) {
    struct packet_wire *w = (struct packet_wire *)base;
    if (!w)
        return;
    sender_deinit(&w->sender);
    ring_deinit(&w->ring);
    if (w->rx >= 0)
        close(w->rx);
    nl_socket_free(w->nl);
    free(w);
}

static int open_all(struct packet_wire *w, const struct wire_config *config, struct error *e) {
    w->nl = iface_netlink();
    if (!w->nl)
        return error_set(e, -EIO, "cannot ask the kernel for its interfaces (netlink)");
    int r = iface_read(w->nl, config->ifindex, config->ifname, &w->at_open);
    if (r == -ENODEV)
        return error_set(e, r, "there is no interface \"%s\"", config->ifname);
    if (r < 0)
        return error_set(e, r, "cannot read the state of interface \"%s\": %s", config->ifname, strerror(-r));
    if (!w->at_open.up)
        return error_set(e, -ENETDOWN, "interface \"%s\" is down", config->ifname);
    w->ifindex = w->at_open.index;
    if (config->receive && (r = open_receiver(w, config, e)) < 0)
        return r;
    return sender_init(&w->sender, config, e);
}

static int packet_open(const struct wire_config *config, struct wire **out, struct error *e) {
    struct packet_wire *w = malloc(sizeof *w);
    if (!w)
        return error_set(e, -ENOMEM, "out of memory for a wire");
    *w = (struct packet_wire){.base.ops = &wire_packet_ops, .rx = -1, .ring = RING_INIT, .sender = SENDER_INIT};
    int r = open_all(w, config, e);
    if (r < 0) {
        packet_close(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}

static int packet_send(struct wire *base, const struct frame *frames, unsigned n) {
    struct packet_wire *w = (struct packet_wire *)base;
    return sender_send(&w->sender, frames, n, &w->counts);
}

/* A packet socket has an error set on it when its interface goes down or away. */
static int read_death(struct packet_wire *w) {
    int error = 0;
    socklen_t size = sizeof error;
    if (!w->dead && getsockopt(w->rx, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
        w->dead = -error;
    return w->dead;
}

static void settle(struct packet_wire *w) {
    struct watermark *m = &w->mark;
    if (m->asked && w->ring.taken >= m->asked_frames) {
        m->ns = m->asked_ns;
        m->asked = false;
    }
}

static void raise_watermark(struct packet_wire *w, bool ring_empty) {
    struct watermark *m = &w->mark;
    settle(w);
    if (m->asked)
        return;
    uint64_t now = clock_mono_ns(); /* before the count is read: what it misses has arrived later */
    if (!ring_empty && now - m->last_ask_ns < ASK_INTERVAL_NS)
        return;
    read_counts(w);
    *m = (struct watermark){
        .ns = m->ns, .asked = true, .asked_ns = now, .asked_frames = w->stored, .last_ask_ns = now};
    settle(w);
}

static int packet_recv(struct wire *base, struct frame *frames, unsigned max, uint64_t *drained_ns) {
    struct packet_wire *w = (struct packet_wire *)base;
    *drained_ns = w->mark.ns;
    if (w->rx < 0)
        return 0;
    ring_release(&w->ring);
    unsigned n = ring_take(&w->ring, frames, max);
    w->counts.received += n;
    raise_watermark(w, n < max);
    *drained_ns = w->mark.ns;
    if (n == 0 && max > 0) {
        int r = read_death(w);
        if (r < 0)
            return r;
    }
    return (int)n;
}

static void packet_wait(struct wire *base, uint64_t timeout_ns) {
    struct packet_wire *w = (struct packet_wire *)base;
    struct timespec t = {.tv_sec = (time_t)(timeout_ns / NS_PER_SEC), .tv_nsec = (long)(timeout_ns % NS_PER_SEC)};
    struct pollfd p = {.fd = w->rx, .events = POLLIN};
    if (w->rx < 0)
        p = (struct pollfd){.fd = w->sender.fd, .events = POLLOUT};
    else if (w->ring.left)
        return;
    (void)ppoll(&p, 1, &t, NULL); /* a signal or an error ends the wait as well; recv tells which it was */
}

int packet_wire_fd(const struct wire *base) {
    return ((const struct packet_wire *)base)->rx;
}

static void packet_stats(struct wire *base, struct wire_stats *out) {
    struct packet_wire *w = (struct packet_wire *)base;
    struct iface now;
    if (w->rx >= 0)
        read_counts(w);
    w->counts.other_vlan = w->ring.tagged;
    if (iface_read(w->nl, w->ifindex, NULL, &now) == 0) {
        w->counts.interface_dropped = now.rx_lost - w->at_open.rx_lost;
        w->counts.interface_tx_dropped = now.tx_lost - w->at_open.tx_lost;
    }
    *out = w->counts;
}

const struct wire_ops wire_packet_ops = {
    .name = "packet",
    .open = packet_open,
    .send = packet_send,
    .recv = packet_recv,
    .wait = packet_wait,
    .stats = packet_stats,
    .close = packet_close,
};
