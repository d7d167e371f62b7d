"""The removal of keys and personal data from requests and replies, before they reach a file.

A cleaner removes four kinds: headers by their name, fields of JSON by their name, texts that look like a credential
(`redacted` of the package), and each credential that the requests themselves brought.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from aiopenai._base.headers import OWN_HEADERS, REDACTED, SECRET_HEADERS
from aiopenai._base.redaction import redacted, redacted_url
from aiopenai.testing.engine.multipart import media_type
from aiopenai.testing.engine.values import is_array, is_object

__all__ = ["HOP_BY_HOP", "Cleaner", "kept_reply_headers", "kept_request_headers", "offered_protocols"]

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers of one connection (RFC 9110, section 7.6.1), which are not passed on."""
_KEPT_OF_REQUESTS = frozenset({"accept", "content-type", "openai-beta"})
_FRAMING = HOP_BY_HOP | {"content-length", "content-encoding"}
_OF_THE_SERVER = frozenset({"alt-svc", "date", "nel", "report-to", "server", "strict-transport-security", "via"})
# Words in the names of headers that identify a person, an account, a session or a place.
# fmt: off
_PERSONAL = frozenset(
    {
        "account", "accounts", "auth", "authorization", "cf", "client", "cookie", "email", "forwarded", "ip",
        "key", "org", "organization", "password", "project", "secret", "session", "sid", "tenant", "token",
        "trace", "traceparent", "user", "username",
    }
)
# Fields of JSON whose text is a credential, with underscores for hyphens.
_SECRET_FIELDS = frozenset(
    {
        "access_token", "api_key", "apikey", "auth_token", "authorization", "bearer_token", "client_assertion",
        "client_secret", "cookie", "id_token", "password", "private_key", "proxy_authorization",
        "refresh_token", "secret", "secret_access_key", "secret_key", "session_token", "set_cookie",
        "signing_secret", "subject_token", "webhook_secret", "x_api_key",
    }
)
# fmt: on
# Shorter credentials are those of local servers, such as "test". Ordinary texts contain them.
_SHORTEST = 8
_KEY_PROTOCOL = re.compile(r"(openai-insecure-api-key|openai-organization|openai-project)\.(.+)")


def kept_request_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the headers of a request that say how to read its body, and no others."""
    kept = {name.lower(): redacted(value) for name, value in headers if name.lower() in _KEPT_OF_REQUESTS}
    if kept.get("content-type", "").lower().startswith("multipart/"):
        # The boundary is another one in each request.
        kept["content-type"] = kept["content-type"].partition(";")[0]
    return kept


def kept_reply_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the headers of a reply without those of the connection, of the server and of a person or account."""
    dropped = _FRAMING | OWN_HEADERS | _OF_THE_SERVER
    return [
        (name.lower(), redacted(value))
        for name, value in headers
        if name.lower() not in dropped and _PERSONAL.isdisjoint(name.lower().split("-"))
    ]


def offered_protocols(headers: Mapping[str, str]) -> list[str]:
    """Returns the subprotocols that the handshake of a websocket offers. Browsers send a key in one of them."""
    return [each.strip() for each in headers.get("sec-websocket-protocol", "").split(",") if each.strip()]


def _is_secret(name: str, value: str) -> bool:
    """Returns whether a parameter of a query is one that `redacted_url` hides."""
    pair = f"?{quote(name)}={quote(value)}"
    return redacted_url(pair) != pair


class Cleaner:
    """The removal of credentials. It learns those of each request from its headers and query."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def learn(self, headers: Mapping[str, str], query: Iterable[tuple[str, str]]) -> None:
        """Notes the credentials of a request, to remove them from all texts."""
        for name in SECRET_HEADERS:
            value = headers.get(name, "")
            self._known.update(value.replace(",", " ").replace(";", " ").split())
            self._known.add(value)
        for protocol in offered_protocols(headers):
            if found := _KEY_PROTOCOL.fullmatch(protocol):
                self._known.add(found[2])
        for name, value in query:
            if _is_secret(name, value):
                self._known.add(value)
        self._known = {each for each in self._known if len(each) >= _SHORTEST and each.lower() not in _SCHEMES}

    def text(self, text: str) -> str:
        """Returns a text without credentials."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return redacted(text)

    def value(self, value: Any) -> Any:
        """Returns a JSON value without credentials in its texts, its keys and its secret fields."""
        if isinstance(value, str):
            return self.text(value)
        if is_array(value):
            return [self.value(item) for item in value]
        if is_object(value):
            return {self.text(name): self.field(name, item) for name, item in value.items()}
        return value

    def field(self, name: str, value: Any) -> Any:
        """Returns the value of a field without credentials. Of a secret field nothing remains."""
        secret = isinstance(value, str) and value and name.lower().replace("-", "_") in _SECRET_FIELDS
        return REDACTED if secret else self.value(value)

    def query(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Returns the pairs of a query without credentials."""
        return [(name, REDACTED if _is_secret(name, value) else self.text(value)) for name, value in pairs]

    def json_text(self, text: str) -> str:
        """Returns a JSON text without credentials, to the letter as it was if it has none; other texts likewise."""
        try:
            value = json.loads(text)
            clean = self.value(value)
        except (ValueError, RecursionError):
            return self.text(text)
        if clean == value:
            return text
        spaced = '": ' in text
        indent = 2 if "\n" in text.strip() else None
        return json.dumps(clean, ensure_ascii=False, indent=indent, separators=None if spaced else (",", ":"))

    def body(self, body: bytes, content_type: str) -> bytes:
        """Returns the body of a reply without credentials, to the byte as it was if it has none."""
        kind = media_type(content_type)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return self.binary(body)
        if kind == "text/event-stream":
            return "".join(map(self._line, re.split(r"(\r\n|\r|\n)", text))).encode()
        if kind.endswith(("/jsonl", "-ndjson")):
            return "".join(map(self.json_text, re.split(r"(\r\n|\n)", text))).encode()
        return self.json_text(text).encode()

    def binary(self, data: bytes) -> bytes:
        """Returns bytes that are no text without the credentials of the requests."""
        for secret in self._known:
            data = data.replace(secret.encode("utf-8", "surrogateescape"), REDACTED.encode())
        return data

    def _line(self, line: str) -> str:
        """Returns one line of an event stream without credentials."""
        field, colon, data = line.partition(":")
        if field != "data" or not colon:
            return self.text(line)
        space = " " if data.startswith(" ") else ""
        return f"data:{space}{self.json_text(data[len(space) :])}"


_SCHEMES = frozenset({"aws4-hmac-sha256", "negotiate"})
