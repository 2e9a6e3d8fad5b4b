#include "probe/crc32c.h"

#include "probe/packet.h"

/* The polynomial 0x1EDC6F41, bits reversed, divided for each value of half a byte. A table of whole bytes would be
 * twice as fast, and nothing here needs that: SCTP packets are few. */
static const uint32_t half_byte[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_add(uint32_t crc, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ half_byte[crc & 15];
        crc = crc >> 4 ^ half_byte[crc & 15];
    }
    return crc;
}

uint32_t crc32c_sctp(const uint8_t *sctp, size_t n) {
    static const uint8_t zero[4];
    uint32_t crc = crc32c_add(CRC32C_START, sctp, SCTP_CHECKSUM);
    crc = crc32c_add(crc, zero, sizeof zero);
    return ~crc32c_add(crc, sctp + SCTP_LEN, n - SCTP_LEN);
}
