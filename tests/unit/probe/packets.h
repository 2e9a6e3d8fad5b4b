/* Packets as other machines send them, built byte by byte and without any code of src/probe, so that the two sides of a
 * test cannot share a fault. */
#ifndef TESTS_PROBE_PACKETS_H
#define TESTS_PROBE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/link.h"

#define PACKET_MAX 2048

struct packet {
    uint8_t data[PACKET_MAX];
    size_t len;      /* bytes of the frame */
    size_t ip, l4;   /* where the IP header and what it carries begin */
    size_t end;      /* where the IP packet ends; the rest is padding */
};

/* IPv4 headers of all packets below. */
struct ip_spec {
    uint32_t source, dest;
    uint8_t ttl;          /* 0 stands for 57 */
    uint8_t option_words; /* 0..10 words of options */
    uint16_t fragment;    /* flags and offset as they stand in the header */
};

struct tcp_spec {
    struct ip_spec ip;
    uint16_t source_port, dest_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    uint8_t option_words;
    uint16_t payload; /* bytes */
};

struct icmp_spec {
    struct ip_spec ip;
    uint8_t type, code;
    struct tcp_spec quote; /* the packet that is quoted */
    uint16_t quote_len;    /* how many of its bytes; 0 stands for its IP header and 8 more */
};

struct arp_spec {
    uint16_t opcode;
    uint8_t sender_mac[MAC_LEN];
    uint32_t sender, target;
};

extern const uint8_t packet_our_mac[MAC_LEN], packet_their_mac[MAC_LEN];

struct packet packet_tcp(enum link_type link, const struct tcp_spec *s);
struct packet packet_icmp(enum link_type link, const struct icmp_spec *s);
struct packet packet_arp(const struct arp_spec *s);

/* After a change: fills in the checksums of the IP header and of the TCP segment or ICMP message again. */
void packet_fix(struct packet *p);
/* Adds n bytes behind the IP packet, as Ethernet pads short frames (with bytes that would spoil any checksum). */
void packet_pad(struct packet *p, size_t n);

/* The ones' complement sum in the slowest way: 16 bits at a time, each carry brought round at once. */
uint16_t slow_sum(uint16_t sum, const uint8_t *p, size_t n);

#endif
