"""The endpoints `/evals`: evals with their data and their graders. Their runs are in `eval_runs`."""

from __future__ import annotations

from aiopenai.testing.content.grading import check_grader
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    OBJECT,
    STRING,
    check,
    check_metadata,
    invalid_value,
    stored,
)
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, section
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredEval

__all__ = ["create", "delete", "eval_of", "list_", "retrieve", "update"]

_PARAMS = {"data_source_config": OBJECT, "metadata": OBJECT, "name": STRING, "testing_criteria": ARRAY}
_SOURCES = ("custom", "logs", "stored_completions")
_SOURCE = {
    "type": STRING.one_of(*_SOURCES),
    "item_schema": OBJECT,
    "include_sample_schema": BOOLEAN,
    "metadata": OBJECT,
}
_CRITERIA = ("label_model", "string_check", "text_similarity", "python", "score_model")
_ORDERS = ("created_at", "updated_at")


def create(call: Call) -> WholeReply:
    """POST /evals."""
    body = call.body()
    check(body, _PARAMS, ("data_source_config", "testing_criteria"))
    check_metadata(body.get("metadata"))
    criteria = body["testing_criteria"]
    if not criteria:
        message = "Invalid 'testing_criteria': empty array. Expected an array with minimum length 1."
        raise ApiError(400, message, param="testing_criteria", code="empty_array")
    for number, grader in enumerate(criteria):
        check_grader(grader, f"testing_criteria[{number}]", _CRITERIA)
    identity = call.state.new_id("eval_")
    made: Object = {
        "id": identity,
        "object": "eval",
        "created_at": call.now(),
        "name": body.get("name") or identity,
        "metadata": section(body, "metadata"),
        "data_source_config": _source(body["data_source_config"]),
        "testing_criteria": criteria,
    }
    call.state.evals.put(identity, StoredEval(made, Store(call.state.max_stored)))
    return WholeReply.json(made)


def retrieve(call: Call) -> WholeReply:
    """GET /evals/{eval_id}."""
    return WholeReply.json(eval_of(call).eval)


def update(call: Call) -> WholeReply:
    """POST /evals/{eval_id}: its name and its metadata."""
    kept = eval_of(call)
    body = call.body()
    check(body, {"metadata": OBJECT, "name": STRING})
    check_metadata(body.get("metadata"))
    for name in ("name", "metadata"):
        if body.get(name) is not None:
            kept.eval[name] = body[name]
    # The list orders by the time of the last change on demand.
    call.state.evals.put(call.ids[0], kept)
    return WholeReply.json(kept.eval)


def list_(call: Call) -> WholeReply:
    """GET /evals: the oldest first, by the time of creation or of the last change."""
    query = call.request.query
    order_by = query.get("order_by", "created_at")
    if order_by not in _ORDERS:
        raise invalid_value("order_by", order_by, _ORDERS)
    found = [kept.eval for kept in call.state.evals.values()]
    if order_by == "created_at":
        found.sort(key=lambda each: (each["created_at"], each["id"]))
    return page(found, query, order="asc")


def delete(call: Call) -> WholeReply:
    """DELETE /evals/{eval_id}: its runs go too."""
    eval_of(call)
    call.state.evals.pop(call.ids[0])
    return WholeReply.json({"eval_id": call.ids[0], "object": "eval.deleted", "deleted": True})


def eval_of(call: Call) -> StoredEval:
    """Returns the eval that the path names. Raises `ApiError` 404."""
    return stored(call.state.evals, call.ids[0], "eval")


def _source(config: Object) -> Object:
    """Returns the data source with the schema of its items, in place of the request's parts of it."""
    custom = config.get("type") == "custom"
    check(config, _SOURCE, ("type", "item_schema") if custom else ("type",), where="data_source_config.")
    parts: Object = {"item": config.get("item_schema") or {"type": "object"}}
    if config.get("include_sample_schema") or not custom:
        parts["sample"] = {"type": "object", "properties": {"output_text": {"type": "string"}}}
    schema = {"type": "object", "properties": parts, "required": list(parts)}
    rest = {} if custom else {"metadata": section(config, "metadata")}
    return {"type": config["type"], "schema": schema, **rest}
