"""An unpacked wheel: type checkers find the reference's module paths in it, which are no files of the tree."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Two thirds of a file of this wheel are its names and its hash: 1,900 stubs take 0.5 MB.
LIMIT = 2_150_000
PROGRAM = """\
from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.resources.chat.completions import AsyncCompletions, Completions
from aiopenai.types.chat.chat_completion import Choice


def blocking(client: OpenAI, completions: Completions, choice: Choice) -> None:
    completions = client.chat.completions
    reply = completions.create(model="gpt-4o", messages=[])
    reveal_type(reply)  # T: ChatCompletion
    reveal_type(completions.create(model="gpt-4o", messages=[], stream=True))  # T: Stream[ChatCompletionChunk]
    choice = reply.choices[0]
    reveal_type(choice.message.content)  # T: str | None
    choice.mesage  # E


async def asynchronous(client: AsyncOpenAI, completions: AsyncCompletions) -> None:
    completions = client.chat.completions
    reveal_type(await completions.create(model="gpt-4o", messages=[]))  # T: ChatCompletion
    completions.creates  # E
    completions = Completions(client)  # E
"""
# The findings on the program by line: revealed types, and `error`.
Findings = dict[int, list[str]]

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("hatchling", "pip"):
        pytest.importorskip(needed, reason=f"needs {needed}: pip install 'aiopenai[dev]'")
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("aiopenai-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    folder = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def by_mypy(program: Path, packages: Path) -> Findings:
    found: Findings = {}
    for line in checked(program, packages, "mypy", "--strict", "--no-error-summary", program.name).splitlines():
        match = re.match(r"(.+?):(\d+): (error|note): (.*)", line)
        assert match, line
        assert match[1] == program.name, line
        if match[3] == "error":
            found.setdefault(int(match[2]), []).append("error")
        elif revealed := re.match(r'Revealed type is "(.*)"', match[4]):
            found.setdefault(int(match[2]), []).append(revealed[1])
    return found


def by_pyright(program: Path, packages: Path) -> Findings:
    settings = {"typeCheckingMode": "strict", "include": [program.name], "extraPaths": [str(packages)]}
    # The program has expressions that do nothing: the errors in them are the test.
    (program.parent / "pyrightconfig.json").write_text(json.dumps({**settings, "reportUnusedExpression": False}))
    found: Findings = {}
    output = checked(program, packages, "pyright", "--outputjson", "--pythonpath", sys.executable)
    for entry in json.loads(output)["generalDiagnostics"]:
        assert Path(entry["file"]).name == program.name, entry
        findings = found.setdefault(entry["range"]["start"]["line"] + 1, [])
        if entry["severity"] == "error":
            findings.append("error")
        elif revealed := re.match(r'Type of ".*" is "(.*)"$', entry["message"], re.DOTALL):
            findings.append(revealed[1])
    return found


def checked(program: Path, packages: Path, *command: str) -> str:
    """The output of a checker that finds the package in the folder of the unpacked wheel."""
    environment = {**os.environ, "PYTHONPATH": str(packages), "MYPYPATH": str(packages)}
    run = functools.partial(subprocess.run, capture_output=True, text=True, check=False)
    done = run([sys.executable, "-m", *command], cwd=program.parent, env=environment)
    assert done.stderr == ""
    return str(done.stdout)


CHECKERS = {"mypy": by_mypy, "pyright": by_pyright}


def short(text: str) -> str:
    """A type without module names."""
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_types(unpacked: Path, tmp_path: Path, checker: str) -> None:
    if find_spec(checker) is None:
        pytest.skip(f"needs {checker}: pip install 'aiopenai[dev]'")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    check: Callable[[Path, Path], Findings] = CHECKERS[checker]
    found = check(program, unpacked)
    for number, line in enumerate(PROGRAM.splitlines(), start=1):
        findings = found.get(number, [])
        expected = line.partition("# T: ")[2]
        assert [short(each) for each in findings if each != "error"] == ([expected] if expected else []), line
        assert ("error" in findings) == line.endswith("# E"), line


def test_the_paths_are_files_of_the_wheel_only(unpacked: Path) -> None:
    for path in ("aiopenai/types/chat/chat_completion.pyi", "aiopenai/resources/chat/completions/__init__.pyi"):
        assert (unpacked / path).is_file()
        assert not (ROOT / path).exists()


def test_the_paths_are_modules_at_run_time(unpacked: Path) -> None:
    program = f"""
import aiopenai
assert aiopenai.__file__.startswith({str(unpacked)!r}), aiopenai.__file__
from aiopenai.resources.chat.completions import AsyncCompletions, completions
import aiopenai.types.chat
from aiopenai.types.chat.chat_completion_chunk import Choice
from aiopenai._streaming import SSEDecoder
assert completions.AsyncCompletions is AsyncCompletions is type(aiopenai.AsyncOpenAI(api_key="k").chat.completions)
assert Choice is aiopenai.types.chat.ChatCompletionChunkChoice
"""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=unpacked, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_size(wheel: Path) -> None:
    assert wheel.stat().st_size < LIMIT
