"""`aiopenai chat`: answers as they arrive, in a conversation on a terminal or once in a pipe."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import stat
import sys
from typing import Any, NamedTuple

from aiopenai._cli.connection import CommandError, add_server_options, as_command, command_client
from aiopenai._cli.display import painted, say_json
from aiopenai._cli.options import positive, seconds
from aiopenai._cli.output import notify, say

__all__ = ["add_arguments"]

_ENDINGS = {"/exit", "/quit", "/bye"}


class ChatTotals(NamedTuple):
    """The tokens of a conversation."""

    read: int = 0
    written: int = 0
    known: bool = False

    def plus(self, usage: Any) -> ChatTotals:
        """Returns the totals with those of one more reply."""
        if usage is None:
            return self
        return ChatTotals(self.read + (usage.prompt_tokens or 0), self.written + (usage.completion_tokens or 0), True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.description = (
        "Ask a model. On a terminal without PROMPT it keeps a conversation; /exit or Ctrl-D ends it. In a pipe "
        "standard input is the prompt, or follows PROMPT."
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="the question")
    parser.add_argument("--model", default="gpt-4o-mini", help="%(default)s")
    parser.add_argument("--system", help="instructions for the model")
    parser.add_argument("--max-tokens", type=positive, help="the longest answer, in tokens")
    parser.add_argument("--price-in", type=seconds, metavar="DOLLARS", help="of a million tokens read")
    parser.add_argument("--price-out", type=seconds, metavar="DOLLARS", help="of a million tokens written")
    add_server_options(parser)
    parser.set_defaults(command=as_command("chat", _chat))


async def _chat(arguments: argparse.Namespace) -> None:
    messages: list[Any] = []
    if arguments.system:
        messages.append({"role": "system", "content": arguments.system})
    conversation = arguments.prompt is None and sys.stdin.isatty()
    totals = ChatTotals()
    async with command_client(arguments) as client:
        if not conversation:
            messages.append({"role": "user", "content": _prompt(arguments.prompt)})
            totals = totals.plus(await _answer(client, arguments, messages))
        else:
            loop = asyncio.get_running_loop()
            notify(f"{arguments.model}; /exit or Ctrl-D ends")
            while (question := await loop.run_in_executor(None, _question)) is not None:
                if question:
                    messages.append({"role": "user", "content": question})
                    totals = totals.plus(await _answer(client, arguments, messages))
    _show_totals(arguments, totals)


def _question() -> str | None:
    """Returns the next line of the user; None at the end."""
    try:
        question = input(painted("> ", "bold green")).strip()
    except EOFError:
        say()
        return None
    return None if question in _ENDINGS else question


def _prompt(given: str | None) -> str:
    """Returns the prompt of a call in a pipe: the argument, and standard input if that is a pipe or a file."""
    piped = ""
    if given is None or _has_input():
        piped = sys.stdin.read()
    prompt = "\n\n".join(part for part in (given or "", piped) if part.strip())
    if not prompt:
        raise CommandError("no prompt: give it as an argument or on standard input")
    return prompt


def _has_input() -> bool:
    # A socket or a device that never ends is no prompt.
    with contextlib.suppress(OSError, ValueError):
        mode = os.fstat(sys.stdin.fileno()).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
    return False


async def _answer(client: Any, arguments: argparse.Namespace, messages: list[Any]) -> Any:
    """Streams one answer, adds it to the messages, and returns its usage."""
    from aiopenai._base.sentinels import omit

    options = {"model": arguments.model, "messages": messages, "max_completion_tokens": arguments.max_tokens or omit}
    parts: list[str] = []
    usage: Any = None
    stream = await client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True})
    async with stream:
        async for chunk in stream:
            usage = chunk.usage or usage
            if chunk.choices and (text := chunk.choices[0].delta.content):
                parts.append(text)
                if not arguments.json:
                    say(text, end="", flush=True)
    answer = "".join(parts)
    messages.append({"role": "assistant", "content": answer})
    if arguments.json:
        say_json({"model": arguments.model, "answer": answer, "usage": usage.to_dict() if usage else None})
    else:
        say()
    return usage


def _show_totals(arguments: argparse.Namespace, totals: ChatTotals) -> None:
    from aiopenai._jobs.progress import Prices

    if not totals.known or arguments.json:
        return
    text = f"{totals.read:,} tokens read, {totals.written:,} written"
    prices = Prices(arguments.price_in, arguments.price_out)
    if prices.known:
        text += f", ${prices.of(totals.read, totals.written):,.6f}"
    notify(painted(text, "dim", sys.stderr))
