"""Ledgers, budgets, diagnostics and turns of `ResponsesToolRunner`, beside the reference where it is installed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai import OpenAI
from aiopenai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolLedger, ResponsesToolRunner
from aiopenai.lib.tool_diagnostics import emit_tool_diagnostic
from aiopenai.testing import Server
from tests.lib.played_runs import (
    ENDS,
    MCP,
    OUTPUT,
    PART,
    SCREEN,
    TOOL,
    Case,
    Played,
    approval,
    call,
    fails,
    message,
    outcome,
    response,
    seen,
    use,
)

THREE = response(1, call(1), call(2), call(3))
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}
HISTORY = [{"role": "user", "content": "Hi"}, call(), OUTPUT]
SECRET: Any = {
    "authorization": "Bearer s",
    "headers": {"X-Key": "s"},
    "server_url": "https://u:p@a.test/mcp?api_key=s&page=2#end",
}
USAGE: Any = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 3,
}
LISTED: Any = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs", "tools": []}
MADE: Any = {
    "type": "mcp_call",
    "id": "mcp_1",
    "server_label": "docs",
    "name": "search",
    "arguments": "{}",
    "output": "found",
    "approval_request_id": None,
    "error": None,
    "status": "completed",
}
APPROVED: Any = [approval(), {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]
FAILURE = {"type": "http_error", "code": 500, "message": "No."}
ANSWERED: Any = {**MADE, "approval_request_id": "mcpr_1"}
SEARCH: Any = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
CODE: Any = {
    "type": "code_interpreter",
    "container": {
        "type": "auto",
        "network_policy": {
            "type": "allowlist",
            "allowed_domains": ["a.test"],
            "domain_secrets": [{"domain": "a.test", "name": "KEY", "value": "s"}],
        },
    },
}


def saved(*replies: Any, **more: Any) -> Case:
    return Case(replies, ledger=True, **more)


def server_tools(*replies: Any, tools: Any, **more: Any) -> Case:
    return Case(replies, params={"tools": tools, **more.pop("params", {})}, **more)


SAVED = {
    "answer": saved(response(1, message())),
    "calls": saved(THREE, ENDS),
    "fails": saved(THREE, ENDS, execute=fails),
    "refused": saved(response(1, call()), (500, {"error": {"message": "No."}})),
    "steps": saved(THREE, ENDS, options={"max_steps": 1}),
    "no save at first": saved(THREE, ENDS, full=1),
    "no save before a call": saved(THREE, ENDS, full=3),
    "no save after a call": saved(THREE, ENDS, full=4),
    "no save at the end": saved(response(1, message()), full=2),
    "approved": saved(response(1, approval(), call()), ENDS, params={"tools": [{**MCP, **SECRET}]}, approve=True),
    "a server's call": saved(
        response(1, LISTED, MADE, message()), params={"tools": [{**MCP, "require_approval": "never"}]}
    ),
    "a server's failure": saved(response(1, {**MADE, "error": FAILURE}), params={"tools": [MCP]}),
    "secrets of code": saved(response(1, message()), params={"tools": [CODE]}),
    "history": saved(response(1, call(2)), ENDS, params={"input": HISTORY}),
    "open history": saved(ENDS, params={"input": HISTORY[:2]}),
    "no call for an output": saved(ENDS, params={"input": [OUTPUT]}),
    "another function": saved(ENDS, params={"input": [call(name="other"), OUTPUT]}),
    "no name": saved(ENDS, params={"input": [call(name=[]), OUTPUT]}),
    "no text as type": saved(ENDS, params={"input": [{**OUTPUT, "type": {}}]}),
    "no object": saved(ENDS, params={"input": [call(arguments="[]"), OUTPUT]}),
    "unknown role": saved(ENDS, params={"input": [{"role": "robot", "content": "Hi"}]}),
    "reference to an item": saved(ENDS, params={"input": [{"type": "item_reference", "id": "msg_0"}]}),
    "a header": saved(ENDS, params={"extra_headers": {"a": "b"}}),
    "a set": saved(ENDS, params={"metadata": {"a", "b"}}),
    "texts": saved(THREE, ENDS, turn=lambda turn: turn.append_user_text("More.")),
    "override": saved(THREE, ENDS, override=True),
}
BUDGET = {"max_input_bytes": 400, "max_input_images": 1}


def budgeted(*replies: Any, compact: Any = None, execute: Any = seen, params: Any = (), **more: Any) -> Case:
    return Case(replies, execute, dict(params), {"context_budget": {**BUDGET, **more}}, compact=compact)


def dropped(snapshot: Any) -> Any:
    return {"drop_call_ids": snapshot["eligible_call_ids"], "summary": f"{snapshot['input_images']} images"}


def pictures(_: Any) -> Any:
    return [PART, IMAGE]


BUDGETS = {
    "within": budgeted(response(1, call()), ENDS),
    "over": budgeted(THREE, ENDS),
    "compacted": budgeted(THREE, ENDS, compact=dropped, max_input_bytes=500),
    "each step": budgeted(
        response(1, call(1)), response(2, call(2)), ENDS, compact=dropped, execute=pictures, max_input_images=0
    ),
    "still over": budgeted(THREE, ENDS, compact=lambda _: {"drop_call_ids": []}),
    "images": budgeted(response(1, call()), ENDS, execute=pictures, max_input_images=0),
    "image of the user": budgeted(ENDS, params={"input": [{"role": "user", "content": [IMAGE, IMAGE]}]}),
    "no decision": budgeted(THREE, ENDS, compact=lambda _: None),
    "unknown call": budgeted(THREE, ENDS, compact=lambda _: {"drop_call_ids": ["x"]}),
    "one call twice": budgeted(THREE, ENDS, compact=lambda _: {"drop_call_ids": ["call_1", "call_1"]}),
    "unknown key": budgeted(THREE, ENDS, compact=lambda _: {"drop_call_ids": [], "text": ""}),
    "number as summary": budgeted(THREE, ENDS, compact=lambda _: {"drop_call_ids": ["call_1"], "summary": 5}),
    "fails": budgeted(THREE, ENDS, compact=lambda _: fails(0)),
    "no limit": budgeted(ENDS, max_input_bytes=0),
    "boolean limit": budgeted(ENDS, max_input_images=True),
    "unknown limit": budgeted(ENDS, max_tokens=5),
    "number as compact": Case((ENDS,), options={"context_budget": {**BUDGET, "compact": 5}}),
    "truncation": budgeted(ENDS, params={"truncation": "auto"}),
    "no truncation": budgeted(ENDS, params={"truncation": "disabled"}),
    "extra truncation": budgeted(ENDS, params={"extra_body": {"truncation": "auto"}}),
    "trigger": budgeted(response(1, call()), ENDS, params={"input": [*HISTORY[:1], {"type": "compaction_trigger"}]}),
    "early trigger": budgeted(ENDS, params={"input": [{"type": "compaction_trigger"}, *HISTORY[:1]]}),
    "reference": budgeted(ENDS, params={"input": [{"type": "item_reference", "id": "msg_0"}]}),
    "open history": budgeted(ENDS, params={"input": HISTORY[:2]}),
}
OFFER = {**TOOL, "allowed_callers": ["programmatic"]}
RULES = {
    "usage": Case((response(1, call(), usage=USAGE), ENDS)),
    "never asked": server_tools(response(1, MADE, message()), tools=[MCP]),
    "not asked": server_tools(response(1, MADE, message()), tools=[{**MCP, "require_approval": "never"}]),
    "asked for others": server_tools(
        response(1, MADE, message()), tools=[{**MCP, "require_approval": {"never": {"tool_names": ["search"]}}}]
    ),
    "asked for all others": server_tools(
        response(1, MADE, message()), tools=[{**MCP, "require_approval": {"never": {"tool_names": ["x"]}}}]
    ),
    "asked by kind": server_tools(
        response(1, MADE, message()), tools=[{**MCP, "require_approval": {"always": {"read_only": True}}}]
    ),
    "approved call": server_tools(response(1, approval()), response(2, ANSWERED, message()), tools=[MCP], approve=True),
    "other arguments": server_tools(
        response(1, approval()), response(2, {**ANSWERED, "arguments": "[]"}), tools=[MCP], approve=True
    ),
    "denied call": server_tools(response(1, approval()), response(2, ANSWERED), tools=[MCP], approve=False),
    "renewed": server_tools(response(1, ANSWERED), tools=[MCP], approve=True, params={"input": APPROVED}),
    "not renewed": server_tools(response(1, message()), tools=[MCP], approve=False, params={"input": APPROVED}),
    "used approval": server_tools(response(1, message()), tools=[MCP], params={"input": [*APPROVED, ANSWERED]}),
    "open approval": server_tools(response(1, message()), tools=[MCP], params={"input": APPROVED[:1]}),
    "names of a filter": server_tools(
        response(1, approval()), ENDS, tools=[{**MCP, "allowed_tools": {"tool_names": ["other"]}}], approve=True
    ),
    "search": server_tools(response(1, SEARCH, message()), tools=[{"type": "web_search"}]),
    "search alone": server_tools(response(1, SEARCH), tools=[{"type": "web_search"}]),
    "search and a call": server_tools(response(1, SEARCH, call()), ENDS, tools=[{"type": "web_search"}]),
    "search that fails": server_tools(response(1, {**SEARCH, "status": "failed"}), tools=[{"type": "web_search"}]),
    "undeclared search": Case((response(1, SEARCH),)),
    "excluded search": server_tools(
        response(1, SEARCH),
        tools=[{"type": "web_search"}],
        params={"tool_choice": {"type": "mcp", "server_label": "d"}},
    ),
    "required of both": server_tools(ENDS, tools=[{"type": "web_search"}], params={"tool_choice": "required"}),
    "excluded call": Case((response(1, call()), ENDS), params={"tool_choice": "none"}),
    "allowed call": Case(
        (response(1, call()), ENDS),
        params={
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]}
        },
    ),
    "forced tools": Case(
        (ENDS,),
        params={
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "look"}],
            }
        },
    ),
    "second call invalid": Case((response(1, call(1), call(2, arguments="[]")), ENDS)),
    "namespace": Case((response(1, call(namespace="look")), ENDS)),
    "another namespace": Case((response(1, call(namespace="other")), ENDS)),
    "program": Case((response(1, call(caller={"type": "program", "caller_id": "c"})), ENDS)),
    "unknown caller": Case((response(1, call(caller={"type": "robot"})), ENDS)),
    "made by another": Case((response(1, call(created_by="u")), ENDS)),
    "supplied": Case((THREE, ENDS), override=True, turn=lambda turn: turn.supply_outputs([OUTPUT])),
    "supplied parts": Case(
        (THREE, ENDS), override=True, turn=lambda turn: turn.supply_outputs([{**OUTPUT, "output": [PART]}])
    ),
    "supplied number": Case(
        (THREE, ENDS), override=True, turn=lambda turn: turn.supply_outputs([{**OUTPUT, "output": 5}])
    ),
    "not to be supplied": Case((THREE, ENDS), turn=lambda turn: turn.supply_outputs([OUTPUT])),
    "supplied and replaced": Case(
        (THREE, ENDS),
        override=True,
        turn=lambda turn: (turn.supply_outputs([OUTPUT]), turn.supply_outputs([{**OUTPUT, "call_id": "call_2"}])),
    ),
    "white space": Case((THREE, ENDS), turn=lambda turn: turn.append_user_text(" ")),
}
BREAK: Any = {"mode": "explicit"}
PARTS: dict[str, Any] = {
    "file": [{"type": "input_file", "file_id": "file_1", "filename": "a.pdf", "detail": "low"}],
    "file without a source": [{"type": "input_file", "filename": "a.pdf"}],
    "image by id": [{"type": "input_image", "file_id": "file_1", "detail": None}],
    "image without a source": [{"type": "input_image", "image_url": " ", "file_id": None}],
    "unknown detail": [{**IMAGE, "detail": "huge"}],
    "detail of a text": [{**PART, "detail": "low"}],
    "text without a text": [{"type": "input_text", "text": None}],
    "unknown field": [{**PART, "annotations": []}],
    "number as id": [{"type": "input_image", "file_id": 5}],
    "cache": [{**PART, "prompt_cache_breakpoint": BREAK}, {**PART, "prompt_cache_breakpoint": None}],
    "unknown cache": [{**PART, "prompt_cache_breakpoint": {"mode": "x"}}],
    "no part": ["text"],
    "tuple": (PART,),
}
FILES: Any = {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"], "results": None}
RAN: Any = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "status": "completed",
    "code": "1",
    "container_id": "cntr_1",
    "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": "https://a.test"}],
}
DREW: Any = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AA=="}
OFFERED: Any = {"name": "search", "input_schema": {}, "annotations": None, "description": None}
TOOLS: Any = [
    *({"type": kind} for kind in ("web_search", "image_generation")),
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "code_interpreter", "container": "cntr_1"},
    MCP,
]
ITEMS: dict[str, Any] = {
    "open page": {**SEARCH, "action": {"type": "open_page", "url": None}},
    "find in page": {**SEARCH, "action": {"type": "find_in_page", "pattern": "p", "url": "https://a.test"}},
    "find without a pattern": {**SEARCH, "action": {"type": "find_in_page", "url": "https://a.test"}},
    "no action": {**SEARCH, "action": None},
    "no status": {key: value for key, value in SEARCH.items() if key != "status"},
    "no id": {**SEARCH, "id": None},
    "files": FILES,
    "files with results": {**FILES, "results": [{"file_id": "file_1", "score": 0.5, "text": "t"}]},
    "files without queries": {**FILES, "queries": None},
    "code": RAN,
    "code without outputs": {**RAN, "outputs": None},
    "unknown output of code": {**RAN, "outputs": [{"type": "sound"}]},
    "another container": {**RAN, "container_id": "cntr_2"},
    "no code": {key: value for key, value in RAN.items() if key != "code"},
    "image": DREW,
    "image without a result": {key: value for key, value in DREW.items() if key != "result"},
    "offered tools": {**LISTED, "tools": [OFFERED]},
    "offered tool without a schema": {**LISTED, "tools": [{"name": "search"}]},
    "tools of another server": {**LISTED, "server_label": "x"},
    "call without arguments": {**MADE, "arguments": None},
    "reasoning": {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}]},
    "reasoning without a summary": {"type": "reasoning", "id": "rs_1"},
    "compaction without content": {"type": "compaction", "id": "cmp_1"},
    "refusal": message(content=[{"type": "refusal", "refusal": "No."}]),
    "message without an id": message(id=None),
    "unknown part": message(content=[{"type": "sound"}]),
    "unknown phase": message(phase="x"),
}
PAST: dict[str, Any] = {
    "reasoning": [{"type": "reasoning", "id": "rs_1", "summary": []}],
    "reasoning without an id": [{"type": "reasoning", "summary": []}],
    "compaction": [{"type": "compaction", "encrypted_content": "x"}],
    "compaction without content": [{"type": "compaction"}],
    "configuration": [{"type": "configuration_update", "reasoning": {"effort": "low"}}],
    "parts": [{"role": "user", "content": [PART]}],
    "unknown part": [{"role": "user", "content": [{"type": "sound"}]}],
    "unknown kind": [{"type": "robot"}],
    "one id twice": [
        {"role": "user", "content": "Hi", "id": "msg_7"},
        {"role": "user", "content": "Hi", "id": "msg_7"},
    ],
    "one call twice": [call(), OUTPUT, call(2, call_id="call_1"), OUTPUT],
    "incomplete call": [call(status="incomplete"), OUTPUT],
    "unknown status": [call(), {**OUTPUT, "status": "x"}],
    "output of another kind": [call(), {**OUTPUT, "type": "computer_call_output"}],
    "two answers": [*APPROVED, APPROVED[1]],
    "no boolean": [APPROVED[0], {**APPROVED[1], "approve": 1}],
    "a call without an approval": [{**ANSWERED, "id": "mcp_2"}],
    "computer": [use(), {**OUTPUT, "type": "computer_call_output", "call_id": "use_1"}],
}
STREAMED = {"stream": True, "eager": True}
EAGER_SAVED = {
    "calls": saved(THREE, ENDS),
    "independent": saved(THREE, ENDS, independent=True),
    "fails": saved(THREE, ENDS, execute=fails),
    "beside a server": saved(response(1, SEARCH, call()), ENDS, params={"tools": [{"type": "web_search"}]}),
    "second deferred": saved(THREE, ENDS, before=("execute", "defer")),
    "supplied too late": Case((THREE, ENDS), override=True, turn=lambda turn: turn.supply_outputs([])),
    "supplied in time": Case(
        (THREE, ENDS), override=True, early={"functions": []}, turn=lambda turn: turn.supply_outputs([OUTPUT])
    ),
    "text": Case((THREE, ENDS), turn=lambda turn: turn.append_user_text("More.")),
}


BOTH = response(1, use(), call(), use(number=2))
UNSURE = use(pending_safety_checks=[{"id": "sc_1", "code": None, "message": None}])
SEEN = {"type": "computer_call_output", "call_id": "use_1", "output": SCREEN}
PREVIEW = {"type": "computer_use_preview", "environment": "browser", "display_width": 1, "display_height": 1}


def computing(*replies: Any, **more: Any) -> Case:
    return Case(replies, computer=True, **more)


COMPUTERS = {
    "no computer": Case((response(1, use()), ENDS)),
    "in order": computing(BOTH, ENDS),
    "saved": computing(BOTH, ENDS, ledger=True),
    "preview": computing(BOTH, ENDS, params={"tools": [PREVIEW]}),
    "declared without one": Case((ENDS,), params={"tools": [PREVIEW]}),
    "declared twice": computing(ENDS, params={"tools": [PREVIEW, PREVIEW]}),
    "unknown action": computing(response(1, call(), use({"type": "dance"})), ENDS),
    "checks": computing(response(1, UNSURE), ENDS),
    "forced": computing(ENDS, params={"tool_choice": {"type": "computer"}}),
    "excluded": computing(response(1, use()), ENDS, params={"tool_choice": "none"}),
    "one call twice": computing(response(1, use(), use(id="cu_2")), ENDS),
    "history": computing(BOTH, ENDS, params={"input": [use(number=3), {**SEEN, "call_id": "use_3"}]}, ledger=True),
    "another output": computing(ENDS, params={"input": [use(), {**OUTPUT, "call_id": "use_1"}]}, ledger=True),
    "no screenshot": computing(ENDS, params={"input": [use(), {**SEEN, "output": {"type": "x"}}]}, ledger=True),
    "budget": computing(BOTH, ENDS, compact=dropped, options={"context_budget": {**BUDGET, "max_input_bytes": 900}}),
    "two screens": computing(
        BOTH, ENDS, compact=dropped, options={"context_budget": {**BUDGET, "keep_recent_screenshots": 2}}
    ),
}
EARLY_COMPUTERS = {
    "all": computing(BOTH, ENDS),
    "functions": computing(BOTH, ENDS, early={"functions": ["look"]}),
    "computer": computing(BOTH, ENDS, early={"computer": True}),
    "no boolean": computing(BOTH, ENDS, early={"computer": 1}),
    "no computer": Case((BOTH, ENDS), early={"computer": True}),
    "chosen": computing(BOTH, ENDS, before=("execute", "execute", "defer")),
    "independent": computing(BOTH, ENDS, independent=True),
}


def cases(named: dict[str, Case]) -> Any:
    return pytest.mark.parametrize("name", named, ids=lambda name: name.replace(" ", "-"))


async def compare(play: Played, pair: tuple[Any, Any], case: Case, **more: Any) -> None:
    ours, theirs = [await outcome(play, client, case, **more) for client in pair]
    for name in ours._fields:
        assert (case, name, getattr(ours, name)) == (case, name, getattr(theirs, name))


@pytest.mark.once
@pytest.mark.asyncio(loop_scope="module")
class TestAsTheReference:
    @cases(SAVED)
    async def test_ledger(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, SAVED[name])

    @cases(EAGER_SAVED)
    async def test_ledger_of_early_calls(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, EAGER_SAVED[name], **STREAMED)

    @cases(BUDGETS)
    async def test_budget(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, BUDGETS[name])

    @cases(COMPUTERS)
    async def test_computer(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, COMPUTERS[name])

    @cases(EARLY_COMPUTERS)
    async def test_early_computer(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, EARLY_COMPUTERS[name], **STREAMED)

    async def test_outputs(self, play: Played, pair: tuple[Any, Any]) -> None:
        for output in PARTS.values():
            await compare(play, pair, Case((response(1, call()), ENDS), lambda _, output=output: output))

    async def test_items(self, play: Played, pair: tuple[Any, Any]) -> None:
        for item in ITEMS.values():
            await compare(play, pair, server_tools(response(1, item, call()), ENDS, tools=TOOLS))

    async def test_past(self, play: Played, pair: tuple[Any, Any]) -> None:
        for past in PAST.values():
            params = {"input": [*past, {"role": "user", "content": "Go on"}]}
            await compare(play, pair, server_tools(ENDS, tools=[MCP], params=params, ledger=True, approve=True))

    @cases(RULES)
    async def test_rules(self, play: Played, pair: tuple[Any, Any], name: str) -> None:
        await compare(play, pair, RULES[name])

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"run_id": "run_2"},
            {"phase": "pending"},
            {"max_steps": 5},
            {"version": True},
            {"tools": []},
            {"output_override_names": ["look"]},
            {"history": {}},
            {"history": HISTORY[:2]},
            {"returned_call_ids": []},
            {"consumed_requests": 20},
            {"consumed_requests": 21},
            {"consumed_requests": "1"},
            {"revision": 0},
            {"final_response": {}},
            {"more": 1},
        ],
        ids=lambda change: "-".join([*change, *map(str, map(type, change.values()))]) or "same",
    )
    async def test_resume(self, play: Played, pair: tuple[Any, Any], change: Any) -> None:
        first = await outcome(play, pair[1], saved(response(1, call()), (400, {"error": {"message": "No."}})))
        boundary = next(each for each in reversed(first.saved) if each["phase"] == "boundary")
        boundary["consumed_requests"] = 1
        more = saved(
            response(2, call(2)), response(3, message()), params={"input": "Go on"}, resume={**boundary, **change}
        )
        await compare(play, pair, more)

    @pytest.mark.parametrize(
        "given", [[], " ", [{"role": "assistant", "content": "Hi"}]], ids=["none", "blank", "other"]
    )
    async def test_resume_without_an_observation(self, play: Played, pair: tuple[Any, Any], given: Any) -> None:
        first = await outcome(play, pair[0], saved(response(1, call()), (400, {"error": {"message": "No."}})))
        await compare(play, pair, saved(ENDS, params={"input": given}, resume=first.saved[-1]))


def test_a_ledger_by_file(blocking: OpenAI, own_server: Server, tmp_path: Any) -> None:
    path = tmp_path / "run.json"

    def save(checkpoint: Any) -> None:
        path.write_text(json.dumps(checkpoint))

    def stop(_: Any) -> str:
        raise KeyboardInterrupt

    def run(execute: Any, given: str, resume: Any = None) -> Any:
        runner = ResponsesToolRunner(functions=[RegisteredFunction(TOOL, execute)])
        ledger = ResponsesToolLedger("night", save, resume)
        return runner.run(blocking, {"model": "gpt-4o", "input": given}, ledger=ledger)

    with pytest.raises(KeyboardInterrupt):
        run(stop, "look")
    pending = json.loads(path.read_text())
    assert (pending["phase"], len(pending["attempted_call_ids"]), pending["returned_call_ids"]) == ("pending", 1, [])
    with pytest.raises(ValueError, match="boundary"):
        run(seen, "look", pending)
    assert run(seen, "look").output_text
    assert json.loads(path.read_text())["phase"] == "final"
    assert own_server.request_count == 3


def test_diagnostics_of_any_observer() -> None:
    got: list[Any] = []
    emit_tool_diagnostic(got.append, "responses", "request", "completed", float("inf"), usage=object())
    assert got == [{**got[0], "duration_ms": 0.0, "usage": None, "call_id": None, "member": None}]

    async def asynchronous(_: Any) -> None:
        got.append(1)

    observer: Any = asynchronous
    emit_tool_diagnostic(observer, "responses", "request", "completed", 0)
    emit_tool_diagnostic(None, "responses", "request", "completed", 0)
    assert len(got) == 1
