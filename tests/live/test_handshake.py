"""The handshake: URL, headers, credentials, refusals and retries, in both clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from aiopenai import (
    APIConnectionError,
    APITimeoutError,
    AsyncAzureOpenAI,
    AuthenticationError,
    AzureOpenAI,
    Omit,
    OpenAIError,
)
from aiopenai._live.query import joined_query
from tests.conftest import RawServer

from .conftest import Both, Peer, Scripted
from .test_connections import echo


async def handshake(both: Both, server: Scripted, manager: Any) -> web.Request:
    async with both.opened(manager):
        pass
    return server.requests[-1]


@pytest.mark.parametrize(
    ("path", "arguments", "wanted"),
    [
        ("responses", {}, "/v1/responses"),
        ("beta.responses", {}, "/v1/responses"),
        ("realtime", {"model": "m"}, "/v1/realtime?model=m"),
        ("realtime", {"call_id": "c", "extra_query": {"call_id": "x"}}, "/v1/realtime?call_id=c"),
        ("realtime.translations", {"model": "m"}, "/v1/realtime/translations?model=m"),
        ("live", {}, "/v1/live/sessions"),
        ("live.forks", {"session_id": "sess/1"}, "/v1/live/sessions/sess%2F1/fork"),
        (
            "live.sideband",
            {"session_id": "s", "graceful_close": True},
            "/v1/live/sessions/s/attach?graceful_close=true",
        ),
        ("live.sideband", {"session_id": "s"}, "/v1/live/sessions/s/attach"),
        ("beta.realtime", {"model": "m"}, "/v1/realtime?model=m"),
    ],
)
async def test_urls(both: Both, path: str, arguments: dict[str, Any], wanted: str) -> None:
    async with Scripted(echo) as server:
        resource = both.client(server)
        for name in path.split("."):
            resource = getattr(resource, name)
        request = await handshake(both, server, resource.connect(**arguments))
        assert request.raw_path == wanted
        assert request.headers.get("OpenAI-Beta") == ("realtime=v1" if path == "beta.realtime" else None)
        assert request.headers["Authorization"] == "Bearer sk-test"
        assert "Sec-WebSocket-Extensions" not in request.headers


async def test_query_parameters_come_from_four_places(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(
            server, base_url=server.base_url + "?of=url&dq=2", default_query={"dq": 1, "nest": {"a": 1}}
        )
        extra = {
            "intent": "transcription",
            "dq": None,
            "l": [1, None, "x"],
            "nest": {"z": 1},
            "b": True,
            "model": "over",
        }
        request = await handshake(both, server, client.realtime.connect(model="m", extra_query=extra))
        assert sorted(request.query.items()) == sorted(
            [
                ("of", "url"),
                ("intent", "transcription"),
                ("dq", ""),
                ("l", "1"),
                ("l", ""),
                ("l", "x"),
                ("nest[z]", "1"),
                ("b", "true"),
                ("model", "over"),
            ]
        )


def test_omit_in_extra_query_drops_what_is_inherited() -> None:
    assert joined_query({"a": 1, "b": {"c": 2}}, "d=3", {"m": "x"}, {"a": Omit(), "b": [], "m": "y"}, {}) == "d=3&m=y"


async def test_a_websocket_base_url_replaces_the_base_url(both: Both) -> None:
    async with Scripted(echo) as server:
        for scheme in ("ws", "http"):
            base = f"{scheme}://127.0.0.1:{server.port}/other/?fixed=1"
            client = both.client(server, base_url="https://nowhere.invalid/v1?lost=1", websocket_base_url=base)
            request = await handshake(both, server, client.realtime.connect(model="m"))
            assert (request.path, dict(request.query)) == ("/other/realtime", {"fixed": "1", "model": "m"})
            assert request.headers["Authorization"] == "Bearer sk-test"


async def test_headers_are_merged_and_omitted(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(server, default_headers={"X-Own": "a", "X-Gone": "b"}, organization="org")
        headers = {"x-own": "c", "X-Gone": Omit(), "OpenAI-Beta": "mine"}
        request = await handshake(both, server, client.beta.realtime.connect(model="m", extra_headers=headers))
        assert request.headers["X-Own"] == "c"
        assert "X-Gone" not in request.headers
        assert request.headers["OpenAI-Beta"] == "mine"
        assert request.headers["OpenAI-Organization"] == "org"


async def test_a_key_function_is_asked_for_each_handshake(both: Both) -> None:
    keys = iter(["k1", "k2"])
    async with Scripted(echo) as server:
        client = both.client(server, api_key=lambda: next(keys))
        for key in ("k1", "k2"):
            request = await handshake(both, server, client.responses.connect())
            assert request.headers["Authorization"] == f"Bearer {key}"


async def test_missing_credentials_are_an_error_before_the_handshake(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(server, api_key="", admin_api_key="admin")
        with pytest.raises(OpenAIError, match="api_key"):
            await both(client.responses.connect().enter)
        assert server.requests == []
        request = await handshake(both, server, client.responses.connect(extra_headers={"Authorization": "own"}))
        assert request.headers["Authorization"] == "own"


async def test_a_refusal_is_the_typed_error(both: Both) -> None:
    async with Scripted(echo) as server:
        body = json.dumps({"error": {"message": "bad key", "code": "invalid_api_key"}})
        server.refusals = [web.Response(status=401, text=body, headers={"x-request-id": "req_1"})]
        with pytest.raises(AuthenticationError, match="bad key") as caught:
            await both(both.client(server).realtime.connect(model="m").enter)
        error = caught.value
        assert (error.status_code, error.code, error.request_id) == (401, "invalid_api_key", "req_1")
        assert error.response.headers["x-request-id"] == "req_1"
        assert error.response.text == body
        assert "sk-test" not in repr(error.request.headers)
        assert "sk-test" not in error.request.headers["authorization"]


async def test_a_refusal_worth_retrying_is_retried(both: Both) -> None:
    async with Scripted(echo) as server:
        server.refusals = [web.Response(status=503, headers={"retry-after-ms": "1"}) for _ in range(2)]
        client = both.client(server, max_retries=2)
        seen: list[Any] = []
        client.on_retry(lambda call: seen.append(call.status))
        async with both.opened(client.realtime.connect(model="m")) as connection:
            assert (await both(connection.recv)).type == "session.created"
        assert len(server.requests) == 3
        assert len({request.headers["Sec-WebSocket-Key"] for request in server.requests}) == 3
        assert seen == [503, 503]


async def test_a_reply_that_is_no_upgrade_says_so(both: Both) -> None:
    async with Scripted(echo) as server:
        server.refusals = [web.Response(text="<html>hello</html>", content_type="text/html")]
        with pytest.raises(OpenAIError, match=r"is not a websocket handshake.*hello"):
            await both(both.client(server).realtime.connect(model="m").enter)


async def test_no_server_is_a_connection_error(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(server)
    with pytest.raises(APIConnectionError):
        await both(client.realtime.connect(model="m").enter)


async def test_a_silent_server_is_a_timeout(both: Both, raw_server: Callable[..., Awaitable[RawServer]]) -> None:
    async def silent(server: RawServer, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.watch(reader)

    server = await raw_server(silent)
    manager = both.client(server).realtime.connect(model="m", websocket_connection_options={"open_timeout": 0.05})
    with pytest.raises(APITimeoutError):
        await both(manager.enter)
    await asyncio.wait_for(server.gone.wait(), 30)
    assert server.connections == 1


async def test_subprotocols_compression_and_sizes(both: Both) -> None:
    heard: list[Any] = []

    async def big(peer: Peer) -> None:
        await peer.say(json.dumps({"type": "big", "text": "x" * 3_000_000}))
        heard.append((await peer.socket.receive()).data)
        await peer.say('{"type":"heard"}')

    async with Scripted(big) as server:
        client = both.client(server)
        async with both.opened(client.realtime.connect(model="m")) as connection:
            assert len((await both(connection.recv)).text) == 3_000_000
        options: dict[str, Any] = {"compression": "deflate", "subprotocols": ["realtime"]}
        async with both.opened(client.realtime.connect(model="m", websocket_connection_options=options)) as connection:
            assert len((await both(connection.recv)).text) == 3_000_000
            await both(connection.send, {"type": "x", "text": "y" * 100_000})
            assert (await both(connection.recv)).type == "heard"
            assert json.loads(heard[-1]) == {"type": "x", "text": "y" * 100_000}
        assert "permessage-deflate" in server.requests[-1].headers["Sec-WebSocket-Extensions"]
        assert server.requests[-1].headers["Sec-WebSocket-Protocol"] == "realtime"
        options = {"max_size": 1000}
        async with both.opened(client.realtime.connect(model="m", websocket_connection_options=options)) as connection:
            with pytest.raises(OpenAIError, match="sent 1009"):
                await both(connection.recv)


async def test_hooks_see_the_handshake(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(server)
        seen: list[Any] = []
        client.on_response(lambda call: seen.append((call.status, call.path)))
        await handshake(both, server, client.realtime.connect(model="m"))
        assert seen == [(101, "/realtime")]


@pytest.mark.parametrize("deployment", [None, "dep"])
async def test_azure(both: Both, deployment: str | None) -> None:
    async with Scripted(echo) as server:
        kind = AzureOpenAI if both.blocking else AsyncAzureOpenAI
        endpoint = f"http://127.0.0.1:{server.port}"
        options = {"api_version": "2026-01-01", "azure_endpoint": endpoint, "azure_deployment": deployment}
        client: Any = kind(api_key="az", max_retries=0, **options)  # type: ignore[arg-type]
        extra = {"api-version": "x", "deployment": "y", "intent": "z"}
        request = await handshake(both, server, client.realtime.connect(model="m", extra_query=extra))
        assert request.path == "/openai/realtime"
        assert dict(request.query) == {"api-version": "2026-01-01", "deployment": deployment or "m", "intent": "z"}
        assert request.headers["api-key"] == "az"
        assert "Authorization" not in request.headers
        if deployment is None:
            with pytest.raises(OpenAIError, match="model"):
                await both(client.realtime.connect().enter)
        await both(client.close)
