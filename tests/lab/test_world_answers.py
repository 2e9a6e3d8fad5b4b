"""The synthetic internet's answers to every kind of probe in both families, read by scapy: true frames, true states."""
import ipaddress
import json
import socket

import netlab
import pytest
from scapy.all import (ICMP, IP, SCTP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest,
                       ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6ParamProblem, IPv6,
                       IPerror, IPerror6, Raw, SCTPChunkAbort, SCTPChunkCookieEcho, SCTPChunkInit, SCTPChunkInitAck,
                       raw)
from world.internet import GATEWAY, GATEWAY6, SCANNER6, World
from world.prober import WORLD_MAC, Prober

pytestmark = pytest.mark.plainonly  # no scanner is involved

ASKER = {4: "198.18.0.3", 6: "2001:2:0:ffff::3"}
NET = {4: "198.19.0.0/27", 6: "2001:2::40/123"}
PORTS, FIRST = 4, 160  # 160 to 163: also numbers of IP protocols that nobody has a header for
SHARES = {"open": 300000, "closed": 300000, "unreachable": 200000}
SPORT, TAG, SEQ, ACK = 40000, 0x12345678, 0xFFFFFFFE, 0x01020304
WORLDS_OWN = {"window": "ack"}  # the world's name for a technique where it is another


def tcp(flags):
    return lambda port: TCP(sport=SPORT, dport=port, flags=flags, seq=SEQ, ack=ACK if "A" in flags else 0)


def init(port):
    return SCTP(sport=SPORT, dport=port, tag=0) / SCTPChunkInit(init_tag=TAG, a_rwnd=65535, n_out_streams=1,
                                                                n_in_streams=1, init_tsn=7)


def cookie(port):
    return SCTP(sport=SPORT, dport=port, tag=TAG) / SCTPChunkCookieEcho(cookie=b"noctule!")


PROBES = {
    "syn": tcp("S"), "fin": tcp("F"), "null": tcp(""), "xmas": tcp("FPU"), "maimon": tcp("FA"), "ack": tcp("A"),
    "window": tcp("A"), "udp": lambda port: UDP(sport=SPORT, dport=port) / Raw(b"q" * (port % 3)), "sctp-init": init,
    "sctp-cookie": cookie, "protocol": lambda port: Raw(b"12345678"),
}
SILENCE = {"fin": "open|filtered", "null": "open|filtered", "xmas": "open|filtered", "maimon": "open|filtered",
           "udp": "open|filtered", "sctp-cookie": "open|filtered", "protocol": "open|filtered"}
PROTO = {"udp": "udp", "sctp-init": "sctp", "sctp-cookie": "sctp", "protocol": "ip"}


def ip_of(family, target, **fields):
    return IP(src=ASKER[4], dst=target, **fields) if family == 4 else IPv6(src=ASKER[6], dst=target, **fields)


def frame_to(prober, packet):
    return raw(Ether(src=prober.mac, dst=WORLD_MAC) / packet)


def probe_of(technique, family, target, port):
    fields = {"proto" if family == 4 else "nh": port} if technique == "protocol" else {}
    return ip_of(family, target, **fields) / PROBES[technique](port)


def assert_sums(answer, data):
    """Scapy computes the same checksums and lengths."""
    again = answer.copy()
    layer = again
    while layer:
        if isinstance(layer, (IPerror, IPerror6)):
            break
        for field in ("chksum", "cksum", "len", "plen"):
            if field in layer.fields and not layer.name.startswith("SCTPChunk"):
                delattr(layer, field)
        layer = layer.payload
    assert raw(again)[:len(data)] == data[:len(raw(again))], answer.show(dump=True)


def quoted_port(technique, quoted):
    """The (address, port) that an ICMP error is about, from the packet that it quotes."""
    header = IP(quoted) if quoted[0] >> 4 == 4 else IPv6(quoted)
    rest = quoted[20 if quoted[0] >> 4 == 4 else 40:]
    number = quoted[9] if quoted[0] >> 4 == 4 else quoted[6]
    return (header.dst, number if technique == "protocol" else int.from_bytes(rest[2:4], "big")), quoted


