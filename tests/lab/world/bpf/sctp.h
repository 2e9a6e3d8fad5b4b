/* SCTP (RFC 9260): INIT and COOKIE ECHO, and what an endpoint answers to them out of the blue. */
#ifndef NOCTULE_LAB_BPF_SCTP_H
#define NOCTULE_LAB_BPF_SCTP_H

#include "frame.h"

#define SCTP_INIT 1
#define SCTP_INIT_ACK 2
#define SCTP_ABORT 6
#define SCTP_COOKIE_ECHO 10
#define SCTP_TAG_REFLECTED 1 /* the T bit of an ABORT */
#define SCTP_STATE_COOKIE 7  /* the parameter that every INIT ACK has */
#define SCTP_WINDOW 106496
#define SCTP_STREAMS 10

struct sctp_packet { /* the common header and the first chunk's */
    __be16 source, target;
    __be32 tag;
    __u32 sum; /* CRC32c, lowest byte first */
    __u8 chunk, flags;
    __be16 length;
};

struct sctp_init {
    struct sctp_packet packet;
    __be32 initiate_tag, window;
    __be16 streams_out, streams_in;
    __be32 sequence;
};

struct sctp_init_ack {
    struct sctp_init init;
    __be16 parameter, parameter_length;
    __be32 cookie;
};

/* The kind of the probe, or -1 if it is none; then it is counted. */
static __always_inline int sctp_read(struct xdp_md *ctx, struct probe *probe, const bool v6) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    const struct sctp_packet *packet = data + segment_at(v6);
    const struct sctp_init *init = (const void *)packet;
    int kind = -1;
    if ((const void *)(packet + 1) <= end && probe->length >= sizeof(*packet) && probe->length <= SCTP_BYTES_MAX) {
        __u32 tag = packet->tag;
        if (packet->chunk == SCTP_INIT && !tag && (const void *)(init + 1) <= end && probe->length >= sizeof(*init)) {
            kind = KIND_SCTP_INIT;
            probe->sequence = init->initiate_tag;
        } else if (packet->chunk == SCTP_COOKIE_ECHO) {
            kind = KIND_SCTP_COOKIE;
            probe->sequence = tag;
        }
        probe->source_port = packet->source;
        probe->target_port = packet->target;
        probe->port = bpf_ntohs(packet->target);
        __u32 sum = packet->sum;
        if (sum_sctp(ctx, segment_at(v6), probe->length) != sum) {
            count(WORLD_bad_sum, 1);
            return -1;
        }
    }
    if (kind < 0 || !(known()->answers & 1u << kind)) {
        count(WORLD_sctp_other, 1);
        return -1;
    }
    return kind;
}

static __always_inline void write_sctp(struct sctp_packet *packet, const struct probe *probe, __u8 chunk, __u8 flags,
                                       __u16 length) {
    packet->source = probe->target_port;
    packet->target = probe->source_port;
    packet->tag = probe->sequence; /* as it stood there, in network order */
    packet->chunk = chunk;
    packet->flags = flags;
    packet->length = bpf_htons(length - (__u16)__builtin_offsetof(struct sctp_packet, chunk));
}

static __always_inline bool fill_sctp_sum(struct xdp_md *ctx, __u32 length, const bool v6) {
    __u32 sum = sum_sctp(ctx, segment_at(v6), length);
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct sctp_packet *packet = data + segment_at(v6);
    if ((void *)(packet + 1) > end)
        return false;
    packet->sum = sum;
    return true;
}

static __always_inline bool write_init_ack(struct xdp_md *ctx, const struct probe *probe, const bool v6) {
    struct sctp_init_ack *answer = write_frame(ctx, probe, IPPROTO_SCTP, sizeof(*answer), v6);
    if (!answer)
        return false;
    __u64 hash = truth_hash(known(), TRUTH_IS_SEQUENCE, probe->place.who, probe->port, 0);
    write_sctp(&answer->init.packet, probe, SCTP_INIT_ACK, 0, sizeof(*answer));
    answer->init.initiate_tag = (__be32)hash | 1; /* never zero */
    answer->init.window = bpf_htonl(SCTP_WINDOW);
    answer->init.streams_out = answer->init.streams_in = bpf_htons(SCTP_STREAMS);
    answer->init.sequence = (__be32)(hash >> 32);
    answer->parameter = bpf_htons(SCTP_STATE_COOKIE);
    answer->parameter_length = bpf_htons(8);
    answer->cookie = (__be32)(hash >> 16);
    return fill_sctp_sum(ctx, sizeof(*answer), v6);
}

/* Section 8.4: the tag is that of the INIT, or the packet's own, reflected. */
static __always_inline bool write_abort(struct xdp_md *ctx, const struct probe *probe, bool reflected, const bool v6) {
    struct sctp_packet *answer = write_frame(ctx, probe, IPPROTO_SCTP, sizeof(*answer), v6);
    if (!answer)
        return false;
    write_sctp(answer, probe, SCTP_ABORT, reflected ? SCTP_TAG_REFLECTED : 0, sizeof(*answer));
    return fill_sctp_sum(ctx, sizeof(*answer), v6);
}

#endif
