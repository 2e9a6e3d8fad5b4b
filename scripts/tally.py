#!/usr/bin/python3
"""Counts the cases of one test run and shows those that failed.

    tally.py cmocka meson-logs/unit.json    one JSON object a test program, as `meson test` writes it
    tally.py junit results.xml [again.xml]  as pytest writes it; the second file has cases that were run again, which
                                            are judged by that
    tally.py failed results.xml             the names of the failed cases, as pytest takes them, and nothing else

Prints the failures, then "<passed> <failed> <skipped>" alone on the last line. A program that ends badly without naming
a failed case counts as one failed case, and so does a missing or unreadable file.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

MAX_SHOWN = 6000  # characters of one failing test's output: its end says why
MAX_OUTPUTS = 12  # failing tests whose output is shown; one cause often fails many

shown = 0


def show(name, output):
    global shown
    shown += 1
    print(f"--- FAILED: {name}")
    if shown <= MAX_OUTPUTS:
        print(output[-MAX_SHOWN:].rstrip())


def tally_cmocka(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            program = json.loads(line)
            output = program.get("stdout", "") + program.get("stderr", "")
            good = len(re.findall(r"^\[ +OK +\] ", output, re.M))
            bad = len(set(re.findall(r"^\[ +(?:FAILED|ERROR) +\] (?!---|\d+ test)(\S+)", output, re.M)))
            skip = len(set(re.findall(r"^\[ +SKIPPED +\] (?!\d+ test)(\S+)", output, re.M)))
            if program["result"] in ("OK", "EXPECTEDFAIL"):
                good = good or int(skip == 0)  # a program that does not speak cmocka is one case
            elif program["result"] == "SKIP":
                skip = skip or 1
            else:
                bad = bad or 1
                show(f"{program['name']} ({program['result']})", output)
            passed, failed, skipped = passed + good, failed + bad, skipped + skip
    return passed, failed, skipped


def problem_of(case):
    return next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)


def cases_of(path):
    return {(case.get("classname"), case.get("name")): case for case in ElementTree.parse(path).iter("testcase")}


def tally_junit(path, again=None):
    passed = failed = skipped = 0
    repeated = cases_of(again) if again else {}
    for key, case in cases_of(path).items():
        name = "::".join(key)
        problem = problem_of(case)
        if problem is not None and key in repeated and problem_of(repeated[key]) is None:
            print(f"passed only when it was run alone: {name}: {problem.get('message')}")
            problem = None
        if problem is not None:
            failed += 1
            show(name, f"{problem.get('message')}\n{problem.text}")
        elif case.find("skipped") is not None:
            skipped += 1
            print(f"skipped: {name}: {case.find('skipped').get('message')}")
        else:
            passed += 1
    return passed, failed, skipped


def print_failed(path):
    for (module, name), case in cases_of(path).items():
        if problem_of(case) is not None:
            print(f"{module.replace('.', '/')}.py::{name}")


def main():
    kind, *paths = sys.argv[1:]
    try:
        if kind == "failed":
            print_failed(*paths)
            return
        counts = {"cmocka": tally_cmocka, "junit": tally_junit}[kind](*paths)
    except (OSError, ValueError, ElementTree.ParseError) as problem:
        print(f"no results: {problem}")
        counts = 0, 1, 0
    print(*counts)


main()
