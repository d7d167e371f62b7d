"""The managers of streamed runs, and the methods that make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic

from aiopenai.lib.streaming.assistants._handlers import (
    AssistantEventHandler,
    AssistantEventHandlerT,
    AsyncAssistantEventHandler,
    AsyncAssistantEventHandlerT,
)
from aiopenai.lib.streaming.wrappers import AsyncStreamManager, StreamManager, managed_by

__all__ = [
    "AssistantStreamManager",
    "AsyncAssistantStreamManager",
    "create_and_run_stream",
    "create_and_stream",
    "submit_tool_outputs_stream",
]


class AssistantStreamManager(StreamManager[AssistantEventHandlerT], Generic[AssistantEventHandlerT]):
    """The context manager of a streamed run in the blocking client. Its block receives the event handler."""

    def __init__(self, api_request: Callable[[], Any], *, event_handler: AssistantEventHandlerT) -> None:
        def wrap(raw: Any) -> AssistantEventHandlerT:
            event_handler.start(raw)
            return event_handler

        super().__init__(api_request, wrap)


class AsyncAssistantStreamManager(
    AsyncStreamManager[AsyncAssistantEventHandlerT], Generic[AsyncAssistantEventHandlerT]
):
    """The context manager of a streamed run in the async client. Its block receives the event handler."""

    def __init__(self, api_request: Awaitable[Any], *, event_handler: AsyncAssistantEventHandlerT) -> None:
        def wrap(raw: Any) -> AsyncAssistantEventHandlerT:
            event_handler.start(raw)
            return event_handler

        super().__init__(api_request, wrap)


_AnyManager = AssistantStreamManager[Any] | AsyncAssistantStreamManager[Any]


def _managed(resource: Any, name: str, arguments: dict[str, Any], helper: str, event_handler: Any) -> _AnyManager:
    own = "true" if event_handler else "false"
    headers = {"X-Stainless-Stream-Helper": helper, "X-Stainless-Custom-Event-Handler": own}

    def blocking(api_request: Any) -> AssistantStreamManager[Any]:
        return AssistantStreamManager(api_request, event_handler=event_handler or AssistantEventHandler())

    def awaited(api_request: Any) -> AsyncAssistantStreamManager[Any]:
        return AsyncAssistantStreamManager(api_request, event_handler=event_handler or AsyncAssistantEventHandler())

    manager: _AnyManager = managed_by(resource, name, arguments, headers, (blocking, awaited))
    return manager


def create_and_stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.runs.stream`: the arguments of `create`, and a handler for the events."""
    return _managed(resource, "create", arguments, "threads.runs.create_and_stream", event_handler)


def submit_tool_outputs_stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.runs.submit_tool_outputs_stream`: the arguments of `submit_tool_outputs`, and a handler."""
    return _managed(
        resource, "submit_tool_outputs", arguments, "threads.runs.submit_tool_outputs_stream", event_handler
    )


def create_and_run_stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.create_and_run_stream`: the arguments of `create_and_run`, and a handler for the events."""
    return _managed(resource, "create_and_run", arguments, "threads.create_and_run_stream", event_handler)
