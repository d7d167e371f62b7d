"""The items of a job as requests: values of `resource.method.request(...)`, and lines of a batch file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._calls.request import Endpoint, Request

__all__ = ["BatchLine", "BodyFacts", "endpoint_of", "facts_of", "request_of"]

BatchLine: TypeAlias = Mapping[str, Any]

# The reply types of the endpoints that batches know, below /v1.
_REPLIES = {
    "/chat/completions": ("chat", "ChatCompletion"),
    "/completions": ("completions", "Completion"),
    "/embeddings": ("embeddings", "CreateEmbeddingResponse"),
    "/images/edits": ("images", "ImagesResponse"),
    "/images/generations": ("images", "ImagesResponse"),
    "/moderations": ("moderations", "ModerationCreateResponse"),
    "/responses": ("responses", "Response"),
    "/videos": ("videos", "Video"),
}
_MAX_ENDPOINTS = 1_000
_endpoints: dict[str, Endpoint] = {}


class BodyFacts(msgspec.Struct, gc=False):
    """The parameters of a request that matter to a job."""

    model: Any = None
    stream: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    max_tokens: Any = None

    @property
    def most(self) -> int | None:
        """The limit that the request sets to its answer's tokens."""
        most = self.max_completion_tokens or self.max_output_tokens or self.max_tokens
        return most if isinstance(most, int) and most > 0 else None


_decode_facts = msgspec.json.Decoder(BodyFacts).decode
_NO_FACTS = BodyFacts()


def facts_of(body: Any) -> BodyFacts:
    """Returns the facts of a body: a mapping, or the JSON text that is sent."""
    if is_mapping(body):
        return BodyFacts(**{name: body.get(name) for name in BodyFacts.__struct_fields__})
    if isinstance(body, bytes):
        try:
            return _decode_facts(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _NO_FACTS


def endpoint_of(method: str, url: str) -> Endpoint:
    """Returns the endpoint of a batch line. The reply of an endpoint that batches do not know is plain JSON.

    Raises ValueError for an absolute URL: the key is for the client's own server.
    """
    path = url.removeprefix("/v1")
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"`url` must be a path such as /v1/chat/completions, not {url[:200]!r}")
    key = f"{method} {path}"
    found = _endpoints.get(key)
    if found is None:
        reply: Any = object
        if method == "POST" and path in _REPLIES:
            module, name = _REPLIES[path]
            reply = getattr(importlib.import_module(f"aiopenai.types.{module}"), name)
        found = Endpoint(method=method, path=path, reply=reply)
        if len(_endpoints) < _MAX_ENDPOINTS:
            _endpoints[key] = found
    return found


def request_of(item: Any) -> Request[Any]:
    """Returns an item of a job as a request. Raises TypeError and ValueError for anything that is none."""
    if isinstance(item, Request):
        request: Request[Any] = cast("Any", item)
        return request
    if not is_mapping(item):
        raise TypeError(
            f"a job takes requests and lines of a batch file, not {type(item).__name__}: "
            "write client.responses.create.request(...) for client.responses.create(...)"
        )
    url, method = item.get("url"), item.get("method", "POST")
    if not isinstance(url, str) or not isinstance(method, str):
        raise ValueError("a line needs a `url`, and a `method` that is a string")
    endpoint = endpoint_of(method, url)
    return Request(endpoint=endpoint, path=endpoint.path, body=item.get("body"))
