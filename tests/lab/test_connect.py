"""The connect scan (-sT): true verdicts, few descriptors, no privilege, and connections that meet themselves."""

import json
import os
import shutil
import signal
import tempfile
import threading

import netlab
import pytest
from real.host import HOSTS, RULES, SILENT, Network, listen, nft

OPEN = [21, 22, 80, 443, 600, 999]
RETRIES = 3
UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]


@pytest.fixture(scope="module")
def network():
    with netlab.Lab() as lab:
        network = Network(lab)
        listen(network.far, HOSTS[0], OPEN)
        yield network


@pytest.fixture
def own(lab):
    """A namespace with nothing but its loopback."""
    return lab.namespace("own")


@pytest.fixture
def program():
    """The scanner where any user may run it."""
    folder = tempfile.mkdtemp(prefix="noctule-connect-", dir="/tmp")
    os.chmod(folder, 0o755)
    yield shutil.copy(netlab.NOCTULE, folder)
    shutil.rmtree(folder)


def read(output):
    """The findings and the summary of JSON lines."""
    records = [json.loads(line) for line in output.splitlines()]
    assert records[-1]["type"] == "summary" and all("type" not in record for record in records[:-1])
    return records[:-1], records[-1]


def scan(namespace, *arguments, before=(), program=netlab.NOCTULE, technique="-sT", timeout=100):
    """Runs a scan; returns its findings, its summary and what it said."""
    done = namespace.run(*before, program, *([technique] if technique else []), *arguments, "-o", "jsonl:-",
                         timeout=timeout)
    return (*read(done.stdout), done.stderr)


def verdicts(findings):
    """(address, port) -> (state, reason), each endpoint named once."""
    named = {(f["ip"], f["port"]): (f["state"], f["reason"]) for f in findings}
    assert len(named) == len(findings)
    return named


def states(findings):
    return {end: state for end, (state, _) in verdicts(findings).items()}


def local_ports(namespace, first, last):
    namespace.run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={first} {last}")


# True verdicts.

def test_open_and_closed(network):
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", "1-1000", "--show", "all", "--rate", "5000")
    assert verdicts(findings) == {(HOSTS[0], port): ("open", "conn-accept") if port in OPEN else
                                  ("closed", "conn-refused") for port in range(1, 1001)}
    assert all(f["try"] == 0 and f["rtt_us"] < 1_000_000 for f in findings)
    assert summary["states"]["open"] == len(OPEN) and summary["planned"] == summary["finals"] == 1000
    assert summary["sent_at_try"] == [1000] + [0] * RETRIES


def test_every_rule_of_the_packet_filter(network):
    """A firewall's "port unreachable" is not taken for a closed port, and every ICMP error is told by its own name."""
    findings = scan(network.near, HOSTS[0], "-p", "1001-1010", "--show", "all")[0]
    wanted = {port: (state, "conn-refused" if reason == "reset" else reason)
              for port, (_, (state, reason)) in RULES.items()}
    assert verdicts(findings) == {(HOSTS[0], port): verdict for port, verdict in wanted.items()}


@pytest.mark.parametrize("target, reason", [("198.18.3.70", "host-unreach"), ("198.18.3.130", "admin-prohibited")])
def test_who_said_no(network, target, reason):
    findings = scan(network.near, target, "-p", "80", "--show", "all")[0]
    assert verdicts(findings) == {(target, 80): ("filtered", reason)}
    assert findings[0]["reporter"] == "198.18.2.254"


def test_silence_is_tried_again(network):
    ports = f"22,{SILENT[0]}-{SILENT[199]}"
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", ports, "--show", "all", "--retries", RETRIES)
    silent = {(HOSTS[0], port): ("filtered", "no-response") for port in SILENT[:200]}
    assert verdicts(findings) == {**silent, (HOSTS[0], 22): ("open", "conn-accept")}
    assert summary["sent_at_try"] == [201, 200, 200, 200]
    assert not any("try" in f or "rtt_us" in f for f in findings if f["state"] == "filtered")


def test_silence_is_listed_only_where_asked(network):
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", f"22,{SILENT[0]}-{SILENT[9]}", "--retries", "0")
    assert states(findings) == {(HOSTS[0], 22): "open"}
    assert summary["states"]["filtered"] == 10


def test_exactly_so_many_results(network):
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", "1-1000", "--max-results", "2", "--rate", "1000")
    assert len(findings) == 2 and set(states(findings).values()) == {"open"}
    assert summary["ended"] == "max-results"


# Little room.

