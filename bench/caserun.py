"""One run of one scanner in one case, and what came of it."""
import datetime
import ipaddress
import json

import scanners
from realhost import FilteredHost

import netlab
from world.internet import ARRIVALS_PER_SECOND, SCANNER, World

PATIENCE = 150  # seconds that a run may take
NMAP_PATIENCE = 60
HOST_PATIENCE = 300
STEADY_FROM_MS = 3000  # by then a rate that is looked for should be found
STEADY_SHARE = 0.98    # of all packets: what comes later are the last tries, and thin
PROBES_MAX = 16  # an endpoint, of a ZMap that is after the same recall


def world_key(settings, turn):
    """A key under which nothing is open at the scanner's own address and those that its /24 sets apart: what is there
    isn't the world's to answer."""
    network = ipaddress.ip_interface(f"{SCANNER}/24").network
    apart = [str(address) for address in (network[0], network[1], SCANNER, network[-1])]
    key = 1000 + turn
    while apart_open(settings | {"key": key}, apart):
        key += 1000
    return key


def apart_open(settings, addresses):
    options = [word for name, value in settings.items() for word in ("--" + name.replace("_", "-"), value)]
    lines = "".join(json.dumps({"ip": ip, "port": settings.get("first_port", 1), "proto": "tcp", "state": "open"}) + "\n"
                    for ip in addresses)
    done = netlab.run(netlab.helper("tests/lab/world/judge"), *options, "/dev/stdin", input=lines)
    return json.loads(done.stdout)["found"] > 0


def zmap_probes(world, pairs, wanted):
    """Probes to every endpoint by which so many open ones are reached, by what is true; None if that takes too many."""
    for probes in range(1, PROBES_MAX + 1):
        if scanners.judged(world, pairs, probes - 1)["open_reachable"] >= wanted:
            return probes * scanners.judged(world, pairs)["endpoints"]
    return None


def hear_noctule(record, path, bar):
    """What noctule itself says, and whether that meets the bar. Returns (its findings, its summary or None)."""
    findings, others = netlab.records(path)
    summary = next((other for other in others if other["type"] == "summary"), None)
    missed = record["open"] - record["found"]
    said = summary and summary.get("missed")
    holds = bool(said) and said["low"] <= missed <= said["high"]
    record |= {"missed": missed, "said": [said["low"], said["high"]] if said else None,
               "ok": record["ended"] and not record["false"] and (record["recall"] >= bar or holds)}
    if summary:
        record |= {"drops": sum(summary["drops"].values()), "undecided": summary["undecided"],
                   "retries": summary["retries"], "rate": summary.get("rate_auto")}
    return findings, summary


def last_finding(findings, summary, chosen):
    """Seconds from the scan's start to the last finding of the chosen addresses."""
    start = datetime.datetime.fromisoformat(summary["start"].replace("Z", "+00:00"))
    times = [datetime.datetime.fromisoformat(finding["timestamp"].replace("Z", "+00:00")) for finding in findings
             if chosen(finding["ip"])]
    return (max(times) - start).total_seconds() if times else None


def steady_rate(arrivals):
    """Probes a second at the far end from STEADY_FROM_MS on, until all but the last few have come."""
    end = int((arrivals.cumsum() < STEADY_SHARE * arrivals.sum()).sum())
    steady = arrivals[STEADY_FROM_MS:end]
    return float(steady.mean() * ARRIVALS_PER_SECOND) if len(steady) else None


def in_world(case, row, turn):
    settings = case.settings | row.settings | (case.small if row.scanner == "nmap" else {})
    firewall = settings.pop("firewall", None)
    with netlab.Lab() as lab:
        world = World(lab, firewall=firewall, **settings, key=world_key(settings, turn))
        record = scanners.scan(world, row.scanner, row.rate, *row.options,
                               limit=NMAP_PATIENCE if row.scanner == "nmap" else PATIENCE)
        stats = world.stats()
        if "police" in settings:
            record |= {"policed": stats["policed"], "path_pps": settings["police"],
                       "steady_pps": steady_rate(world.arrivals())}
        if firewall:
            record["refused"] = world.firewall.refused()
            record["packets"] += record["refused"]
        if "answer_limit" in settings:
            record["answers_limited"] = stats["answer_limited"]
        record["dropped"] = sum(world.drops().values())
        if row.scanner == "noctule":
            findings, summary = hear_noctule(record, world.path("found"), row.bar)
            if summary and case.fated:
                pairs = scanners.found(world.path("found"), 1)
                record |= {"due": scanners.judged(world, pairs, summary["retries"])["expected_frames"],
                           "zmap_same": zmap_probes(world, pairs, record["found"])}
            if summary and "answer_limited_hosts" in case.settings:
                first = world.endpoint(0)[0]
                record |= {"last_first": last_finding(findings, summary, lambda ip: ip == first),
                           "last_others": last_finding(findings, summary, lambda ip: ip != first)}
    return record


def at_host(case, row, turn):
    with netlab.Lab() as lab:
        host = FilteredHost(lab, case.settings["listeners"], turn)
        out = host.path("found")
        argv = [str(word) for word in scanners.SCANNERS[row.scanner](host, row.rate, out, *row.options)]
        seconds, ended = scanners.timed(host, argv, HOST_PATIENCE)
        numbers = [port for _, port in scanners.found(out, 1)]
        found = host.open & set(numbers)
        record = {"recall": len(found) / len(host.open), "found": len(found), "open": len(host.open),
                  "endpoints": host.ports, "false": len(set(numbers) - host.open),
                  "duplicate": len(numbers) - len(set(numbers)), "seconds": seconds, "ended": ended, "argv": argv,
                  "packets": host.scanner.interface_counts("scan0")["tx_packets"]}
        if row.scanner == "noctule":
            hear_noctule(record, out, row.bar)
    return record
