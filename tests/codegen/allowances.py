# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Loops that may move vector registers to and from their stack frame, and why. All others may not at all.

A loop passes where one row that fits it allows both its loads and its stores. `compiler` is CMake's name of it, `loop` a
pattern for the function's name, followed by " with a call" where the loop calls something; `*` fits everything. Take a row
out when nothing needs it; the test says which.
"""

import collections

Allowance = collections.namedtuple("Allowance", "compiler tier loop loads stores reason")

# What the rows below were found with. Other versions put other things in registers.
COMPILERS = {"GNU": "12", "Clang": "14"}

_SIXTEEN = "sixteen registers do not hold a block's weights and the sums of four rows or tokens; fewer at once were slower"
_HEADS = "sub-scales and look-ups of four rows that wait for their products; fewer rows at once were slower from memory"
_BLOCK = "eight integer sums leave no room for eight float sums: those lie in the array `block`"
_TWO_STEPS = "weights of two steps, sums and a product are a register too many; half of the rows at a time was 5 % slower"
_CONSTANTS = "a polynomial has more constants than there are registers; they are only read, as operands"
_PART = "the last columns are copied to an array and read as a vector; once per row"
_CALL = "the last columns are copied by memcpy, which keeps no vector register; once per row"
_KEYS = "all keys of a step are converted before they are multiplied; reading them in turn spilled more"
_QUANTIZE = "a block of activations goes through an array; no product of weights"

ALLOWANCES = [Allowance(*row) for row in (
    # Rows times few tokens.
    ("GNU", "avx2", "intRows<RowOf256<*", 17, 8, _SIXTEEN),
    ("GNU", "avx2", "intRows<RowOf32<*", 67, 24, _SIXTEEN),
    ("GNU", "avx2", "intRows<RowOfTerms<*", 1, 0, _SIXTEEN),
    ("GNU", "avx2", "multiplyStreams<RowOf256<*, 1, [234]>", 46, 44, _SIXTEEN),
    ("GNU", "avx2", "multiplyStreams<RowOf256<*, 4, 1>", 63, 13, _SIXTEEN),
    ("GNU", "avx2", "multiplyStreams<RowOf32<*", 19, 9, _SIXTEEN),
    ("GNU", "avx2", "multiplyStreams<RowOfTerms<*", 4, 4, _SIXTEEN),
    ("GNU", "avx512", "intRows<RowOf256<*", 21, 8, _HEADS),
    ("GNU", "avx512", "intRows<RowOf32<*", 3, 3, _HEADS),
    ("GNU", "avx512", "multiplyStreams<RowOfBlocks<*", 22, 8, _HEADS),
    ("Clang", "avx2", "intRows<RowOf256<*", 76, 48, _SIXTEEN),
    ("Clang", "avx2", "intRows<RowOf32<*", 104, 22, _SIXTEEN),
    ("Clang", "avx2", "intRows<RowOfTerms<*", 12, 5, _SIXTEEN),
    ("Clang", "avx512", "intRows<RowOf256<*", 55, 20, _HEADS),
    ("Clang", "avx512", "intRows<RowOf32<*", 35, 6, _HEADS),
    ("Clang", "avx512", "intRows<RowOfTerms<*", 20, 9, _HEADS),
    ("Clang", "avx512", "streamRows<RowOfBlocks<*", 59, 40, _HEADS),
    ("GNU", "avx2", "floatRows<*", 1, 1, _PART),
    ("GNU", "avx2", "multiplyStreams<FloatRowOf<*", 1, 1, _PART),
    ("Clang", "avx2", "floatRows<* with a call", 5, 5, _CALL),
    # Rows times many tokens.
    ("*", "avx2", "sweep256<*, 4>", 8, 8, _BLOCK),
    ("*", "avx2", "sweep256<*, 3>", 6, 6, _BLOCK),
    ("*", "avx2", "sweep256<*, 2>", 4, 4, _BLOCK),
    ("GNU", "avx2", "sweep256<*, 1>", 2, 2, _BLOCK),
    ("Clang", "avx2", "sweep256<FormatIQ4_XS, 4>", 9, 9, _BLOCK),
    ("*", "avx2", "sweep256<FormatQ[56]_K, 4>", 12, 12, _TWO_STEPS),
    ("*", "avx2", "sweep32<FormatQ5_[01], 4>", 5, 5, _TWO_STEPS),
    # Attention.
    ("GNU", "avx2", "attendPanels<*", 5, 0, _CONSTANTS),
    ("GNU", "avx2", "attendChunk<*", 5, 0, _CONSTANTS),
    ("GNU", "avx2", "attendChunk<KvHalf, *> with a call", 9, 9, _CALL),
    ("GNU", "*", "attendChunk<KvHalf, 1>", 1, 1, _KEYS),
    ("GNU", "avx2", "attendChunk<KvQ8, 1>", 9, 9, _KEYS),
    ("GNU", "avx512", "attendChunk<KvQ8, 1>", 4, 16, _KEYS),
    ("GNU", "avx512", "attendChunk<*, 4>", 4, 1, _KEYS),
    ("Clang", "avx2", "attendDirect<KvHalf> with a call", 10, 10, _CALL),
    ("Clang", "avx2", "attendDirect<KvQ8>", 3, 3, _KEYS),
    ("Clang", "avx512", "attendDirect<KvQ8>", 9, 9, _KEYS),
    # Vector helpers and quantisers.
    ("*", "avx2", "activateMultiply<*", 10, 0, _CONSTANTS),
    ("Clang", "avx2", "expRow", 8, 0, _CONSTANTS),
    ("GNU", "avx2", "quantizeInt16", 4, 0, _QUANTIZE),
    ("GNU", "avx512", "quantizeInt16", 2, 2, _QUANTIZE),
    ("Clang", "*", "quantizeInt16 with a call", 8, 4, _QUANTIZE),
    ("Clang", "*", "floatToQ8Row with a call", 2, 1, _QUANTIZE),
    ("Clang", "avx2", "quantizeBlock256", 22, 22, "magnitudes and sums of 256 values at once; no product of weights"),
)]
