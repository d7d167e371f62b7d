"""`omit` and `not_given`: the values of arguments that are left out."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

__all__ = ["NOT_GIVEN", "NotGiven", "Omit", "is_left_out", "not_given", "omit"]


class Omit:
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


class NotGiven:
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


def is_left_out(value: object) -> bool:
    """Returns whether a value is `omit` or `not_given`."""
    return isinstance(value, (Omit, NotGiven))
