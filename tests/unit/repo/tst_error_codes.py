#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Every error code is made somewhere, or reserved_error_codes.txt says why it is not.

--strict also fails on codes that are reserved although something makes them.
"""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import ROOT, code_only, files, read

CODES = "core/engine/base/error_codes.inc"
RESERVED = "tests/unit/repo/reserved_error_codes.txt"
STRICT = "--strict" in sys.argv
_ROW = re.compile(r'^LOADER_ERROR\((\w+),\s*(\w+),\s*"((?:\\.|[^"\\])*)",\s*"((?:\\.|[^"\\])*)"\)', re.M)


def codes(root):
    return _ROW.findall(read(root, CODES))


def reserved(root):
    rows = {}
    for line in read(root, RESERVED).splitlines():
        if line.strip() and not line.startswith("#"):
            code, _, reason = line.strip().partition(" ")
            rows[code] = reason.strip()
    return rows


def made_codes_of(code):
    """Codes named as Errc::X in code without comments and texts; a `case` only tells codes apart, it makes none."""
    return set(re.findall(r"\bErrc::([A-Z]+\d+)\b", re.sub(r"\bcase Errc::\w+\s*:", "", code)))


def made_codes(root):
    """Codes named as Errc::X, or as a bare enumerator after `using enum Errc`, or in a list (.inc), outside tests."""
    made = set()
    for path in files(root, (".cpp", ".h", ".inl", ".inc"), ("core/", "backends/", "plugins/", "gui/")):
        if path == CODES:
            continue
        code = code_only(read(root, path))
        made.update(made_codes_of(code))
        if "using enum" in code or path.endswith(".inc"):
            made.update(re.findall(r"\b([A-Z]{1,2}\d{3})\b", code))
    return made


class ErrorCodes(unittest.TestCase):
    def setUp(self):
        self.rows = codes(ROOT)
        self.names = [row[0] for row in self.rows]

    def test_the_list_is_read_whole(self):
        lines = [line for line in read(ROOT, CODES).splitlines() if line.startswith("LOADER_ERROR(")]
        self.assertGreater(len(lines), 50)
        self.assertEqual(len(lines), len(self.rows), "a row has a form that this test does not read")

    def test_no_code_is_listed_twice(self):
        self.assertEqual(sorted(set(self.names)), sorted(self.names))

    def test_every_code_is_made_or_reserved(self):
        idle = set(self.names) - made_codes(ROOT) - set(reserved(ROOT))
        self.assertEqual([], sorted(idle), f"nothing makes these codes; use them or give a reason in {RESERVED}")

    def test_every_made_code_is_listed(self):
        self.assertEqual([], sorted(made_codes(ROOT) - set(self.names) - {"UTF8"}))

    def test_reserved_codes_exist_and_have_a_reason(self):
        rows = reserved(ROOT)
        self.assertEqual([], sorted(set(rows) - set(self.names)))
        self.assertEqual([], sorted(code for code, reason in rows.items() if not reason))

    def test_reserved_codes_are_not_made(self):
        stale = sorted(set(reserved(ROOT)) & made_codes(ROOT))
        if STRICT:
            self.assertEqual([], stale, f"these codes are made now; strike them from {RESERVED}")
        elif stale:
            print(f"note: reserved although made: {' '.join(stale)}", file=sys.stderr)

    def test_sentences_are_whole(self):
        for name, _, sentence, action in self.rows:
            for text in (sentence, action):
                with self.subTest(name):
                    self.assertRegex(text, r"^(?:\{\d\}|[A-Z])", "starts with a capital or an argument")
                    self.assertRegex(text, r"(?:[.!?]|\{\d\}|: gguf [\w -]+)$", "ends as a sentence, or with a command")

    def test_the_reader_sees_what_it_should(self):
        text = 'return Error(Errc::GG001); // Errc::GG002\n"Errc::GG003"; case Errc::GG004: return 2;'
        self.assertEqual({"GG001"}, made_codes_of(code_only(text)))


if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--strict"]
    unittest.main()
