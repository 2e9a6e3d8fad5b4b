"""The command line: whatever is wrong with it costs one clear line, exit status 2, and not a packet; and what is right
with it can be repeated."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time

import netlab
import pytest

TARGET = "198.18.0.2"
DOCS = "src/cli/noctule-docs"  # prints the options table
LEAST_CASES = 100


def table():
    """The rows of the options table, and those of other tools' words that are refused."""
    fields = "kind", "name", "aliases", "dash", "metavar", "where"
    lines = netlab.run(netlab.helper(DOCS), "table").stdout.splitlines()
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def place():
    """A namespace where packets could leave: through loopback, and through a link that nobody answers on."""
    with netlab.Lab() as lab:
        near, far = lab.namespace("near"), lab.namespace("far")
        lab.veth(near, "veth0", far, "veth1")
        near.ip("addr", "add", "198.18.0.1/24", "dev", "veth0")
        near.ip("route", "add", "default", "via", "198.18.0.254")
        yield near


def packets(place):
    """interface -> (packets received, packets sent)"""
    with place.entered(), open("/proc/thread-self/net/dev", encoding="ascii") as lines:
        rows = [re.split(r"[:\s]+", line.strip()) for line in lines if ":" in line]
    counts = {row[0]: (int(row[2]), int(row[10])) for row in rows}
    assert {"lo", "veth0"} <= set(counts)
    return counts


