"""How a scan is ended: by a signal, by a limit, by itself; and what it says then."""

import re
import signal
import time

import netlab
import pytest
from odd.cases import CASES
from odd.play import end_world, join, start_world
from real.host import HOSTS, counted, listen, nft, pair

SILENT_PORTS = "1-50000"


@pytest.fixture(scope="module")
def silence():
    """The scanner's namespace, and a host's that drops what comes to its ports but 60000 .. 60099, and counts it."""
    with netlab.Lab() as lab:
        near, far = pair(lab)
        nft(far, """table inet lab {
            counter probes { }
            chain in {
                type filter hook input priority 0;
                tcp flags & (syn | rst) == syn counter name probes
                tcp dport != 60000-60099 drop
            }
        }""")
        listen(far, HOSTS[0], range(60000, 60100))
        yield near, far


def probes(far):
    return counted(far, "inet", "probes")


def start(silence, results, *arguments):
    """A scan of silence that has sent its first probes."""
    near, far = silence
    before = probes(far)
    process = near.start(netlab.NOCTULE, HOSTS[0], "-o", results, *arguments)
    netlab.wait_until(lambda: probes(far) > before, seconds=30, what="a first probe")
    return process


def ended(process, seconds):
    """Waits for the end; returns (exit status, stderr, seconds it took)."""
    begin = time.monotonic()
    stderr = process.communicate(timeout=seconds)[1]
    return process.returncode, stderr, time.monotonic() - begin


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_stops_sending_and_listens_on(silence, tmp_path, number):
    results = tmp_path / "results.jsonl"
    process = start(silence, results, "-p", SILENT_PORTS, "--rate", "1000", "--timeout", "2s", "--retries", "2")
    time.sleep(0.5)
    process.send_signal(number)
    time.sleep(0.5)  # what was on its way
    at_once = probes(silence[1])
    status, stderr, seconds = ended(process, 30)
    assert probes(silence[1]) == at_once
    assert seconds > 1  # one timeout, of which half a second has passed above
    assert status == 128 + number
    summary = netlab.summary(results)
    assert summary["ended"] == "interrupted"
    assert summary["planned"] == 50000 and 0 < summary["sent"] < 50000
    assert re.search(r"\d+(\.\d+)? ?%", stderr), stderr  # how far it came


def test_answers_after_the_signal_count(lab, tmp_path):
    """Replies that were on their way when the signal came are heard."""
    near, far = join(lab)
    log, results = tmp_path / "world.json", tmp_path / "results.jsonl"
    world = start_world(far, "packet:veth1", CASES["slow"], log)
    process = near.start(netlab.NOCTULE, CASES["slow"].target, "-p", "1-5000", "--rate", "500", "--timeout", "2s",
                         "--no-reset", "-o", results)
    netlab.wait_until(lambda: results.exists() and results.stat().st_size, seconds=30, what="a first answer")
    process.send_signal(signal.SIGINT)
    assert ended(process, 30)[0] == 128 + signal.SIGINT
    probed = {frame["dport"] for frame in end_world(world, log)["seen"] if frame["kind"] == "tcp"}
    found = {f["port"] for f in netlab.records(results)[0]}
    assert found == probed and len(found) > 100
    assert netlab.summary(results)["ended"] == "interrupted"


def test_second_signal_ends_at_once(silence, tmp_path):
    """Long before its timeout, and with its files valid."""
    results = tmp_path / "results.jsonl"
    process = start(silence, results, "-p", SILENT_PORTS + ",60000-60099", "--rate", "1000", "--timeout", "60s",
                    "--seed", "1")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    status, _, seconds = ended(process, 30)
    assert status == 128 + signal.SIGINT
    assert seconds < 5
    assert netlab.summary(results)["ended"] == "interrupted"


def test_max_runtime(silence, tmp_path):
    results = tmp_path / "results.jsonl"
    begin = time.monotonic()
    process = start(silence, results, "-p", SILENT_PORTS, "--rate", "1000", "--timeout", "200ms", "--max-runtime", "1s")
    status, stderr, _ = ended(process, 30)
    assert status == 0
    assert 1 < time.monotonic() - begin < 10
    summary = netlab.summary(results)
    assert summary["ended"] == "max-runtime"
    assert 100 <= summary["sent"] <= 1500


def test_max_results(silence, tmp_path):
    results = tmp_path / "results.jsonl"
    process = start(silence, results, "-p", "60000-60099", "--max-results", "5", "--rate", "100")
    assert ended(process, 30)[0] == 0
    findings, summary = netlab.records(results)[0], netlab.summary(results)
    assert len(findings) == 5
    assert summary["ended"] == "max-results"
    assert summary["sent"] < 100


def test_complete(silence, tmp_path):
    """A scan that ran to its end says so, whether or not it found something."""
    for ports, found in ("60000-60009", 10), ("1-10", 0):
        results = tmp_path / f"{found}.jsonl"
        assert ended(start(silence, results, "-p", ports, "--timeout", "100ms", "--retries", "1"), 30)[0] == 0
        assert len(netlab.records(results)[0]) == found
        assert netlab.summary(results)["ended"] == "complete"


def test_ignored_signals_do_no_harm(silence, tmp_path):
    """Its reader or its terminal goes: the file stays valid."""
    results = tmp_path / "results.jsonl"
    process = start(silence, results, "-p", "60000-60099,1-100", "--timeout", "200ms", "--retries", "1")
    process.send_signal(signal.SIGPIPE)
    process.send_signal(signal.SIGCONT)
    assert ended(process, 30)[0] == 0
    assert len(netlab.records(results)[0]) == 100
