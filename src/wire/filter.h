/* The kernel's filter for a receive handle, compiled from a libpcap expression. */
#ifndef NOCTULE_WIRE_FILTER_H
#define NOCTULE_WIRE_FILTER_H

#include "base/error.h"
#include "wire/wire.h"

#define FILTER_SNAPLEN 65535 /* bytes of a frame that pass: all of any IPv4 packet */

struct bpf_program;

/* The program for frames of that link type, to be freed with pcap_freecode(). Negative errno with a line. */
int filter_compile(const struct wire_filter *filter, enum link_type link, struct bpf_program *out, struct error *e);

/* Attaches the filter to a packet socket for good (it is locked). The socket must not be bound yet: then not even one
 * frame from before the filter can be in its queue. Negative errno with a line. */
int filter_attach(int fd, const struct wire_filter *filter, enum link_type link, struct error *e);

#endif
