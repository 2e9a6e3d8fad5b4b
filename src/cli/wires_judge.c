/* Which wires an interface has, and why not. */
#include "cli/wires.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define USER_NAMESPACE_FIRST 0xeffffffdu /* its inode in /proc, in all kernels (USER_NS_INIT_INO of linux/nsfs.h) */
#define XDP_VERSION_MAJOR 5u             /* Linux 5.18 injects frames */
#define XDP_VERSION_MINOR 18u
/* What stands in a frame's page beside it: XDP_PACKET_HEADROOM, and struct skb_shared_info at the end. */
#define XDP_PAGE_TAKEN (256u + 320u)

static uint64_t read_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

/* "6.18.44-amd64" */
static void read_version(const char *release, unsigned version[static 2]) {
    char *end;
    version[0] = (unsigned)strtoul(release, &end, 10);
    if (*end == '.')
        version[1] = (unsigned)strtoul(end + 1, NULL, 10);
}

void wires_machine_read(struct wires_machine *m) {
    struct utsname name;
    struct stat space;
    *m = (struct wires_machine){
        .capabilities = read_capabilities(),
        .first_user_namespace = stat("/proc/self/ns/user", &space) < 0 || space.st_ino == USER_NAMESPACE_FIRST,
        .btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0,
        .page_bytes = (unsigned)sysconf(_SC_PAGESIZE),
    };
    if (uname(&name) == 0)
        read_version(name.release, m->version);
}

/* "CAP_BPF and CAP_PERFMON", of what is missing. CAP_SYS_ADMIN stands for both of these. */
static const char *missing(uint64_t have, const int *wanted, size_t n, char text[static 80]) {
    static const char *const names[] = {
        [CAP_NET_ADMIN] = "CAP_NET_ADMIN", [CAP_NET_RAW] = "CAP_NET_RAW",
        [CAP_BPF] = "CAP_BPF",             [CAP_PERFMON] = "CAP_PERFMON",
    };
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!(have & BIT(wanted[i])))
            at += (size_t)snprintf(text + at, 80 - at, "%s%s", at ? " and " : "", names[wanted[i]]);
    return text;
}

static void judge_packet_privilege(struct wires_machine *m) {
    static const int raw[] = {CAP_NET_RAW, CAP_NET_ADMIN};
    char names[80];
    if (*missing(m->capabilities, raw, 2, names))
        error_set(&m->no_packet, 0, "neither wire without %s, which this process has not: scans connect instead (-sT); "
                  "use sudo, or once \"setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon+ep\" on this program",
                  names);
}

static void judge_xdp_privilege(struct wires_machine *m) {
    static const int bpf[] = {CAP_BPF, CAP_PERFMON};
    bool admin = m->capabilities & BIT(CAP_SYS_ADMIN);
    char names[80];
    if (!admin && *missing(m->capabilities, bpf, 2, names))
        error_set(&m->no_xdp, 0, "no xdp without %s, which this process has not: use sudo, or once \"setcap "
                  "cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon+ep\" on this program", names);
    else if (!m->first_user_namespace)
        error_set(&m->no_xdp, 0, "no xdp in this user namespace: the kernel takes programs for it from the first one "
                  "only, outside of such containers");
}

void wires_machine_judge(struct wires_machine *m) {
    const unsigned *v = m->version;
    m->no_packet = m->no_xdp = ERROR_INIT;
    judge_packet_privilege(m);
    if (v[0] < XDP_VERSION_MAJOR || (v[0] == XDP_VERSION_MAJOR && v[1] < XDP_VERSION_MINOR))
        error_set(&m->no_xdp, 0, "no xdp with this kernel, Linux %u.%u: it wants %u.%u", v[0], v[1], XDP_VERSION_MAJOR,
                  XDP_VERSION_MINOR);
    else if (!m->btf)
        error_set(&m->no_xdp, 0, "no xdp with this kernel: it does not show its types (/sys/kernel/btf/vmlinux, "
                  "CONFIG_DEBUG_INFO_BTF)");
    else
        judge_xdp_privilege(m);
}

