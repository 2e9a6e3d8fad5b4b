"""The connect scan (-sT): true verdicts, few descriptors, no privilege, and connections that meet themselves."""

import json
import os
import resource
import shutil
import signal
import socket
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


V6 = "2001:2::"  # HOSTS and near again, as 2001:2::N


@pytest.fixture(scope="module")
def six(network):
    """The same link with IPv6: the far host's addresses; and listeners on the open ports of all of them."""
    network.near.ip("address", "add", f"{V6}1/64", "dev", "lan0", "nodad")
    network.near.ip("address", "add", "fe80::1/64", "dev", "lan0", "nodad")
    network.far.ip("address", "add", "fe80::10/64", "dev", "host0", "nodad")
    for host in (10, 11):
        network.far.ip("address", "add", f"{V6}{host:x}/64", "dev", "host0", "nodad")
    network.far.run("sysctl", "-qw", "net.ipv6.icmp.ratelimit=0")
    nft(network.far, """table ip6 six {
        chain in {
            type filter hook input priority 1;
            tcp dport 1101 drop
            tcp dport 1102 reject with icmpv6 no-route
            tcp dport 1103 reject with icmpv6 admin-prohibited
            tcp dport 1104 reject with icmpv6 addr-unreachable
            tcp dport 1105 reject with icmpv6 port-unreachable
            tcp dport 1106 reject with tcp reset
        }
    }""")
    kept = [listen_v6(network.far, "::", port) for port in OPEN]
    yield [f"{V6}{host:x}" for host in (10, 11)]
    for listener in kept:
        listener.close()


def listen_v6(namespace, address, port):
    listener = namespace.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen(16)
    return listener


def most_descriptors():
    """A million, or what this machine lets root allow."""
    wanted = 1_048_576
    allowed = netlab.run("prlimit", f"--nofile={wanted}:{wanted}", "true", check=False).returncode == 0
    return wanted if allowed else resource.getrlimit(resource.RLIMIT_NOFILE)[1]


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


# IPv6.

def test_both_families(network, six):
    """Open and closed of four addresses, in one scan and one order."""
    findings, summary, _ = scan(network.near, *HOSTS[:1], *six, "-p", "1-1000", "--show", "all", "--rate", "5000")
    opened = {HOSTS[0]: OPEN, six[0]: OPEN, six[1]: OPEN}
    assert verdicts(findings) == {(host, port): ("open", "conn-accept") if port in opened[host] else
                                  ("closed", "conn-refused") for host in opened for port in range(1, 1001)}
    assert summary["states"]["open"] == 3 * len(OPEN)


def test_every_rule_of_the_packet_filter_v6(network, six):
    findings = scan(network.near, six[0], "-p", "1101-1106", "--show", "all", "--retries", "1")[0]
    assert verdicts(findings) == {
        (six[0], 1101): ("filtered", "no-response"), (six[0], 1102): ("filtered", "net-unreach"),
        (six[0], 1103): ("filtered", "admin-prohibited"), (six[0], 1104): ("filtered", "host-unreach"),
        (six[0], 1105): ("filtered", "port-unreach"), (six[0], 1106): ("closed", "conn-refused")}


def test_zones(network, six):
    """A link-local address with its zone, and with that of -e; without either it is nobody's."""
    address = "fe80::10"
    wanted = {port: "open" if port in OPEN else "closed" for port in (22, 23, 80, 443)}
    for words in ([f"{address}%lan0"], [f"[{address}%lan0]"], [address, "-e", "lan0"], [f"{address}%lan0/128"]):
        findings = scan(network.near, *words, "-p", "22,23,80,443", "--show", "all")[0]
        assert {f["port"]: f["state"] for f in findings} == wanted
        assert {f["ip"] for f in findings} == {f"{address}%lan0"}
    refused = network.near.run(netlab.NOCTULE, "-sT", address, check=False)
    assert refused.returncode == 2 and "%eth0" in refused.stderr and refused.stdout == ""


