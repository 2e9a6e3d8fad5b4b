/* A finding: endpoint + verdict + what the reply told. One flat record travels from the engine to every sink. */
#ifndef NOCTULE_REPORT_FINDING_H
#define NOCTULE_REPORT_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "probe/technique.h"
#include "wire/link.h"

enum finding_flag {
    FINDING_HAS_TTL = 1 << 0,
    FINDING_HAS_RTT = 1 << 1,
    FINDING_HAS_MAC = 1 << 2,
    FINDING_HAS_TCP_FLAGS = 1 << 3,
};

struct finding {
    addr_t addr;
    addr_t reporter;      /* sender of an ICMP error when not the target, else 0 */
    uint64_t time_ns;     /* CLOCK_REALTIME */
    uint32_t rtt_us;      /* with FINDING_HAS_RTT */
    uint16_t port;        /* -sO: the protocol number */
    uint8_t technique;    /* enum technique_id */
    uint8_t state;        /* enum state */
    uint8_t reason;       /* enum reason */
    uint8_t revises;      /* enum state that an earlier record for this endpoint gave, or STATE_UNKNOWN */
    uint8_t flags;        /* enum finding_flag */
    uint8_t tcp_flags, ttl;
    int8_t tried;         /* the try that was answered, -1 unknown */
    uint8_t mac[MAC_LEN];
};

/* An address as such was probed (ARP, discovery): there is no port to speak of. */
static inline bool finding_is_host(const struct finding *f) {
    return techniques[f->technique].host;
}

#endif
