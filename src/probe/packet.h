/* The numbers that packets hold: lengths in bytes, offsets from the start of their header, protocol values.
 * IPv4: RFC 791; TCP: RFC 9293; ICMP: RFC 792, 1812, 4443; ARP: RFC 826; Ethernet: IEEE 802.3. */
#ifndef NOCTULE_PROBE_PACKET_H
#define NOCTULE_PROBE_PACKET_H

#define ETHERNET_DEST 0u
#define ETHERNET_SOURCE 6u
#define ETHERNET_TYPE 12u
#define ETHERNET_TYPE_IPV4 0x0800u
#define ETHERNET_TYPE_ARP 0x0806u
#define ETHERNET_TYPE_IPV6 0x86ddu
#define ETHERNET_MIN_LEN 60u   /* shortest frame, without its checksum; shorter ones are padded */
#define ETHERNET_OVERHEAD 24u  /* of the wire, a frame: 4 checksum, 8 preamble, 12 gap */
#define ETHERNET_GROUP_BIT 1u  /* in the first byte of a MAC: multicast or broadcast */

#define IPV4_LEN 20u /* without options */
#define IPV4_TOTAL_LEN 2u
#define IPV4_ID 4u
#define IPV4_FRAGMENT 6u
#define IPV4_DONT_FRAGMENT 0x4000u
#define IPV4_MORE_FRAGMENTS 0x2000u
#define IPV4_OFFSET_MASK 0x1fffu
#define IPV4_TTL 8u
#define IPV4_PROTO 9u
#define IPV4_CHECKSUM 10u
#define IPV4_SOURCE 12u
#define IPV4_DEST 16u

#define PROTO_ICMP 1u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_ICMPV6 58u
#define PROTO_SCTP 132u

#define TCP_LEN 20u /* without options */
#define TCP_SOURCE_PORT 0u
#define TCP_DEST_PORT 2u
#define TCP_SEQ 4u
#define TCP_ACK_NUMBER 8u
#define TCP_OFFSET 12u /* upper half: header length in words of 4 bytes */
#define TCP_FLAGS 13u
#define TCP_WINDOW 14u
#define TCP_CHECKSUM 16u
#define TCP_OPTIONS 20u
#define TCP_MSS_LEN 4u

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_URG 0x20u

#define ICMP_LEN 8u /* of an error message, before the quoted packet */
#define ICMP_TYPE 0u
#define ICMP_CODE 1u
#define ICMP_UNREACHABLE 3u
#define ICMP_TIME_EXCEEDED 11u
#define ICMPV6_UNREACHABLE 1u
#define ICMPV6_TIME_EXCEEDED 3u
#define ICMP_QUOTE_LEN 8u /* bytes of the quoted packet's payload that RFC 792 promises */

#define ARP_LEN 28u /* for Ethernet and IPv4 */
#define ARP_HARDWARE 0u
#define ARP_HARDWARE_ETHERNET 1u
#define ARP_PROTO 2u
#define ARP_HARDWARE_LEN 4u
#define ARP_PROTO_LEN 5u
#define ARP_OPCODE 6u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u
#define ARP_SENDER_MAC 8u
#define ARP_SENDER_IP 14u
#define ARP_TARGET_MAC 18u
#define ARP_TARGET_IP 24u

#endif
