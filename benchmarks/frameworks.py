"""CPU per call of whole frameworks, on the reference and on aiopenai in drop-in mode.

``python -m benchmarks.frameworks [--calls 200] [--turns 3] [--row NAME]`` prints a table. Install the frameworks with
``pip install -e '.[dropin-test]' && pip install openai==3.57.0``; rows whose framework is missing are named and left
out. Each figure comes from a process of its own. The server runs in another one, so its CPU does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Call = Callable[[], Awaitable[object]]

_QUESTION = "How are you today? " * 10
# Calls at once: one at a time, the kernel's part of the figure is as large as the client's.
_LANES = 20
_MODES = ("reference", "aiopenai")


class Row(NamedTuple):
    """One line of the table: `module` is the framework, `target` the least ratio that is expected."""

    title: str
    module: str
    make: Callable[[str], Call]
    target: float


def _bare(url: str) -> Call:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="k")
    messages: Any = [{"role": "user", "content": _QUESTION}]
    return lambda: client.chat.completions.create(model="gpt-4o-mini", messages=messages)


def _langchain(url: str) -> Any:
    module = importlib.import_module("langchain_openai")
    return module.ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="k")


def _langchain_invoke(url: str) -> Call:
    model = _langchain(url)
    return lambda: model.ainvoke(_QUESTION)


def _langchain_stream(url: str) -> Call:
    model = _langchain(url)

    async def call() -> int:
        return len([each async for each in model.astream(_QUESTION)])

    return call


def _agent(url: str) -> tuple[Any, Any]:
    agents = importlib.import_module("agents")
    openai = importlib.import_module("openai")
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=url, api_key="k")
    model = agents.OpenAIResponsesModel(model="gpt-4o-mini", openai_client=client)
    return agents.Runner, agents.Agent("a", instructions="Be brief.", model=model)


def _agents_run(url: str) -> Call:
    runner, agent = _agent(url)
    return lambda: runner.run(agent, _QUESTION)


def _agents_stream(url: str) -> Call:
    runner, agent = _agent(url)

    async def call() -> int:
        return len([each async for each in runner.run_streamed(agent, _QUESTION).stream_events()])

    return call


def _instructor(url: str) -> Call:
    instructor = importlib.import_module("instructor")
    openai = importlib.import_module("openai")
    pydantic = importlib.import_module("pydantic")
    city = pydantic.create_model("City", name=(str, ...), people=(int, ...))
    client = instructor.from_openai(openai.AsyncOpenAI(base_url=url, api_key="k"))
    messages = [{"role": "user", "content": _QUESTION}]
    return lambda: client.chat.completions.create(model="gpt-4o-mini", messages=messages, response_model=city)


def _pydantic_ai(url: str) -> Call:
    pydantic_ai = importlib.import_module("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.openai")
    providers = importlib.import_module("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(base_url=url, api_key="k")
    agent = pydantic_ai.Agent(models.OpenAIChatModel("gpt-4o-mini", provider=provider))
    return lambda: agent.run(_QUESTION)


def _llama_index(url: str) -> Call:
    openai = importlib.import_module("llama_index.llms.openai")
    llms = importlib.import_module("llama_index.core.llms")
    model = openai.OpenAI(model="gpt-4o-mini", api_base=url, api_key="k")
    messages = [llms.ChatMessage(role="user", content=_QUESTION)]
    return lambda: model.achat(messages)


ROWS: dict[str, Row] = {
    "bare": Row("chat call, no framework", "openai", _bare, 20),
    "langchain": Row("langchain `ainvoke`", "langchain_openai", _langchain_invoke, 6),
    "langchain-stream": Row("langchain `astream`", "langchain_openai", _langchain_stream, 2.5),
    "agents": Row("agents SDK `Runner.run`", "agents", _agents_run, 2.1),
    "agents-stream": Row("agents SDK `run_streamed`", "agents", _agents_stream, 4),
    "instructor": Row("instructor `create`", "instructor", _instructor, 2.6),
    "pydantic-ai": Row("pydantic-ai `Agent.run`", "pydantic_ai", _pydantic_ai, 1.5),
    "llama-index": Row("llama-index `achat`", "llama_index.llms.openai", _llama_index, 4.8),
}


def is_installed(module: str) -> bool:
    """Returns whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


async def measure(call: Call, calls: int) -> float:
    """Returns the CPU of this process per call, in microseconds, after a tenth of the calls as a warm-up."""

    async def lane(count: int) -> None:
        for _ in range(count):
            await call()

    await asyncio.gather(*(lane(max(1, calls // 10 // _LANES)) for _ in range(_LANES)))
    gc.collect()
    begin = time.process_time()
    await asyncio.gather(*(lane(calls // _LANES) for _ in range(_LANES)))
    return (time.process_time() - begin) / (calls // _LANES * _LANES) * 1e6


def _child(name: str, mode: str, url: str, calls: int) -> None:
    if mode == "aiopenai":
        importlib.import_module("aiopenai.dropin")
    print(json.dumps(asyncio.run(measure(ROWS[name].make(url), calls))), flush=True)
    # Threads of frameworks must not keep the process.
    os._exit(0)


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "aiopenai", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(word for word in process.stdout.readline().split() if word.startswith("http"))
        finally:
            process.terminate()


def run(name: str, url: str, *, calls: int, turns: int) -> dict[str, float]:
    """Returns the median of each mode's turns in microseconds; the modes take turns."""
    found: dict[str, list[float]] = {mode: [] for mode in _MODES}
    for _ in range(turns):
        for mode in _MODES:
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.frameworks", "--child", name, mode, url]
            done = subprocess.run([*command, "--calls", str(calls)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name} with {mode} failed: {done.stderr.strip()[-500:]}")
            found[mode].append(float(json.loads(done.stdout.strip().splitlines()[-1])))
    return {mode: statistics.median(values) for mode, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frameworks")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--row", action="append", choices=ROWS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _child(*given.child, given.calls)
    print("| CPU per call, us | aiopenai | reference | ratio | target |\n|---|---|---|---|---|", flush=True)
    with _server() as url:
        for name in given.row or ROWS:
            row = ROWS[name]
            if not is_installed(row.module):
                print(f"{row.title}: {row.module} is not installed", file=sys.stderr)
                continue
            cpu = run(name, url, calls=given.calls, turns=given.turns)
            ratio = cpu["reference"] / cpu["aiopenai"]
            shown = f"{cpu['aiopenai']:,.0f} | {cpu['reference']:,.0f} | {ratio:.1f} | {row.target:g}"
            print(f"| {row.title} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
