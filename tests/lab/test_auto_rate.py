"""--rate auto: as fast as the path carries and no faster than --max-rate, whatever else gets lost. What depends on the
machine's mood is left to `make bench-accuracy`; here the bars are wide."""
import netlab
import pytest
from world.internet import World

SECOND = 1000  # bins of the world's histogram of arrivals


def scan(world, *arguments):
    """Runs noctule; returns (verdict, counters, summary, arrivals a millisecond)."""
    world.scan("-p", f"1-{world.ports}", *arguments)
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, max(summary["retries"], 1))
    arrivals = world.arrivals()
    print(summary["rate_auto"], summary["sent_at_try"], summary["missed"], verdict,
          [int(arrivals[i:i + 100].sum() * 10) for i in range(0, min(len(arrivals), 5 * SECOND), 100)])
    assert verdict["false"] == verdict["duplicate"] == verdict["wrong_state"] == 0
    assert stats["syn"] == summary["sent"]
    return verdict, stats, summary, arrivals


def fullest(arrivals, span):
    """The most frames in any `span` milliseconds."""
    sums = arrivals.cumsum()
    return int((sums[span:] - sums[:-span]).max()) if len(sums) > span else int(sums[-1])


@pytest.mark.plainonly
@pytest.mark.parametrize("cap", [5000, 20000])
def test_the_cap_is_reached_and_never_exceeded(lab, cap):
    world = World(lab, net="198.19.0.0/20", ports=cap // 1000, open=100000, closed=400000)
    verdict, _, summary, arrivals = scan(world, "--max-rate", cap)
    assert verdict["recall"] == 1
    assert fullest(arrivals, SECOND) <= cap * 1.01 + cap * 0.005 # 5 ms of credit after a pause of the thread
    assert fullest(arrivals, 2 * SECOND) >= 2 * cap * 0.85
    assert summary["rate_auto"]["end"] == cap and summary["rate_auto"]["cause"] == "cap"


@pytest.mark.plainonly
def test_silence_costs_two_packets_on_a_clean_path(lab):
    """While it is not known what the path loses, third tries wait: none is sent."""
    world = World(lab, net="198.19.0.0/20", ports=20, open=10000, closed=300000)
    world.scan("-p", "1-20", "--rate", 20000, "--timeout", "600ms")  # no answer is late, however busy the machine
    stats, summary = world.settled(), netlab.summary(world.findings)
    verdict = world.judge(world.findings, 1)
    assert verdict["recall"] == 1
    silent = verdict["endpoints"] - verdict["answered"]
    assert summary["sent_at_try"] == [verdict["endpoints"], silent]
    assert stats["syn"] == verdict["endpoints"] + silent


@pytest.mark.plainonly
def test_loss_that_the_rate_does_not_cause_does_not_slow(lab):
    world = World(lab, net="198.19.0.0/20", ports=20, open=100000, closed=300000, loss_in=50000, loss_out=50000)
    verdict, _, summary, arrivals = scan(world, "--max-rate", 20000)
    assert verdict["recall"] >= 0.999
    steady = arrivals[5 * SECOND:-2 * SECOND]
    assert len(steady) > 5 * SECOND and steady.mean() * SECOND >= 0.85 * 20000
    assert summary["rate_auto"]["path"] is None


@pytest.mark.plainonly
def test_a_policer_is_found_and_kept_to(lab):
    world = World(lab, net="198.19.0.0/18", ports=20, open=100000, closed=300000, police=20000, police_burst=1000)
    verdict, stats, summary, arrivals = scan(world, "--max-rate", 500000)
    assert verdict["recall"] >= 0.999
    assert stats["policed"] <= 0.1 * stats["syn"]
    assert summary["rate_auto"]["cause"] == "path" and 15000 <= summary["rate_auto"]["path"] <= 25000
    assert 0.75 * 20000 <= arrivals[5 * SECOND:-2 * SECOND].mean() * SECOND <= 1.15 * 20000


@pytest.mark.plainonly
def test_canaries_speak_where_nobody_else_does(lab):
    """Twenty open ports in 100,000 dropped ones: too few answers, but those can be asked again."""
    world = World(lab, net="198.19.0.0/20", ports=25, open=400, closed=0)
    verdict, stats, summary, _ = scan(world, "--max-rate", 50000)
    assert verdict["recall"] == 1 and verdict["open_true"] > 10
    canaries = summary["rate_auto"]["canaries"]
    assert 0 < canaries <= summary["sent"] / 100
    assert not summary["rate_auto"]["blind"]
    assert stats["rst_ours"] >= 0.99 * stats["syn_ack"]  # nothing is left half open, not by canaries either


@pytest.mark.plainonly
def test_nobody_answers(lab):
    """It climbs by time and says that it flies blind."""
    world = World(lab, net="198.19.0.0/21", ports=20)
    _, _, summary, arrivals = scan(world, "--max-rate", 20000, "--retries", 1)
    assert summary["rate_auto"]["blind"] and summary["rate_auto"]["canaries"] == 0
    assert fullest(arrivals, 1000) > 8000
