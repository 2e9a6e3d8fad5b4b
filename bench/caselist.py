"""The cases in which accuracy is measured: what makes it hard there, and who is measured."""
import typing

import caserun

RATE = 100000
SMALL = {"net": "198.19.0.0/26", "ports": 16}


class Row(typing.NamedTuple):
    """A scanner with its options. rate=None leaves it its own default; settings are the world's for this row alone."""
    label: str
    scanner: str
    options: tuple = ()
    rate: int | None = RATE
    settings: dict = {}
    bar: float = 0.999


class Case(typing.NamedTuple):
    """about: what the world does. fated: what becomes of a probe hangs on its number alone, so that the frames due can
    be known. small: the part of the world that nmap gets."""
    about: str
    settings: dict
    rows: tuple
    fated: bool = True
    small: dict = SMALL
    measure: typing.Callable = caserun.in_world


ONE_PORT = {"net": "198.18.0.0/15", "ports": 1, "open": 400000, "closed": 100000}
NMAP = (Row("nmap", "nmap", rate=None), Row("nmap -T4", "nmap", ("-T4",), rate=None))
PEERS = (Row("masscan", "masscan"), Row("masscan --retries 3", "masscan", ("--retries", 3)), Row("zmap", "zmap"),
         Row("zmap -P 8", "zmap", ("-P", 8)), *NMAP)
USUAL = (Row("noctule", "noctule"), *PEERS)
PATIENT = (Row("noctule", "noctule"), Row("noctule --miss 0.01%", "noctule", ("--miss", "0.01%"), bar=0.9999),
           Row("noctule --retries 9", "noctule", ("--retries", 9)), *PEERS)


def lossy(percent):
    ppm = percent * 10000
    return Case(f"{percent} % loss each way", ONE_PORT | {"loss_out": ppm, "loss_in": ppm}, PATIENT)


def far(about, **settings):
    return Case(about, ONE_PORT | settings, USUAL)


CASES = {
    "clean": Case("nothing is lost", ONE_PORT, USUAL),
    "loss-1": lossy(1),
    "loss-5": lossy(5),
    "loss-20": lossy(20),
    "defaults": Case(
        "5 % loss each way, and nobody is told a rate (masscan's own, 100 a second, would take 22 minutes)",
        ONE_PORT | {"loss_out": 50000, "loss_in": 50000},
        (Row("noctule", "noctule", rate=None), Row("zmap", "zmap", ("-c", 8), rate=None), *NMAP)),
    "bursts": Case(
        "bursts of 20 ms that lose 80 %, 180 ms apart, each way; both are means of exponential times",
        ONE_PORT | {"burst_loss": 800000, "burst_us": 20000, "clear_us": 180000}, PATIENT, fated=False),
    "policer": Case(
        "the path carries 50,000 a second with bursts of 2,000; 65,536 addresses, 16 ports (ZMap: one of them), 1 % open",
        {"net": "198.19.0.0/16", "ports": 16, "open": 10000, "closed": 500000, "police": 50000, "police_burst": 2000},
        (Row("noctule --rate 48500 (ideal)", "noctule", rate=48500), Row("noctule --rate 100000", "noctule"),
         Row("noctule --max-rate 1M", "noctule", ("--max-rate", "1M"), rate=None),
         Row("masscan --rate 48500", "masscan", rate=48500), Row("masscan --rate 100000", "masscan"),
         Row("zmap -r 48500", "zmap", rate=48500, settings={"ports": 1}),
         Row("zmap -r 100000", "zmap", settings={"ports": 1}),
         Row("zmap -r 100000 -P 8", "zmap", ("-P", 8), settings={"ports": 1})), fated=False),
    "answer-limit": Case(
        "each of 256 hosts answers 100 a second; 2,000 ports, 16 % open, 74 % closed (not for ZMap)",
        {"net": "198.19.0.0/24", "ports": 2000, "open": 160000, "closed": 740000, "answer_limit": 100,
         "answer_burst": 10},
        (Row("noctule", "noctule"), Row("noctule --max-rate 100k", "noctule", ("--max-rate", "100k"), rate=None),
         Row("masscan", "masscan"), Row("masscan --retries 3", "masscan", ("--retries", 3)), *NMAP),
        fated=False, small={"net": "198.19.0.0/30", "ports": 2000}),
    "one-limited-host": Case(
        "as before, but one host of the 256 limits its answers",
        {"net": "198.19.0.0/24", "ports": 2000, "open": 160000, "closed": 740000, "answer_limit": 100,
         "answer_burst": 10, "answer_limited_hosts": 1},
        (Row("noctule", "noctule"), Row("noctule, no host limits", "noctule", settings={"answer_limit": 0}),
         Row("masscan", "masscan"), *NMAP), fated=False, small={"net": "198.19.0.0/30", "ports": 2000}),
    "rtt-1": far("a round trip of 1 ms", delay_us=1000),
    "rtt-100": far("a round trip of 100 ms", delay_us=100000),
    "rtt-800": far("a round trip of 800 ms", delay_us=800000),
    "rtt-mixed": far("round trips from 1 to 800 ms, by host", delay_us=1000, delay_spread_us=799000),
    "late": Case(
        "a round trip of 20 ms; 5 % of the answers come 3 s later (masscan and ZMap wait as long as they do by default)",
        ONE_PORT | {"delay_us": 20000, "late": 50000, "late_us": 3000000},
        (Row("noctule", "noctule"), Row("masscan --wait 10", "masscan", ("--wait", 10)),
         Row("masscan --retries 3 --wait 10", "masscan", ("--retries", 3, "--wait", 10)),
         Row("zmap -c 8", "zmap", ("-c", 8)), Row("zmap -P 8 -c 8", "zmap", ("-P", 8, "-c", 8)), *NMAP)),
    "duplicates": far("30 % of the answers come four times", duplicate=300000, copies=4),
    "firewall": Case(
        "a firewall remembers 4,096 connections (for nmap 128), those without an answer for 2 s; 32,768 addresses, 16 % "
        "open",
        {"net": "198.19.0.0/17", "ports": 1, "open": 160000, "closed": 300000,
         "firewall": {"size": 4096, "seconds": 2}},
        (Row("noctule", "noctule"), Row("noctule --max-rate 100k", "noctule", ("--max-rate", "100k"), rate=None),
         Row("noctule, defaults", "noctule", rate=None), *PEERS), fated=False,
        small=SMALL | {"firewall": {"size": 128, "seconds": 2}}),
    "real-host": Case(
        "one Linux host that drops all but 20 of 65,535 ports", {"listeners": 20},
        (Row("noctule", "noctule", rate=None), Row("noctule --max-rate 100k", "noctule", ("--max-rate", "100k"), None),
         Row("nmap -T4 -n -Pn -p-", "nmap", ("-T4",), None)), measure=caserun.at_host),
}
