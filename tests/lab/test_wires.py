"""What noctule wires says of the interfaces, and that --wire auto does just that: xdp where it is fast enough to matter
and can be had, else packet, saying why with -v."""
import contextlib
import json
import os
import pathlib
import re

import netlab
import pytest
from real.host import HOSTS, pair
from test_xdp import xdp_program

ALL_BUT_BPF = ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin")
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set", "-all")
FAST = ("--rate", "400k")
PROCESSORS = len(os.sched_getaffinity(0))


def wires(namespace, *arguments, before=()):
    """name -> what the JSON lines say of it, in their order."""
    done = namespace.run(*before, netlab.NOCTULE, "wires", "--json", *arguments)
    assert done.stderr == ""
    return {record["interface"]: record for record in map(json.loads, done.stdout.splitlines())}


def table(namespace, *arguments, before=()):
    """(name -> its cells by the heads of the columns, the lines below the table)"""
    done = namespace.run(*before, netlab.NOCTULE, "wires", *arguments)
    assert done.stderr == ""
    heads, *rest = done.stdout.splitlines()
    end = rest.index("")
    columns = [(name, heads.index(name)) for name in
               ("interface", "state", "link", "driver", "queues", "MTU", "packet", "native XDP", "XDP sends by",
                "XDP program", "--wire auto")]
    ends = [at for _, at in columns[1:]] + [None]
    rows = [{name: row[at:until].strip() for (name, at), until in zip(columns, ends)} for row in rest[:end]]
    return {row["interface"]: row for row in rows}, rest[end + 1:]


@pytest.fixture
def ends(lab):
    """(the scanner's namespace, the far one): a veth pair that can do without anything but its far end's NAPI."""
    near, far = pair(lab)
    netlab.napi_on(far, "host0")
    return near, far


def other_program(namespace, interface):
    """Attaches a program of somebody else's; returns (its process, its id)."""
    process = namespace.start(netlab.helper("tests/lab/world/world"), "--interface", interface)
    netlab.wait_until(lambda: xdp_program(namespace, interface), 20, "another program is there")
    return process, xdp_program(namespace, interface)["prog"]["id"]


# What it says.

def test_a_veth_that_can(ends):
    near, _ = ends
    record = wires(near, "lan0")["lan0"]
    assert record == {"interface": "lan0", "up": True, "carrier": True, "link": "Ethernet", "mtu": 1500,
                      "driver": "veth", "queues": record["queues"], "native_xdp": True, "transmit": "injection",
                      "program": None, "packet": True, "xdp": True, "auto": "xdp", "auto_above": 300000, "missing": []}
    assert record["queues"] >= 1
    rows, lines = table(near, "lan0")
    assert rows["lan0"] == {"interface": "lan0", "state": "up", "link": "Ethernet", "driver": "veth",
                            "queues": str(record["queues"]), "MTU": "1500", "packet": "yes", "native XDP": "yes",
                            "XDP sends by": "injection", "XDP program": "-", "--wire auto": "xdp above 300k"}
    assert len(lines) == 1 and "300,000 packets a second" in lines[0]


def test_what_it_says_to_do_helps(lab):
    near, far = pair(lab)
    record = wires(near, "lan0")["lan0"]
    assert (record["transmit"], record["xdp"], record["auto"]) == ("no", False, "packet")
    assert len(record["missing"]) == 1 and "ethtool -K OTHER gro on" in record["missing"][0]
    far.run("ethtool", "-K", "host0", "gro", "on")
    assert wires(near, "lan0")["lan0"]["auto"] == "xdp"


def test_another_program(ends):
    near, _ = ends
    process, number = other_program(near, "lan0")
    record = wires(near, "lan0")["lan0"]
    assert (record["program"], record["xdp"], record["auto"]) == (number, False, "packet")
    assert len(record["missing"]) == 1 and f"id {number}" in record["missing"][0]
    rows, lines = table(near, "lan0")
    assert rows["lan0"]["XDP program"] == str(number) and lines[0] == record["missing"][0]
    process.kill()
    process.wait(10)


