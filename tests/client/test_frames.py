"""Error reporters print the local variables of each frame of a traceback: no credential is among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server
from tests.conftest import CHAT, RawServer

KEY = "sk-canary-0123456789abcdef"


def frames_of(error: BaseException) -> Iterator[Any]:
    """The frames of an error and of its causes and contexts, those of this file left out."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        pending += [each.__cause__, each.__context__]
        traceback = each.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename != __file__:
                yield traceback.tb_frame
            traceback = traceback.tb_next


def shown(value: Any, depth: int = 0) -> Iterator[str]:
    """As an error reporter serialises a value: mappings and sequences are walked, all else is its repr."""
    if depth < 5 and isinstance(value, Mapping):
        for name in list(value):
            yield from shown(name, depth + 1)
            yield from shown(value[name], depth + 1)
    elif depth < 5 and isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from shown(each, depth + 1)
    else:
        yield repr(value)
        if hasattr(value, "__rich_repr__"):
            yield repr(list(value.__rich_repr__()))


def leaks(error: BaseException) -> list[str]:
    found: list[str] = []
    for frame in frames_of(error):
        for name, value in frame.f_locals.items():
            if any(KEY in text for text in shown(value)):
                found.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name} {name}")
    return found


def closed_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


Call = Callable[[AsyncOpenAI], Coroutine[Any, Any, Any]]
CALLS: dict[str, Call] = {
    "not found": lambda client: client.models.retrieve("none"),
    "retries": lambda client: client.chat.completions.create(**CHAT),
    "stream": lambda client: client.chat.completions.create(**CHAT, stream=True),
    "raw": lambda client: client.chat.completions.with_raw_response.create(**CHAT),
    "timeout": lambda client: client.with_options(timeout=0.01).get("/slow", cast_to=object),
    "deadline": lambda client: client.get("/slow", cast_to=object, deadline=0.02),
    "cut": lambda client: client.get("/cut", cast_to=object),
    "html": lambda client: client.get("/html", cast_to=dict),
    "redirect": lambda client: client.get("/redirect", cast_to=object),
    "refused": lambda client: client.with_options(base_url=f"http://127.0.0.1:{closed_port()}").models.list(),
    "proxy": lambda client: AsyncOpenAI(
        api_key=KEY, base_url=client.base_url, proxy=f"http://127.0.0.1:{closed_port()}", max_retries=1
    ).models.list(),
    "header": lambda client: client.models.list(extra_headers={"X-A": "a\nb"}),
    "bad key": lambda client: client.with_options(api_key=f"{KEY}\n").models.list(),
}


MISSING: Any = {"method": "GET", "url": "/models/none"}
BLOCKING_CALLS: dict[str, Callable[[OpenAI], Any]] = {
    "not found": lambda client: client.models.retrieve("none"),
    "retries": lambda client: client.chat.completions.create(**CHAT),
    "stream": lambda client: client.chat.completions.create(**CHAT, stream=True),
    "raw": lambda client: client.chat.completions.with_raw_response.create(**CHAT),
    "map": lambda client: next(iter(client.map([MISSING]))).unwrap(),
    "html": lambda client: client.get("/html", cast_to=dict),
    "refused": lambda client: client.with_options(base_url=f"http://127.0.0.1:{closed_port()}").models.list(),
    "header": lambda client: client.models.list(extra_headers={"X-A": "a\nb"}),
    "file": lambda client: client.files.create(file=Path("/nonexistent"), purpose="batch"),
}


@pytest.fixture
async def keyed(server: Server) -> AsyncIterator[AsyncOpenAI]:
    server.fault(status=500, headers={"retry-after-ms": "1"}, match="completions", times=None)
    server.fault(delay=3, match="slow", times=None)
    server.fault(cut_after=10, match="cut", times=None)
    server.fault(status=302, headers={"location": "http://[bad"}, match="redirect", times=None)
    server.reply_with("/html", b"<html>", content_type="text/html")
    server.reply_with("/cut", {"a": "b" * 1000})
    login = server.base_url.replace("http://", f"http://user:{KEY}@")
    assert login
    async with AsyncOpenAI(
        api_key=KEY,
        admin_api_key=KEY,
        webhook_secret=KEY,
        base_url=server.base_url,
        default_headers={"Api-Key": KEY},
        max_retries=1,
    ) as client:
        yield client


