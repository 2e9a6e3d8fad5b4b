#!/usr/bin/python3
"""Accuracy, case by case: what noctule, masscan, ZMap and nmap find in worlds whose truth is known, and at what price.

Each run has a world of its own; the scanners take turns, so that the machine's mood is the same for all. All get the
same rate, but for nmap, which has a pace of its own and so a smaller world. ZMap scans one port a run: cases with
several ports are not for it. Medians of the runs; every run is in the JSON file, which keeps the cases that were not
measured anew: --runs 0 --markdown shows them all. Columns:

  recall, worst     of what is truly open: found; the worst run of it
  false, twice      findings that are not true, or said again: sums over all runs
  packets           probes that came to the world, or to the firewall in front of it
  / due             beside those of a ledger that knows each endpoint's fate and tries as often at most
  zmap, same        what ZMap would send for the same recall: as many probes to every endpoint
  seconds           of the whole process
  missed, said      what noctule truly missed, and its own estimate's 95 % interval: of the worst run
  bar               noctule: nothing false, and in each run the recall of the bar or an interval that holds the truth
"""
import argparse
import json
import pathlib

import scanners  # it knows where the lab is

import caselist
import casetable


def measured(case, names, turns):
    """Every row's runs, of the scanners that are there: {label: [record, ...]}."""
    rows = [row for row in case.rows if row.scanner in names]
    runs = {row.label: [] for row in rows}
    for turn in range(turns):
        for row in rows:
            runs[row.label].append(case.measure(case, row, turn))
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", nargs="+", metavar="NAME", choices=caselist.CASES, default=list(caselist.CASES),
                        help=" ".join(caselist.CASES))
    parser.add_argument("--scanners", nargs="+", metavar="NAME", choices=scanners.SCANNERS,
                        default=list(scanners.SCANNERS), help=" ".join(scanners.SCANNERS))
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--markdown", action="store_true", help="the tables as a document wants them")
    options = parser.parse_args()

    here = [name for name in options.scanners if scanners.installed(name)]
    for name in set(options.scanners) - set(here):
        print(f"{name}: not installed")
    kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json and options.json.exists() else {}
    for name in options.cases:
        case = caselist.CASES[name]
        if options.runs:
            kept[name] = kept.get(name, {}) | measured(case, here, options.runs)
        if options.runs and options.json:
            options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        if name in kept:
            casetable.show(name, case, kept[name], options.markdown)


if __name__ == "__main__":
    main()
