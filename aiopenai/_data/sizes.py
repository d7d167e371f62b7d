"""The bound of an event, apart from the parser of streams: clients need it before they read one."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_EVENT_BYTES"]

MAX_EVENT_BYTES: Final = 256 * 1024 * 1024
"""Default bound of one event, in bytes. The largest known events, images in base64, are a tenth of it."""