def told_by_error(technique, packet, probes):
    """An ICMP error: what it is about, and the state that it tells."""
    if IP in packet:
        outer, error, at = packet[IP], packet[ICMP], 28
        by_router, refuses = (3, 1), (3, 2) if technique == "protocol" else (3, 3)
    else:
        outer, error, at = packet[IPv6], packet[IPv6].payload, 48
        by_router, refuses = (1, 3), (4, 1) if technique == "protocol" else (1, 4)
        assert not isinstance(error, ICMPv6ParamProblem) or error.ptr == 6
        assert isinstance(error, (ICMPv6DestUnreach, ICMPv6ParamProblem))
    endpoint, quoted = quoted_port(technique, raw(outer)[at:])
    sent = raw(probes[endpoint])
    whole = IP not in packet or (error.type, error.code) == refuses
    assert quoted == (sent if whole else sent[:28])
    if (error.type, error.code) == by_router:
        assert outer.src == (GATEWAY if IP in packet else GATEWAY6)
        return endpoint, "filtered"
    assert (error.type, error.code) == refuses and outer.src == endpoint[0]
    return endpoint, "closed"


def told_by_tcp(technique, outer, segment):
    flags, endpoint = str(segment.flags), (outer.src, segment.sport)
    assert segment.dport == SPORT
    if flags == "SA":
        assert segment.ack == (SEQ + 1) % 2**32 and segment.options == [("MSS", 1460 if outer.version == 4 else 1440)]
        return endpoint, "open"
    taken = {"syn": 1, "fin": 1, "null": 0, "xmas": 1}
    if technique in taken:
        assert (flags, segment.seq, segment.ack) == ("RA", 0, (SEQ + taken[technique]) % 2**32)
    else:
        assert (flags, segment.seq) == ("R", ACK)
    if technique == "window":
        return endpoint, "open" if segment.window else "closed"
    return endpoint, "unfiltered" if technique == "ack" else "closed"


def told_by_sctp(technique, outer, packet):
    endpoint = outer.src, packet.sport
    assert (packet.dport, packet.tag) == (SPORT, TAG)
    if SCTPChunkInitAck in packet:
        assert packet[SCTPChunkInitAck].init_tag != 0
        return endpoint, "open"
    assert packet[SCTPChunkAbort].TCB == (technique == "sctp-cookie")
    return endpoint, "closed"


def told(technique, data, probes):
    """((address, port), state) of one answer, having looked at all of it."""
    answer = Ether(data)
    outer = answer[IP] if IP in answer else answer[IPv6]
    family = outer.version
    assert outer.dst == ASKER[family] and answer.src == "02:00:00:00:00:01"
    assert_sums(answer, data)
    if ICMP in answer or isinstance(outer.payload, (ICMPv6DestUnreach, ICMPv6ParamProblem)):
        return told_by_error(technique, answer, probes)
    if isinstance(outer.payload, TCP):
        return told_by_tcp(technique, outer, outer[TCP])
    if isinstance(outer.payload, SCTP):
        return told_by_sctp(technique, outer, outer[SCTP])
    if technique == "udp":
        probe = probes[outer.src, outer[UDP].sport]
        assert raw(outer[UDP].payload) == raw(probe[UDP].payload) and outer[UDP].dport == SPORT
        return (outer.src, outer[UDP].sport), "open"
    return (outer.src, outer.proto if family == 4 else outer.nh), "open"


@pytest.fixture
def asked(lab):
    """Starts a world with a prober in front of it."""
    probers = []

    def start(**settings):
        world = World(lab, **settings)
        probers.append(Prober(world))
        return world, probers[-1]

    yield start
    for prober in probers:
        prober.close()


