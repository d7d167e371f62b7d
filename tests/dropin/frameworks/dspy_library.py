"""dspy, which calls through litellm."""

from __future__ import annotations

from typing import Any

import dspy

NEEDS = "dspy"


def _model(url: str) -> Any:
    return dspy.LM("openai/gpt-4o-mini", api_base=url, api_key="sk-test", cache=False, engine="litellm")


def predict(url: str) -> Any:
    with dspy.context(lm=_model(url), adapter=dspy.JSONAdapter()):
        return dict(dspy.Predict("question -> answer")(question="hello"))


async def predict_async(url: str) -> Any:
    with dspy.context(lm=_model(url), adapter=dspy.JSONAdapter()):
        return dict(await dspy.Predict("question -> answer: int").acall(question="hello"))


def raw(url: str) -> Any:
    return _model(url)("hello")


def embeddings(url: str) -> Any:
    model = dspy.Embedder("openai/text-embedding-3-small", api_base=url, api_key="sk-test", caching=False)
    return [list(map(float, each)) for each in model(["hello"])]
