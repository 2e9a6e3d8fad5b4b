"""A host of a few lines, for links behind which no kernel stands (tun, VLANs, LANs of hundreds): what it answers to one
IP packet, as a pure function. TCP (RFC 9293) without options, ICMP and ICMPv6 echo."""

import socket
import struct

TCP, ICMP, ICMPV6 = 6, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16
ECHO, ECHO_REPLY, ECHO6, ECHO_REPLY6 = 8, 0, 128, 129


def checksum(data):
    """RFC 1071; of an odd number of bytes as if a zero followed."""
    number = int.from_bytes(data + bytes(len(data) & 1), "big")
    return 0xffff - (number % 0xffff or (0xffff if number else 0))


class Packet:
    """An IP packet of either family: source, dest (packed), protocol, payload."""

    def __init__(self, source, dest, protocol, payload):
        self.source, self.dest, self.protocol, self.payload = source, dest, protocol, payload

    @classmethod
    def read(cls, data):
        """None for what is neither IPv4 nor IPv6, or too short."""
        if len(data) >= 20 and data[0] >> 4 == 4:
            length = struct.unpack("!H", data[2:4])[0]
            return cls(data[12:16], data[16:20], data[9], data[(data[0] & 15) * 4:length])
        if len(data) >= 40 and data[0] >> 4 == 6:
            length = struct.unpack("!H", data[4:6])[0]
            return cls(data[8:24], data[24:40], data[6], data[40:40 + length])
        return None

    def write(self):
        if len(self.source) == 16:
            return struct.pack("!IHBB", 6 << 28, len(self.payload), self.protocol, 64) + self.source + self.dest \
                + self.payload
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(self.payload), 0, 0, 64, self.protocol, 0)
        head += self.source + self.dest
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + self.payload

    def pseudo(self, length):
        """RFC 9293 3.1, RFC 8200 8.1"""
        form = "!BBH" if len(self.source) == 4 else "!IHBB"
        tail = (0, self.protocol, length) if len(self.source) == 4 else (length, 0, 0, self.protocol)
        return self.source + self.dest + struct.pack(form, *tail)

    def answer(self, open_ports):
        """The Packet that comes back, or None."""
        if self.protocol == TCP and len(self.payload) >= 20:
            return self.tcp(open_ports)
        if self.protocol == ICMP and self.payload[:1] == bytes([ECHO]):
            body = bytes([ECHO_REPLY, 0, 0, 0]) + self.payload[4:]
            return self.back(body[:2] + struct.pack("!H", checksum(body)) + body[4:])
        if self.protocol == ICMPV6 and self.payload[:1] == bytes([ECHO6]):
            return self.icmpv6(bytes([ECHO_REPLY6, 0, 0, 0]) + self.payload[4:])
        return None

    def back(self, payload):
        return Packet(self.dest, self.source, self.protocol, payload)

    def icmpv6(self, body):
        """An ICMPv6 packet back, its checksum filled in."""
        packet = self.back(body)
        total = checksum(packet.pseudo(len(body)) + body)
        packet.payload = body[:2] + struct.pack("!H", total) + body[4:]
        return packet

    def tcp(self, open_ports):
        source_port, dest_port, seq, ack, flags = struct.unpack("!HHIIxB", self.payload[:14])
        if flags & RST:
            return None
        if flags & ACK:
            answer = (ack, 0, RST)
        elif not flags & SYN or dest_port not in open_ports:
            if dest_port in open_ports:
                return None
            length = (flags & SYN > 0) + (flags & FIN > 0)
            answer = (0, (seq + length) & 0xffffffff, RST | ACK)
        else:
            answer = (0x10203040, (seq + 1) & 0xffffffff, SYN | ACK)
        segment = struct.pack("!HHIIBBHHH", dest_port, source_port, *answer[:2], 5 << 4, answer[2],
                              65535 if answer[2] & SYN else 0, 0, 0)
        packet = self.back(segment)
        total = checksum(packet.pseudo(len(segment)) + segment)
        packet.payload = segment[:16] + struct.pack("!H", total) + segment[18:]
        return packet


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def text(address):
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)
