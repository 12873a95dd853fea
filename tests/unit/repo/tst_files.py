#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Licence heads and file budgets. A file over its budget says why at its head: `// Budget: reason`."""

import os
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import ROOT, Exceptions, Violation, files, read

LICENCE = ("SPDX-License-Identifier: Apache-2.0", "SPDX-FileCopyrightText: GGUF Loader contributors")
HEADED = (".cpp", ".h", ".inl", ".inc", ".py", ".sh", ".qml", ".comp", ".glsl")
HEAD_LINES = 12
# Lists and tables (.inc) have no budget.
BUDGETS = {".cpp": 600, ".inl": 600, ".h": 200, ".qml": 250}
RULES = ("licence", "budget")
_REASON = re.compile(r"^\s*(?://|#)\s*Budget: \S+ \S+")


def check_licence(path, lines):
    start = 1 if lines and lines[0].startswith("#!") else 0
    head = lines[start:start + 2]
    if len(head) == 2 and all(text in line for text, line in zip(LICENCE, head)):
        return []
    return [Violation(path, 1, "licence", "the two SPDX lines must come first")]


def check_budget(path, lines):
    limit = BUDGETS.get(os.path.splitext(path)[1])
    if limit is None or len(lines) <= limit or any(_REASON.match(line) for line in lines[:HEAD_LINES]):
        return []
    return [Violation(path, len(lines), "budget", f"{len(lines)} lines; at most {limit}, or `// Budget: reason` at the head")]


def check_tree(root, exceptions):
    found = []
    for path in files(root, HEADED):
        text = read(root, path)
        if not text.strip():
            continue
        lines = text.splitlines()
        found += check_licence(path, lines) + check_budget(path, lines)
    return [violation for violation in found if not exceptions.allows(violation.rule, violation.path)]


class Files(unittest.TestCase):
    def test_the_repository_keeps_the_rules(self):
        violations = check_tree(ROOT, Exceptions.load())
        self.assertEqual([], violations, "\n" + "\n".join(violations))


class TheCheckerItself(unittest.TestCase):
    HEAD = "".join(f"// {line}\n" for line in LICENCE)

    def check(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            return [violation.rule for violation in check_tree(folder, Exceptions([]))]

    def test_heads(self):
        self.assertEqual([], self.check("a.cpp", self.HEAD + "int a;\n"))
        self.assertEqual(["licence"], self.check("a.cpp", "int a;\n"))
        self.assertEqual(["licence"], self.check("a.h", "// " + LICENCE[0] + "\nint a;\n"))
        self.assertEqual([], self.check("a.py", "#!/usr/bin/env python3\n# " + "\n# ".join(LICENCE) + "\n"))

    def test_budgets(self):
        self.assertEqual([], self.check("a.h", self.HEAD + "\n" * 198))
        self.assertEqual(["budget"], self.check("a.h", self.HEAD + "\n" * 199))
        self.assertEqual([], self.check("a.h", self.HEAD + "// Budget: one table\n" + "\n" * 400))
        self.assertEqual(["budget"], self.check("a.h", self.HEAD + "// Budget:\n" + "\n" * 400))
        self.assertEqual(["budget"], self.check("a.cpp", self.HEAD + "\n" * 599))
        self.assertEqual([], self.check("a.inc", self.HEAD + "\n" * 9000))


if __name__ == "__main__":
    unittest.main()
