"""Workload identity: short-lived API tokens in exchange for the identity of a machine.

from aiopenai import AsyncOpenAI
from aiopenai.auth import k8s_service_account_token_provider

client = AsyncOpenAI(
    workload_identity={
        "identity_provider_id": "idp_...",
        "service_account_id": "svc_...",
        "provider": k8s_service_account_token_provider(),
    }
)
"""

from __future__ import annotations

from aiopenai.auth.exchange import WorkloadIdentityAuth
from aiopenai.auth.identity import (
    SubjectTokenProvider,
    SubjectTokenWorkloadIdentity,
    WorkloadIdentity,
    X509WorkloadIdentity,
    x509_workload_identity,
)
from aiopenai.auth.sources import (
    azure_managed_identity_token_provider,
    gcp_id_token_provider,
    k8s_service_account_token_provider,
)

__all__ = [
    "SubjectTokenProvider",
    "SubjectTokenWorkloadIdentity",
    "WorkloadIdentity",
    "WorkloadIdentityAuth",
    "X509WorkloadIdentity",
    "azure_managed_identity_token_provider",
    "gcp_id_token_provider",
    "k8s_service_account_token_provider",
    "x509_workload_identity",
]
