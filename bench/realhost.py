"""A host with a kernel of its own in front of a scanner: Linux in a namespace, one veth between them."""
import random
import tempfile
import pathlib

import netlab

HOST, HERE = "198.18.1.1", "198.18.1.2"


def listeners(namespace, address, ports):
    """Listening sockets of the namespace's own kernel; kept open by the caller."""
    sockets = []
    for port in ports:
        s = namespace.socket()
        s.bind((address, port))
        s.listen(8)
        sockets.append(s)
    return sockets


def pair(lab):
    """A scanner and a real host, one veth between them."""
    scanner, host = lab.namespace("scan"), lab.namespace("host")
    lab.veth(scanner, "scan0", host, "host0")
    scanner.ip("addr", "add", f"{HERE}/24", "dev", "scan0")
    host.ip("addr", "add", f"{HOST}/24", "dev", "host0")
    netlab.wait_until(lambda: "UP" in scanner.ip("-br", "link", "show", "scan0"), what="scan0 up")
    return scanner, host


class FilteredHost:
    """It drops all that comes to TCP ports, but for `n_open` at which somebody listens. To a scanner it looks as a World
    does."""

    universe, first_port, ports = HOST, 1, 65535

    def __init__(self, lab, n_open, seed):
        self.scanner, host = pair(lab)
        self.folder = tempfile.TemporaryDirectory(prefix="noctule-host-")
        lab.on_close(self.folder.cleanup)
        self.open = set(random.Random(seed).sample(range(1, 65536), n_open))
        self.sockets = listeners(host, HOST, self.open)
        lab.on_close(self.close)
        numbers = ", ".join(map(str, sorted(self.open)))
        host.run("nft", "add table ip wall; add chain ip wall in { type filter hook input priority 0; }; "
                 f"add rule ip wall in tcp dport != {{ {numbers} }} drop")

    def close(self):
        for s in self.sockets:
            s.close()

    def path(self, name):
        return pathlib.Path(self.folder.name, name)
