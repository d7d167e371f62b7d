"""Installs the switch at the start of each interpreter below `python -m aiopenai exec`."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_here = Path(__file__).resolve().parent
# The environment's own `sitecustomize`, which this one hides, runs first.
_spec = PathFinder.find_spec(__name__, [path for path in sys.path if Path(path or ".").resolve() != _here])
if _spec is not None and _spec.loader is not None:
    _spec.loader.exec_module(module_from_spec(_spec))

import aiopenai.dropin  # noqa: E402, F401  # pyright: ignore[reportUnusedImport]
