from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
import traceback
import urllib.request
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aiopenai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAI, OpenAIError
from aiopenai._http.failures import UnsendableError
from aiopenai._http.interface import Settings
from aiopenai._http.proxies import Proxy, bypassed, parse_proxy, proxy_for, socks_connector
from aiopenai.testing import Server

PASSWORD = "hunter2"
KEY = "sk-secret-secret-secret"


def all_of(error: BaseException) -> str:
    """All texts that an error can show: traceback, causes, attributes, pickle."""
    texts = ["".join(traceback.format_exception(error)), str(pickle.dumps(error))]
    each: BaseException | None = error
    while each is not None:
        texts += [repr(each), str(each), repr(each.args), repr(vars(each))]
        each = each.__cause__ or each.__context__
    return "\n".join(texts)


class TestParseProxy:
    @pytest.mark.parametrize(
        ("text", "url", "login"),
        [
            ("http://proxy.test:3128", "http://proxy.test:3128", None),
            ("proxy.test:3128", "http://proxy.test:3128", None),
            ("//proxy.test", "http://proxy.test", None),
            (" HTTP://Proxy.Test/path ", "http://proxy.test", None),
            ("https://user:hunter2@proxy.test", "https://proxy.test", ("user", "hunter2")),
            ("user:hunter2@proxy.test:1", "http://proxy.test:1", ("user", "hunter2")),
            ("http://user@proxy.test", "http://proxy.test", ("user", "")),
            ("http://us%40er:p%3A%20%2F@proxy.test", "http://proxy.test", ("us@er", "p: /")),
            ("http://[::1]:8080", "http://[::1]:8080", None),
            ("socks5://proxy.test", "socks5://proxy.test:1080", None),
            ("socks5h://u:hunter2@10.0.0.1:9", "socks5h://10.0.0.1:9", ("u", "hunter2")),
            ("socks4a://proxy.test", "socks4a://proxy.test:1080", None),
        ],
    )
    def test_urls(self, text: str, url: str, login: tuple[str, str] | None) -> None:
        proxy = parse_proxy(text, "HTTPS_PROXY")
        assert (str(proxy.url), proxy.login) == (url, login)
        assert proxy.is_socks == url.startswith("socks")
        for shown in (str(proxy), repr(proxy), f"{proxy}"):
            assert PASSWORD not in shown
            assert "HTTPS_PROXY" in shown

    def test_headers(self) -> None:
        assert parse_proxy("http://proxy.test", "x").headers is None
        assert parse_proxy("http://us:p%C3%A4@proxy.test", "x").headers == {"Proxy-Authorization": "Basic dXM6cMOk"}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "http://",
            "http://user:hunter2@",
            "http://user:hunter2@[::1",
            "http://user:hunter2@host:port",
            "http://user:hunter2@host:99999",
            "ftp://user:hunter2@host",
            "socks6://user:hunter2@host",
            "http://user:hun/hunter2@host",
            "://user:hunter2@host",
        ],
    )
    def test_malformed(self, text: str) -> None:
        with pytest.raises(UnsendableError, match="HTTPS_PROXY") as caught:
            parse_proxy(text, "HTTPS_PROXY")
        assert PASSWORD not in all_of(caught.value)

    @given(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        with contextlib.suppress(UnsendableError):
            assert parse_proxy(text, "x").url.raw_host


class TestBypassed:
    @pytest.mark.parametrize(
        ("rules", "host"),
        [
            ("*", "api.test"),
            ("api.test", "api.test"),
            ("api.test", "API.test"),
            ("API.Test.", "api.test"),
            ("test", "api.test"),
            (".test", "api.test"),
            ("*.test", "api.test"),
            (".api.test", "api.test"),
            ("a.b, api.test", "api.test"),
            ("a.b api.test", "api.test"),
            ("http://api.test", "api.test"),
            ("api.test:8080", "api.test"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("127.0.0.0/8", "127.4.5.6"),
            ("10.1.2.3/16", "10.1.255.1"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[::1]:8080", "[::1]"),
            ("fe80::/10", "fe80::1%eth0"),
            ("[fd00::]/8", "fd12::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1"),
        ],
    )
    def test_exempt(self, rules: str, host: str) -> None:
        assert bypassed(rules, host, 8080)

    @pytest.mark.parametrize(
        ("rules", "host"),
        [
            ("", "api.test"),
            (",", "api.test"),
            (".", "api.test"),
            ("api.test:9090", "api.test"),
            ("[::1]:9090", "::1"),
            ("pi.test", "api.test"),
            ("api.test.org", "api.test"),
            ("x.api.test", "api.test"),
            ("128.0.0.0/8", "127.0.0.1"),
            ("0.1", "127.0.0.1"),
            ("10.0.0.0/8", "fe80::1"),
            ("10.0.0.0/40", "10.0.0.1"),
            ("10.0.0.0/8", "api.test"),
            ("127.0.0.1:9090", "127.0.0.1"),
        ],
    )
    def test_not_exempt(self, rules: str, host: str) -> None:
        assert not bypassed(rules, host, 8080)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


class TestProxyFor:
    def test_nothing(self) -> None:
        assert proxy_for(Settings(), URL("https://api.test")) is None

    def test_the_option_comes_first(self, variables: Any) -> None:
        variables(https_proxy="http://env.test", no_proxy="*")
        proxy = proxy_for(Settings(proxy="http://option.test"), URL("https://api.test"))
        assert proxy is not None
        assert (str(proxy.url), proxy.source) == ("http://option.test", "the option `proxy`")

    @pytest.mark.parametrize(
        ("scheme", "expected", "source"),
        [("http", "http://one.test", "HTTP_PROXY"), ("https", "http://two.test", "ALL_PROXY")],
    )
    def test_by_scheme(self, scheme: str, expected: str, source: str, variables: Any) -> None:
        variables(http_proxy="http://one.test", all_proxy="http://two.test")
        proxy = proxy_for(Settings(), URL(f"{scheme}://api.test"))
        assert proxy is not None
        assert (str(proxy.url), proxy.source) == (expected, source)
        assert proxy_for(Settings(trust_env=False), URL(f"{scheme}://api.test")) is None

    @pytest.mark.parametrize("rule", ["127.0.0.0/8", "127.0.0.1:8080", "*"])
    def test_bypass(self, rule: str, variables: Any) -> None:
        variables(http_proxy="http://one.test", NO_PROXY=rule)
        assert proxy_for(Settings(), URL("http://127.0.0.1:8080/v1")) is None

    def test_the_settings_of_the_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://system.test"})
        monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host == "exempt.test")
        proxy = proxy_for(Settings(), URL("https://api.test"))
        assert proxy is not None
        assert proxy.source == "the settings of the system"
        assert proxy_for(Settings(), URL("https://exempt.test")) is None
        assert proxy_for(Settings(), URL("http://api.test")) is None

    def test_a_connector_of_the_callers_may_speak_socks(self, variables: Any) -> None:
        variables(all_proxy="socks5://one.test")
        assert proxy_for(Settings(connector=object()), URL("https://api.test")) is None
        assert proxy_for(Settings(), URL("https://api.test")) is not None


class TestSocks:
    @pytest.fixture
    async def listener(self) -> Any:
        """A port that must not see a single byte."""
        seen: list[bytes] = []

        async def accept(reader: Any, writer: Any) -> None:
            seen.append(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1], seen
        server.close()

    @pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
    @pytest.mark.parametrize("where", ["option", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"])
    async def test_without_the_package_nothing_is_sent(
        self, scheme: str, where: str, listener: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port, seen = listener
        monkeypatch.setitem(sys.modules, "aiohttp_socks", None)
        url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}"
        options: dict[str, Any] = {"proxy": url} if where == "option" else {}
        if where != "option":
            monkeypatch.setenv(where, url)
        base_url = "http://api.test/v1" if where == "HTTP_PROXY" else "https://api.test/v1"
        async with AsyncOpenAI(api_key=KEY, base_url=base_url, **options) as client:
            with pytest.raises(APIConnectionError, match="pip install aiohttp-socks") as caught:
                await client.models.list()
        assert not caught.value.retryable
        assert PASSWORD not in all_of(caught.value)
        assert seen == []

    async def test_with_the_package(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[dict[str, Any]] = []

        class ProxyConnector(aiohttp.TCPConnector):
            def __init__(self, **options: Any) -> None:
                made.append(options)
                super().__init__(limit=options["limit"])

        module: Any = ModuleType("aiohttp_socks")
        module.ProxyConnector = ProxyConnector
        module.ProxyType = type("ProxyType", (), {"SOCKS4": 4, "SOCKS5": 5})
        monkeypatch.setitem(sys.modules, "aiohttp_socks", module)
        proxy = f"socks5h://us:{PASSWORD}@proxy.test:99"
        async with AsyncOpenAI(api_key=KEY, base_url=server.base_url, proxy=proxy) as client:
            for _ in range(3):
                await client.models.list()
        (options,) = made
        expected = {
            "host": "proxy.test",
            "port": 99,
            "proxy_type": 5,
            "username": "us",
            "password": PASSWORD,
            "rdns": True,
        }
        assert {name: options[name] for name in expected} == expected
        assert server.connections == 1
        connector = socks_connector(parse_proxy("socks4://h", "x"), limit=3)
        assert (made[-1]["proxy_type"], made[-1]["rdns"], made[-1]["username"]) == (4, False, None)
        await connector.close()


class TestFailures:
    @pytest.mark.parametrize("base_url", ["https://api.test/v1", "http://api.test/v1"])
    @pytest.mark.parametrize("blocking", [False, True])
    async def test_a_proxy_that_is_down_is_named(self, base_url: str, blocking: bool) -> None:
        options: Any = {
            "api_key": KEY,
            "base_url": base_url,
            "proxy": f"http://us:{PASSWORD}@127.0.0.1:1",
            "max_retries": 0,
        }
        match = r"cannot connect to the proxy http://127\.0\.0\.1:1 \(from the option `proxy`\): Connection refused"
        if blocking:
            with OpenAI(**options) as client, pytest.raises(APIConnectionError, match=match) as caught:
                client.models.list()
        else:
            async with AsyncOpenAI(**options) as other:
                with pytest.raises(APIConnectionError, match=match) as caught:
                    await other.models.list()
        assert PASSWORD not in all_of(caught.value)
        assert KEY not in all_of(caught.value)
        assert caught.value.retryable

    @pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "503 Unavailable"])
    async def test_a_refusal(self, status: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        async def refuse(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.reply(b"no", status=status))

        monkeypatch.setattr("aiopenai.retry.INITIAL_DELAY", 0.001)
        proxy = await raw_server(refuse)
        url = f"http://us:{PASSWORD}@127.0.0.1:{proxy.port}"
        async with AsyncOpenAI(api_key=KEY, base_url="https://api.test/v1", proxy=url, max_retries=2) as client:
            with pytest.raises(APIConnectionError, match=f"refused the connection with status {status}") as caught:
                await client.models.list()
        shown = all_of(caught.value)
        assert PASSWORD not in shown
        assert "dXM6aHVudGVyMg" not in shown
        assert KEY not in shown
        assert ("user and password" in str(caught.value)) == status.startswith("407")
        # Credentials and policy do not change with the next attempt.
        assert len(proxy.requests) == (3 if status.startswith("5") else 1)
        # TLS is due between the client and the server: the proxy sees the credentials for itself only.
        for line, headers, _ in proxy.requests:
            assert line == "CONNECT api.test:443 HTTP/1.1"
            assert "authorization" not in headers
            assert headers["proxy-authorization"] == "Basic dXM6aHVudGVyMg=="

    async def test_a_refusal_of_plain_http(self, raw_server: Any) -> None:
        async def refuse(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.reply(b"no", status="407 Proxy Authentication Required"))

        proxy = await raw_server(refuse)
        url = f"http://us:{PASSWORD}@127.0.0.1:{proxy.port}"
        async with AsyncOpenAI(api_key=KEY, base_url="http://api.test/v1", proxy=url) as client:
            with pytest.raises(APIStatusError, match="407") as caught:
                await client.models.list()
        assert PASSWORD not in all_of(caught.value)
        assert proxy.requests[0][1]["proxy-authorization"] == "Basic dXM6aHVudGVyMg=="

    @pytest.mark.parametrize(
        "text", [f"http://us:{PASSWORD}@[::1", f"us:{PASSWORD}@host:port", f"ftp://us:{PASSWORD}@h"]
    )
    @pytest.mark.parametrize("where", ["option", "HTTPS_PROXY"])
    async def test_malformed(self, text: str, where: str, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
        options: Any = {"proxy": text} if where == "option" else {}
        if where != "option":
            monkeypatch.setenv(where, text)
        caplog.set_level("DEBUG")
        async with AsyncOpenAI(api_key=KEY, base_url="https://api.test/v1", **options) as client:
            with pytest.raises(OpenAIError, match="proxy") as caught:
                await client.models.list()
        assert PASSWORD not in all_of(caught.value)
        assert PASSWORD not in caplog.text


def test_a_proxy_is_a_key() -> None:
    one, other = parse_proxy("http://a:b@c", "x"), parse_proxy("http://a:d@c", "x")
    assert len({one, other, Proxy(*one)}) == 2
