#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

char *addr_format(addr_t a, char buf[static ADDR_STRLEN]) {
    uint8_t raw[16];
    store_be64(raw, (uint64_t)(a >> 64));
    store_be64(raw + 8, (uint64_t)a);
    const char *text = addr_is_v4(a) ? inet_ntop(AF_INET, raw + 12, buf, ADDR_STRLEN)
                                     : inet_ntop(AF_INET6, raw, buf, ADDR_STRLEN);
    if (!text) /* cannot happen: the family is known and the room suffices */
        buf[0] = '\0';
    return buf;
}

int addr_parse(const char *s, size_t n, addr_t *out) {
    char text[INET6_ADDRSTRLEN];
    uint8_t raw[16];
    if (n >= sizeof text || memchr(s, '\0', n))
        return -EINVAL;
    memcpy(text, s, n);
    text[n] = '\0';
    if (inet_pton(AF_INET, text, raw) == 1) {
        *out = addr_from_v4(load_be32(raw));
        return 0;
    }
    if (inet_pton(AF_INET6, text, raw) == 1) {
        *out = (addr_t)load_be64(raw) << 64 | load_be64(raw + 8);
        return 0;
    }
    return -EINVAL;
}
