"""The exceptions of the package.

    OpenAIError
    +-- APIError                          a request that went wrong: message, request, body, code, param, type
    |   +-- APIStatusError                4xx and 5xx: response, status_code, request_id, retry_after
    |   |   +-- BadRequestError           400
    |   |   +-- AuthenticationError       401
    |   |   |   +-- OAuthError            401 from a token exchange
    |   |   +-- PermissionDeniedError     403
    |   |   +-- NotFoundError             404
    |   |   +-- ConflictError             409
    |   |   +-- UnprocessableEntityError  422
    |   |   +-- RateLimitError            429
    |   |   +-- InternalServerError       5xx
    |   +-- APIConnectionError            no reply, or one that broke off
    |   |   +-- APITimeoutError           a time limit was exceeded
    |   +-- APIResponseValidationError    a 2xx reply of another form than expected
    +-- LengthFinishReasonError           structured output cut off at the token limit
    +-- ContentFilterFinishReasonError    structured output that the content filter stopped
    +-- OutputValidationError             structured output that does not fit its type; a ValueError too
    +-- SubjectTokenProviderError         workload identity: no token
    +-- WebSocketConnectionClosedError    a websocket is closed: code, reason, unsent_messages
    +-- WebSocketQueueFullError           the send queue is full
    InvalidWebhookSignatureError          a ValueError

The part of a stream that arrived before its failure is in `partial`. All errors can be pickled. None holds a key: the
request in them has its credentials redacted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from typing_extensions import override

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.foreign import also_foreign, rebuild
from aiopenai._base.server_words import message_of, other_words

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ContentFilterFinishReasonError",
    "InternalServerError",
    "InvalidWebhookSignatureError",
    "LengthFinishReasonError",
    "NotFoundError",
    "OAuthError",
    "OpenAIError",
    "OutputValidationError",
    "PermissionDeniedError",
    "RateLimitError",
    "SubjectTokenProviderError",
    "UnprocessableEntityError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
    "closed_error",
    "error_from_body",
    "error_from_response",
]


class _PicklableError(Exception):
    """Pickles by its attributes: unpickling by calling the class fails for keyword-only arguments."""

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self.args, dict(self.__dict__))


class OpenAIError(_PicklableError):
    """The base of all errors of this package."""


class SubjectTokenProviderError(OpenAIError):
    """A workload identity's token could not be fetched; `response` is the provider's reply, if there is one."""

    def __init__(self, message: str, *, response: Any = None) -> None:
        super().__init__(message)
        self.response = response


class APIError(OpenAIError):
    """A request that went wrong.

    `request` is the request without credentials. `body` is the error in the reply: the `error` object of its JSON, its
    text if it is no JSON, or None without a reply. `code`, `param` and `type` come from the body.
    """

    message: str
    request: Any
    body: object | None
    code: str | None = None
    param: str | None = None
    type: str | None = None
    partial: Any = None
    """The part of a stream that arrived before the error, a `Partial`."""
    replayable: bool = True
    """Whether the request's body can be sent again."""
    retryable: bool = True
    """Whether another attempt may help; see `retry.worth_retrying`."""

    def __init__(self, message: str, request: Any, *, body: object | None) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.body = body
        if is_mapping(body):
            code = body.get("code")
            self.code = None if code is None else str(code)
            self.param = body.get("param")
            self.type = body.get("type")


class APIResponseValidationError(APIError):
    """A reply with a 2xx status and another form than expected, such as a proxy's HTML page in place of JSON."""

    def __init__(self, response: Any, body: object | None, *, message: str | None = None) -> None:
        super().__init__(message or "The reply does not have the expected form.", response.request, body=body)
        self.response = response
        self.status_code: int = response.status_code
        self.request_id: str | None = response.headers.get("x-request-id")


