"""Every public method, parameter, reply type and field of the reference is here; the rest has an owner, by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI
from aiopenai.endpoint import CallOptions
from aiopenai.models import Model

from . import reference, types_of
from .reference import HELPER_PARAMETERS, HELPER_TYPES, HELPERS, Export
from .surface import NEEDS, methods, resolve

METHODS = {method.name: method for method in methods()}
# What all methods take without naming it.
OPTIONS = CallOptions.__annotations__.keys()


@pytest.fixture(scope="module")
def theirs() -> dict[str, Callable[..., Any]]:
    return reference.methods()


def test_methods(theirs: dict[str, Any], say: Callable[[str], None]) -> None:
    say(f"Methods: {len(METHODS)} HTTP calls, {len(HELPERS)} helpers of other issues, {len(theirs)} in the reference")
    assert sorted(HELPERS.keys() - theirs.keys()) == []
    assert sorted(HELPERS.keys() & METHODS.keys()) == []
    assert sorted(theirs.keys() - METHODS.keys() - HELPERS.keys()) == []
    assert sorted(METHODS.keys() - theirs.keys()) == []
    assert (len(theirs), len(METHODS)) == (436, 396)


def test_views() -> None:
    """Each method is reached with the reply's headers and with its body unread, too."""
    client = AsyncOpenAI(api_key="test")
    for name in METHODS:
        holder, _, method = name.rpartition(".")
        resource = resolve(client, holder)
        for view in (resource.with_raw_response, resource.with_streaming_response):
            assert callable(getattr(view, method)), name


def test_parameters(theirs: dict[str, Any], say: Callable[[str], None]) -> None:
    counted, helpers = 0, 0
    missing: list[str] = []
    for name, function in theirs.items():
        names = inspect.signature(function).parameters.keys()
        if name in HELPERS:
            helpers += len(names)
            continue
        due = names - HELPER_PARAMETERS.get(name, {}).keys()
        helpers += len(names) - len(due)
        counted += len(due)
        own = {parameter.name for parameter in METHODS[name].parameters}
        missing += (f"{name}({parameter})" for parameter in sorted(due - own - OPTIONS))
        missing += (f"{name}({parameter}) is invented" for parameter in sorted(own - names))
    say(f"Parameters: {counted} of HTTP calls, {helpers} of helpers, {counted + helpers} in the reference")
    assert missing == []
    assert counted + helpers == 3_663


def test_options() -> None:
    """What every method of the reference takes beside its own parameters, every method of ours takes."""
    client = AsyncOpenAI(api_key="test")
    for name in METHODS:
        (rest,) = (
            parameter
            for parameter in inspect.signature(resolve(client, name)).parameters.values()
            if parameter.kind is inspect.Parameter.VAR_KEYWORD
        )
        assert rest.annotation == "Unpack[CallOptions]", name


def test_how_parameters_are_given(theirs: dict[str, Any]) -> None:
    """By position or by keyword only, and required where every signature of the reference requires it."""
    different: list[str] = []
    client = AsyncOpenAI(api_key="test")
    for name, method in METHODS.items():
        own = inspect.signature(resolve(client, name)).parameters
        every = reference.signatures(theirs[name])
        for parameter in method.parameters:
            given = [each.parameters.get(parameter.name) for each in every]
            required = all(each is not None and each.default is each.empty for each in given)
            if required != parameter.required:
                different.append(f"{name}({parameter.name}): required is {parameter.required}")
            if own[parameter.name].kind not in {each.kind for each in given if each is not None}:
                different.append(f"{name}({parameter.name}): {own[parameter.name].kind.description}")
        if (order := _positional(every[0].parameters)) != _positional(own):
            different.append(f"{name}: by position {order}")
    assert different == []


def _positional(parameters: Any) -> list[str]:
    return [each.name for each in parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]


