"""The cases of the odd world: each answers its target's probes in one odd way.

A counter beside an answer must rise by exactly as many as were sent; all the others must not rise at all.
"""

import random
import struct

from odd.case import (CLOSED, DISTANT, OPEN, OPEN_HOST, ROUTER, SCANNER, SILENT, TARGET, Answer, Case, filtered)
from odd.packet import (ACK, ETH_IP6, FIN, MORE_FRAGMENTS, OUR_SEQ, PROTO_TCP, PROTO_UDP, PSH, RST, SYN, URG, arp,
                        ethernet, ipv4, mac_of, tcp, udp)

CASES = {}


def case(name, expect, **more):
    """Registers the function below as the named case's way to answer."""
    def register(reply):
        assert name not in CASES
        CASES[name] = Case(name, reply, expect, **more)
        return reply
    return register


def ports(n, fields, first=1):
    return {port: fields for port in range(first, first + n)}


@case("honest", {80: OPEN | {"ttl": 57, "flags": "SA", "try": 0}})
def honest(p, past):
    yield Answer(p.synack())


# Late, reordered, repeated.

@case("late 50 ms", {80: OPEN})
def late(p, past):
    if not past:
        yield Answer(p.synack(), after=0.05)


@case("slow", ports(5000, OPEN))
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
    yield Answer(p.icmp(3, 1), "duplicates", times=1000, spare=1)


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
    yield Answer(p.synack(src={1: OPEN_HOST, 2: "198.18.0.77"}[p.dport]), "bad_cookie")


@case("wrong destination address", {80: SILENT})
def wrong_destination_address(p, past):
    yield Answer(p.synack(dst="198.18.0.99"), "bad_cookie")


@case("bad TCP checksum", ports(2, SILENT))
def bad_tcp_checksum(p, past):
    yield Answer({1: p.synack, 2: p.rst}[p.dport](bad_tcp=True), "bad_tcp_checksum")


@case("bad IP checksum", ports(3, SILENT))
def bad_ip_checksum(p, past):
    bad = {"bad_ip": True}
    yield Answer({1: p.synack(ip=bad), 2: p.rst(ip=bad), 3: p.icmp(3, 1, ip=bad)}[p.dport], "bad_ip_checksum")


@case("bad ICMP checksum", {80: SILENT})
def bad_icmp_checksum(p, past):
    yield Answer(p.icmp(3, 1, bad_icmp=True), "bad_icmp_checksum")


@case("probe mirrored", ports(2, SILENT), on=None)
def mirrored(p, past):
    """Port 1 sends the probe back as it came; port 2 with the addresses and ports swapped."""
    if p.dport == 1:
        yield Answer(p.frame(p.packet), "not_ours", certain=False)
    elif p.flags == SYN and not past:
        yield Answer(p.answer(SYN, seq=p.seq, ack=0), "not_ours")


# Cut short, or with lengths that lie.

@case("TCP cut at every length", ports(44, SILENT))
def tcp_cut(p, past):
    """An answer of 44 bytes, of which port n gets n - 1. Up to 23 the kernel's filter can't see our port."""
    yield Answer(p.synack(cut=p.dport - 1), "truncated", certain=p.dport - 1 >= 24)


@case("ICMP cut at every length", ports(56, SILENT))
def icmp_cut(p, past):
    """An error of 56 bytes. Up to 9 the kernel's filter can't see that it is ICMP."""
    yield Answer(p.icmp(3, 1, quote_bytes=28, cut=p.dport - 1), "truncated", certain=p.dport - 1 >= 10)


@case("ICMP quotes less than 8 bytes", ports(28, SILENT))
def icmp_quote_short(p, past):
    yield Answer(p.icmp(3, 1, quote_bytes=p.dport - 1), "truncated")


