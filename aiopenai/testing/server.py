"""The server for tests: its options, start and end, and the journal."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiopenai.testing.content.catalogue import MODELS
from aiopenai.testing.controls import Controls
from aiopenai.testing.endpoints.azure import AzureFilter, AzureSettings, with_azure
from aiopenai.testing.endpoints.identity import EXCHANGE_PATH, MetadataClient, identity_reply
from aiopenai.testing.endpoints.routes import dispatch
from aiopenai.testing.engine.access import Access
from aiopenai.testing.engine.exchange import PREFIX
from aiopenai.testing.engine.journal import Journal
from aiopenai.testing.engine.limits import RateLimits
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.rules import Rules
from aiopenai.testing.engine.runner import ServerThread, at_most
from aiopenai.testing.engine.serving import Service
from aiopenai.testing.engine.wire import Connection, Listener
from aiopenai.testing.memory.state import Answer, State

if TYPE_CHECKING:
    from ssl import SSLContext

    from typing_extensions import Self

__all__ = ["Server", "serve_forever"]

_CLOSE_TIME = 2.0
_ACCEPT_BATCH = 1024


class Server(Controls):
    """A local server that speaks the OpenAI API, for tests and demonstrations.

    `async with` runs it in the running loop, `with` in a thread and loop of its own. Clients take its `base_url`. See
    the documentation of `aiopenai.testing` for examples.

    api_key: the key that requests must have; None accepts any.
    host, port: the address to listen on; port 0 selects a free one.
    ssl: a server-side context, to serve https.
    answer: the answer of models. None repeats the text of the user; a string is always the answer; a function returns
        the answer to the text of the user. It may be set at any time.
    models: the only models that requests may name. None has a built-in list, and accepts every name.
    latency: the seconds before every reply, or a function that returns them, such as `slow_tail(0.1)`.
    token_delay: the seconds between the events of a stream; 0 only lets other tasks run in between.
    journal: whether to record requests.
    max_journal_entries, max_journal_bytes: the bounds of the journal, which drops the oldest requests.
    max_body_bytes: the size of a request above which the reply is a 413.
    max_stored, max_stored_bytes: the numbers of objects of a kind, and of bytes of files, to keep. The oldest go first.
    backlog: the number of connections that may wait to be accepted.
    limits: the rate limits to enforce, `RateLimits(rpm=..., tpm=...)`.
    clock: returns the time of `created` in seconds. By default it is a constant, so that replies are repeatable.
    poll_after_ms: the value of the header `openai-poll-after-ms` in replies about unfinished work.
    azure_deployments: the models by the name of their deployment, for the clients of Azure, which take the server's
        `azure_endpoint`. None accepts every name, as that of a model.
    azure_filter: the finding of Azure's content filters in chat: `prompt` refuses the request, `completion` cuts the
        answer, `async` reports after the text of a stream, `error` is a filter that failed. None finds nothing.
    token_lifetime: the seconds for which tokens of the server's own exchange (`token_exchange_url`) are valid.
    aws_keys: the secret keys of AWS by their ID, with which requests may be signed (Signature Version 4).
    on_request: called with each request when its body is here, before the reply; its result does not matter.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: SSLContext | None = None,
        answer: Answer = None,
        models: Iterable[str] | None = None,
        latency: float | Callable[[], float] = 0.0,
        token_delay: float = 0.0,
        journal: bool = True,
        max_journal_entries: int = 10_000,
        max_journal_bytes: int = 64 * 1024 * 1024,
        max_body_bytes: int = 1024 * 1024 * 1024,
        max_stored: int = 10_000,
        max_stored_bytes: int = 1024 * 1024 * 1024,
        backlog: int = 4096,
        clock: Callable[[], float] | None = None,
        limits: RateLimits | None = None,
        poll_after_ms: int = 10,
        azure_deployments: Mapping[str, str] | None = None,
        azure_filter: AzureFilter = None,
        token_lifetime: float = 3600.0,
        aws_keys: Mapping[str, str] | None = None,
        on_request: Callable[[ReceivedRequest], object] | None = None,
    ) -> None:
        if token_delay < 0 or not (callable(latency) or latency >= 0):
            raise ValueError("latency and token_delay must not be negative")
        self._host, self._wanted_port = host, port
        self._ssl = ssl
        self._backlog = backlog
        self._journal = Journal(max_journal_entries, max_journal_bytes) if journal else None
        self._rules = Rules()
        self._state = State(
            answer=answer,
            models=MODELS if models is None else models,
            any_model=models is None,
            clock=clock,
            max_stored=max_stored,
            max_stored_bytes=max_stored_bytes,
            poll_after_ms=poll_after_ms,
        )
        self._azure = AzureSettings(azure_deployments, azure_filter)
        self._access = Access(api_key, token_lifetime, aws_keys)
        self._service = Service(
            dispatch=with_azure(dispatch, self._azure),
            state=self._state,
            rules=self._rules,
            journal=self._journal,
            limits=limits,
            access=self._access,
            identify=identity_reply,
            max_body_bytes=max_body_bytes,
            latency=latency,
            token_delay=token_delay,
            on_request=on_request,
        )
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None
        self._port: int | None = None
        self._thread: ServerThread | None = None

    @property
    def azure_endpoint(self) -> str:
        """The address for clients of Azure: their `azure_endpoint`."""
        return self.base_url.removesuffix(PREFIX)

    @property
    def azure_filter(self) -> AzureFilter:
        """The finding of Azure's content filters."""
        return self._azure.content_filter

    @azure_filter.setter
    def azure_filter(self, finding: AzureFilter) -> None:
        self._azure.content_filter = finding

    @property
    def token_exchange_url(self) -> str:
        """The address that exchanges subject tokens and certificates for tokens of this server."""
        return self.azure_endpoint + EXCHANGE_PATH

    @property
    def tokens_issued(self) -> int:
        """The number of tokens that the exchange has issued."""
        return self._access.issued

    def revoke_tokens(self) -> None:
        """Makes all tokens invalid that were issued so far: requests with one get a 401."""
        self._access.revoke()

    @property
    def metadata_client(self) -> MetadataClient:
        """The `http_client` for sources of subject tokens: metadata endpoints of Azure and Google on this server."""
        return MetadataClient(self.port)

    # Start and end

    async def start(self) -> None:
        """Listens in the running loop. Raises `OSError` for an occupied address, `RuntimeError` if already started."""
        if self._server is not None:
            raise RuntimeError("the server is already running")
        listener = Listener(self._service.handle)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(listener, self._host, self._wanted_port, ssl=self._ssl, backlog=_ACCEPT_BATCH)
        # asyncio also accepts up to `backlog` connections in one turn, and without free file descriptors it logs an
        # error as many times a second. So the long queue is set on a duplicate of the socket.
        for listening in server.sockets:
            with socket.fromfd(listening.fileno(), listening.family, listening.type) as duplicate:
                duplicate.listen(self._backlog)
        self._server = server
        self._listener = listener
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stops listening and closes all connections, streams in progress included. A second call has no effect."""
        server, listener = self._server, self._listener
        if server is None or listener is None:
            return
        self._server = None
        server.close()
        # One turn of the loop for connections that are being accepted.
        await asyncio.sleep(0)
        for connection in listener.connections:
            if isinstance(connection, Connection):
                connection.drop()
        # Every wait of a handler ends with its connection, so this takes a few turns of the loop.
        await at_most(_CLOSE_TIME, self._service.idle())
        await self._service.close_sources()
        await listener.shutdown(0.25)
        # Since Python 3.12 this waits for connections too, and a TLS handshake may take long.
        await at_most(_CLOSE_TIME, server.wait_closed())
        # One turn for the transports to report their end, and one for the tasks that wait for it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise RuntimeError("the server is already running")
        thread = ServerThread(self.start, self.close)
        thread.begin()
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "not running"
        return f"<aiopenai.testing.Server {where}>"

    # Address, connections, requests

    @property
    def port(self) -> int:
        """The port; the last one after closing. Raises `RuntimeError` before the first start."""
        if self._port is None:
            raise RuntimeError("the server has not been started")
        return self._port

    @property
    def base_url(self) -> str:
        """The `base_url` for clients, for example `http://127.0.0.1:8000/v1`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)
        if ":" in host:
            host = f"[{host}]"
        return f"{'http' if self._ssl is None else 'https'}://{host}:{self.port}{PREFIX}"

    @property
    def connections(self) -> int:
        """The number of connections accepted since the start."""
        return 0 if self._listener is None else self._listener.accepted

    @property
    def open_connections(self) -> int:
        """The number of connections that are open."""
        return 0 if self._listener is None else self._listener.open

    @property
    def request_count(self) -> int:
        """The number of requests that arrived, with or without a journal."""
        return self._service.served

    @property
    def journal(self) -> list[ReceivedRequest]:
        """A copy of the list of received requests, oldest first. It is empty with `journal=False`."""
        return [] if self._journal is None else self._journal.snapshot()

    def requests_for(self, path: str, method: str | None = None) -> list[ReceivedRequest]:
        """Returns the received requests for a path relative to the base URL (`/files`), of all verbs or of one."""
        full = PREFIX + path
        return [
            request
            for request in self.journal
            if request.path == full and (method is None or request.method == method.upper())
        ]

    def clear(self) -> None:
        """Drops the journal, faults, prepared replies and stored objects. Ends a record or replay.

        Connections and counts stay.
        """
        if self._journal is not None:
            self._journal.clear()
        self._rules.clear_faults()
        self._rules.clear_prepared()
        self._service.use(None)
        self._state.clear()


async def serve_forever(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    on_ready: Callable[[Server], None] | None = None,
    **options: Any,
) -> None:
    """Runs a server until cancelled, by default without a journal. Raises `OSError` for an occupied address.

    on_ready: called when the server listens, for example to print `base_url`.
    options: further arguments of `Server`.
    """
    options.setdefault("journal", False)
    async with Server(host=host, port=port, **options) as server:
        if on_ready is not None:
            on_ready(server)
        await asyncio.get_running_loop().create_future()
