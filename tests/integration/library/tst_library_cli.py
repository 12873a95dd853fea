#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# `gguf models` as a user meets it: the lists of several stores at once, names that every command takes, what is
# added, removed, inspected, tested and verified; and an index whose writer is killed at any moment.
# Python 3 standard library only.
"""Usage: tst_library_cli.py PATH_OF_GGUF PATH_OF_MAKE_TINY_MODEL [unittest options]"""

import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

GGUF = ""
MAKER = ""
GREEDY = ["--temperature", "0", "-n", "4", "-t", "1"]


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def small_model(number):
    """A file with a header and a tensor of 32 bytes."""
    entries = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
               text("general.name") + struct.pack("<I", 8) + text(f"Small {number}")]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries)
    head += text("weight") + struct.pack("<IQIQ", 1, 8, 0, 0)
    return head + bytes(-len(head) % 32) + bytes(32)


class LibraryTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loader_library_")
        self.library = os.path.join(self.folder, "models")
        os.mkdir(self.library)
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": self.folder, "GGUF_LOADER_MODELS": self.library}
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            self.environment[name] = os.path.join(self.folder, name.lower())

    def tearDown(self):
        shutil.rmtree(self.folder)

    def make(self, name, *options):
        path = os.path.join(self.library, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([MAKER, path, *options], capture_output=True, check=True)
        return path

    def run_gguf(self, *words, **options):
        return subprocess.run([GGUF, *map(str, words)], capture_output=True, timeout=240, env=self.environment, **options)

    def said(self, *words, status=0):
        done = self.run_gguf(*words, "--json")
        self.assertEqual(done.returncode, status, (done.stdout + done.stderr).decode(errors="replace"))
        return json.loads(done.stdout)

    def code(self, *words, status):
        return self.said(*words, status=status)["error"]["code"]

    def models(self):
        return {model["name"]: model for model in self.said("models")["models"] if model["place"] != "built-in"}

    def index(self):
        return os.path.join(self.environment["XDG_DATA_HOME"], "gguf-loader", "library.sqlite")


class Lists(LibraryTest):
    def test_types_of_one_model_are_grouped(self):
        for kind in ("Q4_0", "Q8_0"):
            self.make(f"a/tiny-{kind}.gguf", f"type={kind}")
        listed = self.said("models")
        groups = [group for group in listed["groups"] if len(group["models"]) == 2]
        self.assertEqual(len(groups), 1)
        # In the order in which auto would take them.
        self.assertTrue(groups[0]["models"][0].endswith("tiny-Q4_0.gguf"))
        self.assertEqual(groups[0]["bytes"], sum(map(os.path.getsize, groups[0]["models"])))
        shown = self.run_gguf("models").stdout.decode()
        self.assertIn("2 files", shown)
        self.assertIn("  tiny-Q8_0", shown)
        self.assertIn("256 tokens", shown)

    def test_stores_of_other_programs(self):
        path = self.make("spare")
        with open(path, "rb") as file:
            data = file.read()
        sha = hashlib.sha256(data).hexdigest()
        # The hub's cache, with links as it makes them.
        hub = os.path.join(self.environment["XDG_CACHE_HOME"], "huggingface", "hub", "models--some--tiny-GGUF")
        commit = "0123456789abcdef0123456789abcdef01234567"
        for name in ("blobs", "refs", f"snapshots/{commit}"):
            os.makedirs(os.path.join(hub, name))
        os.rename(path, os.path.join(hub, "blobs", sha))
        os.symlink(f"../../blobs/{sha}", os.path.join(hub, "snapshots", commit, "tiny-F32.gguf"))
        with open(os.path.join(hub, "refs", "main"), "w", encoding="ascii") as file:
            file.write(commit)
        # A store of blobs and manifests in a folder of the user.
        store = os.path.join(self.library, "store")
        os.makedirs(os.path.join(store, "blobs"))
        manifest = os.path.join(store, "manifests", "registry.ollama.ai", "library", "tiny")
        os.makedirs(manifest)
        other = self.make("other", "layers=3")
        with open(other, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        os.rename(other, os.path.join(store, "blobs", f"sha256-{digest}"))
        with open(os.path.join(manifest, "1b"), "w", encoding="utf-8") as file:
            json.dump({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"}]}, file)
        listed = self.models()
        self.assertEqual(listed["tiny-F32"]["repository"], "some/tiny-GGUF")
        self.assertEqual(listed["tiny-F32"]["sha256"], sha)
        self.assertEqual(listed["tiny-F32"]["place"], "hub")
        self.assertEqual(listed["tiny:1b"]["sha256"], digest)
        for name in ("some/tiny-GGUF", "some/tiny-GGUF:F32", "tiny:1b", "tiny-F32"):
            self.assertEqual(self.run_gguf("run", name, "-p", "the", *GREEDY).returncode, 0, name)
        verified = self.said("models", "verify")["files"]
        self.assertEqual([file["verdict"] for file in verified], ["matches", "matches"])
        with open(os.path.join(store, "blobs", f"sha256-{digest}"), "r+b") as file:
            file.seek(-5, os.SEEK_END)
            file.write(b"!")
        verified = self.said("models", "verify", "tiny:1b", status=3)["files"]
        self.assertEqual(verified[0]["verdict"], "differs")
        self.assertEqual(verified[0]["error"]["code"], "D312")

    def test_auto(self):
        self.assertEqual(self.code("run", "auto", "-p", "a", status=3), "D313")
        self.make("z-Q8_0.gguf", "type=Q8_0")
        self.assertTrue(self.said("inspect", "auto")["path"].endswith("z-Q8_0.gguf"))
        self.make("a-F32.gguf")
        self.assertTrue(self.said("inspect", "auto")["path"].endswith("z-Q8_0.gguf"))
        self.make("sub/m-Q4_0.gguf", "type=Q4_0")
        self.assertTrue(self.said("inspect", "auto")["path"].endswith("m-Q4_0.gguf"))

    def test_missing_files_stay(self):
        path = self.make("mine.gguf")
        time.sleep(0.1)
        self.models()
        os.remove(path)
        self.assertEqual(self.models()["mine"]["error"]["code"], "D310")
        self.assertEqual(self.models()["mine"]["state"], "missing")
        self.assertEqual(self.code("run", "mine", "-p", "a", status=3), "D310")
        self.said("models", "remove", path)
        self.assertNotIn("mine", self.models())


class Changes(LibraryTest):
    def test_add_and_remove(self):
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.mkdir(elsewhere)
        path = os.path.join(elsewhere, "single")
        os.rename(self.make("single"), path)
        self.said("models", "add", path, "--name", "My model")
        self.assertEqual(self.models()["My model"]["place"], "file")
        self.assertEqual(self.run_gguf("run", "My model", "-p", "the", *GREEDY).returncode, 0)
        self.said("models", "remove", "My model")
        self.assertEqual(self.models(), {})
        self.said("models", "add", elsewhere)
        self.assertEqual(self.models()["single"]["place"], "folder")
        self.said("models", "remove", elsewhere)
        self.assertEqual(self.models(), {})
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.code("models", "remove", elsewhere, status=3), "D304")
        self.assertEqual(self.code("models", "add", os.path.join(elsewhere, "absent"), status=3), "F802")

    def test_nothing_is_deleted_that_others_made(self):
        path = self.make("mine.gguf")
        self.assertEqual(self.code("models", "remove", "mine", "--delete", status=3), "D311")
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.code("models", "remove", "guide", "--delete", "--yes", status=3), "D311")
        self.said("models", "remove", "mine", "--delete", "--yes")
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.models(), {})

    def test_usage(self):
        for words in (["models", "dance"], ["models", "add"], ["models", "test"], ["models", "test", "x", "--all"],
                      ["models", "inspect"], ["models", "list", "x", "y"]):
            self.assertEqual(self.run_gguf(*words).returncode, 2, words)


class Inspection(LibraryTest):
    def test_inspect(self):
        path = self.make("tiny-Q8_0.gguf", "type=Q8_0")
        said = self.said("models", "inspect", "tiny-Q8_0", "--tensors")
        self.assertEqual(said["path"], path)
        self.assertEqual(said["metadata"]["llama.block_count"], 2)
        self.assertEqual(said["metadata"]["tokenizer.ggml.tokens"]["length"], 311)
        self.assertEqual(len(said["tensors"]), said["tensor_count"])
        self.assertEqual(sum(kind["bytes"] for kind in said["types"]), sum(t["bytes"] for t in said["tensors"]))
        self.assertTrue({entry["id"]: entry for entry in said["backends"]}["cpu"]["supported"])
        self.assertTrue(said["chat_template"])
        self.assertIsNone(said["refusal"])
        self.assertEqual(said["findings"], [])
        self.assertFalse(any(key["needed"] for key in said["missing"]))
        said = self.said("models", "inspect", path, "-c", "9999", "--threads", "1000")
        self.assertEqual([(f["severity"], f["key"]) for f in said["findings"]],
                         [("warning", "load.context"), ("warning", "load.threads")])
        shown = self.run_gguf("models", "inspect", path).stdout.decode()
        for words in ("Back end:", "can run it", "Metadata:"):
            self.assertIn(words, shown)

    def test_inspect_what_cannot_run(self):
        path = os.path.join(self.library, "small.gguf")
        with open(path, "wb") as file:
            file.write(small_model(1))
        said = self.said("models", "inspect", path)
        self.assertEqual(said["refusal"]["code"], "M103")
        self.assertIn("llama.block_count", [key["key"] for key in said["missing"] if key["needed"]])
        self.assertFalse(any(entry["supported"] for entry in said["backends"]))
        with open(path, "wb") as file:
            file.write(b"not a model at all, only a text")
        self.assertEqual(self.code("models", "inspect", path, status=3), "GG002")

    def test_test(self):
        self.make("good.gguf")
        with open(os.path.join(self.library, "bad.gguf"), "wb") as file:
            file.write(small_model(1))
        said = self.said("models", "test", "good", "-t", "1", "-n", "4")
        self.assertEqual((said["status"], said["backend"], said["tokens"]), ("works", "cpu", 4))
        for key in ("load_ms", "memory_bytes", "tokens_per_second"):
            self.assertGreater(said[key], 0)
        said = self.said("models", "test", "bad", status=3)
        self.assertEqual(said["status"], "failed")
        self.assertTrue(said["suggested_fix"])
        done = self.run_gguf("models", "test", "--all", "-t", "1", "-n", "2", "--json")
        self.assertEqual(done.returncode, 5)
        table = {row["name"]: row["status"] for row in map(json.loads, done.stdout.splitlines())}
        table.pop("guide", None)
        self.assertEqual(table, {"good": "works", "bad": "failed"})


class Crashes(LibraryTest):
    """X18: whoever is killed while the index is written loses nothing, and the next start needs no repair."""

    FILES = 150

    def setUp(self):
        super().setUp()
        for number in range(self.FILES):
            with open(os.path.join(self.library, f"m{number}.gguf"), "wb") as file:
                file.write(small_model(number))
        time.sleep(0.1)
        self.whole = self.models()
        self.assertEqual(len(self.whole), self.FILES)

    def test_killed_at_any_moment(self):
        chance = random.Random(7)
        begin = time.monotonic()
        shutil.rmtree(self.environment["XDG_DATA_HOME"])
        self.models()
        usual = time.monotonic() - begin
        for _ in range(40):
            if chance.random() < 0.4:
                shutil.rmtree(self.environment["XDG_DATA_HOME"], ignore_errors=True)
            else:
                # Something to write.
                with open(os.path.join(self.library, f"m{chance.randrange(self.FILES)}.gguf"), "ab") as file:
                    file.write(b"")
                for number in chance.sample(range(self.FILES), 40):
                    os.utime(os.path.join(self.library, f"m{number}.gguf"))
                time.sleep(0.05)
            child = subprocess.Popen([GGUF, "models", "--json"], env=self.environment, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * usual)
            child.send_signal(signal.SIGKILL)
            child.wait()
            listed = self.said("models")
            self.assertEqual([note["code"] for note in listed["notes"]], [])
            found = {model["name"]: model for model in listed["models"] if model["place"] != "built-in"}
            self.assertEqual(found, self.whole)

    def test_damaged_index(self):
        chance = random.Random(9)
        for _ in range(15):
            with open(self.index(), "r+b") as file:
                size = os.path.getsize(self.index())
                for _ in range(20):
                    file.seek(chance.randrange(size))
                    file.write(bytes([chance.randrange(256)]))
            for suffix in ("-wal", "-shm"):
                if os.path.exists(self.index() + suffix):
                    os.remove(self.index() + suffix)
            self.assertEqual(self.models(), self.whole)
        self.assertEqual(self.said("models")["notes"], [])

    def test_no_place_for_an_index(self):
        shutil.rmtree(self.environment["XDG_DATA_HOME"])
        with open(self.environment["XDG_DATA_HOME"], "w", encoding="ascii"):
            pass
        self.assertEqual(self.models(), self.whole)

    def test_several_at_once(self):
        shutil.rmtree(self.environment["XDG_DATA_HOME"])
        children = [subprocess.Popen([GGUF, "models", "--json"], env=self.environment, stdout=subprocess.PIPE)
                    for _ in range(4)]
        for child in children:
            listed = json.loads(child.communicate()[0])
            self.assertEqual(child.returncode, 0)
            self.assertEqual(len([m for m in listed["models"] if m["place"] != "built-in"]), self.FILES)
        self.assertEqual(self.said("models")["headers_read"], 0)


if __name__ == "__main__":
    GGUF, MAKER = sys.argv[1], sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
