"""The scanners that are measured beside each other: their command lines, their runs, and what they found."""
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "lab"))

import netlab  # noqa: E402
from world.internet import GATEWAY, SCANNER  # noqa: E402


def ports(world):
    last = world.first_port + world.ports - 1
    return str(last) if world.ports == 1 else f"{world.first_port}-{last}"


def noctule(world, rate, out, *options):
    pace = ["--rate", rate] if rate else []
    return [netlab.NOCTULE, "-q", world.universe, "-p", ports(world), *pace, *options, "-o", f"jsonl:{out}"]


def masscan(world, rate, out, *options):
    """--router-ip is needed in a namespace; --wait, unless given, is the shortest that its documentation names."""
    pace = ["--rate", rate] if rate else []
    wait = [] if "--wait" in options else ["--wait", 3]
    return ["masscan", world.universe, "-p", ports(world), *pace, *wait, "--interface", "scan0", "--source-ip", SCANNER,
            "--router-ip", GATEWAY, *options, "-oL", out]


def zmap(world, rate, out, *options):
    """-b: its default list excludes this benchmarking range. It scans one port a run. -c, its wait for the last answers,
    is 3 s unless given, as masscan's."""
    pace = ["-r", rate] if rate else []
    wait = [] if "-c" in options else ["-c", 3]
    stir(world)
    netlab.wait_until(lambda: "lladdr" in world.scanner.ip("neigh", "show", GATEWAY, "dev", "scan0"),
                      what="the gateway's MAC address")
    mac = json.loads(world.scanner.ip("-j", "neigh", "show", GATEWAY, "dev", "scan0"))[0]["lladdr"]
    return ["zmap", "-q", "-p", ports(world), world.universe, *pace, *wait, "-i", "scan0", "-S", SCANNER, "-G", mac,
            "-b", "/dev/null", *options, "-o", out]


def nmap(world, rate, out, *options):
    """Its pace is its own. -n -Pn: no names, and no pings first, as with the others."""
    return ["nmap", "-n", "-Pn", "-sS", "-p", ports(world), *options, "-oG", out, world.universe]


SCANNERS = {"noctule": noctule, "masscan": masscan, "zmap": zmap, "nmap": nmap}


def installed(name):
    return name == "noctule" or shutil.which(name) is not None


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
    seconds = time.monotonic() - start
    if not ended:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL): # the second one is heard where the first is not
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(12)
                break
    return seconds, ended


def found(path, port):
    """The open (address, port) pairs of a scanner's result file: JSON lines, masscan's list, nmap's grepable form, or,
    for one port, an address a line."""
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        words = line.split()
        if line.startswith("{"):
            record = json.loads(line)
            if record.get("state") == "open":
                pairs.append((record["ip"], record["port"]))
        elif line.startswith("open"):
            pairs.append((words[3], int(words[2])))
        elif line.startswith("Host:"):
            pairs += [(words[1], int(number)) for number in re.findall(r"(\d+)/open/", line)]
        elif line and line[0].isdigit():
            pairs.append((words[0], port))
    return pairs


def judged(world, pairs, retries=0):
    """The judge's verdict on these pairs, none of them twice, as if said by a scanner with so many retries."""
    lines = world.path("found.jsonl")
    lines.write_text("".join(json.dumps({"ip": ip, "port": port, "proto": "tcp", "state": "open"}) + "\n"
                             for ip, port in sorted(set(pairs))), encoding="ascii")
    return world.judge(lines, retries)


def scan(world, name, rate, *options, limit):
    """One run of a scanner over the whole world; a flat record of what came of it."""
    out = world.path("found")
    argv = [str(word) for word in SCANNERS[name](world, rate, out, *options)]
    seconds, ended = timed(world, argv, limit)
    stats, pairs = world.settled(), found(out, world.first_port)
    verdict = judged(world, pairs)
    return {"recall": verdict["recall"], "found": verdict["found"], "open": verdict["open_true"],
            "endpoints": verdict["endpoints"], "false": verdict["false"] + verdict["outside"],
            "duplicate": len(pairs) - len(set(pairs)), "packets": stats["syn"], "seconds": seconds, "ended": ended,
            "argv": argv}
