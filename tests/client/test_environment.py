"""aiopenai._client.environment: the service that the environment names, for commands and workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncAzureOpenAI, AsyncBedrockOpenAI, AsyncOpenAI, OpenAIError
from aiopenai.__main__ import main
from aiopenai._client.environment import client_of_environment
from aiopenai._jobs import batches as engines
from aiopenai.distributed import Worker
from aiopenai.testing import Server

AZURE = {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "AZURE_OPENAI_API_KEY": "az", "OPENAI_API_VERSION": "v"}


@pytest.fixture(autouse=True)
def _nothing_of_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*AZURE, "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_TYPE", "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "options", "kind", "root"),
    [
        ({"OPENAI_API_KEY": "k"}, {}, AsyncOpenAI, "https://api.openai.com/v1/"),
        (AZURE, {}, AsyncAzureOpenAI, "https://x.openai.azure.com/openai/"),
        ({**AZURE, "OPENAI_API_KEY": "k", "OPENAI_API_TYPE": "azure"}, {}, AsyncAzureOpenAI, None),
        ({**AZURE, "OPENAI_API_KEY": "k", "OPENAI_API_TYPE": "openai"}, {}, AsyncOpenAI, None),
        ({**AZURE, "OPENAI_API_KEY": "k"}, {"base_url": "http://host/v1"}, AsyncOpenAI, "http://host/v1/"),
        (
            {**AZURE, "OPENAI_API_TYPE": "azure"},
            {"base_url": "https://h/openai/v1"},
            AsyncAzureOpenAI,
            "https://h/openai/v1/",
        ),
        (
            {"OPENAI_API_TYPE": "amazon-bedrock", "AWS_BEARER_TOKEN_BEDROCK": "b", "AWS_REGION": "us-east-1"},
            {},
            AsyncBedrockOpenAI,
            "https://bedrock-mantle.us-east-1.api.aws/openai/v1/",
        ),
    ],
    ids=["openai", "azure", "both-azure", "both-openai", "base-url", "azure-base-url", "bedrock"],
)
def test_kinds(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: Any, kind: type, root: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = client_of_environment(max_retries=7, **options)
    assert type(client) is kind
    assert client.max_retries == 7
    assert root is None or str(client.base_url) == root


def test_ambiguous(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {**AZURE, "OPENAI_API_KEY": "sk-canary"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OpenAIError, match="OPENAI_API_TYPE"):
        client_of_environment()
    (tmp_path / "in").write_text("One?\n")
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", "m"]) == 2
    said = capsys.readouterr().err
    assert "OPENAI_API_TYPE" in said
    assert "sk-canary" not in said


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(engines, "FIRST_LOOK", 0.001)
    monkeypatch.setattr(engines, "LAST_LOOK", 0.01)
    with Server(azure_deployments={"dep": "gpt-4o", "other": "gpt-4o-mini"}) as server:
        for name, value in {**AZURE, "AZURE_OPENAI_ENDPOINT": server.azure_endpoint}.items():
            monkeypatch.setenv(name, value)
        yield server


def line(number: int, model: str, url: str = "/chat/completions") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"number {number}"}]}
    return {"custom_id": f"r-{number}", "method": "POST", "url": url, "body": body}


class TestJobs:
    def run(self, folder: Path, *options: str) -> int:
        lines = [line(1, "dep"), line(2, "other", "/v1/chat/completions"), line(3, "dep")]
        (folder / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
        return main(["run", str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl"), *options])

    @pytest.mark.parametrize("options", [[], ["--batch"]], ids=["calls", "batch"])
    def test_run(self, azure: Server, tmp_path: Path, options: list[str]) -> None:
        assert self.run(tmp_path, *options) == 0
        results = [json.loads(each) for each in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert {each["custom_id"] for each in results} == {"r-1", "r-2", "r-3"}
        assert all(each["response"]["body"]["choices"][0]["message"]["content"] for each in results)
        assert {request.headers["api-key"] for request in azure.journal} == {"az"}
        if not options:
            assert sorted({request.path for request in azure.journal}) == [
                "/openai/deployments/dep/chat/completions",
                "/openai/deployments/other/chat/completions",
            ]
            return
        # A batch for each deployment. Its lines have Azure's form of the URL, whatever form the input has.
        made = [r.json() for r in azure.journal if r.path == "/openai/batches" and r.method == "POST"]
        assert [each["endpoint"] for each in made] == ["/chat/completions"] * 2
        files = [r.multipart() for r in azure.journal if r.path == "/openai/files" and r.method == "POST"]
        content = b"".join(part.data for parts in files for part in parts if part.filename)
        assert {json.loads(each)["url"] for each in content.splitlines()} == {"/chat/completions"}

    def test_file_that_azure_still_reads(self, azure: Server, tmp_path: Path) -> None:
        pending = {"id": "file-0", "object": "file", "purpose": "batch", "status": "pending", "bytes": 1}
        azure.fault(status=201, body=pending, match=lambda r: r.method == "POST" and r.path == "/openai/files")
        looks = azure.fault(body=pending, times=2, match=lambda r: r.path == "/openai/files/file-0")
        azure.fault(status=400, body={"error": {"message": "no such file"}}, match="/openai/batches")
        assert self.run(tmp_path, "--batch") == 1
        # The batch is made only after the file is there; the local server does not know this one.
        assert looks.applied == 2

    def test_unknown_deployment(self, azure: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "in.jsonl").write_text("One?\n")
        assert main(["run", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out"), "--model", "none"]) == 1
        assert "deployment" in capsys.readouterr().err

    def test_worker(self, azure: Server, tmp_path: Path) -> None:
        worker = Worker(tmp_path, workers=1, model="dep")
        try:
            (answer,) = worker(["One?"])
        finally:
            worker.close()
        assert json.loads(answer)["response"]["status_code"] == 200
        assert azure.journal[0].path == "/openai/deployments/dep/chat/completions"


@pytest.mark.parametrize("raw", [b"[1]", b"no JSON", b"{", b"\xff\xfe", b'{"model": 3}', b"[" * 50_000])
async def test_content_without_a_model(azure: Server, raw: bytes) -> None:
    azure.fault(body={}, times=None)
    async with client_of_environment() as client:
        await client.post("/chat/completions", content=raw, cast_to=object)
        await client.post("/chat/completions", content=b'{"a": 1, "model": "d d"}', cast_to=object)
    assert [r.raw_path.partition("?")[0] for r in azure.journal] == [
        "/openai/chat/completions",
        "/openai/deployments/d%20d/chat/completions",
    ]


async def test_map(azure: Server) -> None:
    async with client_of_environment() as client:
        requests = [line(1, "dep"), client.chat.completions.create.request(model="other", messages=[])]
        assert len(await client.gather(requests)) == 2
    assert sorted(request.path for request in azure.journal) == [
        "/openai/deployments/dep/chat/completions",
        "/openai/deployments/other/chat/completions",
    ]
