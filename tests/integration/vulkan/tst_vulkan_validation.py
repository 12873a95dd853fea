# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Runs the Vulkan rows of the contract tests under the validation layers, with synchronization validation.

No message may come. That messages would come is shown first: a buffer that is never destroyed and a missing
barrier, both made by the faulty layer above the validation layer. A second configuration runs with that layer
below, which lowers the device's limits: the validation layer then holds us to them.

By default a few rows run, with LOADER_TEST_LONG all of them. Ends with 77, which is
"skipped", where there is no Vulkan device or no validation layer.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
VALIDATION = "VK_LAYER_KHRONOS_validation"
FAULTS = "VK_LAYER_LOADER_faults"
MANIFEST = "VkLayer_khronos_validation.json"
MANIFEST_FOLDERS = ("/usr/share/vulkan/explicit_layer.d", "/usr/local/share/vulkan/explicit_layer.d",
                    "/etc/vulkan/explicit_layer.d")
PROGRAMS = ("tst_backend_batches", "tst_backend_logits", "tst_backend_outputs", "tst_backend_split",
            "tst_backend_state")
# Functions of which one row runs by default; with LOADER_TEST_LONG all rows of all.
SHORT = {
    "tst_backend_batches": ("copyContinuesAlike",),
    "tst_backend_outputs": ("topTokensAreTheBestLogits",),
    "tst_backend_state": ("restoredSequenceGoesOn", "partsRestoreTheirLayers"),
}
LEAST_LIMITS = (
    "limit.maxComputeWorkGroupInvocations=128;limit.maxComputeWorkGroupSizeX=128;"
    "limit.maxComputeSharedMemorySize=16384;limit.maxPushConstantsSize=128;limit.maxBoundDescriptorSets=4;"
    "limit.minStorageBufferOffsetAlignment=256;limit.nonCoherentAtomSize=256;"
    "limit.maxStorageBufferRange=1048576;feature=-shaderInt8;feature=-storageBuffer8BitAccess"
)
SETTINGS = """khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.log_filename = stdout
khronos_validation.report_flags = error,warn,perf
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
khronos_validation.duplicate_message_limit = 3
"""
MESSAGE = re.compile(r"Validation (?:Error|Warning|Performance Warning|Information)|^\S*(?:VUID|SYNC-HAZARD)-")


def environment(settings, layers, folders, faults):
    result = dict(os.environ)
    result.update(VK_LAYER_SETTINGS_PATH=settings, VK_INSTANCE_LAYERS=":".join(layers), QT_QPA_PLATFORM="offscreen",
                  # The loader stacks layers in the order in which it finds them.
                  VK_LAYER_PATH=":".join(folders), LOADER_VULKAN_FAULTS=faults)
    return result


def run(command, variables):
    """(exit status, output, messages)"""
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    return done.returncode, done.stdout, [line for line in done.stdout.splitlines() if MESSAGE.search(line)]


def vulkan_rows(program, functions):
    """"function:tag" of the rows that run on Vulkan, as Qt Test takes them; of some functions only the last."""
    listed = subprocess.run([program, "-datatags"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=True).stdout
    by_function = {}
    for line in listed.splitlines():
        words = line.split(maxsplit=2)
        if len(words) == 3 and "vulkan" in words[2] and words[1] in (functions or (words[1],)):
            by_function.setdefault(words[1], []).append(words[2])
    # The last is of the highest tier.
    return [f"{function}:{tag}" for function, tags in by_function.items()
            for tag in (tags[-1:] if functions else tags)]


def check(program, rows, variables, name):
    """How many faults were found."""
    status, output, messages = run([program, *rows], variables)
    if status == 0 and not messages:
        print(f"{Path(program).name}, {name}: {len(rows)} rows, no message")
        return 0
    print(f"{Path(program).name}, {name}: exit status {status}, {len(messages)} messages")
    print("\n".join(messages[:20]) if messages else output[-3000:])
    return 1


def shows(program, row, variables, expected):
    """Whether a fault that was made on purpose is reported: otherwise silence would mean nothing."""
    messages = run([program, row], variables)[2]
    if any(expected in message for message in messages):
        return 0
    print(f"{variables['LOADER_VULKAN_FAULTS']}: nothing of {expected} was reported")
    return 1


def main():
    build = Path(os.environ["LOADER_BUILD_DIR"])
    everything = "LOADER_TEST_LONG" in os.environ
    system = next((folder for folder in MANIFEST_FOLDERS if (Path(folder) / MANIFEST).exists()), None)
    if system is None:
        print("skipped: the Vulkan validation layers are not installed")
        return SKIPPED
    ours = str(build / "tests" / "vulkan_layers")
    programs = {str(build / "tests" / name): None if everything else SHORT[name]
                for name in (PROGRAMS if everything else SHORT)}
    rows = {program: vulkan_rows(program, functions) for program, functions in programs.items()}
    if not any(rows.values()):
        print("skipped: there is no Vulkan device")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vk_layer_settings.txt").write_text(SETTINGS, encoding="utf-8")
        above = (folder, [FAULTS, VALIDATION], [ours, system])
        below = (folder, [VALIDATION, FAULTS], [system, ours])
        witness = str(build / "tests" / "tst_backend_state")
        row = rows[witness][0]
        faults = shows(witness, row, environment(*above, "vkDestroyBuffer@1=skip"), "VUID-vkDestroyDevice")
        faults += shows(witness, row, environment(*above, "vkCmdPipelineBarrier@3+=skip"), "SYNC-HAZARD")
        for program in programs:
            plain = environment(folder, [VALIDATION], [system], "")
            faults += check(program, rows[program], plain, "as it is")
            if everything or program == witness:
                faults += check(program, rows[program], environment(*below, LEAST_LIMITS), "least limits")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
