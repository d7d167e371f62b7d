"""A local server that speaks the OpenAI API, to test your code with.

Code under test sends HTTP to a real server on the loopback interface, with any client, without a key or a network.
Replies are deterministic, streams send token by token, and errors are those of the API. Every failure of a network is
available on demand.

A pytest suite uses the fixture of this package:

    def test_summary(openai_server):
        openai_server.answer = "Short and sweet."
        client = AsyncOpenAI(base_url=openai_server.base_url, api_key="test")
        assert asyncio.run(summarise(client, "a long text")) == "Short and sweet."
        (request,) = openai_server.requests_for("/chat/completions")
        assert request.json()["model"] == "gpt-4o-mini"

The server of the fixture runs in a thread of its own, so it serves synchronous and asynchronous tests alike. No plugin
for asyncio is needed. Code that makes its own client finds the server through the environment:

    @pytest.fixture(autouse=True)
    def use_local_server(openai_server, monkeypatch):
        monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")

Without pytest, `async with Server() as server:` runs it in the running loop, and `with Server() as server:` in a
thread. In a shell, `python -m aiopenai serve --port 8000` does.

The endpoints below `base_url`: chat completions (stored ones too), responses (background ones too), conversations,
completions, embeddings, models, files, uploads, batches, fine-tuning, graders, evals, vector stores, containers,
skills, images, audio, videos, moderations, and of the beta the assistants with threads and runs, ChatKit, and agents
with sessions, environments, artifacts, automations and vaults. Objects are kept in memory and within bounds.

Models: any name is accepted, unless `Server(models=[...])` lists the known ones. By default a model repeats the last
message of the user. `server.answer` is a string, or a function from that message to the answer. With tools it calls
every function that the message names, else the first one, and answers in words after the result of a tool. Arguments
and structured outputs are examples that fit the schema. The code interpreter runs when the message speaks of code or
Python. Its code is not executed: the log is the answer, in a file of the container too. A strict schema that the API
refuses is refused with 400, in the words of the API. Usage counts tokens by a simple rule: up to eight letters or
digits, or one other character, each with the white space before it.

A turn of an agent calls functions and answers in the same way. It asks for the approval of each MCP server that the
message names. In an environment it writes its answer to each path below `/workspace/outputs` that the message names,
and publishes these files as artifacts. An `answer` that raises fails the turn, and the setup command `false` fails the
session.

Speech is a tone of a third of a second for each word, with the text in the comment of the file, which a transcription
reads. Images are tiny, and remarks about sent images come from their heads. Batches, runs, files of vector stores,
videos, fine-tuning jobs, runs of evals and background responses move on at each retrieval, and end at the second one.
The header `openai-poll-after-ms` names the time of the next poll. A batch really runs its lines, and an eval its
graders, those of Python excepted. A fine-tuning job adds its model and its checkpoints to the list of models. A webhook
is `webhook_event(type, data)` with the headers of `sign_webhook(payload, secret)`.

Failures, each for a number of requests (`times`) and for some requests only (`match`):

    server.fault(status=429, headers={"retry-after": "1"}, times=2)
    server.fault(delay=5, match="/embeddings")
    server.fault(cut_after=700)                                      # closes the connection in the middle of the reply
    server.fault(stall_after=700)                                    # or sends no more bytes there
    server.fault(body="<html>Log in</html>", content_type="text/html")

Load: `Server(limits=RateLimits(rpm=500, tpm=20_000))` keeps token buckets, sends the rest in its headers, and refuses
with 429 and Retry-After. `Server(latency=slow_tail(0.1))` makes one request in a hundred take 20 times as long.

Recordings: `server.record(folder, upstream="https://api.openai.com/v1")` passes requests on, and writes them and the
replies as readable files without keys. `server.replay(folder)` answers from them.

Requests: `server.journal`, `server.requests_for(path)`, `server.connections`. Replies to the byte:
`server.reply_with(path, body, content_type="text/event-stream", chunk_size=7)`.
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

# Resolved at first use, because pytest imports this package at every start for its fixture.
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
