"""Streamed runs of assistants: event handlers, their managers, and the methods that return them."""

from __future__ import annotations

from aiopenai.lib.streaming.assistants._handlers import AssistantEventHandler as AssistantEventHandler
from aiopenai.lib.streaming.assistants._handlers import AssistantEventHandlerT as AssistantEventHandlerT
from aiopenai.lib.streaming.assistants._handlers import AsyncAssistantEventHandler as AsyncAssistantEventHandler
from aiopenai.lib.streaming.assistants._handlers import AsyncAssistantEventHandlerT as AsyncAssistantEventHandlerT
from aiopenai.lib.streaming.assistants._managers import AssistantStreamManager as AssistantStreamManager
from aiopenai.lib.streaming.assistants._managers import AsyncAssistantStreamManager as AsyncAssistantStreamManager
from aiopenai.lib.streaming.assistants._managers import create_and_run_stream as create_and_run_stream
from aiopenai.lib.streaming.assistants._managers import create_and_stream as create_and_stream
from aiopenai.lib.streaming.assistants._managers import create_and_stream as stream
from aiopenai.lib.streaming.assistants._managers import submit_tool_outputs_stream as submit_tool_outputs_stream

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
