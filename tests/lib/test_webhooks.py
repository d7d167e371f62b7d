"""aiopenai.lib.webhooks: what is accepted and refused, beside the reference; headers of all kinds; events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pickle
import time
from collections.abc import Callable, Iterator
from email.message import Message
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aiopenai import AsyncOpenAI, InvalidWebhookSignatureError, OpenAI
from aiopenai.lib.webhooks import unwrap, verify_signature
from aiopenai.types.webhooks import BatchCompletedWebhookEvent, UnwrapWebhookEvent

KEY = b"a key of some bytes \xff"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
EVENT = {
    "id": "evt_1",
    "object": "event",
    "created_at": 1_750_000_000,
    "type": "batch.completed",
    "data": {"id": "batch_1"},
}
PAYLOAD = json.dumps(EVENT)


def sign(payload: str | bytes, key: bytes = KEY, *, at: Any = None, delivery: str = "wh_1") -> dict[str, str]:
    """The headers of a delivery."""
    raw = payload if isinstance(payload, bytes) else payload.encode()
    timestamp = str(int(time.time()) if at is None else at)
    digest = hmac.new(key, f"{delivery}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": delivery, "webhook-timestamp": timestamp, "webhook-signature": signature}


@pytest.fixture
def resource() -> Any:
    """The resource, as far as it is needed."""
    return SimpleNamespace(_client=SimpleNamespace(webhook_secret=SECRET))


@pytest.fixture
def both(resource: Any) -> Callable[..., Any]:
    """`both(payload, headers)`: how ours and the reference's verify it, each as an error or None."""
    openai: Any = pytest.importorskip("openai", reason="the reference SDK is not installed")
    reference = openai.OpenAI(api_key="sk-test", webhook_secret=SECRET).webhooks

    def outcome(call: Callable[[], None]) -> Any:
        try:
            return call()
        except ValueError as error:
            return error

    def verify(payload: Any, headers: Any, **options: Any) -> tuple[Any, Any]:
        return (
            outcome(lambda: verify_signature(resource, payload, headers, **options)),
            outcome(lambda: reference.verify_signature(payload, headers, **options)),
        )

    return verify


# Each is changed from a good delivery; None where both accept it.
DELIVERIES: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], str | None]] = {
    "good": (lambda h: h, None),
    "upper case": (lambda h: {name.upper(): value for name, value in h.items()}, None),
    "title case": (lambda h: {name.title(): value for name, value in h.items()}, None),
    "several signatures": (lambda h: {**h, "webhook-signature": f"v1,AAAA {h['webhook-signature']} v1,BBBB"}, None),
    "without version": (lambda h: {**h, "webhook-signature": h["webhook-signature"].removeprefix("v1,")}, None),
    "another version": (lambda h: {**h, "webhook-signature": "v2" + h["webhook-signature"][2:]}, "match"),
    "cut off": (lambda h: {**h, "webhook-signature": h["webhook-signature"][:-1]}, "match"),
    "empty": (lambda h: {**h, "webhook-signature": ""}, "match"),
    "another id": (lambda h: {**h, "webhook-id": "wh_2"}, "match"),
    "another time": (lambda h: {**h, "webhook-timestamp": str(int(h["webhook-timestamp"]) - 1)}, "match"),
    "no number": (lambda h: {**h, "webhook-timestamp": "yesterday"}, "timestamp"),
    "no end of digits": (lambda h: {**h, "webhook-timestamp": "9" * 5_000}, "timestamp"),
    "no time": (lambda h: {**h, "webhook-timestamp": ""}, "timestamp"),
    "no signature header": (lambda h: {n: v for n, v in h.items() if n != "webhook-signature"}, "webhook-signature"),
    "no timestamp header": (lambda h: {n: v for n, v in h.items() if n != "webhook-timestamp"}, "webhook-timestamp"),
    "no id header": (lambda h: {n: v for n, v in h.items() if n != "webhook-id"}, "webhook-id"),
}


@pytest.mark.parametrize("case", DELIVERIES)
def test_what_is_accepted_is_what_the_reference_accepts(case: str, both: Callable[..., Any]) -> None:
    change, message = DELIVERIES[case]
    ours, reference = both(PAYLOAD, change(sign(PAYLOAD)))
    if message is None:
        assert ours is reference is None
        return
    # Departs: a header that is missing is an invalid delivery too, where the reference has a plain ValueError.
    assert type(ours) is InvalidWebhookSignatureError
    assert isinstance(reference, ValueError)
    assert message in str(ours)
    assert SECRET not in str(ours)
    assert str(pickle.loads(pickle.dumps(ours))) == str(ours)


