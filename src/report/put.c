#include "report/put.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

char *put_text(char *p, const char *s) {
    size_t n = strlen(s);
    memcpy(p, s, n);
    return p + n;
}

char *put_u64(char *p, uint64_t v) {
    char digits[PUT_U64_MAX];
    unsigned at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    memcpy(p, digits + at, sizeof digits - at);
    return p + sizeof digits - at;
}

/* Exactly n digits, with leading zeros. */
static char *put_digits(char *p, uint32_t v, unsigned n) {
    for (unsigned i = n; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + n;
}

char *put_milli(char *p, uint64_t thousandths) {
    p = put_u64(p, thousandths / 1000);
    unsigned rest = (unsigned)(thousandths % 1000);
    if (!rest)
        return p;
    *p++ = '.';
    p = put_digits(p, rest, 3);
    while (p[-1] == '0')
        p--;
    return p;
}

static char *put_octet(char *p, unsigned v) {
    if (v >= 100)
        *p++ = (char)('0' + v / 100);
    if (v >= 10)
        *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    return p;
}

char *put_addr(char *p, addr_t a) {
    if (!addr_is_v4(a)) {
        char text[ADDR_STRLEN];
        return put_name(p, addr_format(a, text));
    }
    uint32_t ip = addr_v4(a);
    for (unsigned shift = 24; shift > 0; shift -= 8) {
        p = put_octet(p, ip >> shift & 255);
        *p++ = '.';
    }
    return put_octet(p, ip & 255);
}

char *put_endpoint(char *p, addr_t a, uint16_t port) {
    bool brackets = !addr_is_v4(a);
    if (brackets)
        *p++ = '[';
    p = put_addr(p, a);
    if (brackets)
        *p++ = ']';
    *p++ = ':';
    return put_u64(p, port);
}

char *put_mac(char *p, const uint8_t mac[static MAC_LEN]) {
    static const char hex[] = "0123456789abcdef";
    for (unsigned i = 0; i < MAC_LEN; i++) {
        if (i)
            *p++ = ':';
        *p++ = hex[mac[i] >> 4];
        *p++ = hex[mac[i] & 15];
    }
    return p;
}

char *put_tcp_flags(char *p, uint8_t flags) {
    static const char letters[] = "FSRPAUEC"; /* RFC 9293 3.1, from bit 0 up */
    for (unsigned i = 0; i < 8; i++) {
        if (flags >> i & 1)
            *p++ = letters[i];
    }
    return p;
}

char *put_pad(char *p, const char *from, size_t width) {
    while ((size_t)(p - from) < width)
        *p++ = ' ';
    return p;
}

char *put_time(char *p, struct put_time_cache *cache, uint64_t ns) {
    uint64_t second = ns / NS_PER_SEC;
    if (!cache->n || cache->second != second) {
        struct tm tm;
        time_t t = (time_t)second; /* at most 2^64 ns: the year 2554 */
        gmtime_r(&t, &tm);
        cache->n = (uint8_t)strftime(cache->text, sizeof cache->text, "%Y-%m-%dT%H:%M:%S", &tm);
        cache->second = second;
    }
    memcpy(p, cache->text, cache->n);
    p += cache->n;
    *p++ = '.';
    p = put_digits(p, (uint32_t)(ns % NS_PER_SEC / NS_PER_US), 6);
    *p++ = 'Z';
    return p;
}

/* The length of the UTF-8 character at s (RFC 3629: shortest form, no surrogates, up to U+10FFFF), or 0 when it is
 * none. A NUL ends every sequence, so nothing behind it is read. */
static unsigned utf8_length(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    unsigned n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    unsigned char lo = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char hi = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (unsigned i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static char *put_escape(char *p, unsigned code) {
    static const char hex[] = "0123456789abcdef";
    *p++ = '\\';
    *p++ = 'u';
    for (unsigned shift = 16; shift > 0; shift -= 4)
        *p++ = hex[code >> (shift - 4) & 15];
    return p;
}

char *put_char(char *p, const char **s) {
    const unsigned char *c = (const unsigned char *)*s;
    unsigned n = utf8_length(c);
    *s += n ? n : 1;
    if (n == 0)
        return put_escape(p, 0xfffd);
    if (n == 1 && (c[0] < 0x20 || c[0] == 0x7f))
        return put_escape(p, c[0]);
    if (n == 2 && c[0] == 0xc2 && c[1] < 0xa0)
        return put_escape(p, c[1]); /* U+0080 to U+009F: the second byte is the code */
    if (c[0] == '"' || c[0] == '\\')
        *p++ = '\\';
    memcpy(p, c, n);
    return p + n;
}

char *put_name(char *p, const char *s) {
    char *start = p;
    while (*s && (size_t)(p - start) <= PUT_NAME_MAX - PUT_CHAR_MAX)
        p = put_char(p, &s);
    return p;
}
