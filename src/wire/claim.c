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

/* Whole runs of ports, inclusive. */
struct span {
    unsigned lo, hi;
};

/* Makes the kernel drop every segment for this port unseen: a listener with a filter that returns 0 bytes. Since its
 * commit 5d39580f68e6 (2026, and in stable releases), Linux wants CAP_NET_ADMIN for that on a TCP socket. */
static int reject_all(int fd) {
    struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &reject};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
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

static int claim_in_family(int family, uint16_t port) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The filter comes first, so that there is no moment at which the kernel answers on this port. No SO_REUSEADDR:
     * with it, two scans could hold the same port. */
    if (reject_all(fd) < 0 || bind_any(fd, family, port) < 0 || listen(fd, 1) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Returns a socket that holds the port in both families, or a negative errno. */
static int claim_port(uint16_t port) {
    int r = claim_in_family(AF_INET6, port);
    if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) /* a machine without IPv6, or with it switched off */
        r = claim_in_family(AF_INET, port);
    return r;
}

/* Claims the run that begins at first. On -EADDRINUSE and -EACCES, *refused is the port. */
static int claim_run(struct claim *c, unsigned n, unsigned first, unsigned *refused) {
    for (c->n = 0; c->n < n; c->n++) {
        int fd = claim_port((uint16_t)(first + c->n));
        if (fd < 0) {
            *refused = first + c->n;
            while (c->n > 0)
                close(c->fds[--c->n]);
            return fd;
        }
        c->fds[c->n] = fd;
    }
    c->first = (uint16_t)first;
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

/* Tries every run of n ports within the spans once, from a random one on. */
static int search(struct claim *c, unsigned n, const struct span spans[2], uint64_t random) {
    unsigned counts[2] = {starts_in(&spans[0], n), starts_in(&spans[1], n)};
    unsigned total = counts[0] + counts[1];
    for (unsigned i = 0, step = 1; i < total; i += step) {
        unsigned k = (unsigned)((random + i) % total);
        unsigned first = k < counts[0] ? spans[0].lo + k : spans[1].lo + (k - counts[0]);
        unsigned refused = 0;
        int r = claim_run(c, n, first, &refused);
        if (r != -EADDRINUSE && r != -EACCES) /* EACCES: a security module keeps that port for somebody */
            return r;
        unsigned rest = (k < counts[0] ? counts[0] : total) - k;
        step = refused - first + 1; /* no run that holds the refused port can be had */
        if (step > rest)
            step = rest;
    }
    return -EADDRINUSE;
}

static int claim_anywhere(struct claim *c, unsigned n, uint64_t seed) {
    struct span kernel = local_port_range();
    struct span around[2] = {{PORT_MIN, kernel.lo ? kernel.lo - 1 : PORT_MAX}, {kernel.hi + 1, PORT_MAX}};
    if (around[1].lo < PORT_MIN)
        around[1].lo = PORT_MIN;
    if (!kernel.lo)
        around[1] = (struct span){1, 0};
    struct span everywhere[2] = {{PORT_MIN, PORT_MAX}, {1, 0}};
    uint64_t random = random_splitmix(&seed);
    int r = search(c, n, around, random);
    return r == -EADDRINUSE ? search(c, n, everywhere, random) : r;
}

static int explain(int code, unsigned n, unsigned port, struct error *e) {
    struct rlimit limit = {0};
    switch (code) {
    case -EADDRINUSE:
        if (!port)
            return error_set(e, code, "no %u TCP ports in a row are free for use as source ports", n);
        return error_set(e, code, "source port %u is in use by another program", port);
    case -EPERM:
        return error_set(e, code, "keeping this kernel silent on source ports needs the capability CAP_NET_ADMIN");
    case -EACCES:
        return error_set(e, code, "this user may not use source port %u", port);
    case -EMFILE:
        getrlimit(RLIMIT_NOFILE, &limit);
        return error_set(e, code, "%u source ports need as many open files, but only %llu are allowed (ulimit -n)", n,
                         (unsigned long long)limit.rlim_cur);
    default:
        return error_set(e, code, "cannot claim source ports: %s", strerror(-code));
    }
}

static int claim_ports(unsigned n, uint16_t wanted, uint64_t seed, struct claim *out, struct error *e) {
    *out = CLAIM_INIT;
    if (n == 0 || n > PORT_MAX)
        return error_set(e, -EINVAL, "%u source ports cannot be claimed", n);
    if (wanted && wanted + n - 1 > PORT_MAX)
        return error_set(e, -EINVAL, "source port %u is too high: %u ports in a row are needed, up to %u", wanted, n,
                         PORT_MAX);
    out->fds = calloc(n, sizeof *out->fds);
    if (!out->fds)
        return error_set(e, -ENOMEM, "out of memory for %u source ports", n);
    unsigned refused = wanted;
    int r = wanted ? claim_run(out, n, wanted, &refused) : claim_anywhere(out, n, seed);
    if (r < 0) {
        claim_deinit(out);
        return explain(r, n, refused, e);
    }
    return 0;
}

void claim_deinit(struct claim *c) {
    for (unsigned i = 0; i < c->n; i++)
        close(c->fds[i]);
    free(c->fds);
    *c = CLAIM_INIT;
}

int claim_create(const struct claim_wish *wish, struct claim *out, struct error *e) {
    *out = CLAIM_INIT;
    return wish->n == 0 ? 0 : claim_ports(wish->n, wish->first, wish->seed, out, e);
}
