from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from aiopenai.testing.content.catalogue import MODELS
from aiopenai.types.audio import AudioModel, SpeechModel
from aiopenai.types.embeddings import EmbeddingModel
from aiopenai.types.images import ImageModel
from aiopenai.types.moderations import ModerationModel
from aiopenai.types.shared import AllModels, ChatModel, ResponsesModel
from aiopenai.types.videos import VideoModel


def names(kind: Any) -> Iterator[str]:
    """The literals in a type, at any depth."""
    for each in get_args(kind):
        if isinstance(each, str):
            yield each
        else:
            yield from names(each)


def test_the_list_has_the_names_of_the_types() -> None:
    kinds = (AudioModel, SpeechModel, EmbeddingModel, ImageModel, ModerationModel, AllModels, ChatModel)
    known = {name for kind in (*kinds, ResponsesModel, VideoModel) for name in names(kind)}
    assert len(known) > 100
    assert sorted(known - set(MODELS)) == []


def test_names_are_listed_once() -> None:
    assert len(set(MODELS)) == len(MODELS)
