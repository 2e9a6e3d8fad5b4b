"""The guided mode as somebody at a terminal sees it: whole transcripts, byte for byte (the order of ports aside), on
loopback, on the machine's own address, and on a host that drops some of what it gets."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

import netlab
import pytest
from real.host import LAB, counted, nft
from scapy.all import IP, TCP, conf

SCANNER = netlab.NOCTULE.parent / "Scanner"
OWN, HOST, SHY, NOBODY = "198.18.1.1", "198.18.1.10", "198.18.9.1", "198.18.1.77"
OWN6, HOST6, LINK6 = "2001:2::1", "2001:2::10", "fe80::10%guided0"
SERVERS = {"tcp": [22, 25], "udp": [20], "mute": [27]}
BEGIN, END = 20, 29

USAGE = """Scanner: usage:  [-h]  --help information
                [-c]  --TCP connect scan
                [-s]  --TCP syn scan
                [-f]  --TCP fin scan
                [-u]  --UDP scan
"""
KINDS = {
    "c": ("Begin TCP connect scan...", "TCP Connect Scan thread exit !", "TCP Connect Scan finished !"),
    "s": ("Begin TCP SYN scan...", "TCP SYN scan thread exit !", "TCP SYN Scan finished !"),
    "f": ("Begin TCP FIN scan...", "TCP FIN scan thread exit !", "TCP FIN Scan finished !"),
    "u": ("Begin UDP scan...", "UDP Scan thread exit !", "UDP Scan finished !"),
}
FIN_HINT = ("Every port answered closed: Windows does this whatever the port's state, so ports may be open all the same. "
            "Compare with -s or -c.")
TIME_LEFT = r"UDP scan: about (?:\d+ min )?\d+ s remain \.\.\.\r\n"


class Terminal:
    """A program at a pseudo-terminal of its own, and everything that appeared there."""

    def __init__(self, namespace, *argv):
        self.master, slave = pty.openpty()

        def at_home():
            netlab.die_with_parent()
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = namespace.start(*argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=at_home)
        os.close(slave)
        self.seen = b""

    def read(self, seconds):
        """More output, if any comes in time. False at its end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # EIO: the last one there has gone
            return False
        self.seen += chunk
        return bool(chunk)

    def until(self, text, seconds=60):
        """Waits for text to appear."""
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert self.read(0.2) and time.monotonic() < end, (text, self.seen.decode())

    def answer(self, question, text):
        self.until(question)
        os.write(self.master, text.encode())

    def end(self, seconds=90):
        """What was seen until the program ended, and its status."""
        end = time.monotonic() + seconds
        while self.read(0.2):
            assert time.monotonic() < end, self.seen.decode()
        os.close(self.master)
        return self.seen.decode(), self.process.wait(30)


def converse(namespace, words, host=HOST, begin=BEGIN, end=END, program=(SCANNER,), questions=None):
    terminal = Terminal(namespace, *program, *words)
    ask_host, ask_begin, ask_end = questions or ("Host:", "Begin Port:", "End Port:")
    terminal.answer(ask_host, f"{host}\n")
    terminal.answer(ask_begin, f"{begin}\n")
    terminal.answer(ask_end, f"{end}\n")
    return terminal.end()


def port_lines(states, host):
    return [f"Host: {host} Port: {port} {state} !" for port, state in states.items()]


def transcript(kinds, states, host=HOST, begin=BEGIN, end=END, ping=True):
    """What must appear: kinds is "cs", states the states of each port for each of them."""
    lines = [f"Please input IP address of a Host:{host}", "Please input the range of port...", f"Begin Port:{begin}",
             f"End Port:{end}", f"Scan Host {host} port {begin}~{end} ..."]
    if ping:
        lines.append(f"Ping Host {host} Successfully !")
    for kind in kinds:
        first, *last = KINDS[kind]
        lines += [first, *port_lines(states[kind], host), *last]
        if kind == "f" and set(states[kind].values()) == {"closed"}:
            lines.append(FIN_HINT)
    return "".join(line + "\r\n" for line in lines)


def in_order(text):
    """The transcript with each run of port lines sorted, and without the lines that tell the time."""
    text = re.sub(TIME_LEFT, "", text)
    port = re.compile(r"(?:Host: \S+ Port:|主机: \S+ 端口:) (\d+) ")
    lines, run = [], []
    for line in text.split("\r\n"):
        if match := port.match(line):
            run.append((int(match[1]), line))
            continue
        lines += [line for _, line in sorted(run)]
        run = []
        lines.append(line)
    return "\r\n".join(lines)


