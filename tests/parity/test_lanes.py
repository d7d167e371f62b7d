"""Lanes of response sockets: accumulators and routers do what the reference's do, for events of any order and form."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai._data.codec import Decoder
from aiopenai.lib import responses_websocket as ours
from aiopenai.lib.responses_websocket.routing import Router
from aiopenai.types.responses import ResponsesServerEvent

pytestmark = pytest.mark.once

theirs = pytest.importorskip("openai.lib.responses_websocket")

ROUNDS = 40
decode = Decoder.of(ResponsesServerEvent)


def of_reference(raw: bytes) -> Any:
    from openai._models import construct_type
    from openai.types.responses.responses_server_event import ResponsesServerEvent as Event

    return construct_type(type_=Event, value=json.loads(raw))  # type: ignore[arg-type]


# Accumulators

PIECES = ("a", "bc", "", "ü")
IDS = ("i0", "i1", "", None)


class Events:
    """Random events: mostly possible ones, some with fields missing, null or of wrong types."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one_of(self, *found: Any) -> Any:
        return self.random.choice(found)

    def part(self, *kinds: str) -> Any:
        kind = self.one_of(*kinds)
        part: dict[str, Any] = {"type": kind}
        if self.random.random() < 0.9:
            part["refusal" if kind == "refusal" else "text"] = self.one_of(*PIECES)
        if kind == "output_text":
            for name, value in (("annotations", [{"type": "x", "n": 1}]), ("logprobs", [{"token": "t"}])):
                part |= {name: self.one_of([], value, None)} if self.random.random() < 0.5 else {}
        return part

    def item(self) -> Any:
        kind = self.one_of(
            "message", "reasoning", "function_call", "custom_tool_call", "mcp_call", "shell_call", "shell_call_output",
            "code_interpreter_call", "web_search_call", "unknown",
        )  # fmt: skip
        item: dict[str, Any] = {"type": kind, "id": self.one_of(*IDS), "status": "in_progress"}
        if self.random.random() < 0.2:
            del item["id"]
        parts = [self.part("output_text", "refusal") for _ in range(self.random.randrange(3))]
        fields: dict[str, Any] = {
            "message": {"role": "assistant", "content": parts},
            "reasoning": {
                "summary": [{"type": "summary_text", "text": "s"}][: self.random.randrange(2)],
                "content": [self.part("reasoning_text") for _ in range(self.random.randrange(3))],
            },
            "function_call": {"name": "f", "call_id": "c", "arguments": self.one_of(*PIECES)},
            "custom_tool_call": {"name": "g", "call_id": "d", "input": self.one_of(*PIECES)},
            "mcp_call": {"name": "m", "server_label": "l", "arguments": self.one_of(*PIECES)},
            "shell_call": {"call_id": "sh", "action": {"commands": ["ls", "cd"][: self.random.randrange(3)]}},
            "shell_call_output": {"call_id": "sh", "output": []},
            "code_interpreter_call": {"code": self.one_of("x", None), "container_id": "z"},
        }.get(kind, {})
        for name, value in fields.items():
            if self.random.random() < 0.93:
                item[name] = self.one_of(None, 5) if self.random.random() < 0.03 else value
        return item

    def response(self) -> Any:
        response: dict[str, Any] = {"id": self.one_of("r", "r", "r", "q", None), "object": "response"}
        if self.random.random() < 0.7:
            response["output"] = [self.item() for _ in range(self.random.randrange(3))]
        return self.one_of(*[response] * 20, None, "x")

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = {"sequence_number": 1}
        place = {"output_index": self.random.randrange(2), "item_id": self.one_of("i0", "i0", "i1", "")}
        content = {**place, "content_index": self.random.randrange(2)}
        # A piece of a refusal without an id drops the refusal so far in the reference, and continues it here.
        named = {**content, "item_id": content["item_id"] or "i0"}
        piece = self.one_of(*PIECES)
        logprobs = self.one_of({}, {"logprobs": []}, {"logprobs": [{"token": "p", "logprob": 0}]}, {"logprobs": None})
        summary = {**place, "summary_index": self.random.randrange(2)}
        command = {"output_index": place["output_index"], "command_index": self.random.randrange(3)}
        shell = {**place, **command}
        output = [{"stdout": "o", "stderr": "e", "outcome": {"type": "exit", "exit_code": 0}}]
        # fmt: off
        table: list[tuple[str, dict[str, Any]]] = [
            *[("response.output_item.added", {"output_index": place["output_index"], "item": self.item()})] * 5,
            *[("response.output_item.done", {"output_index": place["output_index"], "item": self.item()})] * 3,
            *[("response.output_text.delta", {**content, "delta": piece, **logprobs})] * 3,
            ("response.output_text.done", {**content, "text": piece, **logprobs}),
            ("response.refusal.delta", {**named, "delta": piece}),
            ("response.refusal.done", {**named, "refusal": piece}),
            ("response.content_part.added", {**content, "part": self.part("output_text", "refusal", "reasoning_text")}),
            ("response.content_part.done", {**content, "part": self.part("output_text", "refusal", "reasoning_text")}),
            ("response.output_text.annotation.added", {**content, "annotation_index": 1, "annotation": {"type": "u"}}),
            ("response.function_call_arguments.delta", {**place, "delta": piece}),
            ("response.function_call_arguments.done", {**place, "arguments": piece}),
            ("response.mcp_call_arguments.delta", {**place, "delta": piece}),
            ("response.mcp_call_arguments.done", {**place, "arguments": piece}),
            ("response.custom_tool_call_input.delta", {**place, "delta": piece}),
            ("response.custom_tool_call_input.done", {**place, "input": piece}),
            ("response.reasoning_summary_part.added", {**summary, "part": {"type": "summary_text", "text": piece}}),
            ("response.reasoning_summary_part.done", {**summary, "part": {"type": "summary_text", "text": piece}}),
            ("response.reasoning_summary_text.delta", {**summary, "delta": piece}),
            ("response.reasoning_summary_text.done", {**summary, "text": piece}),
            ("response.reasoning_text.delta", {**content, "delta": piece}),
            ("response.reasoning_text.done", {**content, "text": piece}),
            ("response.code_interpreter_call_code.delta", {**place, "delta": piece}),
            ("response.code_interpreter_call_code.done", {**place, "code": piece}),
            ("response.code_interpreter_call.interpreting", place),
            ("response.web_search_call.searching", place),
            ("response.shell_call_command.added", {**command, "command": piece}),
            ("response.shell_call_command.delta", {**command, "delta": piece}),
            ("response.shell_call_command.done", {**command, "command": piece}),
            ("response.shell_call_output_content.delta", {**shell, "delta": {"stdout": piece}}),
            ("response.shell_call_output_content.delta", {**shell, "delta": {"stdout": piece, "stderr": "e"}}),
            ("response.shell_call_output_content.done", {**shell, "output": output}),
            ("response.audio.delta", {"delta": piece}),
            ("response.in_progress", {"response": self.response()}),
        ]
        # fmt: on
        kind, fields = self.random.choice(table)
        event |= {"type": kind, **fields}
        if self.random.random() < 0.03:
            event[self.one_of(*fields)] = self.one_of(None, -1, "x", 3, [], {})
        if self.random.random() < 0.02:
            event["stream_id"] = self.one_of("other", 5)
        return event

    def turn(self, size: int) -> list[dict[str, Any]]:
        ends = ("response.completed", "response.failed", "response.incomplete")
        last = self.one_of({"type": "error", "error": {"code": "c"}}, *({"type": each} for each in ends))
        return [
            {"type": "response.created", "response": {"id": "r", "output": []}},
            *(self.event() for _ in range(size)),
            {**last, **({"response": self.response()} if last["type"] != "error" else {})},
            self.event(),
        ]


