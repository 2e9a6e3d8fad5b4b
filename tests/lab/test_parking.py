"""Hosts that limit their answers, in a world that knows the truth: only they are slow, none of their endpoints is
called silent for it, and who limits nothing is asked as if there were no such hosts."""
import netlab
import numpy
import pytest
from world.internet import World

HOSTS, PORTS = 256, 400
LIMITED = "198.19.0.0"  # the first host of the universe
NOBODY = {"net": "198.19.0.0/24", "ports": PORTS, "open": 10000, "closed": 500000}


def scan(world, *arguments, retries="auto"):
    """Runs noctule; returns (findings, summary, the judge's verdict, what it said)."""
    done = world.scan("-p", f"1-{world.ports}", "--retries", retries, "--show", "all", *arguments)
    world.settled()
    findings, summary = netlab.records(world.findings)[0], netlab.summary(world.findings)
    verdict = world.judge(world.findings, 10 if retries == "auto" else retries)
    print("drops:", {**world.drops(), **summary["drops"]}, "seconds:", summary["duration_ns"] / 1e9)
    print("verdict:", verdict, "said:", done.stderr)
    return findings, summary, verdict, done.stderr


def last_said(findings):
    return {(f["ip"], f["port"]): (f["state"], f["reason"]) for f in findings}


def probes(world):
    """How often each endpoint was probed, a row a host."""
    return world.tallies()[0].reshape(-1, world.ports)


def assert_nothing_false(verdict):
    for mistake in ("false", "duplicate", "outside", "bad_lines"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"


@pytest.mark.plainonly
def test_one_of_256_hosts_limits_its_answers(lab):
    """Fifty a second, asked several times as fast. The others are told before it is done, at no packet more."""
    world = World(lab, **NOBODY, answer_limit=50, answer_burst=20, answer_limited_hosts=1, key=31)
    findings, summary, verdict, _ = scan(world, "--rate", 100000)
    assert_nothing_false(verdict)
    assert verdict["wrong_state"] == 0 and verdict["right"] == verdict["endpoints"] - verdict["undecided"]
    states = last_said(findings)
    assert {ip for (ip, _), (_, reason) in states.items() if reason == "rate-limited"} <= {LIMITED}
    assert summary["undecided"] == verdict["undecided"] == 0 and summary["hosts_limited"] == 1
    order = [f["ip"] == LIMITED for f in findings]
    others = numpy.flatnonzero(numpy.logical_not(order))
    assert order.index(True) < others[-1] < len(order) - 20  # the limited host goes on when all others are done
    assert (probes(world)[1:] > 2).sum() <= verdict["answered"] / 1000


def test_undecided_is_said_to_be_so(lab):
    """Two seconds are not enough for 200 endpoints at twenty a second; what is said is true all the same."""
    world = World(lab, **NOBODY, answer_limit=20, answer_burst=20, answer_limited_hosts=1, key=32)
    findings, summary, verdict, said = scan(world, "--rate", 100000, "--host-timeout", "2s")
    assert_nothing_false(verdict)
    undecided = {end for end, (state, reason) in last_said(findings).items() if reason == "rate-limited"}
    assert {ip for ip, _ in undecided} == {LIMITED}
    assert len(undecided) == summary["undecided"] == verdict["undecided"] > 50
    assert verdict["wrong_state"] == 0
    assert f"{len(undecided)} undecided" in said


def test_a_host_alone(lab):
    """2,000 ports of one host that answers 200 a second, and nobody to compare it with."""
    world = World(lab, net="198.19.0.0/32", ports=2000, open=10000, closed=500000, answer_limit=200, answer_burst=20,
                  key=33)
    _, summary, verdict, _ = scan(world, "--rate", 10000)
    assert_nothing_false(verdict)
    assert verdict["wrong_state"] == 0 and verdict["right"] == 2000 - verdict["undecided"]
    assert summary["undecided"] == verdict["undecided"] == 0 and summary["hosts_limited"] == 1


def test_open_canaries_are_reset_each_time(lab):
    """No closed port to ask as a canary: each SYN-ACK of an open one gets its RST."""
    world = World(lab, net="198.19.0.0/32", ports=1000, open=500000, answer_limit=100, answer_burst=10, key=34)
    _, summary, verdict, _ = scan(world, "--rate", 10000)
    assert_nothing_false(verdict)
    assert verdict["wrong_state"] == 0 and summary["undecided"] == 0 and summary["hosts_limited"] == 1
    stats = world.stats()
    assert stats["syn_ack"] > stats["syn_ack_first"]  # of canaries
    assert stats["rst_ours"] == stats["syn_ack"]


@pytest.mark.plainonly
def test_who_limits_nothing_is_asked_as_ever(lab):
    """Some ports reset and the rest is silent, the commonest firewall: two packets for silence, one for the others."""
    world = World(lab, **NOBODY, key=35)
    _, summary, verdict, _ = scan(world, "--rate", 100000, retries=1)
    assert_nothing_false(verdict)
    assert verdict["right"] == verdict["endpoints"] and summary["hosts_limited"] == summary["undecided"] == 0
    late = verdict["probed_after_answer"]  # this machine was late to see the answer
    assert verdict["overprobed"] == late <= verdict["answered"] / 1000
    assert verdict["unprobed"] == verdict["underprobed"] == 0


@pytest.mark.plainonly
def test_loss_is_no_limit(lab):
    """5 % each way for everybody: nobody is asked more often than the measured loss wants."""
    world = World(lab, **NOBODY, loss_out=50000, loss_in=50000, key=36)
    _, summary, verdict, _ = scan(world, "--rate", 100000, retries=3)
    assert_nothing_false(verdict)
    assert verdict["right"] == verdict["endpoints"] and summary["undecided"] == 0
    parked = (probes(world) > 4).any(axis=1)
    assert parked.sum() <= 3
