"""Real hosts: this kernel's own stack, its packet filter, and servers of everyday use."""

import random
import time

import netlab
import pytest
from real.host import (DISTANT, HOST_DOWN, HOSTS, LIMITED, NEAR, ROUTER, RULES, SILENT, Network, counted, listen,
                       pair, serve)

ALL_PORTS = 65535


@pytest.fixture(scope="module")
def network():
    with netlab.Lab() as lab:
        yield Network(lab)


@pytest.fixture(scope="module")
def servers(network, tmp_path_factory):
    return serve(network.far, tmp_path_factory.mktemp("servers"))


@pytest.fixture
def scan(tmp_path):
    """Runs the scanner in a namespace; returns (findings, summary, seconds)."""
    def run(namespace, *arguments):
        results = tmp_path / "results.jsonl"
        start = time.monotonic()
        namespace.run(netlab.NOCTULE, *arguments, "-o", results, timeout=100)
        seconds = time.monotonic() - start
        print(f"{' '.join(map(str, arguments))}: {seconds:.2f} s")
        return netlab.records(results)[0], netlab.summary(results), seconds
    return run


def verdicts(findings):
    """(address, port) -> (state, reason), each endpoint named once."""
    named = {(f["ip"], f["port"]): (f["state"], f["reason"]) for f in findings}
    assert len(named) == len(findings)
    return named


def open_ports(findings):
    assert {f["state"] for f in findings} <= {"open"}
    return sorted(f["port"] for f in findings)


def random_ports(n, seed):
    return sorted(random.Random(seed).sample(range(1, ALL_PORTS + 1), n))


def test_servers(network, servers, scan):
    """Open where a server listens, closed on the host's other addresses."""
    findings, summary, _ = scan(network.near, f"{HOSTS[0]}-{HOSTS[-1].rsplit('.')[-1]}", "-p", "22,80,443,6379,8080",
                                "--show", "all")
    everything = {(host, port) for host in HOSTS for port in (22, 80, 443, 6379, 8080)}
    assert verdicts(findings) == {end: ("open", "syn-ack") if end in servers else ("closed", "reset")
                                  for end in everything}
    assert summary["hosts_down"] == 0


def test_every_rule_of_the_packet_filter(network, scan):
    findings = scan(network.near, HOSTS[0], "-p", "1001-1010", "--show", "all")[0]
    assert verdicts(findings) == {(HOSTS[0], port): verdict for port, (_, verdict) in RULES.items()}


def test_limited_answers_are_never_wrong(network, scan):
    findings = scan(network.near, HOSTS[0], "-p", f"{LIMITED[0]}-{LIMITED[-1]}", "--show", "all")[0]
    said = verdicts(findings)
    assert set(said) == {(HOSTS[0], port) for port in LIMITED}
    assert set(said.values()) <= {("closed", "reset"), ("filtered", "no-response")}
    assert list(said.values()).count(("closed", "reset")) >= 5


def test_through_a_gateway(network, scan):
    listener = listen(network.distant, DISTANT, [80])
    findings = scan(network.near, DISTANT, "-p", "80,81", "--show", "all")[0]
    assert verdicts(findings) == {(DISTANT, 80): ("open", "syn-ack"), (DISTANT, 81): ("closed", "reset")}
    assert not [f for f in findings if "mac" in f]  # the router's would be a lie
    listener.kill()


@pytest.mark.parametrize("target, reason", [("198.18.3.65", "host-unreach"), ("198.18.3.129", "admin-prohibited")])
def test_a_router_says_no(network, scan, target, reason):
    findings = scan(network.near, target, "-p", "80", "--show", "all")[0]
    assert verdicts(findings) == {(target, 80): ("filtered", reason)}
    assert findings[0]["reporter"] == ROUTER


def test_two_interfaces_at_once(network, servers, scan):
    """Each target finds its own way out, and nothing is asked of the user."""
    findings = scan(network.near, HOSTS[1], DISTANT, "-p", "22", "--show", "all")[0]
    assert verdicts(findings) == {(HOSTS[1], 22): ("open", "syn-ack"), (DISTANT, 22): ("closed", "reset")}


