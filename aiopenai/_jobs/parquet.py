"""The results of a job as a table: a Parquet file, written from its result lines by `pyarrow`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._jobs.failures import FilesError, UsageError, disk_errors
from aiopenai._jobs.outputs import beside
from aiopenai._jobs.usage import tokens_of

__all__ = ["COLUMNS", "loaded_arrow", "takes_table", "write_table"]

# The columns, each with the function of pyarrow that makes its type. Tokens and texts are null where a reply has none.
COLUMNS = {
    "custom_id": "string",
    "ok": "bool_",
    "status_code": "int64",
    "request_id": "string",
    "text": "string",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "error_code": "string",
    "error": "string",
    "reply": "string",
}
# A group of rows is written when it is this long.
_ROWS = 10_000
_BYTES = 64 * 1024 * 1024


class _Reply(msgspec.Struct, gc=False):
    body: msgspec.Raw
    status_code: int | None = None
    request_id: str | None = None


class _Failure(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None


class _OutcomeLine(msgspec.Struct, gc=False):
    custom_id: str
    response: _Reply | None = None
    error: _Failure | None = None


_decode_line = msgspec.json.Decoder(_OutcomeLine).decode
_decode_body = msgspec.json.Decoder().decode


def loaded_arrow() -> Any:
    """Returns the module `pyarrow` with its `parquet`. Raises UsageError without it."""
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("a Parquet file needs pyarrow: pip install 'aiopenai[parquet]'") from error
    return importlib.import_module("pyarrow")


def takes_table(path: Path) -> bool:
    """Returns whether a path is free for a table: a table, an empty file or none is there. Raises FilesError."""
    with disk_errors(path):
        if not path.exists():
            return True
        with path.open("rb") as file:
            return file.read(4) in (b"", b"PAR1")


def write_table(path: Path, logs: Iterable[Path]) -> int:
    """Writes the outcomes in files of result lines as a table, and returns the number of rows.

    An old file stays until the new one is complete. Raises FilesError.
    """
    arrow = loaded_arrow()
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in COLUMNS.items()])
    new = beside(path, "new")
    number = 0
    with disk_errors(path):
        try:
            with arrow.parquet.ParquetWriter(new, schema) as writer:
                for rows in _groups(logs):
                    writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                    number += len(rows)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    return number


def _groups(logs: Iterable[Path]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    size = 0
    for log in logs:
        if not log.exists():
            continue
        with log.open("rb") as file:
            for raw in file:
                if not raw.strip():
                    continue
                try:
                    rows.append(_row(raw))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise FilesError(f"{log}: a line is not a result ({error})") from error
                size += len(raw)
                if len(rows) == _ROWS or size > _BYTES:
                    yield rows
                    rows, size = [], 0
    if rows:
        yield rows


def _row(raw: bytes) -> dict[str, Any]:
    line = _decode_line(raw)
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(custom_id=line.custom_id, ok=False)
    if line.error is not None:
        row.update(error_code=line.error.code, error=line.error.message)
    reply = line.response
    if reply is None:
        return row
    content = bytes(reply.body)
    body = _decode_body(content)
    row.update(status_code=reply.status_code, request_id=reply.request_id, reply=content.decode())
    row["ok"] = line.error is None and 200 <= (reply.status_code or 0) < 300
    if row["ok"]:
        row["text"] = _text_of(body)
    else:
        _add_error(row, body)
    tokens = tokens_of(content)
    if tokens is not None:
        row.update(input_tokens=tokens.read, output_tokens=tokens.written)
    return row


def _add_error(row: dict[str, Any], body: Any) -> None:
    error = body.get("error") if is_mapping(body) else body
    if is_mapping(error):
        code, message = error.get("code") or error.get("type"), error.get("message")
        row.update(error_code=None if code is None else str(code), error=None if message is None else str(message))
    elif error is not None:
        row["error"] = str(error)


def _text_of(body: Any) -> str | None:
    """Returns the text of an answer: of its first choice, or of all parts of its output."""
    if not is_mapping(body):
        return None
    choices = body.get("choices")
    if is_list(choices) and choices and is_mapping(choices[0]):
        message = choices[0].get("message")
        text = message.get("content") if is_mapping(message) else choices[0].get("text")
        return text if isinstance(text, str) else None
    output = body.get("output")
    if not is_list(output):
        return None
    parts = [
        part.get("text")
        for item in output
        if is_mapping(item) and is_list(item.get("content"))
        for part in item["content"]
        if is_mapping(part) and part.get("type") == "output_text"
    ]
    return "".join(part for part in parts if isinstance(part, str)) if parts else None
