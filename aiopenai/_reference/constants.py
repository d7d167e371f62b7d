"""The values of `openai._constants` that aiopenai has no use for itself."""

from __future__ import annotations

__all__ = [
    "DEFAULT_LIVE_SEND_QUEUE_MAX_BYTES",
    "INITIAL_RETRY_DELAY",
    "MAX_RETRY_AFTER_DELAY",
    "MAX_RETRY_DELAY",
    "OVERRIDE_CAST_TO_HEADER",
    "WORKLOAD_IDENTITY_API_KEY_PLACEHOLDER",
]

OVERRIDE_CAST_TO_HEADER = "____stainless_override_cast_to"
INITIAL_RETRY_DELAY = 0.5
MAX_RETRY_DELAY = 8.0
MAX_RETRY_AFTER_DELAY = 120
DEFAULT_LIVE_SEND_QUEUE_MAX_BYTES = 2_097_152
# The value of `api_key` in the reference's clients with a workload identity.
WORKLOAD_IDENTITY_API_KEY_PLACEHOLDER = "workload-identity-auth"
