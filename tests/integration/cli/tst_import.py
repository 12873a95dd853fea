#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""gguf import as a user meets it. Usage: tst_import.py PATH_OF_GGUF [unittest options]"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

GGUF = ""
SETTINGS = {"model_param": "../models/a-Q4_K_M.gguf", "contextsize": 8192, "gpulayers": -1, "usemlock": True,
            "password": "do-not-show-this", "nobody_knows": 1}


class ImportTest(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="loader_import_"))
        self.addCleanup(shutil.rmtree, self.folder)
        home = os.path.join(self.folder, "home")
        self.model = os.path.join(home, "models", "a-Q4_K_M.gguf")
        os.makedirs(os.path.dirname(self.model))
        os.makedirs(os.path.join(home, "koboldcpp"))
        with open(self.model, "wb") as file:
            file.write(b"GGUF")
        self.source = os.path.join(home, "koboldcpp", "story.kcpps")
        with open(self.source, "w", encoding="utf-8") as file:
            json.dump(SETTINGS, file)
        self.environment = dict(os.environ, HOME=home)
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            self.environment[f"XDG_{name}_HOME"] = os.path.join(self.folder, name)

    def gguf(self, *words):
        return subprocess.run([GGUF, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=240,
                              env=self.environment, cwd=self.folder)

    def json(self, *words, status=0):
        done = self.gguf(*words, "--json")
        self.assertEqual(status, done.returncode, done)
        self.assertNotIn(b"do-not-show-this", done.stdout + done.stderr)
        return json.loads(done.stdout)

    def source_state(self):
        with open(self.source, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest(), os.stat(self.source).st_mtime_ns

    def test_lists(self):
        importers = {one["id"]: one for one in self.json("import", "--list")["importers"]}
        for name in ("consoul", "ctransformers", "hugging-face", "koboldcpp", "llama-cpp-presets", "llama-cpp-python",
                     "text-generation-webui"):
            self.assertNotIn("refusal", importers[name])
        found = self.json("import")["candidates"]
        self.assertIn({"app": "koboldcpp", "name": "KoboldCpp", "path": self.source, "what": "settings"}, found)

    def test_dry_real_and_again(self):
        before = self.source_state()
        dry = self.json("import", "koboldcpp", "--dry-run")
        self.assertEqual(len(SETTINGS), len(dry["report"]))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "CONFIG")))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "DATA")))
        # Standard input is no terminal: nobody is asked.
        real = self.json("import", self.source)
        self.assertEqual(dry["report"], real["report"])
        self.assertEqual({"settings": 3, "models": 1, "conversations": 0, "measurements": 0}, real["added"])
        again = self.json("import", "koboldcpp", self.source)
        self.assertEqual(dry["report"], again["report"])
        self.assertEqual({0}, set(again["added"].values()))
        self.assertEqual(before, self.source_state())
        value = self.gguf("config", "get", "load.context", "--model", self.model)
        self.assertEqual(b"8192", value.stdout.strip())
        with open(os.path.join(self.folder, "DATA", "gguf-loader", "models.json"), encoding="utf-8") as file:
            self.assertIn(self.model, file.read())

    def test_what_the_user_set_stays(self):
        self.assertEqual(0, self.gguf("config", "set", "load.context", "512", "--model", self.model).returncode)
        line = [one for one in self.json("import", self.source)["report"] if one["key"] == "contextsize"][0]
        self.assertEqual("ignored", line["verdict"])
        self.assertEqual(b"512", self.gguf("config", "get", "load.context", "--model", self.model).stdout.strip())
        self.assertEqual(1, self.json("import", self.source, "--overwrite")["added"]["settings"])

    def test_errors(self):
        self.assertEqual("C513", self.json("import", "nobody", status=2)["error"]["code"])
        self.assertEqual("F802", self.json("import", "/nonexistent/x", status=3)["error"]["code"])
        self.assertEqual("C514", self.json("import", self.model, status=3)["error"]["code"])
        self.assertEqual("X001", self.json("import", "consoul", status=2)["error"]["code"])
        with open(self.source, "w", encoding="utf-8") as file:
            file.write('{"contextsize": ')
        self.assertEqual("C501", self.json("import", self.source, status=3)["error"]["code"])


if __name__ == "__main__":
    GGUF = os.path.abspath(sys.argv.pop(1))
    unittest.main()
