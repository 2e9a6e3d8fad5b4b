"""Frames built field by field, so that every field can lie, and read back just far enough to answer them.

Addresses are text of either family, ports and sequence numbers plain integers, a frame is bytes from its Ethernet
header on; on a link without one (tun) it is the bare IP packet.
"""

import struct
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ETH_IP, ETH_ARP, ETH_IP6, ETH_VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ICMP6, PROTO_SCTP = 1, 6, 17, 58, 132
HOP_BY_HOP, ROUTING, FRAGMENT, ESP, AUTHENTICATION, NO_NEXT, DESTINATION = 0, 43, 44, 50, 51, 59, 60
ECHO, STAMP = {4: 8, 6: 128}, 13        # ICMP's questions ...
PONG, STAMP_REPLY = {4: 0, 6: 129}, 14  # ... and answers
SOLICITATION, ADVERTISEMENT = 135, 136
INIT, INIT_ACK, ABORT, COOKIE_ECHO = 1, 2, 6, 10
MORE_FRAGMENTS = 0x2000
OUR_SEQ = 0x1234ABCD  # the odd world's own initial sequence number
MSS = bytes([2, 4, 5, 0xB4])
BAD_SUM = 0x1881  # a bad checksum differs from the right one in these bits


def family_of(address):
    return 6 if ":" in address else 4


def packed(address):
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


def text(data):
    return inet_ntop(AF_INET if len(data) == 4 else AF_INET6, data)


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put_checksum(data, at, pseudo=b"", bad=False):
    """data with its checksum field at `at` filled in."""
    value = checksum(pseudo + data) ^ (BAD_SUM if bad else 0)
    return data[:at] + struct.pack("!H", value) + data[at + 2:]


def pseudo_header(src, dst, proto, length):
    """As RFC 9293 3.1 and RFC 8200 8.1 have it; the sums over both forms are the same."""
    return packed(src) + packed(dst) + struct.pack("!II", length, proto)


def crc32c(data):
    """SCTP's checksum (RFC 9260 appendix A), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def mac_of(address):
    """The hardware address that the odd world gives an address."""
    return (b"\x02\x06" if ":" in address else b"\x02\x0d") + packed(address)[-4:]


def ethernet(dst, src, ethertype, payload):
    return dst + src + struct.pack("!H", ethertype) + payload


def ipv4(src, dst, proto, payload, *, ttl=57, options=b"", fragment=0, length=None, ihl=None, version=4, bad_ip=False,
         ident=0x0DD0):
    """An IPv4 packet. `fragment` is the whole flags-and-offset field; `length`, `ihl` and `version` may lie."""
    header_len = 20 + len(options)
    total = header_len + len(payload) if length is None else length
    words = header_len // 4 if ihl is None else ihl
    header = struct.pack("!BBHHHBBH", version << 4 | words, 0, total, ident, fragment, ttl, proto, 0)
    return put_checksum(header + packed(src) + packed(dst) + options, 10, bad=bad_ip) + payload


def ipv6(src, dst, proto, payload, *, ttl=57, headers=(), length=None, version=6, flow=0xDD0):
    """An IPv6 packet. `headers` are extension headers, (number, all of it but its first byte); `length` and `version`
    may lie."""
    following = [number for number, _ in headers] + [proto]
    chain = b"".join(bytes([following[i + 1]]) + body for i, (_, body) in enumerate(headers))
    payload = chain + payload
    start = struct.pack("!IHBB", version << 28 | flow, len(payload) if length is None else length, following[0], ttl)
    return start + packed(src) + packed(dst) + payload


def ip(src, dst, proto, payload, **lies):
    return (ipv4 if family_of(src) == 4 else ipv6)(src, dst, proto, payload, **lies)


def padding(number, units=0):
    """A hop-by-hop or destination options header of 8 bytes and so many times 8 more, with nothing but padding."""
    return number, bytes([units]) + bytes(6 + 8 * units)


def routing(left=0):
    """A routing header of type 0 (RFC 2460) without addresses but those that are `left`."""
    return ROUTING, bytes([2 * left, 0, left]) + bytes(4 + 16 * left)


def authentication():
    """A header of RFC 4302 with 12 bytes of check value."""
    return AUTHENTICATION, bytes([4, 0, 0]) + bytes(20)


def fragment_header(offset, more):
    return FRAGMENT, struct.pack("!BHI", 0, offset << 3 | more, 0xDD0)


def tcp(src, dst, sport, dport, flags, seq, ack, *, options=b"", data=b"", window=64240, offset=None, bad_tcp=False):
    words = (20 + len(options)) // 4 if offset is None else offset
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4, flags, window,
                          0, 0)
    segment += options + data
    return put_checksum(segment, 16, pseudo_header(src, dst, PROTO_TCP, len(segment)), bad_tcp)


def udp(src, dst, sport, dport, data, *, length=None, bad_udp=False, no_sum=False):
    """`length` may lie; the checksum is the one that a datagram of that length would have."""
    length = 8 + len(data) if length is None else length
    datagram = struct.pack("!HHHH", sport, dport, length, 0) + data
    if no_sum:
        return datagram
    pseudo = pseudo_header(src, dst, PROTO_UDP, length)
    return put_checksum(datagram[:max(length, 8)], 6, pseudo, bad_udp) + datagram[max(length, 8):]


def sctp(sport, dport, tag, chunks, *, bad_sctp=False):
    head = struct.pack("!HHI", sport, dport, tag)
    crc = crc32c(head + bytes(4) + chunks) ^ (BAD_SUM if bad_sctp else 0)
    return head + struct.pack("<I", crc) + chunks


def chunk(kind, flags=0, body=b""):
    return struct.pack("!BBH", kind, flags, 4 + len(body)) + body


def icmp(src, dst, kind, code, body, *, rest=0, bad_icmp=False):
    """An ICMP or ICMPv6 message: `rest` is its second word, `body` what follows."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    pseudo = pseudo_header(src, dst, PROTO_ICMP6, len(message)) if family_of(src) == 6 else b""
    return put_checksum(message, 2, pseudo, bad_icmp)


