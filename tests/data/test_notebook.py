"""Replies in notebooks: short, escaped, without keys."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._base.headers import REDACTED
from aiopenai._data.decoder import Decoder
from aiopenai._data.notebook import page_html
from aiopenai._data.structs import Model, OpenObject
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import ChatCompletion

ROOT = Path(__file__).parents[2]
KEY = "sk-proj-0123456789abcdef0123"


def html(reply: Any) -> ElementTree.Element:
    text: str = reply._repr_html_()
    assert len(text) < 20_000
    return ElementTree.fromstring(text)


def text_of(reply: Any) -> str:
    return "".join(html(reply).itertext())


def decoded(cls: type[Any], body: dict[str, Any]) -> Any:
    return Decoder.of(cls)(json.dumps(body).encode())


def completion(content: str | None, **more: Any) -> Any:
    message = {"role": "assistant", "content": content}
    body = {"id": "c-1", "model": "m", "choices": [{"index": 0, "message": message}], **more}
    return decoded(ChatCompletion, body)


def test_an_answer_is_seen_at_once() -> None:
    reply = completion("Rivers <b>flow</b> & rest.\nThey do.", usage={"total_tokens": 1_234})
    assert text_of(reply).startswith("ChatCompletion · c-1 · m · 1,234 tokensRivers <b>flow</b> & rest.\nThey do.")
    assert html(reply).find("details").get("open") is None  # type: ignore[union-attr]


def test_a_reply_without_a_text_shows_its_fields() -> None:
    vectors = [{"index": each, "object": "embedding", "embedding": [0.5] * 10_000} for each in range(1_000)]
    reply = decoded(CreateEmbeddingResponse, {"object": "list", "model": "m", "data": vectors})
    assert html(reply).find("details").get("open") is not None  # type: ignore[union-attr]
    assert "10,000 items" in text_of(reply)


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (f"your key is {KEY}", {}),
        ("x" * 3_990 + f" {KEY}", {}),
        (None, {"note": {"deep": [KEY]}}),
        (None, {"note": {"text": "x" * 295 + f" {KEY}"}}),
        (None, {"client_secret": {"value": KEY}}),
    ],
    ids=["text", "at-the-cut", "unknown-field", "at-the-inner-cut", "secret"],
)
def test_keys_are_left_out(content: str | None, more: dict[str, Any]) -> None:
    shown = text_of(completion(content, **more))
    assert KEY[:12] not in shown
    assert "ChatCompletion" in shown


@pytest.mark.parametrize("name", ["secret", "client_secret", "api_key", "access_token", "password"])
def test_secrets_are_known_by_their_names(name: str) -> None:
    shown = text_of(completion(None, **{name: "hush-1", "inside": {name: "hush-2"}}))
    assert "hush" not in shown


@pytest.mark.parametrize(
    "more",
    [{"choices": None}, {"choices": []}, {"choices": [{"message": None}]}, {"usage": {"total_tokens": "x"}}, {"id": 7}],
    ids=["null", "none", "no-message", "tokens", "id"],
)
def test_odd_replies(more: dict[str, Any]) -> None:
    assert "ChatCompletion" in text_of(completion("a", **more))


def test_deep_and_odd_values_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"deeper": deep}
    shown = text_of(completion("a", deep=deep, many=list(range(100)), word="<script>"))
    assert "bottom" not in shown
    assert "100 items" in shown
    assert "<script>" in shown


async def test_pages(server: Server, client: AsyncOpenAI) -> None:
    for number in range(3):
        await client.files.create(file=(f"{number}.jsonl", b"{}"), purpose="user_data")
    page = await client.files.list(limit=2)
    assert text_of(page).startswith("AsyncCursorPage: 2 items; another page follows")
    assert len(html(page).findall(".//tr")) == 3
    assert "2.jsonl" in text_of(page) or "0.jsonl" in text_of(page)
    assert text_of(await client.models.list()).startswith("AsyncPage: ")


def test_nothing_of_it_is_imported_before() -> None:
    program = "import sys, aiopenai; aiopenai.OpenAI(api_key='x').chat; print('aiopenai._data.notebook' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


class Part(Model):
    name: str | None = None
    inner: Any = None


def nested(depth: int) -> Any:
    value: Any = Part(name="deep")
    for _ in range(depth):
        value = Part(inner=value)
    return value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (nested(1), "Part(inner=Part(name='deep'))"),
        (nested(2), "Part(inner=Part(inner=Part(name='deep')))"),
        (nested(3), "Part(inner=Part(inner=Part(inner=Part(...))))"),
        (Part(inner=[[[1]]]), "Part(inner=[[[...]]])"),
        (Part(inner={"a": {"b": {"c": 1}}}), "Part(inner={'a': {'b': {...}}})"),
        (
            Part(inner={"a": None, "api_key": "x", 3: 0.5, "b": 1}),
            f"Part(inner={{'a': , 'api_key': {REDACTED!r}, 3: 0.5, ...}})",
        ),
        ([1, 2, 3], "[1, 2, 3]"),
        ([1, 2, 3, 4], "[1, 2, 3, ... 4 items]"),
        ([], "[]"),
        ({"a": 1, "b": 2, "c": 3}, "{'a': 1, 'b': 2, 'c': 3}"),
        ({}, "{}"),
        (["x" * 301], f"['{'x' * 298}..."),
        (True, "True"),
    ],
    ids=["one", "two", "deep", "lists", "dicts", "secret", "three", "four", "empty", "dict", "none", "long", "bool"],
)
def test_values_are_shown_short(value: Any, shown: str) -> None:
    (row,) = html(Part(inner=value)).iter("tr")
    assert "".join(row.itertext()) == f"inner{shown}"


@pytest.mark.parametrize("length", [300, 301])
def test_texts_are_cut(length: int) -> None:
    (row,) = html(Part(name="x" * length)).iter("tr")
    assert "".join(row.itertext()) == f"name{'x' * 300}{'...' if length > 300 else ''}"


@pytest.mark.parametrize("length", [4_000, 4_001])
def test_answers_are_cut(length: int) -> None:
    shown = html(completion("x" * length)).find("div")
    assert shown is not None
    assert shown.text == "x" * 4_000 + ("..." if length > 4_000 else "")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"output_text": "a", "text": "b"}, "a"),
        ({"output_text": None, "text": "b"}, "b"),
        ({"output_text": 5}, None),
        ({"choices": [{"text": "completion"}]}, "completion"),
        ({"choices": []}, None),
        ({"choices": "none"}, None),
        ({"choices": [{"message": {"content": ["parts"]}}]}, None),
    ],
    ids=["output", "text", "number", "legacy", "empty", "word", "parts"],
)
def test_the_text_of_an_answer(fields: dict[str, Any], text: str | None) -> None:
    reply: Any = OpenObject.__opened__(fields)
    found = html(reply).find("div")
    assert (None if found is None else found.text) == text


@pytest.mark.parametrize("number", [0, 20, 21])
@pytest.mark.parametrize("more", [False, True])
def test_pages_show_their_first_items(number: int, more: bool) -> None:
    items = [Part(name=f"item {at}") for at in range(number)]
    page = ElementTree.fromstring(page_html(Part(), items, more))
    text = "".join(page.itertext())
    count = f"the first 20 of {number} items" if number > 20 else f"{number} items"
    assert text.startswith(f"Part: {count}{'; another page follows' if more else ''}")
    assert len([*page.iter("tr")]) == 1 + min(number, 20)


def test_pages_have_columns_of_plain_values() -> None:
    rows = [{chr(97 + at): at for at in range(8)} | {"z": [1]}, {"a": None, "b": "x", "z": None}]
    page = ElementTree.fromstring(page_html(Part(), [*map(OpenObject.__opened__, rows), 5], False))
    head, first, second, third = ["".join(cell.text or "" for cell in row) for row in page.iter("tr")]
    assert head == "abcdef"
    assert (first, second, third) == ("012345", "x", "")
