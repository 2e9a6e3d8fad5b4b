/* Packets as other machines send them, built byte by byte and without any code of src/probe, so that the two sides of a
 * test cannot share a fault. */
#ifndef TESTS_PROBE_PACKETS_H
#define TESTS_PROBE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "wire/link.h"

#define PACKET_MAX 2048

struct packet {
    uint8_t data[PACKET_MAX];
    size_t len;      /* bytes of the frame */
    size_t ip, l4;   /* where the IP header and what it carries begin */
    size_t end;      /* where the IP packet ends; the rest is padding */
    uint8_t proto;   /* IPv6: what stands at l4 */
};

/* Any packet of either family, as both addresses say. */
struct any_spec {
    addr_t source, dest;
    uint8_t proto;              /* of the payload */
    uint8_t ttl;                /* 0 stands for 57 */
    uint32_t id;                /* or flow label */
    const uint8_t *extensions;  /* IPv6: extension headers, whole, the last of which names proto */
    size_t extensions_len;
    uint8_t extension;          /* the first one's number */
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

/* Of a payload whose checksum fields are filled in. */
struct packet packet_any(enum link_type link, const struct any_spec *s, const uint8_t *payload, size_t n);

/* Payloads for it; each returns its length. */
size_t put_ports(uint8_t *out, uint16_t source, uint16_t dest); /* 4 bytes */
size_t put_udp(uint8_t *out, uint16_t source, uint16_t dest, size_t data);
/* One chunk of `data` bytes behind its header of 4. */
size_t put_sctp(uint8_t *out, uint16_t source, uint16_t dest, uint32_t tag, uint8_t chunk, size_t data);
size_t put_segment(uint8_t *out, uint16_t source, uint16_t dest, uint32_t seq, uint32_t ack, uint8_t flags,
                   uint16_t window);
/* ICMP with 4 bytes that its type gives a meaning to, and `n` bytes behind them. */
size_t put_icmp(uint8_t *out, uint8_t type, uint8_t code, uint32_t word, const uint8_t *data, size_t n);

/* The CRC of SCTP in the slowest way: bit by bit. */
uint32_t slow_crc(const uint8_t *p, size_t n);

/* After a change: fills in the checksums of the IP header, and of TCP, UDP, SCTP, ICMP or ICMPv6 again. */
void packet_fix(struct packet *p);
/* Adds n bytes behind the IP packet, as Ethernet pads short frames (with bytes that would spoil any checksum). */
void packet_pad(struct packet *p, size_t n);

/* The ones' complement sum in the slowest way: 16 bits at a time, each carry brought round at once. */
uint16_t slow_sum(uint16_t sum, const uint8_t *p, size_t n);

#endif
