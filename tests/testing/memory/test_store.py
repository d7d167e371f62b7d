from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.memory.state import EPOCH, State
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredFile


def test_the_oldest_objects_go_first() -> None:
    store: Store[int] = Store(2)
    for number in range(4):
        store.put(f"k{number}", number)
    assert store.values() == [2, 3]
    assert store.get("k0") is None
    # A replaced object is the newest one.
    store.put("k2", 20)
    store.put("k4", 4)
    assert store.values() == [20, 4]
    assert store.pop("k2") == 20
    assert store.pop("k2") is None
    store.clear()
    assert store.values() == []


def test_bytes_are_bounded_but_the_newest_object_stays() -> None:
    store: Store[str] = Store(10, max_bytes=10)
    store.put("a", "a", 6)
    store.put("b", "b", 4)
    assert store.values() == ["a", "b"]
    store.put("c", "c", 1)
    assert store.values() == ["b", "c"]
    store.put("d", "d", 100)
    assert store.values() == ["d"]
    store.pop("d")
    store.put("e", "e", 10)
    assert store.values() == ["e"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 8)), max_size=40))
def test_the_bounds_hold_for_any_order(puts: list[tuple[str, int]]) -> None:
    store: Store[int] = Store(3, max_bytes=10)
    for key, size in puts:
        store.put(key, size, size)
        values = store.values()
        assert store.get(key) == size
        assert values[-1] == size
        assert len(values) <= 3
        assert sum(values) <= 10 or len(values) == 1


def state(*, any_model: bool = True) -> State:
    return State(
        answer=None,
        models=["one", "two"],
        any_model=any_model,
        clock=None,
        max_stored=5,
        max_stored_bytes=100,
        poll_after_ms=10,
    )


def test_models() -> None:
    memory = state()
    assert memory.knows_model("one")
    assert memory.knows_model("other")
    del memory.models["one"]
    assert not memory.knows_model("one")
    assert not state(any_model=False).knows_model("other")


def test_clear_restores_the_beginning() -> None:
    memory = state()
    first = memory.new_id("x_")
    assert memory.new_id("x_") != first
    memory.files.put("f", StoredFile({}, b""))
    del memory.models["two"]
    memory.clear()
    assert memory.files.values() == []
    assert list(memory.models) == ["one", "two"]
    assert memory.new_id("x_") == first
    assert memory.clock() == EPOCH


def test_answers() -> None:
    memory = state()
    assert memory.reply_text(" hi ", " [seen]") == "You said: hi [seen]"
    assert memory.reply_text("") == "Hello! How can I help you today?"
    memory.answer = "always"
    assert memory.reply_text("hi") == "always"
    memory.answer = str.upper
    assert memory.reply_text("hi", " [seen]") == "HI"
