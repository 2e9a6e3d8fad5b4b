"""What every technique must say about every condition: data, written from RFCs and the project's tables of meanings,
independently of the scanner's own technique table.

A condition is what happens to a probe at one port. What comes back depends on the condition and on the probe (an open
TCP port answers a SYN with SYN-ACK, and says nothing to a FIN: RFC 9293 3.10.7.2); what that means depends on the
technique.
"""

from collections import namedtuple

SILENCE = "silence"
Icmp = namedtuple("Icmp", "type code own") # own: sent by the target itself, not by a router on the way

UNREACHABLE, TIME_EXCEEDED = 3, 11                                    # RFC 792
UNREACHABLE6, TOO_BIG6, TIME_EXCEEDED6, PARAMETER6 = 1, 2, 3, 4       # RFC 4443

# condition -> (ICMP type, code) that comes back
ERRORS = {
    4: {
        "net-unreach": (UNREACHABLE, 0), "host-unreach": (UNREACHABLE, 1), "proto-unreach": (UNREACHABLE, 2),
        "port-unreach": (UNREACHABLE, 3), "frag-needed": (UNREACHABLE, 4), "net-prohibited": (UNREACHABLE, 9),
        "host-prohibited": (UNREACHABLE, 10), "host-tos": (UNREACHABLE, 12), "admin-prohibited": (UNREACHABLE, 13),
        "time-exceeded": (TIME_EXCEEDED, 0),
    },
    6: {
        "no-route": (UNREACHABLE6, 0), "admin-prohibited": (UNREACHABLE6, 1), "beyond-scope": (UNREACHABLE6, 2),
        "addr-unreach": (UNREACHABLE6, 3), "port-unreach": (UNREACHABLE6, 4), "policy": (UNREACHABLE6, 5),
        "reject-route": (UNREACHABLE6, 6), "too-big": (TOO_BIG6, 0), "time-exceeded": (TIME_EXCEEDED6, 0),
    },
}
# Conditions without an ICMP error. "syn": a listener whose SYN-ACK is made a bare SYN (simultaneous open). "window": a
# closed port whose RST has a window. "reset": a RST by the packet filter.
PLAIN = ("open", "closed", "drop", "mute", "reset", "window", "syn")
CONDITIONS = {family: (*PLAIN, *ERRORS[family]) for family in (4, 6)}

FIRST_PORT, FIRST_PROTOCOL = 2001, 150
PORTS = {family: {name: FIRST_PORT + n for n, name in enumerate(names)} for family, names in CONDITIONS.items()}
# Protocols that no kernel knows, but for those which every host has.
PROTOCOLS = {family: {name: FIRST_PROTOCOL + n for n, name in enumerate(names) if name not in PLAIN[3:]}
             for family, names in CONDITIONS.items()}
for family, icmp in ((4, 1), (6, 58)):
    del PROTOCOLS[family]["open"]
    PROTOCOLS[family].update({"echo": icmp, "tcp": 6, "udp": 17, "sctp": 132})
PROTOCOLS[6]["header-field"] = 190 # ICMPv6 parameter problem, code 0
HEADER_FIELD = (PARAMETER6, 0)


# technique -> (noctule's words, nmap's words or None, kind of probe, protocol as findings name it)
TECHNIQUES = {
    "syn": (["-sS"], ["-sS"], "syn", "tcp"),
    "connect": (["-sT"], ["-sT"], "connect", "tcp"),
    "fin": (["-sF"], ["-sF"], "fin", "tcp"),
    "null": (["-sN"], ["-sN"], "fin", "tcp"),
    "xmas": (["-sX"], ["-sX"], "fin", "tcp"),
    "maimon": (["-sM"], ["-sM"], "ack", "tcp"),
    "ack": (["-sA"], ["-sA"], "ack", "tcp"),
    "window": (["-sW"], ["-sW"], "ack", "tcp"),
    "flags syn": (["-sS", "--scanflags", "SYNPSH"], ["-sS", "--scanflags", "SYNPSH"], "syn", "tcp"),
    "flags fin": (["-sF", "--scanflags", "FINURG"], ["-sF", "--scanflags", "FINURG"], "fin", "tcp"),
    "flags ack": (["-sA", "--scanflags", "ACKPSH"], ["-sA", "--scanflags", "ACKPSH"], "ack", "tcp"),
    "udp": (["-sU"], ["-sU"], "udp", "udp"),
    "sctp init": (["-sY"], ["-sY"], "init", "sctp"),
    "sctp cookie": (["-sZ"], ["-sZ"], "cookie", "sctp"),
    "protocol": (["-sO"], ["-sO"], "protocol", "ip"),
}

# kind of probe -> condition -> what comes back; conditions that are not named here do not exist for that probe
RESET = {"closed": "reset", "reset": "reset", "window": "reset-window", "drop": SILENCE}
COMES_BACK = {
    "syn": {"open": "syn-ack", "syn": "syn", **RESET},
    "connect": {"open": "accept", "closed": "refused", "reset": "refused", "window": "refused", "drop": SILENCE},
    "fin": {"open": SILENCE, "syn": SILENCE, **RESET},
    "ack": {"open": "reset", "syn": "reset", **RESET}, # LISTEN answers any ACK with a RST (RFC 9293 3.10.7.2)
    "udp": {"open": "udp", "mute": SILENCE, "drop": SILENCE},
    "init": {"open": "init-ack", "closed": "abort", "drop": SILENCE},
    "cookie": {"open": SILENCE, "closed": "abort", "drop": SILENCE},
    "protocol": {"echo": "protocol", "tcp": "protocol", "sctp": "protocol", "drop": SILENCE},
}