def test_a_name_of_both_families(network, six, tmp_path):
    """Every address of a name is scanned, with a note; -6 takes those of IPv6, or says that there is none."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{HOSTS[0]} both.example\n{six[0]} both.example\n{HOSTS[1]} four.example\n")
    before = ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    findings, _, said = scan(network.near, "both.example", "-p", "22", before=before)
    assert states(findings) == {(HOSTS[0], 22): "open", (six[0], 22): "open"}
    assert {f["name"] for f in findings} == {"both.example"}
    assert "both.example has 2 addresses" in said and six[0] in said and HOSTS[0] in said
    findings = scan(network.near, "both.example", "-6", "-p", "22", before=before)[0]
    assert states(findings) == {(six[0], 22): "open"}
    refused = network.near.run(*before, netlab.NOCTULE, "-sT", "-6", "four.example", check=False)
    assert refused.returncode == 2 and "IPv4 addresses only" in refused.stderr


# Hosts.

def test_ping_by_connecting(network, six, program):
    """Without privilege: who accepts or refuses is up; who is silent, or not there, is down."""
    findings, summary, _ = scan(network.near, HOSTS[0], HOSTS[1], six[0], "198.18.3.70", "-sn", "--show", "all",
                                before=UNPRIVILEGED, program=program, technique=None)
    told = {f["ip"]: (f["state"], f["reason"]) for f in findings}
    assert told == {HOSTS[0]: ("up", "conn-accept"), HOSTS[1]: ("up", "conn-refused"), six[0]: ("up", "conn-accept"),
                    "198.18.3.70": ("down", "host-unreach")}
    assert (summary["hosts_up"], summary["hosts_down"]) == (3, 1)
    findings, summary, _ = scan(network.near, HOSTS[0], "-sn", f"-PS{SILENT[0]},{SILENT[1]}", "--show", "all",
                                "--retries", "1", before=UNPRIVILEGED, program=program, technique=None)
    assert {f["ip"]: (f["state"], f["reason"]) for f in findings} == {HOSTS[0]: ("down", "no-response")}
    assert summary["sent"] == 4  # two ports, two tries
    # The second port answers where the first is silent.
    findings = scan(network.near, HOSTS[0], "-sn", f"-PS{SILENT[0]},22", before=UNPRIVILEGED, program=program,
                    technique=None)[0]
    assert {f["ip"]: (f["state"], f["reason"]) for f in findings} == {HOSTS[0]: ("up", "conn-accept")}


def test_live_hosts_only(network, six):
    """--alive: no port of a host that is down is asked for."""
    findings, summary, _ = scan(network.near, HOSTS[0], six[0], "198.18.3.64/28", "-p", "1-100", "--alive")
    assert states(findings) == {(host, port): "open" for host in (HOSTS[0], six[0]) for port in OPEN if port <= 100}
    assert (summary["hosts_up"], summary["hosts_down"]) == (2, 16)
    assert summary["planned"] == summary["finals"] == 200 and summary["states"]["down"] == 0


# Little room.

@pytest.mark.parametrize("descriptors", [256, "most"])
@pytest.mark.parametrize("address", ["127.0.0.1", "198.18.7.1", "::1", "2001:2::7"])
def test_all_ports_as_an_ordinary_user(own, program, address, descriptors):
    """Everything is found, whatever the limit on open files, by loopback and by the machine's own addresses."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if address not in ("127.0.0.1", "::1"):
        own.ip("address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    opened = {1, 22, 80, 1024, 31337, 40000, 65535}
    listeners = []
    for port in opened:
        listener = own.socket(family, socket.SOCK_STREAM)
        listener.bind((address, port))
        listener.listen(16)
        listeners.append(listener)
    most = most_descriptors() if descriptors == "most" else descriptors
    limit = ["prlimit", f"--nofile={most}:{most}", *UNPRIVILEGED]
    findings, summary, said = scan(own, address, "-p-", "--show", "open,filtered", before=limit, program=program)
    for listener in listeners:
        listener.close()
    assert verdicts(findings) == {(address, port): ("open", "conn-accept") for port in opened}
    assert summary["states"]["closed"] == 65535 - len(opened)
    assert summary["ended"] == "complete" and summary["finals"] == summary["planned"] == 65535
    assert "refused" not in said and summary["unreachable"] == 0


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
