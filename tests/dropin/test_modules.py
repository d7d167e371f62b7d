"""All modules of the reference: each can be imported here, and has the names that programs can import from it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import types
import typing
import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
import typing_extensions

import aiopenai
from tests.dropin.programs import run

pytestmark = pytest.mark.once
openai = pytest.importorskip("openai")

# Modules of the reference that aiopenai has no counterpart for: toolsets, and the inside of its clients.
ABSENT_NAMES = """
    _multipart _provider _streaming_cleanup auth._x509
    lib._assistants_runs lib._assistants_threads lib._azure_websocket lib._bedrock_auth lib._chat_completion_resources
    lib._client_auth lib._files lib._module_runtime lib._parsing._audio lib._parsing._embeddings lib._realtime
    lib._request_context lib._response_resources lib._tool_lifecycle lib._uploads lib._vector_stores lib._webhooks
    lib._websocket lib.browser
    lib.responses_websocket._accumulator lib.responses_websocket._session
    lib.live._listeners lib.live._transcript_grouping lib.live._transcript_state
    lib.beta.agents._create lib.beta.agents._output lib.beta.agents._result lib.beta.agents._schema
    lib.beta.agents._stream lib.beta.agents._tool_error
    lib.streaming.agents._dispatch lib.streaming.agents._tools lib.streaming.agents._types
"""
ABSENT = frozenset(ABSENT_NAMES.split())
# Helpers of aiopenai under a path of the reference's. They have no names that the reference's module only imports.
OWN_NAMES = """
    helpers.local_audio_player helpers.microphone lib.responses_tool_runner lib.tool_diagnostics lib.computer
    lib.decisions_tool_runner
    lib.beta.agents._artifacts lib.beta.agents._files lib.beta.agents._tools lib.streaming.agents._streams
"""
OWN = frozenset(OWN_NAMES.split())
# Names of the reference's own workings, which have no counterpart, and of packages that a module needs no more.
KNOWN = {
    "types.websocket_connection_options": "TYPE_CHECKING Sequence",
    "types.websocket_reconnection": "Query Headers",
    "resources.beta.agents.environments.files": "upload prepare async_upload async_prepare directory_files "
    "async_directory_files",
    "lib.beta.agents._files": "directory_files async_directory_files async_prepare async_upload",
    "lib.beta.agents._tools": "FunctionTool pydantic_function_tool function_tool",
    "lib.streaming._assistants": "accumulate_run_step accumulate_event",
    "lib.streaming.chat._completions": "ChoiceEventState",
    "_base_client": "Httpx2AiohttpClient",
    "auth._workload": "TOKEN_EXCHANGE_GRANT_TYPE DEFAULT_TOKEN_EXCHANGE_URL DEFAULT_REFRESH_BUFFER_SECONDS "
    "SUBJECT_TOKEN_TYPES",
    "lib.live._types": "TranscriptGrouperOptions TranscriptFragment GroupingUpdate",
    "lib.live._transcript_grouper": "GroupingUpdate TranscriptGrouperOptions ServerEvent",
    "_client": "MTLS_API_BASE_URL",
    "_models": "ReprArgs CachedDiscriminatorType DISCRIMINATOR_CACHE DiscriminatorDetails",
    "_utils._datetime_parse": "EPOCH MS_WATERSHED MAX_NUMBER",
    "providers.vertex": "Credentials",
}
GROUPS = ("types", "resources", "lib", "internal")


def group_of(path: str) -> str:
    first = path.partition(".")[0]
    return first if first in GROUPS else "internal"


def modules(group: str) -> Iterator[tuple[str, types.ModuleType]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in pkgutil.walk_packages(openai.__path__, "openai.", onerror=lambda _: None):
            path = found.name.partition(".")[2]
            if group_of(path) == group and "_vendor" not in path and path not in ABSENT and path != "__main__":
                yield path, importlib.import_module(found.name)


def wanted(module: types.ModuleType) -> Iterator[str]:
    """The names of a module that a program can import and use: no private ones, no type variables, no submodules."""
    home = module.__name__.partition(".")[2]
    for name, value in vars(module).items():
        if name.startswith("_") or not name.isidentifier():
            continue
        if isinstance(value, (TypeVar, typing_extensions.ParamSpec, types.ModuleType)):
            continue
        defined = str(getattr(value, "__module__", "")).partition(".")[2]
        if defined in ABSENT or (home in OWN and defined != home):
            continue
        if inspect.isroutine(value) or isinstance(value, type) or name.isupper() or typing.get_origin(value):
            yield name


@pytest.mark.parametrize("group", GROUPS)
def test_names(group: str) -> None:
    missing: dict[str, list[str]] = {}
    compared = 0
    for path, module in modules(group):
        ours = importlib.import_module(f"aiopenai.{path}")
        compared += 1
        known = KNOWN.get(path, "").split()
        if absent := [name for name in wanted(module) if name not in known and not hasattr(ours, name)]:
            missing[path] = absent
    assert compared > 5
    assert missing == {}


def test_classes_of_resources_are_those_of_their_own_modules() -> None:
    wrong: list[str] = []
    compared = 0
    for path, module in modules("resources"):
        ours = importlib.import_module(f"aiopenai.{path}")
        for name in wanted(module):
            home = getattr(vars(module)[name], "__module__", None) or ""
            if not isinstance(vars(module)[name], type) or not home.startswith("openai.resources."):
                continue
            compared += 1
            if getattr(ours, name) is not getattr(importlib.import_module(f"ai{home}"), name):
                wrong.append(f"{path}.{name}")
    assert compared > 1000
    assert wrong == []


def test_classes_of_resources_have_the_methods_of_the_references() -> None:
    wrong: list[str] = []
    compared = 0
    for path, module in modules("resources"):
        ours = importlib.import_module(f"aiopenai.{path}")
        for name, theirs in vars(module).items():
            if not isinstance(theirs, type) or theirs.__module__ != module.__name__ or "With" in name:
                continue
            compared += 1
            methods = [each for each in vars(theirs) if not each.startswith("_")]
            wrong += [f"{path}.{name}.{each}" for each in methods if not hasattr(getattr(ours, name), each)]
    assert compared > 250
    assert wrong == []


@pytest.mark.parametrize("path", sorted(ABSENT))
def test_absent_modules(path: str) -> None:
    importlib.import_module(f"openai.{path}")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"aiopenai.{path}")


def test_the_public_module_that_is_absent_says_so() -> None:
    path = "lib.browser"
    with pytest.raises(ImportError, match=r"aiopenai does not have the .* of openai") as raised:
        importlib.import_module(f"aiopenai.{path}")
    assert raised.value.name == f"aiopenai.{path}"
    run(
        "-c",
        f"""
