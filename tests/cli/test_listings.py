"""`aiopenai models`, `embed`, `files` and `batches`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiopenai import OpenAI
from aiopenai._cli.models import day_of
from aiopenai.testing import Server

Command = Callable[..., tuple[int, str, str]]


def test_models(local: Server, command: Command) -> None:
    code, out, _ = command("models", "gpt-4o-mini")
    assert code == 0
    title, *lines = out.splitlines()
    assert title.split() == ["model", "owner", "created"]
    assert lines
    assert all("gpt-4o-mini" in line for line in lines)
    one, *_ = command("models", "--json")[1].splitlines()
    assert json.loads(one)["object"] == "model"


def test_days() -> None:
    assert day_of(86_400) == "1970-01-02"
    assert day_of(None) == day_of(0) == ""


def test_embeds_arguments_and_lines(local: Server, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = command("embed", "--dimensions", "8", "a river", "a lamp")
    assert code == 0
    assert [line.split()[2:4] for line in out.splitlines()[1:]] == [["8", "1.000"], ["8", "1.000"]]
    assert "2 texts" in err
    monkeypatch.setattr("sys.stdin", ["a\n", "\n", "b\n"])
    lines = [json.loads(line) for line in command("embed", "--json", "--dimensions", "8")[1].splitlines()]
    assert [(line["text"], len(line["embedding"])) for line in lines] == [("a", 8), ("b", 8)]
    monkeypatch.setattr("sys.stdin", [])
    assert "no texts" in command("embed")[2]


def test_files(local: Server, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"panta\x00rhei")
    file_id = json.loads(command("files", "upload", str(path), "--json")[1])["id"]
    assert "notes.txt" in command("files", "list")[1]
    assert json.loads(command("files", "list", "--json")[1])["id"] == file_id
    assert ["id", file_id] in [line.split() for line in command("files", "get", file_id)[1].splitlines()]
    copy = tmp_path / "copy"
    assert command("files", "get", file_id, "-o", str(copy)) == (0, "", "")
    assert copy.read_bytes() == path.read_bytes()
    assert command("files", "get", file_id, "-o", "-")[1] == "panta\x00rhei"
    code, _, err = command("files", "get", file_id, "-o", str(tmp_path))
    assert (code, "choose another output file" in err) == (1, True)
    assert command("files", "cancel", file_id)[0] == 0
    assert command("files", "get", file_id)[0] == 1


@pytest.mark.parametrize("kind", ["files", "batches"])
def test_unknown_ids_name_the_list(local: Server, command: Command, kind: str) -> None:
    code, _, err = command(kind, "get", "unknown_1")
    assert (code, "models" in err) == (1, False)
    assert err.rstrip().endswith(f"(`aiopenai {kind} list` shows the ids)")
    assert "is not a file" in command("files", "upload", "nowhere")[2]


def test_batches(local: Server, command: Command) -> None:
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}
    with OpenAI() as client:
        file = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert batch.id in command("batches", "list")[1]
    assert json.loads(command("batches", "get", batch.id, "--json")[1])["id"] == batch.id
    assert "status" in command("batches", "cancel", batch.id)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chta"], "did you mean chat?"),
        (["chat", "--modle", "x"], "did you mean --model?"),
        (["models", "--jsno"], "did you mean --json?"),
        (["files", "lst"], "did you mean list?"),
        (["models", "--zzz"], "--help` lists all options"),
    ],
    ids=["command", "option", "flag", "action", "far"],
)
def test_misspelt(arguments: list[str], words: str, command: Command) -> None:
    code, _, err = command(*arguments)
    assert code == 2
    assert words in err


def test_server_without_a_key(local: Server, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert command("models")[0] == 0
    monkeypatch.delenv("OPENAI_BASE_URL")
    code, _, err = command("models")
    assert code == 1
    assert "OPENAI_API_KEY" in err
