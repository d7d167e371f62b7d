"""The objects that the server keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiopenai.testing.memory.store import Store

__all__ = [
    "StoredBatch",
    "StoredChat",
    "StoredChatKitThread",
    "StoredConversation",
    "StoredEval",
    "StoredEvalRun",
    "StoredFile",
    "StoredFileBatch",
    "StoredPart",
    "StoredResponse",
    "StoredRun",
    "StoredSkill",
    "StoredSkillVersion",
    "StoredThread",
    "StoredTuning",
    "StoredUpload",
    "StoredVectorFile",
    "StoredVectorStore",
    "StoredVideo",
]


@dataclass(slots=True)
class StoredChat:
    """A chat completion that was created with `store: true`, and the messages that led to it."""

    completion: dict[str, Any]
    messages: list[Any]


@dataclass(slots=True)
class StoredResponse:
    """A response in its final form, and the input items of its whole conversation.

    polls: the number of retrievals that still find a background response unfinished.
    """

    response: dict[str, Any]
    items: list[dict[str, Any]]
    polls: int = 0


@dataclass(slots=True)
class StoredFile:
    """A file: its bytes, and the object that describes it."""

    file: dict[str, Any]
    data: bytes


@dataclass(slots=True)
class StoredBatch:
    """A batch, and the expiry of its output files."""

    batch: dict[str, Any]
    expires_after: dict[str, Any] | None


@dataclass(slots=True)
class StoredUpload:
    """An upload, and the expiry of the file that it becomes."""

    upload: dict[str, Any]
    expires_after: dict[str, Any] | None


@dataclass(slots=True)
class StoredPart:
    """A part of an upload."""

    part: dict[str, Any]
    data: bytes


@dataclass(slots=True)
class StoredConversation:
    """A conversation and its items by id, oldest first."""

    conversation: dict[str, Any]
    items: Store[dict[str, Any]]


@dataclass(slots=True)
class StoredVideo:
    """A video job. polls: the number of retrievals that still find it unfinished."""

    video: dict[str, Any]
    polls: int


@dataclass(slots=True)
class StoredVectorFile:
    """A file in a vector store.

    polls: the number of retrievals that still find it unfinished.
    text: the text of the file, once it is read.
    """

    file: dict[str, Any]
    polls: int
    text: str = ""


@dataclass(slots=True)
class StoredFileBatch:
    """Files that one request attached to a vector store."""

    batch: dict[str, Any]
    file_ids: list[str]


@dataclass(slots=True)
class StoredVectorStore:
    """A vector store with its files (by the id of the file) and their batches."""

    store: dict[str, Any]
    files: Store[StoredVectorFile]
    batches: Store[StoredFileBatch]


@dataclass(slots=True)
class StoredRun:
    """A run of an assistant. answered: whether the outputs of its tool calls have arrived."""

    run: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answered: bool = False


@dataclass(slots=True)
class StoredThread:
    """A thread with its messages and runs, by id, oldest first."""

    thread: dict[str, Any]
    messages: Store[dict[str, Any]]
    runs: Store[StoredRun]


@dataclass(slots=True)
class StoredTuning:
    """A fine-tuning job with its events and checkpoints, oldest first.

    suffix: the part of the model's name that the request chose.
    """

    job: dict[str, Any]
    suffix: str
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    checkpoints: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True)
class StoredEvalRun:
    """A run of an eval, and its output items, oldest first."""

    run: dict[str, Any]
    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True)
class StoredEval:
    """An eval, and its runs by id, oldest first."""

    eval: dict[str, Any]
    runs: Store[StoredEvalRun]


@dataclass(slots=True)
class StoredSkillVersion:
    """A version of a skill, and its files as a zip archive."""

    version: dict[str, Any]
    archive: bytes


@dataclass(slots=True)
class StoredSkill:
    """A skill, and its versions by number, oldest first. `last` is the highest number that a version ever had."""

    skill: dict[str, Any]
    versions: dict[str, StoredSkillVersion]
    last: int


@dataclass(slots=True)
class StoredChatKitThread:
    """A thread of ChatKit and its items, oldest first."""

    thread: dict[str, Any]
    items: list[dict[str, Any]]
