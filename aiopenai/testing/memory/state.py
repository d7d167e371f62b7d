"""The memory of the server between requests: stores of objects, counters, the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from aiopenai.testing.memory.agents import StoredEnvironment, StoredSession
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import (
    StoredBatch,
    StoredChat,
    StoredChatKitThread,
    StoredConversation,
    StoredEval,
    StoredFile,
    StoredPart,
    StoredResponse,
    StoredSkill,
    StoredThread,
    StoredTuning,
    StoredUpload,
    StoredVectorStore,
    StoredVideo,
)

__all__ = ["EPOCH", "Answer", "State"]

Answer: TypeAlias = "str | Callable[[str], str] | None"

# The time in replies of a server without a clock of its own. A constant makes replies repeatable.
EPOCH = 1_750_000_000


class State:
    """The memory of one server."""

    def __init__(
        self,
        *,
        answer: Answer,
        models: Iterable[str],
        any_model: bool,
        clock: Callable[[], float] | None,
        max_stored: int,
        max_stored_bytes: int,
        poll_after_ms: int,
    ) -> None:
        self.answer: Answer = answer
        self.clock: Callable[[], float] = clock or _epoch
        self._models = tuple(models)
        self._any_model = any_model
        self.models: dict[str, None] = dict.fromkeys(self._models)
        self.poll_after_ms = poll_after_ms
        self.max_stored = max_stored
        self.agent_environments: Store[StoredEnvironment] = Store(max_stored)
        self.agent_sessions: Store[StoredSession[Any]] = Store(max_stored)
        self.agent_templates: Store[dict[str, Any]] = Store(max_stored)
        self.agents: Store[dict[str, Any]] = Store(max_stored)
        self.assistants: Store[dict[str, Any]] = Store(max_stored)
        self.automations: Store[dict[str, Any]] = Store(max_stored)
        self.batches: Store[StoredBatch] = Store(max_stored)
        self.characters: Store[dict[str, Any]] = Store(max_stored)
        self.chatkit_sessions: Store[dict[str, Any]] = Store(max_stored)
        self.chatkit_threads: Store[StoredChatKitThread] = Store(max_stored)
        self.chats: Store[StoredChat] = Store(max_stored)
        self.consents: Store[dict[str, Any]] = Store(max_stored)
        self.container_files: Store[StoredFile] = Store(max_stored, max_stored_bytes)
        self.containers: Store[dict[str, Any]] = Store(max_stored)
        self.conversations: Store[StoredConversation] = Store(max_stored)
        self.evals: Store[StoredEval] = Store(max_stored)
        self.files: Store[StoredFile] = Store(max_stored, max_stored_bytes)
        self.invocations: Store[dict[str, Any]] = Store(max_stored)
        self.parts: Store[StoredPart] = Store(max_stored, max_stored_bytes)
        self.permissions: Store[tuple[str, dict[str, Any]]] = Store(max_stored)
        self.responses: Store[StoredResponse] = Store(max_stored)
        self.skills: Store[StoredSkill] = Store(max_stored)
        self.threads: Store[StoredThread] = Store(max_stored)
        self.tunings: Store[StoredTuning] = Store(max_stored)
        self.uploads: Store[StoredUpload] = Store(max_stored)
        self.vault_credentials: Store[dict[str, Any]] = Store(max_stored)
        self.vaults: Store[dict[str, Any]] = Store(max_stored)
        self.vector_stores: Store[StoredVectorStore] = Store(max_stored)
        self.videos: Store[StoredVideo] = Store(max_stored)
        self.voices: Store[dict[str, Any]] = Store(max_stored)
        self._serial = 0

    def new_id(self, prefix: str) -> str:
        """Returns an id that no other object of this server has. The numbers start at 1."""
        self._serial += 1
        return f"{prefix}{self._serial:024x}"

    def knows_model(self, name: str) -> bool:
        """Returns whether a request may name this model.

        A server with a list of its own knows the listed models only. Others know every name but that of a deleted one.
        """
        return name in self.models or (self._any_model and name not in self._models)

    def reply_text(self, prompt: str, seen: str = "") -> str:
        """Returns the answer of a model to `prompt`, the last message of the user, and to the images `seen` with it."""
        answer = self.answer
        if answer is None:
            prompt = prompt.strip()[:2000] + seen
            return f"You said: {prompt}" if prompt else "Hello! How can I help you today?"
        if isinstance(answer, str):
            return answer
        return answer(prompt)

    def clear(self) -> None:
        """Drops stored objects, restores deleted models, and counts ids from 1 again."""
        self.models = dict.fromkeys(self._models)
        stores: list[Any] = [value for value in vars(self).values() if isinstance(value, Store)]
        for store in stores:
            store.clear()
        self._serial = 0


def _epoch() -> float:
    return EPOCH
