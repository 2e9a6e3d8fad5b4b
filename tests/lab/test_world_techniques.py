"""Every technique against the synthetic internet: what is said of each endpoint equals the truth, in both families."""
import netlab
import pytest
from world.internet import GATEWAY, GATEWAY6, World

STATES = {"open": 250000, "closed": 350000, "unreachable": 150000}
UNIVERSE = {"net": "198.19.0.0/24", "net6": "2001:2::40:0/120", "ports": 20, "first_port": 40001}  # 10,240 endpoints
LOSS = {"loss_out": 30000, "loss_in": 30000}
RETRIES = 3

OPTION = {"syn": "-sS", "fin": "-sF", "null": "-sN", "xmas": "-sX", "maimon": "-sM", "ack": "-sA", "window": "-sW",
          "udp": "-sU", "sctp-init": "-sY", "sctp-cookie": "-sZ", "protocol": "-sO"}
LETTER = {"udp": "U:", "sctp-init": "S:", "sctp-cookie": "S:"}
WORLDS_OWN = {"window": "ack"}  # the world's name for a technique where it is another


def ports_of(world, technique):
    last = world.first_port + world.ports - 1
    return LETTER.get(technique, "") + f"{world.first_port}-{last}"


def scan(world, *arguments, techniques, retries=RETRIES):
    """Runs noctule with all these techniques. Returns ({technique: verdict}, the world's counters, the summary)."""
    ports = ",".join(dict.fromkeys(ports_of(world, technique) for technique in techniques))
    world.scan(*(OPTION[technique] for technique in techniques), "-p", ports, "--retries", retries, "--show", "all",
               *arguments)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdicts = {technique: world.judge(world.findings, retries, technique) for technique in techniques}
    print("drops:", {**world.drops(), **summary["drops"]}, "seconds:", summary["duration_ns"] / 1e9)
    print("verdicts:", verdicts)
    return verdicts, stats, summary


def assert_true(verdict):
    """Every endpoint is called what a scanner can know of it, once."""
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines", "undecided"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["right"] == verdict["endpoints"]


def assert_frugal(verdict):
    """One frame a try, and none to those who answered, but for answers that this machine was late to see."""
    assert verdict["unprobed"] == verdict["underprobed"] == 0
    assert verdict["overprobed"] == verdict["probed_after_answer"] <= verdict["answered"] / 1000


def assert_frames(technique, verdict):
    """A technique that is told closed by an ICMP error asks silence again, with canaries beside it, because hosts limit
    those errors (docs/design.md); all the others are frugal."""
    if technique not in ("udp", "protocol"):
        assert_frugal(verdict)
        return
    assert verdict["unprobed"] == verdict["underprobed"] == 0
    assert verdict["frames"] <= 2 * verdict["expected_frames"]


def assert_accounted(verdicts, stats, summary):
    """Every frame that left arrived, and was a true one."""
    assert stats["probes"] == sum(verdict["frames"] for verdict in verdicts.values()) == summary["sent"]
    assert stats["bad_sum"] == stats["failed"] == stats["outside"] == 0
    assert sum(stats[f"{kind}_other"] for kind in ("tcp", "udp", "sctp", "ip")) == 0
    assert sum(verdict["endpoints"] for verdict in verdicts.values()) == summary["planned"] == summary["finals"]
    assert summary["ended"] == "complete" and not any(summary["ignored"].values())


@pytest.mark.parametrize("technique", [name for name in OPTION if name != "protocol"])
def test_states_are_true(lab, technique):
    """All states of a technique, over both families, with loss in both directions."""
    world = World(lab, **UNIVERSE, **STATES, **LOSS, answers=WORLDS_OWN.get(technique, technique), key=71)
    verdicts, stats, summary = scan(world, "--rate", 20000, techniques=[technique])
    verdict = verdicts[technique]
    assert verdict["endpoints"] == 10240
    assert_true(verdict)
    assert_frames(technique, verdict)
    assert_accounted(verdicts, stats, summary)
    findings = netlab.records(world.findings)[0]
    told = {(finding.get("reporter"), finding["state"]) for finding in findings if finding.get("reporter")}
    assert told == {(GATEWAY, "filtered"), (GATEWAY6, "filtered")}


def test_protocols_are_told_apart(lab):
    """IP protocols that have no header of their own here: 110 of each host."""
    world = World(lab, net="198.19.0.0/26", net6="2001:2::40:0/122", ports=110, first_port=143, **STATES,
                  answers="protocol", key=72)
    verdicts, stats, summary = scan(world, "--rate", 20000, techniques=["protocol"])
    verdict = verdicts["protocol"]
    assert verdict["endpoints"] == 2 * 64 * 110
    assert_true(verdict)
    assert_frames("protocol", verdict)
    assert_accounted(verdicts, stats, summary)


def test_several_techniques_in_one_scan(lab):
    """Three ways to ask TCP, and UDP and SCTP beside them, with one port number; each keeps its own books."""
    techniques = ["syn", "fin", "ack", "udp", "sctp-init"]
    world = World(lab, net="198.19.0.0/26", net6="2001:2::40:0/122", ports=20, first_port=40001, **STATES, **LOSS,
                  answers=",".join(techniques), key=73)
    verdicts, stats, summary = scan(world, "--rate", 20000, techniques=techniques)
    for technique, verdict in verdicts.items():
        assert verdict["endpoints"] == 2 * 64 * 20 and verdict["findings"] - verdict["revised"] == 2560, technique
        assert_true(verdict)
        assert_frames(technique, verdict)
    assert_accounted(verdicts, stats, summary)