def refused(place, arguments, expected, **options):
    before = packets(place)
    done = place.run(netlab.NOCTULE, *arguments, check=False, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 2, (arguments, done.stderr)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.endswith("\n"), done.stderr
    assert done.stderr.startswith("noctule: ") and len(done.stderr) < 500
    assert expected in done.stderr, done.stderr
    assert packets(place) == before


# A bad value, at least one, for each row of the table that takes one; flags are done by the rule below.

VALUES = {
    "target": ["198.18.0.300", ""],
    "ports": ["0-65536", "http,zork"],
    "top-ports": ["0", "65536", "65535"],
    "exclude-ports": ["80-70"],
    "input-file": ["/nowhere/list", "/", ""],
    "exclude": ["198.18.0.0/33", "198.18.0.1:80"],
    "exclude-file": ["/nowhere/list", "/", ""],
    "seed": ["-1", "18446744073709551616"],
    "shard": ["0/3", "4/3", "3", "1/0", "1/2/3"],
    "sample": ["0", "many"],
    "ttl": ["0", "256"],
    "rate": ["0", "fast", "0.0001", "2G", "-5", "Auto"],
    "max-rate": ["0", "auto", "0.0001", "2G", "none"],
    "bandwidth": ["0", "10Q", "0.5"],
    "retries": ["11", "-1", "1.5", "many"],
    "sender-threads": ["17", "-1", "all", "2k", ""],
    "wire": ["xpd", "", "XDP", "auto packet", "packetx"],
    "miss": ["0", "51%", "-0.1%", "0.1%%", "1e-3"],
    "timeout": ["0", "11m", "1w", "1000", "0.5"],
    "host-timeout": ["-1", "soon"],
    "wait": ["61m", "-1"],
    "max-results": ["0", "1k"],
    "max-runtime": ["0", "soon"],
    "interface": ["nosuch0", ""],
    "source-ip": ["198.18.0", "::", "0.0.0.0", "fe80::1%nosuch0", "198.18.5.5"],
    "source-port": ["0", "65536"],
    "source-mac": ["02:00:00:00:00", "01:00:5e:00:00:01"],
    "gateway-mac": ["00:00:00:00:00:00", "02:00:00:00:00:0g"],
    "output": ["results", "odd:results", "results.xml", "/nowhere/r.jsonl", "text:", ""],
    "show": ["opne", "open,", "all,open", "open|"],
    "scanflags": ["S", "SYNX", "256", "0x100", ""],
    "timing": ["6", "fast", ""],
    "probe-module": ["dns", ""],
    "scan-type": ["u", ""],
    "scan-order": ["serial", ""],
    "pcap": ["/nowhere/capture.pcap", ""],
    "config": ["/nowhere/config", "/", ""],
    "completion": ["fish", ""],
}

# What else may be wrong: (words, what the line must say).

TARGETS = ["198.18.0.256", "198.18.0", "198.18.0.0/33", "198.18.0.0/", "/24", "198.18.0.9-198.18.0.1", "198.18.0.1-",
           "198.18.0.5-1", "198.18.0.01", "198.18.0.1,", "198.18.0.*/24", "1.2.3.4.5", "198.18.0.1:0", "198.18.0.1:65536",
           "198.18.0.1:80:80", "198.18.0.1:", "host_name!", "-.example", "a..example", "host.example/24", "0x7f.0.0.1",
           "2001:db8::g", "2001:db8:::1", "[2001:db8::1]:0", "[2001:db8::1", "2001:db8::/129", "fe80::1%nosuch0",
           "1000", "198.18.0.1 198.18.0.2", "x" * 300]
PORTS = ["", ",", "80,", "80,,81", "65536", "90-80", "1-2-3", "0x50", "80 81", "nosuchservice", "X:80", "T:", "U:53",
         "S:36412", "U:http", "80;81"]

WORDS = [
    ([], "no target"),
    (["-v"], "no target"),
    (["--"], "no target"),
    (["--rat", "5", TARGET], "did you mean --rate?"),
    (["--Rate", "5", TARGET], "did you mean --rate?"),
    (["--exclude_file", "x", TARGET], "did you mean --exclude-file?"),
    (["--zzzzzzzzzzzz", TARGET], "unknown option --zzzzzzzzzzzz"),
    (["--=5", TARGET], "unknown option --"),
    (["-Z", TARGET], "unknown option -Z"),
    (["-T6", TARGET], "-T: expected one of 0, paranoid"),
    (["-vZ", TARGET], "unknown option -vZ"),
    (["-sQ", TARGET], "unknown option -sQ"),
    (["-ratte", "5", TARGET], "did you mean --rate?"),
    (["--" + "x" * 5000, TARGET], "unknown option"),
    (["--rate\x1b[31m", TARGET], r"\x1b[31m"),
    ([TARGET, "--rate", "--seed", "5"], "--rate: expected a value, PPS, but next comes --seed"),
    (["-sS", "-sT", TARGET], "-sT goes alone"),
    (["-sTU", TARGET], "-sT goes alone, since the kernel sends its probes: -sU wants a scan of its own"),
    (["-sT", "--scanflags", "SYN", TARGET], "--scanflags"),
    (["-sU", "--scanflags", "SYN", TARGET], "--scanflags wants one technique of TCP"),
    (["-sSF", "--scanflags", "SYN", TARGET], "--scanflags wants one technique of TCP"),
    (["-sSF", "-g", "53", TARGET], "answers to -sS and -sF look alike"),
    (["-sn", "-sS", TARGET], "--alive beside -sS"),
    (["-sn", "-p", "80", TARGET], "-sn probes no port"),
    (["-sn", "-F", TARGET], "-sn probes no port"),
    (["-sn", "--open", TARGET], "-sn probes no port"),
    (["-sn", "--alive", TARGET], "--alive"),
    (["-sn", "-Pn", TARGET], "-Pn and -sn"),
    (["-Pn", "--alive", TARGET], "-Pn and --alive"),
    (["-Pn", "-PS22", TARGET], "-Pn and the options of a ping"),
    (["-PS1-17", TARGET], "at most 16 packets"),
    (["-PE22", TARGET], "-P: a ping's kinds are"),
    (["-PSx!", TARGET], "-PS: bad port"),
    (["--unprivileged", "-sU", TARGET], "--unprivileged"),
    (["--unprivileged", "--pcap", "x", TARGET], "--unprivileged"),
    (["--unprivileged", "--privileged", TARGET], "--privileged"),
    (["-S", "198.18.0.1", "-S", "198.18.0", TARGET], "-S: expected"),
    (["--", "-sV"], "behind -- stand targets only"),
    (["-p", "U:53", TARGET], "-sU"),
    (["-sU", "-p", "T:53", TARGET], "-sS"),
    (["-T2", "-B", "5k", TARGET], "--rate (or -T) and --bandwidth"),
    (["-T4", "-B", "5k", TARGET], "--max-rate (or -T) and --bandwidth"),
    (["--max-rate", "5", "-B", "5k", TARGET], "--max-rate (or -T) and --bandwidth"),
    (["--rate", "6", "--max-rate", "5", TARGET], "--rate is more than --max-rate"),
    (["--maxrate", "5", TARGET], "did you mean --max-rate?"),
    (["-sT", "--pcap", "x", TARGET], "--pcap"),
    (["-sT", "--packet-trace", TARGET], "--packet-trace"),
    (["-sT", "--wire", "auto", TARGET], "--wire"),
    (["-sT", "--senders", "2", TARGET], "--sender-threads goes with raw packets"),
    (["--unprivileged", "--sender-threads", "2", TARGET], "--sender-threads"),
    (["-sT", "--source-mac", "02:00:00:00:00:01", TARGET], "--source-mac"),
    (["--open", "--show", "closed", TARGET], "--open and --show"),
    (["--rate", "5", "-B", "5k", TARGET], "--rate (or -T) and --bandwidth"),
    (["-iL", "-", "--exclude-file", "-"], "stdin"),
    (["-iL", "-", "-c", "-"], "stdin"),
    (["-iL", "-"], "the list is empty"),
    ([TARGET, "--exclude", "198.18.0.0/24"], "nothing is left"),
    ([TARGET, "-p80", "--exclude-ports", "80"], "nothing is left"),
    (["0.0.0.0/0"], "--yes-to-all-of-it"),
    (["64.0.0.0/7", "-p1"], "--exclude-file"),
    (["ping"], "no target"),
    (["ping", TARGET, "-p1"], "-sn probes no port"),
    (["diff", TARGET], "diff is not built yet"),
    (["wires", "vteh0"], 'expected a network interface of this machine, not "vteh0"; did you mean veth0?'),
    (["wires", "lo", "nosuch-interface"], 'not "nosuch-interface"'),
    (["wires", "no\x1b[31m"], r"no\x1b[31m"),
    (["wires", ""], "expected a network interface"),
    (["wires", "--jsno"], "unknown option --jsno; did you mean --json?"),
    (["wires", "-v"], "unknown option -v; expected --json or --help"),
    (["-v", "ping", TARGET], "ping is a subcommand"),
    ([TARGET, "-o", "same.txt", "-o", "jsonl:same.txt"], "same.txt"),
    ([TARGET, "-o", "-", "-o", "jsonl:-"], "standard output"),
    (["scan", "--rate", "x", TARGET], "--rate"),
]

LISTS = {  # text of a list -> where the error stands
    "198.18.0.300\n": "1:",
    "198.18.0.2\n198.18.0.3 nonsense!\n": "2:12",
    "\n\n  198.18.0.0/40\n": "3:",
    "# fine\n198.18.0.2:x\n": "2:",
    "198.18.0.2\x00198.18.0.3\n": "1:",
    "198.18.0.2\r\n198.18.0.9-1\r\n": "2:",
    "\ufeff198.18.0.2\n198.18..3\n": "2:",
    "y" * 5000: "1:1",
    "198.18.0.2,": "1:",
    "; fine\n<html>\n": "2:1",
}

CONFIGS = {
    "rate": "1:5",
    "rate 5": "1:6",
    "= 5": "1:1",
    "\n rate = x": "2:9",
    "rate = ": "1:8",
    "rat = 5": "1:1",
    "dry-run = yes": "1:1",
    "config = other": "1:1",
    "help = yes": "1:1",
    "banners = yes": "1:1",
    "sS = yes": "1:1",
    "[section]": "1:1",
    "pcap = \"x": "1:8",
    "pcap = \"x\" y": "1:12",
    "pcap = \"\\t\"": "1:9",
    "target = 198.18.0.0/33": "1:10",
    "# fine\nports = 80,x y\n": "2:9",
    "quiet = on": "1:9",
    "ra\x00te = 5": "1:3",
    "# " + "x" * 70000: "1:65537",
    "show = all\nshow = none\n": "2:8",
    "exclude = host!": "1:11",
}


def refused_words(row):
    return [f"--{word}" for word in row["aliases"].split()] + [f"-{word}" for word in row["dash"].split()]


def cases():
    """All cases, each as (name, words, what the line must say). {tmp} in a word is a directory of the test."""
    found = []
    for row in table():
        spelled = f"--{row['name']}"
        if row["kind"] == "refused":
            found += [(f"refused {word}", [word, TARGET], f"noctule: {word}: ") for word in refused_words(row)]
        elif row["kind"] == "ping-ports":
            found.append((f"value {spelled}", [f"{spelled}=70000", TARGET], f"{spelled}: bad port"))
        elif not row["metavar"]:
            found.append((f"flag {spelled}", [f"{spelled}=maybe", TARGET], f"{spelled}: expected"))
        else:
            found.append((f"alone {spelled}", [TARGET, spelled], f"{spelled}: expected a value, {row['metavar']}"))
            for value in VALUES[row["name"]]:
                says = "expected" if value == "" and row["kind"] not in ("targets", "ports") else value.strip(",")
                found.append((f"value {spelled} {value!r}", [spelled, value, TARGET, "-p1"], says))
    found += [(f"target {word[:30]!r}", [word, "-p1"], word.split()[0][:30]) for word in TARGETS]
    found += [(f"ports {word!r}", ["-p", word, TARGET], "-p") for word in PORTS]
    found += [(" ".join(words)[:60] or "nothing but scan", words or ["scan"], says) for words, says in WORDS]
    return found


CASES = cases()


def test_every_row_and_rule_has_its_case():
    """A new option wants a bad value here."""
    rows = [row for row in table() if row["metavar"] and row["kind"] != "ping-ports"]
    assert set(VALUES) == {row["name"] for row in rows}
    assert all(VALUES.values())
    assert len({name for name, _, _ in CASES}) == len(CASES)
    assert len(CASES) + len(LISTS) + len(CONFIGS) >= LEAST_CASES


@pytest.mark.parametrize("words, says", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_command_line(place, tmp_path, words, says):
    refused(place, words, says, cwd=tmp_path)


@pytest.mark.parametrize("text, at", LISTS.items(), ids=[repr(text[:30]) for text in LISTS])
@pytest.mark.parametrize("option", ["-iL", "--exclude-file"])
def test_bad_list(place, tmp_path, option, text, at):
    path = tmp_path / "list"
    path.write_text(text, encoding="utf-8", newline="")
    refused(place, [option, path, TARGET, "-p1"], f"{path}:{at}")


@pytest.mark.parametrize("text, at", CONFIGS.items(), ids=[repr(text[:30]) for text in CONFIGS])
def test_bad_config(place, tmp_path, text, at):
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    refused(place, ["-c", path, TARGET, "-p1"], f"{path}:{at}: ")


def test_name_that_does_not_exist(lab):
    """In a namespace of its own: the system's resolver sends what it likes."""
    patience = os.environ | {"RES_OPTIONS": "attempts:1 timeout:1"}
    done = lab.namespace("alone").run(netlab.NOCTULE, "no-such-host.invalid", "-p1", check=False, env=patience)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "no-such-host.invalid" in done.stderr


def test_port_in_use(place):
    with place.socket() as busy:
        busy.bind(("0.0.0.0", 0))
        busy.listen()
        port = busy.getsockname()[1]
        refused(place, ["-g", port, TARGET, "-p1"], str(port))


def test_no_arguments(place):
    before = packets(place)
    done = place.run(netlab.NOCTULE, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("usage: noctule") and len(done.stderr.splitlines()) <= 6
    assert packets(place) == before


# What noctule says of itself.

def test_help_and_version(place):
    before = packets(place)
    text = place.run(netlab.NOCTULE, "--help").stdout
    assert place.run(netlab.NOCTULE, TARGET, "-p", "zork", "-h").stdout == text
    for row in table():
        if row["kind"] != "refused":
            assert re.search(rf"--{row['name']}(?![\w-])", text), row
    assert re.fullmatch(r"noctule \d+\.\d+\.\d+\n", place.run(netlab.NOCTULE, "-V").stdout)
    assert packets(place) == before


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_man_page_is_clean():
    page = netlab.run(netlab.helper(DOCS), "man").stdout
    done = netlab.run("groff", "-man", "-Tutf8", "-ww", "-z", input=page)
    assert done.stderr == ""


@pytest.mark.parametrize("typed, proposed", [
    ("--rat", "--rate"), ("--exclude-f", "--exclude-file"), ("-i", "-iL"), ("wi", "wires"), ("re", ""),
    ("wires --j", "--json"), ("wires lo", "lo"), ("ping wi", ""), ("ping --rat", "--rate"), ("--wire x", "xdp")])
def test_completion(typed, proposed):
    script = netlab.run(netlab.NOCTULE, "--completion", "bash").stdout
    ask = f"\nCOMP_WORDS=(noctule {typed}) COMP_CWORD={len(typed.split())}\n_noctule\necho \"${{COMPREPLY[@]}}\"\n"
    assert netlab.run("bash", "--norc", "-c", script + ask).stdout.split() == proposed.split()


# Dry runs and repetition.

REPEATED = [
    ["198.18.0.0/26", "-p1-50"],
    ["198.18.0-3.1,7", "-p", "22,80-90,https", "-p8000", "--exclude-ports", "85", "--exclude", "198.18.2.0/24"],
    ["198.18.0.0/24", "--top-ports", "20", "--shard", "2/3", "--seed", "7", "-sS", "--rate", "10k", "-vv"],
    ["-iL", "list # odd \"name\"", "--exclude-file", "never", "-p1-9", "--sample", "100", "--retries=1", "--open"],
    ["-sSU", "-p", "T:80,U:53,161", "198.18.0.0/28", "2001:2::/124", "--allow-amplifiers", "--host-timeout", "5m"],
    ["-sX", "--scanflags", "URGPSH", "198.18.0.7", "-p1-9", "-S", "198.18.0.1", "-S", "2001:2::1", "-PS22", "-PE"],
    ["-sO", "198.18.0.7", "-p", "1-20", "--ttl", "9", "--show", "all"],
    ["-sn", "-6", "2001:2::/120", "--ping-ack=80,81", "-PP"],
    ["-T4", "-F", "-n", "198.18.0.7"],
    ["198.18.0.7", "-p1-9", "--rate", "auto", "--max-rate", "50k", "--wire", "packet", "--sender-threads", "2"],
    ["198.18.0.9:81", "198.18.0.10:82", "--timeout", "2s", "--wait", "0", "-o", "results.txt", "-sT", "-q"],
]


@pytest.mark.parametrize("words", REPEATED, ids=[" ".join(words)[:40] for words in REPEATED])
def test_echo_repeats_the_run(place, tmp_path, words):
    (tmp_path / "list # odd \"name\"").write_text("198.18.0.0/28\n198.18.5.5:443\n")
    (tmp_path / "never").write_text("198.18.0.3\n")
    before = packets(place)
    config = place.run(netlab.NOCTULE, *words, "--echo", cwd=tmp_path).stdout
    (tmp_path / "config").write_text(config)
    seed = re.search(r"^seed = (\d+)$", config, re.M)[1]
    meant = place.run(netlab.NOCTULE, *words, "--seed", seed, "--dry-run", cwd=tmp_path).stdout
    assert meant.count("\n") > 1
    assert place.run(netlab.NOCTULE, "--dry-run", "-c", "config", cwd=tmp_path).stdout == meant
    assert place.run(netlab.NOCTULE, "--dry-run", "-c", "-", cwd=tmp_path, input=config).stdout == meant
    assert place.run(netlab.NOCTULE, "-c", "config", "--echo", cwd=tmp_path).stdout == config
    assert packets(place) == before


def test_seeds_are_drawn_and_kept(place):
    def order(*words):
        return place.run(netlab.NOCTULE, "198.18.0.0/28", "-p1-9", "--dry-run", *words).stdout.splitlines()

    assert order("--seed", "5") == order("--seed", "5")
    assert order("--seed", "5") != order("--seed", "6")
    assert order() != order()
    assert sorted(order()) == sorted(order("--seed", "5"))
    assert all(re.fullmatch(r"198\.18\.0\.\d+:[1-9] tcp syn", line) for line in order())


def test_command_line_counts_more_than_config(place, tmp_path):
    path = tmp_path / "config"
    path.write_text("target = 198.18.0.7\nports = 80\nshard = 1/3\nseed = 5\n")
    lines = place.run(netlab.NOCTULE, "--shard", "1/1", "-c", path, "-p81", "--dry-run").stdout.splitlines()
    assert sorted(lines) == ["198.18.0.7:80 tcp syn", "198.18.0.7:81 tcp syn"]


@pytest.mark.plainonly
def test_dry_run_of_everything_starts_at_once(place, tmp_path):
    """4e11 endpoints minus exclusions: first lines within a second, in little memory; the reader's leaving is the end."""
    path = tmp_path / "never"
    path.write_text("".join(f"{a}.{b}.0.0/18\n" for a in range(1, 200) for b in range(0, 256, 4)))
    begin = time.monotonic()
    process = place.start(netlab.NOCTULE, "--dry-run", "0.0.0.0/0", "-p1-100", "--exclude-file", path)
    lines = [process.stdout.readline() for _ in range(1000)]
    seconds = time.monotonic() - begin
    status = open(f"/proc/{process.pid}/status", encoding="ascii").read()
    process.stdout.close()
    assert process.wait(10) == 1
    assert process.stderr.read() == ""
    assert len(set(lines)) == 1000
    assert seconds < 1
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 64 * 1024


# Privilege.

def unprivileged(place, *words):
    return place.run("setpriv", "--bounding-set", "-net_raw,-net_admin", netlab.NOCTULE, *words, check=False)


def test_without_privilege_it_connects(place):
    with place.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = unprivileged(place, "127.0.0.1", "-p", port, "-o", "hostport:-")
    assert done.returncode == 0 and done.stdout == f"127.0.0.1:{port}\n"
    notes = [line for line in done.stderr.splitlines() if "CAP_NET_RAW" in line]
    assert len(notes) == 1 and "-sT" in notes[0]


def test_without_privilege_pings_connect(place):
    with place.socket() as listener:
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        done = unprivileged(place, "ping", "127.0.0.1", "127.0.0.2")
        shown = place.run(netlab.NOCTULE, "--unprivileged", "-sn", "127.0.0.1").stdout
    assert done.returncode == 0 and "CAP_NET_RAW" in done.stderr
    assert sorted(line.split()[:3] for line in done.stdout.splitlines()) == [["127.0.0.1", "host", "up"],
                                                                            ["127.0.0.2", "host", "up"]]
    assert shown.split()[:3] == ["127.0.0.1", "host", "up"]


def test_privileged_never_connects(place):
    done = unprivileged(place, "--privileged", "127.0.0.1", "-p1")
    assert done.returncode == 2 and "--privileged needs the capabilities CAP_NET_RAW" in done.stderr


@pytest.mark.parametrize("words", [["-sS"], ["-sU"], ["-sF"], ["--ping-echo"], ["--pcap", "x.pcap"],
                                   ["--packet-trace"], ["--wire", "packet"], ["--wire", "xdp"],
                                   ["--sender-threads", "1"]], ids=" ".join)
def test_without_privilege_what_was_asked_for_is_refused(place, tmp_path, words):
    before = packets(place)
    done = place.run("setpriv", "--bounding-set", "-net_raw,-net_admin", netlab.NOCTULE, TARGET, "-p1", *words,
                     check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and words[0] in done.stderr
    assert "CAP_NET_RAW" in done.stderr and "sudo" in done.stderr and "setcap" in done.stderr
    assert packets(place) == before


def test_a_capture_file_that_may_not_be_written_is_no_missing_privilege(place):
    done = place.run("setpriv", "--bounding-set", "-dac_override", netlab.NOCTULE, "127.0.0.1", "-p1", "--pcap",
                     "/proc/self/environ", check=False)
    assert done.returncode == 2
    assert done.stderr == 'noctule: cannot write capture file "/proc/self/environ": Permission denied\n'


def test_a_scan_that_cannot_start_leaves_earlier_results_alone(place, tmp_path):
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_text("kept\n")
    done = place.run("setpriv", "--bounding-set", "-net_raw,-net_admin", netlab.NOCTULE, TARGET, "-p1", "-sS", "-o",
                     earlier, check=False)
    assert done.returncode == 2 and earlier.read_text() == "kept\n"


# What a person sees.

def on_terminal(place, *words):
    """Runs noctule with a terminal of 120 columns as stderr; returns what it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    process = place.start(netlab.NOCTULE, *words, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    written = b""
    try:
        while chunk := os.read(master, 65536):
            written += chunk
    except OSError:  # EIO: the other end is closed
        pass
    os.close(master)
    assert process.wait(60) == 0
    return written.decode()


@pytest.mark.parametrize("technique", ["-sS", "-sT"])
def test_progress_line(place, technique):
    words = "127.0.0.1", "-p1-3000", "--rate", "2000", technique
    lines = on_terminal(place, *words).split("\r")
    shown = [line for line in lines if "in flight" in line]
    assert len(shown) >= 2
    for line in shown:
        match = re.fullmatch(r"\w+ (\d+)%, (?:\?|[\d hms]+) left, \S+/s, (\d+) open, (\d+) drops; (\d+) unsent, "
                             r"(\d+) in flight, (\d+) answered, (\d+) given up\x1b\[K", line)
        assert match and int(match[1]) <= 100, line
        assert len(line) < 120 + len("\x1b[K")
    unsent = [int(re.search(r"(\d+) unsent", line)[1]) for line in shown]
    assert unsent == sorted(unsent, reverse=True) and unsent[0] < 3000
    assert lines[-2].count("3,000 endpoints on 1 address") == 1  # the closing words
    assert on_terminal(place, *words, "-q") == ""


def test_closing_words_of_hosts(place):
    """What a person reads at the end: hosts where hosts were asked for, ports where ports were, and what was left out."""
    def said(*words):
        return place.run(netlab.NOCTULE, *words, "--retries", "0").stderr.splitlines()

    assert re.fullmatch(r"noctule: 2 addresses in \d+\.\d\d s: 2 up", said("ping", "127.0.0.1", "127.0.0.2")[0])
    dead = said("198.18.0.8/31", "127.0.0.1", "-p1-5")
    assert re.fullmatch(r"noctule: 15 endpoints on 3 addresses in \d+\.\d\d s: 0 open, 5 closed, 10 of hosts that are down",
                        dead[0])
    assert dead[1] == "noctule: hosts: 2 down, whose ports were not probed"
    silent = said("-sF", "--show", "open", "198.18.0.1", "-p1-5")
    assert "5 closed" in silent[0] and len(silent) == 1


RATES = {  # words -> (the rate or cap that the summary names, was it auto?)
    "-p1-50": (10000, True),
    "-p1-50 --rate auto": (10000, True),
    "-p1-50 --max-rate 2k": (2000, True),
    "-p1-50 -T4": (30000, True),
    "-p1-50 -T4 --rate 200": (200, False),
    "-p1-2 --max-rate 0.8": (0.8, False),
    "-p1-50 -B 5M": (0, False),
    "-p1-50 -sT": (10000, False),
}


@pytest.mark.parametrize("words, asked", RATES.items(), ids=RATES)
def test_rate_that_was_asked_for(lab, words, asked):
    """What the summary says of the rate, and with -v the closing words; a cap is one."""
    near, far = lab.namespace("near"), lab.namespace("far")
    lab.veth(near, "veth0", far, "veth1")
    near.ip("addr", "add", "198.18.0.1/24", "dev", "veth0")
    far.ip("addr", "add", "198.18.0.2/24", "dev", "veth1")
    done = near.run(netlab.NOCTULE, *words.split(), "198.18.0.2", "-v", "-o", "jsonl:-")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["rate"], "rate_auto" in summary) == asked
    assert ("noctule: rate auto: " in done.stderr) == asked[1]
    if asked[1]:
        found = summary["rate_auto"]
        assert set(found) == {"end", "path", "cause", "blind", "canaries"}
        assert 0 < found["end"] <= asked[0] and found["cause"] in ("start", "cap", "path", "shut", "local", "sender")


@pytest.mark.parametrize("words, cap", [("", 0), ("--rate auto", 0), ("--max-rate 5k", 5000), ("-T5", 100000)])
def test_rate_within_this_machine_is_capped_on_demand(place, words, cap):
    summary = json.loads(place.run(netlab.NOCTULE, "127.0.0.1", "-p1-50", *words.split(), "-o", "jsonl:-").stdout)
    assert summary["rate"] == cap and "rate_auto" in summary


def test_no_progress_line_in_a_pipe(place):
    stderr = place.run(netlab.NOCTULE, "127.0.0.1", "-p1-1000", "--rate", "1000").stderr
    assert len(stderr.splitlines()) == 1 and "1,000 closed" in stderr and "\r" not in stderr


def test_packet_trace_and_verbose(place):
    stderr = place.run(netlab.NOCTULE, "127.0.0.1", "-p1-3", "--packet-trace", "-v").stderr.splitlines()
    assert sum(line.startswith("sent 127.0.0.1:") for line in stderr) == 3
    assert sum(line.startswith("received 127.0.0.1:") for line in stderr) == 3
    assert any("3 probes sent" in line for line in stderr)


def waiting_bytes(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def test_reader_that_is_stuck_cannot_hold_the_end(place):
    """Two signals end the scan although nobody reads what it writes."""
    process = place.start(netlab.NOCTULE, "127.0.0.1", "-p-", "--show", "all", "-o", "jsonl:-")

    def is_full():
        """It holds something, and half a second later still just that: a scan of this machine writes all the time."""
        before = waiting_bytes(process.stdout)
        time.sleep(0.5)
        return before > 0 and before == waiting_bytes(process.stdout)

    netlab.wait_until(is_full, seconds=30, what="a full pipe")
    begin = time.monotonic()
    while process.poll() is None and time.monotonic() - begin < 20:
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(1) in (1, 128 + signal.SIGINT)
