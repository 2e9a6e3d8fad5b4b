"""Plays one case: two namespaces, the odd world in the far one, a scan from the near one."""

import ipaddress
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import netlab
from odd.case import V4, V6
from odd.packet import ECHO, RST, SYN

LAB = Path(__file__).resolve().parents[1]  # where the package odd lies
SCAN_SECONDS = 90  # no scan here may take longer, however slow the machine


@dataclass(frozen=True)
class Outcome:
    """What the scanner said, and what the odd world saw of it."""
    stderr: str
    findings: list   # in the order written
    summary: dict
    log: dict        # see responder.py

    def last(self):
        """(address, port) -> its last record; hosts have port 0."""
        return {(f["ip"], f.get("port", 0)): f for f in self.findings}

    def segments(self, flags):
        """(address, port) -> the frames with exactly these flags that it was sent, oldest first."""
        found = defaultdict(list)
        for frame in self.log["seen"]:
            if frame["kind"] == "tcp" and frame["flags"] == flags:
                found[frame["dst"], frame["dport"]].append(frame)
        return found

    def probes(self, technique="syn"):
        """(address, port) -> the probes of a technique that it was sent; of pings the echo requests."""
        if technique == "syn":
            return self.segments(SYN)
        found = defaultdict(list)
        kind = {"udp": "udp", "sctp-init": "sctp", "sctp-cookie": "sctp", "protocol": "ip", "ping": "icmp"}[technique]
        for frame in self.log["seen"]:
            to_group = frame.get("dst", "").startswith("ff")  # the scanner's kernel joins its groups
            if frame["kind"] == kind and not to_group and (technique != "ping" or frame["type"] in ECHO.values()):
                found[frame["dst"], frame["dport"]].append(frame)
        return found

    def resets(self):
        """Those that left from a source port of the scanner's; others are its kernel's own business."""
        ours = {probe["sport"] for tries in self.probes().values() for probe in tries}
        sent = {end: [r for r in resets if r["sport"] in ours] for end, resets in self.segments(RST).items()}
        return {end: resets for end, resets in sent.items() if resets}


def command_of(case, results):
    ports = sorted(case.expect)
    asked = [] if case.way.name == "ping" else ["-p", f"{case.way.letter}{ports[0]}-{ports[-1]}"]
    return [netlab.NOCTULE, case.target, *case.honest, case.way.option, *asked, "--show", "all", "-o", str(results),
            *case.options]


def join(lab):
    """The scanner's namespace, and the odd world's with the veth end that the responder takes."""
    near, far = lab.namespace("near"), lab.namespace("far")
    lab.veth(near, "veth0", far, "veth1")
    for who, length, *flags in ((V4, 24), (V6, 64, "nodad")):
        near.ip("address", "add", f"{who.scanner}/{length}", "dev", "veth0", *flags)
        distant = ipaddress.ip_interface(f"{who.far.target}/{length}").network
        near.ip("route", "add", distant, "via", who.router)
    return near, far


def play(case, folder, meddle=None):
    """Scans the case's world and returns the Outcome. `meddle(process)` runs while the scan does."""
    log, results = folder / "world.json", folder / "results.jsonl"
    with netlab.Lab() as lab:
        near, far = join(lab)
        world = start_world(far, "packet:veth1", case, log)
        scan = near.start(*command_of(case, results), stdout=subprocess.DEVNULL)
        if meddle:
            meddle(scan)
        stderr = scan.communicate(timeout=SCAN_SECONDS)[1]
        seen = end_world(world, log)
    assert scan.returncode == 0, stderr
    findings = netlab.records(results)[0]
    return Outcome(stderr, findings, netlab.summary(results), seen)


def start_world(namespace, where, case, log):
    """Starts the responder; it listens when this returns."""
    world = namespace.start(sys.executable, "-m", "odd.responder", where, case.name, log, cwd=LAB)
    assert world.stdout.readline() == "ready\n", world.stderr.read()
    return world


def end_world(world, log):
    """Ends the responder and returns its log."""
    world.terminate()
    assert world.wait(10) == 0, world.stderr.read()
    return json.loads(log.read_text(encoding="ascii"))
