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
from aiopenai._data.decoder import Decoder
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
