#include "wire/sender.h"

#include <errno.h>
#include <net/ethernet.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

/* Room for what the card has not sent yet; the kernel doubles it, and a short frame takes 768 bytes of it. So about
 * 2,700 frames: more than a card's ring, at most a fifth of a second on a link of 10 Mbit/s. */
#define SEND_BUFFER_BYTES (1 << 20)

/* ENOBUFS says that a queue dropped the frame: it was full, and one at any speed moves again within a millisecond. Or
 * a rule for outgoing packets forbids just this frame, and then offering it again never ends. */
#define STUCK_NS (50 * NS_PER_MS)

#define IPV4_HEADER_MIN 20u
#define IPV4_DESTINATION 16u
#define IPV6_HEADER_LEN 40u
#define IPV6_DESTINATION 24u

static unsigned ip_version(const struct frame *f) {
    return f->len ? f->data[0] >> 4 : 0;
}

/* PACKET_QDISC_BYPASS stays off: over a veth pair it saved less of the 500 ns a frame than one measurement differs from
 * the next, and it leaves out what the administrator set up for outgoing packets. */
static int open_packet_socket(struct sender *s, const struct wire_config *config) {
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = config->ifindex};
    /* Protocol 0 in both calls: this socket never receives. */
    s->fd = socket(AF_PACKET, (config->link == LINK_ETHERNET ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (const struct sockaddr *)&ll, sizeof ll) < 0)
        return -errno;
    s->to_link[0] = s->to_link[1] = ll;
    s->to_link[0].sll_protocol = htons(ETH_P_IP);
    s->to_link[1].sll_protocol = htons(ETH_P_IPV6);
    return 0;
}

/* Returns the socket, or a negative errno. With IPPROTO_RAW the kernel takes the whole header from us in both families.
 * Raw sockets hide ENOBUFS unless extended errors are wanted. Of those none will queue up: an ICMP error finds its
 * socket by the protocol of the packet it quotes, and that is never IPPROTO_RAW. */
static int open_raw_ip(int family) {
    int on = 1, fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0)
        return -errno;
    int r = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on)
                              : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    if (r < 0) {
        r = -errno;
        close(fd);
    }
    return r < 0 ? r : fd;
}

static int open_raw_ip_sockets(struct sender *s) {
    s->fd = open_raw_ip(AF_INET);
    if (s->fd < 0)
        return s->fd;
    s->fd6 = open_raw_ip(AF_INET6);
    return s->fd6 >= 0 || s->fd6 == -EAFNOSUPPORT ? 0 : s->fd6;
}

