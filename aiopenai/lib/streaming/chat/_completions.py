"""The streams of `chat.completions.stream` and their managers, for both clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.leaves import importing
from aiopenai.lib.streaming.chat._events import ChatCompletionStreamEvent, ResponseFormatT
from aiopenai.lib.streaming.chat._state import ChatCompletionStreamState
from aiopenai.lib.streaming.chat._types import ParsedChatCompletionSnapshot
from aiopenai.lib.streaming.wrappers import (
    AsyncEventIterator,
    AsyncStreamManager,
    EventIterator,
    StreamManager,
    managed_by,
)
from aiopenai.types.chat import ParsedChatCompletion

__all__ = [
    "AsyncChatCompletionStream",
    "AsyncChatCompletionStreamManager",
    "ChatCompletionStream",
    "ChatCompletionStreamManager",
    "stream_chat",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)


def _chat_handler(state: ChatCompletionStreamState[Any]) -> Callable[[Any], Sequence[Any]]:
    handle = state.handle_chunk

    def events(chunk: Any) -> Sequence[Any]:
        # Azure's asynchronous content filter sends objects that are no chunks. Chunks of some servers lack `object`,
        # or have another one: their choices or their usage tell them.
        if getattr(chunk, "object", None) == "chat.completion.chunk" or _is_chunk(chunk):
            return handle(chunk)
        return ()

    return events


def _is_chunk(received: Any) -> bool:
    return bool(getattr(received, "choices", None)) or getattr(received, "usage", None) is not None


class ChatCompletionStream(EventIterator[ChatCompletionStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]):
    """The events of a chat stream, and the completion that they add up to."""

    def __init__(self, *, raw_stream: Any, response_format: Any = omit, input_tools: Any = omit) -> None:
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _chat_handler(self._state))

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletionSnapshot:
        """The completion as far as it has come."""
        return self._state.current_completion_snapshot

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Reads the stream to its end, and returns the completion. Raises the errors of the state's `handle_chunk`."""
        self.until_done()
        return self._state.get_final_completion()


class AsyncChatCompletionStream(
    AsyncEventIterator[ChatCompletionStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]
):
    """The events of a chat stream, and the completion that they add up to."""

    def __init__(self, *, raw_stream: Any, response_format: Any = omit, input_tools: Any = omit) -> None:
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _chat_handler(self._state))

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletionSnapshot:
        """The completion as far as it has come."""
        return self._state.current_completion_snapshot

    async def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Reads the stream to its end, and returns the completion. Raises the errors of the state's `handle_chunk`."""
        await self.until_done()
        return self._state.get_final_completion()


class ChatCompletionStreamManager(StreamManager[ChatCompletionStream[ResponseFormatT]], Generic[ResponseFormatT]):
    """The context manager that `chat.completions.stream` of the blocking client returns."""

    def __init__(self, api_request: Callable[[], Any], *, response_format: Any = omit, input_tools: Any = omit) -> None:
        def wrap(raw: Any) -> ChatCompletionStream[ResponseFormatT]:
            return ChatCompletionStream(raw_stream=raw, response_format=response_format, input_tools=input_tools)

        super().__init__(api_request, wrap)


class AsyncChatCompletionStreamManager(
    AsyncStreamManager[AsyncChatCompletionStream[ResponseFormatT]], Generic[ResponseFormatT]
):
    """The context manager that `chat.completions.stream` of the async client returns."""

    def __init__(self, api_request: Awaitable[Any], *, response_format: Any = omit, input_tools: Any = omit) -> None:
        def wrap(raw: Any) -> AsyncChatCompletionStream[ResponseFormatT]:
            return AsyncChatCompletionStream(raw_stream=raw, response_format=response_format, input_tools=input_tools)

        super().__init__(api_request, wrap)


def stream_chat(
    resource: Any, /, **arguments: Any
) -> AsyncChatCompletionStreamManager[Any] | ChatCompletionStreamManager[Any]:
    """`chat.completions.stream`: the arguments of `create`. `response_format` may be a type to parse the content into.

    Raises TypeError for a response format that is neither a type nor a dict.
    """
    from aiopenai.lib.parsing import type_to_response_format_param

    response_format = arguments.get("response_format", omit)
    input_tools = arguments.get("tools", omit)
    if not is_left_out(input_tools) and input_tools is not None:
        # An iterator is needed twice: for the request, and to parse the calls.
        arguments["tools"] = input_tools = [*input_tools]
    if not is_left_out(response_format):
        arguments["response_format"] = type_to_response_format_param(response_format)
    headers = {"X-Stainless-Helper-Method": "chat.completions.stream"}
    managers = ChatCompletionStreamManager[Any], AsyncChatCompletionStreamManager[Any]
    parsing = {"response_format": response_format, "input_tools": input_tools}
    manager: AsyncChatCompletionStreamManager[Any] | ChatCompletionStreamManager[Any] = managed_by(
        resource, "create", arguments, headers, managers, **parsing
    )
    return manager
