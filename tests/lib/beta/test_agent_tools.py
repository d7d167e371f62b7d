"""aiopenai.lib.beta.agents: functions and types as tools of agents, beside the reference where it is installed."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest

from aiopenai import OutputValidationError
from aiopenai.lib.beta.agents import FunctionTool, agent_text_format, function_tool, pydantic_function_tool

pydantic: Any = pytest.importorskip("pydantic")
BaseModel, Field = pydantic.BaseModel, pydantic.Field

PART = {"type": "input_text", "text": "t"}


def find(city: str, days: int = 3, *, unit: Literal["c", "f"] = "c", tags: list[str] | None = None) -> list[Any]:
    """Finds the weather.

    In one city.
    """
    return [city, days, unit, tags]


class Place(BaseModel):
    """A place."""

    name: str
    rank: int = 1


class Answer(BaseModel):
    texts: list[str]


class Spot(msgspec.Struct):
    """A spot."""

    name: str
    rank: int = 1


@dataclasses.dataclass
class Point:
    x: int


class Typed(TypedDict):
    x: int


def untitled(schema: Any) -> Any:
    """A schema without the titles, which pydantic adds."""
    if isinstance(schema, dict):
        return {key: untitled(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    return [untitled(each) for each in schema] if isinstance(schema, list) else schema


def test_a_function() -> None:
    tool = function_tool(find)
    assert isinstance(tool, FunctionTool)
    assert tool.name == "find"
    definition = tool.definition
    assert (definition["type"], definition["name"]) == ("function", "find")
    assert definition["description"] == "Finds the weather.\n\nIn one city."
    assert definition["parameters"]["required"] == ["city"]
    assert definition["parameters"]["additionalProperties"] is False
    assert "defer_loading" not in definition
    definition["name"] = "changed"
    assert tool.definition["name"] == "find"
    assert json.loads(tool({"city": "Rome"})) == ["Rome", 3, "c", None]
    # As models send them now and then.
    assert json.loads(tool({"city": "Rome", "days": "4", "unit": "f"})) == ["Rome", 4, "f", None]
    for wrong in ({}, {"city": 1}, {"city": "Rome", "days": "x"}, {"city": "Rome", "more": 1}):
        with pytest.raises(OutputValidationError):
            tool(wrong)


@pytest.mark.parametrize("options", [{}, {"name": "n", "description": "d", "defer_loading": True}])
def test_definitions_are_those_of_the_reference(options: Any) -> None:
    theirs = pytest.importorskip("openai.lib.beta.agents")
    due = theirs.function_tool(find, **options).definition
    assert untitled(function_tool(find, **options).definition) == untitled(due)
    ours = pydantic_function_tool(Place, handler=str, **options).definition
    assert ours == theirs.pydantic_function_tool(Place, handler=str, **options).definition
    assert agent_text_format(Answer) == theirs.agent_text_format(Answer)


def test_a_decorator() -> None:
    @function_tool(name="other", description="", defer_loading=False)
    def find(city: str) -> str:
        """Finds."""
        return city

    assert find.definition["description"] == ""
    assert find.definition["defer_loading"] is False
    assert find({"city": "Rome"}) == "Rome"


def test_a_method() -> None:
    class Finder:
        def find(self, city: str) -> str:
            return f"in {city}"

    tool = function_tool(Finder().find)
    assert tool({"city": "Rome"}) == "in Rome"
    assert tool.definition["description"] == ""


def test_parameters_of_pydantic() -> None:
    def find(place: Place, rank: Annotated[int, Field(ge=1, description="The rank.")] = 1) -> str:
        assert isinstance(place, Place)
        return f"{place.name} {rank}"

    tool = function_tool(find)
    assert tool.definition["parameters"]["properties"]["rank"]["description"] == "The rank."
    assert tool({"place": {"name": "Rome"}}) == "Rome 1"
    for wrong in ({"place": {"name": "Rome"}, "rank": 0}, {"place": {}}, {"place": {"name": "Rome"}, "more": 1}):
        with pytest.raises(pydantic.ValidationError):
            tool(wrong)


async def test_an_asynchronous_function() -> None:
    async def find(city: str) -> dict[str, Any]:
        return {"city": city}

    assert await function_tool(find)({"city": "Rome"}) == '{"city":"Rome"}'
    with pytest.raises(ValueError, match="city"):
        function_tool(find)({})


@pytest.mark.parametrize("kind", [Place, Spot, Point, Typed], ids=lambda kind: kind.__name__)
def test_types(kind: Any) -> None:
    given = {"name": "Rome", "rank": 2} if kind in (Place, Spot) else {"x": 1}
    tool: Any = pydantic_function_tool(kind, handler=lambda value: value)
    assert tool.name == kind.__name__
    assert tool.definition["description"] == {"Place": "A place.", "Spot": "A spot."}.get(kind.__name__, "")
    assert json.loads(tool(given)) == given
    bare = FunctionTool(kind, lambda value: value, name="bare", description="Bare.")
    found: Any = bare(given)
    assert isinstance(found, dict if kind is Typed else kind)
    with pytest.raises(ValueError, match=r"name|x"):
        tool({})
    assert agent_text_format(kind)["schema"]["required"] == list(given)


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (None, None),
        ("text", "text"),
        (5, "5"),
        (True, "true"),
        ([], "[]"),
        ([PART], [PART]),
        ([PART, {"type": "input_image", "image_url": "u"}], [PART, {"type": "input_image", "image_url": "u"}]),
        ((PART,), (PART,)),
        ([{**PART, "more": "x"}], '[{"type":"input_text","text":"t","more":"x"}]'),
        ([{"type": "input_image", "text": "t"}], '[{"type":"input_image","text":"t"}]'),
        ({"a": [1, (2,)], "é": None}, '{"a":[1,[2]],"\\u00e9":null}'),
        (Place(name="Rome"), '{"name":"Rome","rank":1}'),
        ([Place(name="Rome"), Spot("Rome"), Point(1)], '[{"name":"Rome","rank":1},{"name":"Rome","rank":1},{"x":1}]'),
        ({1}, "[1]"),
    ],
    ids=str,
)
def test_results(result: Any, output: Any) -> None:
    tool = pydantic_function_tool(Spot, handler=lambda _: result)
    assert tool({"name": "Rome"}) == output


@pytest.mark.parametrize("result", [float("nan"), b"bytes", [object], {"a": float("inf")}], ids=str)
def test_results_outside_of_json(result: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pydantic_function_tool(Spot, handler=lambda _: result)({"name": "Rome"})


def unannotated(city):  # type: ignore[no-untyped-def]
    return city


def positional(city: str, /) -> str:
    return city


def several(*cities: str) -> str:
    return str(cities)


def private(_city: str) -> str:
    return _city


def odd(city: object()) -> str:  # type: ignore[valid-type]
    return str(city)


@pytest.mark.parametrize("function", [unannotated, positional, several, private, odd], ids=lambda each: each.__name__)
def test_functions_that_are_no_tools(function: Any) -> None:
    with pytest.raises(TypeError):
        function_tool(function)


def test_names_and_schemas() -> None:
    with pytest.raises(ValueError, match="empty"):
        function_tool(find, name="")
    with pytest.raises(TypeError, match="object"):
        pydantic_function_tool(pydantic.RootModel[list[int]], handler=str)
    for kind in (int, dict, list[int], "x", Place | None):
        with pytest.raises(TypeError):
            agent_text_format(kind)  # type: ignore[arg-type]
