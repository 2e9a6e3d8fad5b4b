/* The packets that a scan of one host exchanged, kept by port for --explain: from the engine's own frames, or, where the
 * kernel makes the connections, seen by a packet socket beside it. Several threads may add at once. */
#ifndef NOCTULE_CLI_GUIDED_RECORD_H
#define NOCTULE_CLI_GUIDED_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/array.h"
#include "cli/guided_text.h"
#include "wire/wire.h"

#define RECORD_PACKETS_MAX (1u << 17) /* kept at most: 32 MB */
#define RECORD_BYTES_MAX 232u         /* of each packet: all headers, those of a quoted packet included */

enum direction { DIRECTION_SENT, DIRECTION_RECEIVED, DIRECTION_UNKNOWN };

struct record {
    pthread_mutex_t lock;
    addr_t host;             /* without zone */
    uint16_t begin, end;     /* ports that are asked about, inclusive */
    struct array packets;    /* struct recorded */
    uint64_t lost;           /* for which there was no room */
    uint16_t asked[65536];   /* by our source port: the port that was asked from it last, or 0 */
};

/* Starts empty. */
void record_init(struct record *r, addr_t host, uint16_t begin, uint16_t end);
void record_deinit(struct record *r);
void record_clear(struct record *r);

/* Keeps the packet if it is about one of the ports. n bytes at p are an IP packet. Where the direction is unknown, only
 * TCP is looked at, and told by who sent the SYN. */
void record_packet(struct record *r, enum direction direction, const uint8_t *p, size_t n);
/* As scan_config.frames has it. */
void record_frames(struct record *r, bool sent, enum link_type link, const struct frame *frames, unsigned n);

/* Once nothing is added any more: sorts, and then writes the packets of a port in their order. Returns how many. */
void record_sort(struct record *r);
unsigned record_print(const struct record *r, FILE *f, enum language language, uint16_t port);

/* Watches what the kernel exchanges with the host; every interface, no promiscuous mode. */
struct capture {
    struct record *record;
    int fd, end_fd;
    bool running;
    pthread_t thread;
};
#define CAPTURE_INIT ((struct capture){.fd = -1, .end_fd = -1})

/* Returns 0, or -EPERM and the like where that is not permitted. */
int capture_begin(struct capture *c, struct record *record);
/* Takes what has arrived until now, and ends. */
void capture_end(struct capture *c);

#endif