def arp(op, sender_mac, sender, target_mac, target, *, hlen=6, plen=4, hardware=1):
    return (struct.pack("!HHBBH", hardware, ETH_IP, hlen, plen, op) + sender_mac + packed(sender) + target_mac +
            packed(target))


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
class Solicitation:
    """A neighbour solicitation that the odd world saw."""
    mac: bytes
    sender: str
    target: str

    def reply(self, *, owner=None, mac=None, to=None, group_mac=None, hops=255, code=0, flags=0x60000000, option=None,
              cut=None, bad_icmp=False, trailer=b""):
        """The advertisement that answers it. `option` replaces the one with the hardware address; `cut` keeps so many
        bytes of the message."""
        owner = owner or self.target
        mac, to = mac or mac_of(owner), to or self.sender
        option = b"\2\1" + mac if option is None else option
        body = (packed(owner) + option)[:None if cut is None else cut - 8]
        message = icmp(owner, to, ADVERTISEMENT, code, body, rest=flags, bad_icmp=bad_icmp)
        packet = ipv6(owner, to, PROTO_ICMP6, message[:cut], ttl=hops)
        return ethernet(group_mac or self.mac, mac, ETH_IP6, packet + trailer)


@dataclass(frozen=True)
class Probe:
    """A packet that the odd world saw, and the ways to answer it that all protocols share. Ports are 0 where the
    protocol has none; -sO's port is the protocol."""
    src: str
    dst: str
    proto: int
    sport: int
    dport: int
    packet: bytes              # the IP packet as it came, for ICMP errors to quote
    link: tuple | None         # (its source MAC, its destination MAC); None on a link without Ethernet

    @property
    def family(self):
        return family_of(self.dst)

    @property
    def payload(self):
        """What follows the IP header; those of probes have no options."""
        return self.packet[20 if self.family == 4 else 40:]

    def frame(self, packet, *, cut=None, trailer=b"", vlan=None, ethertype=None):
        """A frame back to where the probe came from. `cut` keeps only so many bytes of the packet."""
        ethertype = ethertype or (ETH_IP if self.family == 4 else ETH_IP6)
        body = packet[:cut] + trailer
        if self.link is None:
            return body
        if vlan is not None:
            body = struct.pack("!HH", vlan, ethertype) + body
            ethertype = ETH_VLAN
        return ethernet(self.link[0], self.link[1], ethertype, body)

    def wrapped(self, payload, *, proto=None, src=None, dst=None, packet=None, **link):
        """A frame with that payload in an IP packet of the probe's protocol; `packet` holds lies for ip()."""
        return self.frame(ip(src or self.dst, dst or self.src, self.proto if proto is None else proto, payload,
                             **(packet or {})), **link)

    def icmp(self, kind, code, *, src=None, dst=None, quote=None, quote_bytes=None, rest=0, bad_icmp=False, **more):
        """An ICMP error about this probe, from its target unless `src` says otherwise. It quotes the packet itself, or
        `quote`; `quote_bytes` cuts the quotation."""
        src, dst = src or self.dst, dst or self.src
        quoted = (self.packet if quote is None else quote)[:quote_bytes]
        message = icmp(src, dst, kind, code, quoted, rest=rest, bad_icmp=bad_icmp)
        return self.wrapped(message, proto=PROTO_ICMP if self.family == 4 else PROTO_ICMP6, src=src, dst=dst, **more)

    def unreachable(self, **lies):
        """Nobody has that address."""
        return self.icmp(*((3, 1) if self.family == 4 else (1, 3)), **lies)

    def prohibited(self, **lies):
        return self.icmp(*((3, 13) if self.family == 4 else (1, 1)), **lies)

    def refused(self, **lies):
        """There is no such port."""
        return self.icmp(*((3, 3) if self.family == 4 else (1, 4)), **lies)

    def unknown(self, **lies):
        """There is no such protocol; IPv6 points to the field."""
        return self.icmp(3, 2, **lies) if self.family == 4 else self.icmp(4, 1, **{"rest": 6, **lies})

    def quoted(self, *, src=None, dst=None, payload=None, proto=None, **lies):
        """The probe as an ICMP error might quote it, with lies; identification and flow label stay."""
        kept = {"ident": struct.unpack_from("!H", self.packet, 4)[0]} if self.family == 4 else \
            {"flow": struct.unpack_from("!I", self.packet)[0] & 0xFFFFF}
        return ip(src or self.src, dst or self.dst, self.proto if proto is None else proto,
                  self.payload if payload is None else payload, **{"ttl": 1, **kept, **lies})

    def quoted_ports(self, sport=None, dport=None, **lies):
        """The same with other ports."""
        ports = struct.pack("!HH", sport or self.sport, dport or self.dport)
        return self.quoted(payload=ports + self.payload[4:], **lies)