import aiopenai.dropin, pytest
with pytest.raises(ImportError, match=r"aiopenai does not have the .* of openai"):
    import openai.{path}
with pytest.raises(ModuleNotFoundError, match="No module named 'openai.lib.no_such'"):
    import openai.lib.no_such
""",
    )


@pytest.mark.parametrize("name", ["_types", "_base_client", "_legacy_response", "_models", "_qs", "_constants"])
def test_internal_modules_are_attributes_of_the_root(name: str) -> None:
    run("-c", f"import aiopenai, importlib; assert aiopenai.{name} is importlib.import_module('aiopenai.{name}')")


@pytest.mark.parametrize(("path", "name"), [(path, name) for path in KNOWN for name in KNOWN[path].split()])
def test_absent_names(path: str, name: str) -> None:
    assert name in wanted(importlib.import_module(f"openai.{path}"))
    assert not hasattr(importlib.import_module(f"aiopenai.{path}"), name)


@pytest.mark.parametrize(
    ("path", "name", "home"),
    [
        ("types.batch", "Metadata", "types.shared"),
        ("types.responses.response", "ResponseOutputItem", "types.responses"),
        ("types.responses.response_create_params", "ToolParam", "types.responses"),
        ("types.responses.response_create_params", "Reasoning", "types.shared_params"),
        ("types.responses.response", "Reasoning", "types.shared"),
        ("types.chat.parsed_chat_completion", "Choice", "types.chat.chat_completion"),
        ("types.audio.transcription_create_params", "FileTypes", "_types"),
        ("types.moderation_create_response", "Moderation", "types"),
        ("resources.chat.completions.completions", "ChatCompletion", "types.chat"),
        ("resources.chat.completions.completions", "maybe_transform", "_utils"),
        ("resources.models", "SyncPage", "pagination"),
        ("lib.streaming.chat._completions", "ChatCompletionChunk", "types.chat"),
        ("_base_client", "Querystring", "_qs"),
        ("_client", "AsyncAPIClient", "_base_client"),
        ("lib.azure", "OpenAI", "_client"),
    ],
)
def test_imported_names_are_those_of_their_modules(path: str, name: str, home: str) -> None:
    found = getattr(importlib.import_module(f"aiopenai.{path}"), name)
    assert found is getattr(importlib.import_module(f"aiopenai.{home}"), name)


def test_names_of_other_packages() -> None:
    module: Any = importlib.import_module("aiopenai.types.chat.chat_completion")
    assert module.Optional is typing.Optional
    assert module.Literal is typing.Literal
    assert importlib.import_module("aiopenai._base_client").inspect is inspect


@pytest.mark.parametrize(
    "path", ["types.chat.chat_completion", "resources.chat", "_base_client", "lib.azure", "pagination"]
)
@pytest.mark.parametrize("name", ["Absent", "absent", "_absent", "__absent__"])
def test_no_other_names(path: str, name: str) -> None:
    module = importlib.import_module(f"aiopenai.{path}")
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(module, name)


def test_internal_modules_are_attributes_of_those_that_use_them() -> None:
    module: Any = importlib.import_module("aiopenai.resources.embeddings")
    assert module._legacy_response is sys.modules["aiopenai._legacy_response"]


@pytest.mark.parametrize("name", ["DefaultHttpxClient", "DefaultAsyncHttpxClient", "DEFAULT_CONNECTION_LIMITS"])
def test_names_of_the_http_library_at_the_root(name: str) -> None:
    pytest.importorskip("httpx2")
    assert getattr(aiopenai, name) is getattr(importlib.import_module("aiopenai._base_client"), name)


@pytest.mark.parametrize("name", ["_ModuleClient", "_AzureModuleClient", "_AmbiguousModuleClientUsageError"])
def test_classes_of_the_modules_own_client(name: str) -> None:
    assert isinstance(getattr(aiopenai, name), type)


def test_credentials_of_the_modules_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    root: Any = aiopenai
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    checks = (root._has_openai_credentials, root._has_azure_credentials, root._has_azure_ad_credentials)
    assert [check() for check in checks] == [False, False, False]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setattr(root, "azure_endpoint", "https://x")
    monkeypatch.setattr(root, "azure_ad_token", "t")
    assert [check() for check in checks] == [True, True, True]
