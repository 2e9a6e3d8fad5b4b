#include "wire/xdp_queue.h"

#include <net/ethernet.h>
#include <netinet/in.h>

#include "base/bytes.h"

#define IPV4_HEADER_MIN 20u
#define IPV4_ADDRESSES 12u
#define IPV6_ADDRESSES 8u
#define IPV6_HEADER_LEN 40u
#define TCP_CHECKSUM 16u
#define UDP_CHECKSUM 6u
#define SCTP_CHECKSUM 8u

static uint32_t sum_words(uint32_t sum, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i += 2)
        sum += load_be16(p + i);
    return sum;
}

static bool checksum_is(const uint8_t *transport, size_t n, uint8_t protocol, uint32_t pseudo) {
    size_t at = protocol == IPPROTO_TCP ? TCP_CHECKSUM : protocol == IPPROTO_UDP ? UDP_CHECKSUM : SCTP_CHECKSUM;
    if (protocol == IPPROTO_SCTP)
        return n >= at + 4 && load_be32(transport + at) == 0;
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    return n >= at + 2 && load_be16(transport + at) == pseudo;
}

bool xdp_is_unfilled(const uint8_t *frame, size_t n) {
    if (n < ETHERNET_HEADER_LEN + IPV4_HEADER_MIN)
        return false;
    const uint8_t *ip = frame + ETHERNET_HEADER_LEN;
    n -= ETHERNET_HEADER_LEN;
    if (load_be16(frame + 12) == ETH_P_IP) {
        size_t header = (ip[0] & 15u) * 4u, total = load_be16(ip + 2);
        uint32_t pseudo = ip[9] + (uint32_t)(total - header);
        return total >= header && n >= header &&
               checksum_is(ip + header, n - header, ip[9], sum_words(pseudo, ip + IPV4_ADDRESSES, 8));
    }
    if (load_be16(frame + 12) != ETH_P_IPV6 || n < IPV6_HEADER_LEN)
        return false;
    return checksum_is(ip + IPV6_HEADER_LEN, n - IPV6_HEADER_LEN, ip[6],
                       sum_words(ip[6] + (uint32_t)load_be16(ip + 4), ip + IPV6_ADDRESSES, 32));
}

/* Reads the losses first: a frame that is lost in between makes the count too high, and the next call asks again. The
 * other way round it would be too low, and the watermark wrong. */
static uint64_t frames_arrived(const struct xdp_passage *p) {
    uint64_t lost = __atomic_load_n(&p->lost, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&p->redirected, __ATOMIC_ACQUIRE) - lost;
}

static void settle(struct xdp_queue *q) {
    if (q->asked && q->taken >= q->asked_frames) {
        q->drained_ns = q->asked_ns;
        q->asked = false;
    }
}

static void raise_watermark(struct xdp_queue *q, bool found_fewer, uint64_t now_ns) {
    settle(q);
    if (q->asked && !found_fewer)
        return;
    q->asked = true;
    q->asked_ns = now_ns;
    q->asked_frames = frames_arrived(q->passage);
    settle(q);
}

unsigned xdp_queue_recv(struct xdp_queue *q, struct frame *frames, unsigned max, uint64_t now_ns, uint64_t real_ns) {
    xdp_socket_release(&q->socket);
    unsigned n = xdp_socket_take(&q->socket, frames, max);
    for (unsigned i = 0; i < n; i++) {
        frames[i].time_ns = real_ns;
        if (q->is_virtual && xdp_is_unfilled(frames[i].data, frames[i].len))
            frames[i].flags = FRAME_CSUM_UNFILLED;
    }
    q->taken += n;
    raise_watermark(q, n < max, now_ns);
    return n;
}
