"""`ComputerToolset` of both clients, beside the reference where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import pickle
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from aiopenai import AsyncComputerToolset, ComputerToolset
from aiopenai.lib.computer import ComputerUseError
from tests.lib.played_runs import CLICK, ENDS, SCREEN, Played, call, message, response, use

CHECK = {"id": "sc_1", "code": "malicious", "message": "Careful."}
MEMBERS = ("click", "double_click", "drag", "keypress", "move", "scroll", "type", "wait")


def legacy(action: Any, **more: Any) -> Any:
    given = {**use(), "action": action, **more}
    del given["actions"]
    return given


class Case(NamedTuple):
    """A run: the replies of the server, the parameters, and the answers of the program."""

    replies: tuple[Any, ...]
    params: Any = MappingProxyType({})
    max_steps: Any = 20
    approve: Any = None
    # The answer for each action.
    before: Any = None
    screen: Any = SCREEN
    fails: bool = False
    # The number of questions after which the run is cancelled.
    cancelled: int | None = None


def one(*actions: Any, **more: Any) -> Case:
    return Case((response(1, use(*actions)), ENDS), **more)


ALLOWED = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "computer"}]}
CASES = {
    "answer": Case((response(1, message()),)),
    "click": one(CLICK),
    "all actions": one(
        {**CLICK, "button": "wheel", "keys": ["SHIFT"]},
        {"type": "double_click", "x": 1, "y": 2, "keys": None},
        {"type": "drag", "path": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
        {"type": "keypress", "keys": ["CTRL", "C"]},
        {"type": "move", "x": 1, "y": 2},
        {"type": "screenshot"},
        {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": -3},
        {"type": "type", "text": "Hi"},
        {"type": "wait"},
    ),
    "screenshot": one({"type": "screenshot"}, before=True),
    "two calls": Case((response(1, use(), use(number=2)), ENDS)),
    "one action": Case((response(1, legacy(CLICK)), ENDS)),
    "one action without checks": Case((response(1, legacy(CLICK, pending_safety_checks=None)), ENDS)),
    "null for one action": Case((response(1, use(action=None)), ENDS)),
    "no actions": Case((response(1, use(actions=[])), ENDS)),
    "unknown action": one({"type": "dance"}),
    "fraction": one({**CLICK, "x": 1.5}),
    "unknown button": one({**CLICK, "button": "middle"}),
    "no keys": one({"type": "keypress"}),
    "drag without points": one({"type": "drag", "path": [1]}),
    "incomplete": Case((response(1, use(status="in_progress")), ENDS)),
    "failed": Case((response(1, use(), status="failed"),)),
    "one id twice": Case((response(1, use(), use()), ENDS)),
    "one call twice": Case((response(1, use()), response(2, use(id="cu_2")))),
    "function": Case((response(1, call()), ENDS)),
    "commentary": Case((response(1, message(phase="commentary")),)),
    "steps": Case((response(1, use()), response(2, use(number=2))), max_steps=2),
    "no steps": Case((ENDS,), max_steps=0),
    "checks": Case((response(1, use(pending_safety_checks=[CHECK])), ENDS), approve=True),
    "checks without an answer": Case((response(1, use(pending_safety_checks=[CHECK])), ENDS)),
    "checks refused": Case((response(1, use(pending_safety_checks=[CHECK])), ENDS), approve=1),
    "invalid checks": Case((response(1, use(pending_safety_checks=[{"code": "x"}])), ENDS), approve=True),
    "approved": one(CLICK, CLICK, before=True),
    "refused": one(CLICK, before=False),
    "fails": one(CLICK, fails=True),
    "file": one(screen={"type": "computer_screenshot", "file_id": "file_1", "more": 1}),
    "blank screen": one(screen={"type": "computer_screenshot", "image_url": " "}),
    "no screen": one(screen="data:"),
    "cancelled at once": one(cancelled=0),
    "cancelled after the request": one(cancelled=1),
    "cancelled in the actions": one(CLICK, CLICK, cancelled=4),
    "cancelled in a failure": one(CLICK, CLICK, fails=True, cancelled=4),
    "cancelled before the screen": one(CLICK, cancelled=5),
    "preview": Case((ENDS,), {"tools": [{"type": "computer_use_preview", "environment": "browser"}]}),
    "another tool": Case((ENDS,), {"tools": [{"type": "web_search"}]}),
    "two tools": Case((ENDS,), {"tools": [{"type": "computer"}, {"type": "computer"}]}),
    "stream": Case((ENDS,), {"stream": True}),
    "conversation": Case((ENDS,), {"conversation": "conv_1"}),
    "extra input": Case((ENDS,), {"extra_body": {"input": []}}),
    "extra": Case((ENDS,), {"extra_body": {"metadata": {"a": "b"}}, "extra_headers": {"Idempotency-Key": "mine"}}),
    "required": one(params={"tool_choice": "required"}),
    "forced": one(params={"tool_choice": {"type": "computer"}}),
    "allowed": one(params={"tool_choice": ALLOWED}),
    "refused request": Case((response(1, use()), (400, {"error": {"message": "No."}}))),
    "history": Case((response(1, use()), ENDS), {"input": [{"role": "user", "content": "Hi"}]}),
    "id of the history": Case((response(1, use()), ENDS), {"input": [{"role": "user", "content": "Hi", "id": "cu_1"}]}),
}


class Driver:
    """A computer that notes its actions."""

    def __init__(self, case: Case, *, asynchronous: bool) -> None:
        self.case = case
        self.seen: list[Any] = []
        for name in MEMBERS:
            setattr(self, name, self._method(name, asynchronous))
        self.screenshot = fitting(self._screenshot, asynchronous)

    def _method(self, name: str, asynchronous: bool) -> Callable[..., Any]:
        def act(action: Any) -> None:
            self.seen.append((name, action.to_dict()))
            if self.case.fails:
                raise OSError("the cable")

        return fitting(act, asynchronous)

    def _screenshot(self) -> Any:
        self.seen.append("screenshot")
        return self.case.screen


def fitting(function: Callable[..., Any], asynchronous: bool) -> Callable[..., Any]:
    async def wrapped(*given: Any) -> Any:
        return function(*given)

    return wrapped if asynchronous else function


async def outcome(play: Played, client: Any, case: Case) -> Any:
    play.replies, play.sent = list(case.replies), []
    asynchronous = type(client).__name__ == "AsyncOpenAI"
    module: Any = importlib.import_module(f"{type(client).__module__.partition('.')[0]}.lib.computer")
    driver = Driver(case, asynchronous=asynchronous)
    asked: list[Any] = []
    stages: list[Any] = []
    options: dict[str, Any] = {"max_steps": case.max_steps, "on_diagnostic": stages.append}

    def cancelled() -> bool:
        asked.append("cancelled")
        return case.cancelled is not None and len(asked) > case.cancelled

    def answer(name: str) -> Callable[..., Any]:
        def note(subject: Any) -> Any:
            driver.seen.append((name, subject.type))
            return getattr(case, name)

        return fitting(note, asynchronous)

    if case.cancelled is not None:
        options["cancelled"] = cancelled
    if case.approve is not None:
        options["approve_safety_checks"] = answer("approve")
    if case.before is not None:
        options["before_action"] = answer("before")
    params = {"model": "m", "input": "Hi", **case.params}
    end: Any
    try:
        if asynchronous:
            found = await module.AsyncComputerToolset(driver).run(client, params, **options)
        else:
            found = await asyncio.to_thread(module.ComputerToolset(driver).run, client, params, **options)
        end = found.id
    except Exception as error:
        last: Any = getattr(error, "response", None)
        end = type(error).__name__, getattr(last, "id", None)
    bodies = [({**body, "stream": False}, key) for body, key in play.sent]
    return end, bodies, driver.seen, [{**stage, "duration_ms": 0} for stage in stages]


@pytest.mark.once
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
async def test_as_the_reference(play: Played, pair: tuple[Any, Any], name: str) -> None:
    ours, theirs = [await outcome(play, client, CASES[name]) for client in pair]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other


@pytest.mark.once
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("given", [use(), legacy(CLICK), use(status="incomplete")], ids=["calls", "one", "incomplete"])
async def test_execute_as_the_reference(pair: tuple[Any, Any], given: Any) -> None:
    ends: list[Any] = []
    for client in pair:
        package = type(client).__module__.partition(".")[0]
        module: Any = importlib.import_module(f"{package}.lib.computer")
        types: Any = importlib.import_module(f"{package}.types.responses")
        built = types.Response.construct(**response(1, given))
        asynchronous = type(client).__name__ == "AsyncOpenAI"
        driver = Driver(one(), asynchronous=asynchronous)
        try:
            if asynchronous:
                end: Any = await module.AsyncComputerToolset(driver).execute(built.output[0])
            else:
                end = module.ComputerToolset(driver).execute(built.output[0])
        except Exception as error:
            end = type(error).__name__
        ends.append((end, driver.seen))
    assert ends[0] == ends[1]


def test_drivers_that_do_not_fit() -> None:
    whole = Driver(one(), asynchronous=False)
    annotated: Any = Driver(one(), asynchronous=True)
    annotated.click = lambda action: None
    annotated.click.__annotations__["return"] = None
    with pytest.raises(ValueError, match="'click' of the driver belongs to the other client: use ComputerToolset"):
        AsyncComputerToolset(annotated)
    with pytest.raises(ValueError, match="use AsyncComputerToolset"):
        ComputerToolset(Driver(one(), asynchronous=True))  # type: ignore[arg-type]
    del whole.wait  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="needs the method 'wait'"):
        ComputerToolset(whole)  # type: ignore[arg-type]


def test_options_that_do_not_exist() -> None:
    toolset = ComputerToolset(Driver(one(), asynchronous=False))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="max_turns"):
        toolset.run(None, {}, max_turns=1)  # type: ignore[call-arg]
    assert toolset.close() == {"status": "closed"}
    with pytest.raises(RuntimeError, match="closed"):
        toolset.run(None, {})


def test_errors_are_copied_whole() -> None:
    error = pickle.loads(pickle.dumps(ComputerUseError("No.", {"id": "resp_1"})))
    assert (str(error), error.response) == ("No.", {"id": "resp_1"})
