"""The endpoints `/fine_tuning`: jobs that make models, with their events, checkpoints and permissions.

Each retrieval moves a job on: from `validating_files` to `running` (`failed` for an invalid file), then to `succeeded`.
The model and its checkpoints join the list of models. The types have no status for a paused job, which is `queued`.
"""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.grading import check_grader
from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.endpoints.files import keep
from aiopenai.testing.endpoints.graders import FINE_TUNING_GRADERS
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    INTEGER,
    OBJECT,
    STRING,
    check,
    check_metadata,
    check_model,
    file_of,
    missing,
    not_found,
    query_metadata,
    stored,
)
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, is_array, is_object, json_lines, section, strings
from aiopenai.testing.memory.stored import StoredTuning

__all__ = [
    "allow",
    "cancel",
    "checkpoints",
    "create",
    "disallow",
    "events",
    "list_",
    "pause",
    "permissions",
    "resume",
    "retrieve",
]

_METHODS = ("supervised", "dpo", "reinforcement")
_PARAMS = {
    "hyperparameters": OBJECT,
    "integrations": ARRAY,
    "metadata": OBJECT,
    "method": OBJECT,
    "model": STRING,
    "seed": INTEGER.within(0, 2**31 - 1),
    "suffix": STRING,
    "training_file": STRING,
    "validation_file": STRING,
}
_METHOD = {"type": STRING.one_of(*_METHODS)}
_UNFINISHED = ("validating_files", "queued", "running")
_LONGEST_SUFFIX = 64
_MOST_EPOCHS = 50
_DEFAULT_EPOCHS = 3
# The keys that a line of a training file must have, by the method.
_LINE_KEYS = {
    "supervised": (("messages",), ("prompt", "completion")),
    "dpo": (("input", "preferred_output", "non_preferred_output"),),
    "reinforcement": (("messages",),),
}


def create(call: Call) -> WholeReply:
    """POST /fine_tuning/jobs."""
    body = call.body()
    check(body, _PARAMS, ("model", "training_file"))
    check_metadata(body.get("metadata"))
    check_model(body["model"], call.state)
    if len(body.get("suffix") or "") > _LONGEST_SUFFIX:
        message = f"Invalid 'suffix': string too long. Expected at most {_LONGEST_SUFFIX} characters."
        raise ApiError(400, message, param="suffix", code="string_above_max_length")
    for param in ("training_file", "validation_file"):
        if body.get(param) is not None:
            _check_purpose(file_of(body[param], call.state, param).file, param)
    method = _method(body)
    job: Object = {
        "id": call.state.new_id("ftjob-"),
        "object": "fine_tuning.job",
        "created_at": call.now(),
        "error": None,
        "estimated_finish": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": method[method["type"]]["hyperparameters"] if method["type"] == "supervised" else {},
        "integrations": body.get("integrations") or [],
        "metadata": body.get("metadata"),
        "method": method,
        "model": body["model"],
        "organization_id": "org-local",
        "result_files": [],
        "seed": body["seed"] if body.get("seed") is not None else 1,
        "status": "validating_files",
        "trained_tokens": None,
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
    }
    kept = StoredTuning(job, body.get("suffix") or "")
    call.state.tunings.put(job["id"], kept)
    _note(call, kept, f"Created fine-tuning job: {job['id']}")
    _note(call, kept, f"Validating training file: {job['training_file']}")
    return call.polled(job, unfinished=True)


def retrieve(call: Call) -> WholeReply:
    """GET /fine_tuning/jobs/{fine_tuning_job_id}: moves the job on, unless it is paused."""
    kept = _tuning(call)
    job = kept.job
    if job["status"] == "validating_files":
        _begin(call, kept)
    elif job["status"] == "running":
        _succeed(call, kept)
    return call.polled(job, unfinished=job["status"] in _UNFINISHED)


def list_(call: Call) -> WholeReply:
    """GET /fine_tuning/jobs: the newest first, by metadata (`metadata[key]=value`)."""
    query = call.request.query
    wanted = query_metadata(query)
    jobs = [
        kept.job
        for kept in call.state.tunings.values()
        if wanted.items() <= section(kept.job, "metadata").items()
        and (query.get("metadata") != "null" or kept.job["metadata"] is None)
    ]
    return page(jobs, query, order="desc")


def cancel(call: Call) -> WholeReply:
    """POST /fine_tuning/jobs/{fine_tuning_job_id}/cancel."""
    kept = _unfinished(call, "cancel")
    kept.job["status"], kept.job["finished_at"] = "cancelled", call.now()
    _note(call, kept, "The job has been cancelled")
    return WholeReply.json(kept.job)


