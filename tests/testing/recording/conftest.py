from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.http import Api


@pytest.fixture
async def upstream() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@asynccontextmanager
async def recorder(folder: Path, upstream: str, **options: Any) -> AsyncIterator[Api]:
    async with Server() as server, aiohttp.ClientSession(headers={"authorization": "Bearer test"}) as session:
        server.record(folder, upstream=upstream, **options)
        yield Api(server, session)


@asynccontextmanager
async def player(folder: Path, **options: Any) -> AsyncIterator[Api]:
    async with Server() as server, aiohttp.ClientSession(headers={"authorization": "Bearer test"}) as session:
        server.replay(folder, **options)
        yield Api(server, session)


@pytest.fixture
async def recording(upstream: Server, folder: Path) -> AsyncIterator[Api]:
    """A client of a server that records."""
    async with recorder(folder, upstream.base_url) as api:
        yield api


def stored(folder: Path, number: int = 1) -> Any:
    """The file of a recorded request."""
    (path,) = [path for path in folder.glob(f"{number:04}-*.json") if ".reply" not in path.name]
    return json.loads(path.read_bytes())


def files(folder: Path) -> list[str]:
    """The names of all files of a recording."""
    return sorted(path.name for path in folder.glob("*"))


def content(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()
