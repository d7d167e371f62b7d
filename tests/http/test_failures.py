from __future__ import annotations

import asyncio
import pickle
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadStatusLine
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiopenai import APIConnectionError, APITimeoutError
from aiopenai._http.failures import CUT_SHORT, UnsendableError, from_below, translate
from aiopenai._http.messages import HTTPRequest
from aiopenai.retry import worth_retrying

REQUEST = HTTPRequest("POST", "https://api.test/v1/x", {"authorization": "Bearer hunter2"}.items())


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def connector_error(kind: Any, below: OSError) -> Any:
    proxy = URL("http://us:hunter2@proxy.test:3128")
    auth = CIMultiDict({"Proxy-Authorization": "hunter2"})
    key = ConnectionKey("api.test", 443, True, True, proxy, auth, None)  # type: ignore[arg-type]
    return kind(key, below)


class TestKinds:
    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (asyncio.TimeoutError(), "Request timed out."),
            (aiohttp.ServerTimeoutError("not done within 3 s"), "Request timed out: not done within 3 s."),
            (aiohttp.SocketTimeoutError("x"), "Request timed out: no data within the read limit; `timeout=` sets it."),
            (
                aiohttp.ConnectionTimeoutError("x"),
                "Request timed out: no connection within the connect limit; `timeout=` sets it.",
            ),
            (
                caused(aiohttp.ConnectionTimeoutError("x"), aiohttp.ServerTimeoutError("no free connection")),
                "Request timed out: no free connection.",
            ),
            (caused(aiohttp.ClientOSError("x"), TimeoutError()), "Request timed out: x."),
        ],
        ids=range(6),
    )
    def test_time_limits(self, error: BaseException, message: str) -> None:
        translated = translate(error, REQUEST)
        assert type(translated) is APITimeoutError
        assert str(translated) == message
        assert worth_retrying(translated)

    @pytest.mark.parametrize(
        ("error", "retried"),
        [
            (aiohttp.ServerDisconnectedError(), True),
            (aiohttp.ClientOSError(104, "Connection reset by peer"), True),
            (ssl.SSLError("bad certificate"), True),
            (aiohttp.ClientPayloadError(f"{CUT_SHORT}: x"), True),
            (caused(aiohttp.ClientPayloadError(f"{CUT_SHORT}: x"), BadStatusLine("x")), True),
            (BadStatusLine("x"), False),
            (caused(aiohttp.ClientPayloadError("400"), BadStatusLine("x")), False),
            (UnsendableError("the URL is not valid"), False),
            (RuntimeError(), True),
        ],
        ids=range(9),
    )
    def test_worth_retrying(self, error: BaseException, retried: bool) -> None:
        translated = translate(error, REQUEST)
        assert type(translated) is APIConnectionError
        assert str(translated).startswith("Connection error: ")
        assert worth_retrying(translated) == retried
        assert translated.request is REQUEST

    def test_errors_of_the_package_stay(self) -> None:
        error = APIConnectionError(request=REQUEST)
        assert translate(error, REQUEST) is error

    @pytest.mark.parametrize("kind", [FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError])
    def test_files_of_the_caller(self, kind: type[OSError]) -> None:
        error = kind(2, "no such file")
        assert from_below(error, "POST", "http://a.test", {}) is error

    def test_others_become_the_packages(self) -> None:
        error = from_below(ConnectionResetError(104, "reset"), "POST", "http://us:hunter2@a.test", {"x": "y"})
        assert isinstance(error, APIConnectionError)
        assert (error.request.method, error.request.url) == ("POST", "http://a.test")


