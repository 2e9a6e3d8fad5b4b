"""Hands that know other tools: the commonest command lines of nmap, masscan, ZMap, naabu and RustScan. Each runs here
with the same meaning - the same endpoints, and the settings named here and no others - or is refused in one line that
names our way. What it means is written down here and worked out by the test, not asked of noctule."""

import ipaddress
import subprocess

import netlab
import pytest

HOST, NET = "198.18.0.7", "198.18.0.0/30"
EACH = 30  # command lines of every tool, at the least
# What decides the endpoints: judged by what a dry run prints, not by how it was said.
ENDPOINT_KEYS = {"target", "ports", "top-ports", "exclude-ports", "input-file", "exclude", "exclude-file", "syn",
                 "connect", "fin", "null", "xmas", "maimon", "ack", "window", "udp", "sctp-init", "sctp-cookie",
                 "protocol", "ping"}


class Runs:
    """What a command line means: every port (or so many different ones) of every host, by each technique, and settings
    by their config keys. No ports: the hosts themselves."""

    def __init__(self, hosts, ports, *techniques, sampled=None, **settings):
        self.hosts = [str(a) for word in hosts.split() for a in ipaddress.ip_network(word)]
        self.ports = ports
        self.techniques = techniques or ("tcp syn",)
        self.sampled = sampled
        self.settings = {key.replace("_", "-"): value for key, value in settings.items()}


def runs(*arguments, **settings):
    return Runs(*arguments, **settings)


NO_SERVICES = "noctule finds hosts and ports, no more"
NOT_HIDING = "hiding is not a feature"
FILES = "-o FILE.jsonl"
PACES = "one rate holds for the whole scan"

