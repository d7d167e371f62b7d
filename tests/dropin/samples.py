"""The types and tools of the scenarios for frameworks and tracers."""

from __future__ import annotations

from typing import Any

import pydantic

PARAMETERS: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather", "parameters": PARAMETERS},
}


class City(pydantic.BaseModel):
    name: str
    people: int


def weather(city: str) -> str:
    """Returns the weather in a city.

    Args:
        city: The city.
    """
    return f"rain in {city}"
