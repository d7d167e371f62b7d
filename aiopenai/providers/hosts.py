"""The hosts of Amazon Bedrock, by endpoint and region."""

from __future__ import annotations

import os
import re
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from aiopenai.errors import OpenAIError

__all__ = [
    "BedrockEndpoint",
    "BedrockHost",
    "base_url_of",
    "checked_region",
    "default_base_url",
    "region_from_environment",
]

BedrockEndpoint: TypeAlias = Literal["mantle", "runtime"]

_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]+)+-\d+")
# The DNS suffixes of `bedrock-runtime` by the region's prefix, and those of its dual-stack hosts.
_SUFFIXES = (
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("", "amazonaws.com", "api.aws"),
)


class BedrockHost(NamedTuple):
    """The endpoint and the region that a host name of Amazon's tells."""

    endpoint: BedrockEndpoint
    region: str

    @classmethod
    def of(cls, url: str) -> BedrockHost | None:
        """Returns the facts that the host of a URL tells; None for a host that is not Amazon's."""
        host = urlsplit(url).hostname or ""
        service, _, rest = host.partition(".")
        region, _, suffix = rest.partition(".")
        if not _REGION.fullmatch(region):
            return None
        if service == "bedrock-mantle" and suffix == "api.aws":
            return cls("mantle", region)
        if service in ("bedrock-runtime", "bedrock-runtime-fips") and suffix in _suffixes(region):
            return cls("runtime", region)
        return None


def _suffixes(region: str) -> tuple[str, str]:
    return next((usual, dual) for prefix, usual, dual in _SUFFIXES if region.startswith(prefix))


def default_base_url(endpoint: BedrockEndpoint, region: str) -> str:
    """Returns the base URL of an endpoint in a region."""
    if endpoint == "mantle":
        return f"https://bedrock-mantle.{region}.api.aws/openai/v1"
    return f"https://bedrock-runtime.{region}.{_suffixes(region)[0]}/openai/v1"


def base_url_of(url: str) -> str:
    """Returns a base URL without a final slash, and without `/responses` and all after it."""
    parts = urlsplit(url)
    path = re.sub(r"/responses(/.*)?$", "", parts.path.rstrip("/"))
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def checked_region(region: str | None) -> str | None:
    """Returns a region without spaces around it. Raises OpenAIError if it has not the form of `us-east-1`."""
    if region is None:
        return None
    region = region.strip()
    if not _REGION.fullmatch(region):
        raise OpenAIError(f"region must be an AWS region such as us-east-1, not {region!r}.")
    return region


def region_from_environment() -> str | None:
    """Returns the region that `AWS_REGION` or `AWS_DEFAULT_REGION` names. Raises OpenAIError for a malformed one."""
    found = os.environ.get("AWS_REGION", "").strip() or os.environ.get("AWS_DEFAULT_REGION", "").strip()
    return checked_region(found or None)
