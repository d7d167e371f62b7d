"""Azure's side of the server: its paths and its errors, in front of the endpoints of the API, and content filters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from aiopenai.testing.engine.access import AZURE_PREFIX
from aiopenai.testing.engine.exchange import Dispatch
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import DONE, ApiError, EventReply, Outcome, WholeReply, data_event
from aiopenai.testing.engine.sessions import SocketReply
from aiopenai.testing.engine.values import encode, is_object
from aiopenai.testing.memory.state import State

__all__ = ["AzureFilter", "AzureSettings", "with_azure"]

AzureFilter: TypeAlias = Literal["prompt", "completion", "async", "error"] | None
"""The finding of the content filters."""

_SAFE = {"filtered": False, "severity": "safe"}
_ANSWER_FILTERS = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), _SAFE)
_ANSWER_FOUND = {**_ANSWER_FILTERS, "violence": {"filtered": True, "severity": "medium"}}
_PROMPT_FILTERS = {**_ANSWER_FILTERS, "jailbreak": {"filtered": False, "detected": False}}
_PROMPT_FOUND = {**_PROMPT_FILTERS, "jailbreak": {"filtered": True, "detected": True}}
_FILTER_ERROR = {"error": {"code": "content_filter_error", "message": "The contents are not filtered"}}
_REFUSAL = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
    "your prompt and retry."
)


@dataclass(slots=True)
class AzureSettings:
    """The settings of a server's Azure side. `content_filter` may change while it runs.

    `deployments` are the models by the name of their deployment; None accepts every name, as that of a model.
    """

    deployments: Mapping[str, str] | None
    content_filter: AzureFilter


def with_azure(dispatch: Dispatch, azure: AzureSettings) -> Dispatch:
    """Returns a function that answers requests below `/openai/` as Azure does, and passes all others on."""

    def answer(state: State, request: ReceivedRequest, request_id: str) -> Outcome | SocketReply:
        if not request.raw_path.startswith(AZURE_PREFIX):
            return dispatch(state, request, request_id)
        try:
            plain = _translated(request, azure.deployments)
        except ApiError as error:
            return error.reply()
        chat = plain.path.endswith("/chat/completions")
        if chat and azure.content_filter == "prompt":
            return _refused_prompt()
        outcome = dispatch(state, plain, request_id)
        if isinstance(outcome, SocketReply) or not chat:
            return outcome
        return _filtered(outcome, azure.content_filter)

    return answer


def _translated(request: ReceivedRequest, deployments: Mapping[str, str] | None) -> ReceivedRequest:
    """Returns a request of Azure's as one of the API's. Raises ApiError as Azure does."""
    path, mark, query = request.raw_path.partition("?")
    rest = path[len(AZURE_PREFIX) :]
    body = request.body
    if rest.startswith("v1/"):
        rest = rest[len("v1/") :]
    elif not request.query.get("api-version"):
        raise ApiError(404, "Resource not found", code="404")
    elif rest.startswith("deployments/"):
        name, _, rest = rest[len("deployments/") :].partition("/")
        body = _of_deployment(body, unquote(name), deployments)
    plain = ReceivedRequest(
        method=request.method,
        raw_path=f"/v1/{rest}{mark}{query}",
        headers=request.headers,
        body=body,
        arrived=request.arrived,
        connection=request.connection,
    )
    plain.fault = request.fault
    return plain


def _of_deployment(body: bytes, name: str, deployments: Mapping[str, str] | None) -> bytes:
    """Returns a JSON body with the model of the deployment; a form has its own. Raises ApiError for unknown names."""
    if deployments is not None and name not in deployments:
        message = (
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
            "minutes, please wait a moment and try again."
        )
        raise ApiError(404, message, code="DeploymentNotFound")
    try:
        fields = json.loads(body)
    except ValueError:
        return body
    if not is_object(fields):
        return body
    return encode({**fields, "model": name if deployments is None else deployments[name]})


def _refused_prompt() -> WholeReply:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _PROMPT_FOUND}
    error = {"message": _REFUSAL, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    return WholeReply(encode({"error": {**error, "innererror": inner}}), status=400)


def _filtered(outcome: Outcome, finding: AzureFilter) -> Outcome:
    """Returns a chat reply with the results of the content filters."""
    if isinstance(outcome, EventReply):
        events = _late_results if finding == "async" else _results_inside
        return EventReply(events(outcome.blocks, finding), tokens=outcome.tokens)
    if outcome.status != 200:
        return outcome
    reply: Any = json.loads(outcome.body)
    for choice in reply["choices"]:
        choice["content_filter_results"] = _ANSWER_FILTERS
        if finding == "error":
            choice["content_filter_results"] = _FILTER_ERROR
        elif finding == "completion":
            text = choice["message"].get("content") or ""
            choice["message"]["content"] = text[: len(text) // 2]
            choice.update(finish_reason="content_filter", content_filter_results=_ANSWER_FOUND)
    reply["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTERS}]
    return WholeReply.json(reply, tokens=outcome.tokens, headers=outcome.headers)


def _chunks(blocks: Iterable[bytes]) -> Iterator[Any]:
    for block in blocks:
        if block != DONE:
            yield json.loads(block[len(b"data: ") :])


def _of_the_prompt(chunk: Any) -> bytes:
    results = [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTERS}]
    return data_event({**chunk, "id": "", "model": "", "choices": [], "prompt_filter_results": results})


def _results_inside(blocks: Iterable[bytes], finding: AzureFilter) -> Iterator[bytes]:
    """Yields a stream's events: first the results for the prompt, in a chunk without choices, as Azure sends them."""
    first = True
    said = 0
    found = _FILTER_ERROR if finding == "error" else _ANSWER_FILTERS
    for chunk in _chunks(blocks):
        if first:
            first = False
            yield _of_the_prompt(chunk)
        for choice in chunk.get("choices", ()):
            has_text = bool(choice["delta"].get("content"))
            said += has_text
            choice["content_filter_results"] = found if has_text else {}
            if finding == "completion" and has_text and said > 1:
                choice.update(delta={}, finish_reason="content_filter", content_filter_results=_ANSWER_FOUND)
        yield data_event(chunk)
        if finding == "completion" and said > 1:
            break
    yield DONE


def _late_results(blocks: Iterable[bytes], _: AzureFilter) -> Iterator[bytes]:
    """Yields the events of the asynchronous filter: the results follow the text, in chunks without a `delta`."""
    first = True
    length = 0
    for chunk in _chunks(blocks):
        if first:
            first = False
            yield _of_the_prompt(chunk)
        yield data_event(chunk)
        for choice in chunk.get("choices", ()):
            text = choice["delta"].get("content") or ""
            if text:
                offsets = {"check_offset": length, "start_offset": length, "end_offset": length + len(text)}
                length += len(text)
                late = {
                    "index": choice["index"],
                    "finish_reason": None,
                    "content_filter_results": _ANSWER_FILTERS,
                    "content_filter_offsets": offsets,
                }
                yield data_event({"id": "", "object": "", "created": 0, "model": "", "choices": [late]})
    yield DONE
