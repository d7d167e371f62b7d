"""The reference SDK, where it is installed; these tests compare with it and are skipped without it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from aiopenai._codegen import PIN
from aiopenai._codegen.source import Source, installed

HERE = Path(__file__).parent


def _installed() -> str | None:
    try:
        return version("openai")
    except PackageNotFoundError:
        return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    found = _installed()
    if found != PIN:
        skip = pytest.mark.skip(reason=f"needs openai {PIN}, found {found}: pip install 'aiopenai[codegen]'")
        for item in items:
            if HERE in item.path.parents and item.path.name not in {
                "test_senders.py",
                "test_small.py",
                "test_words.py",
            }:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def source() -> Source:
    """The installed reference, read once."""
    return installed()
