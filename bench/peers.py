#!/usr/bin/python3
"""noctule beside masscan and ZMap, one port of the synthetic internet: recall, packets and time in the same run.

198.18.0.0/15, one port (131,072 endpoints, 1 % open, 50 % closed), with and without loss; the scanners take turns, so
that the machine's mood is the same for all. A peer that is not installed is said to be missing. Each gets the options
that its own documentation recommends for this case, and every command line is printed.
"""
import argparse
import json
import pathlib
import statistics

import scanners  # it knows where the lab is

import netlab
from world.internet import World

NET = "198.18.0.0/15"
ENDPOINTS = 131072
PATIENCE = 15  # seconds beyond four probes an endpoint: masscan at times waits for ever
VARIANTS = {"noctule": (), "masscan": (), "masscan --retries 3": ("--retries", 3), "zmap": (), "zmap -P 3": ("-P", 3)}


def one_run(variant, rate, loss, key):
    with netlab.Lab() as lab:
        world = World(lab, net=NET, ports=1, open=10000, closed=500000, key=key, loss_in=loss, loss_out=loss)
        return scanners.scan(world, variant.split()[0], rate, *VARIANTS[variant],
                             limit=4 * ENDPOINTS / rate + PATIENCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="+", type=int, default=[100000], metavar="PPS")
    parser.add_argument("--losses", nargs="+", type=int, default=[0, 50000], metavar="PPM", help="loss each way")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    here = [name for name in VARIANTS if scanners.installed(name.split()[0])]
    for name in VARIANTS.keys() - set(here):
        print(f"{name}: not installed")
    figures, shown = [], set()
    print(f"{'scanner':22}{'rate':>8}{'loss':>7}{'recall':>10}{'worst':>10}{'false':>7}{'double':>7}{'packets':>10}"
          f"{'seconds':>9}{'hung':>6}")
    for rate in options.rates:
        for loss in options.losses:
            runs = {name: [] for name in here}
            for turn in range(options.runs):
                for name in here:
                    runs[name].append(one_run(name, rate, loss, 1000 + turn))
            for name, results in runs.items():
                median = {key: statistics.median(r[key] for r in results) for key in ("recall", "packets", "seconds")}
                figures.append({"scanner": name, "rate": rate, "loss_ppm": loss, "runs": results})
                print(f"{name:22}{rate:8}{loss / 10000:6.0f}%{median['recall']:10.5f}"
                      f"{min(r['recall'] for r in results):10.5f}{sum(r['false'] for r in results):7}"
                      f"{sum(r['duplicate'] for r in results):7}{median['packets']:10.0f}{median['seconds']:9.2f}"
                      f"{sum(not r['ended'] for r in results):6}",
                      flush=True)
                shown.add(" ".join(results[0]["argv"]))
    print("\n".join(sorted(shown)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
