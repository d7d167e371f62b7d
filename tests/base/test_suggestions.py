"""Suggestions for misspelt names and options."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aiopenai._base.suggestions import suggesting, suggestion
from aiopenai._base.timeouts import Timeout


class Client:
    @suggesting
    def __init__(self, key: str = "", *, timeout: float = 1.0, retries: int = 2) -> None:
        self.given = (key, timeout, retries)

    @suggesting
    def copy(self, *, timeout: float = 1.0, **rest: Any) -> Any:
        return inner(timeout=timeout, **rest)


def inner(*, timeout: float) -> float:
    return timeout


def test_the_nearest_name() -> None:
    assert suggestion("tmeout", ["timeout", "retries"]) == "; did you mean 'timeout'?"
    assert suggestion("zzz", ["timeout", "retries"]) == ""
    assert suggestion("zzz", iter(())) == ""


def test_a_call_without_a_mistake() -> None:
    assert Client("k", timeout=3.0).given == ("k", 3.0, 2)
    assert Client().copy(timeout=4.0) == 4.0


def test_a_misspelt_option() -> None:
    wrong: Any = {"timout": 3.0}
    with pytest.raises(TypeError) as caught:
        Client(**wrong)
    assert str(caught.value) == ("Client() got an unexpected keyword argument 'timout'; did you mean 'timeout'?")
    # The first error says the same, without the suggestion.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_option_that_is_near_none() -> None:
    wrong: Any = {"zzz": 3.0}
    with pytest.raises(TypeError, match=r"'zzz'; the options are key, timeout, retries$"):
        Client(**wrong)


def test_the_title_of_a_method() -> None:
    class Other(Client):
        pass

    with pytest.raises(TypeError, match=r"^Other\.copy\(\) got an unexpected keyword argument 'tymeout'; did you mean"):
        Other().copy(tymeout=3.0)


def test_options_of_a_base_class_count() -> None:
    class Derived(Client):
        @suggesting
        def __init__(self, *, region: str = "", _hidden: int = 0, **options: Any) -> None:
            super().__init__(**options)

    wrong: list[tuple[dict[str, Any], str]] = [
        ({"timout": 1}, "did you mean 'timeout'"),
        ({"regoin": ""}, "did you mean 'region'"),
        ({"zzz": 1}, "the options are region, key, timeout, retries$"),
    ]
    for options, words in wrong:
        with pytest.raises(TypeError, match=rf"^Derived\(\) got an unexpected keyword argument '\w+'; {words}"):
            Derived(**options)
    assert Derived(region="r", timeout=3.0).given == ("", 3.0, 2)


def test_errors_from_deeper_down_stay() -> None:
    class Deep:
        @suggesting
        def call(self, timeout: Any = None) -> None:
            wrong: Any = {"depth": timeout}
            inner(**wrong)

        @suggesting
        def fail(self, timeout: Any = None) -> None:
            raise TypeError(f"own words about {timeout}")

    with pytest.raises(TypeError, match=r"^inner\(\) .*'depth'$"):
        Deep().call(timeout=1)
    with pytest.raises(TypeError, match=r"^own words about 1$"):
        Deep().fail(timeout=1)


def test_signatures_are_those_of_the_function() -> None:
    assert list(inspect.signature(Client).parameters) == ["key", "timeout", "retries"]
    assert inspect.getfullargspec(Client.copy).kwonlyargs == ["timeout"]


def test_an_error_of_the_package_leaves_without_the_frames_of_the_call() -> None:
    """The frames hold the options, credentials among them."""

    class Checking:
        @suggesting
        def __init__(self, *, key: str = "", timeout: Any = None) -> None:
            self.timeout = Timeout.of(timeout)

    with pytest.raises(TypeError) as caught:
        Checking(key="hunter2", timeout="soon")
    assert caught.value.__context__ is None
    frame = caught.value.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename != __file__:
            assert "hunter2" not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next
