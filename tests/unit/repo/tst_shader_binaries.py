#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""The SPIR-V in the repository is what its sources say, and valid."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import ROOT

SHADERS = os.path.join(ROOT, "backends", "vulkan", "shaders")


def check(folder):
    return subprocess.run([sys.executable, "-B", os.path.join(folder, "compile"), "--check"], capture_output=True,
                          text=True, check=False)


def read(folder, module):
    with open(os.path.join(folder, "spirv", module), "rb") as file:
        return file.read()


def takes_newer_tools(module):
    """Whether Debian 12's compiler and validator do not know the tier of a module."""
    with open(os.path.join(SHADERS, "shaders.inc"), encoding="utf-8") as file:
        return re.search(r"\(" + module[:-len(".spv")] + r",.*,\s*(?:Matrix|Flexible),", file.read()) is not None


class ShaderBinaries(unittest.TestCase):
    def copy(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return shutil.copytree(SHADERS, os.path.join(folder, "shaders"))

    def test_they_are_what_the_sources_say(self):
        result = check(SHADERS)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        if "skipped (compiler)" in result.stdout:
            self.skipTest(result.stdout.strip())

    def test_those_of_a_newer_compiler_are_what_the_sources_say(self):
        result = check(SHADERS)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        if "skipped (newer)" in result.stdout:
            self.skipTest(result.stdout.strip())

    def test_without_a_newer_compiler_its_shaders_stay_behind(self):
        folder = self.copy()
        before = read(folder, "MatmulMatrix.spv")
        with open(os.path.join(folder, "tile_matrix.glsl"), "a", encoding="utf-8") as file:
            file.write("const uint ANOTHER = 1u;\n")
        result = subprocess.run([sys.executable, "-B", os.path.join(folder, "compile")], capture_output=True, text=True,
                                check=False)
        if result.returncode == 0 or "is missing" in result.stderr:
            self.skipTest("the compiler here is newer, or there is none")
        self.assertIn("--newer): MatmulFlexible", result.stderr)
        self.assertEqual(before, read(folder, "MatmulMatrix.spv"))
        self.assertIn("MatmulMatrix: matmul_matrix.comp has changed", check(folder).stderr)

    def test_an_older_compiler_is_not_taken_for_a_newer_one(self):
        if shutil.which("glslangValidator") is None:
            self.skipTest("glslangValidator is not here (Debian package glslang-tools)")
        older = "#!/bin/sh\necho 'Glslang Version: 11:13.0.0'\n"
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "older")
            with open(program, "w", encoding="utf-8") as file:
                file.write(older)
            os.chmod(program, 0o755)
            command = [sys.executable, "-B", os.path.join(SHADERS, "compile"), "--check", "--newer", program]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("version 11:13.0.0, and 15 is needed", result.stderr)

    def test_a_changed_include_is_noticed(self):
        folder = self.copy()
        with open(os.path.join(folder, "half_float.glsl"), "a", encoding="utf-8") as file:
            file.write("const uint ANOTHER = 1u;\n")
        result = check(folder)
        self.assertNotEqual(0, result.returncode)
        self.assertIn("Matvec: matvec.comp has changed", result.stderr)
        self.assertNotIn("Norm:", result.stderr)

    def test_a_changed_comment_is_nothing(self):
        folder = self.copy()
        with open(os.path.join(folder, "half_float.glsl"), "a", encoding="utf-8") as file:
            file.write("// Another line.")
        self.assertEqual(0, check(folder).returncode)

    def test_a_missing_or_needless_binary_is_noticed(self):
        folder = self.copy()
        os.rename(os.path.join(folder, "spirv", "Norm.spv"), os.path.join(folder, "spirv", "Other.spv"))
        result = check(folder)
        self.assertIn("spirv/Norm.spv is missing", result.stderr)
        self.assertIn("spirv/Other.spv: not in shaders.inc", result.stderr)

    def test_a_changed_binary_is_noticed(self):
        folder = self.copy()
        with open(os.path.join(folder, "spirv", "Norm.spv"), "ab") as file:
            file.write(b"\0\0\0\0")
        result = check(folder)
        if "skipped (compiler)" in result.stdout:
            self.skipTest(result.stdout.strip())
        self.assertIn("Norm: the module is not what the compiler makes", result.stderr)

    def test_they_are_valid(self):
        if shutil.which("spirv-val") is None:
            self.skipTest("spirv-val is not here (Debian package spirv-tools)")
        spirv = os.path.join(SHADERS, "spirv")
        modules = sorted(name for name in os.listdir(spirv) if name.endswith(".spv"))
        self.assertGreater(len(modules), 10)
        known = subprocess.run(["spirv-val", "--version"], capture_output=True, text=True, check=False).stdout
        recent = int(re.search(r"v(\d+)", known)[1]) >= 2024
        for name in modules:
            with self.subTest(name):
                if takes_newer_tools(name) and not recent:
                    self.skipTest("spirv-val of 2024 or later is not here")
                result = subprocess.run(["spirv-val", "--target-env", "vulkan1.1", os.path.join(spirv, name)],
                                        capture_output=True, text=True, check=False)
                self.assertEqual(0, result.returncode, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
