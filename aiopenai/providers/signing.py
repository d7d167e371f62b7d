"""AWS credentials and Signature Version 4, by botocore (extra `bedrock`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from aiopenai._base.secret import Secret
from aiopenai.errors import OpenAIError

__all__ = ["AwsCredentials", "AwsCredentialsProvider", "Signer"]

AwsCredentialsProvider: TypeAlias = Callable[[], Any]
"""Returns an object with `access_key`, `secret_key` and `token`, or with `get_frozen_credentials()`."""

# Headers of an earlier signature. The user agent is left out as well: proxies may change it.
_NOT_SIGNED = frozenset({"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "user-agent"})


class AwsCredentials(NamedTuple):
    """The options that choose AWS credentials; with none of them, botocore's default chain does."""

    access_key_id: str | None = None
    secret_access_key: Secret[str] | None = None
    session_token: Secret[str] | None = None
    profile: str | None = None
    provider: AwsCredentialsProvider | None = None


class Signer:
    """Signs requests with the credentials of one client. All methods may block: credentials can need I/O."""

    def __init__(self, credentials: AwsCredentials) -> None:
        self._chosen = credentials
        self._session: Any = None
        self._found: Any = None

    def region(self) -> str | None:
        """Returns the region of the profile or of botocore's configuration."""
        found = self._guarded(lambda: self._botocore_session().get_config_variable("region"))
        return found if isinstance(found, str) and found.strip() else None

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes, service: str, region: str) -> Any:
        """Returns the headers that the signature adds. Raises OpenAIError without credentials."""
        return self._guarded(lambda: self._signed(method, url, headers, body, service, region))

    def _signed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, service: str, region: str
    ) -> dict[str, str]:
        signed = {name: value for name, value in headers.items() if name.lower() not in _NOT_SIGNED}
        digest = {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
        # AWS's canonical form of a space in a query is %20.
        path, _, query = url.partition("?")
        url = f"{path}?{query.replace('+', '%20')}" if query else path
        request = _botocore("awsrequest").AWSRequest(method=method, url=url, data=body, headers={**signed, **digest})
        _botocore("auth").SigV4Auth(self._credentials(), service, region).add_auth(request)
        names = ("X-Amz-Date", "X-Amz-Security-Token", "Authorization")
        return {**digest, **{name: request.headers[name] for name in names if name in request.headers}}

    def _credentials(self) -> Any:
        chosen = self._chosen
        if chosen.provider is not None:
            found = chosen.provider()
        elif chosen.access_key_id is not None and chosen.secret_access_key is not None:
            token = None if chosen.session_token is None else chosen.session_token.value
            found = _botocore("credentials").Credentials(chosen.access_key_id, chosen.secret_access_key.value, token)
        else:
            if self._found is None:
                self._found = self._botocore_session().get_credentials()
            found = self._found
        if found is None:
            raise OpenAIError(
                "There are no credentials for Bedrock: pass a bearer key or AWS credentials to bedrock(...), set the "
                "environment variable AWS_BEARER_TOKEN_BEDROCK, or configure AWS's default credential chain."
            )
        # A pair of keys that is refreshed in another thread must not be mixed with an older one.
        freeze = getattr(found, "get_frozen_credentials", None)
        return freeze() if callable(freeze) else found

    def _botocore_session(self) -> Any:
        if self._session is None:
            self._session = _botocore("session").Session(profile=self._chosen.profile)
        return self._session

    @staticmethod
    def _guarded(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except OpenAIError:
            raise
        except Exception as error:
            # botocore, and functions of the program's own, raise errors of many kinds.
            raise OpenAIError(
                f"AWS credentials for Bedrock cannot be had ({type(error).__name__}): check the profile, the "
                "environment variables and the role of this machine."
            ) from error


def _botocore(module: str) -> Any:
    try:
        return import_module(f"botocore.{module}")
    except ImportError as error:
        raise OpenAIError("AWS credentials need botocore: pip install 'aiopenai[bedrock]'.") from error
