# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Who may see whom, and what may not occur where. docs/architecture.md says why.

Rules are data at the top; the functions below apply them to a tree and return Violations.
"""

import re

from source_tree import (CPP_SUFFIXES, Violation, code_only, files, includes, line_of, read, without_comments)

# Folder -> folders whose headers it may include, besides its own. The longest matching folder counts. A folder of
# first-party code that is missing here is a violation: a new part must be given its place.
_ENGINE = "core/engine/"
_BACK_END_SEES = ["backends/api", _ENGINE + "base", _ENGINE + "quant", _ENGINE + "graph"]
MAY_SEE = {
    _ENGINE + "base": [],
    _ENGINE + "quant": [_ENGINE + "base"],
    _ENGINE + "gguf": [_ENGINE + part for part in ("base", "quant")],
    _ENGINE + "graph": [_ENGINE + part for part in ("base", "quant")],
    _ENGINE + "arch": [_ENGINE + part for part in ("base", "quant", "gguf", "graph")],
    _ENGINE + "text": [_ENGINE + part for part in ("base", "gguf")],
    _ENGINE + "chat": [_ENGINE + part for part in ("base", "gguf", "text")],
    _ENGINE + "sampling": [_ENGINE + part for part in ("base", "text")],
    _ENGINE + "session": [_ENGINE.rstrip("/")],
    "core/protocol": [_ENGINE + part for part in ("base", "graph", "sampling")],
    "core/host": ["core/engine", "core/protocol", "backends/api"],
    "core/app": ["core/engine", "core/protocol"],
    "core/worker": ["core/engine", "core/protocol", "core/host", "backends/api", "backends/cpu"],
    "core/cli": ["core/engine", "core/protocol", "core/host", "core/app", "backends/api"],
    "backends/api": [_ENGINE + "base", _ENGINE + "quant", _ENGINE + "graph"],
    "backends/*": _BACK_END_SEES,
    # A scripted device that computes (docs/adr/0017) borrows the oracle's loops.
    "backends/fake": _BACK_END_SEES + ["backends/reference"],
    "plugins/*/*": ["core/app", _ENGINE + "base", "plugins/importers/common"],
    "gui": ["core/app"],
    "tests": ["*"],
    "tools": ["*"],
}

# The files outside these folders that may include Qt: the plugin shims and what they implement.
QT_FREE = ("core/engine/", "core/protocol/", "backends/")
QT_SHIMS = re.compile(r"^backends/(?:[^/]+/plugin\.cpp|api/plugin\.h)$")
# Below gui nothing may need a screen.
QT_CORE_ONLY = ("core/",)
_QT = re.compile(r"^Q[A-Z]\w*$|^Qt\w+(?:/.*)?$|^q[a-z]+\.h$")
_QT_SCREEN = re.compile(r"^Q(?:t(?:Gui|Widgets|Quick\w*|Qml\w*)(?:/|$)"
                        r"|(?:Gui|Window|Widget|Image|Painter|Pixmap|Icon|Color|Font|Clipboard|Screen|Quick|Qml)[A-Z]?)")

# rule, folders, pattern searched in code without comments and literals, what is wrong.
FORBIDDEN_CODE = [
    ("regex", ("core/", "backends/"), r"\bstd::(?:basic_|w)?regex\b|\bstd::regex_\w+",
     "std::regex recurses on its input and is slow; write the matcher by hand"),
    ("environment", ("core/engine/", "core/protocol/", "backends/"), r"\b(?:secure_)?getenv\s*\(|\benviron\b",
     "the environment is read by the programs and passed in"),
    ("printing", ("core/engine/", "core/protocol/", "backends/"),
     r"\b(?:std::)?(?:v|f|d|vf|vd)?printf\s*\(|\b(?:std::)?f?put(?:s|c|char)\s*\(|\bperror\s*\("
     r"|\bstd::(?:cout|cerr|clog|wcout|wcerr)\b",
     "nothing below the programs prints; return an Error or a value"),
    ("ending", ("core/engine/", "core/protocol/", "backends/"),
     r"\b(?:std::)?(?:abort|_?exit|_Exit|quick_exit|terminate)\s*\(|\b__builtin_(?:abort|trap)\b",
     "nothing below the programs ends the process; return an Error"),
    ("throwing", ("core/", "backends/", "plugins/"), r"\bthrow\b(?!\s*;)",
     "we throw no exceptions; return an Error"),
    ("subset", ("core/", "backends/", "plugins/", "gui/", "tests/"),
     r"\bstd::(?:format|jthread|stop_token|source_location|views|ranges::views)\b",
     "not in the C++20 subset of CONTRIBUTING.md: one of our compilers lacks it"),
]
FORBIDDEN_HEADERS = [
    ("regex", ("core/", "backends/"), {"regex"}),
    ("printing", ("core/engine/", "core/protocol/", "backends/"), {"iostream", "print"}),
    ("subset", ("core/", "backends/", "plugins/", "gui/", "tests/"),
     {"format", "source_location", "stop_token", "ranges"}),
]

# Names of model families belong into core/engine/arch. Searched in code and literals, not in comments: those name
# papers and programs. "llama.cpp" is a program.
_FAMILIES = (r"llama(?!\.cpp)|mistral|mixtral|qwen|gemma|gpt-?2|gpt-?neox|gpt-?oss|deepseek|falcon|starcoder|stablelm"
             r"|mamba|rwkv|olmo|internlm|baichuan|chatglm|minicpm|command-?r|granite|exaone|nemotron|smollm"
             r"|(?<![a-z])phi-?[0-9]")
FAMILY = re.compile(_FAMILIES, re.I)
FAMILY_FOLDERS = ("core/", "backends/", "plugins/", "gui/", "cmake/")
FAMILY_HOME = "core/engine/arch/"

BOUNDARY = "backends/api/backend.h"
BOUNDARY_LINES = 200

_OPEN_WORK = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_ISSUE = re.compile(r"#\d+|\bissue \d+")

# Python is included: tools/ is ours too. The rules name the words, so they are not searched for them.
TEXT_SUFFIXES = CPP_SUFFIXES + (".py", ".sh", ".cmake", ".qml", ".comp", ".glsl", "CMakeLists.txt", "dev")
RULES = ("direction", "placeless", "qt", "family", "boundary", "open-work", "regex", "environment", "printing", "ending",
         "throwing", "subset")


def _folder_rule(path):
    """(own folder, may see) of the longest entry of MAY_SEE that covers the path; None where there is none."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        own = "/".join(parts[:length])
        for folder, seen in MAY_SEE.items():
            pattern = folder.split("/")
            if len(pattern) == length and all(p in ("*", part) for p, part in zip(pattern, parts)):
                # "backends/*" is every back end but the one with a row of its own.
                if "*" in folder and own in MAY_SEE:
                    continue
                return own, seen
    return None


