"""Scans of the synthetic internet: everything that answers is found, nothing else is, and no probe is wasted."""
import json
import signal

import netlab
import pytest
from world.internet import GATEWAY, World

RETRIES = 3
SMALL = {"net": "198.19.0.0/22", "ports": 20}  # 20,480 endpoints


def scan(world, *arguments, retries=RETRIES, **options):
    """Runs noctule; returns (the judge's verdict, the world's counters, the summary) and prints what got lost where."""
    world.scan("-p", f"1-{world.ports}", "--retries", retries, *arguments, **options)
    stats = world.settled()
    summary = netlab.summary(world.findings)
    verdict = world.judge(world.findings, retries)
    print("drops:", {**world.drops(), **summary["drops"]}, "seconds:", summary["duration_ns"] / 1e9)
    print("verdict:", verdict)
    return verdict, stats, summary


def assert_flawless(verdict, stats, summary):
    """What holds in every world: nothing false, nothing twice, all that can answer found, every frame accounted for."""
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["summaries"] == 1 and summary["ended"] == "complete"
    assert verdict["found"] == verdict["open_reachable"]
    assert stats["bad_sum"] == stats["tcp_other"] == stats["ip_other"] == 0, stats
    assert stats["syn"] == verdict["frames"] == summary["sent"]


def assert_frugal(verdict):
    """Exactly one frame a try, and none to those who answered, but for answers that this machine was late to see."""
    assert verdict["unprobed"] == verdict["underprobed"] == 0, verdict
    assert verdict["probed_after_answer"] <= verdict["answered"] / 1000, verdict
    assert verdict["overprobed"] == verdict["probed_after_answer"], verdict
    assert abs(verdict["frames"] - verdict["expected_frames"]) <= verdict["expected_frames"] / 100


@pytest.mark.plainonly
def test_clean_world_at_100000(lab):
    world = World(lab, open=10000, closed=500000, key=11)
    verdict, stats, summary = scan(world, "--rate", 100000)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["endpoints"] == 327680 and verdict["open_true"] > 3000
    assert verdict["recall"] == 1 and verdict["found"] == verdict["open_true"]


@pytest.mark.plainonly
def test_loss_both_ways(lab):
    """5 % each way on more than 50,000 open endpoints: what four tries can reach is found, with the frames due."""
    world = World(lab, open=160000, closed=300000, loss_out=50000, loss_in=50000, key=12)
    verdict, stats, summary = scan(world, "--rate", 100000)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["open_true"] >= 50000
    assert verdict["recall"] >= 0.9998


@pytest.mark.plainonly
@pytest.mark.parametrize("loss", [0, 50000])
def test_the_xdp_wire_finds_and_sends_the_same(lab, loss):
    """Received by AF_XDP, sent by injection: every frame is one that the ledger means to send, and nothing stays attached."""
    world = World(lab, open=10000, closed=300000, loss_out=loss, loss_in=loss, key=16)
    verdict, stats, summary = scan(world, "--wire", "xdp", "--rate", 100000)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert summary["wire"] == "xdp" and stats["rst_kernel"] == 0
    assert "xdp" not in json.loads(world.scanner.ip("-d", "-j", "link", "show", "scan0"))[0]


def test_where_xdp_cannot_be_had_it_is_refused_or_passed_over(lab, noctule):
    """A peer that would drop every injected frame in silence is recognised beforehand."""
    near, far = lab.namespace("near"), lab.namespace("far")
    lab.veth(near, "near0", far, "far0")
    for namespace, interface, address in (near, "near0", "198.18.7.1/24"), (far, "far0", "198.18.7.2/24"):
        namespace.ip("address", "add", address, "dev", interface)
        namespace.ip("link", "set", interface, "up")
    target = ["198.18.7.2", "-p1-20", "-v", "--rate", 400000]
    done = near.run(noctule, *target, "--wire", "xdp", check=False)
    assert done.returncode == 2 and "near0" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    done = near.run(noctule, *target, "--wire", "auto")
    assert "noctule: --wire packet, since xdp cannot be had: " in done.stderr and "20 closed" in done.stderr, done.stderr


def test_every_state_at_20000(lab):
    """All states shown, with heavy loss: also closed, unreachable and silent ones are what a scanner can know."""
    world = World(lab, **SMALL, open=100000, closed=400000, unreachable=100000, loss_out=50000, loss_in=50000, key=13)
    verdict, stats, summary = scan(world, "--rate", 20000, "--show", "all")
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["closed_found"] == verdict["closed_reachable"] > 7000
    assert verdict["findings"] == verdict["endpoints"] + verdict["revised"]
    told = [finding for finding in netlab.records(world.findings)[0] if finding.get("reporter")]
    assert {(finding["reporter"], finding["state"]) for finding in told} == {(GATEWAY, "filtered")}
    assert len(told) == stats["unreachable"] > 1500
    assert sum(summary["states"].values()) == summary["finals"] == summary["planned"] == verdict["endpoints"]


def test_each_try_has_its_own_source_port(lab):
    world = World(lab, **SMALL, open=10000)
    verdict, stats, summary = scan(world, "--rate", 20000)
    assert_flawless(verdict, stats, summary)
    ports = sorted(map(int, stats["source_ports"]))
    assert ports == list(range(ports[0], ports[0] + RETRIES + 1))
    assert [stats["source_ports"][str(port)] for port in ports] == summary["sent_at_try"]
    low, high = map(int, world.scanner.run("cat", "/proc/sys/net/ipv4/ip_local_port_range").stdout.split())
    assert not any(low <= port <= high for port in ports)