def truth(kind, dropping, begin=BEGIN, end=END):
    """The state of each port: of the servers, of a closed one, and, where packets are dropped, of the rules below."""
    silence = "filtered" if kind in "cs" else "open|filtered"
    states = {port: "closed" for port in range(begin, end + 1)}
    if kind in "cs":
        states.update({port: "open" for port in SERVERS["tcp"]})
    elif kind == "f":
        states.update({port: "open|filtered" for port in SERVERS["tcp"]})
    else:
        states.update({port: "open" for port in SERVERS["udp"]})
        states.update({port: "open|filtered" for port in SERVERS["mute"]})
    if dropping:
        states.update({21: silence, 28: silence, 23: "filtered"})
    return {port: states[port] for port in range(begin, end + 1)}


class Network:
    """The learner's machine, and a host on its link that drops ports 21 and 28 and rejects 23. Its second address lies
    behind the first one, and answers no ping. The same servers run on both machines."""

    def __init__(self, lab):
        self.near, self.far = lab.namespace("near"), lab.namespace("far")
        lab.veth(self.near, "guided0", self.far, "host0")
        for namespace, name, addresses in ((self.near, "guided0", (OWN + "/24", OWN6 + "/64", "fe80::1/64")),
                                           (self.far, "host0", (HOST + "/24", SHY + "/32", HOST6 + "/64", "fe80::10/64"))):
            for address in addresses:
                namespace.ip("address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
            answerer = namespace.start(sys.executable, "-m", "real.answerer", json.dumps(SERVERS), cwd=LAB)
            assert answerer.stdout.readline() == "ready\n", answerer.stderr.read()
            namespace.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratemask=")
        self.near.ip("route", "add", SHY, "via", HOST)
        nft(self.far, f"""table inet lab {{
            chain in {{
                type filter hook input priority 0;
                meta l4proto {{ tcp, udp }} th dport {{ 21, 28, 500-999 }} drop
                meta l4proto {{ tcp, udp }} th dport 23 reject with icmpx admin-prohibited
                ip daddr {SHY} icmp type {{ echo-request, timestamp-request }} drop
                ip daddr {SHY} tcp dport {{ 80, 443 }} drop
            }}
        }}
        table netdev lab {{
            counter asked {{ }}
            chain in {{
                type filter hook ingress device host0 priority 0;
                meta l4proto {{ tcp, udp }} counter name asked
                icmp type {{ echo-request, timestamp-request }} counter name asked
                icmpv6 type echo-request counter name asked
            }}
        }}""")

    def packets(self):
        """Probes that have left the learner's machine, or passed its loopback. What the kernels tell each other, such as
        who has which address, comes when it comes."""
        loopback = json.loads(self.near.ip("-j", "-s", "link", "show", "lo"))[0]["stats64"]["tx"]["packets"]
        return counted(self.far, "netdev", "asked"), loopback


@pytest.fixture(scope="module")
def network():
    with netlab.Lab() as lab:
        yield Network(lab)


# ---- whole transcripts ----

@pytest.mark.parametrize("host", ["127.0.0.1", OWN, HOST, "::1", OWN6, HOST6, LINK6])
@pytest.mark.parametrize("kind", KINDS)
def test_each_scan(network, kind, host):
    states = {kind: truth(kind, host in (HOST, HOST6, LINK6))}
    text, status = converse(network.near, [f"-{kind}"], host)
    assert in_order(text) == transcript(kind, states, host)
    assert status == 0


def test_several_scans_run_in_their_order(network):
    states = {kind: truth(kind, True) for kind in KINDS}
    for words in (["-u", "-f", "-s", "-c"], ["-ucfs"]):
        text, status = converse(network.near, words)
        assert in_order(text) == transcript("csfu", states)
        assert status == 0


def test_the_same_as_a_subcommand(network):
    text, status = converse(network.near, ["-s"], program=(netlab.NOCTULE, "guided"))
    assert in_order(text) == transcript("s", {"s": truth("s", True)})
    assert status == 0


def test_one_port_and_the_last_ones(network):
    for begin, end in ((22, 22), (65534, 65535), (1, 1)):
        states = {"s": truth("s", False, begin, end) if begin == 22 else dict.fromkeys(range(begin, end + 1), "closed")}
        text, _ = converse(network.near, ["-s"], begin=begin, end=end)
        assert in_order(text) == transcript("s", states, begin=begin, end=end)


def test_fin_hint_where_every_port_is_closed(network):
    states = {"f": dict.fromkeys(range(30, 36), "closed")}
    before = network.packets()[0]
    text, _ = converse(network.near, ["-f"], begin=30, end=35)
    assert in_order(text) == transcript("f", states, begin=30, end=35)
    assert FIN_HINT in text
    assert network.packets()[0] >= before + len(states["f"])  # what other tests want to see unchanged


def test_all_ports_of_loopback(network):
    """Each of 65,535 once; with -s the ports that the scan has taken for itself too."""
    listening = {22, 25}
    for kind in "cs":
        text, status = converse(network.near, [f"-{kind}"], "127.0.0.1", 1, 65535)
        found = re.findall(r"^Host: 127\.0\.0\.1 Port: (\d+) (\S+) !\r$", text, re.M)
        assert sorted(int(port) for port, _ in found) == list(range(1, 65536))
        assert {int(port) for port, state in found if state == "open"} == listening
        assert {state for _, state in found} == {"open", "closed"}
        assert status == 0


# ---- the beginning ----

def test_help_and_no_flag(network):
    for program in ((SCANNER,), (netlab.NOCTULE, "guided")):
        for words, status in ((["-h"], 0), ([], 2), (["-hs"], 0)):
            before = network.packets()
            done = network.near.run(*program, *words, check=False)
            assert (done.stdout, done.stderr, done.returncode) == (USAGE, "", status)
            assert network.packets() == before
    done = network.near.run(SCANNER, "--help")
    assert done.stdout.startswith(USAGE)
    for option in ("--explain", "--lang", "--no-ping", "--host-timeout"):
        assert option in done.stdout


@pytest.mark.parametrize("words, said", [
    (["-x"], '"-x" is no option'), (["-cx"], '"-cx" is no option'), (["--explian"], '"--explian" is no option'),
    (["-c", HOST], f'"{HOST}" is no option'), (["-c", "-"], '"-" is no option'), (["--langzh"], '"--langzh" is no option'),
    (["-c", "--lang", "de"], 'expected en or zh, not "de"'), (["-c", "--lang"], 'expected en or zh, not ""'),
    (["-u", "--host-timeout", "soon"], 'not "soon"'), (["-c", "\x1b[31m"], r"\x1b[31m"),
])
def test_wrong_words(network, words, said):
    before = network.packets()
    done = network.near.run(SCANNER, *words, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert network.packets() == before


QUESTIONS = ["Please input IP address of a Host:", "Please input the range of port...\r\nBegin Port:", "End Port:"]
NOT_AN_ADDRESS = 'is no IP address: expected one such as 192.0.2.7 or 2001:db8::7 (names are not looked up here: ' \
                 '"getent hosts NAME" does that)'


@pytest.mark.parametrize("answers, said", [
    ([""], f'"" {NOT_AN_ADDRESS}'),
    (["198.18.1.300"], f'"198.18.1.300" {NOT_AN_ADDRESS}'),
    (["198.18.1"], f'"198.18.1" {NOT_AN_ADDRESS}'),
    (["host.example"], f'"host.example" {NOT_AN_ADDRESS}'),
    (["198.18.1.0/24"], f'"198.18.1.0/24" {NOT_AN_ADDRESS}'),
    (["2001:2:::1"], f'"2001:2:::1" {NOT_AN_ADDRESS}'),
    (["198.18.1.10 22"], f'"198.18.1.10 22" {NOT_AN_ADDRESS}'),
    (["fe80::10"], "fe80::10 is a link-local address, which means nothing without its interface: expected "
                   "fe80::10%eth0, say"),
    (["fe80::10%nosuch0"], '"fe80::10%nosuch0": behind the % stands no network interface of this machine ("ip link" '
                           'lists them)'),
    (["224.0.0.1"], '224.0.0.1 is not the address of one host, but "no address", a multicast group or everybody'),
    (["::"], ':: is not the address of one host, but "no address", a multicast group or everybody'),
    ([HOST, "0"], '"0" is no port: expected a number from 1 to 65535'),
    ([HOST, "65536"], '"65536" is no port: expected a number from 1 to 65535'),
    ([HOST, "-5"], '"-5" is no port: expected a number from 1 to 65535'),
    ([HOST, "http"], '"http" is no port: expected a number from 1 to 65535'),
    ([HOST, ""], '"" is no port: expected a number from 1 to 65535'),
    ([HOST, "1", "1e3"], '"1e3" is no port: expected a number from 1 to 65535'),
    ([HOST, "1", "99999999999999999999"], '"99999999999999999999" is no port: expected a number from 1 to 65535'),
    ([HOST, "80", "79"], "80~79 is no range of ports: the end must not be below the beginning"),
])
def test_wrong_answers(network, answers, said):
    """Said at once, in one line, and that is the end; nothing was sent."""
    before = network.packets()
    terminal = Terminal(network.near, SCANNER, "-cs")
    expected = ""
    for question, answer in zip(QUESTIONS, answers, strict=False):
        terminal.answer(question.split("\r\n")[-1], answer + "\n")
        expected += f"{question}{answer}\r\n"
    text, status = terminal.end()
    assert text == f"{expected}{said}\r\n"
    assert status == 2
    assert network.packets() == before


def test_odd_answers(network):
    """Blanks around an answer do no harm; a line longer than any answer is none; bytes that are no text are shown."""
    text, status = converse(network.near, ["-s"], f"  {HOST}\t", " 22", "022 ")
    assert f"Host: {HOST} Port: 22 open !\r\n" in text and status == 0
    for given, shown in ((b"1" * 100000 + b"\n", b"1" * 255), (b"\x1b[31m\n", rb"\x1b[31m"), (b"1.2.3.4\0\0x\n", rb"\x01")):
        done = network.near.run(SCANNER, "-c", check=False, input=given, text=False)
        assert done.returncode == 2 and shown in done.stderr and b"no IP address" in done.stderr
    done = network.near.run(SCANNER, "-s", input=f"{HOST}\n22\n22")  # the last line without its end
    assert f"Host: {HOST} Port: 22 open !\n" in done.stdout


def test_end_of_input_and_ctrl_c_at_a_question(network):
    before = network.packets()
    for answers in ([], [HOST], [HOST, "1"]):
        for key, status in (("\x04", 2), ("\x03", 130)):
            terminal = Terminal(network.near, SCANNER, "-c")
            for question, answer in zip(QUESTIONS, answers, strict=False):
                terminal.answer(question.split("\r\n")[-1], answer + "\n")
            terminal.answer(QUESTIONS[len(answers)].split("\r\n")[-1], key)
            text, ended = terminal.end()
            assert ended == status
            assert text.endswith("\r\nNo answer was given: nothing is scanned.\r\n")
    assert network.packets() == before


# ---- privilege ----

NO_PRIVILEGE = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs")


@pytest.fixture
def anyones(tmp_path_factory):
    """The program where any user may run it."""
    folder = tmp_path_factory.mktemp("program")
    for parent in (folder, *folder.parents):
        if parent.name.startswith("pytest-"):
            os.chmod(parent, 0o755)
    os.chmod(folder, 0o755)
    (folder / "noctule").write_bytes(netlab.NOCTULE.read_bytes())
    os.chmod(folder / "noctule", 0o755)
    (folder / "Scanner").symlink_to("noctule")
    return folder / "Scanner"


@pytest.mark.parametrize("words, named", [(["-s"], "-s"), (["-c", "-f"], "-f"), (["-ucsf"], "-s -f -u")])
def test_missing_privilege_is_said_before_any_question(network, anyones, words, named):
    before = network.packets()
    terminal = Terminal(network.near, *NO_PRIVILEGE, anyones, *words)
    text, status = terminal.end()
    assert text == (f"{named} needs the privilege to send raw packets (CAP_NET_RAW and CAP_NET_ADMIN), which this program "
                    'has not got: start it with sudo, or once run "setcap cap_net_raw,cap_net_admin+ep" on it; -c needs '
                    "no privilege\r\n")
    assert status == 2
    assert network.packets() == before


@pytest.mark.parametrize("host", [HOST, HOST6])
def test_connect_scan_needs_none(network, anyones, host):
    """The ping connects too."""
    text, status = converse(network.near, ["-c"], host, program=(*NO_PRIVILEGE, anyones))
    assert in_order(text) == transcript("c", {"c": truth("c", True)}, host)
    assert status == 0


# ---- ping ----

@pytest.mark.parametrize("host", [NOBODY, SHY])
@pytest.mark.parametrize("words", [["-c"], ["-su"]])
def test_no_ping_answer(network, host, words):
    text, status = converse(network.near, words, host)
    chosen = " ".join("-" + letter for letter in words[0][1:])
    assert text == transcript("", {}, host, ping=False) + "".join(line + "\r\n" for line in (
        f"Ping Host {host} failed: no answer within 3 seconds !",
        "The host may be off, or a firewall on the way may eat pings. If you know that it is up, go on without:",
        f"    Scanner {chosen} --no-ping"))
    assert status == 1


def test_without_a_ping(network):
    text, status = converse(network.near, ["-s", "--no-ping"], SHY)
    assert in_order(text) == transcript("s", {"s": truth("s", True)}, SHY, ping=False)
    assert status == 0


def test_nobody_there(network):
    """Without a ping, and without a host: no verdict is made up."""
    text, status = converse(network.near, ["-s", "--no-ping"], NOBODY, 20, 22)
    expected = transcript("s", {"s": {}}, NOBODY, 20, 22, ping=False)
    lines = "".join(f"Host: {NOBODY} Port: {port} undecided, nobody has that address on the link !\r\n"
                    for port in (20, 21, 22))
    begin = KINDS["s"][0] + "\r\n"
    assert in_order(text) == expected.replace(begin, begin + lines)
    assert status == 0


def test_no_route(network):
    text, status = converse(network.near, ["-s"], "198.19.0.1", 20, 22)
    assert text == transcript("", {}, "198.19.0.1", 20, 22, ping=False) + "This machine has no route to 198.19.0.1.\r\n"
    assert status == 2


# ---- while it runs ----

def connecting(namespace):
    """How many connections are being made there."""
    return len(namespace.run("ss", "-Htn", "state", "syn-sent").stdout.splitlines())


def test_at_most_a_hundred_connections_and_ctrl_c(network):
    """Ports 500-999 are dropped, so connections pile up: to a hundred. Then Ctrl-C ends it with what is known by then;
    the ports come in random order."""
    terminal = Terminal(network.near, SCANNER, "-c")
    for question, answer in (("Host:", HOST), ("Begin Port:", "400"), ("End Port:", "999")):
        terminal.answer(question, answer + "\n")
    terminal.until("Begin TCP connect scan...")
    most = 0

    def a_hundred():
        nonlocal most
        most = max(most, connecting(network.near))
        terminal.read(0)
        return most >= 100

    netlab.wait_until(a_hundred, 30, "a hundred connections at a time")
    assert most == 100
    os.write(terminal.master, b"\x03")
    text, status = terminal.end()
    assert status == 128 + signal.SIGINT
    told = re.findall(r"Host: \S+ Port: (\d+) (\S+) !\r\n", text)
    assert len({port for port, _ in told}) == len(told)
    assert all(state == ("closed" if int(port) < 500 else "filtered") for port, state in told)
    assert re.search(rf"Stopped: {600 - len(told)} ports are not decided\.\r\n$", text)
    assert "finished" not in text


def test_a_host_that_limits_its_answers(network):
    """Linux sends one ICMP error a second. What the time does not suffice for is undecided, never open|filtered; and
    the time that remains is told."""
    network.far.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=6168")
    try:
        text, status = converse(network.near, ["-u", "--host-timeout", "6s"], begin=2000, end=2049)
    finally:
        network.far.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0")
    assert status == 0
    closed = re.findall(rf"Host: {HOST} Port: (\d+) closed !", text)
    undecided = re.findall(rf"Host: {HOST} Port: (\d+) undecided, the host limits how often it answers !", text)
    assert sorted(map(int, closed + undecided)) == list(range(2000, 2050))
    assert closed and undecided
    assert "open" not in text
    assert f"{len(undecided)} ports are undecided because the time was over" in text
    assert re.search(TIME_LEFT, text)


# ---- --explain ----

class Listener:
    """Sees the frames that pass the learner's link, beside the scan."""

    def __init__(self, namespace, interface):
        with namespace.entered():
            self.socket = conf.L2listen(iface=interface, promisc=False)

    def packets(self):
        """All that came until now."""
        seen = []
        while select.select([self.socket], [], [], 0)[0]:
            packet = self.socket.recv()
            if packet is not None:
                seen.append(packet)
        return seen


def explained(text):
    """port -> (state, the lines about it)"""
    parts = re.split(r"\r\nPort (\d+): (\S+)\r\n", text)
    return {int(port): (state, body.split("\r\n")) for port, state, body in zip(*[iter(parts[1:])] * 3, strict=True)}


@pytest.mark.parametrize("kind", "cs")
def test_explained_packets_are_those_on_the_link(network, kind):
    """Every field of TCP and IP that --explain shows is one that an independent reader saw pass."""
    listener = Listener(network.near, "guided0")
    text, status = converse(network.near, [f"-{kind}", "--explain", "--no-ping"])
    assert status == 0
    seen = [p for p in listener.packets() if TCP in p and p[IP].src in (OWN, HOST) and
            (p[TCP].dport in range(BEGIN, END + 1) or p[TCP].sport in range(BEGIN, END + 1))]
    lines = re.findall(r"^    TCP: (.*)\r$", text, re.M)
    wanted = []
    for packet in seen:
        tcp, names = packet[TCP], ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        bits = "+".join(name for i, name in enumerate(names) if int(tcp.flags) >> i & 1)
        wanted.append(f"Source Port {tcp.sport}, Destination Port {tcp.dport}, Sequence Number {tcp.seq}, "
                      f"Acknowledgment Number {tcp.ack}, Data Offset {tcp.dataofs * 4}, Control Bits {bits}, "
                      f"Window {tcp.window}, ")
    assert sorted(line.partition("Checksum")[0] for line in lines) == sorted(wanted)
    ip_lines = re.findall(r"^    IP: .*Identification 0x(\w{4}), Flags (\S+),.*Protocol 6", text, re.M)
    assert {int(value, 16) for value, _ in ip_lines} >= {p[IP].id for p in seen if p[IP].src == OWN}


def test_explain_adds_to_the_transcript(network):
    """The transcript stays as it is; behind each scan's ports stands each port once, with packets and the reason."""
    text, status = converse(network.near, ["-sfu", "--explain"])
    plain = re.sub(r"(?s)\r\nPort \d+: .*?\r\n(?=(?:TCP SYN|TCP FIN|UDP) [sS]can thread exit)", "", text)
    plain = plain[:plain.index("\r\nWhat the six states mean")]
    assert in_order(plain) == transcript("sfu", {kind: truth(kind, True) for kind in "sfu"})
    assert status == 0
    for kind, part in zip("sfu", re.split(r"Begin (?:TCP )?\w+ scan\.\.\.\r\n", text)[1:], strict=True):
        part = part[:re.search(r"\w+ [sS]can thread exit", part).start()]
        ports = explained(part)
        assert {port: state for port, (state, _) in ports.items()} == truth(kind, True)
        for state, lines in ports.values():
            assert lines[0] == "  sent:" and lines[1].startswith("    IP: Version 4, Header Length 20, ")
            assert lines[2].startswith("    UDP: " if kind == "u" else "    TCP: ")
            assert ("  received:" in lines) == (state in ("open", "closed", "filtered") and
                                                not (kind == "s" and state == "filtered" and "ICMP" not in str(lines)))
            why = [line for line in lines if line.startswith("  Why: ")]
            assert len(why) == 1 and why[0].endswith(f"For a probe of -{kind} that means: {state}.")


def test_explained_reasons(network):
    text, _ = converse(network.near, ["-su", "--explain"])
    syn, udp = (explained(part) for part in re.split(r"Begin UDP scan", text))
    body = "\n".join(syn[22][1])
    assert re.search(r"Control Bits SYN,(?s:.)*Control Bits SYN\+ACK,(?s:.)*Control Bits RST,", body)
    assert "a SYN-ACK that acknowledges our SYN came back" in body
    assert "so something on the way, or a firewall of the host, drops the packets" in "\n".join(syn[21][1])
    assert sum("sent" in line for line in syn[21][1]) >= 2  # and the repeated probes
    assert "(admin-prohibited, sent by the host.)" in "\n".join(syn[23][1])
    assert "Code 13 (Administratively Prohibited)" in "\n".join(syn[23][1])
    assert 'an ICMP error "port unreachable" came back from the target itself' in "\n".join(udp[26][1])
    assert "  ".join(udp[26][1]).index("ICMP: Type 3 (Destination Unreachable), Code 3 (Port Unreachable)") < \
        "  ".join(udp[26][1]).index("which quotes:")
    assert "a service may ignore what it does not understand" in "\n".join(udp[27][1])


def test_explained_in_ipv6(network):
    text, _ = converse(network.near, ["-u", "--explain"], HOST6)
    ports = explained(text)
    assert {port: state for port, (state, _) in ports.items()} == truth("u", True)
    body = "\n".join(ports[26][1])
    assert "    IPv6: Version 6, Traffic Class " in body and "Hop Limit 64" in body
    assert "    ICMPv6: Type 1 (Destination Unreachable), Code 4 (Port Unreachable)" in body


def test_explained_end(network):
    text, _ = converse(network.near, ["-cs", "--explain"], begin=22, end=22)
    end = text[text.index("\r\nWhat the six states mean"):]
    for state in ("open", "closed", "filtered", "unfiltered", "open|filtered", "closed|filtered"):
        assert end.count(f"\r\n  {state}: ") == 1
    assert re.findall(r"^  (-\w|All): ", end[end.index("What the target could have logged"):], re.M) == ["-c", "-s", "All"]


def test_packets_of_connections_want_a_privilege(network, anyones):
    text, status = converse(network.near, ["-c", "--explain"], begin=22, end=22, program=(*NO_PRIVILEGE, anyones))
    assert status == 0
    assert "only a privileged program may watch its packets" in text and "TCP: " not in text


# ---- Chinese ----

ZH_KINDS = {
    "c": ("开始 TCP connect 扫描...", "TCP connect 扫描线程退出！", "TCP connect 扫描完成！"),
    "s": ("开始 TCP SYN 扫描...", "TCP SYN 扫描线程退出！", "TCP SYN 扫描完成！"),
    "f": ("开始 TCP FIN 扫描...", "TCP FIN 扫描线程退出！", "TCP FIN 扫描完成！"),
    "u": ("开始 UDP 扫描...", "UDP 扫描线程退出！", "UDP 扫描完成！"),
}
ZH_STATES = {"open": "开放", "closed": "关闭", "filtered": "被过滤", "open|filtered": "开放|被过滤"}
ZH_QUESTIONS = ("地址:", "起始端口:", "结束端口:")


def test_in_chinese(network):
    for words in (["-csfu", "--lang", "zh"], ["--lang=zh", "-csfu"]):
        text, status = converse(network.near, words, questions=ZH_QUESTIONS)
        lines = [f"请输入主机的 IP 地址:{HOST}", "请输入端口范围...", f"起始端口:{BEGIN}", f"结束端口:{END}",
                 f"扫描主机 {HOST} 端口 {BEGIN}~{END} ...", f"Ping 主机 {HOST} 成功！"]
        for kind, (first, *last) in ZH_KINDS.items():
            ports = [f"主机: {HOST} 端口: {port} {ZH_STATES[state]}！" for port, state in truth(kind, True).items()]
            lines += [first, *ports, *last]
        assert in_order(re.sub(r"UDP 扫描：大约还剩 .*\r\n", "", text)) == "".join(line + "\r\n" for line in lines)
        assert status == 0


def test_everything_in_chinese(network):
    """No English sentence slips through: words of three letters and more are names, options and fields of protocols."""
    said = network.near.run(SCANNER, "--help", "--lang", "zh").stdout
    said += converse(network.near, ["-csu", "--explain", "--lang", "zh"], questions=ZH_QUESTIONS)[0]
    said += converse(network.near, ["-s", "--lang", "zh"], NOBODY, questions=ZH_QUESTIONS)[0]
    names = {"Scanner", "TCP", "UDP", "ICMP", "RFC", "RST", "SYN", "ACK", "FIN", "PSH", "SACK", "MSS", "TTL", "DSCP", "ECN",
             "connect", "ping", "Ping", "explain", "lang", "LANG", "host", "timeout", "TIME", "noctule", "Options",
             "Destination", "Unreachable", "Port", "Administratively", "Prohibited", "admin", "prohibited", "port",
             "unreach", "CAP", "NET", "RAW"}
    assert set(re.findall(r"[A-Za-z]{3,}", re.sub(r"0x\w+", "", said))) - names == set()


def test_nobody_reads(network):
    """A reader that leaves ends the scan."""
    process = network.near.start(SCANNER, "-c", "--no-ping", stdin=subprocess.PIPE)
    process.stdin.write(f"{HOST}\n495\n999\n")
    process.stdin.close()
    process.stdin = None
    process.stdout.close()
    process.stdout = None
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60)
    assert process.returncode == 1
