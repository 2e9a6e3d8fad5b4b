/* Frames to a capture file (libpcap format, nanoseconds), for --pcap. One file per link type; thread-safe by a lock of
 * its own (it is a debugging aid, not a hot path). */
#ifndef NOCTULE_WIRE_PCAPFILE_H
#define NOCTULE_WIRE_PCAPFILE_H

#include "base/error.h"
#include "wire/wire.h"

struct pcapfile; /* opaque */

/* Creates the file, or empties one that is there. "-" is refused: standard output is for findings. Negative errno with
 * a line. */
int pcapfile_create(const char *path, enum link_type link, struct pcapfile **out, struct error *e);
/* Frames without a time (those about to be sent) get that of the call. */
void pcapfile_write(struct pcapfile *p, const struct frame *frames, unsigned n);
/* Flushes and closes; NULL does nothing. Returns 0, or a negative errno when any write failed (disk full): the file is
 * then cut. */
int pcapfile_close(struct pcapfile *p);

#endif
