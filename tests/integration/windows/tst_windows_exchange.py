#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Builds exchange.cpp and the Windows files of the protocol with a cross compiler and runs them under Wine.

usage: tst_windows_exchange.py --build FOLDER

Ends with 77, which is "skipped", where there is no cross compiler or no Wine.
"""

import argparse
import os
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
COMPILER = "x86_64-w64-mingw32-g++-posix"
SKIPPED = 77
SOURCES = (
    "core/app/worker_client/worker_process_windows.cpp",
    "core/engine/base/byte_source.cpp",
    "core/engine/base/error.cpp",
    "core/engine/base/mapped_file.cpp",
    "core/engine/base/utf8.cpp",
    "core/protocol/channel_windows.cpp",
    "core/protocol/frame.cpp",
    "core/protocol/shared_memory_windows.cpp",
    "core/protocol/wire.cpp",
    "tests/integration/windows/exchange.cpp",
)
# Only built: with the rest of the engine's base they must stay free of what Windows lacks.
ALSO_BUILT = ("atomic_file", "control_groups", "cpu_flags", "cpu_topology", "device_properties", "memory_facts",
              "size_text", "system_text", "thread_pool")
DEFINITIONS = ("_WIN32_WINNT=0x0A00", "NOMINMAX", "WIN32_LEAN_AND_MEAN", "UNICODE")


def build(folder):
    """Path of the program."""
    program = os.path.join(folder, "exchange.exe")
    launcher = [shutil.which("ccache")] if shutil.which("ccache") else []
    # The compiler's own headers come first: of the system's folder only this library is let in.
    library = os.path.join(folder, "include")
    os.makedirs(library, exist_ok=True)
    if not os.path.islink(os.path.join(library, "nlohmann")):
        os.symlink("/usr/include/nlohmann", os.path.join(library, "nlohmann"))
    objects = []
    for source in SOURCES + tuple(f"core/engine/base/{name}.cpp" for name in ALSO_BUILT):
        made = os.path.join(folder, source.replace("/", "_") + ".o")
        subprocess.run([*launcher, COMPILER, "-std=c++20", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror",
                        "-Wno-cast-function-type", *(f"-D{word}" for word in DEFINITIONS), "-I", ROOT, "-isystem", library, "-c", os.path.join(ROOT, source), "-o", made],
                       check=True)
        objects.append(made)
    subprocess.run([COMPILER, "-static", *objects, "-o", program, "-ladvapi32", "-lpsapi"], check=True)
    return program


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", required=True)
    folder = os.path.join(arguments.parse_args().build, "windows")
    wine = shutil.which("wine64") or shutil.which("wine64", path="/usr/lib/wine")
    if not shutil.which(COMPILER) or not wine or not os.path.isdir("/usr/include/nlohmann"):
        print(f"SKIP: {COMPILER}, wine64 and the headers of nlohmann-json in /usr/include are needed")
        return SKIPPED
    os.makedirs(folder, exist_ok=True)
    program = build(folder)
    # A home of its own for Wine, and no window to ask for anything.
    environment = {**os.environ, "WINEPREFIX": os.path.join(folder, "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
    return subprocess.run([wine, program], env=environment, timeout=300, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
