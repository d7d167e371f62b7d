"""The progress of a job in figures and words: lines, tokens, cost, the reasons of failures and of waits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from aiopenai._jobs.usage import Tokens
from aiopenai.errors import APIError, APIStatusError

__all__ = ["JobProgress", "Prices", "reason_of"]

# The seconds over which the rate is measured.
_RATE_SECONDS = 15.0
# The longest reason that is shown, in characters.
_REASON_LENGTH = 160


class Prices:
    """The price of a million tokens, read and written; 0 where it is not given."""

    def __init__(self, read: float | None = None, written: float | None = None) -> None:
        self.known = read is not None or written is not None
        self._read = read or 0.0
        self._written = written or 0.0

    def of(self, read: int, written: int) -> float:
        """Returns the price of so many tokens."""
        return (read * self._read + written * self._written) / 1e6


class JobProgress:
    """The progress of a job of `total` lines; None if their number is not known.

    `done` and `failed` count lines, with those of earlier runs; `read` and `written` count this run's tokens. `note` is
    a remark of the engine, `waits` a function that explains a wait, and `trouble` the last failure of an attempt.
    """

    def __init__(self, total: int | None, prices: Prices | None = None, *, done: int = 0, failed: int = 0) -> None:
        self.total = total
        self.done = done
        self.failed = failed
        self.read = self.written = 0
        self.note = ""
        self.trouble = ""
        self.waits: Callable[[], str] = str
        # The failures of this run by kind, each with its number and first reason.
        self.kinds: dict[str, tuple[int, str]] = {}
        self._prices = prices or Prices()
        self._before = done + failed
        self._began = time.monotonic()
        # Times and counts of the last looks, for the rate.
        self._looks: deque[tuple[float, int]] = deque()

    def begin(self) -> None:
        """Starts the clock."""
        self._began = time.monotonic()
        self._looks.append((self._began, self._before))

    @property
    def ended(self) -> int:
        """The lines that are done or failed."""
        return self.done + self.failed

    def ended_of_total(self) -> str:
        """Returns the ended lines and their total as words."""
        return f"{self.ended:,}" if self.total is None else f"{self.ended:,} of {self.total:,}"

    def count(self, usage: Tokens | None) -> None:
        """Adds the tokens of a reply."""
        if usage is not None:
            self.read += usage.read
            self.written += usage.written

    def note_trouble(self, error: BaseException) -> None:
        """Keeps the failure of an attempt."""
        self.trouble = ": ".join(reason_of(error))

    def fail(self, kind: str, reason: str) -> None:
        """Counts a failure."""
        self.failed += 1
        number, first = self.kinds.get(kind, (0, reason))
        self.kinds[kind] = number + 1, first

    def facts(self) -> str:
        """Returns failures, rate, tokens, cost, time left and the reason of a wait, as far as they are known."""
        now = time.monotonic()
        looks = self._looks
        looks.append((now, self.ended))
        while len(looks) > 2 and now - looks[0][0] > _RATE_SECONDS:
            looks.popleft()
        at, ended = looks[0]
        rate = (self.ended - ended) / (now - at) if now > at else 0.0
        parts = [self._failed_words(), f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        if self.read or self.written:
            parts.append(f"{self.read + self.written:,} tokens")
        if self._prices.known:
            parts.append(self._cost())
        if rate and self.total is not None and self.total > self.ended:
            parts.append(f"{_clock_time((self.total - self.ended) / rate)} left")
        if self.note:
            parts.append(self.note)
        if waits := self.waits():
            parts.append(waits)
        if self.trouble:
            parts.append(f"last error: {self.trouble}")
        return ", ".join(parts)

    def summary(self) -> str:
        """Returns the end of the job in one line."""
        total = "" if self.total is None else f" of {self.total:,}"
        text = f"{self.done:,}{total} done, {self.failed:,} failed"
        now = self.ended - self._before
        if now:
            seconds = time.monotonic() - self._began
            text += f"; {now:,} in {seconds:,.1f} s ({now / max(seconds, 1e-3):,.0f}/s)"
        if self.read or self.written:
            text += f", {self.read:,} tokens read, {self.written:,} written"
        if self._prices.known:
            text += f", {self._cost()}"
        return text

    def failures(self) -> list[str]:
        """Returns a line for each kind of failure in this run, the most frequent first."""
        kinds = sorted(self.kinds.items(), key=lambda item: -item[1][0])
        return [f"{number:,} x {kind}: {first}" for kind, (number, first) in kinds]

    def _failed_words(self) -> str:
        words = f"{self.failed:,} failed"
        if not self.kinds:
            return words
        kind, (number, _) = max(self.kinds.items(), key=lambda item: item[1][0])
        return f"{words} ({number:,} x {kind})"

    def _cost(self) -> str:
        return f"${self._prices.of(self.read, self.written):,.4f}"


def reason_of(error: BaseException) -> tuple[str, str]:
    """Returns the kind of an error and its text, on one line and not too long."""
    kind = type(error).__name__
    text = str(error)
    if isinstance(error, APIStatusError):
        text = error.message
        kind = f"{kind} {error.status_code}"
    if isinstance(error, APIError):
        code = error.code or error.type
        kind = f"{kind} ({code})" if code else kind
    text = " ".join(text.split())
    return kind, text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}..."


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
