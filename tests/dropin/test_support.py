"""The reference's small functions: each gives the result, or the kind of error, that the reference's own gives."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, not_given
from aiopenai._calls.raw import APIResponse, AsyncAPIResponse, LegacyAPIResponse
from aiopenai.testing import Server

pytestmark = pytest.mark.once


def ours(path: str) -> Any:
    return importlib.import_module(f"aiopenai.{path}")


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # the errors are compared too
        return type(error).__name__


NESTED = {"a": [1, {"b": [True, None]}], "c": {"d": 1.5, "e": [{"f": "x y"}]}, "g": None}
PATHS = [["files", "<array>"], ["one"], ["deep", "<array>", "file"], ["missing"]]
CASES: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    *(
        ("_qs", "stringify", (NESTED,), {"array_format": array, "nested_format": nested})
        for array in ("comma", "repeat", "indices", "brackets", "wrong")
        for nested in ("dots", "brackets")
    ),
    ("_qs", "parse", ("a=1&a=2&b=",), {}),
    ("_utils", "path_template", ("/a/{x}/b/{y}?q={z}#{w}",), {"x": "a/b c", "y": 1, "z": "a&b=c", "w": "f?g"}),
    ("_utils", "path_template", ("/a/{x}",), {"x": None}),
    ("_utils", "path_template", ("/a/{x}",), {"x": True}),
    *(("_utils", "path_template", ("/a/{x}",), {"x": value}) for value in ("", ".", "..", "%2e", "{y}")),
    ("_utils", "path_template", ("/a/{x}{x}",), {"x": "."}),
    ("_utils", "path_template", ("/a/{y}",), {"x": 1}),
    ("_utils", "json_safe", ({1: (date(2020, 1, 2), b"x")},), {}),
    *(
        ("_utils", name, (value,), {})
        for name in ("parse_datetime", "parse_date")
        for value in (
            "2020-01-02",
            "2020-01-02T03:04:05Z",
            "2020-01-02T03:04:05.123+02:00",
            1600000000,
            "1600000000000",
            "x",
        )
    ),
    ("_utils._logs", "get_http_method_for_logging", ("get",), {}),
    ("_utils._logs", "get_http_method_for_logging", ("steal",), {}),
    ("_utils._json", "openapi_dumps", ({"a": datetime(2020, 1, 2), "b": "\u00e9"},), {}),
    ("_utils._json", "openapi_dumps", ({"a": object()},), {}),
    ("_utils._json", "openapi_dumps", ({"a": float("nan")},), {}),
    ("_base_client", "_merge_mappings", ({"a": 1}, {"a": 2, "b": 3}), {}),
    ("_base_client", "_merge_headers", ({"A": "1", "B": "2"}, {"a": "3"}), {}),
    *(("_base_client", name, (), {}) for name in ("get_platform", "get_python_runtime", "get_python_version")),
    ("_base_client", "platform_headers", ("1.0",), {"platform": None}),
    ("_files", "is_file_content", (b"x",), {}),
    ("_files", "is_base64_file_input", (b"x",), {}),
    ("_files", "assert_is_file_content", ("x",), {"key": "k"}),
    ("_files", "to_httpx_files", ({"a": b"x", "b": ("n", b"y", "t")},), {}),
    ("_files", "to_httpx_files", ([("a", b"x")],), {}),
    ("_files", "to_httpx_files", ({"a": "text"},), {}),
    ("_files", "to_httpx_files", (None,), {}),
    ("lib._pydantic", "resolve_ref", (), {"root": {"$defs": {"A": {"x": 1}}}, "ref": "#/$defs/A"}),
    ("lib._pydantic", "resolve_ref", (), {"root": {}, "ref": "A"}),
    ("lib._pydantic", "has_more_than_n_keys", ({"a": 1, "b": 2}, 1), {}),
    ("lib._parsing._completions", "is_parseable_tool", ({"type": "function", "function": {"strict": True}},), {}),
    ("lib._parsing._completions", "materialize_input_tools", (({"type": "x"},),), {}),
    ("lib._parsing._completions", "is_response_format_param", ({},), {}),
    ("lib._parsing._completions", "select_strict_chat_completion_tools", ([{"type": "custom"}],), {}),
    ("_data_residency", "resolve_data_residency", ("eu", not_given), {}),
    ("_data_residency", "resolve_data_residency", (None, "http://x"), {}),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_as_the_reference(number: int) -> None:
    pytest.importorskip("openai")
    path, name, args, given = CASES[number]
    theirs = importlib.import_module(f"openai.{path}")
    assert outcome(lambda: getattr(ours(path), name)(*copy.copy(args), **given)) == outcome(
        lambda: getattr(theirs, name)(*_translated(copy.copy(args)), **given)
    ), (path, name, args, given)


def _translated(args: tuple[Any, ...]) -> tuple[Any, ...]:
    import openai

    return tuple(openai.not_given if each is not_given else each for each in args)


@pytest.mark.parametrize("array_format", ["brackets", "repeat", "indices", "comma", "wrong"])
def test_extract_files(array_format: str) -> None:
    openai_utils = pytest.importorskip("openai._utils")
    results: list[Any] = []
    for extract in (ours("_utils").extract_files, openai_utils.extract_files):
        query = {"files": [b"1", b"2"], "one": b"3", "deep": [{"file": b"4", "x": 1}, {"y": 2}], "z": 1}
        found = outcome(lambda extract=extract, query=query: extract(query, paths=PATHS, array_format=array_format))  # type: ignore[misc]
        results.append((found, query))
    assert results[0] == results[1]


def test_deepcopy_with_paths() -> None:
    given: dict[str, Any] = {"a": {"b": [{"f": 1}], "c": {}}, "d": {}}
    made = ours("_files").deepcopy_with_paths(given, [["a", "b", "<array>", "f"]])
    assert made == given
    assert made is not given
    assert made["a"]["b"][0] is not given["a"]["b"][0]
    assert made["a"]["c"] is given["a"]["c"]
    assert made["d"] is given["d"]


async def test_files_at_paths(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    files = {"a": tmp_path / "a.txt", "b": ("name", tmp_path / "a.txt"), "c": io.BytesIO(b"x")}
    expected = {"a": ("a.txt", b"text"), "b": ("name", b"text"), "c": files["c"]}
    assert ours("_files").to_httpx_files(files) == expected
    assert await ours("_files").async_to_httpx_files(files) == expected


BODY = b': hi\nevent: e\ndata: 1\ndata: \xc3\xa9\nid: 7\nretry: 5\n\ndata: {"a": 2}\r\n\r\n'
# Blocks without data, and an event that is cut.
BODY += b"retry: 9\n\nevent: ping\r\r\ndata\n\n\nretry: x\nother: 1\n\ndata: cut"


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_events(size: int) -> None:
    streaming = pytest.importorskip("openai._streaming")
    pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]

    async def sent() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    def fields(event: Any) -> Any:
        return event.event, event.data, event.id, event.retry

    decoder = ours("_streaming").SSEDecoder()
    expected = [fields(each) for each in streaming.SSEDecoder().iter_bytes(iter(pieces))]
    assert [fields(each) for each in decoder.iter_bytes(iter(pieces))] == expected
    assert len(expected) > 4
    assert [fields(each) async for each in decoder.aiter_bytes(sent())] == expected
    assert isinstance(decoder, ours("_streaming").SSEBytesDecoder)
    lines = BODY.decode().splitlines()
    by_line = [each for line in lines if (each := ours("_streaming").SSEDecoder.decode(decoder, line)) is not None]
    assert [fields(each) for each in by_line] == expected
    assert repr(by_line[0]) == "ServerSentEvent(event=e, data=1\n\u00e9, id=7, retry=5)"
    assert by_line[1].json() == {"a": 2}


def test_accumulate_delta() -> None:
    deltas = pytest.importorskip("openai.lib.streaming._deltas")
    pieces = [
        {"a": "x", "n": 1, "type": "t", "list": [{"index": 0, "s": "a"}, {"index": 0, "s": "b"}], "words": ["a"]},
        {"a": "y", "n": 2, "type": "u", "list": [{"index": 1, "s": "c"}, {"index": 0, "s": "d"}], "words": ["b"]},
        {"a": None, "new": {"k": "v"}},
        {"new": {"k": "w"}},
    ]
    found: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for piece in pieces:
        ours("lib.streaming._deltas").accumulate_delta(found, copy.deepcopy(piece))
        deltas.accumulate_delta(expected, copy.deepcopy(piece))
    assert found == expected
    with pytest.raises(TypeError, match="index"):
        ours("lib.streaming._deltas").accumulate_delta({"l": [{"index": 0}]}, {"l": [{"x": 1}]})


def test_lazy_proxies() -> None:
    made: list[int] = []

    class Proxy(ours("_utils").LazyProxy):  # type: ignore[misc]
        def __load__(self) -> Any:
            made.append(1)
            return {"a": 1}

    proxy = Proxy()
    assert not made
    assert list(proxy.keys()) == ["a"]
    assert str(proxy) == repr(proxy) == "{'a': 1}"
    assert isinstance(proxy, dict)
    assert "keys" in dir(proxy)
    assert proxy.__as_proxied__() is proxy
    with pytest.raises(TypeError, match="abstract"):
        ours("_utils").LazyProxy()
    assert ours("_utils._resources_proxy").resources.Chat is ours("resources.chat").Chat


def test_optional_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ours("_extras._common").MissingDependencyError, match="pip install sounddevice"):
        _ = ours("_extras").sounddevice.Stream


def test_headers_in_logs() -> None:
    record = logging.makeLogRecord({"args": {"headers": {"Authorization": "Bearer k", "X": "y"}}})
    assert ours("_utils").SensitiveHeadersFilter().filter(record)
    args: Any = record.args
    assert args["headers"] == {"Authorization": "<redacted>", "X": "y"}


def test_signatures() -> None:
    def one(a: int, b: int) -> None: ...

    def other(a: int) -> None: ...

    module = ours("_utils")
    assert module.function_has_argument(one, "b")
    module.assert_signatures_in_sync(one, other, exclude_params={"b"})
    module.assert_signatures_in_sync(one, lambda: None, exclude_params=iter("ab"))
    with pytest.raises(AssertionError, match="`b` param is missing"):
        module.assert_signatures_in_sync(one, other)


def test_http_library() -> None:
    pytest.importorskip("httpx2")
    library = ours("_reference.http_libraries").library()
    base = ours("_base_client")
    assert issubclass(base.DefaultHttpxClient, library.Client)
    assert base.DEFAULT_CONNECTION_LIMITS.max_connections == 1000
    with base.DefaultHttpxClient() as client:
        assert (client.timeout.read, client.timeout.connect, client.follow_redirects) == (600, 5, True)
        assert ours("_httpx2").is_httpx2_sync_client(client) == (library.__name__ == "httpx2")
    assert ours("_httpx2").normalize_httpx_url("http://x/y") == library.URL("http://x/y")
    assert ours("_httpx2").normalize_httpx_timeout(3) == 3
    assert library.TimeoutException in ours("_httpx2").timeout_exceptions()


def test_without_an_http_library() -> None:
    program = """
        import sys
        sys.modules["httpx"] = sys.modules["httpx2"] = None
        import aiopenai, inspect
        from aiopenai import DefaultHttpxClient
        try:
            DefaultHttpxClient(timeout=3)
        except ImportError as error:
            assert "DefaultHttpxClient" in str(error) and "pip install httpx2" in str(error)
        else:
            raise AssertionError
        assert not hasattr(aiopenai, "Transport") and "OpenAI" in dict(inspect.getmembers(aiopenai))
        try:
            aiopenai.DEFAULT_CONNECTION_LIMITS
        except AttributeError as error:
            assert "pip install httpx2" in str(error)
    """
    subprocess.run([sys.executable, "-c", inspect.cleandoc(program)], check=True)


async def test_wrappers(server: Server, client: AsyncOpenAI) -> None:
    wrap = ours("_response")
    raw = wrap.async_to_raw_response_wrapper(client.models.list)
    assert inspect.iscoroutinefunction(raw)
    assert isinstance(await raw(), LegacyAPIResponse)
    async with wrap.async_to_streamed_response_wrapper(client.models.list)() as reply:
        assert isinstance(reply, AsyncAPIResponse)

    class Own(AsyncAPIResponse[Any]):
        pass

    async with wrap.async_to_custom_streamed_response_wrapper(client.models.list, Own)() as reply:
        assert type(reply) is Own
        assert (await reply.json())["object"] == "list"
    custom = wrap.async_to_custom_raw_response_wrapper(client.models.list, LegacyAPIResponse)
    assert isinstance(await custom(), LegacyAPIResponse)
    with pytest.raises(TypeError, match="must be a subclass"):
        await wrap.async_to_custom_raw_response_wrapper(client.models.list, str)()


def test_blocking_wrappers() -> None:
    wrap = ours("_response")
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        assert isinstance(wrap.to_raw_response_wrapper(client.models.list)(), LegacyAPIResponse)
        assert isinstance(ours("_legacy_response").to_raw_response_wrapper(client.models.list)(), LegacyAPIResponse)
        with wrap.to_streamed_response_wrapper(client.models.list)() as reply:
            assert isinstance(reply, APIResponse)
        with wrap.to_custom_streamed_response_wrapper(client.models.list, APIResponse)() as reply:
            assert reply.json()["object"] == "list"
        custom = wrap.to_custom_raw_response_wrapper(client.models.list, LegacyAPIResponse)
        assert isinstance(custom(), LegacyAPIResponse)


def test_types_of_generics() -> None:
    stream = ours("_streaming")
    assert stream.extract_stream_chunk_type(stream.Stream[int]) is int

    class Mine(stream.AsyncStream[bytes]):  # type: ignore[misc]
        pass

    assert stream.extract_stream_chunk_type(Mine) is bytes
    with pytest.raises(RuntimeError, match="no type"):
        stream.extract_stream_chunk_type(int, failure_message="no type")
    assert ours("_response").extract_response_type(ours("_response").APIResponse[str]) is str


def test_strict_schemas() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    made = ours("lib._pydantic")._ensure_strict_json_schema(schema, path=(), root=schema)
    assert made is schema
    assert schema["required"] == ["a"]
    assert schema["additionalProperties"] is False
    with pytest.raises(TypeError, match="to be a dictionary"):
        ours("lib._pydantic")._ensure_strict_json_schema([], path=(), root={})


def test_response_formats_of_create() -> None:
    pydantic = pytest.importorskip("pydantic")
    validate = ours("resources.chat.completions.completions").validate_response_format
    validate({"type": "text"})
    with pytest.raises(TypeError, match=r"completions\.parse"):
        validate(type("Model", (pydantic.BaseModel,), {}))
