"""The endpoint `/moderations`: a text is flagged when it contains one of a few words."""

from __future__ import annotations

from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import ARRAY, STRING, check, check_model, wrong_type
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, is_array, is_object

__all__ = ["create"]

_PARAMS = {"input": STRING | ARRAY, "model": STRING}

# Category -> (the words that flag a text, whether the category applies to images).
_CATEGORIES: dict[str, tuple[tuple[str, ...], bool]] = {
    "harassment": (("harass", "idiot"), False),
    "harassment/threatening": (("i will hurt you",), False),
    "hate": (("hate",), False),
    "hate/threatening": (("hate and kill",), False),
    "illicit": (("steal", "drugs"), False),
    "illicit/violent": (("build a bomb",), False),
    "self-harm": (("self-harm", "suicide"), True),
    "self-harm/instructions": (("how to self-harm",), True),
    "self-harm/intent": (("i want to die",), True),
    "sexual": (("porn",), True),
    "sexual/minors": (("child porn",), False),
    "violence": (("kill", "violence"), True),
    "violence/graphic": (("gore",), True),
}


def create(call: Call) -> WholeReply:
    """POST /moderations: a result for each string; the parts of a multi-modal input make one result together."""
    body = call.body()
    check(body, _PARAMS, ("input",))
    model: str = body.get("model") or "omni-moderation-latest"
    check_model(model, call.state)
    given = body["input"]
    if type(given) is str:
        results = [_result(given, ("text",))]
        tokens = count_tokens(given)
    elif is_array(given) and given and all(type(item) is str for item in given):
        results = [_result(item, ("text",)) for item in given]
        tokens = sum(map(count_tokens, given))
    elif is_array(given) and given and all(is_object(item) for item in given):
        text = "\n".join(_part_text(number, part) for number, part in enumerate(given))
        kinds = tuple(dict.fromkeys("image" if part["type"] == "image_url" else "text" for part in given))
        results = [_result(text, kinds)]
        tokens = count_tokens(text)
    else:
        raise wrong_type("input", "one of a string, an array of strings or an array of objects", given)
    return WholeReply.json({"id": call.state.new_id("modr-"), "model": model, "results": results}, tokens=tokens)


def _part_text(number: int, part: Object) -> str:
    kind = part.get("type")
    if kind == "text" and type(part.get("text")) is str:
        return str(part["text"])
    if kind == "image_url" and is_object(part.get("image_url")):
        return ""
    message = f"Invalid 'input[{number}]': expected a part of type 'text' or 'image_url'."
    raise ApiError(400, message, param=f"input[{number}]", code="invalid_value")


def _result(text: str, kinds: tuple[str, ...]) -> Object:
    lowered = text.lower()
    flags = {name: any(word in lowered for word in words) for name, (words, _) in _CATEGORIES.items()}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": {name: 0.98 if flag else 0.0001 for name, flag in flags.items()},
        "category_applied_input_types": {
            name: [kind for kind in kinds if kind == "text" or images] for name, (_, images) in _CATEGORIES.items()
        },
    }