class APIStatusError(APIError):
    """The API answered with a status of 400 or above."""

    status_code: int
    retry_after: float | None = None
    """The wait in seconds that the server asks for, from `retry-after-ms` or `Retry-After`."""

    # Drop-in mode leaves the id out: tracers record the reference's text.
    shows_request_id: ClassVar[bool] = True

    def __init__(self, message: str, *, response: Any, body: object | None) -> None:
        super().__init__(message, response.request, body=body)
        self.response = response
        self.status_code = response.status_code
        self.request_id: str | None = response.headers.get("x-request-id")

    @override
    def __str__(self) -> str:
        shown = self.request_id if self.shows_request_id else None
        return f"{self.message} (request id: {shown})" if shown else self.message


class APIConnectionError(APIError):
    """No reply, or one that broke off. `__cause__` is the error of the layer below.

    `retryable` is False if another attempt cannot help: the client is closed, a redirect cannot be followed, or a
    reply arrived that cannot be read.
    """

    def __init__(self, *, message: str = "Connection error.", request: Any, retryable: bool = True) -> None:
        super().__init__(message, request, body=None)
        self.retryable = retryable


class APITimeoutError(APIConnectionError):
    """A limit of `Timeout` was exceeded."""

    def __init__(self, request: Any, *, message: str = "Request timed out.") -> None:
        super().__init__(message=message, request=request)


class BadRequestError(APIStatusError):
    """400"""


class AuthenticationError(APIStatusError):
    """401"""


class OAuthError(AuthenticationError):
    """401 from a token exchange; `error` is the OAuth error code."""

    def __init__(self, *, response: Any, body: object | None) -> None:
        fields: Mapping[str, Any] = body if is_mapping(body) else {}
        description = fields.get("error_description")
        message = description if isinstance(description, str) and description else "OAuth authentication error."
        super().__init__(message, response=response, body=body)
        self.error: str | None = fields.get("error")


class PermissionDeniedError(APIStatusError):
    """403"""


class NotFoundError(APIStatusError):
    """404"""


class ConflictError(APIStatusError):
    """409"""


class UnprocessableEntityError(APIStatusError):
    """422"""


class RateLimitError(APIStatusError):
    """429"""


class InternalServerError(APIStatusError):
    """500 and above"""


class LengthFinishReasonError(OpenAIError):
    """The answer reached its token limit before its end; `completion` is the answer so far."""

    def __init__(self, *, completion: Any) -> None:
        usage = f" - {completion.usage}" if completion.usage else ""
        super().__init__(f"Could not parse response content as the length limit was reached{usage}")
        self.completion = completion


class ContentFilterFinishReasonError(OpenAIError):
    """The content filter stopped the answer; `completion` is the answer so far."""

    def __init__(self, *, completion: Any = None) -> None:
        super().__init__("Could not parse response content as the request was rejected by the content filter")
        self.completion = completion


class OutputValidationError(OpenAIError, ValueError):
    """Structured output, or a tool call's arguments, that do not fit their type; `content` is the text.

    `completion` is the whole reply, with its usage; None if only the text is known. Pydantic types raise pydantic's own
    ValidationError instead, with the attribute `completion` added.
    """

    completion: Any = None

    def __init__(self, message: str, *, content: str | None = None) -> None:
        super().__init__(message)
        self.content = content


class InvalidWebhookSignatureError(_PicklableError, ValueError):
    """A webhook's signature does not match its content."""


class Close(NamedTuple):
    """A close frame of a websocket."""

    code: int
    reason: str = ""


class WebSocketConnectionClosedError(OpenAIError):
    """The websocket is closed.

    `rcvd` and `sent` are the close frames of both sides, None for a side that sent none. `unsent_frames` are the
    messages that were not sent, in order, and `unsent_messages` those of them that are text. The error's text shows
    none of them: they are the caller's content.

    In a program that has imported the package `websockets`, the error is an instance of its `ConnectionClosedOK` or
    `ConnectionClosedError` too.
    """

    rcvd: Close | None = None
    sent: Close | None = None
    rcvd_then_sent: bool | None = None

    def __init__(self, message: str, *, unsent_messages: list[str] | list[str | bytes]) -> None:
        super().__init__(message)
        self.unsent_frames: list[str | bytes] = list(unsent_messages)
        self.unsent_messages: list[str] = [
            frame if isinstance(frame, str) else frame.decode() for frame in unsent_messages if _is_text(frame)
        ]

    @property
    def code(self) -> int:
        """The code of the server's close frame: 1005 if the frame had none, 1006 without a frame."""
        return 1006 if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The reason in the server's close frame."""
        return "" if self.rcvd is None else self.rcvd.reason

    @property
    def clean(self) -> bool:
        """Whether both sides closed with 1000 or 1001."""
        return all(each is not None and each.code in (1000, 1001) for each in (self.rcvd, self.sent))


