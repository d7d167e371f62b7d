"""The words of docstrings: complete, tied to names that exist, readable, and our own."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, get_annotations, signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import aiopenai._codegen
from aiopenai import AsyncOpenAI
from aiopenai._calls.arguments import CallOptions
from aiopenai._codegen.words import FILES

WORDS = Path(aiopenai._codegen.__file__).parent / "words"
WIDTH = 120
VIEWS_AND_PRIVATE = ("_", "with_", "as_")
# The options that every method takes; the dictionary describes them.
OPTIONS = frozenset(CallOptions.__annotations__)
RIDDLES = re.compile(
    r"\b(what|who|whoever|whom|whose|nobody|somebody|anybody|everybody|everything)\b",
    re.IGNORECASE,
)


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Each parameter of these methods has a line of its own in parameters.txt.
MOST_USED = names(
    """
    chat.completions.create chat.completions.parse chat.completions.stream chat.completions.retrieve
    chat.completions.update chat.completions.list chat.completions.delete completions.create responses.create
    responses.parse responses.stream responses.retrieve responses.cancel responses.delete responses.compact
    responses.input_items.list responses.input_tokens.count responses.connect embeddings.create files.create
    files.retrieve files.list files.delete files.content files.wait_for_processing batches.create batches.retrieve
    batches.cancel batches.list images.generate images.edit audio.speech.create audio.transcriptions.create
    audio.translations.create moderations.create models.list models.retrieve models.delete uploads.create
    uploads.parts.create uploads.complete uploads.cancel uploads.upload_file_chunked vector_stores.create
    vector_stores.retrieve vector_stores.update vector_stores.list vector_stores.delete vector_stores.search
    vector_stores.files.create vector_stores.files.list vector_stores.files.create_and_poll
    vector_stores.files.upload_and_poll vector_stores.file_batches.create
    vector_stores.file_batches.create_and_poll vector_stores.file_batches.upload_and_poll fine_tuning.jobs.create
    fine_tuning.jobs.retrieve fine_tuning.jobs.list fine_tuning.jobs.cancel conversations.create
    conversations.items.create conversations.items.list realtime.client_secrets.create realtime.connect
    webhooks.unwrap webhooks.verify_signature videos.create
    """
)


# These types have a sentence, and each of their fields has a line.
REPLIES = names(
    """
    chat.ChatCompletion chat.ChatCompletionChoice chat.ChatCompletionMessage
    chat.ChatCompletionMessageFunctionToolCall chat.ChatCompletionMessageFunctionCall chat.ChatCompletionChunk
    chat.ChatCompletionChunkChoice chat.ChatCompletionChunkChoiceDelta chat.ChatCompletionChunkChoiceDeltaToolCall
    chat.ParsedChatCompletion completions.Completion completions.CompletionChoice shared.CompletionUsage
    shared.ErrorObject embeddings.CreateEmbeddingResponse embeddings.Embedding files.FileObject files.FileDeleted
    batches.Batch batches.BatchRequestCounts images.Image images.ImagesResponse audio.Transcription
    audio.TranscriptionVerbose audio.Translation models.Model moderations.ModerationCreateResponse
    moderations.Moderation uploads.Upload vector_stores.VectorStore vector_stores.VectorStoreFile
    vector_stores.VectorStoreFileBatch vector_stores.VectorStoreSearchResponse fine_tuning.FineTuningJob
    conversations.Conversation videos.Video responses.Response responses.ParsedResponse responses.ResponseUsage
    responses.ResponseOutputMessage responses.ResponseOutputText responses.ResponseFunctionToolCall
    responses.ResponseReasoningItem responses.ResponseError responses.ResponseCreatedEvent
    responses.ResponseTextDeltaEvent responses.ResponseOutputItemDoneEvent responses.ResponseCompletedEvent
    responses.ResponseErrorEvent
    """
)


def read(name: str) -> dict[str, str]:
    """Returns the entries of a file: key and text, continuation lines joined."""
    found: dict[str, str] = {}
    key = ""
    for line in (WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[key] += f" {line[2:]}"
        else:
            key, _, found[key] = line.partition(": ")
    return found


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", text)


def plain(text: str) -> str:
    """Returns a sentence in lower case without its punctuation, for comparisons."""
    return re.sub(r"[^a-z0-9 ]", "", " ".join(text.lower().split()))


def public(resource: object) -> list[str]:
    """Returns the names of a resource's methods and further resources."""
    return [name for name in dir(type(resource)) if not name.startswith(VIEWS_AND_PRIVATE)]


def resources(client: object) -> dict[tuple[str, ...], object]:
    """Returns the resources of a client by path; of one that is reached by two paths, the shorter (not `beta.chat`)."""
    queue: list[tuple[tuple[str, ...], object]] = [((), client)]
    seen: set[type] = set()
    for path, resource in queue:
        for name in public(resource):
            value: object = getattr(resource, name)
            if type(value).__module__.startswith("aiopenai.resources") and type(value) not in seen:
                seen.add(type(value))
                queue.append(((*path, name), value))
    return dict(queue[1:])


