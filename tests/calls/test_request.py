"""Requests and endpoints as data."""

from __future__ import annotations

import pytest

from aiopenai._calls.request import Endpoint, HeaderKind, Request, shown_path


def test_equal_facts_are_one_kind() -> None:
    one = Endpoint(method="GET", path="/a", headers={"X-A": "1", "X-B": "2"})
    two = Endpoint(method="POST", path="/b", headers={"X-B": "2", "X-A": "1"})
    assert one.header_kind is two.header_kind
    assert HeaderKind.of("bearer", None, {}) is Endpoint(method="GET", path="/").header_kind
    for other in ({"accept": "x"}, {"security": "admin"}, {"headers": {"X-A": "2"}}):
        assert Endpoint(**{"method": "GET", "path": "/a", **other}).header_kind is not one.header_kind  # type: ignore[arg-type]


def test_names() -> None:
    assert Endpoint(method="GET", path="/a").name == "GET /a"
    assert Endpoint(method="GET", path="/a", name="models.list").name == "models.list"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a/b", "/a/b"),
        ("/a?key=1", "/a"),
        ("a", "a"),
        ("http://user:pw@h/a?key=1", "http://h/a"),
        ("//user:pw@h/a", "//user:pw@h/a"),
    ],
)
def test_shown_paths(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_a_request_shows_its_method_and_path() -> None:
    request = Request(endpoint=Endpoint(method="GET", path="/a"), path="/a?key=sesame", headers={"A": "sesame"})  # type: ignore[var-annotated]
    assert request.method == "GET"
    assert repr(request) == "<Request GET /a>"
    assert "sesame" not in str(request.__rich_repr__())
