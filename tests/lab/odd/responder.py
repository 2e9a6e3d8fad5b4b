"""The odd world itself: answers one case's way on one link, and keeps a log of what it saw and sent.

    python3 -m odd.responder packet:IFACE|tun:IFACE CASE LOG      (in tests/lab, inside the far namespace)

It prints "ready" when it listens, and on SIGTERM writes LOG: one JSON object
  seen     frames from the prober, oldest first: {t, kind, src, dst, sport, dport}, of TCP also {flags, seq, ack}, of
           ICMP {type}; or {t, kind, target}
  delayed  answers that waited: {t, ip, port, counter}
  lies     counter -> [how often it must rise at least, at most]
  sent     all frames sent
Times are seconds of CLOCK_MONOTONIC. The interface must have no address of its own there: the kernel stays silent.
"""

import fcntl
import heapq
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import defaultdict

from odd.cases import CASES
from odd.packet import Arp, Association, Datagram, Question, Segment, Solicitation, read_frame, read_packet

DELAYED_MAX = 100_000  # answers waiting for their time
SEEN_MAX = 400_000     # frames logged
DRAIN_SECONDS = 5      # at the end, what has come already is still logged
SOL_PACKET, PACKET_IGNORE_OUTGOING, ETH_P_ALL, SO_RCVBUFFORCE = 263, 23, 3, 33
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
FRAME_MIN = 14         # the kernel takes no frame without its Ethernet header


class PacketLink:
    """One end of a veth, below the kernel's own stack."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((name, ETH_P_ALL))
        self.fd = self.socket.fileno()

    def read(self):
        return read_frame(self.socket.recv(65536))

    def write(self, frame):
        self.socket.send(frame)


class TunLink:
    """The far side of a tun device: packets without an Ethernet header."""

    def __init__(self, name):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))

    def read(self):
        return read_packet(os.read(self.fd, 65536))

    def write(self, frame):
        os.write(self.fd, frame)


class World:
    def __init__(self, link, case):
        self.link, self.case = link, case
        self.waiting, self.order = [], 0
        self.seen, self.delayed, self.lies, self.sent = [], [], {}, 0
        self.past = defaultdict(list)

    def serve(self, ended):
        while not ended:
            due = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
            self.read(min(max(due, 0), 0.1))
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                answer, probe = heapq.heappop(self.waiting)[2:]
                self.send(answer, probe)
                self.delayed.append({"t": time.monotonic(), "ip": probe.dst, "port": probe.dport,
                                     "counter": answer.counter})
        stop = time.monotonic() + DRAIN_SECONDS
        while self.read(0) and time.monotonic() < stop:
            pass

    def read(self, seconds):
        """Takes one frame, if one comes in so long."""
        if not select.select([self.link.fd], [], [], seconds)[0]:
            return False
        self.take(self.link.read(), time.monotonic())
        return True

    def take(self, frame, now):
        """Logs what came and answers it as the case wants, in the order of the case's own times."""
        if frame is None:
            return
        if len(self.seen) < SEEN_MAX:
            self.seen.append(log_entry(frame, now))
        if isinstance(frame, (Arp, Solicitation)):
            key, answers = frame.target, self.case.neighbour_answers
        else:
            key, answers = (frame.dst, frame.proto, frame.dport, getattr(frame, "flags", None)), self.case.answers
        for answer in answers(frame, self.past[key]):
            if answer.after == 0:
                self.send(answer, frame)
            elif len(self.waiting) < DELAYED_MAX:
                self.order += 1
                heapq.heappush(self.waiting, (now + answer.after, self.order, answer, frame))
        self.past[key].append(frame)

    def send(self, answer, probe):
        for _ in range(answer.times):
            self.link.write(answer.frame)
        self.sent += answer.times
        if answer.counter:
            bounds = self.lies.setdefault(answer.counter, [0, 0])
            bounds[0] += answer.lies if answer.certain else 0
            bounds[1] += answer.lies

    def log(self):
        return {"seen": self.seen, "delayed": self.delayed, "lies": self.lies, "sent": self.sent}


def log_entry(frame, now):
    if isinstance(frame, (Arp, Solicitation)):
        return {"t": now, "kind": "arp" if isinstance(frame, Arp) else "nd", "target": frame.target}
    kinds = {Segment: "tcp", Datagram: "udp", Association: "sctp", Question: "icmp"}
    entry = {"t": now, "kind": kinds.get(type(frame), "ip"), "src": frame.src, "dst": frame.dst, "sport": frame.sport,
             "dport": frame.dport}
    if isinstance(frame, Segment):
        entry |= {"flags": frame.flags, "seq": frame.seq, "ack": frame.ack}
    if isinstance(frame, Question):
        entry |= {"type": frame.kind}
    return entry


def main(where, name, log):
    kind, interface = where.split(":", 1)
    world = World({"packet": PacketLink, "tun": TunLink}[kind](interface), CASES[name])
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    world.serve(ended)
    with open(log, "w", encoding="ascii") as file:
        json.dump(world.log(), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
