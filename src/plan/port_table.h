/* data/tcp-ports.tsv as C, written by scripts/gen-ports.py at build time; ascending by port. */
#ifndef NOCTULE_PLAN_PORT_TABLE_H
#define NOCTULE_PLAN_PORT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct port_entry {
    uint16_t port;
    uint16_t rank; /* 1 = most common; every rank up to the number of entries stands once */
    const char *name;
};

extern const struct port_entry port_table[];
extern const size_t port_table_n;

#endif
