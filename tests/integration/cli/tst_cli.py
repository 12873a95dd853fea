#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# The command line as a contract: exit statuses, JSON shapes, bytes, signals, hostile files. Runs the real program
# on tiny models made by make_tiny_model. Python 3 standard library only.
"""Usage: tst_cli.py PATH_OF_GGUF PATH_OF_MAKE_TINY_MODEL [unittest options]"""

import json
import os
import resource
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
COMMANDS = ("run chat inspect tokenize detokenize template logits perplexity bench models backends estimate "
            "recommend hardware doctor config migrate import rollback").split()
GREEDY = ["--temperature", "0", "-n", "12", "-t", "1"]


# What this program remembers and logs stays out of the user's folders, and what is set there has no effect here.
HOME_OF_TESTS = dict(os.environ)


def gguf(*words, stdin=b"", timeout=240, **options):
    environment = dict(HOME_OF_TESTS, **options.pop("environment", {}))
    return subprocess.run([GGUF, *map(str, words)], input=stdin, capture_output=True, timeout=timeout,
                          env=environment, **options)


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="loader_cli_")
        HOME_OF_TESTS.update(XDG_STATE_HOME=os.path.join(cls.folder, "state of all"),
                             XDG_CONFIG_HOME=os.path.join(cls.folder, "config of all"),
                             XDG_DATA_HOME=os.path.join(cls.folder, "data of all"),
                             XDG_CACHE_HOME=os.path.join(cls.folder, "cache of all"))
        cls.llama = cls.make("tiny.gguf")
        cls.bpe = cls.make("bpe.gguf", "architecture=qwen2")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def make(cls, name, *options):
        path = cls.path(name)
        done = subprocess.run([MAKER, path, *options], capture_output=True, text=True, check=True)
        return done.stdout.strip() or path

    def ok(self, done):
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace"))
        return done

    def fails(self, done, status, code):
        self.assertEqual(done.returncode, status, done.stderr.decode(errors="replace"))
        if b'"error"' in done.stdout:
            error = json.loads(done.stdout.splitlines()[-1])["error"]
            self.assertEqual(sorted(error), ["action", "code", "message", "place"])
            self.assertEqual(error["code"], code)
        else:
            self.assertIn(code, done.stderr.decode())

    def answer(self, model, *words, prompt="the cat on"):
        done = self.ok(gguf("run", model, "-p", prompt, *GREEDY, "--json", *words))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(lines[-1]["done"])
        self.assertEqual("".join(line["text"] for line in lines[:-1]), lines[-1]["text"])
        return lines[-1]


class Usage(CliTest):
    def test_help_of_every_command(self):
        everything = self.ok(gguf("--help")).stdout.decode()
        for command in COMMANDS:
            self.assertIn(command, everything)
            text = self.ok(gguf(command, "--help")).stdout.decode()
            self.assertIn("--json", text)
        for option in ("--context", "--threads", "--batch", "--gpu-layers", "--backend", "--kv", "--mlock",
                       "--no-mmap", "--architecture", "--in-process"):
            for command in ("run", "chat", "logits", "perplexity", "bench", "estimate", "recommend"):
                self.assertIn(option, gguf(command, "--help").stdout.decode())

    def test_usage_errors(self):
        self.fails(gguf("nonsense"), 2, "X001")
        self.fails(gguf("run"), 2, "X001")
        self.fails(gguf("run", self.llama, "--nonsense"), 2, "X001")
        self.fails(gguf("run", self.llama, "-p"), 2, "X001")
        self.fails(gguf("run", self.llama, "-p", "a", "--mlock=1"), 2, "X001")
        self.fails(gguf("run", self.llama, "-p", "a", "-c", "many"), 2, "X001")
        self.fails(gguf("run", self.llama, "-p", "a", "--gpu-layers", "-1"), 2, "X001")
        self.fails(gguf("run", self.llama, "-p", "a", "--temperature", "500"), 2, "X006")
        self.fails(gguf("run", self.llama, "-p", "a", "--system", "b"), 2, "X001")
        self.fails(gguf("logits", self.llama, "-p", "a"), 2, "X001")
        self.fails(gguf("perplexity", self.llama), 2, "X001")
        self.fails(gguf("run", self.llama, "-p", "a", "--backend", "none", "--json"), 2, "B701")

    def test_forms_of_options(self):
        first = self.answer(self.llama, "--max-tokens=3")
        self.assertEqual(first["tokens"], 3)
        self.assertEqual(self.answer(self.llama, "-n", "3")["text"], first["text"])
        done = self.ok(gguf("run", "-p", "the cat on", *GREEDY, "--", self.llama))
        self.assertEqual(done.stdout.decode(), self.answer(self.llama)["text"])