def test_all_interfaces_the_usable_ones_first(ends):
    """Every kind has its reason, in a line of its own, and those that are down come last."""
    near, _ = ends
    near.ip("link", "add", "aside", "type", "veth", "peer", "name", "beside")
    near.ip("tuntap", "add", "apart", "mode", "tun")
    near.ip("link", "set", "apart", "up")  # and without carrier, since nobody reads from it
    found = wires(near)
    usable = [record["up"] and record["carrier"] for record in found.values()]
    assert usable == sorted(usable, reverse=True) and set(found) >= {"lo", "lan0", "aside", "beside", "apart"}
    assert found["lo"]["link"] == "loopback" and found["lo"]["auto"] == "packet"
    assert found["apart"]["link"] == "IP" and found["apart"]["auto"] is None
    assert "carrier" in found["apart"]["missing"][0]
    assert "ip link set aside up" in found["aside"]["missing"][0] and not found["aside"]["packet"]
    rows, lines = table(near)
    assert list(rows) == list(found)
    assert [rows[name]["state"] for name in ("lan0", "apart", "aside")] == ["up", "no carrier", "down"]
    for name, record in found.items():
        assert sum(f'interface "{name}"' in line for line in lines) == bool(record["missing"])


def test_named_ones_only(ends):
    near, _ = ends
    assert list(wires(near, "lan0", "lo")) == ["lan0", "lo"]
    rows, _ = table(near, "lo")
    assert list(rows) == ["lo"]


def test_an_odd_name_is_shown_harmlessly(ends):
    near, _ = ends
    near.ip("link", "set", "lan0", "down")
    near.ip("link", "set", "lan0", "name", 'o"\x1bd')
    done = near.run(netlab.NOCTULE, "wires")
    assert "\x1b" not in done.stdout and 'o\\"\\u001bd' in done.stdout
    assert 'o"\x1bd' in wires(near)


def test_without_privilege_it_sees_the_same(ends):
    near, _ = ends
    seen, unseen = wires(near)["lan0"], wires(near, before=WITHOUT_PRIVILEGE)["lan0"]
    told = {key: value for key, value in seen.items() if key not in ("packet", "xdp", "auto", "auto_above", "missing")}
    assert {key: unseen[key] for key in told} == told
    assert (unseen["packet"], unseen["xdp"], unseen["auto"]) == (False, False, None)
    assert any("CAP_NET_RAW and CAP_NET_ADMIN" in line for line in unseen["missing"])
    _, lines = table(near, "lan0", before=WITHOUT_PRIVILEGE)
    assert len(lines) == 2 and "setcap" in lines[0] and "-sT" in lines[0]


def test_without_bpf_it_says_so(ends):
    near, _ = ends
    record = wires(near, "lan0", before=ALL_BUT_BPF)["lan0"]
    assert (record["packet"], record["xdp"], record["auto"]) == (True, False, "packet")
    assert "CAP_BPF and CAP_PERFMON" in record["missing"][0] and "setcap" in record["missing"][0]


def test_in_a_user_namespace(ends):
    near, _ = ends
    record = wires(near, "lo", before=("unshare", "--user", "--map-root-user", "--net"))["lo"]
    assert not record["xdp"] and any("user namespace" in line for line in record["missing"])


def test_it_changes_nothing(ends):
    near, far = ends

    def state():
        return [(json.loads(there.ip("-d", "-j", "link", "show")), there.run("ethtool", "-k", interface).stdout)
                for there, interface in ((near, "lan0"), (far, "host0"))]

    before = state()
    wires(near)
    assert state() == before


def test_a_reader_that_has_gone(ends):
    near, _ = ends
    done = near.run("sh", "-c", f"{netlab.NOCTULE} wires >/dev/full", check=False)
    assert done.returncode == 1


# That it comes true.

def scan(namespace, tmp_path, *arguments, before=()):
    """Returns (the wire that the summary names, what was said of it)."""
    found = tmp_path / "found.jsonl"
    done = namespace.run(*before, netlab.NOCTULE, HOSTS[0], "-p", "80", "-o", found, *arguments)
    return netlab.summary(found)["wire"], [line for line in done.stderr.splitlines() if "--wire packet" in line]


@pytest.mark.parametrize("rate, wire", [
    (("--rate", "300001"), "xdp"), (("--rate", "300k"), "packet"), (("--max-rate", "1M"), "xdp"), ((), "packet"),
    (("--max-rate", "300k"), "packet"), (("-B", "1G"), "xdp"), (("-B", "10M"), "packet"), (("-T5",), "packet"),
    (("--wire", "packet", *FAST), "packet"), (("--wire", "xdp"), "xdp"), (("--wire", "auto", *FAST), "xdp")],
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "-")
def test_auto_goes_by_the_rate(ends, tmp_path, rate, wire):
    near, _ = ends
    assert scan(near, tmp_path, "-v", *rate) == (wire, [])
    assert xdp_program(near, "lan0") is None


