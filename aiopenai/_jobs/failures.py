"""The exceptions of a job's files and engines. Each says in one line why the job cannot begin or go on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from aiopenai.errors import OpenAIError

__all__ = ["FilesError", "JobError", "LockedError", "UnreadableReplyError", "UsageError", "disk_errors"]


class FilesError(Exception):
    """A file of the job cannot be used: the disk fails, or the file holds something else."""


class LockedError(FilesError):
    """Another job is writing the file."""


class UsageError(Exception):
    """The command cannot work as it was given."""


class JobError(Exception):
    """The job cannot go on."""


class UnreadableReplyError(OpenAIError):
    """A reply that is not a JSON object, which no result line can hold."""


@contextlib.contextmanager
def disk_errors(path: Any, doing: str = "") -> Generator[None, None, None]:
    """Turns an OSError of the block into a FilesError that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise FilesError(f"{path}: {doing}{reason}") from error