NMAP = {
    f"{HOST}": runs(HOST, 1000),
    f"-p 22 {HOST}": runs(HOST, [22]),
    f"-p 1-100 {NET}": runs(NET, range(1, 101)),
    f"-p22,80,443 {HOST}": runs(HOST, [22, 80, 443]),
    f"-p- {HOST}": runs(HOST, range(1, 65536)),
    f"-p http,https {HOST}": runs(HOST, [80, 443]),
    f"-F {HOST}": runs(HOST, 100),
    f"--top-ports 10 {NET}": runs(NET, 10),
    f"-sS -p80 {NET}": runs(NET, [80]),
    f"-sT -p80 {NET}": runs(NET, [80], "tcp connect"),
    f"-sU -p 53,161 {HOST}": runs(HOST, [53, 161], "udp udp"),
    f"-sSU -p 53 {HOST}": runs(HOST, [53], "tcp syn", "udp udp"),
    f"-sA -p80 {HOST}": runs(HOST, [80], "tcp ack"),
    f"-sF -p80 {HOST}": runs(HOST, [80], "tcp fin"),
    f"-sN -p80 {HOST}": runs(HOST, [80], "tcp null"),
    f"-sX -p80 {HOST}": runs(HOST, [80], "tcp xmas"),
    f"-sW -p80 {HOST}": runs(HOST, [80], "tcp window"),
    f"-sM -p80 {HOST}": runs(HOST, [80], "tcp maimon"),
    f"-sY -p80 {HOST}": runs(HOST, [80], "sctp sctp-init"),
    f"-sZ -p80 {HOST}": runs(HOST, [80], "sctp sctp-cookie"),
    f"-sO {HOST}": runs(HOST, range(256), "ip protocol"),
    f"--scanflags SYNFIN -p80 {HOST}": runs(HOST, [80], scanflags="SYNFIN"),
    f"-sn {NET}": runs(NET, None, "host ping"),
    f"-sP {NET}": runs(NET, None, "host ping"),
    f"-sL {NET}": runs(NET, None, "host ping"),
    f"-sn -PE {NET}": runs(NET, None, "host ping", ping_echo="yes"),
    f"-sn -PS22,80 -PA443 -PU53 -PP {NET}": runs(NET, None, "host ping", ping_syn="22,80", ping_ack="443",
                                                 ping_udp="53", ping_timestamp="yes"),
    f"-PS22 -p80 {HOST}": runs(HOST, [80], ping_syn="22"),
    f"-PR -p80 {HOST}": runs(HOST, [80]),
    f"-Pn -p80 {HOST}": runs(HOST, [80], no_discovery="yes"),
    f"-P0 -p80 {HOST}": runs(HOST, [80], no_discovery="yes"),
    f"-PN -p80 {HOST}": runs(HOST, [80], no_discovery="yes"),
    f"-T4 -F {HOST}": runs(HOST, 100, rate="auto", max_rate="30k"),
    f"-T 2 -p80 {HOST}": runs(HOST, [80], rate="2.5"),
    f"-T0 -p80 {HOST}": runs(HOST, [80], rate="0.003"),
    f"-T3 -p80 {HOST}": runs(HOST, [80]),
    f"-T5 --max-retries 1 -p80 {HOST}": runs(HOST, [80], rate="auto", max_rate="100k", retries="1", timeout="250ms"),
    f"-T4 --min-rate 50000 -p80 {HOST}": runs(HOST, [80], rate="50000"),
    f"-T4 --max-rate 5 -p80 {HOST}": runs(HOST, [80], max_rate="5"),
    f"--min-rate 300 -p80 {HOST}": runs(HOST, [80], rate="300"),
    f"--max-rate 500 -p80 {HOST}": runs(HOST, [80], max_rate="500"),
    f"--min-rate 100 --max-rate 500 -p80 {HOST}": runs(HOST, [80], rate="100", max_rate="500"),
    f"--min-rate 500 --max-rate 100 -p80 {HOST}": "--rate is more than --max-rate",
    f"--max-retries 2 -p80 {HOST}": runs(HOST, [80], retries="2"),
    f"--host-timeout 30m -p80 {HOST}": runs(HOST, [80], host_timeout="30m"),
    f"--initial-rtt-timeout 300ms -p80 {HOST}": runs(HOST, [80], timeout="300ms"),
    f"-n -p80 {HOST}": runs(HOST, [80]),
    "-6 -p80 2001:2::7": runs("2001:2::7", [80], ipv6="yes"),
    "-iL hosts.txt -p80": runs(NET, [80]),
    f"-p80 {NET} --exclude 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-p80 {NET} --excludefile never.txt": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-p1-9 --exclude-ports 3-9 {HOST}": runs(HOST, [1, 2]),
    f"--open -p80 {HOST}": runs(HOST, [80], open="yes"),
    f"--reason -p80 {HOST}": runs(HOST, [80]),
    f"-vv -p80 {HOST}": runs(HOST, [80], verbose=["1", "1"]),
    f"--packet-trace -p80 {HOST}": runs(HOST, [80], packet_trace="yes"),
    f"-g 53 -p80 {HOST}": runs(HOST, [80], source_port="53"),
    f"--source-port 53 -p80 {HOST}": runs(HOST, [80], source_port="53"),
    f"-e lo -S 127.0.0.1 -p80 {HOST}": runs(HOST, [80], interface="lo", source_ip="127.0.0.1"),
    f"--ttl 9 -p80 {HOST}": runs(HOST, [80], ttl="9"),
    f"--randomize-hosts -p80 {NET}": runs(NET, [80]),
    f"--privileged -p80 {HOST}": runs(HOST, [80], privileged="yes"),
    f"--unprivileged -p80 {HOST}": runs(HOST, [80], "tcp connect", unprivileged="yes"),
    f"-A {HOST}": "only ports are scanned (-sS -sU)",
    f"-A -T4 {HOST}": "only ports are scanned (-sS -sU)",
    f"-O {HOST}": "no guess of the system is made",
    f"-sV {HOST}": NO_SERVICES,
    f"-sSV {HOST}": NO_SERVICES,
    f"-sC {HOST}": NO_SERVICES,
    f"--script vuln {HOST}": NO_SERVICES,
    f"--script=http-title {HOST}": NO_SERVICES,
    f"--traceroute {HOST}": "traceroute(8)",
    f"-r {HOST}": "the order is always random, --seed N fixes it",
    f"-R {HOST}": "never looked up",
    "-iR 100 -p80": "--sample N 0.0.0.0/0 with --exclude-file FILE",
    f"-oX out.xml {HOST}": FILES, f"-oN out.txt {HOST}": FILES, f"-oG - {HOST}": FILES, f"-oA out {HOST}": FILES,
    f"-d {HOST}": "-vv", f"-d2 {HOST}": "-vv",
    f"--stats-every 10s {HOST}": "a progress line",
    f"--defeat-rst-ratelimit {HOST}": "--host-timeout TIME",
    f"--scan-delay 1s {HOST}": "--rate 0.5",
    f"--min-parallelism 100 {HOST}": PACES,
    f"--min-hostgroup 64 {HOST}": PACES,
    f"--max-rtt-timeout 1s {HOST}": "--timeout TIME",
    f"-D RND:10 {HOST}": NOT_HIDING, f"-f {HOST}": NOT_HIDING, f"--mtu 24 {HOST}": NOT_HIDING,
    f"--spoof-mac 0 {HOST}": NOT_HIDING, f"--data-length 25 {HOST}": NOT_HIDING, f"--badsum {HOST}": NOT_HIDING,
    f"-sI 198.18.0.9 {HOST}": "no scan through third parties", f"-b 198.18.0.9 {HOST}": "no scan through third parties",
    f"-PM {HOST}": "-PE, -PP, -PS", f"-PO1,2 {HOST}": "-PE, -PP, -PS",
    "--resume scan.log": "--shard I/N",
    "--iflist": "ip address",
}