def pause(call: Call) -> WholeReply:
    """POST /fine_tuning/jobs/{fine_tuning_job_id}/pause: the job waits for `resume`."""
    kept = _unfinished(call, "pause")
    kept.job["status"] = "queued"
    _note(call, kept, "The job has been paused")
    return WholeReply.json(kept.job)


def resume(call: Call) -> WholeReply:
    """POST /fine_tuning/jobs/{fine_tuning_job_id}/resume: a paused job runs again."""
    kept = _tuning(call)
    if kept.job["status"] != "queued":
        message = f"Cannot resume a job that is not paused: its status is '{kept.job['status']}'."
        raise ApiError(400, message, param="fine_tuning_job_id", code="invalid_status")
    kept.job["status"] = "running"
    _note(call, kept, "The job has been resumed")
    return WholeReply.json(kept.job)


def events(call: Call) -> WholeReply:
    """GET /fine_tuning/jobs/{fine_tuning_job_id}/events: the newest first."""
    return page(_tuning(call).events, call.request.query, order="desc")


def checkpoints(call: Call) -> WholeReply:
    """GET /fine_tuning/jobs/{fine_tuning_job_id}/checkpoints: the newest first."""
    return page(_tuning(call).checkpoints, call.request.query, order="desc", limit=10)


def allow(call: Call) -> WholeReply:
    """POST /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions: one for each project."""
    body = call.body()
    check(body, {"project_ids": ARRAY}, ("project_ids",))
    check_model(call.ids[0], call.state)
    made: list[Object] = []
    for project in strings(body["project_ids"]):
        permission: Object = {
            "id": call.state.new_id("cp_"),
            "object": "checkpoint.permission",
            "created_at": call.now(),
            "project_id": project,
        }
        call.state.permissions.put(permission["id"], (call.ids[0], permission))
        made.append(permission)
    return page(made, {}, order="asc", limit=100)


def permissions(call: Call) -> WholeReply:
    """GET /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions: the newest first, by project."""
    query = dict(call.request.query)
    # This list alone spells its orders out.
    order = query.get("order", "descending")
    query["order"] = {"ascending": "asc", "descending": "desc"}.get(order, order)
    project = query.get("project_id")
    found = [
        permission
        for checkpoint, permission in call.state.permissions.values()
        if checkpoint == call.ids[0] and project in (None, permission["project_id"])
    ]
    return page(found, query, order="desc", limit=10)


def disallow(call: Call) -> WholeReply:
    """DELETE /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions/{permission_id}."""
    checkpoint, identity = call.ids
    found = call.state.permissions.get(identity)
    if found is None or found[0] != checkpoint:
        raise not_found(identity, "permission of this checkpoint")
    call.state.permissions.pop(identity)
    return WholeReply.json({"id": identity, "object": "checkpoint.permission", "deleted": True})


def _tuning(call: Call) -> StoredTuning:
    return stored(call.state.tunings, call.ids[0], "fine-tuning job")


def _unfinished(call: Call, action: str) -> StoredTuning:
    kept = _tuning(call)
    if kept.job["status"] not in _UNFINISHED:
        message = f"Cannot {action} a job that has ended: its status is '{kept.job['status']}'."
        raise ApiError(400, message, param="fine_tuning_job_id", code="invalid_status")
    return kept


def _check_purpose(file: Object, param: str) -> None:
    if file["purpose"] != "fine-tune":
        message = f"Invalid '{param}': the purpose of the file is '{file['purpose']}' and not 'fine-tune'."
        raise ApiError(400, message, param=param, code="invalid_file_purpose")


def _method(body: Object) -> Object:
    """Returns the method with all its hyperparameters."""
    given: Object = body.get("method") or {"type": "supervised"}
    check(given, _METHOD, ("type",), where="method.")
    kind: str = given["type"]
    settings = section(given, kind)
    hyperparameters: Object = {
        "batch_size": "auto",
        "learning_rate_multiplier": "auto",
        "n_epochs": "auto",
        **({"beta": "auto"} if kind == "dpo" else {}),
        **(section(body, "hyperparameters") if kind == "supervised" else {}),
        **section(settings, "hyperparameters"),
    }
    epochs = hyperparameters["n_epochs"]
    if epochs != "auto":
        check({"n_epochs": epochs}, {"n_epochs": INTEGER.within(1, _MOST_EPOCHS)})
    method: Object = {"type": kind, kind: {**settings, "hyperparameters": hyperparameters}}
    if kind == "reinforcement":
        if settings.get("grader") is None:
            raise missing("method.reinforcement.grader")
        check_grader(settings["grader"], "method.reinforcement.grader", FINE_TUNING_GRADERS)
    return method


