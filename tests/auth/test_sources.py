"""aiopenai.auth.sources: files of Kubernetes, metadata endpoints of Azure and Google Cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aiopenai import SubjectTokenProviderError
from aiopenai.auth import (
    azure_managed_identity_token_provider,
    gcp_id_token_provider,
    k8s_service_account_token_provider,
)
from aiopenai.auth import sources as module
from tests.auth.conftest import Endpoint


@pytest.fixture
def metadata(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """Both clouds' metadata endpoints, on loopback."""
    monkeypatch.setattr(module, "_AZURE_URL", endpoint.url.replace("/oauth/token", "/metadata/identity/oauth2/token"))
    monkeypatch.setattr(module, "_GCP_URL", endpoint.url.replace("/oauth/token", "/identity"))
    return endpoint


def test_kubernetes_reads_the_file_at_each_exchange(tmp_path: Path) -> None:
    path = tmp_path / "token"
    source = k8s_service_account_token_provider(path)
    path.write_text("one\n")
    assert (source["token_type"], source["get_token"]()) == ("jwt", "one")
    path.write_text("two")
    assert source["get_token"]() == "two"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"], ids=["missing", "empty", "blank", "binary"])
def test_kubernetes_without_a_token(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SubjectTokenProviderError, match=str(path)) as caught:
        k8s_service_account_token_provider(str(path))["get_token"]()
    assert caught.value.response is None


def test_azure(metadata: Endpoint) -> None:
    metadata.say(200, {"access_token": "azure"})
    source = azure_managed_identity_token_provider("https://api.example/", client_id="c-1", object_id="o-1")
    assert (source["token_type"], source["get_token"]()) == ("jwt", "azure")
    ((method, path, headers, _),) = metadata.requests
    assert (method, headers["metadata"]) == ("GET", "true")
    assert parse_qs(urlsplit(path).query) == {
        "api-version": ["2018-02-01"],
        "resource": ["https://api.example/"],
        "client_id": ["c-1"],
        "object_id": ["o-1"],
    }


def test_google_cloud(metadata: Endpoint) -> None:
    metadata.say(200, b"google\n")
    source = gcp_id_token_provider()
    assert (source["token_type"], source["get_token"]()) == ("id", "google")
    ((method, path, headers, _),) = metadata.requests
    assert (method, headers["metadata-flavor"]) == ("GET", "Google")
    assert parse_qs(urlsplit(path).query) == {"audience": ["https://api.openai.com/v1"]}


async def test_within_a_running_loop(metadata: Endpoint) -> None:
    metadata.say(200, b"google")
    assert gcp_id_token_provider()["get_token"]() == "google"


@pytest.mark.parametrize("make", [azure_managed_identity_token_provider, gcp_id_token_provider])
@pytest.mark.parametrize(("status", "body"), [(404, b"none"), (500, b"{}"), (200, b"")])
def test_metadata_without_a_token(metadata: Endpoint, make: Any, status: int, body: bytes) -> None:
    metadata.say(status, body)
    with pytest.raises(SubjectTokenProviderError) as caught:
        make()["get_token"]()
    assert caught.value.response.status_code == status


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"access_token": ""}', b'{"access_token": 1}', b"text"])
def test_azure_replies_that_are_no_token(metadata: Endpoint, body: bytes) -> None:
    metadata.say(200, body)
    with pytest.raises(SubjectTokenProviderError) as caught:
        azure_managed_identity_token_provider()["get_token"]()
    assert caught.value.response.content == body


def test_metadata_endpoint_out_of_reach(metadata: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata.hold.clear()
    metadata.say(200, b"late")
    with pytest.raises(SubjectTokenProviderError, match="cannot be reached"):
        gcp_id_token_provider(timeout=0.05)["get_token"]()
    monkeypatch.setattr(module, "_GCP_URL", "http://127.0.0.1:1/identity")
    with pytest.raises(SubjectTokenProviderError, match="cannot be reached") as caught:
        gcp_id_token_provider()["get_token"]()
    assert caught.value.__cause__ is not None


def test_proxies_are_not_used(metadata: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    metadata.say(200, b"google")
    assert gcp_id_token_provider()["get_token"]() == "google"


def test_client_of_the_users() -> None:
    class Response:
        status_code = 200
        text = "google"

    class Client:
        def get(self, url: str, *, headers: dict[str, str], timeout: float) -> Response:
            assert (headers, timeout) == ({"Metadata-Flavor": "Google"}, 3.0)
            return Response()

    assert gcp_id_token_provider(timeout=3.0, http_client=Client())["get_token"]() == "google"