class TestCures:
    """The message names the option or the place to mend."""

    @pytest.mark.parametrize(
        ("below", "cure"),
        [
            (ssl.SSLCertVerificationError("self-signed"), "the option `ssl` or SSL_CERT_FILE"),
            (socket.gaierror(-2, "Name or service not known"), "check the host in the base URL"),
            (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        ],
        ids=["certificate", "name", "refused"],
    )
    def test_of_connections(self, below: OSError, cure: str) -> None:
        translated = translate(connector_error(aiohttp.ClientConnectorError, below), REQUEST)
        assert cure in str(translated)
        assert worth_retrying(translated)

    def test_of_a_certificate_that_aiohttp_reports(self) -> None:
        error = connector_error(aiohttp.ClientConnectorCertificateError, ValueError("expired"))  # type: ignore[arg-type]
        assert "SSL_CERT_FILE" in str(translate(error, REQUEST))

    @pytest.mark.parametrize(("reason", "told"), [("WRONG_VERSION_NUMBER", True), ("OTHER", False)])
    def test_of_a_port_without_tls(self, reason: str, told: bool) -> None:
        below = ssl.SSLError(1, "wrong version number")
        below.reason = reason
        translated = translate(connector_error(aiohttp.ClientConnectorError, below), REQUEST)
        assert ("this port does not speak TLS" in str(translated)) == told

    def test_reasons_with_several_cures(self) -> None:
        translated = translate(connector_error(aiohttp.ClientConnectorError, OSError(113, "No route to host")), REQUEST)
        assert ";" not in str(translated)

    @pytest.mark.parametrize(
        ("status", "retried", "cure"), [(407, False, "set the user and password"), (503, True, ""), (403, False, "")]
    )
    def test_of_refusing_proxies(self, status: int, retried: bool, cure: str) -> None:
        url = URL("http://proxy.test")
        info = aiohttp.RequestInfo(url, "CONNECT", CIMultiDictProxy(CIMultiDict()), url)
        error = aiohttp.ClientHttpProxyError(info, (), status=status, message="No")
        translated = translate(error, REQUEST, "http://proxy.test:3128")
        assert f"the proxy http://proxy.test:3128 refused the connection with status {status} No" in str(translated)
        assert ("user and password" in str(translated)) == bool(cure)
        assert worth_retrying(translated) == retried


class TestSecrets:
    """Neither the translated error nor its causes show credentials."""

    @pytest.mark.parametrize("kind", [aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError])
    def test_keys_of_connections(self, kind: Any) -> None:
        error = connector_error(kind, ConnectionRefusedError(111, "refused"))
        assert "hunter2" in repr(error)
        translated = translate(error, REQUEST, "http://proxy.test:3128")
        assert "hunter2" not in repr(error) + str(error) + repr(vars(error)) + str(translated)
        assert ("proxy.test" in str(translated)) == (kind is aiohttp.ClientProxyConnectionError)

    def test_a_name_that_does_not_resolve(self) -> None:
        error = connector_error(aiohttp.ClientProxyConnectionError, socket.gaierror(-2, "Name or service not known"))
        assert "Name or service not known" in str(translate(error, REQUEST, "x"))

    def test_replies(self) -> None:
        headers = CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer hunter2", "X": "y"}))
        url = URL("https://us:hunter2@api.test/v1?api-key=hunter2")
        info = aiohttp.RequestInfo(url, "POST", headers, url)
        error = aiohttp.ClientResponseError(info, (), status=400, message="bad", headers=headers)
        error.__cause__ = BadStatusLine("x")
        translated = translate(error, REQUEST)
        shown = repr(error) + str(error) + repr(vars(error)) + repr(error.args) + str(translated)
        assert "hunter2" not in shown
        assert error.request_info.headers["x"] == "y"

    def test_texts_and_urls_along_the_chain(self) -> None:
        inner = ValueError("bad URL http://us:hunter2@host")
        outer = aiohttp.InvalidURL(URL("http://us:hunter2@host"), "invalid")
        outer.__context__ = inner
        translated = translate(outer, REQUEST)
        assert "hunter2" not in str(inner) + repr(outer.args) + str(translated) + str(pickle.dumps(translated))

    def test_a_chain_with_a_cycle(self) -> None:
        one, other = RuntimeError("one"), RuntimeError("other")
        one.__cause__, other.__cause__ = other, one
        assert "one" in str(translate(one, REQUEST))
