"""What must never be sent: random plans with random exclusions, against a model that is nothing but sets; and the
shards of a plan, which must be its parts."""

import random
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import netlab
import pytest
from odd.packet import Arp, Segment, read_frame

SEED = 20260101
DRY_PLANS, WIRE_PLANS, SHARDED_PLANS = 200, 24, 50
AT_ONCE = 2
LOCAL, GATEWAY = "198.18.0.1", "198.18.0.254"
NETWORK_OWN = {"198.18.0.0", "198.18.0.255"}  # no host of the link: the kernel's routes say broadcast
BASES = ["198.19.0.0", "198.19.4.240", "198.19.255.0"]  # behind the gateway, which drops what it gets
ETH_P_ALL, SO_RCVBUFFORCE = 3, 33


@dataclass(frozen=True)
class Plan:
    """A command line, and the endpoints that it means."""
    arguments: list
    endpoints: set  # (address, port)
    excluded: set   # addresses


def number(address):
    return int(IPv4Address(address))


def block(dice, base):
    """Some addresses near base, in one of the forms in which they can be named: (text, addresses as numbers)."""
    start = number(base) + dice.randrange(0, 256)
    form = dice.choice(["address", "cidr", "range", "short range", "octets"])
    if form == "address":
        return str(IPv4Address(start)), {start}
    if form == "cidr":
        network = IPv4Network((start, dice.randrange(25, 33)), strict=False)
        return str(network), set(range(int(network[0]), int(network[-1]) + 1))
    octets = str(IPv4Address(start)).split(".")
    low = int(octets[3])
    high = dice.randrange(low, min(low + 80, 256))
    prefix = ".".join(octets[:3])
    addresses = set(range(start, start + high - low + 1))
    if form == "range":
        return f"{prefix}.{low}-{prefix}.{high}", addresses
    if form == "short range":
        return f"{prefix}.{low}-{high}", addresses
    single = dice.randrange(256)
    return f"{prefix}.{low}-{high},{single}", addresses | {number(f"{prefix}.{single}")}


def blocks(dice, most, bases):
    named = [block(dice, dice.choice(bases)) for _ in range(dice.randint(1, most))]
    return [text for text, _ in named], set().union(*(addresses for _, addresses in named))


def exclude_file(dice, path, words):
    """The words as a file: some lines hold several, some a comment."""
    text = "# not to be scanned\n"
    for word in words:
        text += word + dice.choice(["\n", " ", "\r\n", "  # why\n", "\n\n", "\t", " ; why\n"])
    path.write_text(text)
    return path


def random_plan(dice, folder, bases):
    """A plan that holds at least one endpoint."""
    while True:
        targets, addresses = blocks(dice, 5, bases)
        ports = sorted(dice.sample(range(1, 65536), dice.randint(1, 3)))
        arguments = [*targets, "-p", ",".join(map(str, ports)), "--seed", str(dice.randrange(2**64))]
        excluded = set()
        if dice.random() < 0.7:
            words, out = blocks(dice, 4, bases)
            excluded |= out
            for word in words:
                arguments += ["--exclude", word]
        if dice.random() < 0.7:
            words, out = blocks(dice, 12, bases)
            excluded |= out
            arguments += ["--exclude-file", str(exclude_file(dice, folder / f"{dice.randrange(2**32)}.txt", words))]
        if dice.random() < 0.3:
            unwanted = dice.choice(ports)
            arguments += ["--exclude-ports", str(unwanted)]
            ports.remove(unwanted)
        if ports and addresses - excluded:
            return Plan(arguments, {(str(IPv4Address(a)), port) for a in addresses - excluded for port in ports},
                        {str(IPv4Address(a)) for a in excluded})


def dry_run(namespace, *arguments):
    """The endpoints that a dry run lists, in its order: the last address:port of each line is where the probe goes."""
    listing = namespace.run(netlab.NOCTULE, "--dry-run", *arguments).stdout
    goals = [re.findall(r"(\d+\.\d+\.\d+\.\d+):(\d+)", line)[-1] for line in listing.splitlines()]
    return [(address, int(port)) for address, port in goals]


@pytest.fixture(scope="module")
def nowhere():
    """A namespace without any way out: a dry run needs none."""
    with netlab.Lab() as lab:
        yield lab.namespace("nowhere")


def each(function, items):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(function, items))


@pytest.mark.plainonly  # hundreds of processes
def test_dry_runs(nowhere, tmp_path):
    dice = random.Random(SEED)
    plans = [random_plan(dice, tmp_path, BASES) for _ in range(DRY_PLANS)]
    assert sum(bool(plan.excluded) for plan in plans) > DRY_PLANS / 2
    for plan, listed in zip(plans, each(lambda plan: dry_run(nowhere, *plan.arguments), plans)):
        assert len(listed) == len(set(listed)), plan.arguments
        assert set(listed) == plan.endpoints, plan.arguments
        assert not {address for address, _ in listed} & plan.excluded


