#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Every header compiles alone, with the flags of the nearest source file. The build itself proves that of headers that
the source of the same name includes before anything else: those are not compiled again.

usage: tst_headers_alone.py --build FOLDER [--jobs N]
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import ROOT, Exceptions, files, includes, read

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("--build", default=os.environ.get("LOADER_BUILD_DIR", os.path.join(ROOT, "build")))
ARGUMENTS.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
OPTIONS, REST = ARGUMENTS.parse_known_args()
FOLDERS = ("core/", "backends/", "plugins/", "gui/", "tests/")


def commands(build):
    """Source path relative to the root -> its compiler command as a list, without input and output."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT).replace(os.sep, "/")
        if path.startswith((".", "build")):
            continue
        words = shlex.split(entry["command"])
        kept, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MT", "-MQ"):
                skip = True
            elif word not in ("-c", "-MD", "-MMD") and os.path.join(entry["directory"], word) != entry["file"] \
                    and word != entry["file"]:
                kept.append(word)
        if os.path.basename(kept[0]) == "ccache":
            kept = kept[1:]
        found[path] = kept
    return found


def nearest(header, table):
    """The command of the source that shares the longest leading path with the header."""
    def closeness(path):
        shared = os.path.commonprefix([os.path.dirname(header) + "/", os.path.dirname(path) + "/"])
        return (shared.count("/"), os.path.basename(path) != "plugin.cpp", -len(path))
    return table[max(sorted(table), key=closeness)]


def compile_alone(text, command):
    """The compiler's complaints about a translation unit; empty where there are none."""
    result = subprocess.run(command + ["-fsyntax-only", "-x", "c++", "-"], input=text, text=True, cwd=OPTIONS.build,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.stdout if result.returncode else ""


def proven_by_the_build(header, content, table):
    """Whether a source that the build compiles begins with it; without a guard it is looked at more closely."""
    source = header[:-len(".h")] + ".cpp"
    if source not in table or "#pragma once" not in content:
        return False
    first = next(iter(includes(read(ROOT, source))), None)
    return first is not None and first[1] == header


class HeadersAlone(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = commands(OPTIONS.build)

    def test_every_header_compiles_alone(self):
        exceptions = Exceptions.load()
        headers = [path for path in files(ROOT, (".h",), FOLDERS) if not exceptions.allows("header-alone", path)]
        # A header with Qt in it needs the flags of a source that links Qt.
        def linking(module):
            return {path: words for path, words in self.table.items() if any(module in word for word in words)}

        qt_sources, qt_tests = linking("QtCore"), linking("QtTest")
        self.assertGreater(len(headers), 20)
        self.assertTrue(qt_sources)

        def check(header):
            content = read(ROOT, header)
            if proven_by_the_build(header, content, self.table):
                return header, ""
            table = qt_tests if "#include <QTest>" in content else qt_sources if "#include <Q" in content else self.table
            # Twice: a header without a guard is found too.
            return header, compile_alone(f'#include "{header}"\n#include "{header}"\n', nearest(header, table))

        with ThreadPoolExecutor(OPTIONS.jobs) as pool:
            failures = [(header, output) for header, output in pool.map(check, headers) if output]
        self.assertEqual([], [header for header, _ in failures], "\n".join(output for _, output in failures))

    def test_what_the_build_proves(self):
        header, guarded = "core/engine/base/error.h", "#pragma once\n"
        self.assertTrue(proven_by_the_build(header, guarded, self.table))
        self.assertFalse(proven_by_the_build(header, "int a;\n", self.table))
        self.assertFalse(proven_by_the_build(header, guarded, {}))
        # Its source does not begin with it, or there is none.
        self.assertFalse(proven_by_the_build("core/engine/base/result.h", guarded, self.table))
        self.assertFalse(proven_by_the_build("core/cli/main.h", guarded, self.table))

    def test_the_check_itself_can_fail(self):
        command = nearest("core/engine/base/x.h", self.table)
        self.assertEqual("", compile_alone("int a;\n", command))
        self.assertNotEqual("", compile_alone("inline std::vector<int> a;\n", command))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + REST)
