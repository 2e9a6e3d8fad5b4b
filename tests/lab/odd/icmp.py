"""ICMP and ICMPv6 errors, true ones and lying ones, about TCP probes."""

from odd.case import SILENT, V4, V6, Answer, filtered
from odd.packet import PROTO_ICMP, PROTO_ICMP6, PROTO_TCP, PROTO_UDP, fragment_header, ip, padding, tcp, udp
from odd.registry import case, hosts_of, ports

# (type, code) -> what it says (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1)
UNREACHABLE = {
    4: {0: "net-unreach", 1: "host-unreach", 2: "proto-unreach", 3: "port-unreach", 9: "net-prohibited",
        10: "host-prohibited", 13: "admin-prohibited"},
    6: {0: "net-unreach", 1: "admin-prohibited", 2: "net-unreach", 3: "host-unreach", 4: "port-unreach",
        5: "admin-prohibited", 6: "admin-prohibited"},
}
CODES = 16


def each_code(who, **more):
    known = UNREACHABLE[who.family]
    return {code + 1: filtered(known[code], **more) if code in known else SILENT for code in range(CODES)}


def coded(p, **more):
    code = p.dport - 1
    return Answer(p.icmp(3 if p.family == 4 else 1, code, **more),
                  None if code in UNREACHABLE[p.family] else "unsupported_icmp")


@case("unreachable, every code", each_code)
def every_code(p, past):
    yield coded(p)


@case("unreachable, every code, IP options around it", each_code)
def every_code_options(p, past):
    yield coded(p, packet={"options": bytes([7, 11, 4]) + bytes(9)} if p.family == 4 else {"headers": [padding(60)]})


@case("unreachable, every code, IP options in the quotation", each_code)
def every_code_quoted_options(p, past):
    yield coded(p, quote=p.quoted(**({"options": bytes([1, 1, 1, 0])} if p.family == 4 else
                                     {"headers": [padding(0)]})))


@case("unreachable, every code, 8 bytes quoted", each_code)
def every_code_8(p, past):
    yield coded(p, quote_bytes=28 if p.family == 4 else 48)


@case("unreachable, every code, from a router", lambda who: {
    port: fields if fields is SILENT else fields | {"reporter": who.router} for port, fields in each_code(who).items()},
    distant=True)
def every_code_router(p, past):
    yield coded(p, src=hosts_of(p).router)


@case("time exceeded", lambda who: ports(2, filtered("time-exceeded", reporter=who.router)), distant=True)
def time_exceeded(p, past):
    yield Answer(p.icmp(11 if p.family == 4 else 3, p.dport - 1, src=hosts_of(p).router))


@case("other ICMP", ports(6, SILENT))
def other_icmp(p, past):
    """Of these, echo replies are answers to questions that nobody asked; the second one is too short to say whose."""
    kinds = {4: {1: 0, 2: 4, 3: 5, 4: 8, 5: 12, 6: 255}, 6: {1: 129, 2: 2, 3: 137, 4: 128, 5: 200, 6: 255}}
    kind = kinds[p.family][p.dport]
    yield Answer(p.icmp(kind, 0), "not_ours" if p.dport == 1 else "unsupported_icmp")


@case("quotation forged", ports(6, SILENT))
def quotation_forged(p, past):
    who = hosts_of(p)
    later = {"fragment": 100} if p.family == 4 else {"headers": [fragment_header(100, 0)]}
    quote, counter = {1: (p.quoted_seq(p.seq + 1), "bad_cookie"),
                      2: (p.quoted_ports(sport=p.sport ^ 0x8000), "not_ours"),
                      3: (p.quoted_ports(dport=9999), "bad_cookie"), 4: (p.quoted(src=who.other), "wrong_address"),
                      5: (p.quoted(dst=who.stranger), "bad_cookie"), 6: (p.quoted(**later), "fragment")}[p.dport]
    yield Answer(p.unreachable(quote=quote), counter)


@case("quotation of another protocol", ports(3, SILENT))
def quotation_other(p, past):
    quote = {1: lambda: ip(p.src, p.dst, PROTO_UDP, udp(p.src, p.dst, p.sport, p.dport, bytes(8))),
             2: lambda: ip(p.src, p.dst, PROTO_ICMP if p.family == 4 else PROTO_ICMP6, bytes(28)),
             3: lambda: p.quoted(version=10 - p.family)}[p.dport]()
    yield Answer(p.refused(quote=quote), "not_ours")


@case("errors of the other family", ports(2, SILENT))
def other_family(p, past):
    """ICMP in IPv6, ICMPv6 in IPv4: each is a protocol that nobody speaks there."""
    its = PROTO_ICMP6 if p.family == 4 else PROTO_ICMP
    there = V6 if p.family == 4 else V4
    if p.dport == 1:
        yield Answer(p.wrapped(p.payload, proto=its), "not_ours", certain=False)
    else:
        quote = ip(there.scanner, there.target, PROTO_TCP, tcp(there.scanner, there.target, p.sport, p.dport, 2, p.seq,
                                                               0))
        yield Answer(p.unreachable(quote=quote), "not_ours")