def _covers(folder, target):
    return folder == "*" or target == folder or target.startswith(folder + "/")


def check_directions(root, path, text):
    rule = _folder_rule(path)
    if rule is None:
        return [Violation(path, 1, "placeless", "this folder has no place in MAY_SEE of layer_rules.py")]
    own, seen = rule
    found = []
    for line, target, quoted in includes(text):
        if not quoted or not target.startswith(("core/", "backends/", "plugins/", "gui/", "tests/")):
            continue
        if _covers(own, target) or any(_covers(folder, target) for folder in seen):
            continue
        found.append(Violation(path, line, "direction", f"{own} may not see {target}"))
    return found


def check_qt(root, path, text):
    found = []
    for line, target, _ in includes(text):
        if not _QT.match(target):
            continue
        if path.startswith(QT_FREE) and not QT_SHIMS.match(path):
            found.append(Violation(path, line, "qt", f"{target}: this folder knows no Qt"))
        elif path.startswith(QT_CORE_ONLY) and _QT_SCREEN.match(target):
            found.append(Violation(path, line, "qt", f"{target}: core uses QtCore only"))
    return found


def check_code(root, path, text):
    found = []
    code = code_only(text)
    for rule, folders, pattern, advice in FORBIDDEN_CODE:
        if path.startswith(folders):
            for match in re.finditer(pattern, code):
                name = match.group().rstrip("( \t")
                found.append(Violation(path, line_of(code, match.start()), rule, f"{name}: {advice}"))
    for rule, folders, headers in FORBIDDEN_HEADERS:
        if path.startswith(folders):
            found += [Violation(path, line, rule, f"<{target}> may not be included here")
                      for line, target, quoted in includes(text) if not quoted and target in headers]
    return found


def check_families(root, path, text):
    if not path.startswith(FAMILY_FOLDERS) or path.startswith(FAMILY_HOME):
        return []
    text = without_comments(text) if path.endswith(CPP_SUFFIXES) else re.sub(r"#.*", "", text)
    return [Violation(path, line_of(text, match.start()), "family",
                      f"{match.group()}: model families are known to {FAMILY_HOME} only")
            for match in FAMILY.finditer(text)]


def check_open_work(root, path, text):
    return [Violation(path, number, "open-work", "open work needs the number of an issue, for example FIXME: (issue 7) ...")
            for number, line in enumerate(text.splitlines(), 1) if _OPEN_WORK.search(line) and not _ISSUE.search(line)]


def check_boundary(root, path, text):
    if path != BOUNDARY:
        return []
    lines = len(text.splitlines())
    if lines <= BOUNDARY_LINES:
        return []
    return [Violation(path, lines, "boundary", f"{lines} lines; the boundary has at most {BOUNDARY_LINES}")]


CPP_CHECKS = (check_directions, check_qt, check_code, check_boundary)
TEXT_CHECKS = (check_families, check_open_work)


def check_tree(root, exceptions):
    """Every violation in the tree that no exception allows."""
    found = []
    for path in files(root, TEXT_SUFFIXES):
        text = read(root, path)
        checks = TEXT_CHECKS
        if path.endswith(CPP_SUFFIXES):
            checks += CPP_CHECKS
        if path.startswith("tests/unit/repo/"):
            continue
        for check in checks:
            found += check(root, path, text)
    return [violation for violation in found if not exceptions.allows(violation.rule, violation.path)]
