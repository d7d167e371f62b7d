"""The parts that both transports share: bodies with a limit, draining, loops that end or stand still, other threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIResponseValidationError
from aiopenai._http.interface import Reply, Session, Settings, in_loop, later
from aiopenai._http.messages import HTTPRequest


class Recorded(Session):
    """A session that counts how often it is shut."""

    shut_count = 0

    async def send(self, *_: Any) -> Reply:
        raise AssertionError("nothing is sent here")

    def general(self) -> Session:
        return self

    @property
    def closed(self) -> bool:
        return bool(self.shut_count)

    async def shut(self) -> None:
        self.shut_count += 1

    def forget(self) -> None:
        raise AssertionError("nothing is forgotten here")


class Scripted(Reply):
    """A reply whose pieces are given: bytes, an error to raise, or a future to wait for."""

    def __init__(self, *pieces: Any, limit: int = 100) -> None:
        super().__init__(200, {"x-a": "1"}, 0.5, limit)
        self.pieces = list(pieces)
        self.close_count = 0

    @property
    def request(self) -> HTTPRequest:
        return HTTPRequest("GET", "https://h/x", {})

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @property
    def reason(self) -> str:
        return "Fine"

    @property
    def closed(self) -> bool:
        return bool(self.close_count)

    async def read_some(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, BaseException):
            raise piece
        return bytes(await piece if isinstance(piece, asyncio.Future) else piece)

    def close(self) -> None:
        self.close_count += 1

    def abandon(self) -> None:
        raise AssertionError("nothing is abandoned here")

    def at_end(self) -> bool:
        return not self.pieces


class TestSettings:
    def test_defaults(self) -> None:
        settings = Settings()
        assert {name: getattr(settings, name) for name in Settings.__slots__} == {
            "connector": None,
            "http_client": None,
            "max_response_bytes": 2**30,
            "plain_client": None,
            "proxy": None,
            "socket_options": (),
            "ssl": True,
            "trust_env": True,
        }

    def test_given(self) -> None:
        given = {name: object() for name in Settings.__slots__}
        settings = Settings(**given)  # type: ignore[arg-type]
        assert {name: getattr(settings, name) for name in Settings.__slots__} == given


class TestBodies:
    async def test_pieces_are_joined(self) -> None:
        reply = Scripted(b"a", b"bc", b"d")
        assert await reply.read() == b"abcd"
        assert await reply.read() == b""
        assert reply.close_count == 0

    async def test_a_body_of_exactly_the_limit(self) -> None:
        assert await Scripted(b"12", b"345", limit=5).read() == b"12345"

    async def test_a_body_beyond_the_limit_closes_the_connection(self) -> None:
        reply = Scripted(b"12", b"3456", b"never read", limit=5)
        with pytest.raises(APIResponseValidationError, match="max_response_bytes=5") as caught:
            await reply.read()
        assert reply.close_count == 1
        assert reply.pieces == [b"never read"]
        response = caught.value.response
        assert (response.status_code, response.reason_phrase, response.headers["x-a"]) == (200, "Fine", "1")
        assert response.request.url == "https://h/x"

    def test_nothing_is_whole_before_it_is_read(self) -> None:
        assert Scripted(b"a").whole() is None

    def test_items(self) -> None:
        assert list(Scripted().items()) == [("x-a", "1")]


class TestDrain:
    async def test_the_rest_is_read(self) -> None:
        reply = Scripted(b"a", b"b")
        await reply.drain(60)
        assert (reply.pieces, reply.close_count) == ([], 1)

    async def test_a_reply_at_its_end_is_not_read(self) -> None:
        reply = Scripted()
        reply.read_some = None  # type: ignore[assignment]
        await reply.drain(60)
        assert reply.close_count == 1

    async def test_a_rest_that_does_not_come_in_time(self) -> None:
        reply = Scripted(asyncio.get_running_loop().create_future())
        await reply.drain(0.01)
        assert reply.close_count == 1

    async def test_a_rest_that_fails(self) -> None:
        reply = Scripted(APIConnectionError(request=Scripted().request))
        await reply.drain(60)
        assert reply.close_count == 1


class TestEndOfALoop:
    def test_the_session_is_shut_with_its_loop(self) -> None:
        async def main() -> Recorded:
            session = Recorded(Settings())
            session.stand_by()
            assert session.loop is asyncio.get_running_loop()
            await asyncio.sleep(0)
            assert session.shut_count == 0
            return session

        assert asyncio.run(main()).shut_count == 1

    def test_a_closed_session_has_nothing_left_for_the_loop(self) -> None:
        async def main() -> Recorded:
            session = Recorded(Settings())
            session.stand_by()
            await session.close()
            assert session.shut_count == 2
            return session

        # Once by `close`, once by the generator that it ends.
        assert asyncio.run(main()).shut_count == 2

    async def test_closing_without_standing_by(self) -> None:
        session = Recorded(Settings())
        await session.close()
        assert session.shut_count == 1

    async def test_closing_while_the_loop_ends_it(self) -> None:
        """`aclose` of a generator that runs raises RuntimeError."""
        entered, go_on = asyncio.Event(), asyncio.Event()

        class Slow(Recorded):
            async def shut(self) -> None:
                await super().shut()
                if self.shut_count == 1:
                    entered.set()
                    await go_on.wait()

        session = Slow(Settings())
        session.stand_by()
        generator: Any = session._at_loop_end
        ending = asyncio.ensure_future(generator.aclose())
        await entered.wait()
        await session.close()
        assert session.shut_count == 2
        go_on.set()
        await ending


class TestStandingStill:
    def test_each_run_of_a_loop_is_told_once(self) -> None:
        async def make() -> Recorded:
            return Recorded(Settings())

        async def ask() -> list[bool]:
            return [session.stood_still(), session.stood_still()]

        loop = asyncio.new_event_loop()
        session = loop.run_until_complete(make())
        assert loop.run_until_complete(ask()) == [True, False]
        assert loop.run_until_complete(ask()) == [True, False]
        loop.close()


class TestOtherThreads:
    async def test_in_the_own_thread_it_runs_at_once(self) -> None:
        seen: list[Any] = []
        in_loop(asyncio.get_running_loop(), seen.append, 1)
        assert seen == [1]

    async def test_from_another_thread_it_runs_in_the_loop(self) -> None:
        loop = asyncio.get_running_loop()
        ran: asyncio.Future[threading.Thread] = loop.create_future()

        def note() -> None:
            ran.set_result(threading.current_thread())

        await asyncio.to_thread(in_loop, loop, note)
        assert await asyncio.wait_for(ran, 60) is threading.current_thread()

    async def test_in_another_running_loop_it_runs_in_its_own(self) -> None:
        mine = asyncio.get_running_loop()
        ran: asyncio.Future[Any] = mine.create_future()

        def note() -> None:
            ran.set_result(asyncio.get_running_loop())

        async def elsewhere() -> bool:
            in_loop(mine, note)
            return asyncio.get_running_loop() is mine

        assert await asyncio.to_thread(asyncio.run, elsewhere()) is False
        assert await asyncio.wait_for(ran, 60) is mine

    def test_on_a_stopped_loop_it_runs_at_once(self) -> None:
        loop = asyncio.new_event_loop()
        seen: list[Any] = []
        in_loop(loop, seen.append, 1)
        assert seen == [1]
        loop.close()

    @pytest.mark.parametrize("run", [later, in_loop], ids=["later", "in_loop"])
    def test_arguments_are_passed(self, run: Callable[..., None]) -> None:
        loop = asyncio.new_event_loop()
        seen: list[Any] = []
        run(loop, lambda *arguments: seen.append(arguments), 1, 2)
        loop.run_until_complete(asyncio.sleep(0))
        assert seen == [(1, 2)]
        loop.close()

    def test_later_waits_for_a_turn(self) -> None:
        loop = asyncio.new_event_loop()
        seen: list[int] = []
        later(loop, seen.append, 1)
        assert seen == []
        loop.run_until_complete(asyncio.sleep(0))
        assert seen == [1]
        loop.close()

    def test_a_closed_loop_is_left_alone(self) -> None:
        loop = asyncio.new_event_loop()
        loop.close()
        seen: list[int] = []
        with contextlib.closing(loop):
            later(loop, seen.append, 1)
        assert seen == []
