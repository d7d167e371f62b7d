"""The names that the reference's modules have from their imports, such as `openai.types.batch.Metadata`.

A program may import them from there. The tables hold the names that modules define. A name that a table does not have
is looked up as the reference's import statements would: beside the module, in the modules that all others use, then in
`typing` and the standard library.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from aiopenai._data.leaves import defines

__all__ = ["find_imported"]

_PACKAGE = "aiopenai"
# The reference's modules that others import from; those that define most of the imported names come first.
_SHARED_NAMES = (
    "_types _utils _models _compat _base_client _resource _response _legacy_response _streaming _exceptions "
    "_constants pagination _utils._utils _utils._typing _utils._transform _files _httpx2 _qs _send_queue "
    "_event_handler _data_residency _websocket_connection _utils._json _utils._logs _utils._streams _utils._sync "
    "_extras._common lib.streaming._deltas"
)
_SHARED = tuple(_SHARED_NAMES.split())
# Where helpers of the reference have their types from.
_OF_HELPERS = ("types.chat", "types.responses", "types.beta.threads", "types.beta", "types.beta.threads.runs", "types")
# Groups of types that others import from beside their own.
_OTHER_TYPES = (*_OF_HELPERS, "types.graders", "types.live", "types.realtime", "types.audio", "types.beta.agents")
# Helpers that resources import from.
_OF_RESOURCES = (
    "lib.streaming",
    "lib.streaming.chat",
    "lib.streaming.responses",
    "lib._parsing._responses",
    "lib.streaming.agents._streams",
    "lib.beta.agents._artifacts",
    "lib.beta.agents._dispatch",
    "lib.beta.agents._files",
)
_OUTPUT_ITEM_NAMES = (
    "AdditionalTools ImageGenerationCall LocalShellCall LocalShellCallAction LocalShellCallOutput McpCall "
    "McpApprovalRequest McpApprovalResponse McpListTools Program ProgramOutput"
)
# The homes of names that several modules define, or that a module knows by another name (`home:own`).
_EXACT = {
    "lib._parsing._completions ResponseFormatParam": "types.chat.completion_create_params:ResponseFormat",
    "lib._parsing._responses ToolFunction": "types.responses.namespace_tool_param",
    "lib._tools ResponsesFunctionToolParam": "types.responses:FunctionToolParam",
    "lib.streaming.chat._completions ChoiceLogprobs": "types.chat.chat_completion",
    "lib.streaming.chat._completions ChoiceChunk": "types.chat.chat_completion_chunk:Choice",
    "lib.streaming.chat._completions ResponseFormatParam": "types.chat.completion_create_params:ResponseFormat",
    "lib.streaming.responses._responses ParsedResponseSnapshot": "lib.streaming.responses._types",
    "lib.streaming.responses._responses RawResponseStreamEvent": "types.responses:ResponseStreamEvent",
    "lib.streaming.responses._responses parse_text": "lib._parsing._responses",
    "lib.streaming.responses._responses parse_response": "lib._parsing._responses",
    "resources.beta.beta Realtime": "resources.beta.realtime.realtime",
    "resources.beta.beta AsyncRealtime": "resources.beta.realtime.realtime",
    "resources.beta.responses.responses BetaResponseWsError": "types.beta.beta_responses_server_event",
    "resources.chat.completions.completions validate_response_format": "_reference.parsing",
    "resources.responses.responses ParseableToolParam": "types.responses.tool_param",
    "resources.responses.responses ResponseWsError": "types.responses.responses_server_event",
    "_exceptions OAuthErrorCode": "types.shared",
    "_models BaseGenericModel": "_models:GenericModel",
    "_types Proxy": "_reference.http_libraries",
    "_types AsyncBaseTransport": "_reference.http_libraries",
    **{
        f"lib.realtime_translation RealtimeTranslation{name}": "types.realtime"
        for name in ("ClientEvent", "ServerEvent", "ClientEventParam", "SessionClosedEvent")
    },
    "pagination CursorPageItem": "_reference.aliases",
    "types.chat.parsed_chat_completion Choice": "types.chat.chat_completion",
    "types.chat.parsed_function_tool_call Function": "types.chat.chat_completion_message_function_tool_call",
    "lib._parsing._completions Function": "types.chat.chat_completion_message_function_tool_call",
    "resources.uploads.uploads DEFAULT_PART_SIZE": "lib.uploads",
    "resources.responses.input_tokens Reasoning": "types.shared_params",
    "resources.responses.responses Reasoning": "types.shared_params",
    "types.responses.response_configuration_update_item_param ResponseFormatText": "types.shared",
    **{
        f"types.responses.parsed_response {name}": "types.responses.response_output_item"
        for name in _OUTPUT_ITEM_NAMES.split()
    },
}
_TYPING = ("typing", "typing_extensions", "collections.abc", "types", "dataclasses", "functools")
# Modules that the reference imports as a whole. Some belong to packages that need not be installed.
_LIBRARY_NAMES = (
    "abc anyio asyncio base64 builtins contextlib contextvars copy dataclasses datetime email functools hashlib hmac "
    "httpx2 inspect io ipaddress itertools json logging math os pathlib platform pydantic queue random re ssl sys "
    "threading time types typing typing_extensions unicodedata uuid warnings weakref"
)
_LIBRARIES = frozenset(_LIBRARY_NAMES.split())
# Single names of other modules.
_SINGLE = {
    "ABC": "abc",
    "abstractmethod": "abc",
    "annotations": "__future__",
    "datetime": "datetime",
    "date": "datetime",
    "timedelta": "datetime",
    "timezone": "datetime",
    "Path": "pathlib",
    "URL": "httpx2",
    "FieldInfo": "pydantic.fields",
    "ValidationError": "pydantic",
    "ConfigDict": "pydantic",
    "RootModel": "pydantic",
    "StrictBool": "pydantic",
    "StrictFloat": "pydantic",
    "StrictInt": "pydantic",
    "StrictStr": "pydantic",
    "TypeAdapter": "pydantic",
    "deepcopy": "copy",
    "quote": "urllib.parse",
    "urlencode": "urllib.parse",
    "parse_qs": "urllib.parse",
    "urlparse": "urllib.parse",
    "urlsplit": "urllib.parse",
    "PathLike": "os",
    "PurePath": "pathlib",
    "Token": "contextvars",
    "ContextVar": "contextvars",
    "Future": "concurrent.futures",
    "CoreSchema": "pydantic_core",
    "PrivateAttr": "pydantic",
    "deque": "collections",
    "OrderedDict": "collections",
    "formatdate": "email.utils",
    "parsedate_tz": "email.utils",
    "from_json": "pydantic_core",
    "to_jsonable_python": "pydantic_core",
}
# Set while a thread looks a name up: the modules that it asks have no imported names then.
_state = threading.local()


def find_imported(module: str, name: str) -> Any:
    """Returns a name that the reference's module has from an import. Raises AttributeError if it cannot have one."""
    if not getattr(_state, "busy", False):
        _state.busy = True
        try:
            return _found(module, name)
        finally:
            _state.busy = False
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _found(module: str, name: str) -> Any:
    path = module.removeprefix(f"{_PACKAGE}.") if module != _PACKAGE else ""
    if _is_module(below := f"{module}.{name}"):
        return import_module(below)
    if name.startswith("_") and path.partition(".")[0] != name and _is_module(f"{_PACKAGE}.{name}"):
        # Resources call the reference's internal modules by name.
        return import_module(f"{_PACKAGE}.{name}")
    if name.startswith("BaseAsync") and (base := getattr(sys.modules[module], f"Base{name[9:]}", None)) is not None:
        # The asynchronous base of a connection's parts stands beside the blocking one.
        return getattr(sys.modules[base.__module__], name)
    for place in _homes(path, name):
        home, _, own = place.partition(":")
        try:
            return getattr(import_module(f"{_PACKAGE}.{home}"), own or name)
        except (AttributeError, ModuleNotFoundError):
            # Not each group of resources has a group of types.
            continue
    if (found := _of_libraries(name)) is not None:
        return found
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    # No parent is imported for this: the module that asks is there already.
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _homes(path: str, name: str) -> Iterator[str]:
    """Yields the modules that may define a name for a module, in the order of the reference's habits."""
    parts = path.split(".")
    if (exact := _EXACT.get(f"{path} {name}")) is not None:
        yield exact
    if name.endswith("Page"):
        yield "pagination"
    if (name[:1].isupper() or name.endswith("_params")) and parts[0] in ("types", "resources", "lib"):
        yield from _of_types(parts, name) if parts[0] == "types" else _of_others(parts)
    for home in _SHARED:
        # A table tells without an import.
        if home != path and defines(f"{_PACKAGE}.{home}", name):
            yield home
    if parts[0] in ("types", "resources"):
        if name[:1].isupper():
            yield from _OTHER_TYPES
            yield from _OF_RESOURCES if parts[0] == "resources" else ()
    else:
        # Functions of helpers, and clients.
        yield from (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
        yield from ("_client", "lib.azure", "lib._parsing", "lib._tools", "lib._pydantic", "auth", "_version")


def _of_types(parts: list[str], name: str) -> Iterator[str]:
    """Yields the packages above a module of types, and those of the shared types: parameters have some of their own."""
    packages = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    if parts[-1].endswith(("_param", "_params")) or name.endswith("Param"):
        yield from ("types.shared_params", *packages, "types.shared")
    else:
        yield from (*packages, "types.shared", "types.shared_params")


def _of_others(parts: list[str]) -> Iterator[str]:
    """Yields the packages above a module of resources or helpers, with those of their types."""
    if parts[0] == "resources":
        for end in range(len(parts) - 1, -1, -1):
            below = parts[1 : end + 1]
            yield ".".join(("resources", *below))
            yield ".".join(("types", *below))
    else:
        yield from _OF_HELPERS
    yield from ("types.shared", "types.shared_params")


def _of_libraries(name: str) -> Any:
    """Returns a name of `typing`, of the standard library or of the reference's dependencies; None without one."""
    if (home := _SINGLE.get(name)) is not None:
        return getattr(_library(home), name, None)
    for home in _TYPING:
        if name in (module := import_module(home)).__all__:
            return getattr(module, name)
    return _library(name) if name in _LIBRARIES else None


def _library(name: str) -> Any:
    """Returns a module; the HTTP library is the installed one. None for a package that is not installed."""
    if name == "httpx2":
        from aiopenai._reference.http_libraries import library

        try:
            return library()
        except ImportError:
            return None
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return None
