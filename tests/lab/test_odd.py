"""The odd world: answers no honest host gives, and what a true scanner makes of them."""

import contextlib
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import netlab
import pytest
from odd.case import V4, V6
from odd.cases import CASES
from odd.late import LATE
from odd.packet import (COOKIE_ECHO, ECHO, INIT, PROTO_ICMP, PROTO_ICMP6, PROTO_SCTP, PROTO_TCP, PROTO_UDP, SYN,
                        Arp, Solicitation, checksum, chunk, crc32c, icmp, ip, mac_of, pseudo_header, read_packet, sctp,
                        tcp, text, udp)
from odd.play import Outcome, command_of, end_world, play, start_world

AT_ONCE = 16  # scans that mostly wait for silence
CHECKSUM_LIES = {"bad_ip_checksum", "bad_tcp_checksum", "bad_udp_checksum", "bad_sctp_checksum", "bad_icmp_checksum"}
LATE_CASE, HELD_CASE = "late up to 6 s", "held up"
ONE_SCAN_EACH = [name for name in CASES if name not in (LATE_CASE, HELD_CASE, "slow")]
HELD_SECONDS = 3


def hold_receiver(scan):
    hold = netlab.helper("tests/lab/odd/lab-hold")
    subprocess.run([hold, str(scan.pid), "nt-receive", str(HELD_SECONDS * 1000)], check=True, timeout=30)


def stop_whole(scan):
    os.kill(scan.pid, signal.SIGSTOP)
    time.sleep(HELD_SECONDS)
    os.kill(scan.pid, signal.SIGCONT)


def amid(hold):
    """Holds a scan up once it is well under way."""
    def meddle(scan):
        netlab.wait_until(lambda: has_thread(scan.pid, "nt-receive"), what="nt-receive")
        time.sleep(1)  # the ARP pass and the first thousand probes; any moment of the scan would do
        hold(scan)
    return meddle


def has_thread(pid, name):
    for path in Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # a thread that ends meanwhile
            if path.read_text().strip() == name:
                return True
    return False


HELD = {"receive thread held": amid(hold_receiver), "process stopped": amid(stop_whole)}


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """name -> future Outcome of every scan that this run of pytest asks for, each in namespaces of its own."""
    wanted = {item.callspec.params["name"] for item in request.session.items if "outcomes" in item.fixturenames}
    scans = {name: (CASES[HELD_CASE], meddle) for name, meddle in HELD.items()}
    scans |= {name: (CASES[name], None) for name in (LATE_CASE, *ONE_SCAN_EACH)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(play, case, tmp_path_factory.mktemp("odd"), meddle)
               for name, (case, meddle) in scans.items() if name in wanted}


# The odd world is checked first, by arithmetic of its own: a lie must be the lie it says it is.

def question(case, port):
    """What a probe of the case's technique may look like, as the odd world reads it."""
    src, dst = case.who.scanner, case.target
    proto, payload = {
        "syn": lambda: (PROTO_TCP, tcp(src, dst, 61000, port, SYN, 0xC00C1E00 + port, 0)),
        "udp": lambda: (PROTO_UDP, udp(src, dst, 61000, port, b"ping")),
        "sctp-init": lambda: (PROTO_SCTP, sctp(61000, port, 0, chunk(INIT, 0, bytes([0xC0] * 16)))),
        "sctp-cookie": lambda: (PROTO_SCTP, sctp(61000, port, 0xC00C1E00, chunk(COOKIE_ECHO, 0, bytes(4)))),
        "protocol": lambda: (port, b""),
        "ping": lambda: (PROTO_ICMP if case.who is V4 else PROTO_ICMP6,
                         icmp(src, dst, ECHO[case.who.family], 0, bytes(32), rest=7 << 16)),
    }[case.way.name]()
    return read_packet(ip(src, dst, proto, payload, ttl=64), (b"\2" * 6, b"\4" * 6))


def samples(case):
    """Everything the case answers to a first, second and third try on each of its ports."""
    for port in case.expect:
        probe = question(case, port)
        for past in range(3):
            yield from case.answers(probe, [probe] * past)
    kind = Arp if case.who is V4 else Solicitation
    for past in range(3):
        yield from case.neighbour_answers(kind(b"\2" * 6, case.who.scanner, case.target), [None] * past)


def after_extensions(proto, body):
    """What follows the extension headers of an IPv6 packet; None where that can't be told."""
    while proto in (0, 43, 44, 51, 60):
        length = 8 if proto == 44 else (body[1] + 2) * 4 if proto == 51 else (body[1] + 1) * 8
        if proto == 44 and body[2:4] != bytes(2) or length > len(body) - 8:
            return None, body
        proto, body = body[0], body[length:]
    return proto, body


