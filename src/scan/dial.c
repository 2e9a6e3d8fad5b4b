#include "scan/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "base/bytes.h"

union sockaddr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t sockaddr_fill(union sockaddr_any *s, addr_t a, uint16_t port, unsigned scope) {
    memset(s, 0, sizeof *s);
    if (addr_is_v4(a)) {
        s->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(addr_v4(a))}};
        return sizeof s->v4;
    }
    s->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    addr_t bare = addr_with_zone(a, 0);
    store_be64(s->v6.sin6_addr.s6_addr, (uint64_t)(bare >> 64));
    store_be64(s->v6.sin6_addr.s6_addr + 8, (uint64_t)bare);
    if (addr_is_link_local(a))
        s->v6.sin6_scope_id = addr_zone(a) ? addr_zone(a) : scope;
    return sizeof s->v6;
}

static addr_t sockaddr_addr(const union sockaddr_any *s) {
    if (s->any.sa_family == AF_INET)
        return addr_from_v4(ntohl(s->v4.sin_addr.s_addr));
    const uint8_t *p = s->v6.sin6_addr.s6_addr;
    return addr_with_zone((addr_t)load_be64(p) << 64 | load_be64(p + 8), s->v6.sin6_scope_id & 0xffff);
}

static int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* The user's wishes and ours for one socket. */
static int socket_configure(const struct scan_config *config, unsigned scope, int fd, bool v4) {
    /* A connection is ended by a RST, so that it leaves no TIME-WAIT on either side. */
    struct linger at_once = {.l_onoff = 1};
    if (!config->no_reset && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
        return -errno;
    /* With the ICMP message itself a "port unreachable" of a firewall is not taken for the RST of a closed port. */
    if (set_int(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, 1) < 0)
        return -errno;
    if (config->ttl && set_int(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, config->ttl) < 0)
        return -errno;
    if (config->ifname && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, config->ifname,
                                     (socklen_t)strlen(config->ifname)) < 0)
        return -errno;
    addr_t source = v4 ? config->source_v4 : config->source_v6;
    if (!source && !config->source_port)
        return 0;
    /* Several connections share -g's port, each with another far end; without -g, connect(2) picks the port. */
    if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 || set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) < 0)
        return -errno;
    union sockaddr_any from;
    addr_t any = v4 ? addr_from_v4(0) : 0;
    socklen_t n = sockaddr_fill(&from, source ? source : any, config->source_port, scope);
    return bind(fd, &from.any, n) < 0 ? -errno : 0;
}

/* A socket that is ready to connect, or a negative errno. */
static int socket_open(const struct scan_config *config, unsigned scope, bool v4) {
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = socket_configure(config, scope, fd, v4);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static enum reason icmp_reason(const struct sock_extended_err *e) {
    if (e->ee_origin == SO_EE_ORIGIN_ICMP)
        return reason_from_icmp(e->ee_type, e->ee_code);
    return e->ee_origin == SO_EE_ORIGIN_ICMP6 ? reason_from_icmpv6(e->ee_type, e->ee_code) : REASON_NONE;
}

/* The ICMP error that ended a connect, if one did: its reason, and who sent it. */
static enum reason icmp_read(int fd, addr_t *sender) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(union sockaddr_any)) + 128];
    } control;
    char data[256];
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return REASON_NONE;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        bool v4 = h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_RECVERR;
        if (!v4 && !(h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_RECVERR))
            continue;
        struct {
            struct sock_extended_err error;
            union sockaddr_any offender;
        } told = {.offender.any.sa_family = AF_UNSPEC};
        size_t n = h->cmsg_len - CMSG_LEN(0);
        memcpy(&told, CMSG_DATA(h), n < sizeof told ? n : sizeof told);
        enum reason reason = icmp_reason(&told.error);
        if (reason != REASON_NONE && told.offender.any.sa_family != AF_UNSPEC)
            *sender = sockaddr_addr(&told.offender);
        return reason;
    }
    return REASON_NONE;
}

