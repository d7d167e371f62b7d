from __future__ import annotations

import pytest

from aiopenai._codegen.notes import changelog


def test_no_differences() -> None:
    assert changelog("3.57.0", "3.58.0", []) == "- Level with the reference 3.58.0: its interface is that of 3.57.0."


def test_one_line_for_each_kind() -> None:
    found = [
        "- resource beta.old",
        "+ method chat.completions.pause",
        "+ method chat.completions.resume",
        "+ parameter responses.create.speed: float | Omit",
        "+ parameter responses.create.tone: str | Omit",
        "~ parameter responses.create.model: str -> Model",
        "~ parameter things.wait.(): get('/a', {0}) -> get('/b', {0})",
        "+ type shared.replies.Tone",
        "- field chat.ChatCompletion.old",
        "~ field chat.Part.=: A -> A | B",
        "+ value shared.ChatModel: 'gpt-7'",
        "+ value shared.ChatModel: 'gpt-7-mini'",
    ]
    assert changelog("3.57.0", "3.58.0", found).split("\n") == [
        "- Level with the reference 3.58.0 (before: 3.57.0).",
        "  - New methods: `chat.completions.pause`, `chat.completions.resume`.",
        "  - New parameters: `responses.create` (`speed`, `tone`).",
        "  - New types: `shared.replies.Tone`.",
        "  - New values: `shared.ChatModel` (`gpt-7`, `gpt-7-mini`).",
        "  - Removed namespaces: `beta.old`.",
        "  - Removed fields: `chat.ChatCompletion` (`old`).",
        "  - Changed methods: `things.wait`.",
        "  - Changed parameters: `responses.create` (`model`).",
        "  - Changed types: `chat.Part`.",
    ]


def test_lines_are_as_wide_as_the_changelog() -> None:
    lines = changelog("1.0.0", "1.1.0", [f"+ method things.number{number}" for number in range(50)]).split("\n")
    assert len(lines) > 5
    assert all(len(line) <= 120 for line in lines)
    assert all(line.startswith("    `things") for line in lines[2:])


def test_other_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="not a line of the drift: 'words for nothing'"):
        changelog("1.0.0", "1.1.0", ["words for nothing"])
