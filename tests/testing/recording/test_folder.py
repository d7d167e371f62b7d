from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.recording.folder import Closing, Exchange, Folder, Message, stored_line, stored_message


def exchange(**fields: object) -> Exchange:
    made = Exchange("POST", "/v1/chat/completions", [], {"content-type": "application/json"}, {"json": {"a": 1}})
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_an_exchange_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "new" / "calls")
    written = exchange(
        query=[("a", "1"), ("a", "2"), ("b", "")],
        status=200,
        reply_headers=[("content-type", "text/event-stream"), ("x-many", "1"), ("x-many", "2")],
        body=b"data: \xe2\x82\xac\n\n",
        pieces=[(0.0125, 5), (0.25, 7)],
        cut=True,
    )
    folder.write(3, written)
    assert folder.names() == ["0003-chat-completions.json"]
    assert folder.last_number() == 3
    read = folder.read(folder.names()[0])
    assert folder.body_of(read) == written.body
    assert read.content_file == "0003-chat-completions.reply.sse"
    written.pieces[0] = (0.013, 5)
    read.body, written.content_file = written.body, read.content_file
    assert read == written


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("application/json; charset=utf-8", ".json"),
        ("audio/mpeg", ".mp3"),
        ("image/png", ".png"),
        ("text/html", ".html"),
        ("application/x-strange", ".bin"),
        ("", ".bin"),
    ],
)
def test_bodies_have_readable_names(kind: str, suffix: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(1, exchange(reply_headers=[("content-type", kind)], body=b"x"))
    assert (tmp_path / f"0001-chat-completions.reply{suffix}").read_bytes() == b"x"
    # A body in JSON is not taken for a request.
    assert folder.names() == ["0001-chat-completions.json"]


def test_names_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number in (10_000, 9_999, 2):
        folder.write(number, exchange(path="/v1/" + "x" * 300 + "/.."))
    assert [name.partition("-")[0] for name in folder.names()] == ["0002", "9999", "10000"]
    assert all(len(name) < 80 for name in folder.names())


def test_emptying_leaves_other_files_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(1, exchange(body=b"{}", reply_headers=[("content-type", "application/json")]))
    folder.write(2, exchange(messages=[Message(0.1, True, "{}")]))
    for name in ("README.md", "0001-notes.txt", "mine.json"):
        (tmp_path / name).write_text("mine")
    folder.empty()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001-notes.txt", "README.md", "mine.json"]
    Folder(tmp_path / "missing").empty()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "request": {}, "reply": {}}', "\xff"])
def test_other_files_are_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "0001-x.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"0001-x\.json is not a recorded request: .*; record it again"):
        Folder(tmp_path).read("0001-x.json")


def test_missing_bodies_are_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(1, exchange(body=b"x"))
    folder.write(2, exchange(messages=[]))
    for path in list(tmp_path.iterdir()):
        if ".reply" in path.name or ".messages" in path.name:
            path.unlink()
    with pytest.raises(ValueError, match=r"reply\.bin cannot be read"):
        folder.body_of(folder.read(folder.names()[0]))
    with pytest.raises(ValueError, match=r"messages\.jsonl cannot be read"):
        folder.messages_of(folder.read(folder.names()[1]))


@given(st.text() | st.binary())
def test_messages_are_kept_to_the_letter(data: str | bytes) -> None:
    line = json.loads(json.dumps(stored_line(Message(1.0, True, data))))
    assert stored_message(line) == Message(1.0, True, data)


@pytest.mark.parametrize(
    "text", ['{"a":1.0}', '{"a": 1}', '{"a":"\\u00e9"}', '{"a":"é","b":[1,2]}', "[1,2", "1e-7", "\ud800"]
)
def test_json_messages_are_kept_to_the_letter(text: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(1, exchange(messages=[Message(0.5, False, text), Closing(0.75, True, 1000, "done")]))
    read = folder.messages_of(folder.read(folder.names()[0]))
    assert read == [Message(0.5, False, text), Closing(0.75, True, 1000, "done")]