def test_what_some_methods_need(theirs: dict[str, Any]) -> None:
    """One of several sets of parameters: what each signature of the reference requires beyond what all require."""
    for name, method in METHODS.items():
        own = {parameter.name for parameter in method.parameters if parameter.required}
        sets = [
            {each.name for each in signature.parameters.values() if each.default is each.empty} - own - {"stream"}
            for signature in reference.signatures(theirs[name])
        ]
        if name in NEEDS:
            assert set(NEEDS[name]) in sets
            request = getattr(type(resolve(AsyncOpenAI(api_key="test"), name.rpartition(".")[0])), name.split(".")[-1])
            for needed in sets:
                request.request(**dict.fromkeys(own | needed, "x"))
            with pytest.raises(TypeError, match="missing required arguments"):
                request.request(**dict.fromkeys(own, "x"))
        elif len(sets) > 1 and not method.streams:
            assert set() in sets or {"response_format"} in sets, name


def test_types_of_parameters(theirs: dict[str, Any], say: Callable[[str], None]) -> None:
    """What may be given is what the reference allows: down to the last key of the last object, literals included."""
    comparison = types_of.Comparison()
    for name, method in METHODS.items():
        hints = types_of.parameters(theirs[name])
        # Of `stream` the signatures differ, which tests/typing is about.
        for parameter in (each for each in method.parameters if each.name != "stream"):
            comparison.compare(hints[parameter.name], parameter.kind, f"{name}({parameter.name})")
    say(f"Types of parameters: {len(comparison.seen)} objects with {comparison.keys} keys")
    assert comparison.different == []
    assert comparison.keys > 3_000


def _ours(export: Export) -> Any:
    try:
        return getattr(importlib.import_module(f"aiopenai.{export.module}"), export.name)
    except (ModuleNotFoundError, AttributeError):
        return None


def test_reply_types(say: Callable[[str], None]) -> None:
    exports = [each for each in _exports() if reference.is_model(each.value)]
    fields = sum(len(each.value.model_fields) for each in exports)
    different: list[str] = []
    for each in exports:
        ours = _ours(each)
        if not (isinstance(ours, type) and issubclass(ours, Model)):
            different.append(f"{each.label}: {ours}")
            continue
        if ours.__name__ != reference.RENAMED.get(each.label, each.value.__name__):
            different.append(f"{each.label}: is called {ours.__name__}")
        different += (f"{each.label}: {line}" for line in _fields(each.value, ours))
    assert different == []
    say(f"Reply types: {len(exports)} with {fields} fields, all that the reference has")
    assert (len(exports), fields) == (949, 4_861)


def _exports() -> list[Export]:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    return list(reference.exports())


def _fields(theirs: Any, ours: type[Model]) -> list[str]:
    """What is not the same: the names in Python and on the wire, their order, and which of them are required."""
    config = ours.__struct_config__
    # In the order of the reference, where a tag may be anywhere.
    own = {field.name: (field.encode_name, field.required) for field in msgspec.structs.fields(ours)}
    due = {
        name: (field.alias or name, field.is_required())
        for name, field in theirs.model_fields.items()
        if name != config.tag_field
    }
    lines = [] if list(own) == list(due) else [f"{list(own)} where the reference has {list(due)}"]
    lines += [f"{name}: {own[name]} is not {due[name]}" for name in own.keys() & due.keys() if own[name] != due[name]]
    if config.tag_field is not None and getattr(ours, config.tag_field) != config.tag:
        lines.append(f"{config.tag_field} is not {config.tag}")
    return lines


def test_all_exported_names(say: Callable[[str], None]) -> None:
    """Unions, TypedDicts and literals as well."""
    exports = [each for each in _exports() if each.name not in HELPER_TYPES]
    say(f"Exported names: {len(exports)}")
    assert [each.label for each in exports if _ours(each) is None] == []


def test_all_modules(say: Callable[[str], None]) -> None:
    """Each module of types has the names that it says it has, whatever it is that holds them here."""
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    definitions = [each for each in reference.definitions() if each.name not in HELPER_TYPES]
    missing = [each.label for each in definitions if _ours(each) is None]
    say(f"Modules: {len({each.module for each in definitions})} with {len(definitions) - len(missing)} names")
    assert missing == []


def test_all_modules_can_be_imported() -> None:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    for module in reference.modules():
        name = module.__name__.partition(".")[2]
        if name.removeprefix("types.") not in reference.HELPER_MODULES:
            importlib.import_module(f"aiopenai.{name}")
