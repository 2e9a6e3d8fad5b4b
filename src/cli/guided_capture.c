/* A packet socket without link headers, beside the kernel's own connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/guided_record.h"

#define RECEIVE_BUFFER (8 << 20)

/* Takes what waits in the socket. What goes through loopback passes twice, out and in again: once is enough. */
static void take(struct capture *c) {
    uint8_t packet[RECORD_BYTES_MAX];
    for (;;) {
        struct sockaddr_ll from = {0};
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(c->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        bool ip = from.sll_protocol == htons(ETH_P_IP) || from.sll_protocol == htons(ETH_P_IPV6);
        bool again = from.sll_hatype == ARPHRD_LOOPBACK && from.sll_pkttype != PACKET_OUTGOING;
        if (ip && !again)
            record_packet(c->record, DIRECTION_UNKNOWN, packet, (size_t)n);
    }
}

static void *capture_main(void *arg) {
    struct capture *c = arg;
    pthread_setname_np(pthread_self(), "nt-capture");
    for (;;) {
        struct pollfd fds[] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->end_fd, .events = POLLIN}};
        poll(fds, 2, -1);
        bool ending = fds[1].revents & POLLIN; /* read before the socket is: what came before the end is taken */
        take(c);
        if (ending)
            return NULL;
    }
}

static void close_all(struct capture *c) {
    if (c->fd >= 0)
        close(c->fd);
    if (c->end_fd >= 0)
        close(c->end_fd);
    *c = CAPTURE_INIT;
}

int capture_begin(struct capture *c, struct record *record) {
    *c = (struct capture){.record = record, .end_fd = -1};
    c->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (c->fd >= 0)
        c->end_fd = eventfd(0, EFD_CLOEXEC);
    int code = c->fd < 0 || c->end_fd < 0 ? -errno : 0;
    if (code == 0) {
        int size = RECEIVE_BUFFER;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size); /* else the usual size does */
        code = -pthread_create(&c->thread, NULL, capture_main, c);
    }
    if (code < 0)
        close_all(c);
    c->running = code == 0;
    return code;
}

void capture_end(struct capture *c) {
    if (!c->running)
        return;
    eventfd_write(c->end_fd, 1);
    pthread_join(c->thread, NULL);
    close_all(c);
}
