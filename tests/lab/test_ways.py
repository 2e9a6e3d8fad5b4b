"""Every way out of the machine, with no option but the target: tunnels, loopback, own addresses, several interfaces,
VLANs; and the sources that -S may and may not name."""

import json
import signal
import sys
from pathlib import Path

import netlab
import pytest
from real.host import counted, nft
from real.matrix_net import answerer, join, link_local

LAB = Path(__file__).resolve().parent
NEAR, FAR = {4: "198.18.1.1", 6: "2001:2:0:1::1"}, {4: "198.18.1.10", 6: "2001:2:0:1::10"}
SECOND, FREE = {4: "198.18.1.2", 6: "2001:2:0:1::2"}, {4: "198.18.1.99", 6: "2001:2:0:1::99"}
LENGTH = {4: 24, 6: 64}
PORT, CLOSED = 8080, 8081
BOTH = pytest.mark.parametrize("family", [4, 6])


class Pair:
    """The scanner's namespace and one real host on its link, with an open port."""

    def __init__(self, lab):
        self.near, self.far = lab.namespace("near"), lab.namespace("far")
        join(lab, self.near, "lan0", [f"{NEAR[f]}/{LENGTH[f]}" for f in (4, 6)],
             self.far, "host0", [f"{FAR[f]}/{LENGTH[f]}" for f in (4, 6)])
        answerer(self.far, {"tcp": [PORT]})
        sources = "\n".join(f"{word} saddr {table[family]} tcp flags & syn == syn counter name {name}{family}"
                            for family, word in ((4, "ip"), (6, "ip6"))
                            for name, table in (("near", NEAR), ("second", SECOND), ("free", FREE)))
        counters = "\n".join(f"counter {name}{f} {{ }}" for name in ("near", "second", "free") for f in (4, 6))
        nft(self.far, f"""table inet lab {{
            {counters}
            counter probes {{ }}
            counter resets {{ }}
            chain in {{
                type filter hook input priority 0;
                meta l4proto tcp counter name probes
                tcp flags & rst == rst counter name resets
                {sources}
            }}
        }}""")
        nft(self.near, """table inet lab {
            counter resets { }
            chain out { type filter hook output priority 0; tcp flags & rst == rst counter name resets; }
        }""")


@pytest.fixture
def pair(lab):
    return Pair(lab)


@pytest.fixture
def found(tmp_path):
    """Scans and returns {(address, port): state}."""
    def scan(namespace, *arguments):
        results = tmp_path / "found.jsonl"
        namespace.run(netlab.NOCTULE, *arguments, "--show", "all", "-o", results, timeout=60)
        return {(f["ip"], f["port"]): f["state"] for f in netlab.records(results)[0]}
    return scan


def both(*addresses):
    """What a scan of PORT and CLOSED of these addresses must find."""
    return {(address, port): state for address in addresses for port, state in ((PORT, "open"), (CLOSED, "closed"))}


PORTS = ["-p", f"{PORT},{CLOSED}"]


def started(namespace, module, *arguments):
    process = namespace.start(sys.executable, "-m", module, *arguments, cwd=LAB)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


@BOTH
def test_tun(lab, found, family):
    """A tunnel has no link addresses, so nobody is asked for them."""
    near = lab.namespace("near")
    started(near, "real.tunnel", "tun", "tun0", PORT)
    near.ip("link", "set", "tun0", "up")
    near.ip("address", "add", f"{NEAR[family]}/{LENGTH[family]}", "dev", "tun0", *(["nodad"] if family == 6 else []))
    assert found(near, FAR[family], *PORTS) == both(FAR[family])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1"])
def test_loopback(lab, found, address):
    near = lab.namespace("near")
    answerer(near, {"tcp": [PORT]})
    assert found(near, address, *PORTS) == both(address)


@BOTH
def test_own_interface_address(pair, found, family):
    answerer(pair.near, {"tcp": [PORT]})
    assert found(pair.near, NEAR[family], *PORTS) == both(NEAR[family])
    assert counted(pair.far, "inet", "probes") == 0


def test_two_interfaces_both_families_at_once(lab, pair, found):
    """A host on each of two links, one behind a router of its own, over both families in one scan."""
    router, distant = lab.namespace("router"), lab.namespace("distant")
    join(lab, pair.near, "wan0", ["198.18.2.1/24", "2001:2:0:2::1/64"],
         router, "in0", ["198.18.2.254/24", "2001:2:0:2::fe/64"])
    join(lab, router, "out0", ["198.18.3.254/24", "2001:2:0:3::fe/64"],
         distant, "host0", ["198.18.3.10/24", "2001:2:0:3::10/64"])
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    pair.near.ip("route", "add", "198.18.3.0/24", "via", "198.18.2.254")
    pair.near.ip("route", "add", "2001:2:0:3::/64", "via", link_local(router.address("in0")), "dev", "wan0")
    distant.ip("route", "add", "default", "via", "198.18.3.254")
    distant.ip("route", "add", "default", "via", "2001:2:0:3::fe")
    answerer(distant, {"tcp": [PORT]})
    targets = [FAR[4], FAR[6], "198.18.3.10", "2001:2:0:3::10"]
    assert found(pair.near, *targets, *PORTS) == both(*targets)


def lan_log(process, path):
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.stderr.read()
    return json.loads(path.read_text(encoding="ascii"))


