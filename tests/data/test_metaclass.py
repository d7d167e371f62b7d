"""aiopenai._data.metaclass: how reply types are made."""

from __future__ import annotations

import copy
import gc
import json
import os
import re
import typing
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import field

from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model, ModelMeta
from aiopenai.types.chat import (
    ChatCompletionMessage,
)
from aiopenai.types.responses import Response
from tests.data.samples import decode
from tests.data.test_fidelity import KINDS, is_node


def test_msgspec_and_json_see_a_plain_struct() -> None:
    message = ChatCompletionMessage(role="assistant", content="a")
    assert msgspec.json.decode(msgspec.json.encode(message)) == {"role": "assistant", "content": "a"}
    made = msgspec.convert({"role": "assistant", "content": None}, ChatCompletionMessage)
    assert made.to_dict() == {"role": "assistant"}
    assert decode(ChatCompletionMessage, {"role": "assistant"}).to_dict() == {"role": "assistant"}


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory that Linux says is used")
def test_fresh_types_are_let_go_of() -> None:
    """A type for each call, as structured outputs make them: what is kept for a type is bounded, or goes with it."""

    def use(count: int) -> None:
        for number in range(count):
            item = ModelMeta(f"Item{number}", (Model,), {"__annotations__": {"b": int}})
            kind = ModelMeta(f"Fresh{number}", (Model,), {"__annotations__": {"a": int, "items": list[item]}})
            strict = Decoder.of(kind)(b'{"a": 1, "items": [{"b": 1}], "c": 2}')
            lenient = Decoder.of(kind)(b'{"a": "x", "items": [{"b": 1}], "c": 2}')
            assert strict.c == lenient.c == 2
            assert strict.to_dict()["items"] == lenient.to_dict()["items"]

    def used() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    use(1500)
    before = used()
    use(1500)
    assert used() - before < 5 * 2**20


class Inner(Model):
    number: int
    label: str | None
    code: str = field(name="the-code")
    many: list[int] = field(default_factory=list)
    kind: ClassVar[str] = "inner"


class Outer(Model):
    inner: Inner
    inners: list[Inner] | None = None


class Later(Outer):
    inners: list[Inner] | None
    inner: Inner = None  # type: ignore[assignment]


class Packed(Model, bulk=True):
    number: int
    label: str | None = None


def test_required_fields_are_known_and_may_be_missing() -> None:
    assert Inner.__required__ == {"number", "label", "code"}
    assert Outer.__required__ == {"inner"}
    assert Later.__required__ == {"inners"}
    assert Packed.__required__ == {"number"}
    assert [info.required for info in msgspec.structs.fields(Packed)] == [True, False]
    reply: Any = Decoder.of(Outer).strict(b'{"inner": {"the-code": "c"}}')
    assert (reply.inner.number, reply.inner.code, reply.inner.many) == (None, "c", [])


def test_missing_fields_stay_on_the_strict_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("the lenient path was taken")

    monkeypatch.setattr(Decoder, "lenient", fail)
    details = {"cached_tokens": 0}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": details}
    value = {"id": "r", "object": "response", "output": [], "usage": usage}
    reply: Any = Decoder.of(Response)(json.dumps(value).encode())
    assert reply.usage.input_tokens_details.cache_write_tokens is None
    assert reply.usage.output_tokens_details is None
    assert reply.to_dict() == value
    for name, kind in KINDS.items():
        cls = typing.get_origin(kind) or kind
        if is_node(kind) and not cls.__bulk__ and cls.__struct_config__.tag_field is None:
            assert Decoder.of(kind)(b"{}").to_dict() == {}, name


def test_validation_asks_for_required_fields() -> None:
    good = {
        "inner": {"number": 1, "label": None, "the-code": "c"},
        "inners": [{"number": 1, "label": "", "the-code": ""}],
    }
    assert Outer.model_validate(good).to_dict() == good
    for path in ("inner", "inners[0]"):
        for name in ("number", "label", "the-code"):
            bad: Any = copy.deepcopy(good)
            del (bad["inner"] if path == "inner" else bad["inners"][0])[name]
            with pytest.raises(ValueError, match=rf"not a Outer.*required field `{name}` - at `\$\.{re.escape(path)}`"):
                Outer.model_validate(bad)


def test_calls_of_a_type() -> None:
    made: Any = Inner(number=1, label=None, code="c")
    assert made.to_dict() == {"number": 1, "label": None, "the-code": "c"}
    assert Inner(**{"number": 1, "label": None, "the-code": "c"}) == made
    with pytest.raises(TypeError, match=r"Inner\(\) is missing: label, code"):
        Inner(number=1)  # type: ignore[call-arg]
    assert Inner.kind == "inner"
    tagged: Any = KINDS["ResponseOutputText"](text="a", annotations=[])
    assert tagged.to_dict() == {"text": "a", "annotations": [], "type": "output_text"}
