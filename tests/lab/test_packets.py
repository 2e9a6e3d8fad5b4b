"""Our frames and our parser against independent readers: tshark over a million random packets, scapy over some more.

packets/packets.c writes capture files of random packets: those that noctule sends, and those that others may send,
right ones and spoilt ones. It also prints what our parser makes of a file. tshark dissects the same file, with its own
checksum arithmetic; expected() says in a few rules what our parser must then have said of each packet.
"""
import ipaddress
import itertools
import os
import random
import subprocess
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import netlab
import pytest
from scapy.all import (ARP, ICMP, IP, SCTP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest,
                       ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6TimeExceeded, IPOption_NOP, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, NoPayload, Padding, PadN, Raw, SCTPChunkInitAck, raw,
                       rdpcap, wrpcap)

pytestmark = pytest.mark.plainonly  # no scanner is involved

PACKETS = 1_000_000
CHUNK = 50_000  # packets a file: tshark keeps all it has seen in memory
PROGRAM = "tests/lab/packets/packets"

FIELDS = """
    frame.cap_len frame.len eth.src eth.dst eth.type
    ip.hdr_len ip.len ip.flags.mf ip.frag_offset ip.ttl ip.proto ip.checksum.status ip.src ip.dst
    ipv6.version ipv6.plen ipv6.nxt ipv6.hlim ipv6.src ipv6.dst
    ipv6.hopopts.nxt ipv6.hopopts.len ipv6.routing.nxt ipv6.routing.len ipv6.routing.segleft
    ipv6.fraghdr.nxt ipv6.fraghdr.offset ipv6.fraghdr.more ipv6.dstopts.nxt ipv6.dstopts.len
    tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value tcp.hdr_len tcp.checksum.status
    tcp.seq
    udp.srcport udp.dstport udp.length udp.checksum udp.checksum.status
    sctp.srcport sctp.dstport sctp.verification_tag sctp.chunk_type sctp.checksum.status
    icmp.type icmp.code icmp.checksum.status icmp.ident icmp.seq
    icmpv6.type icmpv6.code icmpv6.checksum.status icmpv6.echo.identifier icmpv6.echo.sequence_number
    icmpv6.nd.ns.target_address icmpv6.nd.na.target_address icmpv6.opt.type icmpv6.opt.length icmpv6.opt.linkaddr
    arp.hw.type arp.proto.type arp.hw.size arp.proto.size arp.opcode arp.src.hw_mac arp.src.proto_ipv4
    arp.dst.proto_ipv4
""".split()
PROTOCOLS = {"frame", "eth", "ethertype", "raw", "ip", "ipv6", "ipv6.hopopts", "ipv6.dstopts", "ipv6.routing",
             "ipv6.fraghdr", "tcp", "udp", "sctp", "icmp", "icmpv6", "arp"}
PREFERENCES = ["ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "sctp.checksum:CRC-32C",
               "ip.defragment:FALSE", "ipv6.defragment:FALSE",
               "tcp.relative_sequence_numbers:FALSE", "tcp.analyze_sequence_numbers:FALSE",
               "tcp.desegment_tcp_streams:FALSE", "tcp.calculate_timestamps:FALSE", "tcp.track_bytes_in_flight:FALSE",
               "udp.calculate_timestamps:FALSE", "sctp.tsn_analysis:FALSE", "sctp.reassembly:FALSE",
               "sctp.ulp_dissection:FALSE"]
BAD = "0"  # of tshark's checksum states; 1 is good, 2 not verified
EXTENSIONS = {"0": "hopopts", "43": "routing", "44": "fraghdr", "60": "dstopts", "51": None}


@pytest.fixture(scope="module")
def tshark(tmp_path_factory):
    """The environment of a tshark that knows no other protocols, and no settings of this machine's user."""
    folder = tmp_path_factory.mktemp("tshark")
    env = {**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)}
    known = subprocess.run(["tshark", "-G", "protocols"], env=env, check=True, capture_output=True, text=True)
    names = {line.split("\t")[2] for line in known.stdout.splitlines()}
    assert PROTOCOLS <= names
    (folder / "disabled_protos").write_text("".join(f"{name}\n" for name in sorted(names - PROTOCOLS)))
    return env


