"""`aiopenai chat`: in a pipe, with arguments, in a conversation."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from aiopenai._cli import chat
from aiopenai.testing import Server

Command = Callable[..., tuple[int, str, str]]


class Terminal(io.StringIO):
    """Standard input of a user."""

    def isatty(self) -> bool:
        return True


def test_streams_the_answer_and_shows_the_cost(local: Server, command: Command) -> None:
    code, out, err = command("chat", "--system", "Be short.", "--price-in", "1000000", "--price-out", "0", "Why?")
    assert (code, out) == (0, "All flows.\n")
    (request,) = local.requests_for("/chat/completions")
    assert request.json()["stream"] is True
    assert [message["role"] for message in request.json()["messages"]] == ["system", "user"]
    read = int(err.split()[0])
    assert f"{read} tokens read" in err
    assert f"${read:,.6f}" in err


def test_reads_a_pipe(local: Server, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the text\n"))
    assert command("chat")[0] == 0
    monkeypatch.setattr(chat, "_has_input", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO("the text"))
    assert command("chat", "Summarise:")[0] == 0
    first, second = (request.json()["messages"][0]["content"] for request in local.journal)
    assert first == "the text\n"
    assert second == "Summarise:\n\nthe text"


def test_keeps_the_conversation(local: Server, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = iter(["One?", "", "Two?", "/exit"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda _: next(questions))
    code, out, _ = command("chat")
    assert (code, out) == (0, "All flows.\nAll flows.\n")
    last = local.journal[-1].json()["messages"]
    assert [message["content"] for message in last] == ["One?", "All flows.", "Two?"]


def test_json(local: Server, command: Command) -> None:
    _, out, err = command("chat", "--json", "Why?")
    value: Any = json.loads(out)
    assert value["answer"] == "All flows."
    assert value["usage"]["total_tokens"]
    assert err == ""


def test_no_prompt(local: Server, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    code, _, err = command("chat")
    assert code == 1
    assert "give it as an argument or on standard input" in err
    assert not local.request_count


def test_errors_name_the_cure(local: Server, command: Command) -> None:
    local.fault(status=404)
    code, _, err = command("chat", "Why?")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "`aiopenai models` lists the models" in err
    local.fault(status=401)
    assert "`aiopenai doctor` examines" in command("chat", "Why?")[2]
