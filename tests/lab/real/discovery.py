"""Hosts behind a router, each of which answers exactly one kind of question; and some on the scanner's link.

    near 198.18.1.1 ── .10 .11 (.12 is nobody)
         198.18.2.1 ── router ── 198.18.3.20 ...                                    IPv6 likewise: 2001:2:0:N::"""

from real.host import nft
from real.matrix_net import TABLE, answerer, join, unlimited

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
        there = [*BEHIND, LISTENING]
        join(lab, self.router, "out0", ["198.18.3.254/24", "2001:2:0:3::fe/64"], self.far, "host0",
             [f"{address(4, n)}/24" for n in there] + [f"{address(6, n)}/64" for n in there])
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.near.ip("route", "add", "198.18.3.0/24", "via", "198.18.2.254")
        self.near.ip("route", "add", "2001:2:0:3::/64", "via", "2001:2:0:2::fe")
        self.far.ip("route", "add", "default", "via", "198.18.3.254")
        self.far.ip("route", "add", "default", "via", "2001:2:0:3::fe")
        unlimited(self.router)
        unlimited(self.far)
        self.router.ip("route", "add", "unreachable", f"{address(4, NOBODY)}/32")
        self.router.ip("-6", "route", "add", "unreachable", f"{address(6, NOBODY)}/128")
        for family in (4, 6):
            self.filter(family)
        answerer(self.far, {"tcp": [TLS, PORT]})
        answerer(self.neighbour, {"tcp": [PORT]})

    def filter(self, family):
        word, chains, jumps = TABLE[family], "", ""
        for last, (families, accepted, refused, _) in BEHIND.items():
            accepted = accepted if family in families else ""
            chains += f"chain only{last} {{\n{accepted}\n{refused}\n}}\n"
            jumps += f"{word} daddr {address(family, last)} jump only{last}\n"
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
