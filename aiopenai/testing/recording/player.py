"""The player: answers requests from the folder of a recording."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, get_args

from aiohttp import web

from aiopenai.testing.engine.passing import Passing, ReplySource, Work
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.values import error_body
from aiopenai.testing.recording.bodies import canonical
from aiopenai.testing.recording.cleaning import Cleaner
from aiopenai.testing.recording.folder import Closing, Exchange, Folder, Message
from aiopenai.testing.recording.nearest import comparable, not_recorded
from aiopenai.testing.recording.pieces import cut_up
from aiopenai.testing.recording.recorder import Recorder, recorded_request
from aiopenai.testing.recording.socket_player import SocketPlayer

__all__ = ["Player", "Unknown"]

Unknown: TypeAlias = Literal["fail", "answer", "record"]
_UNKNOWN = get_args(Unknown)


class Player(ReplySource):
    """A source of replies from a recording. `Server.replay` makes it, and explains its arguments.

    unknown_requests: descriptions of the requests that were refused, each with the nearest recorded request.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        upstream: str,
        *,
        ignore: Iterable[str] = (),
        speed: float | None = None,
        unknown: Unknown = "fail",
        repeat: bool = True,
        on_unknown: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(ignore, str):
            raise ValueError(f"ignore is a list of names: give [{ignore!r}]")
        if speed is not None and not speed > 0:
            raise ValueError("speed must be above 0: 1 keeps the recorded times, None sends at once")
        if unknown not in _UNKNOWN:
            raise ValueError(f"unknown must be one of {', '.join(_UNKNOWN)}: not {unknown!r}")
        self._ignore = frozenset(ignore)
        self._speed = speed
        self._unknown = unknown
        self._repeat = repeat
        self._on_unknown = on_unknown
        self._cleaner = Cleaner()
        self._folder = Folder(path)
        names = self._folder.names()
        if not names and unknown != "record":
            raise FileNotFoundError(f"{self._folder.path} has no recording: make one with `record`")
        self._recorded = [self._folder.read(name) for name in names]
        self._used: set[str] = set()
        self._waiting: dict[str, list[Exchange]] = {}
        for exchange in self._recorded:
            self._waiting.setdefault(self._key(exchange), []).append(exchange)
        self._recorder = Recorder(self._folder, upstream) if unknown == "record" else None

    @property
    def unused(self) -> list[str]:
        """The names of the files of recorded requests that were not made."""
        return [each.name for each in self._recorded if each.name not in self._used]

    def answer_to(self, request: ReceivedRequest) -> Work | None:
        """Returns the function that replays the next reply to the request."""
        sent = recorded_request(request, self._cleaner)
        waiting = self._waiting.get(self._key(sent), [])
        if waiting:
            exchange = waiting[0] if self._repeat and len(waiting) == 1 else waiting.pop(0)
            self._used.add(exchange.name)
            try:
                return self._replay(exchange)
            except ValueError as error:
                self._report(str(error))
                return _refusal(str(error), 500)
        if self._recorder is not None:
            return self._recorder.answer_to(request)
        if self._unknown == "answer":
            return None
        message = not_recorded(sent, self._recorded, self._used, self._ignore)
        self._report(message)
        return _refusal(message)

    async def close(self) -> None:
        """Closes the connections to the upstream server."""
        if self._recorder is not None:
            await self._recorder.close()

    def _key(self, exchange: Exchange) -> str:
        return canonical(comparable(exchange, self._ignore))

    def _replay(self, exchange: Exchange) -> Work:
        """Returns the function that sends a recorded reply. Raises `ValueError` for a file that cannot be read."""
        if exchange.messages is not None:
            messages = self._folder.messages_of(exchange)

            async def play_socket(passing: Passing) -> web.WebSocketResponse:
                return await self._play_socket(passing, exchange, messages)

            return play_socket
        body = self._folder.body_of(exchange)

        async def play(passing: Passing) -> None:
            await self._play(passing, exchange, body)

        return play

    async def _play(self, passing: Passing, exchange: Exchange, body: bytes) -> None:
        started = asyncio.get_running_loop().time()
        pieces = cut_up(body, exchange.pieces)
        whole = len(pieces) < 2 and not exchange.cut
        if pieces:
            await self._wait(passing, started, pieces[0][0])
        await passing.begin(exchange.status, None, exchange.reply_headers, len(body) if whole else None)
        for at, piece in pieces:
            await self._wait(passing, started, at)
            await passing.write(piece)
        if exchange.cut:
            await passing.cut()
        await passing.finish()

    async def _play_socket(
        self, passing: Passing, exchange: Exchange, messages: list[Message | Closing]
    ) -> web.WebSocketResponse:
        protocol = next((value for name, value in exchange.reply_headers if name == "sec-websocket-protocol"), None)
        socket = await passing.accept(protocol)
        player = SocketPlayer(socket, messages, passing, self._cleaner, self._ignore, self._speed, exchange.name)
        await player.run(self._report if self._unknown == "fail" else None)
        return socket

    def _report(self, message: str) -> None:
        self.unknown_requests.append(message)
        if self._on_unknown is not None:
            self._on_unknown(message)

    async def _wait(self, passing: Passing, started: float, at: float) -> None:
        """Waits until a time of the recording, at the speed of the replay."""
        loop = asyncio.get_running_loop()
        left = 0.0 if self._speed is None else started + at / self._speed - loop.time()
        # Without a wait, a client in the same loop receives the pieces one by one too.
        await (passing.sleep(left) if left > 0 else asyncio.sleep(0))


def _refusal(message: str, status: int = 404) -> Work:
    async def work(passing: Passing) -> None:
        body = error_body(message, type="invalid_request_error", code="not_recorded")
        # No client repeats a 404, and the clients of the API obey the header.
        await passing.whole(status, [("content-type", "application/json"), ("x-should-retry", "false")], body)

    return work
