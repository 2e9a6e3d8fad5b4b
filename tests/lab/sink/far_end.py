"""The sink of tests/lab/sink as a test or benchmark sees it: a scanner's namespace on one end of a veth pair, and at
the other an XDP program that counts and drops whatever comes."""
import ipaddress
import json
import pathlib
import select
import signal
import tempfile

import card
import netlab

SCANNER, GATEWAY = "198.18.0.2", "198.18.0.1"


class Sink:
    """`self.scanner` is the namespace, with scan0 at 198.18.0.2 and everything else behind the gateway 198.18.0.1. One
    endpoint in sample_every is sampled, sample_most frames at most."""

    def __init__(self, lab, sample_every=0, sample_most=1000000):
        self.folder = tempfile.TemporaryDirectory(prefix="noctule-sink-")
        lab.on_close(self.folder.cleanup)
        self.samples = self.path("samples")
        self.scanner, self.far = lab.namespace("scan"), lab.namespace("sink")
        lab.veth(self.scanner, "scan0", self.far, "sink0")
        sampling = [sample_every, sample_most, self.samples] if sample_every else []
        self.process = self.far.start(netlab.helper("tests/lab/sink/sink"), "sink0", *sampling)
        assert self._line() == {"type": "ready"}
        card.like_another_machine(self.far, "sink0")
        netlab.napi_on(self.scanner, "scan0")
        self.far.ip("addr", "add", f"{GATEWAY}/32", "peer", f"{SCANNER}/32", "dev", "sink0")
        self.scanner.ip("addr", "add", f"{SCANNER}/32", "peer", f"{GATEWAY}/32", "dev", "scan0")
        self.scanner.ip("route", "add", "default", "via", GATEWAY)

    def _line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        assert line, f"the sink says nothing: {self.process.stderr.read() if self.process.poll() else 'still running'}"
        return json.loads(line)

    def path(self, name):
        return pathlib.Path(self.folder.name, name)

    def mac(self):
        """The gateway's address on the link."""
        return self.far.address("sink0")

    def counts(self):
        """All counters as they are now."""
        self.process.send_signal(signal.SIGUSR1)
        return self._line()

    def close(self):
        """Ends it and writes the samples. Returns the last counters."""
        self.process.send_signal(signal.SIGTERM)
        counts = self._line()
        assert self.process.wait(60) == 0
        return counts

    def check(self, net, first_port, last_port):
        """The checker's verdict on the samples, after close(), for a scan of these addresses and ports."""
        network = ipaddress.ip_network(net)
        done = netlab.run(netlab.helper("tests/lab/sink/check"), network[0], network[-1], first_port, last_port,
                          self.samples)
        return json.loads(done.stdout)
