"""The user-space end of a tun or tap device, which it makes in its own namespace; gone when it ends.

    python3 -m real.tunnel tun NAME PORT...         hosts without number behind a tun device, these TCP ports open
    python3 -m real.tunnel vlan NAME TRUNK ID       a tap device whose frames go out tagged (802.1Q) on interface TRUNK

It prints "ready" when the device is there, and ends when killed.
"""

import fcntl
import os
import select
import socket
import struct
import sys

from real.stack import Packet

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454CA, 1, 2, 0x1000
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 3, 263, 8, 23
STATUS_VLAN_VALID = 16


def device(name, kind):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | IFF_NO_PI))
    return fd


def tun(name, *ports):
    fd, open_ports = device(name, IFF_TUN), frozenset(map(int, ports))
    print("ready", flush=True)
    while True:
        packet = Packet.read(os.read(fd, 65536))
        answer = packet and packet.answer(open_ports)
        if answer:
            os.write(fd, answer.write())


def tag_of(extra):
    """The 802.1Q identifier that the kernel took out of a frame, or 0."""
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and struct.unpack("I", data[:4])[0] & STATUS_VLAN_VALID:
            return struct.unpack("H", data[16:18])[0] & 0xfff
    return 0


def vlan(name, trunk, number):
    fd, number = device(name, IFF_TAP), int(number)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    out.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    out.bind((trunk, ETH_P_ALL))
    print("ready", flush=True)
    while True:
        for ready in select.select([fd, out], [], [])[0]:
            if ready == fd:
                frame = os.read(fd, 65536)
                out.send(frame[:12] + struct.pack("!HH", 0x8100, number) + frame[12:])
            else:
                frame, extra, _, _ = out.recvmsg(65536, 64)
                if tag_of(extra) == number:
                    os.write(fd, frame)


if __name__ == "__main__":
    {"tun": tun, "vlan": vlan}[sys.argv[1]](*sys.argv[2:])
