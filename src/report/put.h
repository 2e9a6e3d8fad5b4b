/* Values to text, into room the caller has reserved: every function writes from p on, without a NUL, and returns where
 * it ended. A million findings a second leave no time for stdio. */
#ifndef NOCTULE_REPORT_PUT_H
#define NOCTULE_REPORT_PUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "wire/link.h"

/* Room needed at most, in bytes. */
#define PUT_U64_MAX 20u
#define PUT_ADDR_MAX (40u + 15u * PUT_CHAR_MAX) /* a zone of 15 escaped bytes included */
#define PUT_ENDPOINT_MAX (PUT_ADDR_MAX + 8u) /* brackets, colon and port included */
#define PUT_TIME_MAX 27u
#define PUT_MAC_MAX 17u
#define PUT_CHAR_MAX 6u
#define PUT_NAME_MAX (255u * PUT_CHAR_MAX) /* a DNS name has at most 255 bytes */

char *put_text(char *p, const char *s); /* as it is; for fixed words */
char *put_u64(char *p, uint64_t v);
char *put_milli(char *p, uint64_t thousandths); /* 1500 is "1.5", 1000 is "1" */
char *put_addr(char *p, addr_t a); /* a zone is an interface's name, of almost any bytes: as put_name() */
/* "198.18.5.5:22", "[2001:db8::7]:443" */
char *put_endpoint(char *p, addr_t a, uint16_t port);
char *put_mac(char *p, const uint8_t mac[static MAC_LEN]);
/* TCP flag letters, lowest bit first: "SA", "RA". */
char *put_tcp_flags(char *p, uint8_t flags);
/* Blanks, until `width` characters follow `from`. */
char *put_pad(char *p, const char *from, size_t width);

/* Nanoseconds of the real-time clock as RFC 3339, UTC, microseconds: "2026-01-01T00:00:00.000001Z". The cache holds the
 * last second's date. */
struct put_time_cache {
    uint64_t second;
    char text[20]; /* "2026-01-01T00:00:00" */
    uint8_t n;     /* 0: nothing cached yet */
};
char *put_time(char *p, struct put_time_cache *cache, uint64_t ns);

/* Reads one UTF-8 character at *s, moves *s behind it, and writes it as it may stand inside a JSON string (RFC 8259
 * section 7), or on a terminal: controls, DEL and C1 controls as \uNNNN; a byte that is not UTF-8 as \ufffd. */
char *put_char(char *p, const char **s);
/* The same for a whole name; what is beyond PUT_NAME_MAX bytes is cut. */
char *put_name(char *p, const char *s);

#endif
