/* What stands before the IP header of a frame. */
#ifndef NOCTULE_WIRE_LINK_H
#define NOCTULE_WIRE_LINK_H

enum link_type {
    LINK_ETHERNET, /* 14 bytes: destination MAC, source MAC, ethertype */
    LINK_IP,       /* nothing: tun, PPP, WireGuard, and loopback as this program uses it */
};

#define MAC_LEN 6
#define ETHERNET_HEADER_LEN 14u

#endif
