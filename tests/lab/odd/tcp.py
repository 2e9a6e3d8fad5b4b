"""TCP answers that no honest host gives.

A counter beside an answer must rise by exactly as many as were sent; all the others must not rise at all.
"""

import random
import struct

from odd.case import CLOSED, OPEN, SILENT, V4, V6, Answer, filtered
from odd.packet import (ACK, DESTINATION, ESP, ETH_IP6, FIN, HOP_BY_HOP, MORE_FRAGMENTS, NO_NEXT, OUR_SEQ, PROTO_TCP,
                        PROTO_UDP, PSH, RST, SYN, URG, authentication, fragment_header, ip, padding, routing, tcp, udp)
from odd.registry import case, hosts_of, ports


@case("honest", {80: OPEN | {"ttl": 57, "flags": "SA", "try": 0}})
def honest(p, past):
    yield Answer(p.synack())


# Late, reordered, repeated.

@case("late 50 ms", {80: OPEN})
def late(p, past):
    if not past:
        yield Answer(p.synack(), after=0.05)


@case("slow", ports(5000, OPEN), families=(V4,))
def slow(p, past):
    """Every port open, and half a second away."""
    yield Answer(p.synack(), after=0.5)


@case("second try only", {80: OPEN | {"try": 1}})
def second_try(p, past):
    if len(past) == 1:
        yield Answer(p.synack())


@case("tries answered in reverse", {80: OPEN | {"try": 1}})
def tries_reversed(p, past):
    if past:
        yield Answer(p.synack())
        yield Answer(past[0].synack(), "duplicates")


@case("ports answered in reverse", ports(50, OPEN))
def ports_reversed(p, past):
    yield Answer(p.synack(), after=0.002 * (51 - p.dport))


@case("open a thousand times", {80: OPEN})
def open_thousand(p, past):
    yield Answer(p.synack(), "duplicates", times=1000, spare=1)


@case("closed a thousand times", {80: CLOSED})
def closed_thousand(p, past):
    yield Answer(p.rst(), "duplicates", times=1000, spare=1)


@case("unreachable a thousand times", {80: filtered("host-unreach")})
def unreachable_thousand(p, past):
    yield Answer(p.unreachable(), "duplicates", times=1000, spare=1)


# Forged.

@case("wrong ack", ports(5, SILENT))
def wrong_ack(p, past):
    ack = {1: p.seq, 2: p.seq + 2, 3: 0, 4: p.seq + 1 + (1 << 31), 5: p.seq ^ 0xFFFF0000}[p.dport]
    yield Answer(p.synack(ack=ack), "bad_cookie")


@case("wrong source port", ports(2, SILENT))
def wrong_source_port(p, past):
    yield Answer(p.synack(sport={1: 2, 2: 7777}[p.dport]), "bad_cookie")


@case("wrong destination port", {80: SILENT})
def wrong_destination_port(p, past):
    yield Answer(p.synack(dport=p.sport ^ 0x8000), "not_ours", certain=False)


@case("wrong source address", ports(2, SILENT))
def wrong_source_address(p, past):
    yield Answer(p.synack(src={1: hosts_of(p).open, 2: hosts_of(p).stranger}[p.dport]), "bad_cookie")


@case("wrong destination address", {80: SILENT})
def wrong_destination_address(p, past):
    yield Answer(p.synack(dst=hosts_of(p).other), "bad_cookie")


@case("bad TCP checksum", ports(2, SILENT))
def bad_tcp_checksum(p, past):
    yield Answer({1: p.synack, 2: p.rst}[p.dport](bad_tcp=True), "bad_tcp_checksum")


@case("bad IP checksum", ports(3, SILENT), families=(V4,))
def bad_ip_checksum(p, past):
    bad = {"bad_ip": True}
    yield Answer({1: p.synack(packet=bad), 2: p.rst(packet=bad), 3: p.unreachable(packet=bad)}[p.dport],
                 "bad_ip_checksum")


@case("bad ICMP checksum", {80: SILENT})
def bad_icmp_checksum(p, past):
    yield Answer(p.unreachable(bad_icmp=True), "bad_icmp_checksum")


@case("probe mirrored", ports(2, SILENT), on=None)
def mirrored(p, past):
    """Port 1 sends the probe back as it came; port 2 with the addresses and ports swapped."""
    if p.dport == 1:
        yield Answer(p.frame(p.packet), "not_ours", certain=False)
    elif p.flags == SYN and not past:
        yield Answer(p.answer(SYN, seq=p.seq, ack=0), "not_ours")


# Cut short, or with lengths that lie.

def header_len(p):
    return 20 if p.family == 4 else 40


