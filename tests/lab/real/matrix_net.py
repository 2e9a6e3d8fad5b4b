"""The network of the matrix: one host on the scanner's link, one behind a router, both families; and the packet filters
that make each condition happen, at the host itself or on the router.

    near 198.18.1.1  2001:2:0:1::1 ── ::10  198.18.1.10  target
         198.18.2.1  2001:2:0:2::1 ── ::fe  198.18.2.254 router
                                     router 198.18.3.254  2001:2:0:3::fe ── ::10  198.18.3.10 distant
"""

import ipaddress
import json
import sys
from pathlib import Path

from real import matrix
from real.host import nft

LAB = Path(__file__).resolve().parents[1]  # where the package real lies
TARGET = {4: "198.18.1.10", 6: "2001:2:0:1::10"}
DISTANT = {4: "198.18.3.10", 6: "2001:2:0:3::10"}
ROUTER = {4: "198.18.2.254", 6: "2001:2:0:2::fe"}
TCP, UDP = 6, 17
TABLE = {4: "ip", 6: "ip6"}
UNREACHABLE = {4: matrix.UNREACHABLE, 6: matrix.UNREACHABLE6}
SYN_ACK = "tcp flags & (syn|ack|rst) == syn|ack"


def join(lab, left, left_name, left_addresses, right, right_name, right_addresses):
    """A veth pair with these addresses (with prefix lengths) and a link-local one at each end."""
    lab.veth(left, left_name, right, right_name)
    for namespace, name, addresses in ((left, left_name, left_addresses), (right, right_name, right_addresses)):
        for address in (*addresses, link_local(namespace.address(name)) + "/64"):
            nodad = ("nodad",) if ":" in address else ()
            namespace.ip("address", "add", address, "dev", name, *nodad)


def link_local(mac):
    """The link-local address that goes with a MAC (RFC 4291 appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + interface))


def unlimited(namespace):
    """Every ICMP error is sent: limits are another test's affair."""
    namespace.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0", "net.ipv4.icmp_ratelimit=0",
                  "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=1000000",
                  "net.ipv6.icmp.ratelimit=0", check=False)


def answerer(namespace, settings):
    process = namespace.start(sys.executable, "-m", "real.answerer", json.dumps(settings), cwd=LAB)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def rejects(family):
    """The packet filter's rules for all conditions that keep a probe from its port. Errors that the kernel does not
    send for a rule are left to the answerer, and the packets dropped."""
    ports, protocols = matrix.PORTS[family], matrix.PROTOCOLS[family]
    word = "icmp" if family == 4 else "icmpv6"
    lines = [f"tcp dport {ports['drop']} drop", f"udp dport {ports['drop']} drop", f"sctp dport {ports['drop']} drop",
             f"tcp dport {ports['reset']} reject with tcp reset", f"meta l4proto {protocols['drop']} drop"]
    for name, (kind, code) in matrix.ERRORS[family].items():
        action = f"reject with {word} type {code}" if kind == UNREACHABLE[family] else "drop"
        lines += [f"{proto} dport {ports[name]} {action}" for proto in ("tcp", "udp", "sctp")]
        lines.append(f"meta l4proto {protocols[name]} drop")
    if family == 6:
        lines.append(f"meta l4proto {protocols['header-field']} drop")
    return lines


def errors():
    """The errors that the answerer sends: for protocols without ports all, else what no rule of the filter sends."""
    rules = []
    for family in (4, 6):
        for name, (kind, code) in matrix.ERRORS[family].items():
            rules.append((family, matrix.PROTOCOLS[family][name], None, kind, code))
            if kind != UNREACHABLE[family]:
                rules += [(family, proto, matrix.PORTS[family][name], kind, code)
                          for proto in (TCP, UDP, matrix.PROTOCOLS[family]["sctp"])]
    return rules


class Network:
    def __init__(self, lab):
        self.near, self.target = lab.namespace("near"), lab.namespace("target")
        self.router, self.distant = lab.namespace("router"), lab.namespace("distant")
        join(lab, self.near, "lan0", ["198.18.1.1/24", "2001:2:0:1::1/64"],
             self.target, "host0", [f"{TARGET[4]}/24", f"{TARGET[6]}/64"])
        join(lab, self.near, "wan0", ["198.18.2.1/24", "2001:2:0:2::1/64"],
             self.router, "in0", [f"{ROUTER[4]}/24", f"{ROUTER[6]}/64"])
        join(lab, self.router, "out0", ["198.18.3.254/24", "2001:2:0:3::fe/64"],
             self.distant, "host0", [f"{DISTANT[4]}/24", f"{DISTANT[6]}/64"])
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.near.ip("route", "add", "198.18.3.0/24", "via", ROUTER[4])
        self.near.ip("route", "add", "2001:2:0:3::/64", "via", ROUTER[6])
        self.distant.ip("route", "add", "default", "via", "198.18.3.254")
        self.distant.ip("route", "add", "default", "via", "2001:2:0:3::fe")
        for namespace in (self.target, self.router, self.distant):
            unlimited(namespace)
        for family in (4, 6):
            self.filter(self.target, family, rejects(family), "input")
            self.filter(self.router, family, rejects(family), "forward")
            self.filter(self.distant, family, [], "input")
        header_field = [(6, matrix.PROTOCOLS[6]["header-field"], None, *matrix.HEADER_FIELD)]
        ports = matrix.PORTS[4] # of both families: plain conditions stand first, in the same order
        serving = {"tcp": [ports["open"], ports["syn"]], "udp": [ports["open"]], "mute": [ports["mute"]],
                   "sctp": [ports["open"]]}
        answerer(self.target, {**serving, "errors": {"interface": "host0", "rules": errors() + header_field}})
        answerer(self.distant, serving)
        answerer(self.router, {"errors": {"interface": "in0", "rules": errors()}})

    @staticmethod
    def filter(namespace, family, lines, hook):
        """What the host or router refuses, and how two of its ports are made to answer in unusual ways."""
        rules, ports = "\n".join(lines), matrix.PORTS[family]
        nft(namespace, f"""table {TABLE[family]} lab {{
            chain refuse {{
                type filter hook {hook} priority 0;
                {rules}
            }}
            chain change {{
                type filter hook output priority 0;
                tcp sport {ports["window"]} tcp flags & rst == rst tcp window set 512
                tcp sport {ports["syn"]} {SYN_ACK} tcp flags set syn
            }}
        }}""")
