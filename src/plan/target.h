/* The user's words for addresses and ports, read into plain ranges. No name is resolved and no file is opened here,
 * except by targets_read(), which reads from a stream its caller opened; of the machine only the names of its interfaces
 * are asked, for zones. */
#ifndef NOCTULE_PLAN_TARGET_H
#define NOCTULE_PLAN_TARGET_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"

/* One set of ports (or, for -sO, of protocols): bit p of word p / 64. */
struct port_set {
    uint64_t bits[65536 / 64];
};

#define PORT_SET_MAX 65536u

void port_set_add(struct port_set *s, unsigned lo, unsigned hi); /* 0 <= lo <= hi <= 65535 */
void port_set_remove(struct port_set *s, const struct port_set *what);
bool port_set_has(const struct port_set *s, unsigned port);
unsigned port_set_count(const struct port_set *s);

/* Whose ports: the IP protocol number of the technique table. PORTS_IP: IP protocol numbers themselves (-sO). */
enum { PORTS_IP = 0, PORTS_TCP = 6, PORTS_UDP = 17, PORTS_SCTP = 132 };

/* What -p may name, by protocol. An nmap user's words, without globs: "22,80-90,-100,60000-,-,http,T:1-5,U:53,S:36412,
 * P:gre". Numbers, ranges (open ends are 1 and 65535; of protocols 0 and 255), service and protocol names, and letters
 * that switch the protocol until the next letter. What stands before any letter is meant for every protocol: it is in
 * all four sets, numbers above 255 not in `ip`. */
struct port_spec {
    struct port_set tcp, udp, sctp, ip;
    bool t_named, u_named, s_named, p_named; /* by their letter: who names UDP ports wants a UDP scan */
};

/* The set for PORTS_TCP, PORTS_UDP, PORTS_SCTP or PORTS_IP. */
const struct port_set *port_spec_of(const struct port_spec *s, unsigned protocol);

/* Adds the ports that text names to *out. -EINVAL with a line that names the offending part. */
int ports_parse(const char *text, struct port_spec *out, struct error *e);

/* Adds the n most common ports of that protocol (data/tcp-ports.tsv and so on) to *out, or all of a list that is shorter;
 * of PORTS_IP all 256 protocols, whatever n. n is 1 .. ports_ranked_count(), else -ERANGE with a line. */
int ports_top(unsigned protocol, unsigned n, struct port_set *out, struct error *e);
unsigned ports_ranked_count(void); /* of the longest list, TCP's */
#define PORTS_DEFAULT_COUNT 1000u

/* The name of a port's service ("ssh"), or of an IP protocol ("gre" with PORTS_IP); NULL where none is known. */
const char *port_name(unsigned protocol, unsigned port);

/* One target as the user meant it. */
struct target {
    struct addr_range range; /* for octet ranges several targets are added */
    int32_t port;            /* -1, or the one port of an "ip:port" line */
    bool wide;               /* a piece of a range that reaches beyond any one special-use range: what lies in such a
                                range was not meant by itself */
};

#define TARGETS_MAX (16u << 20) /* ranges held at most: 16 M x 48 bytes; more is refused with -E2BIG */

/* Reads one target: address, CIDR, a-b, octet ranges of IPv4 (10.0.0-3.1,7; * is 0-255); IPv6 perhaps in brackets, and
 * link-local with a zone (fe80::1%eth0, fe80::/64%eth0, fe80::%eth0/64), for which this machine's interfaces are asked.
 * With allow_port any of these with :port behind it, IPv6 then in brackets. An IPv4-mapped IPv6 address is the IPv4
 * address; an IPv6 range around all of these leaves them out. Appends struct target to list. Positive return
 * TARGET_NAME: text is none of these but looks like a host name (with its :port where allowed), nothing appended, the
 * caller may resolve it. Negative: -EINVAL, -E2BIG or -ENOMEM with a line; *column (may be NULL) is the offending byte,
 * from 1. */
enum { TARGET_NAME = 1 };
int target_parse(const char *text, size_t n, bool allow_port, struct array *list, unsigned *column, struct error *e);

/* A resolver for host names: appends every address the name resolves to. NULL = names are refused. */
typedef int target_resolve_fn(void *ctx, const char *name, struct array *list, struct error *e);

/* Reads a list: blank-separated targets, '#' or ';' starts a comment, CRLF and a BOM are tolerated. An unreadable
 * stream or a bad line gives a line with name:line:column. */
int targets_read(FILE *f, const char *name, bool allow_port, target_resolve_fn *resolve, void *ctx, struct array *list,
                 struct error *e);

/* Special-use ranges (IANA IPv4/IPv6 Special-Purpose Address Registries, RFC 6890 and updates, and multicast),
 * ascending by their first address. */
struct special_range {
    struct addr_range range;
    const char *name, *source; /* "Loopback", "RFC 1122" */
};
const struct special_range *special_ranges(size_t *n);

#endif