@case("lengths that lie", ports(8, SILENT))
def lengths_lie(p, past):
    frame = {1: lambda: p.synack(ip={"ihl": 4}), 2: lambda: p.synack(ip={"ihl": 15}),
             3: lambda: p.synack(ip={"length": 19}), 4: lambda: p.synack(ip={"length": 1500}),
             5: lambda: p.synack(ip={"length": 39}), 6: lambda: p.synack(offset=0), 7: lambda: p.synack(offset=4),
             8: lambda: p.synack(offset=15)}[p.dport]()
    yield Answer(frame, "truncated", certain=p.dport > 2)  # the kernel's filter looks for the ports where ihl says


@case("TCP options that lie", ports(5, OPEN))
def tcp_options_lie(p, past):
    options = {1: bytes([2, 0, 0, 0]), 2: bytes([2, 1, 0, 0]), 3: bytes([2, 40, 0, 0]), 4: bytes([253, 255, 1, 1]),
               5: bytes([1] * 40)}[p.dport]
    yield Answer(p.synack(options=options))


@case("IP options", ports(3, OPEN))
def ip_options(p, past):
    options = {1: bytes([1, 1, 1, 0]), 2: bytes([7, 7, 4, 198, 18, 0, 2, 0]), 3: bytes([68, 40, 5, 0]) + bytes(36)}
    yield Answer(p.synack(ip={"options": options[p.dport]}))


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
    yield Answer(p.icmp(3, 13))
    yield Answer(p.rst(), after=0.01)
    yield Answer(p.synack(), after=0.02)


@case("SYN-ACK, RST, unreachable", {80: OPEN})
def all_three_reversed(p, past):
    yield Answer(p.synack())
    yield Answer(p.rst(), "duplicates")
    yield Answer(p.icmp(3, 13), "duplicates")


@case("RST, then unreachable", {80: CLOSED})
def rst_then_icmp(p, past):
    yield Answer(p.rst())
    yield Answer(p.icmp(3, 13), "duplicates")


@case("unreachable for two reasons", {80: filtered("admin-prohibited")})
def two_reasons(p, past):
    yield Answer(p.icmp(3, 13))
    yield Answer(p.icmp(3, 1), "duplicates")


# ICMP errors.

UNREACHABLE = {0: "net-unreach", 1: "host-unreach", 2: "proto-unreach", 3: "port-unreach", 9: "net-prohibited",
               10: "host-prohibited", 13: "admin-prohibited"}


def each_code():
    return {code + 1: filtered(UNREACHABLE[code]) if code in UNREACHABLE else SILENT for code in range(16)}


def unreachable(p, **more):
    code = p.dport - 1
    return Answer(p.icmp(3, code, **more), None if code in UNREACHABLE else "unsupported_icmp")


@case("unreachable, every code", each_code())
def every_code(p, past):
    yield unreachable(p)


@case("unreachable, every code, IP options around it", each_code())
def every_code_options(p, past):
    yield unreachable(p, ip={"options": bytes([7, 11, 4]) + bytes(9)})


@case("unreachable, every code, IP options in the quotation", each_code())
def every_code_quoted_options(p, past):
    yield unreachable(p, quote=p.quoted(options=bytes([1, 1, 1, 0])))


@case("unreachable, every code, 8 bytes quoted", each_code())
def every_code_8(p, past):
    yield unreachable(p, quote_bytes=28)


@case("unreachable, every code, from a router",
      {port: fields if fields is SILENT else fields | {"reporter": ROUTER} for port, fields in each_code().items()},
      target=DISTANT)
def every_code_router(p, past):
    yield unreachable(p, src=ROUTER)


@case("time exceeded", ports(2, filtered("time-exceeded", reporter=ROUTER)), target=DISTANT)
def time_exceeded(p, past):
    yield Answer(p.icmp(11, p.dport - 1, src=ROUTER))


@case("other ICMP", ports(6, SILENT))
def other_icmp(p, past):
    yield Answer(p.icmp({1: 0, 2: 4, 3: 5, 4: 8, 5: 12, 6: 255}[p.dport], 0), "unsupported_icmp")


