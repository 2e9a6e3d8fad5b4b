#include "cli/guided_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/guided_packet.h"
#include "probe/packet.h"

struct recorded {
    uint64_t time_ns;
    uint32_t number; /* in the order of their coming */
    uint16_t port, len;
    bool sent;
    uint8_t bytes[RECORD_BYTES_MAX];
};

void record_init(struct record *r, addr_t host, uint16_t begin, uint16_t end) {
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    r->host = addr_with_zone(host, 0);
    r->begin = begin;
    r->end = end;
    r->packets = ARRAY_INIT(struct recorded, RECORD_PACKETS_MAX);
}

void record_deinit(struct record *r) {
    array_deinit(&r->packets);
    pthread_mutex_destroy(&r->lock);
}

void record_clear(struct record *r) {
    r->packets.n = 0;
    r->lost = 0;
    memset(r->asked, 0, sizeof r->asked);
}

/* Of a packet that goes to the host, or comes from it, the port it is about; 0 where it is none of ours. */
static uint16_t port_of_known(struct record *r, bool sent, const struct packet_ends *ends) {
    if (sent) {
        if (ends->quoted || ends->dest != r->host)
            return 0;
        r->asked[ends->source_port] = ends->dest_port;
        return ends->dest_port;
    }
    if (ends->quoted)
        return ends->dest == r->host ? ends->dest_port : 0;
    if (ends->source != r->host)
        return 0;
    /* Some UDP services answer from another port than they were asked at (TFTP, RFC 1350 4). */
    bool other = ends->proto == PROTO_UDP && (ends->source_port < r->begin || ends->source_port > r->end);
    return other ? r->asked[ends->dest_port] : ends->source_port;
}

/* The kernel's connections: whoever sends the SYN asks. */
static uint16_t port_of_unknown(struct record *r, const struct packet_ends *ends, bool *sent) {
    if (ends->proto != PROTO_TCP)
        return 0;
    if (!ends->quoted && ends->dest == r->host && (ends->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        r->asked[ends->source_port] = ends->dest_port;
    bool ours = ends->dest == r->host && ends->dest_port > 0 && r->asked[ends->source_port] == ends->dest_port;
    *sent = ours && !ends->quoted;
    if (ours)
        return ends->dest_port;
    bool back = !ends->quoted && ends->source == r->host && r->asked[ends->dest_port] == ends->source_port;
    return back ? ends->source_port : 0;
}

void record_packet(struct record *r, enum direction direction, const uint8_t *p, size_t n) {
    struct packet_ends ends;
    if (!packet_ends(p, n, &ends))
        return;
    bool sent = direction == DIRECTION_SENT;
    pthread_mutex_lock(&r->lock);
    uint16_t port = direction == DIRECTION_UNKNOWN ? port_of_unknown(r, &ends, &sent) : port_of_known(r, sent, &ends);
    struct recorded *kept = port >= r->begin && port <= r->end && port > 0 ? array_add(&r->packets) : NULL;
    if (kept) {
        *kept = (struct recorded){.time_ns = clock_mono_ns(), .number = (uint32_t)r->packets.n, .port = port,
                                  .len = (uint16_t)(n < RECORD_BYTES_MAX ? n : RECORD_BYTES_MAX), .sent = sent};
        memcpy(kept->bytes, p, kept->len);
    } else if (port >= r->begin && port <= r->end && port > 0) {
        r->lost++;
    }
    pthread_mutex_unlock(&r->lock);
}

void record_frames(struct record *r, bool sent, enum link_type link, const struct frame *frames, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        size_t skip = 0;
        if (link == LINK_ETHERNET) {
            uint16_t type = frames[i].len >= ETHERNET_HEADER_LEN ? load_be16(frames[i].data + ETHERNET_TYPE) : 0;
            if (type != ETHERNET_TYPE_IPV4 && type != ETHERNET_TYPE_IPV6)
                continue;
            skip = ETHERNET_HEADER_LEN;
        }
        record_packet(r, sent ? DIRECTION_SENT : DIRECTION_RECEIVED, frames[i].data + skip, frames[i].len - skip);
    }
}

static int compare(const void *a, const void *b) {
    const struct recorded *x = a, *y = b;
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* A port's first packet is a probe. That the receiver's thread may note the answer before the sender's has noted the
 * probe is put right here. */
static void probe_first(struct recorded *p, size_t n) {
    size_t at = 0;
    while (at < n && !p[at].sent)
        at++;
    if (at == 0 || at == n)
        return;
    struct recorded probe = p[at];
    memmove(p + 1, p, at * sizeof *p);
    p[0] = probe;
}

/* How many packets from here on are of the same port. */
static size_t run_length(const struct recorded *p, size_t n) {
    size_t same = 0;
    while (same < n && p[same].port == p[0].port)
        same++;
    return same;
}

void record_sort(struct record *r) {
    struct recorded *p = r->packets.items;
    if (r->packets.n == 0)
        return;
    qsort(p, r->packets.n, sizeof *p, compare);
    for (size_t i = 0, n; i < r->packets.n; i += n) {
        n = run_length(p + i, r->packets.n - i);
        probe_first(p + i, n);
    }
}

static int compare_port(const void *key, const void *item) {
    const uint16_t *port = key;
    const struct recorded *p = item;
    return *port < p->port ? -1 : *port > p->port;
}

unsigned record_print(const struct record *r, FILE *f, enum language language, uint16_t port) {
    const struct recorded *all = r->packets.items, *p = NULL;
    if (r->packets.n > 0)
        p = bsearch(&port, all, r->packets.n, sizeof *all, compare_port);
    if (!p)
        return 0;
    while (p > all && p[-1].port == port)
        p--;
    size_t n = run_length(p, r->packets.n - (size_t)(p - all));
    for (size_t i = 0; i < n; i++) {
        uint64_t later = p[i].time_ns > p[0].time_ns ? (p[i].time_ns - p[0].time_ns) / NS_PER_MS : 0;
        char ms[24];
        snprintf(ms, sizeof ms, "%llu", (unsigned long long)later);
        guided_say(f, language, !p[i].sent ? TEXT_RECEIVED : later ? TEXT_SENT_LATER : TEXT_SENT,
                   (const char *const[]){ms});
        packet_print(f, language, "    ", p[i].bytes, p[i].len);
    }
    return (unsigned)n;
}
