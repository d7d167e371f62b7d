from __future__ import annotations

import pytest

from aiopenai._base.redaction import redacted, redacted_url
from aiopenai._base.urls import shown

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.test/v1", "https://api.test/v1"),
        ("https://user:hunter2@api.test:8443/v1?x=1", "https://api.test:8443/v1?x=1"),
        ("https://hunter2@api.test", "https://api.test"),
        ("https://user:hun@hunter2@api.test/a@b", "https://api.test/a@b"),
        ("//user:hunter2@proxy:3128", "//proxy:3128"),
        ("user:hunter2@proxy:3128", "proxy:3128"),
        ("user:hunter2@proxy/path", "proxy/path"),
        ("http://user:hun/hunter2@proxy:3128", "http://proxy:3128"),
        ("http://user:hun?hunter2@proxy", "http://proxy"),
        ("http://[::1]:80/models/a@b", "http://[::1]:80/models/a@b"),
        ("http://user:hunter2@[::1]:80/", "http://[::1]:80/"),
        ("https://host:8080/files/a@b.txt", "https://host:8080/files/a@b.txt"),
        ("https://a.test/x?api-key=hunter2&b=c", "https://a.test/x?api-key=<redacted>&b=c"),
        ("https://a.test/x?X-Amz-Signature=hunter2", "https://a.test/x?X-Amz-Signature=<redacted>"),
        ("https://a.test/x?monkey=1&page_token=2", "https://a.test/x?monkey=1&page_token=2"),
        ("socks5://user:hunter2@localhost:1080", "socks5://localhost:1080"),
        ("", ""),
    ],
)
def test_urls(url: str, expected: str) -> None:
    assert redacted_url(url) == expected


def test_shown_drops_query_and_fragment() -> None:
    assert shown("https://u:hunter2@a.test/v1?q=1#f") == "https://a.test/v1"
    assert shown("/models/x?key=hunter2") == "/models/x"
    assert shown("user:hunter2@host/v1") == "host/v1"


@pytest.mark.parametrize(
    "text",
    [
        "407, message='Proxy Authentication Required', url='http://user:hunter2@proxy:3128'",
        "Cannot connect to host http://hunter2@proxy.test ssl:default",
        "proxy=URL('http://user:hunter2@proxy.test:3128'), proxy_auth=None",
        "invalid proxy user:hunter2@proxy.test:3128",
        "invalid proxy 'user:hunter2@[::1]:3128'",
        "bad URL http://user:hun/hunter2@proxy",
        "GET https://a.test/x?api-key=hunter2",
        "Authorization: Bearer hunter2-hunter2",
        "{'Authorization': 'Bearer hunter2-hunter2', 'x': 'y'}",
        "{'api-key': 'hunter2'}",
        "Proxy-Authorization: Basic hunter2aGVsbG8=",
        "Incorrect API key: sk-proj-hunter2hunter2hunter2",
        "<CIMultiDict('Authorization': 'Bearer hunter2hunter2')>",
    ],
)
def test_texts(text: str) -> None:
    shown = redacted(text)
    assert SECRET not in shown
    assert "<redacted>" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Cannot connect to host api.test:443 ssl:default [Connection refused]",
        "write to me@example.com about http://api.test/v1",
        "Request timed out: no data within the read limit.",
        "The bearer of bad news said: basic words",
        "10:30 meet user@host",
        "I ate a cookie, and left.",
    ],
)
def test_harmless_texts_stay(text: str) -> None:
    assert redacted(text) == text
