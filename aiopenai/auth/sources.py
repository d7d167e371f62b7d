"""Sources of subject tokens: Kubernetes, Azure and Google Cloud."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiopenai._http.fetch import fetch
from aiopenai.auth.identity import SubjectTokenProvider
from aiopenai.errors import SubjectTokenProviderError

__all__ = [
    "azure_managed_identity_token_provider",
    "gcp_id_token_provider",
    "k8s_service_account_token_provider",
]

_K8S_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_AZURE_URL = "http://169.254.169.254/metadata/identity/oauth2/token"
_GCP_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"


def k8s_service_account_token_provider(token_file_path: str | Path = _K8S_TOKEN_FILE) -> SubjectTokenProvider:
    """Returns a source that reads the service account token of a Kubernetes pod.

    The file is read at each exchange, because Kubernetes replaces it. The source raises SubjectTokenProviderError if
    the file is missing, unreadable or empty.
    """

    def get_token() -> str:
        try:
            token = Path(token_file_path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SubjectTokenProviderError(f"The token file {token_file_path} cannot be read: {error}") from error
        if not token:
            raise SubjectTokenProviderError(f"The token file {token_file_path} is empty.")
        return token

    return {"token_type": "jwt", "get_token": get_token}


def azure_managed_identity_token_provider(
    resource: str = "https://management.azure.com/",
    *,
    object_id: str | None = None,
    client_id: str | None = None,
    msi_res_id: str | None = None,
    api_version: str = "2018-02-01",
    timeout: float = 10.0,
    http_client: Any = None,
) -> SubjectTokenProvider:
    """Returns a source that asks Azure's metadata endpoint for a token of the machine's managed identity.

    - `object_id`, `client_id`, `msi_res_id`: the managed identity, if the machine has several.
    - `timeout`: seconds for the whole request.
    - `http_client`: an object with `get(url, headers=..., timeout=...)`, such as an httpx client.

    The source raises SubjectTokenProviderError; its `response` has the reply, if there was one.
    """
    query = {"api-version": api_version, "resource": resource}
    chosen = {"object_id": object_id, "client_id": client_id, "msi_res_id": msi_res_id}
    query.update({name: value for name, value in chosen.items() if value is not None})
    url = f"{_AZURE_URL}?{urlencode(query)}"

    def get_token() -> str:
        response = _metadata("Azure", url, {"Metadata": "true"}, timeout, http_client)
        try:
            token = response.json().get("access_token")
        except (ValueError, AttributeError) as error:
            message = "The reply of Azure's metadata endpoint is not a JSON object."
            raise SubjectTokenProviderError(message, response=response) from error
        if not isinstance(token, str) or not token:
            message = "The reply of Azure's metadata endpoint has no `access_token`."
            raise SubjectTokenProviderError(message, response=response)
        return token

    return {"token_type": "jwt", "get_token": get_token}


def gcp_id_token_provider(
    audience: str = "https://api.openai.com/v1", *, timeout: float = 10.0, http_client: Any = None
) -> SubjectTokenProvider:
    """Returns a source that asks Google Cloud's metadata server for an identity token of the machine.

    `timeout` and `http_client` are those of `azure_managed_identity_token_provider`. The source raises
    SubjectTokenProviderError; its `response` has the reply, if there was one.
    """
    url = f"{_GCP_URL}?{urlencode({'audience': audience})}"

    def get_token() -> str:
        response = _metadata("Google Cloud", url, {"Metadata-Flavor": "Google"}, timeout, http_client)
        token = str(response.text).strip()
        if not token:
            raise SubjectTokenProviderError("The token of Google Cloud's metadata server is empty.", response=response)
        return token

    return {"token_type": "id", "get_token": get_token}


def _metadata(cloud: str, url: str, headers: dict[str, str], timeout: float, http_client: Any) -> Any:
    """Returns the reply of a metadata endpoint. Raises SubjectTokenProviderError."""
    get: Callable[..., Any] = _get if http_client is None else http_client.get
    try:
        response = get(url, headers=headers, timeout=timeout)
    except Exception as error:
        # A client of the user's raises errors of its own kind.
        message = f"{cloud}'s metadata endpoint cannot be reached: {error or type(error).__name__}"
        raise SubjectTokenProviderError(message) from error
    if not 200 <= response.status_code < 300:
        message = f"{cloud}'s metadata endpoint answered with status {response.status_code}."
        raise SubjectTokenProviderError(message, response=response)
    return response


def _get(url: str, *, headers: dict[str, str], timeout: float) -> Any:
    # Metadata endpoints are addresses of the machine itself: a proxy cannot reach them.
    return fetch("GET", url, headers=headers, timeout=timeout, trust_env=False)
