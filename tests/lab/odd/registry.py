"""Where cases are registered by name."""

from odd.case import TECHNIQUES, V4, V6, Case

CASES = {}
BOTH = (V4, V6)


def name_of(name, who):
    return name if who is V4 else f"{name}, IPv6"


def case(name, expect, families=BOTH, way="syn", **more):
    """Registers the function below as the named case's way to answer, in each of these families. `expect` may be a
    function of the hosts' addresses."""
    def register(reply):
        for who in families:
            assert name_of(name, who) not in CASES
            CASES[name_of(name, who)] = Case(name_of(name, who), reply, expect(who) if callable(expect) else expect,
                                             who, TECHNIQUES[way], **more)
        return reply
    return register


def ports(n, fields, first=1):
    return {port: fields for port in range(first, first + n)}


def hosts_of(probe):
    return V4 if probe.family == 4 else V6
