"""Scans by --wire xdp: as true as by packet sockets and faster, beside the machine's own traffic, and without a trace
afterwards; and the one line in which it refuses."""
import hashlib
import json
import random
import signal
import socket
import threading

import netlab
import pytest
from real.host import HOSTS, NEAR, pair
from world.internet import World

XDP = ("--wire", "xdp")
RETRIES = 3
STATES = {"open": 200000, "closed": 400000, "unreachable": 100000}
OPTION = {"syn": "-sS", "ack": "-sA", "udp": "-sU", "sctp-init": "-sY", "protocol": "-sO", "ping": "-sn"}


def xdp_program(namespace, interface):
    """What ip(8) says of the XDP program on an interface, or None."""
    return json.loads(namespace.ip("-d", "-j", "link", "show", interface))[0].get("xdp")


def scan(world, technique, *arguments):
    """Returns (the judge's verdict, the world's counters, the summary)."""
    world.scan(OPTION[technique], *XDP, "--retries", RETRIES, "--show", "all", *arguments)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, RETRIES, technique)
    print("drops:", {**world.drops(), **summary["drops"]}, "seconds:", summary["duration_ns"] / 1e9)
    print("verdict:", verdict)
    assert summary["wire"] == "xdp"
    return verdict, stats, summary


@pytest.mark.plainonly
def test_a_fast_scan(lab):
    """Each of a million frames is whole, and is at the other end or counted as lost."""
    world = World(lab, threaded=True, net="198.19.0.0/17", open=20000, closed=480000, key=91)
    verdict, stats, summary = scan(world, "syn", "-p", f"1-{world.ports}", "--rate", "400k")
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines", "unprobed"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert stats["bad_sum"] == stats["tcp_other"] == stats["ip_other"] == 0, stats
    assert summary["sent"] > 1000000
    assert 0 <= summary["sent"] - stats["syn"] <= summary["drops"]["interface_tx_dropped"]
    assert verdict["found"] == verdict["open_reachable"]


@pytest.mark.parametrize("technique", ["syn", "ack", "udp", "sctp-init"])
def test_states_are_true(lab, technique):
    """Both families. Answers from ports come by AF_XDP, ICMP errors through the kernel."""
    world = World(lab, net="198.19.0.0/25", net6="2001:2::40:0/121", ports=20, first_port=40001, answers=technique,
                  key=92, **STATES)
    ports = {"udp": "U:", "sctp-init": "S:"}.get(technique, "") + "40001-40020"
    verdict, stats, summary = scan(world, technique, "-p", ports, "--rate", "5000")
    assert verdict["right"] == verdict["endpoints"] == 2 * 128 * 20
    assert verdict["duplicate"] == verdict["outside"] == verdict["unprobed"] == 0
    assert stats["probes"] == summary["sent"] and stats["bad_sum"] == stats["failed"] == 0


def test_other_protocols_and_pings(lab):
    """What has no port comes through the kernel, whole, as it does without XDP."""
    world = World(lab, net="198.19.0.0/27", net6="2001:2::40:0/123", ports=50, first_port=143, answers="protocol",
                  key=93, **STATES)
    verdict, _, _ = scan(world, "protocol", "-p", "143-192", "--rate", "5000")
    assert verdict["right"] == verdict["endpoints"] == 2 * 32 * 50
    with netlab.Lab() as other:
        world = World(other, net="198.19.0.0/25", ports=1000, absent=200000, echo=400000, stamp=300000, open=10000,
                      closed=200000, answers="ping,syn,ack", key=94)
        verdict, _, _ = scan(world, "ping", "--rate", "5000")
        assert verdict["right"] == verdict["endpoints"] == 128


def test_neighbours_are_asked_as_ever(lab):
    """On the link: ARP and its answers belong to the kernel as much as to the scan."""
    world = World(lab, on_link=True, net="198.19.0.0/24", ports=5, absent=300000, open=200000, closed=400000, key=95)
    verdict, _, summary = scan(world, "syn", "-p", "1-5", "--rate", "5000")
    assert verdict["false"] == verdict["wrong_state"] == verdict["duplicate"] == 0
    assert verdict["found"] == verdict["open_reachable"] and summary["hosts_down"] > 50


@pytest.mark.plainonly
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_fast_scan(lab, noctule, end):
    world = World(lab, threaded=True, open=20000, closed=480000, key=96)
    process = world.scanner.start(noctule, world.universe, "-p", "1-20", *XDP, "--rate", "3M", "--retries", "9",
                                  "-o", world.findings)
    netlab.wait_until(lambda: world.stats()["syn"] > 20000, 20, "the scan is under way")
    assert xdp_program(world.scanner, "scan0")
    process.send_signal(end)
    process.communicate(timeout=20)
    assert xdp_program(world.scanner, "scan0") is None


def served_once(server, data):
    """Serves data to one client and then reads as much from it; returns the digest of what it read, when joined."""
    result = {}

    def serve():
        client, _ = server.accept()
        with client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            result["digest"] = digest_of(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread, result


def digest_of(connection):
    digest = hashlib.sha256()
    while chunk := connection.recv(1 << 16):
        digest.update(chunk)
    return digest.hexdigest()


def checksum_errors(namespace):
    """Segments that the kernel dropped for their checksum."""
    lines = [line.split() for line in namespace.run("cat", "/proc/net/snmp").stdout.splitlines() if "Tcp:" in line]
    return int(dict(zip(*lines))["InCsumErrors"])


def test_connections_of_others_live_on(lab, noctule, tmp_path):
    """Files are moved both ways through the interface, from beginning to end of a scan of the same host."""
    near, far = pair(lab)
    netlab.napi_on(far, "host0")
    data = random.Random(97).randbytes(8 << 20)
    with far.socket() as server, near.socket() as client:
        server.bind((HOSTS[0], 7777))
        server.listen()
        thread, result = served_once(server, data)
        process = near.start(noctule, *HOSTS[1:], "-p", "1-20000", *XDP, "--rate", "50k", "--retries", "1", "-o",
                             tmp_path / "found.jsonl")
        netlab.wait_until(lambda: xdp_program(near, "lan0"), 20, "the program is attached")
        client.bind((NEAR, 0))
        client.connect((HOSTS[0], 7777))
        assert digest_of(client) == hashlib.sha256(data).hexdigest()
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        thread.join(60)
        assert result["digest"] == hashlib.sha256(data).hexdigest()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert checksum_errors(near) == checksum_errors(far) == 0
    summary = netlab.summary(tmp_path / "found.jsonl")
    assert summary["ended"] == "complete" and summary["planned"] == 60000


def refusal(namespace, noctule, *targets):
    done = namespace.run(noctule, *targets, "-p", "80", *XDP, check=False)
    assert done.returncode != 0 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    return done.stderr


def test_it_refuses_in_one_line(lab, noctule):
    near, far = pair(lab)
    assert "ethtool -K" in refusal(near, noctule, HOSTS[0])  # frames would vanish at the other end
    netlab.napi_on(far, "host0")
    other = near.start(netlab.helper("tests/lab/world/world"), "--interface", "lan0")
    netlab.wait_until(lambda: xdp_program(near, "lan0"), 20, "another program is there")
    assert "another XDP program" in refusal(near, noctule, HOSTS[0])
    other.send_signal(signal.SIGTERM)
    other.communicate(timeout=20)
    near.run(noctule, HOSTS[0], "-p", "80", *XDP)