@case("quotation forged", ports(6, SILENT))
def quotation_forged(p, past):
    quote, counter = {1: (p.quoted(seq=p.seq + 1), "bad_cookie"), 2: (p.quoted(sport=p.sport ^ 0x8000), "not_ours"),
                      3: (p.quoted(dport=9999), "bad_cookie"), 4: (p.quoted(src="198.18.0.99"), "wrong_address"),
                      5: (p.quoted(dst="198.18.0.77"), "bad_cookie"),
                      6: (p.quoted(fragment=100), "fragment")}[p.dport]
    yield Answer(p.icmp(3, 1, quote=quote), counter)


@case("quotation of another protocol", ports(3, SILENT))
def quotation_other(p, past):
    quote = {1: ipv4(p.src, p.dst, PROTO_UDP, udp(p.src, p.dst, p.sport, p.dport, bytes(8))),
             2: ipv4(p.src, p.dst, 1, bytes(28)), 3: p.quoted(version=6)}[p.dport]
    yield Answer(p.icmp(3, 3, quote=quote), "not_ours")


# Fragments.

@case("fragments", ports(3, SILENT))
def fragments(p, past):
    """The first one, whole in itself; a later one that looks like a whole answer; both halves of one answer."""
    honest = tcp(p.dst, p.src, p.dport, p.sport, SYN | ACK, OUR_SEQ, p.seq + 1, data=bytes(20))
    halves = {1: [(honest, MORE_FRAGMENTS)], 2: [(honest, 185)],
              3: [(honest[:24], MORE_FRAGMENTS), (honest[24:], 3)]}[p.dport]
    for part, fragment in halves:
        yield Answer(p.frame(ipv4(p.dst, p.src, PROTO_TCP, part, fragment=fragment)), "fragment",
                     certain=fragment == MORE_FRAGMENTS)


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
    yield Answer(p.synack(data=b"d" * {1: 1, 2: 1456}[p.dport]))


@case("header fields at their ends", ports(4, OPEN))
def fields_at_ends(p, past):
    yield Answer({1: p.synack(ip={"ttl": 255}), 2: p.synack(ip={"ttl": 1}), 3: p.synack(seq=0),
                  4: p.synack(seq=0xFFFFFFFF)}[p.dport])


# Junk.

FLOOD = ("--retries", "1", "--timeout", "2s")  # the odd world itself is busy with it

@case("junk up to the MTU", ports(4, SILENT))
def junk_mtu(p, past):
    dice = random.Random(p.dport)
    data = dice.randbytes({1: 1456, 2: 1000, 3: 100, 4: 1}[p.dport])
    yield Answer(p.answer(ACK, seq=dice.getrandbits(32), ack=dice.getrandbits(32), data=data), "bad_cookie", times=20)


@case("UDP to our port", {80: SILENT})
def udp_junk(p, past):
    packet = ipv4(p.dst, p.src, PROTO_UDP, udp(p.dst, p.src, p.dport, p.sport, b"junk"))
    yield Answer(p.frame(packet), "not_ours", certain=False)


@case("answer from another VLAN", ports(2, SILENT))
def other_vlan(p, past):
    """What is tagged belongs to another network, whatever it says."""
    yield Answer(p.synack(vlan={1: 7, 2: 4094}[p.dport]), "not_ours", certain=False)


@case("priority-tagged answer", {80: OPEN})
def priority_tag(p, past):
    """VLAN 0 is no VLAN but a priority (IEEE 802.1Q): the answer is honest."""
    yield Answer(p.synack(vlan=0xE000))


@case("IPv6 junk", {80: SILENT})
def ipv6_junk(p, past):
    segment = tcp(p.dst, p.src, p.dport, p.sport, SYN | ACK, OUR_SEQ, p.seq + 1)
    header = struct.pack("!IHBB", 6 << 28, len(segment), PROTO_TCP, 64) + bytes(15) + b"\2" + bytes(15) + b"\1"
    yield Answer(p.frame(header + segment, ethertype=ETH_IP6), "not_ours")
    yield Answer(p.frame(header[:17] + segment, ethertype=ETH_IP6), "not_ours", certain=False)


