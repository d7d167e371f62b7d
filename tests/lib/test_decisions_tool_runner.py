"""Runners of decisions in both clients: the choices, the actions, the ends, and all that stops a run."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai.lib.decisions_tool_runner import (
    AsyncDecisionsToolRunner,
    DecisionsToolRunner,
    DecisionsToolRunnerCancelledError,
    DecisionsToolRunnerError,
)
from aiopenai.types import Decision

PARAMS = {"model": "m", "input": "tidy the desk"}
DONE = {"id": "done", "description": "All is done.", "done": True}
USAGE = {
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
KINDS = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


def answer(choice: Any, **more: Any) -> dict[str, Any]:
    chances = [{"value": choice, "probability": 1.0}]
    given = {"type": "choice", "name": "next_action", "choice": choice, "confidence": 0.9, "probabilities": chances}
    return {**given, **more}


REFUSAL = {"type": "refusal", "name": "next_action", "refusal": "no"}


def action(name: str, execute: Any) -> dict[str, Any]:
    return {"id": name, "description": f"Does {name}.", "execute": execute}


class Client:
    """A client whose decisions are given. An exception among them is raised."""

    def __init__(self, answers: list[Any], *, blocking: bool, headers: dict[str, str] | None = None) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.default_headers = headers or {}
        self.decisions = SimpleNamespace(create=self.next if blocking else self.next_async)

    def next(self, **request: Any) -> Any:
        self.requests.append(request)
        given = self.answers.pop(0)
        if isinstance(given, BaseException):
            raise given
        if isinstance(given, Decision):
            return given
        # Not validated, as replies are.
        return Decision.construct(model="m", usage=USAGE, answers=[given])

    async def next_async(self, **request: Any) -> Any:
        await asyncio.sleep(0)
        return self.next(**request)


def as_async(function: Any) -> Any:
    if function is None:
        return None

    async def call(*given: Any) -> Any:
        await asyncio.sleep(0)
        return function(*given)

    return call


def run(
    blocking: bool,
    answers: list[Any],
    actions: Callable[[Any], Any],
    *,
    observe: Any = lambda: "a desk",
    verify: Any = None,
    params: Any = PARAMS,
    client: Any = None,
    **options: Any,
) -> Any:
    """Returns the result of a run, and the client. The functions of `actions` become coroutine functions if needed."""
    client = client or Client(answers, blocking=blocking)
    if blocking:
        runner = DecisionsToolRunner(observe=observe, candidates=actions, verify=verify)
        return runner.run(client, params, **options), client

    def offered(observation: Any) -> Any:
        given = actions(observation)
        if not isinstance(given, list):
            return given
        return [
            {**each, "execute": as_async(each["execute"])} if isinstance(each, dict) and "execute" in each else each
            for each in given
        ]

    made = AsyncDecisionsToolRunner(observe=as_async(observe), candidates=as_async(offered), verify=as_async(verify))
    return asyncio.run(made.run(client, params, **options)), client


def error_of(blocking: bool, *given: Any, **options: Any) -> DecisionsToolRunnerError:
    with pytest.raises(DecisionsToolRunnerError) as raised:
        run(blocking, *given, **options)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return raised.value


@KINDS
class TestRuns:
    def test_actions_and_requests(self, blocking: bool) -> None:
        did: list[str] = []
        states = iter(["paper", [{"type": "input_text", "text": "pens"}], "bare", "bare"])

        def actions(observation: Any) -> Any:
            return [action("sweep", lambda: did.append("sweep")), DONE]

        found, client = run(
            blocking,
            [answer("sweep"), answer("sweep"), answer("done")],
            actions,
            observe=lambda: next(states),
            verify=lambda observation: observation == "bare",
            params={**PARAMS, "safety_identifier": "u"},
        )
        assert did == ["sweep", "sweep"]
        assert found["status"] == "verified"
        assert found["attempted_candidate_ids"] == found["completed_candidate_ids"] == ["sweep", "sweep"]
        assert [type(each) for each in found["decisions"]] == [Decision] * 3
        first, second, _ = client.requests
        assert first["input"] == [{"role": "user", "content": "tidy the desk"}, {"role": "user", "content": "paper"}]
        assert second["input"][1]["content"] == [{"type": "input_text", "text": "pens"}]
        assert (first["model"], first["safety_identifier"]) == ("m", "u")
        [question] = first["questions"]
        assert (question["type"], question["name"]) == ("choice", "next_action")
        assert question["choices"] == [
            {"value": "sweep", "description": "Does sweep."},
            {"value": "done", "description": "All is done."},
        ]

    def test_ends(self, blocking: bool) -> None:
        actions = partial(list, [action("a", print), DONE])
        found, _ = run(blocking, [answer("done")], lambda _: actions())
        assert found["status"] == "unverified"
        found, _ = run(blocking, [REFUSAL], lambda _: actions())
        assert (found["status"], found["attempted_candidate_ids"]) == ("refused", [])

    def test_no_request_for_the_only_candidate(self, blocking: bool) -> None:
        found, client = run(blocking, [], lambda _: [DONE], verify=lambda _: True)
        assert (found["status"], client.requests) == ("verified", [])

    def test_a_failed_verification_goes_on(self, blocking: bool) -> None:
        verdicts = [False, True]
        found, _ = run(
            blocking,
            [answer("done"), answer("done")],
            lambda _: [action("a", print), DONE],
            verify=lambda _: verdicts.pop(0),
        )
        assert found["status"] == "verified"

    def test_each_request_has_an_idempotency_key_of_its_own(self, blocking: bool) -> None:
        client = Client([answer("a"), answer("done")], blocking=blocking, headers={"Idempotency-Key": "mine"})
        run(blocking, [], lambda _: [action("a", lambda: None), DONE], client=client)
        first, second = client.requests
        assert "extra_headers" not in first
        assert second["extra_headers"]["Idempotency-Key"].startswith("stainless-python-retry-")

    def test_diagnostics(self, blocking: bool) -> None:
        seen: list[Any] = []
        run(
            blocking,
            [answer("a"), answer("done")],
            lambda _: [action("a", lambda: None), DONE],
            verify=lambda _: True,
            on_diagnostic=seen.append,
        )
        assert [(each["stage"], each["reason"], each["call_id"]) for each in seen] == [
            ("request", "completed", None),
            ("selection", "completed", "a"),
            ("action", "completed", "a"),
            ("request", "completed", None),
            ("selection", "completed", "done"),
            ("verification", "completed", "done"),
        ]
        assert {each["api"] for each in seen} == {"decisions"}
        assert seen[0]["usage"] == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}

    def test_a_closed_runner(self, blocking: bool) -> None:
        cls: Any = DecisionsToolRunner if blocking else AsyncDecisionsToolRunner
        runner = cls(observe=print, candidates=print)
        assert runner.close() == {"status": "closed"}
        call = partial(runner.run, None, PARAMS)
        with pytest.raises(RuntimeError, match="closed"):
            _ = call() if blocking else asyncio.run(call())


INVALID_CANDIDATES = {
    "none": [],
    "no list": (DONE,),
    "no dict": [1, DONE],
    "no done": [action("a", print)],
    "two done": [DONE, {**DONE, "id": "other"}],
    "same ids": [action("a", print), action("a", print), DONE],
    "blank id": [action(" ", print), DONE],
    "no description": [{"id": "a", "execute": print}, DONE],
    "no executor": [{"id": "a", "description": "b"}, DONE],
    "done with executor": [{**DONE, "execute": print}],
    "unknown name": [{**DONE, "more": 1}],
    "truthy done": [{**DONE, "done": 1}],
    "too many": [*(action(str(each), print) for each in range(255)), DONE],
}
INVALID_ANSWERS = {
    "unknown": answer("other"),
    "no text": answer(True),
    "other question": answer("a", name="other"),
    "no confidence": answer("a", confidence=None),
    "endless": answer("a", confidence="inf"),
    "no chances": answer("a", probabilities=None),
    "bad chance": answer("a", probabilities=[{"value": "a", "probability": True}]),
    "score": {"type": "score", "name": "next_action"},
}


@KINDS
class TestErrors:
    @pytest.mark.parametrize("name", INVALID_CANDIDATES)
    def test_candidates(self, blocking: bool, name: str) -> None:
        assert error_of(blocking, [], lambda _: INVALID_CANDIDATES[name]).reason == "invalid_candidates"

    @pytest.mark.parametrize("name", INVALID_ANSWERS)
    def test_answers(self, blocking: bool, name: str) -> None:
        found = error_of(blocking, [INVALID_ANSWERS[name]], lambda _: [action("a", print), DONE])
        assert (found.reason, found.attempted_candidate_ids) == ("invalid_answer", ())

    @pytest.mark.parametrize("answers", [[], [answer("a"), answer("a")], None])
    def test_numbers_of_answers(self, blocking: bool, answers: Any) -> None:
        decision = Decision.construct(model="m", usage=USAGE, answers=answers)
        assert error_of(blocking, [decision], lambda _: [action("a", print), DONE]).reason == "invalid_answer"

    @pytest.mark.parametrize("missing", ["input_tokens", "input_tokens_details", "output_tokens_details"])
    def test_counts_of_tokens(self, blocking: bool, missing: str) -> None:
        usage = {name: value for name, value in USAGE.items() if name != missing}
        decision = Decision.construct(model="m", usage=usage, answers=[answer("a")])
        assert error_of(blocking, [decision], lambda _: [action("a", print), DONE]).reason == "invalid_answer"

    @pytest.mark.parametrize(
        ("params", "options"),
        [
            ({"model": "m"}, {}),
            ({**PARAMS, "stream": True}, {}),
            ({**PARAMS, "input": ["x"]}, {}),
            ({**PARAMS, "safety_identifier": 3}, {}),
            (None, {}),
            (PARAMS, {"max_steps": 0}),
            (PARAMS, {"max_steps": True}),
        ],
        ids=["no input", "stream", "list", "number", "none", "no steps", "true"],
    )
    def test_parameters(self, blocking: bool, params: Any, options: Any) -> None:
        found = error_of(blocking, [], lambda _: pytest.fail("asked"), params=params, **options)
        assert found.reason == "invalid_params"

    def test_the_limit_of_steps(self, blocking: bool) -> None:
        seen: list[Any] = []
        found = error_of(
            blocking,
            [answer("a"), answer("a")],
            lambda _: [action("a", lambda: None), DONE],
            max_steps=2,
            on_diagnostic=seen.append,
        )
        assert (found.reason, found.attempted_candidate_ids) == ("step_limit", ("a",))
        assert (seen[-1]["stage"], seen[-1]["reason"]) == ("run", "step_limit")

    def test_failures_of_callbacks_and_requests(self, blocking: bool) -> None:
        def fail(*_: Any) -> Any:
            raise ValueError("secret")

        offered: list[Any] = [action("a", fail), DONE]
        for found in (
            error_of(blocking, [], lambda _: offered, observe=fail),
            error_of(blocking, [], fail),
            error_of(blocking, [OSError("secret")], lambda _: offered),
            error_of(blocking, [], lambda _: [DONE], verify=fail),
            error_of(blocking, [], lambda _: offered, observe=lambda: [{"type": "input_text"}]),
        ):
            assert (found.reason, found.completed_candidate_ids) == ("failed", ())
            assert "secret" not in str(found)
        found = error_of(blocking, [answer("a")], lambda _: offered)
        assert (found.reason, found.attempted_candidate_ids, found.completed_candidate_ids) == ("failed", ("a",), ())
        own = DecisionsToolRunnerError("step_limit", ["x"], [])

        def raise_own() -> Any:
            raise own

        assert error_of(blocking, [answer("a")], lambda _: [action("a", raise_own), DONE]).reason == "failed"

    def test_verifications(self, blocking: bool) -> None:
        assert error_of(blocking, [], lambda _: [DONE], verify=lambda _: False).reason == "verification_failed"
        assert error_of(blocking, [], lambda _: [DONE], verify=lambda _: 1).reason == "invalid_verification"

    def test_cancelled_between_steps(self, blocking: bool) -> None:
        did: list[int] = []
        found = error_of(
            blocking,
            [answer("a"), answer("a")],
            lambda _: [action("a", lambda: did.append(1)), DONE],
            cancelled=lambda: bool(did),
        )
        assert (found.reason, found.completed_candidate_ids) == ("cancelled", ("a",))


def test_actions_of_the_blocking_runner_are_plain_functions() -> None:
    async def act() -> None:
        pass

    found = error_of(True, [answer("a")], lambda _: [action("a", act), DONE])
    assert (found.reason, found.attempted_candidate_ids, found.completed_candidate_ids) == (
        "async_executor",
        ("a",),
        (),
    )


async def test_a_cancelled_task() -> None:
    begun = asyncio.Event()

    async def act() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def observe() -> str:
        return "a desk"

    async def actions(_: Any) -> Any:
        return [action("a", act), DONE]

    runner = AsyncDecisionsToolRunner(observe=observe, candidates=actions)

    async def run() -> DecisionsToolRunnerCancelledError:
        # Inside of the task: Python 3.10 gives those that wait for a cancelled task an error of its own.
        with pytest.raises(DecisionsToolRunnerCancelledError) as raised:
            await runner.run(Client([answer("a")], blocking=False), PARAMS)
        return raised.value

    task = asyncio.ensure_future(run())
    await begun.wait()
    with pytest.raises(RuntimeError, match="busy"):
        await runner.run(None, PARAMS)
    assert runner.close() == {"status": "draining"}
    task.cancel()
    error = await task
    assert (error.attempted_candidate_ids, error.completed_candidate_ids) == (("a",), ())


def test_errors_travel_between_processes() -> None:
    for error in (
        DecisionsToolRunnerError("step_limit", ["a"], ["b"]),
        DecisionsToolRunnerCancelledError(["a"], ["b"]),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.reason) == (type(error), str(error), error.reason)
        assert (copy.attempted_candidate_ids, copy.completed_candidate_ids) == (("a",), ("b",))
