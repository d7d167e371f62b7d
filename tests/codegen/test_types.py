"""The types that were generated, against the reference's down to the last field, by introspection.

Methods, requests and what replies decode to are compared in tests/parity.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
import typing_extensions

from aiopenai._codegen import PIN
from aiopenai._data.structs import Model
from aiopenai._data.unions import OneOf

openai = pytest.importorskip("openai")
if openai.__version__ != PIN:
    pytest.skip(f"needs openai {PIN}, found {openai.__version__}", allow_module_level=True)

# Settings of websockets: with the helpers.
HELPER_TYPES = re.compile(r"WebSocket|Websocket|Reconnecting")


def _packages() -> list[str]:
    root = importlib.import_module("openai.types")
    found = pkgutil.walk_packages(root.__path__, "openai.types.")
    return ["types", *(each.name.removeprefix("openai.") for each in found if each.ispkg)]


PACKAGES = _packages()


def exports(package: str) -> Iterator[tuple[str, Any, Any]]:
    """The names of a package of the reference that are in scope, with both values; ours is None if it is missing."""
    reference = importlib.import_module(f"openai.{package}")
    ours = importlib.import_module(f"aiopenai.{package}")
    source = inspect.getsource(reference)
    for block in re.findall(r"^from \.[\w.]+ import (\((?:[^)]*)\)|[^\n]*)", source, re.MULTILINE):
        for name in re.findall(r"as (\w+)", block):
            if HELPER_TYPES.search(name):
                continue
            yield name, getattr(reference, name), getattr(ours, name, None)


EXPORTS = {f"{package}.{name}": values for package in PACKAGES for name, *values in exports(package)}


def test_every_exported_name_is_here() -> None:
    assert not [name for name, (_, ours) in EXPORTS.items() if ours is None]
    assert len(EXPORTS) > 1_700


def is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, openai.BaseModel)


REPLIES = {name: values for name, values in EXPORTS.items() if is_model(values[0]) and values[1] is not None}
PARAMS = {
    name: values
    for name, values in EXPORTS.items()
    if typing_extensions.is_typeddict(values[0]) and values[1] is not None
}


class Comparison:
    """Compares types of both sides down to the last field, each pair of classes once; collects what is `different`."""

    def __init__(self) -> None:
        self.seen: set[tuple[Any, Any]] = set()
        self.fields = 0
        self.different: list[str] = []

    def same(self, ours: Any, theirs: Any, where: str) -> bool:
        if ours != theirs:
            self.different.append(f"{where}: {ours} where the reference has {theirs}")
        return bool(ours == theirs)

    def types(self, theirs: Any, ours: Any, where: str) -> None:
        left, right = list(flat(theirs)), list(flat(ours))
        if object in left:
            # Anything, among classes: for our decoder that is any object.
            right = [object if each == dict[str, object] else each for each in right]
        self.same(literals(right), literals(left), where)
        self.same(plain(right), plain(left), where)
        for kind in (list, dict):
            their_items = [get_args(each)[-1] for each in left if get_origin(each) is kind]
            our_items = [get_args(each)[-1] for each in right if get_origin(each) is kind]
            if self.same(len(our_items), len(their_items), f"{where}: the number of each {kind.__name__}"):
                for their_item, our_item in zip(their_items, our_items, strict=True):
                    self.types(their_item, our_item, f"{where}[]")
        their_models = [each for each in left if is_model(each)]
        our_models = [each for each in right if isinstance(each, type) and issubclass(each, Model)]
        if self.same(len(our_models), len(their_models), f"{where}: the number of classes"):
            for their_model, our_model in zip(their_models, our_models, strict=True):
                self.models(their_model, our_model)

    def models(self, theirs: Any, ours: Any) -> None:
        if (theirs, ours) in self.seen:
            return
        self.seen.add((theirs, ours))
        where = f"{theirs.__module__}.{theirs.__name__}"
        fields = {field.name: field for field in msgspec.structs.fields(ours)}
        config = ours.__struct_config__
        if config.tag_field is not None:
            tag = theirs.model_fields[config.tag_field]
            self.same((config.tag,), get_args(tag.annotation), where)
            self.same(getattr(ours, config.tag_field), config.tag, where)
        expected = [name for name in theirs.model_fields if name != config.tag_field]
        if not self.same(list(fields), expected, where):
            return
        for name in expected:
            field = theirs.model_fields[name]
            self.fields += 1
            self.same(fields[name].name in ours.__required__, field.is_required(), f"{where}.{name}: required")
            self.same(fields[name].encode_name, field.alias or name, f"{where}.{name}: on the wire")
            self.types(field.annotation, fields[name].type, f"{where}.{name}")


def flat(type_: Any) -> Iterator[Any]:
    """The members of a type, through unions, annotations and our stand-ins for unions."""
    origin = get_origin(type_)
    if origin is typing.Annotated:
        yield from flat(get_args(type_)[0])
    elif origin is Union or type(type_).__name__ == "UnionType":
        for part in get_args(type_):
            yield from flat(part)
    elif isinstance(type_, type) and issubclass(type_, OneOf):
        for part in type_.variants:
            yield from flat(part)
    elif isinstance(origin, type) and issubclass(origin, Model):
        yield origin
    elif isinstance(type_, typing.TypeVar):
        yield object
    else:
        yield type_


def literals(members: list[Any]) -> set[Any]:
    return {value for each in members if get_origin(each) is Literal for value in get_args(each)}


def plain(members: list[Any]) -> set[Any]:
    found = {each for each in members if each in (str, int, float, bool, type(None))}
    if any(each is object or each is Any for each in members):
        found.add(object)
    return found


def called(ours: Any, theirs: Any) -> bool:
    """Whether a class has the reference's name: the package's name precedes it where two in one group have it."""
    package = theirs.__module__.split(".")[-2].title().replace("_", "")
    return ours.__name__ == theirs.__name__ or (
        ours.__name__.endswith(f"{package}{theirs.__name__}") and hasattr(sys.modules[ours.__module__], theirs.__name__)
    )


def test_reply_types() -> None:
    comparison = Comparison()
    for theirs, ours in REPLIES.values():
        assert issubclass(ours, Model)
        assert called(ours, theirs)
        comparison.models(theirs, ours)
    assert comparison.different == []
    assert len(REPLIES) > 900
    assert comparison.fields > 4_500


def test_reply_unions() -> None:
    unions = {
        name: values
        for name, values in EXPORTS.items()
        if not is_model(values[0]) and values[1] is not None and any(is_model(each) for each in flat(values[0]))
    }
    assert len(unions) > 10
    comparison = Comparison()
    for name, (theirs, ours) in unions.items():
        comparison.types(theirs, ours, name)
    assert comparison.different == []


def keys(type_: Any) -> dict[str, bool]:
    """A TypedDict's keys, and whether they are required."""
    hints = typing_extensions.get_type_hints(type_, include_extras=True)
    return {name: "Required[" in str(hint) for name, hint in hints.items()}


def test_parameter_types() -> None:
    for name, (theirs, ours) in PARAMS.items():
        assert called(ours, theirs), name
        assert keys(ours) == keys(theirs), name
    assert len(PARAMS) > 400


@pytest.mark.parametrize("package", ["types", *(f"types.{each}" for each in ("chat", "responses", "files"))])
def test_packages_are_lazy_and_list_their_names(package: str) -> None:
    ours = importlib.import_module(f"aiopenai.{package}")
    names = dir(ours)
    assert names == sorted(names)
    expected = {name for name, (_, own) in EXPORTS.items() if name.rpartition(".")[0] == package and own is not None}
    assert expected <= {f"{package}.{name}" for name in names}
    for name in names:
        assert getattr(ours, name) is not None
    with pytest.raises(AttributeError, match="NoSuchThing"):
        ours.NoSuchThing  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_thing"):
        ours.no_such_thing  # noqa: B018


def test_replies_do_not_import_parameter_types() -> None:
    code = (
        "import sys; from aiopenai.types.chat import ChatCompletion; print('aiopenai.types.chat.params' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