def closed_error(
    rcvd: Close | None,
    sent: Close | None,
    *,
    rcvd_then_sent: bool | None = None,
    unsent: list[str | bytes] | None = None,
    message: str = "",
) -> WebSocketConnectionClosedError:
    """Returns the error of a closed websocket."""
    if not message:
        side = "no close frame received" if rcvd is None else f"received {rcvd.code} {rcvd.reason}".rstrip()
        message = f"The websocket is closed: {side}"
        message += "." if sent is None else f", sent {sent.code} {sent.reason}".rstrip() + "."
    error = WebSocketConnectionClosedError(message, unsent_messages=unsent or [])
    error.rcvd, error.sent, error.rcvd_then_sent = rcvd, sent, rcvd_then_sent
    also_foreign(error, "ConnectionClosedOK" if error.clean else "ConnectionClosedError")
    return error


def _is_text(frame: str | bytes) -> bool:
    if isinstance(frame, str):
        return True
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True


class WebSocketQueueFullError(OpenAIError):
    """The send queue is full."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


# How much of a body an error's text shows, in characters.
_SNIPPET = 500


# The paths of endpoints that a base URL must not end in.
_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/models")


def _cure_of_url(response: Any) -> str:
    """Returns the cure of a wrong base URL, as far as the URL of a request shows one."""
    url = str(getattr(getattr(response, "request", None), "url", "/v1/"))
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    for endpoint in _ENDPOINTS:
        _, found, rest = path.partition(f"{endpoint}/")
        if found and f"/{rest}" in _ENDPOINTS:
            return f" - The base URL ends in the path of an endpoint: remove {endpoint} from it."
    # Azure has its version in the query, and a prefix in the path.
    parts = path.split("/")
    if any(part == "openai" or (part[:1] == "v" and part[1:2].isdigit()) for part in parts):
        return ""
    return " - The URL has no /v1: the base URL of most servers ends in it."


def error_from_response(response: Any, *, retry_after: float | None = None) -> APIStatusError:
    """Returns the error for a reply with a status of 400 or above: a pure function of status, headers and body.

    `response` has `status_code`, `headers`, `text` and `request`.
    """
    status: int = response.status_code
    text: str = response.text.strip()
    message = f"Error code: {status}"
    body: Any
    said: Any
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = text
        said = text
    else:
        if is_list(body) and len(body) == 1:
            # Google's servers put the envelope into a list.
            body = body[0]
        envelope = body
        if is_mapping(body):
            # The API's envelope; some servers send the error object bare, others a string.
            body = body.get("error") or body
        if isinstance(body, str) and (not is_mapping(envelope) or len(envelope) == 1):
            said = body
        else:
            said = message_of(body) if is_mapping(body) else None
        if not isinstance(said, str) or not said:
            # An unknown form: its text is shown as it is.
            said = text if envelope else ""
    if said:
        message += f" - {_without_keys(said[: 2 * _SNIPPET])[:_SNIPPET]}"
    if status == 404:
        message += _cure_of_url(response)
    cls = _BY_STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)
    error = cls(message, response=response, body=body)
    error.retry_after = retry_after
    return error


def error_from_body(body: Any, request: Any, *, default: str = "An error occurred during streaming") -> APIError:
    """Returns the error that a stream or a 2xx reply carries: its `error` object, or an error event's data."""
    message = message_of(body) if is_mapping(body) else body
    words = message if isinstance(message, str) and message else other_words(body) or default
    return APIError(_without_keys(words), request, body=body)


def _without_keys(words: str) -> str:
    """Returns a server's words without API keys: some quote the key that they refuse."""
    from aiopenai._base.redaction import without_keys

    return without_keys(words)
