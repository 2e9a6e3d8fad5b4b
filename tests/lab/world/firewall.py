"""A firewall that remembers connections, in a namespace of its own between scanner and world, with a table that is soon
full: then no new connection passes, and what belongs to none in the table doesn't either.

The table is a dynamic set of nftables. The kernel's own connection tracking would be truer still, but the size of its
table is one number for the whole machine (nf_conntrack_max), and a lab leaves the machine alone."""
import json

import netlab

ROUTER, BEYOND, BEHIND = "198.18.1.1", "198.18.1.2", "198.19.0.0/16"
GATEWAY_MAC = "02:00:00:00:00:01"  # the world's own, so that nothing else changes for a scanner
FLOW = "ip saddr . tcp sport . ip daddr . tcp dport"
FLOW_BACK = "ip daddr . tcp dport . ip saddr . tcp sport"
AFTER_RESET = "100ms"  # removing an entry at once would not give its room back: only the look through the table does


class Firewall:
    """Routes between scan0 and world0, whose universe must lie within 198.19.0.0/16. A connection that was asked for is
    remembered for so many seconds, or a second longer than until one side resets it."""

    def __init__(self, lab, scanner, far, gateway, size, seconds):
        self.namespace = lab.namespace("wall")
        lab.veth(scanner, "scan0", self.namespace, "left0")
        lab.veth(self.namespace, "right0", far, "world0")
        netlab.napi_on(self.namespace, "right0")
        self.namespace.ip("link", "set", "left0", "address", GATEWAY_MAC)
        self.namespace.ip("addr", "add", f"{gateway}/24", "dev", "left0")
        self.namespace.ip("addr", "add", f"{ROUTER}/24", "dev", "right0")
        self.namespace.ip("route", "add", BEHIND, "via", BEYOND)
        self.namespace.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0")
        self.namespace.run("nft", f"""
            add table ip wall
            add counter ip wall refused
            add set ip wall flows {{ type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout;
                                     size {size}; timeout {seconds}s; gc-interval 1s; }}
            add chain ip wall forward {{ type filter hook forward priority 0; policy drop; }}
            add rule ip wall forward iifname left0 tcp flags & (syn|ack|rst|fin) == syn add @flows {{ {FLOW} }} accept
            add rule ip wall forward iifname left0 tcp flags & (syn|ack|rst|fin) == syn counter name refused drop
            add rule ip wall forward iifname left0 tcp flags & rst == rst {FLOW} @flows update @flows {{ {FLOW} timeout {AFTER_RESET} }} accept
            add rule ip wall forward iifname right0 {FLOW_BACK} != @flows drop
            add rule ip wall forward iifname right0 tcp flags & rst == rst update @flows {{ {FLOW_BACK} timeout {AFTER_RESET} }} accept
            add rule ip wall forward iifname right0 accept
        """.strip())

    def refused(self):
        """Connections asked for that the table had no room for, so far."""
        listing = json.loads(self.namespace.run("nft", "-j", "list", "counters").stdout)
        return next(entry["counter"]["packets"] for entry in listing["nftables"] if "counter" in entry)
