"""The synthetic internet of tests/lab/world as a test sees it: a scanner's namespace on one end of a veth pair, the
world on the other."""
import ipaddress
import json
import pathlib
import select
import signal
import tempfile
import time

import numpy

import card
import netlab
from world.firewall import Firewall

SCANNER = "198.18.0.2"
GATEWAY = "198.18.0.1"
SCANNER6 = "2001:2:0:ffff::2"
GATEWAY6 = "2001:2:0:ffff::1"
UNIVERSE, PORTS = "198.19.0.0/18", 20  # unless a test says otherwise
ENDPOINT = numpy.dtype([("tally", "<u8"), ("ack", "<u4"), ("acks", "<u4")])
ARRIVALS_PER_SECOND = 1000  # bins of the world's histogram


class World:
    """Starts the world in a lab. Settings are those of tests/lab/world/settings.c: open=10000, loss_in=50000, ...
    but for list6, a list of IPv6 addresses. Without net6 and list6 there is no IPv6; with net="none" no IPv4.

    The scanner's namespace is `self.scanner`, with scan0 at 198.18.0.2 and 2001:2:0:ffff::2. The universe is behind the
    gateways 198.18.0.1 and 2001:2:0:ffff::1, or, with on_link=True, on the link itself. With threaded=True the world
    is like another machine (card.py), not inside the scanner's send calls: more speed, if there is a core to spare.
    firewall={"size": N, "seconds": N} puts one in the path (world/firewall.py): self.firewall. `queues`: of both ends.
    """

    def __init__(self, lab, on_link=False, threaded=False, list6=None, firewall=None, queues=1, **settings):
        self.universe = settings.get("net", UNIVERSE)
        self.ports = settings.get("ports", PORTS)
        self.first_port = settings.get("first_port", 1)
        self.folder = tempfile.TemporaryDirectory(prefix="noctule-world-")
        self.findings = self.path("findings.jsonl")
        lab.on_close(self.folder.cleanup)
        self.targets = [] if self.universe == "none" else [self.universe]
        if "net6" in settings:
            self.targets.append(settings["net6"])
        if list6:
            settings["list6"] = self.path("list6")
            settings["list6"].write_text("".join(f"{address}\n" for address in list6), encoding="ascii")
            self.targets += ["-iL", str(settings["list6"])]
        self.options = []
        for name, value in settings.items():
            self.options += ["--" + name.replace("_", "-"), str(value)]
        self.scanner = lab.namespace("scan")
        self.far = lab.namespace("world")
        if firewall:
            self.firewall = Firewall(lab, self.scanner, self.far, GATEWAY, **firewall)
        else:
            lab.veth(self.scanner, "scan0", self.far, "world0", queues)
        self.process = self.far.start(netlab.helper("tests/lab/world/world"), "--interface", "world0",
                                      "--dump", self.folder.name, *self.options)
        assert self._line(20)["type"] == "ready"
        if threaded:
            card.like_another_machine(self.far, "world0")
        netlab.napi_on(self.scanner, "scan0")
        netlab.like_a_card(self.scanner, "scan0")
        self._address(SCANNER, GATEWAY, 15 if on_link else 24, on_link)
        if "net6" in settings or list6:
            self._address(SCANNER6, GATEWAY6, 48 if on_link else 64, on_link, "nodad")

    def _address(self, address, gateway, length, on_link, *flags):
        self.scanner.ip("addr", "add", f"{address}/{length}", "dev", "scan0", *flags)
        if not on_link:
            self.scanner.ip("route", "add", "default", "via", gateway)

    def _line(self, seconds):
        """The loader's next line: it prints exactly one for each request, so none waits in the buffer."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        assert line, f"the world says nothing: {self.process.stderr.read() if self.process.poll() else 'still running'}"
        return json.loads(line)

    def stats(self):
        """All counters as they are now; writes endpoints.bin and arrivals.bin anew."""
        self.process.send_signal(signal.SIGUSR1)
        return self._line(20)

    def settled(self):
        """All counters, once frames have stopped coming in."""
        before = self.stats()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.05)
            now = self.stats()
            if now["frames"] == before["frames"]:
                assert now["failed"] == 0, "answers that the world could not write"
                return now
            before = now
        raise AssertionError("frames keep coming to the world")

    def path(self, name):
        return pathlib.Path(self.folder.name, name)

    def arrivals(self):
        """Probes in each millisecond since the first one, as of the latest stats()."""
        return numpy.fromfile(self.path("arrivals.bin"), dtype="<u8")

    def tallies(self):
        """Per endpoint, for each kind of probe that is answered, as of the latest stats(): (probes, answers, number of the probe first answered, resets)."""
        tally = numpy.fromfile(self.path("endpoints.bin"), dtype=ENDPOINT)["tally"]
        return [(tally >> numpy.uint64(shift)) & numpy.uint64(0xffff) for shift in (0, 16, 32, 48)]

    def endpoint(self, index):
        """The (address, port) that the tallies of an IPv4 universe count at an index."""
        host, port = divmod(int(index), self.ports)
        return str(ipaddress.ip_network(self.universe)[host]), port + self.first_port

    def judge(self, findings, retries, technique="syn"):
        """The judge's view of a file of findings, with the tallies of the latest stats()."""
        done = netlab.run(netlab.helper("tests/lab/world/judge"), *self.options, "--retries", retries, "--technique",
                          technique, "--endpoints", self.path("endpoints.bin"), findings, timeout=120)
        return json.loads(done.stdout)

    def drops(self):
        """Frames that got lost between scanner and world other than by the world's settings."""
        near, far = self.scanner.interface_counts("scan0"), self.far.interface_counts("world0")
        return {
            "scan0 tx_dropped": near["tx_dropped"],
            "scan0 rx_dropped": near["rx_dropped"],
            "world0 tx_dropped": far["tx_dropped"],
            "world0 xmit_errors": sum(n for name, n in far.items() if name.endswith("xdp_xmit_errors")),
            "world0 rx_drops": sum(n for name, n in far.items() if name.startswith("rx_queue") and
                                   name.endswith("_drops") and not name.endswith("xdp_drops")),
        }

    def scan(self, *arguments, **options):
        """Runs noctule in the scanner's namespace on the universe, with JSON lines in self.findings."""
        return self.scanner.run(netlab.NOCTULE, *self.targets, *arguments, "-o", self.findings,
                                **{"timeout": 100, **options})
