"""Host discovery: -sn, `noctule ping` and --alive, on the link and behind a router, with privilege and without."""

import netlab
import pytest
from real import discovery, matrix
from real.discovery import BEHIND, LISTENING, NEIGHBOURS, NO_NEIGHBOUR, NOBODY, PORT, REFUSED, REFUSING, RESETS, address
from real.host import counted

BOTH = pytest.mark.parametrize("family", [4, 6])
ANY = {"echo-reply", "reset", "timestamp-reply"}


@pytest.fixture(scope="module")
def network():
    with netlab.Lab() as lab:
        yield discovery.Network(lab)


@pytest.fixture
def scan(network, tmp_path):
    """Runs the scanner with these words; the findings, and the summary."""
    def run(*words, before=()):
        results = tmp_path / "found.jsonl"
        done = network.near.run(*before, netlab.NOCTULE, *words, "--show", "all", "-o", "jsonl:-", timeout=100)
        results.write_text(done.stdout, encoding="utf-8") # by us: the scanner may be nobody
        return netlab.records(results)[0], netlab.summary(results)
    return run


def behind(family):
    return [last for last, (families, *_) in BEHIND.items() if family in families]


@BOTH
@pytest.mark.parametrize("words", [["-sn"], ["ping"]])
def test_one_answer_of_four_will_do(scan, family, words):
    findings, summary = scan(*words, *(address(family, n) for n in (*behind(family), LISTENING, NOBODY)))
    said = {f["ip"]: (f["state"], f["reason"]) for f in findings}
    for last in behind(family):
        reason = BEHIND[last][3]
        state, why = said.pop(address(family, last))
        if reason is None:
            assert (state, why) == ("down", "no-response"), last
        else:
            assert state == "up" and why in (ANY if reason == "any" else {reason}), (last, state, why)
    listening = said.pop(address(family, LISTENING))
    assert listening[0] == "up" and listening[1] in ANY | {"syn-ack"}
    assert said.pop(address(family, NOBODY))[0] == "down", "a router's word about a host is not the host's"
    assert not said
    assert summary["hosts_up"] + summary["hosts_down"] == len(behind(family)) + 2


def refusals(family):
    """{address: (state, reason)}: who refuses in person is up; of whom only a router speaks, nobody knows."""
    why = {name: matrix.WHY[family][error] for name, error in matrix.ERRORS[family].items()
           if error in matrix.WHY[family]}
    return {**{address(family, last): ("up", why[name]) for name, last in REFUSING[family].items()},
            **{address(family, last): ("down", "no-response") for last in REFUSED[family].values()},
            address(family, RESETS): ("up", "reset")}


@BOTH
def test_each_way_to_refuse(scan, family):
    """The matrix of -sn: every ICMP error, from the host itself and from a router on the way, and resets."""
    want = refusals(family)
    findings, _ = scan("-sn", *want)
    for finding in findings:
        print(f"IPv{family} {finding['ip']:18} {finding['state']:5} {finding['reason']}")
    assert {f["ip"]: (f["state"], f["reason"]) for f in findings} == want


@BOTH
def test_on_link(scan, network, family):
    """Neighbours answer ARP or ND, which is enough."""
    word = "arp-response" if family == 4 else "nd-response"
    findings, summary = scan("-sn", *NEIGHBOURS[family], NO_NEIGHBOUR[family])
    assert {f["ip"]: (f["state"], f["reason"]) for f in findings if f["state"] == "up"} == {
        neighbour: ("up", word) for neighbour in NEIGHBOURS[family]}
    assert {f["mac"] for f in findings if f["state"] == "up"} == {network.neighbour.address("host0")}
    assert (summary["hosts_up"], summary["hosts_down"]) == (2, 1)


@BOTH
def test_alive_scans_only_who_answers(scan, network, family):
    network.far.run("nft", "reset", "counters")
    targets = [address(family, n) for n in (*behind(family), LISTENING, NOBODY)]
    findings, summary = scan("--alive", *targets, NEIGHBOURS[family][0], NO_NEIGHBOUR[family], "-p", PORT)
    ports = {f["ip"]: f["state"] for f in findings if f.get("port")}
    up = {address(family, n) for n in behind(family) if BEHIND[n][3]} | {address(family, LISTENING)}
    assert set(ports) == up | {NEIGHBOURS[family][0]}
    assert ports[address(family, 25)] == ports[address(family, LISTENING)] == ports[NEIGHBOURS[family][0]] == "open"
    assert ports[address(family, 20)] == "filtered"
    assert address(family, 24) not in ports, "its port is open, but it answers no ping: that is what --alive means"
    assert summary["hosts_up"] == len(up) + 1


@BOTH
def test_without_privilege(scan, family):
    """connect(2) to 80 and 443: an accepted or a refused connection says up."""
    findings, _ = scan("-sn", address(family, LISTENING), address(family, 25), address(family, 20), address(family, 21),
                       before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    assert {f["ip"]: f["state"] for f in findings} == {
        address(family, LISTENING): "up", address(family, 25): "up", address(family, 20): "down",
        address(family, 21): "up"}


@pytest.mark.plainonly
@BOTH
def test_nmap_agrees(network, scan, family):
    """Who is up and who is down; but for hosts that refuse in person, of which docs/nmap.md speaks."""
    refused = [address(family, n) for n in (*REFUSED[family].values(), RESETS)]
    targets = [*(address(family, n) for n in (*behind(family), LISTENING, NOBODY)), *refused]
    six = ["-6"] if family == 6 else []
    listing = network.near.run("nmap", *six, "-sn", "-n", "-v", "--max-retries", "2", "-oG", "-", *targets).stdout
    theirs = {line.split()[1]: line.split()[-1].lower() for line in listing.splitlines() if "Status:" in line}
    ours = {f["ip"]: f["state"] for f in scan("-sn", *targets)[0]}
    assert ours == theirs
