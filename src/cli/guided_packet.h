/* Packets for --explain: whom they are between, and every field of their headers by its name. Pure: anything may be
 * thrown at them. IPv4: RFC 791; IPv6: RFC 8200; TCP: RFC 9293, 7323, 2018; UDP: RFC 768; ICMP: RFC 792, 4443. */
#ifndef NOCTULE_CLI_GUIDED_PACKET_H
#define NOCTULE_CLI_GUIDED_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "cli/guided_text.h"

/* The two ends of a TCP or UDP packet; of an ICMP error, those of the packet that it quotes. Ports in host order; no
 * zones. */
struct packet_ends {
    addr_t source, dest;
    uint16_t source_port, dest_port;
    uint8_t proto;
    uint8_t tcp_flags; /* of TCP that is not quoted, else 0 */
    bool quoted;
};

/* n bytes at p are an IP packet, or its beginning. False where it is not about ports of TCP or UDP. */
bool packet_ends(const uint8_t *p, size_t n, struct packet_ends *out);

/* Writes the headers of an IP packet, one a line, each line led by the indent: "    TCP: Source Port 61001, ...". Of n
 * bytes at p; what is cut off is said to be so. */
void packet_print(FILE *f, enum language language, const char *indent, const uint8_t *p, size_t n);

#endif
