"""Scans as fast as this machine can: still whole, true and free of doubles, with every loss told; every frame right;
and nothing left behind by a scan that is killed in the middle."""
import json
import os
import pathlib
import re
import signal
import struct

import netlab
import pytest
from sink.far_end import Sink
from world.internet import World

FAST = ("--wire", "xdp", "--rate", "3M")
NET, PORTS, ENDPOINTS = "198.19.0.0/20", 20, 81920
SAMPLE = 96  # bytes of a sample, the frame after the first 4
MISTAKES = ("malformed", "bad_ip_sum", "bad_tcp_sum", "unplanned", "foreign", "repeated")
TCP_AT = 34  # where its header begins


@pytest.mark.parametrize("closed", [100000, 500000])
def test_a_whole_scan(lab, closed):
    world = World(lab, threaded=True, net=NET, ports=PORTS, open=10000, closed=closed, key=101)
    world.scan("-p", f"1-{PORTS}", *FAST)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict, drops = world.judge(world.findings, summary["retries"]), summary["drops"]
    print("drops:", {**world.drops(), **drops}, "verdict:", verdict)
    assert summary["wire"] == "xdp" and summary["ended"] == "complete" and verdict["endpoints"] == ENDPOINTS
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines", "unprobed"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["recall"] == 1 and verdict["open_true"] > 700
    assert stats["bad_sum"] == stats["tcp_other"] == stats["ip_other"] == 0, stats
    assert 0 <= summary["sent"] - stats["syn"] <= drops["interface_tx_dropped"]
    answers = stats["syn_ack"] + stats["rst_ack"] + stats["arp_answers"]
    assert 0 <= answers - summary["received"] <= drops["ring_dropped"] + drops["interface_dropped"]


def scanned_frames(lab, noctule, *options):
    """Every frame of a scan that nobody answers, as the far end's samples. Returns (the sink, closed; the summary)."""
    sink = Sink(lab, sample_every=1)
    sink.scanner.run(noctule, NET, "-p", f"1-{PORTS}", "--retries", 2, "--timeout", "50ms", *options, "-o",
                     sink.path("found.jsonl"))
    counts, summary = sink.close(), netlab.summary(sink.path("found.jsonl"))
    print("counts:", counts, "drops:", summary["drops"])
    assert counts["frames"] == counts["sampled"] and counts["other"] == 0
    assert 0 <= summary["sent"] - counts["frames"] <= summary["drops"]["interface_tx_dropped"]
    return sink, summary


@pytest.mark.parametrize("options", [FAST, (*FAST, "--sender-threads", 1), ("--wire", "packet", "--rate", "3M")],
                         ids=["xdp", "sender", "packet"])
def test_every_frame_is_planned_distinct_and_whole(lab, noctule, options):
    sink, summary = scanned_frames(lab, noctule, *options)
    verdict = sink.check(NET, 1, PORTS)
    print("verdict:", verdict)
    assert all(verdict[mistake] == 0 for mistake in MISTAKES), verdict
    assert verdict["frames"] + summary["drops"]["interface_tx_dropped"] >= summary["sent"] >= ENDPOINTS
    assert len(verdict["tries"]) == len([n for n in summary["sent_at_try"] if n]) == 3
    if not summary["drops"]["interface_tx_dropped"]:
        assert list(verdict["tries"].values()) == summary["sent_at_try"] == [ENDPOINTS] * 3


def spoilt(sample, at, value):
    """The sample with one byte of its frame changed."""
    frame = bytearray(sample)
    frame[4 + at] = value
    return bytes(frame)


