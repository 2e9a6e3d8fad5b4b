#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "wire/xdp.h"
#include "wire/xdp_driver.h"
#include "wire/xdp_hook.h"

static enum xdp_answer has(const struct xdp_driver *d, uint64_t features) {
    if (!d->known)
        return XDP_ANSWER_UNKNOWN;
    return (d->features & features) == features ? XDP_ANSWER_YES : XDP_ANSWER_NO;
}

/* A veth's features are the whole truth; a card's driver may offer more once it has a program. */
static enum xdp_answer injects(const struct xdp_driver *d, enum xdp_answer native) {
    enum xdp_answer transmits = has(d, XDP_FEATURE_TRANSMIT);
    return transmits == XDP_ANSWER_NO && native == XDP_ANSWER_YES && !d->is_veth ? XDP_ANSWER_UNKNOWN : transmits;
}

int wire_xdp_probe(const char *ifname, struct wire_xdp_report *out) {
    int ifindex = (int)if_nametoindex(ifname);
    struct xdp_driver d;
    *out = (struct wire_xdp_report){.refusal = ERROR_INIT};
    if (ifindex == 0)
        return -ENODEV;
    int r = xdp_driver_read(ifindex, ifname, &d);
    if (r < 0)
        return r;
    snprintf(out->driver, sizeof out->driver, "%s", d.name);
    out->queues = d.queues;
    out->is_virtual = d.is_virtual;
    out->native = has(&d, XDP_FEATURE_BASIC | XDP_FEATURE_REDIRECT);
    out->zerocopy = has(&d, XDP_FEATURE_ZEROCOPY);
    out->inject = injects(&d, out->native);
    (void)bpf_xdp_query_id(ifindex, 0, &out->other_program);
    if (xdp_hook_check(&d, ifname, false, &out->refusal) == 0 && out->other_program)
        xdp_hook_refuse_busy(ifname, out->other_program, &out->refusal);
    return 0;
}