def outcome(call: Any, *args: Any) -> Any:
    """The result of a call, or the kind of its error."""
    try:
        return call(*args)
    except Exception as error:
        mine = type(error).__name__
        return "ValueError" if isinstance(error, ValueError) else mine


def view(accumulator: Any) -> Any:
    snapshot = accumulator.snapshot()
    output = [tuple(vars(item).items()) for item in snapshot.output]
    return (snapshot.stream_id, snapshot.response_id, snapshot.terminal_type, output, snapshot.output_text)


@pytest.mark.parametrize("seed", range(4))
def test_accumulators_show_what_the_references_do(seed: int) -> None:
    for number in range(ROUNDS):
        events = Events(seed * ROUNDS + number)
        own, due = ours.ResponsesWebSocketAccumulator(), theirs.ResponsesWebSocketAccumulator()
        turn = events.turn(events.random.randrange(1, 30))
        for index, event in enumerate(turn):
            raw = json.dumps(event).encode()
            decoded = decode(raw)
            before = json.dumps(decoded.to_dict())
            context = (seed, number, index, turn[: index + 1])
            assert outcome(own.add_event, decoded) == outcome(due.add_event, of_reference(raw)), context
            assert view(own) == view(due), context
            assert own.detailed_snapshot() == due.detailed_snapshot(), context
            assert json.dumps(decoded.to_dict()) == before, context
        final, wanted = outcome(own.get_final_response), outcome(due.get_final_response)
        assert (final if isinstance(final, str) else final.to_dict()) == (
            wanted if isinstance(wanted, str) else wanted.to_dict(warnings=False)
        )


