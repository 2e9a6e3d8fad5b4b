#!/usr/bin/python3
"""Recall in the synthetic internet at several rates: ten scans each, every frame accounted for.

Prints a table of medians (with the worst run beside them) and, with --json FILE, writes every run. The lab is that of
the tests: 198.19.0.0/18, ports 1-20, 1 % open, 50 % closed. Its far end runs inside the scanner's send calls unless
--threaded gives it a thread of its own.
"""
import argparse
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from world.internet import World  # noqa: E402

RETRIES = 3
MISTAKES = ("false", "duplicate", "wrong_state", "outside", "bad_lines")
TEN_MS = 10  # bins of the world's histogram
COLUMNS = (("asked", 8), ("sent/s", 8), ("recall", 9), ("worst", 9), ("mistakes", 8), ("frames/due", 10), ("again", 6),
           ("lost here", 9), ("10 ms peak", 10), ("seconds", 8))


def first_tries(arrivals, endpoints):
    """Of the arrivals, the bins in which the first tries came: until as many frames had come as there are endpoints."""
    return arrivals[:int((arrivals.cumsum() < endpoints).sum())]


def one_run(rate, key, threaded):
    """One scan of one world of its own; a flat record of what came of it."""
    with netlab.Lab() as lab:
        world = World(lab, threaded=threaded, open=10000, closed=500000, key=key)
        world.scan("-p", "1-20", "--rate", rate, "--retries", RETRIES, timeout=300)
        stats, summary = world.settled(), netlab.summary(world.findings)
        verdict = world.judge(world.findings, RETRIES)
        steady = first_tries(world.arrivals(), verdict["endpoints"])
        tens = steady[:len(steady) // TEN_MS * TEN_MS].reshape(-1, TEN_MS).sum(axis=1)
        return {
            "rate": rate, "key": key, "recall": verdict["recall"],
            **{name: verdict[name] for name in (*MISTAKES, "open_true", "found", "frames", "expected_frames",
                                                "probed_after_answer")},
            "achieved_pps": float(steady.sum() * 1000 / max(len(steady), 1)),
            "peak_share_of_10ms": float(tens.max(initial=0) / (rate / 100)),
            "seconds": summary["duration_ns"] / 1e9,
            "bad_sum": stats["bad_sum"],
            "drops": {**world.drops(), **summary["drops"]},
        }


def row(runs):
    def median(name):
        return statistics.median(run[name] for run in runs)

    return (f"{runs[0]['rate']}", f"{median('achieved_pps'):.0f}", f"{median('recall'):.5f}",
            f"{min(run['recall'] for run in runs):.5f}", f"{sum(run[name] for run in runs for name in MISTAKES)}",
            f"{statistics.median(run['frames'] / run['expected_frames'] for run in runs):.5f}",
            f"{sum(run['probed_after_answer'] for run in runs)}", f"{sum(sum(run['drops'].values()) for run in runs)}",
            f"{median('peak_share_of_10ms'):.2f}", f"{median('seconds'):.2f}")


def show(cells):
    print("  ".join(cell.rjust(width) for cell, (_, width) in zip(cells, COLUMNS)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[20000, 100000, 500000], metavar="PPS")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threaded", action="store_true", help="the far end has a thread of its own")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()

    print(f"world 198.19.0.0/18 ports 1-20, 1 % open, 50 % closed; {RETRIES} retries; medians of {options.runs}")
    show([name for name, _ in COLUMNS])
    everything = []
    for rate in options.rates:
        runs = [one_run(rate, 100 + number, options.threaded) for number in range(options.runs)]
        everything += runs
        show(row(runs))
        losses = {layer: sum(run["drops"][layer] for run in runs) for layer in runs[0]["drops"]}
        print("          lost by layer:", ", ".join(f"{layer} {n}" for layer, n in losses.items()), flush=True)
    print("again = endpoints probed after their answer was let through; 10 ms peak = the most first tries in 10 ms, "
          "1 being the share of the rate")
    if options.json:
        options.json.write_text(json.dumps({"bench": "accuracy_world", "runs": everything}, indent=1) + "\n",
                                encoding="utf-8")


if __name__ == "__main__":
    main()
