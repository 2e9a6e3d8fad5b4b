/* Frames of many probes that differ only in address, port and cookie: copied from one template, with what differs put
 * in. Checksums are sums of the template plus what differs (RFC 1624). Pure: no I/O, no clock. */
#ifndef NOCTULE_PROBE_STAMP_H
#define NOCTULE_PROBE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/vector.h"
#include "plan/plan.h"
#include "probe/probe.h"

#define STAMP_FRAME_MAX 96u /* bytes; also the room each frame of a batch needs */

/* The template: everything that one technique, try and path have in common. */
struct stamp {
    uint8_t frame[STAMP_FRAME_MAX]; /* what differs is zero in it */
    size_t len;                     /* of each frame, in bytes */
    size_t ip;                      /* where the IP header begins */
    bool v4;
    uint32_t source;             /* over IPv4 */
    uint32_t ports;              /* the segment's first four bytes: source port, 0 */
    uint32_t offset_to_window;   /* its offset, flags and window */
    uint32_t ack_mask;           /* all ones: the cookie acknowledges too */
    uint64_t ip_keyed;           /* the 8 bytes from the identification (IPv4) or the flow label's word (IPv6) on */
    uint64_t ip_sum, tcp_sum;    /* of the template, the latter with its pseudo-header; unfolded */
    struct siphash_state cookie; /* what all cookies begin with */
    enum vector_way way;         /* vector_best(), unless a test wants another */
};

/* False: probes of this technique are not alike enough (UDP payloads, SCTP, pings, protocols ...), probe_build() makes
 * each. path must be one whose source and MACs hold for all targets. */
bool stamp_init(struct stamp *s, const struct probe_config *c, const struct probe_path *path, unsigned technique,
                unsigned try, bool v4);

/* Writes the frames of probes to n endpoints, all of the stamp's technique and family: byte for byte what probe_build()
 * writes (part 0). Frame i begins at frames + i * stride; STAMP_FRAME_MAX bytes from there may be written. All have
 * s->len bytes. */
void stamp_many(const struct stamp *s, const struct endpoint *ep, unsigned n, uint8_t *frames, size_t stride);

#endif