@pytest.mark.plainonly  # hundreds of processes
def test_shards(nowhere, tmp_path):
    """The shards of a plan are disjoint, together they are the plan, and each goes in the whole plan's order."""
    dice = random.Random(SEED + 1)
    plans = [random_plan(dice, tmp_path, BASES) for _ in range(SHARDED_PLANS)]
    counts = [dice.choice([1, 2, 3, 5, 8]) for _ in plans]
    jobs = [[*plan.arguments, "--shard", f"{i}/{n}"] for plan, n in zip(plans, counts) for i in range(1, n + 1)]
    listings = iter(each(lambda arguments: dry_run(nowhere, *arguments), jobs))
    for plan, n in zip(plans, counts):
        shards = [next(listings) for _ in range(n)]
        union = [endpoint for shard in shards for endpoint in shard]
        assert len(union) == len(set(union)) and set(union) == plan.endpoints, plan.arguments
        assert max(map(len, shards)) - min(map(len, shards)) <= 1
        if n == 3:
            assert union == dry_run(nowhere, *plan.arguments)


# On the wire.

class Wire:
    """A scanner's namespace, a gateway that drops what it gets, and every frame that came there."""

    def __init__(self, lab):
        self.near, far = lab.namespace("near"), lab.namespace("far")
        lab.veth(self.near, "lan0", far, "host0")
        self.near.ip("address", "add", f"{LOCAL}/24", "dev", "lan0")
        far.ip("address", "add", f"{GATEWAY}/24", "dev", "host0")
        self.near.ip("route", "add", "198.19.0.0/16", "via", GATEWAY)
        self.capture = far.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        lab.on_close(self.capture.close)
        self.capture.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.capture.bind(("host0", ETH_P_ALL))
        self.capture.setblocking(False)

    def frames(self):
        """What the scanner sent since the last call."""
        while True:
            try:
                raw, origin = self.capture.recvfrom(2048)
            except BlockingIOError:
                return
            if origin[2] != socket.PACKET_OUTGOING:
                yield read_frame(raw)


@pytest.fixture
def wire(lab):
    return Wire(lab)


def sent_to(frames):
    """(endpoints probed, addresses asked for by ARP)"""
    frames = list(frames)
    return ({(f.dst, f.dport) for f in frames if isinstance(f, Segment)},
            {f.target for f in frames if isinstance(f, Arp) and f.sender == LOCAL})


def test_wire(wire, tmp_path):
    """Behind a gateway: exactly the plan is probed, and no excluded address sees a frame."""
    dice = random.Random(SEED + 2)
    for _ in range(WIRE_PLANS):
        plan = random_plan(dice, tmp_path, BASES)
        list(wire.frames())
        wire.near.run(netlab.NOCTULE, *plan.arguments, "--retries", "0", "--timeout", "100ms", "-o",
                      tmp_path / "results.jsonl")
        probed, asked = sent_to(wire.frames())
        assert probed == plan.endpoints, plan.arguments
        assert asked <= {GATEWAY}


def test_wire_on_link(wire, tmp_path):
    """On the link: nobody asks even who has an excluded address."""
    dice = random.Random(SEED + 3)
    for _ in range(4):
        plan = random_plan(dice, tmp_path, ["198.18.0.0"])
        list(wire.frames())
        wire.near.run(netlab.NOCTULE, *plan.arguments, "--retries", "0", "-o", tmp_path / "results.jsonl")
        probed, asked = sent_to(wire.frames())
        addresses = {address for address, _ in plan.endpoints}
        assert asked - NETWORK_OWN == addresses - NETWORK_OWN - {LOCAL}
        assert {address for address, _ in probed} <= addresses
        assert not (asked | {address for address, _ in probed}) & plan.excluded


# Exclude files that cannot be trusted.

BAD_WORDS = ["198.18.0.256", "198.18.0", "198.18.0.0/33", "198.18.0.9-198.18.0.1", "198.18.0.1/", "1.2.3.4.5",
             "198.18.0.1:80", "0x7f.0.0.1", "198.18.0.1,2-", "/24", "-"]


@pytest.mark.parametrize("word", BAD_WORDS)
def test_bad_line_in_an_exclude_file(wire, tmp_path, word):
    """One bad line, wherever it stands, and nothing is sent at all."""
    dice = random.Random(word)
    good, _ = blocks(dice, 8, BASES)
    at = dice.randint(0, len(good))
    indent = " " * dice.randrange(4)
    path = tmp_path / "exclude.txt"
    path.write_text("\n".join([*good[:at], indent + word, *good[at:]]) + "\n")
    done = wire.near.run(netlab.NOCTULE, "198.19.0.0/28", "-p", "80", "--exclude-file", path, check=False)
    assert done.returncode == 2
    place = re.search(rf"{re.escape(str(path))}:(\d+):(\d+)", done.stderr)
    assert len(done.stderr.splitlines()) == 1 and place, done.stderr
    assert int(place[1]) == at + 1
    assert len(indent) < int(place[2]) <= len(indent + word) + 1
    assert not list(wire.frames())


@pytest.mark.parametrize("path", ["/nowhere/exclude.txt", "/"])
def test_exclude_file_that_cannot_be_read(wire, path):
    done = wire.near.run(netlab.NOCTULE, "198.19.0.0/28", "-p", "80", "--exclude-file", path, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and path in done.stderr
    assert not list(wire.frames())


def test_everything_excluded(wire):
    done = wire.near.run(netlab.NOCTULE, "198.19.0.0/28", "-p", "80", "--exclude", "198.19.0.0/24", check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not list(wire.frames())
