"""UDP against one real Linux host: five services, and a kernel that answers for closed ports once a second. What is
closed is never called open|filtered for that; what the time did not suffice for is counted, with the cause.

The whole of it (1,000 ports beside nmap, 65,535 ports) takes twenty minutes: bench/run udp."""

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
    """Sixty ports in five seconds, which do not suffice: nothing is wrong, and the rest is counted with its cause."""
    ports = sorted({*range(2000, 2055), *udp.SPEAKING, udp.SILENT})
    found, summary, said = scan(host, tmp_path, "-p", ",".join(map(str, ports)), udp.HOST[family],
                                "--host-timeout", "5s")
    right = udp.truth(ports)
    decided = {port: state for port, (state, reason) in found.items() if reason != "rate-limited"}
    assert decided == {port: right[port] for port in decided}
    assert set(udp.SPEAKING) <= set(decided)
    assert summary["undecided"] == len(ports) - len(decided) > 0
    assert summary["hosts_limited"] == 1
    assert "undecided" in said and "limit" in said and str(summary["undecided"]) in said


def test_a_limited_host_does_not_hold_up_others(host, tmp_path):
    """Beside the limited host all is found on this machine itself, whose answers nobody limits so hard."""
    near = host.near.socket(2, 2)
    near.bind(("127.0.0.1", 2001))
    found = {}
    results = tmp_path / "found.jsonl"
    host.near.run(netlab.NOCTULE, "-sU", "-p", "2000-2040", udp.HOST[4], "127.0.0.1", "--host-timeout", "5s", "--show",
                  "all", "-o", results, timeout=110)
    for finding in netlab.records(results)[0]:
        found[finding["ip"], finding["port"]] = finding["state"]
    near.close()
    assert {state for (ip, _), state in found.items() if ip == udp.HOST[4]} <= {"closed"}
    assert found["127.0.0.1", 2001] == "open|filtered"
