#!/usr/bin/python3
"""UDP on real Linux hosts, each with five services and 65,530 closed ports of which the kernel tells one a second.

Three scans at the same time, each of a host of its own in namespaces of its own: ports 1-1000 by noctule with all the
time it wants (--host-timeout 0), the same by nmap, and all 65,535 ports by noctule as it comes, with its default host
timeout. Accuracy is the share of ports with the right state: open where a service answers, open|filtered where one
is silent, else closed. Takes about twenty minutes, as nmap does.
"""
import argparse
import concurrent.futures
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from real import peer, udp  # noqa: E402

PATIENCE = 7200


def noctule(host, folder, ports, *words):
    """(seconds, {port: state}, summary)"""
    results = folder / "found.jsonl"
    start = time.monotonic()
    host.near.run(netlab.NOCTULE, "-q", "-sU", "-p", ports, udp.HOST[4], *words, "--show", "all", "-o", results,
                  timeout=PATIENCE)
    seconds = time.monotonic() - start
    found = {f["port"]: f["state"] for f in netlab.records(results)[0] if f["reason"] != "rate-limited"}
    return seconds, found, netlab.summary(results)


def nmap(host, _, ports):
    start = time.monotonic()
    said = peer.nmap(host.near, ["-sU"], udp.HOST[4], [ports], pace=(),
                     timeout=PATIENCE)
    return time.monotonic() - start, {port: word.state for port, word in said.items()}, None


def judged(name, ports, seconds, found, summary):
    """A record of what a scan said and what is true."""
    right = udp.truth(ports)
    return {
        "scanner": name, "ports": len(ports), "seconds": round(seconds, 1),
        "right": sum(found.get(port) == state for port, state in right.items()),
        "wrong": sum(port in found and found[port] != state for port, state in right.items()),
        "undecided": len(ports) - len(found),
        "services_found": sorted(port for port, state in found.items() if state == "open"),
        "closed_called_open_filtered": sum(found.get(port) == "open|filtered" for port in ports
                                           if right[port] == "closed"),
        "summary": summary and {key: summary[key] for key in ("undecided", "hosts_limited", "sent", "states")},
    }


RUNS = (("noctule -p1-1000 --host-timeout 0", noctule, range(1, 1001), ("1-1000", "--host-timeout", "0")),
        ("nmap -sU -p1-1000", nmap, range(1, 1001), ("1-1000",)),
        ("noctule -p1-65535", noctule, range(1, 65536), ("1-65535",)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--only", metavar="WORD", default="", help="the scans whose names hold this word")
    options = parser.parse_args()
    chosen = [run for run in RUNS if options.only in run[0]]
    records = []
    with netlab.Lab() as lab, tempfile.TemporaryDirectory(prefix="noctule-udp-") as folder, \
            concurrent.futures.ThreadPoolExecutor(len(chosen)) as pool:
        started = []
        for number, (name, scan, ports, words) in enumerate(chosen):
            place = pathlib.Path(folder, str(number))
            place.mkdir()
            host = udp.UdpHost(lab, place)
            started.append((name, ports, pool.submit(scan, host, place, *words)))
        for name, ports, run in started:
            record = judged(name, ports, *run.result())
            records.append(record)
            print(f"{name}: {record['seconds']:.0f} s, {record['right']} of {record['ports']} right "
                  f"({100 * record['right'] / record['ports']:.2f} %), {record['wrong']} wrong, "
                  f"{record['undecided']} undecided; open: {', '.join(map(str, record['services_found']))}; "
                  f"closed ports called open|filtered: {record['closed_called_open_filtered']}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"bench": "udp_real", "runs": records}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
