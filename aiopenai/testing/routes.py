"""Which endpoint answers which verb and path."""

from __future__ import annotations

from urllib.parse import unquote

from . import chat, completions, embeddings, files, models, moderations, responses
from .values import ApiError, Endpoint

__all__ = ["PREFIX", "resolve"]

PREFIX = "/v1"

# `{}` stands for one segment of the path.
_ROUTES: dict[str, dict[str, Endpoint]] = {
    "/chat/completions": {"POST": chat.create, "GET": chat.list_},
    "/chat/completions/{}": {"GET": chat.retrieve, "POST": chat.update, "DELETE": chat.delete},
    "/chat/completions/{}/messages": {"GET": chat.messages},
    "/completions": {"POST": completions.create},
    "/embeddings": {"POST": embeddings.create},
    "/files": {"POST": files.create, "GET": files.list_},
    "/files/{}": {"GET": files.retrieve, "DELETE": files.delete},
    "/files/{}/content": {"GET": files.content},
    "/models": {"GET": models.list_},
    "/models/{}": {"GET": models.retrieve, "DELETE": models.delete},
    "/moderations": {"POST": moderations.create},
    "/responses": {"POST": responses.create},
    "/responses/compact": {"POST": responses.compact},
    "/responses/input_tokens": {"POST": responses.input_tokens},
    "/responses/{}": {"GET": responses.retrieve, "DELETE": responses.delete},
    "/responses/{}/cancel": {"POST": responses.cancel},
    "/responses/{}/input_items": {"GET": responses.input_items},
}
_FIXED = {PREFIX + path: verbs for path, verbs in _ROUTES.items() if "{}" not in path}
_OPEN = [((PREFIX + path).split("/"), verbs) for path, verbs in _ROUTES.items() if "{}" in path]


def resolve(method: str, raw_path: str) -> tuple[Endpoint, tuple[str, ...]]:
    """The endpoint for a verb and a path as it was sent (without the query), and the values of its parameters.

    Raises `ApiError`: 404 for a path that nobody knows, 405 for a verb that its path does not take.
    """
    verbs = _FIXED.get(raw_path)
    if verbs is not None and (endpoint := verbs.get(method)) is not None:
        return endpoint, ()
    allowed = set(verbs or ())
    # Percent-decoded after the split: an id may hold an encoded slash.
    steps = raw_path.split("/")
    for pattern, verbs in _OPEN:
        if len(pattern) != len(steps):
            continue
        if all(step if wanted == "{}" else wanted == step for wanted, step in zip(pattern, steps, strict=True)):
            if (endpoint := verbs.get(method)) is not None:
                found = zip(pattern, steps, strict=True)
                return endpoint, tuple(unquote(step) for wanted, step in found if wanted == "{}")
            allowed.update(verbs)
    path = unquote(raw_path)
    if allowed:
        message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        raise ApiError(405, message, code="method_not_supported", headers={"allow": ", ".join(sorted(allowed))})
    raise ApiError(404, f"Invalid URL ({method} {path})", code="unknown_url")
