"""The reader of the HTTP methods of the reference's asynchronous resource classes."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Literal

from aiopenai._codegen.helpers import ADDED
from aiopenai._codegen.read_helpers import ABSENT, COMMON, Function, by_hand, is_deprecated
from aiopenai._codegen.routes import ROUTES
from aiopenai._codegen.shapes import (
    NONE,
    Choice,
    Generic,
    Method,
    Name,
    Parameter,
    Place,
    Resource,
    Text,
    Type,
    Union,
    Variant,
    without,
)
from aiopenai._codegen.shapes import union as united
from aiopenai._codegen.sockets import read_socket
from aiopenai._codegen.source import Source, SourceError

VERBS = {"_get": "GET", "_post": "POST", "_put": "PUT", "_patch": "PATCH", "_delete": "DELETE", "_get_api_list": "GET"}
VIEWS = ("WithRawResponse", "WithStreamingResponse")


def read_resources(source: Source, namespaces: Collection[str] | None) -> tuple[Resource, ...]:
    """Returns some resources of `AsyncOpenAI` (None: all), sorted by name.

    Raises `SourceError` for a namespace that there is not, and for a form that is not known.
    """
    client = source.class_of(Name("_client", "AsyncOpenAI"))
    found = dict(sorted(_properties(source, "_client", client)))
    if namespaces is not None:
        if unknown := set(namespaces) - found.keys():
            raise SourceError(f"no such namespaces: {', '.join(sorted(unknown))}")
        found = {attribute: name for attribute, name in found.items() if attribute in namespaces}
    return tuple(_resource(source, name, (attribute,)) for attribute, name in found.items())


def _properties(source: Source, module: str, node: ast.ClassDef) -> Iterator[tuple[str, Name]]:
    """The lazily made resources below a class: attribute and class."""
    for item in node.body:
        if (
            isinstance(item, ast.FunctionDef)
            and item.returns is not None
            and any("cached_property" in ast.unparse(decorator) for decorator in item.decorator_list)
        ):
            symbol = source.resolve(module, item.returns)
            if (
                isinstance(symbol, Name)
                and symbol.module.startswith("resources.")
                and not symbol.name.endswith(VIEWS)
                and not item.name.startswith("_")
            ):
                yield item.name, symbol


def _resource(source: Source, name: Name, path: tuple[str, ...]) -> Resource:
    node = source.class_of(name)
    children = tuple(
        _resource(source, child, (*path, attribute)) for attribute, child in _properties(source, name.module, node)
    )
    return Resource(
        path,
        name.name.removeprefix("Async"),
        name.module,
        tuple(_with_added(method, ".".join((*path, method.name))) for method in _methods(source, name)),
        children,
        tuple(by_hand(source, name, source.class_of(name), ".".join(path))),
        read_socket(source, name) if ".".join(path) in ROUTES else None,
    )


def _with_added(method: Method, path: str) -> Method:
    """Returns a method with the parameters that the reference's lacks."""
    added = tuple(
        Parameter(name, Text(annotation), True, False, text) for name, (annotation, text) in ADDED.get(path, {}).items()
    )
    if not added:
        return method
    place: Place = "query" if method.verb == "GET" else "body"
    return replace(
        method,
        parameters=(*method.parameters, *added),
        places={**method.places, **{each.name: place for each in added}},
        streaming=method.streaming and (*method.streaming, *added),
        either=method.either and (*method.either, *added),
    )


def _methods(source: Source, name: Name) -> Iterator[Method]:
    node = source.class_of(name)
    overloads: dict[str, list[Function]] = {}
    for item in node.body:
        if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        decorators = [ast.unparse(decorator) for decorator in item.decorator_list]
        if "overload" in decorators:
            overloads.setdefault(item.name, []).append(item)
            continue
        calls = [call for call in ast.walk(item) if isinstance(call, ast.Call) and _verb(call)]
        if len(calls) == 1 and not any("cached_property" in decorator for decorator in decorators):
            yield _Reader(source, name, item, calls[0]).method(overloads.get(item.name, []))
    for base in node.bases:
        symbol = source.resolve(name.module, base)
        if isinstance(symbol, Name) and symbol.module.startswith("resources."):
            yield from _methods(source, symbol)


def _verb(call: ast.Call) -> str | None:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self":
        return VERBS.get(function.attr)
    return None