class Planning(CliTest):
    def estimate(self, *words):
        return json.loads(self.ok(gguf("estimate", *words, "--json")).stdout)

    def test_estimate_has_the_promised_keys(self):
        said = self.estimate(self.llama)
        self.assertEqual(list(said)[:5], ["total_bytes", "parts", "fits", "gpu_layers", "context"])
        self.assertEqual(list(said["parts"]), ["weights", "kv", "compute", "output", "worker"])
        self.assertEqual(said["total_bytes"], sum(said["parts"].values()))
        self.assertTrue(said["fits"])
        self.assertEqual(said["gpu_layers"], 0)
        self.assertEqual(said["context"], 256)
        self.assertGreaterEqual(said["parts"]["weights"], os.path.getsize(self.llama))
        self.assertIn("fits", gguf("estimate", self.llama).stdout.decode())

    def test_estimate_follows_the_options(self):
        short, long = self.estimate(self.llama, "-c", "1024"), self.estimate(self.llama, "-c", "4096")
        self.assertEqual(4 * short["parts"]["kv"], long["parts"]["kv"])
        small = self.estimate(self.llama, "-c", "4096", "--kv", "q8_0")
        self.assertEqual(small["parts"]["kv"] * 64, long["parts"]["kv"] * 34)
        self.assertLess(self.estimate(self.llama, "-c", "4096", "-b", "64")["parts"]["compute"], long["parts"]["compute"])
        self.assertLess(self.estimate(self.llama, "--no-mmap")["parts"]["weights"], long["parts"]["weights"])

    def test_what_does_not_fit_says_what_would(self):
        said = self.estimate(self.llama, "-c", "1073741824")
        self.assertFalse(said["fits"])
        self.assertEqual(said["verdict"], "too large")
        self.assertGreater(said["longest_context"], 0)
        self.assertIn(f"-c {said['longest_context']}", said["sentence"])
        self.assertTrue(self.estimate(self.llama, "-c", str(said["longest_context"] // 2))["fits"])

    def test_what_fits_under_a_limit_runs(self):
        def limited(mebibytes):
            return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))}

        if gguf("backends", **limited(400)).returncode != 0:
            self.skipTest("this build needs more address space (a sanitizer)")
        words = [self.llama, "-c", "200000", "-t", "4"]
        verdicts = []
        for mebibytes in range(300, 841, 60):
            said = json.loads(self.ok(gguf("estimate", *words, "--json", **limited(mebibytes))).stdout)
            self.assertEqual(said["limit"], "the address space limit")
            verdicts.append(said["fits"])
            if said["fits"]:
                self.ok(gguf("run", *words, "-p", "the cat", "-n", "4", **limited(mebibytes)))
        self.assertEqual(verdicts, sorted(verdicts))
        self.assertIn(False, verdicts)
        self.assertIn(True, verdicts)

    def test_an_estimate_is_what_a_load_reports(self):
        report = self.answer(self.llama, "-c", "1024", "-b", "64")["load_report"]
        parts = self.estimate(self.llama, "-c", "1024", "-b", "64", "-t", "1")["parts"]
        header = parts["weights"] - os.path.getsize(self.llama)
        self.assertLess(header, 4096)
        estimated = parts["kv"] + parts["compute"] + parts["output"]
        weights = report["estimated_bytes"] - estimated
        self.assertGreater(weights, 0)
        self.assertLess(weights, parts["weights"])

    def test_files_that_are_no_models(self):
        with open(self.path("words.gguf"), "wb") as file:
            file.write(b"no model at all " * 10)
        for command in ("estimate", "recommend"):
            self.fails(gguf(command, self.path("words.gguf")), 3, "GG002")
            self.fails(gguf(command), 2, "X001")
            self.fails(gguf(command, self.llama, "--backend", "none", "--json"), 2, "B701")

    def test_recommend_gives_reasons(self):
        said = json.loads(self.ok(gguf("recommend", self.llama, "--json")).stdout)
        self.assertEqual(list(said)[:5], ["backend", "gpu_layers", "context", "threads", "batch"])
        for key in list(said)[:5]:
            self.assertTrue(said[key]["reason"].endswith("."), said[key])
        self.assertEqual(said["backend"]["value"], "cpu")
        self.assertGreater(said["expected"]["prompt_tokens_per_second"], 0)
        self.assertGreaterEqual(said["expected"]["generation_tokens_per_second"],
                                said["expected"]["generation_tokens_per_second_full_context"])
        self.assertIn("measured", said["expected"]["basis"])
        self.assertTrue(said["estimate"]["fits"])
        wanted = json.loads(self.ok(gguf("recommend", self.llama, "-c", "100", "-t", "1", "--json")).stdout)
        self.assertEqual((wanted["context"]["value"], wanted["threads"]["value"]), (100, 1))
        self.assertIn("Expected", gguf("recommend", self.llama).stdout.decode())


