from __future__ import annotations

import json

import pytest

from aiopenai.testing.recording.cleaning import Cleaner, kept_reply_headers, kept_request_headers

KEY = "local-key-of-no-known-form"


@pytest.fixture
def cleaner() -> Cleaner:
    cleaner = Cleaner()
    cleaner.learn({"authorization": f"Bearer {KEY}"}, [])
    return cleaner


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": KEY},
        {"api-key": KEY},
        {"cookie": f"a={KEY}; b=1", "x-api-key": KEY},
        {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{KEY}"},
    ],
    ids=["bearer", "bare", "azure", "cookie", "protocol"],
)
def test_credentials_of_a_request_are_removed_everywhere(headers: dict[str, str]) -> None:
    cleaner = Cleaner()
    cleaner.learn(headers, [])
    assert KEY not in cleaner.text(f"the key {KEY} is")
    assert KEY.encode() not in cleaner.binary(b"\xff" + KEY.encode())
    assert KEY not in json.dumps(cleaner.value({"a": [{"b": f"x {KEY}"}], KEY: 1}))


def test_credentials_of_a_query(cleaner: Cleaner) -> None:
    query = [("api-key", "an azure key"), ("api-version", "2025-01-01"), ("q", f"say {KEY}")]
    cleaner.learn({}, query)
    assert cleaner.query(query) == [
        ("api-key", "<redacted>"),
        ("api-version", "2025-01-01"),
        ("q", "say <redacted>"),
    ]
    assert cleaner.text("it is an azure key") == "it is <redacted>"


def test_short_keys_of_local_servers_leave_texts_alone() -> None:
    cleaner = Cleaner()
    cleaner.learn({"authorization": "Bearer test"}, [])
    assert cleaner.text("a test") == "a test"


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ({"client_secret": "short"}, {"client_secret": "<redacted>"}),
        ({"Client-Secret": "short"}, {"Client-Secret": "<redacted>"}),
        ({"tools": [{"authorization": "x1"}]}, {"tools": [{"authorization": "<redacted>"}]}),
        ({"token": "Hi", "bytes": [72]}, {"token": "Hi", "bytes": [72]}),
        ({"properties": {"password": {"type": "string"}}}, {"properties": {"password": {"type": "string"}}}),
        ({"password": "", "api_key": None}, {"password": "", "api_key": None}),
        ("sk-abcdefghijklmnop", "<redacted>"),
        ("http://user:secret@host/", "http://<redacted>@host/"),
        ({"headers": {"Authorization": "Bearer abcdefgh"}}, {"headers": {"Authorization": "<redacted>"}}),
    ],
)
def test_values(value: object, clean: object) -> None:
    assert Cleaner().value(value) == clean


@pytest.mark.parametrize("text", ['{"a": 1,  "b":\n [1.50]}', "no JSON", "", '{"a": 1e400}', "[" * 100_000])
def test_texts_without_credentials_stay_to_the_letter(text: str, cleaner: Cleaner) -> None:
    assert cleaner.json_text(text) == text
    assert cleaner.body(text.encode(), "application/json") == text.encode()


def test_json_stays_json_where_a_credential_is_in_an_escaped_text(cleaner: Cleaner) -> None:
    sent = {"text": 'authorization: "abc def"', "after": [1]}
    clean = json.loads(cleaner.body(json.dumps(sent).encode(), "application/json"))
    assert clean["after"] == [1]
    assert "abc" not in clean["text"]


def test_event_streams_keep_their_framing(cleaner: Cleaner) -> None:
    events = f'event: a\r\ndata: {{"x":"{KEY}"}}\r\n\r\n: note\ndata:{{"y":"ok"}}\n\ndata: [DONE]\n\n'
    expected = events.replace(KEY, "<redacted>")
    assert cleaner.body(events.encode(), "text/event-stream; charset=utf-8") == expected.encode()


def test_binary_bodies(cleaner: Cleaner) -> None:
    picture = bytes(range(256))
    assert cleaner.body(picture, "image/png") == picture


def test_request_headers() -> None:
    headers = [
        ("Authorization", "Bearer x"),
        ("User-Agent", "me"),
        ("OpenAI-Organization", "org"),
        ("X-Stainless-OS", "Linux"),
        ("OpenAI-Beta", "realtime=v1"),
        ("Content-Type", "multipart/form-data; boundary=abc"),
    ]
    assert kept_request_headers(headers) == {"openai-beta": "realtime=v1", "content-type": "multipart/form-data"}


def test_reply_headers() -> None:
    personal = ["Set-Cookie", "OpenAI-Organization", "openai-project", "CF-Ray", "X-Forwarded-For", "x-user-id"]
    personal += ["x-session-id", "x-auth-token", "Date", "Server", "X-Account"]
    framing = ["Content-Length", "Transfer-Encoding", "Connection", "Content-Encoding"]
    needed = ["content-type", "retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "location"]
    needed += ["x-ratelimit-remaining-tokens", "openai-processing-ms", "content-disposition", "openai-poll-after-ms"]
    kept = kept_reply_headers([(name, "1") for name in [*personal, *framing, *needed]])
    assert kept == [(name, "1") for name in needed]
