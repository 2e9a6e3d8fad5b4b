#!/usr/bin/python3
"""Times and memory of whole runs: what a user waits for, and what a scan of any size costs.

Each line is the median of RUNS processes (with the worst beside it), against the bar it is held to. All scans stay
within namespaces of their own. --json FILE writes every figure.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from realhost import HERE, HOST, listeners, pair  # noqa: E402
from world.internet import World  # noqa: E402

SEEN_BYTES = 100  # the stated cost of an open endpoint, at most (docs/design.md)


def timed(argv, stdout=None, stop_after=None, **options):
    """Runs argv; returns (seconds, peak RSS in MB, exit status, stdout). SIGINT after stop_after seconds."""
    start = time.monotonic()
    process = netlab.subprocess.Popen([str(word) for word in argv], stdin=netlab.subprocess.DEVNULL,
                                      stdout=stdout or netlab.subprocess.PIPE, stderr=netlab.subprocess.PIPE,
                                      preexec_fn=netlab.die_with_parent, text=True, **options)
    if stop_after:
        time.sleep(stop_after)
        os.kill(process.pid, netlab.signal.SIGINT) # send_signal() would reap one that has ended, and its usage with it
    out = process.stdout.read() if process.stdout else ""
    process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_maxrss / 1024, process.returncode, out


def found(out):
    return {int(line.split()[0].rsplit(":", 1)[1]) for line in out.splitlines() if line.strip()}


def own_ports(lab, target):
    """All ports of the machine itself, 50 of them open."""
    scanner, _ = pair(lab)
    chosen = random.Random(5).sample(range(1, 32000), 50)
    keep = listeners(scanner, "0.0.0.0", chosen)
    seconds, rss, _, out = timed(scanner.command(netlab.NOCTULE, "-q", target, "-p-"))
    assert found(out) == set(chosen), "not exactly the listeners"
    return seconds, rss, len(keep)


def loopback_all(lab):
    return own_ports(lab, "127.0.0.1")[0]


def interface_all(lab):
    return own_ports(lab, HERE)[0]


def real_host_all(lab):
    scanner, host = pair(lab)
    chosen = random.Random(6).sample(range(1, 65535), 50)
    keep = listeners(host, HOST, chosen)
    seconds, _, _, out = timed(scanner.command(netlab.NOCTULE, "-q", HOST, "-p-", "--rate", 100000))
    assert len(keep) == 50 and found(out) == set(chosen), "not exactly the listeners"
    return seconds


def one_port(lab):
    scanner, host = pair(lab)
    keep = listeners(host, HOST, [80])
    seconds, _, _, out = timed(scanner.command(netlab.NOCTULE, "-q", HOST, "-p80"))
    assert len(keep) == 1 and found(out) == {80}
    return seconds


def silent_host(lab):
    """A host that answers ARP and nothing else, beside a neighbour that answers: 1,000 ports each."""
    scanner, host = pair(lab)
    host.ip("addr", "add", "198.18.1.3/24", "dev", "host0")
    host.run("nft", "add table ip quiet; add chain ip quiet in { type filter hook input priority 0; }; "
             "add rule ip quiet in ip daddr 198.18.1.3 drop")
    seconds, _, status, _ = timed(scanner.command(netlab.NOCTULE, "-q", HOST, "198.18.1.3", "-p1-1000"))
    assert status == 0
    return seconds


def dry_run(_):
    """A plan of 4e11 endpoints with an exclude file: until the first line is there, and the memory by then."""
    chosen = random.Random(7)
    path = pathlib.Path(tempfile.mkdtemp()) / "exclude.txt"
    path.write_text("".join(f"{chosen.randrange(1, 224)}.{chosen.randrange(256)}.{chosen.randrange(256)}.0/24\n"
                            for _ in range(2000)))
    start = time.monotonic()
    process = netlab.subprocess.Popen([netlab.NOCTULE, "--dry-run", "0.0.0.0/0", "-p1-100", "--exclude-file", path],
                                      stdout=netlab.subprocess.PIPE, stderr=netlab.subprocess.DEVNULL)
    assert process.stdout.readline()
    seconds = time.monotonic() - start
    for _ in range(1_000_000):
        process.stdout.readline()
    process.stdout.close()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return seconds, usage.ru_maxrss / 1024


def scan_memory(lab, ports, seconds):
    """Peak RSS, MB, of a scan of these ports of 198.18.0.0/15 at 500,000 pps, less the stated cost of the open ones."""
    world = World(lab, open=10000, closed=500000, key=77, net="198.18.0.0/15", ports=100)
    _, rss, _, _ = timed(world.scanner.command(netlab.NOCTULE, "-q", "198.18.0.0/15", "-p", ports, "--rate", 500000,
                                               "-o", world.findings), stop_after=seconds)
    total = netlab.summary(world.findings)
    opened = total["states"]["open"]
    print(f"  sent {total['sent']}, open {opened}, rate {total['sent'] / (total['duration_ns'] / 1e9):.0f}/s, "
          f"drops {total['drops']}, RSS {rss:.1f} MB")
    return rss - opened * SEEN_BYTES / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scan-seconds", type=int, default=60, help="length of the memory scan (default: 60)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    cases = (("127.0.0.1, all ports, 50 open: seconds", loopback_all, 2), ("own interface, all ports: seconds", interface_all, 2),
             ("real host, all ports at 100,000 pps: seconds", real_host_all, 2), ("one port, answered: seconds", one_port, 0.3),
             ("a silent host's 1,000 ports beside a neighbour: seconds", silent_host, 5))
    figures = {}

    def say(name, values, bar):
        figures[name] = {"median": statistics.median(values), "worst": max(values), "bar": bar, "runs": values}
        print(f"{name:58} median {statistics.median(values):7.3f}  worst {max(values):7.3f}  bar {bar}", flush=True)

    for name, case, bar in cases:
        values = []
        for _ in range(options.runs):
            with netlab.Lab() as lab:
                values.append(case(lab))
        say(name, values, bar)
    dry = [dry_run(None) for _ in range(options.runs)]
    say("dry run of 4e11 endpoints, first line: seconds", [seconds for seconds, _ in dry], 1)
    say("dry run of 4e11 endpoints, peak RSS: MB", [rss for _, rss in dry], 64)
    for what, ports in (("2^33 endpoints, nearly all silent", "-"), ("13 M endpoints, half of them answering", "1-100")):
        with netlab.Lab() as lab:
            say(f"{what}: peak RSS, MB", [scan_memory(lab, ports, options.scan_seconds)], 64)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