class _Reader:
    """Reads one method: its call of `self._get` and the like, and the statements that make the call's arguments."""

    def __init__(self, source: Source, owner: Name, node: Function, call: ast.Call) -> None:
        self.source = source
        self.owner = owner
        self.node = node
        self.call = call
        self.given = {keyword.arg: keyword.value for keyword in call.keywords}
        self.values: dict[str, ast.expr] = {}
        self.header_values: list[ast.expr] = []
        for item in ast.walk(node):
            if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                target = item.targets[0].id
                if target == "extra_headers":
                    self.header_values.append(item.value)
                else:
                    self.values.setdefault(target, item.value)

    def fail(self, problem: str) -> SourceError:
        return SourceError(f"{self.owner.module}.{self.owner.name}.{self.node.name}: {problem}")

    def method(self, overloads: list[Function]) -> Method:
        options = self.given.get("options")
        facts = {key.arg: key.value for key in options.keywords} if isinstance(options, ast.Call) else {}
        path, path_names = self._path()
        headers, header_names = self._headers()
        body = self._keys(self.given.get("body"))
        query = self._keys(facts.get("query"))
        places: dict[str, Place] = {}
        wire: dict[str, str] = {}
        for name in path_names:
            places[name] = "path"
        sources: tuple[tuple[Place, dict[str, str]], ...] = (
            ("query", query),
            ("body", body),
            ("header", {header: parameter for parameter, header in header_names.items()}),
        )
        for place, keys in sources:
            for key, name in keys.items():
                places.setdefault(name, place)
                if key != name and place != "header":
                    wire[name] = key
        reply, event = self._reply(self.node)
        page = None
        verb = _verb(self.call) or ""
        if "page" in self.given:
            page_type = self.source.type(self.owner.module, self.given["page"])
            if not isinstance(page_type, Generic):
                raise self.fail("unknown page")
            page, reply = page_type.origin, page_type.args[0]
            if "method" in self.given:
                verb = str(ast.literal_eval(self.given["method"])).upper()
        parameters = self._parameters(self.node)
        for parameter in parameters:
            if parameter.name not in places:
                raise self.fail(f"the place of {parameter.name} in the request is unknown")
        if event is not None and reply != NONE and not overloads:
            raise self.fail("the condition for streaming is unknown")
        streaming, either = self._streams(overloads)
        plain = [each for each in overloads if self._stream_kind(each) == "plain"]
        chosen_by, variants = self._variants(plain)
        if streaming is not None and plain:
            parameters = self._parameters(plain[-1])
        typed_parts, sole_part = self._typed_parts()
        files = self._files()
        return Method(
            self.node.name,
            verb,
            path,
            parameters,
            places,
            wire,
            reply,
            page,
            event,
            streaming,
            either,
            files,
            headers,
            header_names,
            "admin" if "security" in facts and "admin" in ast.unparse(facts["security"]) else "bearer",
            bool(files) and any(isinstance(item, ast.If) and self._sets_form(item) for item in self.node.body),
            typed_parts,
            sole_part,
            self._events(facts),
            self._needs({each.name for each in parameters if not each.optional}),
            chosen_by,
            variants,
            is_deprecated(self.node),
        )

    def _events(self, facts: dict[str | None, ast.expr]) -> Literal["", "bare", "named"]:
        """Returns `named` for events that include their names, and `bare` for events without a search for errors."""
        if "stream_mode" in facts:
            return "bare"
        return "named" if "synthesize_event_and_data" in facts else ""

    def _needs(self, required: set[str]) -> tuple[tuple[str, ...], ...]:
        """The sets of arguments of which the method requires one, beside the arguments that it always requires."""
        for decorator in self.node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "required_args":
                sets = [{*ast.literal_eval(each)} - required - {"stream"} for each in decorator.args]
                # A set without further arguments makes the others irrelevant.
                return tuple(tuple(sorted(each)) for each in sets) if all(sets) else ()
        return ()

    def _sets_form(self, branch: ast.If) -> bool:
        return any("multipart/form-data" in ast.unparse(item) for item in branch.body)

    def _typed_parts(self) -> tuple[dict[str, str], str | None]:
        """The content types of a form's fields, and the field that can be the whole body."""
        for item in ast.walk(self.node):
            if isinstance(item, ast.Call) and ast.unparse(item.func) == "encode_multipart":
                types = {name: kind for name, (kind, _) in ast.literal_eval(item.args[2]).items()}
                return types, ast.literal_eval(item.args[3])
        return {}, None

    def _variants(self, plain: list[Function]) -> tuple[str | None, tuple[Variant, ...]]:
        """The signatures of a method whose reply depends on an argument, and that argument."""
        replies = [self._reply(node)[0] for node in plain]
        if len(set(replies)) < 2:
            return None, ()
        signatures = [self._parameters(node) for node in plain]
        kinds: dict[str, set[Type]] = {}
        for signature in signatures:
            for parameter in signature:
                kinds.setdefault(parameter.name, set()).add(parameter.type)
        deciding = [name for name, types in kinds.items() if len(types) == len(plain)]
        if len(deciding) != 1:
            raise self.fail("no single parameter chooses the reply type")
        variants: list[Variant] = []
        for signature, reply in zip(signatures, replies, strict=True):
            decided = next(each.type for each in signature if each.name == deciding[0])
            values = decided.values if isinstance(decided, Choice) and not isinstance(reply, Union) else ()
            variants.append(Variant(signature, reply, values))
        return deciding[0], tuple(variants)

    def _path(self) -> tuple[str, list[str]]:
        """The path with the method's own parameter names in it, and these names."""
        path = self.call.args[0]
        if isinstance(path, ast.Constant):
            return str(path.value), []
        if not isinstance(path, ast.Call):
            raise self.fail("unknown path")
        text = str(ast.literal_eval(path.args[0]))
        names: list[str] = []
        for keyword in path.keywords:
            name = ast.unparse(keyword.value)
            text = text.replace(f"{{{keyword.arg}}}", f"{{{name}}}")
            names.append(name)
        return text, names

    def _dict(self, value: ast.expr | None) -> ast.Dict | None:
        """The dict that an argument comes from, through `maybe_transform` and local names."""
        if value is None or isinstance(value, ast.Dict):
            return value
        if isinstance(value, ast.Name):
            return self._dict(self.values.get(value.id))
        if isinstance(value, (ast.Await, ast.Attribute)):
            return self._dict(value.value)
        if isinstance(value, ast.Call):
            return next((found for argument in value.args if (found := self._dict(argument)) is not None), None)
        return None

    def _keys(self, value: ast.expr | None) -> dict[str, str]:
        """The names on the wire and the parameters that they take their values from."""
        found = self._dict(value)
        if found is None:
            if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
                raise self.fail(f"unknown argument {ast.unparse(value)}")
            return {}
        return {
            str(ast.literal_eval(key)): ast.unparse(item)
            for key, item in zip(found.keys, found.values, strict=True)
            if key is not None
        }

    def _headers(self) -> tuple[dict[str, str], dict[str, str]]:
        """Constant headers, and the headers that parameters go to."""
        constant: dict[str, str] = {}
        named: dict[str, str] = {}
        for value in self.header_values:
            for inner in ast.walk(value):
                if not isinstance(inner, ast.Dict):
                    continue
                for key, item in zip(inner.keys, inner.values, strict=True):
                    if not isinstance(key, ast.Constant):
                        continue
                    if isinstance(item, ast.Constant):
                        constant[str(key.value)] = str(item.value)
                    elif key.value != "Content-Type":
                        own = {argument.arg for argument in (*self.node.args.args, *self.node.args.kwonlyargs)}
                        used = next(node.id for node in ast.walk(item) if isinstance(node, ast.Name) and node.id in own)
                        named[used] = str(key.value)
        constant.pop("Content-Type", None)
        return constant, named

    def _files(self) -> tuple[str, ...]:
        for value in self.values.values():
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "extract_files":
                paths = ast.literal_eval(value.keywords[0].value)
                return tuple(".".join(path).replace(".<array>", "[]") for path in paths)
        return ()

    def _parameters(self, node: Function) -> tuple[Parameter, ...]:
        arguments = node.args
        found: list[Parameter] = []
        required = len(arguments.args) - len(arguments.defaults)
        defaults: list[ast.expr | None] = [*[None] * required, *arguments.defaults, *arguments.kw_defaults]
        for argument, default in zip([*arguments.args, *arguments.kwonlyargs], defaults, strict=True):
            if argument.arg in COMMON:
                continue
            if argument.annotation is None:
                raise self.fail(f"{argument.arg} has no annotation")
            if isinstance(default, ast.Constant):
                continue  # Settings of the reference's own helpers, which are not sent.
            if default is not None and ast.unparse(default) not in {"omit", "not_given", "NOT_GIVEN"}:
                raise self.fail(f"unknown default of {argument.arg}: {ast.unparse(default)}")
            type_ = without(self.source.type(self.owner.module, argument.annotation), *ABSENT)
            found.append(Parameter(argument.arg, type_, default is not None, argument in arguments.args))
        return tuple(found)

    def _reply(self, node: Function) -> tuple[Type, Type | None]:
        """Returns the reply type of a method, and the event type of its stream."""
        if node.returns is None:
            raise self.fail("no return annotation")
        returned = self.source.type(self.owner.module, node.returns)
        members = returned.args if isinstance(returned, Union) else (returned,)
        streams: dict[Type, Type] = {}
        for member in members:
            if isinstance(member, Generic) and (item := self._stream_item(member)) is not None:
                streams[member] = item
        plain = tuple(each for each in members if each not in streams)
        event = united(tuple(streams.values())) if streams else None
        return united(plain) if plain else NONE, event

    def _stream_item(self, type_: Generic) -> Type | None:
        """Returns the event type of a stream type. A helper's own stream class names it in its bases."""
        if type_.origin == "AsyncStream":
            return type_.args[0]
        own = self.given.get("stream_cls")
        symbol = self.source.resolve(self.owner.module, own) if isinstance(own, ast.Name) else None
        if isinstance(symbol, Name) and symbol.name == type_.origin:
            for base in self.source.class_of(symbol).bases:
                found = self.source.type(symbol.module, base)
                if isinstance(found, Generic) and found.origin == "AsyncStream":
                    return found.args[0]
        return None

    def _stream_kind(self, node: Function) -> str:
        """Returns the kind of a signature of a streamed method, by the type of its `stream`."""
        for argument in node.args.kwonlyargs:
            if argument.arg == "stream" and argument.annotation is not None:
                text = ast.unparse(argument.annotation)
                return "streaming" if text == "Literal[True]" else "either" if text == "bool" else "plain"
        return "plain"

    def _streams(self, overloads: list[Function]) -> tuple[tuple[Parameter, ...] | None, tuple[Parameter, ...] | None]:
        found = {self._stream_kind(node): self._parameters(node) for node in overloads}
        return found.get("streaming"), found.get("either")
