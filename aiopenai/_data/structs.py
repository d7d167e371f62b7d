"""The names that generated reply types are made of."""

from __future__ import annotations

from aiopenai._data.metaclass import ModelMeta
from aiopenai._data.model import Model, fill_in, let_go, recast
from aiopenai._data.open_objects import OpenObject
from aiopenai._data.output import MessageText, OutputParsed, OutputText
from aiopenai._data.unions import one_of

__all__ = [
    "BaseModel",
    "MessageText",
    "Model",
    "ModelMeta",
    "OpenObject",
    "OutputParsed",
    "OutputText",
    "fill_in",
    "let_go",
    "one_of",
    "recast",
]

# Its name in the reference.
BaseModel = Model
