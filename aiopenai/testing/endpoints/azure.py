"""Azure's side of the server: its paths and its errors, in front of the endpoints of the API, and content filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import DONE, ApiError, EventReply, Outcome, WholeReply, data_event
from aiopenai.testing.engine.values import encode, is_object
from aiopenai.testing.memory.state import State

__all__ = ["AZURE_PREFIX", "Dispatch", "with_azure"]

Dispatch: TypeAlias = Callable[[State, ReceivedRequest, str], Outcome]

AZURE_PREFIX = "/openai/"
_SAFE = {"filtered": False, "severity": "safe"}
_ANSWER_FILTERS = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), _SAFE)
_PROMPT_FILTERS = {**_ANSWER_FILTERS, "jailbreak": {"filtered": False, "detected": False}}


def with_azure(dispatch: Dispatch, deployments: Mapping[str, str] | None) -> Dispatch:
    """Returns a function that answers requests below `/openai/` as Azure does, and passes all others on.

    `deployments` are the models by the name of their deployment; None accepts every name, as that of a model.
    """

    def answer(state: State, request: ReceivedRequest, request_id: str) -> Outcome:
        if not request.raw_path.startswith(AZURE_PREFIX):
            return dispatch(state, request, request_id)
        try:
            plain = _translated(request, deployments)
        except ApiError as error:
            return error.reply()
        outcome = dispatch(state, plain, request_id)
        return _filtered(outcome) if plain.path.endswith("/chat/completions") else outcome

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


def _filtered(outcome: Outcome) -> Outcome:
    """Returns a chat reply with the results of the content filters."""
    if isinstance(outcome, EventReply):
        return EventReply(_filtered_events(outcome.blocks), tokens=outcome.tokens)
    if outcome.status != 200:
        return outcome
    reply: Any = json.loads(outcome.body)
    for choice in reply["choices"]:
        choice["content_filter_results"] = _ANSWER_FILTERS
    reply["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTERS}]
    return WholeReply.json(reply, tokens=outcome.tokens, headers=outcome.headers)


def _filtered_events(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields a stream's events: first the results for the prompt, in a chunk without choices, as Azure sends them."""
    first = True
    for block in blocks:
        if block == DONE:
            yield block
            continue
        chunk: Any = json.loads(block[len(b"data: ") :])
        if first:
            first = False
            results = [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTERS}]
            yield data_event({**chunk, "id": "", "model": "", "choices": [], "prompt_filter_results": results})
        for choice in chunk.get("choices", ()):
            choice["content_filter_results"] = _ANSWER_FILTERS if choice["delta"].get("content") else {}
        yield data_event(chunk)
