#!/usr/bin/python3
"""Whole scans by --wire xdp at millions of packets a second: recall, and whether every loss on this machine is told.

The synthetic internet with 2^22 endpoints, 1 % open: with 10 % closed at 1, 2 and 3 Mpps; with 50 % closed at rising
rates, until recall falls, and by --rate auto. "Lost" are frames that one side sent and the other never saw, "untold"
those of them that the scan's summary does not count as dropped. Re-probes mend what is lost, so that it need not cost
recall.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess

import numpy
from transmit import netlab, peak_rss  # it knows where the lab is
from world.internet import World

UNIVERSE = {"net": "198.19.0.0/16", "ports": 64, "open": 10000}
RATES = (1000000, 2000000, 3000000)
RISING = (500000, 1000000, 1500000, 2000000, 2500000, 3000000, 4000000)
BEYOND = 1  # rates that are tried above the first one with less than full recall
PATIENCE = 120  # seconds
STATS = "kernel.bpf_stats_enabled"


def fastest(arrivals, seconds=0.5):
    """Probes a second that came to the world, in the fullest half second."""
    width = int(seconds * 1000)
    sums = numpy.convolve(arrivals, numpy.ones(width), "valid") if len(arrivals) > width else [arrivals.sum()]
    return float(max(sums)) / (min(width, len(arrivals)) / 1000)


def scan(closed, rate, key, *options):
    """One scan of a world of its own; a flat record of it."""
    with netlab.Lab() as lab:
        world = World(lab, threaded=True, closed=closed, key=key, **UNIVERSE)
        argv = [netlab.NOCTULE, world.universe, "-p", f"1-{world.ports}", "--wire", "xdp", "--rate", rate, *options,
                "-q", "-o", world.findings]
        process = world.scanner.start(*argv)
        peak = 0.0
        for _ in range(PATIENCE * 10):
            with contextlib.suppress(TypeError, FileNotFoundError, ProcessLookupError):  # it has just ended
                peak = peak_rss(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                break
        error = process.communicate(timeout=20)[1].strip() if process.poll() else None
        stats, summary = world.settled(), netlab.summary(world.findings)
        verdict = world.judge(world.findings, summary["retries"])
        answers = stats["syn_ack"] + stats["rst_ack"]
        drops = summary["drops"]
        lost = (summary["sent"] - stats["syn"], answers + stats["arp_answers"] - summary["received"])
        told = (drops["interface_tx_dropped"], drops["ring_dropped"] + drops["interface_dropped"])
        return {"asked": rate, "closed_ppm": closed, "fastest": fastest(world.arrivals()),
                "seconds": summary["duration_ns"] / 1e9, "recall": verdict["recall"], "false": verdict["false"],
                "wrong": verdict["wrong_state"], "duplicate": verdict["duplicate"], "sent": summary["sent"],
                "arrived": stats["syn"], "answers": answers, "received": summary["received"], "lost": sum(lost),
                "untold": sum(max(0, frames - drop) for frames, drop in zip(lost, told)), "drops": drops,
                "lab_drops": world.drops(), "ended": summary["ended"], "error": error,
                "tries": summary["sent_at_try"], "rss_mb": peak, "load": os.getloadavg()[0],
                "argv": [str(word) for word in argv]}


def summed_up(runs):
    """The medians of several runs, and the worst of what should be perfect."""
    middle = {key: statistics.median(run[key] for run in runs)
              for key in ("fastest", "seconds", "sent", "lost", "rss_mb")}
    worst = {key: max(run[key] for run in runs) for key in ("false", "wrong", "duplicate", "untold")}
    return {"asked": runs[0]["asked"], "closed": runs[0]["closed_ppm"] / 10000, **middle, **worst,
            "recall": min(run["recall"] for run in runs), "errors": {run["error"] for run in runs} - {None}}


def print_head():
    print(f"{'asked':>9}{'closed':>8}{'fastest':>10}{'seconds':>9}{'worst recall':>14}{'false':>7}{'wrong':>7}"
          f"{'double':>8}{'probes':>11}{'lost':>10}{'untold':>8}{'peak MB':>9}")


def print_row(row):
    print(f"{row['asked']!s:>9}{row['closed']:7.0f}%{row['fastest'] / 1e6:10.3f}{row['seconds']:9.2f}"
          f"{row['recall']:14.7f}{row['false']:7}{row['wrong']:7}{row['duplicate']:8}{row['sent']:11.0f}"
          f"{row['lost']:10.0f}{row['untold']:8}{row['rss_mb']:9.1f}", *row["errors"], flush=True)


def measured(figures, closed, rate, runs, *options):
    results = [scan(closed, rate, 2000 + turn, *options) for turn in range(runs)]
    figures += results
    row = summed_up(results)
    print_row(row)
    return row


def rising(figures, runs):
    """Returns the highest rate whose scans found everything, or None."""
    best, left = None, BEYOND
    for rate in RISING:
        row = measured(figures, 500000, rate, runs)
        if row["recall"] == 1 and not row["errors"]:
            best = rate
        elif left == 0:
            break
        else:
            left -= 1
    return best


def programs():
    """What the kernel says of the programs called world, by their numbers."""
    listing = json.loads(netlab.run("bpftool", "-j", "prog", "show").stdout)
    return {program["id"]: program for program in listing if program.get("name") == "world"}


def world_cost(closed):
    """Nanoseconds that the world looks at a frame, by the kernel's own count, which itself takes some of them."""
    with netlab.Lab() as lab:
        before = programs()
        world = World(lab, threaded=True, closed=closed, key=2100, **UNIVERSE)
        number = max(programs().keys() - before.keys())
        was = netlab.run("sysctl", "-n", STATS).stdout.strip()
        netlab.run("sysctl", "-qw", f"{STATS}=1")
        try:
            world.scan("-p", f"1-{world.ports}", "--wire", "xdp", "--rate", RATES[-1], "-q")
            program = programs()[number]
        finally:
            netlab.run("sysctl", "-qw", f"{STATS}={was}")
        return program["run_time_ns"] / program["run_cnt"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    scans = []
    print_head()
    for rate in RATES:
        measured(scans, 100000, rate, options.runs)
    best = rising(scans, options.runs)
    auto = measured(scans, 500000, "auto", options.runs, "--max-rate", "10M")
    costs = {closed: world_cost(closed) for closed in (100000, 500000)}
    print(f"50 % closed: highest rate with recall 1.0: {best}; --rate auto went to {auto['fastest']:.0f} a second")
    for closed, cost in costs.items():
        print(f"the world itself takes {cost:.0f} ns a frame with {closed // 10000} % closed")
    print(" ".join(scans[0]["argv"]))
    if options.json:
        figures = {"scans": scans, "highest_with_full_recall": best, "world_ns": costs}
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
