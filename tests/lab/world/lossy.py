"""Random scans of random worlds that lose packets, and what each of them missed: for the estimate of that number.

A draw hangs on its number alone, and what gets lost on the world's key, so a scan with a given number of tries misses
the same endpoints wherever it runs."""
import math
import random

import netlab
import numpy
from world.internet import World

RATE = 50000
PPM = 1000000
BAD_EACH = 4  # every fourth world has hosts behind a worse path, so that loss clings to some
DUPLICATE_EACH = 5


def draw(number):
    """The number-th world and scan: (settings of the world, --retries)."""
    rng = random.Random(f"lossy {number}")
    endpoints = rng.uniform(2000, 100000)
    host_bits = rng.randint(8, min(13, int(math.log2(endpoints))))

    def share(low, high):
        return round(rng.uniform(low, high) * PPM)

    settings = {"net": f"198.19.0.0/{32 - host_bits}", "ports": round(endpoints / 2**host_bits),
                "key": rng.getrandbits(32), "open": share(0.001, 0.2), "closed": share(0, 0.6),
                "loss_out": share(0, 0.3), "loss_in": share(0, 0.3)}
    retries = rng.choice((1, 2, 3, 4, 5, "auto"))
    if number % BAD_EACH == 0:
        settings |= {"bad_hosts": share(0.05, 0.3), "bad_loss": share(0.1, 0.4)}
    if number % DUPLICATE_EACH == 0:
        settings |= {"duplicate": share(0.01, 0.5)}
    return settings, retries


def lost(settings, extra=0):
    """The chance that a try goes unanswered."""
    return 1 - (1 - (settings["loss_out"] + extra) / PPM) * (1 - (settings["loss_in"] + extra) / PPM)


def expected_missed(settings, open_true, tries):
    """The open endpoints that no try is expected to reach. tries: how many each of the silent endpoints had."""
    numbers, counts = numpy.unique(tries, return_counts=True)
    bad = settings.get("bad_hosts", 0) / PPM
    unseen = bad * lost(settings, settings.get("bad_loss", 0))**numbers + (1 - bad) * lost(settings)**numbers
    return open_true * float((unseen * counts).sum() / counts.sum())


def scan(lab, number):
    """Runs the number-th scan; a flat record of what was true, what was found, and what noctule says it missed."""
    settings, retries = draw(number)
    world = World(lab, **settings)
    world.scan("-p", f"1-{world.ports}", "--rate", RATE, "--retries", retries, "--seed", number)
    world.settled()
    summary = netlab.summary(world.findings)
    verdict = world.judge(world.findings, summary["retries"])
    probes, answers, _, _ = world.tallies()
    missed = verdict["open_true"] - verdict["found"]
    said = summary["missed"]
    return {"number": number, "retries": retries, **settings, "endpoints": verdict["endpoints"],
            "found": verdict["found"], "false": verdict["false"], "missed": missed,
            "expected": expected_missed(settings, verdict["open_true"], probes[answers == 0]),
            "estimate": said["estimate"], "low": said["low"], "high": said["high"], "loss_ppm": said["loss_ppm"],
            "holds": said["low"] <= missed <= said["high"],
            "width": (said["high"] - said["low"]) / (4 * math.sqrt(missed) + 4),
            "sent_at_try": summary["sent_at_try"], "answered_at_try": summary["answered_at_try"],
            "hosts_limited": summary["hosts_limited"], "seconds": summary["duration_ns"] / 1e9, "drops": {**world.drops(), **summary["drops"]}}