def dissect(env, path):
    """Yields one dict of FIELDS a packet; a field that occurs twice (in a quote) has its values with commas."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    command += [word for preference in PREFERENCES for word in ("-o", preference)]
    command += [word for field in FIELDS for word in ("-e", field)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            yield dict(zip(FIELDS, line.rstrip("\n").split("\t"), strict=True))
    assert process.returncode == 0


def first(f, name):
    return f[name].split(",", 1)[0]


def is_station(mac):
    return not int(mac[:2], 16) & 1 and mac != "00:00:00:00:00:00"


def expected_arp(f, room):
    if room < 28:
        return ["truncated"]
    shape = tuple(f[f"arp.{name}"] for name in ("hw.type", "proto.type", "hw.size", "proto.size"))
    opcode, sender = f["arp.opcode"], f["arp.src.hw_mac"]
    if shape != ("1", "0x0800", "6", "4") or opcode not in ("1", "2"):
        return ["not_ours"]
    if not is_station(sender):
        return ["wrong_address"]
    kind = "neighbour" if opcode == "2" else "asked"
    return ["\t".join((kind, sender, f["eth.dst"], f["arp.src.proto_ipv4"], f["arp.dst.proto_ipv4"]))]


def expected_tcp(f, ends, room):
    if room < 20:
        return ["truncated"]
    if first(f, "tcp.checksum.status") == BAD:
        return ["bad_tcp_checksum"]
    if not 20 <= int(f["tcp.hdr_len"]) <= room:  # tshark then reads no further: the checksum may be bad as well
        return ["truncated", "bad_tcp_checksum"]
    assert first(f, "tcp.checksum.status") == "1", f
    return ["\t".join(("tcp", *ends, f["tcp.srcport"], f["tcp.dstport"], f["tcp.seq_raw"], f["tcp.ack_raw"],
                       str(int(f["tcp.flags"], 16) & 0xff), f["tcp.window_size_value"]))]


def expected_udp(f, ends, room, v6):
    if room < 8:
        return ["truncated"]
    if not 8 <= int(f["udp.length"]) <= room:
        return ["truncated"]
    none = int(f["udp.checksum"], 16) == 0
    if (none and v6) or first(f, "udp.checksum.status") == BAD:
        return ["bad_udp_checksum"]
    assert none or first(f, "udp.checksum.status") == "1", f
    return ["\t".join(("udp", *ends, f["udp.srcport"], f["udp.dstport"]))]


def expected_sctp(f, ends, room):
    if room < 16:
        return ["truncated"]
    if first(f, "sctp.checksum.status") == BAD:
        return ["bad_sctp_checksum"]
    chunks = f["sctp.chunk_type"].split(",")
    if not chunks[0]:  # tshark reads no chunk that says it is shorter than its own header
        return None
    assert first(f, "sctp.checksum.status") == "1", f
    tag = str(int(f["sctp.verification_tag"], 16))
    return ["\t".join(("sctp", *ends, f["sctp.srcport"], f["sctp.dstport"], tag, chunks[0]))]


def second(f, name):
    values = f[name].split(",")
    return values[1] if len(values) > 1 else ""


def expected_quote(f, ends, kind, code, proto, header, room):
    """Of a quote whose IP header tshark has read: the rest."""
    source, dest = (second(f, f"{'ipv6' if header == 40 else 'ip'}.{name}") for name in ("src", "dst"))
    own = "58" if f["ipv6.plen"] else "1"
    if proto in ("6", "17", "132", own) and room < header + 8:
        return ["truncated"]
    quote = (source, dest, proto)
    if proto == "6":
        if not f["tcp.seq"]:
            return None
        quote += (f["tcp.srcport"], f["tcp.dstport"], f["tcp.seq"])  # tshark shows no tcp.seq_raw of a quote
    elif proto == "17":
        if not f["udp.srcport"]:
            return None
        quote += (f["udp.srcport"], f["udp.dstport"])
    return ["\t".join(("icmp", *ends, kind, code, *quote))]


def expected_echo(f, ends, kind, room, ident, seq):
    if room < 16:
        return ["not_ours"]
    if not ident or not seq:
        return None
    # Of ICMP tshark shows both byte orders; its first is the network's.
    return ["\t".join(("answer", *ends, kind, *(str(int(v.split(",")[0], 0)) for v in (ident, seq))))]


def expected_icmp(f, ends, room):
    kind, code, status = (first(f, f"icmp.{name}") for name in ("type", "code", "checksum.status"))
    if room < 8:
        return ["truncated"]
    if status == BAD:
        return ["bad_icmp_checksum"]
    assert status == "1", f
    if kind == "0":
        return expected_echo(f, ends, kind, room, f["icmp.ident"], f["icmp.seq"])
    if kind == "14":
        if room < 20:
            return ["truncated"]
        return expected_echo(f, ends, kind, room, f["icmp.ident"], f["icmp.seq"])
    if kind not in ("3", "11"):
        return ["unsupported_icmp"]
    room -= 8
    if room < 20:
        return ["truncated"]
    if "," not in f["ip.hdr_len"]:  # no IPv4 header that tshark could read
        return ["not_ours", "truncated"]
    header, offset, proto = (second(f, f"ip.{name}") for name in ("hdr_len", "frag_offset", "proto"))
    if int(header) < 20 or room < int(header):
        return ["truncated"]
    if not proto:
        return None
    if int(offset):
        return ["fragment"]
    if int(header) != 20:
        room -= int(header) - 20
    return expected_quote(f, ends, kind, code, proto, 20, room)


def expected_nd(f, ends, room):
    asks = first(f, "icmpv6.type") == "135"
    hops, code = first(f, "ipv6.hlim"), first(f, "icmpv6.code")
    if hops != "255" or code != "0":
        return ["not_ours"]
    if room < 24:
        return ["truncated"]
    target = f[f"icmpv6.nd.n{'s' if asks else 'a'}.target_address"]
    if not target or room not in (24, 32) or (room == 32 and f["icmpv6.opt.length"] != "1"):
        return None
    if bad_address(target) or ipaddress.ip_address(target).is_multicast:
        return ["wrong_address"]
    mac = f["eth.src"]
    if room == 32 and f["icmpv6.opt.type"] == ("1" if asks else "2"):
        mac = f["icmpv6.opt.linkaddr"]
    if not mac or not is_station(mac):  # links without Ethernet have no stations
        return ["wrong_address"]
    macs = (mac, f["eth.dst"]) if f["eth.src"] else ()
    source, dest = ends[-3:-1]
    pair = (source, target) if asks else (target, dest)
    return ["\t".join(("asked" if asks else "neighbour", *macs, *pair))]


def expected_icmpv6(f, ends, room):
    kind, code, status = (first(f, f"icmpv6.{name}") for name in ("type", "code", "checksum.status"))
    if room < 8:
        return ["truncated"]
    if status == BAD:
        return ["bad_icmp_checksum"]
    assert status == "1", f
    if kind == "129":
        return expected_echo(f, ends, kind, room, f["icmpv6.echo.identifier"], f["icmpv6.echo.sequence_number"])
    if kind in ("135", "136"):
        return expected_nd(f, ends, room)
    if kind not in ("1", "3", "4"):
        return ["unsupported_icmp"]
    room -= 8
    if room < 40:
        return ["truncated"]
    if second(f, "ipv6.version") != "6":
        return ["not_ours"] if second(f, "ipv6.version") else None
    if bad_address(second(f, "ipv6.src")) or bad_address(second(f, "ipv6.dst")):
        return ["wrong_address"]
    proto = second(f, "ipv6.nxt")
    if proto in EXTENSIONS:
        return None
    return expected_quote(f, ends, kind, code, proto, 40, room)


def bad_address(text):
    """Those that never stand in an IPv6 header: IPv4's, and link-local ones with something in their middle."""
    address = ipaddress.IPv6Address(text)
    return address.ipv4_mapped is not None or (int(address) >> 118 == 0x3fa and int(address) >> 96 & 0xffff != 0)


