"""The endpoints `/evals/{eval_id}/runs`: an eval's graders on rows of data, with samples from the server's models.

Each retrieval moves a run on: from `queued` to `in_progress` (`failed` for data that cannot be read), then to
`completed`.
"""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.grading import grade, messages_of
from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.endpoints.evals import eval_of
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    OBJECT,
    STRING,
    check,
    check_metadata,
    check_model,
    file_of,
    invalid_value,
    not_found,
    stored,
)
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, is_object, json_lines, section, text_of
from aiopenai.testing.memory.stored import StoredEval, StoredEvalRun

__all__ = ["cancel", "create", "delete", "list_", "list_items", "retrieve", "retrieve_item"]

_PARAMS = {"data_source": OBJECT, "metadata": OBJECT, "name": STRING}
_SOURCES = {
    "jsonl": ("file_content", "file_id"),
    "completions": ("file_content", "file_id", "stored_completions"),
    "responses": ("file_content", "file_id", "responses"),
}
_DATA = {
    "type": STRING.one_of(*_SOURCES),
    "source": OBJECT,
    "model": STRING,
    "input_messages": OBJECT,
    "sampling_params": OBJECT,
}
_SOURCE = {"content": ARRAY, "id": STRING}
# The settings of samples that a request left out.
_SAMPLING = {"max_completion_tokens": 2048, "seed": 42, "temperature": 1.0, "top_p": 1.0}
_UNFINISHED = ("queued", "in_progress")
_STATUSES = ("queued", "in_progress", "completed", "canceled", "failed")
# The types require an error in each run and sample. An empty one stands for none.
_NO_ERROR = {"code": "", "message": ""}
_REPORTS = "https://platform.openai.com/evaluations"


def create(call: Call) -> WholeReply:
    """POST /evals/{eval_id}/runs."""
    kept = eval_of(call)
    body = call.body()
    check(body, _PARAMS, ("data_source",))
    check_metadata(body.get("metadata"))
    source = _checked(call, body["data_source"])
    identity = call.state.new_id("evalrun_")
    run: Object = {
        "id": identity,
        "object": "eval.run",
        "created_at": call.now(),
        "data_source": source,
        "error": _NO_ERROR,
        "eval_id": call.ids[0],
        "metadata": section(body, "metadata"),
        "model": source.get("model") or "",
        "name": body.get("name") or identity,
        "per_model_usage": [],
        "per_testing_criteria_results": [],
        "report_url": f"{_REPORTS}/{call.ids[0]}?run_id={identity}",
        "result_counts": {"total": 0, "passed": 0, "failed": 0, "errored": 0},
        "status": "queued",
    }
    kept.runs.put(identity, StoredEvalRun(run))
    return call.polled(run, unfinished=True)


def retrieve(call: Call) -> WholeReply:
    """GET /evals/{eval_id}/runs/{run_id}: moves the run on."""
    kept = _run_of(call)
    run = kept.run
    if run["status"] == "queued":
        run["status"] = "in_progress"
    elif run["status"] == "in_progress":
        try:
            rows = _rows(call, run["data_source"])
        except ApiError as error:
            run["status"], run["error"] = "failed", {"code": error.code or "invalid_data", "message": error.message}
        else:
            _complete(call, eval_of(call), kept, rows)
    return call.polled(run, unfinished=run["status"] in _UNFINISHED)


def list_(call: Call) -> WholeReply:
    """GET /evals/{eval_id}/runs: the oldest first, by status."""
    query = call.request.query
    status = query.get("status")
    if status is not None and status not in _STATUSES:
        raise invalid_value("status", status, _STATUSES)
    runs = [kept.run for kept in eval_of(call).runs.values()]
    return page([run for run in runs if status in (None, run["status"])], query, order="asc")


def cancel(call: Call) -> WholeReply:
    """POST /evals/{eval_id}/runs/{run_id}/cancel."""
    run = _run_of(call).run
    if run["status"] not in _UNFINISHED:
        message = f"Cannot cancel a run that has ended: its status is '{run['status']}'."
        raise ApiError(400, message, param="run_id", code="invalid_status")
    run["status"] = "canceled"
    return WholeReply.json(run)


def delete(call: Call) -> WholeReply:
    """DELETE /evals/{eval_id}/runs/{run_id}."""
    _run_of(call)
    eval_of(call).runs.pop(call.ids[1])
    return WholeReply.json({"run_id": call.ids[1], "object": "eval.run.deleted", "deleted": True})


def list_items(call: Call) -> WholeReply:
    """GET /evals/{eval_id}/runs/{run_id}/output_items: the oldest first, by status."""
    query = call.request.query
    status = query.get("status")
    if status not in (None, "pass", "fail"):
        raise invalid_value("status", status, ("fail", "pass"))
    items = [item for item in _run_of(call).items if status in (None, item["status"])]
    return page(items, query, order="asc")


def retrieve_item(call: Call) -> WholeReply:
    """GET /evals/{eval_id}/runs/{run_id}/output_items/{output_item_id}."""
    found = next((item for item in _run_of(call).items if item["id"] == call.ids[2]), None)
    if found is None:
        raise not_found(call.ids[2], "output item of this run")
    return WholeReply.json(found)


def _run_of(call: Call) -> StoredEvalRun:
    return stored(eval_of(call).runs, call.ids[1], "run of this eval")


