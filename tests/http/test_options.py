"""The options of a websocket: names, defaults and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai._http.options import WebSocketOptions

SECONDS = ("open_timeout", "close_timeout", "ping_interval", "ping_timeout")


def test_defaults() -> None:
    options = WebSocketOptions({})
    assert [getattr(options, name) for name in SECONDS] == [10.0, 10.0, 20.0, 20.0]
    assert (options.max_size, options.compression, options.subprotocols, options.origin) == (None, None, (), None)


def test_a_limit_allows_compression() -> None:
    assert WebSocketOptions({"max_size": 0}).compression == "deflate"
    assert WebSocketOptions({"max_size": 5, "compression": None}).compression is None
    assert WebSocketOptions({"compression": "deflate"}).compression == "deflate"


def test_given_values() -> None:
    given = {"subprotocols": ["a", "b"], "origin": "https://h", "max_queue": 5, "write_limit": 9, "ping_timeout": None}
    options = WebSocketOptions({**given, "open_timeout": 0.5, "close_timeout": 3})
    assert options.subprotocols == ("a", "b")
    assert options.origin == "https://h"
    assert (options.open_timeout, options.close_timeout, options.ping_timeout) == (0.5, 3, None)
    assert WebSocketOptions({"subprotocols": None}).subprotocols == ()


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1, "5", True])
def test_no_seconds(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"the option {name} must be a positive number of seconds or None"):
        WebSocketOptions({name: value})


@pytest.mark.parametrize("value", [-1, 1.5, "5", False])
def test_no_size(value: Any) -> None:
    with pytest.raises(ValueError, match="the option max_size must be a number of bytes or None"):
        WebSocketOptions({"max_size": value})


def test_no_compression() -> None:
    with pytest.raises(ValueError, match="compression must be None or 'deflate', not 'gzip'"):
        WebSocketOptions({"compression": "gzip"})


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match=r"has no option 'ssl': TLS and proxies are options of .*write_limit"):
        WebSocketOptions({"ssl": None, "zzz": 1, "origin": None})
