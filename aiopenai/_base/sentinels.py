"""`omit` and `not_given`: the values of arguments that are left out."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

__all__ = ["NOT_GIVEN", "NotGiven", "Omit", "is_left_out", "not_given", "omit"]


def _is_of_reference(kind: type, name: str) -> bool:
    return any(each.__name__ == name and each.__module__ in ("openai", "openai._types") for each in kind.__mro__)


class _Recognised(type):
    """A class of sentinels. Those of the reference's class of the same name are instances too, without an import."""

    @override
    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or _is_of_reference(type(instance), cls.__name__)


class Omit(metaclass=_Recognised):
    """Leaves out a parameter of the body, or a header that is sent by default."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    @override
    def __repr__(self) -> str:
        return "omit"

    @override
    def __reduce__(self) -> str:
        return "omit"


class NotGiven(metaclass=_Recognised):
    """The default of options for which None has a meaning: `timeout=None` is no limit, `not_given` the usual one."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    @override
    def __repr__(self) -> str:
        return "NOT_GIVEN"

    @override
    def __reduce__(self) -> str:
        return "not_given"


omit = Omit()
not_given = NotGiven()
NOT_GIVEN = not_given


_OWN: tuple[type, ...] = (Omit, NotGiven)


class _Kinds(dict[type, bool]):
    """Whether the values of a type are left out, looked up once for each built-in type: each argument asks for it."""

    def __missing__(self, kind: type) -> bool:
        found = any(issubclass(kind, own) or _is_of_reference(kind, own.__name__) for own in _OWN)
        # Classes of users are not kept: a program may make any number of them.
        if kind.__module__ == "builtins":
            self[kind] = found
        return found


_kinds = _Kinds({Omit: True, NotGiven: True})


def is_left_out(value: object) -> bool:
    """Returns whether a value is `omit` or `not_given`, of this package or of the reference."""
    return _kinds[type(value)]
