"""The methods of resources: each is described once, and becomes a function of every class of its resource.

A generated class body is a list of signatures under decorators (`post`, `cursor_page`, `helper` ...). A decorator keeps
the description (`Call` or `Helper`) and returns the function of the blocking class. `resources.py` makes the functions
of the other classes from the same description. The builder of a request is made at the method's first use.
"""

# The functions made here are methods of resources.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from aiopenai._base.sentinels import NotGiven, is_left_out, not_given
from aiopenai._calls.arguments import Builder, Signature, later
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.unparsed import Mark, marked

if TYPE_CHECKING:
    from aiopenai._calls.resources import Resource

__all__ = [
    "Call",
    "Helper",
    "chosen",
    "conversation_cursor_page",
    "cursor_page",
    "delete",
    "description",
    "events",
    "get",
    "helper",
    "managed",
    "next_cursor_page",
    "page",
    "patch",
    "plain",
    "post",
    "put",
    "streamed",
    "token_page",
]

_Function = Callable[..., Any]
# The arguments of `Builder`; all others are of `Endpoint`.
_FACTS = frozenset(
    {
        "query",
        "body",
        "files",
        "may_upload",
        "or_object",
        "typed_parts",
        "sole_part",
        "header_params",
        "wire",
        "nested",
        "needs",
        "prepare",
        "chosen_by",
        "replies",
    }
)
# The options of every call as parameters, in the order in which stubs list them.
_OPTION_DEFAULTS: dict[str, NotGiven | None] = {
    "extra_headers": None,
    "extra_query": None,
    "extra_body": None,
    "timeout": not_given,
    "max_retries": not_given,
    "retry": None,
    "idempotency_key": None,
    "deadline": not_given,
    "hedge": not_given,
}


# The code of all functions that descriptions have made.
_CODES: set[CodeType] = set()
_PACKAGE = __name__.partition(".")[0]


class _Shown:
    """The signature and the docstring that `inspect` and `help` show for a method."""

    def __init__(self, shown: _Function, options: bool) -> None:
        self._shown = shown
        self._options = options

    # `inspect.signature` follows `__wrapped__` to this property: most signatures are never asked for.
    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(self._shown)
        if not self._options:
            return signature
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [*signature.parameters.values()]
        parameters += (inspect.Parameter(name, kind, default=value) for name, value in _OPTION_DEFAULTS.items())
        return signature.replace(parameters=parameters)

    def __call__(self, *args: Any, **given: Any) -> Any:
        return self._shown(*args, **given)


class Call:
    """A method that is one HTTP call."""

    def __init__(
        self, shown: _Function, verb: str, path: str, facts: dict[str, Any], deprecated: str | None = None
    ) -> None:
        self.shown = shown
        self.deprecated = deprecated
        self.name = shown.__name__
        self.verb = verb
        self.path = path
        self._facts = facts
        self._listed = "paged" in facts
        self.doc = f"{inspect.cleandoc(shown.__doc__)}\n\n`{verb} {path}`" if shown.__doc__ else f"`{verb} {path}`"

    def build(self, args: tuple[Any, ...], given: dict[str, Any]) -> Request[Any]:
        """Makes the request. Raises TypeError for wrong and missing names, ValueError for an empty path argument."""
        facts = self._facts
        building = {name: facts[name] for name in _FACTS & facts.keys()}
        rest = {name: facts[name] for name in facts.keys() - _FACTS}
        if self._listed:
            rest |= _page_types(*rest.pop("paged"))
        name = f"{path}.{self.name}" if (path := self._resource_path()) else ""
        endpoint = Endpoint(method=self.verb, path=self.path, name=name, multipart="files" in building, **rest)
        # From here on the builder's own method is found first: this one runs once.
        self.__dict__["build"] = build = Builder(self.shown, endpoint, name=self.name, **building).build
        return build(args, given)

    def _resource_path(self) -> str:
        """The path of the resource from the client on, such as `chat.completions`; empty for classes of programs."""
        owner = getattr(sys.modules[self.shown.__module__], self.shown.__qualname__.partition(".")[0], None)
        return getattr(owner, "_path", "")

    def request(self, *args: Any, **given: Any) -> Request[Any]:
        """Makes the request without sending it."""
        return self.build(args, given)

    def function(self, owner: type | str, module: str, *, blocking: bool = True) -> _Function:
        """The method of the blocking or the asynchronous class."""
        call = self

        def listed(resource: Resource, /, *args: Any, **given: Any) -> Any:
            request = call.build(args, given)
            return resource._marked[request.unparsed](request) if request.unparsed else resource._list(request)

        def function(resource: Resource, /, *args: Any, **given: Any) -> Any:
            request = call.build(args, given)
            return (resource._marked[request.unparsed] if request.unparsed else resource._call)(request)

        # A real coroutine function, because frameworks ask `inspect.iscoroutinefunction`.
        async def coroutine(resource: Resource, /, *args: Any, **given: Any) -> Any:
            request = call.build(args, given)
            # The request holds these values: the frame of a call in flight keeps no second reference.
            del args, given
            return await (resource._marked[request.unparsed] if request.unparsed else resource._call)(request)

        method: _Function = listed if self._listed else function if blocking else coroutine
        return self._finished(method, owner, module)

    def view(
        self, owner: str, module: str, mark: Mark, opened: Callable[..., Any] | None, *, blocking: bool
    ) -> _Function:
        """The method of a view; `opened` makes a context manager of a function and its arguments.

        If the resource's method was replaced, the view calls the replacement, with the mark in the headers.
        """
        call = self

        def method(view: Any, /, *args: Any, **given: Any) -> Any:
            resource = view._resource
            own = getattr(resource, call.name)
            if type(own) is MethodType and description(own.__func__) is call:
                request = call.build(args, given)
                request.unparsed = mark
                send = resource._marked[mark]
                return send(request) if opened is None else opened(send, request)
            given = marked(given, mark)
            return own(*args, **given) if opened is None else opened(own, *args, **given)

        async def coroutine(view: Any, /, *args: Any, **given: Any) -> Any:
            return await method(view, *args, **given)

        return self._finished(method if blocking or opened is not None else coroutine, owner, module)

    def builder(self, owner: str, module: str) -> _Function:
        """The method of the view that makes requests without sending them."""
        call = self

        def method(_: Any, /, *args: Any, **given: Any) -> Request[Any]:
            return call.build(args, given)

        return self._finished(method, owner, module)

    def _finished(self, method: _Function, owner: type | str, module: str) -> _Function:
        request = self.request if self.deprecated is None else _warning(self.request, self.deprecated)
        return _named(method, self, owner, module, options=True, request=request)


