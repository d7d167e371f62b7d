from __future__ import annotations

import copy
import dataclasses
import functools
import json
from typing import Annotated, Any, Literal

import msgspec
import pytest

import aiopenai
from aiopenai._data.codec import encode
from aiopenai.errors import OutputValidationError
from aiopenai.lib.schema import to_strict_json_schema
from aiopenai.lib.tools import (
    FunctionTool,
    PydanticFunctionTool,
    ResponsesFunctionTool,
    ResponsesPydanticFunctionTool,
    arguments_text,
    function_tool,
    pydantic_function_tool,
    pydantic_responses_function_tool,
    responses_function_tool,
)


class Place(msgspec.Struct):
    """Somewhere on earth."""

    city: str
    country: str | None = None


@dataclasses.dataclass
class Bare:
    a: int


def weather(
    place: Place,
    day: Annotated[Literal["today", "tomorrow"], msgspec.Meta(description="when")] = "today",
    *,
    hours: list[int] = [],  # noqa: B006 - tools keep such defaults too
) -> str:
    """What the weather will be.

    As far as anybody knows.
    """
    return f"{place.city} {day} {hours}"


ARGUMENTS = '{"place": {"city": "Rome", "country": null}, "day": "tomorrow", "hours": [1]}'

PROPERTIES = {
    "place": {"$ref": "#/$defs/Place"},
    "day": {"enum": ["today", "tomorrow"], "description": "when", "type": "string"},
    "hours": {"type": "array", "items": {"type": "integer"}},
}


def test_a_function_in_full() -> None:
    tool = function_tool(weather)
    assert tool == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "What the weather will be.\n\nAs far as anybody knows.",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": PROPERTIES,
                "required": ["place", "day", "hours"],
                "additionalProperties": False,
                "$defs": {"Place": to_strict_json_schema(Place)},
            },
        },
    }
    assert isinstance(tool, FunctionTool)
    assert isinstance(tool["function"], PydanticFunctionTool)
    assert json.loads(encode({"tools": [tool]})) == {"tools": [tool]}
    assert json.loads(json.dumps(tool)) == tool


def test_a_function_for_the_responses_api() -> None:
    tool = responses_function_tool(weather, defer_loading=True)
    assert isinstance(tool, ResponsesFunctionTool)
    assert isinstance(tool, ResponsesPydanticFunctionTool)
    assert tool == {"type": "function", **function_tool(weather)["function"], "defer_loading": True}
    assert "defer_loading" not in responses_function_tool(weather)
    assert tool(ARGUMENTS) == "Rome tomorrow [1]"
    assert copy.deepcopy(tool)(ARGUMENTS) == "Rome tomorrow [1]"


def test_calls() -> None:
    tool = function_tool(weather)
    parsed = tool["function"].parse_arguments(ARGUMENTS)
    assert parsed.place == Place("Rome")
    for arguments in (ARGUMENTS, ARGUMENTS.encode(), json.loads(ARGUMENTS), parsed):
        assert tool(arguments) == "Rome tomorrow [1]"
    # What the model leaves out nevertheless has its default.
    assert tool({"place": {"city": "Oslo"}}) == "Oslo today []"
    with pytest.raises(TypeError, match="arguments are JSON, a dict or weather, not int"):
        tool(1)
    for wrong in ("{}", '{"place": 1}', "x", '{"place": {"city": "Oslo"}, "day": "never"}', {"place": 1}, {}, b"\xff"):
        with pytest.raises(OutputValidationError, match="not a weather"):
            tool(wrong)


def test_a_default_is_the_very_object() -> None:
    place = Place("Rome")

    def where(at: Place = place) -> Place:
        return at

    assert function_tool(where)({}) is place


async def test_asynchronous_functions() -> None:
    async def double(x: int) -> int:
        return 2 * x

    assert await function_tool(double)('{"x": 2}') == 4


def test_functions_without_parameters() -> None:
    def now() -> str:
        return "now"

    tool = function_tool(now)
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
    assert "description" not in tool["function"]
    for arguments in ("", "{}", b"", {}):
        assert tool(arguments) == "now"


def test_without_strictness() -> None:
    tool = function_tool(weather, strict=False, name="forecast", description="Foresee.")
    function = tool["function"]
    assert (function["name"], function["description"], function["strict"]) == ("forecast", "Foresee.", False)
    assert function["parameters"]["required"] == ["place"]
    assert function["parameters"]["properties"]["day"]["default"] == "today"
    assert "additionalProperties" not in function["parameters"]
    assert function["parameters"]["$defs"]["Place"]["required"] == ["city"]
    assert tool('{"place": {"city": "Oslo"}}') == "Oslo today []"


