"""The lab itself: does the synthetic internet do what its truth says, and does the judge see every kind of mistake?"""
import ipaddress
import json
import math
import signal
import socket
import subprocess
import time

import netlab
import numpy
import pytest
from scapy.all import ARP, ICMP, IP, TCP, Ether, raw
from world.internet import ARRIVALS_PER_SECOND, World
from world.prober import ACK, RST, SYN, Prober, tcp_frames, universe

pytestmark = pytest.mark.plainonly  # no scanner is involved

SMALL = {"net": "198.19.0.0/24", "ports": 16}
PORT = 40000  # source port of the first try


@pytest.fixture
def prober_of(lab):
    """Starts a world with a prober in front of it."""
    probers = []

    def start(**settings):
        world = World(lab, **{**SMALL, **settings})
        probers.append(Prober(world))
        return world, probers[-1]

    yield start
    for prober in probers:
        prober.close()


def write_findings(path, states, name=lambda state: state):
    with open(path, "w", encoding="ascii") as out:
        for (address, port), state in states.items():
            record = {"ip": str(ipaddress.ip_address(int(address))), "port": int(port), "proto": "tcp",
                      "state": name(state)}
            print(json.dumps(record), file=out)
        print('{"type":"summary"}', file=out)
    return path


def within_five_sigma(count, n, share):
    return abs(count - n * share) <= 5 * math.sqrt(n * share * (1 - share))


def test_arp_is_answered_for_those_who_are_there(prober_of):
    world, prober = prober_of(arp="198.18.0.0/24", absent=500000)

    def ask(target, source="198.18.0.3"):
        question = Ether(src=prober.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=prober.mac, psrc=source, pdst=target)
        return [Ether(answer)[ARP] for answer in prober.exchange([raw(question)], 0.05)]

    answer, = ask("198.18.0.1")
    assert (answer.op, answer.hwsrc, answer.psrc) == (2, "02:00:00:00:00:01", "198.18.0.1")
    assert (answer.hwdst, answer.pdst) == (prober.mac.hex(":"), "198.18.0.3")
    assert ask("198.18.1.1") == []  # outside --arp
    assert ask("198.18.0.3") == []  # its own address: the test for a conflict (RFC 5227)
    stats = world.stats()
    assert (stats["arp_requests"], stats["arp_answers"]) == (3, 1)


def test_absent_hosts_are_silent_in_every_way(prober_of):
    world, prober = prober_of(absent=500000, open=1000000)
    hosts = universe(SMALL["net"], 1)
    questions = [raw(Ether(src=prober.mac, dst="ff:ff:ff:ff:ff:ff") /
                     ARP(hwsrc=prober.mac, psrc="198.18.0.3", pdst=str(ipaddress.ip_address(int(host)))))
                 for host in hosts[:, 0]]
    there = {Ether(answer)[ARP].psrc for answer in prober.exchange(questions)}
    states, _ = prober.scan(universe(SMALL["net"], SMALL["ports"]), PORT)
    assert within_five_sigma(len(there), len(hosts), 0.5)
    assert {str(ipaddress.ip_address(address)) for address, _ in states} == there
    assert len(states) == len(there) * SMALL["ports"] and set(states.values()) == {"open"}
    assert world.stats()["arp_answers"] == len(there)


