"""`aiopenai files` and `aiopenai batches`: objects that the server keeps."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from aiopenai._cli.connection import CommandError, add_server_options, as_command, command_client
from aiopenai._cli.display import say_json, say_table
from aiopenai._cli.models import day_of
from aiopenai._cli.options import positive
from aiopenai._cli.output import say

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions on files or on batches, which the name of the command tells apart."""
    if parser.prog.endswith("files"):
        _add_files(parser)
    else:
        _add_batches(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action")
    listing = _action(actions, "list", _list_files, "the newest files")
    listing.add_argument("--limit", type=positive, default=20, help="at most so many (%(default)s)")
    listing.add_argument("--purpose", help="only files of this purpose")
    get = _action(actions, "get", _get_file, "one file, or its content with -o")
    get.add_argument("id")
    get.add_argument("-o", "--output", help="where to write the content; - is standard output")
    upload = _action(actions, "upload", _upload_file, "store a file")
    upload.add_argument("path", type=Path)
    upload.add_argument("--purpose", default="user_data", help="%(default)s")
    for name in ("delete", "cancel"):
        delete = _action(actions, name, _delete_file, "delete a file")
        delete.add_argument("id")


def _add_batches(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action")
    listing = _action(actions, "list", _list_batches, "the newest batches")
    listing.add_argument("--limit", type=positive, default=20, help="at most so many (%(default)s)")
    get = _action(actions, "get", _get_batch, "one batch")
    get.add_argument("id")
    cancel = _action(actions, "cancel", _cancel_batch, "cancel a batch")
    cancel.add_argument("id")


def _action(actions: Any, name: str, work: Any, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=words)
    add_server_options(parser)

    async def command(arguments: argparse.Namespace) -> None:
        async with command_client(arguments) as client:
            await work(client, arguments)

    parser.set_defaults(command=as_command(parser.prog.partition(" ")[2], command))
    return parser


async def _list_files(client: Any, arguments: argparse.Namespace) -> None:
    from aiopenai._base.sentinels import omit

    pages = client.files.list(purpose=arguments.purpose or omit, limit=arguments.limit)
    found = await _first(pages, arguments.limit)
    rows = [(each.id, each.filename, each.purpose, f"{each.bytes or 0:,}", day_of(each.created_at)) for each in found]
    _show_all(arguments, found, ("id", "name", "purpose", "bytes", "created"), rows, right=(3,))


async def _get_file(client: Any, arguments: argparse.Namespace) -> None:
    if arguments.output is None:
        _show_one(arguments, await client.files.retrieve(arguments.id))
        return
    content = await client.files.content(arguments.id)
    if arguments.output == "-":
        say(end="", flush=True)
        # Not through `sys.stdout`: the content may be no text.
        written = 0
        while written < len(content.content):
            written += os.write(1, content.content[written:])
        return
    try:
        await asyncio.to_thread(Path(arguments.output).write_bytes, content.content)
    except OSError as error:
        raise CommandError(f"{arguments.output}: {error.strerror or error}; choose another output file") from error


async def _upload_file(client: Any, arguments: argparse.Namespace) -> None:
    if not arguments.path.is_file():
        raise CommandError(f"{arguments.path} is not a file")
    _show_one(arguments, await client.files.create(file=arguments.path, purpose=arguments.purpose))


async def _delete_file(client: Any, arguments: argparse.Namespace) -> None:
    _show_one(arguments, await client.files.delete(arguments.id))


async def _list_batches(client: Any, arguments: argparse.Namespace) -> None:
    found = await _first(client.batches.list(limit=arguments.limit), arguments.limit)
    _show_all(
        arguments,
        found,
        ("id", "status", "endpoint", "done", "failed", "created"),
        [(each.id, each.status, each.endpoint, *_counts(each), day_of(each.created_at)) for each in found],
        right=(3, 4),
    )


def _counts(batch: Any) -> tuple[str, str]:
    counts = batch.request_counts
    return ("", "") if counts is None else (f"{counts.completed:,} of {counts.total:,}", f"{counts.failed:,}")


async def _get_batch(client: Any, arguments: argparse.Namespace) -> None:
    _show_one(arguments, await client.batches.retrieve(arguments.id))


async def _cancel_batch(client: Any, arguments: argparse.Namespace) -> None:
    _show_one(arguments, await client.batches.cancel(arguments.id))


async def _first(pages: Any, limit: int) -> list[Any]:
    found: list[Any] = []
    async for each in pages:
        found.append(each)
        if len(found) == limit:
            break
    return found


def _show_all(
    arguments: argparse.Namespace, found: list[Any], columns: tuple[str, ...], rows: list[Any], right: tuple[int, ...]
) -> None:
    if arguments.json:
        for each in found:
            say_json(each.to_dict())
    else:
        say_table(columns, rows, right=right)


def _show_one(arguments: argparse.Namespace, found: Any) -> None:
    if arguments.json:
        say_json(found.to_dict())
        return
    values = found.to_dict()
    width = max(map(len, values), default=0)
    for name, value in values.items():
        if value is not None:
            say(f"{name:<{width}}  {value}")
