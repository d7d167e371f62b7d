"""Translation sessions on real loopback servers, in both clients, and the reference's queries."""

from __future__ import annotations

import asyncio
import inspect
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from aiopenai import APIResponseValidationError, AsyncAzureOpenAI, AzureOpenAI, OpenAIError, omit
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.lib import realtime_translation
from aiopenai.lib.realtime_translation import AsyncTranslationSession, TranslationSession
from aiopenai.providers import bedrock
from aiopenai.types.realtime import RealtimeTranslationSessionClosedEvent
from tests.live.conftest import Both, Peer, Scripted

CLOSED = '{"type":"session.closed","event_id":"e9"}'
DELTA = '{"type":"session.output_transcript.delta","event_id":"e1","delta":"Bon"}'
CLOSE = {"type": "session.close"}


def session(both: Both, server: Scripted, client: Any = None, **given: Any) -> Any:
    made: Any = TranslationSession if both.blocking else AsyncTranslationSession
    client = client or both.client(server)
    return made(client.realtime.translations, **{"model": "m", **given})


async def in_block(both: Both, opened: Any, body: Any) -> Any:
    """Runs `body(connection)` inside the session's block."""
    if not both.blocking:
        async with opened as connection:
            return await body(connection)

    def run() -> Any:
        with opened as connection:
            return asyncio.run(body(connection))

    return await asyncio.to_thread(run)


async def until_close(peer: Peer) -> None:
    """Answers each message with a delta, and the end of the session with its confirmation."""
    async for message in peer.socket:
        await peer.say(CLOSED if json.loads(message.data) == CLOSE else DELTA)


async def test_a_session_from_begin_to_end(both: Both) -> None:
    async with Scripted(until_close) as server:
        connection = await both(session(both, server).enter)
        await both(connection.send, {"type": "session.input_audio_buffer.append", "audio": "AAAA"})
        assert (await both(connection.recv)).delta == "Bon"
        await both(connection.send, CLOSE)
        # A second one is not sent.
        await both(connection.send, CLOSE)
        with pytest.raises(OpenAIError, match=r"no more input: session\.close was sent"):
            await both(connection.send, {"type": "session.update", "session": {}})
        closed = await both(connection.recv)
        assert isinstance(closed, RealtimeTranslationSessionClosedEvent)
        with pytest.raises(OpenAIError, match="no more input: the connection is closed"):
            await both(connection.send, CLOSE)
        with pytest.raises(WebSocketConnectionClosedError):
            await both(connection.recv)
        await both(connection.close)
    assert server.requests[0].path_qs == "/v1/realtime/translations?model=m"


@pytest.mark.parametrize("message", ['{"type":"session.closed"}', '{"type":"session.closed","event_id":7}'])
async def test_a_malformed_end_does_not_end_the_session(both: Both, message: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(message, '{"type":"later.kind","x":1}', "no json", '{"type":"error","error":{}}')
        await until_close(peer)

    async with Scripted(script) as server:
        connection = await both(session(both, server).enter)
        with pytest.raises(APIResponseValidationError, match=r"session\.closed is malformed"):
            await both(connection.recv)
        assert (await both(connection.recv)).x == 1
        with pytest.raises(APIResponseValidationError):
            await both(connection.recv)
        assert (await both(connection.recv)).type == "error"
        await both(connection.send, CLOSE)
        assert (await both(connection.recv)).event_id == "e9"


async def test_an_end_without_confirmation_raises(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.end()

    async with Scripted(script) as server:
        connection = await both(session(both, server).enter)
        with pytest.raises(WebSocketConnectionClosedError):
            await both(connection.recv)
        await both(connection.close)


async def test_an_event_that_cannot_be_sent_changes_nothing(both: Both) -> None:
    async with Scripted(until_close) as server:
        connection = await both(session(both, server).enter)
        with pytest.raises(TypeError):
            await both(connection.send, {"type": "session.close", "event_id": object()})
        await both(connection.send, CLOSE)
        assert (await both(connection.recv)).type == "session.closed"


class Interruption(BaseException):
    """An interruption in the middle of a send, such as Ctrl-C."""


async def test_a_send_that_fails_closes_the_session(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scripted(until_close) as server:
        connection = await both(session(both, server).enter)

        def fails(frame: str) -> Any:
            raise Interruption

        monkeypatch.setattr(connection._connection, "send_raw", fails)
        with pytest.raises(Interruption):
            await both(connection.send, CLOSE)
        with pytest.raises(OpenAIError, match="the connection is closed"):
            await both(connection.send, CLOSE)


async def test_the_exception_of_the_block_wins(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(connection: Any) -> None:
        close = connection.close

        def fails() -> Any:
            if both.blocking:
                close()
                raise OSError("closing")

            async def closing() -> None:
                await close()
                raise OSError("closing")

            return closing()

        monkeypatch.setattr(connection, "close", fails)
        if wrong:
            raise LookupError("mine")

    async with Scripted(until_close) as server:
        wrong = True
        with pytest.raises(LookupError, match="mine") as caught:
            await in_block(both, session(both, server), body)
        assert repr(caught.value.__cause__) == "OSError('closing')"
        wrong = False
        with pytest.raises(OSError, match="closing"):
            await in_block(both, session(both, server), body)


async def test_a_session_is_entered_once(both: Both) -> None:
    async with Scripted(until_close) as server:
        opened = session(both, server)
        connection = await both(opened.enter)
        with pytest.raises(RuntimeError, match="once"):
            await both(opened.enter)
        await both(connection.close)
    assert len(server.requests) == 1


async def test_recv_with_a_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(CLOSED)
        await peer.socket.receive()

    both = Both(blocking=True)
    async with Scripted(script) as server:
        connection = await both(session(both, server).enter)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(connection.recv, timeout=0.01)
        await both(connection.send, CLOSE)
        assert (await asyncio.to_thread(connection.recv, timeout=10)).type == "session.closed"
        with pytest.raises(OpenAIError, match="the connection is closed"):
            await both(connection.send, CLOSE)
        await both(connection.close)
    await both.close()


# Refusals before the handshake


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"base_url": "http://127.0.0.1:9/v1?intent=x"}, {}),
        ({"websocket_base_url": "ws://127.0.0.1:9/v1?intent=x"}, {}),
        ({"default_query": {"intent": "x"}}, {}),
        ({}, {"extra_query": {"intent": "x"}}),
        ({}, {"model": ""}),
    ],
    ids=["base_url", "websocket_base_url", "default_query", "extra_query", "model"],
)
async def test_arguments_that_are_refused(both: Both, options: Any, given: Any) -> None:
    async with Scripted(until_close) as server:
        client = both.client(server, **options)
        with pytest.raises(ValueError, match="model" if given.get("model") == "" else "intent"):
            await both(session(both, server, client, **given).enter)
        assert server.requests == []


