"""The trial of another release of the reference: an environment with it, a copy of this tree, and the checks there.

Nothing in the tree of the caller changes. The scratch environment has the release with its own dependencies, and finds
all other packages (pytest, mypy, aiohttp) in the environment that runs this module.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aiopenai._codegen import PIN
from aiopenai._codegen.drift import drift
from aiopenai._codegen.generate import generate
from aiopenai._codegen.notes import changelog
from aiopenai._codegen.output import read, write
from aiopenai._codegen.source import Source, at
from aiopenai._codegen.words import read_words

__all__ = ["CHECKS", "FollowError", "Outcome", "follow"]

ROOT = Path(__file__).parents[2]
CHECKS = ("tests/parity", "tests/typing")
_RELEASE = re.compile(r"\d+\.\d+\.\d+(?:[ab.]?[a-z]*\d+)?")
_COPIED = ("aiopenai", "benchmarks", "examples", "tests")
_PINNED = ("aiopenai/_codegen/__init__.py", "aiopenai/version.py", "pyproject.toml")
_IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")
# The last line of pytest, and the lines about tests that failed.
_SUMMARY = re.compile(r"^.*\b(?:passed|failed|error)\b.* in [\d.]+s.*$", re.MULTILINE)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", re.MULTILINE)


class FollowError(Exception):
    """A release could not be tried. The message has the reason and the cure."""


class Outcome(NamedTuple):
    """The results of a trial.

    notes: the drift as an entry of the changelog.
    todo: lines about methods without words and words without a method.
    tests: the last line of pytest. failed: the tests that failed.
    typing: the output of `mypy --strict`; empty if it found nothing.
    """

    version: str
    differences: int
    notes: str
    todo: list[str]
    tests: str
    failed: list[str]
    typing: str

    @property
    def fits(self) -> bool:
        """Whether the release needs no work."""
        return not (self.todo or self.failed or self.typing)

    def report(self) -> str:
        """Returns the outcome as text: the entry of the changelog, then all that is left to do."""
        work = [*self.todo, *(f"failed: {name}" for name in self.failed), *self.typing.splitlines()]
        lines = [
            self.notes,
            "",
            f"Tests: {self.tests}",
            f"Types: {'errors, see below' if self.typing else 'no errors'}",
        ]
        return "\n".join([*lines, *(["", "To do:", *(f"- {line}" for line in work)] if work else [])])


def follow(version: str, checks: Sequence[str] = CHECKS, *, scratch: Path | None = None) -> Outcome:
    """Tries a release, and returns the outcome.

    checks: the tests to run, relative to the root of the tree.
    scratch: a folder for the environment and the tree, which stays; None deletes both in the end.
    Raises `FollowError`, and the errors of the generator.
    """
    if not _RELEASE.fullmatch(version):
        raise FollowError(f"{version!r} is no release: give one such as {PIN}")
    for check in checks:
        if not (ROOT / check.partition("::")[0]).exists():
            raise FollowError(f"there is no {check} in {ROOT}: run this in a checkout, and give paths below its root")
    if scratch is None:
        with tempfile.TemporaryDirectory(prefix="aiopenai-follow-") as folder:
            return _try(version, checks, Path(folder))
    scratch.mkdir(parents=True, exist_ok=True)
    if any(scratch.iterdir()):
        raise FollowError(f"the folder {scratch} is not empty: name a new one")
    return _try(version, checks, scratch.resolve())


def _try(version: str, checks: Sequence[str], scratch: Path) -> Outcome:
    python, source = _environment(version, scratch / "environment")
    tree = _tree(version, scratch / "tree")
    words = read_words()
    files = generate(source, words=words)
    found = drift(read(ROOT / "aiopenai"), files)
    write(files, tree / "aiopenai")
    processes = ["-n", str(os.cpu_count() or 1)] if importlib.util.find_spec("xdist") else []
    tests = _run(python, tree, "-m", "pytest", "-q", "-rfE", "--color=no", *processes, *checks).stdout
    typing = _run(python, tree, "-m", "mypy", "--strict", "--no-color-output", "aiopenai")
    summary = _SUMMARY.findall(tests)
    if not summary:
        raise FollowError(f"the tests did not run:\n{tests[-2000:]}")
    return Outcome(
        version=source.version,
        differences=len(found),
        notes=changelog(PIN, source.version, found),
        todo=[
            *(f"no words: {name}" for name in sorted(words.silent)),
            *(f"words for nothing: {key}" for key in words.unknown()),
        ],
        tests=summary[-1].strip("= "),
        failed=_FAILED.findall(tests),
        typing=typing.stdout.strip() if typing.returncode else "",
    )


def _environment(version: str, folder: Path) -> tuple[Path, Source]:
    """Makes an environment with the release, and returns its interpreter and the source of the release."""
    _run(Path(sys.executable), ROOT, "-m", "venv", str(folder), check="an environment could not be made")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"openai=={version}")
    _run(python, ROOT, *install, check=f"openai {version} could not be installed")
    place = _run(python, ROOT, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    # Behind the packages of the scratch environment: those that the release brings win.
    tools = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (Path(place) / "zz_tools.pth").write_text("\n".join([*tools, ""]), encoding="utf-8")
    return python, at(Path(place))


def _tree(version: str, tree: Path) -> Path:
    """Copies the tree, with the release in place of the pin."""
    tree.mkdir()
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=_IGNORED)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, tree / path.name)
    for name in _PINNED:
        path = tree / name
        path.write_text(path.read_text(encoding="utf-8").replace(PIN, version), encoding="utf-8")
    return tree


def _run(python: Path, folder: Path, *arguments: str, check: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the interpreter in a folder whose modules win. With `check`, a failure raises `FollowError` with its end."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON", "OPENAI_"))}
    environment = {**own, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [str(python), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise FollowError(f"{check}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done
