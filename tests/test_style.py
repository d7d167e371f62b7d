"""Plain English: the comments and docstrings of the hand-written code have few riddle words."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = {"types", "resources"}
RIDDLES = re.compile(r"\b(?:what|who(?:ever|se|m)?|(?:no|some|every|any)body)\b", re.IGNORECASE)
# Riddle words per 1,000 words. h11, httpcore, websockets and yarl have 0 to 1.6.
BOUND = 3.0
LONGEST_FILE = 450
LONGEST_FUNCTION = 60
# Longer functions: each of these is a list of options, one a line, and little else.
LISTS_OF_OPTIONS = {
    "aiopenai/_client/base.py": {"__init__", "copy"},
    "aiopenai/_client/configuration.py": {"of"},
    "aiopenai/_codegen/read_resources.py": {"method"},
    "aiopenai/testing/server.py": {"__init__"},
}


def modules() -> list[Path]:
    """The hand-written modules of the package."""
    found = sorted((ROOT / "aiopenai").rglob("*.py"))
    return [path for path in found if path.relative_to(ROOT).parts[1] not in GENERATED]


def pieces(source: str) -> Iterator[tuple[int, str]]:
    """The docstrings and comments of a module, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def test_riddle_words() -> None:
    words = 0
    found: list[str] = []
    for path in modules():
        for line, piece in pieces(path.read_text(encoding="utf-8")):
            plain = re.sub(r"`[^`]*`", "", piece)
            words += len(re.findall(r"\w+", plain))
            found += [f"{path.relative_to(ROOT)}:{line}: {word}" for word in RIDDLES.findall(plain)]
    assert 1000 * len(found) / words <= BOUND, "\n".join([f"{len(found)} riddle words in {words} words", *found[:40]])


def test_files_and_functions_are_short() -> None:
    long: list[str] = []
    for path in modules():
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        if lines > LONGEST_FILE:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                allowed = node.name in LISTS_OF_OPTIONS.get(path.relative_to(ROOT).as_posix(), ())
                if length > LONGEST_FUNCTION and not allowed:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {length} lines")
    assert long == []