@pytest.mark.parametrize("descriptors", [14, 20, 64])
def test_few_descriptors(network, descriptors):
    """RLIMIT_NOFILE bounds the connections; scarcity only costs time."""
    limit = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", "1-1000,1009-1010", "--show", "all", "--rate", "20000",
                                before=limit)
    assert states(findings) == {(HOSTS[0], port): "open" if port in OPEN else "closed"
                                for port in [*range(1, 1001), 1009, 1010]}
    assert summary["ended"] == "complete"


def test_no_source_port_for_a_while(own):
    """The only source port is taken: the scan waits for it, and then misses nothing."""
    local_ports(own, 40000, 40000)
    taken = listen(own, "127.0.0.1", [40000])
    timer = threading.Timer(1.5, taken.kill)
    timer.start()
    findings, summary, _ = scan(own, "127.0.0.1", "-p", "1-5", "--show", "all")
    timer.join()
    assert states(findings) == {("127.0.0.1", port): "closed" for port in range(1, 6)}
    assert summary["drops"]["send_refused"] > 0 and summary["last_send_error"] == "EADDRNOTAVAIL"


def test_no_source_port_ever(own):
    """Nor does it wait for ever; what could not be asked is not called closed or filtered."""
    local_ports(own, 40000, 40000)
    listen(own, "127.0.0.1", [40000])
    findings, summary, _ = scan(own, "127.0.0.1", "-p", "1-5", "--show", "all")
    assert findings == []
    assert summary["unreachable"] == summary["states"]["unknown"] == 5 and summary["sent"] == 0


# No privilege.

def test_no_privilege(network, program):
    findings, summary, _ = scan(network.near, HOSTS[0], "-p", "1-1000", before=UNPRIVILEGED, program=program)
    assert states(findings) == {(HOSTS[0], port): "open" for port in OPEN}
    assert summary["wire"] == "connect"


def test_falls_back_with_a_note(network, program):
    findings, summary, said = scan(network.near, HOSTS[0], "-p", "1-1000", before=UNPRIVILEGED, program=program,
                                   technique=None)
    assert states(findings) == {(HOSTS[0], port): "open" for port in OPEN}
    assert summary["wire"] == "connect" and "-sT" in said


# Connections that meet themselves.

def test_a_connection_to_itself_is_not_open(own):
    """With one source port, the connect to that port is answered by the very socket that asked."""
    local_ports(own, 40000, 40000)
    findings, summary, _ = scan(own, "127.0.0.1", "-p", "39990-40010", "--show", "all")
    said = verdicts(findings)
    assert said.pop(("127.0.0.1", 40000)) == ("closed", "own-port")
    assert set(said.values()) == {("closed", "conn-refused")} and len(said) == 20
    assert summary["own_ports"] == 1 and summary["states"]["open"] == 0


def test_two_connections_that_meet_are_not_open(own):
    """SYNs that are held back cross each other: simultaneous open between two sockets of the scan."""
    addresses = [f"198.18.7.{i}" for i in range(1, 17)]
    for address in addresses:
        own.ip("address", "add", f"{address}/32", "dev", "lo")
    local_ports(own, 40000, 40015)
    nft(own, "table inet hold { chain in { type filter hook input priority 0; tcp flags & syn == syn drop; }; }")
    timer = threading.Timer(0.5, lambda: own.run("nft", "delete", "table", "inet", "hold"))
    timer.start()
    # One long try: the kernel repeats each SYN after a second.
    findings, summary, _ = scan(own, "198.18.7.1-16", "-p", "40000-40015", "--show", "all", "--timeout", "4s",
                                "--retries", "0", "--rate", "10000")
    timer.join()
    assert states(findings) == {(address, port): "closed" for address in addresses for port in range(40000, 40016)}
    assert summary["own_ports"] > 0


# The end.

def test_interrupted(network, tmp_path):
    results = tmp_path / "results.jsonl"
    process = network.near.start(netlab.NOCTULE, "-sT", HOSTS[0], "-p-", "--show", "all", "--rate", "2000",
                                 "-o", results)
    netlab.wait_until(lambda: results.exists() and results.stat().st_size > 20_000, seconds=60, what="findings")
    process.send_signal(signal.SIGINT)
    process.wait(30)
    findings, _ = netlab.records(results)
    summary = netlab.summary(results)
    assert summary["ended"] == "interrupted" and 0 < summary["finals"] < summary["planned"]
    assert len(verdicts(findings)) == summary["finals"] == sum(summary["states"].values())


@pytest.mark.parametrize("wish, says", [(["-S", "203.0.113.7"], "203.0.113.7"), (["-e", "nothere0"], "nothere0")])
def test_wishes_that_cannot_be_had(own, wish, says):
    done = own.run(netlab.NOCTULE, "-sT", "127.0.0.1", "-p", "1-5", *wish, check=False)
    assert done.returncode != 0 and says in done.stderr and done.stdout == ""
