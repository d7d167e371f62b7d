"""Runs the scenarios of one framework with aiopenai or with the reference, and prints the outcomes as JSON.

    python -m tests.dropin.pairs dropin|reference tests.dropin.frameworks.langchain [SCENARIO ...]

A scenario is a public function of such a module. It gets the base URL of a local server of its own. The value that it
returns, and the requests that the server received, have to be the same in both modes. The modules of a folder with a
file `_scenarios.py` share its scenarios, and have a description `TRACER` instead.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import os
import re
import socket
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

# The file with the scenarios that all modules of its folder share.
SHARED = "_scenarios"
# Headers that identify the client or belong to one connection.
_OF_CLIENT = re.compile(
    r"x-stainless-.*|user-agent|accept.*|connection|host|content-(length|type)|traceparent|b3|x-irid"
)
# Values that differ between two runs of one program.
_RANDOM = (
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "SERVER"),
    (re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\bat 0x[0-9a-f]+"), "at ADDRESS"),
    (re.compile(r"\btook \d+\.\d+s"), "took TIME"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "TIME"),
)


def names_in(path: Path) -> tuple[str, list[str]]:
    """Returns the module that a file of scenarios needs, and the names of its scenarios, without importing it."""
    assigned = (node for node in _statements(path) if isinstance(node, ast.Assign))
    needs = next(node.value for node in assigned if ast.unparse(node.targets[0]) == "NEEDS")
    shared = path.with_stem(SHARED)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    defined = [node.name for node in _statements(shared if shared.exists() else path) if isinstance(node, functions)]
    return ast.literal_eval(needs), [name for name in defined if not name.startswith("_")]


def _statements(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text("utf-8")).body


def _scenarios(name: str, wanted: tuple[str, ...]) -> dict[str, Callable[[str], Any]]:
    """Imports a module, and returns its scenarios by name."""
    module = import_module(name)
    names = wanted or names_in(Path(str(module.__file__)))[1]
    if not hasattr(module, "TRACER"):
        return {each: getattr(module, each) for each in names}
    # Imported after the tracer, which has patched the classes by then.
    shared = import_module(f"{module.__package__}.{SHARED}")
    return {each: partial(getattr(shared, each), tracer=module.TRACER) for each in names}


def plain(value: Any) -> Any:
    """Returns a value as JSON knows it: pydantic objects as dicts, random values replaced."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "model_dump") and not isinstance(value, type):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(value.model_dump(mode="json"))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else repr(value)
    for pattern, word in _RANDOM:
        text = pattern.sub(word, text)
    return text


def _request(received: Any) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in received.headers.items()}
    kind = headers.get("content-type", "").partition(";")[0]
    return {
        "method": received.method,
        "path": received.path,
        "query": plain(dict(received.query)),
        "headers": {name: plain(value) for name, value in headers.items() if not _OF_CLIENT.fullmatch(name)},
        "body": plain(received.json()) if kind == "application/json" and received.body else kind,
    }


def _outcomes(name_of_module: str, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    from aiopenai.testing import Server

    # All in one loop: the reference's clients, which frameworks keep, work in no other.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for name, function in _scenarios(name_of_module, wanted).items():
        with Server() as server:
            os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_BASE"] = server.base_url
            outcome: dict[str, Any] = {}
            try:
                outcome["result"] = plain(_called(loop, function, server.base_url))
            except BaseException:
                outcome["error"] = traceback.format_exc()
            outcome["requests"] = [_request(each) for each in server.journal]
        yield name, outcome
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.wait(pending))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _called(loop: asyncio.AbstractEventLoop, function: Callable[[str], Any], url: str) -> Any:
    if not inspect.iscoroutinefunction(function):
        return function(url)
    return loop.run_until_complete(asyncio.wait_for(function(url), 60))


def _stay_on_loopback() -> None:
    """Makes every name but that of the own machine unknown: frameworks report home, and fetch tables of tokens."""
    resolve = socket.getaddrinfo

    def local(host: Any, *given: Any, **options: Any) -> Any:
        if host not in (None, "", "localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1"):
            raise socket.gaierror(socket.EAI_NONAME, f"{host}: the scenarios stay on the loopback interface")
        return resolve(host, *given, **options)

    socket.getaddrinfo = local
    if importlib.util.find_spec("tiktoken") is not None:
        tiktoken = import_module("tiktoken")
        ranks = {bytes([each]): each for each in range(256)}
        pieces = tiktoken.Encoding(
            "bytes", pat_str=r"[\s\S]", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 256}
        )
        tiktoken.get_encoding = tiktoken.encoding_for_model = lambda _: pieces


def main(mode: str, module: str, *wanted: str) -> None:
    os.environ.update(OPENAI_API_KEY="sk-test", OPENAI_BASE_URL="http://127.0.0.1:9/v1", NO_PROXY="*")
    if mode == "dropin":
        import_module("aiopenai.dropin")
    _stay_on_loopback()
    found = dict(_outcomes(module, wanted))
    source = sys.modules["openai"].__name__ if "openai" in sys.modules else None
    version = getattr(sys.modules.get("openai"), "__version__", None)
    # Threads of frameworks must not keep the process, and their farewells must not follow the JSON.
    sys.stdout.write("\n" + json.dumps({"scenarios": found, "version": version, "openai": source}) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
