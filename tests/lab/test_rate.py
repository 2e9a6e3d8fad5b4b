"""The pace of a scan, counted on the far side of the link."""
import datetime
import time

import netlab
import numpy
import pytest
from world.internet import ARRIVALS_PER_SECOND, World

pytestmark = pytest.mark.plainonly  # a sanitized build is slower than the rates asked for

SYN_BITS, SYN6_BITS = 84 * 8, 102 * 8  # of layer 1, as the world counts them
CREDIT_MS = 5  # what a scanner that was held up may catch up with
STALL_MS = 3  # without a frame: it was held up
ATTEMPTS = 4  # at being left alone by the other users of a shared machine
STALLED_MAX = 0.4  # of the time, else the attempt says nothing

# name: what is asked for, packets a second, endpoints
SLOW = {
    "0.1 pps": (("--rate", "0.1"), 0.1, "198.19.0.1", "1-3"),
    "10 pps": (("--rate", "10"), 10, "198.19.0.0/30", "1-20"),
    "1000 pps": (("--rate", "1000"), 1000, "198.19.0.0/24", "1-24"),
    "6720 bit/s": (("-B", "6720"), 6720 / SYN_BITS, "198.19.0.0/30", "1-20"),
    "1344 kbit/s": (("-B", "1344K"), 1344000 / SYN_BITS, "198.19.0.0/24", "1-48"),
    "1000 pps, IPv6": (("--rate", "1000"), 1000, "2001:2::/120", "1-24"),
    "816 kbit/s, IPv6": (("-B", "816K"), 816000 / SYN6_BITS, "2001:2::/120", "1-24"),
}
FAST = {
    "100000 pps": (("--rate", "100000"), 100000, "198.19.0.0/18", "1-25"),
    "67.2 Mbit/s": (("-B", "67.2M"), 67200000 / SYN_BITS, "198.19.0.0/18", "1-25"),
}


def start(lab, arguments, target, ports):
    world = World(lab, ports=65535, net="198.19.0.0/18", net6="2001:2::/120")
    process = world.scanner.start(netlab.NOCTULE, target, "-p", ports, "--retries", 0, *arguments,
                                  "-o", world.findings)
    return world, process


def finish(world, process):
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    stats, summary = world.settled(), netlab.summary(world.findings)
    assert stats["syn"] == summary["sent"] == summary["planned"]
    assert stats["layer1_bytes"] * 8 == stats["syn"] * (SYN6_BITS if stats["solicitations"] else SYN_BITS)
    return world.arrivals(), summary


def listened(world):
    """Seconds from the last probe's arrival to the end that the summary gives. Both clocks are this machine's."""
    ahead = time.time() - time.monotonic()
    end = datetime.datetime.fromisoformat(netlab.summary(world.findings)["end"].replace("Z", "+00:00"))
    return end.timestamp() - ahead - world.stats()["last_ns"] / 1e9


def stalls(arrivals, rate):
    """Milliseconds that the scanner has lost, up to each bin, by not being run: after a pause it may catch up with what
    it is behind, but for no more than CREDIT_MS. The rest is forgiven where STALL_MS and more were empty, if that is
    too long for its pace."""
    per_ms = rate / ARRIVALS_PER_SECOND
    edges = numpy.flatnonzero(numpy.diff(numpy.concatenate(([0], arrivals == 0, [0]))))
    paused = numpy.zeros(len(arrivals), dtype=bool)
    for start, end in edges.reshape(-1, 2):
        paused[start:end] = end - start >= STALL_MS and (end - start) * per_ms >= STALL_MS
    lost, behind, total = numpy.zeros(len(arrivals)), 0.0, 0.0
    for i, sent in enumerate(arrivals.tolist()):
        behind = max(behind + per_ms - sent, -per_ms)
        if paused[i] and behind > CREDIT_MS * per_ms:
            total += behind / per_ms - CREDIT_MS
            behind = CREDIT_MS * per_ms
        lost[i] = total
    return lost


def deviation(arrivals, rate, batch):
    """How far the number sent strays from rate x t after the first second, as (most below, most above) in units of the
    bound max(batch, 1 %), up to the last arrival. The first frame starts the clock, so half a frame is expected."""
    sent = numpy.cumsum(arrivals) - 0.5
    elapsed = numpy.arange(1, len(arrivals) + 1)
    per_ms = rate / ARRIVALS_PER_SECOND
    bound = numpy.maximum(batch, elapsed * per_ms / 100)
    steady = slice(ARRIVALS_PER_SECOND, None)
    below = (sent - (elapsed - stalls(arrivals, rate)) * per_ms) / bound
    above = (sent - elapsed * per_ms) / bound
    return below[steady].min(), above[steady].max()


def check(arrivals, summary, rate):
    """Whether the rate was kept. Too fast is a failure at once; too slow may be the machine's doing."""
    assert 1 <= summary["batch"] <= max(1, rate / 100), "a batch is more than 10 ms of the rate"
    below, above = deviation(arrivals, rate, summary["batch"])
    stalled = stalls(arrivals, rate)[-1] / len(arrivals)
    print(f"{rate:g} pps, batch {summary['batch']}: {below:+.2f} to {above:+.2f} of the bound, stalled {stalled:.1%}")
    assert above <= 1, "faster than asked for"
    return below >= -1 and stalled <= STALLED_MAX


def keeps_rate(lab, arguments, rate, target, ports):
    assert any(check(*finish(*start(lab, arguments, target, ports)), rate) for _ in range(ATTEMPTS)), \
        f"slower than asked for, {ATTEMPTS} times"


@pytest.fixture(scope="module")
def slow_scans():
    """All slow scans at once, each in a world of its own."""
    with netlab.Lab() as lab:
        yield {name: start(lab, arguments, target, ports) for name, (arguments, _, target, ports) in SLOW.items()}


@pytest.mark.parametrize("name", SLOW)
def test_slow_rate(slow_scans, lab, name):
    arguments, rate, target, ports = SLOW[name]
    if check(*finish(*slow_scans[name]), rate):
        return
    assert rate >= 1, "slower than asked for"
    keeps_rate(lab, arguments, rate, target, ports)


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_scan_ends_one_timeout_after_its_last_probe(slow_scans, name):
    """Nothing answers, so the timeout is the first one of RFC 6298; the pace must not hold up the end."""
    finish(*slow_scans[name])
    seconds = listened(slow_scans[name][0])
    assert 0.95 <= seconds <= 4, f"listened for {seconds:.2f} s"  # at 0.1 pps one turn of the pace would be ten


@pytest.mark.parametrize("name", FAST)
def test_fast_rate(lab, name):
    keeps_rate(lab, *FAST[name])
