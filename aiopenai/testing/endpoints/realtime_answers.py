"""The output of a realtime answer: calls of tools, or a message of text or speech."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.text import cut
from aiopenai.testing.content.tools import choose_tools, named_tools
from aiopenai.testing.engine.values import Object, is_array, is_object, text_of
from aiopenai.testing.memory.state import State
from aiopenai.testing.memory.talk import Talk

__all__ = ["answer_items", "words_of"]


def answer_items(state: State, talk: Talk, settings: Object, items: list[Object]) -> tuple[list[Object], bool]:
    """Returns the output items of an answer, and whether it fits in `max_output_tokens`."""
    prompt = next((words_of(item) for item in reversed(items) if item.get("role") == "user"), "")
    if not prompt and items and (length := talk.audio_ms.get(items[-1].get("id", ""))):
        prompt = f"{length / 1000:.1f} seconds of speech"
    uses = choose_tools(
        named_tools(settings.get("tools"), nested=False, hosted=True),
        settings.get("tool_choice"),
        text=prompt,
        after_result=bool(items) and items[-1].get("type") == "function_call_output",
        parallel=True,
    )
    base: Object = {"object": "realtime.item", "status": "completed"}
    if uses:
        calls = [{"id": state.new_id("item_"), "type": "function_call", **base} for _ in uses]
        named = zip(calls, uses, strict=True)
        new_id = state.new_id
        return [
            {**each, "call_id": new_id("call_"), "name": use.name, "arguments": use.payload} for each, use in named
        ], True
    limit = settings["max_output_tokens"]
    tokens, reason = cut(state.reply_text(prompt), None, limit if type(limit) is int else None)
    text = "".join(tokens)
    spoken = "audio" in settings["output_modalities"]
    part: Object = {"type": "output_audio", "transcript": text} if spoken else {"type": "output_text", "text": text}
    item: Object = {
        "id": state.new_id("item_"),
        "type": "message",
        "role": "assistant",
        **base,
        "content": [part],
    }
    return [item], reason != "length"


def words_of(item: Object) -> str:
    """Returns the text of an item: of its texts, and of the transcripts of its audio."""
    content: Any = item.get("content")
    if not is_array(content):
        return ""
    spoken = [part["transcript"] for part in content if is_object(part) and part.get("transcript")]
    return "\n".join(filter(None, [text_of(content), *spoken]))
