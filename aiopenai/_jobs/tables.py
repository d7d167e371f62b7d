"""The rows of a CSV file as prompts, by a template with the names of columns."""

from __future__ import annotations

import csv
import difflib
import string
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aiopenai._jobs.failures import FilesError, UsageError, disk_errors
from aiopenai._jobs.lines import CHAT, BadLine

__all__ = ["PromptTable"]

_DELIMITERS = ",;\t"
# The column with the id of each row.
_ID = "custom_id"


class PromptTable:
    """A CSV file with a header, of which each row fills the template.

    `{name}` in the template is the value of a column, `{{` and `}}` are braces. A column `custom_id` names the rows.
    The delimiter is the most frequent one of comma, semicolon and tab in the header.

    Raises UsageError for a template that does not fit the file, and FilesError for a file that cannot be read.
    """

    def __init__(self, path: Path, template: str, *, name: str) -> None:
        self._path = path
        self._name = name
        self._parts = _parts_of(template)
        with disk_errors(name), path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = file.readline()
        self._delimiter = max(_DELIMITERS, key=first.count)
        self.columns = [column for row in csv.reader([first], delimiter=self._delimiter) for column in row]
        self.has_ids = _ID in self.columns
        for _, column in self._parts:
            if column is not None and column not in self.columns:
                close = difflib.get_close_matches(column, self.columns, 1)
                hint = f"did you mean {{{close[0]}}}?" if close else f"its columns are {', '.join(self.columns)}"
                raise UsageError(f"--template has {{{column}}}, which is no column of {name}; {hint}")

    def lines(self) -> Iterator[tuple[int, bytes | BadLine]]:
        """Yields each row as a line of a batch file, or as a prompt if there are no ids, with the number of the row."""
        limit = csv.field_size_limit(2**31 - 1)
        try:
            with disk_errors(self._name), self._path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file, delimiter=self._delimiter, strict=True)
                next(rows, None)
                number = 0
                for row in rows:
                    if row:
                        number += 1
                        yield number, self._line(number, row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise FilesError(f"{self._name} is not a CSV file in UTF-8: {error}") from error
        finally:
            csv.field_size_limit(limit)

    def _line(self, number: int, row: list[str]) -> bytes | BadLine:
        if len(row) != len(self.columns):
            return BadLine(number, f"the row has {len(row)} values for {len(self.columns)} columns")
        values = dict(zip(self.columns, row, strict=True))
        text = "".join(literal + (values[column] if column is not None else "") for literal, column in self._parts)
        if not self.has_ids:
            return msgspec.json.encode(text)
        body = {"messages": [{"role": "user", "content": text}]}
        return msgspec.json.encode({_ID: values[_ID], "url": CHAT, "body": body})


def _parts_of(template: str) -> list[tuple[str, str | None]]:
    """Returns the literals of a template, each with the column that follows it."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--template: {error}; write {{{{ and }}}} for braces") from error
    for _, column, form, conversion in parts:
        if column is not None and (not column or form or conversion):
            raise UsageError(
                "--template: braces hold the name of a column and nothing else; write {{ and }} for braces"
            )
    return [(literal, column) for literal, column, _, _ in parts]