@case("random frames, a flood", {80: SILENT}, options=FLOOD)
def random_frames(p, past):
    dice = random.Random(1)
    for _ in range(2000):
        head = dice.choice([p.link[0], b"\xff" * 6]) + dice.randbytes(6)
        ethertype = dice.choice([b"\x08\x00", b"\x08\x06", dice.randbytes(2)])
        yield Answer(head + ethertype + dice.randbytes(dice.randrange(1400)), "any", certain=False)


@case("random packets to our port, a flood", {80: SILENT}, options=FLOOD)
def random_packets(p, past):
    """Each is right up to its ports, then random: no counter is foretold, but none of them may become a finding."""
    dice = random.Random(2)
    for _ in range(2000):
        noise = dice.randbytes(dice.randrange(4, 200))
        start = struct.pack("!HH", p.dport, p.sport)
        yield Answer(p.frame(ipv4(p.dst, p.src, PROTO_TCP, start + noise)), "any", certain=False)


# ARP.

def arp_case(name, expect, **more):
    """Registers the function below as the named case's way to answer ARP; its port is open to those who get there."""
    def register(answer):
        CASES[name] = Case(name, honest, expect, arp=answer, **more)
        return answer
    return register


@arp_case("ARP never answered", {80: {}})
def arp_never(request, past):
    return []


@arp_case("ARP answered at the second request", {80: OPEN})
def arp_second(request, past):
    if len(past) == 1:
        yield Answer(request.reply())


@arp_case("ARP answered a hundred times", {80: OPEN})
def arp_hundred(request, past):
    yield Answer(request.reply(trailer=bytes(18)), "any", times=100, certain=False)


@arp_case("ARP with wrong lengths", {80: {}})
def arp_lengths(request, past):
    yield Answer(request.reply(hlen=5), "not_ours")
    yield Answer(request.reply(plen=16), "not_ours")
    yield Answer(request.reply(hlen=255, plen=255), "not_ours")
    yield Answer(request.reply(hardware=6), "not_ours")
    yield Answer(request.reply()[:40], "truncated")


@arp_case("ARP answered for another address", {80: {}})
def arp_other(request, past):
    yield Answer(request.reply(owner="198.18.0.9"), "out_of_plan")


@arp_case("ARP gratuitous, for everyone", {80: OPEN})
def arp_gratuitous(request, past):
    for owner in (TARGET, OPEN_HOST, "198.18.0.9"):
        mac = mac_of(owner)
        yield Answer(ethernet(b"\xff" * 6, mac, 0x0806, arp(1, mac, owner, bytes(6), owner)), "not_ours")
    yield Answer(request.reply())


@arp_case("ARP request from the target", {80: OPEN})
def arp_request(request, past):
    mac = mac_of(TARGET)
    yield Answer(ethernet(b"\xff" * 6, mac, 0x0806, arp(1, mac, TARGET, bytes(6), SCANNER)), "not_ours")
    yield Answer(request.reply())


# Long scans: what happens to thousands of endpoints when answers come late, or the scanner itself is held up.

LATE = {port: 0.05 + 5.95 * (port - 1) / 39 for port in range(1, 41)}  # port -> seconds, 50 ms .. 6 s


@case("late up to 6 s", {port: None for port in range(1, 1501)}, controls=(),
      options=("--retries", "3", "--rate", "150", "--seed", "7"))
def late_up_to_6s(p, past):
    """Ports 1..40 open, 41..80 closed, each answering its first try only, and late; the others close at once."""
    if p.dport > 80:
        yield Answer(p.rst())
    elif not past:
        reply, counter = (p.synack(), "open") if p.dport <= 40 else (p.rst(), "closed")
        yield Answer(reply, counter, after=LATE[(p.dport - 1) % 40 + 1], certain=False)


@case("held up", {port: OPEN if port % 10 == 0 else CLOSED for port in range(1, 3001)}, controls=(),
      options=("--retries", "3", "--rate", "1000", "--timeout", "1s"))  # longer than this responder may be held up itself
def held_up(p, past):
    yield Answer(p.synack() if p.dport % 10 == 0 else p.rst())