@case("TCP cut at every length", lambda who: ports(44 if who is V4 else 64, SILENT))
def tcp_cut(p, past):
    """Port n gets n - 1 bytes of an answer. Where it ends before its ports the kernel's filter can't see them."""
    yield Answer(p.synack(cut=p.dport - 1), "truncated", certain=p.dport - 1 >= header_len(p) + 4)


@case("ICMP cut at every length", lambda who: ports(56 if who is V4 else 96, SILENT))
def icmp_cut(p, past):
    """An error of so many bytes. At first the kernel's filter can't see that it is ICMP."""
    yield Answer(p.unreachable(quote_bytes=header_len(p) + 8, cut=p.dport - 1), "truncated",
                 certain=p.dport - 1 >= header_len(p))


@case("ICMP quotes less than 8 bytes", lambda who: ports(28 if who is V4 else 48, SILENT))
def icmp_quote_short(p, past):
    yield Answer(p.unreachable(quote_bytes=p.dport - 1), "truncated")


@case("lengths that lie", ports(8, SILENT), families=(V4,))
def lengths_lie(p, past):
    frame = {1: lambda: p.synack(packet={"ihl": 4}), 2: lambda: p.synack(packet={"ihl": 15}),
             3: lambda: p.synack(packet={"length": 19}), 4: lambda: p.synack(packet={"length": 1500}),
             5: lambda: p.synack(packet={"length": 39}), 6: lambda: p.synack(offset=0), 7: lambda: p.synack(offset=4),
             8: lambda: p.synack(offset=15)}[p.dport]()
    yield Answer(frame, "truncated", certain=p.dport > 2)  # the kernel's filter looks for the ports where ihl says


@case("lengths that lie", ports(6, SILENT), families=(V6,))
def lengths_lie6(p, past):
    frame = {1: lambda: p.synack(packet={"length": 0}), 2: lambda: p.synack(packet={"length": 19}),
             3: lambda: p.synack(packet={"length": 65535}), 4: lambda: p.synack(offset=0),
             5: lambda: p.synack(offset=4), 6: lambda: p.synack(offset=15)}[p.dport]()
    yield Answer(frame, "truncated")


@case("version that lies", ports(2, SILENT))
def version_lies(p, past):
    version = {1: 10 - p.family, 2: 0}[p.dport]
    yield Answer(p.synack(packet={"version": version}), "not_ours")


@case("TCP options that lie", ports(5, OPEN))
def tcp_options_lie(p, past):
    options = {1: bytes([2, 0, 0, 0]), 2: bytes([2, 1, 0, 0]), 3: bytes([2, 40, 0, 0]), 4: bytes([253, 255, 1, 1]),
               5: bytes([1] * 40)}[p.dport]
    yield Answer(p.synack(options=options))


@case("IP options", ports(3, OPEN), families=(V4,))
def ip_options(p, past):
    options = {1: bytes([1, 1, 1, 0]), 2: bytes([7, 7, 4, 198, 18, 0, 2, 0]), 3: bytes([68, 40, 5, 0]) + bytes(36)}
    yield Answer(p.synack(packet={"options": options[p.dport]}))


# Extension headers (RFC 8200 4).

HEADERS = {
    1: [padding(HOP_BY_HOP)], 2: [padding(DESTINATION)], 3: [routing()], 4: [authentication()],
    5: [padding(HOP_BY_HOP, 3), padding(DESTINATION, 1), routing(), padding(DESTINATION)],
    6: [fragment_header(0, 0)],  # an atomic fragment is a whole packet (RFC 6946)
    7: [padding(HOP_BY_HOP, 100)], 8: [padding(DESTINATION)] * 8,
}


@case("extension headers", ports(len(HEADERS), OPEN), families=(V6,))
def extension_headers(p, past):
    yield Answer(p.synack(packet={"headers": HEADERS[p.dport]}))


@case("extension headers around an error", ports(len(HEADERS), filtered("host-unreach")), families=(V6,))
def extension_headers_error(p, past):
    yield Answer(p.unreachable(packet={"headers": HEADERS[p.dport]}))


@case("extension headers in the quotation", ports(len(HEADERS), filtered("host-unreach")), families=(V6,))
def extension_headers_quoted(p, past):
    yield Answer(p.unreachable(quote=p.quoted(headers=HEADERS[p.dport])))


