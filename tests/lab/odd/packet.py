"""Frames built field by field, so that every field can lie, and read back just far enough to answer them.

Addresses are dotted strings, ports and sequence numbers plain integers, a frame is bytes from its Ethernet header on;
on a link without one (tun) it is the bare IP packet.
"""

import struct
from dataclasses import dataclass
from socket import inet_aton, inet_ntoa

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ETH_IP, ETH_ARP, ETH_IP6, ETH_VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
PROTO_ICMP, PROTO_TCP, PROTO_UDP = 1, 6, 17
MORE_FRAGMENTS = 0x2000
OUR_SEQ = 0x1234ABCD  # the odd world's own initial sequence number
MSS = bytes([2, 4, 5, 0xB4])


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put_checksum(data, at, pseudo=b"", bad=False):
    """data with its checksum field at `at` filled in; a bad one differs from the right one in four bits."""
    value = checksum(pseudo + data) ^ (0x1881 if bad else 0)
    return data[:at] + struct.pack("!H", value) + data[at + 2:]


def mac_of(address):
    """The hardware address that the odd world gives an address."""
    return b"\x02\x0d" + inet_aton(address)


def ethernet(dst, src, ethertype, payload):
    return dst + src + struct.pack("!H", ethertype) + payload


def ipv4(src, dst, proto, payload, *, ttl=57, options=b"", fragment=0, length=None, ihl=None, version=4, bad_ip=False):
    """An IPv4 packet. `fragment` is the whole flags-and-offset field; `length`, `ihl` and `version` may lie."""
    header_len = 20 + len(options)
    total = header_len + len(payload) if length is None else length
    words = header_len // 4 if ihl is None else ihl
    header = struct.pack("!BBHHHBBH", version << 4 | words, 0, total, 0x0DD0, fragment, ttl, proto, 0)
    return put_checksum(header + inet_aton(src) + inet_aton(dst) + options, 10, bad=bad_ip) + payload


def tcp(src, dst, sport, dport, flags, seq, ack, *, options=b"", data=b"", window=64240, offset=None, bad_tcp=False):
    words = (20 + len(options)) // 4 if offset is None else offset
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4, flags, window,
                          0, 0)
    segment += options + data
    pseudo = inet_aton(src) + inet_aton(dst) + struct.pack("!HH", PROTO_TCP, len(segment))
    return put_checksum(segment, 16, pseudo, bad_tcp)


def icmp(kind, code, quoted, *, rest=0, bad_icmp=False):
    return put_checksum(struct.pack("!BBHI", kind, code, 0, rest) + quoted, 2, bad=bad_icmp)


def udp(src, dst, sport, dport, data):
    datagram = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return put_checksum(datagram, 6, inet_aton(src) + inet_aton(dst) + struct.pack("!HH", PROTO_UDP, len(datagram)))


def arp(op, sender_mac, sender, target_mac, target, *, hlen=6, plen=4, hardware=1):
    return (struct.pack("!HHBBH", hardware, ETH_IP, hlen, plen, op) + sender_mac + inet_aton(sender) + target_mac +
            inet_aton(target))


@dataclass(frozen=True)
class Arp:
    """An ARP request that the odd world saw."""
    mac: bytes
    sender: str
    target: str

    def reply(self, *, owner=None, mac=None, trailer=b"", **lies):
        """The answer to it; `owner` answers for another address, `mac` with another hardware address."""
        owner = owner or self.target
        mac = mac or mac_of(owner)
        return ethernet(self.mac, mac, ETH_ARP, arp(2, mac, owner, self.mac, self.sender, **lies) + trailer)


@dataclass(frozen=True)
class Segment:
    """A TCP segment that the odd world saw, and every way to answer it."""
    src: str
    dst: str
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    packet: bytes             # the IP packet as it came, for ICMP errors to quote
    link: tuple | None = None  # (its source MAC, its destination MAC); None on a link without Ethernet

    def frame(self, packet, *, cut=None, trailer=b"", vlan=None, ethertype=ETH_IP):
        """A frame back to where the segment came from. `cut` keeps only so many bytes of the packet."""
        body = packet[:cut] + trailer
        if self.link is None:
            return body
        if vlan is not None:
            body = struct.pack("!HH", vlan, ethertype) + body
            ethertype = ETH_VLAN
        return ethernet(self.link[0], self.link[1], ethertype, body)

    def answer(self, flags, *, seq=OUR_SEQ, ack=None, src=None, dst=None, sport=None, dport=None, options=b"",
               data=b"", offset=None, bad_tcp=False, ip=None, **link):
        """A segment from the probed endpoint to the prober: honest where no argument says otherwise. `ip` holds lies
        for ipv4(), further arguments go to frame()."""
        src, dst = src or self.dst, dst or self.src
        segment = tcp(src, dst, sport or self.dport, dport or self.sport, flags, seq,
                      self.seq + 1 if ack is None else ack, options=options, data=data, offset=offset, bad_tcp=bad_tcp)
        return self.frame(ipv4(src, dst, PROTO_TCP, segment, **(ip or {})), **link)

    def synack(self, **lies):
        return self.answer(SYN | ACK, options=lies.pop("options", MSS), **lies)

    def rst(self, **lies):
        return self.answer(RST | ACK, seq=lies.pop("seq", 0), **lies)

    def icmp(self, kind, code, *, src=None, dst=None, quote=None, quote_bytes=None, bad_icmp=False, ip=None, **link):
        """An ICMP error about this segment, from its target unless `src` says otherwise. It quotes the segment itself,
        or `quote`; `quote_bytes` cuts the quotation."""
        src, dst = src or self.dst, dst or self.src
        message = icmp(kind, code, (self.packet if quote is None else quote)[:quote_bytes], bad_icmp=bad_icmp)
        return self.frame(ipv4(src, dst, PROTO_ICMP, message, **(ip or {})), **link)

    def quoted(self, *, src=None, dst=None, sport=None, dport=None, seq=None, **ip):
        """The segment as an ICMP error might quote it, with lies."""
        src, dst = src or self.src, dst or self.dst
        segment = tcp(src, dst, sport or self.sport, dport or self.dport, self.flags,
                      self.seq if seq is None else seq, self.ack)
        return ipv4(src, dst, PROTO_TCP, segment, ttl=1, **ip)


def read_packet(packet, link=None):
    """The Segment in an IP packet, or None."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != PROTO_TCP:
        return None
    header_len = (packet[0] & 15) * 4
    if len(packet) < header_len + 20:
        return None
    sport, dport, seq, ack, _, flags = struct.unpack_from("!HHIIBB", packet, header_len)
    total = struct.unpack_from("!H", packet, 2)[0]
    return Segment(inet_ntoa(packet[12:16]), inet_ntoa(packet[16:20]), sport, dport, flags, seq, ack, packet[:total],
                   link)


def read_frame(frame):
    """The Arp request or the Segment in an Ethernet frame, or None."""
    ethertype = struct.unpack_from("!H", frame, 12)[0] if len(frame) >= 14 else 0
    if ethertype == ETH_ARP and len(frame) >= 42 and frame[20:22] == b"\0\1":
        return Arp(frame[22:28], inet_ntoa(frame[28:32]), inet_ntoa(frame[38:42]))
    if ethertype == ETH_IP:
        return read_packet(frame[14:], (frame[6:12], frame[:6]))
    return None