/* Without an ICMP message: what the errno alone tells. */
static bool read_errno(int error, struct dialled *out) {
    *out = (struct dialled){.outcome = OUTCOME_ICMP_ERROR};
    switch (error) {
    case 0:
    case ECONNRESET: /* it stood, and then it was reset: in SYN-SENT a RST is ECONNREFUSED */
    case EPIPE:
        out->outcome = OUTCOME_SYN_ACK;
        return true;
    case ECONNREFUSED:
        out->outcome = OUTCOME_RESET;
        return true;
    case EHOSTUNREACH:
    case EHOSTDOWN:
        out->reason = REASON_HOST_UNREACH;
        return true;
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET:
        out->reason = REASON_NET_UNREACH;
        return true;
    case ENOPROTOOPT:
        out->reason = REASON_PROTO_UNREACH;
        return true;
    case EACCES:
    case EPERM:
        out->reason = REASON_ADMIN_PROHIBITED;
        return true;
    default:
        return false;
    }
}

bool dial_outcome(int fd, int error, addr_t target, struct dialled *out) {
    addr_t sender = target;
    enum reason icmp = error ? icmp_read(fd, &sender) : REASON_NONE;
    if (icmp == REASON_NONE)
        return read_errno(error, out);
    *out = (struct dialled){.outcome = OUTCOME_ICMP_ERROR, .reason = icmp, .reporter = sender};
    if (sender != target)
        return true;
    out->reporter = 0;
    out->outcome = icmp == REASON_PORT_UNREACH    ? OUTCOME_PORT_UNREACH
                   : icmp == REASON_PROTO_UNREACH ? OUTCOME_PROTO_UNREACH
                                                  : OUTCOME_TARGET_ERROR;
    return true;
}

bool dial_left(int error) {
    struct dialled d;
    if (error == EINPROGRESS || error == EHOSTUNREACH)
        return true;
    return read_errno(error, &d) && (d.outcome == OUTCOME_SYN_ACK || d.outcome == OUTCOME_RESET);
}

int dial(const struct scan_config *config, unsigned scope, addr_t to, uint16_t port, int *fd) {
    union sockaddr_any there;
    socklen_t n = sockaddr_fill(&there, to, port, scope);
    int r = socket_open(config, scope, addr_is_v4(to));
    if (r < 0)
        return r;
    *fd = r;
    return connect(r, &there.any, n) < 0 ? errno : 0;
}

uint16_t dial_port_at(int fd, addr_t own) {
    union sockaddr_any here = {.any.sa_family = AF_UNSPEC};
    socklen_t n = sizeof here;
    if (getsockname(fd, &here.any, &n) < 0 || sockaddr_addr(&here) != own)
        return 0;
    return ntohs(here.any.sa_family == AF_INET ? here.v4.sin_port : here.v6.sin6_port);
}

/* Can a socket of that family be had as the user wants it? Want of descriptors, or of the family, shows later. */
static int check_family(const struct scan_config *config, unsigned scope, bool v4, struct error *e) {
    char text[ADDR_STRLEN];
    addr_t source = v4 ? config->source_v4 : config->source_v6;
    int fd = socket_open(config, scope, v4);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || fd == -EMFILE || fd == -ENFILE || fd == -EAFNOSUPPORT)
        return 0;
    return error_set(e, fd, "cannot connect from %s%s%s, port %u: %s",
                     source ? addr_format(source, text) : "this machine", config->ifname ? " on " : "",
                     config->ifname ? config->ifname : "", config->source_port, strerror(-fd));
}

int dial_check(const struct scan_config *config, unsigned *scope, struct error *e) {
    size_t n;
    const struct addr_range *ranges = plan_ranges(config->plan, &n);
    addr_t v4_first = addr_from_v4(0), v4_last = addr_from_v4(UINT32_MAX);
    bool v4 = false, v6 = false;
    for (size_t i = 0; i < n; i++) {
        v4 |= ranges[i].lo <= v4_last && ranges[i].hi >= v4_first;
        v6 |= ranges[i].lo < v4_first || ranges[i].hi > v4_last;
    }
    *scope = config->ifname ? if_nametoindex(config->ifname) : 0;
    if (config->ifname && !*scope)
        return error_set(e, -ENODEV, "-e %s: there is no such interface", config->ifname);
    int r = v4 ? check_family(config, *scope, true, e) : 0;
    return r == 0 && v6 ? check_family(config, *scope, false, e) : r;
}
