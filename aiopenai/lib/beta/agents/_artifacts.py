"""The files that a turn of an agent has published: `sessions.artifacts.for_result`."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from aiopenai.lib.beta.agents._results import AgentTurnResult

if TYPE_CHECKING:
    from aiopenai._calls.arguments import CallOptions
    from aiopenai._calls.binary import HttpxBinaryResponseContent
    from aiopenai.types.beta.agents.sessions import SessionArtifact

__all__ = ["AgentResultArtifacts", "AsyncAgentResultArtifacts", "for_result"]


class _Search:
    """The artifacts of one turn. No object of this class makes a request before one of its methods is called."""

    def __init__(self, resource: Any, result: AgentTurnResult[Any]) -> None:
        self._resource = resource
        self._result = result

    def _matches(self, artifact: Any, path: str) -> bool:
        found = (artifact.session_id, artifact.turn_id, artifact.path)
        return found == (self._result.session_id, self._result.turn_id, path)

    def _only(self, found: list[Any], path: str) -> Any:
        if len(found) != 1:
            number = "no artifact" if not found else f"{len(found)} artifacts"
            raise ValueError(f"The turn {self._result.turn_id} has published {number} at the path {path!r}")
        return found[0]


class AgentResultArtifacts(_Search):
    """The artifacts of a turn, by path."""

    def content(self, path: str, **options: Unpack[CallOptions]) -> HttpxBinaryResponseContent:
        """Returns the file at a path. Raises ValueError unless the turn has published exactly one there."""
        found = self._find(path, options)
        content: HttpxBinaryResponseContent = self._resource.content(found.id, session_id=found.session_id, **options)
        return content

    def download(self, path: str, *, to: str | PathLike[str], **options: Unpack[CallOptions]) -> SessionArtifact:
        """Writes the file at a path to the local file `to`, piece by piece, and returns its description.

        Raises ValueError unless the turn has published exactly one there, OSError if `to` cannot be written.
        """
        found = self._find(path, options)
        streamed = self._resource.with_streaming_response
        with streamed.content(found.id, session_id=found.session_id, **options) as response:
            response.stream_to_file(to)
        return found

    def _find(self, path: str, options: Any) -> SessionArtifact:
        listed = self._resource.list(self._result.session_id, **options)
        found: SessionArtifact = self._only([each for each in listed if self._matches(each, path)], path)
        return found


class AsyncAgentResultArtifacts(_Search):
    """The artifacts of a turn, by path."""

    async def content(self, path: str, **options: Unpack[CallOptions]) -> HttpxBinaryResponseContent:
        """Returns the file at a path. Raises ValueError unless the turn has published exactly one there."""
        found = await self._find(path, options)
        content: HttpxBinaryResponseContent = await self._resource.content(
            found.id, session_id=found.session_id, **options
        )
        return content

    async def download(self, path: str, *, to: str | PathLike[str], **options: Unpack[CallOptions]) -> SessionArtifact:
        """Writes the file at a path to the local file `to`, piece by piece, and returns its description.

        Raises ValueError unless the turn has published exactly one there, OSError if `to` cannot be written.
        """
        found = await self._find(path, options)
        streamed = self._resource.with_streaming_response
        async with streamed.content(found.id, session_id=found.session_id, **options) as response:
            await response.stream_to_file(to)
        return found

    async def _find(self, path: str, options: Any) -> SessionArtifact:
        listed = self._resource.list(self._result.session_id, **options)
        found: SessionArtifact = self._only([each async for each in listed if self._matches(each, path)], path)
        return found


def for_result(resource: Any, /, result: AgentTurnResult[Any]) -> AgentResultArtifacts | AsyncAgentResultArtifacts:
    """`sessions.artifacts.for_result`: the artifacts of a turn, without a request."""
    return (AgentResultArtifacts if resource._blocking else AsyncAgentResultArtifacts)(resource, result)
