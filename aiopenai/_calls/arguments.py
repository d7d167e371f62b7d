"""The arguments of a resource method become a Request, or an error that names the argument.

The dict of the keyword arguments becomes the body, so most calls copy nothing. The facts of the endpoint name the
arguments that travel elsewhere: in the path, the query, the headers or a form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from string import Formatter
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, structs
from typing_extensions import TypedDict

from aiopenai._base.aliases import Body, Headers, Query, is_mapping, own_text
from aiopenai._base.cache import BoundedCache
from aiopenai._base.querystring import encode_path_segment
from aiopenai._base.sentinels import NotGiven, is_left_out, omit
from aiopenai._base.timeouts import TimeoutTypes
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.unparsed import take_mark
from aiopenai._data.codec import encode

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from aiopenai._calls.hedging import HedgePolicy

__all__ = ["ARRAYS", "OPTIONS", "Builder", "CallOptions", "Signature", "add_options", "later"]


class CallOptions(TypedDict, total=False):
    """The options of every call, beside the parameters of its method.

    `extra_headers`, `extra_query` and `extra_body` add to the request. They win over values of the client and of the
    method. `omit` removes a header.
    `timeout` is in seconds, None for no limit.
    `retry` is a tenacity policy.
    `idempotency_key` is sent with all attempts.
    `deadline` limits all attempts together, in seconds.
    `hedge` is a `HedgePolicy`: if an attempt is late, a second one is sent.
    """

    extra_headers: Headers | None
    extra_query: Query | None
    extra_body: Body | None
    timeout: TimeoutTypes | NotGiven
    max_retries: int | NotGiven
    retry: BaseRetrying | None
    idempotency_key: str | None
    deadline: float | NotGiven | None
    hedge: HedgePolicy | NotGiven | None


OPTIONS = frozenset(CallOptions.__annotations__)


# Parameters that are arrays in every JSON body.
ARRAYS = frozenset(
    {
        "additional_messages",
        "attachments",
        "context_management",
        "event_types",
        "file_ids",
        "functions",
        "include",
        "items",
        "messages",
        "modalities",
        "output_modalities",
        "part_ids",
        "skills",
        "testing_criteria",
        "tool_outputs",
        "tools",
        "vector_store_ids",
    }
)


class Signature:
    """The names of a method's parameters, read from its signature once."""

    def __init__(self, signature: Callable[..., Any], name: str) -> None:
        code = signature.__code__
        positional = code.co_argcount
        names = code.co_varnames[1 : positional + code.co_kwonlyargcount]
        self.name = name
        self.positional = code.co_varnames[1:positional]
        defaults = len(signature.__defaults__ or ())
        optional = {*self.positional[len(self.positional) - defaults :], *(signature.__kwdefaults__ or ())}
        self.names = frozenset(names)
        self.required = self.names - optional

    def take(self, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any] | None:
        """Adds the positional arguments to `given`, and removes the options from it.

        Returns the options, or None without any. Raises TypeError for wrong and missing names.
        """
        if args:
            self._put(args, given)
        options: dict[str, Any] | None = None
        if not OPTIONS.isdisjoint(given):
            options = {name: given.pop(name) for name in OPTIONS if name in given}
        if not (self.names.issuperset(given) and self.required.issubset(given)):
            raise self._misnamed(given)
        return options

    def _put(self, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        if len(args) > len(self.positional):
            raise TypeError(
                f"{self.name}() takes {len(self.positional)} positional arguments but {len(args)} were given; "
                f"pass the others by name, such as {self._example()}=..."
            )
        for name, value in zip(self.positional, args, strict=False):
            if name in given:
                raise TypeError(f"{self.name}() got multiple values for argument {name!r}")
            given[name] = value

    def _example(self) -> str:
        """Returns the name of a parameter: a required one if there is one."""
        return min(self.required - set(self.positional) or self.names - set(self.positional) or {"timeout"})

    def _misnamed(self, given: dict[str, Any]) -> TypeError:
        for name in given:
            if name not in self.names:
                # Needed for errors only.
                from aiopenai._base.suggestions import suggestion

                free = [*sorted(self.names - given.keys()), *OPTIONS]
                hint = suggestion(name, free) or "; parameters not listed here go into extra_body"
                return TypeError(f"{self.name}() got an unexpected keyword argument {name!r}{hint}")
        missing = ", ".join(repr(name) for name in sorted(self.required - given.keys()))
        return TypeError(f"{self.name}() is missing required arguments: {missing}")


class Builder(Signature):
    """Makes the requests of one method from its arguments.

    query, body: the parameters of the query or the body, where the verb implies the other one.
    files: the parameters that are uploads; a name with `[]` may be several files.
    may_upload: the same, for a method that sends a form only if a file is given.
    or_object: the uploads that may be an object instead of a file; None allows it for all.
    typed_parts: the fields of a form with a content type of their own.
    sole_part: the field that becomes the whole body if no other is given.
    header_params: the parameters that travel as headers.
    wire: the API's names of parameters, where they differ from Python's.
    nested: the same for keys inside parameters, by path.
    needs: sets of names; one of the sets must be given.
    replies: the reply types by the value of the parameter `chosen_by`.
    prepare: a function (`module:function`, imported on first use) that adjusts the request.
    """

    def __init__(
        self,
        signature: Callable[..., Any],
        endpoint: Endpoint,
        *,
        name: str,
        query: tuple[str, ...] = (),
        body: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        may_upload: tuple[str, ...] = (),
        or_object: tuple[str, ...] | None = None,
        typed_parts: Mapping[str, str] | None = None,
        sole_part: str | None = None,
        header_params: Mapping[str, str] | None = None,
        wire: Mapping[str, str] | None = None,
        nested: Mapping[str, str] | None = None,
        needs: tuple[tuple[str, ...], ...] = (),
        chosen_by: str | None = None,
        replies: Mapping[str, Any] | None = None,
        prepare: str | None = None,
    ) -> None:
        super().__init__(signature, name)
        self.endpoint = endpoint
        # The template's texts, each with the parameter that follows it.
        self.path = [(text, field) for text, field, _, _ in Formatter().parse(endpoint.path)]
        self.in_path = tuple(field for _, field in self.path if field)
        self.has_body = endpoint.method not in ("GET", "DELETE")
        # A POST without any parameter for its body has no body, rather than an empty object.
        self.sends_body = self.has_body and bool(self.names - {*self.in_path, *query, *(header_params or ())})
        self.query = frozenset(query)
        self.body = frozenset(body)
        # The reference names some twice, as one file and as several: the value tells which.
        self.files = tuple(dict.fromkeys(name.removesuffix("[]") for name in files or may_upload))
        self.object_files = frozenset(self.files if or_object is None else or_object)
        self.several_files = frozenset(name[:-2] for name in files or may_upload if name.endswith("[]"))
        self.typed_parts = typed_parts or {}
        self.sole_part = sole_part
        self.header_params = header_params or {}
        self.wire = wire or {}
        self.nested = [(_path(path), name) for path, name in (nested or {}).items()]
        self.needs = needs
        self.chosen_by = chosen_by
        self.endpoints = {value: structs.replace(endpoint, reply=reply) for value, reply in (replies or {}).items()}
        self.streams = endpoint.event is not None
        self.only_streams = self.streams and endpoint.reply is None
        self.prepare = None if prepare is None else later(prepare)
        # Most methods send a body only, which is the dict of the keyword arguments.
        elsewhere = self.in_path or query or self.files or self.header_params or self.wire or self.nested
        in_json = self.has_body and not (self.files or endpoint.multipart or self.typed_parts)
        self.arrays = (
            ARRAYS & (self.names - {*query, *self.in_path, *self.header_params}) if in_json else frozenset[str]()
        )
        # The names of a call that were found right, in their order, with the arrays among them: programs repeat their
        # calls, and a look here takes a fifth of the time of the checks.
        self._arrays_of: BoundedCache[tuple[str, ...], list[str]] = BoundedCache()
        self.simple = self.sends_body and not (elsewhere or self.typed_parts or needs or chosen_by)

    def build(self, args: tuple[Any, ...], given: dict[str, Any]) -> Request[Any]:
        """Makes the request. Raises TypeError for wrong names and types, ValueError for an empty path argument."""
        options: dict[str, Any] | None = None
        shape = tuple(given)
        arrays = None if args else self._arrays_of.get(shape)
        if arrays is None:
            options = self.take(args, given)
            arrays = [name for name in given if name in self.arrays]
            if options is None and not args:
                self._arrays_of[shape] = arrays
        for name in arrays:
            value = given[name]
            if value.__class__ is not list and value is not None:
                self._check_array(name, value)
        # Any true value, as in the reference: the switch may be a scalar of numpy. `omit` is false.
        stream = self.streams and (self.only_streams or bool(given.get("stream")))
        if self.simple:
            request: Request[Any] = Request(endpoint=self.endpoint, path=self.endpoint.path, body=given, stream=stream)
        else:
            request = self._distribute(given, stream)
        if options is not None:
            add_options(request, options)
        if self.typed_parts:
            self._make_form(request)
        if self.prepare is not None:
            self.prepare(request)
        return request

    def _check_array(self, name: str, value: Any) -> None:
        """Raises TypeError for a value that is not a sequence of items, such as a str or one message."""
        single = isinstance(value, (str, bytes, bytearray, Mapping, Struct)) or hasattr(value, "model_dump")
        if (single or not isinstance(value, Iterable)) and not is_left_out(cast("object", value)):
            kind = type(cast("Any", value)).__name__
            raise TypeError(f"{self.name}() takes a list as {name!r}, not {kind}: put single items in a list")

    def _distribute(self, given: dict[str, Any], stream: bool) -> Request[Any]:
        path = self.endpoint.path
        if self.in_path:
            pieces: list[str] = []
            for text, field in self.path:
                pieces.append(text)
                if field:
                    pieces.append(encode_path_segment(given.pop(field), field))
            path = "".join(pieces)
        headers: dict[str, Any] = {}
        if self.needs and not any(given.keys() >= {*each} for each in self.needs):
            sets = " or ".join(", ".join(map(repr, each)) for each in self.needs)
            raise TypeError(f"{self.name}() is missing required arguments: {sets}")
        for name, header in self.header_params.items():
            if (value := given.pop(name, None)) is not None and not is_left_out(value):
                several = isinstance(value, (list, tuple))
                headers[header] = ",".join(map(own_text, cast("Sequence[Any]", value))) if several else own_text(value)
        for (name, *steps), own in self.nested:
            if name in given:
                given[name] = _renamed(given[name], steps, own)
        choice = given.get(self.chosen_by) if self.chosen_by else None
        # An object instead of a file, such as one with a file's id, is sent like other parameters.
        files = [
            (name, given.pop(name))
            for name in self.files
            if name in given and not (name in self.object_files and is_mapping(given[name]))
        ]
        query: dict[str, Any] = {}
        body: dict[str, Any] = {}
        for name, value in given.items():
            if is_left_out(value):
                continue
            elsewhere = name in self.query if self.has_body else name not in self.body
            (query if elsewhere else body)[self.wire.get(name, name)] = value
        parts = [part for name, value in files for part in self._file_parts(name, value)] if self.files else None
        return Request(
            endpoint=self.endpoints.get(choice, self.endpoint) if isinstance(choice, str) else self.endpoint,
            path=path,
            query=query or None,
            body=body if self.sends_body or body else None,
            files=parts if parts or self.endpoint.multipart else None,
            headers=headers or None,
            stream=stream,
        )

    def _file_parts(self, name: str, value: Any) -> list[tuple[str, Any]]:
        """Returns the form fields of one parameter. Raises TypeError for a value that is not a file."""
        if is_left_out(value) or (value is None and name not in self.required):
            return []
        if value is None:
            raise TypeError(f"{self.name}() needs a file as {name!r}, not None")
        if not isinstance(value, (list, tuple)) or _is_file_tuple(value):
            return [(name, cast("Any", value))]
        several = cast("Sequence[Any]", value)
        if name not in self.several_files:
            kind = type(several).__name__
            raise TypeError(f"{self.name}() needs one file as {name!r}, not a {kind} of {len(several)}")
        return [(f"{name}[]", item) for item in several]

    def _make_form(self, request: Request[Any]) -> None:
        """Turns the body into a form of typed parts, or into its sole part. Raises TypeError for wrong types."""
        fields: dict[str, Any] = {name: value for name, value in request.body.items() if not is_left_out(value)}
        for name, kind in self.typed_parts.items():
            if kind != "application/json" and not isinstance(fields.get(name, ""), str):
                raise TypeError(f"{name!r} must be a str, not {type(fields[name]).__name__}")
        if self.sole_part is not None and fields.keys() == {self.sole_part}:
            request.body = None
            request.content = fields[self.sole_part].encode()
            request.headers = {**(request.headers or {}), "Content-Type": self.typed_parts[self.sole_part]}
            return
        request.files = [
            (name, (None, encode(value) if kind == "application/json" else value.encode(), kind))
            for name, kind in self.typed_parts.items()
            if (value := fields.pop(name, omit)) is not omit
        ]
        request.body = fields


def later(where: str) -> Callable[..., Any]:
    """Returns a function that imports `module:name` at its first call, and calls it."""
    found: Callable[..., Any] | None = None

    def call(*args: Any, **given: Any) -> Any:
        nonlocal found
        if found is None:
            module, _, name = where.partition(":")
            found = cast("Callable[..., Any]", getattr(import_module(module), name))
        return found(*args, **given)

    return call


def _path(text: str) -> list[str]:
    """Returns the steps of `tools[].items.*`: `tools`, `[]`, `items`, `*`."""
    return text.replace("[]", ".[]").split(".")


def _renamed(value: Any, path: Sequence[str], name: str) -> Any:
    """Returns a copy of `value` in which the key at the end of `path` is called `name`."""
    step, *rest = path
    if step == "[]":
        if isinstance(value, (str, Mapping)):
            return cast("Any", value)
        return [_renamed(item, rest, name) for item in value]
    if not is_mapping(value):
        return value
    if step == "*":
        return {key: _renamed(item, rest, name) for key, item in value.items()}
    if step not in value:
        return value
    if rest:
        return {**value, step: _renamed(value[step], rest, name)}
    return {(name if key == step else key): item for key, item in value.items()}


def _is_file_tuple(value: Any) -> bool:
    """Returns whether a tuple is one file: (file name, content ...). A tuple of files does not begin with a name."""
    return isinstance(value, tuple) and isinstance(next(iter(cast("Any", value)), b""), (str, type(None)))


def _check_mapping(name: str, value: object) -> None:
    if not is_mapping(value):
        raise TypeError(f"{name} must be a mapping of names to values, not {type(value).__name__}")


def add_options(request: Request[Any], options: dict[str, Any]) -> None:
    """Adds the options of a call to its request. Raises TypeError for an `extra_body` that does not fit the body."""
    if (headers := options.pop("extra_headers", None)) is not None:
        _check_mapping("extra_headers", headers)
        headers, request.unparsed = take_mark(headers)
        if headers or request.headers:
            request.headers = {**(request.headers or {}), **headers}
    if (query := options.pop("extra_query", None)) is not None:
        _check_mapping("extra_query", query)
        request.query = {**(request.query or {}), **query}
    if (body := options.pop("extra_body", None)) is not None:
        if request.body is None:
            request.body = body
        elif is_mapping(body) and is_mapping(request.body):
            request.body = {**request.body, **body}
        else:
            raise TypeError(f"extra_body must be a mapping to be merged into the body, not {type(body).__name__}")
    if options:
        request.options = options
