#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# gguf bench --save, --compare, --all and --history, what run and chat leave in the history, and gguf recommend
# --measure, --apply and --revert: with the real program, real processes, and back ends that crash on demand.
"""Usage: tst_bench.py PATH_OF_GGUF PATH_OF_MAKE_TINY_MODEL [unittest options]"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

GGUF = ""
MAKER = ""
QUICK = ["-p", "16", "-n", "4", "-t", "1", "--first-token-runs", "0", "--no-ceilings"]


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loader_bench_")
        self.addCleanup(shutil.rmtree, self.folder)
        homes = ("CONFIG", "DATA", "STATE", "CACHE")
        self.environment = dict(os.environ, HOME=self.folder,
                                **{f"XDG_{name}_HOME": self.path(name.lower()) for name in homes})
        for name in ("GGUF_BACKEND", "GGUF_GPU_ENABLED", "GGUF_LOADER_MODELS", "GGUF_DEBUG"):
            self.environment.pop(name, None)
        self.data = self.path("data", "gguf-loader")
        self.models = self.path("data", "gguf-loader", "models")
        os.makedirs(self.models)
        self.model = self.make("story.gguf")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, name, *options):
        path = os.path.join(self.models, name)
        done = subprocess.run([MAKER, path, *options], capture_output=True, text=True, check=True)
        return done.stdout.strip() or path

    def gguf(self, *words, status=0):
        done = subprocess.run([GGUF, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=240,
                              env=self.environment)
        said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status, said)
        return done

    def json(self, *words, status=0):
        return json.loads(self.gguf(*words, "--json", status=status).stdout)

    def history(self):
        path = os.path.join(self.data, "performance.jsonl")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def fails(self, code, status, *words):
        self.assertEqual(self.json(*words, status=status)["error"]["code"], code)


class Records(BenchTest):
    def test_save_and_compare(self):
        first = self.json("bench", self.model, *QUICK, "--save")
        baseline = os.path.join(self.data, "baseline_performance.json")
        self.assertEqual(first["saved"], baseline)
        with open(baseline, encoding="utf-8") as file:
            kept = json.load(file)
        self.assertEqual(kept["schema"], 1)
        self.assertEqual(kept["measurements"], [first["measurement"]])
        measured = first["measurement"]
        self.assertEqual(len(measured["generation_tokens_per_second"]["samples"]), 5)
        self.assertEqual(measured["model"]["file"], "story.gguf")
        self.assertNotIn(self.folder, json.dumps(measured))
        second = self.json("bench", self.model, *QUICK, "--compare")
        comparison = second["comparison"]
        self.assertEqual(comparison["baseline"]["file"], baseline)
        self.assertIn(comparison["verdict"], ("no difference", "better", "worse", "mixed"))
        self.assertEqual(set(comparison["figures"]), {"prompt", "generation", "load", "memory"})
        for figure in ("prompt", "generation"):
            before = comparison["figures"][figure]["before"]["median"]
            after = comparison["figures"][figure]["after"]["median"]
            self.assertAlmostEqual(comparison["figures"][figure]["percent"], (after - before) / before * 100, places=6)
        self.assertEqual(len(self.history()), 2)
        printed = self.gguf("bench", self.model, *QUICK, "--compare", "--no-history").stdout.decode()
        for word in ("Compared with the baseline", "Overall", "Verdict"):
            self.assertIn(word, printed)
        self.assertEqual(len(self.history()), 2)

    def test_a_change_that_is_large_enough_is_found(self):
        # The scripted device takes 2 ms for each token, then 10.
        script = ["--backend", "fake", "--device"]
        slow = ["bench", self.model, "-p", "4", "-n", "6", "--first-token-runs", "0", "--no-ceilings"]
        self.json(*slow, *script, "script:answer=5,6;token-ms=2", "--save")
        said = self.json(*slow, *script, "script:answer=5,6;token-ms=10", "--compare")["comparison"]
        self.assertEqual(said["verdict"], "worse")
        self.assertEqual(said["figures"]["generation"]["change"], "worse")
        self.assertLess(said["figures"]["generation"]["percent"], -50)
        self.assertTrue(said["advice"])
        self.assertTrue(any(line.startswith("device") for line in said["differences"]), said["differences"])

    def test_named_files(self):
        named = self.path("mine.json")
        self.assertEqual(self.json("bench", "--save", named, self.model, *QUICK)["saved"], named)
        self.assertEqual(self.json("bench", self.model, *QUICK, f"--compare={named}")["comparison"]["baseline"]["file"], named)
        # A word that does not end in .json is no file of --save.
        self.assertTrue(self.json("bench", "--save", self.model, *QUICK)["saved"].endswith("baseline_performance.json"))

    def test_what_cannot_be_compared(self):
        self.fails("D320", 3, "bench", self.model, *QUICK, "--compare")
        self.json("bench", self.model, *QUICK, "--save")
        other = self.make("other.gguf", "seed=7", "layers=3")
        self.fails("D320", 3, "bench", other, *QUICK, "--compare")
        self.fails("D320", 3, "bench", self.model, "-p", "17", *QUICK[2:], "--compare")
        # The same model under another name is the same model.
        moved = self.path("renamed.gguf")
        shutil.copy(self.model, moved)
        self.json("bench", moved, *QUICK, "--compare")

    def test_a_baseline_that_cannot_be_read_is_left_alone(self):
        broken = self.path("broken.json")
        for text in ("nonsense", "{}", '{"schema":1,"measurements":[{}]}'):
            with open(broken, "w", encoding="utf-8") as file:
                file.write(text)
            for option in ("--save", "--compare"):
                self.fails("C501", 3, "bench", self.model, *QUICK, option, broken)
            with open(broken, encoding="utf-8") as file:
                self.assertEqual(file.read(), text)
        self.assertEqual(self.history(), [])

    def test_slower_than_usual(self):
        script = ["--backend", "fake", "--device", "script:answer=5,6;token-ms=1"]
        words = ["bench", self.model, "-p", "4", "-n", "6", "--first-token-runs", "0", "--no-ceilings", *script]
        for _ in range(3):
            self.assertEqual([entry["figure"] for entry in self.json(*words)["regressions"] if entry["figure"] == "generation"], [])
        # As if the same device had been far faster before.
        path = os.path.join(self.data, "performance.jsonl")
        lines = self.history()
        for line in lines:
            for key in ("prompt_tokens_per_second", "generation_tokens_per_second"):
                line[key]["samples"] = [10 * value for value in line[key]["samples"]]
        # Each run joins the history, so that a second slow one would be no news.
        def was_faster():
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)

        was_faster()
        figures = {entry["figure"]: entry for entry in self.json(*words)["regressions"]}
        self.assertIn("generation", figures)
        self.assertLess(figures["generation"]["percent"], -10)
        was_faster()
        self.assertIn("slower than usual", self.gguf(*words).stdout.decode())

    def test_nothing_can_be_written(self):
        self.environment["XDG_DATA_HOME"] = "/dev/null"
        self.json("bench", self.model, *QUICK)
        self.fails("F806", 4, "bench", self.model, *QUICK, "--save")


class All(BenchTest):
    def test_every_model_of_the_library(self):
        self.make("second.gguf", "layers=3")
        with open(os.path.join(self.models, "broken.gguf"), "wb") as file:
            file.write(b"GGUF and nothing more")
        said = self.json("bench", "--all", "-p", "8", "-n", "2", "-t", "1")
        rows = {(row["model"], row["backend"]): row for row in said["rows"]}
        for name in ("story", "second"):
            row = rows[(name, "cpu")]
            self.assertEqual(row["status"], "ok")
            for key in ("prompt_tokens_per_second", "generation_tokens_per_second", "load_ms", "peak_memory_bytes"):
                self.assertGreater(row[key], 0, key)
            self.assertEqual(row["measurement"]["work"]["prompt_tokens"], 8)
        broken = rows[("broken", "")]
        self.assertEqual(broken["status"], "failed")
        self.assertTrue(broken["error"]["code"] and broken["fix"])
        self.assertLessEqual({"story", "second"}, {best["model"] for best in said["best"]})
        self.assertFalse(said["cancelled"])
        self.assertIn("Best for each model", self.gguf("bench", "--all", "-p", "8", "-n", "2").stdout.decode())

    def test_a_crash_costs_one_row(self):
        words = ["bench", self.model, "--all", "-p", "4", "-n", "4", "--backend", "fake", "--device"]
        for script, status, code in (("script:crash=3", "crashed", "B703"), ("script:load=R901", "failed", "R901"),
                                     ("script:fail=2:B704", "failed", "B704")):
            row, = self.json(*words, script)["rows"]
            self.assertEqual((row["status"], row["error"]["code"]), (status, code))
            self.assertTrue(row["fix"])
            self.assertIsNone(row["generation_tokens_per_second"])
        row, = self.json(*words, "script:answer=5,6")["rows"]
        self.assertEqual(row["status"], "ok")
        self.assertEqual(len(self.history()), 1)

    def test_save_and_compare_all(self):
        words = ["bench", "--all", "-p", "8", "-n", "2", "-r", "3", "-t", "1"]
        saved = self.json(*words, "--save", self.path("all.json"))
        self.make("new.gguf", "layers=3")
        said = {entry["model"]: entry for entry in self.json(*words, "--compare", self.path("all.json"))["records"]}
        self.assertIn("comparison", said["story"])
        self.assertEqual(said["new"]["error"]["code"], "D320")
        self.assertTrue(all("saved" in entry for entry in saved["records"]))

    def test_usage(self):
        self.fails("X001", 2, "bench", "--all", "--depth", "3")
        self.fails("X001", 2, "bench", "--history", self.model)

    def test_interrupted(self):
        child = subprocess.Popen([GGUF, "bench", self.model, "--all", "--backend", "fake", "--device",
                                  "script:answer=5;token-ms=200", "--json"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        if output:
            said = json.loads(output)
            self.assertTrue(said.get("cancelled") or said["error"]["code"] == "X002")


class Use(BenchTest):
    GREEDY = ["--temperature", "0", "-n", "10", "-t", "1"]

    def test_answers_are_remembered(self):
        for extra in ([], ["--in-process"]):
            self.gguf("run", self.model, "-p", "a very private question", *self.GREEDY, *extra)
        first, second = self.history()
        for use in (first, second):
            self.assertEqual((use["kind"], use["model"]["file"], use["settings"]["backend"]), ("use", "story.gguf", "cpu"))
            self.assertGreater(use["tokens"], 0)
            self.assertGreater(use["first_token_ms"], 0)
            self.assertIsNone(use["gpu_busy_percent"])
            self.assertEqual(use["failed_links"], 0)
        self.assertEqual(first["model"], second["model"])
        text = json.dumps(self.history())
        self.assertNotIn("private", text)
        self.assertNotIn(self.folder, text)
        # A model runs where nothing can be kept.
        self.environment["XDG_DATA_HOME"] = "/dev/null"
        self.gguf("run", self.model, "-p", "a", *self.GREEDY)

    def test_history_and_insights(self):
        self.assertEqual(self.json("bench", "--history")["measurements"], [])
        self.gguf("run", self.model, "-p", "a", *self.GREEDY)
        self.json("bench", self.model, *QUICK)
        path = os.path.join(self.data, "performance.jsonl")
        use = self.history()[0]
        with open(path, "a", encoding="utf-8") as file:
            file.write("damaged\n")
            for day in range(1, 29):
                use["time"] = f"2026-10-{day:02}T12:00:00Z"
                use["tokens"], use["tokens_per_second"] = 50, (20 if day <= 14 else 12) + day % 3 * 0.1
                file.write(json.dumps(use) + "\n")
        said = self.json("bench", "--history")
        self.assertEqual((len(said["measurements"]), said["damaged_lines"]), (1, 1))
        self.assertEqual(said["models"][0]["answers"], 29)
        slower, = [trend for trend in said["trends"] if trend["slower_since"]]
        self.assertEqual(slower["slower_since"][:10], "2026-10-15")
        found = {insight["id"] for insight in said["insights"]}
        self.assertLessEqual({"slower", "most-used", "damaged"}, found)
        self.assertIn("since 2026-10-15", self.gguf("bench", "--history").stdout.decode())
        report = self.json("doctor", "--quick")
        self.assertIn("performance-slower", {finding["id"] for finding in report["findings"]})
        self.assertEqual(report["performance"]["models"][0]["file"], "story.gguf")


class Settings(BenchTest):
    def model_settings(self):
        path = self.path("config", "gguf-loader", "model-settings.json")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            return json.load(file).get("models", {})

    def test_measure(self):
        said = self.json("recommend", self.model, "--measure")
        self.assertEqual([proposal["setting"] for proposal in said["proposals"]],
                         ["load.context", "load.batch", "load.threads", "load.gpu_layers"])
        for proposal in said["proposals"]:
            self.assertTrue(proposal["reason"].endswith("."), proposal)
        self.assertEqual(said["sweep"]["steps"][0]["status"], "ok")
        self.assertLessEqual(said["sweep"]["seconds"], 65)
        self.assertEqual(self.model_settings(), {})
        self.assertEqual(self.history(), [])
        self.assertNotIn("sweep", self.json("recommend", self.model))

    def test_apply_and_revert(self):
        self.gguf("config", "set", "load.context", "200", "--model", self.model)
        before = self.model_settings()
        self.assertTrue(before)
        # So that a shorter context and a smaller batch are worth proposing.
        long = self.make("long.gguf", "context=16384")
        self.gguf("run", long, "-p", "a", *Use.GREEDY)
        use = self.history()[0]
        with open(os.path.join(self.data, "performance.jsonl"), "a", encoding="utf-8") as file:
            file.writelines(json.dumps(use) + "\n" for _ in range(25))
        applied = self.json("recommend", long, "--apply")
        values = {change["setting"]: change["after"] for change in applied["applied"]}
        self.assertEqual((values["load.context"], values["load.batch"]), (2048, 64))
        kept = self.model_settings()[long]
        self.assertEqual((kept["load"]["context"], kept["load"]["batch"]), (2048, 64))
        # It acts on what is loaded.
        report = json.loads(self.gguf("run", long, "-p", "a", *Use.GREEDY, "--json").stdout.splitlines()[-1])["load_report"]
        self.assertEqual(report["context"], 2048)
        reverted = self.json("recommend", long, "--revert")["reverted"]
        self.assertFalse(any(change["left_alone"] for change in reverted))
        self.assertEqual(self.model_settings(), before)
        self.fails("X001", 2, "recommend", long, "--revert")
        self.fails("X001", 2, "recommend", long, "--revert", "--apply")


if __name__ == "__main__":
    GGUF, MAKER = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
