"""Many hosts on one Ethernet link, each with a MAC of its own, and a router: python3 -m real.lan INTERFACE SETTINGS LOG

SETTINGS is a JSON object:
  hosts    addresses of either family; host n has the MAC 02:00:00:00:xx:xx with n as its last two bytes
  router   addresses of the router (MAC 02:00:00:01:00:00), which also answers for every address that is not on link
  on_link  the link's prefixes
  open     TCP ports that are open on each host; all others are closed
  vlan     the 802.1Q identifier of all frames, which then carry one; 0 or missing: untagged
The interface needs no address: all is done on an AF_PACKET socket. Prints "ready" when it listens; on SIGTERM it
writes LOG, one JSON object:
  asked        ARP requests and neighbour solicitations, asked_for: for how many different addresses
  asked_most   the most that were for one address
  probes       IP packets to addresses on link
  dead         those of them for addresses that no host has
  misdirected  those of them whose MAC is not that of the host: [address, MAC], at most 20
  to_router    packets for other addresses, all of which must have gone to the router's MAC
  tags         802.1Q identifiers of all frames (0: none) -> their number
  dropped      frames that came faster than they could be read
"""

import collections
import ipaddress
import json
import select
import signal
import socket
import struct
import sys

from real.stack import ICMPV6, Packet, packed, text
from real.tunnel import tag_of

ETH_P_ALL, SOL_PACKET = 3, 263
PACKET_STATISTICS, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 6, 8, 23
SO_RCVBUFFORCE = 33
ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86dd, 0x8100
SOLICITATION, ADVERTISEMENT, SOLICITED_OVERRIDE = 135, 136, 0x60000000
ROUTER_MAC = bytes.fromhex("020000010000")
MISDIRECTED_MAX = 20
KEPT_AWAKE = 0.2  # seconds between looks at whether the end has come


class Lan:
    def __init__(self, interface, settings):
        self.macs = {packed(a): bytes.fromhex("02000000") + struct.pack("!H", n)
                     for n, a in enumerate(settings["hosts"])}
        self.macs.update((packed(a), ROUTER_MAC) for a in settings.get("router", ()))
        self.on_link = [ipaddress.ip_network(prefix) for prefix in settings["on_link"]]
        self.open, self.vlan = frozenset(settings["open"]), settings.get("vlan", 0)
        self.asked, self.tags, self.misdirected = collections.Counter(), collections.Counter(), []
        self.probes = self.dead = self.to_router = 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        self.socket.bind((interface, ETH_P_ALL))

    def read(self):
        frame, extra, _, _ = self.socket.recvmsg(65536, 64)
        tag = tag_of(extra)
        self.tags[tag] += 1
        if tag == self.vlan:
            self.take(frame[:6], frame[6:12], struct.unpack("!H", frame[12:14])[0], frame[14:])

    def take(self, dest_mac, source_mac, kind, body):
        if kind == ARP:
            self.arp(body)
        elif kind in (IPV4, IPV6):
            packet = Packet.read(body)
            if packet and packet.protocol == ICMPV6 and packet.payload[:1] == bytes([SOLICITATION]):
                self.solicited(packet, source_mac)
            elif packet:
                self.packet(packet, dest_mac, source_mac, kind)

    def arp(self, body):
        """RFC 826"""
        if len(body) < 28 or body[6:8] != b"\0\1":
            return
        asker_mac, asker, target = body[8:14], body[14:18], body[24:28]
        self.asked[target] += 1
        mac = self.macs.get(target)
        if mac:
            self.send(asker_mac, mac, ARP, body[:6] + b"\0\2" + mac + target + asker_mac + asker)

    def solicited(self, packet, source_mac):
        """RFC 4861 7.2"""
        target = packet.payload[8:24]
        self.asked[target] += 1
        mac = self.macs.get(target)
        if mac and any(packet.source):
            packet.dest = target # whom the answer comes from
            body = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, SOLICITED_OVERRIDE) + target + b"\2\1" + mac
            answer = packet.icmpv6(body).write()
            self.send(source_mac, mac, IPV6, answer[:7] + b"\xff" + answer[8:])

    def packet(self, packet, dest_mac, source_mac, kind):
        if dest_mac[0] & 1:
            return # multicast of the asking kernel itself
        if any(ipaddress.ip_address(packet.dest) in net for net in self.on_link):
            self.probes += 1
            mac = self.macs.get(packet.dest)
            self.dead += mac is None
            if mac != dest_mac and len(self.misdirected) < MISDIRECTED_MAX:
                self.misdirected.append([text(packet.dest), dest_mac.hex(":")])
            if mac is None:
                return
        else:
            self.to_router += dest_mac == ROUTER_MAC
            mac = ROUTER_MAC
        answer = packet.answer(self.open)
        if answer:
            self.send(source_mac, mac, kind, answer.write())

    def send(self, dest_mac, source_mac, kind, body):
        tag = struct.pack("!HH", VLAN, self.vlan) if self.vlan else b""
        self.socket.send(dest_mac + source_mac + tag + struct.pack("!H", kind) + body)

    def log(self):
        dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        return {"asked": sum(self.asked.values()), "asked_for": len(self.asked),
                "asked_most": max(self.asked.values(), default=0), "probes": self.probes, "dead": self.dead,
                "misdirected": self.misdirected, "to_router": self.to_router, "tags": self.tags, "dropped": dropped}


def main(interface, settings, log):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    lan = Lan(interface, json.loads(settings))
    print("ready", flush=True)
    while not ended:
        if select.select([lan.socket], [], [], KEPT_AWAKE)[0]:
            lan.read()
    while select.select([lan.socket], [], [], 0)[0]:
        lan.read()
    with open(log, "w", encoding="ascii") as file:
        json.dump(lan.log(), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
