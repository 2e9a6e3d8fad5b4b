"""UDP against one real Linux host: five services, and a kernel that answers for closed ports once a second. What is
closed is never called open|filtered for that; what the time did not suffice for is counted, with the cause.

The whole of it (1,000 ports beside nmap, 65,535 ports) takes twenty minutes: bench/run udp."""

import socket

import netlab
import pytest
from real import udp

BOTH = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with netlab.Lab() as lab:
        yield udp.UdpHost(lab, tmp_path_factory.mktemp("udp"))


def scan(host, tmp_path, *arguments):
    """({port: (state, reason)}, summary, stderr)"""
    results = tmp_path / "found.jsonl"
    done = host.near.run(netlab.NOCTULE, "-sU", *arguments, "--show", "all", "-o", results, timeout=110)
    last = {f["port"]: (f["state"], f["reason"]) for f in netlab.records(results)[0]}
    return last, netlab.summary(results), done.stderr


@BOTH
def test_services_answer_at_once(host, tmp_path, family):
    """Each is asked in its own words; TFTP answers from another port (RFC 1350 4)."""
    found, _, _ = scan(host, tmp_path, "-p", ",".join(map(str, (*udp.SPEAKING, udp.SILENT))), udp.HOST[family])
    assert found == {**{port: ("open", "udp-response") for port in udp.SPEAKING},
                     udp.SILENT: ("open|filtered", "no-response")}


def test_few_closed_ports_are_all_told(host, tmp_path):
    """Twelve closed ports, twice what Linux answers at once: with time enough all are told."""
    ports = range(1000, 1012)
    found, summary, _ = scan(host, tmp_path, "-p", f"{ports[0]}-{ports[-1]},{udp.SILENT},{udp.DNS}", udp.HOST[4],
                             "--host-timeout", "0")
    assert found == {**{port: ("closed", "port-unreach") for port in ports},
                     udp.SILENT: ("open|filtered", "no-response"), udp.DNS: ("open", "udp-response")}
    assert summary["undecided"] == 0


@BOTH
def test_no_closed_port_is_called_open_filtered(host, tmp_path, family):
    """More ports than five seconds suffice for (Linux sends one error a second over IPv4, some ten over IPv6): nothing
    is wrong, and the rest is counted with its cause."""
    ports = sorted({*range(2000, 2055 if family == 4 else 2300), *udp.SPEAKING, udp.SILENT})
    found, summary, said = scan(host, tmp_path, "-p", ",".join(map(str, ports)), udp.HOST[family],
                                "--host-timeout", "5s")
    right = udp.truth(ports)
    decided = {port: state for port, (state, reason) in found.items() if reason != "rate-limited"}
    assert decided == {port: right[port] for port in decided}
    assert set(udp.SPEAKING) <= set(decided)
    assert summary["undecided"] == len(ports) - len(decided) > 0
    assert summary["hosts_limited"] == 1
    assert f"{summary['undecided']} undecided" in said and "limits" in said


def test_limited_from_the_first_probe_on(host, tmp_path):
    """A host that has just spent its errors on somebody else says nothing for a second: that is no open|filtered."""
    for _ in range(2):
        with host.near.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for port in range(3000, 3020):
                s.sendto(b"", (udp.HOST[4], port))
        found, summary, _ = scan(host, tmp_path, "-p", f"2000-2054,{udp.DNS}", udp.HOST[4], "--host-timeout", "4s")
        assert {state for state, reason in found.values() if reason != "rate-limited"} <= {"closed", "open"}
        assert summary["undecided"] > 0


def test_a_limited_host_holds_nobody_up(host, tmp_path):
    """Beside it everything about this machine itself is found, whose kernel limits nothing over loopback."""
    results = tmp_path / "found.jsonl"
    with host.near.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 2001))
        host.near.run(netlab.NOCTULE, "-sU", "-p", "2000-2040", udp.HOST[4], "127.0.0.1", "--host-timeout", "5s",
                      "--show", "all", "-o", results, timeout=110)
    found = {(f["ip"], f["port"]): f["state"] for f in netlab.records(results)[0]}
    assert {state for (ip, _), state in found.items() if ip == udp.HOST[4]} <= {"closed", "unknown"}
    assert {port: state for (ip, port), state in found.items() if ip == "127.0.0.1"} == {
        port: "open|filtered" if port == 2001 else "closed" for port in range(2000, 2041)}
