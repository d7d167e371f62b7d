"""Functions and types as tools of agents, which run in the program."""

# Types of other libraries and values of tools have no static types.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import copy
import inspect
import json
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, get_args, overload

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import Omit, is_left_out, omit
from aiopenai.lib.schema import is_pydantic, not_of, plain_schema, pydantic_member, strict_schema
from aiopenai.lib.tools import field_of, own_doc, parameters_of

if TYPE_CHECKING:
    from aiopenai.types.beta.agents.params import TextFormatParamJSONSchema

__all__ = [
    "AgentFunctionTool",
    "ToolErrorStage",
    "agent_function_tool",
    "agent_text_format",
    "compact_json",
    "pydantic_agent_tool",
]

ModelT = TypeVar("ModelT")
OutputT = TypeVar("OutputT")

ToolErrorStage: TypeAlias = Literal["arguments", "execution", "output"]
"""The step at which a call of a tool failed."""

_PARTS = ({"type", "text"}, {"type", "image_url"})


class AgentFunctionTool(Generic[ModelT, OutputT]):
    """A function tool of an agent: its definition, and the handler of its calls.

    `definition` goes into the `tools` of the agent, and the tool itself into `tool_handlers` under its `name`. `model`
    is the type of the arguments: a pydantic model, a Struct, a dataclass or a TypedDict.

    Raises ValueError for an empty name, TypeError for a model with a schema that is no object.
    """

    def __init__(
        self,
        model: type[ModelT],
        handler: Callable[[ModelT], OutputT],
        *,
        name: str,
        description: str,
        defer_loading: bool | Omit = omit,
    ) -> None:
        if not name:
            raise ValueError("The `name` of a tool must not be empty")
        self._model = model
        self._handler = handler
        self._definition: dict[str, Any] = {
            "type": "function",
            "name": name,
            "description": description,
            "parameters": _parameters(model),
        }
        if not is_left_out(defer_loading):
            self._definition["defer_loading"] = defer_loading

    @property
    def name(self) -> str:
        """The name by which the agent calls the tool."""
        name: str = self._definition["name"]
        return name

    @property
    def definition(self) -> dict[str, Any]:
        """A copy of the definition for the `tools` of an agent."""
        return copy.deepcopy(self._definition)

    def __call__(self, arguments: dict[str, Any]) -> OutputT:
        """Calls the handler with the arguments of a call, as an object of the type `model`.

        Returns the coroutine of an asynchronous handler. Raises a ValueError for arguments that do not fit: pydantic's
        ValidationError for models of pydantic, OutputValidationError for all others.
        """
        result: OutputT = self.call_in_stages(arguments, _no_stage)
        return result

    def call_in_stages(self, arguments: dict[str, Any], enter: Callable[[ToolErrorStage], None]) -> Any:
        """Calls the handler as `__call__` does, and `enter` at the beginning of each further stage."""
        given = _validated(self._model, arguments)
        enter("execution")
        result: Any = self._handler(given)
        if inspect.isawaitable(result):
            return self._finished_later(result, enter)
        enter("output")
        return self._finished(result)

    async def _finished_later(self, result: Any, enter: Callable[[ToolErrorStage], None]) -> Any:
        value = await result
        enter("output")
        return self._finished(value)

    def _finished(self, result: Any) -> Any:
        return result


class _EncodingTool(AgentFunctionTool[ModelT, Any]):
    """A tool that returns results of any JSON type as text."""

    def _finished(self, result: Any) -> Any:
        if result is None or isinstance(result, str) or _is_content(result):
            return result
        return compact_json(result)


class _NamedArgumentsTool(_EncodingTool[Any]):
    """A tool that calls its function with named arguments."""

    def __init__(self, function: Callable[..., Any], name: str, description: str, defer_loading: bool | Omit) -> None:
        names, model = _arguments_model(function, name)

        def call(given: Any) -> Any:
            return function(**{each: getattr(given, each) for each in names})

        super().__init__(model, call, name=name, description=description, defer_loading=defer_loading)


def _no_stage(_: ToolErrorStage) -> None:
    """Ignores the stage of a call."""


@overload
def agent_function_tool(
    function: Callable[..., object],
    *,
    name: str | None = None,
    description: str | None = None,
    defer_loading: bool | Omit = omit,
) -> AgentFunctionTool[Any, Any]: ...
@overload
def agent_function_tool(
    function: None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    defer_loading: bool | Omit = omit,
) -> Callable[[Callable[..., object]], AgentFunctionTool[Any, Any]]: ...
def agent_function_tool(
    function: Callable[..., object] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    defer_loading: bool | Omit = omit,
) -> AgentFunctionTool[Any, Any] | Callable[[Callable[..., object]], AgentFunctionTool[Any, Any]]:
    """Returns a tool of an agent for a function with annotations, plain or asynchronous; also a decorator.

    The name is that of the function, the description its docstring. Results other than text and lists of content parts
    become JSON. Raises TypeError for a parameter without an annotation, without a public name or without a fixed name,
    and for types outside of JSON; ValueError for an empty name.
    """

    def make(function: Callable[..., object]) -> AgentFunctionTool[Any, Any]:
        own = name if name is not None else getattr(function, "__name__", None)
        if own is None:
            raise TypeError(f"A {type(function).__name__} has no name of its own: pass `name`")
        told = inspect.getdoc(function) if description is None else description
        return _NamedArgumentsTool(function, own, told or "", defer_loading)

    return make if function is None else make(function)