@pytest.mark.usefixtures("transport")
class TestFrames:
    @pytest.mark.parametrize("name", CALLS)
    async def test_async(self, name: str, keyed: AsyncOpenAI) -> None:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of each kind
            await CALLS[name](keyed)
        assert list(frames_of(caught.value))
        assert leaks(caught.value) == []

    @pytest.mark.parametrize("name", BLOCKING_CALLS)
    def test_blocking(self, name: str) -> None:
        with Server() as server:
            server.fault(status=500, headers={"retry-after-ms": "1"}, match="completions", times=None)
            server.reply_with("/html", b"<html>", content_type="text/html")
            with OpenAI(api_key=KEY, base_url=server.base_url, max_retries=1) as client:
                with pytest.raises(Exception) as caught:  # noqa: PT011 - of each kind
                    BLOCKING_CALLS[name](client)
                found = leaks(caught.value)
        assert list(frames_of(caught.value))
        assert found == []

    @pytest.mark.parametrize("name", ["not found", "retries", "timeout", "cut"])
    async def test_a_key_of_a_function(self, name: str, keyed: AsyncOpenAI) -> None:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of each kind
            await CALLS[name](keyed.with_options(api_key=lambda: KEY))
        assert leaks(caught.value) == []

    async def test_a_stream_that_is_cut(self, raw_server: Any, sse: Any, chunk: Any) -> None:
        async def cut(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(server.head(kind="text/event-stream") + server.chunk(sse([chunk("a")], done=False)))
            await writer.drain()

        server = await raw_server(cut)
        async with AsyncOpenAI(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the call is a part of it
                async for _ in await client.chat.completions.create(**CHAT, stream=True):
                    pass
        assert leaks(caught.value) == []


class TestConstruction:
    @pytest.mark.parametrize(
        "options",
        [
            {"timeout": "5"},
            {"max_retries": -1},
            {"deadline": -1},
            {"base_url": f"http://user:{KEY}@"},
            {"base_url": f"user:{KEY}@host"},
            {"base_url": f"http://user:{KEY[:8]}/{KEY[8:]}@host"},
            {"http_client": object()},
            {"webhook_secret": 7},
        ],
        ids=range(8),
    )
    @pytest.mark.parametrize("cls", [AsyncOpenAI, OpenAI])
    def test_wrong_options(self, cls: Any, options: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)) as caught:
            cls(**{"api_key": KEY, **options})
        assert KEY not in str(caught.value)
        assert KEY[8:] not in str(caught.value)

    def test_keys_of_a_wrong_type(self) -> None:
        class SecretStr:
            """As pydantic has one."""

            def get_secret_value(self) -> str:
                return KEY

        for name in ("api_key", "admin_api_key", "webhook_secret"):
            with pytest.raises(TypeError, match=rf"{name} must be a str, not SecretStr: pass its get_secret_value"):
                AsyncOpenAI(**{"api_key": "k", name: SecretStr()})
            with pytest.raises(TypeError, match=rf"{name} must be a str, not bytes") as caught:
                AsyncOpenAI(**{"api_key": "k", name: KEY.encode()})
            assert KEY not in str(caught.value)
        client = AsyncOpenAI(api_key="k")
        with pytest.raises(TypeError, match="get_secret_value"):
            client.api_key = SecretStr()  # type: ignore[assignment]
        with pytest.raises(TypeError, match="get_secret_value"):
            client.with_options(api_key=SecretStr())  # type: ignore[arg-type]

    def test_pydantics_own(self) -> None:
        pydantic = pytest.importorskip("pydantic")
        with pytest.raises(TypeError, match="get_secret_value"):
            OpenAI(api_key=pydantic.SecretStr(KEY))

    def test_reprs(self) -> None:
        client = AsyncOpenAI(api_key=KEY, admin_api_key=KEY, default_headers={"Api-Key": KEY}, webhook_secret=KEY)
        for value in (client, client._configuration, client._provider, client._attempts, client._sessions):
            assert not any(KEY in text for text in shown(value))
        request: Any = client.models.list.request(extra_headers={"Api-Key": KEY})
        assert not any(KEY in text for text in shown(request))
        assert not any(KEY in text for text in shown(client._prepare(request)))
