"""The objects of agents that the server keeps: sessions with their turns and items, and environments with files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredFile

__all__ = ["StoredEnvironment", "StoredSession"]

FeedT = TypeVar("FeedT")


@dataclass(slots=True)
class StoredEnvironment:
    """An environment, and the bytes of its files by path."""

    info: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(slots=True)
class StoredSession(Generic[FeedT]):
    """A session of an agent.

    turns, items: by id, oldest first.
    artifacts: the files that finished turns have published.
    environment: the environment of the session, if it has one.
    feeds: the open streams of its events.
    turn: the turn under way, or the last one.
    progress: the events that the turn under way has still to make; None is a pause until an action is taken.
    pending: the actions that the turn waits for, by the id of the call or the request.
    results: the results of these actions.
    events: the number of events so far.
    keys: the idempotency keys of accepted inputs.
    first: the stream with which the session was created. It ends with the first turn.
    """

    session: dict[str, Any]
    turns: Store[dict[str, Any]]
    items: Store[dict[str, Any]]
    artifacts: Store[StoredFile]
    environment: StoredEnvironment | None = None
    feeds: WeakSet[FeedT] = field(default_factory=WeakSet[Any])
    progress: Iterator[dict[str, Any] | None] | None = None
    pending: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    keys: set[str] = field(default_factory=set[str])
    events: int = 0
    first: FeedT | None = None
    turn: Any = None