def test_every_answer_is_a_true_frame(prober_of):
    world, prober = prober_of(open=300000, closed=300000, unreachable=300000, net="198.19.0.0/26")
    probes = prober.syns(universe("198.19.0.0/26", SMALL["ports"]), PORT)
    sent = {(probe[IP].dst, probe[TCP].dport): probe for probe in map(Ether, map(bytes, probes))}
    answers = prober.exchange(probes)
    assert within_five_sigma(len(answers), len(sent), 0.9)
    seen, ttls, sequences = set(), {}, {}
    for data in answers:
        answer = Ether(data)
        assert answer.dst == prober.mac.hex(":") and answer[IP].dst == "198.18.0.3"
        again = answer.copy()
        del again[IP].chksum
        if ICMP in answer:
            del again[ICMP].chksum
            quoted = IP(raw(answer[ICMP].payload))
            endpoint = quoted.dst, quoted[TCP].dport if TCP in quoted else int.from_bytes(raw(quoted)[22:24], "big")
            assert raw(answer[ICMP].payload) == raw(sent[endpoint][IP])[:28]
            assert (answer[ICMP].type, answer[ICMP].code, answer[IP].src) == (3, 1, "198.18.0.1")
        else:
            del again[TCP].chksum
            endpoint = answer[IP].src, answer[TCP].sport
            probe = sent[endpoint][TCP]
            assert (answer[TCP].ack, answer[TCP].dport) == ((probe.seq + 1) % 2**32, PORT)
            assert str(answer[TCP].flags) in ("SA", "RA")
            assert answer[TCP].options == ([("MSS", 1460)] if answer[TCP].flags == "SA" else [])
            ttls.setdefault(answer[IP].src, set()).add(answer[IP].ttl)
            if answer[TCP].flags == "SA":
                sequences[endpoint] = answer[TCP].seq
        assert raw(Ether(raw(again))) == data, "a checksum or length is wrong"
        assert endpoint not in seen
        seen.add(endpoint)
    assert all(len(values) == 1 for values in ttls.values()) and len(set.union(*ttls.values())) > 20
    assert len(set(sequences.values())) == len(sequences) > 250
    stats = world.stats()
    assert stats["syn"] == len(sent) and stats["layer1_bytes"] == 84 * len(sent)
    assert stats["syn_ack"] + stats["rst_ack"] + stats["unreachable"] == len(answers)
    assert stats["syn_ack_first"] == stats["syn_ack"] == len(sequences)
    assert world.arrivals().sum() == len(sent) and stats["source_ports"] == {str(PORT): len(sent)}


def test_shares_hold_and_the_key_decides(prober_of):
    endpoints = universe(SMALL["net"], 100)
    worlds = []
    for key in (1, 1, 2):
        _, prober = prober_of(ports=100, open=10000, closed=500000, unreachable=50000, key=key)
        states, _ = prober.scan(endpoints, PORT)
        for state, share in (("open", 0.01), ("closed", 0.5), ("filtered", 0.05)):
            assert within_five_sigma(list(states.values()).count(state), len(endpoints), share)
        worlds.append(states)
    assert worlds[0] == worlds[1]
    both = sum(state == "open" and worlds[2].get(endpoint) == "open" for endpoint, state in worlds[0].items())
    assert both <= 20, "two keys share their open endpoints"  # 2.56 are expected


def test_judge_sees_every_kind_of_mistake(prober_of):
    world, prober = prober_of(open=200000, closed=300000)
    endpoints = universe(SMALL["net"], SMALL["ports"])
    truth, _ = prober.scan(endpoints, PORT)
    world.settled()
    path = world.path("findings.jsonl")

    def judged(states, *lines):
        write_findings(path, states)
        with open(path, "a", encoding="ascii") as out:
            out.writelines(line + "\n" for line in lines)
        return world.judge(path, retries=0)

    def record(endpoint, state, **more):
        return json.dumps({"ip": str(ipaddress.ip_address(int(endpoint[0]))), "port": int(endpoint[1]),
                           "proto": "tcp", "state": state, **more})

    opened = [endpoint for endpoint, state in truth.items() if state == "open"]
    closed = [endpoint for endpoint, state in truth.items() if state == "closed"]
    silent = [tuple(map(int, row)) for row in endpoints if tuple(row) not in truth]
    faults = ("false", "wrong_state", "duplicate", "revised", "outside", "bad_lines")

    good = judged(truth)
    assert good["found"] == good["open_true"] == good["open_reachable"] == len(opened) and good["recall"] == 1
    assert good["closed_found"] == good["closed_true"] == len(closed) and good["summaries"] == 1
    assert good["frames"] == good["expected_frames"] == good["endpoints"] == len(endpoints)
    assert [good[name] for name in faults] == [0] * len(faults)

    for changes, wrong in (
            ([record(silent[0], "open"), record(silent[1], "open")], {"false": 2}),
            ([record(silent[0], "closed")], {"wrong_state": 1}),
            ([record(silent[0], "filtered")], {}),
            ([record(opened[0], "open")], {"duplicate": 1}),
            ([record(opened[0], "closed")], {"duplicate": 1, "wrong_state": 1}),
            ([record(closed[0], "open", revises="closed")], {"revised": 1, "false": 1}),
            ([record(opened[0], "open", revises="closed")], {"revised": 1, "duplicate": 1}),
            ([record((silent[0][0], 17), "open"), record((1, 1), "open")], {"outside": 2}),
            (['{"ip":"198.19.0.1","po', "[]", '{"ip":"198.19.0.1","port":"1","proto":"tcp","state":"open"}'],
             {"bad_lines": 3})):
        verdict = judged(truth, *changes)
        assert {name: verdict[name] for name in faults if verdict[name]} == wrong, changes

    del truth[opened[0]], truth[closed[0]]
    less = judged(truth)
    assert less["found"] == len(opened) - 1 and less["recall"] < 1 and less["closed_found"] == len(closed) - 1


