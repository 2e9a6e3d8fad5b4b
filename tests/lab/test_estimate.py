"""What a scan says that it missed, held against what it did miss; and how two passes are merged."""
import concurrent.futures
import ipaddress
import itertools
import json
import os
import random
import re
import stat

import netlab
import pytest
from world import lossy
from world.internet import World

SCANS = 12
JOBS = 3  # scans at a time: they wait most of the time
HOSTS, UP, PORTS = 300, 0.75, 10
DOC = netlab.ROOT / "docs" / "completeness.md"


def lossy_scan(number):
    with netlab.Lab() as lab:
        return lossy.scan(lab, number)


@pytest.mark.plainonly
def test_intervals_hold_the_truth():
    """The first scans of bench/estimate.py with a fixed number of tries: they miss the same endpoints each time."""
    fixed = (number for number in itertools.count() if lossy.draw(number)[1] != "auto")
    with concurrent.futures.ProcessPoolExecutor(JOBS) as pool:
        runs = list(pool.map(lossy_scan, itertools.islice(fixed, SCANS)))
    for run in runs:
        print({name: run[name] for name in ("number", "retries", "missed", "expected", "low", "estimate", "high")})
        assert run["false"] == 0
    assert sum(run["holds"] for run in runs) >= SCANS - 1
    assert sum(run["missed"] for run in runs) > 1000


def script_of_the_doc(section):
    """All commands of a section, as one shell script."""
    text = DOC.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    return "".join(line[4:] + "\n" for line in re.findall(r"^    .*", text, re.M))


def wrapper(path, worlds, hosts):
    """A program that stands for noctule in the doc: its n-th run scans the hosts in the n-th world."""
    path.mkdir()
    runs = "\n".join(f"{number}) shift; exec ip netns exec {world.scanner.name} {netlab.NOCTULE} -p 1-{PORTS} "
                     f'-iL {hosts} --rate 20000 "$@" ;;' for number, world in enumerate(worlds))
    program = path / "noctule"
    program.write_text(f'#!/bin/sh\necho >> {path}/runs\ncase $(($(wc -l < {path}/runs) - 1)) in\n{runs}\nesac\n',
                       encoding="ascii")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return path


def test_two_passes_are_merged_as_the_doc_says(lab, tmp_path):
    """Each host is up in either pass by chance. The doc's commands merge the two and tell how many hosts there are."""
    dice = random.Random(8)
    first = int(ipaddress.ip_address("2001:2::1000"))
    hosts = [str(ipaddress.ip_address(first + i)) for i in range(HOSTS)]
    up = [[host for host in hosts if dice.random() < UP] for _ in range(2)]
    worlds = [World(lab, net="none", list6=some, ports=PORTS, open=200000, closed=500000, key=21) for some in up]
    listed = tmp_path / "hosts"
    listed.write_text("".join(host + "\n" for host in hosts), encoding="ascii")
    path = wrapper(tmp_path / "bin", worlds, listed)
    done = netlab.run("sh", "-euc", script_of_the_doc("A second pass at another hour"), cwd=tmp_path,
                      env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "TZ": "NST3:30"})

    zones = re.findall(r"^\S+Z\t\S+Z\t(\S+)$", done.stdout, re.M)
    assert zones == ["-03:30", "-03:30"]
    passes = [netlab.records(tmp_path / f"{name}.jsonl")[0] for name in ("night", "noon")]
    either = [json.loads(line) for line in (tmp_path / "either.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted((finding["ip"], finding["port"]) for finding in either) == \
           sorted((host, port) for host in hosts for port in range(1, PORTS + 1))
    for state in ("open", "closed"):
        seen = {(finding["ip"], finding["port"]) for some in passes for finding in some if finding["state"] == state}
        assert {(finding["ip"], finding["port"]) for finding in either if finding["state"] == state} == seen
        assert len(seen) > 500

    told = re.search(r"(\d+) seen, (\d+) there are, 95 % (\d+)\.\.(\d+)", done.stdout)
    seen, there, low, high = map(int, told.groups())
    assert seen == len(set(up[0]) | set(up[1])) < HOSTS
    assert seen <= low <= HOSTS <= high and abs(there - HOSTS) < 15
