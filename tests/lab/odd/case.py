"""What a case of the odd world is made of: how it answers, and what a true scanner makes of that."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from odd.packet import SYN, Question, Segment


@dataclass(frozen=True)
class Hosts:
    """Who is who in one family. The first ones are on the scanner's link; `far` is behind the router."""
    family: int
    scanner: str
    target: str
    open: str
    closed: str
    silent: str
    router: str
    stranger: str  # an address that the plan does not hold
    other: str     # one that the scanner does not use
    far: "Hosts | None" = None


def hosts(family, near, far, lengths):
    """near and far: what the addresses begin with."""
    make = [Hosts(family, near + "1", net + "2", net + "3", net + "4", net + "5", near + lengths["router"],
                  net + "77", near + "99") for net in (near, far)]
    return replace(make[0], far=make[1])


V4 = hosts(4, "198.18.0.", "198.19.0.", {"router": "254"})
V6 = hosts(6, "2001:2::", "2001:2:0:1::", {"router": "fe"})

OPEN = {"state": "open", "reason": "syn-ack"}
CLOSED = {"state": "closed", "reason": "reset"}
SILENT = {"state": "filtered", "reason": "no-response"}


def filtered(reason, **more):
    return {"state": "filtered", "reason": reason} | more


@dataclass(frozen=True)
class Technique:
    """A way to probe: its options, and what three honest hosts answer to it, with what that means."""
    name: str
    option: str
    letter: str  # before its ports
    open: dict
    closed: dict
    silent: dict
    answer: Callable
    refuse: Callable
    resets: bool = False  # the scanner resets what it found open
    again: bool = False   # silence may be asked more often than it has tries (hosts limit ICMP errors)


def silent_open(reason="no-response"):
    return {"state": "open|filtered", "reason": reason}


TECHNIQUES = {technique.name: technique for technique in (
    Technique("syn", "-sS", "", OPEN, CLOSED, SILENT, lambda p: p.synack(), lambda p: p.rst(), resets=True),
    Technique("udp", "-sU", "U:", {"state": "open", "reason": "udp-response"},
              {"state": "closed", "reason": "port-unreach"}, silent_open(), lambda p: p.answer(),
              lambda p: p.refused(), again=True),
    Technique("sctp-init", "-sY", "S:", {"state": "open", "reason": "init-ack"},
              {"state": "closed", "reason": "abort"}, SILENT, lambda p: p.init_ack(), lambda p: p.abort()),
    Technique("sctp-cookie", "-sZ", "S:", silent_open(), {"state": "closed", "reason": "abort"}, silent_open(),
              lambda p: None, lambda p: p.abort()),
    Technique("protocol", "-sO", "", {"state": "open", "reason": "proto-response"},
              {"state": "closed", "reason": "proto-unreach"}, silent_open(), lambda p: p.wrapped(bytes(8)),
              lambda p: p.unknown(), again=True),
    Technique("ping", "-sn", "", {"state": "up", "reason": "echo-reply"}, {"state": "up", "reason": "reset"},
              {"state": "down", "reason": "no-response"},
              lambda p: p.answer() if isinstance(p, Question) else None,
              lambda p: p.rst() if isinstance(p, Segment) and p.flags == SYN else None),
)}


@dataclass(frozen=True)
class Answer:
    """A frame that the odd world sends. `counter` is the counter of the summary that each of its copies must raise, but
    for `spare` of them; where the kernel may drop it before anyone can count it, it is not `certain`."""
    frame: bytes
    counter: str | None = None
    after: float = 0  # seconds
    times: int = 1
    spare: int = 0
    certain: bool = True

    @property
    def lies(self):
        return self.times - self.spare


@dataclass(frozen=True)
class Case:
    """`reply(probe, past)` yields the answers to a probe of the target; `past` are the earlier ones with the same port
    (and TCP flags). `expect` holds, for each port of the target, what its last record must say: {} = no record; the
    one port of a host, which has none, is 0."""
    name: str
    reply: Callable
    expect: dict
    who: Hosts = V4
    way: Technique = TECHNIQUES["syn"]
    on: int | None = SYN         # of TCP, only segments with these flags are answered; None = all
    neighbour: Callable | None = None  # the same for ARP requests and neighbour solicitations for the target
    distant: bool = False        # the target is behind the router
    controls: tuple = ("open", "closed", "silent")  # honest hosts beside it: they show that the scan itself works
    # Fixed timeouts: on a busy machine even honest hosts are slow. A fixed rate: no canary asks an endpoint again.
    options: tuple = ("--retries", "1", "--timeout", "500ms", "--rate", "10000")

    @property
    def near(self):
        """Where the honest hosts are: pings ask nobody on the link, whose ARP answer says enough."""
        return self.who.far if self.way.name == "ping" else self.who

    @property
    def target(self):
        return (self.who.far if self.distant else self.near).target

    @property
    def honest(self):
        """address -> what it is."""
        return {getattr(self.near, what): what for what in self.controls}

    def answers(self, probe, past):
        if isinstance(probe, Segment) and self.way.name == "syn":
            if probe.dst == self.target and self.on not in (None, probe.flags):
                return
            if probe.dst != self.target and probe.flags != SYN:
                return
        if probe.dst == self.target:
            yield from self.reply(probe, past)
            return
        what = self.honest.get(probe.dst)
        frame = self.way.answer(probe) if what == "open" else self.way.refuse(probe) if what == "closed" else None
        if frame:
            yield Answer(frame)

    def neighbour_answers(self, request, past):
        if request.target == self.target and self.neighbour:
            yield from self.neighbour(request, past)
        elif request.target != self.who.scanner:
            yield Answer(request.reply())

    def expected(self):
        """(address, port) -> fields that its last record must have, for the target and the honest hosts beside it."""
        wanted = {(self.target, port): fields for port, fields in self.expect.items() if fields}
        for host, what in self.honest.items():
            wanted |= {(host, port): getattr(self.way, what) for port in self.expect}
        return wanted
