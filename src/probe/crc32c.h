/* CRC32c (Castagnoli), the checksum of SCTP: RFC 9260 6.8 and appendix A. */
#ifndef NOCTULE_PROBE_CRC32C_H
#define NOCTULE_PROBE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define CRC32C_START UINT32_MAX

/* Runs n more bytes through the register, which begins as CRC32C_START. */
uint32_t crc32c_add(uint32_t crc, const uint8_t *p, size_t n);

/* The checksum of a whole SCTP packet of n >= 12 bytes, its checksum field taken as zero: the number that
 * crc32c_store() and crc32c_load() write to and read from that field. */
uint32_t crc32c_sctp(const uint8_t *sctp, size_t n);

/* The field holds it with its lowest byte first. */
static inline uint32_t crc32c_load(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void crc32c_store(uint8_t *p, uint32_t crc) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(crc >> i * 8);
}

#endif
