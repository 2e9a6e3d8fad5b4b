"""Every technique against every condition, over both families, on the link and behind a router: state, reason and
reporter are what real/matrix.py says, and nmap, asked the same, agrees port by port. Prints the matrix (pytest -s)."""

from concurrent.futures import ThreadPoolExecutor

import netlab
import pytest
from real import matrix, peer
from real.matrix_net import DISTANT, ROUTER, TARGET, Network

CASES = [(technique, family) for technique in matrix.TECHNIQUES for family in (4, 6)]
SHORT = {"open": "O", "closed": "C", "filtered": "F", "unfiltered": "U", "open|filtered": "OF", None: ""}

# nmap's other words for a reason of ours
SAME_REASON = {
    "split-handshake-syn": {"syn"}, "no-route": {"net-unreach"}, "beyond-scope": {"net-unreach"},
    "reject-route": {"admin-prohibited"}, "param-problem": {"proto-unreach", "header-field"},
}
# (technique, condition): nmap names another packet than the one in question, or what connect(2) did by what must have
# been on the wire.
OTHER_REASON = {("connect", "open"): {"syn-ack"}}
NO_REASON = {("protocol", "echo")} # nmap names whatever ICMP packet it saw first
# title in docs/nmap.md, where the frames are and the RFC that speaks against nmap -> which cases that is
EXCEPTIONS = {
    "IPv6, time-exceeded": lambda technique, family, condition: family == 6 and condition == "time-exceeded",
    "-sT, port-unreach": lambda technique, _, condition: technique == "connect" and condition == "port-unreach",
    "-sn, an error from the host itself": lambda *_: False, # test_ping.py compares hosts
}


def excepted(*case):
    return any(matches(*case) for matches in EXCEPTIONS.values())


@pytest.fixture(scope="module")
def network():
    with netlab.Lab() as lab:
        yield Network(lab)


@pytest.fixture(scope="module")
def table(request):
    """What the tests found, printed when they are over: {(family, own, condition, technique): state}."""
    found = {}
    yield found
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for line in lines_of(found):
            print(line)


def label(technique):
    """-sS; with --scanflags -sS+"""
    option, *flags = matrix.TECHNIQUES[technique][0]
    return option + "+" * bool(flags)


def lines_of(found):
    for family in (4, 6):
        for own, where in ((True, "by the target itself"), (False, "on the way, by a router")):
            yield f"\nIPv{family}, {where} (O open, C closed, F filtered, U unfiltered, OF open|filtered; + scanflags)"
            yield f"{'':17}" + "".join(f"{label(technique):>6}" for technique in matrix.TECHNIQUES)
            for condition in dict.fromkeys((*matrix.CONDITIONS[family], *matrix.PROTOCOLS[family])):
                states = [found.get((family, own, condition, technique)) for technique in matrix.TECHNIQUES]
                if any(states):
                    yield f"{condition:17}" + "".join(f"{SHORT[state]:>6}" for state in states)


def scanned(network, technique, family, path):
    """{(own, port): (state, reason, reporter)} of one scan of both hosts."""
    cells = {**matrix.cells(technique, family, True), **matrix.cells(technique, family, False)}
    network.near.run(netlab.NOCTULE, *matrix.TECHNIQUES[technique][0], "-p", ",".join(map(str, cells)), TARGET[family],
                     DISTANT[family], "--show", "all", "-o", path, timeout=100)
    hosts, last = {TARGET[family]: True, DISTANT[family]: False}, {}
    for finding in netlab.records(path)[0]: # a later record of an endpoint revises an earlier one
        assert finding["proto"] == matrix.TECHNIQUES[technique][3]
        last[hosts[finding["ip"]], finding["port"]] = finding["state"], finding["reason"], finding.get("reporter")
    return last


def wanted(technique, family, own):
    """{port: (state, reason, reporter)}"""
    return {port: (*verdict[:2], ROUTER[family] if verdict[2] else None)
            for port, (_, verdict) in matrix.cells(technique, family, own).items()}


@pytest.mark.parametrize("technique, family", CASES)
def test_means(network, table, tmp_path, technique, family):
    found = scanned(network, technique, family, tmp_path / "found.jsonl")
    wrong = []
    for own in (True, False):
        want, cells = wanted(technique, family, own), matrix.cells(technique, family, own)
        for port, verdict in want.items():
            condition, got = cells[port][0], found.get((own, port))
            table[family, own, condition, technique] = got and got[0]
            print(f"{technique:12} IPv{family} {'target' if own else 'router'} {condition:17} {port:5} {got}")
            if got != verdict:
                wrong.append(f"{'target' if own else 'router'} {condition} (port {port}): {got}, not {verdict}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.plainonly
@pytest.mark.parametrize("technique, family", CASES)
def test_nmap_agrees(network, tmp_path, technique, family):
    """Port by port: the state always; the reason and the reporter where nmap has a word for them."""
    asked = {own: matrix.cells(technique, family, own) for own in (True, False)}
    with ThreadPoolExecutor(2) as pool:
        runs = {own: pool.submit(peer.nmap, network.near, matrix.TECHNIQUES[technique][1],
                                 (TARGET if own else DISTANT)[family], cells) for own, cells in asked.items()}
        ours = scanned(network, technique, family, tmp_path / "found.jsonl")
        theirs = {own: run.result() for own, run in runs.items()}
    wrong = [f"{'target' if own else 'router'} {condition} (port {port}): noctule {ours.get((own, port))}, "
             f"nmap {theirs[own].get(port)}"
             for own, cells in asked.items() for port, (condition, _) in cells.items()
             if not excepted(technique, family, condition)
             and not agree(technique, condition, ours.get((own, port)), theirs[own].get(port))]
    assert not wrong, "\n".join(wrong)


def agree(technique, condition, ours, theirs):
    if ours is None or theirs is None or ours[0] != theirs.state:
        return False
    if (technique, condition) in NO_REASON: # nor who gave it
        return True
    if theirs.reporter and theirs.reporter != ours[2]:
        return False
    if technique == "connect" and ours[0] == "filtered" and theirs.reason in ("host-unreach", "net-unreach"):
        return True # one errno for several errors
    return (ours[1] == theirs.reason or ours[1] in SAME_REASON.get(theirs.reason, ())
            or theirs.reason in OTHER_REASON.get((technique, condition), ()))


def test_few_exceptions():
    """Each stands in docs/nmap.md under its title, with its frames and an RFC."""
    assert len(EXCEPTIONS) <= 5
    for title in EXCEPTIONS:
        text = (netlab.ROOT / "docs" / "nmap.md").read_text(encoding="utf-8")
        section = text.split(f"## {title}\n")[1].split("##")[0]
        assert "RFC" in section and " -> " in section
