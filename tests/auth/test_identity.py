"""Identities as plain dicts, made by the classes with the reference's names."""

from __future__ import annotations

from typing import Any

import pytest

import aiopenai.auth
from aiopenai.auth import SubjectTokenProvider, SubjectTokenWorkloadIdentity, WorkloadIdentity, X509WorkloadIdentity


def test_identities_are_made_by_their_classes() -> None:
    provider = SubjectTokenProvider(token_type="jwt", get_token=lambda: "t")
    identity = WorkloadIdentity(identity_provider_id="p", service_account_id="s", provider=provider)
    assert identity == {"identity_provider_id": "p", "service_account_id": "s", "provider": provider}
    assert SubjectTokenWorkloadIdentity is WorkloadIdentity
    certified = X509WorkloadIdentity(type="x509", identity_provider_id="p", service_account_id="s")
    assert certified == aiopenai.auth.x509_workload_identity(identity_provider_id="p", service_account_id="s")


def test_each_class_of_the_reference_can_be_called() -> None:
    theirs: Any = pytest.importorskip("openai.auth")
    for name in theirs.__all__:
        assert callable(getattr(aiopenai.auth, name)) == callable(getattr(theirs, name)), name