MASSCAN = {
    f"{NET} -p80": runs(NET, [80]),
    f"{NET} -p80,443 --rate 1000": runs(NET, [80, 443], rate="1000"),
    f"-p22-25 {NET} --rate=100000": runs(NET, range(22, 26), rate="100000"),
    f"--ports 80 --range {NET}": runs(NET, [80]),
    f"{HOST} -p0-65535": runs(HOST, range(65536)),
    f"{HOST} -sU -pU:161": runs(HOST, [161], "udp udp"),
    f"{HOST} --top-ports 100": runs(HOST, 100),
    f"{NET} -p80 --exclude 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"{NET} -p80 --excludefile never.txt": runs("198.18.0.0/31 198.18.0.2", [80]),
    "-iL hosts.txt -p80": runs(NET, [80]),
    "--includefile hosts.txt -p80": runs(NET, [80]),
    f"{NET} -p80 --max-rate 1000": runs(NET, [80], max_rate="1000"),
    "-c other.conf": runs(NET, [80], rate="77"),
    "--conf other.conf --rate 5": runs(NET, [80], rate="5"),
    "--conf other.conf --max-rate 5000": runs(NET, [80], max_rate="5000"),
    f"{NET} -p80 --adapter-ip 198.18.0.1": runs(NET, [80], source_ip="198.18.0.1"),
    f"{NET} -p80 --source-ip 198.18.0.1": runs(NET, [80], source_ip="198.18.0.1"),
    f"{NET} -p80 --adapter-port 40000": runs(NET, [80], source_port="40000"),
    f"{NET} -p80 --adapter lo --adapter-mac 02:00:00:00:00:01": runs(NET, [80], interface="lo",
                                                                     source_mac="02:00:00:00:00:01"),
    f"{NET} -p80 --router-mac 02-00-00-00-00-02": runs(NET, [80], gateway_mac="02-00-00-00-00-02"),
    f"{NET} -p80 -e lo": runs(NET, [80], interface="lo"),
    f"{NET} -p80 --wait 5": runs(NET, [80], wait="5"),
    f"{NET} -p80 --seed 7": runs(NET, [80], seed="7"),
    f"{NET} -p80 --shard 1/1": runs(NET, [80], shard="1/1"),
    f"{NET} -p80 --retries 1": runs(NET, [80], retries="1"),
    f"{NET} -p80 --offline": runs(NET, [80]),
    f"{NET} -p80 --ttl 9": runs(NET, [80], ttl="9"),
    f"{NET} -p80 --open": runs(NET, [80], open="yes"), f"{NET} -p80 --open-only": runs(NET, [80], open="yes"),
    f"{NET} -p80 -sS -Pn -n --randomize-hosts": runs(NET, [80], no_discovery="yes"),
    f"{NET} -p80 --packet-trace --pcap out.pcap": runs(NET, [80], packet_trace="yes", pcap="out.pcap"),
    "2001:2::/126 -p80": runs("2001:2::/126", [80]),
    f"{NET} -pU:161": "-sU",
    f"{NET} -p80 --ping": "-sn probes no port: expected --alive",
    f"{NET} -p80 --banners": "not built yet",
    f"{NET} -p80 -oJ out.json": FILES, f"{NET} -p80 -oL out.txt": FILES, f"{NET} -p80 -oB out.bin": FILES,
    f"{NET} -p80 -oX out.xml": FILES, f"{NET} -p80 -oG out.txt": FILES,
    f"{NET} -p80 --output-format json --output-filename out.json": FILES,
    "--resume paused.conf": "not built yet",
    f"{NET} -p80 --infinite": "a loop of the shell",
    "--nmap": "-h lists the options",
    "--readscan out.bin -oX out.xml": "grep and jq",
    f"{NET} -p443 --heartbleed": NO_SERVICES,
    f"{NET} -p80 --http-user-agent x": NO_SERVICES,
    f"{NET} -p80 --adapter-vlan 5": "a VLAN is an interface of the kernel",
    f"{NET} -p80 --pfring": "--wire xdp",
    f"{NET} -p80 --adapter-port 40000-41000": "expected a whole number",
}

