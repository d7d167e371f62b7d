"""Tools with typed arguments, made of types or of plain functions.

A tool is the dict that the API expects in `tools=[...]`. In addition, `parse` and `stream` return the arguments of its
calls as objects, and a tool that was made of a function can be called with them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar, cast, get_origin

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import Omit, is_left_out, omit
from aiopenai._data.structs import Model
from aiopenai.errors import OutputValidationError
from aiopenai.lib.schema import not_of, plain_schema, schema_name, to_strict_json_schema, validate_json

if TYPE_CHECKING:
    from aiopenai.types.chat import ChatCompletionFunctionToolParam
    from aiopenai.types.responses import FunctionToolParam

    # The type system has no callable TypedDict.
    _Tool = Any
else:
    _Tool = dict

__all__ = [
    "FunctionTool",
    "PydanticFunctionTool",
    "ResponsesFunctionTool",
    "ResponsesPydanticFunctionTool",
    "arguments_text",
    "field_of",
    "function_tool",
    "is_content",
    "own_doc",
    "parameters_of",
    "pydantic_function_tool",
    "pydantic_responses_function_tool",
    "responses_function_tool",
]

T = TypeVar("T")

_PARTS = frozenset({"input_text", "input_image", "input_file"})
# Types of defaults that objects can share.
_CONSTANTS = (str, int, float, bool, bytes, type(None))


class _Arguments(msgspec.Struct):
    """The arguments of one call of a function."""


class _Typed(_Tool):  # type: ignore[misc]
    def __init__(self, definition: Mapping[str, Any], model: Any) -> None:
        self.update(definition)
        self.model = model

    def cast(self) -> Any:
        """Returns the tool itself. The method exists for type checkers."""
        return self

    def parse_arguments(self, arguments: object) -> Any:
        """Returns the arguments of a call as an object of the type `model`. Raises as `schema.validate_json`."""
        return validate_json(self.model, arguments_text(arguments))


class PydanticFunctionTool(_Typed):
    """The `function` of a tool of the chat API, made of the type `model`."""


class ResponsesPydanticFunctionTool(_Typed):
    """A tool of the responses API, made of the type `model`."""


def arguments_text(arguments: object) -> str:
    """Returns the arguments of a tool call as JSON text.

    Some servers send an empty string for a call without arguments, or the object in the place of its text.
    Raises OutputValidationError for other values.
    """
    if isinstance(arguments, str):
        return arguments if arguments.strip() else "{}"
    if isinstance(arguments, Model):
        return arguments.to_json(indent=None)
    if is_mapping(arguments):
        return msgspec.json.encode(arguments).decode()
    kind = "null" if arguments is None else f"of type {type(arguments).__name__}"
    raise OutputValidationError(f"the arguments of a tool call are {kind}, and not a JSON object")


def is_content(result: object) -> TypeGuard[list[Any]]:
    """Returns whether the result of a function is a list of content parts of the responses API."""
    return is_list(result) and all(is_mapping(part) and part.get("type") in _PARTS for part in result)


class _Function(Generic[T]):
    """A tool that can be called."""

    function: Callable[..., T]
    model: type[msgspec.Struct]

    def __call__(self, arguments: object) -> T:
        """Calls the function with the arguments of a tool call: JSON text, a dict, or an object of the type `model`.

        Returns the coroutine of an asynchronous function. Raises OutputValidationError for arguments that do not fit,
        and TypeError for other objects.
        """
        given: Any
        if isinstance(arguments, self.model):
            given = arguments
        elif isinstance(arguments, (str, bytes)):
            text = arguments if isinstance(arguments, str) else arguments.decode("utf-8", "replace")
            given = validate_json(self.model, arguments_text(text))
        elif isinstance(arguments, Model):
            given = validate_json(self.model, arguments_text(arguments))
        elif is_mapping(arguments):
            try:
                given = msgspec.convert(arguments, self.model)
            except msgspec.ValidationError as error:
                raise not_of(self.model, None, error) from error
        else:
            raise TypeError(f"arguments are JSON, a dict or {self.model.__name__}, not {type(arguments).__name__}")
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in inspect.signature(self.function).parameters.items():
            value = getattr(given, name)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                named[name] = value
        return self.function(*positional, **named)


class FunctionTool(_Function[T], _Tool):  # type: ignore[misc]
    """A tool of the chat API that is made of a function, and can be called with its arguments."""

    def __init__(self, function: Callable[..., T], definition: Mapping[str, Any], model: type[msgspec.Struct]) -> None:
        self.update(type="function", function=PydanticFunctionTool(definition, model))
        self.function = function
        self.model = model


class ResponsesFunctionTool(_Function[T], ResponsesPydanticFunctionTool):
    """A tool of the responses API that is made of a function, and can be called with its arguments."""

    def __init__(self, function: Callable[..., T], definition: Mapping[str, Any], model: type[msgspec.Struct]) -> None:
        super().__init__({"type": "function", **definition}, model)
        self.function = function


def function_tool(
    function: Callable[..., T], *, name: str | None = None, description: str | None = None, strict: bool = True
) -> FunctionTool[T]:
    """Returns a tool of the chat API for a function with annotations, plain or asynchronous.

    The parameters are the properties; `Annotated[str, msgspec.Meta(description=...)]` describes one. The docstring is
    the description. With `strict` all properties are required; without, parameters with a default are optional.
    Raises TypeError for a parameter without annotation, for `*args` and `**kwargs`, and for types outside of JSON.
    """
    return FunctionTool(function, *_define(function, name, description, strict))


def responses_function_tool(
    function: Callable[..., T],
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = True,
    defer_loading: bool | Omit = omit,
) -> ResponsesFunctionTool[T]:
    """Returns `function_tool` for the responses API. With `defer_loading` the model finds the tool by a tool search."""
    tool = ResponsesFunctionTool(function, *_define(function, name, description, strict))
    if not is_left_out(defer_loading):
        tool["defer_loading"] = defer_loading
    return tool


def _define(
    function: Callable[..., Any], name: str | None, description: str | None, strict: bool
) -> tuple[dict[str, Any], type[msgspec.Struct]]:
    """Returns the definition of a function in the form of the API, and the type of its arguments."""
    if name is None:
        name = getattr(function, "__name__", None)
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(f"an object of type {type(function).__name__} needs `name` to be a tool")
    model = _arguments(function, name)
    parameters = to_strict_json_schema(model) if strict else plain_schema(model)
    for keyword in ("title", "description"):
        # Those of the type repeat the name and the description of the tool.
        parameters.pop(keyword, None)
    definition: dict[str, Any] = {"name": name, "strict": strict, "parameters": parameters}
    if description is None:
        description = inspect.getdoc(function) if inspect.isroutine(function) else None
    if description:
        definition["description"] = description
    return definition, model


def parameters_of(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    """Returns the parameters of a function with their types. Raises TypeError for one without a readable signature."""
    try:
        return list(inspect.signature(function, eval_str=True).parameters.values())
    except (NameError, TypeError, ValueError, SyntaxError, AttributeError) as error:
        raise TypeError(f"the signature of {name} cannot be told: {error}") from error


def field_of(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """Returns a parameter as a field for `msgspec.defstruct`."""
    if parameter.default is parameter.empty:
        return parameter.name, parameter.annotation
    return parameter.name, parameter.annotation, _default(parameter.default)


def _arguments(function: Callable[..., Any], name: str) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for parameter in parameters_of(function, name):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{name} takes {parameter}, and a tool's parameters have names")
        if parameter.annotation is parameter.empty:
            raise TypeError(f"parameter {parameter.name!r} of {name} has no annotation")
        fields.append(field_of(parameter))
    return msgspec.defstruct(name if name.isidentifier() else "Arguments", fields, bases=(_Arguments,), kw_only=True)


def _default(value: Any) -> Any:
    if type(value) in _CONSTANTS:
        return value
    # msgspec would copy the default, or refuse it. The function gets the same object at each call.
    return msgspec.field(default_factory=lambda: value)


def pydantic_function_tool(
    model: type[Any], *, name: str | None = None, description: str | None = None
) -> ChatCompletionFunctionToolParam:
    """Returns a strict tool of the chat API with arguments of a type: a pydantic model, Struct, dataclass ...

    Its name is that of the class, its description the docstring. Raises TypeError for other types.
    """
    function = PydanticFunctionTool(_definition_of(model, name, description), model)
    return cast("ChatCompletionFunctionToolParam", {"type": "function", "function": function})


def pydantic_responses_function_tool(
    model: type[Any], *, name: str | None = None, description: str | None = None, defer_loading: bool | Omit = omit
) -> FunctionToolParam:
    """Returns `pydantic_function_tool` for the responses API. With `defer_loading` a tool search finds it."""
    tool = ResponsesPydanticFunctionTool({"type": "function", **_definition_of(model, name, description)}, model)
    if not is_left_out(defer_loading):
        tool["defer_loading"] = defer_loading
    return cast("FunctionToolParam", tool)


def _definition_of(model: Any, name: str | None, description: str | None) -> dict[str, Any]:
    parameters = to_strict_json_schema(model)
    definition: dict[str, Any] = {"name": name or schema_name(model), "strict": True, "parameters": parameters}
    if description is None:
        description = own_doc(get_origin(model) or model)
    if description is not None:
        definition["description"] = description
    return definition


def own_doc(cls: type[Any]) -> str | None:
    """Returns the docstring of a type, but not the signature that `dataclass` writes where there is none."""
    doc = cls.__doc__
    return None if doc is not None and doc.startswith(f"{cls.__name__}(") else doc
