/* Any frame: told to have an unfilled checksum or not without a byte read beyond it, and told so when the sum that a
 * card would have been left is put there. The reference sums modulo 65535, which is what folding carries amounts to. */
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "wire/link.h"
#include "wire/xdp_queue.h"

/* Where the checksum of a whole TCP or UDP packet stands and what a sender leaves there; 0 for all else. */
static size_t reference(const uint8_t *frame, size_t n, uint16_t *left) {
    const uint8_t *ip = frame + ETHERNET_HEADER_LEN;
    bool v4 = n >= ETHERNET_HEADER_LEN + 20 && load_be16(frame + 12) == ETH_P_IP;
    bool v6 = n >= ETHERNET_HEADER_LEN + 40 && load_be16(frame + 12) == ETH_P_IPV6;
    if (!v4 && !v6)
        return 0;
    size_t header = v4 ? (ip[0] & 15u) * 4u : 40, total = load_be16(ip + (v4 ? 2 : 4));
    uint8_t protocol = ip[v4 ? 9 : 6];
    size_t at = ETHERNET_HEADER_LEN + header + (protocol == IPPROTO_TCP ? 16 : 6);
    if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || n < at + 2 || (v4 && total < header))
        return 0;
    uint64_t sum = protocol + (v4 ? total - header : total);
    for (unsigned i = 0; i < (v4 ? 8 : 32); i += 2)
        sum += load_be16(ip + (v4 ? 12 : 8) + i);
    *left = (uint16_t)(sum % 0xffff ? sum % 0xffff : 0xffff);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *frame = malloc(size ? size : 1); /* exact, so that a sanitizer sees any step beyond */
    uint16_t left = 0;
    FUZZ_CHECK(frame);
    memcpy(frame, data, size);
    bool unfilled = xdp_is_unfilled(frame, size);
    size_t at = reference(frame, size, &left);
    if (at) {
        FUZZ_CHECK(unfilled == (load_be16(frame + at) == left));
        store_be16(frame + at, left);
        bool overlaps = at < ETHERNET_HEADER_LEN + 20; /* a header too short for IPv4: its own fields changed */
        FUZZ_CHECK(overlaps || xdp_is_unfilled(frame, size));
    }
    free(frame);
    return 0;
}
