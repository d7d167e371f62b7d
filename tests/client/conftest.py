"""The state of the module client in tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import aiopenai
from aiopenai._client import module as module_client
from aiopenai._client import module_clouds

ATTRIBUTES = {*module_client._SETTINGS, "api_type", "admin_api_key", *module_clouds._AZURE, *module_clouds._BEDROCK}


@pytest.fixture
def fresh_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No module client yet, and the attributes as after an import; afterwards as before."""
    for name in ATTRIBUTES:
        monkeypatch.setattr(aiopenai, name, getattr(aiopenai, name))
    for name in os.environ:
        if name.startswith(("AZURE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(module_client, "_client", None)
    yield
    if module_client._client is not None:
        module_client._client.close()
