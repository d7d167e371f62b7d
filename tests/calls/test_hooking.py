"""Hooks: added, removed, inherited by copies, and harmless."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aiopenai import APIError, AsyncOpenAI, OpenAI
from aiopenai._calls.watching import CallInfo, Hooks
from aiopenai.testing import Server

KEY = "sk-very-secret"
NAMES = [name for name, _ in inspect.getmembers(Hooks, inspect.isfunction) if name.startswith("on_")]
SOON = {"retry-after-ms": "1"}


class Seen(Hooks):
    """Notes what it is told, and checks what holds for all calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.calls: list[CallInfo] = []
        self.snapshots: list[dict[str, Any]] = []

    def note(self, name: str, call: CallInfo) -> None:
        if call not in self.calls:
            self.calls.append(call)
        self.told.append(name)
        self.snapshots.append(dict(vars(call)))

    def on_request(self, call: CallInfo) -> None:
        self.note(f"request {call.attempt}", call)

    def on_retry(self, call: CallInfo) -> None:
        assert call.error is not None
        assert call.wait is not None
        self.note(f"retry {call.attempt}", call)

    def on_response(self, call: CallInfo) -> None:
        assert call.error is None
        self.note(f"response {call.status}", call)

    def on_stream_first_event(self, call: CallInfo) -> None:
        assert call.first_event_after is not None
        self.note("first event", call)

    def on_stream_end(self, call: CallInfo) -> None:
        self.note("end", call)

    def on_error(self, call: CallInfo) -> None:
        self.note(f"error {type(call.error).__name__}", call)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def client(server: Server, seen: Seen) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=server.base_url, hooks=seen) as client:
        yield client


@pytest.fixture
def blocking(seen: Seen) -> Iterator[tuple[OpenAI, Server]]:
    with Server() as server, OpenAI(api_key=KEY, base_url=server.base_url, hooks=seen) as client:
        yield client, server


class TestAttaching:
    async def test_functions(self, server: Server, chat: dict[str, Any]) -> None:
        async with AsyncOpenAI(api_key=KEY, base_url=server.base_url) as client:
            told: list[str] = []
            for name in NAMES:
                function = lambda call, name=name: told.append(name)  # noqa: E731
                assert getattr(client, name)(function) is function

            @client.on_response
            def second(call: CallInfo) -> None:
                told.append("second")

            async for _ in await client.chat.completions.create(**chat, stream=True):
                pass
            assert told == ["on_request", "on_response", "second", "on_stream_first_event", "on_stream_end"]

    async def test_copies(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        copy = client.with_options(max_retries=0)
        more = Seen()
        copy.add_hooks(more)
        await copy.chat.completions.create(**chat)
        assert seen.told == more.told == ["request 1", "response 200"]
        await client.chat.completions.create(**chat)
        assert len(more.told) == 2
        assert len(seen.told) == 4

    async def test_removing(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        told: list[CallInfo] = []
        client.on_response(told.append)
        client.remove_hooks(seen)
        await client.chat.completions.create(**chat)
        assert seen.told == []
        assert len(told) == 1
        other = AsyncOpenAI(api_key="k", hooks=seen)
        other.remove_hooks(seen)
        other.remove_hooks(seen)
        assert other._hooks is None

    def test_only_what_a_class_has_of_its_own(self) -> None:
        class One(Hooks):
            def on_error(self, call: CallInfo) -> None: ...

        client = AsyncOpenAI(api_key="k", hooks=One())
        assert client._hooks is not None
        assert [name for name, hooks in client._hooks.items() if hooks] == ["on_error"]

    def test_what_cannot_be_a_hook(self) -> None:
        async def coroutine(call: CallInfo) -> None: ...

        client = OpenAI(api_key="k")
        for wrong in (coroutine, None, "x"):
            with pytest.raises(TypeError, match="on_error takes a plain function"):
                client.on_error(wrong)  # type: ignore[type-var]

    async def test_state(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        found: list[Any] = []
        client.on_request(lambda call: call.state.update(mine=call.path))
        client.on_response(lambda call: found.append(call.state.pop("mine")))
        await client.chat.completions.create(**chat)
        assert found == ["/chat/completions"]


class TestSafety:
    @pytest.mark.parametrize("name", NAMES)
    async def test_what_hooks_raise_is_logged(
        self, name: str, client: AsyncOpenAI, server: Server, chat: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(call: CallInfo) -> None:
            raise ZeroDivisionError("mine")

        getattr(client, name)(broken)
        server.fault(status=500, headers=SOON)
        with caplog.at_level(logging.ERROR, "aiopenai"):
            async for _ in await client.chat.completions.create(**chat, stream=True):
                pass
            server.fault(status=400)
            with pytest.raises(APIError):
                await client.chat.completions.create(**chat)
        assert {(record.name, record.exc_info[0]) for record in caplog.records if record.exc_info} == {
            ("aiopenai", ZeroDivisionError)
        }

    async def test_no_keys_and_no_messages(
        self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]
    ) -> None:
        secret = "what nobody should see"
        messages = [{"role": "user", "content": secret}]
        headers = {"Authorization": f"Bearer {secret}", "api-key": secret}
        options: dict[str, Any] = {"extra_headers": headers, "extra_query": {"key": secret}, "user": secret}
        url = server.base_url.replace("://", f"://user:{KEY}@")
        for options_ in (options, {**options, "stream": True}):
            for own in (client, client.with_options(base_url=url)):
                server.fault(status=429, headers=SOON)
                answer = await own.chat.completions.create(**{**chat, "messages": messages}, **options_)
                if options_.get("stream"):
                    _ = [event async for event in answer]
            server.fault(status=401, body={"error": {"message": "no"}}, headers=SOON)
            with pytest.raises(APIError):
                await client.chat.completions.create(**{**chat, "messages": messages}, **options_)
        for snapshot in seen.snapshots:
            error = snapshot["error"]
            shown = json.dumps(snapshot, default=repr) + repr(error) + repr(getattr(error, "__dict__", ""))
            assert KEY not in shown
            assert secret not in shown

    async def test_no_cost_without(self, server: Server, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> None:
            raise AssertionError("made for nobody")

        monkeypatch.setattr("aiopenai._calls.watching.Watch.__init__", fail)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            stream = await client.chat.completions.create(**chat, stream=True)
            assert stream.watch is None
            assert [event async for event in stream]
