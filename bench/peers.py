#!/usr/bin/python3
"""noctule beside masscan and ZMap, one port of the synthetic internet: recall, packets and time in the same run.

198.18.0.0/15, one port (131,072 endpoints, 1 % open, 50 % closed), with and without loss; the scanners take turns, so
that the machine's mood is the same for all. A peer that is not installed is said to be missing. Each gets the options
that its own documentation recommends for this case, and every command line is printed.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from world.internet import GATEWAY, SCANNER, World  # noqa: E402

NET = "198.18.0.0/15"
ENDPOINTS = 131072
PATIENCE = 15  # seconds beyond four probes an endpoint: masscan at times waits for ever


def noctule(world, rate, out):
    return [netlab.NOCTULE, "-q", NET, "-p1", "--rate", rate, "-o", f"hostport:{out}"]


def masscan(world, rate, out):
    """--router-ip is needed in a namespace; --wait is the shortest that its documentation names."""
    return ["masscan", NET, "-p1", "--rate", rate, "--wait", 3, "--interface", "scan0", "--source-ip", SCANNER,
            "--router-ip", GATEWAY, "-oL", out]


def masscan_retries(world, rate, out):
    return masscan(world, rate, out) + ["--retries", 3]


def zmap(world, rate, out):
    """-b: its default list excludes this benchmarking range."""
    gateway = world.far.address("world0")
    return ["zmap", "-q", "-p", 1, NET, "-r", rate, "-i", "scan0", "-S", SCANNER, "-G", gateway, "-c", 3, "-b",
            "/dev/null", "-o", out]


def zmap_probes(world, rate, out):
    return zmap(world, rate, out) + ["-P", 3]


SCANNERS = {"noctule": noctule, "masscan": masscan, "masscan --retries 3": masscan_retries, "zmap": zmap,
            "zmap -P 3": zmap_probes}


def found(path):
    """The addresses in a scanner's result file, whatever its format: hostport, masscan's list, or one a line."""
    if not path.exists():
        return []
    addresses = []
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("open"):
            addresses.append(words[3])
        elif line and line[0].isdigit():
            addresses.append(words[0].split(":")[0])
    return addresses


def stir(world):
    """One ARP exchange. No real network is quite silent, and masscan's receive thread looks at the clock only when a
    packet comes."""
    world.scanner.ip("neigh", "flush", "dev", "scan0")
    with world.scanner.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
        s.sendto(b"", (GATEWAY, 9))


def timed(world, argv, limit):
    """Runs a scanner; one that does not end by itself is sent SIGINT. Returns (seconds, whether it ended by itself)."""
    start = time.monotonic()
    process = world.scanner.start(*argv, cwd=world.folder.name, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
    ended = False
    while not ended and time.monotonic() - start < limit:
        stir(world)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
            ended = True
    if not ended:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL): # the second one is heard where the first is not
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(12)
                break
    return time.monotonic() - start, ended


def one_run(build, rate, loss, key):
    with netlab.Lab() as lab:
        world = World(lab, net=NET, ports=1, open=10000, closed=500000, key=key, loss_in=loss, loss_out=loss)
        out = world.path("found")
        argv = build(world, rate, out)
        seconds, ended = timed(world, argv, 4 * ENDPOINTS / rate + PATIENCE)
        stats = world.settled()
        addresses = found(out)
        # The judge reads JSON lines; what it is asked here is only the truth.
        lines = world.path("found.jsonl")
        lines.write_text("".join(json.dumps({"ip": a, "port": 1, "proto": "tcp", "state": "open"}) + "\n"
                                 for a in sorted(set(addresses))))
        verdict = world.judge(lines, 0)
        return {"recall": verdict["found"] / verdict["open_true"], "false": verdict["false"],
                "duplicate": len(addresses) - len(set(addresses)), "packets": stats["syn"], "seconds": seconds,
                "ended": ended, "argv": [str(word) for word in argv]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="+", type=int, default=[100000], metavar="PPS")
    parser.add_argument("--losses", nargs="+", type=int, default=[0, 50000], metavar="PPM", help="loss each way")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    here = {name: build for name, build in SCANNERS.items() if name == "noctule" or shutil.which(name.split()[0])}
    for name in SCANNERS.keys() - here.keys():
        print(f"{name}: not installed")
    figures, shown = [], set()
    print(f"{'scanner':22}{'rate':>8}{'loss':>7}{'recall':>10}{'worst':>10}{'false':>7}{'double':>7}{'packets':>10}"
          f"{'seconds':>9}{'hung':>6}")
    for rate in options.rates:
        for loss in options.losses:
            runs = {name: [] for name in here}
            for turn in range(options.runs):
                for name, build in here.items():
                    runs[name].append(one_run(build, rate, loss, 1000 + turn))
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