def pydantic_agent_tool(
    model: type[ModelT],
    *,
    handler: Callable[[ModelT], object],
    name: str | None = None,
    description: str | None = None,
    defer_loading: bool | Omit = omit,
) -> AgentFunctionTool[ModelT, Any]:
    """Returns a tool of an agent for a type and the handler that takes an object of it, plain or asynchronous.

    The type is a pydantic model, a Struct, a dataclass or a TypedDict. The name is that of the type, the description
    its docstring. Results other than text and lists of content parts become JSON.
    """
    told = inspect.cleandoc(own_doc(model) or "") if description is None else description
    own = model.__name__ if name is None else name
    return _EncodingTool(model, handler, name=own, description=told, defer_loading=defer_loading)


def agent_text_format(output_type: type[Any]) -> TextFormatParamJSONSchema:
    """Returns the `text.format` of an agent for a type of structured output. Raises TypeError for other objects."""
    return {"type": "json_schema", "schema": copy.deepcopy(strict_schema(output_type))}


def compact_json(value: Any) -> str:
    """Returns JSON without spaces. Raises TypeError for values outside of JSON, ValueError for NaN and infinities."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False, default=_plain_inside)


def _plain(value: Any) -> Any:
    """Returns an object with fields as a dict, a set as a list, and all other values unchanged."""
    dump: Any = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", by_alias=True)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, msgspec.Struct) or hasattr(type(value), "__dataclass_fields__"):
        return msgspec.to_builtins(value, str_keys=True)
    return dict(value) if is_mapping(value) else value


def _plain_inside(value: Any) -> Any:
    found = _plain(value)
    if found is value:
        raise TypeError(f"Objects of type {type(value).__name__} cannot be expressed in JSON")
    return found


def _is_content(result: Any) -> bool:
    """Returns whether a result is a list of content parts as the API has them."""
    if not (is_list(result) or isinstance(result, tuple)) or not result:
        return False
    return all(is_mapping(part) and _is_part(part) for part in result)


def _is_part(part: Any) -> bool:
    texts = all(isinstance(value, str) for value in part.values())
    return texts and set(part) in _PARTS and part["type"] == ("input_text" if "text" in part else "input_image")


def _parameters(model: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema() if is_pydantic(model) else plain_schema(model)
    if schema.get("type") != "object":
        raise TypeError(f"The arguments of a tool are an object, and {model.__name__} is none in JSON")
    return copy.deepcopy(schema)


def _validated(model: Any, arguments: Any) -> Any:
    if is_pydantic(model):
        return model.model_validate(arguments)
    try:
        # Models send numbers as text now and then.
        return msgspec.convert(arguments, model, strict=False)
    except msgspec.ValidationError as error:
        raise not_of(model, None, error) from error


def _arguments_model(function: Callable[..., Any], name: str) -> tuple[list[str], Any]:
    """Returns the names of a function's parameters, and a type that has them as fields."""
    parameters = parameters_of(function, name)
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"The tool {name!r} takes {str(parameter)!r}: its arguments must have names")
        if parameter.annotation is parameter.empty or parameter.name.startswith("_"):
            raise TypeError(f"The parameter {parameter.name!r} of the tool {name!r} needs a public name and a type")
    names = [parameter.name for parameter in parameters]
    if any(_needs_pydantic(parameter.annotation) for parameter in parameters):
        return names, _pydantic_model(parameters)
    fields: Any = [field_of(parameter) for parameter in parameters]
    return names, msgspec.defstruct("ToolArguments", fields, kw_only=True, forbid_unknown_fields=True)


def _pydantic_model(parameters: list[inspect.Parameter]) -> Any:
    fields: dict[str, Any] = {}
    for parameter in parameters:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    closed = {"extra": "forbid", "arbitrary_types_allowed": False}
    return pydantic_member("create_model")("ToolArguments", __config__=closed, **fields)


def _needs_pydantic(annotation: Any) -> bool:
    """Returns whether an annotation has a model or a field of pydantic in it."""
    field: Any = pydantic_member("fields")
    if field is None:
        return False
    return any(is_pydantic(each) or isinstance(each, field.FieldInfo) for each in _pieces(annotation))


def _pieces(annotation: Any) -> Iterator[Any]:
    yield annotation
    yield from getattr(annotation, "__metadata__", ())
    inner = annotation.__origin__ if typing.get_origin(annotation) is typing.Annotated else None
    for each in (*get_args(annotation), inner):
        if each is not None and not isinstance(each, str) and each is not annotation:
            yield from _pieces(each)
