"""Long scans: what happens to thousands of endpoints when answers come late, or the scanner itself is held up."""

from odd.case import CLOSED, OPEN, V4, Answer
from odd.registry import case

LATE = {port: 0.05 + 5.95 * (port - 1) / 39 for port in range(1, 41)}  # port -> seconds, 50 ms .. 6 s


@case("late up to 6 s", {port: None for port in range(1, 1501)}, families=(V4,), controls=(),
      options=("--retries", "3", "--rate", "150", "--seed", "7"))
def late_up_to_6s(p, past):
    """Ports 1..40 open, 41..80 closed, each answering its first try only, and late; the others close at once."""
    if p.dport > 80:
        yield Answer(p.rst())
    elif not past:
        reply, counter = (p.synack(), "open") if p.dport <= 40 else (p.rst(), "closed")
        yield Answer(reply, counter, after=LATE[(p.dport - 1) % 40 + 1], certain=False)


@case("held up", {port: OPEN if port % 10 == 0 else CLOSED for port in range(1, 3001)}, families=(V4,), controls=(),
      options=("--retries", "3", "--rate", "1000", "--timeout", "1s"))
def held_up(p, past):
    """The timeout is longer than this responder may be held up itself."""
    yield Answer(p.synack() if p.dport % 10 == 0 else p.rst())
