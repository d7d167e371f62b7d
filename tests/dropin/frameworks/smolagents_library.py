"""smolagents."""

from __future__ import annotations

from typing import Any

from smolagents import ChatMessage, MessageRole, OpenAIModel, ToolCallingAgent, tool

NEEDS = "smolagents"
_HELLO = [ChatMessage(role=MessageRole.USER, content=[{"type": "text", "text": "hello to all"}])]


@tool
def _weather(city: str) -> str:
    """Returns the weather.

    Args:
        city: The city.
    """
    return f"rain in {city}"


def _model(url: str) -> Any:
    return OpenAIModel("gpt-4o-mini", api_base=url, api_key="sk-test")


def chat(url: str) -> Any:
    found = _model(url).generate(_HELLO)
    return [found.role, found.content, found.raw, found.token_usage]


def stream(url: str) -> Any:
    return [[each.content, each.token_usage, each.tool_calls] for each in _model(url).generate_stream(_HELLO)]


def tools(url: str) -> Any:
    found = _model(url).generate(_HELLO, tools_to_call_from=[_weather])
    return [found.role, found.content, found.tool_calls, found.raw]


def structured(url: str) -> Any:
    schema: Any = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    schema["additionalProperties"] = False
    shape = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    return _model(url).generate(_HELLO, response_format=shape).content


def agent(url: str) -> Any:
    return str(ToolCallingAgent(tools=[_weather], model=_model(url), max_steps=2, verbosity_level=0).run("weather"))
