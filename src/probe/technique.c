#include "probe/technique.h"

#include <stddef.h>

#include "probe/packet.h"

/* What any technique of ports makes of an ICMP error. */
#define FILTERED_BY_ERRORS \
    [OUTCOME_PORT_UNREACH] = {STATE_FILTERED, REASON_NONE}, [OUTCOME_PROTO_UNREACH] = {STATE_FILTERED, REASON_NONE}, \
    [OUTCOME_TARGET_ERROR] = {STATE_FILTERED, REASON_NONE}, [OUTCOME_ICMP_ERROR] = {STATE_FILTERED, REASON_NONE}

/* FIN, NULL, XMAS, Maimon: RFC 9293 3.10.7.1 has a closed port reset what an open one ignores. */
#define STEALTH_OUTCOMES \
    { \
        [OUTCOME_SILENCE] = {STATE_OPEN_FILTERED, REASON_NO_RESPONSE}, \
        [OUTCOME_RESET] = {STATE_CLOSED, REASON_RESET}, [OUTCOME_RESET_WINDOW] = {STATE_CLOSED, REASON_RESET}, \
        FILTERED_BY_ERRORS, \
    }

const struct technique techniques[TECHNIQUE_COUNT] = {
    [TECHNIQUE_SYN] =
        {
            .option = "-sS", .name = "syn", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = TCP_SYN, .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_SYN_ACK] = {STATE_OPEN, REASON_SYN_ACK},
                    [OUTCOME_ACK] = {STATE_OPEN, REASON_SYN},
                    [OUTCOME_RESET] = {STATE_CLOSED, REASON_RESET},
                    [OUTCOME_RESET_WINDOW] = {STATE_CLOSED, REASON_RESET},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_CONNECT] =
        {
            .option = "-sT", .name = "connect", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = TCP_SYN,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_SYN_ACK] = {STATE_OPEN, REASON_CONN_ACCEPT},
                    [OUTCOME_RESET] = {STATE_CLOSED, REASON_CONN_REFUSED},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_FIN] = {.option = "-sF", .name = "fin", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = TCP_FIN,
                       .built = true, .on = STEALTH_OUTCOMES},
    [TECHNIQUE_NULL] = {.option = "-sN", .name = "null", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = 0,
                        .built = true, .on = STEALTH_OUTCOMES},
    [TECHNIQUE_XMAS] = {.option = "-sX", .name = "xmas", .proto = "tcp", .ip_proto = PROTO_TCP,
                        .tcp_flags = TCP_FIN | TCP_PSH | TCP_URG, .built = true, .on = STEALTH_OUTCOMES},
    [TECHNIQUE_MAIMON] = {.option = "-sM", .name = "maimon", .proto = "tcp", .ip_proto = PROTO_TCP,
                          .tcp_flags = TCP_FIN | TCP_ACK, .built = true, .on = STEALTH_OUTCOMES},
    [TECHNIQUE_ACK] =
        {
            .option = "-sA", .name = "ack", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = TCP_ACK, .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_RESET] = {STATE_UNFILTERED, REASON_RESET},
                    [OUTCOME_RESET_WINDOW] = {STATE_UNFILTERED, REASON_RESET},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_WINDOW] =
        {
            .option = "-sW", .name = "window", .proto = "tcp", .ip_proto = PROTO_TCP, .tcp_flags = TCP_ACK,
            .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_RESET] = {STATE_CLOSED, REASON_RESET},
                    [OUTCOME_RESET_WINDOW] = {STATE_OPEN, REASON_RESET},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_UDP] =
        {
            .option = "-sU", .name = "udp", .proto = "udp", .ip_proto = PROTO_UDP, .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_OPEN_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_UDP] = {STATE_OPEN, REASON_UDP_RESPONSE},
                    [OUTCOME_PORT_UNREACH] = {STATE_CLOSED, REASON_PORT_UNREACH},
                    [OUTCOME_PROTO_UNREACH] = {STATE_FILTERED, REASON_NONE},
                    [OUTCOME_TARGET_ERROR] = {STATE_FILTERED, REASON_NONE},
                    [OUTCOME_ICMP_ERROR] = {STATE_FILTERED, REASON_NONE},
                },
        },
    [TECHNIQUE_SCTP_INIT] =
        {
            .option = "-sY", .name = "sctp-init", .proto = "sctp", .ip_proto = PROTO_SCTP, .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_INIT_ACK] = {STATE_OPEN, REASON_INIT_ACK},
                    [OUTCOME_ABORT] = {STATE_CLOSED, REASON_ABORT},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_SCTP_COOKIE] =
        {
            .option = "-sZ", .name = "sctp-cookie", .proto = "sctp", .ip_proto = PROTO_SCTP, .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_OPEN_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_ABORT] = {STATE_CLOSED, REASON_ABORT},
                    FILTERED_BY_ERRORS,
                },
        },
    [TECHNIQUE_PROTOCOL] =
        {
            .option = "-sO", .name = "protocol", .proto = "ip", .built = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_OPEN_FILTERED, REASON_NO_RESPONSE},
                    [OUTCOME_PROTOCOL] = {STATE_OPEN, REASON_PROTO_RESPONSE},
                    [OUTCOME_PORT_UNREACH] = {STATE_OPEN, REASON_PORT_UNREACH},
                    [OUTCOME_HEADER_FIELD] = {STATE_OPEN, REASON_HEADER_FIELD},
                    [OUTCOME_PROTO_UNREACH] = {STATE_CLOSED, REASON_PROTO_UNREACH},
                    [OUTCOME_TARGET_ERROR] = {STATE_FILTERED, REASON_NONE},
                    [OUTCOME_ICMP_ERROR] = {STATE_FILTERED, REASON_NONE},
                },
        },
    /* An error from the target itself shows that it is up; one from a router says nothing of the target. */
    [TECHNIQUE_PING] =
        {
            .option = "-sn", .name = "ping", .proto = "host", .built = true, .host = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_DOWN, REASON_NO_RESPONSE},
                    [OUTCOME_SYN_ACK] = {STATE_UP, REASON_SYN_ACK},
                    [OUTCOME_ACK] = {STATE_UP, REASON_SYN},
                    [OUTCOME_RESET] = {STATE_UP, REASON_RESET},
                    [OUTCOME_RESET_WINDOW] = {STATE_UP, REASON_RESET},
                    [OUTCOME_UDP] = {STATE_UP, REASON_UDP_RESPONSE},
                    [OUTCOME_INIT_ACK] = {STATE_UP, REASON_INIT_ACK},
                    [OUTCOME_ABORT] = {STATE_UP, REASON_ABORT},
                    [OUTCOME_ECHO] = {STATE_UP, REASON_ECHO_REPLY},
                    [OUTCOME_TIMESTAMP] = {STATE_UP, REASON_TIMESTAMP_REPLY},
                    [OUTCOME_PORT_UNREACH] = {STATE_UP, REASON_PORT_UNREACH},
                    [OUTCOME_PROTO_UNREACH] = {STATE_UP, REASON_PROTO_UNREACH},
                    [OUTCOME_HEADER_FIELD] = {STATE_UP, REASON_HEADER_FIELD},
                    [OUTCOME_TARGET_ERROR] = {STATE_UP, REASON_NONE},
                },
        },
    [TECHNIQUE_NEIGHBOUR] =
        {
            .name = "neighbour", .proto = "host", .built = true, .host = true,
            .on =
                {
                    [OUTCOME_SILENCE] = {STATE_DOWN, REASON_NO_RESPONSE},
                    [OUTCOME_NEIGHBOUR] = {STATE_UP, REASON_ARP_RESPONSE}, /* reason of IPv6: REASON_ND_RESPONSE */
                },
        },
};
