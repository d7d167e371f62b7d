"""The services beside the API that identify machines: a token exchange, and metadata endpoints of Azure and Google."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiopenai.testing.engine.access import Access
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import encode, is_object

__all__ = ["EXCHANGE_PATH", "MetadataClient", "identity_reply"]

EXCHANGE_PATH = "/oauth/token"
_AZURE_PATH = "/metadata/identity/oauth2/token"
_GCP_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_X509 = "urn:openai:params:oauth:token-type:x509"
_SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")


def identity_reply(request: ReceivedRequest, access: Access) -> WholeReply | None:
    """Returns the reply to a request for a token; None for all other requests. No credentials are needed."""
    path = request.path
    if path == EXCHANGE_PATH and request.method == "POST":
        return _exchange(request, access)
    if path == _AZURE_PATH and request.method == "GET":
        return _azure(request)
    if path == _GCP_PATH and request.method == "GET":
        return _gcp(request)
    return None


def _exchange(request: ReceivedRequest, access: Access) -> WholeReply:
    try:
        fields: Any = request.json()
    except ValueError:
        fields = None
    if not is_object(fields) or fields.get("grant_type") != _GRANT:
        return _refused(400, "unsupported_grant_type", "The grant type must be that of a token exchange.")
    missing = [name for name in ("identity_provider_id", "service_account_id") if not fields.get(name)]
    if missing:
        return _refused(400, "invalid_request", f"The field {missing[0]} is missing.")
    kind = fields.get("subject_token_type")
    if kind not in (*_SUBJECT_TYPES, _X509):
        return _refused(400, "invalid_request", "The type of the subject token is unknown.")
    # The TLS connection has the certificate: a server that asks for one gets no request without it.
    if kind != _X509 and not fields.get("subject_token"):
        return _refused(401, "invalid_grant", "The subject token is missing.")
    return WholeReply.json(
        {
            "access_token": access.issue(),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": access.token_lifetime,
        }
    )


def _azure(request: ReceivedRequest) -> WholeReply:
    if request.headers.get("metadata", "").lower() != "true":
        return _refused(400, "bad_request_102", "Required metadata header not specified")
    missing = [name for name in ("api-version", "resource") if not request.query.get(name)]
    if missing:
        return _refused(400, "invalid_request", f"Required query variable '{missing[0]}' is missing")
    resource = request.query["resource"]
    return WholeReply.json(
        {
            "access_token": f"azure-token-for-{resource}",
            "expires_in": "3599",
            "resource": resource,
            "token_type": "Bearer",
        }
    )


def _gcp(request: ReceivedRequest) -> WholeReply:
    if request.headers.get("metadata-flavor") != "Google":
        return WholeReply(b"Missing Metadata-Flavor:Google header.", status=403, content_type="text/html")
    audience = request.query.get("audience")
    if not audience:
        return WholeReply(b"non-empty audience parameter required", status=400, content_type="text/plain")
    return WholeReply(f"google-token-for-{audience}".encode(), content_type="text/html")


def _refused(status: int, error: str, description: str) -> WholeReply:
    return WholeReply(encode({"error": error, "error_description": description}), status=status)


class _MetadataReply:
    """The reply of a metadata endpoint, with the attributes that sources of subject tokens read."""

    def __init__(self, status: int, text: str) -> None:
        self.status_code = status
        self.text = text

    def json(self) -> Any:
        return json.loads(self.text)


class MetadataClient:
    """Asks a server in place of a cloud's metadata endpoint: the `http_client` of sources of subject tokens."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, url: str, *, headers: Mapping[str, str], timeout: float) -> _MetadataReply:
        """Returns the server's reply to a request for another host."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}", headers=dict(headers))
            reply = connection.getresponse()
            return _MetadataReply(reply.status, reply.read().decode())
        finally:
            connection.close()
