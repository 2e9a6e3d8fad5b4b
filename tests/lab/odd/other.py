"""Answers to UDP, SCTP, IP protocols and pings that no honest host gives."""

import struct

from odd.case import SILENT, TECHNIQUES, V4, V6, Answer, filtered
from odd.packet import (ACK, COOKIE_ECHO, ECHO, INIT, MORE_FRAGMENTS, PROTO_TCP, RST, STAMP, Question, Segment, chunk,
                        fragment_header, tcp)
from odd.registry import case, hosts_of, ports

UDP, INITS, COOKIES, PROTOCOLS, PINGS = (
    TECHNIQUES[name] for name in ("udp", "sctp-init", "sctp-cookie", "protocol", "ping"))
DOWN = PINGS.silent


def quote_len(p):
    """What every error quotes: the IP header and 8 bytes."""
    return 28 if p.family == 4 else 48


# UDP. All that is keyed in it are the source ports: a forger who knows them is believed.

@case("UDP honest", {9: UDP.open | {"try": 0}}, way="udp")
def udp_honest(p, past):
    yield Answer(p.answer())


@case("UDP from another port", ports(2, UDP.silent), way="udp")
def udp_other_port(p, past):
    yield Answer(p.answer(sport={1: 7777, 2: 65535}[p.dport]), "out_of_plan")


@case("UDP from another address", {9: UDP.silent}, way="udp")
def udp_other_address(p, past):
    yield Answer(p.answer(src=hosts_of(p).stranger), "out_of_plan")


@case("UDP to another port", {9: UDP.silent}, way="udp")
def udp_wrong_port(p, past):
    yield Answer(p.answer(dport=p.sport ^ 0x8000), "not_ours", certain=False)


@case("UDP with a bad checksum", {9: UDP.silent}, way="udp")
def udp_checksum(p, past):
    yield Answer(p.answer(bad_udp=True), "bad_udp_checksum")


@case("UDP without a checksum", lambda who: {9: UDP.open if who is V4 else UDP.silent}, way="udp")
def udp_no_checksum(p, past):
    """Which IPv6 does not know (RFC 8200 8.1)."""
    yield Answer(p.answer(no_sum=True), None if p.family == 4 else "bad_udp_checksum")


@case("UDP with lengths that lie", {1: UDP.silent, 2: UDP.silent, 3: UDP.silent, 4: UDP.open}, way="udp")
def udp_lengths(p, past):
    """Shorter than a header; longer than the packet; and one that leaves something over (RFC 768 does not forbid)."""
    yield Answer(p.answer(length={1: 0, 2: 7, 3: 65535, 4: 9}[p.dport]), None if p.dport == 4 else "truncated")


@case("UDP cut at every length", lambda who: ports(40 if who is V4 else 60, UDP.silent), way="udp")
def udp_cut(p, past):
    head = quote_len(p) - 8
    yield Answer(p.answer(data=bytes(12), cut=p.dport - 1), "truncated", certain=p.dport - 1 >= head + 4)


@case("UDP of every size", ports(3, UDP.open), way="udp")
def udp_sizes(p, past):
    yield Answer(p.answer(data=bytes({1: 0, 2: 1, 3: 1400}[p.dport])))


@case("UDP refused, then answered", {9: UDP.open | {"revises": "closed"}}, way="udp")
def udp_refused_then_open(p, past):
    yield Answer(p.refused())
    yield Answer(p.answer(), after=0.02)


@case("UDP answered, then refused", {9: UDP.open}, way="udp")
def udp_open_then_refused(p, past):
    yield Answer(p.answer())
    yield Answer(p.refused(), "duplicates")


@case("UDP refused by a router", lambda who: {9: filtered("port-unreach", reporter=who.router)}, way="udp",
      distant=True)
def udp_router(p, past):
    """Which cannot know whether the host has that port."""
    yield Answer(p.refused(src=hosts_of(p).router))


@case("UDP unknown to the host", {9: filtered("proto-unreach")}, way="udp")
def udp_protocol(p, past):
    yield Answer(p.unknown())


