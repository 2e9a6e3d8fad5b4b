"""A real host of UDP: five services on it, and a kernel that answers for all other ports, once a second.

    near 198.18.1.1 ── 198.18.1.10 host       (family 6: 2001:2:0:1::1, ::10)

DNS is dnsmasq, NTP chrony, SNMP snmpd, TFTP tftpd-hpa; the fifth is a socket that reads and says nothing."""

import subprocess

import netlab
from real.matrix_net import answerer, join

NEAR, HOST = {4: "198.18.1.1", 6: "2001:2:0:1::1"}, {4: "198.18.1.10", 6: "2001:2:0:1::10"}
DNS, TFTP, NTP, SNMP, SILENT = 53, 69, 123, 161, 700
SPEAKING = (DNS, TFTP, NTP, SNMP)
CHRONY = """
port 123
cmdport 0
allow all
local stratum 10
user root
pidfile {folder}/chronyd.pid
"""
SNMPD = """
agentAddress udp:{v4}:161,udp6:[{v6}]:161
rocommunity public
rocommunity6 public
"""


class UdpHost:
    """One such host and the scanner's namespace of its own before it."""

    def __init__(self, lab, folder):
        self.near, self.host = lab.namespace("near"), lab.namespace("host")
        join(lab, self.near, "lan0", [f"{NEAR[4]}/24", f"{NEAR[6]}/64"],
             self.host, "host0", [f"{HOST[4]}/24", f"{HOST[6]}/64"])
        for name, text in (("chrony.conf", CHRONY.format(folder=folder)),
                           ("snmpd.conf", SNMPD.format(v4=HOST[4], v6=HOST[6]))):
            (folder / name).write_text(text, encoding="ascii")
        (folder / "tftp").mkdir(mode=0o755)
        self.serve(folder)
        netlab.wait_until(lambda: {*SPEAKING, SILENT} <= self.bound(), seconds=30, what="five UDP services")

    def serve(self, folder):
        def start(name, *argv):
            with open(folder / f"{name}.log", "w", encoding="ascii") as log:
                self.host.start(*argv, stdout=log, stderr=subprocess.STDOUT)
        start("dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
              "--bind-interfaces", "--listen-address", HOST[4], "--listen-address", HOST[6], "--user=root",
              "--pid-file", "--log-facility=-")
        start("chronyd", "chronyd", "-x", "-d", "-f", folder / "chrony.conf")
        start("snmpd", "snmpd", "-f", "-Lo", "-C", "-c", folder / "snmpd.conf", "-p", folder / "snmpd.pid")
        start("tftpd", "in.tftpd", "--foreground", "--listen", "--user", "root", "--address", f":{TFTP}", "--secure",
              folder / "tftp")
        answerer(self.host, {"mute": [SILENT]})

    def bound(self):
        """The ports of all UDP sockets there."""
        return {int(line.split()[3].rsplit(":", 1)[1]) for line in self.host.run("ss", "-Hlun").stdout.splitlines()}

    def errors_sent(self):
        """ICMP port unreachable messages that the host's kernel has sent."""
        rows = self.host.run("cat", "/proc/net/snmp").stdout.splitlines()
        names, values = [row.split()[1:] for row in rows if row.startswith("Icmp:")]
        return int(dict(zip(names, values))["OutDestUnreachs"])


def truth(ports):
    """{port: the states that are right}; of a silent service nobody can tell more."""
    return {port: "open" if port in SPEAKING else "open|filtered" if port == SILENT else "closed" for port in ports}
