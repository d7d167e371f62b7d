"""URLs: origins, targets of redirects, websockets, and the form that may be shown."""

from __future__ import annotations

import pytest

from aiopenai._base.urls import origin, redirected, same_origin, shown, websocket_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/v1", ("http", "h", 80)),
        ("https://h/v1", ("https", "h", 443)),
        ("HTTPS://H:443/", ("https", "h", 443)),
        ("http://user:word@h:8080", ("http", "h", 8080)),
        ("https://[::1]/x", ("https", "::1", 443)),
        ("ftp://h/x", ("ftp", "h", None)),
        ("/only/a/path", ("", None, None)),
    ],
)
def test_origin(url: str, expected: tuple[str, str | None, int | None]) -> None:
    assert origin(url) == expected


def test_a_port_that_is_no_number() -> None:
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        origin("http://h:port/")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h/a", "https://h:443/b?c", True),
        ("https://h", "https://H/", True),
        ("https://user:word@h", "https://h", True),
        ("https://h", "http://h", False),
        ("https://h", "https://h:8443", False),
        ("https://h", "https://h.test", False),
        ("https://h", "https://www.h", False),
    ],
)
def test_same_origin(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same
    assert same_origin(other, one) is same


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2/x", "https://h:8443/v2/x"),
        ("y?z=1", "https://h:8443/v1/y?z=1"),
        ("//other/x", "https://other/x"),
        ("http://other/x", "http://other/x"),
        ("ftp://other/x", None),
        ("data:text/plain,x", None),
        ("https://", "https://h:8443/v1/x"),
        ("http:///x", None),
        ("http://other:port/", None),
        ("http://[::1/", None),
    ],
)
def test_redirected(location: str, target: str | None) -> None:
    assert redirected("https://h:8443/v1/x", location) == target


def test_shown() -> None:
    assert shown("https://user:word@h/v1?key=secret#part") == "https://h/v1"
    assert shown("https://h/v1#part") == "https://h/v1"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://h/v1", "ws://h/v1/realtime"),
        ("https://h:8443/v1/", "wss://h:8443/v1/realtime"),
        ("ws://h", "ws://h/realtime"),
        ("wss://h", "wss://h/realtime"),
        ("https://h/v1?a=b#part", "wss://h/v1/realtime?a=b"),
    ],
)
def test_websocket_url(base: str, expected: str) -> None:
    assert websocket_url(base, "/realtime") == expected