@case("UDP, only 8 bytes quoted", {9: UDP.closed}, way="udp")
def udp_quote_8(p, past):
    yield Answer(p.refused(quote_bytes=quote_len(p)))


@case("UDP refused in another's name", ports(5, UDP.silent), way="udp")
def udp_quote_forged(p, past):
    """Another port than any that was asked, other ports of ours, other addresses, cut too short."""
    who = hosts_of(p)
    lies, counter = {1: ({"quote": p.quoted_ports(dport=7777)}, "out_of_plan"),
                     2: ({"quote": p.quoted_ports(sport=p.sport ^ 0x8000)}, "not_ours"),
                     3: ({"quote": p.quoted(src=who.other)}, "wrong_address"),
                     4: ({"quote": p.quoted(dst=who.stranger)}, "out_of_plan"),
                     5: ({"quote_bytes": quote_len(p) - 1}, "truncated")}[p.dport]
    yield Answer(p.refused(**lies), counter)


@case("UDP refused with a bad checksum", {9: UDP.silent}, way="udp")
def udp_icmp_checksum(p, past):
    yield Answer(p.refused(bad_icmp=True), "bad_icmp_checksum")


@case("UDP answered in fragments", {9: UDP.silent}, way="udp")
def udp_fragment(p, past):
    lies = {"fragment": MORE_FRAGMENTS} if p.family == 4 else {"headers": [fragment_header(0, 1)]}
    yield Answer(p.answer(packet=lies), "fragment")


@case("UDP answered by TCP", {9: UDP.silent}, way="udp")
def udp_by_tcp(p, past):
    segment = tcp(p.dst, p.src, p.dport, p.sport, RST | ACK, 0, 1)
    yield Answer(p.wrapped(segment, proto=PROTO_TCP), "not_ours", certain=False)


@case("UDP answered a thousand times", {9: UDP.open}, way="udp")
def udp_thousand(p, past):
    yield Answer(p.answer(), "duplicates", times=1000, spare=1)


# SCTP.

@case("SCTP honest", {9: INITS.open | {"try": 0}}, way="sctp-init")
def sctp_honest(p, past):
    yield Answer(p.init_ack())


@case("SCTP with a wrong tag", ports(4, SILENT), way="sctp-init")
def sctp_tag(p, past):
    yield Answer({1: lambda: p.init_ack(tag=0), 2: lambda: p.init_ack(tag=p.tag ^ 1), 3: lambda: p.abort(tag=0),
                  4: lambda: p.abort(tag=p.tag ^ 0x80000000, reflected=True)}[p.dport](), "bad_cookie")


@case("SCTP with a bad checksum", ports(2, SILENT), way="sctp-init")
def sctp_checksum(p, past):
    yield Answer({1: p.init_ack, 2: p.abort}[p.dport](bad_sctp=True), "bad_sctp_checksum")


@case("SCTP with other ports", ports(2, SILENT), way="sctp-init")
def sctp_ports(p, past):
    if p.dport == 1:
        yield Answer(p.init_ack(sport=7777), "bad_cookie")
    else:
        yield Answer(p.init_ack(dport=p.sport ^ 0x8000), "not_ours", certain=False)


@case("SCTP chunks that answer nothing", ports(5, SILENT), way="sctp-init")
def sctp_chunks(p, past):
    kind = {1: 0, 2: INIT, 3: 9, 4: 11, 5: 255}[p.dport]  # data, a colliding INIT, error, cookie acknowledged
    yield Answer(p.answer(chunk(kind, 0, bytes(16))), "not_ours")


@case("SCTP cut at every length", lambda who: ports(60 if who is V4 else 80, SILENT), way="sctp-init")
def sctp_cut(p, past):
    head = quote_len(p) - 8
    yield Answer(p.init_ack(cut=p.dport - 1), "truncated", certain=p.dport - 1 >= head + 4)


