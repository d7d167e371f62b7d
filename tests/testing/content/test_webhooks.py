from __future__ import annotations

import time

import pytest

from aiopenai._data.codec import Decoder
from aiopenai.testing import sign_webhook, webhook_event
from aiopenai.types.webhooks import UnwrapWebhookEvent


def test_the_signature_of_the_standards_own_example() -> None:
    """From the test vectors of Standard Webhooks."""
    headers = sign_webhook(
        '{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
    )
    assert headers == {
        "content-type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_by_default_it_is_sent_now() -> None:
    headers = sign_webhook(b"x", "c2VjcmV0")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["webhook-signature"] != sign_webhook(b"y", "c2VjcmV0")["webhook-signature"]


def test_a_secret_that_is_none() -> None:
    with pytest.raises(ValueError, match="base64"):
        sign_webhook(b"x", "whsec_not base64!")


@pytest.mark.parametrize("type", ["response.completed", "batch.failed", "eval.run.succeeded", "fine_tuning.job.failed"])
def test_events_are_events(type: str) -> None:
    event = Decoder.of(UnwrapWebhookEvent).validate(webhook_event(type))
    assert event.type == type
    assert webhook_event(type, {"id": "x"}).endswith(b'"data":{"id":"x"}}')
