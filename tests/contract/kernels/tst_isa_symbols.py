#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Objects of the instruction set tiers must not leak wide instructions into code that every machine runs.

Checks the static library of the CPU kernels: no weak (shared) function holds an AVX instruction, no tier needs a dynamic
initialiser, and each wide tier exports its table and nothing else.
Usage: tst_isa_symbols.py LIBRARY
"""
import re
import shutil
import subprocess
import sys

SKIPPED = 77
WIDE = re.compile(r"%[yz]mm\d|^\s*[0-9a-f]+:\s+v[a-z]")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
MEMBER = re.compile(r"^(\S+):\s+file format")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def weak_symbols(library):
    """Names of shared functions, which the linker takes from whichever object comes first."""
    names = set()
    for line in run("nm", "--defined-only", library).splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in "WVu":
            names.add(parts[2])
    return names


def wide_functions(disassembly):
    """Names of functions with at least one AVX instruction."""
    found, current = set(), None
    for line in disassembly.splitlines():
        start = FUNCTION.match(line)
        if start:
            current = start.group(1)
        elif current and WIDE.search(line):
            found.add(current)
    return found


def members_with_initialisers(library):
    found, member = [], None
    for line in run("objdump", "-h", library).splitlines():
        start = MEMBER.match(line)
        if start:
            member = start.group(1)
        elif ".init_array" in line or ".ctors" in line:
            found.append(member)
    return found


def exported(library):
    """Global symbols of the wide tiers."""
    names = []
    for line in run("nm", "--defined-only", "--extern-only", library).splitlines():
        parts = line.split()
        if len(parts) == 3 and re.search(r"isa_avx", parts[2]):
            names.append(parts[2])
    return names


def self_test():
    """The patterns find what they are for."""
    sample = "0000 <wide>:\n   0:\tvpaddd %ymm1,%ymm2,%ymm3\n\n0010 <plain>:\n  10:\taddps  %xmm1,%xmm0\n  14:\tverr   %ax\n"
    assert "wide" in wide_functions(sample)
    assert "plain" not in wide_functions(sample.replace("\tverr", "\tnop"))


def main():
    if not (shutil.which("nm") and shutil.which("objdump")):
        print("skipped: binutils are absent")
        return SKIPPED
    self_test()
    library = sys.argv[1]
    faults = []
    wide = wide_functions(run("objdump", "-d", "--no-show-raw-insn", library))
    if not wide:
        print("skipped: the library holds no wide code on this platform")
        return SKIPPED
    for name in sorted(weak_symbols(library) & wide):
        faults.append(f"wide instructions in the shared function {name}")
    for member in members_with_initialisers(library):
        faults.append(f"{member} has a dynamic initialiser")
    for name in exported(library):
        if not re.search(r"isa_avx\w+?6kTable", name):
            faults.append(f"{name} is visible outside its file")
    print("\n".join(faults) or f"{len(wide)} wide functions, none shared")
    return 1 if faults else 0


sys.exit(main())
