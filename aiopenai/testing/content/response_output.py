"""The output items of a response: reasoning, tool calls, messages."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple

from aiopenai.testing.content.answers import OutputFormat, formatted_answer
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.content.sandboxes import run_code, wanted_interpreter
from aiopenai.testing.content.text import count_tokens, cut, token_logprobs
from aiopenai.testing.content.tools import ToolUse, choose_tools, named_tools
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.values import Object, section, strings, text_of

__all__ = ["ResponseOutput", "response_output"]

_REASONING_TOKENS = 16


class ResponseOutput(NamedTuple):
    """The output items of a response, and the tokens that they count.

    tokens: all output tokens, those of reasoning included.
    complete: whether the answer fits in `max_output_tokens`.
    """

    items: list[Object]
    tokens: int
    reasoning_tokens: int
    complete: bool


def response_output(call: Call, body: Object, items: list[Object], wanted: OutputFormat) -> ResponseOutput:
    """Returns the output for the input `items`, in the format that `body` names."""
    question = next((item["content"] for item in reversed(items) if item.get("role") == "user"), "")
    prompt = text_of(question)
    output: list[Object] = []
    made = reasoning = 0
    asked = section(body, "reasoning")
    include = strings(body.get("include"))
    if asked.get("effort") not in (None, "none") or asked.get("summary") is not None:
        output.append(_reasoning_item(call, asked, include))
        made = reasoning = _REASONING_TOKENS
    tools = named_tools(body.get("tools"), nested=False, hosted=True)
    annotations: list[Object] = []
    if (interpreter := wanted_interpreter(body, prompt)) is not None:
        run = run_code(call, interpreter, prompt, with_outputs="code_interpreter_call.outputs" in include)
        output.append(run.item)
        annotations.append(run.citation)
        made += count_tokens(run.item["code"])
        uses: list[ToolUse] = []
    else:
        uses = choose_tools(
            tools,
            body.get("tool_choice"),
            text=prompt,
            after_result=bool(items) and items[-1]["type"] in ("function_call_output", "custom_tool_call_output"),
            parallel=body.get("parallel_tool_calls") is not False,
        )
    if uses:
        output += [_tool_call_item(call, use) for use in uses]
        made += sum(count_tokens(use.name) + count_tokens(use.payload) for use in uses)
        return ResponseOutput(output, made, reasoning, complete=True)
    text = formatted_answer(call, wanted, prompt, seen(question, "input"))
    tokens, reason = cut(text, None, body.get("max_output_tokens"))
    with_logprobs = "message.output_text.logprobs" in include or bool(body.get("top_logprobs"))
    logprobs = token_logprobs(tokens, body.get("top_logprobs") or 0) if with_logprobs else []
    part = {"type": "output_text", "text": "".join(tokens), "annotations": annotations, "logprobs": logprobs}
    message: Object = {
        "id": call.state.new_id("msg_"),
        "type": "message",
        "status": "completed" if reason == "stop" else "incomplete",
        "role": "assistant",
        "content": [part],
    }
    return ResponseOutput([*output, message], made + len(tokens), reasoning, complete=reason == "stop")


def _tool_call_item(call: Call, use: ToolUse) -> Object:
    head: Object = {"id": call.state.new_id("ctc_" if use.custom else "fc_"), "call_id": call.state.new_id("call_")}
    if use.custom:
        return {**head, "type": "custom_tool_call", "name": use.name, "input": use.payload}
    rest = {"type": "function_call", "status": "completed", "name": use.name, "arguments": use.payload}
    return {**head, **rest}


def _reasoning_item(call: Call, asked: Object, include: list[str]) -> Object:
    summary: list[Object] = []
    if asked.get("summary") is not None:
        summary.append(
            {"type": "summary_text", "text": "**Reading the question**\n\nThe user asked; an answer is due."}
        )
    item: Object = {"id": call.state.new_id("rs_"), "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in include:
        item["encrypted_content"] = b64encode(item["id"].encode()).decode()
    return item
