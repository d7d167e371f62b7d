"""What was generated, against the reference itself: by introspection and by its own requests, not by its source."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
import pytest
import typing_extensions

from aiopenai import AsyncOpenAI
from aiopenai._codegen import PIN
from aiopenai.endpoint import Resource
from aiopenai.lenient import OneOf
from aiopenai.models import Model
from aiopenai.resources import Resources

openai = pytest.importorskip("openai")
if openai.__version__ != PIN:
    pytest.skip(f"needs openai {PIN}, found {openai.__version__}", allow_module_level=True)

COMMON = {"self", "extra_headers", "extra_query", "extra_body", "timeout", "idempotency_key", "options"}
# More than one HTTP call, or a socket: other modules' work.
HELPERS = {
    "beta.agents.environments.files.prepare",
    "beta.agents.environments.files.prepare_directory",
    "beta.agents.environments.files.upload",
    "beta.agents.sessions.artifacts.for_result",
    "beta.agents.sessions.stream",
    "beta.chat.completions.parse",
    "beta.chat.completions.stream",
    "beta.realtime.connect",
    "beta.responses.connect",
    "beta.threads.create_and_run_poll",
    "beta.threads.create_and_run_stream",
    "beta.threads.runs.create_and_poll",
    "beta.threads.runs.create_and_stream",
    "beta.threads.runs.poll",
    "beta.threads.runs.stream",
    "beta.threads.runs.submit_tool_outputs_and_poll",
    "beta.threads.runs.submit_tool_outputs_stream",
    "chat.completions.parse",
    "chat.completions.stream",
    "files.wait_for_processing",
    "live.connect",
    "live.forks.connect",
    "live.sideband.connect",
    "realtime.connect",
    "realtime.translations.connect",
    "responses.connect",
    "responses.parse",
    "responses.stream",
    "uploads.upload_file_chunked",
    "vector_stores.file_batches.create_and_poll",
    "vector_stores.file_batches.poll",
    "vector_stores.file_batches.upload_and_poll",
    "vector_stores.files.create_and_poll",
    "vector_stores.files.poll",
    "vector_stores.files.upload",
    "vector_stores.files.upload_and_poll",
    "videos.create_and_poll",
    "videos.poll",
    "webhooks.unwrap",
    "webhooks.verify_signature",
}
# Parameters of those helpers on a method that is a call as well.
HELPER_PARAMETERS = {"output_type", "tool_handlers"}
# Settings of websockets: with the helpers.
HELPER_TYPES = re.compile(r"WebSocket|Websocket|Reconnecting")


def _packages() -> list[str]:
    root = importlib.import_module("openai.types")
    found = pkgutil.walk_packages(root.__path__, "openai.types.")
    return ["types", *(each.name.removeprefix("openai.") for each in found if each.ispkg)]


PACKAGES = _packages()


# Methods


def below(reference: Any, ours: Any, path: str) -> Iterator[tuple[str, Any, type[Resource[Any]]]]:
    """The reference's resource and our class, for a namespace and all below it."""
    yield path, reference, type(ours)
    for name, value in inspect.getmembers(type(reference)):
        if name.startswith(("_", "with_")) or inspect.isfunction(value):
            continue
        child = getattr(reference, name)
        if type(child).__module__.startswith("openai.resources"):
            own = getattr(ours, name, None)
            assert own is not None, f"no resource {path}.{name}"
            yield from below(child, own, f"{path}.{name}")


def _namespaces() -> list[str]:
    """The resources of the reference's client."""
    client = openai.AsyncOpenAI(api_key="key", admin_api_key="admin key")
    names = [name for name, value in inspect.getmembers(type(client)) if isinstance(value, functools.cached_property)]
    return [name for name in names if type(getattr(client, name)).__module__.startswith("openai.resources.")]


NAMESPACES = _namespaces()


def methods() -> Iterator[tuple[str, Callable[..., Any], type[Resource[Any]]]]:
    """Every HTTP method of the reference in the namespaces that we have, with our class for it."""
    client = openai.AsyncOpenAI(api_key="key", admin_api_key="admin key")
    ours = AsyncOpenAI(api_key="key")
    for namespace in NAMESPACES:
        for path, reference, found in below(getattr(client, namespace), getattr(ours, namespace), namespace):
            for name, _ in inspect.getmembers(type(reference), inspect.isfunction):
                if not name.startswith("_") and f"{path}.{name}" not in HELPERS:
                    yield f"{path}.{name}", getattr(reference, name), found


