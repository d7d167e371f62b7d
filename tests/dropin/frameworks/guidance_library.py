"""guidance."""

from __future__ import annotations

from typing import Any

import guidance
from guidance import models

NEEDS = "guidance"


def _model(url: str) -> Any:
    return models.OpenAI("gpt-4o-mini", base_url=url, api_key="sk-test", echo=False)


def chat(url: str) -> Any:
    model = _model(url)
    with guidance.user():
        model += "hello to all"
    with guidance.assistant():
        model += guidance.gen("answer")
    return model["answer"]


def structured(url: str) -> Any:
    schema: Any = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    schema["additionalProperties"] = False
    model = _model(url)
    with guidance.user():
        model += "hello"
    with guidance.assistant():
        model += guidance.json("answer", schema=schema)
    return model["answer"]
