#include "wire/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

int filter_attach(int fd, const struct wire_filter *filter, enum link_type link, struct error *e) {
    bool ethernet = link == LINK_ETHERNET;
    char text[96];
    snprintf(text, sizeof text, "%sicmp or (tcp and dst portrange %u-%u)", ethernet ? "arp or " : "", filter->port_lo,
             filter->port_hi);
    pcap_t *dead = pcap_open_dead(ethernet ? DLT_EN10MB : DLT_RAW, FILTER_SNAPLEN);
    if (!dead)
        return error_set(e, -ENOMEM, "out of memory for a capture filter");
    struct bpf_program compiled;
    int r = 0;
    if (pcap_compile(dead, &compiled, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        r = error_set(e, -EINVAL, "capture filter \"%s\": %s", text, pcap_geterr(dead));
    } else {
        r = attach(fd, &compiled);
        if (r < 0)
            error_set(e, r, "the kernel refuses the capture filter \"%s\": %s", text, strerror(-r));
        pcap_freecode(&compiled);
    }
    pcap_close(dead);
    return r;
}
