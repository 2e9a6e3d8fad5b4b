/* libnl does the framing: sequence numbers, multi-part answers, the walk over attributes. Its objects and caches are
 * left aside: a full Internet table would take half a gigabyte of them, where two numbers a prefix are enough. */
#include "wire/fib.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

#define IPV4_BITS 32u
#define IPV4_BYTES 4
#define IPV6_BITS 128u
#define IPV6_BYTES 16
#define DUMP_ATTEMPTS 8 /* a dump during which routes changed is begun again */

/* The fields that both share are all that is read. */
_Static_assert(sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr), "rules and routes have the same header");
_Static_assert((int)RTA_DST == (int)FRA_DST, "rules and routes name their destination alike");

/* One conversation with the kernel, as the callbacks see it. */
struct exchange {
    struct array *starts;
    struct fib_answer *answer;
    int error;   /* negative errno of our own */
    int refusal; /* negative errno that the kernel answered */
};

static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *arg) {
    (void)from;
    struct exchange *x = arg;
    x->refusal = refusal->error;
    return NL_STOP;
}

/* Sends a message and feeds the answer to on_valid. Returns 0 or a negative errno; what the kernel refused is 0 here,
 * and in x->refusal. */
static int converse(struct nl_sock *nl, struct nl_msg *message, nl_recvmsg_msg_cb_t on_valid, struct exchange *x) {
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    if (!callbacks)
        return -ENOMEM;
    nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_valid, x);
    nl_cb_err(callbacks, NL_CB_CUSTOM, on_refusal, x);
    nl_socket_disable_auto_ack(nl); /* the answer itself is the acknowledgement */
    int r = nl_send_auto(nl, message);
    if (r >= 0)
        r = nl_recvmsgs(nl, callbacks);
    nl_cb_put(callbacks);
    if (x->error)
        return x->error;
    if (r >= 0 || x->refusal)
        return 0;
    return r == -NLE_DUMP_INTR ? -EAGAIN : r == -NLE_NOMEM ? -ENOMEM : -EIO;
}

static int add_start(struct exchange *x, addr_t a) {
    addr_t *slot = array_add(x->starts);
    if (slot) {
        *slot = a;
        return NL_OK;
    }
    x->error = errno == E2BIG ? -E2BIG : -ENOMEM;
    return NL_STOP;
}

static addr_t load_addr6(const uint8_t *p) {
    return (addr_t)load_be64(p) << 64 | load_be64(p + 8);
}

static int on_prefix(struct nl_msg *message, void *arg) {
    struct exchange *x = arg;
    struct nlmsghdr *h = nlmsg_hdr(message);
    if (!nlmsg_valid_hdr(h, sizeof(struct rtmsg)))
        return NL_SKIP;
    const struct rtmsg *r = nlmsg_data(h);
    bool v4 = r->rtm_family == AF_INET;
    unsigned bits = v4 ? IPV4_BITS : IPV6_BITS;
    if ((!v4 && r->rtm_family != AF_INET6) || r->rtm_dst_len > bits)
        return NL_SKIP;
    struct nlattr *to = nlmsg_find_attr(h, sizeof *r, RTA_DST);
    if (!to || nla_len(to) < (int)bits / 8 || r->rtm_dst_len == 0) /* for every destination: no boundary */
        return NL_SKIP;
    addr_t hosts = ((addr_t)1 << (bits - r->rtm_dst_len)) - 1;
    addr_t first = (v4 ? addr_from_v4(load_be32(nla_data(to))) : load_addr6(nla_data(to))) & ~hosts;
    int verdict = add_start(x, first);
    return verdict == NL_OK ? add_start(x, first + hosts + 1) : verdict;
}

/* Dumps routes (RTM_GETROUTE) or rules (RTM_GETRULE). */
static int dump_once(struct nl_sock *nl, int what, int family, struct exchange *x) {
    struct rtmsg all = {.rtm_family = (unsigned char)family};
    struct nl_msg *m = nlmsg_alloc_simple(what, NLM_F_REQUEST | NLM_F_DUMP);
    if (!m)
        return -ENOMEM;
    int r = nlmsg_append(m, &all, sizeof all, NLMSG_ALIGNTO) < 0 ? -ENOMEM : converse(nl, m, on_prefix, x);
    nlmsg_free(m);
    return r < 0 ? r : x->refusal;
}

static int dump(struct nl_sock *nl, int what, int family, struct array *starts) {
    size_t before = starts->n;
    int r = -EAGAIN;
    for (int i = 0; i < DUMP_ATTEMPTS && r == -EAGAIN; i++) {
        struct exchange x = {.starts = starts};
        starts->n = before;
        r = dump_once(nl, what, family, &x);
    }
    return r;
}

int fib_boundaries(struct nl_sock *nl, int family, struct array *starts, struct error *e) {
    int r = dump(nl, RTM_GETROUTE, family, starts);
    if (r == 0)
        r = dump(nl, RTM_GETRULE, family, starts);
    if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT) /* a kernel without policy routing, or without IPv6 */
        r = 0;
    if (r == -E2BIG)
        return error_set(e, r, "the kernel's routing table is too large: over %zu prefixes", starts->max / 2);
    return r < 0 ? error_set(e, r, "cannot read the kernel's routing table: %s", strerror(-r)) : 0;
}

