"""Redaction: `redacted` makes any text fit for a log, a repr or an exception, and `redacted_url` any URL.

Credentials reach texts in four forms: user and password before a host (`http://user:pw@proxy`), secret query parameters
(`?api-key=...`, signatures of signed URLs), values of header lines (`Authorization: Bearer ...`), and API keys.
"""

from __future__ import annotations

import re
from typing import Final

from aiopenai._base.headers import REDACTED, SECRET_HEADERS

__all__ = ["redacted", "redacted_url", "without_keys"]

# Patterns as text: `re` compiles them when they are first used. Most processes redact nothing, and it takes 1 ms.

# RFC 3986, section 3.2.1: user information ends with the last @ before the path. A password may itself hold an @, and
# a text may put quotes or brackets around a URL. Without a scheme only `user:password@` is taken for credentials, so
# that e-mail addresses stay.
_USER_IN_URL: Final = (
    r"""((?:[A-Za-z][A-Za-z0-9+.\-]*:)?//)(?:[^\s/?#"'<>\\]*@|[^\s/?#"'<>:@\[\]]+:(?!\d+(?:[/?#]|\b))[^\s"'<>@]+@)"""
)
_USER_BEFORE_HOST: Final = r"""(?<![^\s"'(<=,])[^\s/?#"'(<=,@:]+:[^\s/?#"'@]+@(?=[\w\[])"""
_SECRET_PARAMETERS: Final = (
    "access[-_]?token|api[-_]?key|auth|authorization|client[-_]?secret|code|id[-_]?token|key|passw(?:or)?d|"
    "refresh[-_]?token|secret|sig|signature|subscription-key|token|x-(?:amz|goog)-(?:credential|security-token|signature)"
)
_SECRET_IN_QUERY: Final = rf"""(?i)([?&;](?:{_SECRET_PARAMETERS})=)[^&;#\s"'<>]+"""
# A comma separates a name from its value in the repr of a tuple only: prose has "a cookie, and".
_SECRET_IN_HEADER: Final = (
    rf"""(?i)(\b(?:{"|".join(sorted(SECRET_HEADERS))})\b(?:["']\s*,|["']?\s*[:=])\s*(?:b(?=["']))?["']?)"""
    rf"""[^"'\r\n,)}}\]]+"""
)
_SCHEME_AND_TOKEN: Final = r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/\-]{6,}=*"
# Keys of OpenAI and of servers that speak its API begin so.
_KEY: Final = r"\b(?:sk|rk|ek|pk|xai|gsk|hf|csk|nvapi)[-_][A-Za-z0-9_\-]{12,}"


def redacted(text: str) -> str:
    """Returns a text without the credentials in it: those of URLs, of header lines, and API keys."""
    if "@" in text:
        text = re.sub(_USER_IN_URL, rf"\1{REDACTED}@", text)
        text = re.sub(_USER_BEFORE_HOST, f"{REDACTED}@", text)
    if "=" in text:
        text = re.sub(_SECRET_IN_QUERY, rf"\1{REDACTED}", text)
    text = re.sub(_SCHEME_AND_TOKEN, rf"\1 {REDACTED}", text)
    text = re.sub(_SECRET_IN_HEADER, rf"\1{REDACTED}", text)
    return without_keys(text)


def without_keys(text: str) -> str:
    """Returns a text without API keys, for words of a server: they may explain a header, and may quote a wrong key."""
    return re.sub(_KEY, REDACTED, text)


def redacted_url(url: str) -> str:
    """Returns a URL, or a malformed one, without its user, its password and the values of secret query parameters."""
    start, authority, rest = _split(url)
    plain = f"{start}{authority.rpartition('@')[2]}{rest}"
    return re.sub(_SECRET_IN_QUERY, rf"\1{REDACTED}", plain) if "=" in rest else plain


def _split(url: str) -> tuple[str, str, str]:
    """Splits a URL before and after its authority. Without `//`, the authority begins at once."""
    at = url.find("//")
    begin = at + 2 if at >= 0 and "@" not in url[:at] else 0
    end = min((found for sign in "/?#\\" if (found := url.find(sign, begin)) >= 0), default=len(url))
    port = url[begin:end].rpartition("@")[2].partition("]")[2] or url[begin:end].partition(":")[2]
    if "@" in url[end:] and "@" not in url[begin:end] and port.strip(":") and not port.strip(":").isdigit():
        # A password that holds a slash: no valid URL, but the text of one, as it stands in the environment.
        end = url.rindex("@") + 1
    return url[:begin], url[begin:end], url[end:]
