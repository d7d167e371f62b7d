from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError
from aiopenai.testing.content import strict_schemas as module
from aiopenai.testing.content.strict_schemas import check_strict_schema
from aiopenai.testing.engine.replies import ApiError
from tests.testing.http import CHAT, Api

STRING = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    """An object as strict mode wants it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(levels: int, inner: Any = STRING) -> dict[str, Any]:
    """Objects inside objects, so many in all."""
    for _ in range(levels - 1):
        inner = closed(a=inner)
    return closed(a=inner)


def problem(schema: Any) -> str | None:
    """The message of the refusal, without the words that all have; None for a schema that passes."""
    try:
        check_strict_schema(schema, "function 'f'", param="p", code="c")
    except ApiError as error:
        refusal = error
    else:
        return None
    assert (refusal.status, refusal.type, refusal.param, refusal.code) == (400, "invalid_request_error", "p", "c")
    head, _, rest = refusal.message.partition(": ")
    assert head == "Invalid schema for function 'f'"
    return rest


TREE = {
    **closed(
        value={"type": ["integer", "null"], "minimum": 0, "multipleOf": 5},
        children={"type": "array", "items": {"$ref": "#"}, "minItems": 0, "maxItems": 4},
        leaf={"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}], "description": "perhaps"},
        older={"$ref": "#/definitions/older"},
    ),
    "$defs": {"leaf": closed(next={"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}]})},
    "definitions": {"older": {"type": "string", "enum": ["a", "b"]}},
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Tree",
}


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        {"type": "object", "properties": {}, "additionalProperties": False},
        closed(a=STRING, b={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5}),
        closed(a={"type": "string", "pattern": "^[a-z]+$"}, b={"type": "string", "const": "x"}),
        closed(a={"type": ["string", "null"], "enum": ["x", None]}, b={"type": "boolean"}, c={"type": "null"}),
        closed(a={"anyOf": [STRING, closed(b=STRING)]}),
        closed(properties=closed(type=STRING)),
        TREE,
        nested(10),
        nested(1, {"$ref": "#"}),
    ],
)
def test_accepted(schema: Any) -> None:
    assert problem(schema) is None


@pytest.mark.parametrize("name", ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])
def test_the_nine_formats(name: str) -> None:
    assert problem(closed(a={"type": "string", "format": name})) is None


REQUIRED = "'required' is required to be supplied and to be an array including every key in properties."


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ({}, "schema must have a 'type' key."),
        (True, "schema must have a 'type' key."),
        ({"const": "x"}, "schema must have a 'type' key."),
        ({"enum": ["x"]}, "schema must have a 'type' key."),
        (3, "3 is not of type 'object', 'boolean'."),
        ({"type": "text"}, "'text' is not valid under any of the given schemas."),
        ({"type": [None]}, "None is not valid under any of the given schemas."),
        ({"type": "string", "format": "uri"}, "'uri' is not a valid format."),
        ({"type": "string", "format": "decimal"}, "'decimal' is not a valid format."),
        ({"type": "string", "minLength": 1}, "'minLength' is not permitted."),
        ({"type": "string", "maxLength": 1}, "'maxLength' is not permitted."),
        ({"type": "string", "default": "x"}, "'default' is not permitted."),
        ({"type": "string", "contentEncoding": "base64"}, "'contentEncoding' is not permitted."),
        ({"type": "string", "pattern": "("}, "'(' is not a 'regex'."),
        ({"type": "string", "pattern": "(?!a)b"}, "'(?!a)b' has a lookaround, which is not supported in patterns."),
        ({"type": "string", "enum": []}, "[] is not a non-empty array of values."),
        ({"type": "array"}, "array schema missing items."),
        ({"type": ["array", "null"]}, "array schema missing items."),
        ({"type": "array", "items": STRING, "uniqueItems": True}, "'uniqueItems' is not permitted."),
        ({"type": "array", "prefixItems": [STRING]}, "'prefixItems' is not permitted."),
        ({"oneOf": [STRING]}, "'oneOf' is not permitted."),
        ({"allOf": [STRING]}, "'allOf' is not permitted."),
        ({"not": STRING}, "'not' is not permitted."),
        ({"type": "string", "if": STRING}, "'if' is not permitted."),
        ({"anyOf": []}, "[] is not a non-empty array of schemas."),
        ({**closed(), "discriminator": {}}, "'discriminator' is not permitted."),
        ({**closed(), "patternProperties": {}}, "'patternProperties' is not permitted."),
        ({"type": "object"}, "'additionalProperties' is required to be supplied and to be false."),
        (
            {"type": "object", "additionalProperties": STRING},
            "'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            {**closed(b=STRING), "additionalProperties": True},
            "'additionalProperties' is required to be supplied and to be false.",
        ),
        ({"type": "object", "additionalProperties": False}, "object schema missing properties."),
        ({**closed(b=STRING), "required": []}, f"{REQUIRED} Missing 'b'."),
        ({**closed(b=STRING), "required": "b"}, f"{REQUIRED} Missing 'b'."),
        ({**closed(b=STRING), "required": ["b", "c"]}, f"{REQUIRED} Extra required key 'c' supplied."),
        (
            {"$ref": "#/$defs/none"},
            "reference to component '#/$defs/none' which was not found at the top level of the schema.",
        ),
        (
            {"$ref": "#/properties/a"},
            "reference to component '#/properties/a' which was not found at the top level of the schema.",
        ),
        ({"$ref": 1}, "reference to component 1 which was not found at the top level of the schema."),
    ],
)
def test_refused(inner: Any, message: str) -> None:
    assert problem(closed(a=inner)) == f"In context=('properties', 'a'), {message}"
    variants = closed(a={"type": "array", "items": {"anyOf": [STRING, inner]}})
    assert problem(variants) == f"In context=('properties', 'a', 'items', 'anyOf', '1'), {message}"
    definition = {**closed(a=STRING), "$defs": {"d": inner}}
    assert problem(definition) == f"In context=('$defs', 'd'), {message}"


def test_nothing_stands_beside_a_reference() -> None:
    schema = {**closed(a={"$ref": "#/$defs/d", "description": "x"}), "$defs": {"d": STRING}}
    assert problem(schema) == "context=('properties', 'a'), $ref cannot have keywords {'description'}."


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (
            {"type": "array", "items": STRING},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
        ({"anyOf": [closed()]}, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
        ({"$ref": "#/$defs/a", "$defs": {"a": closed()}}, "got 'type: \"None\"'."),
        ({}, "got 'type: \"None\"'."),
        (None, "got 'type: \"None\"'."),
        ({**closed(a=STRING), "anyOf": [closed()]}, "'oneOf'/'anyOf'/'allOf'/'enum'/'const'/'not' at the top level."),
        ({**closed(a=STRING), "enum": [{}]}, "'oneOf'/'anyOf'/'allOf'/'enum'/'const'/'not' at the top level."),
    ],
)
def test_the_root_is_an_object(root: Any, message: str) -> None:
    assert str(problem(root)).endswith(message)


@pytest.mark.parametrize(
    ("schema", "levels"),
    [
        (nested(11), 11),
        (nested(9, {"type": "array", "items": {"type": "array", "items": STRING}}), 11),
        (nested(10, {"anyOf": [STRING, closed()]}), 11),
        ({**nested(8, {"$ref": "#/$defs/d"}), "$defs": {"d": nested(4)}}, 12),
        # The longest way to a definition decides, whichever comes first.
        (
            {**closed(a={"$ref": "#/$defs/d"}, b=nested(8, {"$ref": "#/$defs/d"})), "$defs": {"d": nested(4)}},
            13,
        ),
        (
            {**closed(b=nested(8, {"$ref": "#/$defs/d"}), a={"$ref": "#/$defs/d"}), "$defs": {"d": nested(4)}},
            13,
        ),
        (nested(900), 900),
    ],
    ids=["objects", "arrays", "variants", "reference", "short way first", "long way first", "900"],
)
def test_levels(schema: Any, levels: int) -> None:
    assert problem(schema) == f"{levels} levels of nesting exceeds limit of 10."


def test_recursion_adds_no_level() -> None:
    back = {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}
    schema = {**nested(4, {"$ref": "#/$defs/a"}), "$defs": {"a": nested(3, {"$ref": "#/$defs/b"}), "b": nested(3)}}
    assert problem(schema) is None
    schema["$defs"]["b"] = closed(a={"$ref": "#/$defs/a"}, b=back, c={"type": "array", "items": {"$ref": "#"}})
    assert problem(schema) is None


def enum(count: int, length: int = 1) -> dict[str, Any]:
    return {"type": "string", "enum": [f"{number:0{length}}" for number in range(count)]}


def test_sizes() -> None:
    def many(count: int) -> dict[str, Any]:
        return closed(**{f"p{number}": STRING for number in range(count)})

    assert problem(many(5_000)) is None
    assert problem(many(5_001)) == "5001 parameters exceeds limit of 5000."
    assert problem(closed(a=many(2_500), b=many(2_499))) == "5001 parameters exceeds limit of 5000."
    assert problem(closed(a=enum(600), b=enum(400))) is None
    assert problem(closed(a=enum(600), b=enum(401))) == "1001 enum values exceeds limit of 1000."
    assert problem(closed(a=enum(250, 400))) is None
    assert problem(closed(a=enum(251, 59))) is None
    assert problem(closed(a=enum(251, 60))) == (
        "In context=('properties', 'a'), enum string length of 15060 exceeds limit of 15000 "
        "for an enum of more than 250 values."
    )
    assert problem(closed(a={"type": "integer", "enum": list(range(251))})) is None


@pytest.mark.parametrize(
    "schema",
    [
        closed(**{"p" * 120_000: STRING}),
        {**closed(), "$defs": {"d" * 120_000: STRING}},
        closed(a={"type": "string", "const": "c" * 119_999}),
        closed(a=enum(250, 479), b={"type": "string", "const": "c" * 248}),
    ],
    ids=["name", "definition", "const", "enum"],
)
def test_strings_are_counted_together(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem(schema) is None
    monkeypatch.setattr(module, "MAX_STRINGS", 119_999)
    assert problem(schema) == "120000 characters in names, enums and constants exceeds limit of 119999."


# ---- the endpoints

WRONG: Any = closed(url={"type": "string", "format": "uri"})
MESSAGE = "In context=('properties', 'url'), 'uri' is not a valid format."


def chat_format(schema: Any, *, strict: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "site", "schema": schema, "strict": strict}}


async def test_chat_formats(api: Api) -> None:
    path = "/chat/completions"
    for stream in (False, True):
        body = {**CHAT, "response_format": chat_format(WRONG, strict=True), "stream": stream}
        assert await api.fails(400, "POST", path, body) == {
            "message": f"Invalid schema for response_format 'site': {MESSAGE}",
            "type": "invalid_request_error",
            "param": "response_format",
            "code": None,
        }
    for strict in (False, None):
        await api.ok("POST", path, {**CHAT, "response_format": chat_format(WRONG, strict=strict)})
    await api.ok("POST", path, {**CHAT, "response_format": chat_format(closed(a=STRING), strict=True)})
    error = await api.fails(400, "POST", path, {**CHAT, "response_format": chat_format("x", strict=False)})
    assert error["param"] == "response_format.json_schema.schema"
    error = await api.fails(400, "POST", path, {**CHAT, "response_format": chat_format(None, strict=True)})
    assert error["message"].endswith("got 'type: \"None\"'.")


async def test_response_formats(api: Api) -> None:
    wanted = {"type": "json_schema", "name": "site", "schema": WRONG, "strict": True}
    body: dict[str, Any] = {"model": "gpt-4o", "input": "x", "text": {"format": wanted}}
    assert await api.fails(400, "POST", "/responses", body) == {
        "message": f"Invalid schema for response_format 'site': {MESSAGE}",
        "type": "invalid_request_error",
        "param": "text.format.schema",
        "code": "invalid_json_schema",
    }
    wanted["strict"] = False
    await api.ok("POST", "/responses", body)


@pytest.mark.parametrize("choice", ["auto", "none"])
async def test_tools_of_chat(api: Api, choice: str) -> None:
    good = {"type": "function", "function": {"name": "good", "parameters": closed(a=STRING), "strict": True}}
    bare = {"type": "function", "function": {"name": "bare", "strict": True}}
    wrong: Any = {"type": "function", "function": {"name": "site", "parameters": WRONG, "strict": True}}
    body = {**CHAT, "tools": [good, bare, wrong], "tool_choice": choice}
    assert await api.fails(400, "POST", "/chat/completions", body) == {
        "message": f"Invalid schema for function 'site': {MESSAGE}",
        "type": "invalid_request_error",
        "param": "tools[2].function.parameters",
        "code": "invalid_function_parameters",
    }
    wrong["function"]["strict"] = None
    await api.ok("POST", "/chat/completions", body)
    wrong["function"]["parameters"] = []
    error = await api.fails(400, "POST", "/chat/completions", body)
    assert (error["param"], error["code"]) == ("tools[2].function.parameters", "invalid_type")


async def test_tools_of_responses(api: Api) -> None:
    wrong: Any = {"type": "function", "name": "site", "parameters": WRONG, "strict": True}
    body = {"model": "gpt-4o", "input": "x", "tools": [{"type": "web_search"}, wrong]}
    error = await api.fails(400, "POST", "/responses", body)
    assert (error["param"], error["code"]) == ("tools[1].parameters", "invalid_function_parameters")
    body["tools"] = [{"type": "namespace", "name": "n", "tools": [wrong]}]
    assert (await api.fails(400, "POST", "/responses", body))["param"] == "tools[0].tools[0].parameters"
    wrong["strict"] = False
    await api.ok("POST", "/responses", body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_assistants_and_runs(client: AsyncOpenAI) -> None:
    wrong: Any = {"type": "function", "function": {"name": "site", "parameters": WRONG, "strict": True}}
    hosted: Any = {"type": "code_interpreter"}
    assistants = client.beta.assistants
    with pytest.raises(BadRequestError, match="'uri' is not a valid format") as caught:
        await assistants.create(model="gpt-4o", tools=[hosted, wrong])
    assert caught.value.param == "tools[1].function.parameters"
    wanted: Any = chat_format(WRONG, strict=True)
    with pytest.raises(BadRequestError, match="'uri' is not a valid format"):
        await assistants.create(model="gpt-4o", response_format=wanted)
    assistant = await assistants.create(model="gpt-4o", response_format="auto", tools=[hosted])
    thread = await client.beta.threads.create()
    run: Any
    for run in ({"tools": [wrong]}, {"response_format": wanted}):
        with pytest.raises(BadRequestError, match="'uri' is not a valid format"):
            await client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, **run)
