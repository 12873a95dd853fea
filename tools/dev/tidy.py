#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Runs clang-tidy over our sources in parallel, each within a budget of processor time.

A file that was clean is not looked at again until it, one of our headers that it includes, its flags, the
configuration or clang-tidy changes. Files made by the build (moc and the like) are left out.

usage: tidy.py --build FOLDER [--jobs N] [--seconds N] [--changed] [PATH...]
"""

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "unit", "repo"))
from source_tree import files, includes, read

# Flags of GCC that clang does not know.
GCC_ONLY = re.compile(r"\s-(?:fno-gnu-unique|Wno-psabi|mno-vzeroupper)\b")


def parse():
    parser = argparse.ArgumentParser(description="clang-tidy over our sources")
    parser.add_argument("--build", required=True, help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--seconds", type=int, default=300, help="processor time of one file")
    parser.add_argument("--changed", action="store_true", help="only files that differ from the branch main, or that "
                        "include such a file")
    parser.add_argument("paths", nargs="*", help="only these sources")
    return parser.parse_args()


def own_commands(build):
    """Source path relative to the root -> entry of compile_commands.json; our own files only."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    known = set(files(ROOT, (".cpp",)))
    found = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT).replace(os.sep, "/")
        if path in known:
            found.setdefault(path, entry)
    return found


class Closure:
    """Our headers that a file includes, directly or not."""

    def __init__(self):
        self._direct = {}

    def _direct_of(self, path):
        if path not in self._direct:
            folder = os.path.dirname(path)
            targets = [target for _, target, quoted in includes(read(ROOT, path)) if quoted]
            candidates = [name for target in targets for name in (target, os.path.join(folder, target))]
            self._direct[path] = [name for name in candidates if os.path.isfile(os.path.join(ROOT, name))]
        return self._direct[path]

    def of(self, path):
        seen, open_ = {path}, [path]
        while open_:
            for name in self._direct_of(open_.pop()):
                if name not in seen:
                    seen.add(name)
                    open_.append(name)
        return sorted(seen)


def changed_files():
    def git(*words):
        result = subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=False)
        return result.stdout.split("\n") if result.returncode == 0 else []
    base = next((line for name in ("origin/main", "main") for line in git("merge-base", "HEAD", name) if line), "HEAD")
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return {name for name in names if name}


def fingerprint(version, entry, closure):
    digest = hashlib.sha256((version + entry["command"]).encode())
    configurations = [".clang-tidy"] + [os.path.join(*closure[0].split("/")[:depth], ".clang-tidy")
                                        for depth in range(1, 4) if closure]
    for path in configurations + closure:
        if os.path.isfile(os.path.join(ROOT, path)):
            digest.update(path.encode() + read(ROOT, path).encode())
    return digest.hexdigest()


def without_noise(output):
    """clang-tidy's findings without its counts of suppressed warnings."""
    noise = re.compile(r"^(?:\d+ warnings? .*generated.*|Suppressed \d+ warnings.*|Use -header-filter.*|"
                       r"\d+ warnings? treated as errors?)$", re.M)
    return noise.sub("", output).strip()


def run_within(command, seconds):
    """The exit status, None where the time ran out, the output and the processor time taken.

    Time on the clock would say more about what else the machine does than about the file.
    """
    if os.name != "posix":
        started = time.monotonic()
        try:
            result = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return None, "", float(seconds)
        return result.returncode, result.stdout, time.monotonic() - started
    limited = ["/bin/sh", "-c", f'ulimit -t {seconds} && exec "$@"', "sh", *command]
    with subprocess.Popen(limited, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = usage.ru_utime + usage.ru_stime
    # Killed earlier it was something else, the lack of memory say.
    late = process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) and took >= seconds - 1
    return None if late else process.returncode, output, took


def main():
    options = parse()
    commands = own_commands(options.build)
    if not commands:
        sys.exit("tidy: compile_commands.json names none of our sources; build first.")
    closure = Closure()
    chosen = sorted(commands)
    if options.paths:
        chosen = [path for path in chosen if path.startswith(tuple(options.paths))]
    if options.changed:
        changed = changed_files()
        chosen = [path for path in chosen if changed & set(closure.of(path))]
    version = subprocess.run(["clang-tidy", "--version"], text=True, capture_output=True, check=True).stdout
    clean_folder = os.path.join(options.build, "tidy-clean")
    database = os.path.join(options.build, "tidy-commands")
    os.makedirs(clean_folder, exist_ok=True)
    os.makedirs(database, exist_ok=True)
    entries = [dict(commands[path], command=GCC_ONLY.sub("", commands[path]["command"])) for path in sorted(commands)]
    with open(os.path.join(database, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(entries, file)

    def look(path):
        mark = os.path.join(clean_folder, fingerprint(version, commands[path], closure.of(path)))
        if os.path.exists(mark):
            with open(mark, encoding="utf-8") as file:
                return path, "warnings", file.read(), 0.0
        # The flags are GCC's; clang need not know all of its warnings.
        status, output, took = run_within(["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option", "-p",
                                           database, path], options.seconds)
        if status is None:
            return path, "too slow", f"clang-tidy took more than {options.seconds} s for {path}", took
        text = without_noise(output)
        if status == 0:
            with open(mark, "w", encoding="utf-8") as file:
                file.write(text)
            return path, "warnings", text, took
        return path, "findings", text, took

    bad, seen, seconds = [], set(), 0.0
    with ThreadPoolExecutor(options.jobs) as pool:
        for path, verdict, text, took in pool.map(look, chosen):
            seconds += took
            if verdict in ("findings", "too slow"):
                bad.append(path)
            # A finding in a header comes back from every source that includes it; once is enough.
            if text and text not in seen:
                seen.add(text)
                print(f"{path}: {verdict}\n{text}\n", flush=True)
    print(f"clang-tidy: {len(chosen)} files, {len(bad)} with findings, {seconds:.0f} s of processor time")
    for path in bad:
        print(f"  {path}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
