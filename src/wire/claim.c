#include "wire/claim.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/random.h"

#define PORT_MIN 1024u /* below, other programs expect well-known services */
#define PORT_MAX 65535u
#define PROTOCOLS 256

/* Whole runs of ports, inclusive. */
struct span {
    unsigned lo, hi;
};

/* What a search needs to know of one port: with which of these protocols it was refused, if it was. */
struct refusal {
    unsigned port;
    int kind; /* SOCK_STREAM or SOCK_DGRAM */
};

/* Makes the kernel drop every packet for this socket unseen, with a filter that returns 0 bytes. It then has an owner,
 * so nothing is said to the sender. Since its commit 5d39580f68e6 (2026, and in stable releases), Linux wants
 * CAP_NET_ADMIN for that on a TCP socket. */
static int reject_all(int fd) {
    struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &reject};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* A socket that takes nothing: the filter comes before anything can arrive. Negative errno. */
static int open_deaf(int family, int kind, int protocol) {
    int fd = socket(family, kind | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return -errno;
    if (reject_all(fd) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int bind_any(int fd, int family, uint16_t port) {
    if (family == AF_INET) {
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
        return bind(fd, (const struct sockaddr *)&any, sizeof any);
    }
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int off = 0;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&any, sizeof any);
}

static int claim_in_family(int family, int kind, uint16_t port) {
    int fd = open_deaf(family, kind, 0);
    if (fd < 0)
        return fd;
    /* No SO_REUSEADDR: with it, two scans could hold the same port. */
    if (bind_any(fd, family, port) < 0 || (kind == SOCK_STREAM && listen(fd, 1) < 0)) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* A machine without IPv6, or with it switched off. */
static bool lacks_ipv6(int code) {
    return code == -EAFNOSUPPORT || code == -EADDRNOTAVAIL;
}

/* Returns a socket that holds the port in both families, or a negative errno. */
static int claim_port(int kind, uint16_t port) {
    int r = claim_in_family(AF_INET6, kind, port);
    return lacks_ipv6(r) ? claim_in_family(AF_INET, kind, port) : r;
}

static void free_sockets(struct claim *c) {
    while (c->n_fds > 0)
        close(c->fds[--c->n_fds]);
}

/* Claims the run that begins at first. On -EADDRINUSE and -EACCES, *refused says where. */
static int claim_run(struct claim *c, const struct claim_wish *wish, unsigned first, struct refusal *refused) {
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM};
    const bool wanted[] = {wish->tcp, wish->udp};
    for (unsigned i = 0; i < wish->n; i++) {
        for (unsigned k = 0; k < 2; k++) {
            int fd = wanted[k] ? claim_port(kinds[k], (uint16_t)(first + i)) : 0;
            if (fd < 0) {
                *refused = (struct refusal){first + i, kinds[k]};
                free_sockets(c);
                return fd;
            }
            if (wanted[k])
                c->fds[c->n_fds++] = fd;
        }
    }
    c->first = (uint16_t)first;
    c->n = wish->n;
    return 0;
}

/* The range from which the kernel picks ports for other programs. */
static struct span local_port_range(void) {
    struct span all = {0, 0}; /* without /proc, nothing is known to be in the way */
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    char lo[16], hi[16];
    uint64_t a, b;
    if (f && fscanf(f, "%15s %15s", lo, hi) == 2 && parse_u64(lo, 1, PORT_MAX, &a) == 0 &&
        parse_u64(hi, a, PORT_MAX, &b) == 0)
        all = (struct span){(unsigned)a, (unsigned)b};
    if (f)
        fclose(f);
    return all;
}

/* How many ports of the span a run of n may begin at. */
static unsigned starts_in(const struct span *s, unsigned n) {
    return s->hi >= s->lo && s->hi - s->lo + 1 >= n ? s->hi - s->lo + 2 - n : 0;
}

/* Tries every run of ports within the spans once, from a random one on. */
static int search(struct claim *c, const struct claim_wish *wish, const struct span spans[2], uint64_t random) {
    unsigned counts[2] = {starts_in(&spans[0], wish->n), starts_in(&spans[1], wish->n)};
    unsigned total = counts[0] + counts[1];
    for (unsigned i = 0, step = 1; i < total; i += step) {
        unsigned k = (unsigned)((random + i) % total);
        unsigned first = k < counts[0] ? spans[0].lo + k : spans[1].lo + (k - counts[0]);
        struct refusal refused = {0};
        int r = claim_run(c, wish, first, &refused);
        if (r != -EADDRINUSE && r != -EACCES) /* EACCES: a security module keeps that port for somebody */
            return r;
        unsigned rest = (k < counts[0] ? counts[0] : total) - k;
        step = refused.port - first + 1; /* no run that holds the refused port can be had */
        if (step > rest)
            step = rest;
    }
    return -EADDRINUSE;
}

static int claim_anywhere(struct claim *c, const struct claim_wish *wish) {
    struct span kernel = local_port_range();
    struct span around[2] = {{PORT_MIN, kernel.lo ? kernel.lo - 1 : PORT_MAX}, {kernel.hi + 1, PORT_MAX}};
    if (around[1].lo < PORT_MIN)
        around[1].lo = PORT_MIN;
    if (!kernel.lo)
        around[1] = (struct span){1, 0};
    struct span everywhere[2] = {{PORT_MIN, PORT_MAX}, {1, 0}};
    uint64_t state = wish->seed, random = random_splitmix(&state);
    int r = search(c, wish, around, random);
    return r == -EADDRINUSE ? search(c, wish, everywhere, random) : r;
}

static int too_many_files(unsigned needed, struct error *e) {
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    return error_set(e, -EMFILE, "keeping the kernel silent needs %u open files, but only %llu are allowed (ulimit -n)",
                     needed, (unsigned long long)limit.rlim_cur);
}

static int explain_port(int code, const struct claim_wish *wish, const struct refusal *refused, struct error *e) {
    const char *name = refused->kind == SOCK_STREAM ? "TCP" : "UDP";
    switch (code) {
    case -EADDRINUSE:
        if (!refused->port)
            return error_set(e, code, "no %u ports in a row are free for use as source ports", wish->n);
        return error_set(e, code, "%s source port %u is in use by another program", name, refused->port);
    case -EPERM:
        return error_set(e, code, "keeping this kernel silent on source ports needs the capability CAP_NET_ADMIN");
    case -EACCES:
        return error_set(e, code, "this user may not use %s source port %u", name, refused->port);
    case -EMFILE:
        return too_many_files(wish->n * ((unsigned)wish->tcp + wish->udp), e);
    default:
        return error_set(e, code, "cannot claim source ports: %s", strerror(-code));
    }
}

static int claim_ports(const struct claim_wish *wish, struct claim *c, struct error *e) {
    if (wish->n > PORT_MAX)
        return error_set(e, -EINVAL, "%u source ports cannot be claimed", wish->n);
    if (wish->first && wish->first + wish->n - 1 > PORT_MAX)
        return error_set(e, -EINVAL, "source port %u is too high: %u ports in a row are needed, up to %u", wish->first,
                         wish->n, PORT_MAX);
    struct refusal refused = {0};
    int r = wish->first ? claim_run(c, wish, wish->first, &refused) : claim_anywhere(c, wish);
    return r < 0 ? explain_port(r, wish, &refused, e) : 0;
}

/* What this kernel answers by itself: its own TCP, UDP and ICMP. Protocol 0 cannot be had (to socket(2) it means
 * "any"). */
static bool claimable(int family, int protocol) {
    return protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP &&
           protocol != (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool wants_protocol(const struct wire_protocols *set, int protocol) {
    return set && set->bits[protocol / 64] >> protocol % 64 & 1;
}

static unsigned count_protocols(const struct wire_protocols *set) {
    unsigned n = 0;
    for (int p = 0; p < PROTOCOLS; p++)
        n += wants_protocol(set, p);
    return n;
}

static int claim_protocol(struct claim *c, int family, int protocol, const struct claim_wish *wish, struct error *e) {
    int fd = open_deaf(family, SOCK_RAW, protocol);
    if (fd >= 0) {
        c->fds[c->n_fds++] = fd;
        return 0;
    }
    if (family == AF_INET6 && lacks_ipv6(fd))
        return 0;
    if (fd == -EMFILE)
        return too_many_files(wish->n * ((unsigned)wish->tcp + wish->udp) + 2 * count_protocols(wish->protocols), e);
    if (fd == -EPERM || fd == -EACCES)
        return error_set(e, fd, "keeping this kernel silent on IP protocol %d needs the capability CAP_NET_RAW",
                         protocol);
    return error_set(e, fd, "cannot claim IP protocol %d: %s", protocol, strerror(-fd));
}

static int claim_protocols(const struct claim_wish *wish, struct claim *c, struct error *e) {
    static const int families[] = {AF_INET, AF_INET6};
    for (int p = 0; p < PROTOCOLS; p++) {
        for (unsigned f = 0; f < 2 && wants_protocol(wish->protocols, p); f++) {
            int r = claimable(families[f], p) ? claim_protocol(c, families[f], p, wish, e) : 0;
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int claim_create(const struct claim_wish *wish, struct claim *out, struct error *e) {
    *out = CLAIM_INIT;
    size_t most = (size_t)wish->n * 2 + (size_t)count_protocols(wish->protocols) * 2;
    if (most == 0)
        return 0;
    out->fds = calloc(most, sizeof *out->fds);
    if (!out->fds)
        return error_set(e, -ENOMEM, "out of memory for %u source ports", wish->n);
    int r = wish->n ? claim_ports(wish, out, e) : 0;
    if (r == 0)
        r = claim_protocols(wish, out, e);
    if (r < 0)
        claim_deinit(out);
    return r;
}

void claim_deinit(struct claim *c) {
    free_sockets(c);
    free(c->fds);
    *c = CLAIM_INIT;
}
