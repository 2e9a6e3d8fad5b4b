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
    IGNORED_BAD_ICMP_CHECKSUM,
    IGNORED_TRUNCATED,
    IGNORED_FRAGMENT,
    IGNORED_NOT_OURS,     /* another protocol, port or kind of packet */
    IGNORED_WRONG_ADDRESS,/* ARP or a quoted header that names addresses we do not use */
    IGNORED_BAD_COOKIE,
    IGNORED_UNSUPPORTED_ICMP, /* a type or code that means nothing here */
    IGNORED_OUT_OF_PLAN,  /* a valid answer about an endpoint the plan does not hold */
    IGNORED_UNSENT,       /* a valid answer to a position that was not sent */
    IGNORED_COUNT
};
const char *ignored_name(enum ignored i); /* "bad_ip_checksum": the key in the summary record */

#define TCP_FLAGS_STRLEN 9 /* eight letters and the final NUL */
/* "SA" for SYN and ACK: one letter of FSRPAUEC for each bit from the lowest up. Returns buf. */
char *tcp_flags_format(uint8_t flags, char buf[static TCP_FLAGS_STRLEN]);

enum reply_kind { REPLY_TCP, REPLY_ICMP_ERROR, REPLY_ARP };

/* Every field in host order. */
struct reply {
    enum reply_kind kind;
    uint8_t source_mac[MAC_LEN], dest_mac[MAC_LEN]; /* Ethernet only; for ARP the source is the sender that the ARP
                                                       packet names, and is the address of one station */
    addr_t source, dest;       /* of the outer IP header; of the ARP sender and target */
    uint8_t ttl;
    uint8_t tcp_flags;
    uint16_t source_port, dest_port; /* TCP */
    uint32_t seq, ack;
    uint16_t window;
    uint8_t icmp_type, icmp_code;
    /* ICMP errors: the quoted header, as it left us */
    addr_t quoted_source, quoted_dest;
    uint8_t quoted_proto;
    uint16_t quoted_source_port, quoted_dest_port;
    uint32_t quoted_seq;
};

/* Reads one frame of len captured bytes; wire_len is what it had on the wire, flags are enum frame_flag. Verifies the
 * checksums of IPv4, ICMP and, unless a flag vouches for it, TCP. What follows the IP packet (Ethernet padding) is not
 * looked at. A frame that ends before the packet does is truncated, but for a TCP segment of which only the capture
 * lacks the end and whose checksum a flag vouches for. Returns IGNORED_NOT and fills *r, or the cause. */
enum ignored reply_parse(enum link_type link, const uint8_t *frame, size_t len, uint32_t wire_len, uint32_t flags,
                         struct reply *r);

/* What a true answer says. */
struct answer {
    struct endpoint endpoint; /* the probe's: address, technique, port */
    struct verdict verdict;   /* STATE_UNKNOWN: a bare SYN, to be answered by probe_build_syn_ack() */
    int tried;                /* the try it answers, or -1 unknown (fixed source port) */
    addr_t reporter;          /* who sent an ICMP error when it was not the target, else 0 */
};

/* Validates a parsed reply against the cookie, the claimed ports and the technique table. Whether the endpoint is in
 * the plan, and was sent, is the caller's to find. A bare SYN proves nothing: it is answered, and the ACK of that
 * answer carries the cookie; one that only echoes our own sequence number is not ours. */
enum ignored reply_judge(const struct probe_config *c, const struct reply *r, struct answer *out);

#endif
