#include "wire/source.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netlink/socket.h>
#include <string.h>

#include "base/array.h"
#include "wire/fib.h"
#include "wire/iface.h"

#define ADDRESSES_MAX 65536u

bool source_is_loopback(addr_t a) {
    return a == 1 || (addr_is_v4(a) && addr_v4(a) >> 24 == 127);
}

static int cannot_ask(int code, struct error *e) {
    return error_set(e, code, "cannot ask the kernel for a route: %s", strerror(-code));
}

static int spoofed(addr_t wanted, struct error *e) {
    char text[ADDR_STRLEN];
    return error_set(e, -EADDRNOTAVAIL, "source address %s is neither this machine's own nor a free one of a network "
                     "on its links: that would be spoofing", addr_format(wanted, text));
}

/* The network of an address of this machine on that interface that `wanted` is in: its last bits are the host's. The
 * narrowest, where there are several; -1 when there is none. */
static int host_bits(const struct array *own, addr_t wanted, int ifindex) {
    const struct iface_address *a = own->items;
    int narrowest = -1;
    for (size_t i = 0; i < own->n; i++) {
        int bits = (addr_is_v4(wanted) ? 32 : 128) - (int)a[i].prefix_len;
        if (a[i].ifindex != ifindex || addr_is_v4(a[i].addr) != addr_is_v4(wanted) || bits <= 0 || bits > 127)
            continue;
        if (a[i].addr >> bits == wanted >> bits && (narrowest < 0 || bits < narrowest))
            narrowest = bits;
    }
    return narrowest;
}

/* In a network of two there is no first and last (RFC 3021, RFC 6164). IPv6 has no broadcast address. */
static bool is_no_host(addr_t a, int bits) {
    addr_t hosts = ((addr_t)1 << bits) - 1;
    return bits > 1 && ((a & hosts) == 0 || (addr_is_v4(a) && (a & hosts) == hosts));
}

static int borrow(struct nl_sock *nl, addr_t wanted, int ifindex, struct source *out, struct error *e) {
    struct array own = ARRAY_INIT(struct iface_address, ADDRESSES_MAX);
    struct iface f;
    int code = iface_read(nl, ifindex, NULL, &f);
    if (code == 0)
        code = iface_addresses(nl, &own);
    int bits = code == 0 && f.arphrd == ARPHRD_ETHER ? host_bits(&own, wanted, ifindex) : -1;
    array_deinit(&own);
    char text[ADDR_STRLEN];
    if (code < 0)
        return error_set(e, code, "cannot ask for interface number %d: %s", ifindex, strerror(-code));
    if (bits < 0)
        return spoofed(wanted, e);
    if (is_no_host(wanted, bits))
        return error_set(e, -EADDRNOTAVAIL, "source address %s stands for a network on \"%s\", not for a host",
                         addr_format(wanted, text), f.name);
    *out = (struct source){.addr = wanted, .borrowed = ifindex};
    return 0;
}

int source_check(struct nl_sock *nl, addr_t wanted, int ifindex, struct source *out, struct error *e) {
    struct fib_answer answer;
    unsigned zone = addr_zone(wanted);
    struct fib_from own = {.ifindex = (int)zone}, free_one = {.ifindex = zone ? (int)zone : ifindex};
    if (wanted >> 120 == 0xff || wanted == 0 || wanted == addr_from_v4(0))
        return spoofed(wanted, e);
    int code = fib_lookup(nl, wanted, &own, &answer); /* an own address may be another interface's */
    if (code < 0)
        return cannot_ask(code, e);
    if (code == 0 && answer.type == RTN_LOCAL) {
        *out = (struct source){.addr = wanted};
        return 0;
    }
    code = fib_lookup(nl, wanted, &free_one, &answer);
    if (code < 0)
        return cannot_ask(code, e);
    bool on_link = code == 0 && !answer.gateway && answer.ifindex && (!zone || answer.ifindex == (int)zone) &&
                   (answer.type == RTN_UNICAST || answer.type == RTN_BROADCAST || answer.type == RTN_ANYCAST);
    return on_link ? borrow(nl, wanted, answer.ifindex, out, e) : spoofed(wanted, e);
}
