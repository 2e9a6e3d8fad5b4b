/* Building frames and the cookie they carry. Pure: no I/O, no clock. */
#ifndef NOCTULE_PROBE_PROBE_H
#define NOCTULE_PROBE_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/siphash.h"
#include "plan/plan.h"
#include "probe/technique.h"
#include "wire/link.h"

#define PROBE_FRAME_MAX 128u /* longest frame probe_build writes, in bytes */

/* The settings that all frames of a scan share. */
struct probe_config {
    struct siphash_key key;
    uint16_t port_base;  /* first claimed source port, host order */
    uint8_t tries;       /* R + 1: source ports of a technique; 1 with a user's fixed port */
    bool port_fixed;     /* -g: every try uses port_base, so the try is unknown */
    uint8_t ttl;         /* --ttl */
};

/* One way out, as frames need it. */
struct probe_path {
    enum link_type link;
    uint8_t source_mac[MAC_LEN], dest_mac[MAC_LEN];
    addr_t source; /* our address */
};

/* The 64-bit cookie of a four-tuple as it stands in our probe (ports in host order). Its low 32 bits are the TCP
 * sequence number, the next 16 the IP identification. */
uint64_t probe_cookie(const struct siphash_key *key, addr_t source, addr_t dest, uint16_t source_port,
                      uint16_t dest_port);

/* Source port of a try of a technique: base + technique x tries + try (try 0 with a fixed port). The technique must
 * have ports (not ARP), and try < tries. */
uint16_t probe_source_port(const struct probe_config *c, unsigned technique, unsigned try);

/* Writes the whole frame of one probe (SYN with MSS, or ARP request; RFC 9293, RFC 826). Returns its length in bytes,
 * or 0 when no frame of that family and technique can be built for this link. */
size_t probe_build(const struct probe_config *c, const struct probe_path *path, const struct endpoint *ep, unsigned try,
                   uint8_t frame[static PROBE_FRAME_MAX]);

struct reply;
/* The one RST that answers a first SYN-ACK: seq = the received ack, addresses and ports turned round. The MACs are
 * those of the received frame turned round, so no resolution is needed. Returns 0 when r is not TCP over IPv4. */
size_t probe_build_reset(const struct probe_config *c, enum link_type link, const struct reply *r,
                         uint8_t frame[static PROBE_FRAME_MAX]);
/* The SYN-ACK that answers a bare SYN (simultaneous open, RFC 9293 3.5): seq = cookie, ack = received seq + 1. */
size_t probe_build_syn_ack(const struct probe_config *c, enum link_type link, const struct reply *r,
                           uint8_t frame[static PROBE_FRAME_MAX]);

/* Bits on the wire of a frame, as -B counts them: Ethernet padded to 60 + 4 FCS + 8 preamble + 12 gap; else the
 * packet. */
unsigned probe_wire_bits(enum link_type link, size_t frame_len);

/* One line of any frame, ours or received, for --packet-trace and --dry-run:
 *     198.18.0.2:61001 > 198.19.0.1:80 tcp S seq 1 win 64240 ttl 64 id 2 len 44
 * (flags as tcp_flags_format(); len of the IP packet). Writes at most n bytes with the final NUL. Pure, never fails:
 * what it cannot read it shows as "? len N". */
void probe_describe(enum link_type link, const uint8_t *frame, size_t len, char *buf, size_t n);

#endif
