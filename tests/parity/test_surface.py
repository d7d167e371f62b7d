"""Every public method, parameter, reply type and field of the reference is here; the rest has an owner, by name."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

import aiopenai
from aiopenai._calls.arguments import CallOptions
from aiopenai._calls.paging import blocking
from aiopenai._data.structs import Model

from . import reference, types_of
from .reference import Export
from .surface import NEEDS, Method, methods, resolve, stub

# What all methods take without naming it.
OPTIONS = CallOptions.__annotations__.keys()
# Parameters of ours that the reference has not, and those that only its blocking client has.
INVENTED = {
    "uploads.upload_file_chunked": {"progress"},
    "responses.create": {"resume"},
    "responses.retrieve": {"resume"},
    "responses.stream": {"resume"},
    "beta.responses.create": {"resume"},
    "beta.responses.retrieve": {"resume"},
    "beta.threads.runs.create_and_stream": {"reasoning_effort"},
}
# Methods of ours that the reference has not.
ADDED = {"beta.chat.completions.run_tools", "chat.completions.run_tools", "responses.pool", "responses.run_tools"}
PARAMETERS = {"AsyncOpenAI": 3_665, "OpenAI": 3_666}
# Options of a socket whose types are not the reference's: those of another websocket library, and a callback that
# aiopenai's own classes are given to and that may be a coroutine function.
OF_SOCKETS = {"websocket_connection_options", "on_reconnecting"}
# Parameters that take more than the reference's do.
WIDER = {
    "uploads.upload_file_chunked(file)": "the name of a file, and one that is open",
    "beta.agents.sessions.artifacts.for_result(result)": "results of any output type",
    "beta.agents.sessions.create(tool_handlers)[]": "this package's types of content parts",
    "beta.agents.sessions.stream(on_tool_error)": "this package's class of errors",
    "beta.agents.sessions.stream(tool_handlers)[]": "this package's types of content parts",
    "webhooks.unwrap(headers)": "headers of other libraries",
    "webhooks.verify_signature(headers)": "headers of other libraries",
}


class Sides(NamedTuple):
    """One of the two clients: our methods and the reference's."""

    kind: str
    client: Any
    ours: dict[str, Method]
    theirs: dict[str, Callable[..., Any]]

    def both(self) -> Iterator[tuple[str, Method, Callable[..., Any]]]:
        """The methods that both have: the name, ours, and the reference's."""
        for name, method in self.ours.items():
            yield name, method, self.theirs[name]

    def calls(self) -> Iterator[tuple[str, Method, Callable[..., Any]]]:
        """Those that are one HTTP call each."""
        return (each for each in self.both() if each[1].verb)


def _sides(kind: str) -> Sides:
    theirs = reference.methods(kind)
    ours = getattr(aiopenai, kind)
    known = {method.name: method for method in methods(ours) if method.name not in ADDED}
    return Sides(kind, ours(api_key="test"), known, theirs)


@pytest.fixture(scope="module", params=["AsyncOpenAI", "OpenAI"])
def sides(request: pytest.FixtureRequest) -> Sides:
    return _sides(request.param)


def test_methods(sides: Sides, say: Callable[[str], None]) -> None:
    ours, theirs = sides.ours.keys(), sides.theirs.keys()
    calls = sum(1 for _ in sides.calls())
    say(f"{sides.kind}: {calls} methods are HTTP calls, {len(ours) - calls} helpers, {len(theirs)} in the reference")
    assert sorted(theirs - ours) == []
    assert sorted(ours - theirs) == []
    assert {method.name for method in methods(type(sides.client))} - ours == ADDED
    assert sorted(ADDED & theirs) == []
    # Three of the calls are `parse`, which looks into its reply.
    assert (len(theirs), len(ours), calls) == (436, 436, 399)


def test_views(sides: Sides) -> None:
    """Each call is reached with the reply's headers and with its body unread, too."""
    for name, _, _ in sides.calls():
        holder, _, method = name.rpartition(".")
        resource = resolve(sides.client, holder)
        for view in (resource.with_raw_response, resource.with_streaming_response):
            assert callable(getattr(view, method)), name


def test_settings(sides: Sides) -> None:
    """What the clients are made with."""
    own = inspect.signature(type(sides.client)).parameters
    due = inspect.signature(type(reference.client(sides.kind))).parameters
    assert due.keys() <= own.keys()


def test_parameters(sides: Sides, say: Callable[[str], None]) -> None:
    counted = 0
    different: list[str] = []
    for name, function in sides.theirs.items():
        names = inspect.signature(function).parameters.keys()
        counted += len(names)
        own = {parameter.name for parameter in sides.ours[name].parameters}
        different += (f"{name}({parameter})" for parameter in sorted(names - own - OPTIONS))
        invented = own - names - INVENTED.get(name, set())
        different += (f"{name}({parameter}) is invented" for parameter in sorted(invented))
    say(f"{sides.kind}: {counted} parameters")
    assert different == []
    assert counted == PARAMETERS[sides.kind]


