/* What a UDP probe says to the service that usually lives on its port: a const table made at build time from
 * data/udp-payloads.txt by scripts/gen-payloads.py. Pure. */
#ifndef NOCTULE_PROBE_PAYLOAD_H
#define NOCTULE_PROBE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MAX 1452u       /* bytes: Ethernet's 1,500 less the headers of IPv6 and UDP */
#define PAYLOADS_PER_PORT_MAX 15u

/* How many payloads a UDP port (host order) gets, each in a packet of its own: 1 .. PAYLOADS_PER_PORT_MAX. A port that
 * the table has nothing for gets one empty payload. With amplifiers also those that make servers answer with much more
 * than they were sent (data/udp-payloads.txt says which and what "much" is). Those come last. */
unsigned payload_count(uint16_t port, bool amplifiers);

/* Writes the nth payload of a port, nth < payload_count(). Its keyed fields (ids, nonces, tags) are drawn from the
 * cookie and nth: the same every time, and different for other cookies. Returns its length in bytes, 0 for the empty
 * one. */
size_t payload_build(uint16_t port, unsigned nth, bool amplifiers, uint64_t cookie, uint8_t out[static PAYLOAD_MAX]);

/* Length in bytes of the longest payload of a port. */
size_t payload_longest(uint16_t port, bool amplifiers);

/* Whether the service answers from another port than it was asked at: TFTP (RFC 1350 4). */
bool payload_wanders(uint16_t port);
/* The one such port. */
uint16_t payload_wandering_port(void);

#endif
