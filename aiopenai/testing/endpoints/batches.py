"""The endpoints `/batches`: the lines of a file, answered by the endpoints of the server.

Each retrieval moves a batch on: from `validating` to `in_progress` (`failed` for an invalid file), then to `completed`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from aiopenai.testing.content.text import usage_of
from aiopenai.testing.endpoints.files import keep
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import OBJECT, STRING, check, check_metadata, expiry, file_of, stored
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, encode, is_object, json_lines, section
from aiopenai.testing.memory.stored import StoredBatch

__all__ = ["cancel", "create", "list_", "retrieve"]

_ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
_PARAMS = {
    "completion_window": STRING.one_of("24h"),
    "endpoint": STRING,
    "input_file_id": STRING,
    "metadata": OBJECT,
    "output_expires_after": OBJECT,
}
_DAY = 86_400
_MAX_LINES = 50_000
_UNFINISHED_STATUSES = ("validating", "in_progress", "finalizing", "cancelling")
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


def create(call: Call) -> WholeReply:
    """POST /batches."""
    body = call.body()
    check(body, _PARAMS, ("completion_window", "endpoint", "input_file_id"))
    check_metadata(body.get("metadata"))
    _check_endpoint(call, body["endpoint"])
    file = file_of(body["input_file_id"], call.state, "input_file_id").file
    if file["purpose"] != "batch":
        message = f"Invalid 'input_file_id': the purpose of the file is '{file['purpose']}' and not 'batch'."
        raise ApiError(400, message, param="input_file_id", code="invalid_value")
    now = call.now()
    expiry(body.get("output_expires_after"), now)
    batch: Object = {
        "id": call.state.new_id("batch_"),
        "object": "batch",
        "endpoint": body["endpoint"],
        "model": None,
        "errors": None,
        "input_file_id": body["input_file_id"],
        "completion_window": "24h",
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": now,
        "expires_at": now + _DAY,
        **{f"{name}_at": None for name in _TIMES},
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "usage": _batch_usage([]),
        "metadata": body.get("metadata"),
    }
    call.state.batches.put(batch["id"], StoredBatch(batch, body.get("output_expires_after")))
    return call.polled(batch, unfinished=True)


def _check_endpoint(call: Call, endpoint: str) -> None:
    # Azure's batches name endpoints without a version.
    known = [name.removeprefix("/v1") for name in _ENDPOINTS] if "api-version" in call.request.query else _ENDPOINTS
    if endpoint not in known:
        names = ", ".join(f"'{name}'" for name in known)
        message = f"Invalid value for 'endpoint': '{endpoint}'. Supported values are: {names}."
        raise ApiError(400, message, param="endpoint", code="invalid_value")


def retrieve(call: Call) -> WholeReply:
    """GET /batches/{batch_id}."""
    kept = stored(call.state.batches, call.ids[0], "batch")
    batch = kept.batch
    status = batch["status"]
    if status == "cancelling":
        _enter(call, batch, "cancelled")
    elif status in ("validating", "in_progress"):
        lines, errors = _read_lines(call, batch)
        if errors:
            batch["errors"] = {"object": "list", "data": errors}
            _enter(call, batch, "failed")
        elif status == "validating":
            batch["request_counts"] = {"total": len(lines), "completed": 0, "failed": 0}
            batch["model"] = lines[0]["body"].get("model")
            _enter(call, batch, "in_progress")
        else:
            _run_batch(call, kept, lines)
    return call.polled(batch, unfinished=batch["status"] in _UNFINISHED_STATUSES)


def cancel(call: Call) -> WholeReply:
    """POST /batches/{batch_id}/cancel: the next retrieval finds it cancelled."""
    batch = stored(call.state.batches, call.ids[0], "batch").batch
    if batch["status"] not in _UNFINISHED_STATUSES:
        message = f"Cannot cancel a batch with status '{batch['status']}'."
        raise ApiError(409, message, param="batch_id", code="conflict")
    if batch["status"] != "cancelling":
        _enter(call, batch, "cancelling")
    return call.polled(batch, unfinished=True)


def list_(call: Call) -> WholeReply:
    """GET /batches: the newest first."""
    return page([kept.batch for kept in call.state.batches.values()], call.request.query, order="desc")


def _enter(call: Call, batch: Object, status: str) -> None:
    batch["status"] = status
    batch[f"{status}_at"] = call.now()


def _read_lines(call: Call, batch: Object) -> tuple[list[Object], list[Object]]:
    """Returns the lines of the input file, and the errors in it."""
    lines: list[Object] = []
    errors: list[Object] = []
    seen: set[str] = set()
    source = call.state.files.get(batch["input_file_id"])
    if source is None:
        return [], [_error("file_not_found", "The input file is gone.", None)]
    for number, value in json_lines(source.data):
        line, problem = _checked_line(value, batch["endpoint"])
        if problem is None and line["custom_id"] in seen:
            message = f"The custom_id for this request is a duplicate of another request: {line['custom_id']}."
            problem = _error("duplicate_custom_id", message, "custom_id")
        if problem is not None:
            errors.append({**problem, "line": number})
            continue
        seen.add(line["custom_id"])
        lines.append(line)
    if not lines and not errors:
        errors.append(_error("empty_file", "The input file is empty.", None))
    if len(lines) > _MAX_LINES:
        errors.append(_error("too_many_tasks", f"The file has more than {_MAX_LINES} requests.", None))
    return lines, errors


def _checked_line(line: Any, endpoint: str) -> tuple[Object, Object | None]:
    if not is_object(line):
        return {}, _error("invalid_json_line", "This line is not parseable as valid JSON.", None)
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if type(line.get(name)) is not kind:
            return line, _error("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    if line["method"] != "POST":
        return line, _error("invalid_method", "The method of a request must be POST.", "method")
    if line["url"] != endpoint:
        message = "The URL provided for this request does not match the batch endpoint."
        return line, _error("mismatched_endpoint", message, "url")
    return line, None


def _error(code: str, message: str, param: str | None) -> Object:
    return {"code": code, "message": message, "param": param, "line": None}


def _run_batch(call: Call, kept: StoredBatch, lines: list[Object]) -> None:
    """Answers all lines. The failed ones go to a file of their own."""
    batch = kept.batch
    done: list[bytes] = []
    failed: list[bytes] = []
    used: list[Object] = []
    for line in lines:
        request_id = call.state.new_id("req_")
        reply = _answer_line(call, line, request_id)
        body: Object = msgspec.json.decode(reply.body)
        entry: Object = {
            "id": call.state.new_id("batch_req_"),
            "custom_id": line["custom_id"],
            "response": {"status_code": reply.status, "request_id": request_id, "body": body},
            "error": None,
        }
        if reply.status < 400:
            used.append(section(body, "usage"))
        (done if reply.status < 400 else failed).append(encode(entry))
    _enter(call, batch, "finalizing")
    batch["output_file_id"] = _write(call, kept, "output", done)
    batch["error_file_id"] = _write(call, kept, "error", failed)
    batch["request_counts"] = {"total": len(lines), "completed": len(done), "failed": len(failed)}
    batch["usage"] = _batch_usage(used)
    _enter(call, batch, "completed")


def _answer_line(call: Call, line: Object, request_id: str) -> WholeReply:
    if line["body"].get("stream"):
        return ApiError(400, "Streaming is not supported in a batch.", param="stream", code="invalid_value").reply()
    request = ReceivedRequest(
        method="POST",
        raw_path=line["url"] if line["url"].startswith("/v1/") else f"/v1{line['url']}",
        headers=call.request.headers,
        body=encode(line["body"]),
        arrived=call.request.arrived,
        connection=call.request.connection,
    )
    outcome = call.dispatch(call.state, request, request_id)
    assert isinstance(outcome, WholeReply)
    return outcome


def _write(call: Call, kept: StoredBatch, kind: str, lines: list[bytes]) -> str | None:
    if not lines:
        return None
    data = b"".join(line + b"\n" for line in lines)
    expires_at = expiry(kept.expires_after, call.now())
    identity: str = keep(call, f"{kept.batch['id']}_{kind}.jsonl", data, "batch_output", expires_at)["id"]
    return identity


def _batch_usage(used: list[Object]) -> Object:
    """Returns the tokens of all requests together. Chat and responses have different names for them."""
    read = sum(_tokens_of(usage, "input_tokens", "prompt_tokens") for usage in used)
    made = sum(_tokens_of(usage, "output_tokens", "completion_tokens") for usage in used)
    return usage_of(read, made)


def _tokens_of(usage: Object, *names: str) -> int:
    return next((usage[name] for name in names if name in usage), 0)