def wrong_sum(src, dst, proto, body):
    """Which checksum of what an IP packet carries is wrong, if any."""
    names = {PROTO_TCP: "bad_tcp_checksum", PROTO_UDP: "bad_udp_checksum",
             PROTO_ICMP6 if ":" in src else PROTO_ICMP: "bad_icmp_checksum"}
    if proto == PROTO_SCTP:
        right = crc32c(body[:8] + bytes(4) + body[12:]).to_bytes(4, "little") == body[8:12]
        return set() if right else {"bad_sctp_checksum"}
    if proto == PROTO_UDP and (body[6:8] == bytes(2) or int.from_bytes(body[4:6], "big") < 8):
        return {"bad_udp_checksum"} if ":" in src and body[6:8] == bytes(2) else set()
    if proto not in names:
        return set()
    if proto == PROTO_UDP:
        body = body[:int.from_bytes(body[4:6], "big")]
    pseudo = b"" if proto == PROTO_ICMP else pseudo_header(src, dst, proto, len(body))
    return {names[proto]} if checksum(pseudo + body) else set()


def checksums(frame):
    """Which checksums of an IP frame are wrong; None where its lengths do not let one say."""
    at = 14 + 4 * (frame[12:14] == b"\x81\x00")
    packet, kind = frame[at:], frame[at - 2:at]
    if kind == b"\x08\x00" and packet[0] >> 4 == 4:
        header_len = (packet[0] & 15) * 4
        total = int.from_bytes(packet[2:4], "big")
        if not 20 <= header_len <= total <= len(packet):
            return None
        wrong = {"bad_ip_checksum"} if checksum(packet[:header_len]) else set()
        whole = packet[6:8] == bytes(2)
        return wrong | (wrong_sum(text(packet[12:16]), text(packet[16:20]), packet[9], packet[header_len:total])
                        if whole else set())
    if kind == b"\x86\xdd" and packet[0] >> 4 == 6:
        total = 40 + int.from_bytes(packet[4:6], "big")
        if total > len(packet):
            return None
        proto, body = after_extensions(packet[6], packet[40:total])
        return wrong_sum(text(packet[8:24]), text(packet[24:40]), proto, body)
    return None


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("random")])
def test_world_lies_only_as_it_says(name):
    answers = list(samples(CASES[name]))
    assert answers or not any(CASES[name].expect.values())
    for answer in answers:
        if answer.counter not in ("truncated", "any"):
            assert checksums(answer.frame) in (None, {answer.counter} & CHECKSUM_LIES)


# Each case, one scan.

@pytest.mark.parametrize("name", ONE_SCAN_EACH)
def test_case(name, outcomes):
    case, outcome = CASES[name], outcomes[name].result()
    check_findings(case, outcome)
    check_counters(case, outcome)
    check_frames(case, outcome)


def check_findings(case, outcome):
    """The last record of each endpoint is as expected, there are no others, and none says the same twice."""
    wanted, last = case.expected(), outcome.last()
    assert set(last) == set(wanted)
    for endpoint, fields in wanted.items():
        assert {key: last[endpoint].get(key) for key in fields} == fields, (endpoint, last[endpoint])
    said = [(f["ip"], f.get("port", 0), f["state"]) for f in outcome.findings]
    assert len(said) == len(set(said))


def check_counters(case, outcome):
    """Each counter rose by what the odd world sent of its kind, and no other rose."""
    counts = outcome.summary["ignored"] | {"duplicates": outcome.summary["duplicates"]}
    lies, anything = outcome.log["lies"], outcome.log["lies"].get("any", [0, 0])[1]
    # A busy machine may make an honest host late for its first try; then it answers the second as well. And where the
    # scanner's own kernel answers what it should not have got, it asks by ARP first, and the answer to that is heard.
    asked = [frame["target"] for frame in outcome.log["seen"] if frame["kind"] in ("arp", "nd")]
    repeated = [len(tries) - 1 for tries in outcome.probes(case.way.name).values()]
    honest = {"duplicates": sum(repeated), "out_of_plan": len(asked) - len(set(asked))}
    for counter, count in counts.items():
        least, most = lies.get(counter, (0, 0))
        assert least <= count <= most + anything + honest.get(counter, 0), (
            counter, counts, lies, outcome.summary["drops"])
    assert set(lies) <= set(counts) | {"any"}