# Routers


def routers(limits: dict[str, Any], isolated: bool) -> tuple[Any, Any, Any]:
    from openai.lib.responses_websocket import _session

    connection = SimpleNamespace(_connection=object())
    own = Router(ours.ResponsesWebSocketLimits(**limits), lambda: connection._connection, Flag, isolated=isolated)
    due = _session._Router(theirs.ResponsesWebSocketLimits(**limits), connection, isolate_lane_overflow=isolated)
    return own, due, connection


class Flag:
    """A signal that wakes nothing."""

    def __init__(self, _: Any) -> None: ...

    def set(self) -> None: ...


@pytest.mark.parametrize("isolated", [False, True])
def test_routers_do_what_the_references_do(isolated: bool) -> None:
    for seed in range(ROUNDS * 4):
        chance = random.Random(seed)
        limits = {name: chance.randrange(1, 9) for name in ("max_lanes", "max_events_per_lane", "max_events")}
        limits |= {name: chance.randrange(100, 900) for name in ("max_bytes_per_lane", "max_bytes")}
        limits["max_response_bytes"] = chance.choice([None, 250])
        own, due, connection = routers(limits, isolated)
        lanes = [(own.default, due.default)]
        trail: list[Any] = [limits]
        for _ in range(chance.randrange(1, 50)):
            step = chance.choice(
                ["dispatch", "dispatch", "dispatch", "pop", "pop", "begin", "register", "close", "move"]
            )
            mine, wanted = chance.choice(lanes)
            trail.append((step, mine.stream_id))
            if step == "dispatch":
                raw = json.dumps(routed(chance)).encode()
                trail.append(raw)
                found = outcome(own.dispatch, decode(raw), len(raw)), outcome(due.dispatch, of_reference(raw), len(raw))
                assert (found[0] if isinstance(found[0], str) else None) == found[1], trail
                if found[1] is not None:
                    # The reader of the session ends it.
                    own.finish()
                    due.finish()
            elif step == "pop":
                results = outcome(own.pop, mine), outcome(due.pop, wanted)
                assert getattr(results[0], "type", results[0]) == getattr(results[1], "type", results[1]), trail
            elif step == "begin":
                assert (outcome(own.begin, mine) is None) == (outcome(due.prepare, wanted, True) is None), trail
            elif step == "register":
                name = chance.choice(["a", "b", None, "no good", "c"])
                made = outcome(own.register, name), outcome(due.register, name)
                assert isinstance(made[0], str) == isinstance(made[1], str), trail
                lanes += [] if isinstance(made[0], str) else [made]
                assert made[0] == made[1] or not isinstance(made[0], str), trail
            elif step == "close":
                own.close(mine)
                due.detach(wanted)
            elif step == "move":
                connection._connection = object()
                due.reconnected(connection._connection)
            for mine, wanted in lanes:
                assert (mine.closed, mine.in_flight, len(mine.waiting)) == (
                    wanted.closed, wanted.in_flight, len(wanted.queue),
                ), trail  # fmt: skip
                collected, kept = mine.collection, wanted.accumulator
                assert (collected.final is None, type(collected.error).__name__) == (
                    kept.final is None, type(kept.error).__name__,
                ), trail  # fmt: skip
                if collected.final is not None:
                    assert [item.id for item in collected.final.output] == [item.id for item in kept.final.output or ()]


def routed(chance: random.Random) -> dict[str, Any]:
    """A random event with a way to a lane, or without."""
    kind = chance.choice(
        ["response.created", "response.output_item.done", "response.output_text.delta", "response.completed",
         "response.failed", "response.incomplete", "error", "unknown"]
    )  # fmt: skip
    message = {"type": "message", "id": f"m{chance.randrange(3)}", "role": "assistant", "content": []}
    event: dict[str, Any] = {"type": kind, "sequence_number": 1, "output_index": chance.randrange(2), "item": message}
    if chance.random() < 0.8:
        event["stream_id"] = chance.choice(["a", "b", "c", 5, None])
    output = chance.choice([{}, {"output": None}, {"output": [message]}, {"output": []}])
    if kind == "response.created":
        output = {"output": []}
    event["response"] = {"id": "r", **output}
    return event
