#!/usr/bin/python3
"""The estimate of what a scan missed, held against what it did miss: random scans of random lossy worlds.

Prints a line for all scans and for each kind of them; with --json FILE, writes every scan. The draws are those of
tests/lab/world/lossy.py. Several scans run at a time, each in namespaces of its own: most of their time is waiting.
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from world import lossy  # noqa: E402

MANY = 10  # expected to be missed: from there on an interval can also be too wide
COLUMNS = (("scans", 6), ("holds truth", 12), (f"of these, > {MANY} expected", 24), ("median width", 13), ("widest", 8),
           ("missed", 8), ("estimated", 10))


def one_scan(number):
    with netlab.Lab() as lab:
        return lossy.scan(lab, number)


def kinds(runs):
    """Names, each with the runs that it fits."""
    yield "all", runs
    yield "even loss", [run for run in runs if "bad_hosts" not in run]
    yield "worse paths", [run for run in runs if "bad_hosts" in run]
    yield "duplicates", [run for run in runs if "duplicate" in run]
    for retries in sorted({run["retries"] for run in runs}, key=str):
        yield f"--retries {retries}", [run for run in runs if run["retries"] == retries]


def held(runs):
    share = 100 * sum(run["holds"] for run in runs) / len(runs) if runs else 100
    return f"{share:.1f} %"


def row(runs):
    many = [run for run in runs if run["expected"] > MANY]
    widths = [run["width"] for run in runs]
    return (str(len(runs)), held(runs), f"{held(many)} of {len(many)}", f"{statistics.median(widths):.2f}",
            f"{max(widths):.2f}", str(sum(run["missed"] for run in runs)), str(sum(run["estimate"] for run in runs)))


def show(name, cells):
    print(name.ljust(15) + "  ".join(cell.rjust(width) for cell, (_, width) in zip(cells, COLUMNS)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=4, help="scans at a time")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()

    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(one_scan, range(options.scans)))
    print(f"{options.scans} scans; width: of the 95 % interval, in units of 4 sqrt(missed) + 4")
    show("", [name for name, _ in COLUMNS])
    for name, some in kinds(runs):
        if some:
            show(name, row(some))
    print(f"false: {sum(run['false'] for run in runs)}; lost here: {sum(sum(run['drops'].values()) for run in runs)}; "
          f"scans that took hosts for limited: {sum(run['hosts_limited'] > 0 for run in runs)}")
    if options.json:
        options.json.write_text(json.dumps({"bench": "estimate", "runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
