"""CSV files as prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs.failures import FilesError, UsageError
from aiopenai._jobs.inputs import RequestFile
from aiopenai._jobs.lines import BadLine, RequestLine


def prompts(path: Path, content: str | bytes, template: str) -> list[Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found: list[Any] = []
    for line in RequestFile(path, "gpt-4o", name="in.csv", template=template):
        if isinstance(line, RequestLine):
            body = json.loads(line.content)
            assert body["model"] == "gpt-4o"
            found.append((line.custom_id, body["messages"][0]["content"]))
        else:
            found.append(line)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_rows(path: Path, delimiter: str, bom: bytes) -> None:
    rows = [["name", "text"], ["Ada", '"say ""hi"",\nall; of\tthem"'], [], ["Bob", "caf\u00e9 {x}"]]
    content = bom + "\r\n".join(delimiter.join(row) for row in rows).encode()
    assert prompts(path, content, "{name}: {{{text}}}") == [
        ("line-1", 'Ada: {say "hi",\nall; of\tthem}'),
        ("line-2", "Bob: {caf\u00e9 {x}}"),
    ]


def test_ids(path: Path) -> None:
    content = 'custom_id,q\na-1,"""one"""\na-2,two\n,three\na-4\n'
    first, second, third, fourth = prompts(path, content, "{q}?")
    assert (first, second) == (("a-1", '"one"?'), ("a-2", "two?"))
    assert third == BadLine(3, "`custom_id` is empty")
    assert fourth == BadLine(4, "the row has 1 values for 2 columns")


def test_a_template_without_columns_and_a_table_without_rows(path: Path) -> None:
    assert prompts(path, "a,b\n1,2\n", "Hello") == [("line-1", "Hello")]
    assert prompts(path, "a,b\n", "{a}") == []


def test_long_values(path: Path) -> None:
    ((_, text),) = prompts(path, "a\n" + "x" * 300_000 + "\n", "{a}")
    assert len(text) == 300_000


def test_ranges(path: Path) -> None:
    path.write_text("a\n" + "".join(f"{number}\n" for number in range(1, 10)))
    file = RequestFile(path, "m", template="{a}")
    assert [line.number for line in file.lines_in([(2, 3), (7, 7)])] == [2, 3, 7]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{tex}", r"--template has {tex}, which is no column of in\.csv; did you mean {text}\?"),
        ("{zzz}", r"which is no column of in\.csv; its columns are name, text"),
        ("{", "--template: "),
        ("{}", "braces hold the name of a column"),
        ("{name!r}", "braces hold the name of a column"),
        ("{name:>10}", "braces hold the name of a column"),
        ("{name.__class__}", r"--template has {name\.__class__}"),
    ],
    ids=["close", "far", "open", "empty", "conversion", "format", "attribute"],
)
def test_templates_that_do_not_fit(path: Path, template: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        prompts(path, "name,text\na,b\n", template)


def test_without_a_model(path: Path) -> None:
    path.write_text("a\n1\n")
    with pytest.raises(UsageError, match="--template makes prompts: --model"):
        RequestFile(path, template="{a}")


@pytest.mark.parametrize("content", [b"a,b\n\xff\xfe,2\n", b'a,b\n"open,2\n', b'a,b\n"x"y,2\n'])
def test_files_of_something_else(path: Path, content: bytes) -> None:
    with pytest.raises(FilesError, match=r"in\.csv is not a CSV file in UTF-8"):
        prompts(path, content, "{a}")
    with pytest.raises(FilesError, match="No such file"):
        RequestFile(path.with_name("none"), "m", template="{a}")
