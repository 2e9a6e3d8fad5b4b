/* The lists of data/ as C, written by scripts/gen-ports.py at build time; each ascending by port. */
#ifndef NOCTULE_PLAN_PORT_TABLE_H
#define NOCTULE_PLAN_PORT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct port_entry {
    uint16_t port; /* of PORT_LIST_IP: protocol number */
    uint16_t rank; /* 1 = most common; every rank up to the number of entries stands once */
    const char *name;
};

enum { PORT_LIST_TCP, PORT_LIST_UDP, PORT_LIST_SCTP, PORT_LIST_IP, PORT_LISTS };

struct port_list {
    const struct port_entry *entries;
    size_t n;
};

extern const struct port_list port_lists[PORT_LISTS];

#endif