@dataclass(frozen=True)
class Segment(Probe):
    """TCP."""
    flags: int
    seq: int
    ack: int

    def answer(self, flags, *, seq=OUR_SEQ, ack=None, src=None, dst=None, sport=None, dport=None, options=b"",
               data=b"", offset=None, window=64240, bad_tcp=False, **more):
        """A segment from the probed endpoint to the prober: honest where no argument says otherwise. Further arguments
        go to wrapped() and frame()."""
        src, dst = src or self.dst, dst or self.src
        segment = tcp(src, dst, sport or self.dport, dport or self.sport, flags, seq,
                      self.seq + 1 if ack is None else ack, options=options, data=data, offset=offset, window=window,
                      bad_tcp=bad_tcp)
        return self.wrapped(segment, src=src, dst=dst, **more)

    def synack(self, **lies):
        return self.answer(SYN | ACK, options=lies.pop("options", MSS), **lies)

    def rst(self, **lies):
        return self.answer(RST | ACK, seq=lies.pop("seq", 0), **lies)

    def quoted_seq(self, seq):
        return self.quoted(payload=self.payload[:4] + struct.pack("!I", seq & 0xFFFFFFFF) + self.payload[8:])


@dataclass(frozen=True)
class Datagram(Probe):
    """UDP."""

    def answer(self, data=b"pong", *, src=None, dst=None, sport=None, dport=None, length=None, bad_udp=False,
               no_sum=False, **more):
        src, dst = src or self.dst, dst or self.src
        datagram = udp(src, dst, sport or self.dport, dport or self.sport, data, length=length, bad_udp=bad_udp,
                       no_sum=no_sum)
        return self.wrapped(datagram, src=src, dst=dst, **more)


