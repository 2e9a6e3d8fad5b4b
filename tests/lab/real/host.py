"""A scanner's namespace, a host on its link, and a host behind a router.

    near 198.18.1.1 ── 198.18.1.10 .. 13 far
         198.18.2.1 ── 198.18.2.254 router 198.18.3.254 ── 198.18.3.10 distant
"""

import json
import subprocess
import sys
from pathlib import Path

import netlab

LAB = Path(__file__).resolve().parents[1]  # where the package real lies
NEAR = "198.18.1.1"
HOSTS = ["198.18.1.10", "198.18.1.11", "198.18.1.12", "198.18.1.13"]  # addresses of one host
HOST_DOWN = "198.18.1.77"
ROUTER, DISTANT = "198.18.2.254", "198.18.3.10"

# port -> (what the far host's packet filter does with it, what that means)
RULES = {
    1001: ("drop", ("filtered", "no-response")),
    1002: ("reject with icmp net-unreachable", ("filtered", "net-unreach")),
    1003: ("reject with icmp host-unreachable", ("filtered", "host-unreach")),
    1004: ("reject with icmp prot-unreachable", ("filtered", "proto-unreach")),
    1005: ("reject with icmp port-unreachable", ("filtered", "port-unreach")),
    1006: ("reject with icmp net-prohibited", ("filtered", "net-prohibited")),
    1007: ("reject with icmp host-prohibited", ("filtered", "host-prohibited")),
    1008: ("reject with icmp admin-prohibited", ("filtered", "admin-prohibited")),
    1009: ("reject with tcp reset", ("closed", "reset")),
    1010: ("accept", ("closed", "reset")),
}
LIMITED = range(3000, 3050)  # answered at most 20 times a second
SILENT = range(4000, 5000)   # dropped


def pair(lab):
    """The scanner's namespace and the far host's alone, without rules: every port is closed."""
    near, far = lab.namespace("near"), lab.namespace("far")
    join(lab, near, "lan0", [NEAR], far, "host0", HOSTS)
    return near, far


def join(lab, left, left_name, left_addresses, right, right_name, right_addresses):
    lab.veth(left, left_name, right, right_name)
    for namespace, name, addresses in ((left, left_name, left_addresses), (right, right_name, right_addresses)):
        for address in addresses:
            namespace.ip("address", "add", f"{address}/24", "dev", name)


class Network:
    """All the namespaces above, with all their rules."""

    def __init__(self, lab):
        self.near, self.far = pair(lab)
        self.router, self.distant = lab.namespace("router"), lab.namespace("distant")
        join(lab, self.near, "wan0", ["198.18.2.1"], self.router, "in0", [ROUTER])
        join(lab, self.router, "out0", ["198.18.3.254"], self.distant, "host0", [DISTANT])
        self.near.ip("route", "add", "198.18.3.0/24", "via", ROUTER)
        self.distant.ip("route", "add", "default", "via", "198.18.3.254")
        self.router.ip("route", "add", "unreachable", "198.18.3.64/26")
        self.router.ip("route", "add", "prohibit", "198.18.3.128/26")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for namespace in (self.far, self.router):
            namespace.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0")  # every error is sent
        self.rule_near()
        self.rule_far()

    def rule_near(self):
        """Counts what this kernel sends by itself: the scanner's own frames pass below its packet filter."""
        nft(self.near, """table inet lab {
            counter resets { }
            chain out { type filter hook output priority 0; tcp flags & rst == rst counter name resets; }
        }""")

    def rule_far(self):
        rules = "\n".join(f"tcp dport {port} {action}" for port, (action, _) in RULES.items())
        nft(self.far, f"""table inet lab {{
            counter resets {{ }}
            chain in {{
                type filter hook input priority 0;
                tcp flags & rst == rst counter name resets
                {rules}
                tcp dport {LIMITED[0]}-{LIMITED[-1]} limit rate 20/second burst 5 packets accept
                tcp dport {LIMITED[0]}-{LIMITED[-1]} drop
                tcp dport {SILENT[0]}-{SILENT[-1]} drop
            }}
        }}
        table netdev lab {{
            counter asked {{ }}
            counter probed {{ }}
            chain in {{
                type filter hook ingress device host0 priority 0;
                arp operation request arp daddr ip {HOST_DOWN} counter name asked
                ip daddr {HOST_DOWN} counter name probed
            }}
        }}""")


def nft(namespace, rules):
    namespace.run("nft", "-f", "-", input=rules)


def counted(namespace, family, name):
    """Packets that the named counter of table `lab` has seen."""
    listing = json.loads(namespace.run("nft", "-j", "list", "counter", family, "lab", name).stdout)
    return next(entry["counter"]["packets"] for entry in listing["nftables"] if "counter" in entry)


def listen(namespace, address, ports):
    """Listeners on all the ports; they are open when this returns."""
    process = namespace.start(sys.executable, "-m", "real.listen", address, *ports, cwd=LAB)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def listening(namespace):
    """The (address, port) pairs on which TCP servers listen there."""
    return {tuple(line.split()[3].rsplit(":", 1)) for line in namespace.run("ss", "-Hltn").stdout.splitlines()}


NGINX = """
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {address}:80; listen {address}:8080; return 200 "lab"; }}
}}
"""


def serve(namespace, folder):
    """nginx, sshd and redis, each on an address of its own, with all their files in folder. Returns (address, port) of
    each of their sockets, which are open when this returns."""
    web, shell, store = HOSTS[:3]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, address=web))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True, timeout=30)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's sshd will not start without it
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    namespace.start("nginx", "-e", folder / "nginx.log", "-c", folder / "nginx.conf", **quiet)
    namespace.start("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-o", f"HostKey={folder / 'key'}",
                    "-o", f"ListenAddress={shell}:22", "-o", "PidFile=none", **quiet)
    namespace.start("redis-server", "--bind", store, "--port", "6379", "--save", "", "--dir", folder, **quiet)
    sockets = {(web, "80"), (web, "8080"), (shell, "22"), (store, "6379")}
    netlab.wait_until(lambda: sockets <= listening(namespace), seconds=30, what="nginx, sshd and redis listening")
    return {(address, int(port)) for address, port in sockets}
