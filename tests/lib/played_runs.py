"""Runs of `ResponsesToolRunner` on a server that plays back responses, for both clients and the reference."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from aiohttp import web

TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
MCP: Any = {"type": "mcp", "server_label": "docs", "server_url": "https://a.test"}
SCREEN = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="}
CLICK = {"type": "click", "x": 1, "y": 2, "button": "left"}
PART = {"type": "input_text", "text": "t"}


def response(number: int, *output: Any, status: str = "completed", **more: Any) -> Any:
    head = {"id": f"resp_{number}", "object": "response", "created_at": 1, "status": status, "model": "m"}
    return {**head, "output": list(output), "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], **more}


def call(number: int = 1, name: str = "look", arguments: str = "{}", **more: Any) -> Any:
    own = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
    return {**own, "arguments": arguments, "status": "completed", **more}


def message(text: str = "Done", **more: Any) -> Any:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content, **more}


def use(*actions: Any, number: int = 1, **more: Any) -> Any:
    own = {"type": "computer_call", "id": f"cu_{number}", "call_id": f"use_{number}", "status": "completed"}
    return {**own, "actions": list(actions) or [CLICK], "pending_safety_checks": [], **more}


def approval(**more: Any) -> Any:
    own = {"type": "mcp_approval_request", "id": "mcpr_1", "arguments": "{}", "name": "search"}
    return {**own, "server_label": "docs", **more}


def seen(_: Any) -> str:
    return "seen"


def fails(_: Any) -> str:
    raise ValueError("a secret")


ENDS = response(2, message())
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}


class Case(NamedTuple):
    """A run: the replies of the server, the function, the parameters, and the options."""

    replies: tuple[Any, ...]
    execute: Callable[[Any], Any] = seen
    params: Any = MappingProxyType({})
    options: Any = MappingProxyType({})
    approve: Any = None
    # The number of questions after which the run is cancelled.
    cancelled: int | None = None
    # The answers of `before_early_call`.
    before: tuple[Any, ...] = ()
    independent: bool = False
    early: Any = None
    # Whether the run has a ledger, the checkpoint that it goes on from, and the number of the save that fails.
    ledger: bool = False
    resume: Any = None
    full: int = 0
    # The `compact` of a budget.
    compact: Any = None
    override: bool = False
    computer: bool = False
    # Is called with each turn. Its result, or its ValueError, is compared.
    turn: Callable[[Any], Any] | None = None


def streamed(body: Any) -> str:
    """The events of a response."""
    items = [
        (name, {"output_index": index, "item": item})
        for index, item in enumerate(body["output"])
        for name in ("output_item.added", "output_item.done")
    ]
    begin = ("created", {"response": {**body, "status": "in_progress", "output": []}})
    events = [
        {"type": f"response.{name}", "sequence_number": number, **more}
        for number, (name, more) in enumerate([begin, *items, ("completed", {"response": body})])
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


class Played:
    """A server that plays back responses."""

    def __init__(self) -> None:
        self.base_url = ""
        self.replies: list[Any] = []
        self.sent: list[Any] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("idempotency-key") or ""
        # The keys of further requests are random.
        key = key.rstrip("0123456789abcdef-") if key.startswith("stainless") else key
        self.sent.append((await request.json(), key))
        reply = self.replies.pop(0)
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        if not self.sent[-1][0].get("stream"):
            return web.json_response(body, status=status)
        return web.Response(text=streamed(body), content_type="text/event-stream")


class Outcome(NamedTuple):
    """The end of a run: the last response or the error, and the things that the program and the server have seen."""

    end: Any
    sent: list[Any]
    ran: list[Any]
    saved: list[Any]
    stages: list[Any]
    turns: list[Any]


class _Program:
    """The callbacks of a program, for one client."""

    def __init__(self, case: Case, client: Any) -> None:
        self.case = case
        self.asynchronous = type(client).__name__ == "AsyncOpenAI"
        package = type(client).__module__.partition(".")[0]
        self.runners: Any = importlib.import_module(f"{package}.lib.responses_tool_runner")
        self.computers: Any = importlib.import_module(f"{package}.lib.computer")
        self.asked: list[bool] = []
        self.ran: list[Any] = []
        self.saved: list[Any] = []
        self.stages: list[Any] = []
        self.turns: list[Any] = []
        self.before = list(case.before)
        self.last: Any = None

    def cancelled(self) -> bool:
        self.asked.append(True)
        return self.case.cancelled is not None and len(self.asked) > self.case.cancelled

    def execute(self, given: Any) -> Any:
        self.ran.append(given)
        return self.case.execute(given)

    def save(self, checkpoint: Any) -> None:
        self.saved.append(checkpoint)
        if len(self.saved) == self.case.full:
            raise OSError("a secret of the disk")

    def observe(self, diagnostic: Any) -> None:
        assert diagnostic["duration_ms"] >= 0
        self.stages.append({**diagnostic, "duration_ms": 0})
        raise LookupError

    def fitting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a callback as the client takes it."""

        async def asynchronous(*given: Any) -> Any:
            return function(*given)

        return asynchronous if self.asynchronous else function

    def options(self, more: Any) -> dict[str, Any]:
        case = self.case
        options: dict[str, Any] = {**case.options, **more, "cancelled": self.cancelled, "on_diagnostic": self.observe}
        if case.before:
            options["before_early_call"] = self.fitting(lambda _: self.before.pop(0))
        if case.approve is not None:
            options["approve_mcp"] = self.fitting(lambda _: case.approve)
        if case.ledger:
            ledger = getattr(self.runners, f"{'Async' if self.asynchronous else ''}ResponsesToolLedger")
            options["ledger"] = ledger("run_1", self.fitting(self.save), case.resume)
        if case.compact is not None:
            options["context_budget"] = {**options["context_budget"], "compact": self.fitting(case.compact)}
        return options

    def runner(self) -> Any:
        case, kind = self.case, "Async" if self.asynchronous else ""
        registered = getattr(self.runners, f"{kind}RegisteredFunction")
        function = registered(TOOL, self.fitting(self.execute), case.override, case.independent)
        early: dict[str, Any] = {} if case.early is None else {"early_execution": case.early}
        if case.computer:
            toolset = getattr(self.computers, f"{kind}ComputerToolset")
            early["computer"] = toolset(self.driver())
        return getattr(self.runners, f"{kind}ResponsesToolRunner")(functions=[function], **early)

    def driver(self) -> Any:
        """Returns a computer that notes its actions."""

        def method(name: str) -> Any:
            return self.fitting(lambda action: self.ran.append((name, action.to_dict())))

        names = ("click", "double_click", "drag", "keypress", "move", "scroll", "type", "wait")
        return SimpleNamespace(**{name: method(name) for name in names}, screenshot=self.fitting(lambda: dict(SCREEN)))

    def see(self, turn: Any) -> None:
        self.last = turn.response
        ids = turn.attempted_call_ids, turn.completed_call_ids
        self.turns.append((turn.step, turn.final, turn.tools_executed, *ids))
        if self.case.turn is not None:
            try:
                self.turns.append(self.case.turn(turn))
            except ValueError:
                self.turns.append("ValueError")


async def outcome(play: Played, client: Any, case: Case, **more: Any) -> Outcome:
    """Returns the outcome of a case with a client of either package."""
    play.replies, play.sent = list(case.replies), []
    program = _Program(case, client)
    params: Any = {"model": "m", "input": "Hi", **case.params}
    try:
        turns = program.runner().iterate(client, params, **program.options(more))
        if program.asynchronous:
            async for turn in turns:
                program.see(turn)
        else:
            await asyncio.to_thread(lambda: list(map(program.see, turns)))
        end: Any = (program.last.id, program.last.output_text)
    except Exception as error:
        names = ("attempted_call_ids", "completed_call_ids")
        ids = [getattr(error, name, None) for name in names]
        end = (type(error).__name__, ids, error.__cause__, "secret" in str(error))
    # Independent calls begin and end in any order.
    order: Any = str if case.independent else lambda _: 0
    ran, stages = sorted(program.ran, key=order), sorted(program.stages, key=order)
    return Outcome(end, play.sent, ran, program.saved, stages, program.turns)
