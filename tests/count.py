#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the test cases in meson's testlog.json files: cmocka's, TAP's and unittest's each."""
import json
import re
import sys

TAP = re.compile(r"^(not )?ok\b(?:(?!#).)*(# *skip)?", re.M | re.I)
CMOCKA = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w+)$", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*?^(?:OK|FAILED)(?: \((.*)\))?$", re.M | re.S)
FAILURES = ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS")


def cases(log):
    """Passed, failed and skipped cases that a test's output tells of."""
    counts = [0, 0, 0]
    unittest = UNITTEST.search(log)
    if unittest:
        told = dict(re.findall(r"([\w ]+)=(\d+)", unittest[2] or ""))
        told = {name.strip(): int(number) for name, number in told.items()}
        skipped = told.get("skipped", 0)
        failed = told.get("failures", 0) + told.get("errors", 0)
        return [max(0, int(unittest[1]) - failed - skipped), failed, skipped]
    for kind, name in set(CMOCKA.findall(log)):
        counts[("OK", "FAILED", "SKIPPED").index(kind)] += 1
    if not any(counts):
        for failed, skip in TAP.findall(log):
            counts[1 if failed else 2 if skip else 0] += 1
    return counts


def count(test):
    passed, failed, skipped = cases(test.get("stdout", "") + "\n" + test.get("stderr", ""))
    if test["result"] in FAILURES:
        return passed, max(failed, 1), skipped
    if test["result"] == "SKIP":
        return passed, 0, max(skipped, 1)
    # meson has the last word: what it calls a success has no failed case
    return (passed, 0, skipped) if passed or skipped else (1, 0, 0)


def main():
    total = [0, 0, 0]
    for path in sys.argv[1:]:
        with open(path) as log:
            for line in log:
                total = [a + b for a, b in zip(total, count(json.loads(line)))]
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
