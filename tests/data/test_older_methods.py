"""The methods of pydantic 1 on replies, and the attributes that describe their fields."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any, Literal

import pytest

from aiopenai._data.structs import BaseModel
from aiopenai.types import Model
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.responses import ResponseFormatTextJSONSchemaConfig

GIVEN: dict[str, Any] = {"id": "m", "created": 1, "object": "model", "owned_by": "x", "new": [1]}


@pytest.fixture
def model() -> Any:
    return Model.model_validate(GIVEN)


def test_dumps(model: Any) -> None:
    assert model.dict() == model.model_dump()
    assert model.dict(exclude_unset=True) == GIVEN
    assert json.loads(model.json(exclude_unset=True)) == GIVEN
    assert model.json(indent=2) == model.model_dump_json(indent=2)


def test_parsing(model: Any) -> None:
    assert Model.parse_obj(GIVEN) == model
    assert Model.parse_raw(json.dumps(GIVEN)) == Model.parse_raw(json.dumps(GIVEN).encode()) == model
    assert model.construct(**GIVEN) == model
    with pytest.raises(ValueError, match="not a Model"):
        Model.parse_obj({"id": 3})


def test_copies(model: Any) -> None:
    copy = model.copy(update={"id": "other"}, deep=True)
    assert (copy.id, model.id, copy.new) == ("other", "m", [1])
    assert copy.new is not model.new
    assert model.copy().new == model.new
    assert model.copy(include={"id"}).model_dump(exclude_unset=True) == {"id": "m"}
    assert model.copy(include={"id"}, update={"created": 2}).model_fields_set == {"id", "created"}
    assert model.copy(exclude={"id", "new"}).model_fields_set == {"created", "object", "owned_by"}
    assert model.__fields_set__ == model.model_fields_set == set(GIVEN)


def test_fields() -> None:
    fields = ChatCompletion.model_fields
    assert fields is ChatCompletion.model_fields
    assert fields is not Model.model_fields
    assert [name for name, each in fields.items() if each.is_required()] == [
        "id",
        "choices",
        "created",
        "model",
        "object",
    ]
    assert fields["id"].annotation is str
    assert fields["usage"].get_default() is None
    assert "required=True" in repr(fields["id"])
    tagged = ResponseFormatTextJSONSchemaConfig.model_fields
    assert tagged["schema_"].alias == "schema"
    assert tagged["type"].annotation == Literal["json_schema"]
    assert ChatCompletion.model_config["extra"] == "allow"
    assert ChatCompletion.model_rebuild() is None  # type: ignore[func-returns-value]


def test_defaults_of_fields() -> None:
    class Counted(BaseModel):
        name: str
        count: int = 5

    fields = Counted.model_fields
    assert (fields["count"].is_required(), fields["count"].get_default()) == (False, 5)
    assert (fields["name"].is_required(), fields["name"].get_default()) == (True, None)


def test_against_the_reference() -> None:
    theirs = pytest.importorskip("openai.types.chat").ChatCompletion
    for name, field in theirs.model_fields.items():
        own = ChatCompletion.model_fields[name]
        assert (own.is_required(), own.alias) == (field.is_required(), field.alias), name
    assert [*ChatCompletion.model_fields] == [*theirs.model_fields]


def test_json_schemas() -> None:
    pytest.importorskip("pydantic")
    assert Model.model_json_schema()["properties"].keys() >= {"id", "created", "object", "owned_by"}


def test_fields_need_no_pydantic() -> None:
    program = inspect.cleandoc("""
        import sys
        from aiopenai.types import Model
        given = {"id": "m", "created": 1, "object": "model", "owned_by": "x"}
        assert Model.model_fields and Model.parse_obj(given).dict()
        assert "pydantic" not in sys.modules
    """)
    subprocess.run([sys.executable, "-c", program], check=True)
