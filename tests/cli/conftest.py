"""Commands in this process, against a server in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from aiopenai.__main__ import main
from aiopenai.testing import Server


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that the environment names."""
    with Server(answer="All flows.") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-canary-canary")
        yield server


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`command("models", "--json")` returns the exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        assert "canary" not in out + err
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture
def command_line(command: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """`command`, for modules with a helper of that name."""
    return command