def test_the_checker_sees_every_mistake(lab, noctule):
    """Whatever is done to one frame of many is told, and nothing but that."""
    sink, _ = scanned_frames(lab, noctule, *FAST)
    data = sink.samples.read_bytes()[:1000 * SAMPLE]
    last, rest = data[-SAMPLE:], data[:-SAMPLE]
    flags, ttl, source, mac = TCP_AT + 13, 22, 29, 11
    damage = {
        "malformed": spoilt(last, flags, 0x12),
        "repeated": rest[-SAMPLE:],
        "bad_ip_sum": spoilt(last, ttl, last[4 + ttl] ^ 1),
        "bad_tcp_sum": spoilt(last, TCP_AT + 15, last[4 + TCP_AT + 15] ^ 1),
        "foreign": spoilt(last, mac, last[4 + mac] ^ 1),
    }
    for mistake, sample in damage.items():
        sink.samples.write_bytes(rest + sample)
        verdict = sink.check(NET, 1, PORTS)
        assert {name: verdict[name] for name in MISTAKES} == {name: int(name == mistake) for name in MISTAKES}
    port = struct.unpack_from("!H", last, 4 + TCP_AT + 2)[0]
    sink.samples.write_bytes(last)
    assert sink.check(NET, port, port)["unplanned"] == 0 and sink.check(NET, port + 1, port + 1)["unplanned"] == 1
    sink.samples.write_bytes(spoilt(last, source, last[4 + source] ^ 1))
    verdict = sink.check(NET, 1, PORTS)
    assert verdict["bad_ip_sum"] == verdict["bad_tcp_sum"] == 1


def shares(namespace, interface):
    """Frames that each of two receive queues took."""
    counts = dict(re.findall(r"rx_queue_([01])_xdp_packets: (\d+)", namespace.run("ethtool", "-S", interface).stdout))
    return [int(counts["0"]), int(counts["1"])]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two senders want two processors")
def test_two_queues_share_the_work(lab):
    """A sender thread for each transmit queue, a socket for each receive queue: both carry half, and nothing is missed.
    No resets: they are sent by another processor at times, on which the far queue is then served, and answers, for as
    long as it does not run empty."""
    world = World(lab, queues=2, net=NET, ports=PORTS, open=10000, closed=980000, key=102)
    world.scan("-p", f"1-{PORTS}", "--wire", "xdp", "--rate", "400k", "--sender-threads", 2, "--no-reset")
    world.settled()
    summary = netlab.summary(world.findings)
    verdict = world.judge(world.findings, summary["retries"])
    there, back = shares(world.far, "world0"), shares(world.scanner, "scan0")
    print("there:", there, "back:", back, "drops:", summary["drops"])
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines", "unprobed"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["recall"] == 1 and sum(there) >= summary["sent"] and sum(back) >= summary["received"]
    for one, other in (there, back):
        assert abs(one - other) <= (one + other) / 20, (there, back)


def belongings(namespace):
    """What a process could leave in a network namespace, and the namespaces of this run."""
    link = json.loads(namespace.ip("-d", "-j", "link", "show", "scan0"))[0]
    sockets = {name: len(namespace.run("cat", f"/proc/net/{name}").stdout.splitlines())
               for name in ("packet", "raw", "raw6", "tcp", "tcp6", "udp", "udp6")}
    return {"link": link, "sockets": sockets, "routes": namespace.ip("route", "show", "table", "all"),
            "rules": namespace.ip("rule"), "addresses": namespace.ip("-o", "addr"),
            "spaces": sorted(pathlib.Path("/run/netns").glob(f"{netlab.Lab.prefix}-{os.getpid()}-*"))}


@pytest.mark.parametrize("options", [(), ("--sender-threads", 1)], ids=["alone", "sender"])
def test_a_killed_scan_leaves_nothing(lab, noctule, options):
    sink = Sink(lab)
    before = belongings(sink.scanner)
    process = sink.scanner.start(noctule, NET, "-p", "1-60000", *FAST, *options, "-o", sink.path("found.jsonl"))
    netlab.wait_until(lambda: sink.counts()["frames"] > 100000, 30, "the scan is under way")
    during = belongings(sink.scanner)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert "xdp" in during["link"] and sum(during["sockets"].values()) > sum(before["sockets"].values())
    assert "xdp" not in belongings(sink.scanner)["link"]
    netlab.wait_until(lambda: belongings(sink.scanner) == before, 20, "everything is as it was")
