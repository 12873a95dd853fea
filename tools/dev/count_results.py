#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Counts what the tests really did and ends with `N passed, N failed, N skipped` alone on a line.

usage: count_results.py FOLDER      the folder that holds *.xml from `ctest --output-junit` and stages.txt

Inside a CTest test, each function or data row of Qt Test counts by itself (initTestCase and cleanupTestCase do not),
and so does each test of Python's unittest; any other test counts as one. A Qt function that was skipped is a skipped
test. A test that CTest calls failed counts at least one failure, whatever it printed before it ended.
"""

import collections
import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

Count = collections.namedtuple("Count", "passed failed skipped")
_QT_LINE = re.compile(r"^(PASS|XFAIL|FAIL!|XPASS|SKIP|BPASS|BFAIL|BXPASS|BXFAIL|QFATAL)\s*: (.*)$", re.M)
_QT_FRAME = re.compile(r"::(?:initTestCase|cleanupTestCase)\(\)\s*$")
_QT_TOTALS = re.compile(r"^Totals: (\d+) passed, (\d+) failed, (\d+) skipped, (\d+) blacklisted", re.M)
# A test may print bytes that XML cannot hold, as themselves or as references.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")
_UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.M)
_UNITTEST_VERDICT = re.compile(r"^(?:OK|FAILED)(?: \((.*)\))?\s*$", re.M)


def count_qt(output):
    """None where this is no output of Qt Test."""
    lines = _QT_LINE.findall(output)
    totals = _QT_TOTALS.findall(output)
    if not lines and not totals:
        return None
    frames = sum(1 for verdict, rest in lines if verdict == "PASS" and _QT_FRAME.search(rest))
    if totals:
        passed, failed, skipped, blacklisted = (sum(int(total[i]) for total in totals) for i in range(4))
        return Count(passed - frames, failed, skipped + blacklisted)
    # It ended before its totals: count the lines that it got to print. An XFAIL line has its PASS line beside it.
    verdicts = [verdict for verdict, _ in lines]
    return Count(verdicts.count("PASS") - frames, sum(verdicts.count(v) for v in ("FAIL!", "XPASS", "QFATAL")),
                 sum(verdicts.count(v) for v in ("SKIP", "BPASS", "BFAIL")))


def count_unittest(output):
    ran = sum(int(number) for number in _UNITTEST.findall(output))
    if not _UNITTEST.search(output):
        return None
    amounts = collections.Counter()
    for verdict in _UNITTEST_VERDICT.findall(output):
        for name, number in re.findall(r"([a-z ]+)=(\d+)", verdict):
            amounts[name.strip()] += int(number)
    # A test with several failing subtests is one failed test at most; "failures" counts subtests.
    failed = min(amounts["failures"] + amounts["errors"] + amounts["unexpected successes"], ran)
    return Count(max(ran - failed - amounts["skipped"], 0), failed, amounts["skipped"])


def count_case(status, output):
    """status: run, fail, notrun or disabled, as CTest writes them."""
    if status in ("disabled",):
        return Count(0, 0, 1)
    if status == "notrun":
        return Count(0, 1, 0)
    inner = count_qt(output) or count_unittest(output)
    if status == "fail":
        if inner is None:
            return Count(0, 1, 0)
        return inner if inner.failed else Count(inner.passed, 1, inner.skipped)
    if inner is None or inner == Count(0, 0, 0):
        return Count(1, 0, 0)
    return inner


def count_junit(text):
    """(name, Count, why) of every test in a JUnit file of CTest."""
    for case in ElementTree.fromstring(_NOT_XML.sub("?", text)).iter("testcase"):
        status = case.get("status", "run")
        output = case.findtext("system-out") or ""
        skipped = case.find("skipped")
        if status == "notrun" and skipped is not None and "SKIP" in (skipped.get("message") or ""):
            # SKIP_RETURN_CODE or SKIP_REGULAR_EXPRESSION: the test ran and asked to be skipped.
            yield case.get("name"), Count(0, 0, 1), ""
            continue
        yield case.get("name"), count_case(status, output), output


def add(left, right):
    return Count(*(a + b for a, b in zip(left, right)))


def reasons_for_skips(output):
    return [rest for verdict, rest in _QT_LINE.findall(output) if verdict == "SKIP"]


def main(folder):
    total = Count(0, 0, 0)
    failed_names, skips = [], []
    for path in sorted(glob.glob(os.path.join(folder, "*.xml"))):
        stage = os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8", errors="replace") as file:
            try:
                cases = list(count_junit(file.read()))
            except ElementTree.ParseError as problem:
                cases = [(f"the results cannot be read: {problem}", Count(0, 1, 0), "")]
        if not cases:
            cases = [("no test was run", Count(0, 1, 0), "")]
        for name, count, output in cases:
            total = add(total, count)
            if count.failed:
                failed_names.append(f"{stage}: {name}")
            skips += [f"{stage}: {reason}" for reason in reasons_for_skips(output)]
    stages = os.path.join(folder, "stages.txt")
    if os.path.exists(stages):
        with open(stages, encoding="utf-8") as file:
            for line in file:
                name, verdict = line[len("stage "):].rstrip().rsplit(None, 1)
                total = add(total, Count(*(int(verdict == kind) for kind in Count._fields)))
                if verdict != "passed":
                    (failed_names if verdict == "failed" else skips).append(name)
    if total == Count(0, 0, 0):
        failed_names.append("no test was run")
        total = Count(0, 1, 0)
    for title, names in (("skipped", skips), ("failed", failed_names)):
        if names:
            print(f"{title}:")
            for name in names:
                print(f"  {name}")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: count_results.py FOLDER")
    sys.exit(main(sys.argv[1]))
