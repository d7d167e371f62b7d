"""Hooks: functions that are called for each request, reply, retry and stream of a client."""

from __future__ import annotations

from aiopenai._calls.watching import CallInfo, Hooks

__all__ = ["CallInfo", "Hooks"]
