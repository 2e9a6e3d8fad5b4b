#!/usr/bin/python3
"""Frames a second that the far side receives: noctule beside masscan, ZMap and the bare injection loop, in one run.

A veth pair whose far end counts and drops every frame in XDP, on a processor of its own. The scanners walk
198.18.0.0/15, ports 1 to 500, as fast as they can, and nobody answers; noctule has its usual re-probes, ledger and
receiver. A figure is what the far side counted in a window while the scanner runs, without its start. They take turns,
so that the machine's mood is the same for all. Then a sample of noctule's frames is checked one by one.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from sink.far_end import SCANNER, Sink  # noqa: E402

NET, LAST_PORT = "198.18.0.0/15", 500
FASTEST = 100000000  # frames a second: more than any of them sends
WARM = 1.0  # seconds from the first frame to the window
SAMPLE_SECONDS, SAMPLES = 8, 1000000
SENDER_THREADS = ("--sender-threads", 1)
RSS_RATE, RSS_BAR = 5000000, 128  # MB
BARS = (("noctule", "masscan", 8), ("noctule", "zmap -T 1", 6), ("noctule", "bare injection", 0.7),
        ("noctule --sender-threads 1", "bare injection", 0.85), ("noctule --wire packet", "masscan", 1.3))


def noctule(sink, seconds, *options, rate=FASTEST):
    """The scanner's own address is left out: that one is scanned over loopback, where XDP cannot be."""
    wire = () if "--wire" in options else ("--wire", "xdp")
    return [netlab.NOCTULE, NET, f"-p1-{LAST_PORT}", "--rate", rate, *wire, *options, "--exclude", SCANNER,
            "--max-runtime", f"{seconds:g}", "-q", "-o", sink.path("found.jsonl")]


def masscan(sink, _, *options):
    return ["masscan", NET, f"-p1-{LAST_PORT}", "--rate", FASTEST, "--interface", "scan0", "--source-ip", SCANNER,
            "--router-mac", sink.mac(), "--wait", 0, *options, "-oL", sink.path("found")]


def zmap(sink, _, *options):
    """It knows one port a run, and sends its probes to an address one after the other: -P makes it last. -b: its
    default list excludes this benchmarking range."""
    return ["zmap", "-q", "-p", 80, NET, "-P", 1000000, "-r", FASTEST, "-i", "scan0", "-S", SCANNER, "-G", sink.mac(),
            "-b", "/dev/null", *options, "-o", sink.path("found")]


def bare(_, seconds):
    return [netlab.helper("bench/bench-wire-xdp"), "scan0", f"{seconds:g}"]


RUNS = {
    "bare injection": (bare,),
    "noctule": (noctule,),
    "noctule --sender-threads 1": (noctule, *SENDER_THREADS),
    "noctule --wire packet": (noctule, "--wire", "packet"),
    "masscan": (masscan,),
    "zmap -T 1": (zmap, "-T", 1),
    "zmap -T 2": (zmap, "-T", 2),
}


def missing(name):
    """Why this one cannot run here, or None."""
    program, options = RUNS[name][0].__name__, RUNS[name][1:]
    if program in ("masscan", "zmap") and not shutil.which(program):
        return "not installed"
    if options[:1] == SENDER_THREADS[:1] and SENDER_THREADS[0] not in netlab.run(netlab.NOCTULE, "--help").stdout:
        return f"this noctule has no {SENDER_THREADS[0]}"
    return None


def peak_rss(process):
    """In MB, of a process that runs."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000


def under_way(sink, process):
    """The counters, once frames come."""
    def look():
        assert process.poll() is None, f"it ended: {process.communicate()}"
        counts = sink.counts()
        return counts if counts["first_ns"] else None
    return netlab.wait_until(look, 20, "the first frame")


def exec_cost(sink):
    """How long a program takes that does nothing, in ns: it is no part of a scanner's start."""
    times = []
    for _ in range(5):
        start = time.monotonic_ns()
        sink.scanner.start("true").wait()
        times.append(time.monotonic_ns() - start)
    return statistics.median(times)