def expected_protocol(f, ends, proto, room, v6):
    if proto == "6":
        return expected_tcp(f, ends, room)
    if proto == "17":
        return expected_udp(f, ends, room, v6)
    if proto == "132":
        return expected_sctp(f, ends, room)
    if proto == ("58" if v6 else "1"):
        return (expected_icmpv6 if v6 else expected_icmp)(f, ends, room)
    return ["\t".join(("other", *ends, proto))]


def expected_ipv4(f, macs, captured, on_wire):
    ip = {name: first(f, f"ip.{name}") for name in
          ("hdr_len", "len", "flags.mf", "frag_offset", "ttl", "proto", "checksum.status", "src", "dst")}
    header, total = ip["hdr_len"], ip["len"]
    if captured < 20:
        return ["truncated"]
    if not header:  # not IPv4
        return ["not_ours"]
    if not 20 <= int(header) <= captured:
        return ["truncated"]
    if not total or int(total) < int(header):
        return ["truncated", "bad_ip_checksum"]
    if ip["checksum.status"] == BAD:
        return ["bad_ip_checksum"]
    if int(total) > on_wire:
        return ["truncated"]
    assert ip["checksum.status"] == "1", f
    if ip["flags.mf"] not in ("0", "False") or int(ip["frag_offset"]):
        return ["fragment"]
    if int(total) > captured:
        return ["truncated"]
    ends = (*macs, ip["src"], ip["dst"], ip["ttl"])
    return expected_protocol(f, ends, ip["proto"], int(total) - int(header), False)


