#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""The counting of test results: nothing that failed may look passed, nothing skipped may look run."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools", "dev"))
import count_results
from count_results import Count

QT = """********* Start testing of TstA *********
PASS   : TstA::initTestCase()
PASS   : TstA::one()
PASS   : TstA::rows(first)
SKIP   : TstA::rows(second) optional data absent: x.gguf
   Loc: [a.cpp(3)]
PASS   : TstA::cleanupTestCase()
"""
QT_TOTALS = "Totals: 4 passed, 0 failed, 1 skipped, 0 blacklisted, 3ms\n"


def junit(*cases):
    body = "".join(f'<testcase name="{name}" status="{status}">{inner}<system-out>{output}</system-out></testcase>'
                   for name, status, inner, output in cases)
    return f"<testsuite>{body}</testsuite>"


class CountResults(unittest.TestCase):
    def test_qt_functions_count_one_by_one(self):
        self.assertEqual(Count(2, 0, 1), count_results.count_case("run", QT + QT_TOTALS))

    def test_a_crash_is_a_failure_beside_what_passed_before(self):
        self.assertEqual(Count(2, 1, 1), count_results.count_case("fail", QT))

    def test_failures_are_counted(self):
        output = "FAIL!  : TstA::two() 'x' returned FALSE\nTotals: 0 passed, 1 failed, 0 skipped, 0 blacklisted, 1ms\n"
        self.assertEqual(Count(0, 1, 0), count_results.count_case("fail", output))

    def test_two_qt_classes_in_one_program(self):
        self.assertEqual(Count(4, 0, 2), count_results.count_case("run", (QT + QT_TOTALS) * 2))

    def test_blacklisted_is_not_passed(self):
        output = "Totals: 1 passed, 0 failed, 0 skipped, 2 blacklisted, 1ms\n"
        self.assertEqual(Count(1, 0, 2), count_results.count_case("run", output))

    def test_unittest(self):
        self.assertEqual(Count(3, 0, 1), count_results.count_case("run", "Ran 4 tests in 0.1s\n\nOK (skipped=1)\n"))
        self.assertEqual(Count(2, 2, 0), count_results.count_case("fail", "Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n"))
        self.assertEqual(Count(0, 2, 0), count_results.count_case("fail", "Ran 2 tests in 0.1s\n\nFAILED (failures=7)\n"))

    def test_plain_tests_count_one(self):
        self.assertEqual(Count(1, 0, 0), count_results.count_case("run", "12 inputs replayed\n"))
        self.assertEqual(Count(0, 1, 0), count_results.count_case("fail", ""))
        self.assertEqual(Count(0, 1, 0), count_results.count_case("notrun", ""))
        self.assertEqual(Count(0, 0, 1), count_results.count_case("disabled", ""))

    def run_main(self, files):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            status = count_results.main(folder)
        return status, output.getvalue().splitlines()[-1]

    def test_the_sum_is_the_last_line(self):
        files = {
            "dev.xml": junit(("a", "run", "", QT + QT_TOTALS), ("b", "run", "", "")),
            "asan.xml": junit(("c", "notrun", '<skipped message="SKIP_RETURN_CODE=77"/>', "")),
            "stages.txt": "stage fuzzing, 10 minutes passed\n",
        }
        self.assertEqual((0, "4 passed, 0 failed, 2 skipped"), self.run_main(files))

    def test_a_failed_stage_fails_the_run(self):
        files = {"dev.xml": junit(("b", "run", "", "")), "stages.txt": "stage build of asan failed\n"}
        self.assertEqual((1, "1 passed, 1 failed, 0 skipped"), self.run_main(files))

    def test_unreadable_output_does_not_hide_results(self):
        files = {"dev.xml": junit(("a", "run", "", "\x01\x1b[0m&#x1b;&#8;&#10;" + QT + QT_TOTALS))}
        self.assertEqual((0, "2 passed, 0 failed, 1 skipped"), self.run_main(files))
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), self.run_main({"dev.xml": "<testsuite><testcase"}))

    def test_no_tests_is_a_failure(self):
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), self.run_main({}))
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), self.run_main({"dev.xml": junit()}))


if __name__ == "__main__":
    unittest.main()
