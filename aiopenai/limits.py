"""Rate limits: the limiter of `client.map`, `client.gather` and the jobs of the command line."""

from __future__ import annotations

from aiopenai._jobs.limiter import Bucket, Estimate, Grant, Limiter, Window, duration

__all__ = ["Bucket", "Estimate", "Grant", "Limiter", "Window", "duration"]