static void set_send_buffer(int fd) {
    int bytes = SEND_BUFFER_BYTES;
    /* The forced form passes net.core.wmem_max, but wants CAP_NET_ADMIN; either way, less room is only less speed. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

int sender_init(struct sender *s, const struct wire_config *config, struct error *e) {
    *s = SENDER_INIT;
    s->loopback = config->loopback;
    s->link = config->link;
    int r = s->loopback ? open_raw_ip_sockets(s) : open_packet_socket(s, config);
    if (r == -EPERM || r == -EACCES)
        error_set(e, r, "sending raw packets needs the capability CAP_NET_RAW");
    else if (r < 0)
        error_set(e, r, "cannot send on interface \"%s\": %s", config->ifname, strerror(-r));
    if (r < 0) {
        sender_deinit(s);
        return r;
    }
    set_send_buffer(s->fd);
    if (s->fd6 >= 0)
        set_send_buffer(s->fd6);
    for (unsigned i = 0; i < WIRE_BATCH_MAX; i++)
        s->messages[i].msg_hdr = (struct msghdr){.msg_iov = &s->parts[i], .msg_iovlen = 1};
    return 0;
}

void sender_deinit(struct sender *s) {
    if (s->fd >= 0)
        close(s->fd);
    if (s->fd6 >= 0)
        close(s->fd6);
    s->fd = s->fd6 = -1;
}

/* To the kernel, "::" as a destination means ::1, so a broken frame would go there. */
static bool has_ipv6_destination(const struct frame *f) {
    return ip_version(f) == 6 && f->len >= IPV6_HEADER_LEN &&
           (load_be64(f->data + IPV6_DESTINATION) | load_be64(f->data + IPV6_DESTINATION + 8)) != 0;
}

/* The socket for a frame. What is no IP packet that this machine can send goes to the first one, which refuses it. */
static int socket_for(const struct sender *s, const struct frame *f) {
    return s->fd6 >= 0 && has_ipv6_destination(f) ? s->fd6 : s->fd;
}

/* Raw sockets do not read the destination from the header that they are given. A zone is not needed: an address of this
 * machine's own is found without. */
static void address_loopback(struct sender *s, unsigned i, const struct frame *f) {
    struct msghdr *m = &s->messages[i].msg_hdr;
    m->msg_name = &s->to_ip[i];
    if (socket_for(s, f) == s->fd6) {
        s->to_ip[i].v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        memcpy(&s->to_ip[i].v6.sin6_addr, f->data + IPV6_DESTINATION, sizeof s->to_ip[i].v6.sin6_addr);
        m->msg_namelen = sizeof s->to_ip[i].v6;
        return;
    }
    bool is_ipv4 = ip_version(f) == 4 && f->len >= IPV4_HEADER_MIN;
    s->to_ip[i].v4 = (struct sockaddr_in){.sin_family = is_ipv4 ? AF_INET : AF_INET6}; /* the latter: EAFNOSUPPORT */
    if (is_ipv4)
        s->to_ip[i].v4.sin_addr.s_addr = htonl(load_be32(f->data + IPV4_DESTINATION));
    m->msg_namelen = sizeof s->to_ip[i].v4;
}

static void address_link(struct sender *s, unsigned i, const struct frame *f) {
    struct msghdr *m = &s->messages[i].msg_hdr;
    m->msg_name = &s->to_link[ip_version(f) == 6];
    m->msg_namelen = sizeof s->to_link[0];
}

/* Readies the first frames that go to one and the same socket, at most n, and returns how many they are. */
static unsigned fill_messages(struct sender *s, const struct frame *frames, unsigned n, int fd) {
    for (unsigned i = 0; i < n; i++) {
        if (s->loopback && socket_for(s, &frames[i]) != fd)
            return i;
        s->parts[i] = (struct iovec){.iov_base = frames[i].data, .iov_len = frames[i].len};
        if (s->loopback)
            address_loopback(s, i, &frames[i]);
        else if (s->link == LINK_IP)
            address_link(s, i, &frames[i]);
    }
    return n;
}

/* What became of the first frame of a batch that the kernel did not take. */
enum refusal { REFUSAL_LATER, REFUSAL_NEVER, REFUSAL_WIRE_DEAD };

static enum refusal judge(struct sender *s, int error) {
    switch (error) {
    case EAGAIN:
        return REFUSAL_LATER;
    case ENOBUFS: {
        uint64_t now = clock_mono_ns();
        if (!s->stuck_since)
            s->stuck_since = now;
        return now - s->stuck_since < STUCK_NS ? REFUSAL_LATER : REFUSAL_NEVER;
    }
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
        return REFUSAL_WIRE_DEAD;
    default:
        return REFUSAL_NEVER;
    }
}

int sender_send(struct sender *s, const struct frame *frames, unsigned n, struct wire_stats *counts) {
    unsigned done = 0;
    while (done < n) {
        int fd = s->loopback ? socket_for(s, &frames[done]) : s->fd;
        unsigned batch = n - done < WIRE_BATCH_MAX ? n - done : WIRE_BATCH_MAX;
        batch = fill_messages(s, frames + done, batch, fd);
        /* Loopback: MSG_DONTROUTE keeps a packet off every gateway, should its address have left this machine. (IPv6
         * does not know it: a packet then goes where that address went.) */
        int r = sendmmsg(fd, s->messages, batch, MSG_DONTWAIT | (s->loopback ? MSG_DONTROUTE : 0));
        int error = r < 0 ? errno : 0;
        counts->send_calls++;
        if (r > 0) {
            for (unsigned i = done; i < done + (unsigned)r; i++)
                counts->sent_bytes += frames[i].len;
            counts->sent += (unsigned)r;
            done += (unsigned)r;
            s->stuck_since = 0;
            continue; /* sendmmsg says why it stopped only when it stops at the first */
        }
        if (error == EINTR)
            continue;
        enum refusal refusal = judge(s, error);
        if (refusal == REFUSAL_LATER)
            return (int)done;
        counts->last_send_error = error;
        if (refusal == REFUSAL_WIRE_DEAD)
            return -error;
        counts->send_refused++;
        done++;
        s->stuck_since = 0;
    }
    return (int)done;
}
