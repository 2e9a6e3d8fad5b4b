#include "wire/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PROTOCOLS 256u

/* libpcap's instruction and the kernel's are the same 8 bytes; the field types differ in name only. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "BPF instructions differ");

static int attach(int fd, const struct bpf_program *compiled) {
    struct sock_fprog program = {.len = (unsigned short)compiled->bf_len, .filter = (void *)compiled->bf_insns};
    int on = 1;
    if (compiled->bf_len > BPF_MAXINSNS)
        return -E2BIG;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) < 0)
        return -errno;
    return 0;
}

/* An expression that is put together piece by piece. Of the longest set of protocols, every second one of 256, each
 * takes a piece in each family. */
struct text {
    char at[16 << 10];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->n, sizeof t->at - t->n, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof t->at - t->n)
        t->n += (size_t)n;
}

static bool wants(const struct wire_protocols *set, unsigned protocol) {
    return protocol < PROTOCOLS && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP &&
           (set->bits[protocol / 64] >> protocol % 64 & 1) != 0;
}

/* Protocol numbers mostly come in runs, and a run is one comparison. */
static void append_protocols(struct text *t, const struct wire_protocols *set) {
    for (unsigned lo = 0, hi; lo < PROTOCOLS; lo = hi + 1) {
        hi = lo;
        if (!wants(set, lo))
            continue;
        while (wants(set, hi + 1))
            hi++;
        append(t, " or (ip[9] >= %u and ip[9] <= %u) or (ip6[6] >= %u and ip6[6] <= %u)", lo, hi, lo, hi);
    }
}

/* libpcap's "dst portrange" means TCP, UDP and SCTP of both families, and no later fragments. */
static void describe(const struct wire_filter *filter, enum link_type link, struct text *t) {
    append(t, "%sdst portrange %u-%u or icmp or icmp6", link == LINK_ETHERNET ? "arp or " : "", filter->port_lo,
           filter->port_hi);
    static const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH,
                                         IPPROTO_DSTOPTS};
    for (size_t i = 0; i < sizeof extensions; i++)
        append(t, " or ip6[6] == %u", extensions[i]);
    if (filter->protocols)
        append_protocols(t, filter->protocols);
}

int filter_compile(const struct wire_filter *filter, enum link_type link, struct bpf_program *out, struct error *e) {
    struct text text = {.n = 0};
    describe(filter, link, &text);
    pcap_t *dead = pcap_open_dead(link == LINK_ETHERNET ? DLT_EN10MB : DLT_RAW, FILTER_SNAPLEN);
    if (!dead)
        return error_set(e, -ENOMEM, "out of memory for a capture filter");
    int r = 0;
    if (pcap_compile(dead, out, text.at, 1, PCAP_NETMASK_UNKNOWN) < 0)
        r = error_set(e, -EINVAL, "capture filter \"%.60s\": %s", text.at, pcap_geterr(dead));
    pcap_close(dead);
    return r;
}

int filter_attach(int fd, const struct wire_filter *filter, enum link_type link, struct error *e) {
    struct bpf_program compiled;
    int r = filter_compile(filter, link, &compiled, e);
    if (r < 0)
        return r;
    r = attach(fd, &compiled);
    pcap_freecode(&compiled);
    return r < 0 ? error_set(e, r, "the kernel refuses the capture filter: %s", strerror(-r)) : 0;
}