def test_a_fixed_source_port_is_the_only_one(lab):
    world = World(lab, **SMALL, open=100000, closed=400000, loss_in=100000)
    verdict, stats, summary = scan(world, "--rate", 20000, "-g", 20053, retries=1)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert list(stats["source_ports"]) == ["20053"]


def test_on_the_link_absent_hosts_cost_no_probe(lab):
    """Each host is resolved by ARP first; the half that isn't there is down, at no further cost."""
    world = World(lab, on_link=True, net="198.19.0.0/24", ports=50, absent=500000, open=100000, closed=400000)
    verdict, stats, summary = scan(world, "--rate", 20000)
    for mistake in ("false", "wrong_state", "duplicate", "outside"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["found"] == verdict["open_true"] > 500
    absent = verdict["unprobed"] // 50
    assert 80 < absent < 176 and verdict["unprobed"] == absent * 50
    assert summary["hosts_down"] == absent
    assert 256 - absent <= stats["arp_answers"] <= stats["arp_requests"] <= 256 * (RETRIES + 1) + 1


def test_duplicated_answers_make_one_finding(lab):
    world = World(lab, net="198.19.0.0/24", ports=20, open=100000, closed=300000, duplicate=1000000, copies=8)
    verdict, stats, summary = scan(world, "--rate", 5000, "--show", "open,closed")
    assert_flawless(verdict, stats, summary)
    assert verdict["findings"] == verdict["open_true"] + verdict["closed_true"]
    assert stats["duplicated"] >= verdict["findings"]
    assert summary["duplicates"] >= 7 * stats["duplicated"] * 0.99  # the copies of a late one may come after the end


def test_nobody_there(lab):
    world = World(lab, net="198.19.0.0/26", ports=20)
    verdict, stats, summary = scan(world, "--rate", 20000, retries=1)
    assert_flawless(verdict, stats, summary)
    assert verdict["findings"] == 0 and verdict["frames"] == verdict["expected_frames"] == 64 * 20 * 2
    assert summary["states"]["filtered"] == verdict["endpoints"]


def traces(namespace):
    """Everything a scanner could leave behind in a network namespace."""
    return {
        "processes": netlab.ip("netns", "pids", namespace.name).split(),
        "sockets": namespace.run("ss", "-Hanl0tuwp").stdout,
        "links": [(link["ifname"], link["flags"], link.get("promiscuity"), link.get("xdp"), link.get("qdisc"))
                  for link in json.loads(namespace.ip("-d", "-j", "link"))],
        "addresses": namespace.ip("-o", "address"),
        "routes": namespace.ip("route", "show", "table", "all"),
        "rules": namespace.run("nft", "list", "ruleset").stdout + namespace.ip("rule"),
        "filters": namespace.run("tc", "filter", "show", "dev", "scan0").stdout,
        "settings": namespace.run("sysctl", "-a", "-r", r"^net\.ipv4\.(ip_local|conf\.scan0\.)").stdout,
    }


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(lab, noctule, end):
    world = World(lab, open=200000, closed=300000)
    before = traces(world.scanner)
    process = world.scanner.start(noctule, world.universe, "-p", "1-20", "--rate", 5000, "-o", world.findings)
    netlab.wait_until(lambda: world.stats()["syn_ack"] > 500, 20, "the scan is under way")
    assert traces(world.scanner) != before
    process.send_signal(end)
    _, errors = process.communicate(timeout=20)
    netlab.wait_until(lambda: traces(world.scanner) == before, 5, "all traces are gone")
    assert len(before["processes"]) == 0 and before["sockets"] == ""
    lines = world.findings.read_text(encoding="utf-8").splitlines()
    if end == signal.SIGKILL:
        lines = lines[:-1]  # it may be cut
    else:
        assert json.loads(lines[-1])["type"] == "summary" and json.loads(lines[-1])["ended"] == "interrupted", errors
    assert len([json.loads(line) for line in lines]) > 100


@pytest.mark.plainonly
@pytest.mark.parametrize("loss, words, tries, recall", [(0, (), (2, 2), 1), (50000, (), (3, 5), 0.999),
                                                        (50000, ("--miss", "0.01%"), (4, 6), 0.9995),
                                                        (200000, (), (6, 10), 0.998)])
def test_retries_by_loss(lab, loss, words, tries, recall):
    """Without --retries, silence is asked again as often as what this path loses makes worth while, and no oftener; what
    is still missing is estimated."""
    world = World(lab, net="198.19.0.0/20", open=160000, closed=300000, loss_out=loss, loss_in=loss, key=15)
    world.scan("-p", f"1-{world.ports}", "--rate", 50000, *words)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, tries[1] - 1)
    print(summary["missed"], summary["retries"], summary["sent_at_try"], verdict)
    assert verdict["false"] == verdict["duplicate"] == verdict["wrong_state"] == 0
    assert verdict["recall"] >= recall
    assert tries[0] <= summary["retries"] + 1 <= tries[1] and summary["retries_auto"]
    silent = verdict["endpoints"] - verdict["answered"]
    # The first chunks get another try or two, until the counts can tell.
    assert stats["syn"] <= verdict["answered"] / (1 - loss / 500000) + silent * tries[1] + 0.03 * verdict["endpoints"]
    missed = verdict["open_true"] - verdict["found"]
    estimate = summary["missed"]
    assert estimate["low"] <= estimate["estimate"] <= estimate["high"]
    assert estimate["low"] - 10 <= missed <= estimate["high"] + 10 # of 13,000; the bench holds it to its 95 %
