"""What is written: valid after any number of findings and any kind of end, and never less than what was found."""

import json
import re
import signal
import subprocess
import time

import netlab
import pytest
from real.host import HOSTS, counted, listen, nft, pair

MANY = [HOSTS[0], HOSTS[1], "-p", "1-52000", "--show", "all", "--rate", "50000"]
MANY_COUNT = 2 * 52000
STALL_SECONDS = 5


@pytest.fixture(scope="module")
def hosts():
    """The scanner's namespace, and a host's whose ports are closed but for one."""
    with netlab.Lab() as lab:
        near, far = pair(lab)
        nft(far, """table inet lab {
            counter probes { }
            chain in { type filter hook input priority 0; tcp flags & (syn | rst) == syn counter name probes; }
        }""")
        listen(far, HOSTS[0], [80])
        yield near, far


def endpoints(findings):
    """(address, port) -> state, each endpoint named once."""
    named = {(f["ip"], f["port"]): f["state"] for f in findings}
    assert len(named) == len(findings)
    return named


def is_everything(named):
    return len(named) == MANY_COUNT and {end for end, state in named.items() if state != "closed"} == {(HOSTS[0], 80)}


def probes_received(far):
    return counted(far, "inet", "probes")


# How many findings.

@pytest.mark.parametrize("port, count", [(81, 0), (80, 1)])
def test_few_findings(hosts, tmp_path, port, count):
    results = tmp_path / "results.jsonl"
    hosts[0].run(netlab.NOCTULE, HOSTS[0], "-p", port, "-o", results)
    findings, others = netlab.records(results)
    assert len(findings) == count
    assert others == [netlab.summary(results)] and others[0]["states"]["open"] == count


def test_many_findings_in_several_files_at_once(hosts, tmp_path):
    lines, text, pairs = tmp_path / "results.jsonl", tmp_path / "results.txt", tmp_path / "pairs"
    hosts[0].run(netlab.NOCTULE, *MANY, "-o", lines, "-o", text, "-o", f"hostport:{pairs}", timeout=110)
    named = endpoints(netlab.records(lines)[0])
    assert is_everything(named)
    assert sum(netlab.summary(lines)["states"].values()) == MANY_COUNT
    assert sorted(pairs.read_text().split()) == sorted(f"{address}:{port}" for address, port in named)
    told = re.findall(r"^(\S+):(\d+)\s+tcp\s+(\S+)", text.read_text(), re.M)
    assert {(address, int(port)): state for address, port, state in told} == named and len(told) == MANY_COUNT


@pytest.mark.plainonly
def test_a_million_findings(hosts, tmp_path):
    """All ports of sixteen addresses of the machine itself: each once, and every line whole."""
    results = tmp_path / "results.jsonl"
    hosts[0].run(netlab.NOCTULE, "127.0.0.0/28", "-p-", "--show", "all", "-o", results, timeout=110)
    named = set()
    with open(results, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if "type" not in record:
                named.add((record["ip"], record["port"]))
    assert len(named) == record["planned"] == record["finals"] == 16 * 65535
    assert record["type"] == "summary" and record["states"]["closed"] == len(named)


# How the scan ends.

def interrupt(hosts, results, number):
    """Starts a long scan, sends it a signal amid its findings, and returns the ended process."""
    process = hosts[0].start(netlab.NOCTULE, *MANY[:-1], "10000", "-o", results)
    netlab.wait_until(lambda: results.exists() and results.stat().st_size > 100_000, seconds=60, what="findings")
    process.send_signal(number)
    process.wait(60)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(hosts, tmp_path, number):
    results = tmp_path / "results.jsonl"
    interrupt(hosts, results, number)
    named, summary = endpoints(netlab.records(results)[0]), netlab.summary(results)
    assert 0 < len(named) < MANY_COUNT
    assert summary["ended"] == "interrupted"
    assert summary["states"]["closed"] + summary["states"]["open"] == len(named)


def test_killed(hosts, tmp_path):
    """After SIGKILL every line but the last is whole."""
    results = tmp_path / "results.jsonl"
    interrupt(hosts, results, signal.SIGKILL)
    lines = results.read_text(encoding="utf-8").split("\n")
    found = [json.loads(line) for line in lines[:-1]]
    assert len(found) > 400 and len(endpoints(found)) < MANY_COUNT
    assert len(lines[-1]) < max(map(len, lines[:-1])) + 10


# Slow and broken sinks.

def test_pipe_that_nobody_reads_for_a_while(hosts):
    """Nothing is lost, and the sender has waited: at 50,000 a second it would have been done in half the time."""
    near, far = hosts
    before = probes_received(far)
    process = near.start(netlab.NOCTULE, *MANY, "-o", "jsonl:-", stderr=subprocess.DEVNULL)
    time.sleep(STALL_SECONDS)
    sent = probes_received(far) - before
    lines = [json.loads(line) for line in process.communicate(timeout=100)[0].splitlines()]
    assert is_everything(endpoints(lines[:-1]))
    assert lines[-1]["type"] == "summary" and lines[-1]["sink_waits_ns"] > 1_000_000_000
    assert sent < MANY_COUNT


def test_closed_pipe_ends_the_scan(hosts):
    """As every filter does when its reader has gone: at once, and not as a success."""
    near, far = hosts
    process = near.start(netlab.NOCTULE, *MANY[:-1], "1000", "-o", "jsonl:-", stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) != 0
    sent = probes_received(far)
    time.sleep(0.2)
    assert probes_received(far) == sent


@pytest.mark.parametrize("output", ["/nowhere/results.jsonl", "/", "/proc/results.jsonl", "odd-format:results"])
def test_output_that_cannot_be_written(hosts, tmp_path, output):
    near, far = hosts
    before = probes_received(far)
    done = near.run(netlab.NOCTULE, HOSTS[0], "-p", "80", "-o", output, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and output.split(":")[0] in done.stderr
    assert probes_received(far) == before


def test_full_disk(hosts):
    done = hosts[0].run(netlab.NOCTULE, *MANY, "-o", "jsonl:/dev/full", check=False, timeout=110)
    assert done.returncode not in (0, 2)
    errors = [line for line in done.stderr.splitlines() if "No space left" in line]
    assert len(errors) == 1 and "/dev/full" in errors[0]
