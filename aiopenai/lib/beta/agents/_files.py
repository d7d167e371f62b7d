"""Local files for the environments of agents: `beta.agents.environments.files.prepare` and its siblings.

A file is read in pieces while it is sent. The uploads run one after the other, so one file is open at a time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from aiopenai._base.sentinels import Omit
from aiopenai.errors import OpenAIError
from aiopenai.lib.beta.agents._selection import SelectedFile, check_destination, open_selected, select, select_directory

if TYPE_CHECKING:
    from aiopenai._base.aliases import FileTypes, Headers
    from aiopenai.types.beta import HostedEnvironmentFileParam
    from aiopenai.types.beta.agents.environments import EnvironmentFile

__all__ = [
    "AgentFilePreparationError",
    "AgentFileStagingError",
    "PreparedAgentFiles",
    "StagedAgentFile",
    "prepare",
    "prepare_directory",
    "upload",
]


@dataclass
class PreparedAgentFiles:
    """The entries for a new environment, and the ids of the uploads. The caller deletes the uploads after use."""

    files: list[HostedEnvironmentFileParam] = field(default_factory=list["HostedEnvironmentFileParam"])
    uploaded_file_ids: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class StagedAgentFile:
    """A file of an environment, and the id of its upload. The caller deletes the upload after use."""

    uploaded_file_id: str
    file: EnvironmentFile


class AgentFilePreparationError(OpenAIError):
    """A failed preparation. `prepared` holds the uploads that succeeded before; the caller deletes them."""

    def __init__(self, prepared: PreparedAgentFiles) -> None:
        count = len(prepared.uploaded_file_ids)
        super().__init__(f"The agent files were not all prepared; {count} uploads remain, see `prepared`")
        self.prepared = prepared

    def __reduce__(self) -> tuple[type[AgentFilePreparationError], tuple[PreparedAgentFiles]]:
        return type(self), (self.prepared,)


class AgentFileStagingError(OpenAIError):
    """A failed second step of `upload`. The upload `uploaded_file_id` remains; the caller deletes it."""

    def __init__(self, uploaded_file_id: str) -> None:
        super().__init__(f"The uploaded file {uploaded_file_id} was not placed in the environment; the upload remains")
        self.uploaded_file_id = uploaded_file_id

    def __reduce__(self) -> tuple[type[AgentFileStagingError], tuple[str]]:
        return type(self), (self.uploaded_file_id,)


async def prepare(resource: Any, /, files: Mapping[str, str | os.PathLike[str]], **options: Any) -> PreparedAgentFiles:
    """`environments.files.prepare`: uploads local files, by destination, for a new environment.

    Raises ValueError before the first upload for a bad destination or file. A later failure raises
    `AgentFilePreparationError` with the uploads that succeeded; a cancellation carries them as its `prepared`.
    """
    _check_key(resource, len(files), options)
    return await _upload_all(resource, await asyncio.to_thread(select, files), options)


async def prepare_directory(
    resource: Any, /, root: str | os.PathLike[str], *, destination: str, include: Sequence[str], **options: Any
) -> PreparedAgentFiles:
    """`environments.files.prepare_directory`: uploads the files of a directory that match a pattern of `include`.

    Raises as `prepare`, and ValueError for a symlink among the files and for patterns without a match.
    """
    selected = await asyncio.to_thread(select_directory, root, destination, include)
    _check_key(resource, len(selected), options)
    return await _upload_all(resource, selected, options)


async def upload(
    resource: Any, /, environment_id: str, *, file: FileTypes, path: str, **options: Any
) -> StagedAgentFile:
    """`environments.files.upload`: uploads a file and places it at `path` of an existing environment.

    Raises ValueError for a bad argument, and `AgentFileStagingError` if the file was uploaded and not placed.
    """
    if not environment_id:
        raise ValueError("`environment_id` must not be empty")
    destination = check_destination(path)
    async with _content(file) as content:
        uploaded = await resource._client.resources.files.create(file=content, purpose="user_data", **options)
    try:
        staged: EnvironmentFile = await resource.create(
            environment_id,
            type="file_id",
            file_id=uploaded.id,
            path=destination,
            # A key belongs to one request, which is the upload.
            **{name: value for name, value in options.items() if name != "idempotency_key"},
        )
    except Exception as error:
        raise AgentFileStagingError(uploaded.id) from error
    except BaseException as error:
        error.__dict__["uploaded_file_id"] = uploaded.id
        raise
    return StagedAgentFile(uploaded.id, staged)


def _check_key(resource: Any, count: int, options: Mapping[str, Any]) -> None:
    """Raises ValueError for an idempotency key that several uploads would share."""
    if count < 2:
        return
    defaults: Headers = resource._client.default_headers
    own: Headers = options.get("extra_headers") or {}
    headers = {name.lower(): value for each in (defaults, own) for name, value in each.items()}
    header = headers.get("idempotency-key")
    if options.get("idempotency_key") or (header is not None and not isinstance(header, Omit)):
        raise ValueError("One idempotency key cannot serve several uploads; prepare one file per call, or omit the key")


async def _upload_all(
    resource: Any, selected: list[tuple[str, SelectedFile]], options: dict[str, Any]
) -> PreparedAgentFiles:
    prepared = PreparedAgentFiles()
    try:
        for destination, source in selected:
            async with _opened(source) as opened:
                content = (source.path.name, opened)
                uploaded = await resource._client.resources.files.create(file=content, purpose="user_data", **options)
                prepared.uploaded_file_ids.append(uploaded.id)
                await asyncio.to_thread(_check_size, opened, source)
            prepared.files.append({"type": "file_id", "file_id": uploaded.id, "path": destination})
    except Exception as error:
        raise AgentFilePreparationError(prepared) from error
    except BaseException as error:
        # KeyboardInterrupt and CancelledError keep their type, and carry the uploads to the caller.
        error.__dict__["prepared"] = prepared
        raise
    return prepared


@asynccontextmanager
async def _content(file: FileTypes) -> AsyncGenerator[Any, None]:
    """The file argument of `files.create`. The file of a path is checked, opened and closed in threads."""
    content = file[1] if isinstance(file, tuple) else file
    if not isinstance(content, os.PathLike):
        yield file
        return
    _, source = (await asyncio.to_thread(select, {"/workspace/a": content}))[0]
    async with _opened(source) as opened:
        yield (file[0], opened, *file[2:]) if isinstance(file, tuple) else (Path(content).name, opened)


@asynccontextmanager
async def _opened(source: SelectedFile) -> AsyncGenerator[BinaryIO, None]:
    opening = asyncio.ensure_future(asyncio.to_thread(open_selected, source))
    try:
        opened = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on after a cancellation, and its file has to be closed.
        opening.add_done_callback(_close_late)
        raise
    try:
        yield opened
    finally:
        opened.close()


def _close_late(opening: asyncio.Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _check_size(opened: BinaryIO, source: SelectedFile) -> None:
    if os.fstat(opened.fileno()).st_size != source.identity[2]:
        raise ValueError(f"The file {str(source.path)!r} has changed while it was sent")
