#include "plan/target.h"

#define V4(a, b, c, d) ((addr_t)0xffff00000000u + ((uint64_t)(a) << 24) + ((b) << 16) + ((c) << 8) + (d))
#define V4_NET(a, b, c, d, len) {V4(a, b, c, d), V4(a, b, c, d) | ((UINT64_C(1) << (32 - (len))) - 1)}

/* The high 64 bits of an IPv6 prefix no longer than /64. */
#define V6_NET(high, len) {(addr_t)(high) << 64, (addr_t)(high) << 64 | ~(addr_t)0 >> (len)}

/* Both registries' ranges that are not globally reachable, and multicast. Ranges that lie in another are left out but
 * for the broadcast address. Not here: ::ffff:0:0/96, where IPv4 itself stands; 64:ff9b::/96, 192.31.196.0/24,
 * 192.52.193.0/24 and 192.175.48.0/24, which are globally reachable services. */
static const struct special_range special[] = {
    {{0, 1}, "Unspecified and loopback addresses", "RFC 4291"},
    {V4_NET(0, 0, 0, 0, 8), "This network", "RFC 791"},
    {V4_NET(10, 0, 0, 0, 8), "Private use", "RFC 1918"},
    {V4_NET(100, 64, 0, 0, 10), "Shared address space", "RFC 6598"},
    {V4_NET(127, 0, 0, 0, 8), "Loopback", "RFC 1122"},
    {V4_NET(169, 254, 0, 0, 16), "Link local", "RFC 3927"},
    {V4_NET(172, 16, 0, 0, 12), "Private use", "RFC 1918"},
    {V4_NET(192, 0, 0, 0, 24), "IETF protocol assignments", "RFC 6890"},
    {V4_NET(192, 0, 2, 0, 24), "Documentation (TEST-NET-1)", "RFC 5737"},
    {V4_NET(192, 88, 99, 0, 24), "Deprecated 6to4 relay anycast", "RFC 7526"},
    {V4_NET(192, 168, 0, 0, 16), "Private use", "RFC 1918"},
    {V4_NET(198, 18, 0, 0, 15), "Benchmarking", "RFC 2544"},
    {V4_NET(198, 51, 100, 0, 24), "Documentation (TEST-NET-2)", "RFC 5737"},
    {V4_NET(203, 0, 113, 0, 24), "Documentation (TEST-NET-3)", "RFC 5737"},
    {V4_NET(224, 0, 0, 0, 4), "Multicast", "RFC 1112"},
    {V4_NET(240, 0, 0, 0, 4), "Reserved", "RFC 1112"},
    {V4_NET(255, 255, 255, 255, 32), "Limited broadcast", "RFC 919"},
    {{(addr_t)0x0064ff9b00010000 << 64, (addr_t)0x0064ff9b0001ffff << 64 | UINT64_MAX}, "Local-use translation",
     "RFC 8215"},
    {V6_NET(0x0100000000000000, 64), "Discard only", "RFC 6666"},
    {V6_NET(0x2001000000000000, 23), "IETF protocol assignments", "RFC 2928"},
    {V6_NET(0x20010db800000000, 32), "Documentation", "RFC 3849"},
    {V6_NET(0x2002000000000000, 16), "6to4", "RFC 3056"},
    {V6_NET(0x3fff000000000000, 20), "Documentation", "RFC 9637"},
    {V6_NET(0x5f00000000000000, 16), "Segment routing SIDs", "RFC 9602"},
    {V6_NET(0xfc00000000000000, 7), "Unique local", "RFC 4193"},
    {V6_NET(0xfe80000000000000, 10), "Link local", "RFC 4291"},
    {V6_NET(0xff00000000000000, 8), "Multicast", "RFC 4291"},
};

const struct special_range *special_ranges(size_t *n) {
    *n = sizeof special / sizeof *special;
    return special;
}