def _checked(call: Call, source: Object) -> Object:
    check(source, _DATA, ("type", "source"), where="data_source.")
    kind = source["source"].get("type")
    kinds = _SOURCES[source["type"]]
    if kind not in kinds:
        raise invalid_value("data_source.source.type", kind, kinds)
    needed = {"file_content": ("content",), "file_id": ("id",)}.get(kind, ())
    check(source["source"], _SOURCE, needed, where="data_source.source.")
    if kind == "file_id":
        file_of(source["source"]["id"], call.state, "data_source.source.id")
    if source.get("model") is not None:
        check_model(source["model"], call.state)
    return source


def _rows(call: Call, data: Object) -> list[Object]:
    """Returns the rows of a data source, each with an `item` and maybe a `sample`."""
    source: Object = data["source"]
    if source["type"] == "file_content":
        return [row for row in source["content"] if is_object(row)]
    if source["type"] == "file_id":
        return _lines(file_of(source["id"], call.state).data)
    limit = source.get("limit") or 100
    if source["type"] == "responses":
        replies = [(kept.items, kept.response, kept.response["output"]) for kept in call.state.responses.values()]
    else:
        chats = call.state.chats.values()
        replies = [(kept.messages, kept.completion, [kept.completion["choices"][0]["message"]]) for kept in chats]
    wanted = section(source, "metadata")
    return [
        {"item": {"input": messages}, "sample": {"output_text": _text(output), "model": reply["model"]}}
        for messages, reply, output in replies
        if source.get("model") in (None, reply["model"]) and wanted.items() <= section(reply, "metadata").items()
    ][:limit]


def _text(items: list[Any]) -> str:
    return "".join(text_of(item.get("content")) for item in items if is_object(item))


def _lines(data: bytes) -> list[Object]:
    rows: list[Object] = []
    for number, row in json_lines(data):
        if not is_object(row) or not is_object(row.get("item")):
            raise ApiError(400, f"Line {number} of the file has no object 'item'.", code="invalid_json_line")
        rows.append(row)
    return rows


def _complete(call: Call, kept: StoredEval, stored_run: StoredEvalRun, rows: list[Object]) -> None:
    """Grades all rows, and counts the results by grader."""
    run = stored_run.run
    criteria: list[Object] = kept.eval["testing_criteria"]
    passed = dict.fromkeys((grader["name"] for grader in criteria), 0)
    used: list[Object] = []
    for number, row in enumerate(rows):
        sample = _sample(call, run["data_source"], row)
        answered = {**section(row, "sample"), "output_text": _text(sample["output"])}
        values = {"item": section(row, "item"), "sample": answered}
        results: list[Object] = []
        for grader in criteria:
            found = grade(call.state, grader, values)
            passed[grader["name"]] += found.passed
            result = {"name": grader["name"], "type": grader["type"], "passed": found.passed, "score": found.score}
            results.append(result)
        used.append(sample["usage"])
        stored_run.items.append(
            {
                "id": call.state.new_id("outputitem_"),
                "object": "eval.run.output_item",
                "created_at": call.now(),
                "datasource_item": values["item"],
                "datasource_item_id": number,
                "eval_id": run["eval_id"],
                "run_id": run["id"],
                "results": results,
                "sample": sample,
                "status": "pass" if all(result["passed"] for result in results) else "fail",
            }
        )
    good = sum(item["status"] == "pass" for item in stored_run.items)
    run["result_counts"] = {"total": len(rows), "passed": good, "failed": len(rows) - good, "errored": 0}
    run["per_testing_criteria_results"] = [
        {"testing_criteria": name, "passed": count, "failed": len(rows) - count} for name, count in passed.items()
    ]
    if run["model"]:
        totals = {name: sum(usage[name] for usage in used) for name in _USAGE}
        run["per_model_usage"] = [{"model_name": run["model"], "invocation_count": len(rows), **totals}]
    run["status"] = "completed"


_USAGE = ("cached_tokens", "completion_tokens", "prompt_tokens", "total_tokens")


def _sample(call: Call, data: Object, row: Object) -> Object:
    """Returns the sample of a row: its own one, or an answer of the model to the messages of the data source."""
    settings = section(data, "sampling_params")
    own = section(row, "sample")
    values: Object = {"item": section(row, "item"), "sample": own}
    asked = section(data, "input_messages")
    template: Any = asked.get("template")
    if asked.get("type") == "item_reference":
        template = values["item"].get(str(asked.get("item_reference", "")).removeprefix("item."))
    messages = messages_of(template, values)
    text = str(own.get("output_text") or "")
    if data["type"] != "jsonl" and "output_text" not in own:
        text = call.state.reply_text(messages[-1]["content"] if messages else "")
    read, made = sum(count_tokens(each["content"]) for each in messages), count_tokens(text)
    counts = (0, made, read, read + made)
    return {
        "error": _NO_ERROR,
        "finish_reason": "stop",
        "input": messages,
        "model": data.get("model") or str(own.get("model") or ""),
        "output": [{"role": "assistant", "content": text}],
        "usage": dict(zip(_USAGE, counts, strict=True)),
        **{name: value if settings.get(name) is None else settings[name] for name, value in _SAMPLING.items()},
    }
