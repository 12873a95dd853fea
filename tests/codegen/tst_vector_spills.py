#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""No hot loop of the CPU kernels moves vector registers to or from the stack beyond its row in allowances.py.

usage: tst_vector_spills.py --library FILE --compiler-id ID --compiler-version V --compiler FILE
                            --build-type TYPE --processor NAME [--sanitize LIST] [--list]

--list prints every loop that spills, whether it may or not.
"""

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import loops
from allowances import ALLOWANCES, COMPILERS, Allowance

FOLDER = os.path.dirname(os.path.abspath(__file__))
ARGUMENTS = argparse.ArgumentParser()
for _name in ("library", "compiler-id", "compiler-version", "compiler", "build-type", "processor", "sanitize"):
    ARGUMENTS.add_argument("--" + _name, default="")
ARGUMENTS.add_argument("--list", action="store_true")
OPTIONS, REST = ARGUMENTS.parse_known_args()


def why_not_read():
    """Why this compiler's objects cannot be read here; empty where they can."""
    if not shutil.which("objdump"):
        return "objdump (binutils) is absent"
    if not re.fullmatch(r"x86_64|AMD64|amd64", OPTIONS.processor):
        return f"no x86-64 build: {OPTIONS.processor}"
    if OPTIONS.compiler_id not in COMPILERS:
        return f"neither GCC nor clang: {OPTIONS.compiler_id}"
    return ""


def why_not_here():
    """Why the objects of this build say nothing about spills; empty where they do."""
    if why_not_read():
        return why_not_read()
    version = OPTIONS.compiler_version.split(".")[0]
    if COMPILERS[OPTIONS.compiler_id] != version:
        return f"{OPTIONS.compiler_id} {version}: the allowances are those of {COMPILERS[OPTIONS.compiler_id]}"
    if OPTIONS.sanitize:
        return f"sanitized: {OPTIONS.sanitize}"
    if OPTIONS.build_type not in ("Release", "RelWithDebInfo"):
        return f"not optimised for speed: {OPTIONS.build_type}"
    return ""


def disassemble(path):
    return subprocess.run(["objdump", *loops.OBJDUMP_OPTIONS, path], check=True, capture_output=True, text=True).stdout


def loops_of(disassembly):
    return [loop for function in loops.functions(disassembly) for loop in loops.product_loops(function)]


def label(loop):
    return loops.short_name(loop.function) + (" with a call" if loop.calls else "")


def matching(loop, rows, compiler):
    """The rows that fit this loop."""
    return [row for row in rows if row.compiler in ("*", compiler) and row.tier in ("*", loops.tier(loop.function)) and
            fnmatch.fnmatchcase(label(loop), row.loop)]


def describe(loop, rows):
    allowed = max(((row.loads, row.stores) for row in rows), default=(0, 0))
    return (f"{loops.tier(loop.function) or '-':8} {label(loop)} at {loop.address:#x}: {loop.loads} loads and {loop.stores} "
            f"stores of vectors on the stack, allowed {allowed[0]} and {allowed[1]}; {loop.products} products, "
            f"{loop.instructions} instructions")


def judge(found, rows, compiler):
    """(complaints, rows that some loop needs)"""
    complaints, needed = [], set()
    for loop in found:
        if loop.loads + loop.stores == 0:
            continue
        fitting = matching(loop, rows, compiler)
        needed.update(fitting)
        if not any(loop.loads <= row.loads and loop.stores <= row.stores for row in fitting):
            complaints.append(describe(loop, fitting))
    return complaints, needed


