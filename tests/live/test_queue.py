"""Messages that wait to be sent: their order, their bound in bytes, and their ends."""

from __future__ import annotations

import pytest

from aiopenai._live.queue import SendQueue
from aiopenai.errors import WebSocketQueueFullError


def test_order_and_bound() -> None:
    queue = SendQueue(10)
    first = queue.put(b"12345", text=True)
    second = queue.put(b"67890", text=False)
    assert len(queue) == 2
    assert queue.first is first
    with pytest.raises(WebSocketQueueFullError, match="holds 10 bytes and takes no more than max_queue_size=10"):
        queue.put(b"x", text=True)
    # An empty message takes no room.
    queue.put(b"", text=True)
    assert queue.drain() == ["12345", b"67890", ""]
    assert len(queue) == 0
    assert [first.done, second.done] == [False, False]


def test_a_message_beyond_the_bound_leaves_the_others() -> None:
    queue = SendQueue(4)
    queue.put(b"123", text=True)
    with pytest.raises(WebSocketQueueFullError, match="of 2 bytes was not queued"):
        queue.put(b"45", text=True)
    queue.put(b"4", text=True)
    assert queue.drain() == ["123", "4"]


def test_an_attempt_makes_room() -> None:
    queue = SendQueue(5)
    first = queue.put(b"12345", text=True)
    error = ConnectionResetError()
    queue.attempted(first, error)
    assert first.done
    assert first.error is error
    assert len(queue) == 0
    second = queue.put(b"67890", text=True)
    # An entry is removed once.
    queue.attempted(first)
    assert queue.first is second
    queue.attempted(second)
    assert (second.done, second.error) == (True, None)
    queue.attempted(second)
    queue.put(b"12345", text=True)


def test_draining_makes_room() -> None:
    queue = SendQueue(5)
    queue.put("é".encode() + b"123", text=True)
    assert queue.drain() == ["é123"]
    queue.put(b"12345", text=False)
    assert queue.drain() == [b"12345"]
    assert queue.drain() == []
