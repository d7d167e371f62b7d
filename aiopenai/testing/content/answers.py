"""The text of an answer, in the output format of the request."""

from __future__ import annotations

from typing import NamedTuple

from aiopenai.testing.content.examples import example
from aiopenai.testing.content.strict_schemas import check_strict_schema
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import missing, wrong_type
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import encode, is_object

__all__ = ["PLAIN_TEXT", "OutputFormat", "format_of", "formatted_answer"]

_FORMAT_TYPES = "'json_object', 'json_schema', and 'text'"


class OutputFormat(NamedTuple):
    """The output format of a request: its type, and the schema of a `json_schema`."""

    type: str
    schema: object = None


PLAIN_TEXT = OutputFormat("text")


def format_of(given: object, where: str, *, nested: bool) -> OutputFormat:
    """Reads the output format of a request. Raises `ApiError` 400 for an invalid one.

    where: the parameter that holds it.
    nested: whether name and schema stand below the key `json_schema` (chat) or beside `type` (responses).
    """
    if given is None:
        return PLAIN_TEXT
    if not is_object(given):
        raise wrong_type(where, "an object", given)
    kind = given.get("type")
    if kind not in ("json_object", "json_schema", "text"):
        message = f"Invalid value: '{kind}'. Supported values are: {_FORMAT_TYPES}."
        raise ApiError(400, message, param=f"{where}.type", code="invalid_value")
    if kind != "json_schema":
        return OutputFormat(kind)
    definition = given.get("json_schema") if nested else given
    if nested:
        where += ".json_schema"
    if not is_object(definition):
        raise missing(where)
    name, schema = definition.get("name"), definition.get("schema")
    if type(name) is not str:
        raise missing(f"{where}.name")
    if schema is None and not nested:
        raise missing(f"{where}.schema")
    if schema is not None and not is_object(schema):
        raise wrong_type(f"{where}.schema", "an object", schema)
    if definition.get("strict") is True:
        # The two endpoints report the same error with different fields.
        param, code = ("response_format", None) if nested else (f"{where}.schema", "invalid_json_schema")
        check_strict_schema(schema, f"response_format '{name}'", param=param, code=code)
    return OutputFormat(kind, schema)


def formatted_answer(call: Call, wanted: OutputFormat, prompt: str, images: str) -> str:
    """Returns the answer to `prompt` in a format.

    An answer of the test that looks like JSON is returned unchanged. Otherwise a `json_object` wraps the text, and a
    `json_schema` gets an example that fits the schema.
    """
    if wanted.type == "text":
        return call.state.reply_text(prompt, images)
    if wanted.type == "json_object":
        text = call.state.reply_text(prompt)
        return text if text.lstrip().startswith("{") else encode({"answer": text}).decode()
    if call.state.answer is not None:
        text = call.state.reply_text(prompt)
        if text.lstrip().startswith(("{", "[")):
            return text
    return encode(example(wanted.schema)).decode()
