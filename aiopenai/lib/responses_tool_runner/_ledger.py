"""The ledger of a run: checkpoints that the program stores, and from which a run goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from typing_extensions import TypedDict

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.responses_tool_runner._native import plain_json

__all__ = [
    "AsyncResponsesToolLedger",
    "Phase",
    "ResponsesToolCheckpoint",
    "ResponsesToolLedger",
    "check_resumable",
    "read_checkpoint",
    "tools_without_secrets",
]

Phase = Literal["boundary", "pending", "final"]
_SECRET_PARAMETERS = re.compile(
    "x?(apikey|(access|refresh|session|id|auth)?token|sessionid|authorization|password|(client|signing)secret|sig"
    "|signature|xgoog(signature|credential)|xamz(securitytoken|signature|credential))"
)


class ResponsesToolCheckpoint(TypedDict):
    """The state of a run as plain JSON values. A run goes on only from a `boundary`: `pending` calls may have effects.

    The declarations of MCP servers lack their credentials, and have a hash in the place of their URL.
    """

    version: Literal[1]
    run_id: str
    revision: int
    phase: Phase
    max_steps: int
    consumed_requests: int
    tools: list[Any]
    output_override_names: list[str]
    history: list[Any]
    attempted_call_ids: list[str]
    returned_call_ids: list[str]
    pending_items: list[dict[str, Any]]
    returned_outputs: list[Any]
    final_response: dict[str, Any] | None


@dataclass(frozen=True)
class ResponsesToolLedger:
    """The place where a run stores its checkpoints.

    run_id: the name of the run, which a later run must have too to go on.
    save: stores a checkpoint. It is called before each request, before and after each call, and at the end. An error
    ends the run before its next effect. Each checkpoint is complete, and replaces the one before.
    resume_from: the checkpoint from which the run goes on.
    """

    run_id: str
    save: Callable[[ResponsesToolCheckpoint], None]
    resume_from: ResponsesToolCheckpoint | None = None


@dataclass(frozen=True)
class AsyncResponsesToolLedger:
    """The `ResponsesToolLedger` of an AsyncResponsesToolRunner, with an asynchronous `save`."""

    run_id: str
    save: Callable[[ResponsesToolCheckpoint], Awaitable[None]]
    resume_from: ResponsesToolCheckpoint | None = None


def read_checkpoint(given: Any) -> ResponsesToolCheckpoint | None:
    """Returns a copy of the checkpoint of a ledger. Raises ValueError for other values."""
    if given is None:
        return None
    checkpoint: Any = plain_json(given)
    if not is_mapping(checkpoint):
        raise ValueError(f"`resume_from` is a checkpoint, not {type(given).__name__}")
    return checkpoint  # type: ignore[return-value]


def check_resumable(checkpoint: ResponsesToolCheckpoint, run: dict[str, Any]) -> None:
    """Raises ValueError unless a run can go on from a checkpoint. `run` has the values that both must share."""
    given: Any = checkpoint
    if given.keys() != ResponsesToolCheckpoint.__annotations__.keys():
        raise ValueError("`resume_from` is no complete checkpoint")
    pending = given["pending_items"] != [] or given["returned_outputs"] != [] or given["final_response"] is not None
    if given["phase"] != "boundary" or pending:
        raise ValueError("A run goes on only from a `boundary`: find out yourself which pending calls had effects")
    for name, value in run.items():
        # JSON tells true from 1, which Python takes for equal.
        if json.dumps(given[name], sort_keys=True) != json.dumps(value, sort_keys=True):
            raise ValueError(f"The run differs in {name!r} from the checkpoint: it cannot go on from it")
    lists = ("history", "attempted_call_ids", "returned_call_ids")
    if not all(is_list(given[name]) for name in lists) or type(given["revision"]) is not int or given["revision"] < 1:
        raise ValueError("`resume_from` is no complete checkpoint")


def tools_without_secrets(tools: list[Any]) -> list[Any]:
    """Returns the definitions of tools as a checkpoint stores them."""
    return [_without_secrets(tool) for tool in tools]


def _without_secrets(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] == "mcp":
        kept = {key: value for key, value in tool.items() if key not in ("authorization", "headers")}
        if isinstance(url := kept.get("server_url"), str):
            kept["server_url"] = f"sha256:{hashlib.sha256(_shown_url(url).encode()).hexdigest()}"
        return kept
    container: Any = tool.get("container")
    policy: Any = container.get("network_policy") if is_mapping(container) else None
    if tool["type"] != "code_interpreter" or not is_mapping(policy) or not is_list(policy.get("domain_secrets")):
        return tool
    secrets = [{**secret, "value": ""} for secret in policy["domain_secrets"]]
    return {**tool, "container": {**container, "network_policy": {**policy, "domain_secrets": secrets}}}


def _shown_url(url: str) -> str:
    """Returns a URL without its credentials: keys that are renewed must not make it another server."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    shown = [
        (name, "***" if _SECRET_PARAMETERS.fullmatch(re.sub("[-_]", "", name.lower())) else value)
        for name, value in pairs
    ]
    query = parts.query if shown == pairs else urlencode(shown, safe="*")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment=""))
