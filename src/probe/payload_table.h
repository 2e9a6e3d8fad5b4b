/* The table that scripts/gen-payloads.py makes from data/udp-payloads.txt; payload.c reads it. */
#ifndef NOCTULE_PROBE_PAYLOAD_TABLE_H
#define NOCTULE_PROBE_PAYLOAD_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum payload_field_kind {
    PAYLOAD_BYTES, /* keyed bytes */
    PAYLOAD_INT31, /* 4 keyed bytes, big endian, of 2^30 .. 2^31 - 1: positive, and BER needs all four (X.690 8.3) */
    PAYLOAD_HEX,   /* keyed hexadecimal digits, lower case */
    PAYLOAD_DEC,   /* keyed decimal digits of 1 to 8 */
};

/* Keyed bytes of a payload. They are zero in its template. */
struct payload_field {
    uint16_t at; /* offset in bytes */
    uint8_t len; /* in bytes */
    uint8_t kind;
};

struct payload {
    const uint8_t *bytes; /* the template */
    const struct payload_field *fields;
    uint16_t len;
    uint8_t n_fields;
};

/* The payloads of one port: [first, first + all) of payload_table, of which the first `plain` are no amplifiers. */
struct payload_port {
    uint16_t port, first;
    uint8_t plain, all;
};

extern const struct payload payload_table[];
extern const struct payload_port payload_ports[]; /* sorted by port, each once */
extern const size_t payload_ports_n;
extern const uint16_t payload_wanderer;

#endif
