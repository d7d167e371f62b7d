"""The one place that turns exceptions of aiohttp, ssl and the operating system into the package's own.

Foreign exceptions stay reachable as `__cause__`, without credentials: aiohttp keeps the headers of the request and the
URL of the proxy in some of them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiopenai._base.redaction import redacted, redacted_url
from aiopenai._base.secret import without_frames
from aiopenai._http.messages import HTTPRequest
from aiopenai._http.private.connector import connection_key_of, replace_connection_key
from aiopenai._http.private.parser import HttpProcessingError
from aiopenai.errors import APIConnectionError, APIError, APITimeoutError

__all__ = ["CUT_SHORT", "FOREIGN", "UnsendableError", "from_below", "translate"]

FOREIGN = (aiohttp.ClientError, HttpProcessingError, asyncio.TimeoutError, OSError, RuntimeError, ValueError)
"""The exceptions that sending can raise. All others are bugs and stay as they are."""

CUT_SHORT = "Response payload is not completed"
"""The beginning of aiohttp's message for a body that is cut short by the end of its connection."""

# Statuses of a proxy that another attempt does not change: bad request, credentials, policy.
_FINAL_REFUSALS = range(400, 500)


class UnsendableError(ValueError):
    """A request that cannot be sent as it is; nothing was written. The message names the cure."""


def from_below(error: Exception, method: str, url: str, headers: Mapping[str, str], via: str = "") -> Exception:
    """Returns the exception to raise for one that ended a request. `via` describes its proxy."""
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)):
        # A file of the caller's, found unreadable before anything was sent. aiohttp wraps those of sockets.
        return error
    return translate(error, HTTPRequest(method, url, headers.items()), via)


def translate(error: BaseException, request: HTTPRequest, via: str = "") -> APIError:
    """Returns the package's exception for a foreign one, and takes the credentials out of the foreign one."""
    if isinstance(error, APIError):
        return error
    chain = _chain(error)
    for each in chain:
        _scrub(each)
    # Error reporters print the local variables of frames, and the frames below hold the headers.
    without_frames(error)
    timed_out = any(isinstance(each, (asyncio.TimeoutError, TimeoutError)) for each in chain)
    arrived = any(isinstance(each, HttpProcessingError) for each in chain) and CUT_SHORT not in str(error)
    if timed_out:
        return APITimeoutError(request, message=redacted(_timed_out(error)))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy {via} refused the connection with status {error.status} {error.message}".rstrip()
        if error.status == 407:
            message += "; set the user and password in the URL of the proxy"
        arrived = error.status in _FINAL_REFUSALS
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        message = f"cannot connect to the proxy {via}: {_reason(error)}"
    else:
        message = str(error) or type(error).__name__
        if arrived:
            message = f"the reply cannot be read as HTTP: {message}"
        elif isinstance(error, aiohttp.ClientConnectorError):
            message += _cure_of_connection(error)
    # After a reply another attempt would be billed again; a request that cannot be sent would fail again.
    final = arrived or isinstance(error, UnsendableError)
    return APIConnectionError(message=redacted(f"Connection error: {message}"), request=request, retryable=not final)


def _chain(error: BaseException) -> list[BaseException]:
    """Returns an exception and its causes."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or following.__context__
    return chain


def _timed_out(error: BaseException) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        if isinstance(error.__cause__, aiohttp.ServerTimeoutError):
            return f"Request timed out: {error.__cause__}."
        return "Request timed out: no connection within the connect limit; `timeout=` sets it."
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "Request timed out: no data within the read limit; `timeout=` sets it."
    return f"Request timed out: {error}." if str(error) else "Request timed out."


def _reason(error: aiohttp.ClientConnectorError) -> str:
    below = error.os_error
    if below.errno is not None and not isinstance(below, socket.gaierror):
        return os.strerror(below.errno)
    return below.strerror or str(below) or type(below).__name__


def _cure_of_connection(error: aiohttp.ClientConnectorError) -> str:
    """Returns the cure of a connection that cannot be made; empty for reasons that have several."""
    below = error.os_error
    if isinstance(error, aiohttp.ClientConnectorCertificateError) or isinstance(below, ssl.SSLCertVerificationError):
        return "; the option `ssl` or SSL_CERT_FILE names the authorities to trust"
    if isinstance(below, ssl.SSLError) and below.reason == "WRONG_VERSION_NUMBER":
        return "; this port does not speak TLS: the base URL begins with http:// then"
    if isinstance(below, socket.gaierror):
        return "; check the host in the base URL, and the network"
    if isinstance(below, ConnectionRefusedError):
        return "; nothing listens there: start the server, or correct the base URL"
    return ""


def _scrub(error: BaseException) -> None:
    """Takes credentials out of an exception: headers and URLs that aiohttp keeps in it, and texts."""
    if isinstance(error, aiohttp.ClientResponseError):
        info: Any = error.request_info
        shown = HTTPRequest(info.method, str(info.url), info.headers.items())
        url = URL(shown.url, encoded=True)
        clean = aiohttp.RequestInfo(url, info.method, CIMultiDictProxy(CIMultiDict(shown.headers.multi_items())), url)
        error.request_info = clean
        error.args = (clean, ())
        error.history = ()
        error.headers = None
        return
    key = connection_key_of(error)
    if key is not None:
        proxy = key.proxy and URL(redacted_url(str(key.proxy)), encoded=True)
        clean_key = key._replace(proxy=proxy, proxy_auth=None)
        replace_connection_key(error, clean_key)
        return
    if isinstance(error, (aiohttp.ClientError, HttpProcessingError, ValueError, RuntimeError)):
        error.args = tuple(
            redacted(each) if isinstance(each, str) else URL(redacted_url(str(each))) if isinstance(each, URL) else each
            for each in error.args
        )