@pytest.mark.parametrize("technique", PROBES)
def test_every_answer_is_true(asked, technique):
    """One probe to each of 256 endpoints; what is told is what the judge holds to be true."""
    world, prober = asked(net=NET[4], net6=NET[6], ports=PORTS, first_port=FIRST, key=5, **SHARES,
                          answers=WORLDS_OWN.get(technique, technique))
    probes = {(str(host), port): probe_of(technique, family, str(host), port)
              for family in (4, 6) for host in ipaddress.ip_network(NET[family])
              for port in range(FIRST, FIRST + PORTS)}
    states = dict.fromkeys(probes, SILENCE.get(technique, "filtered"))
    answers = prober.exchange([frame_to(prober, probe) for probe in probes.values()])
    heard = dict(told(technique, data, probes) for data in answers)
    assert len(heard) == len(answers) > 80
    states.update(heard)
    with open(world.findings, "w", encoding="ascii") as out:
        for (address, port), state in states.items():
            print(json.dumps({"ip": address, "port": port, "proto": PROTO.get(technique, "tcp"), "state": state,
                              "technique": technique}), file=out)
    stats = world.settled()
    verdict = world.judge(world.findings, 0, technique)
    assert verdict["right"] == verdict["endpoints"] == len(probes) == stats["probes"]
    assert verdict["outside"] == verdict["duplicate"] == verdict["others"] == verdict["bad_lines"] == 0
    assert verdict["frames"] == verdict["expected_frames"] == len(probes)
    assert verdict["answered"] == len(answers)
    assert stats["bad_sum"] == 0


def test_families_are_not_alike(asked):
    """The same low bits and the same key, and yet another truth."""
    world, prober = asked(net="198.19.0.0/24", net6="2001:2::c613:0/120", ports=4, open=500000)
    opened = {}
    for family, net in ((4, "198.19.0.0/24"), (6, "2001:2::c613:0/120")):
        probes = [frame_to(prober, probe_of("syn", family, str(host), 1)) for host in ipaddress.ip_network(net)]
        answers = [Ether(data) for data in prober.exchange(probes)]
        opened[family] = {int(ipaddress.ip_address((a[IP] if family == 4 else a[IPv6]).src)) & 255 for a in answers}
    assert 90 < len(opened[4]) < 166 and 90 < len(opened[6]) < 166
    assert 40 < len(opened[4] & opened[6]) < 90


def test_a_listed_universe(asked):
    hosts = [f"2001:2:0:{i:x}:{i * 7919 % 65536:x}::{i * 31:x}" for i in range(1, 201)]
    world, prober = asked(net="none", list6=hosts, ports=2, open=1000000)
    beside = [str(ipaddress.ip_address(host) + 1) for host in hosts[:50]]
    answers = prober.exchange([frame_to(prober, probe_of("syn", 6, host, port))
                               for host in hosts + beside for port in (1, 2)])
    assert {(Ether(data)[IPv6].src, Ether(data)[TCP].sport) for data in answers} == \
        {(host, port) for host in hosts for port in (1, 2)}
    stats = world.settled()
    assert (stats["outside"], stats["syn_ack"]) == (100, 400)
    assert world.tallies()[0].tolist() == [1] * 400


def test_neighbours(asked):
    world, prober = asked(net="none", net6="2001:2::/120", absent=500000, nd="2001:2:0:0::/63", ports=1)

    def ask(target, source=ASKER[6], hops=255, bad=False):
        group = "ff02::1:ff" + ipaddress.ip_address(target).exploded[-7:]
        question = (Ether(src=prober.mac, dst="33:33:ff:00:00:01") / IPv6(src=source, dst=group, hlim=hops) /
                    ICMPv6ND_NS(tgt=target, **({"cksum": 1} if bad else {})) /
                    ICMPv6NDOptSrcLLAddr(lladdr=prober.mac.hex(":")))
        return [Ether(data) for data in prober.exchange([raw(question)], 0.02)]

    answer, = ask("2001:2:0:1::77")
    assert_sums(answer, raw(answer))
    advert = answer[ICMPv6ND_NA]
    assert (advert.tgt, advert.R, advert.S, advert.O) == ("2001:2:0:1::77", 0, 1, 1)
    assert answer[ICMPv6NDOptDstLLAddr].lladdr == "02:00:00:00:00:01"
    assert (answer[IPv6].src, answer[IPv6].dst, answer[IPv6].hlim) == ("2001:2:0:1::77", ASKER[6], 255)
    assert ask("2001:2:0:2::77") == []                  # outside --nd
    assert ask("2001:2:0:1::77", source="::") == []     # who looks for a double of itself (RFC 4862 5.4)
    assert ask("2001:2:0:1::77", hops=64) == []         # it came from beyond the link (RFC 4861 7.1.1)
    assert ask("2001:2:0:1::77", bad=True) == []
    stats = world.stats()
    assert (stats["solicitations"], stats["advertisements"], stats["bad_sum"]) == (3, 1, 1)
    there = sum(len(ask(f"2001:2::{i:x}")) for i in range(40))
    assert 8 < there < 32


