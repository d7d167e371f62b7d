"""The attempts of a call: the first one, its hedge, the retries after a failure, and the deadline for all of them.

The first attempt runs outside tenacity, which is imported after the first failure of a process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from msgspec import structs

from aiopenai._base.deadlines import within
from aiopenai._base.imports import import_in_thread
from aiopenai._base.secret import Secret, without_frames
from aiopenai._calls.header_blocks import HeaderBlocks
from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.provider import Provider
from aiopenai._calls.replies import log_reply, status_error
from aiopenai._calls.request import shown_path
from aiopenai._calls.shared_sessions import SharedSessions
from aiopenai._http.messages import HTTPRequest
from aiopenai.errors import APIConnectionError, APIError, APITimeoutError

if TYPE_CHECKING:
    from aiopenai._http.interface import Reply, Session

__all__ = ["Answer", "Attempts", "retried"]

T = TypeVar("T")
# The reply, its body if that was read, and the number of retries before it.
Answer: TypeAlias = "tuple[Reply, bytes | None, int]"

log = logging.getLogger("aiopenai")


class Attempts:
    """Sends prepared calls. One object serves all calls of a configuration."""

    def __init__(self, sessions: SharedSessions, blocks: HeaderBlocks, provider: Provider) -> None:
        self._sessions = sessions
        self.blocks = blocks
        self._provider = provider
        self._authorizes = provider.authorizes

    # Functions that return the inner coroutine instead of awaiting it: each `async def` costs one frame per call in
    # flight, and 10,000 calls are in flight at once.

    def run(self, call: PreparedCall, read: bool, taken: int = 0) -> Coroutine[Any, Any, Answer]:
        """Returns the reply, with its body if `read`, after as many attempts as are due."""
        if call.deadline is not None:
            return self._within(call, call.deadline, read, taken)
        return self._attempt(call, read, taken, True) if call.hedge is None else self._with_retries(call, read, taken)

    async def _within(self, call: PreparedCall, deadline: float, read: bool, taken: int) -> Answer:
        try:
            return await within(deadline, self.run(structs.replace(call, deadline=None), read, taken))
        except APIError as error:
            # Without the frames of the deadline and of the attempt, which are the same for each call.
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        except asyncio.TimeoutError as error:
            request = HTTPRequest(call.request.endpoint.method, call.url)
            message = f"Request timed out: not done within the deadline of {deadline} s."
            # The frames of the cancelled attempt hold its headers.
            raise APITimeoutError(request, message=message) from without_frames(error)

    async def _with_retries(self, call: PreparedCall, read: bool, taken: int) -> Answer:
        """Returns the reply of one attempt, or of the quicker one of two, and after a failure that of further ones."""
        try:
            return await self._hedged(call, read, taken)
        except APIError as error:
            if not _may_retry(call, error):
                raise
            failure = error
        try:
            return await self._after(call, read, failure, taken)
        finally:
            del failure

    def _hedged(self, call: PreparedCall, read: bool, taken: int) -> Coroutine[Any, Any, Answer]:
        """Returns the reply of one attempt, or of the quicker one of two."""
        if call.hedge is None:
            return self._attempt(call, read, taken, False)
        kind = f"{call.request.endpoint.method} {call.request.endpoint.path}"
        return call.hedge.race(kind, lambda: self._attempt(call, read, taken, False), lambda answer: answer[0].close())

    async def _attempt(self, call: PreparedCall, read: bool, taken: int, retries: bool) -> Answer:
        """Makes one attempt, and further ones after a failure if `retries`.

        A coroutine of its own for the retries would be there for each call in flight.
        """
        request, watch = call.request, call.watch
        method = request.endpoint.method
        if watch is not None:
            watch.attempt(taken + 1)
        session = self._sessions.current() or await self._sessions.open(method, call.url)
        try:
            # The headers hold the key, and are never a plain local variable: error reporters print those.
            own = Secret(await self.blocks.authorized(call, taken)) if self._authorizes else None
            reply = await session.send(
                method,
                call.url,
                self.blocks.of(call, taken) if own is None else own.value,
                call.body,
                call.timeout,
            )
            if reply.status >= 300:
                reply = await self._settled(session, call, reply, taken, own)
                if reply.status >= 300:
                    raise await status_error(request, reply, taken)
            raw: bytes | None = None
            if read:
                raw = reply.whole()
                if raw is None:
                    raw = await reply.read()
        except APIError as error:
            error.replayable = error.replayable and call.rebuildable
            if session.closed and isinstance(error, APIConnectionError):
                raise self._sessions.closed_error(method, call.url) from error
            if not (retries and _may_retry(call, error)):
                raise
            failure = error
        except Exception as error:
            # An error of the program's file or iterator. Its frames below hold the headers, and tools show variables.
            from traceback import clear_frames

            clear_frames(error.__traceback__)
            raise
        else:
            if watch is not None:
                watch.head(reply.status, reply.headers.get("x-request-id"))
            if log.isEnabledFor(logging.INFO):
                log_reply(request, reply)
            return reply, raw, taken
        # Outside the `except` block: errors of retries would otherwise have this one as their context.
        try:
            return await self._after(call, read, failure, taken)
        finally:
            del failure

    async def _settled(
        self,
        session: Session,
        call: PreparedCall,
        reply: Reply,
        taken: int,
        own: Secret[Mapping[str, str]] | None,
    ) -> Reply:
        """Returns the reply after redirects were followed, and credentials were renewed.

        `own` are the headers of an attempt that the provider authorized.
        """
        if reply.status == 401 and own is not None and call.rebuildable and await self._provider.renew(own.value):
            # Read, so that the connection is free for the second request.
            await reply.read()
            own = Secret(await self.blocks.authorized(call, taken))
            reply = await session.send(call.request.endpoint.method, call.url, own.value, call.body, call.timeout)
        if reply.status < 400 and self._provider.follows_redirects:
            redirects = await import_in_thread("aiopenai._calls.redirects")
            headers = Secret(self.blocks.of(call, taken)) if own is None else own
            reply = await redirects.follow(session, call, reply, headers, self._sessions.block)
        return reply

    async def _after(self, call: PreparedCall, read: bool, failure: APIError, taken: int) -> Answer:
        try:
            return await self.again(call, read, failure, taken)
        except APIError as error:
            # Without the frames of the attempts, which are the same for each call.
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        finally:
            del failure

    async def again(self, call: PreparedCall, read: bool, failure: APIError, taken: int) -> Answer:
        """Returns the reply of the attempts after one that failed, by the call's policy."""
        rules = await import_in_thread("aiopenai.retry")
        policy = rules.policy(call.max_retries - taken, call.retry)
        if call.watch is not None:
            policy.before_sleep = call.watch.before_sleep(policy.before_sleep)
        path = shown_path(call.request.path)

        def attempt() -> Coroutine[Any, Any, Answer]:
            nonlocal taken
            taken += 1
            log.info("Attempt %d of %s %s", taken + 1, call.request.endpoint.method, path)
            return self._hedged(call, read, taken)

        try:
            return await retried(policy, failure, attempt)
        finally:
            del failure


def _may_retry(call: PreparedCall, error: APIError) -> bool:
    """Returns whether further attempts are due after an error.

    A policy of the program may retry anything; it cannot retry once the body is spent.
    """
    return error.replayable and error.retryable and bool(call.max_retries or call.retry is not None)


async def retried(policy: Any, failure: APIError, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Returns the result of further attempts. For the tenacity policy, the failed one counts as the first.

    An error leaves without its traceback: ten frames of tenacity and of the attempt tell a reader nothing. Without
    them no frame keeps the error alive, either.
    """
    failures = [failure]
    del failure

    async def attempt_or_failure() -> T:
        if failures:
            raise failures.pop()
        return await attempt()

    try:
        return cast("T", await policy(attempt_or_failure))
    except APIError as error:
        raise error.with_traceback(None)  # noqa: B904 - it is the same error