METHODS = {name: (reference, ours) for name, reference, ours in methods()}


def test_namespaces() -> None:
    assert {name for name in vars(Resources) if not name.startswith(("_", "with_"))} == set(NAMESPACES)
    assert len(METHODS) == 396


def test_nothing_is_missing_or_invented() -> None:
    ours = set()
    for name, (_, own) in METHODS.items():
        path = name.rpartition(".")[0]
        ours |= {f"{path}.{each}" for each, value in vars(own).items() if hasattr(value, "request")}
    assert ours == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_parameters(name: str) -> None:
    reference, own = METHODS[name]
    theirs = {
        each.name: (each.kind is each.KEYWORD_ONLY, each.default is not each.empty)
        for each in inspect.signature(reference).parameters.values()
        if each.name not in {*COMMON, *HELPER_PARAMETERS}
    }
    method = getattr(own, name.rpartition(".")[2])
    ours = {
        each.name: (each.kind is each.KEYWORD_ONLY, each.default is not each.empty)
        for each in inspect.signature(method).parameters.values()
        if each.name not in COMMON
    }
    # The reference checks at run time what overloads require: what is required in all of its signatures.
    overloads = typing.get_overloads(inspect.unwrap(reference)) if hasattr(typing, "get_overloads") else []
    assert ours.keys() == theirs.keys()
    for each, (keyword, optional) in theirs.items():
        assert ours[each][0] == keyword, each
        assert ours[each][1] == optional or overloads or name in STREAMED, each
    assert method.__name__ == name.rpartition(".")[2]


STREAMED = {name for name, (_, own) in METHODS.items() if hasattr(own, f"_{name.rpartition('.')[2]}_either")}


# What must be given beside the required parameters: the first of the sets of which one is needed.
ALTERNATIVES = {
    "admin.organization.external_keys.create": ("external_id", "kms_arn", "role_arn"),
    "audio.voices.create": ("prompt", "type"),
    "beta.agents.automations.create": ("expression", "timezone"),
    "beta.agents.environments.files.create": ("file_id",),
}


def dummy(parameter: inspect.Parameter) -> Any:
    """A value that both sides send as it is: of what the annotation says first, as far as that matters."""
    kind = str(parameter.annotation)
    if "FileTypes" in kind or parameter.name in ("video", "input_reference"):
        return [b"data"] if kind.startswith("SequenceNotStr") else b"data"
    if kind.startswith(("Metadata", "dict[")):
        return {"k": "v"}
    return ["a"] if "list[" in kind or "Sequence" in kind else f"<{parameter.name}>"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("which", ["all", "required"])
