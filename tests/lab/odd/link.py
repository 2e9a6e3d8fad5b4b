"""How hosts on the link can be found, and how not: ARP and neighbour discovery."""

from odd.case import OPEN, TECHNIQUES, V4, V6, Answer, Case
from odd.packet import ETH_IP6, PROTO_ICMP6, SOLICITATION, arp, ethernet, icmp, ipv6, mac_of, packed
from odd.registry import CASES
from odd.tcp import honest

ALL_NODES, ALL_NODES_MAC = "ff02::1", b"\x33\x33\0\0\0\1"


def link_case(name, expect, who=V4):
    """Registers the function below as the named case's way to answer who asks for the target's hardware address; its
    port is open to those who get there."""
    def register(answer):
        assert name not in CASES
        CASES[name] = Case(name, honest, expect, who, TECHNIQUES["syn"], neighbour=answer)
        return answer
    return register


def arp_case(name, expect):
    return link_case(name, expect, V4)


def nd_case(name, expect):
    return link_case(name, expect, V6)


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
    yield Answer(request.reply(owner=V4.stranger), "out_of_plan")


@arp_case("ARP gratuitous, for everyone", {80: OPEN})
def arp_gratuitous(request, past):
    for owner in (V4.target, V4.open, V4.stranger):
        mac = mac_of(owner)
        yield Answer(ethernet(b"\xff" * 6, mac, 0x0806, arp(1, mac, owner, bytes(6), owner)), "not_ours")
    yield Answer(request.reply())


@arp_case("ARP request from the target", {80: OPEN})
def arp_request(request, past):
    mac = mac_of(V4.target)
    yield Answer(ethernet(b"\xff" * 6, mac, 0x0806, arp(1, mac, V4.target, bytes(6), V4.scanner)), "not_ours")
    yield Answer(request.reply())


# Neighbour discovery: what RFC 4861 7.1.2 wants of an advertisement.

@nd_case("ND never answered", {80: {}})
def nd_never(request, past):
    return []


@nd_case("ND answered at the second request", {80: OPEN})
def nd_second(request, past):
    if len(past) == 1:
        yield Answer(request.reply())


@nd_case("ND answered a hundred times", {80: OPEN})
def nd_hundred(request, past):
    yield Answer(request.reply(trailer=bytes(18)), "any", times=100, certain=False)


@nd_case("ND from beyond the link", {80: {}})
def nd_hops(request, past):
    yield Answer(request.reply(hops=254), "not_ours")
    yield Answer(request.reply(hops=1), "not_ours")


@nd_case("ND with a code", {80: {}})
def nd_code(request, past):
    yield Answer(request.reply(code=1), "not_ours")


@nd_case("ND with a bad checksum", {80: {}})
def nd_checksum(request, past):
    yield Answer(request.reply(bad_icmp=True), "bad_icmp_checksum")


@nd_case("ND with wrong lengths", {80: {}})
def nd_lengths(request, past):
    mac = mac_of(request.target)
    yield Answer(request.reply(option=b"\2\0" + mac), "truncated")
    yield Answer(request.reply(option=b"\2\2" + mac), "truncated")
    yield Answer(request.reply(option=b"\2"), "truncated")
    yield Answer(request.reply()[:60], "truncated")


@nd_case("ND answered for another address", {80: {}})
def nd_other(request, past):
    yield Answer(request.reply(owner=V6.stranger), "out_of_plan")


@nd_case("ND answered with no station's address", {80: {}})
def nd_group(request, past):
    """A group's hardware address, or none at all: frames to it would reach everybody, or nobody."""
    yield Answer(request.reply(option=b"\2\1\x33\x33\0\0\0\1"), "wrong_address")
    yield Answer(request.reply(option=b"\2\1" + bytes(6)), "wrong_address")


@nd_case("ND answered for a group", {80: {}})
def nd_for_group(request, past):
    yield Answer(request.reply(owner="ff02::1"), "wrong_address", certain=False)


@nd_case("ND without its option", {80: OPEN})
def nd_without(request, past):
    """Who was asked by unicast may leave it out; the frame's own source says as much."""
    yield Answer(request.reply(option=b""))


@nd_case("ND with more options", {80: OPEN})
def nd_options(request, past):
    yield Answer(request.reply(option=b"\x63\2" + bytes(14) + b"\2\1" + mac_of(request.target) + b"\1\1" + bytes(6)))


@nd_case("ND unsolicited, for everyone", {80: OPEN})
def nd_unsolicited(request, past):
    for owner in (V6.open, V6.stranger):
        yield Answer(request.reply(owner=owner, to=ALL_NODES, group_mac=ALL_NODES_MAC, flags=0x20000000), "any",
                     certain=False)
    yield Answer(request.reply())


@nd_case("ND question from the target", {80: OPEN})
def nd_question(request, past):
    mac = mac_of(request.target)
    question = icmp(request.target, request.sender, SOLICITATION, 0, packed(request.sender) + b"\1\1" + mac)
    yield Answer(ethernet(request.mac, mac, ETH_IP6, ipv6(request.target, request.sender, PROTO_ICMP6, question,
                                                          ttl=255)), "not_ours")
    yield Answer(request.reply())