def falls_back(namespace, tmp_path, why, before=()):
    """--wire auto scans by the packet wire instead, and tells why to those who want to know. Returns what noctule wires
    says."""
    wire, lines = scan(namespace, tmp_path, "-v", *FAST, before=before)
    assert wire == "packet" and len(lines) == 1 and why in lines[0], (wire, lines)
    assert scan(namespace, tmp_path, *FAST, before=before) == ("packet", [])
    refused = namespace.run(*before, netlab.NOCTULE, HOSTS[0], "-p", "80", "--wire", "xdp", check=False)
    assert refused.returncode == 2 and why in refused.stderr
    return wires(namespace, "lan0", before=before)["lan0"]


def test_auto_falls_back_where_frames_would_vanish(lab, tmp_path):
    near, _ = pair(lab)
    assert falls_back(near, tmp_path, "ethtool -K OTHER gro on")["auto"] == "packet"


def test_auto_falls_back_beside_another_program(ends, tmp_path):
    near, _ = ends
    process, number = other_program(near, "lan0")
    assert falls_back(near, tmp_path, "another XDP program")["auto"] == "packet"
    assert xdp_program(near, "lan0")["prog"]["id"] == number
    process.kill()
    process.wait(10)


def test_auto_falls_back_without_bpf(ends, tmp_path):
    assert falls_back(ends[0], tmp_path, "CAP_BPF", before=ALL_BUT_BPF)["auto"] == "packet"


def test_auto_falls_back_from_long_frames(ends, tmp_path):
    """What the driver makes of an MTU shows only when it is tried."""
    near, far = ends
    far.ip("link", "set", "host0", "mtu", "9000")
    near.ip("link", "set", "lan0", "mtu", "9000")
    record = falls_back(near, tmp_path, "MTU")
    assert (record["xdp"], record["auto"]) == (None, "xdp") and "MTU of 9000" in record["missing"][0]


def test_auto_leaves_loopback_alone(ends, tmp_path):
    near, _ = ends
    found = tmp_path / "found.jsonl"
    done = near.run(netlab.NOCTULE, "127.0.0.1", "-p", "1-9", "-v", *FAST, "-o", found)
    assert netlab.summary(found)["wire"] == "packet" and "--wire" not in done.stderr


# Threads that only send.

def sender_threads(process):
    """The processors that each of them may use, as the kernel writes them."""
    found = []
    for task in pathlib.Path("/proc", str(process.pid), "task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (task / "comm").read_text() == "nt-send\n":
                found.append(re.search(r"Cpus_allowed_list:\s+(\S+)", (task / "status").read_text())[1])
    return found


@pytest.mark.parametrize("wire", ["packet", "xdp"])
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.skipif(
    PROCESSORS < 2, reason="there is one processor"))])
def test_sender_threads(ends, tmp_path, wire, threads):
    """As many as were asked for, several with a processor each, and nothing is lost between them."""
    near, _ = ends
    found = tmp_path / "found.jsonl"
    process = near.start(netlab.NOCTULE, HOSTS[0], "-p", "1-3000", "--wire", wire, "--sender-threads", threads,
                         "--rate", "3k", "--show", "all", "-o", found)

    def all_there():
        seen = sender_threads(process)
        return seen if len(seen) == threads else None

    processors = netlab.wait_until(all_there, 20, "the threads run")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    if threads > 1:
        assert len(set(processors)) == threads and all(one.isdigit() for one in processors)
    findings, _ = netlab.records(found)
    assert {record["port"] for record in findings} == set(range(1, 3001)) and len(findings) == 3000
    assert {record["state"] for record in findings} == {"closed"}
    summary = netlab.summary(found)
    assert summary["wire"] == wire and summary["sent"] >= 3000


@pytest.mark.skipif(PROCESSORS > 15, reason="there are processors enough")
def test_more_sender_threads_than_processors(ends):
    near, _ = ends
    done = near.run(netlab.NOCTULE, HOSTS[0], "-p", "80", "--sender-threads", "16", check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert f"--sender-threads 16: each needs a processor of its own, and there are {PROCESSORS}" in done.stderr
