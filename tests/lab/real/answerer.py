"""The servers of a host, and what its kernel cannot say by itself: python3 -m real.answerer SETTINGS

SETTINGS is a JSON object; each part may be missing:
  tcp   ports that listen on every address, both families
  udp   ports that send back what they get
  mute  UDP ports that read and say nothing
  sctp  open SCTP ports: this kernel has no SCTP, so RFC 9260 is played here (all other ports answer ABORT)
  raw   IP protocols that the kernel is to think of as served, so that it sends no error
  errors  {"interface": NAME, "rules": [[family, protocol, port or null, type, code], ...]}: an ICMP error for each
          matching packet that comes in there, whatever the packet filter does with it
It prints "ready" once all of it is open, and ends when killed.
"""

import json
import selectors
import socket
import struct
import sys

from real.stack import checksum

SCTP, ICMP, ICMPV6 = 132, 1, 58
ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING = 3, 263, 23
INIT, INIT_ACK, ABORT, COOKIE_ECHO = 1, 2, 6, 10
REFLECTED_TAG = 1      # the T bit (RFC 9260 8.4)
QUOTED_MAX = 500       # bytes of the packet that an error quotes
PORTS_IN = (6, 17, SCTP)


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    """RFC 9260 appendix A."""
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def sctp_packet(source_port, dest_port, tag, chunk):
    head = struct.pack("!HHI", source_port, dest_port, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def sctp_answer(packet, open_ports):
    """What an SCTP host answers to a packet from nowhere (RFC 9260 5.1, 8.4), or None."""
    if len(packet) < 16:
        return None
    source_port, dest_port, tag, crc = struct.unpack("!HHI", packet[:8]) + struct.unpack("<I", packet[8:12])
    chunk = packet[12]
    if crc != crc32c(packet[:8] + bytes(4) + packet[12:]):
        return None
    if chunk == INIT and len(packet) >= 32 and tag == 0:
        initiate_tag = struct.unpack("!I", packet[16:20])[0]
        if dest_port not in open_ports:
            return sctp_packet(dest_port, source_port, initiate_tag, struct.pack("!BBH", ABORT, 0, 4))
        cookie = struct.pack("!HH8s", 7, 12, b"a-cookie")
        body = struct.pack("!IIHHI", 0x01020304, 65536, 1, 1, 0x01020304) + cookie
        return sctp_packet(dest_port, source_port, initiate_tag,
                           struct.pack("!BBH", INIT_ACK, 0, 4 + len(body)) + body)
    if chunk == COOKIE_ECHO and dest_port in open_ports:
        return None # a cookie that is not this host's own is discarded silently (5.1.5)
    if chunk in (ABORT, INIT):
        return None
    return sctp_packet(dest_port, source_port, tag, struct.pack("!BBH", ABORT, REFLECTED_TAG, 4))


def behind_headers(packet):
    """Of an IP packet: (family, protocol, its header and data, source address as text), or None."""
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        return 4, packet[9], packet[(packet[0] & 15) * 4:], socket.inet_ntop(socket.AF_INET, packet[12:16])
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return 6, packet[6], packet[40:], socket.inet_ntop(socket.AF_INET6, packet[8:24])
    return None


class Errors:
    """Answers packets of an interface with ICMP errors, by rules."""

    def __init__(self, interface, rules):
        self.rules = {(family, protocol, port): (kind, code) for family, protocol, port, kind, code in rules}
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.senders = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, ICMP),
                        6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, ICMPV6)}

    def read(self):
        packet = self.socket.recv(65536)
        read = behind_headers(packet) if packet else None
        if not read:
            return
        family, protocol, payload, source = read
        port = struct.unpack("!H", payload[2:4])[0] if protocol in PORTS_IN and len(payload) >= 4 else None
        for key in ((family, protocol, port), (family, protocol, None)):
            if key in self.rules:
                kind, code = self.rules[key]
                length = struct.unpack("!H", packet[2:4])[0] if family == 4 else len(packet)
                error = struct.pack("!BBHI", kind, code, 0, 0) + packet[:min(length, QUOTED_MAX)]
                if family == 4:
                    error = error[:2] + struct.pack("!H", checksum(error)) + error[4:]
                self.senders[family].sendto(error, (source, 0)) # of ICMPv6 the kernel computes the checksum
                return


class Host:
    def __init__(self, settings):
        self.selector = selectors.DefaultSelector()
        self.kept = []
        for port in settings.get("tcp", ()):
            self.kept.append(self.bound(socket.SOCK_STREAM, port))
            self.kept[-1].listen(64)
        for port in settings.get("udp", ()):
            self.watch(self.bound(socket.SOCK_DGRAM, port), self.echo)
        for port in settings.get("mute", ()):
            self.watch(self.bound(socket.SOCK_DGRAM, port), lambda s: s.recv(65536))
        if "sctp" in settings:
            ports = set(settings["sctp"])
            for family in (socket.AF_INET, socket.AF_INET6):
                self.watch(socket.socket(family, socket.SOCK_RAW, SCTP), lambda s, p=ports: self.associate(s, p))
        for protocol in settings.get("raw", ()):
            for family in (socket.AF_INET, socket.AF_INET6):
                self.watch(socket.socket(family, socket.SOCK_RAW, protocol), lambda s: s.recv(65536))
        if "errors" in settings:
            errors = Errors(**settings["errors"])
            self.watch(errors.socket, lambda _: errors.read())

    @staticmethod
    def bound(kind, port):
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::", port))
        return s

    def watch(self, s, function):
        self.selector.register(s, selectors.EVENT_READ, function)

    @staticmethod
    def echo(s):
        data, source = s.recvfrom(65536)
        s.sendto(data or b"here", source)

    @staticmethod
    def associate(s, ports):
        packet, source = s.recvfrom(65536)
        if s.family == socket.AF_INET:
            packet = packet[(packet[0] & 15) * 4:]
        answer = sctp_answer(packet, ports)
        if answer:
            s.sendto(answer, (source[0], 0))

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except OSError: # a way back that the packet filter or the route denies: so be it
                    pass


if __name__ == "__main__":
    host = Host(json.loads(sys.argv[1]))
    print("ready", flush=True)
    host.serve()