@pytest.fixture(scope="module")
def methods() -> dict[str, list[str]]:
    """All methods of the client: dotted path and parameter names."""
    found: dict[str, list[str]] = {}
    for path, resource in resources(AsyncOpenAI(api_key="k", base_url="http://127.0.0.1/v1")).items():
        for name in public(resource):
            value: object = getattr(resource, name)
            if callable(value) and not type(value).__module__.startswith("aiopenai.resources"):
                parameters = signature(value).parameters.values()
                found[".".join((*path, name))] = [p.name for p in parameters if p.kind is not Parameter.VAR_KEYWORD]
    return found


def fields(key: str) -> dict[str, bool]:
    """Returns the field names of a reply type, such as `chat.ChatCompletion`: True for those it defines itself."""
    group, _, name = key.rpartition(".")
    kind = getattr(import_module(f"aiopenai.types.{group}"), name)
    found: dict[str, bool] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("aiopenai.types"):
            tag = base.__struct_config__.tag_field
            # A tag is no field of the struct, but it is one of the JSON object.
            own = [*get_annotations(base), *([] if tag is None or tag in found else [tag])]
            found |= dict.fromkeys(own, base is kind)
    assert found.keys() >= set(kind.__struct_fields__), key
    return found


@pytest.fixture(scope="module")
def reference() -> set[str]:
    """The sentences of the reference's docstrings, those of attributes included."""
    spec = find_spec("openai")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package openai: pip install 'aiopenai[codegen]'")
    found: set[str] = set()
    for file in Path(spec.origin).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found.update(plain(part) for part in re.split(r"(?<=[.:!?])\s|\n\s*\n", node.value.value))
    return found


@pytest.mark.parametrize("name", FILES)
def test_format(name: str) -> None:
    text = (WORDS / f"{name}.txt").read_text(encoding="utf-8")
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if line != line.rstrip()] == []
    starts = [line for line in lines if not line.startswith("  ")]
    assert [line for line in starts if not re.match(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*: \S", line)] == []
    assert [line for line in lines if line.startswith("   ")] == []
    keys = [line.partition(": ")[0] for line in starts]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("name", FILES)
def test_plain_english(name: str) -> None:
    for key, text in read(name).items():
        assert text.endswith("."), key
        assert not RIDDLES.search(text), key
        assert text.count("`") % 2 == 0, key
        assert [part for part in sentences(text) if len(part.split()) > 25] == [], key


@pytest.mark.parametrize("name", FILES)
def test_own_words(name: str, reference: set[str]) -> None:
    for key, text in read(name).items():
        for part in sentences(text):
            assert len(part.split()) < 8 or plain(part) not in reference, key


def test_methods(methods: dict[str, list[str]]) -> None:
    words = read("methods")
    assert methods.keys() - words.keys() == set()
    assert words.keys() - methods.keys() == set()
    for key, text in words.items():
        assert len(sentences(text)) == 1, key
        verb = text.split()[0]
        assert verb[0].isupper(), key
        assert verb.endswith("s"), key


def test_parameters(methods: dict[str, list[str]]) -> None:
    words = read("parameters").keys()
    assert MOST_USED - methods.keys() == set()
    needed = {f"{key}.{name}" for key in MOST_USED & methods.keys() for name in methods[key] if name not in OPTIONS}
    assert needed - words == set()
    known = {f"{key}.{name}" for key, names in methods.items() for name in names}
    assert words - known == set()


def test_dictionary(methods: dict[str, list[str]]) -> None:
    words = read("dictionary").keys()
    # The fields of events are described in test_senders.py.
    recurring = {name for names in methods.values() for name in names} | {"event_id", "delegation_id"}
    assert words - recurring - OPTIONS == set()
    assert OPTIONS - words == set()


def test_coverage(methods: dict[str, list[str]]) -> None:
    """Nearly all parameters of all methods have a text, their own or the dictionary's."""
    own, shared = read("parameters"), read("dictionary")
    found = [(key, name) for key, names in methods.items() for name in names]
    without = [f"{key}.{name}" for key, name in found if f"{key}.{name}" not in own and name not in shared]
    assert len(without) < len(found) / 10, without


def test_types() -> None:
    words, lines = read("types"), read("fields")
    assert REPLIES - words.keys() == set()
    for key, text in words.items():
        assert len(sentences(text)) == 1, key
    for key in words:
        found = fields(key)
        documented = {line.rpartition(".")[2] for line in lines if line.rpartition(".")[0] == key}
        # A subclass documents the fields that it defines; the others have the words of its base.
        assert {field for field, own in found.items() if own} - documented == set(), key
        assert documented - found.keys() == set(), key
    assert {line.rpartition(".")[0] for line in lines} - words.keys() == set()


def constant(key: str) -> str | None:
    """Returns the only value of a field, such as `chat.completion` of `chat.ChatCompletion.object`."""
    path, _, field = key.rpartition(".")
    group, _, name = path.rpartition(".")
    kind = getattr(import_module(f"aiopenai.types.{group}"), name)
    config = kind.__struct_config__
    if field == config.tag_field:
        return str(config.tag)
    hint = get_annotations(kind)[field]
    origin: Any = get_origin(hint)
    values = get_args(hint) if origin is Literal else ()
    return str(values[0]) if len(values) == 1 else None


def test_constants() -> None:
    """A field with a single value has a line that names this value."""
    lines = read("fields")
    values = {key: value for key in lines if (value := constant(key)) is not None}
    assert len(values) > 50
    assert [key for key, value in values.items() if not lines[key].startswith(f"Always `{value}`")] == []
