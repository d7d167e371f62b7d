"""Stream helpers: typed events, each with all that came before it. This module exports those of assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiopenai.lib.streaming.assistants import AssistantEventHandler as AssistantEventHandler
    from aiopenai.lib.streaming.assistants import AssistantEventHandlerT as AssistantEventHandlerT
    from aiopenai.lib.streaming.assistants import AssistantStreamManager as AssistantStreamManager
    from aiopenai.lib.streaming.assistants import AsyncAssistantEventHandler as AsyncAssistantEventHandler
    from aiopenai.lib.streaming.assistants import AsyncAssistantEventHandlerT as AsyncAssistantEventHandlerT
    from aiopenai.lib.streaming.assistants import AsyncAssistantStreamManager as AsyncAssistantStreamManager
    from aiopenai.lib.streaming.assistants import create_and_run_stream as create_and_run_stream
    from aiopenai.lib.streaming.assistants import create_and_stream as create_and_stream
    from aiopenai.lib.streaming.assistants import stream as stream
    from aiopenai.lib.streaming.assistants import submit_tool_outputs_stream as submit_tool_outputs_stream

__all__ = [
    "AssistantEventHandler",
    "AssistantEventHandlerT",
    "AssistantStreamManager",
    "AsyncAssistantEventHandler",
    "AsyncAssistantEventHandlerT",
    "AsyncAssistantStreamManager",
    "create_and_run_stream",
    "create_and_stream",
    "stream",
    "submit_tool_outputs_stream",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from aiopenai.lib.streaming import assistants

        globals()[name] = value = getattr(assistants, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | {*__all__})
