"""The UDP payloads: Wireshark reads each as its protocol, and Debian's servers answer those that say so.

No scanner is involved: payloads/payloads.c prints the payloads, and sockets send them.
"""
import importlib.util
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

import netlab
import pytest
from payloads import servers
from scapy.all import IP, UDP, Ether, Raw, wrpcap

pytestmark = pytest.mark.plainonly  # no scanner is involved

TABLE = netlab.ROOT / "data" / "udp-payloads.txt"
GENERATOR = netlab.ROOT / "scripts" / "gen-payloads.py"
PAGE = netlab.ROOT / "docs" / "payloads.md"
PROGRAM = "tests/lab/payloads/payloads"
IP_UDP = 28  # bytes of both headers
MUCH = 5     # times the bytes, as IP packets: an amplifier

specification = importlib.util.spec_from_file_location("gen_payloads", GENERATOR)
gen_payloads = importlib.util.module_from_spec(specification)
specification.loader.exec_module(gen_payloads)

BLOCKS = gen_payloads.read(TABLE)
BY_PORT = gen_payloads.by_port(BLOCKS)

# Ports that Wireshark gives to another protocol: there the payload is read as the one it is.
READ_AS = {(853, "quic"): "quic", (28960, "quake3"): "quake3"}
# A reserved version has no keys: what stands behind its header cannot be read.
UNREADABLE = {"quic": "Decryption failed: Decryption (checktag) failed: Checksum error"}
CHAT = 0x200000  # the lowest of Wireshark's severities: "this is an M-SEARCH"
# Where a server listens, if not at its payload's first port.
SERVER_PORT = {"dtls": 4433, "radius": 1812, "bt-dht": 51413}


def built(cookie, *ports):
    """The payloads of ports as the program builds them: {(port, with amplifiers): [bytes]}."""
    lines = netlab.run(netlab.helper(PROGRAM), cookie, *ports).stdout.splitlines()
    out = {}
    for record in map(json.loads, lines):
        there = out.setdefault((record["port"], record["amplifiers"]), [])
        assert record["nth"] == len(there)
        there.append(bytes.fromhex(record["hex"]))
    return out


def payload(block, port, cookie):
    return built(cookie, port)[port, True][BY_PORT[port].index(block)]


def same_but_for_fields(template, got):
    got = bytearray(got)
    for at, length, _ in template.fields:
        got[at:at + length] = bytes(length)
    return got == template.bytes


def test_program_builds_what_the_file_says():
    payloads = built(7, *BY_PORT)
    for port, blocks in BY_PORT.items():
        plain = [block for block in blocks if "amplifier" not in block["flags"]]
        assert len(payloads[port, True]) == len(blocks)
        assert all(same_but_for_fields(b["template"], p) for b, p in zip(blocks, payloads[port, True]))
        assert payloads[port, False] == (payloads[port, True][:len(plain)] if plain else [b""])


def test_enough_services():
    plain = [block for block in BLOCKS if "amplifier" not in block["flags"] and block["template"].bytes]
    assert len({port for block in plain for port in block["ports"]}) >= 40
    assert len({block["service"] for block in plain}) >= 40
    assert len({block["answered"] for block in BLOCKS if "answered" in block}) >= 15
    names = [block["service"] for block in BLOCKS]
    assert len(names) == len(set(names))


@pytest.fixture(name="wireshark", scope="module")
def _wireshark(tmp_path_factory):
    """The environment of a tshark without settings of this machine's user."""
    return {**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path_factory.mktemp("wireshark"))}


def dissect(wireshark, path, packets, read_as=()):
    """What tshark sees in packets of (port, bytes): (protocols, [(severity, message)]) of each."""
    # Each from a port of its own, for conversations move dissectors from packet to packet.
    wrpcap(str(path), [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="198.18.1.1", dst="198.18.1.2")
                       / UDP(sport=40000 + at, dport=port) / Raw(data) for at, (port, data) in enumerate(packets)])
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=\x01"]
    command += [word for rule in read_as for word in ("-d", rule)]
    for field in ("frame.protocols", "_ws.expert.severity", "_ws.expert.message", "_ws.malformed"):
        command += ["-e", field]
    lines = netlab.run(*command, env=wireshark).stdout.splitlines()
    assert len(lines) == len(packets)
    for line in lines:
        protocols, severities, messages, malformed = line.split("\t")
        notes = list(zip(map(int, filter(None, severities.split("\x01"))), messages.split("\x01")))
        yield protocols.split(":"), notes + ([(0, malformed)] if malformed else [])


def complaints(wireshark, path, cases, read_as=()):
    """Whatever is wrong with packets of (block, port, bytes) in tshark's eyes."""
    seen = dissect(wireshark, path, [(port, data) for _, port, data in cases], read_as)
    for (block, port, _), (protocols, notes) in zip(cases, seen):
        bad = [note for note in notes if note[0] != CHAT and note[1] != UNREADABLE.get(block["service"])]
        if block["dissects"] not in protocols or bad:
            yield port, block["service"], protocols, bad


@pytest.mark.parametrize("cookie", [0, 0x0123456789abcdef, 2**64 - 1])
def test_wireshark_reads_every_payload(wireshark, tmp_path, cookie):
    payloads = built(cookie, *BY_PORT)
    cases = [(block, port, data) for port, blocks in BY_PORT.items()
             for block, data in zip(blocks, payloads[port, True])]
    usual = [case for case in cases if (case[1], case[0]["service"]) not in READ_AS]
    others = [case for case in cases if case not in usual]
    assert len(others) == len(READ_AS)
    rules = [f"udp.port=={port},{protocol}" for (port, _), protocol in READ_AS.items()]
    wrong = list(complaints(wireshark, tmp_path / "usual.pcap", usual))
    wrong += complaints(wireshark, tmp_path / "others.pcap", others, rules)
    assert not wrong, "\n".join(map(str, wrong))


