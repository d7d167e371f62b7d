"""The websocket `/responses`: several responses over one socket, in lanes.

A lane is a `stream_id`, or none. The responses of a lane follow each other; those of several lanes run at once.
The connection keeps the contexts of its responses: `previous_response_id` finds them without a wait, also those with
`store: false`. A context that the connection has not got costs the latency of the server.

`response.steer` ends the running response behind its next piece of text, and the server goes on by itself with the new
input. A response that waits for results of tools keeps the input for the request that brings them.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from typing_extensions import override

from aiopenai.testing.content.steering import Steerable, required_input
from aiopenai.testing.endpoints.responses import begin_response_on
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_array, is_object
from aiopenai.testing.memory.stored import StoredResponse

__all__ = ["connect"]

_MAX_ACTIVE = 16
_MAX_LANES = 32
_is_lane = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z").match
# The fields of an item of steering input.
_STEERING_FIELDS = frozenset({"type", "role", "content"})


def connect(call: Call) -> SocketReply:
    """The handshake of `/responses`."""
    return SocketReply(ResponsesSession(call))


class _Lane:
    def __init__(self, name: str | None) -> None:
        self.name = name
        self.waiting: deque[Object] = deque()
        self.running: Steerable | None = None

    @property
    def response_id(self) -> str | None:
        """The id of the running response."""
        return None if self.running is None else self.running.response["id"]

    def marked(self, event: Object) -> Object:
        """Returns an event with the name of the lane."""
        return event if self.name is None else {**event, "stream_id": self.name}


class ResponsesSession(SocketSession):
    """Responses over one socket."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.state)
        self._call = call
        self._lanes: dict[str | None, _Lane] = {}
        self._turn: deque[_Lane] = deque()
        self._contexts: dict[str, StoredResponse] = {}
        # The requests of the responses of this connection, and the input that waits for the end of one, by its id.
        self._requests: dict[str, Object] = {}
        self._steered: dict[str, list[Object]] = {}

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
                    lane.running = self._begin(request)
                except ApiError as error:
                    return self.error_event(error, request)
            running = lane.running
            event = running.next()
            if event is None or running.ended:
                lane.running = None
                self._after(lane, running.response)
            if event is not None:
                return lane.marked(event)
        return None

    def _begin(self, event: Object) -> Steerable:
        body = {
            name: value for name, value in event.items() if name not in ("type", "stream_id", "event_id", "generate")
        }
        previous = body.get("previous_response_id")
        if type(previous) is str:
            self.loads_context = previous not in self._contexts
            if steered := self._steered.pop(previous, None):
                body["input"] = [*_items_of(steered), *_as_items(body.get("input"))]
        kept = begin_response_on(self._call, body, self._contexts)
        response = kept.response
        if event.get("generate") is False:
            # The context is loaded, and no output is generated.
            response["output"] = []
        self._contexts[response["id"]] = kept
        self._requests[response["id"]] = event
        return Steerable(response)

    def _after(self, lane: _Lane, response: Object) -> None:
        """Goes on with the input that waited for the end of a response, or for the results that it needs."""
        identity = response["id"]
        waiting = self._steered.get(identity)
        if waiting is None:
            return
        if needed := required_input(response):
            self.outbox.extend(lane.marked(_pending(steer, needed)) for steer in waiting)
            return
        del self._steered[identity]
        request = {name: value for name, value in self._requests[identity].items() if name != "generate"}
        successor = {**request, "previous_response_id": identity, "input": _items_of(waiting)}
        # Before the requests that wait in the lane: they were sent for later.
        lane.waiting.appendleft(successor)

    def _steer(self, event: Object) -> None:
        identity, given = event.get("previous_response_id"), event.get("input")
        kept = self._contexts.get(identity) if type(identity) is str else None
        if kept is None:
            message = f"Response with id '{identity}' not found on this connection."
            self._refuse_steering(event, None, "response_not_found", message)
            return
        assert type(identity) is str
        lane = self._lanes[self._requests[identity].get("stream_id")]
        running = lane.running if lane.response_id == identity else None
        needed = [] if running is not None else required_input(kept.response)
        if not _is_steering(given):
            message = "The input must be text, or a list of messages of the user with type, role and content."
            self._refuse_steering(event, lane, "invalid_input", message)
        elif kept.response.get("conversation") is not None:
            message = "A response of a conversation takes no steering input."
            self._refuse_steering(event, lane, "steering_not_supported", message)
        elif running is None and (not needed or self._is_continued(identity)):
            message = f"Response '{identity}' is complete and takes no more input."
            self._refuse_steering(event, lane, "response_already_completed", message)
        else:
            steer: Object = {"id": self.state.new_id("steer_"), "previous_response_id": identity, "input": given}
            self._steered.setdefault(identity, []).append(steer)
            accepted = {"type": "response.steer.accepted", "sequence_number": 0, "steer": _named(steer)}
            self.outbox.append(lane.marked(accepted))
            if running is not None:
                running.steered = True
            else:
                self.outbox.append(lane.marked(_pending(steer, needed)))

    def _is_continued(self, identity: str) -> bool:
        """Returns whether a request goes on with a response already."""
        return any(each.get("previous_response_id") == identity for each in self._requests.values())

    def _refuse_steering(self, event: Object, lane: _Lane | None, code: str, message: str) -> None:
        steer = {"previous_response_id": event.get("previous_response_id"), "input": event.get("input")}
        error = {"type": "invalid_request_error", "code": code, "message": message}
        failed = {"type": "response.steer.failed", "sequence_number": 0, "steer": steer, "error": error}
        self.outbox.append(failed if lane is None else lane.marked(failed))

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


def _named(steer: Object) -> Object:
    return {"id": steer["id"], "previous_response_id": steer["previous_response_id"]}


def _pending(steer: Object, needed: list[Object]) -> Object:
    """Returns the event for input that waits for results of the client."""
    details: Object = {"reason": "waiting_for_required_input", "required_input": needed}
    return {"type": "response.steer.pending", "sequence_number": 0, "steer": _named(steer), **details}


def _is_steering(given: object) -> bool:
    """Returns whether an input can steer: text, or messages of the user."""
    if not is_array(given):
        return type(given) is str and bool(given)
    return bool(given) and all(
        is_object(item) and item.keys() <= _STEERING_FIELDS and item.get("role") == "user" and item.get("content")
        for item in given
    )


def _as_items(given: Any) -> list[Any]:
    if is_array(given):
        return [*given]
    return [{"role": "user", "content": given}] if given else []


def _items_of(steered: list[Object]) -> list[Any]:
    """Returns the input of several submissions, in their order."""
    return [item for steer in steered for item in _as_items(steer["input"])]
