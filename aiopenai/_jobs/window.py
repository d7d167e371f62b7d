"""The number of requests that may be in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

__all__ = ["Window"]


class Window:
    """The number of requests that may be in flight.

    It begins small and grows by one with each reply until a reason to slow down appears: a refusal (429), failures of
    the server, or replies that take twice as long as the best ones did. From then on it grows slowly. Requests sent
    before a decrease do not cause another one. Replies may also be slow for reasons of their own, such as long
    answers: if they are no faster after a decrease, it is taken back and the new latency counts as normal.
    """

    __slots__ = (
        "_base",
        "_begun",
        "_busy",
        "_ceiling",
        "_count",
        "_failed",
        "_samples",
        "_slow_start",
        "_trial",
        "bound",
        "round",
        "size",
    )

    START = 32.0
    # Fewer failures than this share of a round's replies are accidents and say nothing about the load.
    FAILURES = 0.05
    SLOW = 2.0

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"concurrency must be at least 1, not {bound}")
        self.bound = float(bound)
        self.size = min(self.START, self.bound)
        self.round = 0
        self._slow_start = True
        self._base: float | None = None
        # The size before the last decrease, and the size and latency to compare with after a trial.
        self._ceiling = self.bound
        self._trial: tuple[float, float] | None = None
        self._samples: list[float] = []
        self._count = self._failed = 0
        self._busy = False
        # The size when this round began.
        self._begun = self.size

    def succeeded(self, round: int, running: int, latency: float) -> None:
        """Records a reply to a request of this round after `latency` seconds, with `running` requests in flight."""
        if round != self.round:
            return
        if running >= 0.9 * self.size - 1:
            self._busy = True
            if self._slow_start:
                self.size = min(self.size + 1, self.bound)
        if self._count % (1 + int(self.size) // 64) == 0:
            self._samples.append(latency)
        self._counted()

    def expect(self, size: float) -> None:
        """Grows at once to the size that the server's known rates need."""
        if self._slow_start and size > self.size:
            self.size = min(size, self.bound)

    def failed(self, round: int) -> None:
        """Records that the server failed a request of this round, or did not answer."""
        if round == self.round:
            self._failed += 1
            self._counted()

    def refused(self, round: int, *, known: bool) -> None:
        """Records a refusal (429) in this round. `known` says that the rates are known, so that refusals are rare."""
        if round == self.round:
            self._shrink(0.9 if known else 0.5)

    def _counted(self) -> None:
        self._count += 1
        if self._count >= max(10.0, self._begun):
            self._review()

    def _review(self) -> None:
        """Decides about the size at the end of a round."""
        samples, busy = sorted(self._samples), self._busy
        if self._failed >= max(2.0, self.FAILURES * self._count):
            self._shrink(0.7)
            return
        if samples and self._is_slow(samples[len(samples) // 2], busy):
            return
        if busy and not self._slow_start:
            # Quickly back to the size that worked before, slowly beyond it.
            step = 0.25 * self.size if self.size < 0.8 * self._ceiling else max(1.0, 0.02 * self.bound)
            self.size = min(self.size + step, self.bound)
        self._begin()

    def _is_slow(self, median: float, busy: bool) -> bool:
        """Returns whether the size was changed because of the latency."""
        base = self._base
        trial, self._trial = self._trial, None
        if trial is not None:
            size, before = trial
            if median > 0.85 * before:
                # No faster with fewer requests: the load is not the reason.
                self._base = median
                self.size = size
                self._begin()
                return True
        if base is None or median < base:
            self._base = median
        elif median > self.SLOW * base and busy and self.size > 1:
            # These replies belong to requests sent at the size with which the round began, or a smaller one.
            size, begun = self.size, min(self._begun, self.size)
            self._shrink(0.7 * begun / size)
            self._trial = size, median
            return True
        else:
            # The best latency of long ago need not be possible today.
            self._base = base * 1.002
        return False

    def _shrink(self, factor: float) -> None:
        self._ceiling = self.size
        self._slow_start = False
        self.size = max(1.0, self.size * factor)
        self.round += 1
        self._trial = None
        self._begin()

    def _begin(self) -> None:
        self._samples = []
        self._count = self._failed = 0
        self._busy = False
        self._begun = self.size
