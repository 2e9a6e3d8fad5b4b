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

import netlab

SCANNER = "198.18.0.2"
GATEWAY = "198.18.0.1"
UNIVERSE, PORTS = "198.19.0.0/18", 20  # unless a test says otherwise
ENDPOINT = numpy.dtype([("tally", "<u8"), ("ack", "<u4"), ("unused", "<u4")])
ARRIVALS_PER_SECOND = 1000  # bins of the world's histogram


class World:
    """Starts the world in a lab. Settings are those of tests/lab/world/settings.c: open=10000, loss_in=50000, ...

    The scanner's namespace is `self.scanner`, with scan0 at 198.18.0.2. The universe is behind the gateway
    198.18.0.1, or, with on_link=True, on the link itself. With threaded=True the world runs on a thread of its own
    instead of inside the scanner's send calls: more speed, if there is a core to spare.
    """

    def __init__(self, lab, on_link=False, threaded=False, **settings):
        self.universe = settings.get("net", UNIVERSE)
        self.ports = settings.get("ports", PORTS)
        self.options = []
        for name, value in settings.items():
            self.options += ["--" + name.replace("_", "-"), str(value)]
        self.folder = tempfile.TemporaryDirectory(prefix="noctule-world-")
        self.findings = self.path("findings.jsonl")
        lab.on_close(self.folder.cleanup)
        self.scanner = lab.namespace("scan")
        self.far = lab.namespace("world")
        lab.veth(self.scanner, "scan0", self.far, "world0")
        self.process = self.far.start(netlab.helper("tests/lab/world/world"), "--interface", "world0",
                                      "--dump", self.folder.name, *self.options)
        assert self._line(20)["type"] == "ready"
        if threaded:
            netlab.napi_threaded(self.far, "world0")
        netlab.napi_on(self.scanner, "scan0")
        netlab.like_a_card(self.scanner, "scan0")
        if on_link:
            self.scanner.ip("addr", "add", SCANNER + "/15", "dev", "scan0")
        else:
            self.scanner.ip("addr", "add", SCANNER + "/24", "dev", "scan0")
            self.scanner.ip("route", "add", "default", "via", GATEWAY)

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
        """SYNs in each millisecond since the first one, as of the latest stats()."""
        return numpy.fromfile(self.path("arrivals.bin"), dtype="<u8")

    def tallies(self):
        """Per endpoint as of the latest stats(): (probes, answers, number of the probe first answered, resets)."""
        tally = numpy.fromfile(self.path("endpoints.bin"), dtype=ENDPOINT)["tally"]
        return [(tally >> numpy.uint64(shift)) & numpy.uint64(0xffff) for shift in (0, 16, 32, 48)]

    def endpoint(self, index):
        """The (address, port) that the tallies count at an index."""
        host, port = divmod(int(index), self.ports)
        return str(ipaddress.ip_network(self.universe)[host]), port + 1

    def judge(self, findings, retries):
        """The judge's view of a file of findings, with the tallies of the latest stats()."""
        done = netlab.run(netlab.helper("tests/lab/world/judge"), *self.options, "--retries", retries,
                          "--endpoints", self.path("endpoints.bin"), findings, timeout=120)
        return json.loads(done.stdout)

    def drops(self):
        """Frames that got lost between scanner and world other than by the world's settings."""
        near, far = self.scanner.interface_counts("scan0"), self.far.interface_counts("world0")
        return {
            "scan0 tx_dropped": near["tx_dropped"],
            "scan0 rx_dropped": near["rx_dropped"],
            "world0 xmit_errors": sum(n for name, n in far.items() if name.endswith("xdp_xmit_errors")),
            "world0 rx_drops": sum(n for name, n in far.items() if name.startswith("rx_queue") and
                                   name.endswith("_drops") and not name.endswith("xdp_drops")),
        }

    def scan(self, *arguments, **options):
        """Runs noctule in the scanner's namespace on the universe, with JSON lines in self.findings."""
        return self.scanner.run(netlab.NOCTULE, self.universe, *arguments, "-o", self.findings,
                                **{"timeout": 100, **options})
