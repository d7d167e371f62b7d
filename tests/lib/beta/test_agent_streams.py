"""`sessions.stream` and streamed `sessions.create`: both clients, beside the reference where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.lib.beta.played import Events, Played, played, session
from tests.lib.scripted import both_packages

pydantic: Any = pytest.importorskip("pydantic")
pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = {"message": "Unknown pending tool call: call_1", "type": "invalid_request_error"}
EARLY = (400, {"error": {**UNKNOWN, "code": "invalid_request_error"}})
OTHER = (400, {"error": {"message": "No.", "type": "invalid_request_error", "code": "invalid_request_error"}})


class Answer(pydantic.BaseModel):  # type: ignore[misc]
    a: int


class Case(NamedTuple):
    """One stream: its events, the arguments (made from the package's `lib.beta.agents`), and the use of it."""

    events: Any
    arguments: Callable[[Any], dict[str, Any]] = lambda _: {}
    # "collect", "next", "read" and "final" in the order of their use.
    use: str = "collect final"
    posts: tuple[Any, ...] = ()
    status: str = "idle"
    # "both", or the name of the only method.
    of: str = "both"


def plain(_: Any) -> str:
    return "seen"


def fails(_: Any) -> str:
    raise ValueError("a secret")


def changes(arguments: Any) -> Any:
    arguments["b"] = 2
    return arguments


def typed(agents: Any) -> dict[str, Any]:
    def look(a: int) -> list[int]:
        """Looks."""
        return [a]

    return {"look": agents.function_tool(look)}


def handlers(handler: Any) -> Callable[[Any], dict[str, Any]]:
    return lambda _: {"tool_handlers": {"look": handler}}


def returns(value: Any) -> Callable[[Any], dict[str, Any]]:
    return handlers(lambda _: value)


def wants(kind: Any) -> Callable[[Any], dict[str, Any]]:
    return lambda _: {"output_type": kind}


def called(**more: Any) -> Events:
    return Events().of_turn("created").call(**more).of_turn("completed").of_session("idle")


def acting(*actions: Any) -> Events:
    events = Events().of_turn("created").message()
    return events.of_session("requires_action", status="requires_action", required_actions=list(actions))


FUNCTION = {"type": "function_call", "name": "look", "call_id": "call_1", "turn_id": "turn_1", "arguments": {}}
CONNECTION = {"type": "environment_connection", "environment_id": "env_1"}
ERROR = {"code": "server_error", "message": "No."}
SUBAGENT = {"subagent_id": "sub_1"}

CASES = {
    "whole": Case(Events().whole()),
    "read": Case(Events().whole(), use="collect read final"),
    "uncollected": Case(Events().whole(), use="read final"),
    "fresh": Case(Events().whole(), use="final final"),
    "next": Case(Events().whole(), use="collect next final"),
    "late": Case(Events().whole(), use="next collect"),
    "rest": Case(Events().whole().add("agent.session.later"), use="final read"),
    "failed": Case(Events().of_turn("created").message().of_turn("failed", error=ERROR).of_session("idle")),
    "cancelled": Case(Events().of_turn("created").of_turn("cancelled").of_session("idle")),
    "session failed": Case(Events().of_turn("created").of_session("failed", status="failed", error="No.")),
    "failed at once": Case(Events().of_session("failed", status="failed", error="No.")),
    "cut": Case(Events().of_turn("created").message()),
    "cut while read": Case(Events().of_turn("created").message(), use="read"),
    "no idle": Case(Events().of_turn("created").message().of_turn("completed")),
    "nothing": Case(Events()),
    "idle first": Case(Events().of_session("idle").whole(), use="collect read final"),
    "subagent": Case(
        Events()
        .of_turn("created", "turn_s", **SUBAGENT)
        .message("not this", of="turn_s")
        .of_turn("completed", "turn_s", **SUBAGENT)
        .of_session("idle")
        .whole(),
        use="collect read final",
    ),
    "two turns": Case(
        Events()
        .of_turn("created")
        .of_turn("created", "turn_2")
        .message("not this", of="turn_2")
        .message("this", index=1)
        .of_turn("completed", "turn_2")
        .of_session("idle")
        .of_turn("completed")
        .of_session("idle"),
        use="collect read final",
    ),
    "budget before": Case(Events().of_session("budget_reached"), use="collect read final", of="stream"),
    "budget after": Case(Events().of_turn("created").of_turn("completed").of_session("budget_reached"), of="stream"),
    "budget within": Case(
        Events().of_turn("created").message().of_session("budget_reached").of_turn("completed").of_session("idle"),
        use="collect read final",
    ),
    "budget of another": Case(
        Events().of_session("budget_reached", id="session_2").whole(), use="collect read final", of="stream"
    ),
    "error event": Case(
        Events().of_turn("created").add("error", error=ERROR).of_turn("completed").of_session("idle"),
        use="collect read final",
    ),
    "phases": Case(
        Events()
        .of_turn("created")
        .message("no", phase="commentary")
        .message("third", index=3, phase="final_answer")
        .message("first", index=1)
        .message("no", index=2, status="incomplete")
        .message("again first", index=1)
        .of_turn("completed")
        .of_session("idle")
    ),
    "misfits": Case(Events().of_turn("created").message(role="robot", extra=1).of_turn("completed").of_session("idle")),
    "repeated": Case(
        [*Events().of_turn("created").events * 3, *Events().whole().events], use="collect read final", of="stream"
    ),
    "typed": Case(Events().whole('{"a": 3}'), wants(Answer)),
    "typed misfit": Case(Events().whole('{"a": "secret"}'), wants(Answer)),
    "typed nothing": Case(Events().of_turn("created").of_turn("completed").of_session("idle"), wants(Answer)),
    "typed twice": Case(
        Events()
        .of_turn("created")
        .message('{"a":1}')
        .message('{"a":2}', index=1)
        .of_turn("completed")
        .of_session("idle"),
        wants(Answer),
    ),
    "typed half": Case(
        Events().of_turn("created").message('{"a":1}').message("no", index=1).of_turn("completed").of_session("idle"),
        wants(Answer),
    ),
    "typed as int": Case(Events().whole(), wants(int)),
    "calls": Case(
        Events()
        .of_turn("created")
        .call()
        .call("other", "call_2")
        .call(call_id="call_3", arguments=[1])
        .call(call_id="call_4", arguments="{}")
        .call()
        .call(of="turn_2")
        .message()
        .of_turn("completed")
        .of_session("idle"),
        handlers(plain),
        use="collect read final",
    ),
    "changed arguments": Case(called(), handlers(changes)),
    "failing": Case(called(), handlers(fails)),
    "not callable": Case(called(), handlers(5)),
    "typed tool": Case(called(), lambda agents: {"tool_handlers": typed(agents)}),
    "typed tool misfit": Case(called(arguments={"a": "x"}), lambda agents: {"tool_handlers": typed(agents)}),
    "typed tool unknown": Case(called(arguments={"a": 1, "b": 2}), lambda agents: {"tool_handlers": typed(agents)}),
    "result none": Case(called(), returns(None)),
    "result mapping": Case(called(), returns({"a": [1, None], "é": "ü"})),
    "result parts": Case(called(), returns([{"type": "input_text", "text": "t"}])),
    "result tuple": Case(called(), returns(({"type": "input_text", "text": "t"},))),
    "result empty": Case(called(), returns([])),
    "result number": Case(called(), returns(5)),
    "result object": Case(called(), returns([object()])),
    "result set": Case(called(), returns({"a": {object()}})),
    "early": Case(called(), handlers(plain), posts=(EARLY,)),
    "too early": Case(called(), handlers(plain), posts=(EARLY,) * 4, of="stream"),
    "refused": Case(called(), handlers(plain), posts=(OTHER,)),
    "refused while read": Case(called(), handlers(plain), posts=(OTHER,), use="read"),
    "action": Case(acting(FUNCTION).of_turn("completed").of_session("idle")),
    "action read": Case(acting(FUNCTION).of_turn("completed").of_session("idle"), use="collect read final"),
    "action taken": Case(
        acting(FUNCTION).of_session("in_progress").of_turn("completed").of_session("idle"), use="collect read final"
    ),
    "action stop": Case(
        acting(FUNCTION).of_turn("completed").of_session("idle"), use="collect next next next final read"
    ),
    "action handled": Case(acting(FUNCTION).of_turn("completed").of_session("idle"), handlers(plain)),
    "action of two": Case(acting(FUNCTION, CONNECTION).of_turn("completed").of_session("idle"), handlers(plain)),
    "key": Case(called(), lambda _: {"extra_headers": {"Idempotency-KEY": "mine", "x-own": "1"}, **handlers(plain)(_)}),
    "timeout": Case(called(), lambda _: {"timeout": 7, **handlers(plain)(_)}),
    "busy": Case(Events().whole(), status="in_progress", of="stream"),
    "input refused": Case(Events().whole(), posts=("input", OTHER), of="stream"),
}
BY_METHOD = [
    (name, method)
    for name, case in CASES.items()
    for method in (("stream", "create") if case.of == "both" else (case.of,))
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play() -> AsyncIterator[Played]:
    async with played() as play:
        yield play


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["AsyncOpenAI", "OpenAI"])
async def pair(request: pytest.FixtureRequest, play: Played) -> AsyncIterator[tuple[Any, Any]]:
    pytest.importorskip("openai.lib.beta.agents")
    async with both_packages(request.param, play.base_url) as clients:
        yield clients


def error_of(error: BaseException) -> Any:
    named = ("reason", "turn_id", "session_id", "status_code", "code")
    found = {name: getattr(error, name) for name in named if hasattr(error, name)}
    if hasattr(error, "required_actions"):
        found["actions"] = [action.type for action in error.required_actions]
        found["messages"] = [message.output_text for message in error.messages]
        found["cause"] = type(error.__cause__).__name__
    if hasattr(error, "result"):
        found["result"] = result_of(error.result)
        found["told"] = (error.__cause__, error.__suppress_context__, "secret" in str(error))
    return type(error).__name__, found


def result_of(result: Any) -> Any:
    return (
        result.output_text,
        result.output_parsed,
        result.session_id,
        result.turn_id,
        result.turn.status,
        [(message.id, message.phase, [part.type for part in message.content]) for message in result.messages],
    )


def told_of(error: Any) -> Any:
    kind = type(error.error).__mro__
    known = next(cls.__name__ for cls in kind if cls.__module__ == "builtins")
    return known, error.tool_name, error.session_id, error.turn_id, error.call_id, error.stage


class Run:
    """The use of one case with one package."""

    def __init__(self, package: str, case: Case, method: str) -> None:
        self.case = case
        self.method = method
        self.seen: list[Any] = []
        self.told: list[Any] = []
        self.package = package
        agents = importlib.import_module(f"{package}.lib.beta.agents")
        self.arguments = case.arguments(agents)
        if method == "stream":
            self.arguments |= {"session_id": "session_1", "input": "Hi", "on_tool_error": self.note}
        else:
            agent = {"model": "gpt-4o"}
            self.arguments |= {"agent": agent, "environment": {"type": "none"}, "input": "Hi", "stream": True}

    def note(self, error: Any) -> None:
        self.told.append(told_of(error))
        raise ValueError("ignored")

    async def asynchronous(self, sessions: Any) -> None:
        if self.method == "stream":
            async with sessions.stream(**self.arguments) as stream:
                await self.use(stream)
        else:
            await self.use(await sessions.create(**self.arguments))

    async def use(self, stream: Any) -> None:
        for step in self.case.use.split():
            if step == "collect":
                assert stream.with_result_collection() is stream
            elif step == "next":
                self.seen.append((await stream.__anext__()).type)
            elif step == "read":
                async for event in stream:
                    self.seen.append(event.type)
            else:
                self.seen.append(result_of(await stream.get_final_result()))

    def blocking(self, sessions: Any) -> None:
        if self.method == "stream":
            with sessions.stream(**self.arguments) as stream:
                self.use_blocking(stream)
        else:
            self.use_blocking(sessions.create(**self.arguments))

    def use_blocking(self, stream: Any) -> None:
        for step in self.case.use.split():
            if step == "collect":
                assert stream.with_result_collection() is stream
            elif step == "next":
                self.seen.append(next(stream if self.method == "create" else iter(stream)).type)
            elif step == "read":
                for event in stream:
                    self.seen.append(event.type)
            else:
                self.seen.append(result_of(stream.get_final_result()))


async def outcome(play: Played, client: Any, name: str, method: str) -> dict[str, Any]:
    case, package = CASES[name], type(client).__module__.partition(".")[0]
    sessions = client.beta.agents.sessions
    play.events = case.events.events if isinstance(case.events, Events) else case.events
    play.session = session(status=case.status)
    # The first input of `stream` is accepted, unless the case is about it.
    posts = [reply for reply in case.posts if reply != "input"]
    play.posts = posts if method == "create" or "input" in case.posts else [None, *posts]
    run, error = Run(package, case, method), None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if type(client).__name__ == "AsyncOpenAI":
                await run.asynchronous(sessions)
            else:
                await asyncio.to_thread(run.blocking, sessions)
        except Exception as raised:
            error = error_of(raised)
    warned = [str(each.message) for each in caught if each.category is UserWarning]
    return {"seen": run.seen, "error": error, "told": run.told, "warned": len(warned), "sent": play.rewind()}


@pytest.mark.once
@pytest.mark.parametrize(("name", "method"), BY_METHOD, ids=lambda value: value.replace(" ", "-"))
async def test_as_the_reference(play: Played, pair: tuple[Any, Any], name: str, method: str) -> None:
    ours, theirs = pair
    assert await outcome(play, ours, name, method) == await outcome(play, theirs, name, method)