ZMAP = {
    f"-p 80 {NET}": runs(NET, [80]),
    f"-p80 {NET} -B 10M": runs(NET, [80], bandwidth="10M"),
    f"--target-ports=80,443 {NET}": runs(NET, [80, 443]),
    f"-p 80 --rate=10000 {NET}": runs(NET, [80], rate="10000"),
    f"-p 80 {NET} -o out.txt": runs(NET, [80], output="out.txt"),
    f"-p 80 {NET} --output-file=out.jsonl": runs(NET, [80], output="out.jsonl"),
    f"-p 80 --max-targets=3 --seed=5 {NET}": runs(NET, [80], sampled=3, sample="3", seed="5"),
    f"-p 80 -N 10 {NET}": runs(NET, [80], max_results="10"),
    f"-p 80 --max-results=10 {NET}": runs(NET, [80], max_results="10"),
    f"-p 80 --max-runtime=60 {NET}": runs(NET, [80], max_runtime="60"),
    f"-p 80 --cooldown-time=8 {NET}": runs(NET, [80], wait="8"),
    "-p 80 -w hosts.txt": runs(NET, [80]), "-p 80 --allowlist-file=hosts.txt": runs(NET, [80]),
    "-p 80 --whitelist-file=hosts.txt": runs(NET, [80]),
    f"-p 80 --blocklist-file=never.txt {NET}": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-p 80 --blacklist-file=never.txt {NET}": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-p 80 -i lo {NET}": runs(NET, [80], interface="lo"),
    f"-p 80 --interface=lo {NET}": runs(NET, [80], interface="lo"),
    f"-p 80 -S 198.18.0.1 {NET}": runs(NET, [80], source_ip="198.18.0.1"),
    f"-p 80 -G 02:00:00:00:00:02 {NET}": runs(NET, [80], gateway_mac="02:00:00:00:00:02"),
    f"-p 80 --gateway-mac=02:00:00:00:00:02 {NET}": runs(NET, [80], gateway_mac="02:00:00:00:00:02"),
    f"-p 80 --source-port=40000 {NET}": runs(NET, [80], source_port="40000"),
    f"-p 80 -M tcp_synscan {NET}": runs(NET, [80]),
    f"-M icmp_echoscan {NET}": runs(NET, None, "host ping", ping_echo="yes"),
    f"--probe-module=icmp_echoscan {NET}": runs(NET, None, "host ping", ping_echo="yes"),
    f"-M udp -p 53 {NET}": runs(NET, [53], "udp udp"),
    f"-p 80 --probe-ttl=9 {NET}": runs(NET, [80], ttl="9"),
    f"-p 80 -q {NET}": runs(NET, [80], quiet="yes"),
    f"-p 80 --dryrun {NET}": runs(NET, [80]),
    f"-p 80 -C other.conf {NET}": runs(NET, [80], rate="77"),
    f"-p 80 --disable-syslog {NET}": runs(NET, [80]),
    f"-p 80 -r 10000 {NET}": "a rate is --rate PPS",
    f"-p 80 -n 1000 {NET}": "ZMap's -n N is --sample N",
    f"-p 80 -b never.txt {NET}": "--exclude-file FILE",
    f"-p 80 -c 8 {NET}": "ZMap's -c TIME is --wait TIME",
    f"-p 80 -t 60 {NET}": "--max-runtime TIME",
    f"-p 80 -P 2 {NET}": "--retries N", f"-p 80 --probes=2 {NET}": "--retries N",
    f"-p 80 -s 40000 {NET}": "-g PORT",
    f"-p 80 -e 5 {NET}": "--seed N",
    f"-p 80 -d {NET}": "--dry-run",
    f"-p 80 --sender-threads=4 {NET}": runs(NET, [80], sender_threads="4"),
    f"-p 80 -T 4x {NET}": "ZMap's -T N is --sender-threads N",
    f"-p 80 --cores=0,1 {NET}": PACES,
    f"-p 80 --shards=3 --shard=0 --seed=5 {NET}": "--shard I+1/N",
    f"-p 80 -O json {NET}": "-o FORMAT:FILE", f"-p 80 --output-module=json {NET}": "-o FORMAT:FILE",
    f"-p 80 -f saddr {NET}": FILES, f"-p 80 --output-fields=saddr,ttl {NET}": FILES,
    f"-p 80 --output-filter=repeat=0 {NET}": FILES,
    f"-p 80 -o out.csv {NET}": "jsonl (.jsonl)",
    f"-p 80 -v 5 {NET}": "ZMap's -v N is -v or -vv", f"-p 80 --verbosity=5 {NET}": "-vv",
    f"-p 80 -L logs {NET}": "2>FILE", f"-p 80 --metadata-file=m.json {NET}": "the summary",
    f"-p 53 -M udp --probe-args=file:x {NET}": "the questions of the services",
    f"-p 80 -M tcp_synackscan {NET}": "expected one of tcp_synscan",
    f"-p 80 -X {NET}": "leave it out",
    "--list-probe-modules": "-h lists",
}

