"""Our frames and our parser against independent readers: tshark over a million random packets, scapy over some more.

packets/packets.c writes capture files of random packets: those that noctule sends, and those that others may send,
right ones and spoilt ones. It also prints what our parser makes of a file. tshark dissects the same file, with its own
checksum arithmetic; expected() says in a few rules what our parser must then have said of each packet.
"""
import itertools
import os
import random
import subprocess
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import netlab
import pytest
from scapy.all import ARP, ICMP, IP, TCP, Ether, IPOption_NOP, Padding, raw, rdpcap, wrpcap

pytestmark = pytest.mark.plainonly  # no scanner is involved

PACKETS = 1_000_000
CHUNK = 50_000  # packets a file: tshark keeps all it has seen in memory
PROGRAM = "tests/lab/packets/packets"

FIELDS = """
    frame.cap_len frame.len eth.src eth.dst eth.type
    ip.hdr_len ip.len ip.flags.mf ip.frag_offset ip.ttl ip.proto ip.checksum.status ip.src ip.dst
    tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value tcp.hdr_len tcp.checksum.status
    icmp.type icmp.code icmp.checksum.status
    arp.hw.type arp.proto.type arp.hw.size arp.proto.size arp.opcode arp.src.hw_mac arp.src.proto_ipv4
    arp.dst.proto_ipv4
    tcp.seq
""".split()
PROTOCOLS = {"frame", "eth", "ethertype", "raw", "ip", "tcp", "icmp", "arp"}
PREFERENCES = ["ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "ip.defragment:FALSE",
               "tcp.relative_sequence_numbers:FALSE", "tcp.analyze_sequence_numbers:FALSE",
               "tcp.desegment_tcp_streams:FALSE", "tcp.calculate_timestamps:FALSE", "tcp.track_bytes_in_flight:FALSE"]