def test_ports_of_each_protocol(lab):
    """-p T:...,U:...: each technique has the ports of its own protocol, and no other."""
    world = World(lab, net="198.19.0.0/28", net6="2001:2::40:0/124", ports=40, first_port=40001, **STATES,
                  answers="syn,udp", key=74)
    world.scan("-sS", "-sU", "-p", "T:40001-40010,U:40031-40040", "--rate", 5000, "--show", "all")
    findings = netlab.records(world.findings)[0]
    ports = {proto: {finding["port"] for finding in findings if finding["proto"] == proto} for proto in ("tcp", "udp")}
    assert ports == {"tcp": set(range(40001, 40011)), "udp": set(range(40031, 40041))}
    assert len({(finding["ip"], finding["port"]) for finding in findings}) == 2 * 16 * 20
    assert netlab.summary(world.findings)["planned"] == 2 * 16 * 20


def test_udp_payloads_of_well_known_ports(lab):
    """Every payload of a port is sent at each try, and any answer settles it."""
    world = World(lab, net="198.19.0.0/29", net6="2001:2::40:0/125", ports=700, first_port=1, **STATES, **LOSS,
                  answers="udp", key=75)
    world.scan("-sU", "-p", "1-700", "--rate", 10000, "--show", "all", "--retries", RETRIES)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, RETRIES, "udp")
    print(verdict, summary["ignored"])
    for mistake in ("false", "duplicate", "outside", "bad_lines", "undecided", "unprobed"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    # A probe of several packets sees other losses than the judge foretells, who thinks of one: with 6 % of loss, and
    # four tries, hardly any endpoint differs.
    assert verdict["right"] >= verdict["endpoints"] - 3
    assert stats["probes"] == verdict["frames"] >= verdict["expected_frames"]
    assert stats["bad_sum"] == stats["udp_other"] == 0


def test_udp_under_an_answer_limit(lab):
    """Hosts that send one ICMP error a second, as Linux does: a closed port is called closed, or nothing at all."""
    world = World(lab, net="198.19.0.0/30", net6="2001:2::40:0/126", ports=200, first_port=40001, open=50000,
                  closed=950000, answers="udp", error_limit=1, error_burst=6, key=76)
    verdict, stats, summary = udp_limited(world, "--rate", 2000, "--host-timeout", "10s")
    assert summary["hosts_limited"] == 8
    assert verdict["undecided"] > 0 and stats["error_limited"] > 0
    assert verdict["closed_found"] >= 8 * 9  # of the 16 or so that such a host says in that time


def test_udp_limits_of_some_do_not_hold_up_others(lab):
    """Where few ports are asked the limit is paced down to, and everything is decided."""
    world = World(lab, net="198.19.0.0/29", net6="2001:2::40:0/125", ports=12, first_port=40001, open=50000,
                  closed=950000, answers="udp", error_limit=1, error_burst=6, key=77)
    verdict, _, summary = udp_limited(world, "--rate", 2000, "--host-timeout", "60s")
    assert verdict["right"] == verdict["endpoints"] and summary["undecided"] == 0


def udp_limited(world, *arguments):
    verdicts, stats, summary = scan(world, *arguments, techniques=["udp"])
    verdict = verdicts["udp"]
    for mistake in ("false", "wrong_state", "duplicate", "outside", "bad_lines", "unprobed"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    assert verdict["right"] + verdict["undecided"] == verdict["endpoints"]
    assert verdict["undecided"] == summary["undecided"] == summary["states"]["unknown"]
    return verdict, stats, summary


def test_pings_tell_who_is_up(lab):
    """-sn in both families: some hosts answer echo, some only a timestamp or a port, some nothing."""
    world = World(lab, net="198.19.0.0/24", net6="2001:2::40:0/120", ports=1000, first_port=1, absent=200000,
                  echo=400000, stamp=300000, open=10000, closed=200000, answers="ping,syn,ack", key=78)
    world.scan("-sn", "--rate", 5000, "--show", "all", "--retries", 1)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, 1, "ping")
    print(verdict, stats)
    assert_true(verdict)
    assert verdict["endpoints"] == summary["planned"] == 512 and 200 < verdict["open_true"] < 450
    assert stats["echo"] > 100 and stats["stamp"] > 40 and stats["rst_ack"] > 20
    assert stats["bad_sum"] == stats["icmp_other"] == stats["tcp_other"] == 0
    reasons = {finding["reason"] for finding in netlab.records(world.findings)[0]}
    assert {"echo-reply", "timestamp-reply", "reset", "no-response"} <= reasons


def test_only_the_living_are_scanned(lab):
    """--alive: hosts that answer no ping are down, and none of their ports is probed."""
    world = World(lab, net="198.19.0.0/24", net6="2001:2::40:0/120", ports=10, first_port=40001, absent=700000,
                  open=200000, closed=500000, answers="ping,syn", key=79)
    world.scan("-sS", "--alive", "-p", "40001-40010", "--rate", 5000, "--retries", 1)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, 1)
    print(verdict)
    assert verdict["false"] == verdict["wrong_state"] == verdict["duplicate"] == 0
    assert verdict["found"] == verdict["open_true"] > 200
    assert summary["hosts_up"] + summary["hosts_down"] == 512 and 100 < summary["hosts_up"] < 210
    assert verdict["unprobed"] == summary["hosts_down"] * 10
    assert stats["bad_sum"] == 0