NAABU = {
    f"-host {HOST}": runs(HOST, 1000),
    f"-host {HOST} -p 80,443": runs(HOST, [80, 443]),
    f"-host {HOST} -p -": runs(HOST, range(1, 65536)),
    f"-host {HOST} -port 80": runs(HOST, [80]),
    f"-host {HOST} -top-ports 100": runs(HOST, 100),
    f"-host {HOST} -tp 1000": runs(HOST, 1000),
    "-list hosts.txt -p 80": runs(NET, [80]), "-l hosts.txt -p 80": runs(NET, [80]),
    f"-host {NET} -p 80 -rate 1000": runs(NET, [80], rate="1000"),
    f"-host {NET} -p 80 -retries 1": runs(NET, [80], retries="1"),
    f"-host {NET} -p 80 -timeout 500ms": runs(NET, [80], timeout="500ms"),
    f"-host {NET} -p 80 -json": runs(NET, [80], output="jsonl:-"),
    f"-host {NET} -p 80 -j": runs(NET, [80], output="jsonl:-"),
    f"-host {NET} -p 80 -silent": runs(NET, [80], quiet="yes"),
    f"-host {NET} -p 80 -o out.txt": runs(NET, [80], output="out.txt"),
    f"-host {HOST} -p 80,81,82 -exclude-ports 81,82": runs(HOST, [80]),
    f"-host {HOST} -p 80,81 -ep 81": runs(HOST, [80]),
    f"-host {NET} -p 80 -exclude-hosts 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-host {NET} -p 80 -eh 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-host {NET} -p 80 -exclude-file never.txt": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-host {NET} -p 80 -scan-type s": runs(NET, [80]),
    f"-host {NET} -p 80 -scan-type c": runs(NET, [80], "tcp connect"),
    f"-host {NET} -p 80 -Pn": runs(NET, [80], no_discovery="yes"),
    f"-host {NET} -sn": runs(NET, None, "host ping"),
    f"-host {NET} -sn -pe": runs(NET, None, "host ping", ping_echo="yes"),
    f"-host {NET} -sn -ps 80": "-PS22,443",
    f"-host {NET} -p 80 -iface lo": runs(NET, [80], interface="lo"),
    f"-host {NET} -p 80 -i lo": runs(NET, [80], interface="lo"),
    f"-host {NET} -p 80 -source-ip 198.18.0.1": runs(NET, [80], source_ip="198.18.0.1"),
    f"-host {NET} -p 80 -v": runs(NET, [80], verbose=["1"]),
    f"-host {NET} -p 80 -nc": runs(NET, [80]), f"-host {NET} -p 80 -sa": runs(NET, [80]),
    f"-host {NET} -p u:53 -sU": runs(NET, [53], "udp udp"),
    f"-host {HOST} -top-ports full": "naabu's full is -p-",
    f"-host {NET} -p 80 -timeout 1000": "a time with its unit",
    f"-host {NET} -p 80 -c 50": "naabu's -c N is not needed",
    f"-host {NET} -p 80 -s c": "naabu's -s c is -sT",
    f"-host {NET} -p 80 -verify": "cookie",
    f"-host {NET} -p 80 -nmap-cli nmap": "-o hostport:FILE",
    f"-host {HOST} -ports-file ports.txt": "$(paste -sd, FILE)", f"-host {HOST} -pf ports.txt": "$(paste -sd, FILE)",
    f"-host {NET} -p 80 -csv": FILES,
    f"-host {NET} -p 80 -exclude-cdn": "--exclude-file FILE", f"-host {NET} -p 80 -ec": "--exclude-file FILE",
    f"-host {NET} -p 80 -stats": "a progress line",
    f"-host {NET} -p 80 -debug": "-vv",
    f"-host {HOST} -passive": "noctule asks the hosts themselves",
    "-interface-list": "ip address", "-resume": "not built yet",
    f"-host {NET} -p 80 -proxy 198.18.0.9:1080": NOT_HIDING,
    f"-host 198.18.0.1,{HOST} -p 80": "several targets stand with blanks between",
    f"-host {NET} -p 80 -r 198.18.0.9": "the order is always random",
    f"-host {HOST} -p u:53": "-sU",
    f"-host {NET} -p 80 -threads 25": PACES,
}