def test_what_is_invented_is_here() -> None:
    ours, theirs = methods(), reference.methods()
    names = {method.name: {each.name for each in method.parameters} for method in ours}
    for name, invented in INVENTED.items():
        assert invented <= names[name] - inspect.signature(theirs[name]).parameters.keys()


def test_options(sides: Sides) -> None:
    """Every method that makes calls takes the options of a call, by name."""
    for name in sides.ours:
        parameters = inspect.signature(resolve(sides.client, name)).parameters
        assert all(each.kind is not each.VAR_KEYWORD for each in parameters.values())
        if name.endswith(".connect"):
            # A socket has options of its own.
            assert {"extra_query", "extra_headers", "websocket_connection_options"} <= parameters.keys(), name
            continue
        local = {"beta.agents.sessions.artifacts.for_result", "webhooks.unwrap", "webhooks.verify_signature"}
        calls = name not in local
        assert [each for each in parameters if each in OPTIONS] == [*OPTIONS] * calls, name


def test_signatures_are_those_of_the_stubs(sides: Sides) -> None:
    """The same names in the same order, of the same kinds, in each signature that a stub has for a method."""
    different: list[str] = []
    for name in sides.ours:
        shown = [(each.name, each.kind) for each in inspect.signature(resolve(sides.client, name)).parameters.values()]
        function = getattr(type(resolve(sides.client, name.rpartition(".")[0])), name.rpartition(".")[2])
        owner, _, own = function.__qualname__.partition(".")
        declared = getattr(stub(function.__module__)[owner], own)
        for each in stub(function.__module__)[""].get(function.__qualname__, [declared]):
            due = [(each.name, each.kind) for each in inspect.signature(each).parameters.values()][1:]
            if sorted(due) != sorted(shown):
                different.append(f"{name}: {shown} where the stub has {due}")
    assert different == []


def test_how_parameters_are_given(sides: Sides) -> None:
    """By position or by keyword only, required where every signature of the reference requires it, or by default."""
    different: list[str] = []
    for name, method, function in sides.both():
        own = inspect.signature(resolve(sides.client, name)).parameters
        every = reference.signatures(function)
        for parameter in (each for each in method.parameters if each.name not in INVENTED.get(name, ())):
            given = [each.parameters.get(parameter.name) for each in every]
            required = all(each is not None and each.default is each.empty for each in given)
            if required != parameter.required:
                different.append(f"{name}({parameter.name}): required is {parameter.required}")
            if own[parameter.name].kind not in {each.kind for each in given if each is not None}:
                different.append(f"{name}({parameter.name}): {own[parameter.name].kind.description}")
            default = _default(own[parameter.name])
            if default not in {_default(each) for each in given if each is not None}:
                different.append(f"{name}({parameter.name}): is {default} by default")
        if (order := _positional(every[0].parameters)) != _positional(own):
            different.append(f"{name}: by position {order}")
    assert different == []


def _positional(parameters: Any) -> list[str]:
    shown = (each for each in parameters.values() if each.name not in OPTIONS)
    return [each.name for each in shown if each.kind is each.POSITIONAL_OR_KEYWORD]


def _default(parameter: inspect.Parameter) -> Any:
    """What a parameter is by default; None where it is left out or required."""
    default = parameter.default
    if isinstance(default, (list, tuple)):
        return tuple(default)
    return default if isinstance(default, (bool, int, float, str)) else None


def test_what_some_methods_need(sides: Sides) -> None:
    """One of several sets of parameters: what each signature of the reference requires beyond what all require."""
    for name, method, function in sides.calls():
        own = {parameter.name for parameter in method.parameters if parameter.required}
        sets = [
            {each.name for each in signature.parameters.values() if each.default is each.empty} - own - {"stream"}
            for signature in reference.signatures(function)
        ]
        if name in NEEDS:
            assert set(NEEDS[name]) in sets
            request = getattr(type(resolve(sides.client, name.rpartition(".")[0])), name.split(".")[-1])
            for needed in sets:
                request.request(**dict.fromkeys(own | needed, "x"))
            with pytest.raises(TypeError, match="missing required arguments"):
                request.request(**dict.fromkeys(own, "x"))
        elif len(sets) > 1 and not method.streams:
            assert set() in sets or {"response_format"} in sets, name