const char *wires_link_name(unsigned arphrd) {
    switch (arphrd) {
    case ARPHRD_ETHER:
        return "Ethernet";
    case ARPHRD_LOOPBACK:
        return "loopback";
    case ARPHRD_NONE: /* tun, WireGuard */
    case ARPHRD_RAWIP:
        return "IP";
    case ARPHRD_PPP:
        return "PPP";
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
        return "IP tunnel";
    default:
        return NULL;
    }
}

static bool judge_packet(struct wires_interface *i) {
    const struct iface *f = &i->iface;
    if (!wires_link_name(f->arphrd))
        error_set(&i->no_packet, 0, "interface \"%s\" is neither Ethernet nor plain IP (kind %u of if_arp.h)", f->name,
                  f->arphrd);
    else if (!f->up)
        error_set(&i->no_packet, 0, "interface \"%s\" is down; to switch it on: ip link set %s up", f->name, f->name);
    else if (!f->carrier)
        error_set(&i->no_packet, 0, "interface \"%s\" has no carrier: nobody is at the other end", f->name);
    return !*i->no_packet.text;
}

/* What the driver tells, where it has said nothing against it. */
static enum xdp_answer judge_driver(const struct wires_machine *m, struct wires_interface *i) {
    const struct wire_xdp_report *r = &i->report;
    unsigned mtu_max = m->page_bytes - XDP_PAGE_TAKEN - ETHERNET_HEADER_LEN;
    if (r->native == XDP_ANSWER_UNKNOWN)
        error_set(&i->no_xdp, 0, "interface \"%s\": whether its driver can, this kernel does not tell (Linux 6.3 "
                  "does); it shows when it is tried, and --wire auto falls back to packet", i->iface.name);
    else if (i->iface.mtu > mtu_max)
        error_set(&i->no_xdp, 0, "interface \"%s\": an MTU of %u is more than most drivers take with an XDP program, "
                  "which wants a frame in one page (%u); it shows when it is tried, and --wire auto falls back to "
                  "packet", i->iface.name, i->iface.mtu, mtu_max);
    else if (r->zerocopy != XDP_ANSWER_YES && r->inject == XDP_ANSWER_UNKNOWN)
        error_set(&i->no_xdp, 0, "interface \"%s\": whether its driver transmits injected frames shows only when xdp "
                  "is tried; --wire auto falls back to packet", i->iface.name);
    return *i->no_xdp.text ? XDP_ANSWER_UNKNOWN : XDP_ANSWER_YES;
}

static enum xdp_answer judge_xdp(const struct wires_machine *m, struct wires_interface *i) {
    const char *name = i->iface.name;
    if (i->iface.arphrd != ARPHRD_ETHER)
        error_set(&i->no_xdp, 0, "interface \"%s\": xdp wants Ethernet, and this is %s", name,
                  wires_link_name(i->iface.arphrd) ? wires_link_name(i->iface.arphrd) : "something else");
    else if (!i->unread && *i->report.refusal.text)
        i->no_xdp = i->report.refusal;
    if (*i->no_xdp.text)
        return XDP_ANSWER_NO;
    if (i->unread) {
        error_set(&i->no_xdp, 0, "interface \"%s\": its driver cannot be asked: %s", name, strerror(-i->unread));
        return *m->no_xdp.text ? XDP_ANSWER_NO : XDP_ANSWER_UNKNOWN;
    }
    enum xdp_answer driver = judge_driver(m, i);
    return *m->no_xdp.text || *m->no_packet.text ? XDP_ANSWER_NO : driver;
}

void wires_judge(const struct wires_machine *m, struct wires_interface *i) {
    i->no_packet = i->no_xdp = ERROR_INIT;
    i->packet = judge_packet(i) && !*m->no_packet.text;
    i->xdp = judge_xdp(m, i);
    i->choice = !i->packet ? WIRES_NONE : i->xdp == XDP_ANSWER_NO ? WIRES_PACKET : WIRES_XDP;
}
