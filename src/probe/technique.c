#include "probe/technique.h"

#include <stddef.h>

#include "probe/packet.h"

const struct technique techniques[TECHNIQUE_COUNT] = {
    [TECHNIQUE_SYN] =
        {
            .option = "-sS",
            .name = "syn",
            .proto = "tcp",
            .ip_proto = PROTO_TCP,
            .tcp_flags = TCP_SYN,
            .on_syn_ack = {STATE_OPEN, REASON_SYN_ACK},
            .on_ack = {STATE_OPEN, REASON_SYN}, /* the end of a simultaneous open (RFC 9293 3.5) */
            .on_reset = {STATE_CLOSED, REASON_RESET},
            .on_silence = {STATE_FILTERED, REASON_NO_RESPONSE},
        },
    [TECHNIQUE_ARP] =
        {
            .option = NULL,
            .name = "arp",
            .proto = "arp",
            .ip_proto = 0,
            .on_silence = {STATE_DOWN, REASON_NO_RESPONSE},
        },
};
