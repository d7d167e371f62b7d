"""`python -m aiopenai exec`: runs a program in which `openai` resolves to aiopenai, and in its child processes too."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from aiopenai._cli.output import OutputError

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("-m", dest="module", action="store_true", help="PROGRAM is the name of a module")
    parser.add_argument("program", metavar="PROGRAM", help="a Python file, or a command such as uvicorn")
    parser.add_argument("rest", metavar="ARGS", nargs=argparse.REMAINDER, help="the arguments of the program")
    parser.set_defaults(command=_execute)


def _execute(arguments: argparse.Namespace) -> int:
    program: str = arguments.program
    if arguments.module:
        command = [sys.executable, "-m", program]
    elif program.endswith((".py", ".pyz")) or Path(program).is_dir():
        command = [sys.executable, program]
    elif (found := shutil.which(program)) is not None:
        command = [found]
    else:
        raise OutputError(f"exec: {program} is neither a Python file nor a command; -m runs a module")
    command += arguments.rest
    environment = _environment()
    if sys.platform != "win32":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    # `exec` of Windows starts another process and ends this one, so a shell would not wait.
    return subprocess.run(command, env=environment, check=False).returncode


def _environment() -> dict[str, str]:
    """Returns the environment with a `sitecustomize` that installs the switch, before all other module paths."""
    root = Path(__file__).parents[1]
    # The last path lets the program import this package, wherever it is.
    paths = [str(root / "_dropin" / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep), str(root.parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path for path in paths if path))}