@case("extension headers that lie", ports(7, SILENT), families=(V6,))
def extension_headers_lie(p, past):
    """Longer than the packet; cut within; a route that is not at its end; too many; and what hides all that follows."""
    headers, counter = {
        1: ([(DESTINATION, bytes([255]) + bytes(6))], "truncated"), 2: ([(HOP_BY_HOP, bytes(3))], "truncated"),
        3: ([routing(left=1)], "not_ours"), 4: ([padding(DESTINATION)] * 17, "not_ours"),
        5: ([(NO_NEXT, bytes(7))], "not_ours"), 6: ([(ESP, bytes(7))], "not_ours"),
        7: ([padding(DESTINATION), (NO_NEXT, bytes(7))], "not_ours")}[p.dport]
    if p.dport == 2:
        yield Answer(p.frame(ip(p.dst, p.src, 60, bytes([6, 0, 1]), headers=[])), counter)
    else:
        yield Answer(p.synack(packet={"headers": headers}), counter, certain=headers[0][0] not in (NO_NEXT, ESP))


@case("flow labels", ports(3, OPEN), families=(V6,))
def flow_labels(p, past):
    """An answer has a label of its own (RFC 6437)."""
    yield Answer(p.synack(packet={"flow": {1: 0, 2: 0xFFFFF, 3: 0x12345}[p.dport]}))


@case("flow label changed in the quotation", {80: filtered("host-unreach")}, families=(V6,))
def flow_label_quoted(p, past):
    """Routers may do so (RFC 6437 6); the sequence number shows whose packet it was."""
    yield Answer(p.unreachable(quote=p.quoted(flow=0x54321)))


@case("Ethernet trailer", ports(3, OPEN))
def trailer(p, past):
    yield Answer(p.synack(trailer={1: bytes(2), 2: b"\xff" * 6, 3: b"\xa5" * 400}[p.dport]))


# Contradictory.

@case("RST, then SYN-ACK", {80: OPEN | {"revises": "closed"}})
def rst_then_synack(p, past):
    yield Answer(p.rst())
    yield Answer(p.synack(), after=0.02)


@case("SYN-ACK, then RST", {80: OPEN})
def synack_then_rst(p, past):
    yield Answer(p.synack())
    yield Answer(p.rst(), "duplicates")


@case("unreachable, RST, SYN-ACK", {80: OPEN | {"revises": "closed"}})
def all_three(p, past):
    yield Answer(p.prohibited())
    yield Answer(p.rst(), after=0.01)
    yield Answer(p.synack(), after=0.02)


@case("SYN-ACK, RST, unreachable", {80: OPEN})
def all_three_reversed(p, past):
    yield Answer(p.synack())
    yield Answer(p.rst(), "duplicates")
    yield Answer(p.prohibited(), "duplicates")


@case("RST, then unreachable", {80: CLOSED})
def rst_then_icmp(p, past):
    yield Answer(p.rst())
    yield Answer(p.prohibited(), "duplicates")


@case("unreachable for two reasons", {80: filtered("admin-prohibited")})
def two_reasons(p, past):
    yield Answer(p.prohibited())
    yield Answer(p.unreachable(), "duplicates")


# Fragments.

@case("fragments", ports(3, SILENT))
def fragments(p, past):
    """The first one, whole in itself; a later one that looks like a whole answer; both halves of one answer."""
    honest = tcp(p.dst, p.src, p.dport, p.sport, SYN | ACK, OUR_SEQ, p.seq + 1, data=bytes(20))
    halves = {1: [(honest, 0, 1)], 2: [(honest, 185, 0)],
              3: [(honest[:24], 0, 1), (honest[24:], 3, 0)]}[p.dport]
    for part, offset, more in halves:
        lies = {"fragment": MORE_FRAGMENTS * more | offset} if p.family == 4 else \
            {"headers": [fragment_header(offset, more)]}
        yield Answer(p.frame(ip(p.dst, p.src, PROTO_TCP, part, **lies)), "fragment",
                     certain=p.family == 6 or offset == 0)


# Flags.

@case("simultaneous open", {80: {"state": "open", "reason": "syn"}}, on=None)
def simultaneous_open(p, past):
    if p.flags == SYN:
        yield Answer(p.answer(SYN, ack=0))
    elif p.flags == SYN | ACK and p.ack == OUR_SEQ + 1:
        yield Answer(p.answer(ACK, seq=OUR_SEQ + 1))


@case("bare SYN alone", {80: SILENT})
def bare_syn(p, past):
    yield Answer(p.answer(SYN, ack=0))


@case("bare SYN, then a wrong ACK", {80: SILENT}, on=None)
def bare_syn_wrong_ack(p, past):
    if p.flags == SYN:
        yield Answer(p.answer(SYN, ack=0))
    elif p.flags == SYN | ACK:
        yield Answer(p.answer(ACK, seq=OUR_SEQ + 1, ack=p.seq + 77), "bad_cookie")


@case("challenge ACK", {80: SILENT})
def challenge_ack(p, past):
    """What a host answers that still holds a connection with these ports (RFC 5961)."""
    yield Answer(p.answer(ACK, seq=0x55550000, ack=0x66660000), "bad_cookie")


