"""One RST for each first SYN-ACK, sent by noctule; none from the kernel, which must not know of our connections."""
import netlab
import pytest
from world.internet import World

OPEN = {"net": "198.19.0.0/22", "ports": 20, "open": 100000, "closed": 300000}


def resets(world, *arguments):
    """Scans with one re-probe; returns (the world's counters, verdict, summary)."""
    world.scan("-p", "1-20", "--rate", 20000, "--retries", 1, *arguments)
    stats = world.settled()
    return stats, world.judge(world.findings, 1), netlab.summary(world.findings)


@pytest.mark.parametrize("settings", [{}, {"loss_in": 100000}, {"duplicate": 1000000, "copies": 6}],
                         ids=["clean", "lossy", "duplicated"])
def test_one_reset_for_each_first_answer(lab, settings):
    world = World(lab, **OPEN, **settings)
    stats, verdict, summary = resets(world)
    first, total = stats["syn_ack_first"], sum(stats[name] for name in ("rst_ours", "rst_kernel", "rst_other"))
    assert first > 1800
    assert abs(stats["rst_ours"] - first) <= first / 100
    assert stats["rst_other"] == 0 and verdict["reset_twice"] == 0
    # A RST of ours may by chance bear the kernel's identification; that it is ours shows in the sum.
    assert total == summary["resets_sent"] == verdict["found"]
    assert stats["rst_kernel"] <= 2
    assert world.tallies()[3].sum() == total


def test_resets_go_to_open_endpoints_alone(lab):
    world = World(lab, **OPEN)
    resets(world)
    probes, answers, _, counts = world.tallies()
    assert probes.min() >= 1 and counts.max() == 1
    found = {(finding["ip"], finding["port"]) for finding in netlab.records(world.findings)[0]}
    assert {world.endpoint(index) for index in counts.nonzero()[0]} == found
    assert (answers[counts.nonzero()[0]] >= 1).all()


def test_no_reset_leaves_only_silence(lab):
    """With --no-reset not one RST is on the wire: so the kernel sent none."""
    world = World(lab, **OPEN)
    stats, verdict, summary = resets(world, "--no-reset")
    assert stats["syn_ack_first"] > 1800 and verdict["found"] == verdict["open_true"]
    assert [stats[name] for name in ("rst_ours", "rst_kernel", "rst_other")] == [0, 0, 0]
    assert summary["resets_sent"] == 0
