"""Hosts behind a router, each of which answers exactly one kind of question; and some on the scanner's link.

    near 198.18.1.1 ── .10 .11 (.12 is nobody)
         198.18.2.1 ── router ── 198.18.3.20 ...                                    IPv6 likewise: 2001:2:0:N::"""

from real import matrix
from real.host import nft
from real.matrix_net import TABLE, UNREACHABLE, answerer, join, unlimited

SYN, ACK = "tcp flags & (syn|ack) == syn", "tcp flags & (syn|ack) == ack"
EVERY = (4, 6)
WEB, TLS, PORT = 80, 443, 8080
# last part of the address -> (families, what alone its packet filter lets in and how else it refuses, reason of up)
BEHIND = {
    20: (EVERY, "meta l4proto {icmp, ipv6-icmp} accept", "drop", "echo-reply"),
    21: (EVERY, f"tcp dport {TLS} {SYN} accept", "drop", "syn-ack"),
    22: (EVERY, f"tcp dport {WEB} {ACK} accept", "drop", "reset"),
    23: ((4,), "icmp type timestamp-request accept", "drop", "timestamp-reply"),
    24: (EVERY, f"tcp dport {PORT} accept", "drop", None), # it lives, but none of the four questions can tell
    25: (EVERY, "", "", "any"),
}
NOBODY = 26 # nobody is there: the router says so
LISTENING = 27 # TCP 443 is open
RESETS = 28 # whose packet filter resets every TCP segment, and drops all else
# Hosts that refuse everything by an ICMP error, each by another one: {family: {condition: last part of the address}};
# and such that a router refuses to lead to.
MEANT = {family: [name for name, error in errors.items() if error in matrix.WHY[family]]
         for family, errors in matrix.ERRORS.items()}
REFUSING = {family: {name: 100 + n for n, name in enumerate(names) if matrix.ERRORS[family][name][0]
                     == UNREACHABLE[family]} for family, names in MEANT.items()}
REFUSED = {family: {name: 150 + n for n, name in enumerate(names)} for family, names in MEANT.items()}
FIRST = {4: "198.18.3.", 6: "2001:2:0:3::"}
NEIGHBOURS = {4: ["198.18.1.10", "198.18.1.11"], 6: ["2001:2:0:1::10", "2001:2:0:1::11"]}
NO_NEIGHBOUR = {4: "198.18.1.12", 6: "2001:2:0:1::12"}


def address(family, last):
    return f"{FIRST[family]}{last}"


class Network:
    def __init__(self, lab):
        self.near, self.neighbour = lab.namespace("near"), lab.namespace("neighbour")
        self.router, self.far = lab.namespace("router"), lab.namespace("far")
        join(lab, self.near, "lan0", ["198.18.1.1/24", "2001:2:0:1::1/64"], self.neighbour, "host0",
             [f"{a}/24" for a in NEIGHBOURS[4]] + [f"{a}/64" for a in NEIGHBOURS[6]])
        join(lab, self.near, "wan0", ["198.18.2.1/24", "2001:2:0:2::1/64"],
             self.router, "in0", ["198.18.2.254/24", "2001:2:0:2::fe/64"])
        there = {family: [*BEHIND, LISTENING, RESETS, *REFUSING[family].values()] for family in EVERY}
        join(lab, self.router, "out0", ["198.18.3.254/24", "2001:2:0:3::fe/64"], self.far, "host0",
             [f"{address(4, n)}/24" for n in there[4]] + [f"{address(6, n)}/64" for n in there[6]])
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.near.ip("route", "add", "198.18.3.0/24", "via", "198.18.2.254")
        self.near.ip("route", "add", "2001:2:0:3::/64", "via", "2001:2:0:2::fe")
        self.far.ip("route", "add", "default", "via", "198.18.3.254")
        self.far.ip("route", "add", "default", "via", "2001:2:0:3::fe")
        unlimited(self.router)
        unlimited(self.far)
        self.router.ip("route", "add", "unreachable", f"{address(4, NOBODY)}/32")
        self.router.ip("-6", "route", "add", "unreachable", f"{address(6, NOBODY)}/128")
        for family in EVERY:
            self.filter_far(family)
            self.filter_router(family)
        answerer(self.far, {"tcp": [TLS, PORT]})
        answerer(self.neighbour, {"tcp": [PORT]})

    def filter_far(self, family):
        word, chains, jumps = TABLE[family], "", ""
        for last, (families, accepted, refused, _) in BEHIND.items():
            accepted = accepted if family in families else ""
            chains += f"chain only{last} {{\n{accepted}\n{refused}\n}}\n"
            jumps += f"{word} daddr {address(family, last)} jump only{last}\n"
        for name, last in REFUSING[family].items():
            jumps += f"{word} daddr {address(family, last)} {reject(family, name)}\n"
        jumps += f"{word} daddr {address(family, RESETS)} meta l4proto tcp reject with tcp reset\n"
        jumps += f"{word} daddr {address(family, RESETS)} drop\n"
        neighbours = "icmpv6 type {nd-neighbor-solicit, nd-neighbor-advert} accept" if family == 6 else ""
        nft(self.far, f"""table {word} lab {{
            counter ports {{ }}
            {chains}
            chain in {{
                type filter hook input priority 0;
                {neighbours}
                tcp dport {PORT} counter name ports
                {jumps}
            }}
        }}""")

    def filter_router(self, family):
        word, unreachable, expiring = TABLE[family], "", ""
        for name, last in REFUSED[family].items():
            if matrix.ERRORS[family][name][0] == UNREACHABLE[family]:
                unreachable += f"{word} daddr {address(family, last)} {reject(family, name)}\n"
            else:
                hops = "ip ttl" if family == 4 else "ip6 hoplimit"
                expiring += f"{word} daddr {address(family, last)} {hops} set 1\n"
        nft(self.router, f"""table {word} lab {{
            chain before {{
                type filter hook prerouting priority 0;
                {expiring}
            }}
            chain through {{
                type filter hook forward priority 0;
                {unreachable}
            }}
        }}""")


def reject(family, name):
    return f"reject with {'icmp' if family == 4 else 'icmpv6'} type {matrix.ERRORS[family][name][1]}"