@case("SCTP aborted, then acknowledged", {9: INITS.open | {"revises": "closed"}}, way="sctp-init")
def sctp_both(p, past):
    yield Answer(p.abort())
    yield Answer(p.init_ack(), after=0.02)


@case("SCTP unreachable", ports(3, filtered("host-unreach")), way="sctp-init")
def sctp_unreachable(p, past):
    """All of it quoted; 8 bytes, in which there is no tag yet; 20."""
    yield Answer(p.unreachable(quote_bytes={1: None, 2: quote_len(p), 3: quote_len(p) + 12}[p.dport]))


@case("SCTP quotation forged", ports(4, SILENT), way="sctp-init")
def sctp_forged(p, past):
    tag = p.payload[:16] + struct.pack("!I", p.tag ^ 1) + p.payload[20:]
    other = {"ident": 1} if p.family == 4 else {"flow": 1}
    lies = {1: {"quote": p.quoted(payload=tag)}, 2: {"quote": p.quoted(**other), "quote_bytes": quote_len(p)},
            3: {"quote": p.quoted_ports(dport=7777)}, 4: {"quote": p.quoted(payload=p.payload[:4] + b"\1" * 4)}}
    yield Answer(p.unreachable(**lies[p.dport]), "bad_cookie")


@case("SCTP unknown to the host", {9: filtered("proto-unreach")}, way="sctp-init")
def sctp_unknown(p, past):
    yield Answer(p.unknown())


@case("SCTP cookie refused", {9: COOKIES.closed}, way="sctp-cookie")
def cookie_refused(p, past):
    assert p.chunk == COOKIE_ECHO
    yield Answer(p.abort())


@case("SCTP cookie, wrong tag", ports(2, COOKIES.silent), way="sctp-cookie")
def cookie_tag(p, past):
    yield Answer(p.abort(tag={1: 0, 2: p.tag ^ 1}[p.dport]), "bad_cookie")


@case("SCTP cookie, quotation forged", {9: COOKIES.silent}, way="sctp-cookie")
def cookie_forged(p, past):
    payload = p.payload[:4] + struct.pack("!I", p.tag ^ 1) + p.payload[8:]
    yield Answer(p.unreachable(quote=p.quoted(payload=payload)), "bad_cookie")


# IP protocols, such as have no header that we could fill.

FIRST = 143


def numbers(n, fields):
    return ports(n, fields, FIRST)


@case("protocols honest", numbers(2, PROTOCOLS.open), way="protocol")
def protocol_honest(p, past):
    yield Answer(p.wrapped({FIRST: bytes(8), FIRST + 1: b""}[p.dport]))


@case("protocols, every word from the target", lambda who: {
    FIRST: PROTOCOLS.closed, FIRST + 1: {"state": "open", "reason": "port-unreach"},
    FIRST + 2: filtered("host-unreach"),
    FIRST + 3: {"state": "open", "reason": "header-field"} if who is V6 else filtered("admin-prohibited")},
    way="protocol")
def protocol_words(p, past):
    fourth = p.prohibited if p.family == 4 else lambda: p.icmp(4, 0, rest=40)
    yield Answer({FIRST: p.unknown, FIRST + 1: p.refused, FIRST + 2: p.unreachable, FIRST + 3: fourth}[p.dport]())


@case("protocols, a router's word", lambda who: {
    FIRST: filtered("proto-unreach", reporter=who.router), FIRST + 1: filtered("port-unreach", reporter=who.router)},
    way="protocol", distant=True)
def protocol_router(p, past):
    say = {FIRST: p.unknown, FIRST + 1: p.refused}[p.dport]
    yield Answer(say(src=hosts_of(p).router))


@case("protocols, quotation forged", numbers(4, PROTOCOLS.silent), way="protocol")
def protocol_forged(p, past):
    who = hosts_of(p)
    other = {"ident": 1} if p.family == 4 else {"flow": 1}
    quote, counter = {FIRST: (p.quoted(**other), "bad_cookie"), FIRST + 1: (p.quoted(proto=250), "bad_cookie"),
                      FIRST + 2: (p.quoted(src=who.other), "wrong_address"),
                      FIRST + 3: (p.quoted(dst=who.stranger), "bad_cookie")}[p.dport]
    yield Answer(p.unknown(quote=quote), counter)