class KernelLoops(unittest.TestCase):
    def test_no_hot_loop_spills(self):
        reason = why_not_here()
        if reason:
            self.skipTest(reason)
        found = loops_of(disassemble(OPTIONS.library))
        # Types times numbers of tokens, less those that GCC folds; fewer means that we read the wrong thing.
        for tier in ("avx2", "avx512"):
            sweeps = [loop for loop in found if loops.tier(loop.function) == tier and "sweep" in loop.function]
            self.assertGreater(len(sweeps), 40, f"the sweeps of {tier} were not found")
        complaints, needed = judge(found, ALLOWANCES, OPTIONS.compiler_id)
        spilling = [loop for loop in found if loop.loads + loop.stores]
        if OPTIONS.list:
            print("\n".join(describe(loop, matching(loop, ALLOWANCES, OPTIONS.compiler_id)) for loop in spilling))
        print(f"{len(found)} innermost loops with products, {len(spilling)} touch the stack, {len(complaints)} too often")
        for row in ALLOWANCES:
            if row.compiler in ("*", OPTIONS.compiler_id) and row not in needed:
                print(f"no loop needs this row any more: {row.tier} {row.loop}")
        if complaints:
            self.fail("\n".join(["", *complaints, "", "Keep the sums in registers (see backends/cpu/isa/unroll.h), or say "
                                 "in tests/codegen/allowances.py why not."]))


SPILL = """
0000000000000010 <int loader::cpu::isa_avx2::(anonymous namespace)::sweep<4ul, (Kind)2>(float const*, unsigned long)>:
  10:\tpush   rbp
  11:\tvmovaps YMMWORD PTR [rsp+0x80],ymm7
  20:\tvmovdqa ymm0,YMMWORD PTR [rsp+0x20]
  24:\tvpmaddubsw ymm1,ymm0,YMMWORD PTR [rsp+0x40]
  28:\tvpaddw ymm0,ymm0,ymm1
  2c:\tvmovdqa YMMWORD PTR [rsp+0x20],ymm0
  30:\tadd    rax,0x20
  34:\tjne    20 <int loader::cpu::sweep<4ul>(float const*, unsigned long)+0x10>
  36:\tret
"""


def canned(body):
    return loops_of("0000000000000010 <f>:\n" + "\n".join(f"  {address}:\t{text}" for address, text in body.items()))


