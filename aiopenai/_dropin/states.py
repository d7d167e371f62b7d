"""The states of stream helpers that programs and tracers feed with the pydantic items of a stream."""

# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from typing import Any, Generic, TypeVar

from typing_extensions import override

from aiopenai._dropin.builders import as_twin
from aiopenai.lib.streaming.chat import ChatCompletionStreamState as NativeChatState
from aiopenai.lib.streaming.foreign import native
from aiopenai.lib.streaming.responses import ResponseStreamState as NativeResponseState

__all__ = ["ChatCompletionStreamState", "ResponseStreamState"]

T = TypeVar("T")


class ChatCompletionStreamState(NativeChatState[T], Generic[T]):
    __doc__ = NativeChatState.__doc__

    @override
    def handle_chunk(self, chunk: Any) -> Any:
        return super().handle_chunk(native(chunk))

    @property
    @override
    def current_completion_snapshot(self) -> Any:
        return as_twin(super().current_completion_snapshot)

    @override
    def get_final_completion(self) -> Any:
        return as_twin(super().get_final_completion())


class ResponseStreamState(NativeResponseState[T], Generic[T]):
    __doc__ = NativeResponseState.__doc__

    @override
    def handle_event(self, event: Any) -> Any:
        return super().handle_event(native(event))

    @property
    @override
    def _completed_response(self) -> Any:
        return as_twin(self.completed_response)

    @_completed_response.setter
    def _completed_response(self, response: Any) -> None:
        self.completed_response = native(response)
