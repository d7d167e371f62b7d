"""The sessions of a client by event loop: made on first use, closed with their loops, never shared with a child."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import http_parser

from aiopenai import AsyncOpenAI
from aiopenai._http import sessions as sessions_module
from aiopenai._http.connector import Connector
from aiopenai._http.direct import DirectSession
from aiopenai._http.general import GeneralSession
from aiopenai._http.interface import Session, Settings
from aiopenai._http.private import examine as examine_module
from aiopenai._http.private.connector import UnfitError
from aiopenai._http.sessions import Sessions, choose, release
from aiopenai.testing import Server

WIRINGS: dict[str, dict[str, Any]] = {"direct": {}, "general": {"connector": aiohttp.TCPConnector}}


@pytest.mark.parametrize("way", WIRINGS)
class TestLoops:
    def test_one_for_each_loop(self, way: str) -> None:
        with Server() as server:
            client = AsyncOpenAI(api_key="k", base_url=server.base_url, **WIRINGS[way])
            one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
            for loop in (one, other, one, other):
                loop.run_until_complete(client.models.list())
            assert server.connections == 2
            # A loop that ends in order closes its session.
            one.run_until_complete(one.shutdown_asyncgens())
            one.close()
            sessions: Any = client._sessions._sessions
            assert len(sessions._by_loop) == 2
            third = asyncio.new_event_loop()
            third.run_until_complete(client.models.list())
            # The session of the closed loop is forgotten when another is made.
            assert set(sessions._by_loop) == {other, third}
            other.run_until_complete(client.close())
            third.run_until_complete(asyncio.sleep(0))
            third.run_until_complete(asyncio.sleep(0.01))
            assert sessions.closed
            assert not sessions._by_loop
            for loop in (other, third):
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_a_loop_that_was_closed_with_its_connections(self, way: str) -> None:
        with Server() as server:
            client = AsyncOpenAI(api_key="k", base_url=server.base_url, **WIRINGS[way])
            loop = asyncio.new_event_loop()
            loop.run_until_complete(client.models.list())
            sessions: Any = client._sessions._sessions
            (session,) = sessions._by_loop.values()
            loop.close()
            assert not session.closed
            release(sessions._by_loop)
            assert not sessions._by_loop
            assert session.closed
            # Again, as a forked child does.
            session.forget()
            del client, sessions, session
            gc.collect()

    async def test_a_child_disowns_them(self, way: str, server: Server) -> None:
        sessions = Sessions(Settings(**WIRINGS[way]), choose)
        session = sessions.open()
        assert sessions.current() is session
        before = len(sessions_module._inherited)
        sessions.disown()
        assert sessions.current() is None
        assert session.closed
        # Kept alive: collecting it would close it by the parent's selector.
        assert sessions_module._inherited[before:] == [(asyncio.get_running_loop(), session)]
        del sessions_module._inherited[before:]
        sessions_module._after_fork()
        await session.close()

    async def test_a_client_that_is_dropped(self, way: str, server: Server, until: Any) -> None:
        client: Any = AsyncOpenAI(api_key="k", base_url=server.base_url, **WIRINGS[way])
        await client.models.list()
        session = client._sessions.current()
        del client
        gc.collect()
        await until(lambda: session.closed)
        await until(lambda: server.open_connections == 0)


class TestChoice:
    async def test_the_interface(self) -> None:
        for settings, kind in (
            (Settings(), DirectSession),
            (Settings(proxy="http://proxy.test"), GeneralSession),
            (Settings(connector=aiohttp.TCPConnector), GeneralSession),
        ):
            session = choose(settings)
            assert isinstance(session, Session)
            assert type(session) is kind
            assert not session.closed
            await session.close()
            assert session.closed

    async def test_the_checks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each difference of the parser's results is noticed."""
        connector = Connector(Settings())
        original = examine_module.parser_for

        class Other:
            """A parser that gives other results in one of its replies."""

            def __init__(self, number: int, change: Any, *arguments: Any) -> None:
                self._parser = original(*arguments)
                self._left = number
                self._change = change

            def feed_data(self, data: bytes) -> Any:
                messages, upgraded, tail = self._parser.feed_data(data)
                self._left -= 1
                return self._change(messages, upgraded, tail) if self._left == 0 else (messages, upgraded, tail)

        def upgraded(messages: Any, _: bool, tail: bytes) -> Any:
            return messages, True, tail

        def taken(messages: Any, is_upgraded: bool, tail: bytes) -> Any:
            for _, body in messages:
                body.read_nowait()
            return messages, is_upgraded, tail

        def surplus(messages: Any, is_upgraded: bool, tail: bytes) -> Any:
            return [*messages, 1], is_upgraded, tail

        def kept_open(messages: Any, is_upgraded: bool, tail: bytes) -> Any:
            ((_, body),) = messages
            return [(SimpleNamespace(should_close=False), body)], is_upgraded, tail

        for number, change in ((1, upgraded), (1, taken), (3, surplus), (4, kept_open)):
            examine_module._examine_parser.cache_clear()
            with monkeypatch.context() as patch:
                patch.setattr(
                    examine_module,
                    "parser_for",
                    lambda *arguments, number=number, change=change: Other(number, change, *arguments),
                )
                with pytest.raises(UnfitError):
                    examine_module.examine(connector)
        examine_module._examine_parser.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(aiohttp.TCPConnector, "_release", lambda self, key: None)
            with pytest.raises(UnfitError, match="_release"):
                examine_module.examine(connector)
            patch.undo()
            patch.setattr(http_parser, "HttpResponseParser", http_parser.HttpResponseParserPy)
            with pytest.raises(UnfitError, match="C parser"):
                examine_module.examine(connector)
        examine_module.examine(connector)
        await connector.close()


class TestOwnership:
    async def test_httpx_clients(self) -> None:
        httpx = pytest.importorskip("httpx2")
        async with httpx.AsyncClient() as given:
            # Handed over in place of a session, it sends itself.
            assert type(choose(Settings(http_client=given))).__name__ == "HttpxSession"
            # A plain one only names the wiring.
            plain = choose(Settings(plain_client=given))
            assert isinstance(plain, DirectSession)
            await plain.shut()
            # Hooks may come later.
            given.event_hooks["request"].append(print)
            assert type(choose(Settings(plain_client=given))).__name__ == "HttpxSession"

    async def test_a_session_of_the_program_is_not_closed_with_the_loop(self) -> None:
        async with aiohttp.ClientSession() as own:
            sessions = Sessions(Settings(http_client=own), choose)
            session: Any = sessions.open()
            assert isinstance(session, GeneralSession)
            assert session._at_loop_end is None
            await sessions.close()
            assert not own.closed

    async def test_closing_in_a_loop_without_a_session(self) -> None:
        sessions = Sessions(Settings(), choose)
        await sessions.close()
        assert sessions.closed
        assert sessions.current() is None


class TestClosing:
    async def test_the_session_of_this_loop_is_closed_at_once(self) -> None:
        sessions = Sessions(Settings(), choose)
        session = sessions.open()
        assert not session.closed
        await sessions.close()
        assert session.closed
        assert sessions.current() is None

    async def test_a_forked_child_disowns_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        several = [Sessions(Settings(), choose) for _ in range(2)]
        opened = [each.open() for each in several]
        # Only these: other clients of this process live on.
        monkeypatch.setattr(sessions_module, "_everywhere", {*several})
        monkeypatch.setattr(sessions_module, "_inherited", [])
        sessions_module._after_fork()
        assert [each.current() for each in several] == [None, None]
        assert all(each.closed for each in opened)
        assert len(sessions_module._inherited) == 2
