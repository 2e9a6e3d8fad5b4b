/* What the wire's tests stand on: a network namespace of the test's own, without a way out, and the far end of a pair
 * to inject frames at. */
#ifndef NOCTULE_TESTS_UNIT_WIRE_SPACE_H
#define NOCTULE_TESTS_UNIT_WIRE_SPACE_H

#include "../unit.h"

#include <stdbool.h>

#include "base/addr.h"
#include "wire/wire.h"

#define FRAME_HEADERS 54u /* Ethernet, IPv4 and TCP, without options */

/* Moves the process into a fresh namespace in which only lo is up. Skips the test where that is not permitted. */
void space_enter(void);

/* Runs a command line of ip(8), tc(8), nft(8) ... there; the test fails if it fails. */
void space_run(const char *command);
/* The same, but false instead of a failure: for what not every kernel can do. */
bool space_try(const char *command);

/* Takes a capability (CAP_* of linux/capability.h) from this process. */
bool space_drop_capability(unsigned capability);

int space_ifindex(const char *name);
addr_t space_addr(const char *text);

/* A packet socket on the interface that sends, and receives when `receives`. */
int space_socket(const char *ifname, bool receives);

/* A frame of `len` bytes (FRAME_HEADERS at least) from 198.18.0.1 to 198.18.0.2: TCP between those ports, with valid
 * checksums; the rest holds `tag` and zeros. */
void space_tcp_frame(uint8_t *out, size_t len, uint16_t from_port, uint16_t to_port, uint32_t tag);
/* Sets both checksums of an Ethernet frame with IPv4 and TCP. */
void space_checksums(uint8_t *frame, size_t len);

/* The wire's configuration for an Ethernet interface of the space, ports 40000 to 40003. */
struct wire_config space_config(const char *ifname);
struct wire *space_open(const struct wire_config *config);

/* Receives until n frames came or 5 s passed; calls `each` for each of them. Returns how many came. */
unsigned space_receive(struct wire *w, unsigned n, void (*each)(const struct frame *f, void *arg), void *arg);

#endif
