"""The services beside OpenAI's API with a key, as options of a client describe them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from aiopenai._calls.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiopenai._client.configuration import Configuration

__all__ = ["Service"]


class Service(ABC):
    """The `provider` option, or a workload identity. Each configuration of a client gets a provider made by it."""

    is_cloud: bool = True
    """Whether it is a cloud, with URLs of its own, and not another way into OpenAI's API."""
    base_url: str | None = None
    """The base URL that goes with the service; None if the client's own options decide."""

    regions: Mapping[str, str] | None = None
    """The base URLs by `data_residency`; None if they are those of the API."""

    needs_https: bool = False
    """Whether only https base URLs are allowed."""

    @abstractmethod
    def provider(self, configuration: Configuration, wiring: Mapping[str, Any]) -> Provider:
        """Returns the provider of a configuration. `wiring` has the client's TLS and proxy options."""