@pytest.mark.parametrize("payload", [PAYLOAD, PAYLOAD.encode(), "", b"", '{"a": "\u2028 é 😀"}', b"\xff\xfe"])
def test_payloads(payload: str | bytes, both: Callable[..., Any], resource: Any) -> None:
    headers = sign(payload)
    if payload == b"\xff\xfe":
        # Departs: these are the bytes that were signed, text or not.
        verify_signature(resource, payload, headers)
        return
    assert both(payload, headers) == (None, None)
    ours, reference = both(payload + ("x" if isinstance(payload, str) else b"x"), headers)
    assert type(ours).__name__ == type(reference).__name__ == "InvalidWebhookSignatureError"


@pytest.mark.parametrize(
    ("age", "tolerance", "message"),
    [
        (300, 300, None),
        (301, 300, "old"),
        (-300, 300, None),
        (-301, 300, "new"),
        # The default.
        (300, None, None),
        (301, None, "old"),
        (-300, None, None),
        (-301, None, "new"),
        (500, 1_000, None),
        (0, 0, None),
        (1, 0, "old"),
        (-1, 0, "new"),
    ],
)
def test_the_timestamp_is_tolerated_both_ways(
    age: int, tolerance: int | None, message: str | None, both: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 0.9)
        options = {} if tolerance is None else {"tolerance": tolerance}
        outcomes = both(PAYLOAD, sign(PAYLOAD, at=now - age), **options)
    for outcome in outcomes:
        if message is None:
            assert outcome is None
        else:
            assert type(outcome).__name__ == "InvalidWebhookSignatureError"
            assert message in str(outcome)


@pytest.mark.parametrize("secret", [SECRET, "a plain secret", "whsec_bm90IGFsb25n"])
def test_secrets_with_and_without_prefix(secret: str, both: Callable[..., Any]) -> None:
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    assert both(PAYLOAD, sign(PAYLOAD, key), secret=secret) == (None, None)
    ours, reference = both(PAYLOAD, sign(PAYLOAD, b"another"), secret=secret)
    assert type(ours).__name__ == type(reference).__name__ == "InvalidWebhookSignatureError"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_A", "whsec_é"])
def test_secrets_that_are_none_are_refused_and_not_shown(secret: str, resource: Any) -> None:
    with pytest.raises(ValueError, match="base64") as caught:
        verify_signature(resource, PAYLOAD, sign(PAYLOAD), secret=secret)
    assert not isinstance(caught.value, InvalidWebhookSignatureError)
    assert secret not in str(caught.value).replace("its 'whsec_'", "")


@pytest.mark.parametrize("secret", [None, ""])
async def test_without_a_secret_nothing_is_verified(secret: str | None) -> None:
    async with AsyncOpenAI(api_key="sk-test", webhook_secret=secret) as client:
        for call in (verify_signature, unwrap):
            # With an empty secret anybody could sign.
            with pytest.raises(ValueError, match="webhook_secret") as caught:
                call(client.webhooks, PAYLOAD, sign(PAYLOAD, b""))
            assert not isinstance(caught.value, InvalidWebhookSignatureError)


def test_the_blocking_client() -> None:
    with OpenAI(api_key="sk-test", webhook_secret=SECRET) as client:
        client.webhooks.verify_signature(PAYLOAD, sign(PAYLOAD))
        assert client.webhooks.unwrap(PAYLOAD, sign(PAYLOAD)).id == "evt_1"
        with pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.unwrap(PAYLOAD, sign(PAYLOAD), secret="another")


async def test_the_clients_secret() -> None:
    async with AsyncOpenAI(api_key="sk-test", webhook_secret=SECRET) as client:
        client.webhooks.verify_signature(payload=PAYLOAD, headers=sign(PAYLOAD), tolerance=10)
        assert client.webhooks.unwrap(payload=PAYLOAD, headers=sign(PAYLOAD)).id == "evt_1"
        with pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.verify_signature(PAYLOAD, sign(PAYLOAD), secret="another")


def message(headers: dict[str, str]) -> Message:
    made = Message()
    for name, value in headers.items():
        made[name] = value
    return made


@pytest.mark.parametrize(
    "kind",
    [
        dict,
        CIMultiDict,
        message,
        lambda headers: list(headers.items()),
        lambda headers: iter(headers.items()),
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
        lambda headers: CIMultiDict([*headers.items(), ("Webhook-Signature", "v1,AAAA")]),
        lambda headers: SimpleNamespace(get=CIMultiDict(headers).get),
    ],
    ids=["dict", "CIMultiDict", "http.server", "pairs", "iterator", "ASGI", "repeated", "get alone"],
)
def test_headers_in_any_form(kind: Callable[[dict[str, str]], Any], resource: Any) -> None:
    headers = {"Content-Type": "application/json", **{name.title(): value for name, value in sign(PAYLOAD).items()}}
    verify_signature(resource, PAYLOAD, kind(headers))


