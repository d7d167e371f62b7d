"""`CallInfo`: the facts of a call that hooks may see. Headers and messages are not among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._calls.request import Request, shown_path

__all__ = ["CallInfo", "has_field", "read_field"]

# The arguments that hooks may see: those that shape the answer, never its content.
_PARAMETERS = frozenset(
    {
        "dimensions",
        "encoding_format",
        "frequency_penalty",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "n",
        "presence_penalty",
        "quality",
        "reasoning_effort",
        "response_format",
        "seed",
        "service_tier",
        "size",
        "stop",
        "temperature",
        "top_p",
        "voice",
    }
)


class CallInfo:
    """One call, as hooks see it: one object from the first attempt to the end, filled in on the way."""

    def __init__(self, request: Request[Any], base_url: str) -> None:
        body: Any = request.body
        arguments: Mapping[str, Any] = body if is_mapping(body) else {}
        model = arguments.get("model")
        self.method = request.endpoint.method
        """The HTTP verb."""
        self.path = shown_path(request.path)
        """The path below the base URL: `/threads/thread_1/runs`."""
        self.template = shown_path(request.endpoint.path)
        """The path of the endpoint, the same for all its calls: `/threads/{thread_id}/runs`."""
        self.base_url = base_url
        self.model = model if isinstance(model, str) else None
        """The model in the request."""
        self.parameters: dict[str, Any] = {
            name: value
            for name in arguments.keys() & _PARAMETERS
            if isinstance(value := arguments[name], (str, int, float)) or (name == "stop" and is_list(value))
        }
        """The arguments that shape the answer: `temperature`, `max_tokens` and the like."""
        self.stream = request.stream
        """Whether the reply is a stream of events."""
        self.attempt = 0
        """The number of the attempt, from 1."""
        self.error: BaseException | None = None
        """The error of the last attempt, or of the call."""
        self.wait: float | None = None
        """Seconds until the next attempt."""
        self.status: int | None = None
        self.request_id: str | None = None
        """The server's `x-request-id`."""
        self.first_event_after: float | None = None
        """Seconds from the call's start to the first event of its stream."""
        self.response_id: str | None = None
        """The id in the reply: `chatcmpl-...`."""
        self.response_model: str | None = None
        """The model in the reply."""
        self.usage: Any = None
        """The reply's `usage`; None for a stream without one."""
        self.finish_reasons: list[str] = []
        """The finish reason of each choice; for a response its status, or the reason why it is incomplete."""
        self.elapsed = 0.0
        """Seconds from the call's start to this hook."""
        self.state: dict[Any, Any] = {}
        """Room for hooks, which see the same object at the next hook of the call. Use a key of your own."""

    @property
    def input_tokens(self) -> int | None:
        """The input tokens in `usage`: `input_tokens` or `prompt_tokens`."""
        return self._tokens("input_tokens", "prompt_tokens")

    @property
    def output_tokens(self) -> int | None:
        """The output tokens in `usage`: `output_tokens` or `completion_tokens`."""
        return self._tokens("output_tokens", "completion_tokens")

    def _tokens(self, *names: str) -> int | None:
        for name in names:
            if isinstance(count := read_field(self.usage, name), int):
                return count
        return None

    @override
    def __repr__(self) -> str:
        return f"<CallInfo {self.method} {self.path} model={self.model!r} attempt={self.attempt} status={self.status}>"


def has_field(node: Any, name: str) -> bool:
    """Returns whether the type of a reply object has a field."""
    return name in getattr(node.__class__, "__struct_fields__", ())


def read_field(node: Any, name: str) -> Any:
    """Returns a field of a reply object or of a plain mapping; None if it has none of that name."""
    # Asking an object for a field that its type does not have takes 20 times as long as the check.
    if has_field(node, name):
        return getattr(node, name)
    return node.get(name) if is_mapping(node) else None