RUSTSCAN = {
    f"-a {HOST}": runs(HOST, 1000),
    f"-a {HOST} -p 80": runs(HOST, [80]),
    f"-a {HOST} -p 80,443,8080": runs(HOST, [80, 443, 8080]),
    f"--addresses {NET} --ports 80": runs(NET, [80]),
    f"--addresses {NET} -p 80 --tries 1x": "--retries N",
    f"-a {NET} --port 80": runs(NET, [80]),
    f"-a {NET} -p 1-100": runs(NET, range(1, 101)),
    f"-a {HOST} --top": runs(HOST, 1000),
    f"-a {NET} -p 80 --scan-order random": runs(NET, [80]),
    f"-a {NET} -p 80 --accessible": runs(NET, [80]),
    f"-a {NET} -p 80 --no-config": runs(NET, [80]), f"-a {NET} -p 80 -n": runs(NET, [80]),
    f"-a {NET} -p 80 --no-banner": runs(NET, [80]),
    f"-a {NET} -p 80 --greppable": runs(NET, [80], output="hostport:-"),
    f"-a {NET} -p 80 --timeout 500ms": runs(NET, [80], timeout="500ms"),
    f"-a {NET} -p 80 --config-path other.conf": runs(NET, [80], rate="77"),
    f"-a {HOST} -p 80,81 --exclude-ports 81": runs(HOST, [80]),
    f"-a {NET} -p 80 -x 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-a {NET} -p 80 --exclude-addresses 198.18.0.3": runs("198.18.0.0/31 198.18.0.2", [80]),
    f"-a {HOST} -p 53 --udp": runs(HOST, [53], "udp udp"),
    "-a 2001:2::7 -p 80": runs("2001:2::7", [80]),
    f"-a {NET} -p 80 -q": runs(NET, [80], quiet="yes"),
    f"-a 198.18.0.1,{HOST} -p 80": "several targets stand with blanks between",
    f"-a {HOST} -r 1-1000": "a range of ports -p FIRST-LAST",
    f"-a {HOST} --range 1-1000": "RustScan's --range of ports is -p",
    f"-a {HOST} -p 80 -b 4500": "RustScan's -b N is --rate PPS", f"-a {HOST} -p 80 --batch-size 4500": PACES,
    f"-a {HOST} -p 80 -t 1500": "RustScan's is --timeout TIME",
    f"-a {HOST} -p 80 --timeout 1500": "a time with its unit",
    f"-a {HOST} -p 80 --ulimit 5000": "ulimit -n", f"-a {HOST} -p 80 -u 5000": "ulimit -n",
    f"-a {HOST} -p 80 --tries 2": "--retries N",
    f"-a {HOST} -p 80 --scan-order serial": "expected random",
    f"-a {HOST} -p 80 -g": "RustScan's -g is -o hostport:-",
    f"-a {HOST} -p 80 -e 81": "--exclude-ports PORTS",
    f"-a {HOST} -p 80 --scripts none": NO_SERVICES,
    f"-a {HOST} -p 80 --resolver 198.18.0.9": "the system's resolver",
    f"-a {HOST} -p 80 -- -A -sC": "behind -- stand targets only", f"-a {HOST} -- -sV": "behind -- stand targets only",
}

