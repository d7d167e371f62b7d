"""The reference's `omit` and `not_given` as values: they leave out arguments as aiopenai's own do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, NotGiven, Omit, OpenAI, Timeout
from aiopenai._base.sentinels import is_left_out
from aiopenai._data.encoder import encode
from aiopenai.testing import Server

MESSAGES: Any = [{"role": "user", "content": "x"}]


def sentinel(name: str, module: str) -> Any:
    return type(name, (), {"__module__": module, "__bool__": lambda _: False})()


SENTINELS = {
    f"{module}.{name}": sentinel(name, module)
    for module in ("openai", "openai._types")
    for name in ("NotGiven", "Omit")
}


@pytest.mark.parametrize("name", SENTINELS)
async def test_arguments(name: str, server: Server, client: AsyncOpenAI) -> None:
    value = SENTINELS[name]
    await client.chat.completions.create(
        model="m",
        messages=MESSAGES,
        temperature=value,
        tools=value,
        metadata=value,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": value}},
        extra_headers={"X-Absent": value},
    )
    request = server.journal[-1]
    shape = {"type": "json_schema", "json_schema": {"name": "n"}}
    assert request.json() == {"model": "m", "messages": MESSAGES, "response_format": shape}
    assert "x-absent" not in {each.lower() for each in request.headers}


@pytest.mark.parametrize("module", ["openai", "openai._types"])
def test_options(module: str) -> None:
    value = sentinel("NotGiven", module)
    with OpenAI(api_key="k", timeout=value) as client, OpenAI(api_key="k") as usual:
        assert client.timeout == usual.timeout
        copy = client.with_options(timeout=value, max_retries=value)
        assert (copy.timeout, copy.max_retries) == (usual.timeout, usual.max_retries)
    assert Timeout(3.0, connect=value).connect == 3.0


def test_classes() -> None:
    given, omitted = sentinel("NotGiven", "openai"), sentinel("Omit", "openai")
    assert isinstance(given, NotGiven)
    assert not isinstance(given, Omit)
    assert isinstance(omitted, Omit)
    assert not isinstance(omitted, NotGiven)
    assert encode({"a": given, "b": [omitted, 1]}) == b'{"b":[1]}'


@pytest.mark.parametrize(("name", "module"), [("NotGiven", "elsewhere"), ("Other", "openai"), ("Omit", "openai.types")])
def test_other_classes_are_values(name: str, module: str) -> None:
    value = sentinel(name, module)
    assert not is_left_out(value)
    assert not isinstance(value, (NotGiven, Omit))


def test_the_reference_itself() -> None:
    openai = pytest.importorskip("openai")
    assert all(map(is_left_out, (openai.NOT_GIVEN, openai.not_given, openai.omit, openai.NotGiven(), openai.Omit())))


def test_the_reference_is_not_imported() -> None:
    program = "import sys, aiopenai; aiopenai.OpenAI(api_key='k').chat; assert 'openai' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
