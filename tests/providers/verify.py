"""AWS Signature Version 4, verified from the bytes that a server received: written from AWS's description of it."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

from aiopenai.testing import ReceivedRequest


def _key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def verify(request: ReceivedRequest, secret: str, *, access_key: str, region: str, service: str) -> set[str]:
    """Returns the names of the signed headers. Raises AssertionError for a wrong signature."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        headers["authorization"],
    )
    assert found is not None, headers["authorization"]
    key_id, date, of_region, of_service, names, signature = found.groups()
    assert (key_id, of_region, of_service) == (access_key, region, service)
    assert headers["x-amz-date"].startswith(date)
    digest = hashlib.sha256(request.body).hexdigest()
    assert headers["x-amz-content-sha256"] == digest
    path, _, query = request.raw_path.partition("?")
    parameters = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in parse_qsl(query, True))
    canonical = "\n".join(
        [
            request.method,
            quote(path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in parameters),
            *(f"{name}:{' '.join(headers[name].split())}" for name in names.split(";")),
            "",
            names,
            digest,
        ]
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    expected = hmac.new(_key(secret, date, region, service), text.encode(), hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, signature)
    return set(names.split(";"))
