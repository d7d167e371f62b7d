"""The checks of `aiopenai doctor` on the network: address, DNS, TLS, answers and clock."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiopenai._base.deadlines import within

__all__ = [
    "BAD",
    "FINE",
    "WARNING",
    "Finding",
    "address",
    "answers",
    "name_lookup",
    "reachability",
    "tls_chain",
]

FINE, WARNING, BAD = "ok", "warning", "failed"
_SECONDS = 10.0
_CALLS = 3
# Signed requests and tokens of clouds fail with a clock that is off by minutes.
_CLOCK_SECONDS = 60
_CERTIFICATE_DAYS = 14


class Finding(NamedTuple):
    """One line of the report: its state, its subject, the fact, and the cure."""

    state: str
    subject: str
    text: str
    cure: str = ""


def address(base_url: str, why: str) -> Finding:
    """Returns the finding about the base URL."""
    from aiopenai._base.urls import shown

    path = urlsplit(base_url).path.rstrip("/")
    text = f"{shown(base_url)} ({why})"
    if path.endswith(("/chat/completions", "/responses", "/completions", "/embeddings", "/models")):
        return Finding(WARNING, "base URL", f"{text} ends in the path of a method", "use the part before it")
    if not path:
        return Finding(WARNING, "base URL", f"{text} has no path", "most servers need /v1 at its end")
    return Finding(FINE, "base URL", text)


async def name_lookup(host: str, port: int) -> Finding:
    """Returns the finding about the name of a host."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return Finding(FINE, "DNS", f"{host} is an address and needs no lookup")
    begin = time.perf_counter()
    try:
        lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = await within(_SECONDS, lookup)
    except (OSError, UnicodeError, asyncio.TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or f"no answer within {_SECONDS:g} s"
        return Finding(BAD, "DNS", f"{host} is not found: {reason}", "check the name, the network and the resolver")
    spent = (time.perf_counter() - begin) * 1e3
    addresses = sorted({str(each[4][0]) for each in found})
    return Finding(FINE, "DNS", f"{host} is {', '.join(addresses)}, found in {spent:.0f} ms")


async def reachability(host: str, port: int, role: str) -> Finding:
    """Returns the finding about a TCP connection."""
    begin = time.perf_counter()
    try:
        _, writer = await within(_SECONDS, asyncio.open_connection(host, port))
    except (OSError, asyncio.TimeoutError) as error:
        reason = str(error) or f"no answer within {_SECONDS:g} s"
        cure = "unset or correct the proxy variable" if role == "proxy" else "check that it runs, and its port"
        return Finding(BAD, "connection", f"the {role} {host}:{port} cannot be reached: {reason}", cure)
    spent = (time.perf_counter() - begin) * 1e3
    writer.close()
    return Finding(FINE, "connection", f"the {role} {host}:{port} answers in {spent:.0f} ms, without TLS here")


async def tls_chain(host: str, port: int) -> Finding:
    """Returns the finding about TLS: protocol, issuer and the end of the certificate."""
    begin = time.perf_counter()
    context = ssl.create_default_context()
    try:
        _, writer = await within(_SECONDS, asyncio.open_connection(host, port, ssl=context))
    except ssl.SSLCertVerificationError as error:
        cure = "a proxy that reads TLS needs its certificate in SSL_CERT_FILE, or in a context given as ssl="
        return Finding(BAD, "TLS", f"the certificate of {host} is not trusted: {error.verify_message}", cure)
    except (OSError, asyncio.TimeoutError) as error:
        reason = str(error) or f"no answer within {_SECONDS:g} s"
        return Finding(BAD, "TLS", f"no connection to {host}:{port}: {reason}", "check the network and firewalls")
    spent = (time.perf_counter() - begin) * 1e3
    connection: Any = writer.get_extra_info("ssl_object")
    certificate = connection.getpeercert()
    writer.close()
    issuer = dict(pair for part in certificate.get("issuer", ()) for pair in part)
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86_400
    text = f"{connection.version()}, issued by {issuer.get('organizationName', issuer.get('commonName', 'unknown'))}"
    text += f", valid for {days:.0f} more days, connected in {spent:.0f} ms"
    if days < _CERTIFICATE_DAYS:
        return Finding(WARNING, "TLS", text, "the owner of the server has to renew the certificate")
    return Finding(FINE, "TLS", text)


async def answers(client: Any) -> list[Finding]:
    """Returns the findings about the server's own answers: key, latency and clock."""
    from aiopenai.errors import APIError, APIResponseValidationError, APIStatusError

    spent: list[float] = []
    response: Any = None
    try:
        for _ in range(_CALLS):
            begin = time.perf_counter()
            raw = await client.models.with_raw_response.list()
            raw.parse()
            spent.append((time.perf_counter() - begin) * 1e3)
            response = raw
        finding = Finding(FINE, "answer", f"GET /models is answered in {min(spent):.0f} ms at best of {_CALLS}")
    except APIStatusError as error:
        response = error.response
        finding = _refusal(error)
    except APIResponseValidationError as error:
        response = error.response
        finding = Finding(BAD, "answer", "the reply is no JSON", "check the base URL: it often needs /v1 at its end")
    except APIError as error:
        return [Finding(BAD, "answer", f"{type(error).__name__}: {error}", "check proxy, network and --timeout")]
    return [finding, *_clock(response.headers.get("date"))]


def _refusal(error: Any) -> Finding:
    if error.status_code == 401:
        return Finding(BAD, "answer", "401: the server does not accept the key", "set OPENAI_API_KEY to a valid one")
    if error.status_code == 403:
        return Finding(BAD, "answer", f"403: {error.message}", "check the rights of the key and the country")
    if error.status_code == 404:
        text = "404: the server has no list of models here"
        return Finding(WARNING, "answer", text, "check the base URL: it often needs /v1 at its end")
    if error.status_code == 429:
        return Finding(WARNING, "answer", f"429: {error.message}", "check quota and rate limits of the account")
    return Finding(BAD, "answer", f"{error.status_code}: {error.message}", "try again later, or ask the server's owner")


def _clock(date: str | None) -> list[Finding]:
    if not date:
        return []
    try:
        ahead = time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return []
    if abs(ahead) > _CLOCK_SECONDS:
        words = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
        return [Finding(WARNING, "clock", f"this clock is {words}", "set it by NTP: tokens depend on it")]
    return [Finding(FINE, "clock", "it agrees with the server's")]