def test_other_callables() -> None:
    class Scale:
        def __init__(self, by: int) -> None:
            self.by = by

        def method(self, x: int, /, y: int) -> int:
            """Scale a sum."""
            return (x + y) * self.by

        def __call__(self, x: int) -> int:
            return x * self.by

    tool = function_tool(Scale(3).method)
    assert tool["function"]["parameters"]["required"] == ["x", "y"]
    assert tool["function"]["description"] == "Scale a sum."
    assert tool('{"x": 1, "y": 2}') == 9
    with pytest.raises(TypeError, match="an object of type Scale needs `name`"):
        function_tool(Scale(2))
    scaled = function_tool(Scale(2), name="twice-it")
    assert scaled["function"]["name"] == "twice-it"
    assert "description" not in scaled["function"]
    assert scaled({"x": 4}) == 8
    bound = functools.partial(Scale(3).method, 1)
    assert function_tool(bound, name="bound")({"y": 2}) == 9


def anything(*args: int) -> None: ...
def named(**more: int) -> None: ...
def untyped(x) -> None: ...  # type: ignore[no-untyped-def]
def foreign(x: object) -> None: ...
def unknown(x: Nobody) -> None: ...  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (anything, r"anything takes \*args: "),
        (named, r"named takes \*\*more"),
        (untyped, "'x' of untyped has no annotation"),
        (foreign, "foreign has no JSON schema: .*object"),
        (unknown, "signature of unknown cannot be told: .*Nobody"),
        (lambda: None, "needs `name`"),
        (3, "needs `name`"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_no_tool(function: Any, text: str, strict: bool) -> None:
    with pytest.raises(TypeError, match=text):
        function_tool(function, strict=strict)


def test_types_as_tools() -> None:
    tool: Any = pydantic_function_tool(Place)
    assert tool == {
        "type": "function",
        "function": {
            "name": "Place",
            "strict": True,
            "parameters": to_strict_json_schema(Place),
            "description": "Somewhere on earth.",
        },
    }
    assert tool["function"].model is Place
    assert tool["function"].cast() is tool["function"]
    named: Any = pydantic_responses_function_tool(Place, name="go", description="Go.", defer_loading=False)
    assert named == {
        "type": "function",
        "name": "go",
        "strict": True,
        "parameters": to_strict_json_schema(Place),
        "description": "Go.",
        "defer_loading": False,
    }
    assert named.parse_arguments('{"city": "Rome"}') == Place("Rome")
    # The text that `dataclass` writes by itself describes nothing.
    bare: Any = pydantic_function_tool(Bare)
    assert "description" not in bare["function"]
    # Each has a schema of its own, to be changed at will.
    assert bare["function"]["parameters"] is not pydantic_function_tool(Bare)["function"]["parameters"]  # type: ignore[typeddict-item]
    with pytest.raises(TypeError, match="not int"):
        pydantic_function_tool(int)


def test_models_as_tools_equal_the_references() -> None:
    openai: Any = pytest.importorskip("openai")
    from tests.lib import pydantic_types as types

    for kind in (types.Inner, types.Table, types.Solution, types.Open):
        for given in ({}, {"name": "n"}, {"description": "d"}, {"description": ""}):
            assert pydantic_function_tool(kind, **given) == openai.pydantic_function_tool(kind, **given)
            for more in (given, {**given, "defer_loading": True}):
                expected = openai.pydantic_responses_function_tool(kind, **more)
                assert pydantic_responses_function_tool(kind, **more) == expected


def test_arguments_as_text() -> None:
    assert [arguments_text(given) for given in ("", " ", "{}", '{"a": 1}', "x")] == ["{}", "{}", "{}", '{"a": 1}', "x"]
    assert arguments_text({"a": [1]}) == '{"a":[1]}'
    for given, text in ((None, "null"), ([], "of type list"), (1, "of type int")):
        with pytest.raises(OutputValidationError, match=text):
            arguments_text(given)


def test_public_names() -> None:
    assert aiopenai.function_tool is function_tool
    assert aiopenai.responses_function_tool is responses_function_tool
    assert aiopenai.pydantic_function_tool is pydantic_function_tool
    assert aiopenai.pydantic_responses_function_tool is pydantic_responses_function_tool
    assert aiopenai.FunctionTool is FunctionTool
    assert aiopenai.ResponsesFunctionTool is ResponsesFunctionTool
    assert aiopenai.OutputValidationError is OutputValidationError
