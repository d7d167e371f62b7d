"""Proxies: the one place that decides about scheme, bypass and credentials, before anything is written.

A proxy comes from the option `proxy` of the client, else from the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`
and, for the hosts without one, `NO_PROXY`. Its user and password are taken out of its URL at once, so that no error
text can show them.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
import urllib.request
from base64 import b64encode
from typing import Any, NamedTuple

import aiohttp
from typing_extensions import override
from yarl import URL

from aiopenai._base.redaction import redacted_url
from aiopenai._http.failures import UnsendableError
from aiopenai._http.interface import Settings

__all__ = ["Proxy", "bypassed", "parse_proxy", "proxy_for", "proxy_in_effect", "socks_connector"]

_SOCKS = {"socks4": False, "socks4a": True, "socks5": True, "socks5h": True}
"""The SOCKS schemes, and whether the proxy resolves the names of hosts."""


class Proxy(NamedTuple):
    """A proxy; `str` describes it for messages."""

    url: URL
    """The URL without user and password."""
    login: tuple[str, str] | None
    """The user and the password."""
    source: str
    """The option or the environment variable that names it."""

    @property
    def is_socks(self) -> bool:
        """Whether the proxy speaks SOCKS instead of HTTP."""
        return self.url.scheme in _SOCKS

    @property
    def headers(self) -> dict[str, str] | None:
        """The headers for the proxy itself."""
        if self.login is None:
            return None
        return {"Proxy-Authorization": f"Basic {b64encode(':'.join(self.login).encode()).decode()}"}

    @override
    def __repr__(self) -> str:
        return f"{self.url} (from {self.source})"

    @override
    def __str__(self) -> str:
        return repr(self)


def proxy_for(settings: Settings, url: URL) -> Proxy | None:
    """Returns the proxy for a URL; None if its server is reached directly.

    Raises UnsendableError for a proxy that cannot be used.
    """
    if settings.proxy is not None:
        return parse_proxy(str(settings.proxy), "the option `proxy`")
    if not settings.trust_env:
        return None
    host = url.raw_host or ""
    proxies = urllib.request.getproxies_environment()
    if proxies:
        name = url.scheme if proxies.get(url.scheme) else "all"
        if not proxies.get(name) or bypassed(proxies.get("no", ""), host, url.port):
            return None
        source = f"{name.upper()}_PROXY"
    else:
        # The settings of macOS and Windows.
        proxies = urllib.request.getproxies()
        name, source = url.scheme, "the settings of the system"
        if not proxies.get(name) or urllib.request.proxy_bypass(host):
            return None
    proxy = parse_proxy(proxies[name], source)
    if proxy.is_socks and settings.connector is not None:
        # A connector of the caller's may well be the one for this proxy.
        return None
    return proxy


def proxy_in_effect(url: str) -> Proxy | None:
    """Returns the proxy that the environment names for a URL. Raises UnsendableError if it cannot be used."""
    return proxy_for(Settings(), URL(url))


def parse_proxy(text: str, source: str) -> Proxy:
    """Returns the proxy of a URL; its scheme is http unless given. Raises UnsendableError."""
    text = text.strip()
    given = text if "://" in text else f"http://{text.removeprefix('//')}"
    problem = "is not a valid URL"
    try:
        url = URL(given)
        scheme = url.scheme
        if scheme not in ("http", "https", *_SOCKS):
            problem = f"has the unknown scheme {scheme!r}"
        elif url.raw_host:
            bare = URL.build(scheme=scheme, host=url.host or "", port=url.port or (1080 if scheme in _SOCKS else None))
            has_login = url.raw_user is not None or url.raw_password is not None
            return Proxy(bare, (url.user or "", url.password or "") if has_login else None, source)
    except ValueError:
        pass
    # The text of the ValueError may hold the password.
    raise UnsendableError(
        f"the proxy {redacted_url(text)!r} from {source} {problem}: "
        "give one such as http://host:port or socks5://host:port"
    )


def bypassed(rules: str, host: str, port: int | None) -> bool:
    """Returns whether `NO_PROXY` exempts a host.

    Its rules are names (with their subdomains), addresses and networks such as 10.0.0.0/8, each with an optional port,
    separated by commas or spaces; `*` exempts all hosts.
    """
    host = host.lower().strip("[]").rstrip(".").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(_exempts(rule, host, address, port) for rule in re.split(r"[\s,]+", rules.lower()) if rule)


def _exempts(rule: str, host: str, address: Any, port: int | None) -> bool:
    if rule == "*":
        return True
    pattern, wanted = _without_port(rule.rpartition("://")[2])
    if wanted is not None and wanted != port:
        return False
    if address is not None:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    name = pattern.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _without_port(rule: str) -> tuple[str, int | None]:
    """Splits a rule such as host:443, [::1]:443 or ::1 at its port."""
    if rule.startswith("["):
        inside, _, rest = rule[1:].partition("]")
        pattern, port = (inside + rest, "") if rest.startswith("/") else (inside, rest.removeprefix(":"))
    elif rule.count(":") == 1:
        pattern, _, port = rule.partition(":")
    else:
        pattern, port = rule, ""
    return pattern, int(port) if port.isdigit() else None


def socks_connector(proxy: Proxy, **options: Any) -> aiohttp.BaseConnector:
    """Returns a connector that goes through a SOCKS proxy. Raises UnsendableError if aiohttp-socks is not installed."""
    try:
        module: Any = importlib.import_module("aiohttp_socks")
    except ImportError:
        raise UnsendableError(
            f"the proxy {proxy} needs the package aiohttp-socks: install it (pip install aiohttp-socks), "
            "or use an HTTP proxy"
        ) from None
    kind = module.ProxyType.SOCKS4 if proxy.url.scheme.startswith("socks4") else module.ProxyType.SOCKS5
    connector: aiohttp.BaseConnector = module.ProxyConnector(
        host=proxy.url.host,
        port=proxy.url.port,
        proxy_type=kind,
        username=proxy.login and proxy.login[0],
        password=proxy.login and proxy.login[1],
        rdns=_SOCKS[proxy.url.scheme],
        **options,
    )
    return connector
