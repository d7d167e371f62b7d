"""Rate limits: the limiter of `client.map`, `client.gather` and the jobs of the command line."""

from __future__ import annotations

from aiopenai._jobs.bucket import Bucket, duration
from aiopenai._jobs.estimate import Estimate
from aiopenai._jobs.limiter import Grant, Lane, Limiter
from aiopenai._jobs.window import Window

__all__ = ["Bucket", "Estimate", "Grant", "Lane", "Limiter", "Window", "duration"]
