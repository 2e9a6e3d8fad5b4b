#include "probe/verdict.h"

#include <stddef.h>
#include <string.h>

#include "probe/packet.h"

static const char *const state_names[STATE_COUNT] = {
    [STATE_UNKNOWN] = "unknown",
    [STATE_OPEN] = "open",
    [STATE_CLOSED] = "closed",
    [STATE_FILTERED] = "filtered",
    [STATE_UNFILTERED] = "unfiltered",
    [STATE_OPEN_FILTERED] = "open|filtered",
    [STATE_CLOSED_FILTERED] = "closed|filtered",
    [STATE_UP] = "up",
    [STATE_DOWN] = "down",
};

static const char *const reason_names[REASON_COUNT] = {
    [REASON_NONE] = "none",
    [REASON_SYN_ACK] = "syn-ack",
    [REASON_SYN] = "syn",
    [REASON_RESET] = "reset",
    [REASON_NO_RESPONSE] = "no-response",
    [REASON_NET_UNREACH] = "net-unreach",
    [REASON_HOST_UNREACH] = "host-unreach",
    [REASON_PROTO_UNREACH] = "proto-unreach",
    [REASON_PORT_UNREACH] = "port-unreach",
    [REASON_NET_PROHIBITED] = "net-prohibited",
    [REASON_HOST_PROHIBITED] = "host-prohibited",
    [REASON_ADMIN_PROHIBITED] = "admin-prohibited",
    [REASON_TIME_EXCEEDED] = "time-exceeded",
    [REASON_HEADER_FIELD] = "header-field",
    [REASON_ARP_RESPONSE] = "arp-response",
    [REASON_ND_RESPONSE] = "nd-response",
    [REASON_ECHO_REPLY] = "echo-reply",
    [REASON_TIMESTAMP_REPLY] = "timestamp-reply",
    [REASON_UDP_RESPONSE] = "udp-response",
    [REASON_PROTO_RESPONSE] = "proto-response",
    [REASON_INIT_ACK] = "init-ack",
    [REASON_ABORT] = "abort",
    [REASON_LOCALHOST] = "localhost-response",
    [REASON_RATE_LIMITED] = "rate-limited",
    [REASON_OWN_PORT] = "own-port",
    [REASON_CONN_ACCEPT] = "conn-accept",
    [REASON_CONN_REFUSED] = "conn-refused",
};

/* What only silence says ranks with knowing nothing, so that any answer replaces it. */
static const unsigned ranks[STATE_COUNT] = {
    [STATE_UNKNOWN] = 0,
    [STATE_OPEN_FILTERED] = 0,
    [STATE_CLOSED_FILTERED] = 0,
    [STATE_DOWN] = 0,
    [STATE_FILTERED] = 1,
    [STATE_CLOSED] = 2,
    [STATE_UNFILTERED] = 2,
    [STATE_OPEN] = 3,
    [STATE_UP] = 3,
};

const char *state_name(enum state s) {
    return state_names[s];
}

const char *reason_name(enum reason r) {
    return reason_names[r];
}

enum state state_from_name(const char *name) {
    for (unsigned s = STATE_UNKNOWN + 1; s < STATE_COUNT; s++)
        if (!strcmp(name, state_names[s]))
            return (enum state)s;
    return STATE_UNKNOWN;
}

unsigned verdict_rank(enum state s) {
    return ranks[s];
}

enum reason reason_from_icmp(uint8_t type, uint8_t code) {
    static const uint8_t unreachable[] = {
        [0] = REASON_NET_UNREACH,     [1] = REASON_HOST_UNREACH,     [2] = REASON_PROTO_UNREACH,
        [3] = REASON_PORT_UNREACH,    [9] = REASON_NET_PROHIBITED,   [10] = REASON_HOST_PROHIBITED,
        [13] = REASON_ADMIN_PROHIBITED,
    };
    if (type == ICMP_UNREACHABLE && code < sizeof unreachable)
        return (enum reason)unreachable[code];
    return type == ICMP_TIME_EXCEEDED && code <= 1 ? REASON_TIME_EXCEEDED : REASON_NONE;
}

enum reason reason_from_icmpv6(uint8_t type, uint8_t code) {
    static const uint8_t unreachable[] = {
        [0] = REASON_NET_UNREACH,     [1] = REASON_ADMIN_PROHIBITED, [2] = REASON_NET_UNREACH,
        [3] = REASON_HOST_UNREACH,    [4] = REASON_PORT_UNREACH,     [5] = REASON_ADMIN_PROHIBITED,
        [6] = REASON_ADMIN_PROHIBITED,
    };
    if (type == ICMPV6_UNREACHABLE && code < sizeof unreachable)
        return (enum reason)unreachable[code];
    if (type == ICMPV6_PARAMETER && code <= 1)
        return code == 0 ? REASON_HEADER_FIELD : REASON_PROTO_UNREACH;
    return type == ICMPV6_TIME_EXCEEDED && code <= 1 ? REASON_TIME_EXCEEDED : REASON_NONE;
}