def test_pings(asked):
    world, prober = asked(net=NET[4], net6=NET[6], answers="ping", echo=500000, stamp=500000, absent=200000)
    hosts = {family: [str(host) for host in ipaddress.ip_network(NET[family])] for family in (4, 6)}
    echoes = [ip_of(4, host) / ICMP(type=8, id=7, seq=1) / Raw(b"noctule?" * 3) for host in hosts[4]]
    echoes += [ip_of(6, host) / ICMPv6EchoRequest(id=7, seq=1, data=b"noctule?" * 3 + b"!") for host in hosts[6]]
    stamps = [ip_of(4, host) / ICMP(type=13, id=7, seq=1, ts_ori=0x01020304) for host in hosts[4]]
    up = {4: set(), 6: set()}
    for data in prober.exchange([frame_to(prober, packet) for packet in echoes + stamps]):
        answer = Ether(data)
        assert_sums(answer, data)
        if IPv6 in answer:
            reply = answer[ICMPv6EchoReply]
            assert (reply.id, reply.seq, reply.data) == (7, 1, b"noctule?" * 3 + b"!")
            up[6].add(answer[IPv6].src)
            continue
        assert answer[ICMP].type in (0, 14) and (answer[ICMP].id, answer[ICMP].seq) == (7, 1)
        assert answer[ICMP].ts_ori == 0x01020304 if answer[ICMP].type == 14 else \
            raw(answer[ICMP].payload) == b"noctule?" * 3
        up[4].add(answer[IP].src)
    stats = world.settled()
    assert stats["echo"] > 15 and stats["stamp"] > 5 and stats["probes"] == len(echoes + stamps)
    with open(world.findings, "w", encoding="ascii") as out:
        for family, names in hosts.items():
            for host in names:
                state = "up" if host in up[family] else "down"
                print(json.dumps({"ip": host, "proto": "host", "state": state}), file=out)
    verdict = world.judge(world.findings, 0, "ping")
    assert verdict["right"] == verdict["endpoints"] == 64 and verdict["open_true"] == len(up[4] | up[6])
    assert verdict["bad_lines"] == 0


@pytest.mark.parametrize("family", [4, 6])
def test_errors_are_limited_as_linux_limits_them(asked, family):
    """Six at once, then one a second, of each host; open ports answer all the time."""
    net = {"net": "198.19.0.0/31"} if family == 4 else {"net": "none", "net6": "2001:2::/127"}
    world, prober = asked(**net, answers="udp", ports=60, open=300000, closed=700000, error_limit=1, error_burst=6)
    hosts = ["198.19.0.0", "198.19.0.1"] if family == 4 else ["2001:2::", "2001:2::1"]
    probes = {(host, port): probe_of("udp", family, host, port) for host in hosts for port in range(1, 61)}
    heard = [told("udp", data, probes)
             for data in prober.exchange([frame_to(prober, probe) for probe in probes.values()])]
    stats = world.settled()
    seconds = (stats["last_ns"] - stats["first_ns"]) / 1e9
    assert stats["refused"] + stats["error_limited"] + stats["datagram"] == 120
    for host in hosts:
        refused = [endpoint for endpoint, state in heard if endpoint[0] == host and state == "closed"]
        assert 6 <= len(refused) <= 6 + seconds + 1
    assert [state for _, state in heard].count("open") == stats["datagram"] > 20


