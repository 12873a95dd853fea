# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""The repository as its tests see it: which files there are, what they include, which exceptions are allowed."""

import fnmatch
import os
import re

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
CPP_SUFFIXES = (".cpp", ".h", ".inl", ".inc")

_SKIPPED_FOLDERS = {".git", ".cache", "__pycache__", "node_modules"}
# One pass over code: comments, strings (raw ones too) and characters. A digit separator is no character.
_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<raw>R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<character>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')""",
    re.S,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)


class Violation(str):
    """One line for people: `path:line: rule: what is wrong`."""

    def __new__(cls, path, line, rule, text):
        self = super().__new__(cls, f"{path}:{line}: {rule}: {text}")
        self.path, self.line, self.rule = path, line, rule
        return self


def is_skipped_folder(name):
    return name in _SKIPPED_FOLDERS or name == "build" or name.startswith("build-")


def files(root, suffixes=None, under=()):
    """Paths relative to root with forward slashes, sorted; build folders and hidden tool folders left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_skipped_folder(name))
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            if suffixes and not path.endswith(suffixes) and name not in suffixes:
                continue
            if under and not path.startswith(tuple(under)):
                continue
            found.append(path)
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def _blank(text):
    return "".join("\n" if letter == "\n" else " " for letter in text)


def code_only(text):
    """Text with comments and literals blanked, lines kept. String quotes go too."""
    return _TOKENS.sub(lambda match: _blank(match.group()), text)


def without_comments(text):
    """Text with comments blanked and literals kept."""
    return _TOKENS.sub(lambda match: _blank(match.group()) if match.group("comment") else match.group(), text)


def includes(text):
    """[(line, target, quoted)] of every #include, also those that a platform switch leaves out."""
    text = without_comments(text)
    return [
        (text.count("\n", 0, match.start()) + 1, match.group(1) or match.group(2), match.group(1) is not None)
        for match in _INCLUDE.finditer(text)
    ]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Exceptions:
    """exceptions.txt: `rule  path-pattern  reason`, one a line; an exception that nothing needs is reported."""

    def __init__(self, lines):
        self.rows = []
        self.used = set()
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = line.split(None, 2)
            if len(fields) < 3:
                raise ValueError(f"exceptions.txt:{number}: an exception needs a rule, a path and a reason")
            self.rows.append(tuple(fields))

    @classmethod
    def load(cls):
        with open(os.path.join(os.path.dirname(__file__), "exceptions.txt"), encoding="utf-8") as file:
            return cls(file)

    def allows(self, rule, path):
        allowed = False
        for row in self.rows:
            if row[0] == rule and fnmatch.fnmatchcase(path, row[1]):
                self.used.add(row)
                allowed = True
        return allowed

    def unused(self, rules):
        return [row for row in self.rows if row[0] in rules and row not in self.used]
