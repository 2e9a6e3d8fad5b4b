"""Three hundred hosts on a link of 65,536 addresses: a dead one costs an unanswered question, no port, and nothing for
a host on the link ever goes to the router."""

import ipaddress
import json
import random
import signal
import sys
from pathlib import Path

import netlab
import pytest

LAB = Path(__file__).resolve().parent
HOSTS, PORTS, OPEN = 300, "1-20", [3, 17]
LINKS = {4: ("198.18.0.0/16", "198.18.0.1", "198.18.255.254", "198.19.7.7"),
         6: ("2001:2::/112", "2001:2::1", "2001:2::fffe", "2001:2:0:9::7")}


class Link:
    """The scanner's namespace, and the LAN of that family at the other end of lan0."""

    def __init__(self, lab, family, folder, seed):
        self.net, self.near_address, self.router, self.off_link = LINKS[family]
        self.hosts = self.choose(seed)
        self.log_path = folder / "lan.json"
        self.near, far = lab.namespace("near"), lab.namespace("lan")
        lab.veth(self.near, "lan0", far, "lan1")
        length = self.net.split("/")[1]
        nodad = ["nodad"] if family == 6 else []
        self.near.ip("address", "add", f"{self.near_address}/{length}", "dev", "lan0", *nodad)
        self.near.ip("route", "add", "default", "via", self.router)
        settings = {"hosts": self.hosts, "router": [self.router], "on_link": [self.net], "open": OPEN}
        self.process = far.start(sys.executable, "-m", "real.lan", "lan1", json.dumps(settings), self.log_path, cwd=LAB)
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def choose(self, seed):
        first = int(ipaddress.ip_network(self.net)[0])
        kind = type(ipaddress.ip_address(self.near_address))
        chosen = random.Random(seed).sample(range(2, 0xfff0), HOSTS)
        return [str(kind(first + n)) for n in chosen]

    def log(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.process.stderr.read()
        return json.loads(self.log_path.read_text(encoding="ascii"))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.plainonly
def test_three_hundred_hosts(lab, tmp_path, family):
    """At default settings, in under 20 s."""
    link = Link(lab, family, tmp_path, seed=family)
    results = tmp_path / "found.jsonl"
    link.near.run(netlab.NOCTULE, link.net, link.off_link, "-p", PORTS, "-o", results, timeout=100)
    findings, summary, log = netlab.records(results)[0], netlab.summary(results), link.log()
    print(json.dumps({**log, "seconds": summary["duration_ns"] / 1e9}))
    assert log["dropped"] == 0, "the LAN itself lost frames"
    assert {f["state"] for f in findings} == {"open"}
    assert sorted((f["ip"], f["port"]) for f in findings) == sorted(
        (host, port) for host in (*link.hosts, link.router, link.off_link) for port in OPEN)
    assert log["misdirected"] == [] and log["dead"] == 0
    assert log["to_router"] >= 20, "what is not on the link goes by the router"
    dead = 65536 - HOSTS - 2 - (2 if family == 4 else 0) # the router, ourselves; the first and last address of IPv4
    assert abs(summary["hosts_down"] - dead) <= 1, "of IPv6 the first address is the routers' own anycast address"
    assert log["asked_for"] >= 65536 - 4
    assert log["asked_most"] <= 1 + summary["retries"]
    assert log["probes"] <= (HOSTS + 1) * (20 + len(OPEN)), "each port of a living host once, and the resets"
    assert summary["duration_ns"] < 20e9


@pytest.mark.parametrize("family", [4, 6])
def test_a_list_of_hosts(lab, tmp_path, family):
    """The same hosts one by one instead of a prefix: the same answers, and nobody else is asked for."""
    link = Link(lab, family, tmp_path, seed=10 + family)
    results, listed = tmp_path / "found.jsonl", tmp_path / "targets"
    listed.write_text("\n".join(link.hosts[:50]) + "\n", encoding="ascii")
    link.near.run(netlab.NOCTULE, "-iL", listed, "-p", "3", "-o", results, timeout=100)
    log = link.log()
    assert sorted(f["ip"] for f in netlab.records(results)[0]) == sorted(link.hosts[:50])
    assert log["asked_for"] == 50 and log["misdirected"] == []
