"""The internal names of the reference that other packages import: each is there and does its work."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import pytest
from typing_extensions import TypedDict

import aiopenai
from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._data.leaves import read_line

pytestmark = pytest.mark.once

TABLE = dict(
    line.split(" ", 1)
    for line in Path(aiopenai.__file__).with_name("_reference").joinpath("_modules.txt").read_text().splitlines()
)
HTTP_LIBRARY = find_spec("httpx2") or find_spec("httpx")
# Names that other packages import, by module.
IMPORTED = {
    "_base_client": "AsyncAPIClient SyncAPIClient BaseClient make_request_options AsyncPaginator PageInfo",
    "_client": "OpenAI AsyncOpenAI Client AsyncClient",
    "_compat": "PYDANTIC_V1 cached_property model_copy model_dump model_json",
    "_constants": "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT RAW_RESPONSE_HEADER OVERRIDE_CAST_TO_HEADER MAX_RETRY_DELAY",
    "_exceptions": "OpenAIError APIError APIStatusError APITimeoutError RateLimitError BadRequestError",
    "_legacy_response": "LegacyAPIResponse HttpxBinaryResponseContent",
    "_models": "BaseModel FinalRequestOptions construct_type construct_type_unchecked validate_type add_request_id",
    "_resource": "SyncAPIResource AsyncAPIResource",
    "_response": "APIResponse AsyncAPIResponse BaseAPIResponse ResponseContextManager AsyncResponseContextManager",
    "_streaming": "Stream AsyncStream ServerSentEvent",
    "_types": "NOT_GIVEN NotGiven not_given Omit omit Body Headers Query Timeout FileTypes ResponseT NoneType",
    "_utils": "is_given is_dict is_list maybe_transform async_maybe_transform required_args PropertyInfo",
    "_utils._transform": "maybe_transform PropertyInfo",
    "_version": "__version__",
    "lib": "pydantic_function_tool",
    "lib._parsing": "type_to_response_format_param parse_chat_completion validate_input_tools",
    "lib._parsing._completions": "type_to_response_format_param parse_chat_completion",
    "lib._parsing._responses": "type_to_text_format_param parse_response",
    "lib._pydantic": "to_strict_json_schema",
    "lib._tools": "PydanticFunctionTool pydantic_function_tool",
    "lib.streaming._assistants": "AssistantEventHandler AsyncAssistantEventHandler",
    "pagination": "SyncPage AsyncPage SyncCursorPage AsyncCursorPage BasePage BaseSyncPage BaseAsyncPage",
}


@pytest.mark.parametrize("path", IMPORTED)
def test_imported_names(path: str) -> None:
    module = importlib.import_module(f"aiopenai.{path}")
    assert [name for name in IMPORTED[path].split() if not hasattr(module, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = module.absent


@pytest.mark.parametrize("path", TABLE)
def test_lines_of_the_table(path: str) -> None:
    module = importlib.import_module(f"aiopenai.{path}")
    missing = [name for name in read_line(TABLE[path]) if not hasattr(module, name)]
    if HTTP_LIBRARY is None:
        missing = [name for name in missing if read_line(TABLE[path])[name][0] != "_reference.http_libraries"]
    assert missing == []


def test_unknown_modules_are_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match="_no_such_module"):
        importlib.import_module("aiopenai._no_such_module")


def test_the_package_imports_none_of_them() -> None:
    program = "import sys, aiopenai; print(*sorted(name for name in sys.modules if name.startswith('aiopenai')))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert found == ["aiopenai", "aiopenai.version"]


def module(path: str) -> Any:
    return importlib.import_module(f"aiopenai.{path}")


def test_the_names_are_the_public_ones() -> None:
    assert module("_types").NOT_GIVEN is aiopenai.NOT_GIVEN
    assert module("_exceptions").RateLimitError is aiopenai.RateLimitError
    assert module("_streaming").AsyncStream is aiopenai.AsyncStream
    assert module("_models").BaseModel is aiopenai.BaseModel
    assert isinstance(AsyncOpenAI(api_key="k"), module("_base_client").AsyncAPIClient)
    assert not isinstance(OpenAI(api_key="k"), module("_base_client").AsyncAPIClient)


def test_pages_are_instances_of_the_base_classes() -> None:
    pages = module("pagination")
    page = pages.SyncCursorPage[aiopenai.types.Model].model_validate({"data": [], "object": "list"})
    assert isinstance(page, pages.BasePage)
    assert isinstance(page, pages.BaseSyncPage)
    assert not isinstance(page, pages.BaseAsyncPage)


def test_construct_type_keeps_values_that_do_not_fit() -> None:
    model = module("_models").construct_type(value={"id": 3, "new": True}, type_=aiopenai.types.Model)
    assert (type(model), model.id, model.new) == (aiopenai.types.Model, 3, True)
    with pytest.raises(ValueError, match="not a Model"):
        module("_models").validate_type(type_=aiopenai.types.Model, value={"id": 3})


def test_options_of_a_request() -> None:
    options = module("_base_client").make_request_options(
        query={"a": 1}, extra_query={"b": 2}, extra_headers={"X": "y"}, timeout=None
    )
    assert options == {"params": {"a": 1, "b": 2}, "headers": {"X": "y"}, "timeout": None}
    final = module("_models").FinalRequestOptions.construct(method="get", url="/x", headers={"a": aiopenai.NOT_GIVEN})
    assert final.headers == {}
    assert final.get_max_retries(4) == 4
    assert final.model_copy(update={"max_retries": 1}).get_max_retries(4) == 1
    assert final.get_max_retries(3) == 3


def test_transform(tmp_path: Path) -> None:
    transform = module("_utils")
    info = transform.PropertyInfo

    # The call, because annotations of a class body in a function are texts that cannot be resolved.
    typed_dict: Any = TypedDict
    inner = typed_dict("Inner", {"first_name": Annotated[str, info(alias="firstName")]}, total=False)
    fields = {
        "born": Annotated[date, info(format="iso8601")],
        "people": list.__class_getitem__(inner),
        "file": Annotated[Any, info(format="base64")],
    }
    outer = typed_dict("Outer", fields, total=False)
    (tmp_path / "f").write_bytes(b"abc")
    given = {"born": date(2020, 1, 2), "people": [{"first_name": "x"}], "file": tmp_path / "f", "other": 1}
    sent = {"born": "2020-01-02", "people": [{"firstName": "x"}], "file": "YWJj", "other": 1}
    assert transform.maybe_transform(given, outer) == sent
    assert transform.maybe_transform({"people": aiopenai.omit}, outer) == {}
    assert transform.maybe_transform(None, outer) is None


def test_required_args() -> None:
    def plain(*, a: int = 0, b: int = 0, c: int = 0) -> int:
        return a + b + c

    function = module("_utils").required_args(["a"], ["b", "c"])(plain)
    assert function(a=1) == 1
    assert function(b=1, c=2) == 3
    with pytest.raises(TypeError, match=r"Missing required arguments; Expected either \('a'\) or \('b' and 'c'\)"):
        function(b=1)


def test_signatures_are_real() -> None:
    options = inspect.getfullargspec(AsyncOpenAI.__init__).kwonlyargs
    assert {"api_key", "base_url", "timeout", "max_retries", "default_headers", "http_client"} <= set(options)
