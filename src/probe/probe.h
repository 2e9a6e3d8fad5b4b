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

#define PROBE_FRAME_MAX 1514u /* longest frame that is built, in bytes: QUIC's first packet has at least 1,200 */
#define PROBE_ANSWER_MAX 128u /* longest of the frames that answer: resets, SYN-ACKs, neighbour answers */
#define PROBE_PARTS_MAX 16u   /* packets that one probe may consist of */

/* One packet of a host discovery probe. */
enum ping_kind {
    PING_ECHO,      /* ICMP echo, both families */
    PING_TIMESTAMP, /* ICMP timestamp; IPv4 only */
    PING_SYN,
    PING_ACK,
    PING_UDP,
    PING_SCTP, /* INIT */
};
struct ping_part {
    enum ping_kind kind;
    uint16_t port; /* of SYN, ACK, UDP, SCTP */
};

/* The settings that all frames of a scan share. */
struct probe_config {
    struct siphash_key key;
    /* Each technique of the scan has `tries` source ports of its own, so that an answer tells technique and try: from
     * first_port[technique] up, host order; 0: not in this scan (or it has no ports: neighbours). -sO and pings use
     * theirs for the TCP, UDP and SCTP packets among their probes. */
    uint16_t first_port[TECHNIQUE_COUNT];
    /* UDP services that answer from another port than they were asked at (TFTP, RFC 1350 4) are asked from these
     * `tries` ports, and only one port number of the payload table is such: 0 = none in this scan. */
    uint16_t wandering_port;
    uint8_t tries;       /* R + 1; 1 with a user's fixed port */
    bool port_fixed;     /* -g: all techniques and tries use that one port, so the try is unknown */
    uint8_t ttl;         /* --ttl; hop limit of IPv6 */
    bool flags_given;    /* --scanflags: TCP techniques' probes carry these instead of the table's */
    uint8_t flags;
    bool amplifiers;     /* --allow-amplifiers: payloads that make servers answer with much more are sent too */
    struct ping_part ping[PROBE_PARTS_MAX]; /* what TECHNIQUE_PING's probe consists of */
    unsigned n_ping;
};

/* One way out, as frames need it. */
struct probe_path {
    enum link_type link;
    uint8_t source_mac[MAC_LEN], dest_mac[MAC_LEN];
    addr_t source; /* our address */
};

/* The 64-bit cookie of a four-tuple as it stands in our probe (ports in host order; zones do not count). Its low
 * 32 bits are the TCP sequence number, the next 16 the IP identification (1 for 0). With a fixed port each technique has
 * a key of its own, from the scan's: docs/headers.md. */
uint64_t probe_cookie(const struct siphash_key *key, addr_t source, addr_t dest, uint16_t source_port,
                      uint16_t dest_port);

/* Source port of a try of a technique: its first port + try (+ 0 with a fixed port). The technique must be in the scan
 * and have ports, and try < tries. */
uint16_t probe_source_port(const struct probe_config *c, unsigned technique, unsigned try);

/* How many packets the probe to an endpoint is: 1, but for UDP ports with several payloads and for pings. At least 1,
 * at most PROBE_PARTS_MAX. */
unsigned probe_parts(const struct probe_config *c, const struct endpoint *ep);

/* Writes the whole frame of one packet of a probe, part < probe_parts(). TCP: RFC 9293; UDP: RFC 768, always with a
 * checksum; SCTP: RFC 9260; ICMP: RFC 792, 4443; ARP: RFC 826; neighbour solicitation: RFC 4861. docs/headers.md says
 * what each field holds and why. Returns its length in bytes, or 0 when there is no such packet for that family and
 * link (a timestamp over IPv6; a neighbour where there are no link addresses). */
size_t probe_build(const struct probe_config *c, const struct probe_path *path, const struct endpoint *ep, unsigned try,
                   unsigned part, uint8_t frame[static PROBE_FRAME_MAX]);

/* The longest IP packet, in bytes, that probes of this technique to this port are, in either family: what the MTU is
 * held against. */
size_t probe_packet_max(const struct probe_config *c, const struct slot *slot);

struct reply;
/* The one RST that answers a first SYN-ACK: seq = the received ack, addresses and ports turned round. The MACs are
 * those of the received frame turned round, so no resolution is needed. Returns 0 when r is not TCP. */
size_t probe_build_reset(const struct probe_config *c, enum link_type link, const struct reply *r,
                         uint8_t frame[static PROBE_ANSWER_MAX]);
/* The SYN-ACK that answers a bare SYN (simultaneous open, RFC 9293 3.5): seq = cookie, ack = received seq + 1. */
size_t probe_build_syn_ack(const struct probe_config *c, enum link_type link, const struct reply *r,
                           uint8_t frame[static PROBE_ANSWER_MAX]);

/* The answer to an ARP request or neighbour solicitation that asks for `own`, an address that is ours only for this
 * scan (-S). The reply must be of REPLY_ASKED. Returns 0 where it is not. */
size_t probe_build_neighbour_answer(enum link_type link, const struct reply *r, const uint8_t mac[static MAC_LEN],
                                    uint8_t frame[static PROBE_ANSWER_MAX]);

/* Bits on the wire of a frame, as -B counts them: Ethernet padded to 60 + 4 FCS + 8 preamble + 12 gap; else the
 * packet. */
unsigned probe_wire_bits(enum link_type link, size_t frame_len);

/* One line of any frame, ours or received, for --packet-trace and --dry-run:
 *     198.18.0.2:61001 > 198.19.0.1:80 tcp S seq 1 win 64240 ttl 64 id 2 len 44
 *     [2001:2::2]:61070 > [2001:2::77]:53 udp len 30 hop 64 flow 703710 len 70
 *     198.18.0.254 > 198.18.0.2 icmp host-unreach type 3 code 1 about 198.18.0.2:61070 > 198.19.0.1:53 udp ttl 64 ...
 *     nd who-has 2001:2::77 tell 2001:2::2
 * (flags as tcp_flags_format(); len of the IP packet). Writes at most n bytes with the final NUL. Pure, never fails:
 * what it cannot read it shows as "? len N". */
void probe_describe(enum link_type link, const uint8_t *frame, size_t len, char *buf, size_t n);

#endif