def half_open(namespace):
    return namespace.run("ss", "-Htn", "state", "syn-recv").stdout


def test_whole_host_through_a_veth(network, scan):
    """All 65,535 ports at 100,000 a second. No kernel resets what is ours, and nobody is left half-open."""
    ports = [port for port in random_ports(60, 1) if port not in (*RULES, *LIMITED, *SILENT)]
    listener = listen(network.far, HOSTS[3], ports)
    network.far.run("nft", "reset", "counters")
    findings, summary, _ = scan(network.near, HOSTS[3], "-p-", "--rate", "100000")
    netlab.wait_until(lambda: not half_open(network.far), seconds=1, what="no half-open connection")
    assert open_ports(findings) == ports
    assert summary["states"]["open"] == len(ports)
    assert summary["states"]["closed"] >= ALL_PORTS - len(ports) - len(RULES) - len(LIMITED) - len(SILENT)
    assert summary["resets_sent"] == len(ports)
    assert counted(network.far, "inet", "resets") == len(ports)
    assert counted(network.near, "inet", "resets") == 0
    listener.kill()


@pytest.mark.parametrize("target", ["127.0.0.1", NEAR])
def test_own_host(scan, target):
    """This machine itself, over loopback and by the address of an interface; what we claimed counts as closed."""
    ports = random_ports(50, 2)
    with netlab.Lab() as lab:
        near = pair(lab)[0]
        listen(near, "0.0.0.0", ports)
        findings, summary, _ = scan(near, target, "-p-")
    assert open_ports(findings) == ports
    assert summary["states"]["closed"] == ALL_PORTS - len(ports)


def test_host_down_costs_only_arp(network, servers, scan):
    network.far.run("nft", "reset", "counters")
    findings, summary, _ = scan(network.near, HOST_DOWN, HOSTS[0], "-p", "80-179", "--show", "all")
    assert {f["ip"] for f in findings} == {HOSTS[0]}
    assert summary["hosts_down"] == 1
    assert counted(network.far, "netdev", "probed") == 0
    assert 2 <= counted(network.far, "netdev", "asked") <= 4


def test_one_answered_port_is_quick(network, servers, scan):
    findings, summary, seconds = scan(network.near, HOSTS[0], "-p", "80")
    assert open_ports(findings) == [80]
    assert seconds < 5  # on a busy machine; the figure itself is the benchmarks' affair


def test_silent_host_beside_an_answering_one(network, servers, scan):
    """A thousand silent ports end by what is known of the round trip, not after a fixed wait."""
    findings, summary, seconds = scan(network.near, HOSTS[0], "-p", f"80,{SILENT[0]}-{SILENT[-1]}", "--seed", "1")
    assert open_ports(findings) == [80]
    assert summary["states"]["filtered"] == len(SILENT)
    assert seconds < 10


def state_of(namespace):
    """Everything a scanner could leave behind in a namespace."""
    commands = (["ss", "-Hantu"], ["nft", "list", "tables"], ["ip", "-j", "-d", "link"], ["ip", "-j", "address"],
                ["ip", "-j", "route"], ["ip", "-j", "rule"], ["sysctl", "net.ipv4.ip_local_port_range",
                                                              "net.ipv4.ip_local_reserved_ports"])
    return [namespace.run(*command).stdout for command in commands]


def test_sigkill_leaves_nothing_behind(network, tmp_path):
    before = state_of(network.near)
    results = tmp_path / "results.jsonl"
    process = network.near.start(netlab.NOCTULE, HOSTS[0], "-p-", "--rate", "2000", "--show", "all", "-o", results)
    netlab.wait_until(lambda: results.exists() and results.stat().st_size, what="a first finding")
    assert state_of(network.near) != before  # its source ports are claimed
    process.kill()
    process.wait(10)
    assert state_of(network.near) == before