class Helper:
    """A method with a hand-written body, the function at `module:function`: several calls, or none.

    `coroutine`: the body is a coroutine function of the asynchronous resource.
    """

    def __init__(
        self, shown: _Function, where: str, *, coroutine: bool, options: bool, deprecated: str | None = None
    ) -> None:
        self.shown = shown
        self.deprecated = deprecated
        self.name = shown.__name__
        self.coroutine = coroutine
        self.options = options
        self.doc = shown.__doc__
        self._body = later(where)
        self._signature: Signature | None = None

    def _arguments(self, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
        signature = self._signature
        if signature is None:
            signature = self._signature = Signature(self.shown, self.name)
        options = signature.take(args, given)
        return {**{name: value for name, value in given.items() if not is_left_out(value)}, **(options or {})}

    def function(self, owner: type | str, module: str, *, blocking: bool = True) -> _Function:
        """The method of the blocking or the asynchronous class."""
        call = self

        def plain(resource: Resource, /, *args: Any, **given: Any) -> Any:
            return call._body(resource, **call._arguments(args, given))

        def function(resource: Resource, /, *args: Any, **given: Any) -> Any:
            given = call._arguments(args, given)
            return resource._client.run(call._body(resource._asynchronous(), **given))

        async def coroutine(resource: Resource, /, *args: Any, **given: Any) -> Any:
            return await call._body(resource, **call._arguments(args, given))

        method: _Function = plain if not self.coroutine else function if blocking else coroutine
        return _named(method, self, owner, module, options=self.options)


def _warning(method: _Function, text: str) -> Any:
    """The method with a DeprecationWarning at the line of each call.

    Calls by this package do not warn: a helper such as `create_and_poll` warns once, at the line of its own caller.
    """

    def warning(*args: Any, **given: Any) -> Any:
        # `skip_file_prefixes` of Python 3.12 would name the program's line, but a second time.
        caller = sys._getframe(1).f_globals.get("__name__") or ""
        if caller.partition(".")[0] != _PACKAGE:
            warnings.warn(text, DeprecationWarning, stacklevel=2)
        return method(*args, **given)

    # The attribute of PEP 702, by which tools find deprecated functions.
    vars(warning)["__deprecated__"] = text
    # The wrapper is no coroutine function, because the warning belongs to the line of the call, not of the await.
    if sys.version_info >= (3, 12) and inspect.iscoroutinefunction(method):
        inspect.markcoroutinefunction(warning)
    return warning


def _named(method: Any, of: Call | Helper, owner: type | str, module: str, *, options: bool, **more: Any) -> _Function:
    if of.deprecated is not None:
        method = _warning(method, of.deprecated)
    method.__wrapped__ = _Shown(of.shown, options)
    method.__name__ = of.name
    method.__qualname__ = f"{owner}.{of.name}"
    method.__module__ = module
    method.__doc__ = of.doc
    method.described = of
    _CODES.add(method.__code__)
    vars(method).update(more)
    return method  # type: ignore[no-any-return]


def description(found: Any) -> Call | Helper | None:
    """The description of a method that is as it was generated; None for everything else."""
    # Wrappers may copy the method's attributes or its class, but not its code.
    return found.described if type(found) is FunctionType and found.__code__ in _CODES else None  # type: ignore[attr-defined]


def _described(verb: str, path: str, facts: dict[str, Any]) -> Callable[[_Function], _Function]:
    deprecated = facts.pop("deprecated", None)

    def decorate(shown: _Function) -> _Function:
        return Call(shown, verb, path, facts, deprecated).function(
            shown.__qualname__.rpartition(".")[0], shown.__module__
        )

    return decorate


def get(path: str, reply: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """`GET path`; see `Builder` and `Endpoint` for the facts. `deprecated` is the text of the method's warning."""
    return _described("GET", path, {"reply": reply, **facts})


def post(path: str, reply: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """`POST path`."""
    return _described("POST", path, {"reply": reply, **facts})


def put(path: str, reply: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """`PUT path`."""
    return _described("PUT", path, {"reply": reply, **facts})


def patch(path: str, reply: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """`PATCH path`."""
    return _described("PATCH", path, {"reply": reply, **facts})


def delete(path: str, reply: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """`DELETE path`."""
    return _described("DELETE", path, {"reply": reply, **facts})


def _paged(kind: str, path: str, item: Any, facts: dict[str, Any]) -> Callable[[_Function], _Function]:
    verb = facts.pop("verb", "GET")
    return _described(verb, path, {"paged": (kind, item), **facts})


def _page_types(kind: str, item: Any) -> dict[str, Any]:
    """Returns the facts of a list about its pages: most processes never list anything."""
    from aiopenai._calls import paging

    page_class = getattr(paging, kind)
    return {"reply": page_class[item], "page": page_class}


def page(path: str, item: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A list without further pages."""
    return _paged("AsyncPage", path, item, facts)


def cursor_page(path: str, item: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A list whose next page begins after the id of the last item."""
    return _paged("AsyncCursorPage", path, item, facts)


def conversation_cursor_page(path: str, item: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A list whose next page begins after `last_id`."""
    return _paged("AsyncConversationCursorPage", path, item, facts)


def next_cursor_page(path: str, item: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A list whose next page begins after the cursor `next`."""
    return _paged("AsyncNextCursorPage", path, item, facts)


def token_page(path: str, item: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A list whose next page is named by the token `next`."""
    return _paged("AsyncTokenPage", path, item, facts)


def streamed(verb: str, path: str, reply: Any, event: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A method that returns `reply`, or with `stream=True` a stream of `event`."""
    return _described(verb, path, {"reply": reply, "event": event, **facts})


def events(verb: str, path: str, event: Any, **facts: Any) -> Callable[[_Function], _Function]:
    """A method that always returns a stream of `event`."""
    return _described(verb, path, {"reply": None, "event": event, **facts})


def chosen(
    verb: str, path: str, by: str, replies: Mapping[str, Any], event: Any, **facts: Any
) -> Callable[[_Function], _Function]:
    """A method whose reply type depends on its argument `by`: the first of `replies` where it is absent or unknown."""
    reply = next(iter(replies.values()))
    return _described(verb, path, {"reply": reply, "event": event, "chosen_by": by, "replies": replies, **facts})


def _by_hand(
    where: str, deprecated: str | None, *, coroutine: bool = False, options: bool = True
) -> Callable[[_Function], _Function]:
    def decorate(shown: _Function) -> _Function:
        described = Helper(shown, where, coroutine=coroutine, options=options, deprecated=deprecated)
        return described.function(shown.__qualname__.rpartition(".")[0], shown.__module__)

    return decorate


def helper(where: str, *, deprecated: str | None = None) -> Callable[[_Function], _Function]:
    """A method that makes several calls: the coroutine function at `module:function`."""
    return _by_hand(where, deprecated, coroutine=True)


def managed(where: str, *, deprecated: str | None = None) -> Callable[[_Function], _Function]:
    """A method that returns the result of the function at `module:function`, called with the resource."""
    return _by_hand(where, deprecated)


def plain(where: str, *, deprecated: str | None = None) -> Callable[[_Function], _Function]:
    """A method without calls: the function at `module:function`, the same in both clients."""
    return _by_hand(where, deprecated, options=False)
