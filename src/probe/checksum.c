#include "probe/checksum.h"

#include "base/bytes.h"

uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n) {
    /* 2^16 is 1 in ones' complement arithmetic, so words of 32 bits add up to the same folded sum. */
    for (; n >= 4; p += 4, n -= 4)
        sum += load_be32(p);
    if (n >= 2) {
        sum += load_be16(p);
        p += 2;
        n -= 2;
    }
    if (n)
        sum += (uint64_t)p[0] << 8; /* as if a zero byte followed */
    return sum;
}
