"""The settings that a test may change while the server runs: answers, faults, prepared replies, recordings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiopenai.testing.engine.received import Fault, Match
from aiopenai.testing.engine.rules import Prepared, Rules, as_bytes
from aiopenai.testing.engine.serving import Service
from aiopenai.testing.engine.socket_faults import SocketFault
from aiopenai.testing.memory.state import Answer, State
from aiopenai.testing.recording.player import Player, Unknown
from aiopenai.testing.recording.recorder import API, Recorder

__all__ = ["Controls"]


class Controls:
    """The part of a `Server` that sets its replies. Any thread may use it."""

    _rules: Rules
    _service: Service
    _state: State

    @property
    def latency(self) -> float | Callable[[], float]:
        """The seconds before every reply, or the function that returns them."""
        return self._service.latency

    @latency.setter
    def latency(self, latency: float | Callable[[], float]) -> None:
        self._service.latency = latency

    @property
    def token_delay(self) -> float:
        """The seconds between the events of a stream."""
        return self._service.token_delay

    @token_delay.setter
    def token_delay(self, token_delay: float) -> None:
        self._service.token_delay = token_delay

    @property
    def answer(self) -> Answer:
        """The answer of models; see the class."""
        return self._state.answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._state.answer = answer

    def fault(
        self,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | Mapping[str, Any] | list[Any] | None = None,
        content_type: str | None = None,
        delay: float = 0.0,
        cut_after: int | None = None,
        stall_after: int | None = None,
        reset: bool = False,
        times: int | None = 1,
        match: Match = None,
    ) -> Fault:
        """Adds a fault for coming requests. Each request gets the first fault, in order, that matches it.

        status: the status of the reply, with `body`, or else the usual error body of the API.
        headers: further headers, such as `retry-after`; they replace those of the server.
        body: the body in place of the endpoint's (bytes, text, or a value sent as JSON).
        content_type: the content type of `body`; JSON by default.
        delay: the seconds before the reply.
        cut_after: the bytes of the reply after which the connection closes, head and chunk framing included.
        stall_after: the bytes after which the server sends no more and keeps the connection open.
        reset: whether to close by a reset (RST); bytes on their way may get lost.
        times: the number of requests that get the fault; None has no end.
        match: a text in the path of the request, or a function that accepts the request.

        Without `status` and `body` the endpoint answers as usual, delayed, cut or stalled.
        Returns the fault; its `applied` counts requests. Raises `ValueError` for invalid values.
        """
        fault = Fault(
            status=status,
            headers=dict(headers or {}),
            body=None if body is None else as_bytes(body),
            content_type=content_type or "application/json",
            delay=delay,
            # A reset without `cut_after` comes before the first byte.
            cut_after=0 if reset and cut_after is None else cut_after,
            stall_after=stall_after,
            reset=reset,
            times=times,
            match=match,
        )
        self._rules.add_fault(fault)
        return fault

    def socket_fault(
        self,
        *,
        close_code: int | None = None,
        reason: str = "",
        cut: bool = False,
        stall: bool = False,
        message: str | bytes | None = None,
        after: int = 0,
        times: int | None = 1,
        match: Match = None,
    ) -> SocketFault:
        """Adds a fault for coming websockets, such as those of realtime. `fault` delays and refuses handshakes.

        close_code, reason: the close frame that the server sends.
        cut: whether the connection ends in the middle of a frame.
        stall: whether the server sends no more, and keeps the socket open.
        message: a text or binary message that the server adds, for example one that is no JSON.
        after: the number of events before the fault.
        times, match: as in `fault`.

        Returns the fault; its `applied` counts sockets. Raises `ValueError` for invalid values.
        """
        fault = SocketFault(close_code, reason, after, cut, stall, message, times, match)
        self._rules.add_socket_fault(fault)
        return fault

    def send_event(self, event: Mapping[str, Any], *, match: Match = None) -> int:
        """Sends an event to the open websockets, or to those that match: a caller's DTMF key, for example.

        Call it in the loop of the server. Returns the number of sockets.
        """
        found = self._service.sockets(match)
        for each in found:
            each.push(dict(event))
        return len(found)

    def break_sockets(
        self,
        *,
        close_code: int | None = None,
        reason: str = "",
        cut: bool = False,
        stall: bool = False,
        message: str | bytes | None = None,
        match: Match = None,
    ) -> int:
        """Applies a fault to the open websockets, or to those that match, before their next event.

        The faults are those of `socket_fault`. Call it in the loop of the server. Returns the number of sockets. Raises
        `ValueError` for invalid values.
        """
        fault = SocketFault(close_code, reason, 0, cut, stall, message, None, match)
        found = self._service.sockets(match)
        for each in found:
            each.break_off(fault)
        return len(found)

    def clear_faults(self) -> None:
        """Drops all faults that are not used up."""
        self._rules.clear_faults()

    def reply_with(
        self,
        path: str,
        body: bytes | str | Mapping[str, Any] | list[Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        chunk_size: int | None = None,
        times: int | None = None,
    ) -> Prepared:
        """Adds a prepared reply for all requests to a path. Replies for one path are used in order.

        path: a path relative to the base URL, for example `/chat/completions`. The server need not know it.
        body: bytes, text, or a value sent as JSON.
        chunk_size: the size of HTTP chunks in bytes, each in a write of its own; None sends the body whole.
        times: the number of requests that get it; None lasts until another reply is added for the path.

        Returns the reply; its `applied` counts requests. Raises `ValueError` for invalid values.
        """
        prepared = Prepared(path, as_bytes(body), status, dict(headers or {}), content_type, chunk_size, times)
        self._rules.add_prepared(prepared)
        return prepared

    def clear_replies(self) -> None:
        """Drops all prepared replies."""
        self._rules.clear_prepared()

    # Recordings

    def record(self, folder: str | os.PathLike[str], *, upstream: str = API, replace: bool = False) -> Recorder:
        """Passes all further requests on to another server, and writes them and the replies into a folder.

        Replies, streams and websockets reach the client as they arrive. The folder has readable files, one for each
        request and one for the body of its reply. Keys and personal headers are not in them. A stream is written when
        it ends, and the last files when the server is closed. Faults and prepared replies go before, unrecorded.

        upstream: the base URL of the other server, such as `https://api.openai.com/v1`. Paths outside of `/v1` go to
            its origin. Clients send its key.
        replace: whether an earlier recording in the folder is deleted first.

        Returns the recorder. Raises `ValueError` for a URL that is none, `FileExistsError` for a folder that holds a
        recording already.
        """
        recorder = Recorder.anew(folder, upstream, replace=replace)
        self._service.use(recorder)
        return recorder

    def replay(
        self,
        folder: str | os.PathLike[str],
        *,
        ignore: Iterable[str] = (),
        speed: float | None = None,
        unknown: Unknown = "fail",
        repeat: bool = True,
        upstream: str = API,
        on_unknown: Callable[[str], object] | None = None,
    ) -> Player:
        """Answers all further requests from a folder that `record` has written.

        A recorded request matches by its verb, path, query and body. The order of the keys of an object, the boundary
        of a form and all headers do not count. Equal requests get the recorded replies in order.

        ignore: names that do not count, in the query, in forms, in bodies and in messages of websockets. A name stands
            for this key at any depth, and `metadata.run` for the path from the top.
        speed: None sends replies at once; 1 keeps the recorded times, and 10 is ten times as fast.
        unknown: the reply to a request that is not in the recording. `"fail"` sends a 404 that shows the nearest
            recorded request, and the fixture `openai_server` fails the test. `"answer"` lets this server answer.
            `"record"` passes the request on to `upstream`, and adds it to the folder.
        repeat: whether the last reply to a request is used again. Otherwise a further request is unknown.
        upstream: see `record`.
        on_unknown: called with the description of each refused request, for example to print it.

        Returns the player; its `unused` names recorded requests that were not made. Raises `FileNotFoundError` for a
        folder without a recording, `ValueError` for other values and for files that cannot be read.
        """
        player = Player(
            folder, upstream, ignore=ignore, speed=speed, unknown=unknown, repeat=repeat, on_unknown=on_unknown
        )
        self._service.use(player)
        return player

    @property
    def unknown_requests(self) -> list[str]:
        """The requests that a replay refused, each with its nearest recorded request."""
        return self._service.unknown_requests