static addr_t read_addr(const struct nlattr *a) {
    if (!a)
        return 0;
    if (nla_len(a) == IPV4_BYTES)
        return addr_from_v4(load_be32(nla_data(a)));
    return nla_len(a) == IPV6_BYTES ? load_addr6(nla_data(a)) : 0;
}

/* RTA_VIA: a gateway of the other family, as family and address. */
static addr_t read_via(const struct nlattr *a) {
    struct rtvia via;
    if (!a || nla_len(a) < (int)sizeof via + IPV6_BYTES)
        return 0;
    memcpy(&via, nla_data(a), sizeof via);
    return via.rtvia_family == AF_INET6 ? load_addr6((const uint8_t *)nla_data(a) + sizeof via) : 0;
}

static int on_answer(struct nl_msg *message, void *arg) {
    struct exchange *x = arg;
    struct nlmsghdr *h = nlmsg_hdr(message);
    struct nlattr *attrs[RTA_MAX + 1];
    if (nlmsg_parse(h, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) < 0) {
        x->error = -EPROTO;
        return NL_STOP;
    }
    const struct rtmsg *r = nlmsg_data(h);
    addr_t gateway = read_addr(attrs[RTA_GATEWAY]);
    uint32_t ifindex = attrs[RTA_OIF] ? nla_get_u32(attrs[RTA_OIF]) : 0;
    uint32_t zone = ifindex <= ADDR_ZONE_MAX ? ifindex : 0;
    *x->answer = (struct fib_answer){
        .type = r->rtm_type,
        .ifindex = (int)ifindex,
        .source = addr_with_zone(read_addr(attrs[RTA_PREFSRC]), zone),
        .gateway = addr_with_zone(gateway ? gateway : read_via(attrs[RTA_VIA]), zone),
    };
    return NL_OK;
}

static int put_addr(struct nl_msg *m, int attribute, addr_t a) {
    uint8_t raw[IPV6_BYTES];
    if (addr_is_v4(a)) {
        store_be32(raw, addr_v4(a));
        return nla_put(m, attribute, IPV4_BYTES, raw);
    }
    a = addr_with_zone(a, 0);
    store_be64(raw, (uint64_t)(a >> 64));
    store_be64(raw + 8, (uint64_t)a);
    return nla_put(m, attribute, IPV6_BYTES, raw);
}

static int build_lookup(struct nl_msg *m, addr_t to, const struct fib_from *from, unsigned flags) {
    bool v4 = addr_is_v4(to);
    unsigned char bits = v4 ? IPV4_BITS : IPV6_BITS;
    struct rtmsg h = {.rtm_family = v4 ? AF_INET : AF_INET6,
                      .rtm_dst_len = bits,
                      .rtm_src_len = from->source ? bits : 0,
                      .rtm_flags = flags};
    if (nlmsg_append(m, &h, sizeof h, NLMSG_ALIGNTO) < 0 || put_addr(m, RTA_DST, to) < 0)
        return -ENOMEM;
    if (from->source && put_addr(m, RTA_SRC, from->source) < 0)
        return -ENOMEM;
    return from->ifindex && nla_put_u32(m, RTA_OIF, (uint32_t)from->ifindex) < 0 ? -ENOMEM : 0;
}

static int ask(struct nl_sock *nl, addr_t to, const struct fib_from *from, unsigned flags, struct fib_answer *out) {
    struct exchange x = {.answer = out};
    struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
    if (!m)
        return -ENOMEM;
    int r = build_lookup(m, to, from, flags);
    if (r == 0)
        r = converse(nl, m, on_answer, &x);
    nlmsg_free(m);
    if (r < 0)
        return r;
    return x.refusal == -ENOMEM || x.refusal == -ENOBUFS || x.refusal == -EPERM ? x.refusal : x.refusal < 0;
}

/* Bound to an interface, the kernel takes an IPv4 destination without a route for one on that link. Whether a route
 * really matches shows only in the second form of the question, which asks for the route itself (it names the interface
 * that has an address of this machine's own, too; of several paths it names none). */
static int ask_bound(struct nl_sock *nl, addr_t to, const struct fib_from *from, struct fib_answer *out) {
    int r = ask(nl, to, from, RTM_F_FIB_MATCH, out);
    if (r != 0)
        return r;
    if (out->ifindex && out->ifindex != from->ifindex)
        return 1;
    r = ask(nl, to, from, 0, out);
    return r == 0 && out->type != RTN_LOCAL && out->ifindex != from->ifindex ? 1 : r;
}

int fib_lookup(struct nl_sock *nl, addr_t to, const struct fib_from *from, struct fib_answer *out) {
    int r = from->ifindex ? ask_bound(nl, to, from, out) : ask(nl, to, from, 0, out);
    if (r == 1 && from->ifindex && from->source && !addr_is_v4(to)) {
        /* With a source, an interface is only a wish to IPv6's lookup: routes elsewhere hide those that leave by it. */
        struct fib_from any_source = {.ifindex = from->ifindex};
        r = ask_bound(nl, to, &any_source, out);
    }
    if (r == 0 && from->source) /* IPv4 does not repeat it, IPv6 says what it would have taken instead */
        out->source = from->source;
    return r;
}