BAD = "0"  # of tshark's checksum states; 1 is good, 2 not verified


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
    """Yields one list of FIELDS a packet."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    command += [word for preference in PREFERENCES for word in ("-o", preference)]
    command += [word for field in FIELDS for word in ("-e", field)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            yield line.rstrip("\n").split("\t")
    assert process.returncode == 0


def expected_arp(f, room):
    hardware, proto, hardware_len, proto_len, opcode, sender_mac, sender, target = f[25:33]
    if room < 28:
        return ["truncated"]
    if (hardware, proto, hardware_len, proto_len, opcode) != ("1", "0x0800", "6", "4", "2"):
        return ["not_ours"]
    if int(sender_mac[:2], 16) & 1 or sender_mac == "00:00:00:00:00:00":
        return ["wrong_address"]
    return ["\t".join(("arp", sender_mac, f[3], sender, target))]


def expected_tcp(f, ends, room):
    srcport, dstport, seq, ack, flags, window, header, status = f[14:22]
    if room < 20:
        return ["truncated"]
    if status == BAD:
        return ["bad_tcp_checksum"]
    if not 20 <= int(header) <= room:  # tshark then reads no further: the checksum may be bad as well
        return ["truncated", "bad_tcp_checksum"]
    assert status == "1", f
    return ["\t".join(("tcp", *ends, srcport, dstport, seq, ack, str(int(flags, 16) & 0xff), window))]


def expected_icmp(f, ends, room):
    kind, code, status = f[22:25]
    if room < 8:
        return ["truncated"]
    if status == BAD:
        return ["bad_icmp_checksum"]
    assert status == "1", f
    if kind not in ("3", "11"):
        return ["unsupported_icmp"]
    room -= 8
    if room < 20:
        return ["truncated"]
    if "," not in f[5]:  # no IPv4 header that tshark could read
        return ["not_ours", "truncated"]
    header, offset, proto, source, dest = (f[i].split(",")[1] if "," in f[i] else "" for i in (5, 8, 10, 12, 13))
    if int(header) < 20 or room < int(header) + 8:
        return ["truncated"]
    if not proto:
        return None
    if int(offset):
        return ["fragment"]
    quote = (source, dest, proto)
    if proto == "6":
        if not f[33]:
            return None
        quote += (f[14], f[15], f[33])  # of a quoted segment tshark shows no tcp.seq_raw
    return ["\t".join(("icmp", *ends, kind, code, *quote))]


def expected(f, ethernet):
    """What our parser may say of a packet, given what tshark found in it: one line nearly always; more where tshark
    gave up before it could tell, and None where it gave up before it saw what we look at."""
    captured, on_wire = int(f[0]), int(f[1])
    if ethernet:
        if captured < 14:
            return ["truncated"]
        if f[4] == "0x0806":
            return expected_arp(f, captured - 14)
        if f[4] != "0x0800":
            return ["not_ours"]
        captured, on_wire = captured - 14, on_wire - 14
    if captured < 20:
        return ["truncated"]
    first = [value.split(",", 1)[0] for value in f[5:14]]
    header, total, more, offset, ttl, proto, status, source, dest = first
    if not header:  # not IPv4
        return ["not_ours"]
    if not 20 <= int(header) <= captured:
        return ["truncated"]
    if not total or int(total) < int(header):
        return ["truncated", "bad_ip_checksum"]
    if status == BAD:
        return ["bad_ip_checksum"]
    if int(total) > on_wire:
        return ["truncated"]
    assert status == "1", f
    if proto not in ("1", "6"):
        return ["not_ours"]
    if more not in ("0", "False") or int(offset):
        return ["fragment"]
    if int(total) > captured:
        return ["truncated"]
    ends = (*(f[2:4] if ethernet else ()), source, dest, ttl)
    return (expected_tcp if proto == "6" else expected_icmp)(f, ends, int(total) - int(header))


def compare(program, env, path, kind, link, seed, count):
    """Writes one file and compares the two readings. Returns the counts of outcomes, and the differences found."""
    subprocess.run([program, kind, link, str(seed), str(count), str(path)], check=True)
    ours = subprocess.run([program, "read", str(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    outcomes, differences = Counter(), []
    for i, (line, fields) in enumerate(itertools.zip_longest(ours, dissect(env, path))):
        if line is None or fields is None:
            differences.append(f"packet {i}: one reader has no more packets")
            break
        want = expected(fields, link == "ethernet")
        if want is None:
            outcomes["tshark gave up"] += 1
            continue
        outcomes[line.split("\t", 1)[0] if len(want) == 1 else "one of several"] += 1
        if line not in want and len(differences) < 5:
            differences.append(f"seed {seed} packet {i}: ours {line!r}, expected {want}, tshark {fields}")
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
    requests = outcomes.pop("not_ours", 0)  # ARP requests: nothing that our parser waits for
    assert outcomes == {"tcp": count - requests}  # no checksum of ours is bad, nor anything else
    assert (requests > 0) == (link == "ethernet")


@pytest.mark.parametrize("link", ["ethernet", "ip"])
def test_tshark_agrees_about_foreign_frames(tmp_path, tshark, link):
    count = PACKETS * 4 // 10
    outcomes = compare_many(tmp_path, tshark, "foreign", link, count)
    for outcome in ("tcp", "icmp", "bad_ip_checksum", "bad_tcp_checksum", "bad_icmp_checksum", "truncated", "fragment",
                    "not_ours", "unsupported_icmp", *(("arp", "wrong_address") if link == "ethernet" else ())):
        assert outcomes[outcome] >= count // 200, f"hardly any {outcome}: {outcomes}"
    assert outcomes["one of several"] < count // 200 and outcomes["tshark gave up"] < count // 2000, outcomes


def write_probes(path, count):
    subprocess.run([netlab.helper(PROGRAM), "probes", "ethernet", "1", str(count), str(path)], check=True)


def read_lines(path):
    done = subprocess.run([netlab.helper(PROGRAM), "read", str(path)], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_scapy_builds_our_frames_the_same(tmp_path):
    """Scapy reads each frame, forgets the checksums, and builds it anew: not a byte may differ."""
    path = tmp_path / "probes.pcap"
    write_probes(path, 1500)
    seen = Counter()
    for frame in rdpcap(str(path)):
        kind = "arp" if ARP in frame else str(frame[TCP].flags)
        seen[kind] += 1
        if kind == "arp":
            arp = frame[ARP]
            assert (arp.op, arp.hwdst, len(frame)) == (1, "00:00:00:00:00:00", 60)
            assert raw(Ether(dst="ff:ff:ff:ff:ff:ff", src=arp.hwsrc) / ARP(hwsrc=arp.hwsrc, psrc=arp.psrc,
                                                                          pdst=arp.pdst)).ljust(60, b"\0") == raw(frame)
            continue
        ip, tcp = frame[IP], frame[TCP]
        assert (str(ip.flags), ip.tos, ip.frag, ip.options) == ("DF", 0, 0, [])
        assert tcp.options == ([] if kind == "R" else [("MSS", 1460)])
        assert tcp.window == (0 if kind == "R" else 64240)
        again = (Ether(dst=frame.dst, src=frame.src)
                 / IP(src=ip.src, dst=ip.dst, ttl=ip.ttl, id=ip.id, flags="DF")
                 / TCP(sport=tcp.sport, dport=tcp.dport, seq=tcp.seq, ack=tcp.ack, flags=tcp.flags, window=tcp.window,
                       options=tcp.options))
        assert raw(again) == raw(frame)
    assert set(seen) == {"S", "R", "SA", "arp"} and min(seen.values()) > 50, seen


def random_frame(r):
    """A right frame as scapy builds it, and the line that our parser must print of it."""
    address = lambda: ".".join(str(r.randrange(256)) for _ in range(4))
    ours, theirs, router = address(), address(), address()
    mac = "02:" + ":".join(f"{r.randrange(256):02x}" for _ in range(5))
    our_mac = "02:00:00:00:00:01"
    sport, dport, seq, ack = r.randrange(65536), r.randrange(65536), r.randrange(1 << 32), r.randrange(1 << 32)
    ttl, window, options = r.randrange(256), r.randrange(65536), [IPOption_NOP()] * r.randrange(0, 41, 4)
    ether = Ether(src=mac, dst=our_mac)
    padding = Padding(b"\xa5" * r.randrange(20))
    kind = r.randrange(5)
    if kind == 0:
        target = ARP(op=2, hwsrc=mac, psrc=theirs, hwdst=our_mac, pdst=ours)
        return ether / target / padding, ("arp", mac, our_mac, theirs, ours)
    if kind == 1:
        kind, code = r.choice([3, 11]), r.randrange(16)
        probe = raw(IP(src=ours, dst=theirs, options=options) / TCP(sport=sport, dport=dport, seq=seq, flags="S"))
        length = r.randrange(28 + len(options), len(probe) + 1)
        frame = ether / IP(src=router, dst=ours, ttl=ttl) / ICMP(type=kind, code=code) / probe[:length] / padding
        return frame, ("icmp", mac, our_mac, router, ours, ttl, kind, code, ours, theirs, 6, sport, dport, seq)
    flags = r.randrange(256)
    frame = ether / IP(src=theirs, dst=ours, ttl=ttl, options=options, flags=r.choice(["", "DF"])) / TCP(
        sport=dport, dport=sport, seq=seq, ack=ack, flags=flags, window=window,
        options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 2)), ("WScale", 7)][:r.randrange(5)])
    return frame / padding, ("tcp", mac, our_mac, theirs, ours, ttl, dport, sport, seq, ack, flags, window)


def test_our_parser_reads_scapys_frames(tmp_path):
    r = random.Random(1)
    path = tmp_path / "scapy.pcap"
    frames, lines = zip(*(random_frame(r) for _ in range(1000)))
    wrpcap(str(path), frames)
    assert read_lines(path) == ["\t".join(map(str, line)) for line in lines]