async def test_requests(name: str, which: str) -> None:
    httpx = importlib.import_module("httpx2")
    sent: list[Any] = []

    def answer(request: Any) -> Any:
        sent.append(request)
        item = {"object": "embedding", "embedding": "", "index": 0}
        return httpx.Response(200, json={"object": "list", "data": [item] if "embeddings" in str(request.url) else []})

    _, own = METHODS[name]
    method = getattr(own, name.rpartition(".")[2])
    arguments = {
        each.name: dummy(each)
        for each in inspect.signature(method).parameters.values()
        if each.name not in {*COMMON, "stream"} and (which == "all" or each.default is each.empty)
    }
    if name in ALTERNATIVES and which == "required":
        with pytest.raises(TypeError, match=re.escape(" or ")):
            method.request(**arguments)
        arguments |= {each: f"<{each}>" for each in ALTERNATIVES[name]}
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        target: Any = openai.AsyncOpenAI(api_key="key", admin_api_key="admin", http_client=http, max_retries=0)
        for part in name.split("."):
            target = getattr(target, part)
        result = target(**arguments)
        await result
    (theirs,) = sent
    ours = method.request(**arguments)

    assert ours.method == theirs.method
    path, _, fixed = ours.path.partition("?")
    assert path == theirs.url.raw_path.decode().partition("?")[0].removeprefix("/v1")
    assert {key for key, _ in _keys(theirs.url.params)} == {*(ours.query or {}), *dict(parse_qsl(fixed))}
    assert theirs.headers["authorization"] == f"Bearer {'admin' if ours.endpoint.security == 'admin' else 'key'}"
    assert (ours.endpoint.accept or "application/json") == theirs.headers["accept"]
    for header, value in {**ours.endpoint.headers, **(ours.headers or {})}.items():
        assert theirs.headers[header] == value
    assert ("openai-beta" in theirs.headers) == ("OpenAI-Beta" in ours.endpoint.headers or "betas" in arguments)
    body = theirs.content
    if theirs.headers.get("content-type", "").startswith("multipart/"):
        fields = {each.partition("[")[0] for each in re.findall(r'; name="([^"]+)"', body.decode())}
        assert fields == {each.partition("[")[0] for each in (*(ours.body or {}), *(key for key, _ in ours.files))}
    elif ours.content is not None:
        assert ours.content == body
    else:
        expected = json.loads(body) if body else {}
        given = {key: value for key, value in (ours.body or {}).items() if not isinstance(value, bytes)}
        # The reference asks for base64 by itself; the embeddings module here does so when it sends.
        expected = {key: value for key, value in expected.items() if name != "embeddings.create" or key in arguments}
        assert given == expected


def _keys(params: Any) -> Iterator[tuple[str, str]]:
    for key, value in params.multi_items():
        yield key.partition("[")[0], value


# Types


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
    """Compares types of both sides down to the last field; each pair of classes once."""

    def __init__(self) -> None:
        self.seen: set[tuple[Any, Any]] = set()
        self.fields = 0

    def types(self, theirs: Any, ours: Any, where: str) -> None:
        left, right = list(flat(theirs)), list(flat(ours))
        if object in left:
            # Anything, among classes: for our decoder that is any object.
            right = [object if each == dict[str, object] else each for each in right]
        assert literals(left) == literals(right), where
        assert plain(left) == plain(right), where
        for kind in (list, dict):
            their_items = [get_args(each)[-1] for each in left if get_origin(each) is kind]
            our_items = [get_args(each)[-1] for each in right if get_origin(each) is kind]
            assert len(their_items) == len(our_items), where
            for their_item, our_item in zip(their_items, our_items, strict=True):
                self.types(their_item, our_item, f"{where}[]")
        their_models = [each for each in left if is_model(each)]
        our_models = [each for each in right if isinstance(each, type) and issubclass(each, Model)]
        assert len(their_models) == len(our_models), f"{where}: {their_models} {our_models}"
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
            assert get_args(tag.annotation) == (config.tag,), where
            assert getattr(ours, config.tag_field) == config.tag
        expected = [name for name in theirs.model_fields if name != config.tag_field]
        assert list(fields) == expected, where
        for name in expected:
            field = theirs.model_fields[name]
            self.fields += 1
            assert fields[name].required == field.is_required(), f"{where}.{name}"
            assert fields[name].encode_name == (field.alias or name), f"{where}.{name}"
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


COMPARISON = Comparison()


@pytest.mark.parametrize("name", REPLIES)
def test_reply_types(name: str) -> None:
    theirs, ours = REPLIES[name]
    assert issubclass(ours, Model)
    assert called(ours, theirs)
    COMPARISON.models(theirs, ours)


def test_reply_unions() -> None:
    unions = {
        name: values
        for name, values in EXPORTS.items()
        if not is_model(values[0]) and values[1] is not None and any(is_model(each) for each in flat(values[0]))
    }
    assert len(unions) > 10
    for name, (theirs, ours) in unions.items():
        COMPARISON.types(theirs, ours, name)


def keys(type_: Any) -> dict[str, bool]:
    """A TypedDict's keys, and whether they are required."""
    hints = typing_extensions.get_type_hints(type_, include_extras=True)
    return {name: "Required[" in str(hint) for name, hint in hints.items()}


@pytest.mark.parametrize("name", PARAMS)
def test_parameter_types(name: str) -> None:
    theirs, ours = PARAMS[name]
    assert called(ours, theirs)
    assert keys(ours) == keys(theirs)


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