def measured(name, window):
    """One run: frames a second, ms from start to the first frame, and peak memory in MB."""
    make, *options = RUNS[name]
    with netlab.Lab() as lab:
        sink = Sink(lab)
        cost = exec_cost(sink)
        argv = make(sink, WARM + window + 2, *options)
        start = time.monotonic_ns()
        process = sink.scanner.start(*argv)
        first = under_way(sink, process)["first_ns"]
        time.sleep(WARM)
        before = sink.counts()
        time.sleep(window)
        after = sink.counts()
        record = {"fps": (after["frames"] - before["frames"]) * 1e9 / (after["now_ns"] - before["now_ns"]),
                  "start_ms": (first - start - cost) / 1e6, "rss_mb": peak_rss(process),
                  "load": os.getloadavg()[0], "argv": [str(word) for word in argv]}
        if make is noctule:
            record.update(ended(sink, process))
        else:  # the far end cannot be taken down while it is flooded
            process.kill()
            process.wait(20)
        return record


def ended(sink, process):
    """What noctule says at its end of the frames that it sent, beside those that came."""
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    summary = netlab.summary(sink.path("found.jsonl"))
    return {"sent": summary["sent"], "came": sink.counts()["frames"], "drops": sum(summary["drops"].values())}


def sampled(fps):
    """The checker's verdict on about a million frames, all those of some endpoints."""
    every = max(1, round(fps * SAMPLE_SECONDS / SAMPLES))
    with netlab.Lab() as lab:
        sink = Sink(lab, every, SAMPLES)
        process = sink.scanner.start(*noctule(sink, SAMPLE_SECONDS))
        result = ended(sink, process)
        sink.close()
        return {"one_endpoint_in": every, **sink.check(NET, 1, LAST_PORT), **result}


def memory():
    """Peak memory of a scan at 5 Mpps, in MB."""
    with netlab.Lab() as lab:
        sink = Sink(lab)
        process = sink.scanner.start(*noctule(sink, 10, rate=RSS_RATE))
        under_way(sink, process)
        time.sleep(9)
        return peak_rss(process)


def middle(runs, key="fps"):
    return statistics.median(run[key] for run in runs)


def print_table(runs):
    print(f"{'transmit':28}{'Mpps':>8}{'least':>8}{'most':>8}{'of bare':>9}{'start ms':>10}{'peak MB':>9}")
    for name, results in runs.items():
        fps = [run["fps"] / 1e6 for run in results]
        share = middle(results) / middle(runs["bare injection"])
        print(f"{name:28}{statistics.median(fps):8.3f}{min(fps):8.3f}{max(fps):8.3f}{share:9.2f}"
              f"{middle(results, 'start_ms'):10.1f}{middle(results, 'rss_mb'):9.1f}")
    for above, below, bar in BARS:
        if above in runs and below in runs:
            ratio = middle(runs[above]) / middle(runs[below])
            print(f"{above} / {below}: {ratio:.2f}, bar {bar}: {'reached' if ratio >= bar else 'not reached'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--window", type=float, default=2, metavar="SECONDS")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME")
    options = parser.parse_args()
    names = ["bare injection"] + [name for name in options.only if name != "bare injection"]
    for name in list(names):
        if reason := missing(name):
            print(f"{name}: {reason}")
            names.remove(name)
    runs = {name: [] for name in names}
    for _ in range(options.runs):
        for name in names:
            runs[name].append(measured(name, options.window))
    print_table(runs)
    lost = sum(max(0, run["sent"] - run["came"] - run["drops"]) for results in runs.values() for run in results
               if "sent" in run)
    print(f"frames that noctule counts as sent, that did not come, and that no counter of its own tells of: {lost}")
    figures = {"runs": runs, "unreported": lost}
    if "noctule" in runs:
        figures["sample"], figures["rss_mb_at_5_mpps"] = sampled(middle(runs["noctule"])), memory()
        print("sample:", json.dumps(figures["sample"]))
        print(f"peak memory at {RSS_RATE:,} a second: {figures['rss_mb_at_5_mpps']:.1f} MB, bar {RSS_BAR}")
    print("\n".join(" ".join(results[0]["argv"]) for results in runs.values()))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