@case("RST with ack = cookie", {80: CLOSED})
def rst_ack_cookie(p, past):
    yield Answer(p.rst(ack=p.seq))


@case("RST with a wrong ack", {80: SILENT})
def rst_wrong_ack(p, past):
    yield Answer(p.rst(ack=p.seq + 2), "bad_cookie")


@case("RST without ACK", ports(2, SILENT))
def rst_without_ack(p, past):
    yield Answer(p.answer(RST, seq=0, ack={1: 0, 2: p.seq + 1}[p.dport]), "bad_cookie")


@case("SYN-ACK with more flags", ports(3, OPEN))
def synack_more_flags(p, past):
    yield Answer(p.answer(SYN | ACK | {1: 0x40, 2: PSH, 3: URG}[p.dport]))


@case("flags that answer nothing", ports(4, SILENT))
def flags_nothing(p, past):
    yield Answer(p.answer({1: 0, 2: FIN, 3: FIN | PSH | URG, 4: SYN | FIN}[p.dport]), "not_ours")


@case("ACK of the probe, without a SYN", ports(2, {"state": "open", "reason": "syn"}))
def ack_alone(p, past):
    """Just what ends a simultaneous open; nobody else knows this number."""
    yield Answer(p.answer({1: ACK, 2: PSH | ACK}[p.dport]))


@case("SYN-ACK with data", ports(2, OPEN))
def synack_data(p, past):
    yield Answer(p.synack(data=b"d" * {1: 1, 2: 1476 - header_len(p)}[p.dport]))  # up to an MTU of 1500


@case("header fields at their ends", ports(4, OPEN))
def fields_at_ends(p, past):
    yield Answer({1: p.synack(packet={"ttl": 255}), 2: p.synack(packet={"ttl": 1}), 3: p.synack(seq=0),
                  4: p.synack(seq=0xFFFFFFFF)}[p.dport])


# Junk.

FLOOD = ("--retries", "1", "--timeout", "2s")  # the odd world itself is busy with it

@case("junk up to the MTU", ports(4, SILENT))
def junk_mtu(p, past):
    dice = random.Random(p.dport)
    data = dice.randbytes({1: 1480 - header_len(p) - 20, 2: 1000, 3: 100, 4: 1}[p.dport])
    yield Answer(p.answer(ACK, seq=dice.getrandbits(32), ack=dice.getrandbits(32), data=data), "bad_cookie", times=20)


@case("UDP to our port", {80: SILENT})
def udp_junk(p, past):
    packet = ip(p.dst, p.src, PROTO_UDP, udp(p.dst, p.src, p.dport, p.sport, b"junk"))
    yield Answer(p.frame(packet), "not_ours", certain=False)


@case("answer from another VLAN", ports(2, SILENT))
def other_vlan(p, past):
    """What is tagged belongs to another network, whatever it says."""
    yield Answer(p.synack(vlan={1: 7, 2: 4094}[p.dport]), "other_vlan", certain=False)


@case("priority-tagged answer", {80: OPEN})
def priority_tag(p, past):
    """VLAN 0 is no VLAN but a priority (IEEE 802.1Q): the answer is honest."""
    yield Answer(p.synack(vlan=0xE000))


@case("IPv6 junk", {80: SILENT}, families=(V4,))
def ipv6_junk(p, past):
    segment = tcp(p.dst, p.src, p.dport, p.sport, SYN | ACK, OUR_SEQ, p.seq + 1)
    header = struct.pack("!IHBB", 6 << 28, len(segment), PROTO_TCP, 64) + bytes(15) + b"\2" + bytes(15) + b"\1"
    yield Answer(p.frame(header + segment, ethertype=ETH_IP6), "any", certain=False)
    yield Answer(p.frame(header[:17] + segment, ethertype=ETH_IP6), "any", certain=False)


@case("random frames, a flood", {80: SILENT}, options=FLOOD)
def random_frames(p, past):
    dice = random.Random(1)
    for _ in range(2000):
        head = dice.choice([p.link[0], b"\xff" * 6]) + dice.randbytes(6)
        ethertype = dice.choice([b"\x08\x00", b"\x08\x06", b"\x86\xdd", dice.randbytes(2)])
        yield Answer(head + ethertype + dice.randbytes(dice.randrange(1400)), "any", certain=False)


@case("random packets to our port, a flood", {80: SILENT}, options=FLOOD)
def random_packets(p, past):
    """Each is right up to its ports, then random: no counter is foretold, but none of them may become a finding."""
    dice = random.Random(2)
    for _ in range(2000):
        noise = dice.randbytes(dice.randrange(4, 200))
        start = struct.pack("!HH", p.dport, p.sport)
        yield Answer(p.frame(ip(p.dst, p.src, PROTO_TCP, start + noise)), "any", certain=False)