def test_wireshark_would_complain(wireshark, tmp_path):
    """The test above can fail: cut short, most payloads are malformed or no longer what they were."""
    cases = [(block, block["ports"][0], bytes(block["template"].bytes[:-3])) for block in BLOCKS
             if block["dissects"] not in ("data", "udp", "echo", "daytime", "chargen")]
    assert len(list(complaints(wireshark, tmp_path / "cut.pcap", cases))) > len(cases) / 2


@pytest.fixture(name="link", scope="module")
def _link():
    """(the asker's namespace, the servers' namespace)."""
    with netlab.Lab() as lab:
        near, far = lab.namespace("near"), lab.namespace("far")
        lab.veth(near, "near0", far, servers.LINK)
        near.ip("address", "add", f"{servers.CLIENT}/24", "dev", "near0")
        far.ip("address", "add", f"{servers.HOST}/24", "dev", servers.LINK)
        far.ip("address", "add", f"{servers.SECOND}/32", "dev", "lo")  # mDNS would answer from it, were it on the link
        yield near, far


def stop(namespace, process):
    """Ends a server and the children that it leaves behind."""
    process.terminate()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()

    def gone():
        pids = netlab.ip("netns", "pids", namespace.name).split()
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids and process.poll() is not None

    netlab.wait_until(gone, 10, "no process left in the servers' namespace")


def receive(sock, seconds):
    """The answers that come until there is none for so long: [(bytes, port)]."""
    out = []
    while len(out) < 1000 and select.select([sock], [], [], seconds)[0]:
        data, (address, port) = sock.recvfrom(65535)
        assert address == servers.HOST
        out.append((data, port))
    return out


def ask(near, block, port, process):
    """Sends a payload with ever other cookies until it is answered. Returns (bytes sent, bytes received), as IP
    packets, of one more."""
    sock = near.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        answers, cookie, end = [], 0, time.monotonic() + 30
        while not answers and time.monotonic() < end and process.poll() is None:
            cookie += 1
            sock.sendto(payload(block, port, cookie), (servers.HOST, port))
            answers = receive(sock, 0.3)
        assert answers, f"{block['service']}: no answer to {cookie} payloads"
        assert all((source != port) == ("wanders" in block["flags"]) for _, source in answers)
        data = payload(block, port, cookie + 1)
        sock.sendto(data, (servers.HOST, port))
        return len(data) + IP_UDP, sum(len(answer) + IP_UDP for answer, _ in receive(sock, 0.3))


@pytest.mark.parametrize("package", servers.SERVERS)
def test_server_answers(link, tmp_path, package):
    near, far = link
    blocks = [block for block in BLOCKS if block.get("answered") == package]
    assert blocks, f"no payload is said to be answered by {package}"
    process = servers.SERVERS[package].start(far, tmp_path)
    try:
        for block in blocks:
            sent, received = ask(near, block, SERVER_PORT.get(block["service"], block["ports"][0]), process)
            if "amplifier" not in block["flags"]:
                assert received <= MUCH * sent, f"{block['service']}: {sent} bytes brought {received}"
    except AssertionError as failure:
        log = (tmp_path / "log").read_text(errors="replace")[-3000:]
        raise AssertionError(f"{failure}\n{package}, exit {process.poll()}, said:\n{log}") from failure
    finally:
        stop(far, process)


def test_every_claimed_server_is_started():
    assert {block["answered"] for block in BLOCKS if "answered" in block} == set(servers.SERVERS)


def test_page_is_true():
    """The table of docs/payloads.md is the file's. To renew it: scripts/gen-payloads.py --doc data/udp-payloads.txt"""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert rows == gen_payloads.doc(BLOCKS)


GOOD = """service a
ports 69
source b
sent c
dissects d
flags wanders
    00 len8( 01 ) {key16}
"""


@pytest.mark.parametrize("old, new, says", [
    ("ports 69", "ports 0", "a port twice"),
    ("ports 69", "ports 65536", "a port twice"),
    ("ports 69", "ports 5 5", "a port twice"),
    ("ports 69", "ports 5 6", "exactly one port wanders"),
    ("flags wanders", "flags amplifier", "exactly one port wanders"),
    ("flags wanders", "flags wonders", "the flags are"),
    ("source b\n", "", "no line 'source'"),
    ("sent c", "send c", "'send' is unknown"),
    ("sent c", "sent c\nsent d", "'sent' is unknown or stands twice"),
    ("{key16}", "{key12}", "whole bytes"),
    ("{key16}", "{kay16}", "no such field"),
    ("01 )", "01", "a ) is missing"),
    ("01 )", "01 ) )", "a ) too many"),
    ("01 )", "1 )", "cannot read"),
    ("01 )", "01*256 )", "too big"),
    ("01 )", '"\\q" )', "no such escape"),
    ("01 )", "pad(9) )", "pad()"),
    ("{key16}", "pad(1453)", "at most 1452"),
    ("{key16}", "dns(a..b)", "a label of"),
])
def test_generator_refuses(tmp_path, old, new, says):
    def generate(text):
        path = tmp_path / "payloads.txt"
        path.write_text(text, encoding="ascii")
        return netlab.run("python3", GENERATOR, path, tmp_path / "table.c", check=False)

    assert GOOD.count(old) == 1
    assert generate(GOOD).returncode == 0
    done = generate(GOOD.replace(old, new))
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
    assert pathlib.Path(tmp_path / "payloads.txt").name in done.stderr
