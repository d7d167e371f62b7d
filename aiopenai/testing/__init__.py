"""A local server that speaks the OpenAI API, to test your code with.

No key, no network, no mocks: your code talks HTTP to a real server on the loopback interface, whichever client it
uses. Replies are deterministic, streams come token by token, errors are those of the API, and whatever can go wrong on
a network goes wrong on demand.

In a pytest suite, ask for the fixture that this package brings:

    def test_summary(openai_server):
        openai_server.answer = "Short and sweet."
        client = AsyncOpenAI(base_url=openai_server.base_url, api_key="test")
        assert asyncio.run(summarise(client, "a long text")) == "Short and sweet."
        (request,) = openai_server.requests_for("/chat/completions")
        assert request.json()["model"] == "gpt-4o-mini"

The fixture's server runs in a thread of its own, so it serves synchronous and asynchronous tests alike and needs no
plugin for asyncio. Code that makes its own client finds the server through the environment:

    @pytest.fixture(autouse=True)
    def use_local_server(openai_server, monkeypatch):
        monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")

Without pytest, `async with Server() as server:` runs it in the running loop and `with Server() as server:` in a
thread; from a shell, `python -m aiopenai serve --port 8000`.

What it serves, below `base_url`: chat completions (stored ones too), responses (background ones too), conversations,
completions, embeddings, models, files, uploads, batches, vector stores, containers, images, audio, videos, moderations,
and the assistants of the beta with threads and runs. It keeps what the API keeps, in memory and within bounds.

What models say: by default they repeat the user's last message; `server.answer` is a string, or a function from that
message to the answer. With tools they call every function whose name the message holds, else the first, and answer in
words after a tool's result; arguments and structured outputs are examples that fit the schema. Usage counts tokens by a
simple rule: up to eight letters or digits, or one other character, each with the white space before it.

Speech is a tone of a third of a second a word with the text in the file's comment, which a transcription reads again.
Images are tiny, and what was sent is told from its head. What takes time with the API (batches, runs, files of vector
stores, videos, background responses) makes progress when it is looked at, and ends at the second look; the header
`openai-poll-after-ms` says when to look. A batch really runs its lines. A webhook is `webhook_event(type, data)` with
the headers of `sign_webhook(payload, secret)`.

What goes wrong, each for a number of requests (`times`) and for some requests only (`match`):

    server.fault(status=429, headers={"retry-after": "1"}, times=2)
    server.fault(delay=5, match="/embeddings")
    server.fault(cut_after=700)                                      # ends the connection in the middle of the reply
    server.fault(stall_after=700)                                    # or goes silent there
    server.fault(body="<html>Log in</html>", content_type="text/html")

How busy it is: `Server(limits=RateLimits(rpm=500, tpm=20_000))` keeps token buckets, sends what is left in its headers
and refuses with 429 and Retry-After; `Server(latency=slow_tail(0.1))` lets one request in a hundred take 20 times as
long.

What your code has sent: `server.journal`, `server.requests_for(path)`, `server.connections`. What it gets, to the
byte: `server.reply_with(path, body, content_type="text/event-stream", chunk_size=7)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiopenai.testing.content.webhooks import sign_webhook, webhook_event
    from aiopenai.testing.engine.limits import RateLimits, slow_tail
    from aiopenai.testing.engine.multipart import Part
    from aiopenai.testing.engine.received import Fault, ReceivedRequest
    from aiopenai.testing.engine.rules import Prepared
    from aiopenai.testing.server import Server, serve_forever

__all__ = [
    "Fault",
    "Part",
    "Prepared",
    "RateLimits",
    "ReceivedRequest",
    "Server",
    "serve_forever",
    "sign_webhook",
    "slow_tail",
    "webhook_event",
]

# Resolved at first use: pytest imports this package at every start for its fixture's sake.
_HOMES = {
    "Fault": "engine.received",
    "Part": "engine.multipart",
    "Prepared": "engine.rules",
    "RateLimits": "engine.limits",
    "ReceivedRequest": "engine.received",
    "Server": "server",
    "serve_forever": "server",
    "slow_tail": "engine.limits",
    "sign_webhook": "content.webhooks",
    "webhook_event": "content.webhooks",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
