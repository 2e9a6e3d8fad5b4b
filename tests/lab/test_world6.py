"""Scans of the synthetic internet over IPv6: everything that answers is found, nothing else is, no probe is wasted."""
import ipaddress
import random

import pytest
from test_world import RETRIES, assert_flawless, assert_frugal, scan
from world.internet import World

SCATTERED, SCATTERED_PORTS = 10_000, 20


def scattered(n, seed=6):
    """So many addresses all over 2001:2::/48 (but not where scanner and gateway are): a few in one /64, some with small
    host parts, most with random ones."""
    dice = random.Random(seed)
    net, found = int(ipaddress.ip_address("2001:2::")), set()
    while len(found) < n:
        subnet = dice.choice((dice.randrange(0xffff), dice.randrange(256)))
        found.add(net | subnet << 64 | dice.getrandbits(dice.choice((8, 64, 64))))
    return [str(ipaddress.ip_address(address)) for address in dice.sample(sorted(found), n)]


@pytest.mark.plainonly
def test_a_list_of_scattered_addresses(lab):
    world = World(lab, net="none", list6=scattered(SCATTERED), ports=SCATTERED_PORTS, open=10000, closed=700000, key=61)
    verdict, stats, summary = scan(world, "--rate", 50000, retries=1)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["endpoints"] == summary["planned"] == SCATTERED * SCATTERED_PORTS
    assert verdict["recall"] == 1 and verdict["found"] == verdict["open_true"] > 1800


def test_a_list_with_loss(lab):
    """10 % each way: what four tries can reach is found, with the frames due."""
    world = World(lab, net="none", list6=scattered(2000), ports=10, open=300000, closed=500000, loss_out=100000,
                  loss_in=100000, key=62)
    verdict, stats, summary = scan(world, "--rate", 20000, "--show", "all")
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["right"] == verdict["endpoints"] == 20_000
    assert 0.99 < verdict["recall"] < 1
    assert stats["lost"] > 1500 and stats["answer_lost"] > 1500


@pytest.mark.plainonly
def test_a_prefix_of_a_million(lab):
    """One port of a /108."""
    world = World(lab, net="none", net6="2001:2::/108", ports=1, open=10000, closed=800000, key=63)
    verdict, stats, summary = scan(world, "--rate", 100000, retries=1)
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["endpoints"] == summary["addresses"] == 1 << 20
    assert verdict["recall"] == 1 and verdict["found"] == verdict["open_true"] > 10000


def test_both_families_in_one_scan(lab):
    world = World(lab, net="198.19.0.0/23", net6="2001:2::1:0/119", ports=20, open=100000, closed=400000,
                  unreachable=100000, loss_out=50000, loss_in=50000, key=64)
    verdict, stats, summary = scan(world, "--rate", 20000, "--show", "all")
    assert_flawless(verdict, stats, summary)
    assert_frugal(verdict)
    assert verdict["right"] == verdict["endpoints"] == 2 * 512 * 20
    assert summary["addresses"] == 1024 and sum(summary["states"].values()) == verdict["endpoints"]
    ports = sorted(map(int, stats["source_ports"]))
    assert ports == list(range(ports[0], ports[0] + RETRIES + 1))  # the same for both


@pytest.mark.parametrize("loss", [0, 50000])
def test_on_the_link_by_neighbour_discovery(lab, loss):
    """A /117 of which half is there: those are scanned, and the others cost solicitations alone."""
    world = World(lab, on_link=True, net="none", net6="2001:2:0:5::/117", ports=10, absent=500000, open=100000,
                  closed=500000, loss_out=loss, loss_in=loss, key=65)
    verdict, stats, summary = scan(world, "--rate", 20000)
    for mistake in ("false", "wrong_state", "duplicate", "outside"):
        assert verdict[mistake] == 0, f"{mistake}: {verdict}"
    absent = summary["hosts_down"]
    assert 900 < absent < 1148 and verdict["unprobed"] == absent * 10
    assert verdict["found"] == verdict["open_reachable"] > 900
    assert verdict["overprobed"] == verdict["probed_after_answer"] <= verdict["answered"] / 1000
    assert 2048 - absent <= stats["advertisements"] <= stats["solicitations"] <= 2048 * (RETRIES + 1) + 4
    assert stats["arp_requests"] == 0 and stats["bad_sum"] == 0


def test_a_link_too_large_to_be_there(lab):
    """4,096 addresses, a handful of hosts: two or three solicitations an absent one, none of its ports is probed."""
    world = World(lab, on_link=True, net="none", net6="2001:2:0:5::/116", ports=100, absent=990000, open=500000,
                  closed=500000, key=66)
    verdict, stats, summary = scan(world, "--rate", 20000)
    assert verdict["false"] == verdict["wrong_state"] == verdict["duplicate"] == 0
    there = 4096 - summary["hosts_down"]
    assert 15 < there < 80
    assert stats["syn"] - verdict["probed_after_answer"] == there * 100
    assert verdict["found"] == verdict["open_reachable"] > 700
