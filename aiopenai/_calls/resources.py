"""The classes of resources: the bases of the blocking and the asynchronous ones, and the making of all others.

A generated module has one class per resource, the blocking one. `family` adds the module's `__getattr__`, which makes
the others on first use: `AsyncX`, and the views of both (`XWithRawResponse`, `XWithStreamingResponse`, `XAsRequest`).
Each has functions of its own, so a method can be replaced on one class alone. The views of replies look their
resource's method up at each call.
"""

# Classes made at run time have no static types.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from importlib import import_module
from typing import Any, ClassVar, cast

from typing_extensions import override

from aiopenai._base.collector import undisturbed
from aiopenai._calls.methods import Call, description
from aiopenai._calls.request import Request
from aiopenai._calls.unparsed import AsyncResponseContextManager, Mark, ResponseContextManager
from aiopenai._data.leaves import RESOURCE_FORMS, named

__all__ = ["AsyncAPIResource", "Resource", "SyncAPIResource", "child", "family"]


class Resource:
    """A group of endpoints of one client, which all resources below it share."""

    _blocking: ClassVar[bool]
    # The way to the resource from the client on, such as `chat.completions`.
    _path: ClassVar[str] = ""
    # The generated blocking class from which this class, or its base, was made.
    _origin: ClassVar[type[Any] | None] = None
    # Public names that are of no use to programs: tab completion leaves them out.
    _internal: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, client: Any) -> None:
        self._bind(client)

    @abstractmethod
    def _bind(self, client: Any) -> None:
        """Set the client, and the function that sends a request."""

    _client: Any
    _call: Callable[[Request[Any]], Any]
    # The functions that send a request whose reply is returned unparsed, by the request's mark.
    _marked: Mapping[str, Callable[[Request[Any]], Any]]

    @abstractmethod
    def _list(self, request: Request[Any]) -> Any:
        """Send the request for a list, or return an object that does."""

    @abstractmethod
    def _asynchronous(self) -> Any:
        """The same resource with coroutines."""

    @override
    def __dir__(self) -> list[str]:
        return _public(super().__dir__(), self._internal)

    # The low-level verbs under the names that the reference's resources have for them.

    @property
    def _get(self) -> Any:
        return self._client.get

    @property
    def _post(self) -> Any:
        return self._client.post

    @property
    def _put(self) -> Any:
        return self._client.put

    @property
    def _patch(self) -> Any:
        return self._client.patch

    @property
    def _delete(self) -> Any:
        return self._client.delete

    @property
    def _get_api_list(self) -> Any:
        return self._client.get_api_list


def _public(names: Iterable[str], internal: frozenset[str] = frozenset()) -> list[str]:
    """The names for tab completion: public ones, and those of Python's own protocols."""
    return [
        name
        for name in names
        if name not in internal and (name[0] != "_" or (name.startswith("__") and name.endswith("__")))
    ]


class SyncAPIResource(Resource):
    """A resource of the blocking client."""

    _blocking = True
    # The attributes as they were generated. The other classes of a resource are made from them at their first use; by
    # then a tracer may have replaced a method of this class.
    _generated: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.__base__ is SyncAPIResource:
            cls._generated = dict(vars(cls))

    @override
    def _bind(self, client: Any) -> None:
        self._client = client
        self._call = client.send
        self._marked = {"raw": client.send_raw, "stream": client.open_blocking}

    @override
    def _list(self, request: Request[Any]) -> Any:
        return self._call(request)

    @override
    def _asynchronous(self) -> Any:
        """The same resource with coroutines, for helpers; methods that were replaced here run in a thread."""
        twin = _form(self, "Async")(self._client)
        vars(twin)["_twin_of"] = self
        for name, found in _replaced(self):
            vars(twin)[name] = partial(asyncio.to_thread, found)
        return twin

    @cached_property
    def with_raw_response(self) -> Any:
        """The same methods; each returns the reply with its headers, `LegacyAPIResponse`."""
        return _form(self, "", "WithRawResponse")(self)

    @cached_property
    def with_streaming_response(self) -> Any:
        """The same methods; each returns a context manager of the reply with its body unread, `APIResponse`."""
        return _form(self, "", "WithStreamingResponse")(self)

    @cached_property
    def as_request(self) -> Any:
        """The same methods; each returns its `Request` without sending it, for `send`, `map` and `gather`."""
        return _form(self, "", "AsRequest")(self)


