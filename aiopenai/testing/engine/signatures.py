"""AWS Signature Version 4 as a service verifies it: from the bytes that arrived, without AWS's own library."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from urllib.parse import quote, unquote_plus

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError

__all__ = ["ALGORITHM", "verify_signature"]

ALGORITHM = "AWS4-HMAC-SHA256"
# AWS accepts signatures of the last and the next few minutes.
_MAX_SKEW = 900.0
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/]+)/(\d{{8}})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


def verify_signature(request: ReceivedRequest, secrets: Mapping[str, str]) -> None:
    """Raises ApiError as AWS does, unless the signature is that of one of the keys; `secrets` has them by key ID."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise ApiError(403, "The Authorization header is not a signature of version 4.", code="IncompleteSignature")
    key_id, date, region, service, names, signature = found.groups()
    secret = secrets.get(key_id)
    if secret is None:
        raise ApiError(403, "The security token included in the request is invalid.", code="UnrecognizedClient")
    stamp = request.headers.get("x-amz-date", "")
    _check_time(stamp, date)
    digest = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-amz-content-sha256", digest) != digest:
        raise ApiError(
            400, "The hash of the body is not that of x-amz-content-sha256.", code="XAmzContentSHA256Mismatch"
        )
    scope = f"{date}/{region}/{service}/aws4_request"
    canonical = hashlib.sha256(_canonical(request, names, digest).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join([ALGORITHM, stamp, scope, canonical])
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        message = "The request signature we calculated does not match the signature you provided."
        raise ApiError(403, message, code="SignatureDoesNotMatch")


def _check_time(stamp: str, date: str) -> None:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ApiError(403, "x-amz-date must have the form 20260131T235959Z.", code="IncompleteSignature") from None
    skew = abs((datetime.now(timezone.utc) - signed).total_seconds())
    if skew > _MAX_SKEW or not stamp.startswith(date):
        raise ApiError(403, "The signature is of another time.", code="SignatureExpired")


def _canonical(request: ReceivedRequest, names: str, digest: str) -> str:
    """Returns the canonical request. Raises ApiError if a header that has to be signed is not."""
    signed = names.split(";")
    due = {"host", *(name.lower() for name in request.headers if name.lower().startswith("x-amz-"))}
    due.discard("x-amz-content-sha256")
    if not due <= set(signed):
        missing = ", ".join(sorted(due - set(signed)))
        raise ApiError(403, f"The signature does not cover {missing}.", code="SignatureDoesNotMatch")
    path, _, query = request.raw_path.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    parameters = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "\n".join(
        [
            request.method,
            quote(path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in parameters),
            *(f"{name}:{','.join(' '.join(v.split()) for v in request.headers.getall(name, ()))}" for name in signed),
            "",
            names,
            digest,
        ]
    )


def _encoded(text: str) -> str:
    return quote(unquote_plus(text), safe="-_.~")
