/* The checksums of the Internet protocols (RFC 1071) and of SCTP (CRC32c, RFC 9260 appendix A). */
#ifndef NOCTULE_LAB_BPF_SUMS_H
#define NOCTULE_LAB_BPF_SUMS_H

#include "maps.h"

#define SEGMENT_WORDS_MAX 750 /* 16-bit words that follow an IP header at an MTU of 1500 */
#define SCTP_BYTES_MAX 256    /* of an SCTP packet that is a probe */
#define SCTP_SUM_AT 8u        /* where its checksum stands */
#define CRC32C_REVERSED 0x82f63b78u /* Castagnoli's polynomial, lowest bit first */
#define OFFSET_MAX 128u       /* of a header within a frame */

/* Adds n 32-bit words at p; the caller has shown that they lie within the frame, and n is a constant. Their sum,
 * carried into 16 bits, is that of their halves (RFC 1071 2 C). */
static __always_inline __u64 sum_words(__u64 sum, const void *p, __u32 n) {
    const __u32 *word = p;
#pragma unroll
    for (__u32 i = 0; i < n; i++)
        sum += word[i];
    return sum;
}

static __always_inline __u32 sum_carry(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u32)((sum & 0xffff) + (sum >> 16));
}

static __always_inline __u16 sum_fold(__u64 sum) {
    return (__u16)~sum_carry(sum);
}

/* The pseudo-header of either family. */
static __always_inline __u64 sum_pseudo(const struct probe *probe, __u8 protocol, __u16 length, const bool v6) {
    const __u32 skipped = v6 ? 0 : 3; /* words before an IPv4 address */
    __u64 sum = sum_words(0, probe->source + skipped, 4 - skipped);
    return sum_words(sum, probe->target + skipped, 4 - skipped) + bpf_htons(protocol) + bpf_htons(length);
}

/* The sum, carried into 16 bits, of so many bytes from an offset of the frame on, as far as the frame goes. A function
 * of its own for the verifier, which else would walk these loops for each place that calls them. */
__noinline __u32 sum_segment(struct xdp_md *ctx, __u32 offset, __u32 length) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (offset > OFFSET_MAX)
        return 0;
    const __u16 *word = data + offset;
    __u32 sum = 0;
    for (__u32 i = 0; i < SEGMENT_WORDS_MAX && i < length / 2; i++) {
        if ((const void *)(word + i + 1) > end)
            return sum_carry(sum);
        sum += word[i];
    }
    const __u8 *last = (const void *)(word + (length / 2 & 1023));
    if (length & 1 && (const void *)(last + 1) <= end)
        sum += *last; /* the high half of a word in network order, its other half zero */
    return sum_carry(sum);
}

/* The CRC32c of an SCTP packet at an offset of the frame, its checksum field taken as zero, as the field holds it. */
__noinline __u32 sum_sctp(struct xdp_md *ctx, __u32 offset, __u32 length) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (offset > OFFSET_MAX)
        return 0;
    const __u8 *byte = data + offset;
    __u32 crc = ~0u;
    for (__u32 i = 0; i < SCTP_BYTES_MAX && i < length; i++) {
        if ((const void *)(byte + i + 1) > end)
            break;
        if (i < SCTP_SUM_AT || i >= SCTP_SUM_AT + 4)
            crc ^= byte[i];
#pragma unroll
        for (__u32 bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ CRC32C_REVERSED * (crc & 1); /* a mask would make the verifier take both ways */
    }
    return ~crc;
}

#endif