def test_types_of_parameters(sides: Sides, say: Callable[[str], None]) -> None:
    """What may be given is what the reference allows: down to the last key of the last object, literals included."""
    comparison = types_of.Comparison()
    for name, method, function in sides.both():
        hints = types_of.parameters(function)
        # Of `stream` the signatures differ, which tests/typing is about.
        other = {"stream", "progress", *(OF_SOCKETS if name.endswith(".connect") else ())}
        for parameter in (each for each in method.parameters if each.name not in other):
            if parameter.name in hints:
                comparison.compare(hints[parameter.name], parameter.kind, f"{name}({parameter.name})")
            else:
                assert parameter.name in INVENTED[name]
    say(f"{sides.kind}: types of parameters, {len(comparison.seen)} objects with {comparison.keys} keys")
    different = [line for line in comparison.different if line.partition(":")[0] not in WIDER]
    assert different == []
    assert {line.partition(":")[0] for line in comparison.different} == WIDER.keys()
    assert comparison.keys > 3_000


# The name of what a method gives, in the reference's annotation of it.
GIVEN = re.compile(r"[A-Z]\w+")


def test_what_helpers_give(sides: Sides) -> None:
    different: list[str] = []
    count = 0
    for name, method, function in sides.both():
        if not method.verb:
            count += 1
            due = [GIVEN.search(str(each.return_annotation)) for each in reference.signatures(function)]
            names = {found[0] for found in due if found is not None}
            own = {*GIVEN.findall(method.returns)}
            different += (f"{name}: {method.returns} where the reference has {each}" for each in names - own)
    assert different == []
    assert count == 37


def test_pages(sides: Sides) -> None:
    """Lists come in the reference's pages, which are called otherwise in the blocking client."""
    different: list[str] = []
    count = 0
    for name, method, function in sides.calls():
        returned = str(inspect.signature(function).return_annotation)
        found = re.search(r"\b(Async|Sync)\w*Page\b", returned)
        if (found is None) != (method.page is None):
            different.append(f"{name}: {method.page} where the reference has {returned}")
        elif found is not None:
            count += 1
            page = method.page if sides.kind == "AsyncOpenAI" else blocking(method.reply)
            if (called := page.__name__) != found[0]:
                different.append(f"{name}: {called} where the reference has {found[0]}")
    assert different == []
    assert count > 80


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
    assert (len(exports), fields) == (949, 4_862)


def _exports() -> list[Export]:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    return list(reference.exports())


def _fields(theirs: Any, ours: type[Model]) -> list[str]:
    """What is not the same: the names in Python and on the wire, their order, and which of them are required."""
    config = ours.__struct_config__
    # In the order of the reference, where a tag may be anywhere.
    own = {field.name: (field.encode_name, field.name in ours.__required__) for field in msgspec.structs.fields(ours)}
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
    exports = _exports()
    say(f"Exported names: {len(exports)}")
    assert [each.label for each in exports if _ours(each) is None] == []


def test_all_modules(say: Callable[[str], None]) -> None:
    """Each module of types has the names that it says it has, whatever it is that holds them here."""
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    definitions = list(reference.definitions())
    missing = [each.label for each in definitions if _ours(each) is None]
    say(f"Modules: {len({each.module for each in definitions})} with {len(definitions) - len(missing)} names")
    assert missing == []


def test_all_modules_can_be_imported() -> None:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    for module in reference.modules():
        importlib.import_module(f"aiopenai.{module.__name__.partition('.')[2]}")


def warned(call: Callable[..., Any]) -> list[tuple[str, str]]:
    """The category and the file of each warning of a call that is refused."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(TypeError):
            refused(call(no_such_argument=1))
    return [(each.category.__name__, each.filename) for each in caught]


def refused(result: Any) -> None:
    """Runs a coroutine, and enters a context manager."""
    if inspect.iscoroutine(result):
        result.send(None)
    elif hasattr(result, "__enter__"):
        result.__enter__()
    elif hasattr(result, "__aenter__"):
        result.__aenter__().send(None)


def test_deprecations(sides: Sides) -> None:
    """The same methods warn, at the line of the caller; through raw and streamed replies too."""
    reference_client = reference.client(sides.kind)
    marked = {name for name, function in sides.theirs.items() if hasattr(function, "__deprecated__")}
    assert {name for name in sides.ours if hasattr(resolve(sides.client, name), "__deprecated__")} == marked
    assert len(marked) == 47
    for name in sorted(marked):
        assert warned(resolve(sides.client, name)) == [("DeprecationWarning", __file__)], name
        assert ("DeprecationWarning", __file__) in warned(sides.theirs[name]), name
        holder, _, method = name.rpartition(".")
        for view in ("with_raw_response", "with_streaming_response"):
            due = getattr(getattr(resolve(reference_client, holder), view), method, None)
            own = getattr(getattr(resolve(sides.client, holder), view), method, None)
            assert (due is None) == (own is None), (name, view)
            if own is not None:
                assert [category for category, _ in warned(own)] == ["DeprecationWarning"], (name, view)
                assert "DeprecationWarning" in {category for category, _ in warned(due)}, (name, view)