TOOLS = {"nmap": NMAP, "masscan": MASSCAN, "zmap": ZMAP, "naabu": NAABU, "rustscan": RUSTSCAN}
LINES = [(tool, line, means) for tool, table in TOOLS.items() for line, means in table.items()]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A namespace with a link that nobody answers on, and the files that command lines name."""
    directory = tmp_path_factory.mktemp("hands")
    (directory / "hosts.txt").write_text("198.18.0.0/31\n198.18.0.2 198.18.0.3\n")
    (directory / "never.txt").write_text("198.18.0.3\n")
    (directory / "other.conf").write_text(f"rate = 77\nports = 80\ntarget = {NET}\n")
    with netlab.Lab() as lab:
        hands, nobody = lab.namespace("hands"), lab.namespace("nobody")
        lab.veth(hands, "veth0", nobody, "veth1")
        hands.ip("addr", "add", "198.18.0.1/24", "dev", "veth0")
        yield hands, directory


def probes_sent(place):
    with place[0].entered(), open("/proc/thread-self/net/dev", encoding="ascii") as lines:
        return [line.split(":")[1].split()[9] for line in lines if "veth0:" in line]


def test_thirty_lines_of_each():
    for table in TOOLS.values():
        assert len(table) >= EACH
    assert len({(tool, line) for tool, line, _ in LINES}) == len(LINES) >= 5 * EACH


def noctule(place, words):
    namespace, directory = place
    return namespace.run(netlab.NOCTULE, *words, check=False, cwd=directory, stdin=subprocess.DEVNULL)


def echoed(text):
    """key -> values of the config file that --echo prints."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            key, value = line.split(" = ", 1)
            found.setdefault(key, []).append(value)
    return found


def assert_endpoints(lines, means):
    assert len(lines) == len(set(lines))
    expected_hosts = {f"[{h}]" if ":" in h and means.ports is not None else h for h in means.hosts}
    if means.ports is None:
        assert set(lines) == {f"{host} {technique}" for host in means.hosts for technique in means.techniques}
    elif isinstance(means.ports, int):  # so many different ones, whichever
        assert len(lines) == means.ports * len(means.hosts) * len(means.techniques)
        assert {line.split(" ")[0].rpartition(":")[0] for line in lines} == expected_hosts
        assert len({line.split(" ")[0].rpartition(":")[2] for line in lines}) == means.ports
        assert {line.split(" ", 1)[1] for line in lines} == set(means.techniques)
    else:
        meant = {f"{host}:{port} {technique}" for host in expected_hosts for port in means.ports
                 for technique in means.techniques}
        if means.sampled:
            assert set(lines) < meant and len(lines) == means.sampled
        else:
            assert set(lines) == meant


@pytest.mark.parametrize("line, means", [(line, means) for _, line, means in LINES],
                         ids=[f"{tool} {line}" for tool, line, _ in LINES])
def test_line(place, line, means):
    words = line.split()
    if isinstance(means, str):
        before = probes_sent(place)
        done = noctule(place, words)
        assert done.returncode == 2 and done.stdout == "" and probes_sent(place) == before
        assert len(done.stderr.splitlines()) == 1 and len(done.stderr) < 300
        assert means in done.stderr, done.stderr
        return
    done = noctule(place, ["--dry-run", *words])
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert_endpoints(done.stdout.splitlines(), means)
    config = echoed(noctule(place, [*words, "--echo"]).stdout)
    if "seed" not in means.settings:
        config.pop("seed")
    given = {key: values for key, values in config.items() if key not in ENDPOINT_KEYS}
    assert given == {key: value if isinstance(value, list) else [value] for key, value in means.settings.items()}
