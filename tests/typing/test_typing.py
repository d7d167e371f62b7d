"""Types are behaviour: two type checkers must see what the modules beside this one say."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES = sorted(path for path in HERE.glob("*.py") if not path.name.startswith(("test_", "conftest", "__")))

# What a checker says about a line: its kind and the revealed type or the message; by file.
Findings = dict[str, dict[int, list[tuple[str, str]]]]


def run(*command: str) -> str:
    """What a checker says about all cases: most of its time goes into the package, which it reads once."""
    cases = map(str, CASES)
    done = subprocess.run(
        [sys.executable, "-m", *command, *cases], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.stdout


def by_mypy() -> Findings:
    found: Findings = {case.name: {} for case in CASES}
    # With the options of the command that checks the package, so that both have one cache.
    for line in run("mypy", "--strict", "--no-error-summary").splitlines():
        match = re.match(r"(.+?):(\d+): (error|note): (.*)", line)
        assert match, line
        path, number, kind, text = match.groups()
        assert Path(path).name in found, line
        if kind == "error":
            found[Path(path).name].setdefault(int(number), []).append(("error", text))
        elif revealed := re.match(r'Revealed type is "(.*)"', text):
            found[Path(path).name].setdefault(int(number), []).append(("type", revealed.group(1)))
    return found


def by_pyright() -> Findings:
    found: Findings = {case.name: {} for case in CASES}
    output = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable))
    for entry in output["generalDiagnostics"]:
        said = found[Path(entry["file"]).name].setdefault(entry["range"]["start"]["line"] + 1, [])
        if entry["severity"] == "error":
            said.append(("error", entry["message"]))
        elif revealed := re.match(r'Type of ".*" is "(.*)"$', entry["message"], re.DOTALL):
            said.append(("type", revealed.group(1)))
    return found


CHECKERS = {"mypy": by_mypy, "pyright": by_pyright}


@functools.cache
def findings(checker: str) -> Findings:
    return CHECKERS[checker]()


def short(text: str) -> str:
    """A type without module names."""
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
@pytest.mark.parametrize("checker", CHECKERS)
def test_types(checker: str, case: Path) -> None:
    if find_spec(checker) is None:
        pytest.skip(f"needs {checker}")
    found = findings(checker)[case.name]
    problems: list[str] = []
    for number, line in enumerate(case.read_text(encoding="utf-8").splitlines(), start=1):
        said = found.get(number, [])
        types = [short(text) for kind, text in said if kind == "type"]
        errors = [text for kind, text in said if kind == "error"]
        expected = re.search(r"# T: (.*)$", line)
        if expected and types != [expected.group(1)]:
            problems.append(f"{case.name}:{number}: expected {expected.group(1)}, revealed {types}")
        if bool(errors) != line.endswith("# E"):
            what = [text[:200] for text in errors] or "no error where one is due"
            problems.append(f"{case.name}:{number}: {what}: {line.strip()}")
    assert not problems, "\n".join(problems)