def test_loss_has_a_known_fate_for_each_probe(prober_of):
    loss, retries = 200000, 3
    settings = {"open": 300000, "closed": 300000, "loss_out": loss, "loss_in": loss}
    endpoints = universe(SMALL["net"], SMALL["ports"])
    outcomes = []
    for _ in range(2):
        world, prober = prober_of(**settings)
        found, rest = {}, endpoints
        for attempt in range(retries + 1):
            states, _ = prober.scan(rest, PORT + attempt)
            found.update(states)
            rest = numpy.array([row for row in rest if tuple(row) not in found])
        stats = world.settled()
        verdict = world.judge(write_findings(world.path("findings.jsonl"), found), retries)
        assert verdict["frames"] == stats["syn"] == verdict["expected_frames"]
        assert verdict["found"] == verdict["open_reachable"] < verdict["open_true"]
        assert [verdict[name] for name in ("unprobed", "overprobed", "underprobed", "probed_after_answer")] == [0] * 4
        assert within_five_sigma(stats["lost"], stats["syn"], loss / 1e6)
        answers = stats["syn_ack"] + stats["rst_ack"] + stats["answer_lost"]
        assert within_five_sigma(stats["answer_lost"], answers, loss / 1e6)
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]

    # One probe too many, and one endpoint left out by a judge who expects more tries.
    prober.scan(numpy.array([next(iter(found))]), PORT)
    world.settled()
    verdict = world.judge(world.path("findings.jsonl"), retries)
    assert (verdict["overprobed"], verdict["probed_after_answer"]) == (1, 1)
    assert world.judge(world.path("findings.jsonl"), retries + 1)["underprobed"] > 1000


def test_hosts_behind_a_worse_path_are_the_same_each_time(prober_of):
    """The loss of all and the worse path add up: here all that is sent to bad hosts is lost, elsewhere half."""
    world, prober = prober_of(open=1000000, loss_out=500000, bad_hosts=500000, bad_loss=500000)
    endpoints = universe(SMALL["net"], SMALL["ports"])
    first, second = (set(map(int, (host for host, _ in prober.scan(endpoints, PORT)[0]))) for _ in range(2))
    assert first == second and within_five_sigma(len(first), 256, 0.5)
    tally = world.stats()
    assert within_five_sigma(tally["syn_ack"], len(first) * SMALL["ports"] * 2, 0.5)


BURST_OUT, BURST_IN, FAR, LATE = 13, 14, 17, 18  # of enum truth_question
WORD = 2**64 - 1


def mixed(x):
    """The finaliser of splitmix64."""
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & WORD
    x = (x ^ x >> 27) * 0x94d049bb133111eb & WORD
    return x ^ x >> 31


