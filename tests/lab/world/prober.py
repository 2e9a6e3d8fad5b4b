"""A plain scanner of the lab's own: it sends SYNs over AF_PACKET and reads what comes back. Its frames, sums and
parsing share nothing with the world's C code."""
import ipaddress
import select
import socket
import struct

import numpy

WORLD_MAC = bytes.fromhex("020000000001")
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33  # the socket module lacks it
SYN, RST, ACK = 0x02, 0x04, 0x10
BURST = 64  # frames between two looks at what has come in


def ones_complement(words):
    """The Internet checksum (RFC 1071) of each row of 16-bit words."""
    total = words.astype(numpy.uint64).sum(axis=1)
    while (total >> numpy.uint64(16)).any():
        total = (total & numpy.uint64(0xffff)) + (total >> numpy.uint64(16))
    return (0xffff - total).astype(">u2")


def tcp_frames(source_mac, source, addresses, ports, source_port, sequence, flags=SYN, identification=1):
    """One Ethernet frame a row: TCP with the MSS option, all sums true. Arrays or numbers, in host order."""
    n = len(addresses)
    frame = numpy.zeros((n, 58), dtype=numpy.uint8)

    def put(at, kind, value):
        width = numpy.dtype(kind).itemsize
        column = numpy.broadcast_to(numpy.asarray(value).astype(kind), n)
        frame[:, at:at + width] = numpy.frombuffer(column.tobytes(), numpy.uint8).reshape(n, width)

    frame[:, 0:6] = numpy.frombuffer(WORLD_MAC, numpy.uint8)
    frame[:, 6:12] = numpy.frombuffer(source_mac, numpy.uint8)
    for at, kind, value in ((12, ">u2", 0x0800), (14, ">u2", 0x4500), (16, ">u2", 44), (18, ">u2", identification),
                            (20, ">u2", 0x4000), (22, ">u2", 0x4006), (26, ">u4", int(ipaddress.ip_address(source))),
                            (30, ">u4", addresses), (34, ">u2", source_port), (36, ">u2", ports), (38, ">u4", sequence),
                            (46, ">u2", 0x6000 | flags), (48, ">u2", 64240), (54, ">u4", 0x020405b4)):
        put(at, kind, value)
    put(24, ">u2", ones_complement(frame[:, 14:34].copy().view(">u2")))
    pseudo = numpy.zeros((n, 12), dtype=numpy.uint8)
    pseudo[:, 0:8] = frame[:, 26:34]
    pseudo[:, 9], pseudo[:, 11] = 6, 24
    put(50, ">u2", ones_complement(numpy.hstack([pseudo, frame[:, 34:58]]).view(">u2")))
    return frame


class Prober:
    """Probes from an address that the scanner's kernel doesn't have, so that the kernel stays out of it."""

    def __init__(self, world, source="198.18.0.3"):
        self.source = source
        self.mac = bytes.fromhex(world.scanner.address("scan0").replace(":", ""))
        self.socket = world.scanner.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind(("scan0", ETH_P_ALL))
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def receive(self, wait=0.0):
        """All frames that have come in, waiting so many seconds for the next one."""
        frames = []
        while select.select([self.socket], [], [], wait)[0]:
            data, (_, _, kind, _, _) = self.socket.recvfrom(65536)
            if kind != socket.PACKET_OUTGOING:
                frames.append(data)
        return frames

    def exchange(self, frames, wait=0.2):
        """Sends frames (rows, or bytes) and returns what came back."""
        frames = [bytes(frame) for frame in frames]
        back = []
        for i in range(0, len(frames), BURST):
            for frame in frames[i:i + BURST]:
                self.socket.setblocking(True)
                self.socket.send(frame)
            self.socket.setblocking(False)
            back += self.receive()
        return back + self.receive(wait)

    def syns(self, endpoints, source_port, sequence=None):
        """The SYN frames to an array of (address, port) rows; the sequence number is a hash of them unless given."""
        addresses, ports = endpoints[:, 0], endpoints[:, 1]
        if sequence is None:
            sequence = expected_sequence(addresses, ports, source_port)
        return tcp_frames(self.mac, self.source, addresses, ports, source_port, sequence,
                          identification=1 + ports % 65535)

    def scan(self, endpoints, source_port):
        """One SYN to each endpoint. Returns {(address, port): "open", "closed" or "filtered"} and all answers."""
        answers = self.exchange(self.syns(endpoints, source_port))
        return dict(filter(None, (verdict(answer, source_port) for answer in answers))), answers


def expected_sequence(addresses, ports, source_port):
    mixed = addresses.astype(numpy.uint64) * numpy.uint64(2654435761) + ports.astype(numpy.uint64) * numpy.uint64(40503)
    return (mixed + numpy.uint64(source_port)) & numpy.uint64(0xffffffff)


def verdict(frame, source_port):
    """((address, port), state) of an answer to our SYN, which must be exactly one; None for anything else."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00":
        return None
    if frame[23] == 1:
        address, = struct.unpack(">I", frame[58:62])
        port, = struct.unpack(">H", frame[64:66])
        return (address, port), "filtered"
    address, = struct.unpack(">I", frame[26:30])
    port, to, _, ack = struct.unpack(">HHII", frame[34:46])
    wanted = expected_sequence(numpy.array([address]), numpy.array([port]), source_port)[0] + numpy.uint64(1)
    if to != source_port or ack != wanted & numpy.uint64(0xffffffff):
        return None
    return (address, port), {SYN | ACK: "open", RST | ACK: "closed"}.get(frame[47], "odd")


def universe(net, ports):
    """All endpoints of a world as rows (address, port)."""
    net = ipaddress.ip_network(net)
    first = int(net.network_address)
    addresses = numpy.arange(first, first + net.num_addresses, dtype=numpy.int64)
    grid = numpy.array(numpy.meshgrid(addresses, numpy.arange(1, ports + 1), indexing="ij"))
    return grid.reshape(2, -1).T
