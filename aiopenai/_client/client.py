"""The clients' configuration and life, and the one place that knows about attempts; and the asynchronous client.

A call goes: resource method -> Request -> `send` -> transport (one attempt) -> codec -> reply. What does not change
between calls (URL, headers, limits, decoders) is made once; what goes wrong is tried again by the rules of retry.py,
which is imported, with tenacity, when the first thing goes wrong.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast, get_args, get_origin
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

import msgspec
from typing_extensions import Self, override

from aiopenai._base.aliases import is_list
from aiopenai._base.deadlines import within
from aiopenai._base.headers import OWN_HEADERS, drop, from_environment, has, merged
from aiopenai._base.imports import import_in_thread
from aiopenai._base.querystring import encode_query
from aiopenai._base.sentinels import NotGiven, Omit, is_left_out, not_given
from aiopenai._base.timeouts import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Timeout, TimeoutTypes
from aiopenai._base.urls import redirected, same_origin, shown
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.hedging import HedgePolicy, harmless
from aiopenai._calls.methods import Async, AsyncRaw, AsyncStreaming, M, Mode
from aiopenai._calls.paging import link
from aiopenai._calls.raw import AsyncAPIResponse, LegacyAPIResponse
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.streaming import AsyncStream, Events, Stream
from aiopenai._calls.watching import Hooked, Hooks, Watch
from aiopenai._client.many import Many
from aiopenai._client.verbs import Verbs
from aiopenai._data.codec import Decoder, Node, decode_json, encode
from aiopenai._data.sse import MAX_EVENT_BYTES
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse, charset_of
from aiopenai._http.multipart import MultipartBody
from aiopenai.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
    OpenAIError,
    error_from_response,
)
from aiopenai.resources import Resources
from aiopenai.version import __version__

if TYPE_CHECKING:
    import ssl as ssl_module
    from types import ModuleType

    import aiohttp
    from tenacity import BaseRetrying

    from aiopenai._client.loops import Lease, Runners
    from aiopenai._http.transport import Session, SessionReply, Sessions

__all__ = ["AsyncClient", "AsyncOpenAI", "BaseClient"]

T = TypeVar("T")

log = logging.getLogger("aiopenai")

DEFAULT_BASE_URL = "https://api.openai.com/v1"
MAX_RESPONSE_BYTES = 2**30
MAX_REDIRECTS = 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REGIONS = {region: f"https://{region}.api.openai.com/v1" for region in ("us", "eu", "ae", "au", "in", "jp")}
_REGIONS["global"] = DEFAULT_BASE_URL

_set_request_id: Callable[[Any, Any], None] = cast("Any", Node)._request_id.__set__


class _Call:
    """One call made ready: what all its attempts have in common."""

    __slots__ = (
        "body",
        "deadline",
        "hedge",
        "idempotency_key",
        "max_retries",
        "request",
        "retry",
        "taken",
        "timeout",
        "url",
        "watch",
    )

    request: Request[Any]
    url: str
    body: bytes | MultipartBody | Any
    timeout: Timeout
    max_retries: int
    retry: BaseRetrying | None
    idempotency_key: str | None
    deadline: float | None
    hedge: HedgePolicy | None
    taken: int
    watch: Watch | None

    @property
    def rebuildable(self) -> bool:
        """Whether the body can be sent once more."""
        body = self.body
        if body is None or isinstance(body, (bytes, bytearray)):
            return True
        return isinstance(body, MultipartBody) and body.replayable


class BaseClient(Hooked, Verbs[M], Resources[M]):
    """The client. Options that are not given are taken from the environment where the reference does so.

    - `api_key`: `OPENAI_API_KEY`; a function, plain or async, is asked before each attempt. `admin_api_key`
      (`OPENAI_ADMIN_KEY`), `organization` (`OPENAI_ORG_ID`), `project` (`OPENAI_PROJECT_ID`), `webhook_secret`
      (`OPENAI_WEBHOOK_SECRET`), `base_url` (`OPENAI_BASE_URL`; `data_residency` names a region's instead),
      `default_headers` (added to `OPENAI_CUSTOM_HEADERS`), `default_query`.
    - `timeout`: seconds, None or a `Timeout` (default 600 s, 5 s to connect). `max_retries`: further attempts after
      the first (default 2). `retry`: a tenacity policy that replaces parts of the package's own. `deadline`: seconds
      for all attempts together, waits included. `hedge`: a `HedgePolicy` by which late calls are made twice.
    - `http_client`: an `aiohttp.ClientSession` to be used as it is and never closed here; or `connector` (an aiohttp
      connector, or a function that makes one for each event loop), `proxy`, `ssl`, `trust_env` (proxies from the
      environment; on) for the sessions of our own.
    - `hooks`: what is told of each call (hooks.py); `on_request(function)` and the like add single functions.
    - `max_response_bytes` (1 GiB) and `max_event_bytes` (256 MiB) bound what a server can make the client hold.

    One client works in any number of event loops, in turn and in threads. Raises OpenAIError where no key is given,
    TypeError and ValueError for options that cannot be.
    """

    mode: ClassVar[type[Mode]]

    api_key: str
    admin_api_key: str | None
    organization: str | None
    project: str | None
    webhook_secret: str | None
    websocket_base_url: str | None
    max_retries: int

    def __init__(
        self,
        *,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        admin_api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        base_url: str | None | NotGiven = not_given,
        data_residency: Literal["global", "us", "eu", "ae", "au", "in", "jp"] | None = None,
        websocket_base_url: str | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | Callable[[], aiohttp.BaseConnector] | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | bool | aiohttp.Fingerprint = True,
        trust_env: bool = True,
        retry: BaseRetrying | None = None,
        deadline: float | None = None,
        hedge: HedgePolicy | None = None,
        hooks: Hooks | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
        _strict_response_validation: bool = False,
        _enforce_credentials: bool = True,
    ) -> None:
        env = os.environ
        if api_key is None:
            api_key = env.get("OPENAI_API_KEY")
        self._api_key_provider = api_key if callable(api_key) else None
        self.api_key = "" if api_key is None or callable(api_key) else api_key
        self.admin_api_key = admin_api_key if admin_api_key is not None else env.get("OPENAI_ADMIN_KEY")
        if _enforce_credentials and not (self.api_key or self._api_key_provider or self.admin_api_key):
            raise OpenAIError(
                "No credentials: pass api_key (or admin_api_key) to the client, or set the environment variable "
                "OPENAI_API_KEY (or OPENAI_ADMIN_KEY)."
            )
        self.organization = organization if organization is not None else env.get("OPENAI_ORG_ID")
        self.project = project if project is not None else env.get("OPENAI_PROJECT_ID")
        self.webhook_secret = webhook_secret if webhook_secret is not None else env.get("OPENAI_WEBHOOK_SECRET")
        self.websocket_base_url = websocket_base_url
        self._default_headers: dict[str, Any] = {**from_environment(), **(default_headers or {})}
        self._default_query: dict[str, object] = dict(default_query or {})
        self._own_timeout = Timeout.of(DEFAULT_TIMEOUT if isinstance(timeout, NotGiven) else timeout)
        self.max_retries = _checked_retries(max_retries)
        self._retry = _checked_policy(retry)
        self._deadline = _checked_deadline(deadline)
        self._hedge = _checked_hedge(hedge)
        self._strict = _strict_response_validation
        self._enforce_credentials = _enforce_credentials
        self._max_event_bytes = max_event_bytes
        self._check_wiring(http_client, connector)
        # For the sessions, which are not made before they are needed; copies of the client share them.
        wiring: dict[str, Any] = {
            "http_client": http_client,
            "connector": connector,
            "proxy": proxy,
            "ssl": ssl,
            "trust_env": trust_env,
            "max_response_bytes": max_response_bytes,
        }
        self._sessions = _Shared(wiring)
        self._headers: dict[Any, tuple[Mapping[str, str], dict[str, Any]]] = {}
        self._query = ""
        self._root = ""
        self._login = ""
        if data_residency is not None:
            if not isinstance(base_url, NotGiven):
                raise ValueError("data_residency and base_url exclude each other")
            if data_residency not in _REGIONS:
                raise ValueError(f"data_residency must be one of {', '.join(sorted(_REGIONS))}")
            base_url = _REGIONS[data_residency]
        if base_url is None or isinstance(base_url, NotGiven):
            base_url = env.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        self.base_url = base_url
        if hooks is not None:
            self.add_hooks(hooks)
        self._bind(self, self.mode)

    def _check_wiring(self, http_client: Any, connector: Any) -> None:
        """Raise TypeError for a session or a connector that this client cannot use."""
        # An httpx client, say, would fail late and strangely. aiohttp need not be imported to tell.
        aiohttp_module = sys.modules.get("aiohttp")
        if http_client is not None and (
            aiohttp_module is None or not isinstance(http_client, aiohttp_module.ClientSession)
        ):
            name = f"{type(http_client).__module__}.{type(http_client).__name__}"
            raise TypeError(f"http_client must be an aiohttp.ClientSession, not {name}")

    @property
    def base_url(self) -> str:
        """Where requests go, with a slash at its end. A user and password in it are sent in place of the key."""
        return (self._root.replace("://", f"://{self._login}@", 1) if self._login else self._root) + "/"

    @base_url.setter
    def base_url(self, url: str) -> None:
        text = str(url)
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url must be an http or https URL, not {shown(text)!r}")
        self._login, _, host = parts.netloc.rpartition("@")
        self._root = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._query = parts.query
        self._headers = {}

    @property
    def timeout(self) -> Timeout:
        """The limits of each attempt, where a call has none of its own."""
        return self._own_timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None:
        self._own_timeout = Timeout.of(timeout)

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        """The headers sent with every request, credentials not among them."""
        headers: dict[str, str | Omit] = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"{type(self).__name__}/aiopenai {__version__}",
        }
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        return merged(headers, self._default_headers)

    @property
    def default_query(self) -> dict[str, object]:
        """The query parameters sent with every request."""
        return dict(self._default_query)

    def copy(
        self,
        *,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        admin_api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        websocket_base_url: str | None = None,
        base_url: str | None | NotGiven = not_given,
        data_residency: Literal["global", "us", "eu", "ae", "au", "in", "jp"] | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        http_client: aiohttp.ClientSession | None = None,
        max_retries: int | NotGiven = not_given,
        default_headers: Mapping[str, str] | None = None,
        set_default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        retry: BaseRetrying | None = None,
        deadline: float | None | NotGiven = not_given,
        hedge: HedgePolicy | None | NotGiven = not_given,
        _enforce_credentials: bool | None = None,
        _extra_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """A client with some options changed that shares this one's connections.

        `default_headers` and `default_query` are added to this client's, `set_default_headers` and
        `set_default_query` replace them. Raises ValueError where both are given.
        """
        for name, added, instead in (
            ("headers", default_headers, set_default_headers),
            ("query", default_query, set_default_query),
        ):
            if added is not None and instead is not None:
                raise ValueError(f"default_{name} and set_default_{name} exclude each other")
        headers = self._default_headers if set_default_headers is None else set_default_headers
        query = self._default_query if set_default_query is None else set_default_query
        if isinstance(base_url, NotGiven) and data_residency is None:
            base_url = f"{self.base_url}?{self._query}" if self._query else self.base_url
        twin = type(self)(
            api_key=api_key or self._api_key_provider or self.api_key,
            admin_api_key=admin_api_key or self.admin_api_key,
            organization=organization or self.organization,
            project=project or self.project,
            webhook_secret=webhook_secret or self.webhook_secret,
            websocket_base_url=websocket_base_url or self.websocket_base_url,
            base_url=base_url,
            data_residency=data_residency,
            timeout=self._own_timeout if isinstance(timeout, NotGiven) else timeout,
            max_retries=self.max_retries if isinstance(max_retries, NotGiven) else max_retries,
            retry=retry or self._retry,
            deadline=self._deadline if isinstance(deadline, NotGiven) else deadline,
            hedge=self._hedge if isinstance(hedge, NotGiven) else hedge,
            http_client=http_client,
            max_event_bytes=self._max_event_bytes,
            _strict_response_validation=self._strict,
            _enforce_credentials=self._enforce_credentials if _enforce_credentials is None else _enforce_credentials,
            **(_extra_kwargs or {}),
        )
        twin._default_headers = {**headers, **(default_headers or {})}
        twin._default_query = {**query, **(default_query or {})}
        twin._hooks = self._hooks
        if http_client is None:
            twin._sessions = self._sessions
        else:
            twin._sessions = _Shared({**self._sessions.wiring, "http_client": http_client})
        return twin

    with_options = copy

    @property
    def resources(self) -> Resources[Async]:
        """The resources with coroutines, whatever the client: what helpers call."""
        return Resources[Async](self, Async)

    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._sessions.closed

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} base_url={shown(self.base_url)!r}>"

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, _: Any) -> Self:
        return self.copy()

    @override
    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} cannot be pickled: it holds a key. Make a client where it is needed.")

    # Sending

    def caller(self, mode: type[Mode]) -> Callable[[Request[Any]], Any]:
        """The function that sends a request in the given mode."""
        callers: dict[type[Mode], Callable[[Request[Any]], Any]] = {
            Async: self.perform,
            AsyncRaw: self.perform_raw,
            AsyncStreaming: self._perform_streaming,
        }
        return callers[mode]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end: for the blocking client alone."""
        coroutine.close()
        raise TypeError(f"{type(self).__name__} does not run coroutines: await them")

    async def perform(self, request: Request[T], lease: Lease | None = None, kind: Any = None) -> T:
        """Send a request and give its reply, on the running loop, whatever the client.

        A stream is read on the loop of `lease`, if there is one; `kind` replaces the type of the reply. Raises
        APIStatusError, APIConnectionError, APITimeoutError, APIResponseValidationError, each after what attempts are
        due.
        """
        call = self._prepare(request)
        value: Any
        try:
            reply, raw = await self._exchange(call, read=not request.stream)
            if raw is None:
                value = self._stream(call, reply, lease=lease)
            else:
                value = self._parse(request, reply, raw, kind or request.endpoint.reply)
        except BaseException as error:
            if call.watch is not None:
                call.watch.failed(error)
            raise
        if call.watch is not None:
            call.watch.answered(value)
        return value  # type: ignore[no-any-return]  # `cast` would be a call

    async def perform_raw(
        self, request: Request[Any], lease: Lease | None = None, kind: Any = None
    ) -> LegacyAPIResponse[Any]:
        """The same, with the reply's headers."""
        call = self._prepare(request)
        return self._unread(call, *await self._unparsed(call, read=not request.stream), lease, kind)

    async def attempt(self, request: Request[T], *, taken: int = 0) -> LegacyAPIResponse[T]:
        """Send a request once, after `taken` other attempts: for who tries again by rules of their own.

        Raises APIStatusError, APIConnectionError and APITimeoutError; `replayable` tells whether it can be sent again.
        """
        call = self._prepare(request)
        call.taken = taken
        # For hooks it is a call of its own.
        call.max_retries, call.retry = 0, None
        return self._unread(call, *await self._unparsed(call, read=not request.stream))

    def _unread(
        self, call: _Call, reply: SessionReply, raw: bytes | None, lease: Lease | None = None, kind: Any = None
    ) -> LegacyAPIResponse[Any]:
        request = call.request

        def parse(to: Any) -> Any:
            if raw is None:
                return self._stream(call, reply, to, lease)
            return self._parse(request, reply, raw, to or kind or request.endpoint.reply)

        return LegacyAPIResponse(cast("Any", reply), raw or b"", parse, call.taken)

    def _perform_streaming(self, request: Request[Any]) -> AbstractAsyncContextManager[AsyncAPIResponse[Any]]:
        return _Streaming(self, request)

    async def open_response(
        self, request: Request[Any], lease: Lease | None = None, kind: Any = None
    ) -> AsyncAPIResponse[Any]:
        """Send a request and give its reply with the body unread."""
        call = self._prepare(request)
        if call.watch is not None:
            # Who reads the body himself is left alone with it.
            call.watch.call.stream = False
        reply, _ = await self._unparsed(call, read=False)
        call.watch = None

        async def parse(raw: bytes | None, to: Any) -> Any:
            if request.stream:
                return self._stream(call, reply, to, lease)
            content = await reply.read() if raw is None else raw
            return self._parse(request, reply, content, to or kind or request.endpoint.reply)

        return AsyncAPIResponse(cast("Any", reply), parse, call.taken)

    def _prepare(self, request: Request[Any]) -> _Call:
        """Encode the body and settle the options: all errors of the caller's own are raised here."""
        call = _Call()
        endpoint = request.endpoint
        call.request = request
        options = request.options
        if options:
            timeout = options.get("timeout", not_given)
            call.timeout = self._own_timeout if isinstance(timeout, NotGiven) else Timeout.of(timeout)
            retries = options.get("max_retries", not_given)
            call.max_retries = self.max_retries if isinstance(retries, NotGiven) else _checked_retries(retries)
            call.retry = _checked_policy(options.get("retry")) or self._retry
            call.idempotency_key = options.get("idempotency_key")
            deadline = options.get("deadline", not_given)
            call.deadline = self._deadline if isinstance(deadline, NotGiven) else _checked_deadline(deadline)
            hedge = options.get("hedge", not_given)
            call.hedge = self._hedge if isinstance(hedge, NotGiven) else _checked_hedge(hedge)
        else:
            call.timeout = self._own_timeout
            call.max_retries = self.max_retries
            call.retry = self._retry
            call.idempotency_key = None
            call.deadline = self._deadline
            call.hedge = self._hedge
        call.taken = 0
        call.watch = None if self._hooks is None else Watch(self._hooks, request, self._root)
        if request.files is not None or endpoint.multipart:
            call.body = MultipartBody(request.body or {}, request.files or ())
        elif request.content is not None:
            call.body = request.content
        elif request.body is not None and endpoint.method != "GET":
            call.body = encode(request.body, endpoint.replay)
        else:
            call.body = None
        if call.hedge is not None and not (
            (call.idempotency_key or harmless(endpoint.method, endpoint.path, request.body))
            and (call.body is None or isinstance(call.body, bytes))
        ):
            call.hedge = None
        call.url = self._url(request)
        return call

    def _url(self, request: Request[Any]) -> str:
        path = request.path
        if path.startswith("/"):
            url = self._root + path
        elif path.startswith(("http://", "https://")):
            url = path
        else:
            url = f"{self._root}/{path}"
        query = request.query
        if query or self._default_query or self._query:
            both = {**self._default_query, **(query or {})}
            encoded = encode_query({name: value for name, value in both.items() if not is_left_out(value)})
            for more in (self._query, encoded):
                if more:
                    url = f"{url}{'&' if '?' in url else '?'}{more}"
        return url

    async def _unparsed(self, call: _Call, *, read: bool) -> tuple[SessionReply, bytes | None]:
        """What `_exchange` does, for replies that the caller parses."""
        try:
            reply, raw = await self._exchange(call, read=read)
        except BaseException as error:
            if call.watch is not None:
                call.watch.failed(error)
            raise
        if call.watch is not None:
            call.watch.answered_raw(raw, call.request.endpoint.reply)
        return reply, raw

    # What only hands a coroutine on is no coroutine itself: ten thousand calls in flight are ten thousand of each.

    def _exchange(self, call: _Call, *, read: bool) -> Coroutine[Any, Any, tuple[SessionReply, bytes | None]]:
        """The reply, and its body if that is to be read."""
        if call.deadline is None:
            return self._attempts(call, read)
        return self._within(call.deadline, call, read)

    async def _within(self, deadline: float, call: _Call, read: bool) -> tuple[SessionReply, bytes | None]:
        try:
            return await within(deadline, self._attempts(call, read))
        except asyncio.TimeoutError as error:
            request = HTTPRequest(call.request.endpoint.method, call.url)
            message = f"Request timed out: not done within the deadline of {deadline} s."
            raise APITimeoutError(request, message=message) from error

    async def _attempts(self, call: _Call, read: bool) -> tuple[SessionReply, bytes | None]:
        try:
            return await self._first_reply(call, read)
        except APIError as error:
            # A policy of the user's may want to try again whatever happens; it cannot when the body is spent.
            if not error.replayable or (not call.max_retries and call.retry is None):
                raise
            return await self._again(call, read, error, call.max_retries)

    def _first_reply(self, call: _Call, read: bool) -> Coroutine[Any, Any, tuple[SessionReply, bytes | None]]:
        """An attempt, or the quicker one of two."""
        if call.hedge is None:
            return self._attempt(call, read)
        kind = f"{call.request.endpoint.method} {call.request.endpoint.path}"
        return call.hedge.race(kind, lambda: self._attempt(call, read), lambda reply: reply[0].close())

    async def _attempt(self, call: _Call, read: bool) -> tuple[SessionReply, bytes | None]:
        if call.watch is not None:
            call.watch.attempt(call.taken + 1)
        try:
            session = self._sessions.current() or await self._sessions.open(call)
            # A function's answer is this attempt's own, whatever other attempts are told meanwhile.
            key = self.api_key if self._api_key_provider is None else await self._refresh_api_key()
            headers = self._headers_of(call, key)
            reply = await session.send(call.request.endpoint.method, call.url, headers, call.body, call.timeout)
            if reply.status >= 300:
                reply = await self._not_ok(session, call, headers, reply)
            raw: bytes | None = None
            if read:
                raw = reply.whole()
                if raw is None:
                    raw = await reply.read()
        except APIError as error:
            error.replayable = call.rebuildable
            raise
        if call.watch is not None:
            call.watch.head(reply.status, reply.headers.get("x-request-id"))
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "%s %s -> %s in %.3f s, request id %s",
                call.request.endpoint.method,
                shown(call.request.path),
                reply.status,
                reply.elapsed,
                reply.headers.get("x-request-id"),
            )
        return reply, raw

    async def _again(self, call: _Call, read: bool, error: APIError, retries: int) -> tuple[SessionReply, bytes | None]:
        """The attempts after the first, under a tenacity policy whose first attempt is the one that failed."""
        policy = (await import_in_thread("aiopenai.retry")).policy(retries, call.retry)
        if call.watch is not None:
            policy.before_sleep = call.watch.before_sleep(policy.before_sleep)
        failed: APIError | None = error

        async def attempt() -> tuple[SessionReply, bytes | None]:
            nonlocal failed
            if failed is not None:
                first, failed = failed, None
                raise first
            call.taken += 1
            log.info("Attempt %d of %s %s", call.taken + 1, call.request.endpoint.method, shown(call.request.path))
            return await self._first_reply(call, read)

        return cast("tuple[SessionReply, bytes | None]", await policy(attempt))

    async def _refresh_api_key(self) -> str:
        assert self._api_key_provider is not None
        key = self._api_key_provider()
        if inspect.isawaitable(key):
            key = await key
        if not isinstance(cast("object", key), str) or not key:
            raise OpenAIError(f"The api_key function must give a non-empty str, not {type(key).__name__}")
        self.api_key = key
        return key

    def _headers_of(self, call: _Call, api_key: str) -> Mapping[str, str]:
        """The header block of an attempt: made once per endpoint, and anew only where the call has its own."""
        request = call.request
        endpoint = request.endpoint
        bodiless = call.body is None
        key = (endpoint, bodiless, api_key, self.admin_api_key, self.organization, self.project, call.timeout.read)
        found = self._headers.get(key)
        if found is None:
            if len(self._headers) > 1_000:
                self._headers.clear()
            plain = self._build_headers(endpoint, api_key, call.timeout)
            if bodiless:
                drop(plain, "content-type")
            found = self._headers[key] = self._sessions.block(plain), plain
        block, plain = found
        given = request.headers or {}
        elsewhere = request.path[:1] != "/" and not same_origin(self._root, call.url)
        if not (given or call.taken or call.idempotency_key or elsewhere):
            if "Authorization" not in plain:
                self._require_key(endpoint)
            return block
        own = merged(dict(plain), given)
        if call.idempotency_key and not has(own, "idempotency-key"):
            own["Idempotency-Key"] = call.idempotency_key
        if call.taken and not has(given, "x-stainless-retry-count"):
            own["x-stainless-retry-count"] = str(call.taken)
        if elsewhere:
            # An absolute URL: credentials are for the API alone, unless the caller gives some for this one.
            for name in OWN_HEADERS:
                if not has(given, name):
                    drop(own, name)
        elif not has(own, "authorization") and not has(given, "authorization"):
            self._require_key(endpoint)
        return self._sessions.block(own)

    def _require_key(self, endpoint: Endpoint) -> None:
        if self._enforce_credentials and not has(self._default_headers, "authorization"):
            which = "admin_api_key (OPENAI_ADMIN_KEY)" if endpoint.security == "admin" else "api_key (OPENAI_API_KEY)"
            raise OpenAIError(f"{endpoint.method} {endpoint.path} needs {which}, which is not set.")

    def _build_headers(self, endpoint: Endpoint, api_key: str, timeout: Timeout) -> dict[str, str]:
        key: str | None = None
        if endpoint.security in ("bearer", "any"):
            key = api_key
        if not key and endpoint.security in ("admin", "any"):
            key = self.admin_api_key
        headers: dict[str, Any] = {"Authorization": f"Bearer {key}"} if key else {}
        if self._login:
            headers["Authorization"] = f"Basic {b64encode(unquote_to_bytes(self._login)).decode()}"
        # First of all there is no retry; further attempts are counted in their own headers.
        headers["x-stainless-retry-count"] = "0"
        if timeout.read is not None:
            headers["x-stainless-read-timeout"] = str(timeout.read)
        headers = merged(headers, self.default_headers)
        if endpoint.accept:
            drop(headers, "accept")
            headers["Accept"] = endpoint.accept
        return merged(headers, endpoint.headers)

    async def _not_ok(
        self, session: Session, call: _Call, headers: Mapping[str, str], reply: SessionReply
    ) -> SessionReply:
        """Follow a redirect, or raise the error that the status stands for."""
        method, url, body = call.request.endpoint.method, call.url, call.body
        for _ in range(MAX_REDIRECTS):
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location:
                break
            await reply.read()
            target = redirected(url, location)
            if target is None:
                where = location.rpartition("@")[2][:200]
                raise APIConnectionError(message=f"Connection error: redirected to {where!r}", request=_sent(reply))
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            plain: dict[str, Any] = dict(headers.items())
            if body is None:
                drop(plain, "content-type")
            if not same_origin(url, target):
                for name in OWN_HEADERS:
                    drop(plain, name)
            url, headers = target, self._sessions.block(plain)
            reply = await session.send(method, url, headers, body, call.timeout)
        if reply.status < 300:
            return reply
        content = await reply.read()
        response = _value(reply, content, call)
        if reply.status < 400:
            raise APIResponseValidationError(
                response, None, message=f"The reply is a redirect that cannot be followed (status {reply.status})."
            )
        retry = await import_in_thread("aiopenai.retry")
        error = error_from_response(response, retry_after=retry.retry_after(response.headers))
        log.debug("%s %s -> %s", call.request.endpoint.method, shown(call.request.path), reply.status)
        raise error

    def _stream(self, call: _Call, reply: SessionReply, to: Any = None, lease: Lease | None = None) -> Any:
        """The reply as a stream; `to` names its class, or the type of its events."""
        endpoint = call.request.endpoint

        async def reopen(error: APIError) -> Any:
            error.replayable = call.rebuildable
            left = call.max_retries - call.taken
            if left <= 0 or not error.replayable:
                raise error
            return (await self._again(call, False, error, left))[0]

        kind = endpoint.event if to is None else to
        cls: Any = AsyncStream if lease is None else Stream
        origin = get_origin(kind) or kind
        if isinstance(origin, type) and issubclass(origin, Events):
            cls = cast("Any", origin)
            kind = next(iter(get_args(kind)), endpoint.event if to is not None else None)
        stream: Any = cls(
            reply,
            Decoder.of(object if kind is None else kind),
            timeout=call.timeout,
            reopen=reopen,
            max_event_bytes=self._max_event_bytes,
            events=endpoint.events,
        )
        if lease is not None:
            stream.lease = lease
        if call.watch is not None:
            stream.watch = call.watch
        return stream

    def _parse(self, request: Request[Any], reply: SessionReply, raw: bytes, kind: Any) -> Any:
        """The reply's body as its type. Raises APIResponseValidationError."""
        if kind is None or kind is type(None) or (not raw and reply.status in (204, 205)):
            return None
        is_node = isinstance(kind, type) and issubclass(kind, Node)
        try:
            if is_node or not _is_other(kind):
                decoder = Decoder.of(kind)
                value: Any = decoder.validate(raw) if self._strict else decoder(raw)
            else:
                value = _parse_other(reply, raw, kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise _invalid(reply, raw, error) from error
        if isinstance(value, Node):
            _set_request_id(value, reply.headers.get("x-request-id"))
            if request.endpoint.page is not None:
                link(value, self, request)
        elif is_node and not is_list(value):
            raise _invalid(reply, raw, None)
        if request.finish is not None and kind is request.endpoint.reply:
            return request.finish(value)
        return value


class _Shared:
    """What a client and its copies have in common: the sessions, the transport module, and a blocking client's loops.

    All are had when needed.
    """

    def __init__(self, wiring: dict[str, Any]) -> None:
        self.wiring = wiring
        # Above the sessions, so that it goes first when all are collected: what ends with its loop needs no telling.
        self.runners: Runners | None = None
        self._transport: ModuleType | None = None
        self._sessions: Sessions | None = None
        self.current: Callable[[], Session | None] = _nothing_yet
        """The running loop's session, if there is one."""
        self.closed = False

    async def open(self, call: _Call) -> Session:
        """The running loop's session, made now. The first time in a process, aiohttp is imported, in a thread."""
        if self.closed:
            request = HTTPRequest(call.request.endpoint.method, call.url)
            raise APIConnectionError(message="Connection error: the client is closed.", request=request)
        if self._transport is None:
            self._transport = await import_in_thread("aiopenai._http.direct")
        if self._sessions is None:
            self._sessions = cast("Sessions", self._transport.open_sessions(**self.wiring))
            self.current = self._sessions.current
        # From here on without a pause, so that ten thousand first calls make one session.
        return self._sessions.current() or self._sessions.open()

    def block(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers in the transport's own form."""
        assert self._transport is not None
        return cast("Mapping[str, str]", self._transport.header_block(headers))

    async def close(self) -> None:
        self.closed = True
        if self._sessions is not None:
            await self._sessions.close()


def _nothing_yet() -> None:
    """The session of a client that has made no call."""


def _checked_retries(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_retries must be a non-negative integer, not {value!r}; 0 is none")
    if value < 0:
        raise ValueError(f"max_retries must be a non-negative integer, not {value}")
    return value


def _checked_deadline(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"deadline must be a positive number of seconds or None, not {value!r}")
    return value


def _checked_hedge(value: Any) -> HedgePolicy | None:
    if value is not None and not isinstance(value, HedgePolicy):
        raise TypeError(f"hedge must be a HedgePolicy, not {type(value).__name__}")
    return value


def _checked_policy(value: Any) -> Any:
    if value is not None and not (hasattr(value, "stop") and hasattr(value, "wait") and hasattr(value, "retry")):
        raise TypeError(f"retry must be a tenacity policy such as AsyncRetrying(...), not {type(value).__name__}")
    return value


def _is_other(kind: Any) -> bool:
    """Whether it is the body itself that is asked for, or a pydantic model of the user's."""
    return isinstance(kind, type) and (
        kind in (str, bytes, HttpxBinaryResponseContent, HTTPResponse) or hasattr(cast("Any", kind), "model_validate")
    )


def _parse_other(reply: SessionReply, raw: bytes, kind: Any) -> Any:
    if kind is str:
        return raw.decode(charset_of(reply.headers), "replace")
    if kind is bytes:
        return raw
    if kind is HttpxBinaryResponseContent:
        return HttpxBinaryResponseContent(_value(reply, raw))
    if kind is HTTPResponse:
        return _value(reply, raw)
    return kind.model_validate(decode_json(raw))


def _sent(reply: SessionReply) -> HTTPRequest:
    return cast("HTTPRequest", reply.request.value())


def _value(reply: SessionReply, content: bytes, call: _Call | None = None) -> HTTPResponse:
    return HTTPResponse(
        reply.status,
        Headers(reply.items()),
        content,
        _sent(reply),
        reason=reply.reason,
        elapsed=reply.elapsed,
        retries_taken=call.taken if call is not None else 0,
    )


def _invalid(reply: SessionReply, raw: bytes, error: Exception | None) -> APIResponseValidationError:
    response = _value(reply, raw)
    kind = response.headers.get("content-type", "no content type")
    begin = response.text[:200]
    why = f"is not the JSON that was expected ({error})" if error is not None else "is not a JSON object"
    return APIResponseValidationError(
        response,
        response.text if len(raw) < 64 * 1024 else begin,
        message=f"The reply of {shown(response.url)} {why}; content type {kind}; it begins: {begin!r}",
    )


class AsyncOpenAI(BaseClient[Async], Many):
    __doc__ = BaseClient.__doc__

    mode = Async

    @property
    @override
    def resources(self) -> Resources[Async]:
        return self

    @property
    def with_raw_response(self) -> Resources[AsyncRaw]:
        """The same resources, answering with headers: `LegacyAPIResponse`."""
        return Resources[AsyncRaw](self, AsyncRaw)

    @property
    def with_streaming_response(self) -> Resources[AsyncStreaming]:
        """The same resources, answering before the body is read: `AsyncAPIResponse`, as a context manager."""
        return Resources[AsyncStreaming](self, AsyncStreaming)

    async def send(self, request: Request[T]) -> T:
        """Send a request and give its reply: what a resource method does, for a request made with `.request(...)`."""
        return await self.perform(request)

    async def close(self) -> None:
        """Close the connections, also those that copies of this client use. A borrowed session stays open."""
        await self._sessions.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Streaming:
    """The context manager of a reply whose body is not read yet."""

    def __init__(self, client: BaseClient[Any], request: Request[Any]) -> None:
        self._client = client
        self._request = request
        self._response: AsyncAPIResponse[Any] | None = None

    async def __aenter__(self) -> AsyncAPIResponse[Any]:
        self._response = await self._client.open_response(self._request)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.close()


AsyncClient = AsyncOpenAI
