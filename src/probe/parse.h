/* The parts of reply_parse(). Only for src/probe. */
#ifndef NOCTULE_PROBE_PARSE_H
#define NOCTULE_PROBE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "probe/reply.h"

/* A piece of the frame that is being read. */
struct span {
    const uint8_t *p;
    size_t n; /* bytes captured */
};

/* What an IP packet carries behind its headers. */
struct carried {
    struct span data; /* all of it, or what the capture has of it */
    size_t len;       /* its whole length */
    uint64_t pseudo;  /* the addresses' part of the pseudo-header's sum */
    bool v4;
    bool vouched;     /* somebody stands for its checksum, if it is TCP, UDP or SCTP: the only case in which the capture
                         may hold only its first part */
};

/* What a walk along extension headers found. */
struct walk {
    uint8_t proto;    /* the first header that is none of them */
    struct span rest; /* from there on */
};

/* Walks the extension headers of an IPv6 packet, or of as much of it as was quoted: ends at the first header that is
 * not wholly there, as if nothing had followed it. Bounded. IGNORED_FRAGMENT for fragments, but for those that begin a
 * quoted packet and those that are whole (RFC 6946); IGNORED_NOT_OURS for a packet that has not reached its last
 * destination. */
enum ignored walk_extensions(uint8_t proto, struct span rest, bool quoted, struct walk *out);

/* An IPv6 address as a packet may hold it. False for those that never stand there: IPv4's, and link-local ones with
 * something where their zone is kept (addr.h). */
bool load_addr6(const uint8_t *p, addr_t *out);

enum ignored parse_tcp(const struct carried *c, struct reply *r);
enum ignored parse_udp(const struct carried *c, struct reply *r);
enum ignored parse_sctp(const struct carried *c, struct reply *r);
enum ignored parse_icmp(const struct carried *c, struct reply *r);
enum ignored parse_icmpv6(const struct carried *c, struct reply *r);
enum ignored parse_arp(struct span arp, struct reply *r);
/* A neighbour solicitation or advertisement whose checksum is right. */
enum ignored parse_nd(struct span nd, struct reply *r);

#endif
