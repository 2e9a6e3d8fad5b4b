/* What an interface's wires can do for a scan: seen without changing anything, judged, and shown. docs/wires.md
 * explains both wires and the words. */
#ifndef NOCTULE_CLI_WIRES_H
#define NOCTULE_CLI_WIRES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "wire/iface.h"
#include "wire/xdp.h"

/* What counts for every interface. */
struct wires_machine {
    uint64_t capabilities;     /* of this process, in effect: bit 1 << CAP_* of linux/capability.h */
    bool first_user_namespace; /* the kernel's own: BPF's capabilities count in no other */
    unsigned version[2];       /* of the kernel: 5, 18 */
    bool btf;                  /* it describes its own types */
    unsigned page_bytes;
    struct error no_packet, no_xdp; /* judged: why not, anywhere; or "" */
};

enum wires_choice { WIRES_NONE, WIRES_PACKET, WIRES_XDP };

struct wires_interface {
    struct iface iface;
    int unread; /* why its driver could not be asked, a negative errno; 0: `report` is filled in */
    struct wire_xdp_report report;
    /* Judged: */
    bool packet;
    enum xdp_answer xdp;      /* UNKNOWN: it shows when it is tried */
    enum wires_choice choice; /* of --wire auto, for rates above SCAN_XDP_PPS; below, it is packet for both */
    struct error no_packet, no_xdp; /* why not, or why it is unknown, of this interface alone; or "" */
};

/* What this machine and process can. */
void wires_machine_read(struct wires_machine *m);
/* Fills in what is judged, from what was read. */
void wires_machine_judge(struct wires_machine *m);
void wires_judge(const struct wires_machine *m, struct wires_interface *i);

/* What frames of an interface begin with: "Ethernet", "PPP"; NULL for kinds that no wire knows. */
const char *wires_link_name(unsigned arphrd);

/* An aligned table, and a line for everything that is missing. */
void wires_print(FILE *f, const struct wires_machine *m, const struct wires_interface *list, size_t n);
/* One JSON object a line. */
void wires_print_json(FILE *f, const struct wires_machine *m, const struct wires_interface *list, size_t n);

#endif