def expected_ipv6(f, macs, captured, on_wire):
    if captured < 40:
        return ["truncated"]
    ip = {name: first(f, f"ipv6.{name}") for name in ("version", "plen", "nxt", "hlim", "src", "dst")}
    if ip["version"] != "6":
        return ["not_ours"]
    if int(ip["plen"]) > on_wire - 40:
        return ["truncated"]
    if bad_address(ip["src"]) or bad_address(ip["dst"]):
        return ["wrong_address"]
    room, proto, seen = int(ip["plen"]), ip["nxt"], Counter()
    left = min(room, captured - 40)
    while proto in EXTENSIONS:
        name, n = EXTENSIONS[proto], seen[proto]
        if left < 8:
            return ["truncated"]
        values = f[f"ipv6.{name}.nxt"].split(",") if name else []
        if n >= len(values) or not values[n] or (proto != "44" and f[f"ipv6.{name}.len"].split(",")[n] != "0"):
            return None  # no header of those that were written here, but a next header that was spoilt
        if proto == "43" and f["ipv6.routing.segleft"].split(",")[n] != "0":
            return ["not_ours"]
        if proto == "44" and (f["ipv6.fraghdr.offset"].split(",")[n] != "0" or
                              f["ipv6.fraghdr.more"].split(",")[n] not in ("0", "False")):
            return ["fragment"]
        seen[proto] += 1
        proto, room, left = values[n], room - 8, left - 8
    if left < room:
        return ["truncated"]
    return expected_protocol(f, (*macs, ip["src"], ip["dst"], ip["hlim"]), proto, room, True)