class Reader(unittest.TestCase):
    """The reading of loops, on text that no compiler can change."""

    def test_a_spill_is_found_and_named(self):
        found = loops_of(SPILL)
        self.assertEqual([(2, 1, 1, 6, 0x20)], [(f.loads, f.stores, f.products, f.instructions, f.address) for f in found])
        complaints, _ = judge(found, [], "GNU")
        self.assertEqual(1, len(complaints))
        self.assertIn("avx2     sweep<4, 2> at 0x20: 2 loads and 1 stores", complaints[0])

    def test_allowances_are_upper_bounds(self):
        found = loops_of(SPILL)
        row = Allowance("GNU", "avx2", "sweep<*>", 2, 1, "because")
        self.assertEqual(([], {row}), judge(found, [row], "GNU"))
        for other in (row._replace(loads=1), row._replace(stores=0), row._replace(compiler="Clang"),
                      row._replace(tier="avx512"), row._replace(loop="sweep<4> with a call")):
            self.assertEqual(1, len(judge(found, [other], "GNU")[0]), other)

    def test_clean_loops_are_clean(self):
        self.assertEqual([], judge(loops_of(SPILL.replace("[rsp", "[rcx")), [], "GNU")[0])
        # A scalar, a broadcast of a scalar and an indexed array are no vector register's place.
        clean = canned({"20": "mov    rcx,QWORD PTR [rsp+0x8]", "24": "vpdpbusd zmm1,zmm0,DWORD BCST [rsp+0x40]",
                        "28": "vbroadcastss ymm2,DWORD PTR [rsp+0x4]", "2c": "vmovaps ymm3,YMMWORD PTR [rsp+rax*4+0x80]",
                        "30": "jne    20 <f+0x10>"})
        self.assertEqual([(0, 0)], [(f.loads, f.stores) for f in clean])

    def test_an_array_whose_elements_are_read_is_no_spill(self):
        handed = {"20": "vmovaps YMMWORD PTR [rsp+0x40],ymm1", "24": "vfmadd231ps ymm0,ymm1,ymm2",
                  "28": "vbroadcastss ymm2,DWORD PTR [rsp+0x44]", "2c": "jne    20 <f+0x10>"}
        self.assertEqual([(0, 0)], [(f.loads, f.stores) for f in canned(handed)])
        handed["28"] = "vmovaps ymm2,YMMWORD PTR [rsp+0x40]"
        self.assertEqual([(1, 1)], [(f.loads, f.stores) for f in canned(handed)])

    def test_rbp_counts_only_where_it_points_into_the_frame(self):
        body = {"10": "mov    rbp,rdi", "20": "vpdpwssd zmm0,zmm1,ZMMWORD PTR [rbp-0x40]", "24": "jne    20 <f+0x10>"}
        self.assertEqual([0], [f.loads for f in canned(body)])
        body["10"] = "mov    rbp,rsp"
        self.assertEqual([1], [f.loads for f in canned(body)])

    def test_only_innermost_loops_with_products_count(self):
        nested = {"10": "nop", "18": "vmovaps ymm5,YMMWORD PTR [rsp]", "1c": "jmp    22 <f+0x12>",
                  "1e": "nop    DWORD PTR [rax+0x0]", "20": "inc    rcx", "22": "vfmadd231ps ymm0,ymm1,ymm2",
                  "28": "jne    20 <f+0x10>", "2a": "vmovaps YMMWORD PTR [rsp],ymm5", "2c": "jne    18 <f+0x8>", "2e": "ret"}
        self.assertEqual([(0x20, 3, 0)], [(f.address, f.instructions, f.loads) for f in canned(nested)])
        nested["22"] = "vaddps ymm0,ymm1,ymm2"
        self.assertEqual([], canned(nested))

    def test_code_placed_elsewhere_belongs_to_its_loop(self):
        body = {"20": "vfmadd231ps ymm0,ymm1,ymm2", "24": "je     40 <f+0x30>", "28": "dec    rcx", "2c": "jne    20 <f+0x10>",
                "30": "ret", "40": "vmovaps YMMWORD PTR [rsp],ymm0", "44": "call   80 <g>",
                "48": "vmovaps ymm0,YMMWORD PTR [rsp]", "4c": "jmp    28 <f+0x18>"}
        self.assertEqual([(8, 1, 1, 1)], [(f.instructions, f.loads, f.stores, f.calls) for f in canned(body)])

    def test_loops_behind_a_table_of_addresses(self):
        body = {"10": "notrack jmp rax", "20": "vfmadd231ps ymm0,ymm1,YMMWORD PTR [rsp+0x20]", "24": "jne    20 <f+0x10>",
                "28": "ret"}
        self.assertEqual([(0x20, 1)], [(f.address, f.loads) for f in canned(body)])


class Compiled(unittest.TestCase):
    """The same on what this build's compiler makes of a loop with too many sums."""

    def loops_with(self, sums):
        reason = why_not_read()
        if reason:
            self.skipTest(reason)
        with tempfile.TemporaryDirectory() as folder:
            output = os.path.join(folder, "sums.o")
            subprocess.run([OPTIONS.compiler, "-std=c++20", "-O3", "-mavx2", "-mfma", f"-DSUMS={sums}", "-c",
                            os.path.join(FOLDER, "many_sums.cpp"), "-o", output], check=True)
            found = loops_of(disassemble(output))
        self.assertTrue(found)
        return found

    def test_a_loop_with_too_many_sums_is_found(self):
        complaints, _ = judge(self.loops_with(24), [], OPTIONS.compiler_id)
        self.assertEqual(1, len(complaints))
        self.assertIn("sumProducts", complaints[0])

    def test_a_loop_whose_sums_fit_is_clean(self):
        self.assertEqual([], judge(self.loops_with(8), [], OPTIONS.compiler_id)[0])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + REST)