def truth_hash(key, what, who, port=0, probe=0):
    """As in truth.h, with numbers of any length."""
    subject = (who << 32 | who >> 32) & WORD ^ (port << 16 | probe) ^ key
    return mixed(mixed(subject) + (what + 1) * 0x9e3779b97f4a7c15 & WORD)


def burst_slots(key, direction, share, n):
    """Whether each of n slots of time lies in a burst: the chain as it runs, where truth.h looks back in it."""
    states, state = [], None
    for slot in range(n):
        drawn = truth_hash(key, direction, slot)
        if state is None or drawn % 16 == 0:
            state = (drawn >> 32) / 2**32 < share
        states.append(state)
    return numpy.array(states)


def test_bursts_are_as_long_and_as_far_apart_as_asked():
    bursts = burst_slots(1, BURST_OUT, 0.25, 400000)
    starts = (bursts[1:] & ~bursts[:-1]).sum()
    assert abs(bursts.mean() - 0.25) < 0.01
    assert abs(bursts.sum() / starts * 0.75 / 16 - 1) < 0.05  # in slots of 1/16 of 1 / (1/burst + 1/clear)
    assert (bursts == burst_slots(1, BURST_IN, 0.25, 400000)).mean() < 0.65


def test_bursts_lose_what_the_key_and_the_time_say(prober_of):
    """A probe each millisecond; in a burst all is lost, between two nothing is. A frame reaches the world within its
    send call, hardly ever later, so all is known of those at whose time neither direction changes."""
    burst_us, clear_us = 40000, 80000
    world, prober = prober_of(open=1000000, burst_loss=1000000, burst_us=burst_us, clear_us=clear_us,
                              net="198.19.0.0/28", ports=250)
    endpoints, sent = universe(world.universe, world.ports), []
    prober.socket.setblocking(True)
    start = time.monotonic_ns()
    for i, frame in enumerate(prober.syns(endpoints, PORT)):
        while time.monotonic_ns() < start + i * 1000000:
            time.sleep(0.0002)
        before = time.monotonic_ns()
        prober.socket.send(bytes(frame))
        sent.append((before, time.monotonic_ns()))
    prober.socket.setblocking(False)
    answered = {(int.from_bytes(frame[26:30], "big"), int.from_bytes(frame[34:36], "big"))
                for frame in prober.receive(0.2) if frame[47] == SYN | ACK}
    came = numpy.array([(int(host), int(port)) in answered for host, port in endpoints])
    stats = world.stats()

    slot_ns = burst_us * clear_us * 1000 // (burst_us + clear_us) // 16
    first, last = (numpy.array(sent) - stats["first_ns"]).clip(0).T // slot_ns
    share = burst_us / (burst_us + clear_us)
    out, back = (burst_slots(1, direction, share, last.max() + 1) for direction in (BURST_OUT, BURST_IN))
    lost = out | back
    known = lost[first] == lost[last]
    assert known.mean() > 0.9
    assert (came[known] == ~lost[first][known]).mean() > 0.99
    assert 0.2 < came.mean() < 0.7 and stats["answer_lost"] > 0
    assert stats["lost"] + stats["answer_lost"] == (~came).sum()