def check_frames(case, outcome):
    """Silent endpoints got every try, and exactly the open ones got one RST, which names what their SYN-ACK named."""
    probes, resets = outcome.probes(case.way.name), outcome.resets()
    tries = int(case.options[case.options.index("--retries") + 1]) + 1
    last = outcome.last()
    for endpoint, frames in probes.items():
        assert len(frames) <= tries or case.way.again
        if last[endpoint]["reason"] == "no-response":
            assert len(frames) >= tries
    if not case.way.resets:
        return
    assert {end for end, record in last.items() if record["state"] == "open"} == set(resets)
    for endpoint, frames in resets.items():
        assert len(frames) == 1
        assert frames[0]["seq"] - 1 in [probe["seq"] for probe in probes[endpoint]]
    assert outcome.summary["resets_sent"] == len(resets)


@pytest.mark.parametrize("name", ["ARP never answered", "ARP with wrong lengths", "ARP answered for another address",
                                  "ND never answered", "ND with wrong lengths", "ND answered for another address",
                                  "ND from beyond the link", "ND with a bad checksum"])
def test_host_down_costs_only_questions(name, outcomes):
    case, outcome = CASES[name], outcomes[name].result()
    assert outcome.summary["hosts_down"] == 1
    assert not [end for end in outcome.probes() if end[0] == case.target]
    asked = [frame for frame in outcome.log["seen"] if frame.get("target") == case.target]
    assert 2 <= len(asked) <= 4
    assert {frame["kind"] for frame in asked} == {"arp" if case.who is V4 else "nd"}


# Late answers, up to long after their chunk was reused.

@pytest.mark.parametrize("name", [LATE_CASE])
def test_late_answers(name, outcomes):
    """Open counts however late; closed counts until its endpoint was given up, and is counted as late after that."""
    case, outcome = CASES[name], outcomes[name].result()
    states = {}
    for finding in outcome.findings:
        states.setdefault(finding["port"], []).append(finding["state"])
    listened_until = max(frame["t"] for tries in outcome.probes().values() for frame in tries)
    heard = {answer["port"]: answer["counter"] for answer in outcome.log["delayed"] if answer["t"] < listened_until}
    late_open = [port for port, state in heard.items() if state == "open"]
    late_closed = [port for port, state in heard.items() if state == "closed"]
    assert len(late_open) >= 20 and len(late_closed) >= 20  # or this run has shown nothing

    for port in late_open:
        assert states[port] in (["open"], ["filtered", "open"])
    for port in late_closed:
        assert states[port] in (["closed"], ["filtered"])
    revised = [f for f in outcome.findings if "revises" in f]
    assert revised and all((f["revises"], f["state"]) == ("filtered", "open") for f in revised)
    assert outcome.summary["late_open"] == len(revised)
    too_late = sum(states[port] == ["filtered"] for port in late_closed)
    assert too_late and outcome.summary["late"] >= too_late
    assert all(states[port] == ["closed"] for port in case.expect if port > 2 * len(LATE))


# The scanner itself held up, with replies waiting in its buffer.

@pytest.mark.parametrize("name", HELD)
def test_held_up(name, outcomes):
    """What was answered while the scanner stood still is neither probed again nor called silent."""
    case, outcome = CASES[HELD_CASE], outcomes[name].result()
    check_findings(case, outcome)
    assert outcome.summary["drops"]["ring_dropped"] == 0
    assert {len(tries) for tries in outcome.probes().values()} == {1}


# Links.

@pytest.mark.parametrize("name", ["honest", "honest, IPv6"])
def test_hardware_address(name, outcomes):
    case, last = CASES[name], outcomes[name].result().last()
    assert last[case.target, 80]["mac"] == mac_of(case.target).hex(":")
    assert last[case.target, 80]["ttl"] == 57 and last[case.target, 80]["flags"] == "SA"


@pytest.mark.parametrize("who", [V4, V6], ids=["IPv4", "IPv6"])
def test_tun(who, tmp_path):
    """A link without Ethernet: no ARP, no hardware address, the same findings."""
    case, log, results = CASES["honest" if who is V4 else "honest, IPv6"], tmp_path / "world.json", \
        tmp_path / "results.jsonl"
    with netlab.Lab() as lab:
        near = lab.namespace("near")
        near.ip("tuntap", "add", "tun0", "mode", "tun")
        near.ip("address", "add", f"{who.scanner}/{24 if who is V4 else 64}", "dev", "tun0",
                *(["nodad"] if who is V6 else []))
        world = start_world(near, "tun:tun0", case, log)
        near.ip("link", "set", "tun0", "addrgenmode", "none", "up")
        near.run(*command_of(case, results))
        outcome = Outcome("", netlab.records(results)[0], netlab.summary(results), end_world(world, log))
    check_findings(case, outcome)
    check_counters(case, outcome)
    check_frames(case, outcome)
    assert "mac" not in outcome.last()[who.open, 80]
