"""Networks for tests: namespaces and veth pairs that a test makes, uses and removes.

No namespace has a way out: all that is in it are the veth ends that a test puts there. Names carry the process's id,
so several test runs share a machine; what a killed run left behind is removed by the next one.
"""
import atexit
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOCTULE = pathlib.Path(os.environ.get("NOCTULE", ROOT / "build" / "noctule")).resolve()
BUILD = pathlib.Path(os.environ.get("NOCTULE_BUILD", NOCTULE.parent)).resolve()  # laid out as the source tree is

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def wait_until(condition, seconds=10.0, what="condition", interval=0.01):
    """Calls condition() until it returns something true, and returns that. Fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not so within {seconds} s")
        time.sleep(interval)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*argv, check=True, timeout=60, **options):
    """Runs a program to its end: text in and out, captured."""
    argv = [str(argument) for argument in argv]
    options = {"capture_output": True, "text": True, "preexec_fn": die_with_parent, **options}
    done = subprocess.run(argv, timeout=timeout, check=False, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def ip(*arguments):
    return run("ip", *arguments, timeout=20).stdout


def helper(path):
    """A program of the lab, given by its path in the source tree without suffix, as the build made it."""
    program = BUILD / path
    assert program.exists(), f"{program} is not built"
    return str(program)


class Namespace:
    """One network namespace. Its processes are killed when the lab closes."""

    def __init__(self, name):
        self.name = name
        self.processes = []
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def ip(self, *arguments):
        return ip("-n", self.name, *arguments)

    def command(self, *argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, **options):
        """As run() of this module, inside the namespace."""
        return run(*self.command(*argv), **options)

    def start(self, *argv, **options):
        """Starts a program: text pipes from its stdout and stderr. The process is the program itself."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   "preexec_fn": die_with_parent, **options}
        process = subprocess.Popen(self.command(*argv), **options)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in this namespace: sockets made inside stay there for good."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
            try:
                yield self
            finally:
                if libc.setns(home.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns back")

    def socket(self, *arguments):
        with self.entered():
            return socket.socket(*arguments)

    def address(self, interface):
        """The interface's MAC address as text."""
        return json.loads(self.ip("-j", "link", "show", interface))[0]["address"]

    def interface_counts(self, interface):
        """What the kernel and the driver count for an interface, drops and errors of every layer by name."""
        link = json.loads(self.ip("-j", "-s", "link", "show", interface))[0]["stats64"]
        counts = {f"{way}_{name}": value for way in ("rx", "tx") for name, value in link[way].items()}
        listing = self.run("ethtool", "-S", interface).stdout
        counts.update((name, int(value)) for name, value in re.findall(r"^\s*(\S+): (\d+)$", listing, re.M))
        return counts

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.processes.clear()
        with contextlib.suppress(AssertionError):
            ip("netns", "del", self.name)


class Lab:
    """A set of namespaces and the links between them. Use it with `with`, or close() it."""

    prefix = "noctule"
    numbers = itertools.count()

    def __init__(self):
        self.namespaces = []
        self.closers = []
        atexit.register(self.close)
        remove_leftovers()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def namespace(self, label):
        namespace = Namespace(f"{self.prefix}-{os.getpid()}-{next(self.numbers)}-{label}")
        self.namespaces.append(namespace)
        return namespace

    def veth(self, near, near_name, far, far_name, queues=1):
        """A veth pair between two namespaces, both ends up, with no address and no IPv6 chatter."""
        numbers = ("numrxqueues", queues, "numtxqueues", queues)
        near.ip("link", "add", near_name, *numbers, "type", "veth", "peer", "name", far_name, *numbers, "netns",
                far.name)
        for namespace, name in ((near, near_name), (far, far_name)):
            namespace.ip("link", "set", name, "addrgenmode", "none", "up")

    def on_close(self, function):
        self.closers.append(function)

    def close(self):
        atexit.unregister(self.close)
        while self.closers:
            self.closers.pop()()
        while self.namespaces:
            self.namespaces.pop().close()


def napi_on(namespace, interface):
    """Makes a veth end receive by NAPI, as frames that XDP redirects to it need it."""
    namespace.run("ethtool", "-K", interface, "gro", "off")
    namespace.run("ethtool", "-K", interface, "gro", "on")


def napi_threaded(namespace, interface):
    """Gives the NAPI of an interface a kernel thread of its own, so that it doesn't borrow the sender's time."""
    namespace.run("sh", "-c", f"echo 1 > /sys/class/net/{interface}/threaded")


def like_a_card(namespace, interface):
    """A veth end that behaves as a network card does: the kernel fills in checksums before a frame leaves, and a queue
    holds what the other end has no room for."""
    namespace.run("ethtool", "-K", interface, "tx", "off")
    namespace.run("tc", "qdisc", "add", "dev", interface, "root", "pfifo", "limit", "1000")


def remove_leftovers():
    """Removes the namespaces of test runs that are gone."""
    for line in ip("netns", "list").splitlines():
        name = line.split()[0]
        match = re.fullmatch(rf"{Lab.prefix}-(\d+)-\d+-\w+", name)
        if match and not pathlib.Path("/proc", match[1]).exists():
            with contextlib.suppress(AssertionError):
                ip("netns", "del", name)


def records(path):
    """The JSON lines of an output file, each of which must parse: (findings, the records with a type)."""
    findings, others = [], []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            (others if "type" in record else findings).append(record)
    return findings, others


def summary(path):
    """The closing record of an output file: it must be there, be the last, and be the only one."""
    with open(path, encoding="utf-8") as lines:
        last = json.loads(lines.readlines()[-1])
    assert last.get("type") == "summary", f"{path} ends with {last}"
    return last
