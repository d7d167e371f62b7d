"""A test with recorded calls. Its first run makes the recording; all others need neither a key nor a network.

pytest examples/recorded_test.py    # and commit the folder `recordings` with the test
"""

from __future__ import annotations

import os
from pathlib import Path

from aiopenai import OpenAI
from aiopenai.testing import Server

FOLDER = Path("recordings")
UPSTREAM = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")


def summary(client: OpenAI, text: str) -> str:
    """The code under test."""
    stream = client.responses.create(model="gpt-4o-mini", input=f"Summarise in three words: {text}", stream=True)
    return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


def test_summary(openai_server: Server) -> None:
    # In CI `unknown="fail"` keeps a changed prompt from calling the API: the test fails, and shows the difference.
    unknown = "fail" if "CI" in os.environ else "record"
    openai_server.replay(FOLDER / "summary", unknown=unknown, upstream=UPSTREAM)
    with OpenAI(base_url=openai_server.base_url, api_key=os.environ.get("OPENAI_API_KEY", "none")) as client:
        assert summary(client, "Rivers run from the mountains to the sea.")