def test_only_true_checksums_count_here_too(asked):
    world, prober = asked(net=NET[4], net6=NET[6], open=1000000, answers="syn,udp,sctp-init,ping")
    packets = [ip_of(family, ipaddress.ip_network(NET[family])[1].exploded) / layer
               for family in (4, 6) for layer in (TCP(dport=1), UDP(dport=1) / Raw(b"odd"), init(1))]
    packets += [ip_of(4, "198.19.0.1") / ICMP(type=8) / Raw(b"echo"),
                ip_of(6, "2001:2::41") / ICMPv6EchoRequest(data=b"echo")]
    frames = [frame_to(prober, packet) for packet in packets]
    assert len(prober.exchange(frames)) == len(frames)
    for bit in (0x01, 0x80):
        wrong = [frame[:-1] + bytes([frame[-1] ^ bit]) for frame in frames]
        assert prober.exchange(wrong) == []
    stats = world.settled()
    assert (stats["bad_sum"], stats["probes"]) == (2 * len(frames), len(frames))


def test_what_is_not_asked_for_is_not_answered(asked):
    """A world of SYNs alone counts other probes as strangers."""
    world, prober = asked(net=NET[4], net6=NET[6], open=1000000, closed=0)
    frames = [frame_to(prober, probe_of(technique, family, ipaddress.ip_network(NET[family])[1].exploded, 1))
              for family in (4, 6) for technique in ("fin", "ack", "udp", "sctp-init", "sctp-cookie")]
    frames += [frame_to(prober, ip_of(4, "198.19.0.1", proto=200)), frame_to(prober, ip_of(6, "2001:2::41", nh=200))]
    assert prober.exchange(frames) == []
    stats = world.settled()
    assert (stats["tcp_other"], stats["udp_other"], stats["sctp_other"], stats["ip_other"]) == (4, 2, 4, 1)
    assert stats["ip6_other"] >= 1 and stats["probes"] == 0  # the scanner's kernel says hello to its groups


def test_kinds_are_counted_apart(asked):
    world, prober = asked(net=NET[4], ports=2, answers="syn,udp,ack", open=500000, closed=500000)
    frames = []
    for host in ipaddress.ip_network(NET[4]):
        frames += [frame_to(prober, probe_of("syn", 4, str(host), 1))]
        frames += [frame_to(prober, probe_of("udp", 4, str(host), 1))] * 2
    prober.exchange(frames)
    world.settled()
    world.findings.write_text("", encoding="ascii")
    assert [world.judge(world.findings, 0, technique)["frames"] for technique in ("syn", "ack", "udp")] == [32, 0, 64]
    assert world.judge(world.findings, 0, "udp")["overprobed"] == 32


@pytest.mark.parametrize("options, says", [
    (["--net6", "2001:db8::/120"], "2001:2::/48"),
    (["--nd", "2001::/32"], "2001:2::/48"),
    (["--net6", "2001:2::/103"], "--net6"),
    (["--net6", "2001:2::1/120"], "--net6"),
    (["--net", "none"], "nobody"),
    (["--list6", "/nowhere"], "--list6"),
    (["--answers", "syn,shout"], "--answers"),
    (["--first-port", "65530", "--ports", "7"], "65535"),
])
def test_loader_refuses_what_makes_no_sense(options, says):
    done = netlab.run(netlab.helper("tests/lab/world/world"), *options, check=False)
    assert done.returncode == 1 and says in done.stderr.splitlines()[0]


def test_the_kernels_own_connections_work_over_ipv6(asked):
    world, _ = asked(net="none", net6="2001:2::/128", open=1000000, ports=1)
    with world.scanner.socket(socket.AF_INET6, socket.SOCK_STREAM) as there:
        there.settimeout(5)
        there.connect(("2001:2::", 1))
        assert there.getsockname()[0] == SCANNER6
    closed, _ = asked(net="none", net6="2001:2::/128", closed=1000000, ports=1)
    with closed.scanner.socket(socket.AF_INET6, socket.SOCK_STREAM) as refused, pytest.raises(ConnectionRefusedError):
        refused.settimeout(5)
        refused.connect(("2001:2::", 1))