@case("protocols, from others", numbers(2, PROTOCOLS.silent), way="protocol")
def protocol_others(p, past):
    """Another protocol than any that was asked for; another address."""
    if p.dport == FIRST:
        yield Answer(p.wrapped(bytes(8), proto=250), "not_ours", certain=False)
    else:
        yield Answer(p.wrapped(bytes(8), src=hosts_of(p).stranger), "out_of_plan")


@case("protocols in fragments", numbers(1, PROTOCOLS.silent), way="protocol")
def protocol_fragment(p, past):
    lies = {"fragment": MORE_FRAGMENTS} if p.family == 4 else {"headers": [fragment_header(0, 1)]}
    yield Answer(p.wrapped(bytes(8), packet=lies), "fragment")


# Pings of hosts behind the router. A ping is several packets, of which the echo request is answered.

def ping_case(name, expect, families=(V4, V6)):
    def register(reply):
        def only_echo(p, past):
            if isinstance(p, Question) and p.kind == ECHO[p.family]:
                yield from reply(p, past)
        return case(name, {0: expect}, families, "ping", distant=True, controls=("open", "silent"))(only_echo)
    return register


@ping_case("ping honest", PINGS.open)
def ping_honest(p, past):
    yield Answer(p.answer())


@ping_case("ping, wrong id", DOWN)
def ping_ident(p, past):
    yield Answer(p.answer(ident=p.ident ^ 1), "bad_cookie")


@ping_case("ping, wrong sequence", DOWN)
def ping_sequence(p, past):
    yield Answer(p.answer(seq=p.seq ^ 0x4000), "bad_cookie")


@ping_case("ping, wrong payload", DOWN)
def ping_payload(p, past):
    data = p.payload[8:]
    yield Answer(p.answer(data=bytes([data[0] ^ 1]) + data[1:]), "bad_cookie")


@ping_case("ping, no payload", DOWN)
def ping_empty(p, past):
    yield Answer(p.answer(data=b""), "not_ours")


@ping_case("ping, from another address", DOWN)
def ping_address(p, past):
    yield Answer(p.answer(src=hosts_of(p).far.stranger), "bad_cookie")


@ping_case("ping, bad checksum", DOWN)
def ping_checksum(p, past):
    yield Answer(p.answer(bad_icmp=True), "bad_icmp_checksum")


@ping_case("ping, mirrored", DOWN)
def ping_mirrored(p, past):
    """The question comes back as one of the target's own: the scanner's kernel answers it, the scanner does not."""
    yield Answer(p.answer(kind=ECHO[p.family]), "unsupported_icmp")


@ping_case("ping, unreachable says a router", DOWN)
def ping_router(p, past):
    yield Answer(p.unreachable(src=hosts_of(p).router), "unsupported_icmp")


@ping_case("ping, prohibited by the target itself", {"state": "up", "reason": "admin-prohibited"})
def ping_prohibited(p, past):
    yield Answer(p.prohibited())


@ping_case("ping answered a thousand times", PINGS.open)
def ping_thousand(p, past):
    yield Answer(p.answer(), "duplicates", times=1000, spare=1)


@case("ping, a wrong timestamp", {0: DOWN}, (V4,), "ping", distant=True, controls=("open", "silent"))
def ping_stamp(p, past):
    if isinstance(p, Question) and p.kind == STAMP:
        yield Answer(p.answer(data=struct.pack("!I", 1) + p.payload[12:]), "bad_cookie")


@case("ping answered by a port", {0: {"state": "up", "reason": "reset"}}, way="ping", distant=True,
      controls=("open", "silent"), on=None)
def ping_port(p, past):
    if isinstance(p, Segment):
        yield Answer(p.rst() if not p.flags & ACK else p.answer(RST, seq=p.ack, ack=0), "any", certain=False)
