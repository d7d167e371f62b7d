"""The events of a streamed response, made from its final form."""

from __future__ import annotations

from collections.abc import Iterator

from aiopenai.testing.content.text import tokenize
from aiopenai.testing.engine.values import Object

__all__ = ["response_events", "unfinished_response"]


def unfinished_response(response: Object, status: str) -> Object:
    """Returns the response as it was before it had output."""
    return {
        **response,
        "status": status,
        "completed_at": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def response_events(response: Object) -> Iterator[Object]:
    """Yields all events of a response with their sequence numbers, which start at 0."""
    for number, event in enumerate(_unnumbered_events(response)):
        event["sequence_number"] = number
        yield event


def _unnumbered_events(response: Object) -> Iterator[Object]:
    if response["status"] == "cancelled":
        yield {"type": "response.created", "response": unfinished_response(response, "queued")}
        return
    yield {"type": "response.created", "response": unfinished_response(response, "in_progress")}
    if response["background"]:
        yield {"type": "response.queued", "response": unfinished_response(response, "queued")}
    yield {"type": "response.in_progress", "response": unfinished_response(response, "in_progress")}
    for index, item in enumerate(response["output"]):
        at: Object = {"item_id": item["id"], "output_index": index}
        kind: str = item["type"]
        if kind == "message":
            yield from _message_events(item, at)
        elif kind == "reasoning":
            yield from _reasoning_events(item, at)
        elif kind == "code_interpreter_call":
            yield from _code_events(item, at)
        elif kind == "function_call":
            yield from _call_events(item, at, "arguments", "response.function_call_arguments")
        else:
            yield from _call_events(item, at, "input", "response.custom_tool_call_input")
    yield {"type": f"response.{response['status']}", "response": response}


def _output_item_event(name: str, item: Object, at: Object) -> Object:
    return {"type": f"response.output_item.{name}", "output_index": at["output_index"], "item": item}


def _message_events(item: Object, at: Object) -> Iterator[Object]:
    yield _output_item_event("added", {**item, "status": "in_progress", "content": []}, at)
    for index, part in enumerate(item["content"]):
        here = {**at, "content_index": index}
        logprobs = [_event_logprob(each) for each in part["logprobs"]]
        empty: Object = {**part, "text": "", "annotations": [], "logprobs": []}
        yield {"type": "response.content_part.added", **here, "part": empty}
        for number, token in enumerate(tokenize(part["text"])):
            yield {
                "type": "response.output_text.delta",
                **here,
                "delta": token,
                "logprobs": logprobs[number : number + 1],
            }
        for number, annotation in enumerate(part["annotations"]):
            added = {"annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **here, **added}
        yield {"type": "response.output_text.done", **here, "text": part["text"], "logprobs": logprobs}
        yield {"type": "response.content_part.done", **here, "part": part}
    yield _output_item_event("done", item, at)


def _event_logprob(logprob: Object) -> Object:
    """Returns the log probability of a token as events have it: without the bytes of the tokens."""
    top = [{"token": each["token"], "logprob": each["logprob"]} for each in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": top}


def _reasoning_events(item: Object, at: Object) -> Iterator[Object]:
    yield _output_item_event("added", {**item, "summary": []}, at)
    for index, part in enumerate(item["summary"]):
        here = {**at, "summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **here, "part": {**part, "text": ""}}
        for token in tokenize(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **here, "delta": token}
        yield {"type": "response.reasoning_summary_text.done", **here, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **here, "part": part}
    yield _output_item_event("done", item, at)


def _code_events(item: Object, at: Object) -> Iterator[Object]:
    yield _output_item_event("added", {**item, "status": "in_progress", "code": "", "outputs": None}, at)
    yield {"type": "response.code_interpreter_call.in_progress", **at}
    for token in tokenize(item["code"]):
        yield {"type": "response.code_interpreter_call_code.delta", **at, "delta": token}
    yield {"type": "response.code_interpreter_call_code.done", **at, "code": item["code"]}
    yield {"type": "response.code_interpreter_call.interpreting", **at}
    yield {"type": "response.code_interpreter_call.completed", **at}
    yield _output_item_event("done", item, at)


def _call_events(item: Object, at: Object, field: str, name: str) -> Iterator[Object]:
    start = {**item, field: ""}
    if "status" in item:
        start["status"] = "in_progress"
    yield _output_item_event("added", start, at)
    for token in tokenize(item[field]):
        yield {"type": f"{name}.delta", **at, "delta": token}
    yield {"type": f"{name}.done", **at, field: item[field]}
    yield _output_item_event("done", item, at)
