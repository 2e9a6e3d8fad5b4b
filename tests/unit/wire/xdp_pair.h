/* A veth pair for the XDP wire's tests: n0 is ours, with the addresses 198.18.0.2 and 2001:2::2; f0 is the far end. */
#ifndef NOCTULE_TESTS_UNIT_WIRE_XDP_PAIR_H
#define NOCTULE_TESTS_UNIT_WIRE_XDP_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/wire.h"

#define XDP_PAIR_TYPE 0x88b5 /* the ethertype of local experiments (IEEE 802) */

/* In a namespace of the test's own; so many queues either way at both ends. `napi`: the far end receives by NAPI, as
 * injected frames need it. */
void xdp_pair_make(unsigned queues, bool napi);

/* Opens an XDP wire. NULL where this user may not; any other refusal fails the test. */
struct wire *xdp_pair_try(const struct wire_config *config);
/* The same, but where this user may not the test is skipped. */
struct wire *xdp_pair_open(const struct wire_config *config);
struct wire *xdp_pair_sender(const char *ifname);

/* The id of the XDP program on an interface, 0 for none. */
uint32_t xdp_pair_program(const char *ifname);

/* The calling thread runs on that processor only; false when the machine has no such one. */
bool xdp_pair_pin(unsigned cpu);

/* Frame `number`: of any length that may be sent, each byte told by the number, which stands behind the Ethernet
 * header, whose type is that of local experiments. `out` has room for WIRE_FRAME_MAX bytes. Returns the length. */
unsigned xdp_pair_draw(uint32_t number, uint8_t *out);

/* The far end: a packet socket there, and what came. */
struct xdp_far {
    int fd;
    uint32_t next; /* the lowest number that may still come */
    uint64_t seen;
};

struct xdp_far xdp_far_open(const char *ifname);
/* Takes all that has arrived, until so much time passes without a frame. Each frame must be the one that its number
 * says, and the numbers must rise. */
void xdp_far_read(struct xdp_far *far, uint64_t silence_ns);

#endif
