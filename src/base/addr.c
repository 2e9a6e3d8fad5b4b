#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/parse.h"

#define ZONE_TEXT_MAX (IF_NAMESIZE - 1)

_Static_assert(ADDR_STRLEN >= INET6_ADDRSTRLEN + 1 + IF_NAMESIZE, "no room for an address with its zone");

static void append_zone(char *buf, unsigned zone) {
    size_t used = strlen(buf);
    char name[IF_NAMESIZE];
    if (if_indextoname(zone, name))
        snprintf(buf + used, ADDR_STRLEN - used, "%%%s", name);
    else
        snprintf(buf + used, ADDR_STRLEN - used, "%%%u", zone);
}

char *addr_format(addr_t a, char buf[static ADDR_STRLEN]) {
    uint8_t raw[16];
    addr_t plain = addr_with_zone(a, 0);
    store_be64(raw, (uint64_t)(plain >> 64));
    store_be64(raw + 8, (uint64_t)plain);
    const char *text = addr_is_v4(a) ? inet_ntop(AF_INET, raw + 12, buf, ADDR_STRLEN)
                                     : inet_ntop(AF_INET6, raw, buf, ADDR_STRLEN);
    if (!text) /* cannot happen: the family is known and the room suffices */
        buf[0] = '\0';
    else if (addr_zone(a))
        append_zone(buf, addr_zone(a));
    return buf;
}

static int parse_plain(const char *text, addr_t *out) {
    uint8_t raw[16];
    if (inet_pton(AF_INET, text, raw) == 1) {
        *out = addr_from_v4(load_be32(raw));
        return 0;
    }
    if (inet_pton(AF_INET6, text, raw) != 1)
        return -EINVAL;
    addr_t a = (addr_t)load_be64(raw) << 64 | load_be64(raw + 8);
    if (addr_zone(a)) /* the bits of the zone must be zero on the wire (RFC 4291 2.5.6), so in text too */
        return -EINVAL;
    *out = a;
    return 0;
}

/* An interface may be named "7": a name goes before a number. */
static int parse_zone(const char *text, unsigned *zone) {
    uint64_t number;
    char name[IF_NAMESIZE];
    *zone = if_nametoindex(text);
    if (*zone == 0) {
        int r = parse_u64(text, 1, ADDR_ZONE_MAX, &number);
        if (r < 0 || !if_indextoname((unsigned)number, name))
            return -ENODEV;
        *zone = (unsigned)number;
    }
    return *zone <= ADDR_ZONE_MAX ? 0 : -ENODEV;
}

int addr_parse(const char *s, size_t n, addr_t *out) {
    char text[INET6_ADDRSTRLEN], zone_text[ZONE_TEXT_MAX + 1];
    const char *mark = memchr(s, '%', n);
    size_t plain = mark ? (size_t)(mark - s) : n;
    if (plain >= sizeof text || memchr(s, '\0', n))
        return -EINVAL;
    memcpy(text, s, plain);
    text[plain] = '\0';
    addr_t a;
    int r = parse_plain(text, &a);
    if (r < 0 || !mark) {
        if (r == 0)
            *out = a;
        return r;
    }
    size_t zone_len = n - plain - 1;
    unsigned zone;
    if (!addr_is_link_local(a) || zone_len == 0)
        return -EINVAL;
    if (zone_len > ZONE_TEXT_MAX)
        return -ENODEV;
    memcpy(zone_text, mark + 1, zone_len);
    zone_text[zone_len] = '\0';
    r = parse_zone(zone_text, &zone);
    if (r == 0)
        *out = addr_with_zone(a, zone);
    return r;
}