# technique -> what comes back -> (state, reason)
CLOSED, FILTERED = ("closed", "reset"), ("filtered", "no-response")
OPEN_FILTERED, UNFILTERED = ("open|filtered", "no-response"), ("unfiltered", "reset")
FIN = {"reset": CLOSED, "reset-window": CLOSED, SILENCE: OPEN_FILTERED}
ACK = {"reset": UNFILTERED, "reset-window": UNFILTERED, SILENCE: FILTERED}
SYN = {"syn-ack": ("open", "syn-ack"), "syn": ("open", "syn"), "reset": CLOSED, "reset-window": CLOSED,
       SILENCE: FILTERED}
MEANS = {
    "syn": SYN, "flags syn": SYN,
    "connect": {"accept": ("open", "conn-accept"), "refused": ("closed", "conn-refused"), SILENCE: FILTERED},
    "fin": FIN, "null": FIN, "xmas": FIN, "maimon": FIN, "flags fin": FIN,
    "ack": ACK, "flags ack": ACK,
    "window": {"reset": CLOSED, "reset-window": ("open", "reset"), SILENCE: FILTERED},
    "udp": {"udp": ("open", "udp-response"), SILENCE: OPEN_FILTERED},
    "sctp init": {"init-ack": ("open", "init-ack"), "abort": ("closed", "abort"), SILENCE: FILTERED},
    "sctp cookie": {"abort": ("closed", "abort"), SILENCE: OPEN_FILTERED},
    "protocol": {"protocol": ("open", "proto-response"), SILENCE: OPEN_FILTERED},
}

# Why a probe did not arrive, by family, type and code. What is not here says nothing, and counts as silence.
WHY = {
    4: {(UNREACHABLE, 0): "net-unreach", (UNREACHABLE, 1): "host-unreach", (UNREACHABLE, 2): "proto-unreach",
        (UNREACHABLE, 3): "port-unreach", (UNREACHABLE, 9): "net-prohibited", (UNREACHABLE, 10): "host-prohibited",
        (UNREACHABLE, 13): "admin-prohibited", (TIME_EXCEEDED, 0): "time-exceeded"},
    6: {(UNREACHABLE6, 0): "net-unreach", (UNREACHABLE6, 1): "admin-prohibited", (UNREACHABLE6, 2): "net-unreach",
        (UNREACHABLE6, 3): "host-unreach", (UNREACHABLE6, 4): "port-unreach", (UNREACHABLE6, 5): "admin-prohibited",
        (UNREACHABLE6, 6): "admin-prohibited", (TIME_EXCEEDED6, 0): "time-exceeded"},
}
# (technique, family, type, code) -> what such an error from the target itself means instead of filtered
OWN = {
    ("udp", 4, UNREACHABLE, 3): ("closed", "port-unreach"),
    ("udp", 6, UNREACHABLE6, 4): ("closed", "port-unreach"),
    ("protocol", 4, UNREACHABLE, 2): ("closed", "proto-unreach"),
    ("protocol", 4, UNREACHABLE, 3): ("open", "port-unreach"),
    ("protocol", 6, UNREACHABLE6, 4): ("open", "port-unreach"),
    ("protocol", 6, *HEADER_FIELD): ("open", "header-field"),
    ("protocol", 6, PARAMETER6, 1): ("closed", "proto-unreach"),
}
# With connect(2) the kernel keeps the ICMP error for who asks (IP_RECVERR), so it is told as for a SYN. Of a code that
# says nothing here, only the kernel's own reading is left (icmp_err_convert of Linux).
CONNECT = {(4, "host-tos"): ("filtered", "host-unreach", False)}


def comes_back(technique, family, condition, own):
    """What a probe of that technique gets there; None where there is no such case."""
    probe = TECHNIQUES[technique][2]
    if condition in ERRORS[family]:
        return Icmp(*ERRORS[family][condition], own)
    if condition == "header-field":
        return Icmp(*HEADER_FIELD, own) if own else None
    if condition == "closed" and probe == "udp":
        return Icmp(*((UNREACHABLE, 3) if family == 4 else (UNREACHABLE6, 4)), True)
    if condition == "closed" and probe == "protocol":
        return Icmp(*((UNREACHABLE, 2) if family == 4 else (PARAMETER6, 1)), True)
    if condition == "udp" and probe == "protocol":
        return Icmp(*((UNREACHABLE, 3) if family == 4 else (UNREACHABLE6, 4)), True)
    return COMES_BACK[probe].get(condition)


def expected(technique, family, condition, own):
    """(state, reason, whether somebody else than the target is named as reporter), or None."""
    answer = comes_back(technique, family, condition, own)
    if answer is None:
        return None
    if not isinstance(answer, Icmp):
        return (*MEANS[technique][answer], False)
    if technique == "connect" and (family, condition) in CONNECT:
        return CONNECT[family, condition]
    if answer.own and (technique, family, answer.type, answer.code) in OWN:
        return (*OWN[technique, family, answer.type, answer.code], False)
    why = WHY[family].get((answer.type, answer.code))
    return ("filtered", why, not answer.own) if why else (*MEANS[technique][SILENCE], False)


def cells(technique, family, own):
    """All cases of a technique against one host: {port or protocol: (condition, (state, reason, reported))}."""
    numbers = PROTOCOLS if technique == "protocol" else PORTS
    found = {number: (name, expected(technique, family, name, own)) for name, number in numbers[family].items()}
    return {number: cell for number, cell in found.items() if cell[1]}