def test_answers_leave_when_they_are_due(prober_of):
    """Never earlier; each host as far away, and those answers held up, as the key wants; copies as without delay."""
    base, spread, late, copies = 300000, 500000, 2000000, 3
    world, prober = prober_of(open=1000000, delay_us=base, delay_spread_us=spread, late=200000, late_us=late,
                              duplicate=1000000, copies=copies)
    endpoints = [tuple(map(int, row)) for row in universe(SMALL["net"], SMALL["ports"])]
    due = {(host, port): (base + (truth_hash(1, FAR, host) >> 32) * spread // 2**32 +
                          late * (truth_hash(1, LATE, host, port, 1) / 2**64 < 0.2)) / 1e6
           for host, port in endpoints}
    left, waited, answers = {}, {}, []
    prober.socket.setblocking(True)
    for endpoint, frame in zip(endpoints, prober.syns(numpy.array(endpoints), PORT)):
        left[endpoint] = time.monotonic()
        prober.socket.send(bytes(frame))
    prober.socket.setblocking(False)
    end = time.monotonic() + 20
    while len(answers) < copies * len(endpoints) and time.monotonic() < end:
        for answer in prober.receive():
            answers.append(answer)
            endpoint = int.from_bytes(answer[26:30], "big"), int.from_bytes(answer[34:36], "big")
            waited.setdefault(endpoint, time.monotonic() - left[endpoint])

    stats, n = world.stats(), len(endpoints)
    assert stats["held"] == stats["syn_ack"] == stats["duplicated"] == n and stats["failed"] == 0
    assert len(answers) == copies * n and len(set(answers)) == n
    over = numpy.array([waited[endpoint] - due[endpoint] for endpoint in endpoints])
    assert over.min() >= 0 and numpy.median(over) < late / 2e6, "what is read may lag, but not by so much"
    assert within_five_sigma(sum(seconds > late / 1e6 for seconds in due.values()), n, 0.2)
    assert max(due.values()) - min(due.values()) > (late + spread * 0.9) / 1e6


def test_only_true_checksums_count(prober_of):
    world, prober = prober_of(open=1000000)
    rng = numpy.random.default_rng(1)
    n = 50000
    good = tcp_frames(prober.mac, "198.18.0.3", rng.integers(0xc6130000, 0xc6130100, n), rng.integers(1, 65536, n),
                      rng.integers(1, 65536, n), rng.integers(0, 2**32, n), identification=rng.integers(0, 65536, n))
    prober.exchange(good)
    stats = world.settled()
    assert (stats["bad_sum"], stats["syn"]) == (0, n)

    bad = good[:400].copy()
    at = numpy.where(numpy.arange(len(bad)) % 2, 24, 50)  # the IP sum, or the TCP sum
    bad[numpy.arange(len(bad)), at] ^= 0x40
    assert prober.exchange(bad) == []
    assert world.settled()["bad_sum"] == len(bad)


def test_resets_are_told_apart(prober_of):
    world, prober = prober_of(open=1000000)
    endpoints = universe(SMALL["net"], SMALL["ports"])
    prober.scan(endpoints, PORT)
    acks = prober.syns(endpoints, PORT)[:, 38:42].copy().view(">u4")[:, 0].astype(numpy.int64) + 1

    def reset(sequence, identification):
        return tcp_frames(prober.mac, "198.18.0.3", endpoints[:, 0], endpoints[:, 1], PORT, sequence % 2**32, RST,
                          identification)

    prober.exchange(reset(acks, 1))
    prober.exchange(reset(acks + 1, 1)[:100])
    stats = world.settled()
    assert (stats["rst_ours"], stats["rst_other"], stats["rst_kernel"]) == (len(endpoints), 100, 0)
    assert world.tallies()[3].tolist() == [2] * 100 + [1] * (len(endpoints) - 100)
    assert world.judge(write_findings(world.path("findings.jsonl"), {}), 0)["reset_twice"] == 100

    # The kernel of the scanner's namespace answers a SYN-ACK that it knows nothing of.
    as_kernel = Prober(world, "198.18.0.2")
    as_kernel.scan(endpoints[:200], PORT)
    as_kernel.close()
    assert netlab.wait_until(lambda: world.stats()["rst_kernel"] >= 200, 5, "the kernel's RSTs")
    assert world.stats()["rst_ours"] == len(endpoints)


def test_kernels_own_connections_work(prober_of):
    """The handshake of a real stack: connect() takes our SYN-ACK for true, and our RST-ACK as a refusal."""
    world, _ = prober_of(open=1000000, ports=1)
    with world.scanner.socket(socket.AF_INET, socket.SOCK_STREAM) as open_port:
        open_port.settimeout(5)
        open_port.connect(("198.19.0.1", 1))
    closed_world, _ = prober_of(closed=1000000, ports=1)
    with closed_world.scanner.socket(socket.AF_INET, socket.SOCK_STREAM) as closed_port, \
            pytest.raises(ConnectionRefusedError):
        closed_port.settimeout(5)
        closed_port.connect(("198.19.0.1", 1))


