/* What other wires need of the packet wire besides its operations (wire.h). */
#ifndef NOCTULE_WIRE_PACKET_H
#define NOCTULE_WIRE_PACKET_H

#include "wire/wire.h"

/* The descriptor that a receive handle's wait() polls for input. */
int packet_wire_fd(const struct wire *w);

#endif
