/* The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words. */
#ifndef NOCTULE_PROBE_CHECKSUM_H
#define NOCTULE_PROBE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Adds n bytes to an unfolded sum. Every piece but the last must have even length. No sum of less than 2^32 bytes
 * overflows. */
uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n);

/* The pseudo-header of TCP and UDP over IPv4 (RFC 9293 3.1): addresses in host order, len in bytes. */
static inline uint64_t checksum_pseudo_v4(uint32_t source, uint32_t dest, uint8_t proto, uint16_t len) {
    return (uint64_t)source + dest + proto + len;
}

/* An IPv6 address as part of the pseudo-header of RFC 8200 8.1, whose other parts are the length and the protocol. */
static inline uint64_t checksum_addr(addr_t a) {
    return (uint64_t)(uint32_t)(a >> 96) + (uint32_t)(a >> 64) + (uint32_t)(a >> 32) + (uint32_t)a;
}

/* The 16-bit ones' complement sum. Folds until no carry is left: folding once loses the carry that the first fold
 * makes, and twice is not enough for a 64-bit sum. */
static inline uint16_t checksum_fold(uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* The value of the checksum field, given the sum of everything else (the field itself as zero). */
static inline uint16_t checksum_finish(uint64_t sum) {
    return (uint16_t)~checksum_fold(sum);
}

#endif
