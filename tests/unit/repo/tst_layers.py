#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Reads the includes and the words of every source and fails where the rules of layer_rules.py are broken."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import layer_rules
from source_tree import ROOT, Exceptions, files

# path, content, rules that must be reported for it (none: the file is fine and must not be reported).
TREE = [
    ("core/engine/base/a.cpp", '#include "core/engine/quant/types.h"\n', ["direction"]),
    ("core/engine/quant/a.cpp", '#include "core/engine/base/result.h"\n#include <vector>\n', []),
    ("core/engine/gguf/a.h", '#include "core/engine/arch/spec.h"\n', ["direction"]),
    ("core/engine/text/a.h", '#  include "backends/api/backend.h"\n', ["direction"]),
    ("core/engine/session/a.h", '#include "core/engine/sampling/chain.h"\n', []),
    ("core/engine/session/b.h", '#include "core/host/loader.h"\n', ["direction"]),
    ("core/host/a.cpp", '#include "backends/api/backend.h"\n#include <QPluginLoader>\n', []),
    ("core/host/b.cpp", '#include "backends/cpu/cpu_backend.h"\n', ["direction"]),
    ("core/host/c.cpp", '#include "core/cli/options.h"\n', ["direction"]),
    ("core/app/a.cpp", "#include <QQuickItem>\n#include <QtGui/QImage>\n", ["qt", "qt"]),
    ("core/nowhere/a.cpp", "int a;\n", ["placeless"]),
    ("core/engine/base/b.cpp", "#include <QString>\n", ["qt"]),
    ("core/engine/base/c.cpp", "#include <QtCore/QString>\n", ["qt"]),
    ("core/engine/base/d.cpp", '// #include <QString>\nconst char* kText = "std::cout << getenv(\\"A\\")";\n', []),
    ("core/engine/base/e.cpp", "#include <regex>\nstd::regex pattern;\n", ["regex", "regex"]),
    ("core/engine/base/f.cpp", 'auto home = std::getenv("HOME");\n', ["environment"]),
    ("core/engine/base/g.cpp", 'void f() { std::printf("x"); std::cerr << 1; }\n', ["printing", "printing"]),
    ("core/engine/base/h.cpp", 'void f() { std::snprintf(b, 4, "x"); sprint(3); m_exit(2); }\n', []),
    ("core/engine/base/i.cpp", "void f() { if (bad) std::abort(); exit(1); }\n", ["ending", "ending"]),
    ("core/engine/base/j.cpp", "void f() { throw 1; }\n", ["throwing"]),
    ("core/engine/base/k.cpp", "auto s = std::format(1); int n = 1'000'000; throwaway(); throw;\n", ["subset"]),
    ("core/engine/base/l.cpp", 'auto t = R"(std::abort() // "quoted")"; /* throw\n abort() */\n', []),
    ("core/engine/graph/a.cpp", 'if (name == "qwen2") return;\n', ["family"]),
    ("core/engine/graph/b.cpp", "const ArchSpec kLlama3 = {};  // Mistral is fine here, llama.cpp too\n", ["family"]),
    ("core/engine/graph/c.cpp", "// Gemma and llama\nphilox4x32(); // TODO (issue 12): more\n", []),
    ("core/engine/graph/d.cpp", "int a;  // FIXME: later\n", ["open-work"]),
    ("core/engine/arch/llama.cpp", 'const char* kName = "llama";\n', []),
    ("cmake/Some.cmake", "set(phi3 1)  # about mistral\n", ["family"]),
    ("backends/one/a.cpp", '#include "backends/two/b.h"\n', ["direction"]),
    ("backends/one/b.cpp", '#include "core/engine/gguf/file.h"\n', ["direction"]),
    ("backends/one/c.cpp", "#include <QObject>\n", ["qt"]),
    ("backends/one/plugin.cpp", '#include <QObject>\n#include "backends/api/plugin.h"\n#include "plugin.moc"\n', []),
    ("backends/one/kernels/d.cpp", '#include "backends/one/a.h"\n#include "core/engine/graph/ops.h"\n', []),
    ("backends/api/plugin.h", "#include <QtPlugin>\n", []),
    ("backends/api/backend.h", '#include "core/app/models/library.h"\n' + "//\n" * 200, ["direction", "boundary"]),
    ("gui/pages/chat/a.cpp", '#include "backends/cpu/cpu_backend.h"\n#include <QQuickItem>\n', ["direction"]),
    ("plugins/importers/some/a.cpp", '#include "gui/shell/main.h"\n#include "core/app/models/library.h"\n', ["direction"]),
    ("tests/unit/base/a.cpp", '#include "core/cli/options.h"\n#include <QTest>\nconst char* k = "llama";\n', []),
    ("build/core/engine/base/a.cpp", "#include <QString>\n", []),
]


def report(violations):
    return "\n" + "\n".join(violations)


class Layers(unittest.TestCase):
    def test_the_repository_keeps_the_rules(self):
        self.assertGreater(len(files(ROOT, (".cpp", ".h"), ("core/engine/",))), 20, "the sources were not found")
        violations = layer_rules.check_tree(ROOT, Exceptions.load())
        self.assertEqual([], violations, report(violations))

    def test_every_exception_is_needed(self):
        exceptions = Exceptions.load()
        layer_rules.check_tree(ROOT, exceptions)
        # A pattern may wait for files that do not exist yet; one that covers files must be needed by one.
        every = files(ROOT)
        idle = [row for row in exceptions.unused(layer_rules.RULES)
                if any(Exceptions([" ".join(row)]).allows(row[0], path) for path in every)]
        self.assertEqual([], idle)


class TheCheckerItself(unittest.TestCase):
    """A made-up tree in which every rule is broken: what is not reported here would not be reported there."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        for path, content, _ in TREE:
            full = os.path.join(cls.folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(content)
        cls.violations = layer_rules.check_tree(cls.folder.name, Exceptions([]))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_each_violation_is_reported_and_nothing_else(self):
        for path, _, expected in TREE:
            with self.subTest(path):
                found = [violation.rule for violation in self.violations if violation.path == path]
                self.assertEqual(sorted(expected), sorted(found), report(self.violations))

    def test_every_rule_is_exercised(self):
        self.assertEqual(set(layer_rules.RULES), {violation.rule for violation in self.violations})

    def test_an_exception_silences_its_file_and_rule_only(self):
        exceptions = Exceptions(["throwing core/engine/base/j.cpp a made-up reason"])
        rest = layer_rules.check_tree(self.folder.name, exceptions)
        self.assertEqual(len(self.violations) - 1, len(rest))
        self.assertEqual([], exceptions.unused(["throwing"]))

    def test_an_exception_needs_a_reason(self):
        with self.assertRaises(ValueError):
            Exceptions(["throwing core/engine/base/j.cpp"])


if __name__ == "__main__":
    unittest.main()