class Files(CliTest):
    def test_what_is_no_model(self):
        os.mkfifo(self.path("pipe"))
        open(self.path("empty.gguf"), "wb").close()
        with open(self.path("text.gguf"), "wb") as file:
            file.write(b"hello, this is no model at all, only a text\n" * 10)
        cases = [("/dev/zero", "F803"), (self.folder, "F803"), (self.path("pipe"), "F803"),
                 (self.path("empty.gguf"), "GG001"), (self.path("text.gguf"), "GG002"),
                 (self.path("absent.gguf"), "F802")]
        for path, code in cases:
            for command in (["run", path, "-p", "a"], ["inspect", path], ["tokenize", path]):
                self.fails(gguf(*command, timeout=20), 3, code)
                self.fails(gguf(*command, "--json", timeout=20), 3, code)

    def test_cut_short(self):
        with open(self.llama, "rb") as file:
            whole = file.read()
        with open(self.path("half.gguf"), "wb") as file:
            file.write(whole[:len(whole) // 2])
        self.fails(gguf("run", self.path("half.gguf"), "-p", "a", "--json"), 3, "GG055")

    def test_library(self):
        library = self.path("library")
        os.makedirs(library, exist_ok=True)
        shutil.copy(self.llama, os.path.join(library, "mine.gguf"))
        with open(os.path.join(library, "broken.gguf"), "wb") as file:
            file.write(b"GGUF")
        there = {"GGUF_LOADER_MODELS": library, "XDG_DATA_HOME": self.path("nothing")}
        listed = json.loads(self.ok(gguf("models", "--json", environment=there)).stdout)["models"]
        listed = {model["name"]: model for model in listed}
        self.assertEqual(listed["mine"]["architecture"], "llama")
        self.assertEqual(listed["mine"]["bytes"], os.path.getsize(self.llama))
        self.assertGreater(listed["mine"]["parameters"], 100_000)
        self.assertEqual(listed["broken"]["error"]["code"], "GG001")
        self.ok(gguf("models", environment=there))
        self.ok(gguf("run", "mine", "-p", "the", *GREEDY, environment=there))
        self.fails(gguf("run", "yours", "-p", "the", environment=there), 3, "F802")

    def test_truncated_while_it_answers(self):
        copy = self.path("cut.gguf")
        self.make("cut.gguf", "layers=8", "feed_forward=1024", "context=4096")
        child = subprocess.Popen([GGUF, "run", copy, "-p", "the", "-t", "1", "--ignore-eos", "--temperature", "1",
                                  "-n", "4000", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=HOME_OF_TESTS)
        child.stdout.readline()
        os.truncate(copy, 4096)
        output, notes = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 3, notes)
        last = json.loads(output.splitlines()[-1])
        self.assertEqual(last["error"]["code"], "F801")
        self.assertEqual(last["stop_reason"], "error")


class Inspection(CliTest):
    def test_inspect(self):
        facts = json.loads(self.ok(gguf("inspect", self.llama, "--tensors", "--program", "--json")).stdout)
        self.assertEqual(facts["architecture"], "llama")
        self.assertEqual(facts["version"], 3)
        self.assertEqual(len(facts["tensors"]), facts["tensor_count"])
        self.assertIn("attend", facts["program"])
        self.assertEqual(facts["metadata"]["llama.block_count"], 2)
        self.assertIn("token_embd.weight", self.ok(gguf("inspect", self.llama, "--tensors")).stdout.decode())
        value = self.ok(gguf("inspect", self.llama, "--metadata", "llama.block_count"))
        self.assertEqual(value.stdout, b"2\n")
        self.fails(gguf("inspect", self.llama, "--metadata", "no.such.key"), 3, "M110")


class Machine(CliTest):
    def backends(self, *words, **options):
        listed = json.loads(self.ok(gguf("backends", "--json", *words, **options)).stdout)["backends"]
        return {entry["id"]: entry for entry in listed}

    def test_backends(self):
        listed = self.backends()
        for name in ("cpu", "fake", "reference"):
            self.assertEqual(listed[name]["state"], "probed")
            self.assertEqual(len(listed[name]["devices"]), 1)
            self.assertNotIn("error", listed[name])
        self.assertEqual(list(listed["cpu"]), ["id", "name", "path", "priority", "automatic", "state", "remembered", "devices"])
        self.assertFalse(listed["reference"]["automatic"])
        # A system without Vulkan has the back end and the reason why it finds nothing.
        if "vulkan" in listed and listed["vulkan"]["state"] != "probed":
            self.assertEqual(listed["vulkan"]["state"], "compatible")
            self.assertIn(listed["vulkan"]["error"]["code"], ("B720", "B721", "B722"))
        self.assertIn("(probed", self.ok(gguf("backends")).stdout.decode())

    def test_what_is_remembered(self):
        there = {"environment": {"XDG_CACHE_HOME": self.path("probes")}}
        self.assertFalse(self.backends(**there)["fake"]["remembered"])
        listed = self.backends(**there)
        self.assertTrue(listed["fake"]["remembered"])
        self.assertFalse(listed["cpu"]["remembered"])
        self.assertEqual(listed["fake"]["state"], "probed")
        self.assertFalse(self.backends("--again", **there)["fake"]["remembered"])
        # Where drivers are looked for is part of what they are.
        there["environment"]["VK_DRIVER_FILES"] = self.path("no driver.json")
        self.assertFalse(self.backends(**there)["fake"]["remembered"])
        # Nothing can be remembered there, which is no reason to fail.
        self.assertFalse(self.backends(environment={"XDG_CACHE_HOME": "/dev/null"})["fake"]["remembered"])

    def loads(self, state):
        path = os.path.join(state, "gguf-loader", "logs", "loads.jsonl")
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_loads_are_logged(self):
        state = self.path("logged")
        there = {"environment": {"XDG_STATE_HOME": state}}
        prompt = "a very private question"
        self.ok(gguf("run", self.llama, "-p", prompt, *GREEDY, **there))
        gguf("run", self.llama, "-p", prompt, "--backend", "none", **there)
        first, second = self.loads(state)
        self.assertEqual((first["result"], first["model"]), ("loaded", "tiny.gguf"))
        self.assertEqual(first["report"]["chosen"]["backend"], "cpu")
        self.assertEqual((second["result"], second["error"]["code"]), ("failed", "B701"))
        self.assertNotIn("private", json.dumps([first, second]))
        self.assertNotIn(self.folder, json.dumps([first, second]))
        # Where nothing can be written a model runs all the same.
        self.ok(gguf("run", self.llama, "-p", prompt, *GREEDY, environment={"XDG_STATE_HOME": "/dev/null"}))
        # Only what runs in a worker is a load of the application.
        self.ok(gguf("run", self.llama, "-p", prompt, *GREEDY, "--in-process", **there))
        self.assertEqual(len(self.loads(state)), 2)

    def test_doctor(self):
        home = self.path("home/of-jana")
        logs = os.path.join(home, "state", "gguf-loader", "logs")
        os.makedirs(logs)
        with open(os.path.join(logs, "desktop.log"), "w", encoding="utf-8") as file:
            file.write(f"opened {home}/a.gguf\nHF_TOKEN=hf_abcdefghijklmnop\n")
        there = {"environment": {"HOME": home, "USER": "jana-of-tests", "XDG_STATE_HOME": os.path.join(home, "state"),
                                 "GGUF_LOADER_MODELS": os.path.join(home, "models of jana-of-tests")}}
        gguf("run", os.path.join(home, "absent.gguf"), "-p", "a", **there)
        gguf("run", self.llama, "-p", "a", "--backend", "none", **there)
        done = self.ok(gguf("doctor", "--quick", "--json", **there))
        report = json.loads(done.stdout)
        self.assertEqual(list(report), ["program", "time", "findings", "hardware", "backends", "sandbox", "environment",
                                        "settings", "loads", "log", "performance"])
        self.assertEqual({entry["id"]: entry["state"] for entry in report["backends"]}["cpu"], "probed")
        self.assertEqual([sandbox["profile"] for sandbox in report["sandbox"]], ["cpu", "gpu"])
        for sandbox in report["sandbox"]:
            self.assertIn("seccomp", sandbox)
        self.assertIn("no settings yet", report["settings"]["note"])
        self.assertEqual(report["loads"][-1]["error"]["code"], "B701")
        self.assertEqual(report["log"]["lines"], ["opened ~/a.gguf", "HF_TOKEN=<secret>"])
        self.assertEqual(report["environment"], ["GGUF_LOADER_MODELS=~/models of <user>"])
        found = {finding["id"]: finding for finding in report["findings"]}
        self.assertIn("loads-failed", found)
        self.assertIn("environment", found)
        for finding in found.values():
            self.assertTrue(finding["sentence"] and finding["remedy"])
            self.assertIn(finding["weight"], ("problem", "warning", "note"))
        for secret in (home, "jana-of-tests", "hf_abc"):
            self.assertNotIn(secret, done.stdout.decode())
        host = os.uname().nodename
        if len(host) > 3:
            self.assertNotIn(f'"{host}"', done.stdout.decode())

    def test_doctor_writes_one_file(self):
        out = self.path("report.txt")
        done = self.ok(gguf("doctor", "--quick", "--out", out))
        self.assertIn(out, done.stdout.decode())
        with open(out, encoding="utf-8") as file:
            text = file.read()
        for part in ("findings:", "hardware:", "backends:", "sandbox:", "settings:", "loads:", "log:", "performance:"):
            self.assertIn("\n" + part, text)
        said = json.loads(self.ok(gguf("doctor", "--quick", "-o", out, "--json")).stdout)
        with open(out, encoding="utf-8") as file:
            self.assertEqual(said["findings"], json.load(file)["findings"])
        self.fails(gguf("doctor", "--quick", "--out", self.path("no/such/folder/x")), 4, "F806")
        self.fails(gguf("doctor", "word"), 2, "X001")

    def test_hardware(self):
        facts = json.loads(self.ok(gguf("hardware", "--json")).stdout)
        self.assertEqual(sorted(facts), ["backends", "cpu", "disks", "graphics_adapters", "memory", "os"])
        cpu, memory = facts["cpu"], facts["memory"]
        self.assertGreaterEqual(cpu["threads"], cpu["allowed_threads"])
        self.assertGreaterEqual(cpu["allowed_cores"], cpu["usable_cores"])
        self.assertIn(cpu["tier"], ("baseline", "avx2", "avx512", "neon"))
        if sys.platform == "linux":
            with open("/proc/meminfo") as file:
                self.assertEqual(memory["total_bytes"], int(file.readline().split()[1]) * 1024)
            self.assertEqual(cpu["allowed_threads"], len(os.sched_getaffinity(0)))
            self.assertLessEqual(memory["usable_bytes"], memory["total_bytes"])
        self.assertEqual([backend["id"] for backend in facts["backends"] if backend["id"] not in ("vulkan", "cpu")], [])
        self.assertGreater(memory["read_speed"]["bytes_per_second"], 1e8)
        self.assertTrue(all(disk["free_bytes"] <= disk["total_bytes"] for disk in facts["disks"]))
        quick = json.loads(self.ok(gguf("hardware", "--json", "--quick")).stdout)
        self.assertIsNone(quick["memory"]["read_speed"])
        self.assertIsNone(quick["backends"])
        words = self.ok(gguf("hardware", "--quick")).stdout.decode()
        for label in ("Processor", "Memory", "Disk", "System", "Graphics", "Back ends"):
            self.assertIn("\n" + label, "\n" + words)
        self.fails(gguf("hardware", "guide"), 2, "X001")

    def test_devices_are_asked_once(self):
        def probed(*words, **variables):
            there = {"XDG_CACHE_HOME": self.path("cache"), **variables}
            done = self.ok(gguf("hardware", "--json", *words, environment=there))
            return {entry["id"]: entry for entry in json.loads(done.stdout)["backends"]}.get("vulkan")
        first = probed()
        if first is None:
            self.skipTest("this build has no Vulkan")
        second = probed()
        self.assertEqual((first["remembered"], second["remembered"]), (False, True))
        self.assertEqual([device["id"] for device in first["devices"]], [device["id"] for device in second["devices"]])
        self.assertEqual(first.get("error"), second.get("error"))
        self.assertFalse(probed("--again")["remembered"])
        # Another driver is asked again, and its failure is told with a remedy and remembered.
        none = {"VK_DRIVER_FILES": "/nonexistent.json", "VK_ICD_FILENAMES": "/nonexistent.json"}
        for remembered in (False, True):
            answer = probed(**none)
            self.assertEqual((answer["remembered"], answer["devices"]), (remembered, []))
            self.assertIn(answer["error"]["code"], ("B720", "B721"))
            self.assertGreater(len(answer["error"]["action"]), 20)
        # A damaged file is no file.
        with open(os.path.join(self.path("cache"), "gguf-loader", "probes", "vulkan.json"), "w") as file:
            file.write("{" * 1000)
        self.assertFalse(probed(**none)["remembered"])

    @unittest.skipUnless(hasattr(os, "sched_setaffinity"), "this system has no affinity")
    def test_hardware_that_is_allowed(self):
        one = min(os.sched_getaffinity(0))
        done = gguf("hardware", "--json", "--quick", preexec_fn=lambda: os.sched_setaffinity(0, {one}))
        cpu = json.loads(self.ok(done).stdout)["cpu"]
        self.assertEqual((cpu["allowed_threads"], cpu["usable_cores"]), (1, 1))

    def test_limited_memory(self):
        import resource
        limit = 3 << 30
        done = gguf("hardware", "--json", "--quick",
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        memory = json.loads(self.ok(done).stdout)["memory"]
        self.assertEqual(memory["address_space_limit_bytes"], limit)
        self.assertLess(memory["usable_bytes"], limit)


class Tokens(CliTest):
    def test_bytes_of_standard_input(self):
        for text in (b"the cat\n", b"two\r\nlines\n", b"  spaces  ", "Zürich 東京 🙂".encode(), b""):
            ids = self.ok(gguf("tokenize", self.bpe, "--no-bos", stdin=text)).stdout.split()
            self.assertEqual(self.ok(gguf("detokenize", self.bpe, *map(bytes.decode, ids))).stdout if ids else b"",
                             text)
        # Not even valid UTF-8 is changed.
        ids = self.ok(gguf("tokenize", self.bpe, "--no-bos", stdin=b"a\xff\x00b")).stdout.decode().split()
        self.assertEqual(self.ok(gguf("detokenize", self.bpe, *ids)).stdout, b"a\xff\x00b")

    def test_special_tokens(self):
        with_bos = json.loads(self.ok(gguf("tokenize", self.llama, "--json", stdin=b"the")).stdout)["ids"]
        without = json.loads(self.ok(gguf("tokenize", self.llama, "--json", "--no-bos", stdin=b"the")).stdout)["ids"]
        self.assertEqual(with_bos, [1] + without)
        parsed = self.ok(gguf("tokenize", self.llama, "--no-bos", stdin=b"<|end|>")).stdout
        self.assertEqual(parsed, b"262\n")
        plain = self.ok(gguf("tokenize", self.llama, "--no-bos", "--no-special", stdin=b"<|end|>")).stdout
        self.assertNotIn(b"262", plain.split())
        self.fails(gguf("detokenize", self.llama, "100000"), 2, "T211")
        self.fails(gguf("detokenize", self.llama, "one"), 2, "X001")

    def test_template(self):
        messages = self.path("messages.json")
        with open(messages, "w") as file:
            json.dump([{"role": "user", "content": "say <|end|>"}], file)
        text = self.ok(gguf("template", self.llama, "--messages", messages)).stdout
        self.assertEqual(text, b"<s><|user|>say <|end|><|end|><|assistant|>")
        text = self.ok(gguf("template", self.llama, "--messages", messages, "--no-generation-prompt")).stdout
        self.assertEqual(text, b"<s><|user|>say <|end|><|end|>")
        jinja = self.path("date.jinja")
        with open(jinja, "w") as file:
            file.write("{{ strftime_now('%d %b %Y %H:%M') }} {{ colour }} {{ tools | length }}")
        with open(messages, "w") as file:
            json.dump({"messages": [], "colour": "blue"}, file)
        tools = self.path("tools.json")
        with open(tools, "w") as file:
            json.dump([{"type": "function"}], file)
        text = self.ok(gguf("template", jinja, "--messages", messages, "--tools", tools, "--now",
                            "2024-07-26T14:30")).stdout
        self.assertEqual(text, b"26 Jul 2024 14:30 blue 1")
        self.fails(gguf("template", jinja, "--messages", messages, "--now", "today"), 2, "X001")
        self.fails(gguf("template", jinja, "--messages", jinja), 3, "J414")
        bare = self.make("bare.gguf", "template=0")
        self.fails(gguf("template", bare, "--messages", messages), 3, "J413")
        self.fails(gguf("run", bare, "-p", "a", "--chat"), 3, "J413")


class Answers(CliTest):
    def test_json_of_run(self):
        answer = self.answer(self.llama)
        for key in ("done", "text", "prompt_tokens", "tokens", "stop_reason", "tokens_per_second", "load_report"):
            self.assertIn(key, answer)
        report = answer["load_report"]
        for key in ("chosen", "steps", "estimated_bytes", "measured_bytes", "mlock", "mmap"):
            self.assertIn(key, report)
        self.assertEqual(report["chosen"], {"backend": "cpu", "device": "cpu", "gpu_layers": 0})
        for step in report["steps"]:
            self.assertEqual(sorted(step), ["backend", "device", "gpu_layers", "reason", "result"])
        self.assertEqual([step["backend"] for step in report["steps"] if step["result"] == "loaded"], ["cpu"])
        self.assertEqual((report["mlock"], report["mmap"]), ("not asked", "mapped"))
        self.assertIn(answer["stop_reason"], ("end", "length"))
        plain = self.ok(gguf("run", self.llama, "-p", "the cat on", *GREEDY))
        self.assertEqual(plain.stdout.decode(), answer["text"])

    def test_without_gpu_layers_no_driver_is_loaded(self):
        listed = json.loads(self.ok(gguf("backends", "--json")).stdout)["backends"]
        if "vulkan" not in [entry["id"] for entry in listed]:
            self.skipTest("this build has no Vulkan")
        steps = self.answer(self.llama, "--in-process", "--gpu-layers", "0")["load_report"]["steps"]
        self.assertEqual([(step["backend"], step["result"]) for step in steps], [("vulkan", "refused"), ("cpu", "loaded")])
        self.assertIn("no layer may be on a GPU", steps[0]["reason"])
        # The library is opened neither for the plan nor for the answer.
        child = subprocess.Popen([GGUF, "chat", self.llama, *GREEDY, "--in-process", "--gpu-layers", "0", "--json"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdin.write(b"the\n")
        child.stdin.flush()
        child.stdout.readline()
        with open(f"/proc/{child.pid}/maps") as file:
            self.assertNotIn("libvulkan", file.read())
        child.communicate(timeout=60)

    def test_prompt_from_standard_input(self):
        done = self.ok(gguf("run", self.llama, *GREEDY, stdin=b"the cat on"))
        self.assertEqual(done.stdout.decode(), self.answer(self.llama)["text"])

    def test_same_text_by_every_road(self):
        expected = self.answer(self.llama)["text"]
        big = self.make("big.gguf", "order=big")
        parts = self.make("parts", "parts=5")
        roads = {"threads": self.answer(self.llama, "-t", "2"), "no mmap": self.answer(self.llama, "--no-mmap"),
                 "mlock": self.answer(self.llama, "--mlock"), "big-endian": self.answer(big),
                 "split": self.answer(parts), "reference": self.answer(self.llama, "--backend", "reference"),
                 "batch": self.answer(self.llama, "-b", "2"), "in process": self.answer(self.llama, "--in-process")}
        for name, answer in roads.items():
            self.assertEqual(answer["text"], expected, name)
        self.assertIn("--no-mmap", roads["no mmap"]["load_report"]["mmap"])
        self.assertIn("byte order", roads["big-endian"]["load_report"]["mmap"])
        self.assertIn("locked", roads["mlock"]["load_report"]["mlock"])
        self.assertEqual(roads["reference"]["load_report"]["chosen"]["backend"], "reference")

    def test_seeds(self):
        def text(seed):
            done = gguf("run", self.llama, "-p", "the", "-n", "20", "--temperature", "1.5", "--seed", seed)
            return self.ok(done).stdout
        self.assertEqual(text(1), text(1))
        self.assertNotEqual(text(1), text(2))

    def test_kinds_of_models(self):
        for options in (["architecture=gpt2"], ["architecture=qwen2"], ["architecture=qwen3", "type=Q4_K"],
                        ["experts=4", "type=Q8_0"], ["type=IQ2_XXS"], ["type=Q6_K", "tied=1"]):
            model = self.make("kind.gguf", *options)
            cpu = self.answer(model, "--kv", "q8_0")
            self.assertGreater(cpu["prompt_tokens"], 0, options)

    def test_limits(self):
        answer = self.answer(self.llama, "-c", "16", "-n", "500", "--ignore-eos")
        self.assertEqual(answer["stop_reason"], "context")
        self.fails(gguf("run", self.llama, "-c", "4", "-p", "the cat on the mat and on", "--json"), 4, "R902")
        self.fails(gguf("run", self.llama, "-c", "900000000", "-p", "a", "--json"), 4, "M140")
        whole = self.answer(self.llama, "-n", "8", "--ignore-eos")["text"]
        if len(whole) > 3:
            stopped = self.answer(self.llama, "-n", "8", "--ignore-eos", "--stop", whole[2:4])
            self.assertEqual((stopped["stop_reason"], stopped["text"]), ("stop", whole[:whole.index(whole[2:4])]))

    def test_chosen_by_environment(self):
        done = self.ok(gguf("run", self.llama, "-p", "the", *GREEDY, "--json",
                            environment={"GGUF_BACKEND": "reference"}))
        report = json.loads(done.stdout.splitlines()[-1])["load_report"]
        self.assertEqual(report["chosen"]["backend"], "reference")
        self.assertIn("GGUF_BACKEND", report["overrides"][0])

    def test_chat_keeps_its_cache(self):
        done = self.ok(gguf("chat", self.llama, *GREEDY, "--ignore-eos", "--json", stdin=b"the cat\nand the\n"))
        turns = [line for line in map(json.loads, done.stdout.splitlines()) if line.get("done")]
        self.assertEqual(len(turns), 2)
        self.assertEqual(turns[0]["cached_tokens"], 0)
        # The first turn's prompt at least is not computed again.
        self.assertGreaterEqual(turns[1]["cached_tokens"], turns[0]["prompt_tokens"])
        self.assertLess(turns[1]["evaluated_tokens"], turns[1]["prompt_tokens"])
        fresh = self.ok(gguf("chat", self.llama, *GREEDY, "--json", stdin=b"/help\n/clear\n/system be kind\n/exit\nx\n"))
        self.assertEqual(fresh.stdout, b"")

    def test_logits(self):
        out = self.path("logits.bin")
        facts = json.loads(self.ok(gguf("logits", self.llama, "-p", "the", "--out", out, "--json")).stdout)
        with open(out, "rb") as file:
            data = file.read()
        self.assertEqual(len(data), 4 * facts["vocabulary"])
        values = struct.unpack("<%df" % facts["vocabulary"], data)
        first = self.answer(self.llama, "-n", "1", "--ignore-eos", prompt="the")
        self.assertEqual(facts["tokens"], first["prompt_tokens"])
        self.ok(gguf("logits", self.llama, "-p", "the", "--out", out, "--backend", "reference"))
        with open(out, "rb") as file:
            oracle = struct.unpack("<%df" % facts["vocabulary"], file.read())
        self.assertGreater(max(oracle) - min(oracle), 1.0)
        self.assertLess(max(abs(a - b) for a, b in zip(values, oracle)), 0.05)
        # Special tokens are never parsed here, whatever the text says.
        facts = json.loads(self.ok(gguf("logits", self.llama, "-p", "<|end|>", "--out", out, "--json")).stdout)
        self.assertGreater(facts["tokens"], 5)

    def test_perplexity(self):
        text = self.path("text.txt")
        with open(text, "w") as file:
            file.write("the cat and the hen on the mat in the sun " * 12)
        words = ["perplexity", self.llama, "-f", text, "-c", "64", "--json"]
        result = json.loads(self.ok(gguf(*words)).stdout)
        self.assertEqual(sorted(result), ["chunks", "perplexity", "tokens"])
        self.assertGreater(result["perplexity"], 1.0)
        self.assertEqual(result["tokens"], result["chunks"] * 31)
        one = json.loads(self.ok(gguf(*words, "--chunks", "1", "-b", "7")).stdout)
        self.assertEqual((one["chunks"], one["tokens"]), (1, 31))
        oracle = json.loads(self.ok(gguf(*words, "--backend", "reference")).stdout)
        self.assertLess(abs(oracle["perplexity"] / result["perplexity"] - 1), 0.01)

        both = json.loads(self.ok(gguf(*words, "--compare-backend", "reference")).stdout)
        compared = both.pop("compared")
        self.assertEqual(both, result)
        self.assertEqual((compared["backend"], compared["perplexity"]), ("reference", oracle["perplexity"]))
        self.assertTrue(0 < compared["kl_mean"] <= compared["kl_max"] < 1e-3, compared)
        self.assertTrue(0.9 < compared["same_top"] <= 1, compared)
        same = json.loads(self.ok(gguf(*words, "--backend", "reference", "--compare-backend", "reference")).stdout)["compared"]
        self.assertEqual((same["perplexity"], same["kl_mean"], same["kl_max"], same["same_top"]), (oracle["perplexity"], 0, 0, 1))
        # Eight bits per cached key and value are farther from the reference than sixteen.
        coarse = json.loads(self.ok(gguf(*words, "--compare-backend", "reference", "--kv", "q8_0")).stdout)["compared"]
        self.assertGreater(coarse["kl_mean"], compared["kl_mean"])
        plain = self.ok(gguf(*words[:-1], "--compare-backend", "reference")).stdout.decode()
        self.assertIn("KL divergence", plain)
        self.fails(gguf(*words, "--compare-backend", "none"), 2, "B701")

    def test_bench(self):
        model = self.make("bench.gguf", "type=Q8_0")
        done = self.ok(gguf("bench", model, "-p", "64", "-n", "8", "-d", "16", "-r", "2", "-t", "1", "--json"))
        result = json.loads(done.stdout)
        for key in ("model", "backend", "device", "threads", "prompt", "generation", "depth", "load_ms",
                    "first_token_ms", "peak_memory_bytes", "ceilings"):
            self.assertIn(key, result)
        for part in ("prompt", "generation"):
            self.assertEqual(sorted(result[part]), ["share", "tokens", "tokens_per_second"])
            rate = result[part]["tokens_per_second"]
            self.assertTrue(0 < rate["min"] <= rate["median"] <= rate["max"])
            self.assertTrue(0 < result[part]["share"] <= 1, result)
        for key in ("memory_read_bytes_per_second", "int8_ops_per_second", "f32_flops_per_second"):
            self.assertGreater(result["ceilings"][key], 1e8)
        self.assertEqual((result["threads"], result["depth"]), (1, 16))
        self.assertEqual(result["prompt_ceiling"], "int8_ops_per_second")
        slow = gguf("bench", model, "-p", "0", "-n", "4", "-d", "32", "-r", "1", "--no-kv-cache", "--no-warm-up",
                    "--first-token-runs", "0")
        printed = self.ok(slow).stdout
        self.assertIn(b"Generation", printed)
        self.assertNotIn(b"First token", printed)

    def test_what_a_prompt_is_judged_by(self):
        for kind, ceilings in (("F32", ["f32_flops_per_second"]), ("F16", ["int16_ops_per_second", "f32_flops_per_second"])):
            model = self.make(f"judged-{kind}.gguf", f"type={kind}")
            done = gguf("bench", model, "-p", "64", "-n", "1", "-r", "1", "-t", "1", "--first-token-runs", "0", "--json")
            result = json.loads(self.ok(done).stdout)
            self.assertIsNone(result["first_token_ms"])
            self.assertEqual(result["prompt_ceiling"], max(ceilings, key=result["ceilings"].get))
            self.assertGreater(result["prompt"]["share"], 0)

    def test_ceilings(self):
        for quick in ([], ["--quick"]):
            result = json.loads(self.ok(gguf("bench", "--ceilings", "-t", "1", "--working-set", "100000", "--json", *quick)).stdout)
            self.assertEqual(result["threads"], 1)
            for key in ("memory_read_bytes_per_second", "int8_ops_per_second", "int16_ops_per_second", "f32_flops_per_second",
                        "working_set_read_bytes_per_second"):
                self.assertGreater(result["ceilings"][key], 1e8)
        self.assertIn(b"GB/s memory read", self.ok(gguf("bench", "--ceilings", "--quick", "-t", "1")).stdout)
        self.fails(gguf("bench"), 2, "X001")


class Configuration(CliTest):
    """Settings are kept, shown with their origin, and change what is loaded."""

    def setUp(self):
        self.home = os.path.join(self.folder, "config of " + self.id())
        self.there = {"environment": {"XDG_CONFIG_HOME": self.home}}
        self.file = os.path.join(self.home, "gguf-loader", "config.json")

    def config(self, *words, **options):
        options.setdefault("environment", {"XDG_CONFIG_HOME": self.home})
        return gguf("config", *words, **options)

    def document(self, *words):
        return json.loads(self.ok(self.config(*words, "--json")).stdout)

    def report(self, *words, model=None, **variables):
        done = self.ok(gguf("run", model or self.llama, "-p", "the", *GREEDY[:4], "--json", *words,
                            environment={"XDG_CONFIG_HOME": self.home, **variables}))
        return json.loads(done.stdout.splitlines()[-1])["load_report"]

    def test_get_set_reset(self):
        self.assertEqual(self.ok(self.config("get", "load.context")).stdout, b"0\n")
        self.ok(self.config("set", "load.context", "64"))
        self.ok(self.config("set", "sampling.repeat_last_n", "-1"))
        self.assertEqual(self.ok(self.config("get", "load.context")).stdout, b"64\n")
        shown = self.document("show")
        self.assertEqual(shown["settings"]["load.context"], {"value": 64, "origin": "global"})
        self.assertEqual(shown["settings"]["load.batch"], {"value": 512, "origin": "default"})
        self.assertEqual(shown["effective"]["load"]["context"], 64)
        self.assertEqual(sorted(self.document("show", "--set")["settings"]),
                         ["load.context", "sampling.repeat_last_n"])
        self.ok(self.config("reset", "load.context"))
        self.assertEqual(sorted(self.document("show", "--set")["settings"]), ["sampling.repeat_last_n"])
        self.ok(self.config("restore", "--generation", "1"))
        self.assertEqual(self.document("get", "load.context")["value"], 64)
        self.ok(self.config("reset", "--all"))
        self.assertEqual(self.document("show", "--set")["settings"], {})
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)

    def test_refusals(self):
        self.fails(self.config("set", "load.contxt", "1", "--json"), 6, "C504")
        self.fails(self.config("get", "load.contxt", "--json"), 6, "C504")
        self.fails(self.config("reset", "load.contxt", "--json"), 6, "C504")
        self.fails(self.config("set", "load.context", "-5", "--json"), 6, "C505")
        self.fails(self.config("set", "load.kv", "q2", "--json"), 6, "C505")
        self.fails(self.config("set", "--preset", "a", "log.level", "debug", "--json"), 6, "C516")
        self.fails(self.config("show", "--preset", "none", "--json"), 6, "C517")
        self.fails(self.config("reset", "--json"), 2, "X001")
        self.fails(self.config("nonsense", "--json"), 2, "X001")
        self.fails(self.config("restore", "--generation", "1", "--json"), 3, "F802")
        self.assertFalse(os.path.exists(self.file))

    def test_settings_arrive(self):
        usual = self.report("-t", "1")
        self.assertEqual((usual["context"], usual["batch"], usual["mmap"]), (256, 512, "mapped"))
        for key, value in (("load.context", "96"), ("load.batch", "32"), ("load.threads", "1"), ("load.mmap", "false"),
                           ("load.gpu_layers", "0"), ("load.mlock", "true")):
            self.ok(self.config("set", key, value))
        report = self.report()
        self.assertEqual((report["context"], report["batch"], report["threads"]), (96, 32, 1))
        self.assertNotEqual(report["mmap"], usual["mmap"])
        self.assertNotEqual(report["mlock"], usual["mlock"])
        # A model's own value over it, then a preset's stays below it, then the command line.
        self.ok(self.config("set", "--model", self.llama, "load.context", "80"))
        self.ok(self.config("set", "--preset", "short", "load.context", "48"))
        self.assertEqual(self.report()["context"], 80)
        self.assertEqual(self.report("--preset", "short")["context"], 80)
        other = self.make("other.gguf")
        self.assertEqual(self.report("--preset", "short", model=other)["context"], 48)
        self.assertEqual(self.report("-c", "72")["context"], 72)
        self.assertEqual(self.report("--no-config", "-t", "1")["context"], usual["context"])
        self.assertEqual(self.report("--mmap", "--no-mlock")["mmap"], usual["mmap"])
        self.fails(gguf("run", self.llama, "-p", "a", "--preset", "none", "--json", **self.there), 6, "C517")
        self.fails(gguf("run", self.llama, "-p", "a", "--preset", "a", "--no-config", "--json", **self.there), 2,
                   "X001")
        shown = self.document("show", "--model", self.llama, "--set")["settings"]
        self.assertEqual(shown["load.context"], {"value": 80, "origin": "model"})
        # The same for a benchmark, in which the context follows from what is measured.
        bench = json.loads(self.ok(gguf("bench", self.llama, "-p", "8", "-n", "4", "-r", "1", "--first-token-runs", "0",
                                        "--json", **self.there)).stdout)
        self.assertEqual((bench["threads"], bench["load_report"]["batch"]), (1, 32))

    def test_answers_and_prompts(self):
        for key, value in (("answer.max_tokens", "3"), ("sampling.temperature", "0"), ("load.threads", "1")):
            self.ok(self.config("set", key, value))
        run = lambda *words: json.loads(self.ok(gguf("run", self.llama, "-p", "the", "--ignore-eos", "--json", *words,
                                                     **self.there)).stdout.splitlines()[-1])
        first = run()
        self.assertEqual((first["tokens"], first["stop_reason"]), (3, "length"))
        self.assertEqual(run()["text"], first["text"])
        self.assertEqual(run("-n", "5")["tokens"], 5)
        plain = run("--chat")["prompt_tokens"]
        self.ok(self.config("set", "chat.system_prompt", "the cat on the mat"))
        self.assertGreater(run("--chat")["prompt_tokens"], plain)
        self.assertEqual(run("--chat", "--system", "")["prompt_tokens"], plain)

    def test_back_ends(self):
        self.ok(self.config("set", "load.backend", "reference"))
        self.assertEqual(self.report()["chosen"]["backend"], "reference")
        self.assertEqual(self.report("--backend", "cpu")["chosen"]["backend"], "cpu")
        report = self.report(GGUF_BACKEND="cpu")
        self.assertEqual(report["chosen"]["backend"], "cpu")
        self.assertIn("GGUF_BACKEND", report["overrides"][0])
        # One that is not there: the next one, and a reason; without fallback an error.
        self.ok(self.config("set", "load.backend", "gone"))
        report = self.report()
        self.assertEqual(report["chosen"]["backend"], "cpu")
        self.assertEqual((report["steps"][0]["backend"], report["steps"][0]["result"]), ("gone", "refused"))
        self.ok(self.config("set", "load.fallback", "false"))
        self.fails(gguf("run", self.llama, "-p", "a", "--json", **self.there), 2, "B701")

    def test_memory_limit(self):
        self.ok(self.config("set", "load.memory_limit", "1"))
        for words in ((), ("--in-process",)):
            self.fails(gguf("run", self.llama, "-p", "a", "--json", *words, **self.there), 4, "R901")
        estimate = json.loads(self.ok(gguf("estimate", self.llama, "--json", **self.there)).stdout)
        self.assertFalse(estimate["fits"])
        self.assertIn("load.memory_limit", estimate["sentence"])
        self.ok(self.config("set", "load.memory_limit", "100000"))
        self.report()

    def test_log_level(self):
        notes = lambda: gguf("run", self.llama, "-p", "a", *GREEDY[:4], **self.there).stderr
        self.assertNotIn(b'"chosen"', notes())
        self.ok(self.config("set", "log.level", "debug"))
        self.assertIn(b'"chosen"', notes())

    def test_default_model(self):
        self.ok(self.config("set", "models.default", self.llama))
        self.assertEqual(self.report("-c", "64", model="default")["context"], 64)

    def write(self, text):
        os.makedirs(os.path.dirname(self.file), exist_ok=True)
        with open(self.file, "w") as file:
            file.write(text)

    def read(self, name="config.json"):
        with open(os.path.join(os.path.dirname(self.file), name)) as file:
            return file.read()

    def test_damaged_file(self):
        self.ok(self.config("set", "load.context", "64"))
        self.ok(self.config("set", "load.context", "65"))
        self.write('{"schema": 1, "load": {"conte')
        done = self.ok(gguf("run", self.llama, "-p", "the", *GREEDY[:4], "--json", **self.there))
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["load_report"]["context"], 64)
        self.assertIn(b"C519", done.stderr)
        self.assertEqual(self.read("config.json.broken"), '{"schema": 1, "load": {"conte')
        self.assertTrue(self.document("validate")["valid"])

    def test_newer_legacy_and_unknown(self):
        newer = '{"schema": 99, "load": {"context": 64}}'
        self.write(newer)
        self.assertEqual(self.report("-t", "1")["context"], 64)
        self.fails(self.config("set", "load.context", "5", "--json"), 6, "C503")
        self.assertEqual(self.read(), newer)
        legacy = '{"model_path": "/m/a.gguf", "n_ctx": 64}'
        self.write(legacy)
        self.assertEqual(self.report("-t", "1")["context"], 256)
        self.fails(self.config("set", "load.context", "5", "--json"), 6, "X005")
        self.assertEqual(self.read(), legacy)
        self.write('{"schema": 1, "load": {"colour": "red", "context": "many"}, "mine": [1, 2]}')
        self.assertEqual(self.document("show")["unknown"], ["load.colour", "mine"])
        done = self.config("validate", "--json")
        self.assertEqual(done.returncode, 6)
        findings = json.loads(done.stdout)["findings"]
        self.assertEqual([finding["severity"] for finding in findings], ["error", "warning", "warning"])
        self.assertEqual(sorted(findings[0]), ["key", "place", "remedy", "sentence", "severity"])
        self.ok(self.config("set", "load.batch", "64"))
        self.assertEqual(json.loads(self.read()), {"schema": 1, "load": {"colour": "red", "context": "many", "batch": 64},
                                                   "mine": [1, 2]})

    def test_export(self):
        self.ok(self.config("set", "load.context", "64"))
        self.ok(self.config("set", "--preset", "exact", "sampling.temperature", "0.1"))
        self.ok(self.config("set", "--model", self.llama, "load.kv", "q8_0"))
        out = os.path.join(self.folder, "export.json")
        self.ok(self.config("export", "-o", out))
        with open(out) as file:
            exported = json.load(file)
        self.assertEqual(exported["settings"], {"load": {"context": 64}})
        self.assertEqual(exported["presets"], {"exact": {"sampling": {"temperature": 0.1}}})
        self.assertEqual(list(exported["models"]), [os.path.realpath(self.llama)])
        self.assertEqual(json.loads(self.ok(self.config("export")).stdout), exported)
        self.assertEqual(self.document("show", "--presets"), {"presets": ["exact"]})

    def test_backup_and_restore(self):
        data = {"XDG_CONFIG_HOME": self.home, "XDG_DATA_HOME": self.home + " data"}
        config = lambda *words: json.loads(self.ok(self.config(*words, "--json", environment=data)).stdout)
        self.fails(self.config("restore", "--json", environment=data), 3, "F802")
        config("set", "load.context", "64")
        config("set", "--preset", "exact", "sampling.temperature", "0.1")
        before = self.read()
        made = config("backup")["backup"]
        self.assertEqual(config("backup", "--list")["backups"], [made])
        config("set", "load.context", "65")
        config("set", "--model", self.llama, "load.threads", "1")
        changed = self.read()
        self.assertEqual(config("restore")["restored"], made)
        self.assertEqual(self.read(), before)
        self.assertEqual(config("show", "--models"), {"models": []})
        # What was replaced is a backup too: there and back again.
        later = [name for name in config("backup", "--list")["backups"] if name != made]
        self.assertEqual(len(later), 1)
        config("restore", later[0])
        self.assertEqual(self.read(), changed)
        self.assertEqual(self.config("restore", "../nonsense", "--json", environment=data).returncode, 6)

    def test_two_instances(self):
        children = [subprocess.Popen([GGUF, "config", "set", key, value], env=dict(HOME_OF_TESTS, XDG_CONFIG_HOME=self.home))
                    for key, value in (("load.context", "64"), ("load.batch", "64"), ("load.threads", "2"),
                                       ("load.mlock", "true"), ("log.level", "info"), ("load.kv", "q8_0"))]
        self.assertEqual([child.wait(timeout=60) for child in children], [0] * len(children))
        self.assertEqual(len(self.document("show", "--set")["settings"]), len(children))


class Signals(CliTest):
    def start(self, *words):
        model = self.make("long.gguf", "layers=8", "context=8192", "type=F32")
        return subprocess.Popen([GGUF, "run", model, "-p", "the", "-t", "1", "--ignore-eos", "-n", "8000", "--json",
                                 "--temperature", "1", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=HOME_OF_TESTS)

    def test_interrupt_ends_cleanly(self):
        child = self.start()
        first = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        # Not communicate(): it would miss what readline() has already taken from the pipe.
        rest = child.stdout.read()
        self.assertEqual(child.wait(timeout=60), 130)
        child.stdout.close()
        child.stderr.close()
        lines = [json.loads(line) for line in (first + rest).splitlines()]
        self.assertEqual(lines[-1]["stop_reason"], "cancelled")
        self.assertEqual(lines[-1]["text"], "".join(line["text"] for line in lines[:-1]))
        self.assertGreaterEqual(lines[-1]["tokens"], 1)

    def test_closed_pipe_ends_quietly(self):
        child = self.start()
        child.stdout.readline()
        child.stdout.close()
        self.assertEqual(child.wait(timeout=60), 0)
        self.assertNotIn(b"Error", child.stderr.read())
        child.stderr.close()

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([GGUF, "backends"], stdout=full, stderr=subprocess.PIPE, timeout=60,
                                  env=HOME_OF_TESTS)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"F806", done.stderr)


if __name__ == "__main__":
    GGUF, MAKER = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