def expected(f, link):
    """What our parser may say of a packet, given what tshark found in it: one line nearly always; more where tshark
    gave up before it could tell, and None where it gave up before it saw what we look at."""
    captured, on_wire = int(f["frame.cap_len"]), int(f["frame.len"])
    f = {**f, **{name: first(f, name) for name in ("eth.src", "eth.dst", "eth.type")}}  # IP may carry Ethernet
    if link != "ethernet":
        v6 = f["ipv6.version"] and not f["ip.hdr_len"]
        return (expected_ipv6 if v6 else expected_ipv4)(f, (), captured, on_wire)
    if captured < 14:
        return ["truncated"]
    if f["eth.type"] == "0x0806":
        return expected_arp(f, captured - 14)
    readers = {"0x0800": expected_ipv4, "0x86dd": expected_ipv6}
    if f["eth.type"] not in readers:
        return ["not_ours"]
    return readers[f["eth.type"]](f, (f["eth.src"], f["eth.dst"]), captured - 14, on_wire - 14)


def compare(program, env, path, kind, link, seed, count):
    """Writes one file and compares the two readings. Returns the counts of outcomes, and the differences found."""
    subprocess.run([program, kind, link, str(seed), str(count), str(path)], check=True)
    ours = subprocess.run([program, "read", str(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    outcomes, differences = Counter(), []
    for i, (line, fields) in enumerate(itertools.zip_longest(ours, dissect(env, path))):
        if line is None or fields is None:
            differences.append(f"packet {i}: one reader has no more packets")
            break
        want = expected(fields, link)
        if want is None:
            outcomes["tshark gave up"] += 1
            continue
        outcomes[line.split("\t", 1)[0] if len(want) == 1 else "one of several"] += 1
        if line not in want and len(differences) < 5:
            known = {name: value for name, value in fields.items() if value}
            differences.append(f"seed {seed} packet {i}: ours {line!r}, expected {want}, tshark {known}")
    os.unlink(path)
    return outcomes, differences


def compare_many(tmp_path, env, kind, link, count):
    program = netlab.helper(PROGRAM)
    total = Counter()
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(compare, program, env, tmp_path / f"{seed}.pcap", kind, link, seed, CHUNK)
                for seed in range(count // CHUNK)]
        for job in jobs:
            outcomes, differences = job.result()
            assert not differences, "\n".join(differences)
            total += outcomes
    assert total.total() == count
    return total


@pytest.mark.parametrize("link", ["ethernet", "ip"])
def test_tshark_agrees_about_our_frames(tmp_path, tshark, link):
    count = PACKETS // 10
    outcomes = compare_many(tmp_path, tshark, "probes", link, count)
    # No checksum of ours is bad, nor anything else. An authentication header (-sO) is not there, where it is announced.
    assert set(outcomes) == {"tcp", "udp", "sctp", "other", "unsupported_icmp", "truncated"} | (
        {"asked", "neighbour"} if link == "ethernet" else set())
    assert outcomes.pop("truncated") < count // 1000 and min(outcomes.values()) > count // 100, outcomes


@pytest.mark.parametrize("link", ["ethernet", "ip"])
def test_tshark_agrees_about_foreign_frames(tmp_path, tshark, link):
    count = PACKETS * 4 // 10
    outcomes = compare_many(tmp_path, tshark, "foreign", link, count)
    for outcome in ("tcp", "udp", "sctp", "icmp", "answer", "other", "bad_ip_checksum", "bad_tcp_checksum",
                    "bad_udp_checksum", "bad_sctp_checksum", "bad_icmp_checksum", "truncated", "fragment", "not_ours",
                    "unsupported_icmp", "wrong_address", *(("asked", "neighbour") if link == "ethernet" else ())):
        assert outcomes[outcome] >= count // 500, f"hardly any {outcome}: {outcomes}"
    assert outcomes["one of several"] < count // 200 and outcomes["tshark gave up"] < count // 200, outcomes


def write_probes(path, count):
    subprocess.run([netlab.helper(PROGRAM), "probes", "ethernet", "1", str(count), str(path)], check=True)


def read_lines(path):
    done = subprocess.run([netlab.helper(PROGRAM), "read", str(path)], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


ICMPV6 = (ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_NA)


def rebuilt(frame):
    """The same frame with everything that scapy can compute left to scapy."""
    again = Ether(raw(frame))
    if UDP in again:  # its payload is compared as it is
        payload = raw(again[UDP].payload)
        again[UDP].remove_payload()
        again = again / Raw(payload) if payload else again
    layer = again
    while not isinstance(layer, NoPayload):
        for name in ("chksum", "cksum", "len", "plen"):
            if name in layer.fields and type(layer) in (IP, IPv6, TCP, UDP, SCTP, ICMP, *ICMPV6):
                delattr(layer, name)
        layer = layer.payload
    return raw(again)


def test_scapy_builds_our_frames_the_same(tmp_path):
    """Scapy reads each frame, forgets lengths and checksums, and builds it anew: not a byte may differ."""
    path = tmp_path / "probes.pcap"
    write_probes(path, 3000)
    seen = Counter()
    for frame in rdpcap(str(path)):
        if ARP in frame:
            seen["arp"] += 1
            arp = frame[ARP]
            assert len(frame) == 60 and (arp.op == 2 or (arp.hwdst, frame.dst) == ("00:00:00:00:00:00",
                                                                                  "ff:ff:ff:ff:ff:ff"))
            assert raw(Ether(dst=frame.dst, src=arp.hwsrc)
                       / ARP(op=arp.op, hwsrc=arp.hwsrc, psrc=arp.psrc, hwdst=arp.hwdst,
                             pdst=arp.pdst)).ljust(60, b"\0") == raw(frame)
            continue
        if IP in frame:
            ip = frame[IP]
            assert (str(ip.flags), ip.tos, ip.frag, ip.options) == ("DF", 0, 0, []) and ip.id != 0
            proto = ip.proto
        else:
            assert frame[IPv6].tc == 0
            proto = frame[IPv6].nh
        if proto == 6:
            tcp = frame[TCP]
            assert tcp.options == ([("MSS", 1460 if IP in frame else 1440)] if tcp.flags.S else []), frame
            assert tcp.window == 64240 or (tcp.window == 0 and tcp.flags == "R")
        seen[("v4" if IP in frame else "v6", proto if proto in (1, 6, 17, 58, 132) else "other")] += 1
        assert rebuilt(frame) == raw(frame), frame.show(dump=True)
    for kind in ("arp", *((family, proto) for family in ("v4", "v6") for proto in (6, 17, 132, "other")), ("v4", 1),
                 ("v6", 58)):
        assert seen[kind] >= 10, seen


def random_v4(r):
    return ".".join(str(r.randrange(256)) for _ in range(4))


def random_v6(r):
    return str(ipaddress.IPv6Address(0x20010002 << 96 | r.getrandbits(64)))


def random_frame(r):
    """A right frame as scapy builds it, and the line that our parser must print of it."""
    ours, theirs, router = random_v4(r), random_v4(r), random_v4(r)
    mac = "02:" + ":".join(f"{r.randrange(256):02x}" for _ in range(5))
    our_mac = "02:00:00:00:00:01"
    sport, dport, seq, ack = r.randrange(65536), r.randrange(65536), r.randrange(1 << 32), r.randrange(1 << 32)
    ttl, window, options = r.randrange(256), r.randrange(65536), [IPOption_NOP()] * r.randrange(0, 41, 4)
    ether = Ether(src=mac, dst=our_mac)
    padding = Padding(b"\xa5" * r.randrange(20))
    kind = r.randrange(5)
    if kind == 0:
        target = ARP(op=2, hwsrc=mac, psrc=theirs, hwdst=our_mac, pdst=ours)
        return ether / target / padding, ("neighbour", mac, our_mac, theirs, ours)
    if kind == 1:
        kind, code = r.choice([3, 11]), r.randrange(16)
        probe = raw(IP(src=ours, dst=theirs, options=options) / TCP(sport=sport, dport=dport, seq=seq, flags="S"))
        length = r.randrange(28 + len(options), len(probe) + 1)
        frame = ether / IP(src=router, dst=ours, ttl=ttl) / ICMP(type=kind, code=code) / probe[:length] / padding
        return frame, ("icmp", mac, our_mac, router, ours, ttl, kind, code, ours, theirs, 6, sport, dport, seq)
    if kind == 2:
        frame = ether / IP(src=theirs, dst=ours, ttl=ttl, options=options) / ICMP(type=0, id=sport, seq=dport)
        return frame / (b"\x3c" * 16) / padding, ("answer", mac, our_mac, theirs, ours, ttl, 0, sport, dport)
    flags = r.randrange(256)
    frame = ether / IP(src=theirs, dst=ours, ttl=ttl, options=options, flags=r.choice(["", "DF"])) / TCP(
        sport=dport, dport=sport, seq=seq, ack=ack, flags=flags, window=window,
        options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 2)), ("WScale", 7)][:r.randrange(5)])
    return frame / padding, ("tcp", mac, our_mac, theirs, ours, ttl, dport, sport, seq, ack, flags, window)


def random_frame6(r):
    """The same over IPv6, with and without extension headers."""
    ours, theirs, router = random_v6(r), random_v6(r), random_v6(r)
    mac = "02:" + ":".join(f"{r.randrange(256):02x}" for _ in range(5))
    our_mac = "02:00:00:00:00:01"
    sport, dport, seq, ttl = r.randrange(65536), r.randrange(65536), r.randrange(1 << 32), r.randrange(256)
    padding = Padding(b"\xa5" * r.randrange(20))
    macs, ends = (mac, our_mac), (theirs, ours, ttl)
    ip = Ether(src=mac, dst=our_mac) / IPv6(src=theirs, dst=ours, hlim=ttl)
    if r.randrange(2):
        ip = ip / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * r.randrange(60))])
    if not r.randrange(4):
        ip = ip / IPv6ExtHdrFragment(offset=0, m=0, id=seq)
    kind = r.randrange(6)
    if kind == 0:
        frame = ip / TCP(sport=sport, dport=dport, seq=seq, ack=5, flags="SA", window=7)
        return frame / padding, ("tcp", *macs, *ends, sport, dport, seq, 5, 0x12, 7)
    if kind == 1:
        frame = ip / UDP(sport=sport, dport=dport) / Raw(b"\x11" * r.randrange(50))
        return frame / padding, ("udp", *macs, *ends, sport, dport)
    if kind == 2:
        frame = ip / SCTP(sport=sport, dport=dport, tag=seq) / SCTPChunkInitAck(init_tag=9)
        return frame / padding, ("sctp", *macs, *ends, sport, dport, seq, 2)
    if kind == 3:
        frame = ip / ICMPv6EchoReply(id=sport, seq=dport, data=b"\x3c" * 32)
        return frame / padding, ("answer", *macs, *ends, 129, sport, dport)
    if kind == 4:
        probe = raw(IPv6(src=ours, dst=theirs) / UDP(sport=sport, dport=dport) / Raw(b"\x22" * 20))
        error = r.choice([ICMPv6DestUnreach(code=r.randrange(7)), ICMPv6TimeExceeded(code=0)])
        frame = Ether(src=mac, dst=our_mac) / IPv6(src=router, dst=ours, hlim=ttl) / error / probe[:r.randrange(48, 69)]
        line = ("icmp", *macs, router, ours, ttl, error.type, error.code, ours, theirs, 17, sport, dport)
        return frame / padding, line
    ip = Ether(src=mac, dst=our_mac) / IPv6(src=theirs, dst=ours, hlim=255)
    if r.randrange(2):
        frame = ip / ICMPv6ND_NA(tgt=router, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:77")
        return frame / padding, ("neighbour", "02:00:00:00:00:77", our_mac, router, ours)
    return ip / ICMPv6ND_NS(tgt=router) / padding, ("asked", *macs, theirs, router)


def test_our_parser_reads_scapys_frames(tmp_path):
    r = random.Random(1)
    path = tmp_path / "scapy.pcap"
    frames, lines = zip(*(build(r) for _ in range(800) for build in (random_frame, random_frame6)))
    wrpcap(str(path), frames)
    assert read_lines(path) == ["\t".join(map(str, line)) for line in lines]
