"""The websocket `/responses`: several responses over one socket, in lanes.

A lane is a `stream_id`, or none. The responses of a lane follow each other; those of several lanes run at once.
The connection keeps the contexts of its responses: `previous_response_id` finds them without a wait, also those with
`store: false`. A context that the connection has not got costs the latency of the server.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from aiopenai.testing.content.response_events import response_events
from aiopenai.testing.endpoints.responses import begin_response_on
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_array, is_object
from aiopenai.testing.memory.stored import StoredResponse

__all__ = ["connect"]

_MAX_ACTIVE = 16
_MAX_LANES = 32
_ENDS = frozenset({"response.completed", "response.incomplete"})
_is_lane = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z").match
# The kinds of output that wait for a result of the client.
_CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}


def connect(call: Call) -> SocketReply:
    """The handshake of `/responses`."""
    return SocketReply(ResponsesSession(call))


class _Lane:
    def __init__(self, name: str | None) -> None:
        self.name = name
        self.waiting: deque[Object] = deque()
        self.running: Iterator[Object] | None = None
        self.response_id: str | None = None


class ResponsesSession(SocketSession):
    """Responses over one socket."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.state)
        self._call = call
        self._lanes: dict[str | None, _Lane] = {}
        self._turn: deque[_Lane] = deque()
        self._contexts: dict[str, StoredResponse] = {}
        # Input that waits for the next response of its context, by the id of the last one.
        self._steered: dict[str, list[Any]] = {}

    @override
    def error_event(self, error: ApiError, cause: Object) -> Object:
        body = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        event: Object = {"type": "error", "status": error.status, "error": body}
        return {**event, "stream_id": cause["stream_id"]} if type(cause.get("stream_id")) is str else event

    @override
    def take(self, event: Object) -> None:
        kind = event["type"]
        if kind == "response.create":
            self._create(event)
        elif kind == "response.steer":
            self._steer(event)
        elif kind == "response.inject":
            self._inject(event)
        else:
            raise ApiError(400, f"Unknown event type '{kind}'.", param="type", code="invalid_value")

    def _create(self, event: Object) -> None:
        name = event.get("stream_id")
        if name is not None and (type(name) is not str or not _is_lane(name)):
            raise ApiError(400, "Invalid 'stream_id'.", param="stream_id", code="invalid_value")
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes.keys() - {None}) >= _MAX_LANES and name is not None:
                raise ApiError(
                    400, f"At most {_MAX_LANES} streams are allowed.", param="stream_id", code="too_many_streams"
                )
            lane = self._lanes[name] = _Lane(name)
        if sum(len(each.waiting) + (each.running is not None) for each in self._lanes.values()) >= _MAX_ACTIVE:
            message = f"At most {_MAX_ACTIVE} responses can be active on a connection."
            raise ApiError(429, message, type="requests", code="rate_limit_exceeded")
        lane.waiting.append(event)
        if lane not in self._turn:
            self._turn.append(lane)

    @override
    def advance(self) -> Object | None:
        """Returns the next event of the lane whose turn it is."""
        while self._turn:
            lane = self._turn.popleft()
            if lane.running is None and not lane.waiting:
                continue
            self._turn.append(lane)
            if lane.running is None:
                request = lane.waiting.popleft()
                try:
                    lane.running = self._begin(lane, request)
                except ApiError as error:
                    return self.error_event(error, request)
            event = next(lane.running, None)
            if event is not None:
                if event["type"] in _ENDS:
                    lane.running = lane.response_id = None
                return event if lane.name is None else {**event, "stream_id": lane.name}
            lane.running = lane.response_id = None
        return None

    def _begin(self, lane: _Lane, event: Object) -> Iterator[Object]:
        body = {
            name: value for name, value in event.items() if name not in ("type", "stream_id", "event_id", "generate")
        }
        previous = body.get("previous_response_id")
        if type(previous) is str:
            self.loads_context = previous not in self._contexts
            if steered := self._steered.pop(previous, None):
                given = body.get("input")
                body["input"] = [*(given if is_array(given) else [_message(given)] if given else []), *steered]
        kept = begin_response_on(self._call, body, self._contexts)
        response = kept.response
        if event.get("generate") is False:
            # The context is loaded, and no output is generated.
            response["output"] = []
        lane.response_id = response["id"]
        self._contexts[response["id"]] = kept
        return response_events(response)

    def _steer(self, event: Object) -> None:
        identity = event.get("previous_response_id")
        given = event.get("input")
        steer: Object = {"id": self.state.new_id("steer_"), "previous_response_id": identity}
        kept = self._contexts.get(identity) if type(identity) is str else None
        if kept is None:
            message = f"Response with id '{identity}' not found on this connection."
            self._fail_steering({**steer, "input": given}, "response_not_found", message)
            return
        if not given or not (type(given) is str or is_array(given)):
            self._fail_steering(
                {**steer, "input": given}, "invalid_input", "The input must be text or a list of items."
            )
            return
        assert type(identity) is str
        self._steered.setdefault(identity, []).extend(given if is_array(given) else [_message(given)])
        needed = [
            {"type": _CALLS[item["type"]], "call_id": item["call_id"], "name": item["name"]}
            for item in kept.response["output"]
            if item["type"] in _CALLS
        ]
        if needed:
            reason = "waiting_for_required_input"
            details: Object = {"reason": reason, "required_input": needed}
            self.outbox.append({"type": "response.steer.pending", "sequence_number": 0, "steer": steer, **details})
        else:
            self.outbox.append({"type": "response.steer.accepted", "sequence_number": 0, "steer": steer})

    def _fail_steering(self, steer: Object, code: str, message: str) -> None:
        failed = {"type": "response.steer.failed", "sequence_number": 0, "steer": steer}
        self.outbox.append({**failed, "error": {"code": code, "message": message}})

    def _inject(self, event: Object) -> None:
        identity = event.get("response_id")
        fields: Object = {"response_id": identity, "sequence_number": 0}
        if any(lane.response_id == identity and lane.running is not None for lane in self._lanes.values()):
            self.outbox.append({"type": "response.inject.created", **fields})
            return
        done = type(identity) is str and identity in self._contexts
        code = "response_already_completed" if done else "response_not_found"
        error = {"code": code, "message": f"Response '{identity}' takes no more input."}
        self.outbox.append(
            {"type": "response.inject.failed", **fields, "input": event.get("input") or [], "error": error}
        )


def _message(text: object) -> Object:
    return {"role": "user", "content": text} if not is_object(text) else text
