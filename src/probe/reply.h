/* Reading received frames: pure functions of bytes; anything may be thrown at them. Two steps: reply_parse() says what
 * a frame is, reply_judge() whether it is a true answer to a probe of ours, and to which one. */
#ifndef NOCTULE_PROBE_REPLY_H
#define NOCTULE_PROBE_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "probe/probe.h"
#include "wire/wire.h"

/* Why a frame was ignored; each is a counter. */
enum ignored {
    IGNORED_NOT,          /* it was not */
    IGNORED_BAD_IP_CHECKSUM,
    IGNORED_BAD_TCP_CHECKSUM,
    IGNORED_BAD_UDP_CHECKSUM,
    IGNORED_BAD_SCTP_CHECKSUM,
    IGNORED_BAD_ICMP_CHECKSUM, /* and ICMPv6 */
    IGNORED_TRUNCATED,
    IGNORED_FRAGMENT,
    IGNORED_NOT_OURS,     /* another protocol, port or kind of packet */
    IGNORED_WRONG_ADDRESS,/* ARP or a quoted header that names addresses we do not use */
    IGNORED_BAD_COOKIE,
    IGNORED_UNSUPPORTED_ICMP, /* a type or code that means nothing here */
    IGNORED_OUT_OF_PLAN,  /* a valid answer about an endpoint the plan does not hold */
    IGNORED_OTHER_VLAN,   /* tagged for a VLAN, whose own interface it belongs to */
    IGNORED_UNSENT,       /* a valid answer to a position that was not sent */
    IGNORED_COUNT
};
const char *ignored_name(enum ignored i); /* "bad_ip_checksum": the key in the summary record */

#define TCP_FLAGS_STRLEN 9 /* eight letters and the final NUL */
/* "SA" for SYN and ACK: one letter of FSRPAUEC for each bit from the lowest up. Returns buf. */
char *tcp_flags_format(uint8_t flags, char buf[static TCP_FLAGS_STRLEN]);

enum reply_kind {
    REPLY_TCP,
    REPLY_UDP,
    REPLY_SCTP,       /* its first chunk is all that is looked at */
    REPLY_ICMP,       /* an answer to an ICMP question: echo reply, timestamp reply; both families */
    REPLY_ICMP_ERROR, /* both families */
    REPLY_NEIGHBOUR,  /* ARP reply, neighbour advertisement */
    REPLY_ASKED,      /* ARP request, neighbour solicitation: somebody asks for an address */
    REPLY_OTHER,      /* an IP packet of any other protocol: what -sO may look for */
};

/* Every field in host order. IPv6 link-local addresses have no zone yet (addr.h): reply_set_zone(). */
struct reply {
    enum reply_kind kind;
    uint8_t source_mac[MAC_LEN], dest_mac[MAC_LEN]; /* Ethernet only; for neighbours the source is the one that the
                                                       packet names, and is the address of one station */
    addr_t source, dest; /* of the outer IP header. NEIGHBOUR: whose link address it tells, and whom it is for. ASKED:
                            who asks, and for which address */
    uint8_t ttl;         /* or hop limit */
    uint8_t proto;       /* IP protocol number behind all extension headers (RFC 8200); 0 of ARP */
    uint8_t tcp_flags;
    uint16_t source_port, dest_port; /* TCP, UDP, SCTP */
    uint32_t seq, ack;   /* TCP */
    uint16_t window;
    uint8_t chunk;       /* SCTP: type of the first chunk */
    uint32_t tag;        /* SCTP: verification tag */
    uint8_t icmp_type, icmp_code;
    uint16_t icmp_id, icmp_seq; /* ICMP */
    uint64_t icmp_cookie;       /* ICMP: the first 8 bytes of an echo's payload; what a timestamp was sent with */
    /* ICMP errors: the quoted header, as it left us */
    addr_t quoted_source, quoted_dest;
    uint8_t quoted_proto;
    uint32_t quoted_id;  /* IPv4 identification; IPv6 flow label */
    uint16_t quoted_source_port, quoted_dest_port; /* ICMP: type and code, and the checksum, as they stand there */
    uint32_t quoted_seq; /* TCP sequence number; SCTP verification tag; ICMP: id and sequence as they stand there */
    uint32_t quoted_tag; /* SCTP INIT: its initiate tag, where so much was quoted; else 0 */
};

/* Puts the zone of the interface it came in by into the link-local addresses of a reply. */
void reply_set_zone(struct reply *r, unsigned ifindex);

/* Reads one frame of len captured bytes; wire_len is what it had on the wire, flags are enum frame_flag. Verifies the
 * checksums of IPv4, ICMP, ICMPv6 and, unless a flag vouches for them, TCP, UDP and SCTP. Walks IPv6 extension headers
 * (RFC 8200 4: hop-by-hop, routing, destination options, authentication, and fragment headers of whole packets, RFC
 * 6946). What follows the IP packet (Ethernet padding) is not looked at. A frame that ends before the packet does is
 * truncated, but for a TCP, UDP or SCTP packet of which only the capture lacks the end and whose checksum a flag vouches
 * for. Returns IGNORED_NOT and fills *r, or the cause. */
enum ignored reply_parse(enum link_type link, const uint8_t *frame, size_t len, uint32_t wire_len, uint32_t flags,
                         struct reply *r);

/* What a true answer says. */
struct answer {
    struct endpoint endpoint; /* the probe's, as it stands in the plan: address, technique, port */
    struct verdict verdict;   /* STATE_UNKNOWN: a bare SYN, to be answered by probe_build_syn_ack() */
    int tried;                /* the try it answers, or -1 unknown (fixed source port) */
    addr_t reporter;          /* who sent an ICMP error when it was not the target, else 0 */
};

/* Validates a parsed reply against the cookie, the claimed ports and the technique table (the only source of states).
 * Whether the endpoint is in the plan, and was sent, is the caller's to find: of UDP, of other protocols' packets and
 * of neighbours that is part of the proof. REPLY_ASKED is nobody's answer. A bare SYN proves nothing: it is answered, and
 * the ACK of that answer carries the cookie; one that only echoes our own sequence number is not ours. */
enum ignored reply_judge(const struct probe_config *c, const struct reply *r, struct answer *out);

#endif