def _note(
    call: Call, kept: StoredTuning, message: str, *, level: str = "info", kind: str = "message", data: Any = None
) -> None:
    kept.events.append(
        {
            "id": call.state.new_id("ftevent-"),
            "object": "fine_tuning.job.event",
            "created_at": call.now(),
            "level": level,
            "message": message,
            "type": kind,
            "data": data or {},
        }
    )


def _begin(call: Call, kept: StoredTuning) -> None:
    """Reads the files. The job runs, or fails for a file that is invalid."""
    job = kept.job
    for param in ("training_file", "validation_file"):
        problem = job[param] and _problem(call, job[param], job["method"]["type"])
        if problem:
            job["status"], job["finished_at"] = "failed", call.now()
            job["error"] = {"code": f"invalid_{param}", "message": problem, "param": param}
            _note(call, kept, problem, level="error")
            return
    job["status"] = "running"
    _note(call, kept, "Files validated, moving job to queued state")
    _note(call, kept, "Fine-tuning job started")


def _problem(call: Call, identity: str, method: str) -> str | None:
    """Returns the first error in a file of examples, or None."""
    file = call.state.files.get(identity)
    examples = [] if file is None else list(json_lines(file.data))
    if not examples:
        return f"The file {identity} has no examples."
    for number, example in examples:
        if not is_object(example):
            return f"Line {number} of the file {identity} is no JSON object."
        if not any(all(key in example for key in keys) for keys in _LINE_KEYS[method]):
            wanted = " or ".join(", ".join(f"'{key}'" for key in keys) for keys in _LINE_KEYS[method])
            return f"Line {number} of the file {identity} has no {wanted}."
        if "messages" in example and not (is_array(example["messages"]) and example["messages"]):
            return f"Line {number} of the file {identity} has no messages."
    return None


def _succeed(call: Call, kept: StoredTuning) -> None:
    """Trains: a step and a checkpoint for each epoch, the model, and a file with the losses."""
    job = kept.job
    settings = job["method"][job["method"]["type"]]["hyperparameters"]
    epochs: int = _DEFAULT_EPOCHS if settings["n_epochs"] == "auto" else settings["n_epochs"]
    settings["n_epochs"] = epochs
    number = job["id"].removeprefix("ftjob-")[-8:]
    base = f"ft:{job['model'].removeprefix('ft:').partition(':')[0]}:local:{kept.suffix}:{number}"
    rows = ["step,train_loss,train_accuracy"]
    for step in range(1, epochs + 1):
        loss, accuracy = round(1 / (step + 1), 4), round(1 - 1 / (step + 1), 4)
        rows.append(f"{step},{loss},{accuracy}")
        data = {"step": step, "train_loss": loss, "train_mean_token_accuracy": accuracy, "total_steps": epochs}
        _note(call, kept, f"Step {step}/{epochs}: training loss={loss}", kind="metrics", data=data)
        name = base if step == epochs else f"{base}:ckpt-step-{step}"
        call.state.models[name] = None
        kept.checkpoints.append(
            {
                "id": call.state.new_id("ftckpt_"),
                "object": "fine_tuning.job.checkpoint",
                "created_at": call.now(),
                "fine_tuned_model_checkpoint": name,
                "fine_tuning_job_id": job["id"],
                "metrics": {name: float(value) for name, value in data.items() if name != "total_steps"},
                "step_number": step,
            }
        )
        _note(call, kept, f"Checkpoint created at step {step}")
    examples = call.state.files.get(job["training_file"])
    text = "" if examples is None else examples.data.decode("utf-8", "replace")
    result = keep(call, "step_metrics.csv", "\n".join([*rows, ""]).encode(), "fine-tune-results")
    job.update(
        status="succeeded",
        finished_at=call.now(),
        fine_tuned_model=base,
        result_files=[result["id"]],
        trained_tokens=epochs * count_tokens(text),
    )
    if job["method"]["type"] == "supervised":
        job["hyperparameters"] = settings
    _note(call, kept, f"New fine-tuned model created: {base}")
    _note(call, kept, "The job has successfully completed")