def trunk(lab, tmp_path):
    """The scanner's end of a trunk (trunk0) on which one host with both families' addresses speaks 802.1Q number 5."""
    near, far = lab.namespace("near"), lab.namespace("lan")
    lab.veth(near, "trunk0", far, "trunk1")
    settings = {"hosts": [FAR[4], FAR[6]], "on_link": ["198.18.1.0/24", "2001:2:0:1::/64"], "open": [PORT], "vlan": 5}
    return near, started(far, "real.lan", "trunk1", json.dumps(settings), tmp_path / "lan.json")


def scan_vlan(near, name, lan, found, tmp_path):
    near.ip("link", "set", name, "addrgenmode", "none", "up")
    for family in (4, 6):
        near.ip("address", "add", f"{NEAR[family]}/{LENGTH[family]}", "dev", name, *(["nodad"] if family == 6 else []))
    assert found(near, FAR[4], FAR[6], *PORTS) == both(FAR[4], FAR[6])
    log = lan_log(lan, tmp_path / "lan.json")
    assert set(log["tags"]) == {"5"} and log["misdirected"] == []


def test_vlan(lab, found, tmp_path):
    """A VLAN interface whose tags a program puts on, as a kernel may lack 802.1Q: a scanner sees no difference."""
    near, lan = trunk(lab, tmp_path)
    started(near, "real.tunnel", "vlan", "trunk0.5", "trunk0", 5)
    scan_vlan(near, "trunk0.5", lan, found, tmp_path)


def test_vlan_of_the_kernel(lab, found, tmp_path):
    near, lan = trunk(lab, tmp_path)
    made = near.run("ip", "link", "add", "link", "trunk0", "name", "trunk0.5", "type", "vlan", "id", 5, check=False)
    if made.returncode:
        pytest.skip("this kernel has no 802.1Q")
    scan_vlan(near, "trunk0.5", lan, found, tmp_path)


@BOTH
def test_source_of_our_own(pair, found, family):
    """-S with the second address of the interface: all that comes is from there."""
    pair.near.ip("address", "add", f"{SECOND[family]}/{LENGTH[family]}", "dev", "lan0",
                 *(["nodad"] if family == 6 else []))
    assert found(pair.near, "-S", SECOND[family], FAR[family], *PORTS) == both(FAR[family])
    assert counted(pair.far, "inet", f"second{family}") == 2
    assert counted(pair.far, "inet", f"near{family}") == 0


@BOTH
def test_source_that_is_free(pair, found, family):
    """-S with an address of the link that nobody has: it is answered for while the scan lasts, what was opened is
    reset, and the kernel, whose address it is not, stays silent."""
    assert found(pair.near, "-S", FREE[family], FAR[family], *PORTS) == both(FAR[family])
    assert counted(pair.far, "inet", f"free{family}") == 2
    netlab.wait_until(lambda: counted(pair.far, "inet", "resets") == 1, seconds=5, what="our reset")
    assert pair.far.run("ss", "-Htn", "state", "syn-recv").stdout == ""
    assert counted(pair.near, "inet", "resets") == 0


@pytest.mark.parametrize("source", ["198.18.77.1", "2001:2:0:77::1"])
def test_source_of_no_link_of_ours(pair, source):
    """Spoofing, and refused as that in one line."""
    done = pair.near.run(netlab.NOCTULE, "-S", source, FAR[6 if ":" in source else 4], *PORTS, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert source in done.stderr and "spoof" in done.stderr and len(done.stderr.splitlines()) == 1
    assert counted(pair.far, "inet", "probes") == 0


@pytest.mark.parametrize("source", ["198.18.1.11", "2001:2:0:1::11", # of a host
                                    FAR[4], FAR[6]])                 # of the target
def test_source_of_somebody_else(pair, source):
    """On the link, but in use: its owner was asked for, and not one probe was sent."""
    pair.far.ip("address", "add", "198.18.1.11/24", "dev", "host0")
    pair.far.ip("address", "add", "2001:2:0:1::11/64", "dev", "host0", "nodad")
    done = pair.near.run(netlab.NOCTULE, "-S", source, FAR[6 if ":" in source else 4], *PORTS, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    (refusal,) = done.stderr.splitlines()
    assert source in refusal and pair.far.address("host0") in refusal
    assert counted(pair.far, "inet", "probes") == 0


def test_probe_longer_than_the_mtu(pair):
    """A QUIC probe has 1,200 bytes and more (RFC 9000 14.1): it does not fit a link of 1,000, which is said at once."""
    pair.near.ip("link", "set", "lan0", "mtu", "1000")
    done = pair.near.run(netlab.NOCTULE, "-sU", "-p", "443", FAR[4], check=False, timeout=60)
    assert done.returncode == 2 and "MTU" in done.stderr and "lan0" in done.stderr and "1000" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_link_local_with_a_zone(pair, found):
    address = link_local(pair.far.address("host0")) + "%lan0"
    assert found(pair.near, address, *PORTS) == both(address)


def test_link_local_without_a_zone(pair):
    done = pair.near.run(netlab.NOCTULE, link_local(pair.far.address("host0")), *PORTS, check=False, timeout=60)
    assert done.returncode == 2 and "%" in done.stderr and len(done.stderr.splitlines()) == 1
