"""What a case of the odd world is made of: how it answers, and what a true scanner makes of that."""

from collections.abc import Callable
from dataclasses import dataclass

from odd.packet import SYN

SCANNER, TARGET, OPEN_HOST, CLOSED_HOST, SILENT_HOST, ROUTER = (
    "198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4", "198.18.0.5", "198.18.0.254")
DISTANT = "198.19.0.2"  # a target behind ROUTER

OPEN = {"state": "open", "reason": "syn-ack"}
CLOSED = {"state": "closed", "reason": "reset"}
SILENT = {"state": "filtered", "reason": "no-response"}


def filtered(reason, **more):
    return {"state": "filtered", "reason": reason} | more


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
    """`reply(segment, past)` yields the answers to a segment for the target; `past` are the earlier ones with the same
    port and flags. `expect` holds, for each port of the target, what its last record must say: {} = no record."""
    name: str
    reply: Callable
    expect: dict
    on: int | None = SYN         # only segments with these flags are answered; None = all
    arp: Callable | None = None  # the same for ARP requests for the target
    target: str = TARGET
    controls: tuple = (OPEN_HOST, CLOSED_HOST, SILENT_HOST)
    options: tuple = ("--retries", "1", "--timeout", "500ms")  # fixed: on a busy machine even honest hosts are slow

    def answers(self, segment, past):
        if segment.dst == self.target:
            if self.on in (None, segment.flags):
                yield from self.reply(segment, past)
        elif segment.flags == SYN and segment.dst in CONTROL:
            yield from CONTROL[segment.dst][1](segment)

    def arp_answers(self, request, past):
        if request.target == self.target and self.arp:
            yield from self.arp(request, past)
        elif request.target != SCANNER:
            yield Answer(request.reply())

    def expected(self):
        """(address, port) -> fields that its last record must have, for the target and the honest hosts beside it."""
        wanted = {(self.target, port): fields for port, fields in self.expect.items() if fields}
        for host in self.controls:
            wanted |= {(host, port): CONTROL[host][0] for port in self.expect}
        return wanted


# Honest hosts beside each target: they show that the scan itself works while its target misbehaves.
CONTROL = {
    OPEN_HOST: (OPEN, lambda segment: [Answer(segment.synack())]),
    CLOSED_HOST: (CLOSED, lambda segment: [Answer(segment.rst())]),
    SILENT_HOST: (SILENT, lambda segment: []),
}