class Pairs:
    """Headers as pairs, with a `get` that knows names in one case only."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.get = headers.get
        self._headers = headers

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._headers.items())


def test_pairs_come_before_a_get(resource: Any) -> None:
    verify_signature(resource, PAYLOAD, Pairs({name.upper(): value for name, value in sign(PAYLOAD).items()}))
    with pytest.raises(TypeError, match="not iterable"):
        verify_signature(resource, PAYLOAD, cast("Any", object()))


@pytest.mark.parametrize("name", ["webhook-signature", "webhook-timestamp", "webhook-id"])
def test_a_header_that_get_does_not_know_is_missing(name: str, resource: Any) -> None:
    headers = {key: value for key, value in sign(PAYLOAD).items() if key != name}
    with pytest.raises(InvalidWebhookSignatureError, match=f"no {name} header"):
        verify_signature(resource, PAYLOAD, SimpleNamespace(get=headers.get))


@pytest.mark.parametrize("payload", [EVENT, None, 7])
def test_a_parsed_payload_is_refused(payload: Any, resource: Any) -> None:
    with pytest.raises(TypeError, match=type(payload).__name__):
        verify_signature(resource, payload, sign(PAYLOAD))


@given(signature=st.text(), delivery=st.text(), timestamp=st.none() | st.text(), payload=st.text() | st.binary())
@example(signature="v1,é", delivery="\ud83d", timestamp=None, payload="\ud83d")
def test_nothing_but_the_signature_is_accepted(
    signature: str, delivery: str, timestamp: str | None, payload: str | bytes
) -> None:
    resource = SimpleNamespace(_client=SimpleNamespace(webhook_secret=SECRET))
    headers = {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(time.time())) if timestamp is None else timestamp,
        "webhook-signature": signature,
    }
    with pytest.raises(InvalidWebhookSignatureError):
        verify_signature(resource, payload, headers)


# Events


@pytest.mark.parametrize("payload", [PAYLOAD, PAYLOAD.encode(), bytearray(PAYLOAD.encode())])
def test_an_event_is_that_of_its_type(payload: Any, resource: Any) -> None:
    event = unwrap(resource, payload, sign(PAYLOAD))
    assert type(event) is BatchCompletedWebhookEvent
    assert event.type == "batch.completed"
    assert event.data.id == "batch_1"
    assert event.to_dict() == EVENT


EVENTS = {kind.__name__: kind for kind in get_args(UnwrapWebhookEvent)}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_the_data_of_an_event_is_of_its_own_class(name: str, resource: Any) -> None:
    payload = json.dumps({**EVENT, "type": EVENTS[name].__struct_config__.tag, "data": {"id": "only_this"}})
    event: Any = unwrap(resource, payload, sign(payload))
    assert type(event).__name__ == name
    assert type(event.data).__name__ == f"{name}Data"
    assert event.data.id == "only_this"
    assert [each for each in EVENTS if each != name and f"{each}Data(" in repr(event)] == []
    assert event.to_dict() == json.loads(payload)


def test_all_events_of_the_reference(resource: Any) -> None:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    import openai
    from openai.types.webhooks import UnwrapWebhookEvent as Theirs

    reference = openai.OpenAI(api_key="sk-test", webhook_secret=SECRET).webhooks
    union = get_args(Theirs)
    kinds = get_args(union[0]) if len(union) < 5 else union
    assert len(kinds) > 20
    for kind in kinds:
        (name,) = get_args(kind.model_fields["type"].annotation)
        payload = json.dumps({**EVENT, "type": name, "more": {"a": [1]}})
        ours = unwrap(resource, payload, sign(payload))
        theirs: Any = reference.unwrap(payload, sign(payload))
        assert type(ours).__name__ == type(theirs).__name__
        assert ours.to_dict() == theirs.to_dict() == json.loads(payload)


@pytest.mark.parametrize(
    "event", [{**EVENT, "type": "moon.landed", "data": {"crew": [{"name": "Buzz"}]}}, {}, {"type": 7}]
)
def test_an_event_of_an_unknown_type_is_an_open_object(event: dict[str, Any], resource: Any) -> None:
    payload = json.dumps(event)
    opened: Any = unwrap(resource, payload, sign(payload))
    assert opened.to_dict() == event
    if event.get("type") == "moon.landed":
        assert opened.type == "moon.landed"
        assert opened.data["crew"][0]["name"] == "Buzz"


@pytest.mark.parametrize("payload", ["", "no JSON", b"\xff", b'{"type": '])
def test_a_signed_payload_that_is_not_json(payload: str | bytes, resource: Any) -> None:
    with pytest.raises(ValueError, match="JSON") as caught:
        unwrap(resource, payload, sign(payload))
    assert not isinstance(caught.value, InvalidWebhookSignatureError)
    assert caught.value.__cause__ is not None


def test_an_unsigned_payload_is_not_decoded(resource: Any) -> None:
    with pytest.raises(InvalidWebhookSignatureError):
        unwrap(resource, "no JSON", sign(PAYLOAD))
