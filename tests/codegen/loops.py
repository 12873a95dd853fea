# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Innermost loops of disassembled x86-64 functions, and what they move between vector registers and their stack frame.

Reads `objdump -d -C -M intel`, whose operands say how wide an access is. A loop is what goes round in the function's
control flow, so code that the compiler put elsewhere belongs to the loop that runs it.
"""

import collections
import re

Instruction = collections.namedtuple("Instruction", "address mnemonic operands")
Function = collections.namedtuple("Function", "name instructions")
Loop = collections.namedtuple("Loop", "function address instructions products calls loads stores")

OBJDUMP_OPTIONS = ("-d", "-C", "-M", "intel", "--no-show-raw-insn")

_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(?:(?:notrack|bnd|lock|rep|repz|repnz|data16|cs)\s+)*([a-z]\w*)\s*(.*?)\s*(?:#.*)?$")
_PRODUCT = re.compile(r"v(?:pdp|dpbf16|fn?m(?:add|sub)|pmaddubsw|pmaddwd)")
# Without an index: the register allocator knows where it puts things. With one it is an array of the program.
_FRAME_ACCESS = re.compile(r"\b[XYZ]MMWORD PTR \[(rsp|rbp)(?:([+-])0x([0-9a-f]+))?\]")
_RETURNS = {"ret", "ud2", "hlt", "int3"}
_PADDING = {"nop", "xchg"}


def functions(disassembly):
    """Functions with their instructions, in the order of the text."""
    found = []
    for line in disassembly.splitlines():
        start = _FUNCTION.match(line)
        if start:
            found.append(Function(start.group(1), []))
            continue
        parts = _INSTRUCTION.match(line) if found else None
        if parts:
            found[-1].instructions.append(Instruction(int(parts.group(1), 16), parts.group(2), parts.group(3)))
    return found


def _jump_target(instruction):
    """The address of a direct jump, else None."""
    if not instruction.mnemonic.startswith("j"):
        return None
    target = re.match(r"([0-9a-f]+) <", instruction.operands)
    return int(target.group(1), 16) if target else None


class _Flow:
    """Basic blocks of one function: lists of instructions, and the numbers of the blocks that follow each."""

    def __init__(self, instructions):
        index_of = {instruction.address: i for i, instruction in enumerate(instructions)}
        starts = {0}
        for i, instruction in enumerate(instructions):
            if instruction.mnemonic.startswith("j") or instruction.mnemonic in _RETURNS:
                starts.add(i + 1)
                starts.add(index_of.get(_jump_target(instruction), 0))
        order = sorted(start for start in starts if start < len(instructions))
        number_of = {start: number for number, start in enumerate(order)}
        self.blocks = [instructions[a:b] for a, b in zip(order, order[1:] + [len(instructions)])]
        self.after = []
        for number, block in enumerate(self.blocks):
            last, following = block[-1], []
            target = index_of.get(_jump_target(last))
            if target is not None:
                following.append(number_of[target])
            if last.mnemonic != "jmp" and last.mnemonic not in _RETURNS and number + 1 < len(self.blocks):
                following.append(number + 1)
            self.after.append(following)
        # What fills the space before an aligned loop is no way into it.
        reached = {block for following in self.after for block in following}
        for number, block in enumerate(self.blocks):
            if number not in reached and all(instruction.mnemonic in _PADDING for instruction in block):
                self.after[number] = []

    def loops(self):
        """Sets of blocks, outer loops before the loops inside them."""
        found, work = [], [set(range(len(self.blocks)))]
        while work:
            blocks = work.pop()
            for part in _components(blocks, self.after):
                if len(part) == 1 and not any(block in self.after[block] for block in part):
                    continue
                found.append(part)
                # Without the blocks where it is entered, what still goes round is a loop inside.
                entered = {after for block, following in enumerate(self.after) if block not in part
                           for after in following if after in part}
                work.append(part - (entered or {min(part)}))
        return found


def _finished(blocks, after):
    """The blocks in the order in which a walk in depth leaves them."""
    seen, order = set(), []
    for entry in sorted(blocks):
        if entry in seen:
            continue
        seen.add(entry)
        stack = [(entry, iter(after[entry]))]
        while stack:
            step = next((b for b in stack[-1][1] if b in blocks and b not in seen), None)
            if step is None:
                order.append(stack.pop()[0])
            else:
                seen.add(step)
                stack.append((step, iter(after[step])))
    return order


def _components(blocks, after):
    """The strongly connected parts of the graph of these blocks (Kosaraju's two walks)."""
    before = collections.defaultdict(list)
    for block in blocks:
        for b in after[block]:
            before[b].append(block)
    assigned, parts = set(), []
    for root in reversed(_finished(blocks, after)):
        if root in assigned:
            continue
        assigned.add(root)
        part, work = {root}, [root]
        while work:
            for b in before[work.pop()]:
                if b not in assigned:
                    assigned.add(b)
                    part.add(b)
                    work.append(b)
        parts.append(part)
    return parts


def _frame_registers(instructions):
    """rbp is a register like others unless the function lets it point into its frame."""
    for instruction in instructions:
        if re.match(r"rbp,(rsp$|\[rsp)", instruction.operands) and instruction.mnemonic in ("mov", "lea"):
            return {"rsp", "rbp"}
    return {"rsp"}


def _frame_place(instruction, registers):
    """((register, offset), is it written) of a vector-wide access to the frame, else None."""
    access = _FRAME_ACCESS.search(instruction.operands)
    if not access or access.group(1) not in registers:
        return None
    offset = int(access.group(3) or "0", 16) * (-1 if access.group(2) == "-" else 1)
    is_store = access.start() == 0 and re.match(r"v?mov|vextract|vpmov|vcvt", instruction.mnemonic) is not None
    return (access.group(1), offset), is_store


def _handed_over(instructions, registers):
    """Places that are written as vectors and never read as such: arrays whose elements are read one by one."""
    stored, loaded = set(), set()
    for instruction in instructions:
        found = _frame_place(instruction, registers)
        if found:
            (stored if found[1] else loaded).add(found[0])
    return stored - loaded


def product_loops(function):
    """The loops with multiply instructions that hold no other such loop."""
    if not any(_PRODUCT.match(instruction.mnemonic) for instruction in function.instructions):
        return []
    flow = _Flow(function.instructions)
    registers = _frame_registers(function.instructions)
    exempt = _handed_over(function.instructions, registers)

    def products(body):
        return sum(1 for b in body for i in flow.blocks[b] if _PRODUCT.match(i.mnemonic))

    bodies = [body for body in flow.loops() if products(body)]
    found = []
    for body in bodies:
        if any(other < body for other in bodies):
            continue
        instructions = [instruction for block in body for instruction in flow.blocks[block]]
        loads, stores = 0, 0
        for instruction in instructions:
            access = _frame_place(instruction, registers)
            if access and access[0] not in exempt:
                stores += access[1]
                loads += not access[1]
        calls = sum(1 for instruction in instructions if instruction.mnemonic == "call")
        found.append(Loop(function.name, flow.blocks[min(body)][0].address, len(instructions), products(body), calls,
                          loads, stores))
    return sorted(found, key=lambda loop: loop.address)


def tier(name):
    """The tier whose namespace a demangled name stands in; empty where there is none."""
    found = re.search(r"\bisa_(\w+)::", name)
    return found.group(1) if found else ""


def short_name(name):
    """A demangled name without return type, parameters and the namespaces that all kernels share."""
    name = re.sub(r"\(anonymous namespace\)::|loader::cpu::|\bisa_\w+::", "", name)
    name = re.sub(r"\((?:\w+::)?\w+\)(\d)", r"\1", re.sub(r"(\d)ul\b", r"\1", name))
    depth, start = 0, 0
    for i, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == " " and depth == 0:
            start = i + 1
        if letter == "(" and depth == 0:
            return name[start:i]
    return name[start:]