@pytest.mark.parametrize("service", ["azure", "bedrock"])
async def test_services_that_are_refused(both: Both, service: str) -> None:
    async with Scripted(until_close) as server:
        if service == "azure":
            made: Any = AzureOpenAI if both.blocking else AsyncAzureOpenAI
            client = made(azure_endpoint="https://x.openai.azure.com", api_version="v", api_key="k")
        else:
            provider = bedrock(region="us-east-1", api_key="k")
            client = both.client(server, provider=provider, api_key=None, base_url=None)
        with pytest.raises(OpenAIError, match="only in OpenAI's own API"):
            await both(session(both, server, client).enter)
        await both(client.close)


async def test_other_resources_are_refused(both: Both) -> None:
    async with Scripted(until_close) as server:
        other: Any = AsyncTranslationSession if both.blocking else TranslationSession
        with pytest.raises(TypeError, match=r"client\.realtime\.translations"):
            other(both.client(server).realtime.translations, model="m")
        with pytest.raises(TypeError, match=r"client\.realtime\.translations"):
            session(both, server, SimpleNamespace(realtime=SimpleNamespace(translations=both.client(server).realtime)))


# The reference

QUERIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "base": ({"base": "?a=1&a=2&b=3&model=x"}, {}),
    "defaults-win": ({"base": "?a=1&b=3", "default_query": {"a": "9", "c": ["x", "y"]}}, {}),
    "websocket-wins": ({"base": "?a=1&b=3", "default_query": {"a": "9"}, "socket": "?a=5&a=6&d="}, {}),
    "extra-wins": ({"base": "?a=1", "socket": "?b=2"}, {"a": "7", "b": "8", "model": "n"}),
    "omitted": ({"base": "?a=1&b=2"}, {"a": omit}),
}


@pytest.mark.parametrize("case", QUERIES)
async def test_queries_are_those_of_the_reference(case: str) -> None:
    reference = pytest.importorskip("openai", reason="the reference SDK is not installed")
    module = pytest.importorskip("openai.lib.realtime_translation")
    options, extra = QUERIES[case]
    async with Scripted(until_close) as server:
        given = {"api_key": "k", "base_url": server.base_url + options.get("base", "")}
        if "default_query" in options:
            given["default_query"] = options["default_query"]
        if "socket" in options:
            given["websocket_base_url"] = f"ws://127.0.0.1:{server.port}/v1{options['socket']}"
        both = Both(blocking=False)
        ours = both.client(server, **given)
        async with AsyncTranslationSession(ours.realtime.translations, model="m", extra_query=extra):
            pass
        await both.close()
    async with reference.AsyncOpenAI(**given) as theirs:
        own = {name: reference.omit if value is omit else value for name, value in extra.items()}
        # Without a connection, which needs a further package.
        expected = module._connection_query(theirs, "m", own).multi_items()
    sent = parse_qsl(urlsplit(server.requests[0].path_qs).query, keep_blank_values=True)
    assert sorted(sent) == sorted(expected)


def test_names_and_signatures_are_those_of_the_reference() -> None:
    reference = pytest.importorskip("openai.lib.realtime_translation", reason="the reference SDK is not installed")
    assert sorted(reference.__all__) == realtime_translation.__all__
    for name in realtime_translation.__all__:
        for method in ("__init__", "send", "recv", "close", "enter"):
            if hasattr(getattr(reference, name), method):
                ours, theirs = (
                    inspect.signature(getattr(getattr(module, name), method)).parameters.values()
                    for module in (realtime_translation, reference)
                )
                assert [(each.name, each.kind, each.default) for each in ours] == [
                    (each.name, each.kind, each.default) for each in theirs
                ]
