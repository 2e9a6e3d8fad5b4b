/* The numbers that packets hold: lengths in bytes, offsets from the start of their header, protocol values.
 * IPv4: RFC 791; IPv6: RFC 8200; TCP: RFC 9293; UDP: RFC 768; SCTP: RFC 9260; ICMP: RFC 792, 1812, 4443;
 * IGMP: RFC 3376; ARP: RFC 826; neighbour discovery: RFC 4861; Ethernet: IEEE 802.3. */
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

#define IPV6_LEN 40u
#define IPV6_FLOW_MASK 0xfffffu /* of the first word */
#define IPV6_PAYLOAD_LEN 4u
#define IPV6_NEXT_HEADER 6u
#define IPV6_HOP_LIMIT 7u
#define IPV6_SOURCE 8u
#define IPV6_DEST 24u
#define IPV6_EXTENSION_UNIT 8u /* extension headers are that long, or a multiple of it; AH counts in fours (RFC 4302) */
#define IPV6_FRAGMENT_OFFSET 2u  /* in the fragment header */
#define IPV6_FRAGMENT_MASK 0xfff9u /* offset, and whether more follow */
#define IPV6_OFFSET_MASK 0xfff8u
#define IPV6_ROUTING_LEFT 3u /* in the routing header: segments left */

#define PROTO_HOP_BY_HOP 0u
#define PROTO_ICMP 1u
#define PROTO_IGMP 2u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_ROUTING 43u
#define PROTO_FRAGMENT 44u
#define PROTO_AH 51u
#define PROTO_ICMPV6 58u
#define PROTO_NONE 59u
#define PROTO_DEST_OPTIONS 60u
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

#define UDP_LEN 8u
#define UDP_SOURCE_PORT 0u
#define UDP_DEST_PORT 2u
#define UDP_LENGTH 4u
#define UDP_CHECKSUM 6u

#define SCTP_LEN 12u /* the common header */
#define SCTP_SOURCE_PORT 0u
#define SCTP_DEST_PORT 2u
#define SCTP_TAG 4u
#define SCTP_CHECKSUM 8u
#define SCTP_CHUNK 12u /* type, flags, length of the first chunk */
#define SCTP_CHUNK_LEN 4u
#define SCTP_INIT_TAG 16u /* of an INIT chunk that is the first */
#define SCTP_INIT 1u
#define SCTP_INIT_ACK 2u
#define SCTP_ABORT 6u
#define SCTP_COOKIE_ECHO 10u

#define ICMP_LEN 8u /* before the quoted packet of an error, or the payload of an echo */
#define ICMP_TYPE 0u
#define ICMP_CODE 1u
#define ICMP_CHECKSUM 2u
#define ICMP_ID 4u
#define ICMP_SEQ 6u
#define ICMP_ECHO_COOKIE_LEN 8u /* what our echoes carry first: the cookie */
#define ICMP_ORIGINATE 8u       /* of a timestamp */
#define ICMP_TIMESTAMP_LEN 20u
#define ICMP_ECHO_REPLY 0u
#define ICMP_ECHO 8u
#define ICMP_TIMESTAMP 13u
#define ICMP_TIMESTAMP_REPLY 14u
#define ICMPV6_ECHO 128u
#define ICMPV6_ECHO_REPLY 129u
#define ICMP_UNREACHABLE 3u
#define ICMP_TIME_EXCEEDED 11u
#define ICMPV6_UNREACHABLE 1u
#define ICMPV6_TIME_EXCEEDED 3u
#define ICMPV6_PARAMETER 4u
#define ICMP_QUOTE_LEN 8u /* bytes of the quoted packet's payload that RFC 792 promises */

#define ND_SOLICITATION 135u /* types of ICMPv6 */
#define ND_ADVERTISEMENT 136u
#define ND_HOP_LIMIT 255u /* proves that no router forwarded it */
#define ND_FLAGS 4u
#define ND_SOLICITED 0x40000000u
#define ND_OVERRIDE 0x20000000u
#define ND_TARGET 8u
#define ND_LEN 24u /* before the options */
#define ND_OPTION_UNIT 8u
#define ND_SOURCE_LINK 1u /* types of options */
#define ND_TARGET_LINK 2u

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