class AsyncAPIResource(Resource):
    """A resource of the asynchronous client."""

    _blocking = False

    @override
    def _bind(self, client: Any) -> None:
        self._client = client
        self._call = client.perform
        self._marked = {"raw": client.perform_raw, "stream": client.open_response}

    @override
    def _list(self, request: Request[Any]) -> Any:
        from aiopenai._calls.paging import AsyncPaginator

        # Not sent before it is awaited or iterated.
        return cast("Any", AsyncPaginator)(_client_of(self), request)

    @override
    def _asynchronous(self) -> Any:
        return self

    @cached_property
    def with_raw_response(self) -> Any:
        """The same methods; each returns the reply with its headers, `LegacyAPIResponse`."""
        return _form(self, "Async", "WithRawResponse")(self)

    @cached_property
    def with_streaming_response(self) -> Any:
        """The same methods; each returns a context manager of the reply with its body unread, `AsyncAPIResponse`."""
        return _form(self, "Async", "WithStreamingResponse")(self)

    @cached_property
    def as_request(self) -> Any:
        """The same methods; each returns its `Request` without sending it, for `send`, `map` and `gather`."""
        return _form(self, "Async", "AsRequest")(self)


class _View:
    """A view of a resource: its methods, with replies in another form."""

    # The prefix and the suffix of the resource's name in the name of the view's class.
    _form: ClassVar[tuple[str, str]]

    def __init__(self, resource: Any) -> None:
        self._resource = resource

    @override
    def __dir__(self) -> list[str]:
        return _public(super().__dir__())

    def __getattr__(self, name: str) -> Any:
        # Only for names that the class does not have.
        why = ""
        if not name.startswith("_") and callable(getattr(self._resource, name, None)):
            why = f": {name}() makes several calls or none, so there is no single reply to return unparsed"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{why}")


class child(cached_property[Any]):  # noqa: N801  (a decorator's name: it stands where a property would)
    """The resource `name` of `module` (or of the owner's own), made when it is first used."""

    def __init__(self, name: str, module: str | None = None) -> None:
        super().__init__(self._make)
        self.name = name
        self.module = module

    @override
    def __set_name__(self, owner: type[Any], name: str) -> None:
        super().__set_name__(owner, name)
        self.module = self.module or owner.__module__
        self.__doc__ = f"The resource `{name}`."

    def _make(self, holder: Any) -> Any:
        assert self.attrname is not None
        prefix, suffix = holder._form if isinstance(holder, _View) else ("" if holder._blocking else "Async", "")
        if isinstance(holder, _View):
            argument = getattr(holder._resource, self.attrname)
        elif (twin_of := vars(holder).get("_twin_of")) is not None:
            return getattr(twin_of, self.attrname)._asynchronous()
        else:
            argument = _client_of(holder)
        return _variant(getattr(undisturbed(import_module, self.module or ""), self.name), prefix, suffix)(argument)


def _client_of(holder: Any) -> Any:
    """Returns the client of a resource or of a client, which is its own: in drop-in mode it has another `_client`."""
    return vars(holder).get("_client", holder)


