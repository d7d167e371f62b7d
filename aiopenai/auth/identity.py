"""The description of a workload identity, as plain dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from typing_extensions import NotRequired, Required, TypedDict

__all__ = [
    "SubjectTokenProvider",
    "SubjectTokenWorkloadIdentity",
    "WorkloadIdentity",
    "X509WorkloadIdentity",
    "x509_workload_identity",
]


class SubjectTokenProvider(TypedDict):
    """The source of the token that identifies this machine."""

    token_type: Literal["jwt", "id"]
    """The kind of token: a JSON web token, or an OpenID Connect identity token."""
    get_token: Callable[[], str]
    """Returns a fresh token. It may block, and runs in a thread of its own."""


class WorkloadIdentity(TypedDict, total=False):
    """A workload identity that is proved by a subject token."""

    type: Literal["subject_token"]
    identity_provider_id: Required[str]
    """The identity provider, as registered with the API."""
    service_account_id: Required[str]
    """The service account whose permissions the API token gets."""
    provider: Required[SubjectTokenProvider]
    """The source of subject tokens."""
    refresh_buffer_seconds: float
    """How long before its expiry a token is refreshed: 1,200 seconds by default, at most half its lifetime."""
    token_exchange_url: str
    """The address of the exchange, if it is not OpenAI's: that of a gateway, or of the local server in tests."""


SubjectTokenWorkloadIdentity: TypeAlias = WorkloadIdentity


class X509WorkloadIdentity(TypedDict):
    """A workload identity that is proved by the client certificate of the TLS connection."""

    type: Literal["x509"]
    identity_provider_id: str
    service_account_id: str
    refresh_buffer_seconds: NotRequired[float]
    token_exchange_url: NotRequired[str]


def x509_workload_identity(
    *, identity_provider_id: str, service_account_id: str, refresh_buffer_seconds: float | None = None
) -> X509WorkloadIdentity:
    """Returns a workload identity that is proved by a client certificate.

    Give the certificate to the client with `ssl=`, as an `ssl.SSLContext`. A client with a session or a connector of
    the program's own takes no such identity, because the exchange cannot use these.
    """
    identity: X509WorkloadIdentity = {
        "type": "x509",
        "identity_provider_id": identity_provider_id,
        "service_account_id": service_account_id,
    }
    if refresh_buffer_seconds is not None:
        identity["refresh_buffer_seconds"] = refresh_buffer_seconds
    return identity
