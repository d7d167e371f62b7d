"""Replies with their headers, and the plain requests and responses that errors carry."""

from __future__ import annotations

from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.raw import APIResponse, AsyncAPIResponse, LegacyAPIResponse
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse

__all__ = [
    "APIResponse",
    "AsyncAPIResponse",
    "HTTPRequest",
    "HTTPResponse",
    "Headers",
    "HttpxBinaryResponseContent",
    "LegacyAPIResponse",
]
