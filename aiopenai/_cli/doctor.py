"""`aiopenai doctor`: examines all that a call depends on, one line each, with the cure."""

from __future__ import annotations

import argparse
import os
import platform
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit

from aiopenai._cli.connection import add_server_options, as_command, command_client
from aiopenai._cli.display import painted, say_json
from aiopenai._cli.findings import BAD, FINE, WARNING, Finding
from aiopenai._cli.output import say

__all__ = ["add_arguments"]

_STYLES = {FINE: "green", WARNING: "yellow", BAD: "bold red"}
_PACKAGES = ("aiohttp", "msgspec", "tenacity", "aiofiles", "uvloop", "rich")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.description = (
        "Examine versions, key, address, proxy, DNS, TLS, latency and clock. The key is never shown. "
        "Exit code 1 if something prevents calls."
    )
    add_server_options(parser)
    parser.set_defaults(command=as_command("doctor", _doctor))


async def _doctor(arguments: argparse.Namespace) -> int:
    from aiopenai.errors import OpenAIError

    findings = Findings(as_json=arguments.json)
    findings.add(_versions())
    findings.add(_key(os.environ.get("OPENAI_API_KEY"), arguments))
    # Without a key the network is examined all the same. The last check, a call, is left out then.
    options = {"api_key": "none"} if findings.bad and not os.environ.get("AZURE_OPENAI_ENDPOINT") else {}
    try:
        async with command_client(arguments, **options) as client:
            await _server(client, findings, why=_source(arguments), local=arguments.local)
    except (OpenAIError, ValueError) as error:
        findings.add(Finding(BAD, "client", str(error)))
    return 1 if findings.bad else 0


class Findings:
    """Prints each finding at once and remembers whether one was bad."""

    def __init__(self, *, as_json: bool) -> None:
        self.bad = False
        self._as_json = as_json

    def add(self, finding: Finding) -> None:
        """Prints a finding."""
        self.bad = self.bad or finding.state == BAD
        if self._as_json:
            say_json(finding._asdict())
            return
        cure = f"; {finding.cure}" if finding.cure else ""
        text = " ".join(f"{finding.subject}: {finding.text}{cure}".split())
        say(f"{painted(f'{finding.state:<7}', _STYLES[finding.state])} {text}", flush=True)


def _versions() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    from aiopenai.version import __version__

    found = [f"aiopenai {__version__}", f"Python {platform.python_version()}", ssl.OPENSSL_VERSION]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return Finding(FINE, "versions", f"{', '.join(found)}, {sys.platform}")


def _key(key: str | None, arguments: argparse.Namespace) -> Finding:
    named = arguments.base_url or arguments.local or os.environ.get("OPENAI_BASE_URL")
    if not key:
        if named:
            return Finding(FINE, "key", "OPENAI_API_KEY is not set; a server other than OpenAI's may need none")
        return Finding(
            BAD,
            "key",
            "OPENAI_API_KEY is not set",
            "run `export OPENAI_API_KEY=...`, or `aiopenai serve` for a local server",
        )
    if key != key.strip() or key[0] in "\"'":
        cure = "set it again without them"
        return Finding(WARNING, "key", "OPENAI_API_KEY is set, with spaces or quotes around it", cure)
    if not key.isascii() or any(letter.isspace() for letter in key):
        return Finding(BAD, "key", "OPENAI_API_KEY has letters that no key has", "copy it again from where it was made")
    return Finding(FINE, "key", "OPENAI_API_KEY is set")


def _source(arguments: argparse.Namespace) -> str:
    if arguments.local:
        return "from --local"
    if arguments.base_url:
        return "from --base-url"
    return "from OPENAI_BASE_URL" if os.environ.get("OPENAI_BASE_URL") else "the default"


async def _server(client: Any, findings: Findings, *, why: str, local: bool) -> None:
    """Examines the server of a client, from its address to its answer. Stops where the rest cannot work."""
    from aiopenai._cli import findings as checks
    from aiopenai._http.failures import UnsendableError
    from aiopenai._http.proxies import proxy_in_effect

    base_url = str(client.base_url)
    findings.add(checks.address(base_url, why))
    try:
        proxy = None if local else proxy_in_effect(base_url)
    except UnsendableError as error:
        findings.add(Finding(BAD, "proxy", str(error)))
        return
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if proxy is not None:
        findings.add(Finding(FINE, "proxy", f"{proxy} is in effect", "NO_PROXY exempts hosts, trust_env=False all"))
        host, port = proxy.url.host or "", proxy.url.port or 80
    else:
        findings.add(Finding(FINE, "proxy", "none is in effect"))
    dns = await checks.name_lookup(host, port)
    findings.add(dns)
    if dns.state == BAD:
        return
    if proxy is None and parts.scheme == "https":
        findings.add(await checks.tls_chain(host, port))
    else:
        findings.add(await checks.reachability(host, port, "proxy" if proxy is not None else "server"))
    if findings.bad:
        return
    for finding in await checks.answers(client):
        findings.add(finding)