@dataclass(frozen=True)
class Association(Probe):
    """SCTP: its first chunk, and the tag that an answer must have."""
    chunk: int
    tag: int

    def answer(self, chunks, *, tag=None, sport=None, dport=None, bad_sctp=False, **more):
        return self.wrapped(sctp(sport or self.dport, dport or self.sport, self.tag if tag is None else tag, chunks,
                                 bad_sctp=bad_sctp), **more)

    def init_ack(self, **lies):
        body = struct.pack("!IIHHI", OUR_SEQ, 65536, 1, 1, OUR_SEQ) + struct.pack("!HHI", 7, 8, 0xDD0)
        return self.answer(chunk(INIT_ACK, 0, body), **lies)

    def abort(self, *, reflected=None, **lies):
        reflected = self.chunk == COOKIE_ECHO if reflected is None else reflected
        return self.answer(chunk(ABORT, int(reflected)), **lies)


@dataclass(frozen=True)
class Question(Probe):
    """ICMP echo and timestamp requests."""
    kind: int
    ident: int
    seq: int

    def answer(self, *, kind=None, ident=None, seq=None, data=None, code=0, bad_icmp=False, src=None, **more):
        asked = {ECHO[self.family]: PONG[self.family], STAMP: STAMP_REPLY}
        kind = asked[self.kind] if kind is None else kind
        rest = (self.ident if ident is None else ident) << 16 | (self.seq if seq is None else seq)
        data = self.payload[8:] if data is None else data
        src = src or self.dst
        return self.wrapped(icmp(src, self.src, kind, code, data, rest=rest, bad_icmp=bad_icmp), src=src, **more)


def read_payload(src, dst, proto, packet, payload, link):
    """The Probe that an IP packet is, as far as there is a class for it."""
    base = src, dst, proto
    if len(payload) >= 8 and proto in (PROTO_TCP, PROTO_UDP, PROTO_SCTP):
        sport, dport, word = struct.unpack_from("!HHI", payload)
        ported = *base, sport, dport, packet, link
        if proto == PROTO_UDP:
            return Datagram(*ported)
        if proto == PROTO_TCP and len(payload) >= 20:
            ack, _, flags = struct.unpack_from("!IBB", payload, 8)
            return Segment(*ported, flags, word, ack)
        if proto == PROTO_SCTP and len(payload) >= 16:
            first = payload[12]
            tag = struct.unpack_from("!I", payload, 16)[0] if first == INIT and len(payload) >= 20 else word
            return Association(*ported, first, tag)
        return None
    if proto == (PROTO_ICMP if family_of(src) == 4 else PROTO_ICMP6) and len(payload) >= 8:
        kind, _, _, ident, seq = struct.unpack_from("!BBHHH", payload)
        if kind in (ECHO[family_of(src)], STAMP):
            return Question(*base, 0, 0, packet, link, kind, ident, seq)
        return None
    return Probe(*base, 0, proto, packet, link)


def read_packet(packet, link=None):
    """The Probe or the Solicitation in an IP packet, or None."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        header_len, total = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
        src, dst, proto = text(packet[12:16]), text(packet[16:20]), packet[9]
    elif version == 6 and len(packet) >= 40:
        header_len, total = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
        src, dst, proto = text(packet[8:24]), text(packet[24:40]), packet[6]
    else:
        return None
    payload = packet[header_len:total]
    if version == 6 and proto == PROTO_ICMP6 and payload[:1] == bytes([SOLICITATION]) and len(payload) >= 24:
        return Solicitation(link[0], src, text(payload[8:24])) if link and src != "::" else None
    return read_payload(src, dst, proto, packet[:total], payload, link)


def read_frame(frame):
    """The Arp request, Solicitation or Probe in an Ethernet frame, or None."""
    ethertype = struct.unpack_from("!H", frame, 12)[0] if len(frame) >= 14 else 0
    if ethertype == ETH_ARP and len(frame) >= 42 and frame[20:22] == b"\0\1":
        return Arp(frame[22:28], text(frame[28:32]), text(frame[38:42]))
    if ethertype in (ETH_IP, ETH_IP6):
        return read_packet(frame[14:], (frame[6:12], frame[:6]))
    return None