def bucket_lets_through(arrivals, per_bin, burst):
    """What a token bucket lets through of so many arrivals in each bin of the world's histogram."""
    tokens, through = burst, 0
    for n in arrivals.tolist():
        taken = min(n, tokens)
        through, tokens = through + taken, min(tokens - taken + per_bin, burst)
    return through


@pytest.mark.parametrize("what, counter", [("police", "policed"), ("answer", "answer_limited")])
def test_limits_hold(prober_of, what, counter):
    """A bucket of 50 that fills at 1000 a second lets through what it must, and no more."""
    rate, burst = 1000, 50
    settings = {"police": rate, "police_burst": burst} if what == "police" else \
        {"answer_limit": rate, "answer_burst": burst}
    world, prober = prober_of(open=1000000, net="198.19.0.0/32", ports=20000, **settings)
    endpoints = universe("198.19.0.0/32", 20000)
    prober.exchange(prober.syns(endpoints, PORT))
    stats = world.settled()
    assert stats["syn_ack"] + stats[counter] == len(endpoints)
    arrivals = world.arrivals()
    stalls = (arrivals == 0).sum()  # after each the bins may stand by one
    assert abs(stats["syn_ack"] - bucket_lets_through(arrivals, rate // ARRIVALS_PER_SECOND, burst)) <= 2 + stalls


def test_answer_limit_is_each_hosts_own(prober_of):
    world, prober = prober_of(open=1000000, answer_limit=1, answer_burst=3)
    states, _ = prober.scan(universe(SMALL["net"], SMALL["ports"]), PORT)
    hosts = [address for address, _ in states]
    assert {hosts.count(host) for host in set(hosts)} == {3} and len(set(hosts)) == 256
    assert world.stats()["answer_limited"] == 256 * (SMALL["ports"] - 3)


def test_answer_limit_of_the_first_hosts_alone(prober_of):
    world, prober = prober_of(open=1000000, answer_limit=1, answer_burst=3, answer_limited_hosts=2)
    states, _ = prober.scan(universe(SMALL["net"], SMALL["ports"]), PORT)
    hosts = [address for address, _ in states]
    counts = [hosts.count(host) for host in sorted(set(hosts))]
    assert counts == [3, 3] + [SMALL["ports"]] * 254 and world.stats()["answer_limited"] == 2 * (SMALL["ports"] - 3)


def test_duplicates_come_as_often_as_asked(prober_of):
    world, prober = prober_of(open=1000000, duplicate=250000, copies=5)
    endpoints = universe(SMALL["net"], SMALL["ports"])
    _, answers = prober.scan(endpoints, PORT)
    counts = {}
    for answer in answers:
        counts[answer[26:36]] = counts.get(answer[26:36], 0) + 1
    stats = world.stats()
    assert len(counts) == len(endpoints) and set(counts.values()) == {1, 5}
    assert list(counts.values()).count(5) == stats["duplicated"]
    assert within_five_sigma(stats["duplicated"], len(endpoints), 0.25)


def test_a_firewall_remembers_so_many_connections(lab):
    """Its table fills up; answers to what is in it pass; resets make room again."""
    size = 512
    world = World(lab, **SMALL, closed=500000, firewall={"size": size, "seconds": 600})
    prober = Prober(world, "198.18.0.2")
    endpoints = universe(SMALL["net"], SMALL["ports"])
    world.scanner.run("ping", "-c1", "-W1", "198.19.0.1", check=False)  # who is where, is asked for here already
    states, _ = prober.scan(endpoints, PORT)
    refused, seen = world.firewall.refused(), world.settled()
    assert seen["syn"] == size and refused == len(endpoints) - size
    assert len(states) == seen["rst_ack"] and within_five_sigma(len(states), size, 0.5)

    def more_came():
        prober.scan(endpoints, PORT + 1)
        return world.settled()["syn"] >= size + len(states)

    netlab.wait_until(more_came, 10, "room for as many as were reset")  # the table is looked through each second
    prober.close()


def test_what_is_beyond_the_universe_is_silent(prober_of):
    world, prober = prober_of(open=1000000, ports=10)
    outside = numpy.array([(0xc6130001, 11), (0xc6130001, 0), (0xc6130100, 1), (0xc612ffff, 1)])
    states, answers = prober.scan(outside, PORT)
    assert (states, answers) == ({}, [])
    assert world.settled()["outside"] == len(outside)


def test_a_world_too_large_to_count_still_answers(prober_of):
    world, prober = prober_of(net="198.18.0.0/15", ports=65535, open=500000)
    states, _ = prober.scan(universe("198.19.255.0/24", 4) + [0, 65531], PORT)
    assert within_five_sigma(len(states), 1024, 0.5) and not world.path("endpoints.bin").exists()
    assert world.stats()["syn_ack"] == len(states)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_loader(prober_of, end):
    world, _ = prober_of()
    assert "xdp" in world.far.ip("link", "show", "world0")
    world.process.send_signal(end)
    world.process.wait(timeout=10)
    netlab.wait_until(lambda: "xdp" not in world.far.ip("link", "show", "world0"), 5, "the program is detached")
    last = world.process.stdout.read()
    assert (json.loads(last)["type"] == "world") if end != signal.SIGKILL else last == ""


def test_leftovers_of_a_killed_run_are_removed():
    script = "import netlab, os, signal; lab = netlab.Lab(); print(lab.namespace('gone').name, flush=True); " \
             "lab.namespaces[0].start('sleep', '60'); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run(["/usr/bin/python3", "-c", script], cwd=netlab.ROOT / "tests/lab", capture_output=True,
                          text=True, timeout=20, check=False)
    name = done.stdout.strip()
    assert name in netlab.ip("netns", "list")
    netlab.wait_until(lambda: not netlab.ip("netns", "pids", name).split(), 5, "its process dies with its parent")
    with netlab.Lab():
        assert name not in netlab.ip("netns", "list")


@pytest.mark.parametrize("options, says", [
    (["--net", "10.0.0.0/24"], "198.18.0.0/15"),
    (["--net", "198.19.0.1/24"], "--net"),
    (["--ports", "0"], "--ports"),
    (["--open", "600000", "--closed", "600000"], "more than the whole"),
    (["--net", "198.19.0.0/16", "--ports", "1000", "--loss-in", "1"], "2^24"),
    (["--net", "198.19.0.0/16", "--ports", "1000", "--burst-loss", "1"], "2^24"),
    (["--burst-loss", "1", "--clear-us", "0"], "--clear-us"),
    (["--colour", "red"], "unknown option --colour"),
    (["--key"], "no value"),
    ([], "missing option --interface"),
])
def test_loader_refuses_what_makes_no_sense(options, says):
    done = netlab.run(netlab.helper("tests/lab/world/world"), *options, check=False)
    assert done.returncode == 1 and says in done.stderr.splitlines()[0]


def test_rate_is_seen_as_it_was_sent(prober_of):
    """The arrival histogram against a sender whose times are known."""
    world, prober = prober_of()
    frames = [bytes(frame) for frame in prober.syns(universe(SMALL["net"], SMALL["ports"])[:200], PORT)]
    prober.socket.setblocking(True)
    start = time.monotonic()
    for i, frame in enumerate(frames):
        while time.monotonic() < start + i * 0.005:
            time.sleep(0.001)
        prober.socket.send(frame)
    took = time.monotonic() - start
    stats = world.settled()
    arrivals = world.arrivals()
    assert arrivals.sum() == len(frames)
    assert abs((stats["last_ns"] - stats["first_ns"]) / 1e9 - took) < 0.1
    assert abs(len(arrivals) - took * 1000) < 100