def _open_async(method: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
    # Called at once, so that wrong arguments are refused where they are written.
    return AsyncResponseContextManager(method(*args, **given))


def _open_blocking(method: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
    return ResponseContextManager(partial(method, *args, **given))


def _form(resource: Any, prefix: str, suffix: str = "") -> Any:
    return _variant(type(resource)._origin or _origin_of(type(resource)), prefix, suffix)


def _origin_of(cls: type[Any]) -> type[Any]:
    """The class of a generated module among a class's bases."""
    for base in cls.__mro__:
        if base.__base__ is SyncAPIResource:
            return base
    raise TypeError(f"{cls.__name__} is not a generated resource class, so it has no other forms.")


def _variant(origin: type[Any], prefix: str, suffix: str) -> Any:
    """One of the classes of a resource, made at its first use; `origin` is the blocking one."""
    if not prefix and not suffix:
        return origin
    name = f"{prefix}{origin.__name__}{suffix}"
    made = vars(origin).get("_variants")
    if made is None:
        origin._variants = made = {}
        origin._origin = origin
    if name not in made:
        made[name] = _make_variant(origin, name, prefix, suffix)
    return made[name]


def _make_variant(origin: type[Any], name: str, prefix: str, suffix: str) -> type[Any]:
    module = origin.__module__
    namespace: dict[str, Any] = {
        "_path": origin._path,
        "__module__": module,
        "__doc__": origin.__doc__,
        "__qualname__": name,
    }
    for attribute, found in origin._generated.items():
        if isinstance(found, child):
            if suffix and found.module == module and not _has_views(getattr(sys.modules[module], found.name)):
                continue
            namespace[attribute] = child(found.name, found.module)
        elif (described := description(found)) is not None:
            if not suffix:
                namespace[attribute] = described.function(name, module, blocking=not prefix)
            elif isinstance(described, Call) and suffix == "AsRequest":
                namespace[attribute] = described.builder(name, module)
            elif isinstance(described, Call):
                streaming = suffix == "WithStreamingResponse"
                opened = (_open_async if prefix else _open_blocking) if streaming else None
                mark: Mark = "stream" if streaming else "raw"
                namespace[attribute] = described.view(name, module, mark, opened, blocking=not prefix)
    if suffix:
        return type(name, (_View,), {**namespace, "_form": (prefix, suffix)})
    return type(name, (AsyncAPIResource,), {**namespace, "_origin": origin})


def _replaced(resource: SyncAPIResource) -> Iterator[tuple[str, Any]]:
    """The methods of a resource that are not as they were generated, by name."""
    origin = type(resource)._origin or _origin_of(type(resource))
    for name, generated in origin._generated.items():
        if description(generated) is None:
            continue
        found = vars(resource).get(name)
        if found is None:
            found = next(vars(cls)[name] for cls in type(resource).__mro__ if name in vars(cls))
        if description(found) is None:
            yield name, getattr(resource, name)


def family(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a generated module: the classes that are made from those it defines."""
    namespace = vars(sys.modules[module])

    def origin_of(name: str) -> type[Any] | None:
        found = namespace.get(name)
        own = isinstance(found, type) and issubclass(found, SyncAPIResource) and found.__module__ == module
        return found if own else None

    def find(name: str) -> Any:
        for prefix, suffix in RESOURCE_FORMS:
            if name.startswith(prefix) and name.endswith(suffix):
                origin = origin_of(name[len(prefix) : len(name) - len(suffix)])
                if origin is not None and (not suffix or _has_views(origin)):
                    namespace[name] = made = _variant(origin, prefix, suffix)
                    return made
        namespace[name] = found = named(module, name)
        return found

    def names() -> list[str]:
        found = {name for name in namespace if not name.startswith("_") or name.endswith("__")}
        for name in list(namespace):
            if (origin := origin_of(name)) is not None and name == origin.__name__:
                forms = RESOURCE_FORMS if _has_views(origin) else [form for form in RESOURCE_FORMS if not form[1]]
                found |= {f"{prefix}{name}{suffix}" for prefix, suffix in forms}
        return sorted(found)

    return find, names


def _has_views(origin: type[Any]) -> bool:
    """Returns whether a resource has views: it has a call, or a resource below it."""
    members = origin._generated.values()
    return any(isinstance(each, child) or isinstance(description(each), Call) for each in members)
